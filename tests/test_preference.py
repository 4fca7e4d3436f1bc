"""Preference training of fragments: the loss by hand, its effect, and the same bytes twice."""

import json
import math
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
import torch
import yaml
from tiny_model import END, ENGINE, digests, logprobs, model_params, save_model, weights

from stages import params
from stages.artifacts import PAIRS, PREDICTIONS, write_table
from stages.errors import UserError
from stages.preference.dpo import SIMPO_MARGIN, check_pair, optimise
from stages.preference.run import run
from stages.training.sft import finetune

PAIR = {"prompt_ids": [1, 2, 3, 4], "chosen_ids": [97, 98], "rejected_ids": [99, 100, 101]}
OTHER = {"prompt_ids": [5] * 9, "chosen_ids": [102, END], "rejected_ids": [103]}
LORA = params.Lora(rank=2, alpha=4.0, dropout=0.0)


def settings(**changes):
    fields = {
        "seed": 1,
        "loss": "sigmoid",
        "beta": 0.2,
        "sft": 0.0,
        "epochs": 1,
        "learning_rate": 1e-9,
        "batch": 2,
        "warmup": 0.0,
    }
    return params.Preference(**fields | changes)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    save_model(folder)
    return folder


def curve(folder, name):
    return pl.read_csv(folder / f"curves/plots/metrics/{name}.tsv", separator="\t")[name].to_list()


def train(pairs, base, folder, model=None, **changes):
    """The model after the last epoch."""
    model = model or model_params(base)
    return optimise(pairs, base, model, folder / "model", settings(**changes), ENGINE, folder / "curves")[-1]


def by_hand(loss, chosen, rejected, reference_chosen, reference_rejected, beta):
    """chosen, rejected: log-probabilities of the fragments' tokens."""
    if loss == "simpo":
        margin = chosen.mean() - rejected.mean() - SIMPO_MARGIN
    elif loss == "ipo":
        margin = (chosen - reference_chosen).mean() - (rejected - reference_rejected).mean()
        return (margin - 1 / (2 * beta)) ** 2
    else:
        margin = (chosen - reference_chosen).sum() - (rejected - reference_rejected).sum()
    return math.log1p(math.exp(-beta * margin))


@pytest.mark.parametrize(("loss", "sft"), [("sigmoid", 0.0), ("sigmoid", 0.3), ("ipo", 0.0), ("simpo", 0.0)])
def test_loss_by_hand(base, tmp_path, loss, sft):
    """The loss at the second update, when the model has left its reference. No end token is added to a fragment."""
    changes = {"loss": loss, "sft": sft, "learning_rate": 0.003, "batch": 1}
    one = train([PAIR], base, tmp_path / "one", epochs=1, **changes)
    train([PAIR], base, tmp_path / "two", epochs=2, **changes)
    sides = [PAIR["chosen_ids"], PAIR["rejected_ids"]]
    reference = [logprobs(base, PAIR["prompt_ids"], ids) for ids in sides]
    moved = [logprobs(one, PAIR["prompt_ids"], ids) for ids in sides]
    expected = [by_hand(loss, *at, *reference, 0.2) - sft * at[0].mean() for at in (reference, moved)]
    assert curve(tmp_path / "two", "loss") == pytest.approx([float(value) for value in expected], abs=1e-3)
    assert curve(tmp_path / "two", "chosen_logprob") == pytest.approx(
        [reference[0].sum().item(), moved[0].sum().item()], abs=1e-3
    )
    assert abs(expected[1] - expected[0]) > 0.01


def test_chosen_rises_and_rejected_falls(base, tmp_path):
    trained = train([PAIR, OTHER], base, tmp_path, learning_rate=0.003, epochs=8, sft=0.2)
    for pair in (PAIR, OTHER):
        gain = {
            side: (
                logprobs(trained, pair["prompt_ids"], pair[side]).sum()
                - logprobs(base, pair["prompt_ids"], pair[side]).sum()
            )
            for side in ("chosen_ids", "rejected_ids")
        }
        assert gain["chosen_ids"] > max(0, gain["rejected_ids"] + 0.5)
    assert curve(tmp_path, "accuracy")[-1] == 1.0
    before, after = weights(base), weights(trained)
    assert [name for name in before if torch.equal(before[name], after[name])] == []


