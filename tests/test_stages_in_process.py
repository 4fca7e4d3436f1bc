"""Every stage, one after the other, in this process: what test_end_to_end.py does with DVC, on less and in seconds."""

import json
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest
import torch
import yaml
from safetensors.torch import load_file
from smoke import copy_inputs

from itool import artifacts
from itool.cli import command_line
from itool.metrics import DELTAS, HEADLINE
from stages.decay.run import run as decay
from stages.evaluation.run import run as evaluation
from stages.exploration.run import run as exploration
from stages.fragments.run import run as fragments
from stages.preference.run import run as preference
from stages.report.run import run as report
from stages.selection.run import run as selection
from stages.synthesis.run import run as synthesis
from stages.synthesis.scenarios import SCENARIOS
from stages.warmup.run import run as warmup

TINIEST = {
    "engine": {"threads": 1, "max_tokens": 64},
    "synthesis": {"train": 60, "explore": 20, "validation": 18, "test_seen": 18, "test_unseen": 9, "max_tools": 2},
    "decay": {"ratios": [0.2, 0.5], "seeds": [1], "tasks": 9, "epochs": 1, "bootstrap": 50},
    "warmup": {"epochs": 1, "self_evaluation": 0.1},
    "selection": {"draw": 20},
    "exploration": {"simulations": 3, "samples": 4},
    "fragments": {"visits": 1},
    "preference": {"updates": 3, "batch": 8},
    "evaluation": {"bootstrap": 50},
    "report": {"pairs": 1},
    "iterations": {"it1": {"previous": "it0", "ratio": 0.9}},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which every stage has run. Its tests run in its folder."""
    folder = tmp_path_factory.mktemp("project")
    copy_inputs(folder, TINIEST)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        synthesis()
        decay()
        warmup()
        evaluation("base")
        evaluation("it0")
        for step in (selection, exploration, fragments, preference, evaluation):
            step("it1")
        report()
    return folder


def read(path: Path) -> dict[str, object]:
    return json.loads(path.read_text())


def test_every_artifact_has_its_schema(project: Path) -> None:
    tables = {f"synthesis/{split}": artifacts.TASKS for split in ("train", "explore", "validation", "test")}
    tables |= {"selection/it1": artifacts.SELECTED, "exploration/it1": artifacts.NODES, "pairs/it1": artifacts.PAIRS}
    tables |= {"answers/it1": artifacts.ANSWERS, "decay/points": artifacts.DECAY}
    for name, schema in tables.items():
        assert artifacts.read_table(project / f"data/{name}.parquet", schema).height > 0
    for model in ("base", "it0", "it1"):
        predictions = artifacts.read_table(project / f"data/predictions/{model}.parquet", artifacts.PREDICTIONS)
        assert set(predictions["split"]) == {"validation", "test_seen", "test_unseen"}


def test_pairs_are_prefixes_of_real_generations(project: Path) -> None:
    trees = pl.read_parquet(project / "data/exploration/it1.parquet").partition_by("task_id", as_dict=True)
    for task_id, prompt, chosen, rejected in (
        pl.read_parquet(project / "data/pairs/it1.parquet")
        .select("task_id", "prompt", "chosen", "rejected")
        .iter_rows()
    ):
        paths: list[list[int]] = []
        for parent, ids in trees[task_id,].sort("node").select("parent", "ids").iter_rows():
            paths.append((paths[parent] if parent >= 0 else []) + ids)
        assert prompt + chosen in paths
        assert prompt + rejected in paths


def test_headlines_are_flat_and_iterations_tell_what_they_gained(project: Path) -> None:
    deltas = [f"delta_{name}" for name in DELTAS]
    for model, keys in (("base", [*HEADLINE]), ("it0", [*HEADLINE]), ("it1", [*HEADLINE, *deltas])):
        figures = read(project / f"metrics/{model}.json")
        assert list(figures) == keys
        assert figures["tasks"] == 27
    latest = read(project / "metrics/latest.json")
    assert latest == {"model": "it1"} | read(project / "metrics/it1.json")


def test_details_keep_their_contract(project: Path) -> None:
    for model in ("base", "it0", "it1"):
        figures = read(project / f"metrics/detail/{model}.json")
        assert [figures[split]["accuracy"]["all"]["n"] for split in ("test", "validation")] == [27, 18]
        for name in ("all", "complex", "simple", "seen", "unseen"):
            assert set(figures["test"]["accuracy"][name]) == {"value", "low", "high", "n"}
        assert set(figures["test"]["accuracy"]["scenario"]) <= set(SCENARIOS)
        assert set(figures["self_evaluation"]) == {"auc", "n"}
        assert ("delta" in figures) == (model == "it1")
    headline, delta = read(project / "metrics/it1.json"), figures["delta"]
    assert headline["delta_all"] == pytest.approx(100 * delta["all"]["value"], abs=0.051)
    assert set(delta["complex"]) == {"value", "low", "high", "n", "p_value"}
    assert "per_doubling" in (project / "metrics/decay.json").read_text()


def test_without_an_epoch_it0_is_the_base(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "project"
    shutil.copytree(project, copy)
    params = yaml.safe_load((copy / "params.yaml").read_text())
    params["warmup"]["epochs"] = 0
    (copy / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(copy)
    warmup()
    base, it0, trained = (
        load_file(folder / "model.safetensors")
        for folder in (copy / "data/base", copy / "data/models/it0", project / "data/models/it0")
    )
    assert all(torch.equal(it0[name], base[name]) for name in it0)
    assert not all(torch.equal(it0[name], trained[name]) for name in it0)


def test_the_report_shows_models_and_pairs(project: Path) -> None:
    text = (project / "report/report.md").read_text()
    for shown in ("it1 against it0", "chosen", "rejected", "Verdict: "):
        assert shown in text


def test_ctrl_c_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit, match=r"^interrupted$"):
        command_line(run)
