"""A byte-level tokenizer with a chat template, built in a test: one token a byte, and three special ones."""

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

TEMPLATE = """{% for tool in tools or [] %}{{ '<|tool|>' + tool.function.name }}{% endfor %}
{% for message in messages %}{{ '<|turn|>' + message.role + ' ' + message.content + '<|end|>' }}{% endfor %}
{% if add_generation_prompt %}{{ '<|turn|>assistant ' }}{% endif %}"""


def save_tokenizer(folder: Path) -> None:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(text, special=True, normalized=False) for text in ("<|end|>", "<|turn|>", "<|tool|>")]
    tokenizer.add_special_tokens(special)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>")
    fast.add_special_tokens({"additional_special_tokens": ["<|turn|>", "<|tool|>"]})
    fast.chat_template = TEMPLATE.replace("\n", "")
    fast.save_pretrained(folder)
