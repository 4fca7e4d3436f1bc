"""Hypothesis strategies for tools, answers and references, and a byte tokenizer to cut answers with."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from itool.toolcall.dialects import DIALECTS
from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.types import Answer, Call, Kind, Reference, ReferenceCall, Tool

END = 256
BYTES = [bytes([byte]) for byte in range(256)] + [b"<end>"]

names = st.text("abcxyzABZ_059.$@:/+-é", min_size=1, max_size=6)
numbers = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | st.text(max_size=12)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
calls = st.builds(Call, names, st.dictionaries(names, values, max_size=4))
answers = st.lists(calls, min_size=1, max_size=4).map(lambda given: Answer(tuple(given)))


def byte_ids(data: bytes) -> tuple[int, ...]:
    """One token a byte, and the end token."""
    return (*data, END)


@st.composite
def tokenised(draw: st.DrawFn, data: bytes) -> tuple[tuple[int, ...], list[bytes], int]:
    """(ids, bytes of every id, end id) of a random tokenisation: characters split, boundaries spanned."""
    random, share = draw(st.randoms(use_true_random=True)), draw(st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]))
    cuts = sorted({i for i in range(len(data)) if random.random() < share} | {0, len(data)})
    pieces = [data[a:b] for a, b in pairwise(cuts)]
    vocabulary = sorted(set(pieces))
    return (*map(vocabulary.index, pieces), len(vocabulary)), [*vocabulary, b"<end>"], len(vocabulary)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[str]) -> str:
    """A text with a few slices cut out, doubled or replaced."""
    text = draw(whole)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 4)))
        filler = st.text("[](){}<>=,:\"'\\ \n\0aenu01-.\u00e9", max_size=3) | st.text(max_size=3)
        text = text[:start] + draw(filler | st.just(text[start:end] * 2)) + text[end:]
    return text


SCHEMAS: dict[str, tuple[dict[str, Any], st.SearchStrategy]] = {
    "string": ({"type": "string"}, st.text(max_size=8)),
    "integer": ({"type": "integer"}, st.integers(-1000, 1000)),
    "number": ({"type": "number"}, st.floats(-1000, 1000) | st.integers(-1000, 1000)),
    "boolean": ({"type": "boolean"}, st.booleans()),
    "array": ({"type": "array", "items": {"type": "string"}}, st.lists(st.text(max_size=4), max_size=3)),
    "object": (
        {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "string"}}},
        st.fixed_dictionaries({"x": st.integers(0, 9)}, optional={"y": st.text(max_size=4)}),
    ),
}
WRONG_TYPE = {"string": 7, "integer": "seven", "number": [1], "boolean": "yes", "array": {"x": 1}, "object": ["x"]}


def wrong_value(value: Any) -> Any:
    """Another value of the same type, also when strings are compared leniently."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value + "qz"
    if isinstance(value, list):
        return [*value, "qz"]
    return value | {"x": value["x"] + 1} if isinstance(value, dict) else value + 1


# Names that need no quotes in any dialect.
plain_names = st.from_regex(r"[a-z_][a-z0-9_.]{0,5}[a-z_]", fullmatch=True)


@st.composite
def tools(draw: st.DrawFn, names: st.SearchStrategy[str] = names) -> Tool:
    parameters = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    properties, required = {}, []
    for name in parameters:
        schema, given = SCHEMAS[draw(st.sampled_from(sorted(SCHEMAS)))]
        if draw(st.booleans()):
            required.append(name)
        elif draw(st.booleans()):
            schema = schema | {"default": draw(given)}
        properties[name] = schema
    return Tool(draw(names), "", {"type": "object", "properties": properties, "required": required})


@st.composite
def tasks(
    draw: st.DrawFn, most_calls: int = 3, distinct: bool = False, names: st.SearchStrategy[str] = names
) -> tuple[list[Tool], Reference]:
    """Some tools and a reference with calls of them; `distinct`: of different tools, with one accepted value each."""
    known = draw(st.lists(tools(names), min_size=1, max_size=4, unique_by=lambda tool: tool.name))
    count = draw(st.integers(1, min(most_calls, len(known)) if distinct else most_calls))
    used = draw(st.permutations(known))[:count] if distinct else [draw(st.sampled_from(known)) for _ in range(count)]
    expected = []
    for tool in used:
        arguments = {}
        for name, schema in tool.parameters["properties"].items():
            if name in tool.parameters["required"] or draw(st.booleans()):
                given = SCHEMAS[schema["type"]][1]
                arguments[name] = draw(st.lists(given, min_size=1, max_size=1 if distinct else 2))
        expected.append(ReferenceCall(tool.name, arguments))
    return known, Reference(Kind.CALLS, tuple(expected))


