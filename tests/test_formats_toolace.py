"""The layout of ToolACE: tools in the system prompt, and calls as a list in Python's form."""

import json

import pytest
from formats_mutations import call, damaged, is_read_or_refused, said
from hypothesis import given, settings

from itool.errors import UserError
from itool.formats import glaive, hermes, sharegpt, toolace

TOOLS = [
    {"name": "Shore Radio", "description": "calls a [ship]", "parameters": {"type": "dict", "properties": {}}},
    {"name": "Shore Radio (VHF) v2.1", "description": "d", "parameters": {"type": "dict", "properties": {}}},
    {"name": "log.add", "description": "d"},
]
BEFORE = (
    "You are an expert in composing functions. Use the set of possible functions below. If the question lacks the "
    "parameters required by the function,\nalso say so. You should only return the call in tools call sections.\n"
)
AFTER = "\nShould you decide to return the function call(s), use the format of [f(a=1), g()]\n\nNO other text, please."


def prompt(tools=TOOLS, own=""):
    return f"{BEFORE}{own}Here is a list of functions in JSON format that you can invoke:\n{json.dumps(tools)}. {AFTER}"


RECORD = {
    "system": prompt(),
    "conversations": said(
        ("user", "Call the Vega, and log it"),
        (
            "assistant",
            '[Shore Radio(ship="Vega (I)], ", channel=16), log.add(lines=["a", \'b\'], urgent=true, at=None)]',
        ),
        ("tool", '[{"name": "Shore Radio", "results": {"answered": true}}, {"name": "log.add", "results": "ok"}]'),
        ("assistant", "The Vega answered."),
    ),
}


def read(record):
    return toolace.openai_form(record, "talks.jsonl: line 3")


def talk(*turns, system=None):
    return {"system": prompt() if system is None else system, "conversations": said(("user", "go"), *turns)}


def last(answer):
    return read(talk(("assistant", answer)))["messages"][-1]


def test_a_conversation():
    form = read(RECORD)
    assert [tool["name"] for tool in form["tools"]] == ["Shore_Radio", "Shore_Radio__VHF__v2.1", "log.add"]
    assert form["tools"][0] == TOOLS[0] | {"name": "Shore_Radio"}
    assert form["messages"] == [
        {"role": "user", "content": "Call the Vega, and log it"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                call("Shore_Radio", {"ship": "Vega (I)], ", "channel": 16}),
                call("log.add", {"lines": ["a", "b"], "urgent": True, "at": None}),
            ],
        },
        {"role": "tool", "name": "Shore_Radio", "content": '{"answered": true}'},
        {"role": "tool", "name": "log.add", "content": "ok"},
        {"role": "assistant", "content": "The Vega answered."},
    ]


def test_a_prompt_keeps_what_it_says_of_its_own():
    messages = read(talk(system=prompt(own="The time is 2024-05-02, a Thursday.")))["messages"]
    assert messages[0] == {"role": "system", "content": "The time is 2024-05-02, a Thursday."}
    system = f"Speak as a pirate.\n{prompt()}\nNever give a depth."
    assert read(talk(system=system))["messages"][0]["content"] == "Speak as a pirate.\nNever give a depth."


@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        ("[Shore Radio()]", [call("Shore_Radio", {})]),
        ("[ Shore Radio (VHF) v2.1 ( a = 1 ) , Shore Radio (b=-2.5,) ]", None),
        ("[log.add($top=5, from='x', class=\"y\")]", [call("log.add", {"$top": 5, "from": "x", "class": "y"})]),
        (
            "[log.add(a={'k': [1, {\"z\": null}]}, b=(1, 2))]",
            [call("log.add", {"a": {"k": [1, {"z": None}]}, "b": [1, 2]})],
        ),
        ("[Lost Tool(a=1)]", [call("Lost_Tool", {"a": 1})]),
        ('[log.add(a="two\nlines, ö")]', [call("log.add", {"a": "two\nlines, ö"})]),
    ],
)
def test_forms_of_calls(answer, calls):
    both = [call("Shore_Radio__VHF__v2.1", {"a": 1}), call("Shore_Radio", {"b": -2.5})]
    assert last(answer) == {"role": "assistant", "content": "", "tool_calls": calls or both}


