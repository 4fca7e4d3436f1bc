"""Conversations in the forms of the APIs of Anthropic, Google and OpenAI (Responses)."""

import pytest
from formats_mutations import call, damaged, is_read_or_refused
from hypothesis import given, settings
from hypothesis import strategies as st

from itool.errors import UserError
from itool.formats import anthropic, gemini, responses

SCHEMA = {"type": "object", "properties": {"port": {"type": "string"}}, "required": ["port"]}
TIDES = {"name": "get_tides", "description": "tides of a port"}


def text(value):
    return {"type": "text", "text": value}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, *calls):
    return {"role": "assistant", "content": content} | ({"tool_calls": list(calls)} if calls else {})


def use(identifier, **arguments):
    return {"type": "tool_use", "id": identifier, "name": "get_tides", "input": arguments}


def result(identifier, content, **more):
    return {"type": "tool_result", "tool_use_id": identifier, "content": content} | more


ANTHROPIC = {
    "model": "claude",
    "max_tokens": 100,
    "system": [text("You know the sea."), text("Be brief.") | {"cache_control": {"type": "ephemeral"}}],
    "tools": [TIDES | {"input_schema": SCHEMA}, {"type": "web_search_20250305", "name": "web_search"}],
    "messages": [
        user("Tides of Brest and Cork?"),
        assistant(
            [
                {"type": "thinking", "thinking": "two calls", "signature": "x"},
                text("Both, then."),
                use("t1", port="Brest"),
                use("t2", port="Cork"),
            ]
        ),
        user([result("t1", [text("6.1 m"), text("at 5:10")]), result("t2", "no gauge", is_error=True), text("Well?")]),
        assistant([text("Brest has 6.1 m; Cork could not be read.")]) | {"stop_reason": "end_turn", "usage": {"n": 1}},
    ],
}
GEMINI = {
    "systemInstruction": {"role": "system", "parts": [{"text": "You know the sea."}, {"text": "Be brief."}]},
    "tools": [{"functionDeclarations": [TIDES | {"parameters": SCHEMA}], "codeExecution": {}}, {"googleSearch": {}}],
    "contents": [
        {"parts": [{"text": "Tides of Brest"}, {"text": "and Cork?"}]},
        {
            "role": "model",
            "parts": [
                {"text": "two calls", "thought": True},
                {"text": "Both, then.", "thoughtSignature": "eA=="},
                {"functionCall": {"id": "f1", "name": "get_tides", "args": {"port": "Brest"}}},
                {"functionCall": {"name": "get_tides"}, "text": None},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "f1", "name": "get_tides", "response": {"height": "6.1 m à 5:10"}}},
                {"functionResponse": {"name": "get_tides", "response": {}}},
                {"text": "Well?"},
            ],
        },
        {"role": "model", "parts": [{"text": "6.1 m."}]},
    ],
}
RESPONSES = {
    "instructions": "You know the sea.",
    "tools": [{"type": "function", "strict": True, "parameters": SCHEMA} | TIDES, {"type": "web_search"}],
    "input": [
        {"role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Tides of Brest and Cork?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Both, then."}]},
        {"type": "function_call", "call_id": "c1", "name": "get_tides", "arguments": '{"port": "Brest"}'},
        {"type": "function_call", "call_id": "c2", "name": "get_tides", "arguments": ""},
        {"type": "function_call_output", "call_id": "c1", "output": "6.1 m"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "no port"}]},
    ],
    "output": [
        {
            "type": "message",
            "id": "m",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "6.1 m.", "annotations": []}],
        }
    ],
}
RECORDS = {anthropic: ANTHROPIC, gemini: GEMINI, responses: RESPONSES}


def read(layout, record):
    return layout.openai_form(record, "calls.jsonl: line 3")


def messages(layout, record):
    return read(layout, record)["messages"]


def refused(layout, record):
    with pytest.raises(UserError) as error:
        read(layout, record)
    assert "\n" not in str(error.value)
    return str(error.value)


def changed(record, path, value):
    """The record with another value at the end of a path, such as `messages.0.content`."""
    head, _, rest = path.partition(".")
    key = int(head) if isinstance(record, list) else head
    if isinstance(record, list):
        return [
            changed(item, rest, value) if rest and i == key else value if i == key else item
            for i, item in enumerate(record)
        ]
    return record | {key: changed(record[key], rest, value) if rest else value}


def test_every_layout_knows_its_own_records():
    for layout in RECORDS:
        assert [other for other, record in RECORDS.items() if layout.matches(record)] == [layout]


