"""The average of two models: of weights, and of the changes that adapters make."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from tiny_model import END, ENGINE, all_params, digests, finetune, model_params, save_model, weights
from tiny_tokenizer import save_tokenizer
from transformers import AutoModelForCausalLM

from itool import params
from itool.engine.transformers import TransformersEngine, load_adapter, load_whole
from itool.training.averages import truncated, write_averages
from itool.training.models import load_trainable
from itool.training.rows import Row
from itool.training.trainer import train

LORA = params.Lora(rank=2, alpha=4.0, dropout=0.0)
SETTINGS = params.Supervised(seed=1, epochs=1, learning_rate=0.02, batch=2, warmup=0.0)
ROWS = [Row((1, 2, 3), (97, 98, END)), Row((4, 5), (99, 100))]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    save_model(folder)
    return folder


def save_adapter(base: Path, folder: Path, seed: int, rank: int = 2, alpha: float = 4.0, targets="all-linear") -> Path:
    """An adapter with random factors, none of which is 0."""
    torch.manual_seed(seed)
    config = LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=alpha, target_modules=targets)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for name, each in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(each, std=0.3)
    adapted.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def merged(base: Path, folder: Path) -> dict[str, torch.Tensor]:
    """All weights of a model, with an adapter worked in, as PEFT reads it."""
    if not (folder / "adapter_config.json").exists():
        return weights(folder)
    return dict(load_adapter(load_whole(base, torch.float32), folder).merge_and_unload().named_parameters())


def check_mean(base: Path, start: Path, end: Path, model: params.Model, atol: float = 1e-5) -> Path:
    (average,) = write_averages(start, [end], model)
    one, other, mean = (merged(base, folder) for folder in (start, end, average))
    for name in mean:
        torch.testing.assert_close(mean[name], (one[name] + other[name]) / 2, atol=atol, rtol=0)
    return average


@pytest.mark.parametrize("targets", ["all-linear", ["q_proj", "embed_tokens"]])
def test_the_mean_of_two_adapters_is_that_of_their_products(base, tmp_path, targets):
    start, end = (
        save_adapter(base, tmp_path / str(seed), seed, rank, alpha, targets)
        for seed, rank, alpha in ((1, 1, 3.0), (2, 2, 4.0))
    )
    average = check_mean(base, start, end, model_params(base, LORA))
    assert average.name == "average-2"
    config = json.loads((average / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (3, 6.0)
    assert {each.name for each in average.iterdir()} == {each.name for each in end.iterdir()}


def test_the_mean_of_a_model_and_itself_is_itself(base, tmp_path):
    adapter = save_adapter(base, tmp_path / "adapter", 1)
    for folder, model in ((adapter, model_params(base, LORA)), (base, model_params(base))):
        same = tmp_path / f"same-{folder.name}"
        shutil.copytree(folder, same)
        (average,) = write_averages(folder, [same], model)
        before, after = merged(base, folder), merged(base, average)
        for name in before:
            torch.testing.assert_close(after[name], before[name], atol=1e-6, rtol=0)


def test_a_whole_model_as_start_changes_nothing(base, tmp_path):
    """As an iteration after `base`: its start has no adapter, and loading it to train would draw one at random."""
    end = save_adapter(base, tmp_path / "end", 2)
    average = check_mean(base, base, end, model_params(base, LORA))
    assert json.loads((average / "adapter_config.json").read_text())["r"] == 2
    assert digests(average).keys() == digests(end).keys()


def test_an_average_answers_and_is_trained_on(base, tmp_path):
    model = model_params(base, LORA)
    start, end = save_adapter(base, tmp_path / "1", 1), save_adapter(base, tmp_path / "2", 2)
    (average,) = write_averages(start, [end], model)
    engine = TransformersEngine(average, ENGINE, {END})
    network, _ = load_trainable(average, model, ENGINE, seed=1)
    with torch.no_grad():
        logits = network(torch.tensor([[1, 2, 3]])).logits[0, -1].log_softmax(-1)
    assert engine.score([((1, 2, 3), (97,))])[0] == pytest.approx([logits[97].item()], abs=1e-4)
    (trained,) = train(ROWS, average, tmp_path / "out", all_params(model), SETTINGS, [0, 1])
    before, after = (load_file(each / "adapter_model.safetensors") for each in (average, trained))
    assert [name for name in before if torch.equal(before[name], after[name])] == []


def test_ranks_stop_growing_and_what_is_cut_is_of_second_order(base, tmp_path):
    """Iteration after iteration goes on from an average. The mean of the factors' own products is off by a quarter of
    dB dA, and the cut by no more.
    """
    model, start = model_params(base, LORA), tmp_path / "it0"
    finetune([(ROWS[0].prompt, ROWS[0].answer)], model, start, SETTINGS)
    for iteration in range(3):
        settings = SETTINGS.model_copy(update={"epochs": 8})
        (end,) = train(ROWS, start, tmp_path / str(iteration), all_params(model), settings, [0, 1] * 8)
        (average,) = write_averages(start, [end], model)
        config = json.loads((average / "adapter_config.json").read_text())
        assert config["r"] == 4
        scale = config["lora_alpha"] / config["r"]
        assert scale == 2
        first, last, mean = (load_file(each / "adapter_model.safetensors") for each in (start, end, average))
        for a in (name for name in last if "lora_A" in name):
            b = a.replace("lora_A", "lora_B")
            exact = (first[b] @ first[a] + last[b] @ last[a]) / 2
            off = torch.linalg.matrix_norm(mean[b] @ mean[a] - exact)
            if iteration == 0:
                assert off < 1e-5
            else:
                bound = torch.linalg.matrix_norm((last[b] - first[b]) @ (last[a] - first[a])) / 4
                assert off <= bound + 1e-5
                assert off < 0.05 * torch.linalg.matrix_norm(exact)
        start = average


def test_truncation_is_the_nearest_matrix_of_its_rank():
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(6, 9, generator=generator), torch.randn(7, 6, generator=generator)
    cut_a, cut_b = truncated(a, b, 2)
    values = torch.linalg.svdvals(b @ a)
    assert (cut_a.shape, cut_b.shape) == ((2, 9), (7, 2))
    off = torch.linalg.matrix_norm(cut_b.float() @ cut_a.float() - b @ a)
    assert off == pytest.approx(values[2:].norm().item(), rel=1e-4)
    small_a, small_b = truncated(a[:, :3], b, 5)  # a weight of three columns has no more than three ranks
    assert (small_a.shape, small_b.shape) == ((5, 3), (7, 5))
    torch.testing.assert_close(small_b.float() @ small_a.float(), b @ a[:, :3], atol=1e-4, rtol=0)
