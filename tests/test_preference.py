"""Preference training of fragments: trunks and branches, the loss by hand, its effect, and the same bytes twice."""

import json
import math
from pathlib import Path

import polars as pl
import pytest
import torch
import yaml
from tiny_model import END, ENGINE, PEAKED, digests, model_params, save_model, weights
from tiny_model import logprobs as logprobs_of
from transformers import AutoModelForCausalLM
from watched_training import keep_gradients, pretend_two_gpus

from itool import params
from itool.artifacts import ANSWERS, PAIRS, PREDICTIONS, write_table
from itool.errors import UserError
from itool.training.sft import finetune
from stages.preference.dpo import (
    SIMPO_MARGIN,
    Collator,
    FragmentTrainer,
    Pair,
    Trunk,
    optimise,
    row_of,
    side,
    token_logprobs,
)
from stages.preference.run import read_trunks, run

PROMPT, ANSWER = (1, 2, 3, 4), (97, 98, 104, 105, END)
ONE = Pair(0, 2, (99, 100, 101))
TRUNK = Trunk(PROMPT, ANSWER, pairs=[ONE])
OTHER = Trunk((5,) * 9, (102, END), pairs=[Pair(0, 2, (103,))])
FORKED = Trunk(PROMPT, ANSWER, pairs=[ONE, Pair(1, 1, (110,)), Pair(2, 3, (120, 121, END)), Pair(2, 1, (7, 8))])
LORA = params.Lora(rank=2, alpha=4.0, dropout=0.0)


