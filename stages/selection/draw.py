"""Which tasks enter an iteration's replay buffer, and which of them are hard. Pure functions."""

import math
import random
from collections.abc import Mapping, Sequence

import polars as pl


def candidates(tasks: int, draw: int, headroom: float, iteration: int, seed: int) -> list[int]:
    """Indices, rising, of the tasks from which iteration number `iteration` (from 0) may draw [O].

    The pool is cut at random into parts of at least `headroom` candidates for each drawn task, so that weights have a
    choice; every iteration takes the next part, so no
    task comes twice while there are fresh ones. Then the pool is cut anew. This needs to know nothing of what the
    earlier iterations drew.
    """
    parts = max(1, int(tasks / (headroom * draw)))
    lap, part = divmod(iteration, parts)
    order = list(range(tasks))
    random.Random(f"{seed}/pool/{lap}").shuffle(order)
    return sorted(order[part * tasks // parts : (part + 1) * tasks // parts])


def wrong_fragments(predictions: pl.DataFrame) -> dict[str, float]:
    """Of PREDICTIONS: scenario -> wrong fragments per task, of whatever kind [O]."""
    rates = predictions.group_by("scenario").agg(pl.col("errors").list.len().mean()).sort("scenario")
    return dict(rates.iter_rows())


def weights(scenarios: Sequence[str], profile: Mapping[str, float], calibration: float) -> list[float]:
    """The weight with which each task is drawn, 1 on average over the tasks [O].

    The share `calibration` follows the wrong fragments per task of the task's scenario, the rest is uniform. A scenario
    without predictions counts as average.
    """
    average = sum(profile.values()) / len(profile) if profile else 0.0
    wrong = [profile.get(scenario, average) for scenario in scenarios]
    mean = sum(wrong) / len(wrong) if wrong else 0.0
    if mean == 0:
        return [1.0] * len(wrong)
    return [1 - calibration + calibration * rate / mean for rate in wrong]


def weighted_draw(weights: Sequence[float], count: int, chance: random.Random) -> list[int]:
    """`count` indices, rising, drawn without replacement in proportion to the weights (Efraimidis and Spirakis 2006).

    Indices of weight 0 come only when the others are used up.
    """
    draws = [chance.random() for _ in weights]
    keys = [math.log(draw) / weight if weight else -math.inf for draw, weight in zip(draws, weights, strict=True)]
    return sorted(sorted(range(len(keys)), key=lambda index: (-keys[index], draws[index]))[:count])


def hardest(perplexities: Sequence[float], calls: Sequence[bool], ratio: float) -> list[bool]:
    """Marks the share `ratio` of highest perplexity [P] among answers with calls, and among those without.

    The first wins a tie.
    """
    kept = [False] * len(calls)
    for group in (True, False):
        indices = [index for index, has_calls in enumerate(calls) if has_calls is group]
        indices.sort(key=lambda index: -perplexities[index])
        for index in indices[: math.ceil(ratio * len(indices))]:
            kept[index] = True
    return kept
