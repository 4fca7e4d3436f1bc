"""The arms of benchmarks/arms.py are the pipeline with other parameters; results are rows that are appended, never
changed, and compared with those of their own setting only.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from tiny_model import new_model

from benchmarks import arms, claims, plots, results, tables
from benchmarks.larger import widened
from itool import params, paths
from itool.artifacts import TASKS, read_table, task_row, write_table
from itool.errors import UserError
from itool.params import Params
from itool.toolcall.types import Task
from tests.smoke import ROOT, lay_over

SPLITS = ["test_seen"] * 6 + ["test_unseen"] * 2
SCENARIOS = ["single", "single", *["parallel"] * 6]
TEST_TASKS = [{"split": split, "scenario": scenario} for split, scenario in zip(SPLITS, SCENARIOS, strict=True)]
BASE = params.read(ROOT / "params.yaml")
ORIGIN: dict[str, Any] = {
    "commit": "0" * 40,
    "date": "2026-01-02T03:04:05+00:00",
    "machine": "a machine",
    "versions": {"itool": "1.0", "torch": "2", "transformers": "5", "dvc": "3"},
}


@pytest.mark.parametrize("arm", arms.ARMS)
def test_an_arm_is_a_valid_set_of_parameters_that_differs_from_the_others(arm: str) -> None:
    each = {name: Params.model_validate(lay_over(BASE, arms.changes(name, 7, BASE))) for name in arms.ARMS}
    mine = each[arm]
    assert {mine.warmup.seed, mine.selection.seed, mine.exploration.seed, mine.preference.seed} == {7}
    assert mine.synthesis == each["itool"].synthesis
    assert [name for name, other in each.items() if other == mine] == [arm]


def test_a_profile_is_laid_over_the_parameters(tmp_path: Path) -> None:
    (tmp_path / "full").write_text(
        "-S synthesis.train=12345 -S decay.ratios=[0.5,1]\n-S ++iterations.it1.previous=it0\n"
    )
    fields = arms.base_parameters(tmp_path / "full")
    assert fields["synthesis"] == BASE["synthesis"] | {"train": 12345}
    assert fields["decay"]["ratios"] == [0.5, 1]
    assert fields["iterations"] == {"it1": {"previous": "it0"}}
    assert fields["warmup"] == BASE["warmup"]


def append(benchmark: str, arm: str, seed: int, base: dict[str, Any] = BASE, **columns: Any) -> None:
    """Appends a run of the arm as `claims` would."""
    made = arms.changes(arm, seed, base, columns.pop("rate", None))
    row = {"files": {"test.parquet": "1"}, "figures": {}, "tasks": [], "answers": []} | ORIGIN | columns
    row |= {"changes": results.flat(made), "parameters": claims.decisive(lay_over(base, made))}
    results.append(benchmark=benchmark, arm=arm, seed=seed, **row)


def append_claims(arm: str, seed: int, base: dict[str, Any] = BASE, /, **right: str) -> None:
    """Appends answers to eight test tasks: `right` by model, and the same wrong parameters for all."""
    answers = [{"model": name, "right": bits, "parameter": "10000011"} for name, bits in right.items()]
    append("claims", arm, seed, base, tasks=TEST_TASKS, answers=answers)


SAME = {"base": "00000000", "it0": "11000000", "it1": "11100000", "it2": "11110000"}


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two seeds of iTool and one of a rival, over eight test tasks."""
    monkeypatch.setattr(results, "TABLE", tmp_path / "results.parquet")
    append_claims("itool", 1, **SAME, it3="11111000")
    append_claims("itool", 2, **SAME, it3="11111110")
    append_claims("sft_hard", 2, **SAME, it3="11111010")
    return tmp_path / "results.parquet"


def found(*where: str) -> results.Setting:
    """The only setting of the table."""
    (setting,) = results.settings(results.runs(), where)
    return setting


