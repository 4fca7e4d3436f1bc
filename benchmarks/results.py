"""The evidence: benchmarks/results.parquet holds one row a run, and rows are found again by their parameters.

A row names the commit, the date, the machine, the versions and all parameters of its run. Rows are appended and never
changed, so parameters keep the names that they had when the run was made. Runs may be compared when they belong to one
`Setting`.
"""

import json
import platform
import subprocess
import threading
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from itool.artifacts import read_table, write_table
from itool.errors import UserError
from itool.metrics import GROUPS, group
from itool.toolcall.types import SIMPLE
from tests.smoke import INPUTS as DATA
from tests.smoke import ROOT

TABLE = ROOT / "benchmarks/results.parquet"
CODE = ("itool", "stages", "dvc.yaml")
INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # with these, sums are rounded differently
APPENDING = threading.Lock()

# One row a run. Columns that say "JSON" hold objects whose keys may change from version to version.
RESULTS: dict[str, Any] = {
    "benchmark": pl.String,  # claims, rates or exploration
    "commit": pl.String,  # of the code that ran; of version 0.1.0: the commit that recorded the result
    "date": pl.String,
    "machine": pl.String,
    "versions": pl.Struct({"itool": pl.String, "torch": pl.String, "transformers": pl.String, "dvc": pl.String}),
    "arm": pl.String,  # of exploration: the engine
    "seed": pl.Int32,
    "changes": pl.String,  # JSON: the parameters that the arm sets, by their full names
    "parameters": pl.String,  # JSON: all parameters, as in params.yaml
    "files": pl.String,  # JSON: MD5 of the base model and of the test tasks
    "figures": pl.String,  # JSON: of claims validation and training, of rates validation, of exploration speed
    # Of claims: the test tasks in order; one character a task, 1 where the model is right, or has a wrong parameter.
    "tasks": pl.List(pl.Struct({"split": pl.String, "scenario": pl.String})),
    "answers": pl.List(pl.Struct({"model": pl.String, "right": pl.String, "parameter": pl.String})),
}


@dataclass(frozen=True)
class Run:
    """A row of RESULTS with its JSON parsed; `changes` and `parameters` have full names, e.g. `warmup.seed`."""

    benchmark: str
    commit: str
    date: str
    machine: str
    versions: dict[str, str]
    arm: str
    seed: int
    changes: dict[str, Any]
    parameters: dict[str, Any]
    files: dict[str, str]
    figures: dict[str, Any]
    tasks: list[dict[str, str]]
    answers: dict[str, dict[str, str]]

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Run":
        parsed = {name: json.loads(row[name]) for name in ("changes", "files", "figures")}
        answers = {each["model"]: each for each in row["answers"]}
        return cls(**row | parsed | {"parameters": flat(json.loads(row["parameters"])), "answers": answers})

    @property
    def rate(self) -> float:
        """The learning rate of the iterations."""
        return float(self.parameters["preference.learning_rate"])

    @property
    def shared(self) -> dict[str, Any]:
        """What the run has in common with the other arms of its setting."""
        kept = {name: value for name, value in self.parameters.items() if name not in self.changes}
        files = {name: self.files.get(name) for name in ("model.safetensors", "test.parquet")}
        return kept | files | {"version": self.versions["itool"]}


class Setting:
    """Runs that may be compared: of one version, on the same tasks, and alike in each parameter that no arm changes.

    A parameter that only some of the runs know, because it was added later, keeps nothing apart. Where an arm was run
    twice with the same seed, the later run counts.
    """

    def __init__(self) -> None:
        self.shared: dict[str, Any] = {}
        self.members: list[Run] = []

    def fits(self, run: Run) -> bool:
        return all(self.shared.get(name, value) == value for name, value in run.shared.items())

    def add(self, run: Run) -> None:
        self.shared = run.shared | self.shared
        self.members.append(run)

    @cached_property
    def runs(self) -> dict[tuple[str, int], Run]:
        """The runs of `claims`, by arm and seed."""
        return {(run.arm, run.seed): run for run in self.members if run.benchmark == "claims"}

    @cached_property
    def groups(self) -> dict[str, NDArray[np.bool_]]:
        """Which test tasks each of GROUPS has, (tasks,)."""
        tasks = pl.DataFrame(next(iter(self.runs.values())).tasks)
        tasks = tasks.with_columns(complex=~pl.col("scenario").is_in(SIMPLE))
        return {name: tasks.with_columns(chosen=group(name))["chosen"].to_numpy() for name in GROUPS}

    def seeds(self, *arms: str) -> list[int]:
        """The seeds that all of these arms were run with."""
        return sorted(set.intersection(*({seed for arm, seed in self.runs if arm == name} for name in arms)))

    def last(self, arm: str) -> str:
        """The model at the end of the arm's iterations."""
        return next(list(run.answers)[-1] for (name, _), run in self.runs.items() if name == arm)

    def grid(self, arm: str, model: str, tasks: str, seeds: list[int], what: str = "right") -> NDArray[np.float64]:
        """(seeds, tasks of the group): 1 where right, or where a parameter is wrong."""
        rows = [[int(bit) for bit in self.runs[arm, seed].answers[model][what]] for seed in seeds]
        return np.array(rows, dtype=np.float64)[:, self.groups[tasks]]

    def tried(self) -> dict[tuple[str, float], list[float]]:
        """Arm and learning rate -> share of validation tasks right after each iteration of seed 1 that was trained."""
        return {
            (run.arm, run.rate): [max(looks.values()) for looks in run.figures["validation"].values()]
            for run in self.members
            if run.benchmark == "rates"
        }


