"""Several processes that train one model: they learn what one does, and one failure ends them all."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import psutil
import pytest
import yaml
from accelerate.commands.config import load_config_from_file
from accelerate.commands.launch import launch_command_parser
from dvc.utils.hydra import apply_overrides
from smoke import ROOT, copy_inputs, lay_over
from test_stages_in_process import TINIEST
from tiny_model import digests

from itool.artifacts import read_tasks
from itool.engine import open_local
from itool.engine.base import Completion, Request, Sampling
from itool.errors import UserError
from itool.params import load
from itool.toolcall.prompt import open_prompter
from itool.training.rows import IDLE, Row, Samples
from stages.evaluation.run import run as evaluation
from stages.exploration.run import run as exploration
from stages.fragments.run import run as fragments
from stages.preference.run import run as preference
from stages.selection.run import run as selection
from stages.synthesis.run import run as synthesis
from stages.warmup.run import run as warmup

CONFIGS = sorted((ROOT / "conf").glob("*.yaml"))
LAUNCH = (sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--config_file")
TWO = (*LAUNCH, str(ROOT / "conf/cpu2.yaml"))
PATCHED = str(ROOT / "tests/patched_stage.py")
WARMUP, PREFERENCE = "stages.warmup.run", "stages.preference.run --iteration it1"
WHOLE = pytest.mark.parametrize("project", ["whole"], indirect=True)
LORA = {"rank": 4, "alpha": 8.0, "dropout": 0.0, "targets": "all-linear"}


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_accelerate_knows_every_key_of_its_configurations(file: Path) -> None:
    """It passes over those that it does not know within fsdp_config and deepspeed_config."""
    known = vars(launch_command_parser().parse_args(["script"]))
    config = load_config_from_file(str(file))
    assert config.num_processes > 1
    assert config.mixed_precision is None  # engine.dtype says it
    assert [key for key in (*config.fsdp_config, *config.deepspeed_config) if key not in known] == []


def test_dvc_takes_the_launcher_into_the_commands(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", file)
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    trained = [name for name, stage in stages.items() if "${training.launcher}" in str(stage)]
    assert trained == ["decay", "warmup", "preference"]
    resolved = stages["warmup"]["cmd"].replace("${training.launcher}", load(file).training.launcher)
    assert resolved == lock["warmup"]["cmd"] == "python -m stages.warmup.run"
    apply_overrides(file, ["training.launcher=accelerate launch --config_file conf/fsdp2.yaml"])
    assert load(file).training.launcher == "accelerate launch --config_file conf/fsdp2.yaml"


def test_the_last_passes_are_filled_up_for_all_processes() -> None:
    rows = [Row((1,), (2,)), Row((3,), (4,))]
    samples = Samples(rows, [0, 1, 1, 0, 1], together=4)
    assert [samples[index] for index in range(len(samples))] == [*(rows[i] for i in (0, 1, 1, 0, 1)), *[IDLE] * 3]
    assert len(Samples(rows, [0, 1, 1, 0, 1])) == 5


def test_processes_share_a_batch_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", file)
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UserError, match=r"params\.yaml: decay\.batch: found 8; expected a multiple of 3, .*3 proc"):
        load(file)
    apply_overrides(file, ["model.micro_batch=4"])
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(UserError, match=r"decay\.batch: found 8; expected a multiple of 16, .*4 processes, 4 seq"):
        load(file)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert load(file).decay.batch == 8


@pytest.fixture(scope="module")
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project before its trainings, in which one process trained it0, and then all that preference training reads."""
    folder = tmp_path_factory.mktemp("project")
    lora = {"model": {"lora": LORA, "micro_batch": 2, "checkpointing": True}}
    copy_inputs(folder, lay_over({"model": {}} | TINIEST, lora) if request.param == "lora" else TINIEST)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        synthesis()
        warmup()
        evaluation("it0")
        for step in (selection, exploration, fragments, preference):
            step("it1")
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment(), text=True, stderr=subprocess.PIPE)


def check_run(folder: Path, *command: str) -> None:
    done = run(folder, *command)
    assert done.returncode == 0, done.stderr


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def untrained(project: Path, folder: Path, *left_out: str) -> Path:
    """A copy of the project without these results."""
    shutil.copytree(project, folder)
    for name in left_out:
        shutil.rmtree(folder / name)
    return folder


