"""The tables of docs/RESULTS.md: `python -m benchmarks.claims run [--arms ARM ...] [--seeds N ...] [--jobs N]`, then
`... table`. `... rates [--arms ARM ...] [--rates RATE ...] [--last it1]` tries learning rates on seed 1.

An arm is the pipeline of dvc.yaml with some parameters changed, as `dvc exp run -S ...` would change them. Each runs in
a copy of the project below tmp/claims; all copies share DVC's cache, so no stage runs twice on the same inputs, and an
interrupted run goes on where it stopped. What a run found stands in benchmarks/claims/<arm>-<seed>.json, and a run that
has its file is skipped: `right` and `parameter` hold one character a test task, in the order of
data/synthesis/test.parquet, 1 where the model is right, or has any wrong parameter. A file made with other parameters,
tasks or base model (of `larger` and `big_*`: the small one) than the project's present ones counts for nothing.
Of other code, and of a larger model trained anew, it is not known: delete the results that these may change.

Rates are judged by validation alone, after the last iteration, and stand in benchmarks/claims/rates/<arm>-<rate>.json.
RATE holds the best ones.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from itool import params
from itool.answering import GROUPS, group
from itool.artifacts import PREDICTIONS, TASKS, read_table, row_task
from itool.files import whole_folder, write_json
from itool.statistics import Estimate, Weights, interval
from itool.toolcall.types import PARAMETER_KINDS
from stages.report.markdown import grid, percent
from tests.smoke import ROOT, copy_project, dvc, lay_over

COPIES = ROOT / "tmp/claims"
RESULTS = ROOT / "benchmarks/claims"
MODELS = ("it0", "it1", "it2", "it3")
RATES = (0.002, 0.004, 0.008)
RESAMPLES = 2000

# 24 rollouts from the root, as many as the tree of a task has; nothing to search where only references are learnt.
INDEPENDENT = {"exploration": {"simulations": 1, "samples": 24}}
UNSEARCHED = {
    "exploration": {"simulations": 1, "samples": 1},
    "fragments": {"answers": "reference"},
    "preference": {"loss": "sft"},
}
EASY_TOO = {"selection": {"calibration": 0.0}, "ratio": 1.0}
RIVALS: dict[str, dict[str, Any]] = {
    "itool": {},
    "sft_more": UNSEARCHED | EASY_TOO,  # tasks drawn at random
    "sft_same": UNSEARCHED,  # those of iTool
    "sft_hard": UNSEARCHED | {"fragments": {"answers": "reference", "rehearse": False}},
    "rejection_sampling": INDEPENDENT | {"preference": {"loss": "sft"}, "fragments": {"answers": "found"}},
    "responses_independent": INDEPENDENT | {"fragments": {"span": "response"}},
    "responses_tree": {"fragments": {"span": "response"}},
    "fragments_independent": INDEPENDENT,
    "authors": {"fragments": {"span": "path"}},
}
# The best rate where that is not iTool's, which params.yaml has; `larger` was run at no other.
RATE = {"sft_same": 0.004, "sft_hard": 0.002, "rejection_sampling": 0.004, "larger": 0.004}
ABLATIONS: dict[str, dict[str, Any]] = {
    "no_warmup_order": {"warmup": {"easy_to_hard": False}},
    "no_selection": {"ratio": 1.0},
    # All drawn tasks searched, and nothing learnt but what the rollouts found; then without tree and pairs.
    "no_references": {"ratio": 1.0, "fragments": {"answers": "found"}},
    "no_references_sampling": INDEPENDENT
    | {"ratio": 1.0, "fragments": {"answers": "found"}, "preference": {"loss": "sft"}},
    "updates_480": {"preference": {"updates": 480}},  # as much arithmetic as `larger` has
    "iterations_6": {"iterations": {f"it{n}": {"previous": f"it{n - 1}", "ratio": 0.26} for n in range(1, 7)}},
    "no_rehearsal": {"fragments": {"rehearse": False}},
    "no_calibration": {"selection": {"calibration": 0.0}},
    "no_self_evaluation": {"exploration": {"self_evaluation": 0.0}},
    "no_answers": {"preference": {"sft": 0.0}},
    "simpo": {"preference": {"loss": "simpo"}},
    "ipo": {"preference": {"loss": "ipo"}},
    "beta_0.2": {"preference": {"beta": 0.2}},
    "simulations_1": {"exploration": {"simulations": 1}},
    "simulations_16": {"exploration": {"simulations": 16}},
    "visits_1": {"fragments": {"visits": 1}},
    "margin_0.3": {"fragments": {"margin": 0.3}},
    "span_rest": {"fragments": {"span": "rest"}},
}
# Of models that benchmarks/larger.py makes. `larger` has three times the parameters and is trained as sft_more. `big`
# has 13 times as many and four times the width: its rates are a quarter of the small one's in the warm-up and of
# iTool's in the iterations.
LARGER: dict[str, dict[str, Any]] = {"larger": UNSEARCHED | EASY_TOO | {"model": {"path": "data/larger"}}}
BIG: dict[str, dict[str, Any]] = {
    f"big_{name}": RIVALS[name] | {"model": {"path": "data/big"}, "warmup": {"learning_rate": 0.001}}
    for name in ("itool", "sft_more", "sft_same", "rejection_sampling", "fragments_independent")
}
RATE |= dict.fromkeys(BIG, 0.002)
ARMS = RIVALS | ABLATIONS | LARGER | BIG


def overrides(arm: str, seed: int, rate: float | None = None) -> dict[str, Any]:
    """What the arm changes in params.yaml, in its form; `rate`: a learning rate instead of its best one. The data stay
    those of synthesis.seed.
    """
    changed = {name: dict(section) for name, section in ARMS[arm].items() if name != "ratio"}
    for stage in ("warmup", "selection", "exploration", "preference"):
        changed.setdefault(stage, {})["seed"] = seed
    if rate := rate or RATE.get(arm):
        changed["preference"]["learning_rate"] = rate
    if "ratio" in ARMS[arm]:
        iterations = params.read(ROOT / "params.yaml")["iterations"]
        changed["iterations"] = {name: item | {"ratio": ARMS[arm]["ratio"]} for name, item in iterations.items()}
    return changed


def origin(arm: str, seed: int, rate: float | None = None) -> dict[str, Any]:
    """What a result hangs on: the arm's parameters, the base model and the test tasks."""
    return origin_of(lay_over(params.read(ROOT / "params.yaml"), overrides(arm, seed, rate)), ROOT)


