"""Runs the arms of docs/RESULTS.md and prints its tables.

    python -m benchmarks.claims run [--arms ARM ...] [--seeds N ...] [--jobs N] [--profile FILE]
    python -m benchmarks.claims rates [--arms ARM ...] [--rates RATE ...] [--last it1]    # learning rates, seed 1
    python -m benchmarks.claims table [--where NAME=VALUE ...]

Each arm runs in a copy of the project below tmp/claims. All copies share DVC's cache, so no stage runs twice on the
same inputs, and an interrupted run goes on where it stopped. What a run found is appended to benchmarks/results.parquet
together with its commit, machine, versions and parameters; what a run is made of must be committed. A run whose row is
there already, with the same parameters, stages and data, is skipped.

Rates are judged by validation alone, after the last iteration; `RATE` in benchmarks/arms.py holds the best ones.
`table` prints one section for each setting whose runs may be compared, the latest first. `--where` keeps the runs that
have a value, e.g. `--where version=0.1.0 synthesis.train=2000`.
"""

import argparse
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import results
from benchmarks.arms import ARMS, MODELS, RIVALS, base_parameters, changes
from benchmarks.tables import tables
from itool import params, paths
from itool.artifacts import PREDICTIONS, TASKS, read_table
from itool.cli import one_line_errors
from itool.files import read_json, whole_folder
from itool.metrics import group
from itool.toolcall.types import PARAMETER_KINDS
from tests.smoke import ROOT, copy_project, dvc, lay_over

COPIES = ROOT / "tmp/claims"
RATES = (0.002, 0.004, 0.008)
BASE = "data/base/model.safetensors"


@dataclass(frozen=True)
class Plan:
    """One run of an arm: `base` are the parameters that it changes, `rate` a learning rate instead of its best one."""

    arm: str
    seed: int
    base: dict[str, Any]
    rate: float | None = None

    @property
    def changes(self) -> dict[str, Any]:
        return changes(self.arm, self.seed, self.base, self.rate)

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters of the run; what only the decay stage, the leaderboard and the report read decides nothing."""
        return decisive(lay_over(self.base, self.changes))

    @property
    def name(self) -> str:
        return f"{self.arm}-{self.seed}-{self.parameters['preference']['learning_rate']:g}"


def decisive(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: section for name, section in fields.items() if name not in ("decay", "leaderboard", "report")}


def run(plan: Plan) -> None:
    """Runs one arm to its last evaluation and appends what it found."""
    models = ("base", "it0", *plan.parameters["iterations"])
    if done(plan, "claims", models[-1]):
        return
    start, origin = time.monotonic(), results.provenance()
    folder = prepared(plan)
    dvc(folder, "repro", *(f"start@{name}" for name in models[:2]), *(f"evaluation@{name}" for name in models[2:]))
    tasks = read_table(folder / paths.TEST, TASKS)
    predictions = {name: read_table(folder / paths.PREDICTIONS.format(name), PREDICTIONS) for name in models}
    files = {"preference": paths.PREFERENCE_METRICS, "fragments": paths.FRAGMENTS_METRICS}
    figures = {stage: trained(folder, file, models[2:]) for stage, file in files.items()}
    figures["validation"] = {name: validation(table) for name, table in predictions.items()}
    answers = [{"model": name} | bits(tasks, table) for name, table in predictions.items()]
    keep(plan, "claims", origin, folder, figures, tasks.select("split", "scenario").to_dicts(), answers)
    print(f"{plan.name}: {time.monotonic() - start:.0f} s", file=sys.stderr)


def tune(plan: Plan, last: str) -> None:
    """Trains the arm at the plan's rate up to the iteration `last` and appends what validation says of it."""
    if done(plan, "rates", last):
        return
    start, origin = time.monotonic(), results.provenance()
    folder = prepared(plan)
    dvc(folder, "repro", f"preference@{last}")
    metrics = trained(folder, paths.PREFERENCE_METRICS, MODELS[1 : MODELS.index(last) + 1])
    figures = {"validation": {name: each["validation"] for name, each in metrics.items()}}
    keep(plan, "rates", origin, folder, figures, [], [])
    print(f"{plan.name}: {time.monotonic() - start:.0f} s", file=sys.stderr)


def keep(
    plan: Plan, benchmark: str, origin: dict[str, Any], folder: Path, figures: Any, tasks: list[Any], answers: list[Any]
) -> None:
    """Appends the row of a run in a folder."""
    results.append(
        benchmark=benchmark,
        **origin,
        arm=plan.arm,
        seed=plan.seed,
        changes=results.flat(plan.changes),
        parameters=plan.parameters,
        files=files_of(folder),
        figures=figures,
        tasks=tasks,
        answers=answers,
    )


