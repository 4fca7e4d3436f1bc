"""The layout of hermes-function-calling-v1: tools, calls and results in tags."""

import json

import pytest
from formats_mutations import call, damaged, is_read_or_refused, said
from hypothesis import given, settings

from itool.errors import UserError
from itool.formats import glaive, hermes, sharegpt, toolace

TIDE = {"type": "function", "function": {"name": "tide_at", "description": "d", "parameters": {"type": "object"}}}
SHOWN = "You are a function calling AI model. You see signatures in <tools></tools> tags. Here are the available tools:"
SCHEMA = {"title": "FunctionCall", "type": "object", "properties": {"name": {"title": "Name"}, "arguments": {}}}
ASKED = (
    f"Use this pydantic model json schema for each call: {SCHEMA} For each function call, write "
    "<tool_call></tool_call> tags as follows:\n"
    "<tool_call>\n{'arguments': <args-dict>, 'name': <function-name>}\n</tool_call>"
)
PROMPT = f"{SHOWN}\n<tools>\n{json.dumps([TIDE])}\n</tools>\n{ASKED}"
RECORD = {
    "id": "1",
    "category": "sea",
    "conversations": said(
        ("system", PROMPT),
        ("human", "High water in Brest and St Malo?"),
        (
            "gpt",
            "<scratch_pad>\nTwo ports, two <tool_call>s.\n</scratch_pad>\n<tool_call>\n"
            "{'arguments': {'port': \"L'Aber\", 'neap': False}, 'name': 'tide_at'}\n</tool_call>\n<tool_call>\n"
            '{"arguments": {"port": "St Malo"}, "name": "tide_at"}\n</tool_call>\n',
        ),
        (
            "tool",
            '<tool_response>\n{"name": "tide_at", "content": {"h": 5.1}}\n</tool_response>\n'
            "<tool_response>\n{'name': 'tide_at', 'content': 'slack', 'tool_call_id': 'c2'}\n</tool_response>",
        ),
        ("gpt", "5.1 m, and slack water."),
    ),
}


def read(record):
    return hermes.openai_form(record, "talks.jsonl: line 3")


def talk(*turns, prompt=PROMPT):
    return {"conversations": said(("system", prompt), ("human", "go"), *turns)}


def own_words(prompt):
    return [message["content"] for message in read(talk(prompt=prompt))["messages"] if message["role"] == "system"]


def test_a_conversation():
    assert read(RECORD) == {
        "tools": [TIDE],
        "messages": [
            {"role": "user", "content": "High water in Brest and St Malo?"},
            {
                "role": "assistant",
                "content": "<scratch_pad>\nTwo ports, two <tool_call>s.\n</scratch_pad>",
                "tool_calls": [
                    call("tide_at", {"port": "L'Aber", "neap": False}),
                    call("tide_at", {"port": "St Malo"}),
                ],
            },
            {"role": "tool", "name": "tide_at", "content": '{"h": 5.1}'},
            {"role": "tool", "name": "tide_at", "tool_call_id": "c2", "content": "slack"},
            {"role": "assistant", "content": "5.1 m, and slack water."},
        ],
    }


def test_a_prompt_keeps_what_it_says_beside_tools_and_tags():
    assert own_words(PROMPT) == []
    assert own_words(f"You are Ida, a harbour pilot. {PROMPT}\n\n# Rules\n- Never guess e.g. a depth.\n- Be kind.") == [
        "You are Ida, a harbour pilot. # Rules\n- Never guess e.g. a depth.\n- Be kind."
    ]
    planned = "\nYou must use <scratch_pad> </scratch_pad> tags.\nExample:\n<scratch_pad>\nGoal: x\n</scratch_pad>\n"
    assert own_words(PROMPT + planned + "Today is Monday.") == ["Today is Monday."]


@pytest.mark.parametrize(
    "block",
    [json.dumps([TIDE]), json.dumps([TIDE], indent=2), str([TIDE]), json.dumps(TIDE), f"{json.dumps(TIDE)}\n"],
)
def test_forms_of_the_tools(block):
    assert read(talk(prompt=f"{SHOWN} <tools> {block} </tools>"))["tools"] == [TIDE]