def current(kept: dict[str, Any]) -> bool:
    """Whether a kept result is one of an arm as it is now."""
    return kept["arm"] in ARMS and kept["origin"] == origin(kept["arm"], kept.get("seed", 1), kept.get("rate"))


def origin_of(fields: dict[str, Any], root: Path) -> dict[str, Any]:
    """The same of a project in the folder `root` that has these parameters."""
    files = (root / "data/base/model.safetensors", root / "data/synthesis/test.parquet")
    return {
        "params": {name: section for name, section in fields.items() if name not in ("decay", "report")},
        "files": {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in files if file.exists()},
    }


def copy_of_project(folder: Path, arm: str, seed: int, rate: float) -> None:
    """The project with the arm's parameters."""
    with whole_folder(folder) as making:
        if model := ARMS[arm].get("model"):
            shutil.copytree(COPIES / Path(model["path"]).name, making / model["path"])
        copy_project(making, overrides(arm, seed, rate))
        dvc(making, "cache", "dir", str(ROOT / ".dvc/cache"))


def run(arm: str, seed: int) -> None:
    """Runs one arm to its last evaluation and keeps what it found."""
    result = RESULTS / f"{arm}-{seed}.json"
    made_of = origin(arm, seed)
    models = ("base", "it0", *made_of["params"]["iterations"])
    if done(result, made_of, models[-1]):
        return
    start = time.monotonic()
    folder = prepared(made_of, arm, seed)
    dvc(folder, "repro", *(f"start@{name}" for name in models[:2]), *(f"evaluation@{name}" for name in models[2:]))
    order = read_table(folder / "data/synthesis/test.parquet", TASKS).select("task_id")
    answers, validation = {}, {}
    for model in models:
        table = read_table(folder / f"data/predictions/{model}.parquet", PREDICTIONS)
        held = table.filter(pl.col("split") == "validation")
        validation[model] = {name: held.filter(group(name))["right"].mean() for name in ("all", "complex", "simple")}
        table = order.join(table, on="task_id", how="left", maintain_order="left")
        bad = pl.element().is_in([str(kind) for kind in PARAMETER_KINDS])
        parameter = table.select(pl.col("errors").list.eval(bad).list.any()).to_series()
        answers[model] = {"right": bits(table["right"]), "parameter": bits(parameter)}
    trained = {
        stage: {name: json.loads((folder / f"metrics/{stage}/{name}.json").read_text()) for name in models[2:]}
        for stage in ("preference", "fragments")
    }
    kept = {"arm": arm, "seed": seed, "origin": made_of, **trained, "validation": validation}
    write_json(kept | {"answers": answers}, result)
    print(f"{result.name}: {time.monotonic() - start:.0f} s", file=sys.stderr)


