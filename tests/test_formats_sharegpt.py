"""ShareGPT with calls in turns of their own, of LLaMA-Factory, APIGen-MT and ms-swift."""

import json

import pytest
from formats_mutations import call, damaged, is_read_or_refused, said
from hypothesis import given, settings

from itool.errors import UserError
from itool.formats import glaive, hermes, sharegpt, toolace
from itool.formats.names import legal_name, with_legal_names
from itool.toolcall.schema import NAME

FERRY = {"name": "find_ferry", "description": "ferries of a day", "parameters": {"type": "object", "properties": {}}}
FIND = '{"name": "find_ferry", "arguments": {"to": "Bastø"}}'
FACTORY = {
    "conversations": said(
        ("human", "Two ferries, please"),
        ("function_call", f'[{FIND}, {{"name": "find_ferry", "arguments": "{{\\"to\\": \\"Moss\\"}}"}}]'),
        ("observation", '{"left": 3}'),
        ("gpt", "Three are left."),
    ),
    "tools": json.dumps([FERRY]),
    "system": "You sell tickets.",
}
SWIFT = {
    "tools": [{"type": "function", "function": FERRY}],
    "messages": [
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": "<think>\nboth ways\n</think>\n", "loss": False},
        {"role": "tool_call", "content": FIND, "loss": True},
        {"role": "tool_call", "content": '{"name": "find_ferry", "arguments": {}}'},
        {"role": "tool_response", "content": "9:10"},
        {"role": "tool", "content": "9:40", "name": "find_ferry", "tool_call_id": "c2"},
        {"role": "assistant", "content": "At 9:10 and 9:40."},
    ],
}


def read(record):
    return sharegpt.openai_form(record, "talks.jsonl: line 3")


def talk(*turns, **fields):
    return {"conversations": said(*turns)} | fields


def test_a_conversation_of_llama_factory():
    assert read(FACTORY) == {
        "tools": [FERRY],
        "messages": [
            {"role": "system", "content": "You sell tickets."},
            {"role": "user", "content": "Two ferries, please"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [call("find_ferry", {"to": "Bastø"}), call("find_ferry", {"to": "Moss"})],
            },
            {"role": "tool", "content": '{"left": 3}'},
            {"role": "assistant", "content": "Three are left."},
        ],
    }


def test_calls_and_the_text_before_them_are_one_turn_in_ms_swift():
    form = read(SWIFT)
    assert form["tools"] == SWIFT["tools"]
    assert form["messages"] == [
        {"role": "user", "content": "When?"},
        {
            "role": "assistant",
            "content": "<think>\nboth ways\n</think>\n",
            "tool_calls": [call("find_ferry", {"to": "Bastø"}), call("find_ferry", {})],
        },
        {"role": "tool", "content": "9:10"},
        {"role": "tool", "content": "9:40", "name": "find_ferry", "tool_call_id": "c2"},
        {"role": "assistant", "content": "At 9:10 and 9:40."},
    ]


def test_calls_one_after_another_stay_apart():
    turns = [
        ("human", "go"),
        ("function_call", FIND),
        ("observation", "1"),
        ("function_call", FIND),
        ("observation", "2"),
    ]
    roles = [message["role"] for message in read(talk(*turns))["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "tool"]


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        ({"name": "find_ferry", "arguments": None}, call("find_ferry", {})),
        ('{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}', call("f", {}, id="c1")),
        ("{'name': 'find ferry!', 'arguments': {'on': True}}", call("find_ferry_", {"on": True})),
        ('{"name": "f"}', call("f", {})),
    ],
)
def test_forms_of_a_call(value, entry):
    [_, message] = read(talk(("human", "go"), ("tool_call", value)))["messages"]
    assert message["tool_calls"] == [entry]


def test_a_result_that_is_no_text_is_its_json():
    assert (
        read(talk(("human", "go"), ("observation", {"a": [1, None]})))["messages"][1]["content"] == '{"a": [1, null]}'
    )