def trained(folder: Path, file: str, iterations: Sequence[str]) -> dict[str, Any]:
    """The metrics of a stage by iteration, from its `file` of each."""
    return {name: read_json(folder / file.format(name)) for name in iterations}


def validation(predictions: pl.DataFrame) -> dict[str, Any]:
    """Shares of the validation tasks that are right."""
    held = predictions.filter(pl.col("split") == "validation")
    return {name: held.filter(group(name))["right"].mean() for name in ("all", "complex", "simple")}


def bits(tasks: pl.DataFrame, predictions: pl.DataFrame) -> dict[str, str]:
    """Of each task in order: whether the answer is right, and whether it has a wrong parameter; 1 or 0."""
    table = tasks.select("task_id").join(predictions, on="task_id", how="left", maintain_order="left")
    wrong = pl.element().is_in([str(kind) for kind in PARAMETER_KINDS])
    table = table.with_columns(parameter=pl.col("errors").list.eval(wrong).list.any())
    return {name: "".join("1" if value else "0" for value in table[name]) for name in ("right", "parameter")}


def done(plan: Plan, benchmark: str, last: str) -> bool:
    """Whether the table has this run, up to the model `last`, made by the stages as they are."""
    parameters = results.flat(plan.parameters)
    for known in results.runs() if results.TABLE.exists() else []:
        same = (known.benchmark, known.arm, known.parameters) == (benchmark, plan.arm, parameters)
        if same and last in known.figures["validation"] and results.same_inputs(known.commit):
            print(f"{plan.name}: done before", file=sys.stderr)
            return True
    return False


def prepared(plan: Plan) -> Path:
    """The copy of the project in which the plan runs; one of other parameters or inputs is made anew."""
    folder = COPIES / plan.name
    known = folder.exists() and decisive(params.read(folder / "params.yaml")) == plan.parameters
    if not known or inputs_of(folder) != inputs_of(ROOT):
        copy_of_project(folder, plan)
    return folder


def copy_of_project(folder: Path, plan: Plan) -> None:
    """The project with the plan's parameters."""
    with whole_folder(folder) as making:
        if model := ARMS[plan.arm].get("model"):
            shutil.copytree(COPIES / Path(model["path"]).name, making / model["path"])
        copy_project(making, lay_over(plan.base, plan.changes))
        dvc(making, "cache", "dir", str(ROOT / ".dvc/cache"))


def files_of(project: Path) -> dict[str, str]:
    """MD5 of the base model and of the test tasks, by file name."""
    files = (project / BASE, project / paths.TEST)
    return {file.name: md5(file) for file in files if file.exists()}


def inputs_of(project: Path) -> dict[str, str]:
    """MD5 of the code of the stages, and of the data that they start from, by path."""
    found = [project / name for name in (*results.CODE, *results.DATA)]
    files = [file for each in found for file in ([each] if each.is_file() else each.rglob("*"))]
    return {str(file.relative_to(project)): md5(file) for file in files if file.is_file() and file.suffix != ".pyc"}


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "rates", "table"])
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(RIVALS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--rates", nargs="+", type=float, default=RATES)
    parser.add_argument("--last", choices=MODELS[1:], default="it3", help="the iteration that rates are judged by")
    parser.add_argument("--jobs", type=int, default=1, help="arms that run at a time")
    parser.add_argument("--profile", type=Path, help="options as of `dvc exp run`, e.g. profiles/full")
    parser.add_argument("--where", nargs="+", default=[], metavar="NAME=VALUE", help="the runs that `table` shows")
    return parser.parse_args()


def main() -> None:
    asked = parse()
    if asked.what == "table":
        print(tables(results.settings(results.runs(), asked.where), base_parameters()))
        return
    if asked.jobs > 1:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # a thread that waits must not keep a core from the other jobs
    base = base_parameters(asked.profile)
    with ThreadPoolExecutor(asked.jobs) as pool:
        if asked.what == "rates":
            plans = [Plan(arm, 1, base, rate) for arm, rate in product(asked.arms, asked.rates)]
            list(pool.map(lambda plan: tune(plan, asked.last), plans))
            return
        plans = [Plan(arm, seed, base) for seed in asked.seeds for arm in asked.arms]
        first = [plan for plan in plans if plan.arm == "itool"]  # where iTool's run ended, its rivals start
        for wave in (first, [plan for plan in plans if plan not in first]):
            list(pool.map(run, wave))


if __name__ == "__main__":
    with one_line_errors():
        main()