def tune(arm: str, rate: float, last: str) -> None:
    """Trains the arm, seed 1, at this learning rate up to the iteration `last` and keeps what validation says of it."""
    result = RESULTS / f"rates/{arm}-{rate:g}.json"
    made_of = origin(arm, 1, rate)
    if done(result, made_of, last):
        return
    start = time.monotonic()
    folder = prepared(made_of, arm, 1)
    dvc(folder, "repro", f"preference@{last}")
    iterations = MODELS[1 : MODELS.index(last) + 1]
    trained = [json.loads((folder / f"metrics/preference/{each}.json").read_text()) for each in iterations]
    validation = {name: each["validation"] for name, each in zip(iterations, trained, strict=True)}
    write_json({"arm": arm, "rate": rate, "origin": made_of, "validation": validation}, result)
    print(f"{result.name}: {time.monotonic() - start:.0f} s", file=sys.stderr)


def done(result: Path, made_of: dict[str, Any], last: str) -> bool:
    """Whether the file holds a result of these parameters up to the model `last`."""
    kept = json.loads(result.read_text()) if result.exists() else {}
    known = kept.get("origin") == made_of and last in kept["validation"]
    if known:
        print(f"{result.name}: done before", file=sys.stderr)
    return known


def prepared(made_of: dict[str, Any], arm: str, seed: int) -> Path:
    """The copy of the project in which the arm runs; one of other parameters or other code is made anew."""
    rate = made_of["params"]["preference"]["learning_rate"]
    folder = COPIES / f"{arm}-{seed}-{rate:g}"
    if (
        not folder.exists()
        or origin_of(params.read(folder / "params.yaml"), folder) != made_of
        or code_of(folder) != code_of(ROOT)
    ):
        copy_of_project(folder, arm, seed, rate)
    return folder


def code_of(project: Path) -> dict[str, str]:
    files = [project / "dvc.yaml", *(project / "stages").rglob("*.py")]
    return {str(file.relative_to(project)): file.read_text() for file in files}


def bits(column: pl.Series) -> str:
    return "".join("1" if value else "0" for value in column)


