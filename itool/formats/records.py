"""The records of a file or folder, one after another, whatever it is written in [O].

Read are JSON Lines, JSON (a list of records, or one), both also as .gz, Parquet, folders of such files, and data sets
that `datasets` has saved to disk. Lines, Parquet and data sets are streamed.
"""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from itool.errors import UserError, one_line
from itool.files import parse_json

SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz", ".parquet")


class Record(NamedTuple):
    """A record, or why it cannot be read. `where`: its file and line or number."""

    where: str
    content: Any
    error: str = ""
    source: str = ""  # the name of its file, or of its split of a data set


def point(text: str) -> float:
    """A number in 0..1 that is always the same for a text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


def records(path: str | Path) -> Iterator[Record]:
    """All records in order. Raises UserError for what is no such file; a broken line is a record with an error."""
    path = Path(path)
    if path.is_dir():
        yield from _of_folder(path)
    elif path.name.endswith(".parquet"):
        yield from _of_parquet(path)
    else:
        yield from _of_text(path)


def _of_folder(folder: Path) -> Iterator[Record]:
    if (folder / "dataset_info.json").is_file() or (folder / "dataset_dict.json").is_file():
        yield from _of_dataset(folder)
        return
    files = sorted(file for file in folder.rglob("*") if file.name.endswith(SUFFIXES))
    if not files:
        raise UserError(f"{folder}: found no file to read, expected one of {', '.join(SUFFIXES)}")
    for file in files:
        yield from records(file)


def _of_dataset(folder: Path) -> Iterator[Record]:
    import datasets  # seconds, and few users have such a folder

    try:
        loaded = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}: not a data set that can be loaded: {one_line(error)}") from None
    for name, split in loaded.items() if isinstance(loaded, datasets.DatasetDict) else [("", loaded)]:
        place = f"{folder}/{name}" if name else str(folder)
        for number, row in enumerate(split, start=1):
            yield Record(f"{place}: row {number}", row, source=name or folder.name)


def _of_parquet(path: Path) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        number = 0
        for batch in pq.ParquetFile(path).iter_batches(1000):
            for row in batch.to_pylist():
                number += 1
                yield Record(f"{path}: row {number}", row, source=path.name)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: not a readable parquet file: {one_line(error)}") from None


def _of_text(path: Path) -> Iterator[Record]:
    """The lines of JSON Lines, or the items of a JSON list."""
    lines = _lines(path)
    first = next(((number, line) for number, line in lines if line.strip()), None)
    if first is None:
        return
    number, line = first
    if path.name.removesuffix(".gz").endswith(".json") or line.lstrip().startswith("["):
        yield from _of_json(path, "\n" * (number - 1) + line + "".join(f"\n{rest}" for _, rest in lines))
        return
    yield _of_line(path, number, line)
    for number, line in lines:
        if line.strip():
            yield _of_line(path, number, line)


def _of_json(path: Path, text: str) -> Iterator[Record]:
    """The items of a list, or the one record; lines of records where the file is no single JSON value."""
    try:
        content = parse_json(text, str(path))
    except UserError:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith("{") for _, line in lines):
            raise
        yield from (_of_line(path, number, line) for number, line in lines)
        return
    for number, item in enumerate(content if isinstance(content, list) else [content], start=1):
        yield Record(f"{path}: item {number}", item, source=path.name)


def _of_line(path: Path, number: int, line: str) -> Record:
    where = f"{path}: line {number}"
    try:
        return Record(where, parse_json(line, where), source=path.name)
    except UserError as error:
        return Record(where, None, str(error), path.name)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines with their numbers; only a newline ends one, because JSON may hold other ends of lines."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    raise UserError(f"{path}: line {number}: byte {error.start}: not UTF-8") from None
    except (OSError, EOFError) as error:
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or one_line(error)}") from None