def shuffled(draw: st.DrawFn, answer: Answer) -> Answer:
    """The same calls and arguments in another order."""
    again = []
    for call in draw(st.permutations(answer.calls)):
        again.append(Call(call.name, dict(draw(st.permutations(list(call.arguments.items()))))))
    return Answer(tuple(again))


@st.composite
def _hermes_call(draw: st.DrawFn, call: Call) -> str:
    arguments = json.dumps(call.arguments, ensure_ascii=draw(st.booleans()))
    if draw(st.booleans()):
        arguments = json.dumps(arguments)
    fields = [f'"name": {json.dumps(call.name)}', f'"arguments": {arguments}']
    if not call.arguments and draw(st.booleans()):
        fields.pop()
    fields += draw(st.sampled_from([[], ['"id": 0'], ['"type": "function"', '"x": [{"name": "y"}, "]"]']]))
    comma = draw(st.sampled_from([", ", ",", "\n , "]))
    return "<tool_call>\n{" + comma.join(draw(st.permutations(fields))) + "}\n</tool_call>"


@st.composite
def _pythonic_call(draw: st.DrawFn, call: Call) -> str:
    arguments = [f"{name}={draw(literal(value))}" for name, value in call.arguments.items()]
    if arguments and draw(st.booleans()):
        arguments.append("")
    return f"{call.name}({', '.join(arguments)})"


THOUGHTS = ("", "<think>\n</think>\n\n", "<think>Shall I [call f(a=1)] <tool_call>?</think>")


@st.composite
def _hermes_calls(draw: st.DrawFn, answer: Answer) -> str:
    text = draw(st.sampled_from(["", "\n"])).join(draw(_hermes_call(call)) for call in answer.calls)
    return draw(st.sampled_from([*THOUGHTS, "I look it up. \u00e9 < x\n", "<think>Yes.</think> So:\n"])) + text


@st.composite
def _pythonic_calls(draw: st.DrawFn, answer: Answer) -> str:
    text = draw(st.sampled_from([", ", ",", " ,\n"])).join(draw(_pythonic_call(call)) for call in answer.calls)
    opening, closing = draw(st.sampled_from([("[", "]"), ("[ ", ",]"), ("", ""), ("", ",")]))
    return draw(st.sampled_from(THOUGHTS)) + opening + text + closing


# A dialect's calls as models write them: after a thought, and in all forms that it reads.
FORMS = {DIALECTS["hermes"]: _hermes_calls, DIALECTS["pythonic"]: _pythonic_calls}


def written(module: Dialect, answer: Answer) -> st.SearchStrategy[str]:
    """The calls of an answer in one of the dialect's FORMS, or as it renders them where it has none there."""
    return FORMS[module](answer) if module in FORMS else st.just(module.render(answer))


@st.composite
def literal(draw: st.DrawFn, value: Any) -> str:
    """A value as JSON or as one of its Python literals, with all that a literal may hold."""
    if isinstance(value, list | dict) and draw(st.booleans()):
        items = (
            [draw(literal(item)) for item in value]
            if isinstance(value, list)
            else [f"{json.dumps(key)}: {draw(literal(item))}" for key, item in value.items()]
        )
        opening, closing = draw(st.sampled_from(["[]", "()"])) if isinstance(value, list) else "{}"
        end = "," if items and (draw(st.booleans()) or (opening == "(" and len(items) == 1)) else ""
        return opening + ", ".join(items) + end + closing
    text = json.dumps(value)
    if isinstance(value, bool) or value is None:
        return draw(st.sampled_from([text, repr(value)]))
    if isinstance(value, int | float):
        sign = draw(st.sampled_from(["", "+"])) if text[0] != "-" else ""
        underscored = f"{value:_}" if isinstance(value, int) else text.removesuffix(".0") + "." * text.endswith(".0")
        return sign + draw(st.sampled_from([text, underscored, f"({text})"]) if not sign else st.just(underscored))
    return text