def test_parts_of_text_are_its_lines():
    parts = [{"type": "text", "text": "Two"}, {"type": "text", "text": "ferries"}]
    assert read(talk(("human", parts)))["messages"] == [{"role": "user", "content": "Two\nferries"}]


def test_turns_that_are_not_learnt():
    record = talk(("human", "go"), ("function_call", FIND), ("observation", "1"), ("gpt", "done"), ("gpt", "well"))
    for index, field in ((1, "weight"), (3, "loss")):
        record["conversations"][index][field] = 0
    record["conversations"][4] |= {"loss": None, "weight": 1.0}
    assert [message.get("weight") for message in read(record)["messages"]] == [None, 0, None, 0, None]


def test_calls_of_one_turn_are_learnt_all_or_not_at_all():
    record = talk(("human", "go"), ("function_call", FIND), ("function_call", FIND))
    record["conversations"][2]["loss"] = False
    [_, message] = read(record)["messages"]
    assert len(message["tool_calls"]) == 2
    assert message["weight"] == 0


def test_texts_of_one_turn_are_lines_of_it():
    assert read(talk(("human", "go"), ("gpt", "Three."), ("gpt", "More?")))["messages"][1:] == [
        {"role": "assistant", "content": "Three.\nMore?"}
    ]


def test_the_system_prompt_of_a_turn_and_of_the_record():
    turns = [("system", "Be brief."), ("human", "go"), ("gpt", "gone")]
    assert read(talk(*turns))["messages"][0] == {"role": "system", "content": "Be brief."}
    assert read(talk(*turns, system=""))["messages"][0]["content"] == "Be brief."
    assert len(read(talk(*turns, system="Be brief.\n"))["messages"]) == 3
    assert read(talk(("system", ""), *turns[1:], system=None))["messages"][0]["role"] == "user"
    with pytest.raises(UserError, match=r"line 3: system: found another prompt than that of conversations\[0\]"):
        read(talk(*turns, system="Be long."))


def test_nulls_of_a_table_and_metadata_are_no_content():
    record = talk(("human", "go"), ("gpt", "gone"), id=7, source="x", images=None, chosen=[], metadata={"a": 1})
    record["conversations"][0] |= {"role": None, "content": None, "name": None, "id": "t1"}
    assert len(read(record | {"tools": None, "messages": None})["messages"]) == 2
    assert read(record)["tools"] == []


def test_tools_that_are_texts_have_legal_names_too():
    assert read(talk(("human", "go"), tools=['{"name": "sea fares"}']))["tools"] == [{"name": "sea_fares"}]
    with pytest.raises(UserError, match=r"line 3: tools\[0\]: not JSON"):
        read(talk(("human", "go"), tools=["{oops"]))


def test_names_are_changed_alike_in_tools_and_calls():
    specs = [{"name": " Sea Fares (2)"}, {"type": "function", "function": {"name": "a.b"}}, "no tool", {"title": "x"}]
    turns = [("human", "go"), ("function_call", '{"name": "Sea Fares (2)", "arguments": {}}'), ("observation", "1")]
    form = read(talk(*turns, tools=specs))
    assert form["tools"] == [{"name": "Sea_Fares__2_"}, specs[1], "no tool", {"title": "x"}]
    assert form["messages"][1]["tool_calls"][0]["function"]["name"] == "Sea_Fares__2_"
    assert legal_name("größe-1:/$@+.x") == "größe-1:/$@+.x"
    assert NAME.fullmatch(legal_name("n \t'\"()[]{}=,\\" * 9))
    with pytest.raises(UserError, match=r'x: found the tools "a b" and "a_b", which are both a_b here'):
        with_legal_names([{"name": "a b"}, {"name": "a_b"}], "x")
    assert len(with_legal_names([{"name": "a b"}, {"name": "a b"}], "x")) == 2


