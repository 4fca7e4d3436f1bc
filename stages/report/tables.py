"""The report's tables in long form, one row an observation: `dvc plots` draws them, stages/report/markdown.py pivots
them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl

from itool import paths
from itool.files import read_json
from itool.metrics import difference, group

CURVES = ("loss", "answer_nll", "pair_loss", "margin", "accuracy", "chosen_logprob", "rejected_logprob")
BOUNDS = ["value", "low", "high"]


def accuracy_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    """One row a model and group of tasks that has any, from the models' metrics/detail files (test splits)."""
    rows = []
    for model, figure in figures.items():
        accuracy = figure["test"]["accuracy"]
        groups = {name: estimate for name, estimate in accuracy.items() if name != "scenario"} | accuracy["scenario"]
        rows += [{"model": model, "group": name, **estimate} for name, estimate in groups.items() if estimate["n"]]
    return pd.DataFrame(rows)


def error_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    """One row a model and error kind: how many test answers went wrong there first."""
    rows = [
        {"model": model, "error": kind, "answers": count}
        for model, figure in figures.items()
        for kind, count in figure["test"]["errors"].items()
        if kind != "parameter_share"
    ]
    return pd.DataFrame(rows)


def comparison_table(
    tests: Mapping[str, pl.DataFrame], previous: Mapping[str, str], resamples: int, seed: int
) -> pd.DataFrame:
    """One row a pair of models and group of tasks: it0 against base, the iterations against it0 and against the model
    that they started from (`previous`).
    """
    pairs = [("it0", "base"), *((model, "it0") for model in previous), *previous.items()]
    own = ["own"] if tests["it0"].select(group("own").any()).item() else []
    rows = [
        {"model": model, "reference": reference, "group": name}
        | difference(tests[reference], tests[model], name, resamples, seed)
        for model, reference in dict.fromkeys(pairs)
        for name in ("all", "complex", *own)
    ]
    return pd.DataFrame(rows)


def decay_table(decay: dict[str, Any]) -> pd.DataFrame:
    """One row a data size and kind of tasks (all, complex)."""
    rows = [
        {"samples": point["samples"], "tasks": tasks, **{bound: accuracy[bound] for bound in BOUNDS}}
        for point in decay["points"].values()
        for tasks, accuracy in point["accuracy"].items()
    ]
    return pd.DataFrame(rows)


def deficiency_table(iterations: Mapping[str, Any]) -> pd.DataFrame:
    """The deficiency profiles, one row an iteration, error kind and scenario: all pairs found, trained or not."""
    rows = [
        {"iteration": iteration, "error": error, "scenario": scenario, "pairs": pairs}
        for iteration in iterations
        for error, scenarios in sorted(read_json(paths.FRAGMENTS_METRICS.format(iteration))["scenarios"].items())
        for scenario, pairs in scenarios.items()
    ]
    return pd.DataFrame(rows, columns=["iteration", "error", "scenario", "pairs"])


def curve_table(iterations: Mapping[str, Any]) -> pd.DataFrame:
    """One row an iteration and logged step of its preference training; none where it had nothing to learn."""
    tables = [pd.DataFrame(), *(curves(iteration) for iteration in iterations)]
    return pd.concat(tables).reindex(columns=["iteration", "step", *CURVES])


def curves(iteration: str) -> pd.DataFrame:
    """The curves of one iteration side by side, by step."""
    files = {name: Path(paths.CURVES.format(iteration), f"plots/metrics/{name}.tsv") for name in CURVES}
    logged = [pd.read_csv(file, sep="\t", index_col="step")[[name]] for name, file in files.items() if file.exists()]
    table = pd.concat(logged, axis="columns") if logged else pd.DataFrame()
    return table.reset_index(names="step").assign(iteration=iteration)
