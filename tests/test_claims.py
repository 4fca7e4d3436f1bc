"""The arms of benchmarks/claims.py are the pipeline with other parameters, and its tables say what the runs found."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from tiny_model import new_model

from benchmarks import claims, plots
from benchmarks.larger import widened
from itool.artifacts import TASKS, task_row, write_table
from itool.files import write_json
from itool.params import Params
from itool.toolcall.types import Task
from tests.smoke import ROOT, lay_over

SPLITS = ["test_seen"] * 6 + ["test_unseen"] * 2
SCENARIOS = ["single", "single", *["parallel"] * 6]


@pytest.mark.parametrize("arm", claims.ARMS)
def test_an_arm_is_a_valid_set_of_parameters_that_differs_from_the_others(arm):
    base = yaml.safe_load((ROOT / "params.yaml").read_text())
    params = {name: Params.model_validate(lay_over(base, claims.overrides(name, 7))) for name in claims.ARMS}
    mine = params[arm]
    assert {mine.warmup.seed, mine.selection.seed, mine.exploration.seed, mine.preference.seed} == {7}
    assert mine.synthesis == params["itool"].synthesis
    assert [name for name, each in params.items() if each == mine] == [arm]


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Two seeds of iTool and one of a rival, over eight test tasks."""
    monkeypatch.setattr(claims, "ROOT", tmp_path)
    monkeypatch.setattr(claims, "RESULTS", tmp_path / "results")
    tasks = [Task("t", split, scenario, ()) for split, scenario in zip(SPLITS, SCENARIOS, strict=True)]
    write_table(map(task_row, tasks), TASKS, tmp_path / "data/synthesis/test.parquet")
    (tmp_path / "results").mkdir()
    (tmp_path / "data/base").mkdir()
    (tmp_path / "data/base/model.safetensors").write_bytes(b"weights")
    shutil.copy(ROOT / "params.yaml", tmp_path)

    def write(arm, seed, **right):
        answers = {model: {"right": bits, "parameter": "10000011"} for model, bits in right.items()}
        kept = {"arm": arm, "seed": seed, "origin": claims.origin(arm, seed), "answers": answers}
        (tmp_path / f"results/{arm}-{seed}.json").write_text(json.dumps(kept))

    same = {"base": "00000000", "it0": "11000000", "it1": "11100000", "it2": "11110000"}
    write("itool", 1, **same, it3="11111000")
    write("itool", 2, **same, it3="11111110")
    write("sft_hard", 2, **same, it3="11111010")


def test_a_table_compares_on_the_seeds_that_both_have(results):
    found = claims.Results()
    assert found.seeds("itool") == [1, 2]
    assert found.seeds("itool", "sft_hard") == [2]
    assert found.grid("itool", "it3", "unseen", [1, 2]).tolist() == [[0, 0], [1, 0]]
    assert np.mean(found.grid("itool", "it3", "complex", [1, 2])) == pytest.approx(8 / 12)
    lines = {line.split("|")[1].strip(): line for line in claims.table(claims.Results()).splitlines()}
    assert list(lines)[2:] == ["base", "it0", "it1", "it2", "itool", "sft_hard"]
    assert lines["sft_hard"].split("|")[-2].strip().startswith("+16.7 [")  # one of six complex tasks
    assert "it3 over it0 +66.7" in claims.claims(claims.Results())


def test_arms_of_a_big_model_are_compared_with_itool_on_that_model(results, tmp_path):
    for arm, it3 in (("big_itool", "11111111"), ("big_sft_more", "11111110")):
        right = dict.fromkeys(("base", "it0", "it1", "it2"), "11100000") | {"it3": it3}
        answers = {model: {"right": bits, "parameter": "00000000"} for model, bits in right.items()}
        kept = {"arm": arm, "seed": 1, "origin": claims.origin(arm, 1), "answers": answers}
        (tmp_path / f"results/{arm}-1.json").write_text(json.dumps(kept))
    lines = {line.split("|")[1].strip(): line for line in claims.table(claims.Results()).splitlines()}
    assert list(lines)[-4:] == ["big_itool, base", "big_itool, it0", "big_itool", "big_sft_more"]
    over_it0, behind = lines["big_sft_more"].split("|")[-3:-1]
    assert over_it0.strip().startswith("+66.7 [")
    assert behind.strip().startswith("+16.7 [")


