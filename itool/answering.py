"""Greedy answers to tasks, checked against the references, and the figures that are read off them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from itool.artifacts import PREDICTIONS
from itool.engine.base import Completion, Engine, Request, Sampling
from itool.params import Evaluation
from itool.statistics import bootstrap_mean
from itool.toolcall.checker import check
from itool.toolcall.dialects import read_answer
from itool.toolcall.prompt import Prompter
from itool.toolcall.scanner import join_bytes
from itool.toolcall.types import OWN, PARAMETER_KINDS, SCENARIOS, ErrorKind, Task

GROUPS = ("all", "complex", "simple", "seen", "unseen")


def answer(
    engine: Engine, prompter: Prompter, tasks: Sequence[Task], evaluation: Evaluation, max_tokens: int
) -> pl.DataFrame:
    """One greedy answer to each task, checked: a PREDICTIONS table in the order of the tasks."""
    return checked(prompter, tasks, complete(engine, prompter, tasks, max_tokens), evaluation.strict)


def complete(
    engine: Engine, prompter: Prompter, tasks: Sequence[Task], max_tokens: int
) -> list[tuple[tuple[int, ...], Completion]]:
    """For each task its prompt ids and a greedy completion. Raises UserError naming a task whose prompt is too long."""
    prompts = [prompter.prompt_ids(task) for task in tasks]
    sampling = Sampling(max_tokens=max_tokens, temperature=0.0)
    completions = engine.generate([Request(prompt) for prompt in prompts], sampling)
    return [(prompt, only) for prompt, (only,) in zip(prompts, completions, strict=True)]


def checked(
    prompter: Prompter, tasks: Sequence[Task], completed: Sequence[tuple[tuple[int, ...], Completion]], strict: bool
) -> pl.DataFrame:
    """The completions of the tasks as a PREDICTIONS table."""
    rows = []
    for task, (prompt, completion) in zip(tasks, completed, strict=True):
        output = prompter.decode(completion.ids)
        parsed = read_answer(prompter.dialect, output, completion.finish == "stop")
        verdict = check(parsed, task.reference, task.tools, strict)
        rows.append(
            {
                "task_id": task.task_id,
                "split": task.split,
                "scenario": task.scenario,
                "complex": task.complex,
                "prompt": join_bytes(prompt, prompter.token_bytes, frozenset()).decode("utf-8", "replace"),
                "output": output,
                "right": verdict.right,
                "error": verdict.error or "",
                "path": verdict.path,
                "errors": [str(kind) for kind, _ in verdict.errors],
                "tokens": len(completion.ids),
            }
        )
    return pl.DataFrame(rows, schema=PREDICTIONS)


def group(name: str) -> pl.Expr:
    """The rows of PREDICTIONS that an accuracy is about: one of GROUPS, a scenario, or "own", those of a user's own
    conversations.

    Seen and unseen is about the tools of the test splits.
    """
    unseen = pl.col("split") == "test_unseen"
    expressions = {
        "all": pl.lit(True),
        "complex": pl.col("complex"),
        "simple": ~pl.col("complex"),
        "seen": ~unseen,
        "unseen": unseen,
        "own": pl.col("task_id").str.starts_with(OWN),
    }
    return expressions.get(name, pl.col("scenario") == name)


def metrics(predictions: pl.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """The figures of a PREDICTIONS table, as they stand in metrics/<model>.json.

    accuracy.<group> and accuracy.scenario.<name>: {value, low, high, n}, shares with a 95% interval, null if empty.
    Scenarios, and the group "own", stand there where they occur.
    errors.<kind>: wrong answers by their first wrong fragment; errors.parameter_share: of parameter kinds.
    unparseable: answers that break the dialect; refusals: right answers where no tool fits. Never the same answer.
    """

    def accuracy(name: str) -> dict[str, Any]:
        return asdict(bootstrap_mean(predictions.filter(group(name))["right"].to_numpy(), resamples, seed))

    scenarios = set(predictions["scenario"])
    groups = [*GROUPS, *(["own"] if predictions.select(group("own").any()).item() else [])]
    wrong = predictions.filter(~pl.col("right"))["error"].to_list()
    counts = {str(kind): wrong.count(kind) for kind in ErrorKind}
    of_parameters = sum(counts[kind] for kind in PARAMETER_KINDS)
    return {
        "accuracy": {name: accuracy(name) for name in groups}
        | {"scenario": {name: accuracy(name) for name in SCENARIOS if name in scenarios}},
        "errors": counts | {"parameter_share": of_parameters / len(wrong) if wrong else 0.0},
        "unparseable": predictions.filter(pl.col("errors").list.contains(str(ErrorKind.UNPARSEABLE))).height,
        "refusals": predictions.filter(pl.col("right") & (pl.col("scenario") == "irrelevant")).height,
    }