def test_each_record_has_one_layout():
    own = talk(("user", "go"), ("assistant", "gone"))
    openai = {"messages": [{"role": "user", "content": "x"}, {"role": "tool", "content": "1"}], "tools": []}
    for record in (FACTORY, SWIFT, own, {"messages": said(("human", "x"))}):
        assert [layout for layout in (sharegpt, hermes, toolace, glaive) if layout.matches(record)] == [sharegpt]
    for record in (openai, {}, {"conversations": 5}, {"messages": [[], None, {"role": []}]}, {"system": "x"}):
        assert not any(layout.matches(record) for layout in (sharegpt, hermes, toolace, glaive))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"tools": []}, r"line 3: conversations: found NoneType, expected a list"),
        ({"messages": {}}, r"line 3: messages: found dict, expected a list"),
        ({"conversations": ["x"]}, r"conversations\[0\]: found str, expected an object"),
        (talk(("robot", "x")), r'conversations\[0\]\.from: found "robot", expected one of system, human'),
        ({"messages": [{"role": 5}]}, r"messages\[0\]\.role: found 5, expected one of"),
        (talk(("human", 5)), r"conversations\[0\]\.value: found int, expected a string"),
        (talk(("human", [{"type": "image"}])), r'value\[0\]\.type: found "image", expected one of text'),
        (talk(("human", "half \ud83d")), r"conversations\[0\]\.value: found half of a surrogate pair"),
        (talk(("human", "x"), ("gpt", " ")), r"conversations\[1\]\.value: found nothing, expected text or calls"),
        (talk(("function_call", "{oops")), r"conversations\[0\]\.value: not JSON: .* at line 1, column 2"),
        (talk(("function_call", "[]")), r"conversations\[0\]\.value: found no call, expected at least one"),
        (talk(("function_call", "[1]")), r"conversations\[0\]\.value\[0\]: found int, expected an object"),
        (talk(("function_call", '{"name": ""}')), r"value\.name: found nothing, expected the name of a function"),
        (
            talk(("function_call", '{"name": "f", "arguments": [1]}')),
            r"value\.arguments: found list, expected an object",
        ),
        (talk(("function_call", '{"name": "f", "arguments": "{"}')), r"value\.arguments: not JSON"),
        (talk(("function_call", '{"name": "f", "arguments": "\ud800"}')), r"value: found half of a surrogate"),
        (
            talk(("function_call", '{"name": "f", "parameters": {"a": 1}}')),
            r"value\.parameters: unknown, expected one of name",
        ),
        (talk(("function_call", "[" * 200 + "]" * 200)), r"value: found JSON nested deeper than 64 levels"),
        (talk(tools="[oops"), r"line 3: tools: not JSON"),
        (talk(tools="{}"), r"line 3: tools: found dict, expected a list"),
        (talk(system={"x": 1}), r"line 3: system: found dict, expected a string"),
        (talk(images=["a.png"]), r"line 3: images: unknown, expected one of conversations, system, tools"),
        (talk(rejected="bad"), r"line 3: rejected: unknown"),
        (talk(documents=["a"]), r"line 3: documents: unknown"),
        (talk(kto_tag=False), r"line 3: kto_tag: found false, expected an answer to learn"),
        (
            {"conversations": [{"from": "gpt", "value": "x", "loss": "no"}]},
            r'\[0\]\.loss: found "no", expected a number',
        ),
        ({"conversations": [{"from": "human", "content": "x"}]}, r"\[0\]\.content: unknown, expected one of from, va"),
    ],
)
def test_broken_records_name_the_field(record, message):
    with pytest.raises(UserError, match=message) as raised:
        read(record)
    assert str(raised.value).startswith("talks.jsonl: line 3: ")


@settings(max_examples=100, deadline=None)
@given(damaged(FACTORY) | damaged(SWIFT))
def test_any_damage_is_read_or_refused_in_one_line(record):
    assert is_read_or_refused(sharegpt, record)