class Results:
    """All runs that have a file of the present parameters, as grids of test tasks."""

    def __init__(self) -> None:
        test = read_table(ROOT / "data/synthesis/test.parquet", TASKS)
        test = test.with_columns(complex=pl.Series([row_task(row).complex for row in test.iter_rows(named=True)]))
        self.groups = {name: test.with_columns(chosen=group(name))["chosen"].to_numpy() for name in GROUPS}
        kept = [json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"))]
        present = [each for each in kept if current(each)]
        self.runs = {(each["arm"], each["seed"]): each for each in present}
        if len(present) < len(kept):
            stale = f"{len(kept) - len(present)} of {len(kept)} results are of other parameters, tasks or base model"
            print(stale, file=sys.stderr)
        if not self.runs:
            raise SystemExit(f"{RESULTS}: found no result of the present params.yaml; make some with `run`")

    def seeds(self, *arms: str) -> list[int]:
        """The seeds that all of these arms were run with."""
        return sorted(set.intersection(*({seed for arm, seed in self.runs if arm == name} for name in arms)))

    def last(self, arm: str) -> str:
        """The model at the end of the arm's iterations."""
        return next(list(kept["answers"])[-1] for (name, _), kept in self.runs.items() if name == arm)

    def grid(self, arm: str, model: str, tasks: str, seeds: list[int], what: str = "right") -> NDArray[np.float64]:
        """(seeds, tasks of the group): 1 where right, or where a parameter is wrong."""
        rows = [[int(bit) for bit in self.runs[arm, seed]["answers"][model][what]] for seed in seeds]
        return np.array(rows, dtype=np.float64)[:, self.groups[tasks]]


def mean(right: NDArray[np.float64]) -> Estimate:
    """Mean of (seeds, tasks) with a bootstrap over tasks and, where there are several, seeds."""
    draws = Weights.draw(*right.shape, RESAMPLES, 1).means(right[None])[:, 0]
    return interval(right.mean(), draws, right.size)


def table(found: Results) -> str:
    """All arms that were run, and what iTool is better by on the seeds that both have."""
    header = [
        "arm",
        "rate",
        "seeds",
        "all",
        "complex",
        "simple",
        "unseen",
        "complex, over it0",
        "complex, iTool over it",
    ]
    lines = []
    rows = [("itool", "base"), ("itool", "it0"), ("itool", "it1"), ("itool", "it2")]
    rows += [(arm, "last") for arm in RIVALS | ABLATIONS] + [("larger", model) for model in ("base", "it0", "last")]
    rows += [("big_itool", "base"), ("big_itool", "it0"), *((arm, "last") for arm in BIG)]
    for arm, model in rows:
        seeds = found.seeds(arm)
        if not seeds:
            continue
        name = arm if model == "last" else model if arm == "itool" else f"{arm}, {model}"
        if model == "last":
            model = found.last(arm)
        groups = [percent(mean(found.grid(arm, model, name, seeds))) for name in ("all", "complex", "simple", "unseen")]
        over = ["-", "-"]
        ours = "big_itool" if arm in BIG else "itool"
        if shared := found.seeds(ours, arm):
            best, it0 = (found.grid(ours, name, "complex", shared) for name in ("it3", "it0"))
            mine = found.grid(arm, model, "complex", shared)
            over = [percent(mean(mine - it0), "+"), percent(mean(best - mine), "+")]
        trained = model not in ("base", "it0")
        rate = found.runs[arm, seeds[0]]["origin"]["params"]["preference"]["learning_rate"] if trained else "-"
        lines.append([name, rate, len(seeds), *groups, *over])
    return grid(header, lines)


def claims(found: Results) -> str:
    """Claims 1 to 4, seed by seed and together."""
    lines = []
    together = found.seeds("itool")
    for chosen in [[seed] for seed in together] + ([together] if len(together) > 1 else []):
        right = {
            (model, name): found.grid("itool", model, name, chosen)
            for model in ("base", *MODELS)
            for name in ("all", "complex")
        }
        wrong = {m: found.grid("itool", m, "complex", chosen, "parameter") for m in ("it0", "it3")}
        steps = " ".join(
            percent(mean(right[after, "complex"] - right[before, "complex"]), "+") for before, after in pairwise(MODELS)
        )
        lines.append(
            f"seeds {chosen}: all, it3 over base {percent(mean(right['it3', 'all'] - right['base', 'all']), '+')}; "
            f"complex, it3 over it0 {percent(mean(right['it3', 'complex'] - right['it0', 'complex']), '+')}, "
            f"step by step {steps}; complex tasks with a wrong parameter "
            f"{percent(mean(wrong['it0']))} -> {percent(mean(wrong['it3']))}"
        )
    return "\n".join(lines)


def over_larger(found: Results) -> str:
    """Claim 6: what small models, iTool and those with more of something, are better by than the larger one after
    supervised training on the same tasks.
    """
    lines = []
    for arm in ("itool", "no_selection", "updates_480", "iterations_6"):
        seeds = found.seeds(arm, "larger")
        if seeds:
            ends = [(arm, found.last(arm)), ("larger", found.last("larger"))]
            both = [[found.grid(*end, name, seeds) for name in ("all", "complex")] for end in ends]
            lines.append([arm, len(seeds), *(percent(mean(a - b), "+") for a, b in zip(*both, strict=True))])
    return grid(["over larger", "seeds", "all", "complex"], lines)


def tried() -> dict[tuple[str, float], list[float]]:
    """Arm and learning rate -> the share of validation tasks right after each iteration of seed 1 that was trained."""
    kept = [json.loads(file.read_text()) for file in sorted((RESULTS / "rates").glob("*.json"))]
    return {
        (each["arm"], each["rate"]): [max(looks.values()) for looks in each["validation"].values()]
        for each in kept
        if current(each)
    }


def rates() -> str:
    """What was tried, in percent, a column a rate."""
    found = {key: ", ".join(f"{100 * share:.1f}" for share in shares) for key, shares in tried().items()}
    columns = sorted({rate for _, rate in found})
    arms = [arm for arm in ARMS if any(arm == other for other, _ in found)]
    lines = [[arm, *(found.get((arm, rate), "-") for rate in columns)] for arm in arms]
    return grid(["arm", *(format(rate, "g") for rate in columns)], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "rates", "table"])
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(RIVALS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--rates", nargs="+", type=float, default=RATES)
    parser.add_argument("--last", choices=MODELS[1:], default="it3", help="the iteration that rates are judged by")
    parser.add_argument("--jobs", type=int, default=1, help="arms that run at a time")
    asked = parser.parse_args()
    if not (ROOT / "data/synthesis/test.parquet").exists():
        parser.error("data/synthesis/test.parquet: missing, and results are told apart by it; run `dvc repro` first")
    if asked.what == "table":
        found = Results()
        print(f"{table(found)}\n\n{claims(found)}\n\n{over_larger(found)}\n\n{rates()}")
        return
    if asked.jobs > 1:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # a thread that waits must not keep a core from the other jobs
    with ThreadPoolExecutor(asked.jobs) as pool:
        if asked.what == "rates":
            list(pool.map(lambda each: tune(*each, asked.last), product(asked.arms, asked.rates)))
            return
        runs = [(arm, seed) for seed in asked.seeds for arm in asked.arms]
        first = [each for each in runs if each[0] == "itool"]  # where iTool's run ended, its rivals start
        for wave in (first, [each for each in runs if each not in first]):
            list(pool.map(lambda each: run(*each), wave))


if __name__ == "__main__":
    main()
