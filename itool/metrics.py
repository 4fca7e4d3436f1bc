"""What is measured of a model's answers. A headline metric is a function of a PREDICTIONS table and a line of HEADLINE;
`dvc metrics show` prints those, one row a model. Everything else, with intervals, stands in metrics/detail/.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from itool import paths
from itool.artifacts import PREDICTIONS, read_table
from itool.errors import UserError
from itool.statistics import bootstrap_difference, bootstrap_mean, paired_test
from itool.toolcall.types import OWN, PARAMETER_KINDS, ErrorKind

Metric = Callable[[pl.DataFrame], float | None]  # of PREDICTIONS rows; None where there is nothing to measure
GROUPS = ("all", "complex", "simple", "seen", "unseen")


def group(name: str) -> pl.Expr:
    """The rows of PREDICTIONS that an accuracy is about: one of GROUPS, a scenario, or "own", those of a user's own
    conversations. Seen and unseen is about the tools of the test splits.
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


def percent(chosen: pl.Series) -> float | None:
    """The true values in percent of all; None of none."""
    return 100 * float(chosen.to_numpy().mean()) if chosen.len() else None


def accuracy(name: str) -> Metric:
    """Right answers, in percent of the group's tasks."""
    return lambda answers: percent(answers.filter(group(name))["right"])


def first_errors(kinds: Collection[str]) -> Metric:
    """Answers whose first wrong fragment is of one of the kinds, in percent of all answers."""
    return lambda answers: percent(answers["error"].is_in([str(kind) for kind in kinds]))


HEADLINE: dict[str, Metric] = {
    "tasks": lambda answers: answers.height,
    **{name: accuracy(name) for name in GROUPS},
    "parameter_errors": first_errors(PARAMETER_KINDS),
    "unparseable": first_errors([ErrorKind.UNPARSEABLE]),
}
DELTAS = ("all", "complex")  # headline metrics that iterations also show as a difference to it0


def headline(answers: pl.DataFrame, it0: pl.DataFrame | None = None) -> dict[str, float | None]:
    """The figures of HEADLINE to one decimal, and those of DELTAS less what `it0` has, in percentage points [O].

    Both are PREDICTIONS tables; without `it0` there are no differences.
    """
    figures = {name: metric(answers) for name, metric in HEADLINE.items()}
    if it0 is not None:
        for name in DELTAS:
            now, before = figures[name], HEADLINE[name](it0)
            figures[f"delta_{name}"] = None if now is None or before is None else now - before
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in figures.items()}


def detail(answers: pl.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """The figures of a PREDICTIONS table that stand in metrics/detail/<model>.json, once for each split.

    accuracy.<group> and accuracy.scenario.<name>: {value, low, high, n}, shares with a 95% interval, null if empty.
    Scenarios, the most frequent first, and the group "own" stand there where they occur.
    errors.<kind>: wrong answers by their first wrong fragment; errors.parameter_share: of parameter kinds.
    unparseable: answers that break the dialect; refusals: right answers where no tool fits. Never the same answer.
    """

    def estimate(name: str) -> dict[str, Any]:
        return asdict(bootstrap_mean(answers.filter(group(name))["right"].to_numpy(), resamples, seed))

    counted = answers.group_by("scenario").len().sort(["len", "scenario"], descending=[True, False])
    groups = [*GROUPS, *(["own"] if answers.select(group("own").any()).item() else [])]
    wrong = answers.filter(~pl.col("right"))["error"].to_list()
    counts = {str(kind): wrong.count(kind) for kind in ErrorKind}
    of_parameters = sum(counts[kind] for kind in PARAMETER_KINDS)
    return {
        "accuracy": {name: estimate(name) for name in groups}
        | {"scenario": {name: estimate(name) for name in counted["scenario"]}},
        "errors": counts | {"parameter_share": of_parameters / len(wrong) if wrong else 0.0},
        "unparseable": answers.filter(pl.col("errors").list.contains(str(ErrorKind.UNPARSEABLE))).height,
        "refusals": answers.filter(pl.col("right") & (pl.col("scenario") == "irrelevant")).height,
    }


def difference(before: pl.DataFrame, after: pl.DataFrame, name: str, resamples: int, seed: int) -> dict[str, Any]:
    """How much better `after` is than `before` on the group `name`: {value, low, high, n, p_value}.

    Shares, the paired difference with a 95% interval; p_value is McNemar's exact test. Both are PREDICTIONS tables of
    the same tasks in one order, as by `read_predictions`.
    """
    first, second = (table.filter(group(name))["right"].to_numpy() for table in (before, after))
    return asdict(bootstrap_difference(first, second, resamples, seed)) | {"p_value": paired_test(first, second)}


def read_predictions(models: Sequence[str]) -> dict[str, pl.DataFrame]:
    """The predictions of each model, rows in the order of task_id.

    Raises UserError naming the file when one is missing, or does not answer exactly the tasks that the others do.
    """
    tables = {model: read_table(paths.PREDICTIONS.format(model), PREDICTIONS).sort("task_id") for model in models}
    first, expected = next(iter(tables.items()))
    for model, table in tables.items():
        if not table["task_id"].equals(expected["task_id"]):
            file = paths.PREDICTIONS.format(model)
            odd = sorted(set(table["task_id"]).symmetric_difference(expected["task_id"]))
            what = f"task {odd[0]} is in one of the two only" if odd else "a task is answered twice"
            raise UserError(f"{file}: column task_id: not the tasks of {paths.PREDICTIONS.format(first)}: {what}")
    return tables
