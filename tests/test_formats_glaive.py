"""The layout of glaive-function-calling-v2: functions one after another, and a chat in one text."""

import json

import pytest
from formats_mutations import call, damaged, is_read_or_refused
from hypothesis import given, settings

from itool.errors import UserError
from itool.formats import glaive, hermes, sharegpt, toolace

KNOT = {"name": "tie_knot", "description": "ties {one}", "parameters": {"type": "object", "properties": {}}}
ROPE = {"name": "cut rope", "description": "d", "parameters": {}}
USE = "SYSTEM: You are a helpful assistant with access to the following functions. Use them if required -\n"
SYSTEM = f"{USE}{json.dumps(KNOT, indent=4)}\n\n{json.dumps(ROPE, indent=4)}\n\n"
CALL = """<functioncall> {"name": "tie_knot", "arguments": '{"kind": "bowline", "ends": 2}'}"""
CHAT = (
    "USER: Tie a bowline\n\n\n"
    f"ASSISTANT: Gladly. {CALL} <|endoftext|>\n\n\n"
    'FUNCTION RESPONSE: {"held": true}\n\n\n'
    "ASSISTANT: It holds:\n\n- twice <|endoftext|>\n\n\n"
)
RECORD = {"system": SYSTEM, "chat": CHAT}


def read(chat, system=SYSTEM):
    return glaive.openai_form({"system": system, "chat": chat}, "talks.jsonl: line 3")


def test_a_conversation():
    assert read(CHAT) == {
        "tools": [KNOT, ROPE | {"name": "cut_rope"}],
        "messages": [
            {"role": "user", "content": "Tie a bowline"},
            {
                "role": "assistant",
                "content": "Gladly.",
                "tool_calls": [call("tie_knot", {"kind": "bowline", "ends": 2})],
            },
            {"role": "tool", "content": '{"held": true}'},
            {"role": "assistant", "content": "It holds:\n\n- twice"},
        ],
    }


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ("""{"name": "cut rope", "arguments": '{}'}""", {}),
        ("""{"name": "cut rope", "arguments": '{"who": "Ann's", "said": "\\n"}'}""", {"who": "Ann's", "said": "\n"}),
        ("""{"name": "cut rope", "arguments": '{"who": "Ann\\'s"}'}""", {"who": "Ann's"}),
        ("""{"name": "cut rope", "arguments": '{\n  "a": 1\n}'}""", {"a": 1}),
        ("""{"name": "cut rope", "arguments": {"a": 1}}""", {"a": 1}),
        ("""{"name": "cut rope", "arguments": "{\\"a\\": 1}"}""", {"a": 1}),
        ("""{"arguments": '{"a": 1}', "name": "cut rope"}""", {"a": 1}),
        ("""{"name": "cut rope"}""", {}),
    ],
)
def test_forms_of_a_call(written, arguments):
    message = read(f"USER: go\n\n\nASSISTANT: <functioncall> {written} <|endoftext|>")["messages"][-1]
    assert message == {"role": "assistant", "content": "", "tool_calls": [call("cut_rope", arguments)]}


def test_several_calls_and_entries_of_one_turn():
    other = """<functioncall> {"name": "cut rope", "arguments": '{}'}"""
    knot, rope = call("tie_knot", {"kind": "bowline", "ends": 2}), call("cut_rope", {})
    for chat in (
        f"USER: go\nASSISTANT: Well. {CALL} {other}",
        f"USER: go\nASSISTANT: Well.\n\n\nASSISTANT: {CALL}<|endoftext|>{other}",
    ):
        [_, message] = read(chat)["messages"]
        assert message == {"role": "assistant", "content": "Well.", "tool_calls": [knot, rope]}
    repeated = f"USER: go\n\n\nASSISTANT: Well. {CALL} <|endoftext|>\n\n\nASSISTANT: {CALL} <|endoftext|>"
    assert read(repeated)["messages"][1] == {"role": "assistant", "content": "Well.", "tool_calls": [knot]}
    again = f"USER: go\nASSISTANT: {CALL}\nFUNCTION RESPONSE: 1\nASSISTANT: {CALL}"
    assert [len(message.get("tool_calls", [])) for message in read(again)["messages"]] == [0, 1, 0, 1]


def test_a_prompt_keeps_what_it_says_of_its_own():
    none = "SYSTEM: You are a helpful assistant, with no access to external functions.\n\n\n"
    form = read("USER: Hi\n\n\nASSISTANT: Hello! <|endoftext|>\n\n\n", none)
    assert form["tools"] == []
    assert form["messages"][0]["content"] == "You are a helpful assistant, with no access to external functions."
    form = read(CHAT, f"SYSTEM: Be salty. {USE[8:]}{json.dumps(KNOT)} Never swear.")
    assert form["tools"] == [KNOT]
    assert form["messages"][0] == {"role": "system", "content": "Be salty. Never swear."}


def test_names_of_roles_inside_a_line_begin_no_turn():
    [user, _] = read("USER: what is a USER: tag?\nASSISTANT: a tag")["messages"]
    assert user["content"] == "what is a USER: tag?"


def test_which_records_have_the_layout():
    assert [layout for layout in (glaive, sharegpt, hermes, toolace) if layout.matches(RECORD)] == [glaive]
    assert not glaive.matches({"chat": [], "system": SYSTEM})
    assert not glaive.matches({"chat": "harbour-2", "messages": []})


@pytest.mark.parametrize(
    ("chat", "system", "message"),
    [
        (
            "Hello USER: x",
            SYSTEM,
            r'line 3: chat: found "Hello USER: x", expected USER: or ASSISTANT: at its beginning',
        ),
        ("USER: x\nASSISTANT:  <|endoftext|>", SYSTEM, r"chat: turn 2: found nothing, expected text or calls"),
        ("USER: x\nASSISTANT: <functioncall> {oops", SYSTEM, r"chat: turn 2: not JSON"),
        ("USER: x\nASSISTANT: <functioncall> ", SYSTEM, r"chat: turn 2: not JSON"),
        ("USER: x\nASSISTANT: <functioncall> 5", SYSTEM, r"chat: turn 2: found int, expected an object"),
        (
            """USER: x\nASSISTANT: <functioncall> {"name": "f", "arguments": '{oops'}""",
            SYSTEM,
            r"chat: turn 2\.arguments: not JSON",
        ),
        (
            """USER: x\nASSISTANT: <functioncall> {"name": "", "arguments": '{}'}""",
            SYSTEM,
            r"chat: turn 2\.name: found nothing, expected the name of a function",
        ),
        (CHAT, USE + '{"name": ', r"line 3: system: function\[0\]: found .*, expected JSON"),
        (CHAT, USE + "{} {oops", r"line 3: system: function\[1\]: found .*, expected JSON"),
        (CHAT, 5, r"line 3: system: found int, expected a string"),
        (5, SYSTEM, r"line 3: chat: found int, expected a string"),
        ("USER: \ud800", SYSTEM, r"line 3: chat: found half of a surrogate pair"),
    ],
)
def test_broken_records_name_the_field(chat, system, message):
    with pytest.raises(UserError, match=message):
        read(chat, system)


def test_fields_beside_the_chat():
    assert glaive.openai_form(RECORD | {"id": 1, "source": "x"}, "x") == read(CHAT)
    with pytest.raises(UserError, match=r"^x: images: unknown, expected one of system, chat$"):
        glaive.openai_form(RECORD | {"images": ["a.png"]}, "x")


@settings(max_examples=100, deadline=None)
@given(damaged(RECORD))
def test_any_damage_is_read_or_refused_in_one_line(record):
    assert is_read_or_refused(glaive, record)