def check_curves(folder: Path, expected: Path, model: str) -> None:
    files = sorted((expected / f"data/curves/{model}/plots/metrics").glob("*.tsv"))
    assert {"loss", "grad_norm"} <= {file.stem for file in files}
    for file in files:
        found, wanted = (
            pl.read_csv(each, separator="\t")[file.stem].to_list()
            for each in (folder / file.relative_to(expected), file)
        )
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-5), file.stem


def answers(folder: Path, model: str) -> list[list[Completion]]:
    """Greedy ones to the validation tasks, by the transformers engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        params = load()
        prompter = open_prompter(f"data/models/{model}", params.model)
        tasks = read_tasks("data/synthesis/validation.parquet")
        engine = open_local(f"data/models/{model}", params.engine, prompter.end_ids)
        requests = [Request(prompter.prompt_ids(task)) for task in tasks]
        return [[each.ids for each in found] for found in engine.generate(requests, Sampling(48, 0.0))]


def sharded(folder: Path) -> tuple[str, ...]:
    """What starts two processes that hold the model in parts."""
    text = (ROOT / "conf/fsdp2.yaml").read_text()
    assert text.count("num_processes: 8") == 1
    (folder / "fsdp2.yaml").write_text(text.replace("num_processes: 8", "num_processes: 2"))
    return (*LAUNCH, "fsdp2.yaml", PATCHED, "fsdp")


@pytest.mark.slow
@pytest.mark.parametrize("project", ["whole", "lora"], indirect=True)
@pytest.mark.parametrize("way", ["whole on each", "in parts"])
def test_two_processes_train_as_one(project: Path, tmp_path: Path, way: str) -> None:
    one, two = project, untrained(project, tmp_path / "two", "data/models/it1", "data/curves")
    start = sharded(two) if way == "in parts" else (*TWO, PATCHED, "none")
    check_run(two, *start, PREFERENCE, WARMUP)  # the warm-up last, because preference reads the it0 of one process
    for model in ("it0", "it1"):
        check_curves(two, one, model)
        assert answers(two, model) == answers(one, model)
    kept = "metrics/preference/it1.json"
    assert json.loads((two / kept).read_text()) == json.loads((one / kept).read_text())


@pytest.mark.slow
@WHOLE
def test_decay_goes_on_after_the_main_process_has_answered(project: Path, tmp_path: Path) -> None:
    for name, start in (("one", (sys.executable, "-m")), ("two", (*TWO, "-m"))):
        check_run(untrained(project, tmp_path / name), *start, "stages.decay.run")
    assert digests(tmp_path / "two/data/decay") == digests(tmp_path / "one/data/decay")


@pytest.mark.slow
@WHOLE
def test_a_failure_of_one_process_is_told_once_and_leaves_nothing(project: Path, tmp_path: Path) -> None:
    folder = untrained(project, tmp_path / "project", "data/models", "data/curves")
    done = run(folder, *TWO, PATCHED, "fault", WARMUP)
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if "found a fault" in line]
    assert lines == ["error: found a fault in one process"]
    ours, _, theirs = done.stderr.partition(lines[0])
    assert "Traceback" not in ours
    assert theirs.count("Traceback") == 1  # the launcher's own
    assert not (folder / "data/models").exists()
    params = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(params | {"warmup": params["warmup"] | {"batch": 7}}))
    done = run(folder, *TWO, "-m", WARMUP)
    assert done.returncode != 0
    assert done.stderr.count("warmup.batch: found 7; expected a multiple of 2") == 1


@pytest.mark.slow
@WHOLE
def test_killed_with_its_launcher_a_training_ends_and_starts_anew(project: Path, tmp_path: Path) -> None:
    whole, killed = (untrained(project, tmp_path / name, "data/models", "data/curves") for name in ("whole", "killed"))
    check_run(whole, *TWO, "-m", WARMUP)
    launcher = subprocess.Popen([*TWO, "-m", WARMUP], cwd=killed, env=environment(), stderr=subprocess.DEVNULL)
    while not list(killed.glob("data/curves/it0/plots/metrics/loss.tsv")):
        assert launcher.poll() is None, "the stage ended before it was killed"
        time.sleep(0.02)
    workers = psutil.Process(launcher.pid).children(recursive=True)
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    gone, alive = psutil.wait_procs(workers, timeout=20)
    assert len(gone) >= 2
    assert alive == []
    assert not (killed / "data/models/it0").exists()
    check_run(killed, *TWO, "-m", WARMUP)
    assert digests(killed / "data/models") == digests(whole / "data/models")
    assert digests(killed / "data/curves") == digests(whole / "data/curves")
