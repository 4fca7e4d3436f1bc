"""Finds a dialect by its name in params.yaml, and reads answers in it. A dialect is a module with `render`, `parse` and
`Scanner`.
"""

from types import ModuleType

from itool.toolcall.dialects import hermes, pythonic
from itool.toolcall.types import Answer, Unparseable


def get(name: str) -> ModuleType:
    """The module of "pythonic" or "hermes"; KeyError for any other name, which params.yaml cannot hold."""
    return {"pythonic": pythonic, "hermes": hermes}[name]


def read_answer(dialect: ModuleType, text: str, finished: bool) -> Answer | Unparseable:
    """The text as an answer, or why it is none.

    `finished`: whether the model ended its turn. An answer cut by the length limit is unparseable, also where the part
    that is there would parse [O].
    """
    if not finished:
        return Unparseable(len(text.encode()), "cut by the length limit")
    try:
        return dialect.parse(text)
    except Unparseable as error:
        return error
