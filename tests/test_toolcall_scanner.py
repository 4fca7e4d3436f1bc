"""Cutting token ids into fragments: exact, on any bytes and any tokenisation."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_tokenizer import save_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from toolcall_strategies import BYTES, END, answers, byte_ids, damaged, tokenised
from transformers import PreTrainedTokenizerFast

from itool.toolcall.dialects import DIALECTS
from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.prompt import load_tokenizer
from itool.toolcall.scanner import Fragment, cut, join_bytes, token_bytes
from itool.toolcall.types import Answer, Unparseable

hermes = DIALECTS["hermes"]
pythonic = DIALECTS["pythonic"]

BOTH = pytest.mark.parametrize("module", [hermes, pythonic], ids=["hermes", "pythonic"])


def shown(text: str | bytes, module: Dialect, finish: str = "stop") -> list[tuple[str, str, str]]:
    """(kind, path, text) of every fragment, cut byte by byte; `$` is the end token."""
    data = text.encode() if isinstance(text, str) else text
    ids = byte_ids(data) if finish == "stop" else tuple(data)
    fragments = cut(ids, BYTES, module, {END}, finish)
    return [
        (f.kind, f.path, join_bytes(f.ids, BYTES, {END}).decode("utf-8", "replace") + "$" * (END in f.ids))
        for f in fragments
    ]


def test_golden_pythonic() -> None:
    assert shown('[f(a=1, b="x, )é"), g()]', pythonic) == [
        ("choice", "choice", "["),
        ("name", "calls[0].name", "f("),
        ("argument", "calls[0].arguments.a", "a=1"),
        ("argument", "calls[0].arguments.b", ', b="x, )é"'),
        ("next", "calls[0].next", "), "),
        ("name", "calls[1].name", "g("),
        ("next", "calls[1].next", ")]$"),
    ]


def test_golden_hermes() -> None:
    text = '<tool_call>\n{"name": "f", "arguments": {"a": 1, "b": "}"}}\n</tool_call>\n'
    text += '<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>'
    assert shown(text, hermes) == [
        ("choice", "choice", "<tool_call>"),
        ("name", "calls[0].name", '\n{"name": "f", "arguments": {'),
        ("argument", "calls[0].arguments.a", '"a": 1'),
        ("argument", "calls[0].arguments.b", ', "b": "}"'),
        ("next", "calls[0].next", "}}\n</tool_call>\n<tool_call>"),
        ("name", "calls[1].name", '\n{"name": "g", "arguments": {'),
        ("next", "calls[1].next", "}}\n</tool_call>$"),
    ]


def test_golden_hermes_in_other_forms() -> None:
    text = 'So: <tool_call>{"id": 1, "arguments": {"a": 1}, "name": "f", "x": 2}</tool_call>'
    text += '<tool_call>{"name": "g", "arguments": "{\\"b\\": 2}"}</tool_call>'
    text += '<tool_call>{"name": "h"}</tool_call>'
    assert shown(text, hermes) == [
        ("choice", "choice", "So: <tool_call>"),
        ("name", "calls[0].name", '{"id": 1, "arguments": {'),
        ("argument", "calls[0].arguments.a", '"a": 1'),
        ("name", "calls[0].name", '}, "name": "f", "x": 2'),
        ("next", "calls[0].next", "}</tool_call><tool_call>"),
        ("name", "calls[1].name", '{"name": "g", "arguments": "'),
        ("argument", "calls[1].arguments", '{\\"b\\": 2}"'),
        ("next", "calls[1].next", "}</tool_call><tool_call>"),
        ("name", "calls[2].name", '{"name": "h"'),
        ("next", "calls[2].next", "}</tool_call>$"),
    ]


def test_golden_pythonic_in_other_forms() -> None:
    assert shown("<think>a</think>\n[f(a=(1, 2),),]", pythonic) == [
        ("thought", "thought", "<think>a</think>"),
        ("choice", "choice", "\n["),
        ("name", "calls[0].name", "f("),
        ("argument", "calls[0].arguments.a", "a=(1, 2)"),
        ("next", "calls[0].next", ",),]$"),
    ]
    assert shown("f(a=1)", pythonic) == [
        ("name", "calls[0].name", "f("),
        ("argument", "calls[0].arguments.a", "a=1"),
        ("next", "calls[0].next", ")$"),
    ]


def test_a_thought_before_a_text_is_a_fragment() -> None:
    assert shown("<think>[f(a=1)]</think> I cannot", pythonic) == [
        ("thought", "thought", "<think>[f(a=1)]</think>"),
        ("choice", "choice", " I"),
        ("text", "text", " cannot$"),
    ]


@pytest.mark.parametrize("choice", ["[Note]", "Sorry (not a", " I"])
def test_the_choice_of_a_text_ends_where_it_can_be_no_call(choice: str) -> None:
    assert shown(choice + "  cannot", pythonic) == [("choice", "choice", choice), ("text", "text", "  cannot$")]


@BOTH
def test_text_is_a_choice_and_the_rest(module: Dialect) -> None:
    assert shown("Which city?", module) == [("choice", "choice", "W"), ("text", "text", "hich city?$")]
    assert shown("W", module) == [("choice", "choice", "W"), ("text", "text", "$")]
    assert shown("", module) == [("text", "text", "$")]
    assert shown("Which", module, "length") == [("choice", "choice", "W"), ("cut", "text", "hich")]


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ('[f(a="x', ("argument", "calls[0].arguments.a", 'a="x$')),
        ("[f(a=12", ("next", "calls[0].next", "$")),
        ("[f(a=1]", ("next", "calls[0].next", "]$")),
        ("[f(a=1)] and so on", ("next", "calls[0].next", ")] and so on$")),
        ("[f(=1, b=2)]", ("argument", "calls[0].arguments", "=1, b=2)]$")),
    ],
)
def test_the_broken_fragment_goes_on_to_the_end(text: str, last: tuple[str, str, str]) -> None:
    assert shown(text, pythonic)[-1] == last


@BOTH
def test_the_length_limit_leaves_a_cut_fragment(module: Dialect) -> None:
    """Authors' defect: truncated calls were trained as finished."""
    whole = module.render(Answer(pythonic.parse('[f(a="xyz", b=2), g(c=3)]').calls))
    for length in range(1, len(whole)):
        fragments = shown(whole[:length], module, "length")
        assert fragments[-1][0] == "cut"
        assert all(kind != "cut" for kind, _, _ in fragments[:-1])
        assert not any("$" in text for _, _, text in fragments)


