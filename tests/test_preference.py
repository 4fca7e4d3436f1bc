"""Preference training of fragments: rows with branches, the loss by hand, its effect, and the same bytes twice."""

import gc
import json
import math
import shutil
import weakref
from pathlib import Path

import polars as pl
import pytest
import torch
import yaml
from tiny_model import END, ENGINE, PEAKED, all_params, digests, finetune, model_params, save_model, weights
from tiny_model import logprobs as logprobs_of
from transformers import AutoModelForCausalLM, TrainerCallback
from watched_training import keep_gradients, pretend_two_gpus

from itool import params
from itool.artifacts import ANSWERS, PAIRS, PREDICTIONS, write_table
from itool.errors import UserError
from itool.training import scoring, trainer
from itool.training.rows import Collator, Pair, Row, rows_with_loss, schedule
from itool.training.scoring import score, side
from itool.training.trainer import RowTrainer
from stages.preference.rows import read_rows
from stages.preference.run import accuracy_of_start, run

PROMPT, ANSWER = (1, 2, 3, 4), (97, 98, 104, 105, END)
ONE = Pair(0, 2, (99, 100, 101))
ROW = Row(PROMPT, ANSWER, pairs=(ONE,))
OTHER = Row((5,) * 9, (102, END), pairs=(Pair(0, 2, (103,)),))
BRANCHED = Row(PROMPT, ANSWER, pairs=(ONE, Pair(1, 1, (110,)), Pair(2, 3, (120, 121, END)), Pair(2, 1, (7, 8))))
LORA = params.Lora(rank=2, alpha=4.0, dropout=0.0)