def settings(**changes):
    fields = {
        "seed": 1,
        "loss": "sigmoid",
        "beta": 0.2,
        "sft": 0.0,
        "updates": 1,
        "checks": 1,
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


def curve(folder, name, column=None):
    return pl.read_csv(folder / f"curves/plots/metrics/{name}.tsv", separator="\t")[column or name].to_list()


def train(trunks, base, folder, model=None, engine=ENGINE, **changes):
    """The model after the last update."""
    model = model or model_params(base)
    return optimise(trunks, base, model, folder / "model", settings(**changes), engine, folder / "curves")[-1]


def sides(trunk, pair):
    """(prompt, chosen) and (prompt, rejected) of a pair, as lists."""
    prompt = [*trunk.prompt, *trunk.answer[: pair.at]]
    return (prompt, list(trunk.answer[pair.at : pair.at + pair.chosen])), (prompt, list(pair.rejected))


def test_a_branch_is_what_the_same_text_alone_would_be(base):
    """Rows of different lengths, several branches at one token, one of a single token and one that ends its turn."""
    network = AutoModelForCausalLM.from_pretrained(base)
    trunks = [FORKED, OTHER]
    batch = Collator(END)([row_of(trunk) for trunk in trunks])
    with torch.no_grad():
        logprobs = token_logprobs(network, batch)
    pairs = [(trunk, pair) for trunk in trunks for pair in trunk.pairs]
    for which, name in enumerate(("chosen", "rejected")):
        found, tokens = side(logprobs, batch[name], len(pairs))
        alone = [logprobs_of(base, *sides(trunk, pair)[which]) for trunk, pair in pairs]
        assert found.tolist() == pytest.approx([each.sum().item() for each in alone], abs=1e-4)
        assert tokens.tolist() == [len(each) for each in alone]
    answers = torch.cat([logprobs_of(base, list(trunk.prompt), list(trunk.answer)) for trunk in trunks])
    assert logprobs[batch["learnt"]].tolist() == pytest.approx(answers.tolist(), abs=1e-4)


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
    one = train([TRUNK], base, tmp_path / "one", updates=1, **changes)
    train([TRUNK], base, tmp_path / "two", updates=2, **changes)
    reference = [logprobs_of(base, *each) for each in sides(TRUNK, ONE)]
    expected = []
    for folder in (base, one):
        at = [logprobs_of(folder, *each) for each in sides(TRUNK, ONE)]
        whole = logprobs_of(folder, list(PROMPT), list(ANSWER))
        expected.append(float(by_hand(loss, *at, *reference, 0.2) - sft * whole.mean()))
        assert curve(tmp_path / "two", "chosen_logprob")[len(expected) - 1] == pytest.approx(
            at[0].sum().item(), abs=1e-3
        )
    assert curve(tmp_path / "two", "loss") == pytest.approx(expected, abs=1e-3)
    assert abs(expected[1] - expected[0]) > 0.01


def test_every_pair_weighs_the_same_whatever_shares_its_trunk(base, tmp_path):
    train([FORKED, Trunk(PROMPT, ANSWER)], base, tmp_path)
    assert curve(tmp_path, "loss") == pytest.approx([math.log(2) * 4 / 2], abs=1e-3)


def test_of_several_gpus_one_is_used(base, tmp_path, monkeypatch):
    one = train([FORKED, OTHER], base, tmp_path / "one", learning_rate=0.003, sft=1.0)
    pretend_two_gpus(monkeypatch)
    assert digests(train([FORKED, OTHER], base, tmp_path / "two", learning_rate=0.003, sft=1.0)) == digests(one)


@pytest.mark.parametrize("changes", [{}, {"train_embeddings": False}, {"lora": LORA}], ids=["all", "frozen", "lora"])
def test_micro_batches_and_checkpointing_change_no_gradient(base, tmp_path, monkeypatch, changes):
    """Answers of different length, one with four pairs, one without any, and one that is not learnt."""
    wrong = Trunk(PROMPT, (111, 112), learn=False, pairs=[Pair(0, 2, (113,))])
    trunks = [FORKED, OTHER, wrong, Trunk((9,) * 6, (105, END))]

    def trained(name, **more):
        gradients = keep_gradients(monkeypatch, "stages.preference.dpo")
        model = model_params(base, **changes | more)
        train(trunks, base, tmp_path / name, model, sft=0.3, batch=4, updates=2)
        assert gradients.checkpointed == model.checkpointing
        figures = [curve(tmp_path / name, each) for each in ("loss", "answer_nll", "pair_loss")]
        return gradients.updates, [*figures, curve(tmp_path / name, "loss", "step")]

    whole, figures = trained("whole")
    assert len(whole) == 2
    assert sum(gradient.abs().max() > 1e-3 for gradient in whole[0].values()) >= 14
    losses, nlls, pair_losses, _ = figures
    assert losses == pytest.approx([0.3 * nll + pair for nll, pair in zip(nlls, pair_losses, strict=True)], abs=1e-4)
    for micro, checkpointing in ((1, False), (2, False), (None, True), (2, True)):
        parts, found = trained(f"{micro}-{checkpointing}", micro_batch=micro, checkpointing=checkpointing)
        torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-5)
        assert found == [pytest.approx(each, abs=1e-4) for each in figures]


def test_chosen_rises_and_rejected_falls(base, tmp_path):
    trained = train([TRUNK, OTHER], base, tmp_path, learning_rate=0.003, updates=8, sft=0.2)
    for trunk in (TRUNK, OTHER):
        chosen, rejected = (
            (logprobs_of(trained, *each).sum() - logprobs_of(base, *each).sum()).item()
            for each in sides(trunk, trunk.pairs[0])
        )
        assert chosen > max(0, rejected + 0.5)
    assert curve(tmp_path, "accuracy")[-1] == 1.0
    before, after = weights(base), weights(trained)
    assert [name for name in before if torch.equal(before[name], after[name])] == []


def test_without_pairs_the_answers_that_are_right_are_learnt(base, tmp_path):
    wrong = Trunk(PROMPT, (111, 112), learn=False, pairs=[Pair(0, 2, (113,))])
    trained = train([TRUNK, wrong], base, tmp_path, loss="sft", sft=1.0, learning_rate=0.003, updates=8)
    gains = [
        (logprobs_of(trained, list(PROMPT), ids) - logprobs_of(base, list(PROMPT), ids)).sum().item()
        for ids in (list(ANSWER), [111, 112])
    ]
    assert gains[0] > 0.5
    assert gains[1] < 0.1
    assert not (tmp_path / "curves/plots/metrics/margin.tsv").exists()