def test_tools_one_after_another_and_in_the_field():
    other = {"name": "Ship Log", "parameters": {}}
    prompt = f"<tools>{json.dumps(TIDE)}\n{json.dumps(other)}</tools>"
    assert read(talk(prompt=prompt))["tools"] == [TIDE, other | {"name": "Ship_Log"}]
    record = talk(("gpt", "<tool_call>{'name': 'Ship Log', 'arguments': {}}</tool_call>"), prompt="Hello.")
    form = read(record | {"tools": json.dumps([other])})
    assert form["tools"] == [other | {"name": "Ship_Log"}]
    assert form["messages"][-1]["tool_calls"] == [call("Ship_Log", {})]
    assert form["messages"][0]["content"] == "Hello."


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("plain", "plain"),
        ("a <tool_response>b</tool_response>", "a <tool_response>b</tool_response>"),
        ("<tool_response>not JSON</tool_response>", "not JSON"),
        ('<tool_response>{"rain": 1}</tool_response>', '{"rain": 1}'),
        ('<tool_response>{"name": 5, "content": 1}</tool_response>', '{"name": 5, "content": 1}'),
        (
            '<tool_response>{"name": "f", "content": 1, "took": 2}</tool_response>',
            '{"name": "f", "content": 1, "took": 2}',
        ),
    ],
)
def test_results_without_a_name_are_kept_as_they_are(text, content):
    assert read(talk(("tool", text)))["messages"][-1] == {"role": "tool", "content": content}


def test_text_around_calls_and_closed_thoughts_are_kept():
    thought = "<think>I may write <tool_call>{}</tool_call></think>"
    one = "<tool_call>[{'name': 'f', 'arguments': {}}, {'name': 'g', 'arguments': {}}]</tool_call>"
    message = read(talk(("gpt", f"{thought}\nLet me see. {one} Done.")))["messages"][-1]
    assert message["content"] == f"{thought}\nLet me see.  Done."
    assert message["tool_calls"] == [call("f", {}), call("g", {})]


def test_which_records_have_the_layout():
    in_json = {"conversations": said(("system", "Answer in JSON.\n<schema>\n{}\n</schema>"), ("human", "x"))}
    for record in (RECORD, in_json, {"messages": RECORD["conversations"]}):
        assert [layout for layout in (hermes, sharegpt, toolace, glaive) if layout.matches(record)] == [hermes]
    assert not hermes.matches({"messages": [{"role": "system", "content": PROMPT}]})
    assert not hermes.matches({"conversations": said(("human", "what is <tool_call>?"), ("gpt", "a tag"))})


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            talk(("gpt", "{}"), prompt="Answer in JSON.\n<schema>\n{}\n</schema>"),
            r"conversations\[0\]\.value: found a schema of answers in JSON, expected <tools>: nothing to learn about",
        ),
        (talk(prompt="<tools>[]</tools>"), r"line 3: conversations: found no tools, expected <tools>"),
        (talk(prompt="<tools>tide_at: d</tools>"), r'\[0\]\.value: <tools>: found "tide_at: d", expected JSON'),
        (talk(prompt='<tools>{"name": </tools>'), r"\[0\]\.value: <tools>\[0\]: found .*, expected JSON"),
        (talk(("gpt", "<tool_call>{oops</tool_call>")), r"\[2\]\.value: tool_call\[0\]: not JSON"),
        (
            talk(("gpt", "<tool_call>{}</tool_call>")),
            r"\[2\]\.value: tool_call\[0\]\.name: found NoneType, expected a string",
        ),
        (talk(("gpt", "<tool_call>f(a=1)</tool_call>")), r"\[2\]\.value: tool_call\[0\]: not JSON"),
        (
            talk(("gpt", "<tool_call>\n{'name': 'f'}")),
            r"\[2\]\.value: found <tool_call> without its end, expected </tool_call>",
        ),
        (talk(("gpt", "")), r"\[2\]\.value: found nothing, expected text or calls"),
        (talk(("narrator", "")), r'\[2\]\.from: found "narrator"'),
    ],
)
def test_broken_records_name_the_field(record, message):
    with pytest.raises(UserError, match=message) as raised:
        read(record)
    assert str(raised.value).startswith("talks.jsonl: line 3: ")


@settings(max_examples=100, deadline=None)
@given(damaged(RECORD))
def test_any_damage_is_read_or_refused_in_one_line(record):
    assert is_read_or_refused(hermes, record)
