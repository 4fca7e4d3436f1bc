"""The plots of docs/RESULTS.md, from benchmarks/results.parquet.

    python -m benchmarks.plots [--where NAME=VALUE ...]

Writes docs/plots/*.svg for the latest setting that `benchmarks.claims table` prints with the same conditions.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rcParams
from matplotlib.figure import Figure

from benchmarks import results
from benchmarks.arms import ABLATIONS, LARGER, MODELS, RIVALS
from benchmarks.tables import mean
from itool.cli import one_line_errors
from itool.statistics import Estimate
from tests.smoke import ROOT

rcParams.update(
    {
        "svg.hashsalt": "iTool",  # the same results give the same bytes
        "svg.fonttype": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "legend.frameon": False,
    }
)

PLOTS = ROOT / "docs/plots"
ARMS = RIVALS | ABLATIONS | LARGER  # those of the big model have an iTool of their own


def by_iteration(found: results.Setting) -> Figure:
    """Right answers of each model, and complex tasks with a wrong parameter, in percent over all seeds of iTool."""
    seeds = found.seeds("itool")
    models = ("base", *MODELS)
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    lines = [(f"{name} tasks right", name, "right", "o-") for name in ("complex", "simple", "unseen")]
    lines += [("complex tasks with a wrong parameter", "complex", "parameter", "s--")]
    for label, tasks, what, style in lines:
        estimates = [mean(found.grid("itool", model, tasks, seeds, what)) for model in models]
        middle, low, high = percents(estimates)
        drawn = axes.plot(models, middle, style, label=label)
        axes.fill_between(models, low, high, alpha=0.15, color=drawn[0].get_color(), linewidth=0)
    axes.set(ylabel="% of the test tasks", ylim=(0, 65))
    axes.legend(fontsize="small", loc="upper left", ncols=2)
    axes.set_title(f"iTool by iteration, {len(seeds)} seeds, 95% intervals", fontsize="medium")
    return figure


def by_arm(found: results.Setting) -> Figure:
    """What each arm's last model is better by than iTool's on complex tasks, on the seeds that both have."""
    rows = []
    for arm in ARMS:
        seeds = found.seeds("itool", arm)
        if seeds and arm != "itool":
            mine, best = (found.grid(name, found.last(name), "complex", seeds) for name in (arm, "itool"))
            rows.append((mean(mine - best), f"{arm} ({len(seeds)})"))
    rows.sort(key=lambda row: row[0].value)
    middle, low, high = percents([estimate for estimate, _ in rows])
    figure = Figure(figsize=(6, 0.8 + 0.25 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.hlines(range(len(rows)), low, high)
    axes.plot(middle, range(len(rows)), "o")
    axes.set_yticks(range(len(rows)), [label for _, label in rows])
    axes.axvline(0, color="C3", linewidth=0.8)
    axes.set_xlabel("points over iTool on complex test tasks, 95% intervals")
    axes.set_title("Arms (number of seeds)", fontsize="medium")
    return figure


def by_rate(found: results.Setting) -> Figure:
    """Validation after the last iteration of seed 1 at the learning rates that were tried."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    shares = {key: each[-1] for key, each in sorted(found.tried().items()) if len(each) == len(MODELS[1:])}
    for arm in ARMS:
        ends = {rate: share for (name, rate), share in shares.items() if name == arm}
        if ends:
            style = "o-" if arm == "itool" else ".--"
            axes.plot(list(ends), [100 * end for end in ends.values()], style, label=arm)
    axes.set_xscale("log", base=2)
    axes.set_xticks([0.002, 0.004, 0.008, 0.016], ["0.002", "0.004", "0.008", "0.016"])
    axes.set(xlabel="learning rate", ylabel="% of the validation tasks right")
    axes.legend(fontsize="small", ncols=2)
    axes.set_title("Rates, after three iterations of seed 1", fontsize="medium")
    return figure


def percents(estimates: list[Estimate]) -> tuple[list[float], list[float], list[float]]:
    """Values and the two ends of their intervals, in percent."""
    ends = zip(*((100 * each.value, 100 * each.low, 100 * each.high) for each in estimates), strict=True)
    middle, low, high = map(list, ends)
    return middle, low, high


def main(folder: Path = PLOTS, where: Sequence[str] = ()) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    found = results.settings(results.runs(), where)[0]
    figures = {"iterations": by_iteration(found), "arms": by_arm(found), "rates": by_rate(found)}
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--where", nargs="+", default=[], metavar="NAME=VALUE", help="the runs that are drawn")
    with one_line_errors():
        main(where=parser.parse_args().where)
