"""The whole pipeline on the tiny profile, run by dvc as a user runs it, once for all tests of this file."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from smoke import ROOT, copy_project, dvc

from itool import artifacts
from itool.metrics import DELTAS, HEADLINE

TINY = yaml.safe_load((ROOT / "tests/smoke.yaml").read_text())
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    copy_project(folder, TINY)
    dvc(folder, "repro")
    return folder


def stage(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], cwd=folder, text=True, capture_output=True, check=False)


def changed(folder: Path) -> set[str]:
    """The stages whose own inputs, code or parameters differ from their last run."""
    return set(json.loads(dvc(folder, "status", "--json")))


def test_every_artifact_has_its_schema(project: Path) -> None:
    for split in ("train", "explore", "validation", "test"):
        assert artifacts.read_table(project / f"data/synthesis/{split}.parquet", artifacts.TASKS).height > 0
    for key in TINY["iterations"]:
        artifacts.read_table(project / f"data/selection/{key}.parquet", artifacts.SELECTED)
        artifacts.read_table(project / f"data/exploration/{key}.parquet", artifacts.NODES)
        artifacts.read_table(project / f"data/pairs/{key}.parquet", artifacts.PAIRS)
    for model in ("base", "it0", *TINY["iterations"]):
        predictions = artifacts.read_table(project / f"data/predictions/{model}.parquet", artifacts.PREDICTIONS)
        assert set(predictions["split"]) == {"validation", "test_seen", "test_unseen"}


def test_pairs_are_prefixes_of_real_generations(project: Path) -> None:
    nodes = pl.read_parquet(project / "data/exploration/it1.parquet")
    pairs = pl.read_parquet(project / "data/pairs/it1.parquet")
    assert pairs.height > 0
    for task_id, prompt, chosen, rejected in pairs.select("task_id", "prompt", "chosen", "rejected").iter_rows():
        tree = nodes.filter(pl.col("task_id") == task_id).sort("node")
        paths: list[list[int]] = []
        for parent, ids in tree.select("parent", "ids").iter_rows():
            paths.append((paths[parent] if parent >= 0 else []) + ids)
        assert prompt + chosen in paths
        assert prompt + rejected in paths


def test_dvc_shows_one_row_of_headline_figures_a_model(project: Path) -> None:
    header, *rows = dvc(project, "metrics", "show").splitlines()
    assert set(header.split()) == {"Path", *HEADLINE, *(f"delta_{name}" for name in DELTAS)}
    assert [row.split()[0] for row in rows] == [f"metrics/{model}.json" for model in ("base", "it0", "it1")]
    assert max(map(len, [header, *rows])) <= 160


def test_the_report_shows_pairs(project: Path) -> None:
    report = (project / "report/report.md").read_text()
    assert "chosen" in report
    assert "rejected" in report


@pytest.mark.parametrize("phase", ["exploration", "preference"])
def test_no_stage_looks_for_a_model_elsewhere(phase: str) -> None:
    """Transformers reads the variable once, when it is imported."""
    asked = f"import stages.{phase}.run, huggingface_hub.constants as hub; raise SystemExit(not hub.HF_HUB_OFFLINE)"
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    subprocess.run([sys.executable, "-c", asked], cwd=ROOT, env=environment, check=True)


def test_a_second_repro_runs_nothing(project: Path) -> None:
    assert changed(project) == set()
    assert "Running stage" not in dvc(project, "repro")


def test_what_was_computed_before_is_taken_from_the_cache(project: Path) -> None:
    """DVC keeps no run of a stage of which one output that is no metric is not cached."""
    (project / "data/models/it0/model.safetensors").unlink()
    for lost in (
        "data/synthesis/test.parquet",
        "data/pairs/it1.parquet",
        "data/predictions/it1.parquet",
        "metrics/it0.json",
    ):
        (project / lost).unlink()
    shutil.rmtree(project / "data/models/it1")
    told = dvc(project, "repro")
    assert told.count("is cached - skipping run") == 6
    assert "Running stage" not in told


def test_what_a_change_reruns(project: Path) -> None:
    path = project / "params.yaml"
    text = path.read_text()
    params = yaml.safe_load(text)
    try:
        params["preference"]["beta"] = 0.3
        path.write_text(yaml.safe_dump(params))
        assert changed(project) == {"preference@it1"}
        params = yaml.safe_load(text)
        params["iterations"]["it2"] = {"previous": "it1", "ratio": 0.5}
        path.write_text(yaml.safe_dump(params))
        phases = ("selection", "exploration", "fragments", "preference", "evaluation")
        assert changed(project) == {f"{phase}@it2" for phase in phases} | {"report"}
    finally:
        path.write_text(text)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("preference", "betta", 0.3), ("preference", "beta", "much"), ("exploration", "samples", 0)],
)
def test_bad_params_end_in_one_line(project: Path, section: str, key: str, value: object) -> None:
    path = project / "params.yaml"
    text = path.read_text()
    try:
        params = yaml.safe_load(text)
        params[section][key] = value
        path.write_text(yaml.safe_dump(params))
        done = stage(project, "stages.report.run")
    finally:
        path.write_text(text)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: params.yaml: {section}.{key}: ")
    assert done.stderr.count("\n") == 1


def test_a_truncated_parquet_ends_in_one_line(project: Path) -> None:
    path = project / "data/pairs/it1.parquet"
    whole, before = path.read_bytes(), (project / "report/report.md").read_bytes()
    path.unlink()  # the file may be a link into dvc's cache
    try:
        path.write_bytes(whole[: len(whole) // 2])
        done = stage(project, "stages.report.run")
    finally:
        path.write_bytes(whole)
    assert done.returncode == 1
    assert "data/pairs/it1.parquet: not a readable parquet file" in done.stderr.splitlines()[-1]
    assert (project / "report/report.md").read_bytes() == before


def test_a_broken_tool_file_ends_in_one_line(project: Path) -> None:
    path = project / "data/tools/weather.json"
    text = path.read_text()
    try:
        path.write_text(text.replace('"name":', '"name"', 1))
        done = stage(project, "stages.synthesis.run")
    finally:
        path.write_text(text)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "data/tools/weather.json" in done.stderr
    assert "not JSON" in done.stderr
    assert (project / "data/synthesis/train.parquet").exists()