def settings(**changes):
    fields = {
        "seed": 1,
        "loss": "sigmoid",
        "beta": 0.2,
        "simpo_margin": 0.5,
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


def train(rows, base, folder, model=None, engine=ENGINE, training=None, **changes):
    """The model after the last update."""
    everything, chosen = all_params(model or model_params(base), engine, **training or {}), settings(**changes)
    rows = rows_with_loss(rows, chosen.loss, chosen.sft)
    order = schedule(rows, chosen.updates * chosen.batch, chosen.batch, chosen.seed)
    return trainer.train(rows, base, folder / "model", everything, chosen, order, curves=folder / "curves")[-1]


def sides(row, pair):
    """(prompt, chosen) and (prompt, rejected) of a pair, as lists."""
    prompt = [*row.prompt, *row.answer[: pair.at]]
    return (prompt, list(row.answer[pair.at : pair.at + pair.chosen])), (prompt, list(pair.rejected))


def test_a_branch_is_what_the_same_text_alone_would_be(base):
    """Rows of different lengths, several branches at one token, one of a single token and one that ends its turn."""
    network = AutoModelForCausalLM.from_pretrained(base)
    rows = [BRANCHED, OTHER]
    batch = Collator(END)(rows)
    with torch.no_grad():
        logprobs, _ = score(network, batch)
    pairs = [(row, pair) for row in rows for pair in row.pairs]
    for which, name in enumerate(("chosen", "rejected")):
        found, tokens = side(logprobs, batch[name], len(pairs))
        alone = [logprobs_of(base, *sides(row, pair)[which]) for row, pair in pairs]
        assert found.tolist() == pytest.approx([each.sum().item() for each in alone], abs=1e-4)
        assert tokens.tolist() == [len(each) for each in alone]
    answers = torch.cat([logprobs_of(base, list(row.prompt), list(row.answer)) for row in rows])
    assert logprobs[batch["learnt"]].tolist() == pytest.approx(answers.tolist(), abs=1e-4)


def by_hand(loss, chosen, rejected, reference_chosen, reference_rejected, beta):
    """chosen, rejected: log-probabilities of the fragments' tokens."""
    if loss == "simpo":
        margin = chosen.mean() - rejected.mean() - 0.5
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
    one = train([ROW], base, tmp_path / "one", updates=1, **changes)
    train([ROW], base, tmp_path / "two", updates=2, **changes)
    reference = [logprobs_of(base, *each) for each in sides(ROW, ONE)]
    expected = []
    for folder in (base, one):
        at = [logprobs_of(folder, *each) for each in sides(ROW, ONE)]
        whole = logprobs_of(folder, list(PROMPT), list(ANSWER))
        expected.append(float(by_hand(loss, *at, *reference, 0.2) - sft * whole.mean()))
        assert curve(tmp_path / "two", "chosen_logprob")[len(expected) - 1] == pytest.approx(
            at[0].sum().item(), abs=1e-3
        )
    assert curve(tmp_path / "two", "loss") == pytest.approx(expected, abs=1e-3)
    assert abs(expected[1] - expected[0]) > 0.01


def test_every_pair_weighs_the_same_whatever_shares_its_row(base, tmp_path):
    train([BRANCHED, Row(PROMPT, ANSWER)], base, tmp_path, sft=1e-6)
    assert curve(tmp_path, "loss") == pytest.approx([math.log(2) * 4 / 2], abs=1e-3)


def test_of_several_gpus_one_is_used(base, tmp_path, monkeypatch):
    one = train([BRANCHED, OTHER], base, tmp_path / "one", learning_rate=0.003, sft=1.0)
    pretend_two_gpus(monkeypatch)
    assert digests(train([BRANCHED, OTHER], base, tmp_path / "two", learning_rate=0.003, sft=1.0)) == digests(one)


@pytest.mark.parametrize("changes", [{}, {"train_embeddings": False}, {"lora": LORA}], ids=["all", "frozen", "lora"])
def test_micro_batches_and_checkpointing_change_no_gradient(base, tmp_path, monkeypatch, changes):
    """Answers of different length, one with four pairs, one without any, and one that is not learnt."""
    wrong = Row(PROMPT, (111, 112), learn=False, pairs=(Pair(0, 2, (113,)),))
    rows = [BRANCHED, OTHER, wrong, Row((9,) * 6, (105, END))]

    def trained(name, **more):
        model = model_params(base, **changes | more)
        with monkeypatch.context() as patch:
            gradients = keep_gradients(patch)
            train(rows, base, tmp_path / name, model, sft=0.3, batch=4, updates=2)
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
    trained = train([ROW, OTHER], base, tmp_path, learning_rate=0.003, updates=8, sft=0.2)
    for row in (ROW, OTHER):
        chosen, rejected = (
            (logprobs_of(trained, *each).sum() - logprobs_of(base, *each).sum()).item()
            for each in sides(row, row.pairs[0])
        )
        assert chosen > max(0, rejected + 0.5)
    assert curve(tmp_path, "accuracy")[-1] == 1.0
    before, after = weights(base), weights(trained)
    assert [name for name in before if torch.equal(before[name], after[name])] == []


def test_without_pairs_the_answers_that_are_right_are_learnt(base, tmp_path):
    wrong = Row(PROMPT, (111, 112), learn=False, pairs=(Pair(0, 2, (113,)),))
    trained = train([ROW, wrong], base, tmp_path, loss="sft", sft=1.0, learning_rate=0.003, updates=8)
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
            train([BRANCHED, OTHER], base, tmp_path / name, model, learning_rate=0.003, sft=1.0)
        assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_adapter_goes_on_from_the_one_it_starts_with(base, tmp_path):
    """The reference is the adapter at the start, so the first loss is log 2; the base model never changes."""
    model, before = model_params(base, LORA), digests(base)
    tuning = params.Supervised(seed=1, epochs=4, learning_rate=0.01, batch=1, warmup=0.0)
    finetune([(PROMPT, ONE.rejected)], model, tmp_path / "it0", tuning, ENGINE)
    trained = train([ROW], tmp_path / "it0", tmp_path, model, learning_rate=0.003, batch=1)
    assert curve(tmp_path, "loss") == pytest.approx([math.log(2)], abs=1e-4)
    unadapted = logprobs_of(base, list(PROMPT), list(ONE.rejected)).sum().item()
    assert curve(tmp_path, "rejected_logprob")[0] > unadapted + 0.5
    assert digests(base) == before
    files = digests(trained)
    assert "adapter_model.safetensors" in files
    assert not any(name.startswith("ref") for name in files)


def test_a_model_that_does_not_keep_to_the_mask_is_an_error(base, tmp_path, monkeypatch):
    """As one with a sliding window: the branch sees other tokens than the same text alone."""

    def maskless(model, batch):
        return score(model, {name: each for name, each in batch.items() if name != "attention_mask"})

    monkeypatch.setattr(scoring, "score", maskless)
    with pytest.raises(UserError, match=f"^{base}: found .* nats a token between a rejected fragment as a branch and"):
        train([BRANCHED], base, tmp_path)


def test_the_reference_is_scored_in_eval_mode_by_the_network_that_is_trained(base, tmp_path, monkeypatch):
    seen = []
    for module in (scoring, trainer):
        monkeypatch.setattr(
            module, "score", lambda model, batch: (seen.append((model, model.training)), score(model, batch))[1]
        )
    lora = LORA.model_copy(update={"dropout": 0.5})
    train([ROW], base, tmp_path, model_params(base, lora), batch=1, updates=2)
    assert [training for _, training in seen] == [False] * 4 + [True] * 2  # branched, chosen, rejected, reference
    assert len({id(model) for model, _ in seen}) == 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("lora", [None, LORA], ids=["whole", "lora"])
def test_the_first_margin_is_0(tmp_path, dtype, lora):
    """Also where the first update holds rows with and without pairs, in micro batches, and what an engine would say is
    rounded.
    """
    save_model(tmp_path / "peaked", initializer_range=PEAKED)
    model = model_params(tmp_path / "peaked", lora, micro_batch=2)
    rows = [BRANCHED, OTHER, Row((9,) * 6, (105, END)), Row((8,) * 12, (106, 107, END), pairs=(Pair(1, 1, (50, 51)),))]
    engine = ENGINE.model_copy(update={"dtype": dtype})
    train(rows, tmp_path / "peaked", tmp_path, model, engine, batch=4, beta=1.0, learning_rate=0.003, updates=3)
    margins = curve(tmp_path, "margin")
    assert abs(margins[0]) < (1e-6 if dtype == "float32" else 1e-3)
    assert abs(margins[2]) > 1e-3


def test_rows_without_a_loss_are_not_scheduled():
    wrong = Row(PROMPT, (111, 112), learn=False)
    plain = Row(PROMPT, ANSWER)
    both = Row(PROMPT, ANSWER, learn=False, pairs=(ONE,))
    rows = [plain, wrong, both, ROW]
    assert rows_with_loss(rows, "sigmoid", 1.0) == [plain, both, ROW]
    assert rows_with_loss(rows, "sigmoid", 0.0) == [both, ROW]
    assert rows_with_loss(rows, "sft", 1.0) == [plain, plain]
    assert rows_with_loss(rows, "sft", 0.0) == []


def test_with_no_weight_on_answers_every_update_holds_a_pair(base, project, monkeypatch):
    """24 answers, of which one has a pair: the schedule of all would leave most updates empty."""
    text = yaml.safe_load(Path("params.yaml").read_text())
    text["preference"] |= {"sft": 0.0, "updates": 12, "batch": 2, "checks": 1}
    Path("params.yaml").write_text(yaml.safe_dump(text))
    write_project([{"prompt": PROMPT, "answer": ANSWER, "learn": True}] * 24, [PAIR])
    monkeypatch.setattr("stages.preference.run.validation_accuracy", lambda *_: 0.9)
    run("it1")
    margin = pl.read_csv("data/curves/it1/plots/metrics/margin.tsv", separator="\t")
    assert margin["step"].to_list() == [*range(1, 13)]
    assert json.loads(Path("metrics/preference/it1.json").read_text())["answers"] == 1


@pytest.mark.parametrize("lora", [None, LORA], ids=["whole", "lora"])
def test_nothing_of_a_training_is_left_in_memory(base, tmp_path, monkeypatch, lora):
    left = []

    class Watch(TrainerCallback):
        def on_optimizer_step(self, args, state, control, model=None, optimizer=None, **_):
            weights = [each for each in model.parameters() if each.requires_grad]
            moments = [each for state in optimizer.state.values() for each in state.values()]
            assert moments
            left.extend(weakref.ref(each) for each in (model, optimizer, *weights, *moments))
            left.extend(weakref.ref(each.grad) for each in weights)

    build = RowTrainer.__init__

    def watched(self, *arguments, **options):
        build(self, *arguments, **options)
        self.add_callback(Watch())

    monkeypatch.setattr(RowTrainer, "__init__", watched)
    engine = ENGINE.model_copy(update={"dtype": "bfloat16"})  # in which the network's forward is wrapped, too
    gc.disable()
    try:
        train([BRANCHED, OTHER], base, tmp_path, model_params(base, lora), engine, updates=2, sft=1.0)
        assert [reference() for reference in left if reference() is not None] == []
    finally:
        gc.enable()
    assert left


def test_clipping_and_decay_are_what_params_say(base, tmp_path):
    """The update of AdamW hardly knows the gradient's length, but its weight decay works on its own."""
    changes = {"learning_rate": 0.003, "updates": 3, "sft": 12.0}
    same = train([ROW], base, tmp_path / "same", **changes)
    found = {}
    for name, training in {
        "clipped": {"max_grad_norm": 0.01},
        "unclipped": {"max_grad_norm": 0.0},
        "decayed": {"weight_decay": 0.1},
        "betas": {"betas": [0.5, 0.9]},
        "cosine": {"scheduler": "cosine"},
    }.items():
        found[name] = digests(train([ROW], base, tmp_path / name, training=training, **changes))
    assert len({json.dumps(each) for each in (digests(same), *found.values())}) == 6
    norms = [curve(tmp_path / name, "grad_norm")[0] for name in ("clipped", "unclipped")]
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)  # as it was before
    assert norms[0] > 1