def test_a_conversation_of_anthropic():
    assert read(anthropic, ANTHROPIC) == {
        "tools": ANTHROPIC["tools"],
        "messages": [
            {"role": "system", "content": "You know the sea.\nBe brief."},
            user("Tides of Brest and Cork?"),
            assistant(
                "Both, then.",
                call("get_tides", {"port": "Brest"}, id="t1"),
                call("get_tides", {"port": "Cork"}, id="t2"),
            ),
            {"role": "tool", "tool_call_id": "t1", "content": "6.1 m\nat 5:10"},
            {"role": "tool", "tool_call_id": "t2", "content": "Error: no gauge"},
            user("Well?"),
            assistant("Brest has 6.1 m; Cork could not be read."),
        ],
    }


def test_a_conversation_of_gemini():
    assert read(gemini, GEMINI) == {
        "tools": [
            {"functionDeclarations": [TIDES | {"parameters": SCHEMA}]},
            {"type": "codeExecution"},
            {"type": "googleSearch"},
        ],
        "messages": [
            {"role": "system", "content": "You know the sea.\nBe brief."},
            user("Tides of Brest\nand Cork?"),
            assistant("Both, then.", call("get_tides", {"port": "Brest"}, id="f1"), call("get_tides", {})),
            {"role": "tool", "name": "get_tides", "tool_call_id": "f1", "content": '{"height": "6.1 m à 5:10"}'},
            {"role": "tool", "name": "get_tides", "content": "{}"},
            user("Well?"),
            assistant("6.1 m."),
        ],
    }


def test_a_conversation_of_responses():
    assert read(responses, RESPONSES) == {
        "tools": RESPONSES["tools"],
        "messages": [
            {"role": "system", "content": "You know the sea.\nBe brief."},
            user("Tides of Brest and Cork?"),
            assistant("Both, then.", call("get_tides", {"port": "Brest"}, id="c1"), call("get_tides", {}, id="c2")),
            {"role": "tool", "tool_call_id": "c1", "content": "6.1 m"},
            {"role": "tool", "tool_call_id": "c2", "content": "no port"},
            assistant("6.1 m."),
        ],
    }


def test_anthropic_without_a_system_prompt_and_without_tools():
    talk = [user("Tides?"), assistant([use("t", port="Brest")]), user([result("t", None)])]
    assert read(anthropic, {"messages": talk}) == {
        "tools": [],
        "messages": [
            user("Tides?"),
            assistant("", call("get_tides", {"port": "Brest"}, id="t")),
            {"role": "tool", "tool_call_id": "t", "content": ""},
        ],
    }


def test_several_turns_of_the_assistant_side_by_side_are_one():
    talk = [user("Tides?"), assistant("I look."), assistant([use("t")]), assistant([text("Wait.")])]
    [_, turn] = messages(anthropic, {"messages": talk})
    assert turn == assistant("I look.\nWait.", call("get_tides", {}, id="t"))
    contents = [{"role": "model", "parts": [part]} for part in ({"text": "I look."}, {"functionCall": {"name": "f"}})]
    assert messages(gemini, {"contents": contents}) == [assistant("I look.", call("f", {}))]


def test_anthropic_is_not_openai():
    """Messages of OpenAI with a system prompt beside them, or with tools of another layout, are none of Anthropic's."""
    plain = {"messages": [user("hi"), assistant("hello")]}
    assert not anthropic.matches(plain | {"system": "x", "tools": [{"name": "f", "parameters": {}}]})
    assert anthropic.matches(plain | {"tools": [{"name": "f", "input_schema": {}}]})
    called = {"messages": [user("hi"), assistant("", call("f", {}))]}
    assert not anthropic.matches(called | {"tools": [{"name": "f", "input_schema": {}}]})


def test_gemini_in_snake_case():
    record = {
        "system_instruction": "Be brief.",
        "tools": [{"function_declarations": [TIDES]}],
        "contents": [
            {"role": "user", "parts": [{"text": "Tides?"}]},
            {"role": "model", "parts": [{"function_call": {"name": "get_tides", "args": {"port": "Cork"}}}]},
            {"role": "function", "parts": [{"function_response": {"name": "get_tides", "response": {"m": 2}}}]},
        ],
    }
    assert read(gemini, record) == {
        "tools": record["tools"],
        "messages": [
            {"role": "system", "content": "Be brief."},
            user("Tides?"),
            assistant("", call("get_tides", {"port": "Cork"})),
            {"role": "tool", "name": "get_tides", "content": '{"m": 2}'},
        ],
    }


def test_nulls_that_a_table_filled_in_are_absent_in_gemini():
    parts = [{"text": None, "functionCall": {"id": None, "name": "f", "args": None}, "functionResponse": None}]
    record = {"systemInstruction": None, "tools": None, "contents": [{"role": "model", "parts": parts}]}
    assert read(gemini, record) == {"tools": [], "messages": [assistant("", call("f", {}))]}


def test_tools_of_gemini_without_declarations_stay_as_they_are():
    assert read(gemini, {"tools": [TIDES, 5], "contents": []})["tools"] == [TIDES, 5]


