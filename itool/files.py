"""JSON, text files and folders. Everything is written whole or not at all: beside its place first, then moved there."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from itool.errors import UserError

MAX_NESTING = 64  # of lists and objects in each other


def read_text(path: str | Path) -> str:
    """A file of UTF-8. Raises UserError naming the file, and the byte that is none."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start}: not UTF-8") from None


def read_json(path: str | Path) -> Any:
    """Any JSON file. Raises UserError naming the file, and the line where the JSON is broken."""
    return parse_json(read_text(path), str(path))


def parse_json(text: str, where: str) -> Any:
    """Any JSON. Raises UserError that opens with `where`, also for what is nested deeper than 64 levels."""
    try:
        value = json.loads(text)
        if deeper(value, MAX_NESTING):
            raise RecursionError
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError:
        raise UserError(f"{where}: not JSON: a number of too many digits") from None
    except RecursionError:
        raise UserError(f"{where}: found JSON nested deeper than {MAX_NESTING} levels") from None
    return value


def deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested deeper than this in a value."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(deeper(item, levels - 1) for item in items)


def write_json(value: Any, path: str | Path) -> None:
    """Writes small JSON (metrics), keys in the order given, floats to 6 significant digits, whole or not at all."""

    def rounded(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: rounded(inner) for key, inner in item.items()}
        if isinstance(item, list | tuple):
            return [rounded(inner) for inner in item]
        return float(f"{item:.6g}") if isinstance(item, float) else item

    write_text(json.dumps(rounded(value), indent=2, ensure_ascii=False) + "\n", path)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """A new folder to write to, which takes the place of `path` in the end: whole or not at all."""
    path = Path(path)
    half_written = path.with_name(path.name + ".part")
    shutil.rmtree(half_written, ignore_errors=True)
    half_written.mkdir(parents=True)
    yield half_written
    shutil.rmtree(path, ignore_errors=True)
    half_written.rename(path)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A file to write, which takes the place of `path` in the end: whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    half_written = path.with_name(path.name + ".part")
    yield half_written
    os.replace(half_written, path)


def write_text(text: str, path: str | Path) -> None:
    """Writes UTF-8, whole or not at all."""
    with whole_file(path) as half_written:
        half_written.write_text(text, encoding="utf-8")