def test_same_bytes_twice_with_and_without_adapter(base, tmp_path):
    for model in (model_params(base), model_params(base, LORA)):
        for name in ("a", "b"):
            train([FORKED, OTHER], base, tmp_path / name, model, learning_rate=0.003, sft=1.0)
        assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_adapter_goes_on_from_the_one_it_starts_with(base, tmp_path):
    """The reference is the adapter at the start, so the first loss is log 2; the base model never changes."""
    model, before = model_params(base, LORA), digests(base)
    tuning = params.Training(seed=1, epochs=4, learning_rate=0.01, batch=1, warmup=0.0)
    finetune([(PROMPT, ONE.rejected)], model, tmp_path / "it0", tuning, ENGINE)
    trained = train([TRUNK], tmp_path / "it0", tmp_path, model, learning_rate=0.003, batch=1)
    assert curve(tmp_path, "loss") == pytest.approx([math.log(2)], abs=1e-4)
    unadapted = logprobs_of(base, list(PROMPT), list(ONE.rejected)).sum().item()
    assert curve(tmp_path, "rejected_logprob")[0] > unadapted + 0.5
    assert digests(base) == before
    files = digests(trained)
    assert "adapter_model.safetensors" in files
    assert not any(name.startswith("ref") for name in files)


def test_a_model_that_does_not_keep_to_the_mask_is_an_error(base, tmp_path, monkeypatch):
    """As one with a sliding window: the branch sees other tokens than the same text alone."""
    monkeypatch.setattr("stages.preference.dpo.token_logprobs", lambda model, batch: -batch["tokens"].float())
    with pytest.raises(UserError, match="nats a token between a chosen fragment as a branch and alone"):
        train([TRUNK], base, tmp_path)


def test_branches_are_checked_where_the_trainer_has_put_the_model(base, tmp_path, monkeypatch):
    seen = []
    build, logprobs = FragmentTrainer.__init__, token_logprobs
    monkeypatch.setattr(FragmentTrainer, "__init__", lambda *a, **k: (build(*a, **k), seen.append("built"))[0])
    monkeypatch.setattr(
        "stages.preference.dpo.token_logprobs", lambda *each: (seen.append(each[0].training), logprobs(*each))[1]
    )
    train([TRUNK], base, tmp_path, batch=1)
    assert seen == ["built", False, True]


def test_the_rounding_of_bfloat16_is_no_such_error(tmp_path):
    save_model(tmp_path / "peaked", initializer_range=PEAKED)
    base, engine = tmp_path / "peaked", ENGINE.model_copy(update={"dtype": "bfloat16"})
    for model in (model_params(base), model_params(base, LORA)):
        train([FORKED, OTHER], base, tmp_path / str(model.lora), model, engine)


PAIR = {"prompt": [*PROMPT, 97], "chosen": [98], "rejected": [99, 100], "answer": 0}


def write_project(answers, pairs):
    columns = dict.fromkeys((*PREDICTIONS, *PAIRS, *ANSWERS)) | {"task_id": "e"}
    write_table(
        [{name: (columns | row)[name] for name in ANSWERS} for row in answers], ANSWERS, "data/answers/it1.parquet"
    )
    write_table([{name: (columns | row)[name] for name in PAIRS} for row in pairs], PAIRS, "data/pairs/it1.parquet")


@pytest.fixture
def project(base, tmp_path, monkeypatch):
    """A folder with what the stage reads for it1: an answer, a pair, and validation tasks, half answered by `base`."""
    text = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    text["model"]["path"] = str(base)
    text["engine"]["threads"] = 1
    text["preference"] |= {"updates": 2, "checks": 2, "batch": 2, "learning_rate": 0.003}
    text["iterations"] = {"it1": {"previous": "base", "ratio": 0.5}}
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(text))
    columns = dict.fromkeys(PREDICTIONS)
    answers = [columns | {"task_id": f"v{i}", "split": "validation", "right": i < 5} for i in range(10)]
    answers += [columns | {"task_id": "t", "split": "test_seen", "right": False}]
    write_table(answers, PREDICTIONS, "data/predictions/base.parquet")
    write_project([{"prompt": PROMPT, "answer": ANSWER, "learn": True}], [PAIR])