def test_the_larger_model_is_compared_with_an_arm_that_goes_on(results, tmp_path):
    path = tmp_path / "results/sft_hard-2.json"
    kept = json.loads(path.read_text())
    last = {"it6": {"right": "11111111", "parameter": "00000000"}}
    for arm, answers in (("larger", {}), ("iterations_6", last)):
        mine = {"arm": arm, "origin": claims.origin(arm, 2), "answers": kept["answers"] | answers}
        path.with_name(f"{arm}-2.json").write_text(json.dumps(kept | mine))
    lines = {line.split("|")[1].strip(): line for line in claims.over_larger(claims.Results()).splitlines()}
    assert list(lines)[2:] == ["itool", "iterations_6"]
    assert lines["itool"].split("|")[4].strip().startswith("+16.7 [")
    assert lines["iterations_6"].split("|")[4].strip().startswith("+33.3 [")
    row = next(line for line in claims.table(claims.Results()).splitlines() if line.startswith("| iterations_6 |"))
    assert row.split("|")[4].strip() == "100.0 [100.0, 100.0]"


def test_rates_are_told_apart_by_the_model_that_each_iteration_kept(results):
    for rate, value in ((0.001, 0.2), (0.004, 0.45)):
        looks = {"it1": {"start": 0.4, "check 1": value, "half way to check 1": 0.1}, "it2": {"start": 0.4}}
        kept = {"arm": "itool", "rate": rate, "origin": claims.origin("itool", 1, rate), "validation": looks}
        write_json(kept, claims.RESULTS / f"rates/itool-{rate:g}.json")
    stale = {"arm": "sft_hard", "rate": 0.001, "validation": {"it1": {"check 1": 0.9}}, "origin": {}}
    write_json(stale, claims.RESULTS / "rates/sft_hard-0.001.json")
    header, _, *lines = claims.rates().splitlines()
    assert header == "| arm | 0.001 | 0.004 |"
    assert lines == ["| itool | 40.0, 40.0 | 45.0, 40.0 |"]


def test_plots_show_the_arms_that_were_run(results, tmp_path):
    looks = {name: {"start": 0.4} for name in ("it1", "it2", "it3")}
    kept = {"arm": "sft_more", "rate": 0.004, "origin": claims.origin("sft_more", 1, 0.004), "validation": looks}
    write_json(kept, claims.RESULTS / "rates/sft_more-0.004.json")
    plots.main(tmp_path / "plots")
    arms, iterations, rates = ((tmp_path / f"plots/{name}.svg").read_text() for name in ("arms", "iterations", "rates"))
    assert "sft_hard (1)" in arms
    assert "itool (" not in arms
    assert "2 seeds" in iterations
    assert "sft_more" in rates


def test_what_was_found_with_another_base_model_counts_for_nothing(results, tmp_path):
    (tmp_path / "data/base/model.safetensors").write_bytes(b"other weights")
    with pytest.raises(SystemExit, match=r"found no result of the present params\.yaml"):
        claims.Results()


def test_results_of_other_parameters_and_of_arms_that_are_gone_are_told(results, capsys):
    for name, change in (("gone-1", {"arm": "gone"}), ("itool-3", {"origin": {}})):
        kept = json.loads((claims.RESULTS / "itool-1.json").read_text()) | change
        (claims.RESULTS / f"{name}.json").write_text(json.dumps(kept))
    assert sorted(claims.Results().runs) == [("itool", 1), ("itool", 2), ("sft_hard", 2)]
    assert "2 of 5 results are of other parameters" in capsys.readouterr().err


def test_a_copy_of_older_code_is_made_anew(results, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(claims, "COPIES", tmp_path / "copies")
    monkeypatch.setattr(claims, "copy_of_project", lambda folder, *_: made.append(folder.name))
    (tmp_path / "stages").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "stages/one.py").write_text("1")
    made_of = claims.origin("itool", 1)
    folder = claims.prepared(made_of, "itool", 1)
    for name in ("stages", "data/base", "data/synthesis"):
        shutil.copytree(tmp_path / name, folder / name)
    shutil.copy(tmp_path / "dvc.yaml", folder)
    (folder / "params.yaml").write_text(yaml.safe_dump(made_of["params"]))
    claims.prepared(made_of, "itool", 1)
    assert made == ["itool-1-0.008"]
    (tmp_path / "stages/one.py").write_text("2")
    claims.prepared(made_of, "itool", 1)
    assert made == ["itool-1-0.008"] * 2


def test_parameters_are_read_as_dvc_writes_them(results, tmp_path):
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("  learning_rate: 0.008", "  learning_rate: 5e-05"))
    assert claims.origin("itool", 1)["params"]["preference"]["learning_rate"] == 5e-5


def test_bits_are_in_the_order_of_the_tasks():
    assert claims.bits(pl.Series([True, False, None])) == "100"


def test_the_larger_base_starts_as_the_same_function():
    small = new_model().eval()
    large = widened(small, 200).eval()
    ids = torch.randint(259, (2, 9))
    assert large.num_parameters() > small.num_parameters()
    assert torch.allclose(large(ids).logits, small(ids).logits, atol=1e-6)
