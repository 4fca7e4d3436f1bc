"""GGUF of a Llama-architecture model, written with the public writer of the package `gguf` [O].

Only what can be said in GGUF and read back is written. The check opens the file with Transformers' own reader and holds
tokens, chat template and logits against the folder. For all else llama.cpp's converter takes the exported folder.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from itool import params
from itool.engine.transformers import load_whole
from itool.errors import UserError, one_line
from itool.toolcall.prompt import load_tokenizer, open_prompter
from itool.toolcall.types import Task

try:
    import gguf
except ImportError as error:
    raise UserError(
        f"--gguf needs the package gguf, which cannot be imported ({one_line(error)}); pip install '.[gguf]'"
    ) from None

# How text is cut before merges apply, and the name by which GGUF knows it (tokenizer.ggml.pre).
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
DIGITS = {"type": "Digits", "individual_digits": True}
CUTS = {"gpt-2": [BYTES], "smollm": [DIGITS, BYTES]}
TOLERANCE = 1e-3  # of a logit; both sides compute in float32


def write_gguf(folder: Path, out: Path, name: str, settings: params.Params) -> None:
    """Writes the exported model of a folder as GGUF, in float16 where engine.dtype says so, else in float32.

    Raises UserError naming what GGUF has no public word for.
    """
    prompter = open_prompter(folder, settings.model)
    half = settings.engine.dtype == "float16"
    model = load_whole(folder, torch.float16 if half else torch.float32)
    check_shape(folder, model.config)
    writer = gguf.GGUFWriter(out, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.LLAMA])
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
    add_shape(writer, model.config)
    add_tokenizer(writer, folder, prompter.tokenizer, model.config.vocab_size, prompter.end_id)
    add_weights(writer, model)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_shape(folder: Path, config: Any) -> None:
    """Raises UserError for a model that GGUF's llama architecture does not describe in full."""
    expected = {"model_type": "llama", "hidden_act": "silu", "attention_bias": False, "mlp_bias": False}
    found = {field: getattr(config, field, None) for field in expected}
    rotary = {"rope_type": config.rope_parameters.get("rope_type")} if found["model_type"] == "llama" else {}
    for field, value in (found | rotary).items():
        if value != (expected | {"rope_type": "default"})[field]:
            wanted = (expected | {"rope_type": "default"})[field]
            raise UserError(f"{folder.name}/config.json: {field}: found {value!r}; --gguf writes {wanted!r} only")


def add_shape(writer: Any, config: Any) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def add_tokenizer(writer: Any, folder: Path, tokenizer: Any, size: int, end_id: int) -> None:
    """The vocabulary, filled up to the model's size, with merges, special tokens and the chat template as it is."""
    written = json.loads(tokenizer.backend_tokenizer.to_str())
    cut = name_of_cut(written, folder)
    texts, kinds = vocabulary(tokenizer, size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cut)
    writer.add_token_list(texts)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in written["model"]["merges"]])
    for add, token in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_eot_token_id, end_id),  # what ends an assistant's turn
        (writer.add_pad_token_id, tokenizer.pad_token_id),
        (writer.add_unk_token_id, tokenizer.unk_token_id),
    ):
        if token is not None:
            add(token)
    writer.add_add_bos_token(False)  # the template writes all that a prompt begins with
    writer.add_add_space_prefix(False)
    writer.add_chat_template(tokenizer.chat_template)


def name_of_cut(written: dict[str, Any], folder: Path) -> str:
    """GGUF's name for how a tokenizer.json cuts text. Raises UserError where it is none that we know."""
    cut = written["pre_tokenizer"] or {}
    steps = cut["pretokenizers"] if cut.get("type") == "Sequence" else [cut]
    plain = written["model"]["type"] == "BPE" and written["normalizer"] is None
    for name, known in CUTS.items():
        alike = len(steps) == len(known) and all(
            {key: step.get(key) for key in fields} == fields for step, fields in zip(steps, known, strict=True)
        )
        if plain and alike:
            return name
    found = f"{folder.name}/tokenizer.json: pre_tokenizer: found {json.dumps(steps)[:200]}"
    raise UserError(f"{found}; --gguf knows byte-level BPE that cuts as {' or '.join(CUTS)} does")


def vocabulary(tokenizer: Any, size: int) -> tuple[list[str], list[int]]:
    """The text and the kind of every token id. Ids of the model without a token are named, and never used."""
    texts = [f"[PAD{index}]" for index in range(size)]
    kinds = [gguf.TokenType.UNUSED] * size
    for text, index in tokenizer.get_vocab().items():
        texts[index], kinds[index] = text, gguf.TokenType.NORMAL
    for index, token in tokenizer.added_tokens_decoder.items():
        kinds[index] = gguf.TokenType.CONTROL if token.special else gguf.TokenType.USER_DEFINED
    return texts, [int(kind) for kind in kinds]


def add_weights(writer: Any, model: PreTrainedModel) -> None:
    config: Any = model.config
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values = weight.numpy()
        for part, count in heads.items():
            if f".{part}." in name:
                values = interleaved(values, count)
        one_row = values.ndim == 1  # norms are float32 in every file
        writer.add_tensor(names.get_name(name, (".weight",)), values.astype(np.float32) if one_row else values)


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query or key projection [heads * D, in] as GGUF's llama turns them.

    Transformers turns row i of a head together with row i + D/2, GGUF's llama row 2i together with row 2i + 1.
    """
    rows, width = weight.shape
    pairs = weight.reshape(heads, 2, rows // heads // 2, width)
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(rows, width))


def check_gguf(folder: Path, out: Path, settings: params.Params, task: Task) -> None:
    """Raises UserError when Transformers reads other tokens, another template or other logits from the file."""
    prompter = open_prompter(folder, settings.model)
    ids = (*prompter.prompt_ids(task), *prompter.completion_ids(task.reference.answer()))
    back = AutoTokenizer.from_pretrained(out.parent, gguf_file=out.name)
    text = prompter.tokenizer.decode(ids)
    found = tuple(back(text, add_special_tokens=False).input_ids)
    if found != tuple(prompter.tokenizer(text, add_special_tokens=False).input_ids):
        raise UserError(f"{out.name}: the tokens of validation task {task.task_id} are not those of {folder.name}")
    if back.chat_template != load_tokenizer(folder).chat_template:
        raise UserError(f"{out.name}: the chat template is not that of {folder.name}")
    expected = logits(load_whole(folder, torch.float32), ids)
    auto: Any = AutoModelForCausalLM
    off = (logits(auto.from_pretrained(out.parent, gguf_file=out.name, dtype=torch.float32), ids) - expected).abs()
    if not off.max() <= TOLERANCE:
        raise UserError(f"{out.name}: logits are off by {off.max():.3g}, expected no more than {TOLERANCE}")


@torch.inference_mode()
def logits(model: Any, ids: tuple[int, ...]) -> torch.Tensor:
    """[tokens, vocabulary]."""
    return model(torch.tensor([ids])).logits[0]