def by_first_cell(text: str) -> dict[str, list[str]]:
    """The rows of a Markdown table below its header, each by its first cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def test_a_table_compares_on_the_seeds_that_both_have(table: Path) -> None:
    setting = found()
    assert setting.seeds("itool") == [1, 2]
    assert setting.seeds("itool", "sft_hard") == [2]
    assert setting.grid("itool", "it3", "unseen", [1, 2]).tolist() == [[0, 0], [1, 0]]
    assert np.mean(setting.grid("itool", "it3", "complex", [1, 2])) == pytest.approx(8 / 12)
    lines = by_first_cell(tables.arms(setting))
    assert list(lines) == ["base", "it0", "it1", "it2", "itool", "sft_hard"]
    assert lines["sft_hard"][-1].startswith("+16.7 [")  # one of six complex tasks
    assert "it3 over it0 +66.7" in tables.claims(setting)


def test_arms_of_a_big_model_are_compared_with_itool_on_that_model(table: Path) -> None:
    for arm, it3 in (("big_itool", "11111111"), ("big_sft_more", "11111110")):
        append_claims(arm, 1, **dict.fromkeys(SAME, "11100000"), it3=it3)
    lines = by_first_cell(tables.arms(found()))
    assert list(lines)[-4:] == ["big_itool, base", "big_itool, it0", "big_itool", "big_sft_more"]
    over_it0, behind = lines["big_sft_more"][-2:]
    assert over_it0.startswith("+66.7 [")
    assert behind.startswith("+16.7 [")


def test_the_larger_model_is_compared_with_an_arm_that_goes_on(table: Path) -> None:
    append_claims("larger", 2, **SAME, it3="11111010")
    append_claims("iterations_6", 2, **SAME, it3="11111010", it6="11111111")
    lines = by_first_cell(tables.over_larger(found()))
    assert list(lines) == ["itool", "iterations_6"]
    assert lines["itool"][2].startswith("+16.7 [")
    assert lines["iterations_6"][2].startswith("+33.3 [")
    assert by_first_cell(tables.arms(found()))["iterations_6"][3] == "100.0 [100.0, 100.0]"


def looks(*shares: float) -> dict[str, Any]:
    """Figures of a run of `rates` in whose iterations validation found these shares at the start and at the end."""
    return {"validation": {f"it{n}": {"start": 0.4, "check 1": share} for n, share in enumerate(shares, 1)}}


def test_rates_are_told_apart_by_the_model_that_each_iteration_kept(table: Path) -> None:
    for rate, share in ((0.001, 0.2), (0.004, 0.45)):
        append("rates", "itool", 1, rate=rate, figures=looks(share, 0.1))
    lines = tables.rates(found()).splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == ["arm", "0.001", "0.004"]
    assert by_first_cell("\n".join(lines)) == {"itool": ["40.0, 40.0", "45.0, 40.0"]}


def test_plots_show_the_arms_that_were_run(table: Path, tmp_path: Path) -> None:
    append("rates", "sft_more", 1, rate=0.004, figures=looks(0.4, 0.4, 0.4))
    plots.main(tmp_path / "plots")
    drawn = {name: (tmp_path / f"plots/{name}.svg").read_text() for name in ("arms", "iterations", "rates")}
    assert "sft_hard (1)" in drawn["arms"]
    assert "itool (" not in drawn["arms"]
    assert "2 seeds" in drawn["iterations"]
    assert "sft_more" in drawn["rates"]


def test_appending_changes_no_row_that_is_there(table: Path) -> None:
    before = read_table(table, results.RESULTS)
    append_claims("itool", 1, **SAME, it3="11111111")
    after = read_table(table, results.RESULTS)
    assert after[: len(before)].equals(before)
    assert len(after) == len(before) + 1
    assert found().runs["itool", 1].answers["it3"]["right"] == "11111111"  # of two runs the later one counts


def test_runs_of_other_parameters_are_a_setting_of_their_own_and_say_so(table: Path) -> None:
    more = lay_over(BASE, {"synthesis": {"train": 9999}})
    append_claims("itool", 1, more, **SAME, it3="11111111")
    assert len(results.settings(results.runs())) == 2
    assert found("synthesis.train=9999").seeds("itool") == [1]
    assert f"synthesis.train 9999 (now {BASE['synthesis']['train']})" in tables.tables(
        [found("synthesis.train=9999")], BASE
    )
    assert found(f"synthesis.train={BASE['synthesis']['train']}").seeds("itool") == [1, 2]


@pytest.mark.parametrize(
    "other", [{"versions": ORIGIN["versions"] | {"itool": "2.0"}}, {"files": {"test.parquet": "2"}}]
)
def test_runs_of_another_version_or_of_other_tasks_are_not_compared(table: Path, other: dict[str, Any]) -> None:
    append("rates", "itool", 1, figures=looks(0.5), **other)
    assert sorted(len(setting.members) for setting in results.settings(results.runs())) == [1, 3]


def test_a_parameter_that_was_added_later_keeps_no_runs_apart(table: Path) -> None:
    older = BASE | {"model": {name: value for name, value in BASE["model"].items() if name != "micro_batch"}}
    append_claims("sft_same", 1, older, **SAME, it3="11110000")
    assert found().seeds("itool", "sft_same") == [1]
    assert "model.micro_batch" not in results.runs()[-1].parameters  # as it was


@pytest.mark.parametrize(
    ("where", "message"),
    [("synthesis.train=31", "found no run with synthesis.train=31"), ("synthesis.train", "expected NAME=VALUE")],
)
def test_conditions_that_find_nothing_or_are_none_are_told(table: Path, where: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        results.settings(results.runs(), [where])


def test_the_evidence_in_the_repository_is_whole() -> None:
    known = results.runs()
    assert {run.benchmark for run in known} == {"claims", "rates", "exploration"}
    for run in known:
        assert len(run.commit) == 40
        assert run.machine
        assert all(run.versions.values())
        assert all(run.parameters[name] == value for name, value in run.changes.items())
        assert {len(bits) for each in run.answers.values() for bits in (each["right"], each["parameter"])} <= {
            len(run.tasks)
        }
    first = results.settings(known, ["version=0.1.0"])
    assert [setting.seeds("itool") for setting in first] == [[1, 2, 3, 4, 5]]
    assert (
        tables.claims(first[0]).splitlines()[-1].startswith("seeds [1, 2, 3, 4, 5]: all, it3 over base +21.2 [+19.6,")
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the files that results hang on."""
    for module in (results, claims):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(results, "TABLE", tmp_path / "results.parquet")
    monkeypatch.setattr(claims, "COPIES", tmp_path / "copies")
    tasks = [Task("t", split, scenario, ()) for split, scenario in zip(SPLITS, SCENARIOS, strict=True)]
    write_table(map(task_row, tasks), TASKS, tmp_path / paths.TEST)
    for name, text in ((claims.BASE, "weights"), ("dvc.yaml", "stages: {}"), ("stages/one.py", "1")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        git(tmp_path, *arguments)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_result_names_the_commit_and_what_is_not_committed_gives_none(project: Path) -> None:
    assert len(results.clean_commit()) == 40
    (project / "results.parquet").write_text("evidence that was appended keeps no further run from starting")
    assert len(results.clean_commit()) == 40
    (project / "stages/one.py").write_text("2")
    with pytest.raises(UserError, match=r"stages/one\.py: not as committed"):
        results.clean_commit()


def test_a_machine_is_named_with_what_decides_its_rounding() -> None:
    assert "cores" in results.machine()


def test_a_run_is_skipped_only_when_parameters_files_and_stages_are_the_same(project: Path) -> None:
    plan = claims.Plan("itool", 1, BASE)
    known = {"commit": results.clean_commit(), "figures": looks(0.4, 0.4)}
    assert not claims.done(plan, "rates", "it1")
    append("rates", "itool", 1, **known)
    assert claims.done(plan, "rates", "it2")
    assert not claims.done(plan, "rates", "it3")
    assert not claims.done(plan, "claims", "it2")
    assert not claims.done(claims.Plan("itool", 2, BASE), "rates", "it2")
    (project / "stages/one.py").write_text("2")
    git(project, "commit", "-qam", "another stage")
    assert not claims.done(plan, "rates", "it2")
    git(project, "revert", "-n", "HEAD")
    git(project, "commit", "-qm", "as it was")
    assert claims.done(plan, "rates", "it2")
    assert len(claims.inputs_of(project)) == 3
    (project / claims.BASE).write_text("other weights")
    assert not claims.done(plan, "rates", "it2")


def test_a_copy_of_older_code_is_made_anew(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def copy(folder: Path, plan: claims.Plan) -> None:
        made.append(folder.name)
        for name in ("stages", "data"):
            shutil.copytree(project / name, folder / name, dirs_exist_ok=True)
        shutil.copy(project / "dvc.yaml", folder)
        (folder / "params.yaml").write_text(json.dumps(plan.parameters))

    monkeypatch.setattr(claims, "copy_of_project", copy)
    plan = claims.Plan("itool", 1, BASE)
    claims.prepared(plan)
    claims.prepared(plan)
    name = f"itool-1-{BASE['preference']['learning_rate']:g}"
    assert made == [name]
    (project / "stages/one.py").write_text("2")
    claims.prepared(plan)
    assert made == [name] * 2


def test_parameters_are_read_as_dvc_writes_them(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arms, "ROOT", project)
    rate = BASE["preference"]["learning_rate"]
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace(f"  learning_rate: {rate}", "  learning_rate: 5e-05"))
    assert claims.Plan("itool", 1, arms.base_parameters()).parameters["preference"]["learning_rate"] == 5e-5


def test_bits_are_in_the_order_of_the_tasks() -> None:
    predictions = pl.DataFrame(
        {"task_id": ["a", "b"], "right": [True, False], "errors": [["unparseable"], ["should_call", "wrong_value"]]}
    )
    tasks = pl.DataFrame({"task_id": ["b", "a", "c"]})
    assert claims.bits(tasks, predictions) == {"right": "010", "parameter": "100"}


def test_the_larger_base_starts_as_the_same_function() -> None:
    small = new_model().eval()
    large = widened(small, 200).eval()
    ids = torch.randint(259, (2, 9))
    assert large.num_parameters() > small.num_parameters()
    assert torch.allclose(large(ids).logits, small(ids).logits, atol=1e-6)
