"""Intervals, paired tests and curves. Numpy arrays in, floats out; every interval is a 95% percentile bootstrap.

SciPy is imported where it is used: it takes two seconds, and most stages need a function or two that do without.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval, and the number of observations behind it. All None when there are none."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def interval(value: float, draws: NDArray[np.float64], n: int) -> Estimate:
    """`value` with the percentiles of its bootstrap `draws` (resamples,); draws of 0/0 are left out."""
    known = draws[~np.isnan(draws)]
    if np.isnan(value) or not known.size:
        return Estimate(None, None, None, n)
    low, high = np.percentile(known, PERCENTILES)
    return Estimate(float(value), float(low), float(high), n)


def bootstrap_mean(values: ArrayLike, resamples: int, seed: int) -> Estimate:
    """Mean of `values` (n,) [O: percentile bootstrap]."""
    observed = np.asarray(values, dtype=np.float64)
    if not observed.size:
        return Estimate(None, None, None, 0)
    chosen = np.random.default_rng(seed).integers(0, observed.size, (resamples, observed.size), dtype=np.int32)
    return interval(observed.mean(), observed[chosen].mean(axis=1), observed.size)


def bootstrap_difference(before: ArrayLike, after: ArrayLike, resamples: int, seed: int) -> Estimate:
    """Mean of `after` minus mean of `before`, both (n,) over the same tasks in order, drawn in pairs."""
    first, second = paired(before, after)
    return bootstrap_mean(second - first, resamples, seed)


def paired_test(before: ArrayLike, after: ArrayLike) -> float:
    """Two-sided p-value of McNemar's exact test on right/wrong (n,) over the same tasks in the same order."""
    first, second = paired(before, after)
    gained, lost = int(((first == 0) & (second == 1)).sum()), int(((first == 1) & (second == 0)).sum())
    if gained + lost == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5).pvalue)


def paired(before: ArrayLike, after: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as floats. Raises ValueError when the lengths differ."""
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"paired samples of different shapes: {first.shape} and {second.shape}")
    return first, second


def auc(scores: ArrayLike, right: ArrayLike) -> float | None:
    """Area under the ROC curve: the share of (right, wrong) couples in which the right one scores higher, ties half.

    None when there is no such couple.
    """
    from scipy.stats import rankdata

    ranks, hits = rankdata(scores), np.asarray(right, dtype=bool)
    positives, negatives = int(hits.sum()), int((~hits).sum())
    if not positives or not negatives:
        return None
    return float((ranks[hits].sum() - positives * (positives + 1) / 2) / (positives * negatives))


@dataclass(frozen=True)
class Weights:
    """A bootstrap over tasks and training seeds at once: how often each is drawn in each resample [O].

    The same draw serves every data size, so that differences between sizes are paired by task and by seed.
    """

    seeds: NDArray[np.float64]  # (resamples, seeds), rows sum to 1
    tasks: NDArray[np.float64]  # (resamples, tasks), rows sum to 1

    @staticmethod
    def draw(n_seeds: int, n_tasks: int, resamples: int, seed: int) -> "Weights":
        random = np.random.default_rng(seed)
        seeds = random.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), resamples) / n_seeds
        tasks = random.multinomial(n_tasks, np.full(n_tasks, 1 / n_tasks), resamples) / n_tasks
        return Weights(seeds, tasks)

    def means(self, grid: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means of `grid` (sizes, seeds, tasks) in every resample: (resamples, sizes)."""
        return np.asarray(np.einsum("bt,rst,bs->br", self.tasks, grid, self.seeds, optimize=True))


@dataclass(frozen=True)
class Gains:
    """What each doubling of the data gave, between successive sizes, and whether that decays."""

    steps: list[Estimate]  # accuracy gained per doubling, one for each pair of successive sizes
    first_minus_last: Estimate
    verdict: str  # "decays", "no decay", "decay not shown", or "too few sizes" for fewer than two gains


def gains_per_doubling(sizes: ArrayLike, right: NDArray[np.float64], weights: Weights) -> Gains:
    """Gain per doubling of `right` (sizes, seeds, tasks) between successive `sizes` (samples, rising).

    "decays" is said only when the first gain exceeds the last with the whole interval above zero, "no decay" only when
    the whole interval is not [O].
    """
    doublings = np.diff(np.log2(np.asarray(sizes, dtype=np.float64)))
    observed = np.diff(right.mean(axis=(1, 2))) / doublings
    draws = np.diff(weights.means(right), axis=1) / doublings
    n = right.shape[1] * right.shape[2]
    steps = [interval(observed[step], draws[:, step], n) for step in range(doublings.size)]
    drop = interval(observed[0] - observed[-1], draws[:, 0] - draws[:, -1], n)
    if doublings.size < 2:
        return Gains(steps, drop, "too few sizes")
    if drop.low is not None and drop.low > 0:
        return Gains(steps, drop, "decays")
    return Gains(steps, drop, "no decay" if drop.high is not None and drop.high <= 0 else "decay not shown")


def saturating_fit(sizes: ArrayLike, accuracy: ArrayLike) -> dict[str, float] | None:
    """Least-squares fit of accuracy (m,) = a - b * n^-c to sizes n (m,), 0 <= a <= 1, b >= 0, 0.01 <= c <= 5 [O].

    None with fewer than three different sizes, which leave the parameters open, or when the fit does not converge.
    """
    n, y = np.asarray(sizes, dtype=np.float64), np.asarray(accuracy, dtype=np.float64)
    if np.unique(n).size < 3:
        return None
    from scipy.optimize import least_squares

    unit = n.min()  # sizes in units of the smallest keep b and c of one magnitude

    def residuals(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b, c = parameters
        return np.asarray(a - b * (n / unit) ** -c - y)

    start = (min(1.0, max(0.0, float(y.max()))), max(1e-3, float(y.max() - y.min())), 0.5)
    fit = least_squares(residuals, start, bounds=([0, 0, 0.01], [1, np.inf, 5]), xtol=1e-12, ftol=1e-12)
    if not fit.success:
        return None
    a, b, c = fit.x
    return {"a": float(a), "b": float(b * unit**c), "c": float(c)}


def apportion(count: int, weights: Mapping[str, float]) -> dict[str, int]:
    """`count` shared out in proportion to the weights (not all 0), largest remainders first, the first in a tie."""
    total = sum(weights.values())
    exact = {name: count * weight / total for name, weight in weights.items()}
    shares = {name: int(share) for name, share in exact.items()}
    for name in sorted(exact, key=lambda name: shares[name] - exact[name])[: count - sum(shares.values())]:
        shares[name] += 1
    return shares