def test_the_rounding_of_bfloat16_is_no_such_error(tmp_path):
    save_model(tmp_path / "peaked", initializer_range=PEAKED)
    base, engine = tmp_path / "peaked", ENGINE.model_copy(update={"dtype": "bfloat16"})
    for model in (model_params(base), model_params(base, LORA)):
        train([BRANCHED, OTHER], base, tmp_path / str(model.lora), model, engine)


PAIR = {"prompt": [*PROMPT, 97], "chosen": [98], "rejected": [99, 100], "answer": 0}


def write_project(answers, pairs):
    columns = dict.fromkeys((*PREDICTIONS, *PAIRS, *ANSWERS)) | {"task_id": "e"}
    write_table(
        [{name: (columns | row)[name] for name in ANSWERS} for row in answers], ANSWERS, "data/answers/it1.parquet"
    )
    write_table([{name: (columns | row)[name] for name in PAIRS} for row in pairs], PAIRS, "data/pairs/it1.parquet")


@pytest.fixture
def project(base, tmp_path, monkeypatch):
    """A folder with what the stage reads for it1: an answer, a pair, and validation tasks, half answered by it0."""
    text = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    text["model"]["path"] = "not read: the start is it0"
    text["engine"]["threads"] = 1
    text["preference"] |= {"updates": 2, "checks": 2, "batch": 2, "learning_rate": 0.003}
    text["iterations"] = {"it1": {"previous": "it0", "ratio": 0.5}}
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(text))
    columns = dict.fromkeys(PREDICTIONS)
    answers = [columns | {"task_id": f"v{i}", "split": "validation", "right": i < 5} for i in range(10)]
    answers += [columns | {"task_id": "t", "split": "test_seen", "right": False}]
    write_table(answers, PREDICTIONS, "data/predictions/it0.parquet")
    shutil.copytree(base, "data/models/it0")
    write_project([{"prompt": PROMPT, "answer": ANSWER, "learn": True}], [PAIR])