def test_same_bytes_twice_with_and_without_adapter(base, tmp_path):
    for model in (model_params(base), model_params(base, LORA)):
        for name in ("a", "b"):
            train([PAIR, OTHER], base, tmp_path / name, model, learning_rate=0.003)
        assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_adapter_goes_on_from_the_one_it_starts_with(base, tmp_path):
    """The reference is the adapter at the start, so the first loss is log 2; the base model never changes."""
    model, before = model_params(base, LORA), digests(base)
    tuning = params.Training(seed=1, epochs=4, learning_rate=0.01, batch=1, warmup=0.0)
    finetune([((1, 2, 3, 4), (99, 100, 101))], model, tmp_path / "it0", tuning, ENGINE)
    trained = train([PAIR], tmp_path / "it0", tmp_path, model, learning_rate=0.003, batch=1)
    assert curve(tmp_path, "loss") == pytest.approx([math.log(2)], abs=1e-4)
    unadapted = logprobs(base, PAIR["prompt_ids"], PAIR["rejected_ids"]).sum().item()
    assert curve(tmp_path, "rejected_logprob")[0] > unadapted + 0.5
    assert digests(base) == before
    files = digests(trained)
    assert "adapter_model.safetensors" in files
    assert not any(name.startswith("ref") for name in files)


@pytest.fixture
def project(base, tmp_path, monkeypatch):
    """A folder with what the stage reads for it1: two pairs, and a validation split half of which `base` answers."""
    text = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    text["model"]["path"] = str(base)
    text["engine"]["threads"] = 1
    text["preference"] |= {"epochs": 3, "batch": 2, "learning_rate": 0.003}
    text["iterations"] = {"it1": {"previous": "base", "ratio": 0.5}}
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(text))
    columns = dict.fromkeys((*PREDICTIONS, *PAIRS))
    answers = [columns | {"task_id": f"v{i}", "split": "validation", "right": i < 5} for i in range(10)]
    answers += [columns | {"task_id": "t", "split": "test_seen", "right": False}]
    write_table(
        [{name: row[name] for name in PREDICTIONS} for row in answers], PREDICTIONS, "data/predictions/base.parquet"
    )
    rows = [
        columns | {"task_id": "e"} | {name.removesuffix("_ids"): ids for name, ids in p.items()} for p in (PAIR, OTHER)
    ]
    write_table([{name: row[name] for name in PAIRS} for row in rows], PAIRS, "data/pairs/it1.parquet")


@pytest.mark.parametrize(("after", "kept"), [((0.4, 0.5, 0.3), 0), ((0.4, 0.7, 0.7), 2)])
def test_the_best_epoch_on_validation_is_kept_or_none(base, project, monkeypatch, after, kept):
    scores, seen = iter(after), []

    def score(folder, params):
        seen.append(weights(folder))
        return next(scores)

    monkeypatch.setattr("stages.preference.run.validation_accuracy", score)
    run("it1")
    now = weights(Path("data/models/it1"))
    expected = [weights(base), *seen][kept]
    assert all(torch.equal(now[name], expected[name]) for name in now)
    assert not any(torch.equal(one[name], other[name]) for one, other in pairwise(seen) for name in one)
    figures = json.loads(Path("metrics/preference/it1.json").read_text())
    assert figures == {"pairs": 2, "kept_epoch": kept, "validation": [0.5, *after]}


def test_without_pairs_the_model_stays_as_it_was(base, project):
    write_table([], PAIRS, "data/pairs/it1.parquet")
    run("it1")
    before, after = weights(base), weights(Path("data/models/it1"))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert Path("data/curves/it1").is_dir()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chosen_ids": []}, "pairs: column chosen: found no tokens"),
        ({"rejected_ids": [97, 99]}, "pairs: chosen and rejected both begin with token 97"),
        ({"prompt_ids": [1] * 38}, "pairs: found 41 tokens, expected at most model.max_length = 40"),
    ],
)
def test_a_pair_that_would_train_on_something_else_is_an_error(change, message):
    check_pair(PAIR, "pairs", 40)
    with pytest.raises(UserError, match=message):
        check_pair(PAIR | change, "pairs", 40)
