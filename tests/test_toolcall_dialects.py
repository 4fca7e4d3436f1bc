"""Rendering and parsing in both dialects: a real parser that never fails in any other way than Unparseable."""

import ast
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toolcall_strategies import answers, damaged, literal, scalars, values, written

from itool.toolcall.dialects import DIALECTS
from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.types import Answer, Call, Unparseable

hermes = DIALECTS["hermes"]
pythonic = DIALECTS["pythonic"]

BOTH = pytest.mark.parametrize("module", [hermes, pythonic], ids=["hermes", "pythonic"])
ONE = Answer((Call("f", {"a": 1, "b": "x é"}), Call("g", {"c": [1, 2], "d": {"k": True}, "e": None})))


def canonical(value: object) -> str:
    """One text for all values that are strictly the same, 5 and 5.0 being so."""

    def plain(item: object) -> object:
        if isinstance(item, dict):
            return {key: plain(inner) for key, inner in item.items()}
        if isinstance(item, list | tuple):
            return [plain(inner) for inner in item]
        return int(item) if isinstance(item, float) and item.is_integer() else item

    return json.dumps(plain(value), sort_keys=True)


def test_dialects_by_name() -> None:
    assert DIALECTS["pythonic"] is pythonic
    assert DIALECTS["hermes"] is hermes


def test_golden_renderings() -> None:
    assert pythonic.render(ONE) == '[f(a=1, b="x é"), g(c=[1, 2], d={"k": true}, e=null)]'
    assert hermes.render(ONE) == (
        '<tool_call>\n{"name": "f", "arguments": {"a": 1, "b": "x é"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "g", "arguments": {"c": [1, 2], "d": {"k": true}, "e": null}}\n</tool_call>'
    )


@BOTH
@given(answer=answers)
@settings(deadline=None, max_examples=40)
def test_round_trip(module: Dialect, answer: Answer) -> None:
    parsed = module.parse(module.render(answer))
    assert parsed == answer
    assert [list(call.arguments) for call in parsed.calls] == [list(call.arguments) for call in answer.calls]
    assert canonical([c.arguments for c in parsed.calls]) == canonical([c.arguments for c in answer.calls])


@BOTH
@given(answer=answers, data=st.data())
@settings(deadline=None, max_examples=60)
def test_every_form_of_calls_is_read(module: Dialect, answer: Answer, data: st.DataObject) -> None:
    text = data.draw(written(module, answer))
    parsed = module.parse(text)
    assert parsed == answer
    assert canonical([c.arguments for c in parsed.calls]) == canonical([c.arguments for c in answer.calls])


@given(value=values, data=st.data())
@settings(deadline=None, max_examples=100)
def test_literals_are_python_or_json(value: object, data: st.DataObject) -> None:
    """What the strategy writes without JSON's own words is what Python reads."""
    text = data.draw(literal(value))
    found = pythonic.parse(f"[f(a={text})]").calls[0].arguments["a"]
    assert canonical(found) == canonical(value)
    if not re.search("true|false|null|\\\\", text):
        assert canonical(found) == canonical(ast.literal_eval(text))


@BOTH
@pytest.mark.parametrize(
    "text",
    ["", " \n", "I", "<", "<think>", "<think>[f(a=1)] <tool_call>", "<tool_cal", "<think>a</think> None", "f (x"],
)
def test_beginnings_of_calls_and_thoughts_alone_are_text(module: Dialect, text: str) -> None:
    assert module.parse(text) == Answer(text=text)


@pytest.mark.parametrize(
    "text",
    [
        "[Note] I cannot do that.",
        "[1] No tool can.",
        "[docs](https://x.y)",
        "[I can't",
        "Sorry (not able) to",
        "f(x)",
        "f(1)",
        "f(a",
        "rain(fall) is",
    ],
)
def test_text_that_begins_as_calls_do(text: str) -> None:
    assert pythonic.parse(text) == Answer(text=text)


@pytest.mark.parametrize(
    "text", ["f(a=1)", " f(a=1) ", "f(a=1),", "f(a=+1,)", "[f(a=1),]", "<think>x</think>[f(a=1)]", "[f(a=(1))]"]
)
def test_pythonic_forms_of_one_call(text: str) -> None:
    assert pythonic.parse(text).calls == (Call("f", {"a": 1}),)


@BOTH
@given(text=st.text().filter(lambda text: not re.search(r"[\[(<]", text)))
def test_everything_else_is_text(module: Dialect, text: str) -> None:
    assert module.parse(text) == Answer(text=text)


