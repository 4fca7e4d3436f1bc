"""Loads models to train and saves them: whole small ones, or a PEFT adapter on a large one."""

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import PreTrainedTokenizerBase, set_seed

from itool import params
from itool.engine.base import adapter_config, is_adapter
from itool.engine.transformers import load_adapter, load_whole
from itool.errors import UserError, one_line
from itool.files import whole_folder
from itool.toolcall.prompt import load_tokenizer

CONFIG = "adapter_config.json"


def load_trainable(
    start: str | Path, model: params.Model, engine: params.Engine, seed: int
) -> tuple[Any, PreTrainedTokenizerBase]:
    """The model of a folder, ready to train, and its tokenizer.

    Without model.lora every parameter is trained, in float32, the embeddings only with model.train_embeddings: they
    move for the words of the training tasks alone, and the layers then misread all others [O]. With model.lora an
    adapter is trained, and what is below it is frozen, in the engine's dtype. It is the adapter in the folder, on the
    base that it names, or a new one, drawn by `seed`, when the folder holds a whole model. Raises UserError naming the
    folder when it holds no model, or an adapter although model.lora is null.
    """
    torch.set_num_threads(engine.threads)
    set_seed(seed)
    adapted = is_adapter(start)
    if adapted and model.lora is None:
        raise UserError(
            f"{start}: found a PEFT adapter, expected a whole model, since params.yaml has model.lora: null"
        )
    dtype = torch.float32 if model.lora is None else getattr(torch, engine.dtype)
    whole = load_whole(adapter_config(start)["base_model_name_or_path"] if adapted else start, dtype)
    if adapted:
        return load_adapter(whole, start, trainable=True), load_tokenizer(start)
    if model.lora is None:
        whole.get_input_embeddings().requires_grad_(model.train_embeddings)
        return whole, load_tokenizer(start)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=model.lora.rank,
        lora_alpha=model.lora.alpha,  # type: ignore[arg-type]  # PEFT takes floats
        lora_dropout=model.lora.dropout,
        target_modules=model.lora.targets,
    )
    try:
        return get_peft_model(whole, config), load_tokenizer(start)
    except ValueError as error:
        found = f"params.yaml: model.lora.targets: found {model.lora.targets!r}"
        raise UserError(f"{found}; expected modules of {start}: {one_line(error)}") from None


def save(model: Any, tokenizer: PreTrainedTokenizerBase, out: str | Path, engine: params.Engine) -> None:
    """Writes model, in the engine's dtype, or adapter, tokenizer and chat template to a folder, whole or not at all."""
    with whole_folder(out) as half_written:
        kept = model if isinstance(model, PeftModel) else model.to(getattr(torch, engine.dtype))
        write(kept, tokenizer, half_written)


def publish(folder: str | Path, out: str | Path, model: params.Model, engine: params.Engine) -> None:
    """Writes the trained model of a folder to `out`, as `save` does."""
    save(*load_trainable(folder, model, engine, seed=0), out, engine)


def write(
    model: Any, tokenizer: PreTrainedTokenizerBase, out: str | Path, weights: dict[str, Tensor] | None = None
) -> None:
    """Writes model or adapter as it is, with the tokenizer; the same training gives the same bytes.

    `weights`: those of the model, which may not hold all of them itself.
    """
    out = Path(out)
    if isinstance(model, PeftModel):
        model.save_pretrained(str(out), selected_adapters=["default"], state_dict=weights)
        (out / "README.md").unlink(missing_ok=True)  # a model card to be filled in
        whole: Any = model.get_base_model()
        whole.generation_config.save_pretrained(out)  # it says what ends a turn
        config = json.loads((out / CONFIG).read_text())
        write_config({key: sorted(value) if isinstance(value, list) else value for key, value in config.items()}, out)
    else:
        model.save_pretrained(out, state_dict=weights)
    tokenizer.save_pretrained(out)


def write_config(fields: dict[str, Any], folder: Path) -> None:
    """Writes an adapter's configuration in a fixed order: PEFT lists the members of sets in any."""
    (folder / CONFIG).write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n")
