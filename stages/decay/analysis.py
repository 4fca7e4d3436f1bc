"""What the points of the decay stage say: accuracy at each data size, gain per doubling, and whether that decays."""

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from itool.statistics import Weights, gains_per_doubling, interval, saturating_fit
from itool.toolcall.types import PARAMETER_KINDS


def analyse(points: pl.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """The figures of a DECAY table that holds every (ratio, seed, task) once, as they stand in metrics/decay.json.

    Each estimate is {value, low, high, n}; accuracies and gains are shares, 0..1.
    verdict, over all tasks: "decays", "no decay", "decay not shown" or "too few sizes".
    points.<ratio>: samples, accuracy.all, accuracy.complex, and parameter_share, the part of parameter kinds in errors.
    <all or complex>: gain_per_doubling.<ratio>-<next ratio>, first_minus_last (first gain minus last), verdict, and
    fit, the a, b, c of a - b * samples^-c (null with fewer than three sizes).
    """
    sizes = points.select("ratio", "samples").unique().sort("samples")
    names, samples = [format(ratio, "g") for ratio in sizes["ratio"]], sizes["samples"].to_list()
    figures: dict[str, Any] = {
        "verdict": "",
        "points": {name: {"samples": n, "accuracy": {}} for name, n in zip(names, samples, strict=True)},
    }
    parts = {"all": points, "complex": points.filter(pl.col("complex"))}
    for part, rows in parts.items():
        if rows.is_empty():
            continue
        right = grid(rows, pl.col("right"))
        weights = Weights.draw(right.shape[1], right.shape[2], resamples, seed)
        means, draws = right.mean(axis=(1, 2)), weights.means(right)
        for size, name in enumerate(names):
            estimate = interval(means[size], draws[:, size], right[size].size)
            figures["points"][name]["accuracy"][part] = vars(estimate)
        gains = gains_per_doubling(samples, right, weights)
        steps = [f"{smaller}-{larger}" for smaller, larger in pairwise(names)]
        figures[part] = {
            "verdict": gains.verdict,
            "gain_per_doubling": {step: vars(gain) for step, gain in zip(steps, gains.steps, strict=True)},
            "first_minus_last": vars(gains.first_minus_last),
            "fit": saturating_fit(np.repeat(samples, right.shape[1]), right.mean(axis=2).ravel()),
        }
        if part == "all":
            figures["verdict"] = gains.verdict
            parameter = grid(rows, pl.col("error").is_in([str(kind) for kind in PARAMETER_KINDS]))
            with np.errstate(invalid="ignore"):  # no error at all: no share
                shares = parameter.sum(axis=(1, 2)) / (1 - right).sum(axis=(1, 2))
                share_draws = weights.means(parameter) / weights.means(1 - right)
            for size, name in enumerate(names):
                wrong = int((1 - right[size]).sum())
                figures["points"][name]["parameter_share"] = vars(interval(shares[size], share_draws[:, size], wrong))
    return figures


def grid(points: pl.DataFrame, column: pl.Expr) -> NDArray[np.float64]:
    """A column of a DECAY table as an array (sizes, seeds, tasks), sizes rising."""
    ordered = points.sort("samples", "seed", "task_id")
    shape = (points["samples"].n_unique(), points["seed"].n_unique(), points["task_id"].n_unique())
    return ordered.select(column.cast(pl.Float64)).to_series().to_numpy().reshape(shape)