@BOTH
@given(text=st.text() | damaged(answers.map(pythonic.render)) | damaged(answers.map(hermes.render)))
@settings(deadline=None, max_examples=100)
def test_any_text_parses_or_is_unparseable(module: Dialect, text: str) -> None:
    scanner = module.Scanner()
    scanner.feed(text.encode())
    scanner.finish()
    if scanner.error:
        assert 0 <= scanner.error.position <= len(text.encode())
        with pytest.raises(Unparseable, match=re.escape(str(scanner.error))):
            module.parse(text)
    else:
        parsed = module.parse(text)
        assert parsed.calls or parsed.text == text


@BOTH
@given(data=st.binary() | damaged(answers.map(pythonic.render)).map(lambda t: t.encode()[:-1]), cuts=st.data())
@settings(deadline=None, max_examples=40)
def test_any_bytes_in_any_pieces(module: Dialect, data: bytes, cuts: st.DataObject) -> None:
    """What was read does not depend on how the bytes came."""
    whole, pieces = module.Scanner(), module.Scanner()
    whole.feed(data)
    cut = cuts.draw(st.integers(0, len(data)))
    pieces.feed(data[:cut])
    pieces.feed(data[cut:])
    whole.finish()
    pieces.finish()
    assert pieces.marks == whole.marks
    assert pieces.calls == whole.calls
    assert str(pieces.error) == str(whole.error)


def refuse(*_: object) -> None:
    raise ValueError


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return dict(pairs) if len(dict(pairs)) == len(pairs) else refuse()


@given(text=damaged(values.map(json.dumps) | values.map(lambda value: json.dumps(value, ensure_ascii=False))))
@settings(deadline=None, max_examples=150)
def test_values_are_accepted_exactly_when_they_are_json(text: str) -> None:
    try:
        expected = json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
        assert json.dumps(expected, allow_nan=False)  # no 1e999
    except ValueError:
        with pytest.raises(Unparseable):
            hermes.parse(f'<tool_call>{{"name": "f", "arguments": {{"a": {text}}}}}</tool_call>')
        return
    expected = json.loads(json.dumps(expected).encode("utf-8", "replace"))
    for module, whole in (
        (hermes, f'<tool_call>{{"name": "f", "arguments": {{"a": {text}}}}}</tool_call>'),
        (pythonic, f"[f(a={text})]"),
    ):
        found = module.parse(whole).calls[0].arguments["a"]
        assert canonical(found) == canonical(mended(expected))