AFTER = [f"{way}checkpoint {check}" for check in (1, 2) for way in ("", "average of start and ")]


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ((0.4, 0.5, 0.3, 0.5), "start"),
        ((0.4, 0.6, 0.7, 0.7), "checkpoint 2"),
        ((0.6, 0.7, 0.6, 0.6), "average of start and checkpoint 1"),
    ],
)
def test_the_best_on_validation_is_kept_averages_and_no_update_included(base, project, monkeypatch, after, kept):
    scores, seen = iter(after), {"start": weights(base)}

    def score(folder, params):
        seen[AFTER[len(seen) - 1]] = weights(folder)
        return next(scores)

    monkeypatch.setattr("stages.preference.run.validation_accuracy", score)
    run("it1")
    now = weights(Path("data/models/it1"))
    assert all(torch.equal(now[name], seen[kept][name]) for name in now)
    for name, first in seen["start"].items():
        ones, means = (
            [seen[f"{way}checkpoint {check}"][name] for check in "12"] for way in ("", "average of start and ")
        )
        assert torch.equal(*ones) == ("embed_tokens" in name)  # which are not trained by default
        assert all(torch.allclose(mean, (one + first) / 2) for one, mean in zip(ones, means, strict=True))
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
    assert (figures["pairs"], figures["kept"]) == (0, "checkpoint 1")
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
    assert [row.pairs for row in read_rows("it1", 40)] == [(Pair(1, 1, (99, 100)),)]
    write_project([{"prompt": PROMPT, "answer": ANSWER, "learn": True}], [PAIR | change])
    with pytest.raises(UserError, match=message):
        read_rows("it1", 40)


@pytest.mark.parametrize("kind", ["transformers", "vllm", "server"])
def test_the_start_is_judged_by_the_engine_of_its_rivals(base, project, monkeypatch, kind):
    asked = []
    monkeypatch.setattr("stages.preference.run.validation_accuracy", lambda folder, _: asked.append(folder) or 0.25)
    everything = params.load()
    everything = everything.model_copy(update={"engine": everything.engine.model_copy(update={"kind": kind})})
    known = accuracy_of_start("it0", everything)
    assert (known, asked) == ((0.5, []) if kind == "transformers" else (0.25, ["data/models/it0"]))