def test_text_beside_calls_is_kept():
    message = last("Right away: [log.add(a=1)]\n[Shore Radio()] over")
    assert message["content"] == "Right away: \n over"
    assert message["tool_calls"] == [call("log.add", {"a": 1}), call("Shore_Radio", {})]


@pytest.mark.parametrize(
    "text", ["[1] a note (see below)", "[sic]", "[Lost Tool(a=1)", "[Lost Tool(1, 2)]", "[x] and [y(z)]", "[]"]
)
def test_text_in_brackets_is_text(text):
    assert last(text) == {"role": "assistant", "content": text}


@pytest.mark.parametrize("text", ["plain", '{"a": 1}', "[]", '[{"name": "f"}]', '[{"name": 5, "results": 1}]', "[1]"])
def test_other_results_are_kept_as_they_are(text):
    assert read(talk(("tool", text)))["messages"][-1] == {"role": "tool", "content": text}


def test_tools_as_python_literals_and_no_tools():
    python = prompt().replace(json.dumps(TOOLS), str([{"name": "f", "strict": True, "default": None}]))
    assert read(talk(system=python))["tools"] == [{"name": "f", "strict": True, "default": None}]
    assert read(talk(("assistant", "[f(a=1)]"), system=prompt(tools=[])))["tools"] == []


def test_which_records_have_the_layout():
    assert [layout for layout in (toolace, sharegpt, hermes, glaive) if layout.matches(RECORD)] == [toolace]
    for record in (RECORD | {"tools": "[]"}, RECORD | {"system": "x"}, talk(("gpt", "x")), {"system": prompt()}):
        assert not toolace.matches(record)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (talk(system=""), r"line 3: system: found nothing, expected a prompt with a JSON list of functions"),
        (talk(system="Hello."), r"line 3: system: found no JSON list of functions with names, expected one"),
        (talk(system='[{"name": "f"'), r"line 3: system: found no JSON list of functions with names"),
        (talk(system=5), r"line 3: system: found int, expected a string"),
        (RECORD | {"tools": "[]"}, r"line 3: tools: unknown, expected one of conversations, system"),
        (talk(("assistant", "[log.add(a=1]")), r"\[1\]\.value: calls: byte 12: found '\]', expected , or \)"),
        (talk(("assistant", "[log.add(1)]")), r"\[1\]\.value: calls: byte 10: found '\)', expected ="),
        (talk(("assistant", "[log.add(a=open('x'))]")), r"\[1\]\.value: calls: .*expected a value"),
        (talk(("assistant", "[log.add(a=1, a=2)]")), r"\[1\]\.value: calls: .*found 'a', expected another argument"),
        (talk(("assistant", "[log.add(a=1), ")), r"\[1\]\.value: calls: .*found 'end of the answer', expected \("),
        (talk(("assistant", "[log.add(=1)]")), r"\[1\]\.value: calls: .*expected a name"),
        (talk(("assistant", "")), r"\[1\]\.value: found nothing, expected text or calls"),
        (talk(("assistant", None)), r"\[1\]\.value: found nothing"),
        (talk(system=prompt([{"name": "a b"}, {"name": "a(b"}])), r"line 3: system: found the tools .* both a_b here"),
    ],
)
def test_broken_records_name_the_field(record, message):
    with pytest.raises(UserError, match=message) as raised:
        read(record)
    assert str(raised.value).startswith("talks.jsonl: line 3: ")


@settings(max_examples=100, deadline=None)
@given(damaged(RECORD))
def test_any_damage_is_read_or_refused_in_one_line(record):
    assert is_read_or_refused(toolace, record)
