"""Layouts of conversations: how the records of a file are read, found by their content or named in params.yaml
(synthesis.format) [O].

A layout is one file of this folder and one line here. It says which records it knows (`matches`) and brings one into
OpenAI's form (`openai_form`). All else, from files to tasks, is the same for all of them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from itool.errors import UserError
from itool.files import parse_json
from itool.formats import (
    anthropic,
    bfcl,
    gemini,
    glaive,
    hermes,
    openai,
    responses,
    sharegpt,
    tau_bench,
    toolace,
    when2call,
    xlam,
)
from itool.formats.conversation import checked, tasks_of
from itool.formats.notes import Notes
from itool.formats.records import point, records
from itool.toolcall.types import Task

TURNS = ("messages", "conversations", "contents", "input", "traj")
# The first that knows a record reads it.
LAYOUTS: dict[str, ModuleType] = {
    "anthropic": anthropic,
    "gemini": gemini,
    "responses": responses,
    "xlam": xlam,
    "when2call": when2call,
    "bfcl": bfcl,
    "tau_bench": tau_bench,
    "glaive": glaive,
    "hermes": hermes,
    "toolace": toolace,
    "sharegpt": sharegpt,
    "openai": openai,
}


def read_conversations(
    path: str | Path, form: str, notes: Notes, shares: Mapping[str, float] | None = None
) -> Iterator[list[Task]]:
    """The tasks of each conversation that has any, in the order of the file; their split is still open.

    `form`: the name of a layout, or "auto". `notes` are told of what was left out. `shares`: how much is taken of the
    files with these names. Raises UserError for an unknown layout or file, and for records none of which gives a task.
    """
    if form != "auto" and form not in LAYOUTS:
        known = ", ".join(("auto", *LAYOUTS))
        raise UserError(f"params.yaml: synthesis.format: found {form!r}, expected one of {known}")
    found, number, shares, sources = False, 0, shares or {}, set()
    for number, record in enumerate(records(path), start=1):
        sources.add(record.source)
        if point(record.where) >= shares.get(record.source, 1.0):
            continue
        try:
            if record.error:
                raise UserError(record.error)
            content = with_lists(record.content, record.where)
            name = layout_of(content, form, record.where)
            notes.read[name] += 1
            conversation = checked(LAYOUTS[name].openai_form(content, record.where), record.where, notes)
            tasks = tasks_of(conversation, number, notes)
        except UserError as error:
            notes.breaks("broken line" if record.error else "broken conversation", str(error))
            continue
        found = found or bool(tasks)
        if tasks:
            yield tasks
    if unknown := shares.keys() - sources:
        known = ", ".join(sorted(sources))
        raise UserError(f"params.yaml: synthesis.sources: found {min(unknown)!r}, expected one of {known} in {path}")
    if number and not found:
        nothing = f"{path}: found no assistant turn with tools after another message"
        raise UserError("; ".join([nothing, *notes.one_each()]))


def with_lists(record: Any, where: str) -> Any:
    """The record with lists of turns that tables hold as JSON."""
    if not isinstance(record, dict):
        return record
    found = {key: record[key] for key in TURNS if isinstance(record.get(key), str) and record[key].startswith("[")}
    return record | {key: parse_json(text, f"{where}: {key}") for key, text in found.items()}


def layout_of(record: Any, form: str, where: str) -> str:
    """The name of the record's layout. Raises UserError for a record of none, or of another than `form`."""
    if not isinstance(record, dict):
        raise UserError(f"{where}: found {type(record).__name__}, expected an object with tools and messages")
    names = LAYOUTS if form == "auto" else [form]
    for name in names:
        if LAYOUTS[name].matches(record):
            return name
    keys = ", ".join(map(str, list(record)[:8]))
    raise UserError(f"{where}: found an object with {keys or 'nothing'}, expected a conversation ({', '.join(names)})")