def mended(value: object) -> object:
    """Half surrogate pairs are U+FFFD, because no file could hold them."""
    return json.loads(
        json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


@given(
    value=st.recursive(scalars.filter(lambda v: not isinstance(v, str)) | st.text("a'\"\\\n\té ", max_size=8), st.lists)
)
@settings(deadline=None, max_examples=40)
def test_pythonic_reads_python_literals(value: object) -> None:
    assert pythonic.parse(f"[ f ( a = {value!r} ) ]").calls == (Call("f", {"a": value}),)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("True", True),
        ("None", None),
        ("+2", 2),
        (".5", 0.5),
        ("-.5", -0.5),
        ("5.", 5.0),
        ("1_000", 1000),
        ("00", 0),
        ("1_0.0_1e+0_1", 100.1),
        ("()", []),
        ("(1)", 1),
        ("(1,)", [1]),
        ("(1, 'x')", [1, "x"]),
        ("[1, ]", [1]),
        ("{'k': (1, ), }", {"k": [1]}),
        ("'it\\'s'", "it's"),
        ("1e3", 1000.0),
        ('"\\x41\\u00e9"', "Aé"),
        ("-0.5", -0.5),
    ],
)
def test_pythonic_spellings(text: str, value: object) -> None:
    assert pythonic.parse(f"[f(a={text})]").calls[0].arguments == {"a": value}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[", "calls[0].name"),
        ("[]", "calls[0].name"),
        ("[f", "calls[0].name"),
        ("[f(1)]", "calls[0].arguments"),
        ("[f(a=1, a=2)]", "calls[0].arguments"),
        ('[f(a={"x": 1, "x": 2})]', "calls[0].arguments.a"),
        ("[f(a=1 b=2)]", "calls[0].next"),
        ("[f(a=1]", "calls[0].next"),
        ("[f(a=1,,)]", "calls[0].arguments"),
        ("[f(,)]", "calls[0].arguments"),
        ("[f(a=1), , ]", "calls[1].name"),
        ("[,]", "calls[0].name"),
        ("[f(a=[,])]", "calls[0].arguments.a"),
        ("[f(a=(1,,))]", "calls[0].arguments.a"),
        ("f(a=1)]", "calls[0].next"),
        ("f(a=1) is called", "calls[0].next"),
        ("[f(a=02134)]", "calls[0].arguments.a"),
        ("[f(a=0x10)]", "calls[0].arguments.a"),
        ("[f(a=1__0)]", "calls[0].arguments.a"),
        ("[f(a=1_)]", "calls[0].arguments.a"),
        ("[f(a=.)]", "calls[0].arguments.a"),
        ("[f(a=+-1)]", "calls[0].arguments.a"),
        ("[f(a=1j)]", "calls[0].arguments.a"),
        ("[f(a='x' 'y')]", "calls[0].next"),
        ("[f(a={1, 2})]", "calls[0].arguments.a"),
        ("[f(a=1)] done", "calls[0].next"),
        ('[f(a="x)]', "calls[0].arguments.a"),
        ("[f(a=__import__('os'))]", "calls[0].arguments.a"),
        ("[f(a=1+1)]", "calls[0].arguments.a"),
        ("[f(a=007)]", "calls[0].arguments.a"),
        ("[f(a=NaN)]", "calls[0].arguments.a"),
        ("[f(a=1e999)]", "calls[0].arguments.a"),
        ('[f(a="\0")]', "calls[0].arguments.a"),
        ('[f(a="\\q")]', "calls[0].arguments.a"),
        ("[f(a=" + "9" * 5000 + ")]", "calls[0].arguments.a"),
        ("[f(a=" + "[" * 100_000, "calls[0].arguments.a"),
    ],
)
def test_unparseable_names_the_broken_fragment(text: str, path: str) -> None:
    with pytest.raises(Unparseable) as caught:
        pythonic.parse(text)
    assert caught.value.path == path
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>",
        "<tool_call>{}</tool_call>",
        '<tool_call>{"arguments": {}}</tool_call>',
        '<tool_call>{"name": "f", "name": "f"}</tool_call>',
        '<tool_call>{"name": "f", "arguments": {}, "arguments": {}}</tool_call>',
        '<tool_call>{"name": "f", "arguments": null}</tool_call>',
        '<tool_call>{"name": "f", "arguments": []}</tool_call>',
        '<tool_call>{"name": "f", "arguments": ""}</tool_call>',
        '<tool_call>{"name": "f", "arguments": "[]"}</tool_call>',
        '<tool_call>{"name": "f", "arguments": "{} {}"}</tool_call>',
        '<tool_call>{"name": "f", "arguments": "{\\"a\\": 1, \\"a\\": 2}"}</tool_call>',
        '<tool_call>{"name": "f", "arguments": "{\\"a\\": NaN}"}</tool_call>',
        '<tool_call>{"name": "f", "parameters": {"a": 1}}</tool_call>',
        '<tool_call>{"name": null, "arguments": {}}</tool_call>',
        '<tool_call>{"name": "f", "arguments": {}, }</tool_call>',
        '<tool_call>{"name": "f", "id": True}</tool_call>',
        "Use the tags <tool_call> and </tool_call>.",
        '<tool_call>{"name": "f", "arguments": {}}',
        '<tool_call>{"name": "f", "arguments": {}}</tool_call> and more',
        '<tool_call>{"name": "f", "arguments": {"a": True}}</tool_call>',
        '<tool_call>{"name": "f", "arguments": {"a": 1, "a": 2}}</tool_call>',
    ],
)
def test_unparseable_in_hermes(text: str) -> None:
    with pytest.raises(Unparseable):
        hermes.parse(text)


def test_repeated_functions_are_fine_and_space_is_free() -> None:
    assert pythonic.parse("\n[ f(a = 1) , f( a=2 )\n] ").calls == (Call("f", {"a": 1}), Call("f", {"a": 2}))
    compact = '<tool_call>{"name":"f","arguments":{}}</tool_call><tool_call>{"name":"f","arguments":{}}</tool_call>\n'
    assert hermes.parse(compact).calls == (Call("f", {}), Call("f", {}))


def test_broken_utf8_becomes_a_replacement_character() -> None:
    scanner = pythonic.Scanner()
    scanner.feed(b'[f(a="\xff\xc3", b="\xc3')
    scanner.feed(b'\xa9")]')
    scanner.finish()
    assert scanner.calls == [Call("f", {"a": "\ufffd\ufffd", "b": "é"})]
