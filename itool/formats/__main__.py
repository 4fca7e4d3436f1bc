"""Prints what becomes of a file of conversations or of tools: `python -m itool.formats FILE` [O]."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from itool.cli import one_line_errors
from itool.errors import UserError
from itool.formats import read_conversations
from itool.formats.notes import Notes
from itool.formats.records import records
from itool.formats.tools import is_tools, read_tools
from itool.log import start_logging
from itool.params import load
from itool.toolcall.prompt import Prompter, open_prompter
from itool.toolcall.types import Task

SHOWN = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 where something is broken, or, with --strict, left out or repaired."""
    parser = argparse.ArgumentParser(prog="python -m itool.formats", description=__doc__)
    parser.add_argument("file", help="conversations, or tools, in any layout of docs/data.md")
    parser.add_argument("--format", default="auto", help="the layout of the conversations (default: by content)")
    parser.add_argument("--strict", action="store_true", help="make whatever is left out or repaired an error")
    options = parser.parse_args(arguments)
    notes = Notes()
    if _holds_tools(Path(options.file)):
        tools = read_tools(options.file, notes)
        print(f"{options.file}: {len(tools)} tools: {', '.join(tool.name for tool in tools[:20])}", end="")
        print(f" and {len(tools) - 20} others" if len(tools) > 20 else "")
    else:
        _print_conversations(options.file, options.format, notes)
    for line in notes.lines():
        print(line)
    omitted = notes.left_out.total() + notes.repaired.total()
    return int(bool(notes.broken or (options.strict and omitted)))


def _holds_tools(path: Path) -> bool:
    """Whether a file is one of tools: Python, YAML, or JSON whose first record is no conversation."""
    if path.is_dir() or path.name.endswith((".gz", ".parquet")):
        return False
    if path.suffix in (".py", ".yaml", ".yml"):
        return True
    first = next(records(path), None)
    return first is not None and is_tools(first.content)


def _print_conversations(path: str, form: str, notes: Notes) -> None:
    counts: Counter[str] = Counter()
    conversations = 0
    shown: list[Task] = []
    for tasks in read_conversations(path, form, notes):
        conversations += 1
        for task in tasks:
            if not counts[task.scenario] and len(shown) < SHOWN:
                shown.append(task)
            counts[task.scenario] += 1
    layouts = ", ".join(f"{name} {count}" for name, count in notes.read.most_common())
    print(f"{path}: {notes.read.total()} records ({layouts}), {conversations} of them with tasks")
    scenarios = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    print(f"{counts.total()} assistant turns to learn: {scenarios}")
    model = load().model
    prompter = open_prompter(model.path, model)
    for task in shown[:SHOWN]:
        _print_task(task, prompter)


def _print_task(task: Task, prompter: Prompter) -> None:
    """A task as the model will see it; why it will not, where it does not fit."""
    print(f"\n--- {task.task_id}: {task.scenario}")
    try:
        prompt, completion = prompter.sample(task)
        print(prompter.decode(prompt))
        print(f">>> {prompter.decode(completion)}")
    except UserError as error:
        print(error)


if __name__ == "__main__":
    start_logging()
    with one_line_errors():
        raise SystemExit(main())
