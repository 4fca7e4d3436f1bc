"""The stage: resume, identical bytes, one-line errors."""

import hashlib
import logging
from pathlib import Path

import polars as pl
import pytest
import yaml
from exploration_fakes import FakeEngine, FakePrompter, tasks

from itool.artifacts import NODES, SELECTED, read_table, task_row, write_table
from itool.errors import UserError
from stages.exploration import run as stage

PARAMS = Path(__file__).parents[1] / "params.yaml"
OUT = Path("data/exploration/it1.parquet")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder with 10 selected tasks, 7 of them kept, in shards of 3; the engine is swapped for a fake."""
    monkeypatch.chdir(tmp_path)
    settings = yaml.safe_load(PARAMS.read_text())
    settings["exploration"] |= {"shard": 3, "wave": 2, "simulations": 4, "samples": 3}
    settings["iterations"] = {"it1": {"previous": "it0", "ratio": 0.5}}
    Path("params.yaml").write_text(yaml.safe_dump(settings))
    kept = [number not in (2, 5, 9) for number in range(10)]
    rows = [
        task_row(task) | {"perplexity": 2.0, "calls": True, "weight": 1.0, "kept": keep}
        for task, keep in zip(tasks(10), kept, strict=True)
    ]
    write_table(rows, SELECTED, "data/selection/it1.parquet")
    Path("data/models/it0").mkdir(parents=True)
    Path("data/models/it0/weights").write_text("0")
    engines = []
    monkeypatch.setattr(stage, "open_prompter", lambda *_: FakePrompter())

    def start(calls_until_killed=None):
        engines.append(FakeEngine(calls_until_killed))
        monkeypatch.setattr(stage, "open_engine", lambda *_: engines[-1])
        stage.run("it1")
        return engines[-1]

    return start


def digest():
    return hashlib.sha256(OUT.read_bytes()).hexdigest()


def shards():
    return sorted(Path(".scratch").rglob("*.parquet"))


def test_explores_the_kept_tasks_in_order(project):
    project()
    nodes = read_table(OUT, NODES)
    assert nodes["task_id"].unique(maintain_order=True).to_list() == [
        f"task-{number:03}" for number in (0, 1, 3, 4, 6, 7, 8)
    ]
    assert nodes.filter(pl.col("node") == 0)["parent"].to_list() == [-1] * 7
    assert shards() == []
    assert not OUT.with_name("it1.parquet.part").exists()


def test_a_killed_stage_resumes_with_the_same_bytes(project):
    calls = len(project().calls)
    whole = digest()
    OUT.unlink()
    for kill_at in (0, 1, calls // 2, calls - 1):
        with pytest.raises(KeyboardInterrupt):
            project(kill_at)
        assert not OUT.exists()
        finished = len(shards())
        resumed = project()
        assert digest() == whole
        assert shards() == []
        assert len(resumed.calls) < calls or finished == 0
        OUT.unlink()


def test_other_inputs_start_afresh(project):
    calls = len(project().calls)
    with pytest.raises(KeyboardInterrupt):
        project(calls - 1)
    assert len(shards()) == 2
    Path("data/models/it0/weights").write_text("1")
    assert len(project().calls) == calls  # a shard of another model is of no use
    assert shards() == []  # and does not stay


def change_base():
    Path("data/whole/weights").write_text("1")


CHANGES = {
    "base": lambda _: change_base(),
    "library": lambda patch: patch.setattr("itool.engine.environment.version", lambda name: "0.1"),
    "device": lambda patch: patch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX1024"),
    "nothing": lambda patch: None,
}


@pytest.mark.parametrize("change", CHANGES)
def test_shards_of_another_base_library_or_device_are_removed(project, monkeypatch, change):
    Path("data/whole").mkdir()
    Path("data/whole/weights").write_text("0")
    Path("data/models/it0/adapter_config.json").write_text('{"base_model_name_or_path": "data/whole"}')
    with pytest.raises(KeyboardInterrupt):
        project(10)
    left = shards()
    assert left
    other = Path(".scratch/exploration/it11/0/00000.parquet")  # another iteration's
    other.parent.mkdir(parents=True)
    other.touch()
    CHANGES[change](monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        project(0)
    assert shards() == sorted([other, *(left if change == "nothing" else [])])
    project()
    assert shards() == [other]


def test_progress_away_from_a_terminal_is_log_lines(project, caplog):
    with caplog.at_level(logging.INFO):
        project()
    assert "exploration it1: 7/7 tasks" in caplog.text
    assert "tokens/s" in caplog.text
    assert "s left" in caplog.text
    assert "pairs" not in caplog.text
    assert "7 trees with right and wrong answers" in caplog.text
    assert "7 trees hold a right answer" in caplog.text


def test_errors_are_one_line(project):
    with pytest.raises(UserError, match=r"params\.yaml: iterations: found no it9; expected one of it1"):
        stage.run("it9")
    write_table(pl.DataFrame(schema=SELECTED), SELECTED, "data/selection/it1.parquet")
    with pytest.raises(UserError, match="no task kept"):
        stage.run("it1")
    Path("data/selection/it1.parquet").unlink()
    with pytest.raises(UserError, match=r"it1\.parquet: no such file"):
        stage.run("it1")
    Path("data/models/it0/weights").unlink()
    Path("data/models/it0").rmdir()
    write_table(
        [task_row(tasks(1)[0]) | {"perplexity": 1.0, "calls": True, "weight": 1.0, "kept": True}],
        SELECTED,
        "data/selection/it1.parquet",
    )
    with pytest.raises(UserError, match="data/models/it0: no such model folder"):
        stage.run("it1")


def test_progress_on_a_terminal_is_a_bar(project, monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    project()
    shown = capsys.readouterr().err
    assert "7/7" in shown
    for part in ("rollouts/s", "tokens/s", "right and wrong answers"):
        assert part in shown
