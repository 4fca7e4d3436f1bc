"""Models side by side: the figures of each on the test splits, and paired tests between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from itool.answering import group
from itool.artifacts import PREDICTIONS, read_table
from itool.errors import UserError
from itool.statistics import Estimate, bootstrap_difference, paired_test


def read_predictions(models: Sequence[str], folder: str = "data/predictions") -> dict[str, pl.DataFrame]:
    """The predictions of each model, rows in the order of task_id.

    Raises UserError naming the file when one is missing, or does not answer exactly the tasks that the others do.
    """
    tables = {model: read_table(f"{folder}/{model}.parquet", PREDICTIONS).sort("task_id") for model in models}
    first, expected = next(iter(tables.items()))
    for model, table in tables.items():
        if not table["task_id"].equals(expected["task_id"]):
            odd = sorted(set(table["task_id"]).symmetric_difference(expected["task_id"]))
            what = f"task {odd[0]} is in one of the two only" if odd else "a task is answered twice"
            raise UserError(f"{folder}/{model}.parquet: column task_id: not the tasks of {first}.parquet: {what}")
    return tables


@dataclass(frozen=True)
class Comparison:
    """How much better `model` is than `reference` on one group of tasks: paired difference, McNemar's exact p."""

    model: str
    reference: str
    group: str
    delta: Estimate
    p_value: float


def compare(
    tables: dict[str, pl.DataFrame], model: str, reference: str, name: str, resamples: int, seed: int
) -> Comparison:
    """Both models on the tasks of the group `name`; the tables have one order, as by `read_predictions`."""
    before, after = (tables[each].filter(group(name))["right"].to_numpy() for each in (reference, model))
    delta = bootstrap_difference(before, after, resamples, seed)
    return Comparison(model, reference, name, delta, paired_test(before, after))
