"""Real preference pairs as a reader sees them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from itool import paths
from itool.artifacts import PAIRS, TASKS, read_table, row_task
from itool.errors import UserError
from itool.toolcall.prompt import Prompter
from itool.toolcall.types import Task


@dataclass(frozen=True)
class Side:
    """One fragment of a pair with its Q and its visits N."""

    text: str
    q: float
    visits: int


@dataclass(frozen=True)
class Shown:
    """A pair in words: what was asked, the answer so far, and the two ways on."""

    task_id: str
    scenario: str
    error: str
    path: str
    request: str
    so_far: str
    chosen: Side
    rejected: Side


def sample(iteration: str, count: int, seed: int, prompter: Prompter) -> list[Shown]:
    """A uniform draw of an iteration's pairs (all, when there are fewer than `count`), in the order of the table.

    Raises UserError naming the file when a pair's task is not among those to explore, or its prompt is not that task's.
    """
    file = paths.PAIRS.format(iteration)
    pairs = read_table(file, PAIRS)
    chosen = random.Random(f"{seed}/report/{iteration}").sample(range(pairs.height), min(count, pairs.height))
    rows = [pairs.row(index, named=True) for index in sorted(chosen)]
    wanted = read_table(paths.EXPLORE, TASKS).filter(pl.col("task_id").is_in([row["task_id"] for row in rows]))
    tasks = {row["task_id"]: row_task(row) for row in wanted.iter_rows(named=True)}
    shown = []
    for row in rows:
        task = tasks.get(row["task_id"])
        if task is None:
            raise UserError(f"{file}: column task_id: found {row['task_id']}, which is not in {paths.EXPLORE}")
        prompt = prompter.prompt_ids(task)
        if tuple(row["prompt"][: len(prompt)]) != tuple(prompt):
            raise UserError(f"{file}: column prompt: task {task.task_id}: does not begin with the prompt of that task")
        shown.append(
            Shown(
                task_id=task.task_id,
                scenario=row["scenario"],
                error=row["error"],
                path=row["path"],
                request=request(task),
                so_far=prompter.decode(row["prompt"][len(prompt) :]),
                chosen=Side(text(row["chosen"], prompter), row["chosen_q"], row["chosen_visits"]),
                rejected=Side(text(row["rejected"], prompter), row["rejected_q"], row["rejected_visits"]),
            )
        )
    return shown


def text(ids: Sequence[int], prompter: Prompter) -> str:
    """A fragment's text, with the end of the turn made visible."""
    return prompter.decode(ids) + ("<end>" if ids[-1] in prompter.end_ids else "")


def request(task: Task) -> str:
    """What the user said last, and the tool results that came back since."""
    said = [index for index, message in enumerate(task.messages) if message["role"] == "user"]
    tail = task.messages[said[-1] :] if said else task.messages
    results = [str(message["content"]) for message in tail if message["role"] == "tool"]
    first = str(tail[0]["content"]) if tail else ""
    return " => ".join([first, *results])
