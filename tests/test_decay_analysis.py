"""The decay stage's figures on hand-made points, and how it draws samples and tasks."""

import json
import logging
from pathlib import Path

import polars as pl
import pytest
import yaml
from tiny_model import save_model

from itool.artifacts import DECAY, TASKS, read_table, task_row, write_table
from itool.errors import UserError
from itool.toolcall.types import Kind, Reference, Task
from itool.training.trainer import train
from stages.decay import run as decay
from stages.decay.analysis import analyse

RATIOS = (0.125, 0.25, 0.5, 1.0)


def points(accuracies, seeds=(1, 2), tasks=200):
    """A DECAY table of exactly these accuracies; every second task is complex, half of the errors are parameters."""
    rows = []
    for ratio, accuracy in zip(RATIOS, accuracies, strict=False):
        for seed in seeds:
            for task in range(tasks):
                right = task < accuracy * tasks
                kind = "wrong_value" if task >= tasks * (1 + accuracy) / 2 else "wrong_function"
                rows.append(
                    (ratio, int(1000 * ratio), seed, f"t{task:04}", task % 2 == 0, right, "" if right else kind)
                )
    return pl.DataFrame(rows, schema=DECAY, orient="row")


def test_saturating_points_decay():
    figures = analyse(points([0.2, 0.5, 0.6, 0.63]), 300, 1)
    assert figures["verdict"] == "decays"
    assert list(figures["points"]) == ["0.125", "0.25", "0.5", "1"]
    assert figures["points"]["0.25"]["samples"] == 250
    steps = figures["all"]["gain_per_doubling"]
    assert [round(step["value"], 6) for step in steps.values()] == [0.3, 0.1, 0.03]
    assert list(steps) == ["0.125-0.25", "0.25-0.5", "0.5-1"]
    assert 0.6 < figures["all"]["fit"]["a"] < 0.75
    assert figures["complex"]["verdict"] == "decays"
    for point in figures["points"].values():
        for estimate in (*point["accuracy"].values(), point["parameter_share"]):
            assert 0 <= estimate["low"] <= estimate["value"] <= estimate["high"] <= 1


def test_linear_points_do_not_decay():
    figures = analyse(points([0.2, 0.4, 0.6, 0.8]), 300, 1)
    assert figures["verdict"] == "decay not shown"
    drop = figures["all"]["first_minus_last"]
    assert drop["low"] <= 0 <= drop["high"]


def test_parameter_share_is_of_the_errors_at_that_size():
    figures = analyse(points([0.2, 0.5, 0.6, 0.9]), 100, 1)
    for ratio, wrong in (("0.125", 320), ("0.25", 200), ("1", 40)):
        share = figures["points"][ratio]["parameter_share"]
        assert share["value"] == pytest.approx(0.5)
        assert share["n"] == wrong


def test_without_errors_there_is_no_share():
    figures = analyse(points([0.5, 0.9, 1.0]), 100, 1)
    assert figures["points"]["0.5"]["parameter_share"] == {"value": None, "low": None, "high": None, "n": 0}


def test_points_are_told_apart_whatever_their_order():
    rows = points([0.2, 0.5, 0.6, 0.63])
    assert analyse(rows.sample(fraction=1.0, shuffle=True, seed=3), 50, 1) == analyse(rows, 50, 1)


def test_only_simple_tasks_have_no_complex_part():
    figures = analyse(points([0.2, 0.5, 0.6]).with_columns(complex=pl.lit(False)), 50, 1)
    assert "complex" not in figures
    assert list(figures["points"]["0.5"]["accuracy"]) == ["all"]


def tasks(scenarios):
    return [
        Task(f"t{i:03}", "test_seen", scenario, (), ({"role": "user", "content": f"do {i}"},), Reference(Kind.REFUSAL))
        for i, scenario in enumerate(scenarios)
    ]


def test_tasks_are_drawn_in_the_proportions_of_their_scenarios():
    everything = tasks(["single"] * 50 + ["parallel"] * 30 + ["irrelevant"] * 20)
    chosen = decay.stratified(everything, 33, seed=1)
    counts = {name: sum(t.scenario == name for t in chosen) for name in ("single", "parallel", "irrelevant")}
    assert sum(counts.values()) == 33
    assert abs(counts["single"] - 16.5) < 1
    assert abs(counts["parallel"] - 9.9) < 1
    assert abs(counts["irrelevant"] - 6.6) < 1
    assert [t.task_id for t in chosen] == sorted({t.task_id for t in chosen})
    assert decay.stratified(everything, 33, seed=1) == chosen
    assert decay.stratified(everything, 33, seed=2) != chosen


def test_fewer_tasks_than_asked_are_all_taken():
    everything = tasks(["single"] * 3 + ["parallel"] * 2)
    assert decay.stratified(everything, 300, seed=1) == everything


def test_sample_sizes_rise_and_differ():
    assert decay.sample_sizes(1000, [1.0, 0.125, 0.5]) == {0.125: 125, 0.5: 500, 1.0: 1000}
    with pytest.raises(UserError, match=r"decay\.ratios: 0\.0001 of 1000"):
        decay.sample_sizes(1000, [0.0001, 1.0])
    with pytest.raises(UserError, match=r"decay\.ratios: 1\.5 of 1000"):
        decay.sample_sizes(1000, [0.5, 1.5])
    with pytest.raises(UserError, match=r"0\.101 gives 1 samples"):
        decay.sample_sizes(10, [0.1, 0.101])


def test_a_seed_given_twice_is_an_error(project):
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["decay"]["seeds"] = [1, 1]
    Path("params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(UserError, match=r"decay\.seeds: found \[1, 1\], expected each seed once"):
        decay.run()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a randomly initialised model and a handful of tasks."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    params["model"] |= {"path": "base", "dialect": "pythonic"}
    params["engine"] |= {"max_tokens": 8, "threads": 1}
    params["decay"] |= {"ratios": [0.25, 0.5, 1.0], "seeds": [1], "tasks": 6, "epochs": 1, "batch": 4, "bootstrap": 50}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    save_model(Path("base"))
    rows = [task_row(task) for task in tasks(["single"] * 8 + ["irrelevant"] * 4)]
    write_table(rows, TASKS, "data/synthesis/train.parquet")
    write_table(rows, TASKS, "data/synthesis/test.parquet")
    return tmp_path


def test_every_ratio_trains_equally_long_on_a_share_that_contains_the_smaller_ones(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trained = []

    def recording(rows, start, out, params, settings, order):
        trained.append([rows[index] for index in order])
        return train(rows, start, out, params, settings, order)

    monkeypatch.setattr(decay, "train", recording)
    caplog.set_level(logging.INFO, "itool")
    decay.run()
    assert [len(rows) for rows in trained] == [12] * 3
    shares = [set(rows) for rows in trained]
    assert [len(share) for share in shares] == [3, 6, 12]
    assert shares[0] < shares[1] < shares[2]
    table = read_table("data/decay/points.parquet", DECAY)
    assert table.group_by("ratio", "samples", "seed").len().sort("ratio").rows() == [
        (0.25, 3, 1, 6),
        (0.5, 6, 1, 6),
        (1.0, 12, 1, 6),
    ]
    assert table["task_id"].n_unique() == 6
    figures = json.loads(Path("metrics/decay.json").read_text())
    assert figures["points"]["0.5"]["samples"] == 6
    assert figures["verdict"] == "no decay"
    assert "verdict on the gain per doubling: no decay" in caplog.text
    assert sorted(path.name for path in project.iterdir()) == ["base", "data", "metrics", "params.yaml"]