def runs() -> list[Run]:
    """All runs, in the order in which they were appended. Raises UserError when the table cannot be read."""
    return [Run.from_row(row) for row in read_table(TABLE, RESULTS).iter_rows(named=True)]


def append(**row: Any) -> None:
    """Adds a row to the table; objects become JSON. Several threads may append at a time."""
    made = {name: _cell(name, value) for name, value in row.items()}
    with APPENDING:
        known = [read_table(TABLE, RESULTS)] if TABLE.exists() else []
        write_table(pl.concat([*known, pl.DataFrame([made], schema=RESULTS)]), RESULTS, TABLE)


def _cell(name: str, value: Any) -> Any:
    return json.dumps(value) if RESULTS[name] == pl.String and not isinstance(value, str) else value


def settings(found: Iterable[Run], where: Sequence[str] = ()) -> list[Setting]:
    """The runs of `claims` and `rates` by setting, the setting of the latest run first.

    `where`: conditions such as `version=0.1.0` or `synthesis.train=2000` that the runs must meet. Raises UserError
    when no run does.
    """
    made: list[Setting] = []
    for run in found:
        if run.benchmark == "exploration" or not all(meets(run, condition) for condition in where):
            continue
        setting = next((each for each in made if each.fits(run)), None)
        if setting is None:
            made.append(setting := Setting())
        setting.add(run)
    if not made:
        raise UserError(f"{TABLE.name}: found no run with {' '.join(where) or 'answers'}; make some with `run`")
    return sorted(made, key=lambda setting: setting.members[-1].date, reverse=True)


def meets(run: Run, condition: str) -> bool:
    """Whether the run has the value that `NAME=VALUE` asks for. Raises UserError for another form."""
    name, equals, value = condition.partition("=")
    if not equals:
        raise UserError(f"--where: found {condition!r}, expected NAME=VALUE, e.g. synthesis.train=2000")
    facts = run.parameters | run.shared | {"commit": run.commit}
    return name in facts and value in (str(facts[name]), json.dumps(facts[name]))


def flat(fields: dict[str, Any], under: str = "") -> dict[str, Any]:
    """Nested parameters by their full names."""
    names: dict[str, Any] = {}
    for name, value in fields.items():
        names |= flat(value, f"{under}{name}.") if isinstance(value, dict) and value else {f"{under}{name}": value}
    return names


def provenance() -> dict[str, Any]:
    """The columns that say where a result is from. Raises UserError when what is run was not committed."""
    return {
        "commit": clean_commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {"itool": own_version()} | {name: version(name) for name in ("torch", "transformers", "dvc")},
    }


def clean_commit() -> str:
    """The commit of the checkout. Raises UserError when what a run is made of differs from it."""
    if changed := git("status", "--porcelain", "--", *CODE, *DATA, "params.yaml"):
        raise UserError(f"{changed.split()[1]}: not as committed, and a result names its commit; commit it first")
    return git("rev-parse", "HEAD")


def same_inputs(commit: str) -> bool:
    """Whether the stages of that commit, and the data that they start from, are those of the checkout; of an unknown
    commit they are not.
    """
    compared = ["git", "diff", "--quiet", commit, "--", *CODE, *DATA]
    return not subprocess.run(compared, cwd=ROOT, capture_output=True).returncode


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"git {arguments[0]}: {done.stderr.strip()}; results name the commit that they are of")
    return done.stdout.strip()


def own_version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def machine() -> str:
    """The processor, the instruction sets that decide how it rounds, and the GPU where there is one."""
    import torch

    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    known = [name for name in INSTRUCTION_SETS if name in facts.get("flags", "").split()]
    cores = sum(line.startswith("processor") for line in lines)
    gpu = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    return ", ".join([*gpu, facts.get("model name", platform.machine()), f"{cores} cores", " ".join(known)])