def test_a_text_as_the_input_of_responses():
    made = [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]
    record = {"input": "Tides?", "output": made}
    assert responses.matches(record)
    assert messages(responses, record) == [user("Tides?"), assistant("", call("f", {}, id="c"))]
    assert not responses.matches({"instruction": "Translate", "input": "Tides", "output": "Gezeiten"})


def test_calls_that_have_results_between_them_are_turns_of_their_own():
    first, second = ({"type": "function_call", "call_id": c, "name": "f", "arguments": "{}"} for c in "ab")
    out = {"type": "function_call_output", "call_id": "a", "output": {"m": 2}}
    assert messages(responses, {"input": [first, out, second]}) == [
        assistant("", call("f", {}, id="a")),
        {"role": "tool", "tool_call_id": "a", "content": '{"m": 2}'},
        assistant("", call("f", {}, id="b")),
    ]


@pytest.mark.parametrize(
    ("layout", "path"),
    [
        (anthropic, "messages.2.content.0.content"),
        (gemini, "contents.2.parts.0.functionResponse.response"),
        (responses, "input.6.output"),
    ],
)
@pytest.mark.parametrize(("value", "content"), [(6.1, "6.1"), ([1, "à"], '[1, "à"]'), ([], ""), (None, "")])
def test_a_result_that_is_no_text_is_its_json(layout, path, value, content):
    read = messages(layout, changed(RECORDS[layout], path, value))
    assert next(message for message in read if message["role"] == "tool")["content"] == content


def test_an_empty_text_beside_calls_says_nothing():
    [*_, turn, _, _, _] = messages(responses, changed(RESPONSES, "input.3.content", " "))
    assert turn == assistant("", call("get_tides", {"port": "Brest"}, id="c1"), call("get_tides", {}, id="c2"))


def test_a_refusal_of_responses_is_text():
    content = [{"type": "refusal", "refusal": "I cannot do that."}]
    assert messages(responses, {"input": [assistant(content)]}) == [assistant("I cannot do that.")]


