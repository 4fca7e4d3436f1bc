"""SIGKILL in the middle of a real exploration, run by dvc: the next repro goes on and ends with the same bytes."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from smoke import ROOT, copy_project, dvc

KILLS = 10
OUT = "data/exploration/it1.parquet"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_ten_times_exploration_ends_with_the_same_bytes(tmp_path: Path) -> None:
    changes = yaml.safe_load((ROOT / "tests/smoke.yaml").read_text())
    changes["synthesis"] |= {"train": 100, "explore": 120}
    changes["selection"] = {"draw": 120}
    changes["exploration"] = {"shard": 3, "wave": 2, "simulations": 6}
    copy_project(tmp_path, changes)
    dvc(tmp_path, "repro", "exploration@it1")
    whole = digest(tmp_path)
    for folder in (".dvc/cache", "data/exploration"):  # or dvc would take the result from its cache
        shutil.rmtree(tmp_path / folder)
    dvc(tmp_path, "repro", "selection@it1")

    chance = random.Random(1)
    for _ in range(KILLS):
        finished = len(shards(tmp_path))
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro", "exploration@it1"],
            cwd=tmp_path,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while len(shards(tmp_path)) < finished + 2 and process.poll() is None:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.3))
        assert process.poll() is None, "the stage ended before it was killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert len(shards(tmp_path)) >= finished + 2  # none is lost, none is done again
        assert not (tmp_path / OUT).exists()
    dvc(tmp_path, "repro", "exploration@it1")
    assert digest(tmp_path) == whole
    assert shards(tmp_path) == []


def shards(folder: Path) -> list[Path]:
    return list((folder / ".scratch").rglob("*.parquet"))


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / OUT).read_bytes()).hexdigest()
