"""SIGKILL in the middle of a real exploration, by itself and under dvc: the next run goes on and ends with the same
bytes.
"""

import os
import random
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import psutil
import pytest
from smoke import ROOT, copy_project, dvc
from test_stages_in_process import TINIEST
from tiny_model import digests

from stages.evaluation.run import run as evaluation
from stages.exploration.run import run as exploration
from stages.selection.run import run as selection
from stages.synthesis.run import run as synthesis
from stages.warmup.run import run as warmup

KILLS, OF_DVC = 10, 2
STAGE = "exploration@it1"
SIZES = {
    "synthesis": TINIEST["synthesis"] | {"explore": 40},
    "selection": {"draw": 40},
    "exploration": {"shard": 1, "simulations": 2, "samples": 4},
}


def explore(folder: Path) -> None:
    os.chdir(folder)
    exploration("it1")


@pytest.mark.slow
def test_killed_ten_times_exploration_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    copy_project(tmp_path, TINIEST | SIZES)
    synthesis()
    warmup()
    evaluation("it0")
    for step in (selection, exploration):
        step("it1")
    whole = digests(tmp_path / "data/exploration")
    (tmp_path / "data/exploration/it1.parquet").unlink()

    # A process of its own for each kill, forked where all imports are done.
    server = get_context("forkserver")
    server.set_forkserver_preload(["test_exploration_killed"])
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'tests'}")  # where it finds modules
    chance = random.Random(1)
    for _ in range(KILLS - OF_DVC):
        process = server.Process(target=explore, args=(tmp_path,))
        process.start()
        kill_after_two_shards(tmp_path, psutil.Process(process.pid), chance.uniform(0, 0.3))
        process.join()
    for _ in range(OF_DVC):
        command = subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro", "--single-item", STAGE],
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        kill_after_two_shards(tmp_path, psutil.Process(command.pid), chance.uniform(0, 0.3))
        command.wait()
    dvc(tmp_path, "repro", "--single-item", STAGE)
    assert digests(tmp_path / "data/exploration") == whole
    assert shards(tmp_path) == []


def kill_after_two_shards(folder: Path, process: psutil.Process, later: float) -> None:
    """The process and all that it started, `later` seconds after the second new shard."""
    finished = len(shards(folder))
    while len(shards(folder)) < finished + 2 and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    time.sleep(later)
    assert process.status() != psutil.STATUS_ZOMBIE, "the stage ended before it was killed"
    family = [process, *process.children(recursive=True)]
    for each in family:
        each.kill()
    psutil.wait_procs(family[1:])
    assert len(shards(folder)) >= finished + 2  # none is lost, none is done again
    assert not (folder / "data/exploration/it1.parquet").exists()


def shards(folder: Path) -> list[Path]:
    return list((folder / ".scratch").rglob("*.parquet"))
