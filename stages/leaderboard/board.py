"""The board's questions as tasks, answers as the board reads them, and the board's figures. Nothing here runs. [O]"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from itool.formats.bfcl import question_form
from itool.formats.notes import Notes
from itool.formats.tools import tools_of
from itool.toolcall.types import Answer, Task, Tool, Unparseable
from itool.toolcall.wording import holds_call

TOO_LONG, NO_PROMPT = "too_long", "no_prompt"  # kinds of answers to questions that are not asked
# Answers that are no refusals, though the board, which looks for calls alone, counts them as such.
NO_REFUSALS = ("unparseable", "call_in_text", TOO_LONG, NO_PROMPT)
# Our figure -> file and column of the board's own tables. These columns say N/A where a category was not run.
COLUMNS = {
    "non_live": ("non_live", "AST Summary"),
    "simple": ("non_live", "Simple AST"),
    "live": ("live", "AST Summary"),
    "irrelevance": ("overall", "Irrelevance Detection"),
    "relevance": ("overall", "Relevance Detection"),
}
OVERALL = ("non_live", "live", "irrelevance")  # the parts of a single turn; they weigh the same on the board


def task_of(record: dict[str, Any], notes: Notes) -> Task:
    """A question as a task without a reference; its scenario is the board's category.

    Raises UserError with the field.
    """
    asked = question_form(record, record["id"])
    tools = tuple(tools_of(asked["tools"], record["id"], notes))
    return Task(record["id"], "test", category_of(record["id"]), tools, tuple(asked["messages"]))


def category_of(task_id: str) -> str:
    """The category that an id of the board names: live_simple of live_simple_7-3-1."""
    return task_id.rpartition("_")[0]


def read(answer: Answer | Unparseable, output: str, tools: Iterable[Tool]) -> tuple[str, Any]:
    """The kind of an answer, and what the board's handler is given to decode: a list of {name: arguments as JSON} for
    calls, and text for all else. The board takes text for no call, whatever it says.
    """
    if isinstance(answer, Unparseable):
        return "unparseable", output
    if answer.calls:
        return "calls", [{call.name: json.dumps(call.arguments, ensure_ascii=False)} for call in answer.calls]
    return "call_in_text" if holds_call(answer.text, tools) else "text", answer.text


def group_of(category: str) -> str:
    """The folder in which the board keeps a category's files."""
    return "live" if category.startswith("live_") else "non_live"


def result_files(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The board's result files: path below result/<model> -> content, of the rows of BOARD_ANSWERS."""
    files: dict[str, str] = {}
    for row in rows:
        name = f"{group_of(row['category'])}/BFCL_v4_{row['category']}_result.json"
        entry = {"id": row["task_id"], "result": json.loads(row["result"])}
        files[name] = files.get(name, "") + json.dumps(entry, ensure_ascii=False) + "\n"
    return files


def wrong_ids(score_file: str) -> set[str]:
    """The ids of the answers that the board found wrong, in the content of a score file: a header, then these."""
    return {json.loads(line)["id"] for line in score_file.splitlines()[1:]}


def board_row(tables: Mapping[str, str]) -> dict[str, float | None]:
    """The row of the board for the one model of its tables (CSV): percent, or None where a category was not run.

    `overall` is the mean of the parts that the board weighs alike: multi-turn and agentic tasks are not run.
    """
    rows = {name: next(csv.DictReader(io.StringIO(table))) for name, table in tables.items()}
    figures = {figure: percent(rows[table][column]) for figure, (table, column) in COLUMNS.items()}
    parts = [figure for part in OVERALL if (figure := figures[part]) is not None]
    overall = round(sum(parts) / len(OVERALL), 2) if len(parts) == len(OVERALL) else None
    return {"overall": overall} | figures


def percent(cell: str) -> float | None:
    return None if cell == "N/A" else float(cell.removesuffix("%"))


def counts(rows: Iterable[Mapping[str, Any]], wrong: set[str]) -> dict[str, int]:
    """Answers that the dialect cannot read, questions that are too long to ask, and answers that the board credits as
    refusals and that are none.
    """
    rows = list(rows)
    kinds = Counter(row["kind"] for row in rows)
    refusing = [row for row in rows if "irrelevance" in row["category"] and row["task_id"] not in wrong]
    credited = sum(row["kind"] in NO_REFUSALS for row in refusing)
    return {"unparseable": kinds["unparseable"], "too_long": kinds[TOO_LONG], "credited": credited}


def details(rows: Iterable[Mapping[str, Any]], wrong: set[str]) -> dict[str, dict[str, int]]:
    """For each category the number of questions, of right answers by the board, and of answers of each kind."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        of = found.setdefault(row["category"], Counter())
        of.update({"questions": 1, "right": row["task_id"] not in wrong, row["kind"]: 1})
    return {category: dict(of) for category, of in sorted(found.items())}