IMAGE = {"type": "image", "source": {"type": "url", "url": "x"}}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("system", 5, "system: found int, expected a string"),
        ("system", [IMAGE], 'system[0].type: found "image", expected one of text'),
        ("tools", {}, "tools: found dict, expected a list"),
        ("messages", None, "messages: found NoneType, expected a list"),
        ("messages.0", "hi", "messages[0]: found str, expected an object"),
        ("messages.0.role", "tool", 'messages[0].role: found "tool", expected one of user, assistant'),
        ("messages.0.role", ["user"], 'messages[0].role: found ["user"], expected'),
        ("messages.0.content", None, "messages[0].content: found NoneType, expected a string"),
        ("messages.0.content", ["hi"], "messages[0].content[0]: found str, expected an object"),
        (
            "messages.0.content",
            [IMAGE],
            'messages[0].content[0].type: found "image", expected one of text, tool_result',
        ),
        ("messages.0.content", [{"type": "document"}], 'content[0].type: found "document"'),
        ("messages.0.content", [use("t")], 'messages[0].content[0].type: found "tool_use"'),
        ("messages.0.content", [{"type": "text"}], "messages[0].content[0].text: found NoneType, expected a string"),
        (
            "messages.0",
            user("hi") | {"images": ["a.png"]},
            "messages[0].images: unknown, expected one of role, content",
        ),
        ("messages.1.content", [], "messages[1].content: found nothing, expected text or calls"),
        ("messages.1.content", [{"type": "thinking", "thinking": "x"}], "messages[1].content: found nothing"),
        ("messages.1.content", [{"type": "server_tool_use"}], 'content[0].type: found "server_tool_use"'),
        ("messages.1.content.2.name", None, "messages[1].content[2].name: found NoneType, expected a string"),
        ("messages.1.content.2.input", [], "messages[1].content[2].input: found list, expected an object"),
        ("messages.1.content.2.input", "{", "messages[1].content[2].input: not JSON"),
        ("messages.2.content.0.tool_use_id", 5, "messages[2].content[0].tool_use_id: found int, expected a string"),
        ("messages.2.content.0.content", [IMAGE], 'messages[2].content[0].content[0].type: found "image"'),
    ],
)
def test_broken_records_of_anthropic_name_the_field(path, value, message):
    assert refused(anthropic, changed(ANTHROPIC, path, value)).startswith("calls.jsonl: line 3: ")
    assert message in refused(anthropic, changed(ANTHROPIC, path, value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("systemInstruction", 5, "systemInstruction: found int, expected an object"),
        ("systemInstruction", {}, "systemInstruction.parts: found NoneType, expected a list"),
        ("tools", 5, "tools: found int, expected a list"),
        ("contents", "hi", "contents: found str, expected a list"),
        ("contents.0", "hi", "contents[0]: found str, expected an object"),
        ("contents.0", {"role": "user", "text": "hi"}, "contents[0].text: unknown, expected one of role, parts"),
        ("contents.0", {"role": "user"}, "contents[0].parts: found NoneType, expected a list"),
        ("contents.0.parts.0", "hi", "contents[0].parts[0]: found str, expected an object"),
        ("contents.0.parts.0.text", 5, "contents[0].parts[0].text: found int, expected a string"),
        (
            "contents.0.parts.0",
            {"inlineData": {"mimeType": "image/png", "data": ""}},
            'contents[0].parts[0]: found "inlineData", expected one of text, functionResponse',
        ),
        ("contents.0.parts.0", {"file_data": {}}, 'contents[0].parts[0]: found "file_data"'),
        ("contents.0.parts.0", {"function_call": {}}, 'contents[0].parts[0]: found "functionCall"'),
        (
            "contents.1.role",
            "assistant",
            'contents[1].role: found "assistant", expected one of user, function, tool, m',
        ),
        ("contents.1.parts", [], "contents[1].parts: found nothing, expected text or calls"),
        ("contents.1.parts.2.functionCall", "f", "contents[1].parts[2].functionCall: found str, expected an object"),
        ("contents.1.parts.2.functionCall.name", 5, "contents[1].parts[2].functionCall.name: found int"),
        ("contents.1.parts.2.functionCall.args", [1], "contents[1].parts[2].functionCall.args: found list"),
        ("contents.1.parts.2", {"function_call": {"arguments": {"a": 1}}}, "parts[2].function_call.arguments: unknown"),
        (
            "contents.2.parts.0.functionResponse.name",
            None,
            "contents[2].parts[0].functionResponse.name: found NoneType",
        ),
        ("contents.2.parts.0.functionResponse.parts", [{"inlineData": {}}], "functionResponse.parts: unknown"),
    ],
)
def test_broken_records_of_gemini_name_the_field(path, value, message):
    if path.endswith("functionResponse.parts"):
        answered = GEMINI["contents"][2]["parts"][0]["functionResponse"] | {"parts": value}
        path, value = path.removesuffix(".parts"), answered
    assert refused(gemini, changed(GEMINI, path, value)).startswith("calls.jsonl: line 3: ")
    assert message in refused(gemini, changed(GEMINI, path, value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("instructions", 5, "instructions: found int, expected a string"),
        ("tools", 5, "tools: found int, expected a list"),
        ("input", None, "input: found NoneType, expected a list"),
        ("output", "6.1 m", "output: found str, expected a list"),
        ("previous_response_id", "r", "previous_response_id: the turns before are not in the record"),
        ("input.1", "hi", "input[1]: found str, expected an object"),
        ("input.1", {"content": "hi"}, "input[1].type: found null, expected one of message, function_call"),
        ("input.1.role", "tool", 'input[1].role: found "tool", expected one of system, developer, user, assistant'),
        ("input.1", user("hi") | {"tool_calls": [1]}, "input[1].tool_calls: unknown"),
        ("input.1.content", [{"type": "input_image"}], 'input[1].content[0].type: found "input_image", expected'),
        ("input.1.content", [{"type": "input_file"}], 'input[1].content[0].type: found "input_file"'),
        ("input.1.content", [{"type": "input_text"}], "input[1].content[0].text: found NoneType, expected a string"),
        ("output.0.content", " ", "output[0].content: found nothing, expected text or calls"),
        ("input.3", {"type": "web_search_call"}, 'input[3].type: found "web_search_call", expected one of message'),
        ("input.3", {"type": "item_reference", "id": "x"}, 'input[3].type: found "item_reference"'),
        ("input.4.name", None, "input[4].name: found NoneType, expected a string"),
        ("input.4.arguments", "{", "input[4].arguments: not JSON"),
        ("input.4.arguments", "[]", "input[4].arguments: found list, expected an object"),
        ("input.4.arguments", "[" * 100_000, "input[4].arguments: found JSON nested deeper than 64 levels"),
        ("input.6.call_id", None, "input[6].call_id: found NoneType, expected a string"),
        ("input.6.output", [{"type": "input_image"}], 'input[6].output[0].type: found "input_image"'),
        ("output.0.content", None, "output[0].content: found nothing, expected text or calls"),
    ],
)
def test_broken_records_of_responses_name_the_field(path, value, message):
    assert refused(responses, changed(RESPONSES, path, value)).startswith("calls.jsonl: line 3: ")
    assert message in refused(responses, changed(RESPONSES, path, value))


@pytest.mark.parametrize("layout", RECORDS)
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_record_is_read_or_refused(layout, data):
    assert is_read_or_refused(layout, data.draw(damaged(RECORDS[layout])))
