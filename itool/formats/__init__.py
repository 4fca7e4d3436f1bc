"""Data formats: how a file of conversations is read, by its name in params.yaml (synthesis.format) [O].

A format is one file of this folder with a reader, and one line here. A reader takes the path and returns the tasks of
each conversation; their split is still open.
"""

from collections.abc import Callable
from pathlib import Path

from itool.errors import UserError
from itool.formats import openai
from itool.toolcall.types import Task

READERS: dict[str, Callable[[str | Path], list[list[Task]]]] = {
    "openai": openai.read_conversations,
}


def read_conversations(path: str | Path, form: str) -> list[list[Task]]:
    """The tasks of each conversation. Raises UserError for an unknown format, and for what the reader cannot take."""
    if form not in READERS:
        raise UserError(f"params.yaml: synthesis.format: found {form!r}, expected one of {', '.join(READERS)}")
    return READERS[form](path)
