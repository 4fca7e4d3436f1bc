"""Supervised fine-tuning on a tiny model: what is in the loss, what is trained, and the same bytes twice."""

import json
import random
import shutil

import polars as pl
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_model import END, ENGINE, digests, finetune, logprobs, model_params, save_model, weights
from transformers import AutoModelForCausalLM
from watched_training import keep_gradients, pretend_two_gpus

from itool import params
from itool.engine import open_engine
from itool.engine.base import Request, Sampling
from itool.engine.transformers import TransformersEngine
from itool.errors import UserError
from itool.training.models import load_trainable, save
from itool.training.rows import Collator, Row, schedule
from itool.training.scoring import score

CHANCE = random.Random(1)
ROWS = [
    (
        tuple(CHANCE.choices(range(250), k=CHANCE.randint(3, 20))),
        tuple(CHANCE.choices(range(97, 101), k=CHANCE.randint(1, 9))),
    )
    for _ in range(20)
]
TRAINING = params.Supervised(seed=1, epochs=3, learning_rate=0.01, batch=8, warmup=0.2)
LORA = params.Lora(rank=2, alpha=4.0, dropout=0.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    save_model(folder)
    return folder


@pytest.fixture(scope="module")
def tuned(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    finetune(ROWS, model_params(base), folder / "model", TRAINING, ENGINE, curves=folder / "curves")
    return folder


def curve(folder, name, column=None):
    return pl.read_csv(folder / f"curves/plots/metrics/{name}.tsv", separator="\t")[column or name].to_list()


def test_every_parameter_is_trained(base, tuned):
    before, after = weights(base), weights(tuned / "model")
    assert before.keys() == after.keys()
    assert [name for name in before if torch.equal(before[name], after[name])] == []


@pytest.mark.parametrize("tied", [True, False])
def test_all_but_the_embeddings_are_trained(tmp_path, tied):
    save_model(tmp_path / "base", tie_word_embeddings=tied)
    model = model_params(tmp_path / "base", train_embeddings=False)
    finetune(ROWS, model, tmp_path / "tuned", TRAINING, ENGINE)
    before, after = weights(tmp_path / "base"), weights(tmp_path / "tuned")
    assert [name for name in before if torch.equal(before[name], after[name])] == ["model.embed_tokens.weight"]


def test_loss_trajectory(tuned):
    assert curve(tuned, "loss") == pytest.approx(TRAJECTORY, abs=2e-3)


def test_same_bytes_twice(base, tuned, tmp_path):
    finetune(ROWS, model_params(base), tmp_path / "model", TRAINING, ENGINE, curves=tmp_path / "curves")
    assert digests(tmp_path) == digests(tuned)
    assert "model/chat_template.jinja" in digests(tmp_path)
    assert not any("time" in name or "state" in name or "checkpoint" in name for name in digests(tmp_path))


def test_of_several_gpus_one_is_used(base, tuned, tmp_path, monkeypatch):
    pretend_two_gpus(monkeypatch)
    finetune(ROWS, model_params(base), tmp_path / "model", TRAINING, ENGINE)
    assert digests(tmp_path / "model") == digests(tuned / "model")


@pytest.mark.parametrize("changes", [{}, {"train_embeddings": False}, {"lora": LORA}], ids=["all", "frozen", "lora"])
def test_micro_batches_and_checkpointing_change_no_gradient(base, tmp_path, monkeypatch, changes):
    """Ten samples in updates of four: the last one is cut into fewer passes."""
    once = TRAINING.model_copy(update={"epochs": 1, "batch": 4, "learning_rate": 1e-9})

    def trained(name, **more):
        model = model_params(base, **changes | more)
        with monkeypatch.context() as patch:
            gradients = keep_gradients(patch)
            finetune(ROWS[:10], model, tmp_path / name / "model", once, ENGINE, curves=tmp_path / name / "curves")
        assert gradients.checkpointed == model.checkpointing
        figures = [curve(tmp_path / name, each) for each in ("loss", "token_accuracy")]
        return gradients.updates, [*figures, curve(tmp_path / name, "loss", "step")]

    whole, figures = trained("whole")
    assert len(whole) == 3
    assert sum(gradient.abs().max() > 1e-3 for gradient in whole[0].values()) >= 14
    for micro, checkpointing in ((1, False), (2, False), (None, True), (2, True)):
        parts, found = trained(f"{micro}-{checkpointing}", micro_batch=micro, checkpointing=checkpointing)
        torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-5)
        assert found == [pytest.approx(each, abs=1e-4) for each in figures]


def test_loss_is_on_the_completion_alone_and_adds_no_end_token(base, tmp_path):
    one = params.Supervised(seed=1, epochs=1, learning_rate=1e-9, batch=2, warmup=0.0)
    rows = [((1, 2, 3, 4), (97, 98, END)), ((5, 6), (99,))]  # one generated its end, the other did not
    finetune(rows, model_params(base), tmp_path / "model", one, ENGINE, curves=tmp_path / "curves")
    by_hand = -torch.cat([logprobs(base, *row) for row in rows]).mean()
    assert curve(tmp_path, "loss") == pytest.approx([by_hand.item()], abs=1e-4)


def test_lora_targets_are_a_list_of_names_a_pattern_or_an_error(base, tmp_path):
    for targets, count in ((["q_proj", "v_proj"], 4), (r".*\.q_proj", 2)):
        lora = params.Lora(rank=2, alpha=4.0, dropout=0.0, targets=targets)
        finetune(ROWS[:1], model_params(base, lora), tmp_path, TRAINING, ENGINE)
        with safe_open(tmp_path / "adapter_model.safetensors", "pt") as adapter:
            assert len(list(adapter.keys())) == 2 * count
    nothing = model_params(base, params.Lora(rank=2, alpha=4.0, dropout=0.0, targets="q_proj"))
    with pytest.raises(UserError, match=r"params\.yaml: model\.lora\.targets: found 'q_proj'; .*q_proj not found"):
        finetune(ROWS[:1], nothing, tmp_path, TRAINING, ENGINE)


def test_weights_that_were_cut_off_are_one_line(base, tmp_path):
    shutil.copytree(base, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    check_refused(model_params(tmp_path), tmp_path, "not a causal language model")


def check_refused(model, folder, message):
    """By what trains and by what answers, in one line that names the folder."""
    for load in (lambda: load_trainable(folder, model, ENGINE, 1), lambda: TransformersEngine(folder, ENGINE, {END})):
        with pytest.raises(UserError, match=f"^{folder}: {message}") as error:
            load()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("adapted", [False, True])
def test_weights_that_are_missing_or_of_another_size_are_one_line(base, tmp_path, adapted):
    model = model_params(base, LORA if adapted else None)
    finetune(ROWS[:1], model, tmp_path, TRAINING, ENGINE)
    file = tmp_path / ("adapter_model.safetensors" if adapted else "model.safetensors")
    save_file({name: each for name, each in load_file(file).items() if "layers.1." not in name}, file, {"format": "pt"})
    missing = r"not an adapter of .*: Found missing .*layers\.1\." if adapted else r"found no weight model\.layers\.1\."
    check_refused(model, tmp_path, missing)
    config = tmp_path / ("adapter_config.json" if adapted else "config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | ({"r": 3} if adapted else {"intermediate_size": 48})))
    sizes = r"found a weight of \[32, 64\], expected \[32, 48\]"
    check_refused(model, tmp_path, "not an adapter of .*: .*size mismatch" if adapted else f"model.*down_proj.*{sizes}")


def test_a_model_is_saved_whole_or_not_at_all(base, tmp_path, monkeypatch):
    network, tokenizer = load_trainable(base, model_params(base), ENGINE, 1)
    save(network, tokenizer, tmp_path / "model", ENGINE)
    before = digests(tmp_path)
    torch.nn.init.zeros_(network.model.norm.weight)
    with monkeypatch.context() as patch:
        patch.setattr(type(tokenizer), "save_pretrained", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            save(network, tokenizer, tmp_path / "model", ENGINE)
    assert digests(tmp_path / "model") == {name.removeprefix("model/"): each for name, each in before.items()}
    (tmp_path / "model.part/left").write_text("")
    save(network, tokenizer, tmp_path / "model", ENGINE)
    assert digests(tmp_path).keys() == before.keys()
    assert not weights(tmp_path / "model")["model.norm.weight"].any()


def test_lora_trains_the_adapter_alone(base, tmp_path):
    model = model_params(base, LORA)
    before = digests(base)
    finetune(ROWS, model, tmp_path / "a", TRAINING, ENGINE)
    finetune(ROWS, model, tmp_path / "b", TRAINING, ENGINE)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(base) == before
    assert "model.safetensors" not in digests(tmp_path / "a")
    assert json.loads((tmp_path / "a/generation_config.json").read_text())["eos_token_id"] == END
    config = json.loads((tmp_path / "a/adapter_config.json").read_text())
    assert len(config["target_modules"]) == 14
    assert config["target_modules"] == sorted(config["target_modules"])
    request = [Request(ROWS[0][0])]
    merged = open_engine(tmp_path / "a", ENGINE, {END}).generate(request, Sampling(4, 0.0))
    assert merged != open_engine(base, ENGINE, {END}).generate(request, Sampling(4, 0.0))
    with pytest.raises(UserError, match="found a PEFT adapter"):
        finetune(ROWS, model_params(tmp_path / "a"), tmp_path / "c", TRAINING, ENGINE)


def test_rows_without_pairs_are_scored_without_a_mask_and_beside_longer_ones(base):
    rows = [Row((1, 2, 3), (97, 98)), Row((4,), (99,)), Row((5,) * 9, (100, 101, END))]
    batch = Collator(END)(rows)
    assert "attention_mask" not in batch
    assert batch["input_ids"].shape == (3, 11)
    shapes = []
    model = AutoModelForCausalLM.from_pretrained(base)
    model.lm_head.register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape))
    found, likeliest = score(model, batch)
    assert shapes == [(3, 11, 32)]  # seen before the hook that keeps the scored positions, which comes after this one
    assert len(found) == len(likeliest) == 6
    alone = torch.cat([logprobs(base, list(row.prompt), list(row.answer)) for row in rows])
    torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-5)


def test_schedule_shows_every_sample_once_an_epoch_and_groups_lengths():
    chance = random.Random(2)
    lengths = [chance.randint(10, 300) for _ in range(2005)]
    rows = [Row((1,), (2,) * (length - 1)) for length in lengths]
    order = schedule(rows, 3 * 2005, 32, 1)
    assert sorted(order) == sorted([*range(2005)] * 3)
    assert order == schedule(rows, 3 * 2005, 32, 1) != schedule(rows, 3 * 2005, 32, 2)
    begun = schedule(rows, 2005 + 100, 32, 1)
    assert len(begun) == 2105
    assert set(begun) == set(range(2005))

    def padding(order):
        batches = [[lengths[i] for i in order[start : start + 32]] for start in range(0, len(order), 32)]
        return 1 - sum(map(sum, batches)) / sum(len(batch) * max(batch) for batch in batches)

    assert padding(order) < 0.1 < 0.4 < padding([*range(2005)])


def test_curriculum_goes_from_easy_to_hard_in_the_first_epoch_only():
    difficulty = [i % 10 for i in range(2560)]
    order = schedule([Row((1,), (2,))] * 2560, 2 * 2560, 8, 1, difficulty)
    tenths = [sum(difficulty[i] for i in order[start : start + 256]) / 256 for start in range(0, 5120, 256)]
    assert tenths[:10] == sorted(tenths[:10])
    assert tenths[9] - tenths[0] > 8
    assert max(tenths[10:]) - min(tenths[10:]) < 2


TRAJECTORY = [5.7192, 5.8181, 4.76, 4.6963, 4.1127, 3.6989, 3.657, 3.063]
