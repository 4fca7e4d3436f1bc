"""Scratch folders, in which an interrupted stage finds the shards that it had finished [O]."""

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from itool.engine.environment import environment, model_files
from itool.params import Params

CHAT = {"dialect", "chat_template", "thinking", "preamble", "max_length"}  # settings of the model that shape prompts
ROOT = Path(__file__).parents[1]


def scratch_folder(
    place: Path,
    settings: Params,
    model_dir: Path,
    values: Iterable[object],
    inputs: Iterable[Path],
    code: Sequence[str],
) -> Path:
    """Where the finished shards of answers of a model lie, below `place`; those of other names there are removed.

    The name is a hash of all that decides their bytes: the model, the settings of the engine and of the chat, library
    versions, the kind of device, and what the stage has beside: `values`, the files `inputs`, and the folders of its
    `code` from the root of the project.
    """
    # Another address serves the same model, and memory is only speed.
    engine = settings.engine.model_dump(exclude={"server": True, "prefix_cache": True, "vllm": {"memory"}})
    chat = settings.model.model_dump(include=CHAT)
    template = [Path(settings.model.chat_template)] if settings.model.chat_template else []
    files = sorted(path for folder in code for path in (ROOT / folder).rglob("*.py"))
    decisive = [*values, engine, chat, *environment(settings.engine.kind)]
    scratch = place / fingerprint(decisive, [*inputs, *model_files(model_dir), *template, *files])
    for other in set(place.glob("*")) - {scratch}:
        shutil.rmtree(other)
    return scratch


def fingerprint(values: Iterable[object], paths: Iterable[Path]) -> str:
    """A short hash of values and of the names and bytes of files."""
    digest = hashlib.blake2b(repr(list(values)).encode(), digest_size=8)
    for path in paths:
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'blake2b').hexdigest()}".encode())
    return digest.hexdigest()