AFTER = ["check 1", "half way to check 1", "check 2", "half way to check 2"]


@pytest.mark.parametrize(
    ("after", "kept"),
    [((0.4, 0.5, 0.3, 0.5), "start"), ((0.4, 0.6, 0.7, 0.7), "check 2"), ((0.6, 0.7, 0.6, 0.6), "half way to check 1")],
)
def test_the_best_on_validation_is_kept_half_way_and_no_update_included(base, project, monkeypatch, after, kept):
    scores, seen = iter(after), {"start": weights(base)}

    def score(folder, params):
        seen[AFTER[len(seen) - 1]] = weights(folder)
        return next(scores)

    monkeypatch.setattr("stages.preference.run.validation_accuracy", score)
    run("it1")
    now = weights(Path("data/models/it1"))
    assert all(torch.equal(now[name], seen[kept][name]) for name in now)
    for name, first in seen["start"].items():
        ones, halves = ([seen[f"{way}check {check}"][name] for check in "12"] for way in ("", "half way to "))
        assert torch.equal(*ones) == ("embed_tokens" in name)  # which are not trained by default
        assert all(torch.allclose(half, (one + first) / 2) for one, half in zip(ones, halves, strict=True))
    figures = json.loads(Path("metrics/preference/it1.json").read_text())
    validation = dict(zip(["start", *AFTER], [0.5, *after], strict=True))
    assert figures == {"answers": 1, "pairs": 1, "kept": kept, "validation": validation}


@pytest.mark.parametrize(
    ("settings", "learn"),
    [({"loss": "sigmoid"}, False), ({"loss": "sft"}, False), ({"loss": "sigmoid", "sft": 0.0}, True)],
)
def test_with_nothing_to_learn_the_model_stays_as_it_was(base, project, caplog, settings, learn):
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["preference"] |= settings
    Path("params.yaml").write_text(yaml.safe_dump(params))
    write_project([{"prompt": PROMPT, "answer": ANSWER, "learn": learn}], [])
    run("it1")
    assert json.loads(Path("metrics/preference/it1.json").read_text())["kept"] == "start"
    before, after = weights(base), weights(Path("data/models/it1"))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert Path("data/curves/it1").is_dir()
    assert "preference it1: nothing to learn (raise iterations.it1.ratio" in caplog.text
    assert "no pairs" not in caplog.text


def test_without_pairs_the_answers_are_learnt(base, project, monkeypatch):
    monkeypatch.setattr("stages.preference.run.validation_accuracy", lambda *_: 0.9)
    write_project([{"prompt": PROMPT, "answer": ANSWER, "learn": True}], [])
    run("it1")
    figures = json.loads(Path("metrics/preference/it1.json").read_text())
    assert (figures["pairs"], figures["kept"]) == (0, "check 1")
    gain = logprobs_of("data/models/it1", list(PROMPT), list(ANSWER)) - logprobs_of(base, list(PROMPT), list(ANSWER))
    assert gain.sum() > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chosen": []}, "task e: column chosen: found no tokens"),
        ({"rejected": [98, 99]}, "task e: chosen and rejected both begin with token 98"),
        ({"chosen": [104]}, "task e: prompt and chosen are not how row 0 of data/answers/it1.parquet begins"),
        ({"prompt": PROMPT[:-1], "chosen": [PROMPT[-1]]}, "task e: prompt and chosen are not how row 0 of"),
        ({"answer": 1}, "task e: column answer: found 1, expected a row of data/answers/it1.parquet"),
        ({"rejected": [99] * 36}, "row 0: found 41 tokens, expected at most model.max_length = 40"),
    ],
)
def test_a_pair_that_would_train_on_something_else_is_an_error(project, change, message):
    assert [trunk.pairs for trunk in read_trunks("it1", 40)] == [[Pair(1, 1, (99, 100))]]
    write_project([{"prompt": PROMPT, "answer": ANSWER, "learn": True}], [PAIR | change])
    with pytest.raises(UserError, match=message):
        read_trunks("it1", 40)