@BOTH
@given(answer=answers, data=st.data())
@settings(deadline=None, max_examples=40)
def test_fragments_join_to_the_ids_and_do_not_depend_on_the_tokens(
    module: Dialect, answer: Answer, data: st.DataObject
) -> None:
    """Authors' defects: spaces were injected between fragments, an end token was added to each."""
    text = module.render(answer).encode()
    ids, table, end = data.draw(tokenised(text))
    fragments = cut(ids, table, module, {end}, "stop")
    assert tuple(i for fragment in fragments for i in fragment.ids) == ids
    assert join_bytes(ids, table, {end}) == text
    assert [end in fragment.ids for fragment in fragments] == [False] * (len(fragments) - 1) + [True]

    exact = cut(byte_ids(text), BYTES, module, {END}, "stop")
    starts, position = {}, 0
    for fragment in exact:
        for _ in fragment.ids:
            starts[position] = (fragment.kind, fragment.path)
            position += 1
    position = 0
    for fragment in fragments:  # a token belongs to the fragment in which it starts
        for i in fragment.ids:
            assert starts[position] == (fragment.kind, fragment.path)
            position += len(table[i]) if i != end else 0


@BOTH
@given(text=st.binary() | damaged(answers.map(pythonic.render)).map(lambda text: text.encode()), data=st.data())
@settings(deadline=None, max_examples=40)
def test_any_generation_is_cut_as_it_is_parsed(module: Dialect, text: bytes, data: st.DataObject) -> None:
    ids, table, end = data.draw(tokenised(text))
    finish = data.draw(st.sampled_from(["stop", "length"]))
    ids = ids if finish == "stop" else ids[:-1]
    fragments = cut(ids, table, module, {end}, finish)
    assert tuple(i for fragment in fragments for i in fragment.ids) == ids
    assert all(fragment.ids for fragment in fragments)
    if finish == "length":
        return
    try:
        answer = module.parse(text.decode("utf-8", "replace"))
    except Unparseable:
        assert fragments[-1].kind in ("name", "argument", "next", "choice")
    else:
        assert fragments[-1].kind == ("next" if answer.calls else "text") or len(fragments) == 1


def test_ids_beyond_the_vocabulary_have_no_bytes() -> None:
    assert cut((*b"[f", 5000, *b"()]", END), BYTES, pythonic, {END}, "stop")[1] == Fragment(
        (ord("f"), 5000, ord("(")), "name", "calls[0].name"
    )


def test_bytes_of_a_byte_level_tokenizer(tmp_path: Path) -> None:
    save_tokenizer(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    table = token_bytes(tokenizer)
    assert sorted(table[:256]) == [bytes([byte]) for byte in range(256)]
    text = "naïve <|turn|>\n\t日本"
    assert b"".join(table[i] for i in tokenizer(text).input_ids) == text.encode()


def test_bytes_of_a_sentencepiece_tokenizer() -> None:
    vocabulary = {"<s>": 0, "▁": 1, "▁a": 2, "a": 3, "<0xC3>": 4, "<0xA9>": 5}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[("▁", "a")], byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")
    assert token_bytes(tokenizer) == [b"<s>", b" ", b" a", b"a", b"\xc3", b"\xa9"]
    assert b"".join(token_bytes(tokenizer)[i] for i in tokenizer("a aé").input_ids) == "a aé".encode()


def test_a_vocabulary_with_a_gap_in_its_ids() -> None:
    backend = Tokenizer(models.BPE(vocab={"<s>": 0, "<0xC3>": 1, "a": 7}, merges=[], byte_fallback=True))
    backend.decoder = decoders.ByteFallback()
    assert token_bytes(PreTrainedTokenizerFast(tokenizer_object=backend)) == [b"<s>", b"\xc3", *[b""] * 5, b"a"]
