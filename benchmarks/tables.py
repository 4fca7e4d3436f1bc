"""The tables of docs/RESULTS.md, read off the runs of benchmarks/results.parquet: one section a setting."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.arms import ABLATIONS, ARMS, BIG, MODELS, RIVALS
from benchmarks.results import Setting, flat
from itool.statistics import Estimate, Weights, interval
from stages.report.markdown import grid, percent

RESAMPLES = 2000
OVER_IT0, ITOOL_OVER = "complex, over it0", "complex, iTool over it"


def tables(found: Iterable[Setting], present: dict[str, Any]) -> str:
    """All tables of each setting, under what it differs by from the present parameters."""
    parts = []
    for setting in found:
        parts.append(heading(setting, flat(present)))
        if setting.seeds("itool"):
            parts += [arms(setting), claims(setting), over_larger(setting)]
        parts.append(rates(setting))
    return "\n\n".join(part for part in parts if part)


def heading(setting: Setting, present: dict[str, Any]) -> str:
    """Where the runs of the setting are from, and which of their parameters params.yaml has other values for."""
    members = setting.members
    commits = dict.fromkeys(run.commit[:7] for run in members)
    machines = dict.fromkeys(run.machine for run in members)
    known = {name: value for name, value in setting.shared.items() if name in present}
    others = [f"{name} {value} (now {present[name]})" for name, value in known.items() if value != present[name]]
    parameters = {name for run in members for name in run.parameters}
    gone = [name for name in setting.shared if name in parameters and name not in present]
    days = f"{members[0].date[:10]} to {members[-1].date[:10]}"
    lines = [
        f"## Version {setting.shared['version']}, {len(members)} runs, {days}",
        f"- commits: {', '.join(commits)}",
        f"- machines: {'; '.join(machines)}",
        f"- parameters other than in params.yaml: {', '.join(others) or 'none'}",
        f"- parameters that params.yaml does not have: {', '.join(gone) or 'none'}",
    ]
    return "\n".join(lines)


def arms(setting: Setting) -> str:
    """All arms that were run, and what iTool is better by on the seeds that both have."""
    rows = [("itool", "base"), ("itool", "it0"), ("itool", "it1"), ("itool", "it2")]
    rows += [(arm, "last") for arm in RIVALS | ABLATIONS] + [("larger", model) for model in ("base", "it0", "last")]
    rows += [("big_itool", "base"), ("big_itool", "it0"), *((arm, "last") for arm in BIG)]
    return markdown(arm_row(setting, *row) for row in rows if setting.seeds(row[0]))


def arm_row(setting: Setting, arm: str, model: str) -> dict[str, Any]:
    """One line of the table of arms: `model` of the arm, or its `last` one."""
    name = arm if model == "last" else model if arm == "itool" else f"{arm}, {model}"
    model = setting.last(arm) if model == "last" else model
    seeds = setting.seeds(arm)
    used = sorted({setting.runs[arm, seed].rate for seed in seeds}) if model not in ("base", "it0") else ["-"]
    row = {"arm": name, "rate": ", ".join(map(str, used)), "seeds": len(seeds)}
    row |= {
        tasks: percent(mean(setting.grid(arm, model, tasks, seeds))) for tasks in ("all", "complex", "simple", "unseen")
    }
    ours = "big_itool" if arm in BIG else "itool"
    shared = setting.seeds(ours, arm)
    if not shared:
        return row | {OVER_IT0: "-", ITOOL_OVER: "-"}
    best, it0 = (setting.grid(ours, each, "complex", shared) for each in ("it3", "it0"))
    mine = setting.grid(arm, model, "complex", shared)
    return row | {OVER_IT0: percent(mean(mine - it0), "+"), ITOOL_OVER: percent(mean(best - mine), "+")}


def claims(setting: Setting) -> str:
    """Claims 1 to 4, seed by seed and together."""
    together = setting.seeds("itool")
    chosen = [[seed] for seed in together] + ([together] if len(together) > 1 else [])
    return "\n".join(claim_line(setting, seeds) for seeds in chosen)


def claim_line(setting: Setting, seeds: list[int]) -> str:
    """Claims 1 to 4 on these seeds together."""

    def gain(before: str, after: str, tasks: str) -> str:
        first, second = (setting.grid("itool", model, tasks, seeds) for model in (before, after))
        return percent(mean(second - first), "+")

    wrong = [percent(mean(setting.grid("itool", model, "complex", seeds, "parameter"))) for model in ("it0", "it3")]
    return (
        f"seeds {seeds}: all, it3 over base {gain('base', 'it3', 'all')}; "
        f"complex, it3 over it0 {gain('it0', 'it3', 'complex')}, "
        f"step by step {' '.join(gain(*step, 'complex') for step in pairwise(MODELS))}; "
        f"complex tasks with a wrong parameter {' -> '.join(wrong)}"
    )


def over_larger(setting: Setting) -> str:
    """Claim 6: what small models, iTool and those with more of something, are better by than the larger one after
    supervised training on the same tasks.
    """
    rows = []
    for arm in ("itool", "no_selection", "updates_480", "iterations_6"):
        if seeds := setting.seeds(arm, "larger"):
            row = {"over larger": arm, "seeds": len(seeds)}
            for tasks in ("all", "complex"):
                small, large = (setting.grid(name, setting.last(name), tasks, seeds) for name in (arm, "larger"))
                row[tasks] = percent(mean(small - large), "+")
            rows.append(row)
    return markdown(rows)


def rates(setting: Setting) -> str:
    """Which learning rates were tried: percent of the validation tasks after each iteration, a column a rate."""
    tried = [
        {"arm": arm, "rate": rate, "right": ", ".join(f"{100 * share:.1f}" for share in shares)}
        for (arm, rate), shares in setting.tried().items()
    ]
    if not tried:
        return ""
    grid = pd.DataFrame(tried).pivot(index="arm", columns="rate", values="right").fillna("-")
    grid = grid.loc[[arm for arm in ARMS if arm in grid.index]].rename(columns=lambda rate: f"{rate:g}")
    return markdown(grid.reset_index().to_dict("records"))


def markdown(rows: Iterable[dict[str, Any]]) -> str:
    """A Markdown table; nothing without rows."""
    table = pd.DataFrame(list(rows))
    return grid(table) if len(table) else ""


def mean(right: NDArray[np.float64]) -> Estimate:
    """Mean of (seeds, tasks) with a bootstrap over tasks and, where there are several, seeds."""
    draws = Weights.draw(*right.shape, RESAMPLES, 1).means(right[None])[:, 0]
    return interval(right.mean(), draws, right.size)
