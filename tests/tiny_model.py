"""A randomly initialised Qwen3 model of a few thousand parameters with the tokenizer of tiny_tokenizer."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tiny_tokenizer import save_tokenizer
from transformers import AutoModelForCausalLM, Qwen3Config, Qwen3ForCausalLM

from itool import params
from itool.training.models import publish
from itool.training.rows import Row, schedule
from itool.training.trainer import train

END = 256
PEAKED = 0.3  # initializer_range; the default is so flat that greedy decoding would meet ties
VLLM_SHAPE = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 32}  # vLLM's attention on a CPU wants wide heads
ENGINE = params.Engine(
    kind="transformers",
    dtype="float32",
    threads=1,
    batch=16,
    max_tokens=12,
    prefix_cache=1.0,
    vllm=params.Vllm(tensor_parallel=1, memory=0.1, context=256),
    server=params.Server(url="http://127.0.0.1:8000/v1", concurrency=8, timeout=30.0, retries=2),
)


def new_model(**changes: Any) -> Qwen3ForCausalLM:
    """Random weights, the same for the same values of its Qwen3Config."""
    torch.manual_seed(0)
    config = {
        "vocab_size": 259,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "initializer_range": 0.1,
        "eos_token_id": END,
        "pad_token_id": END,
        "tie_word_embeddings": True,
    }
    return Qwen3ForCausalLM(Qwen3Config(**config | changes))


def save_model(folder: Path, **changes: Any) -> None:
    new_model(**changes).save_pretrained(folder)
    save_tokenizer(folder)


def model_params(folder: Path, lora: params.Lora | None = None, **changes: Any) -> params.Model:
    fields = {
        "path": str(folder),
        "dialect": "pythonic",
        "chat_template": None,
        "thinking": False,
        "preamble": True,
        "train_embeddings": True,
        "lora": lora,
        "max_length": 40,
        "micro_batch": None,
        "checkpointing": False,
    }
    return params.Model(**fields | changes)


def all_params(model: params.Model, engine: params.Engine = ENGINE, **training: Any) -> params.Params:
    """params.yaml with another model and engine, and changes of its section `training`."""
    shipped = params.load(Path(__file__).parents[1] / "params.yaml")
    changed = shipped.training.model_copy(update=training)
    return shipped.model_copy(update={"model": model, "engine": engine, "training": changed})


def finetune(
    rows: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
    model: params.Model,
    out: Path,
    settings: params.Supervised,
    engine: params.Engine = ENGINE,
    curves: Path | None = None,
) -> None:
    """Supervised fine-tuning of a model on (prompt, completion), as the stages do it, written to `out`."""
    everything = [Row(*row) for row in rows]
    order = schedule(everything, settings.epochs * len(rows), settings.batch, settings.seed)
    with TemporaryDirectory() as folder:
        whole = all_params(model, engine)
        (trained,) = train(everything, model.path, folder, whole, settings, order, curves=curves)
        publish(trained, out, model, engine)


def logprobs(folder: Path, prompt: list[int], ids: list[int]) -> torch.Tensor:
    """Log-probability of each of `ids` after `prompt`, from a plain forward pass without padding."""
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([[*prompt, *ids]])).logits[
            0, len(prompt) - 1 : -1
        ]
    return logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(AutoModelForCausalLM.from_pretrained(folder).named_parameters())


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
