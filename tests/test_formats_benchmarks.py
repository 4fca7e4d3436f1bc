"""Conversations in the layouts of data sets and benchmarks: xLAM, When2Call, the Berkeley leaderboard, tau-bench."""

import json

import pytest
from formats_mutations import call, damaged, is_read_or_refused
from hypothesis import given, settings
from hypothesis import strategies as st

from itool.errors import UserError
from itool.formats import bfcl, tau_bench, when2call, xlam
from itool.toolcall.types import Kind, Reference
from itool.toolcall.wording import text_share

BOOK = {
    "name": "book_slip",
    "description": "a slip in the dry dock",
    "parameters": {
        "ship": {"type": "str", "description": "its name"},
        "days": {"type": "int, optional", "description": "of the stay"},
        "crane": {"type": "bool", "description": "with one", "default": False},
    },
}
BOOK_SCHEMA = BOOK | {
    "parameters": {
        "type": "object",
        "properties": {
            "ship": {"type": "string", "description": "its name"},
            "days": {"type": "integer", "description": "of the stay"},
            "crane": {"type": "boolean", "description": "with one", "default": False},
        },
        "required": ["ship"],
    }
}
XLAM = {
    "id": 7,
    "query": "Slips for the Vega and, for two days, the Lyra",
    "tools": json.dumps([BOOK]),
    "answers": json.dumps(
        [
            {"name": "book_slip", "arguments": {"ship": "Vega"}},
            {"name": "book_slip", "arguments": {"ship": "Lyra", "days": 2}},
        ]
    ),
}
BOOK_TEXT = json.dumps(
    BOOK | {"parameters": {"type": "dict", "properties": BOOK["parameters"]}, "required": ["ship", "crane"]}
)
TAGGED = 'Gladly. <TOOLCALL>[{"name": "book_slip", "arguments": {"ship": "Vega"}}]</TOOLCALL>'
SFT = {
    "tools": [BOOK_TEXT],
    "messages": [{"role": "user", "content": "A slip for the Vega"}, {"role": "assistant", "content": TAGGED}],
}
PREFERENCE = {
    "tools": [BOOK_TEXT],
    "messages": [{"role": "user", "content": "A slip, please"}],
    "chosen_response": {"role": "assistant", "content": "For which ship?"},
    "rejected_response": {"role": "assistant", "content": TAGGED},
    "chosen_reward": 1.0,
}
TEST = {
    "uuid": "u",
    "question": "A slip for the Vega",
    "correct_answer": "tool_call",
    "answers": {
        "direct": "She has one.",
        "tool_call": '{"name": "book_slip", "arguments": {"ship": "Vega"}}',
        "request_for_info": "For how long?",
        "cannot_answer": "I cannot book slips.",
    },
    "target_tool": BOOK_TEXT,
    "tools": [BOOK_TEXT],
}
DOCK = {
    "name": "dock.enter",
    "description": "lets a ship in",
    "parameters": {
        "type": "dict",
        "properties": {
            "ship": {"type": "string"},
            "gate": {"type": "integer", "default": 1},
            "tug": {"type": "string", "default": ""},
            "crew": {
                "type": "dict",
                "properties": {"mate": {"type": "string"}, "cook": {"type": "string"}},
                "required": ["mate"],
            },
            "note": {"type": "string"},
        },
        "required": ["ship"],
    },
}
QUESTION = {
    "id": "live_simple_0-0-0",
    "question": [[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Let the Vega in"}]],
    "function": [DOCK],
}
BFCL = QUESTION | {"ground_truth": [{"dock.enter": {"ship": ["Vega", "MS Vega"], "gate": [2, ""], "note": [""]}}]}
TAU = {
    "task_id": 3,
    "reward": 1.0,
    "info": {"task": {"actions": []}, "source": "user"},
    "tools": [{"type": "function", "function": BOOK_SCHEMA}],
    "traj": [
        {"role": "system", "content": "# Policy of the yard"},
        {"role": "user", "content": "A slip for the Vega"},
        {
            "role": "assistant",
            "content": None,
            "function_call": None,
            "annotations": [],
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "book_slip", "arguments": '{"ship": "Vega"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "name": "book_slip", "content": '{"slip": 4}'},
        {"role": "assistant", "content": "She has slip 4."},
        {"role": "user", "content": "###STOP###"},
    ],
}
RECORDS = [(xlam, XLAM), (when2call, SFT), (when2call, PREFERENCE), (when2call, TEST), (bfcl, BFCL), (tau_bench, TAU)]


def read(layout, record):
    return layout.openai_form(record, "calls.jsonl: line 3")


def messages(layout, record):
    return read(layout, record)["messages"]


def refused(layout, record):
    with pytest.raises(UserError) as error:
        read(layout, record)
    assert str(error.value).startswith("calls.jsonl: line 3: ")
    assert "\n" not in str(error.value)
    return str(error.value)


def assistant(content, *calls, **beside):
    return {"role": "assistant", "content": content} | ({"tool_calls": list(calls)} if calls else {}) | beside


def user(content):
    return {"role": "user", "content": content}


@pytest.mark.parametrize(("layout", "record"), RECORDS)
def test_every_layout_knows_its_own_records(layout, record):
    assert [each for each in (xlam, when2call, bfcl, tau_bench) if each.matches(record)] == [layout]


def test_a_conversation_of_xlam():
    assert read(xlam, XLAM) == {
        "tools": [BOOK_SCHEMA],
        "messages": [
            user("Slips for the Vega and, for two days, the Lyra"),
            assistant("", call("book_slip", {"ship": "Vega"}), call("book_slip", {"ship": "Lyra", "days": 2})),
        ],
    }
    lists = XLAM | {"tools": [BOOK], "answers": json.loads(XLAM["answers"])}
    assert read(xlam, lists) == read(xlam, XLAM)


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "properties": {"ship": {"type": "string"}}, "required": ["ship"]},
        {"properties": {"type": {"type": "string"}}},
        {},
        None,
        5,
    ],
)
def test_tools_of_xlam_with_a_schema_stay_as_they_are(parameters):
    tool = {"name": "f", "parameters": parameters}
    [read_tool] = read(xlam, XLAM | {"tools": [tool]})["tools"]
    assert read_tool == (tool if parameters else tool | {"parameters": xlam.with_schema(tool)["parameters"]})
    wrapped = {"type": "function", "function": BOOK_SCHEMA}
    assert read(xlam, XLAM | {"tools": [wrapped]})["tools"] == [wrapped]


def test_parameters_of_xlam_may_have_the_names_of_keywords():
    flat = {"type": {"type": "str"}, "properties": {"type": "List[str]"}, "required": {"type": "bool, optional"}}
    assert xlam.with_schema({"name": "f", "parameters": flat})["parameters"] == {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "properties": {"type": "array", "items": {"type": "string"}},
            "required": {"type": "boolean"},
        },
        "required": ["type", "properties"],
    }


@pytest.mark.parametrize(
    ("written", "schema"),
    [
        ("str", {"type": "string"}),
        ("float", {"type": "number"}),
        ("string", {"type": "string"}),
        ("dict", {"type": "object"}),
        ("Any", {}),
        ("", {}),
        ("List[int]", {"type": "array", "items": {"type": "integer"}}),
        ("list[Any]", {"type": "array", "items": {}}),
        ("List", {"type": "array"}),
        ("Set[str]", {"type": "array", "items": {"type": "string"}}),
        ("List[List[float]]", {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
        ("Dict[str, Any]", {"type": "object"}),
        (
            "Dict[str, List[int]]",
            {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}},
        ),
        ("Tuple[float, float]", {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
        (
            "Tuple[str, int]",
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2, "maxItems": 2},
        ),
        ("Tuple[int, ...]", {"type": "array", "items": {"type": "integer"}}),
        ("Union[int, float]", {"type": "number"}),
        ("Union[str, int, str]", {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ("Union[str, Any]", {}),
        ("Optional[str]", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ("Callable[[float], float]", {"title": "Callable[[float], float]"}),
        ("np.ndarray", {"title": "np.ndarray"}),
        ("List[int", {"title": "List[int"}),
        ("Dict[str]", {"title": "Dict[str]"}),
        ("List[" * 5000 + "]" * 5000, {"title": "List[" * 5000 + "]" * 5000}),
        (f"Union[{'int, ' * 100_000}int]", {"type": "integer"}),
    ],
)
def test_types_of_python_as_schemas(written, schema):
    assert xlam.type_schema(written) == schema


@pytest.mark.parametrize(
    ("parameter", "schema", "required"),
    [
        ({"type": "Dict[str, int]"}, {"type": "object", "additionalProperties": {"type": "integer"}}, True),
        ({"type": "Optional[int]"}, {"anyOf": [{"type": "integer"}, {"type": "null"}]}, False),
        ({"type": "int, optional", "default": ""}, {"type": "integer", "default": ""}, False),
        ({"type": "str", "default": None}, {"type": "string", "default": None}, False),
        ({"type": "str, default='a, b'"}, {"type": "string", "default": "a, b"}, False),
        ({"type": "int, optional, default=5"}, {"type": "integer", "default": 5}, False),
        ({"type": "default=True"}, {"type": "string", "default": True}, False),
        ({"type": "int, default=today()"}, {"type": "integer"}, False),
        ({"type": "str, default='\ud800'"}, {"type": "string"}, False),
        ({"type": "str, " + "default=" * 100_000 + "\ud800"}, {"type": "string"}, False),
        ({"description": "any"}, {"description": "any"}, True),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}, True),
    ],
)
def test_what_is_written_behind_a_type(parameter, schema, required):
    read_tool = xlam.with_schema({"name": "f", "parameters": {"a": parameter}})
    assert read_tool["parameters"] == {"type": "object", "properties": {"a": schema}, "required": ["a"] * required}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (XLAM | {"query": None}, "query: found NoneType, expected a string"),
        (XLAM | {"tools": "["}, "tools: not JSON"),
        (XLAM | {"tools": "{}"}, "tools: found dict, expected a list"),
        (XLAM | {"answers": "none"}, "answers: not JSON"),
        (XLAM | {"answers": "{}"}, "answers.name: found NoneType, expected a string"),
        (XLAM | {"answers": "[]"}, "answers: found no call, expected at least one"),
        (XLAM | {"answers": [5]}, "answers[0]: found int, expected an object"),
        (XLAM | {"answers": [{"arguments": {}}]}, "answers[0].name: found NoneType, expected a string"),
        (XLAM | {"answers": [{"name": "f", "arguments": "["}]}, "answers[0].arguments: not JSON"),
        (XLAM | {"answers": [{"name": "f", "arguments": [1]}]}, "answers[0].arguments: found list, expected an object"),
    ],
)
def test_broken_records_of_xlam_name_the_field(record, message):
    assert message in refused(xlam, record)


def test_conversations_of_when2call():
    tool = BOOK_SCHEMA | {"parameters": {"type": "dict", "properties": BOOK_SCHEMA["parameters"]["properties"]}}
    tool |= {"required": ["ship", "crane"]}
    made = call("book_slip", {"ship": "Vega"})
    assert read(when2call, SFT) == {
        "tools": [tool],
        "messages": [user("A slip for the Vega"), assistant("Gladly.", made)],
    }
    assert read(when2call, PREFERENCE) == {
        "tools": [tool],
        "messages": [user("A slip, please"), assistant("For which ship?")],
    }
    assert read(when2call, TEST) == {"tools": [tool], "messages": [user("A slip for the Vega"), assistant("", made)]}


@pytest.mark.parametrize("kind", ["direct", "request_for_info", "cannot_answer"])
def test_the_right_answer_of_when2call_may_be_text(kind):
    right = messages(when2call, TEST | {"correct_answer": kind})[-1]
    assert right == assistant(TEST["answers"][kind])


@pytest.mark.parametrize(
    "inside",
    [
        '[{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]',
        r'["{\"name\": \"f\", \"arguments\": {\"a\": 1}}", "{\"name\": \"g\", \"arguments\": {}}"]',
    ],
)
def test_calls_of_when2call_may_be_texts_again(inside):
    record = SFT | {"messages": [user("?"), assistant(f"<TOOLCALL>{inside}</TOOLCALL>\n")]}
    assert messages(when2call, record)[1] == assistant("", call("f", {"a": 1}), call("g", {}))


def test_one_call_of_when2call_may_stand_without_a_list():
    record = SFT | {"messages": [user("?"), assistant('<TOOLCALL>{"name": "f"}</TOOLCALL>')]}
    assert messages(when2call, record)[1] == assistant("", call("f", {}))
    assert messages(when2call, PREFERENCE | {"chosen_response": "Which ship?"})[-1] == assistant("Which ship?")


def test_an_answer_of_when2call_with_a_weight_of_0_is_not_learnt():
    turns = [user("?"), assistant("Ahoy", weight=0), user("?"), assistant(TAGGED, loss=False), user("?")]
    last = assistant("Done", loss=1.0)
    weights = [message.get("weight") for message in messages(when2call, SFT | {"messages": [*turns, last]})]
    assert weights == [None, 0, None, 0, None, None]
    assert 'messages[0].weight: found "no"' in refused(when2call, SFT | {"messages": [assistant("x", weight="no")]})


def test_when2call_is_not_openai():
    talk = [user("hi"), assistant("hello")]
    assert not when2call.matches({"messages": talk, "tools": [{"type": "function", "function": BOOK_SCHEMA}]})
    assert not when2call.matches({"messages": [*talk, {"role": "tool", "content": "4"}], "tools": [BOOK_TEXT]})
    assert when2call.matches({"messages": talk, "tools": [json.loads(BOOK_TEXT)]})
    assert when2call.matches({"messages": [user("?"), assistant(TAGGED)], "tools": []})


def wrong(**answers):
    return TEST | {"answers": TEST["answers"] | answers}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (SFT | {"messages": None}, "messages: found NoneType, expected a list"),
        (SFT | {"messages": [5]}, "messages[0]: found int, expected an object"),
        (SFT | {"messages": [{"role": "robot"}]}, 'messages[0].role: found "robot", expected one of system, user'),
        (SFT | {"messages": [user(5)]}, "messages[0].content: found int, expected a string"),
        (SFT | {"messages": [user("x") | {"image": "a.png"}]}, "messages[0].image: unknown, expected one of role, con"),
        (SFT | {"messages": [assistant("")]}, "messages[0].content: found nothing, expected text or calls"),
        (SFT | {"messages": [assistant("<TOOLCALL>[")]}, "messages[0].content: found <TOOLCALL> with no </TOOLCALL>"),
        (SFT | {"messages": [assistant(TAGGED + " Done.")]}, "messages[0].content: found <TOOLCALL> with no </TOOL"),
        (SFT | {"messages": [assistant("<TOOLCALL>[]</TOOLCALL>")]}, "messages[0].content: found no call, expected"),
        (SFT | {"messages": [assistant("<TOOLCALL>[f()]</TOOLCALL>")]}, "messages[0].content: not JSON"),
        (SFT | {"messages": [assistant("<TOOLCALL>[5]</TOOLCALL>")]}, "messages[0].content[0]: found int"),
        (SFT | {"tools": ["{"]}, "tools[0]: not JSON"),
        (SFT | {"tools": 5}, "tools: found int, expected a list"),
        (PREFERENCE | {"chosen_response": None}, "chosen_response: found NoneType, expected an object"),
        (PREFERENCE | {"chosen_response": user("x")}, 'chosen_response.role: found "user", expected one of assistant'),
        (TEST | {"correct_answer": "none"}, 'correct_answer: found "none", expected one of direct, tool_call'),
        (TEST | {"answers": []}, "answers: found list, expected an object"),
        (TEST | {"question": None}, "question: found NoneType, expected a string"),
        (TEST | {"correct_answer": "direct", "answers": {}}, "answers.direct: found NoneType, expected a string"),
        (wrong(tool_call="{"), "answers.tool_call: not JSON"),
        (wrong(tool_call=None), "answers.tool_call: found NoneType, expected an object"),
        (wrong(tool_call={"name": "f", "arguments": 5}), "answers.tool_call.arguments: found int"),
    ],
)
def test_broken_records_of_when2call_name_the_field(record, message):
    assert message in refused(when2call, record)


def truth(**arguments):
    """The call that is read where these arguments are the acceptable ones."""
    record = QUESTION | {"ground_truth": [{"dock.enter": arguments}]}
    [made] = messages(bfcl, record)[-1]["tool_calls"]
    return made


def test_a_task_of_the_leaderboard():
    assert read(bfcl, BFCL) == {
        "tools": [DOCK],
        "messages": [
            {"role": "system", "content": "Be brief."},
            user("Let the Vega in"),
            assistant(
                "",
                call("dock.enter", {"ship": "Vega", "gate": 2})
                | {"alternatives": {"ship": ["Vega", "MS Vega"]}, "optional": ["gate"]},
            ),
        ],
    }
    two = QUESTION | {"ground_truth": [{"dock.enter": {"ship": ["Vega"]}}, {"dock.enter": {"ship": ["Lyra"]}}]}
    calls = [call("dock.enter", {"ship": "Vega"}), call("dock.enter", {"ship": "Lyra"})]
    assert messages(bfcl, two)[-1] == assistant("", *calls)


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        ({"ship": ["", "Vega"]}, call("dock.enter", {"ship": ""}) | {"alternatives": {"ship": ["", "Vega"]}}),
        ({"gate": ["", 1]}, call("dock.enter", {})),
        ({"gate": [1, ""]}, call("dock.enter", {"gate": 1}) | {"optional": ["gate"]}),
        ({"gate": ["", 2]}, call("dock.enter", {"gate": 2}) | {"optional": ["gate"]}),
        ({"tug": [""]}, call("dock.enter", {})),
        (
            {"tug": ["Bo", ""]},
            call("dock.enter", {"tug": "Bo"}) | {"alternatives": {"tug": ["Bo", ""]}, "optional": ["tug"]},
        ),
        ({"note": ["", "late"]}, call("dock.enter", {"note": "late"}) | {"optional": ["note"]}),
        ({"pilot": ["", "Bo"]}, call("dock.enter", {})),
        ({"pilot": ["Bo"]}, call("dock.enter", {"pilot": "Bo"})),
        ({"gate": [2, 2, True, 1]}, call("dock.enter", {"gate": 2}) | {"alternatives": {"gate": [2, True, 1]}}),
        ({"crew": [{"mate": ["Bo"]}]}, call("dock.enter", {"crew": {"mate": "Bo"}})),
        ({"crew": [{"mate": [""], "cook": [""]}]}, call("dock.enter", {"crew": {"mate": ""}})),
        ({"crew": [{"mate": "Bo", "at": [[1, 2]]}]}, call("dock.enter", {"crew": {"mate": "Bo", "at": [1, 2]}})),
        (
            {"crew": [{"mate": ["Bo", "B."], "cook": ["Al", ""]}, ""]},
            call("dock.enter", {"crew": {"mate": "Bo", "cook": "Al"}})
            | {
                "alternatives": {
                    "crew": [
                        {"mate": "Bo", "cook": "Al"},
                        {"mate": "B.", "cook": "Al"},
                        {"mate": "Bo"},
                        {"mate": "B."},
                    ]
                },
                "optional": ["crew"],
            },
        ),
        (
            {"note": [[{"a": [1, 2]}, "x"], ["y"]]},
            call("dock.enter", {"note": [{"a": 1}, "x"]})
            | {"alternatives": {"note": [[{"a": 1}, "x"], [{"a": 2}, "x"], ["y"]]}},
        ),
    ],
)
def test_acceptable_values_of_the_leaderboard(arguments, made):
    assert truth(**arguments) == made


def test_alternatives_are_bounded_with_the_nearest_to_the_preferred_one_first():
    many = {letter: [0, 1, ""] for letter in "abcdefghijklmnopqrstuvwxyz"}
    values = truth(crew=[many, ""])["alternatives"]["crew"]
    assert len(values) == 64
    assert values[0] == dict.fromkeys(many, 0)
    assert values[1] == values[0] | {"a": 1}
    assert values[52] == {key: 0 for key in many if key != "z"}
    assert truth(crew=[many, ""])["optional"] == ["crew"]


def test_irrelevance_of_the_leaderboard_is_a_refusal():
    said = messages(bfcl, QUESTION | {"id": "live_irrelevance_0-0-0"})[-1]
    assert said == assistant(bfcl.REFUSAL)
    assert text_share(bfcl.REFUSAL, Reference(Kind.REFUSAL)) == 1.0


def test_turns_before_the_question_of_the_leaderboard_are_not_learnt():
    turns = [user("Hi"), assistant("Ahoy"), user("Let the Vega in")]
    before = messages(bfcl, BFCL | {"question": [turns]})[:3]
    assert before == [user("Hi"), assistant("Ahoy", weight=0), user("Let the Vega in")]


def test_questions_and_possible_answers_are_joined_by_their_ids():
    other = QUESTION | {"id": "irrelevance_1"}
    answer = {"id": QUESTION["id"], "ground_truth": BFCL["ground_truth"], "source": "x"}
    assert bfcl.joined([other, QUESTION], [answer], "data") == [other, BFCL]
    for questions, answers, message in [
        ([QUESTION, QUESTION], [], r'data: questions\[1\]\.id: found "live_simple_0-0-0" again'),
        ([other], [answer], r'data: answers: id "live_simple_0-0-0": found no question'),
        ([other, 5], [], r"data: questions\[1\]: found int, expected an object"),
        ([other], [{"id": 5}], r"data: answers\[0\]\.id: found int, expected a string"),
    ]:
        with pytest.raises(UserError, match=message):
            bfcl.joined(questions, answers, "data")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (BFCL | {"id": 5}, "id: found int, expected a string"),
        (BFCL | {"id": "live_relevance_0-0-0"}, "found relevance, which says that some call is right but not which"),
        (BFCL | {"id": "multi_turn_base_0"}, "found a record of several turns"),
        (BFCL | {"question": [[user("a")], [user("b")]]}, "found a record of several turns"),
        (BFCL | {"id": "memory_0-customer-0"}, "found a record for agents"),
        (BFCL | {"id": "x", "involved_classes": ["A"]}, "found a record for agents"),
        (QUESTION, 'ground_truth: missing, expected the possible answer with id "live_simple_0-0-0"'),
        (BFCL | {"function": DOCK}, "function: found dict, expected a list"),
        (BFCL | {"question": "Let the Vega in"}, "question: found str, expected a list"),
        (BFCL | {"question": [user("x")]}, "question[0]: found dict, expected a list"),
        (BFCL | {"question": [[{"role": "tool"}]]}, 'question[0][0].role: found "tool", expected one of system, user'),
        (BFCL | {"question": [[user(None) | {"image": "x"}]]}, "question[0][0].image: unknown"),
        (BFCL | {"ground_truth": "dock.enter()"}, "ground_truth: found str, expected a list"),
        (BFCL | {"ground_truth": []}, "ground_truth: found no call, expected at least one"),
        (BFCL | {"ground_truth": ["dock.enter()"]}, "ground_truth[0]: found str, expected an object"),
        (BFCL | {"ground_truth": [{"f": {}, "g": {}}]}, "ground_truth[0]: found 2 names, expected one function"),
        (BFCL | {"ground_truth": [{"dock.enter": []}]}, "ground_truth[0].dock.enter: found list, expected an object"),
        (BFCL | {"ground_truth": [{"f": {"a": 1}}]}, "ground_truth[0].f.a: found int, expected a list"),
        (BFCL | {"ground_truth": [{"f": {"a": []}}]}, "ground_truth[0].f.a: found no value that the argument can have"),
        (BFCL | {"ground_truth": [{"f": {"a": [{"b\n": []}]}}]}, "ground_truth[0].f.a[0].b: found no value"),
    ],
)
def test_broken_records_of_the_leaderboard_name_the_field(record, message):
    assert message in refused(bfcl, record)


def test_agents_and_several_turns_are_records_of_the_leaderboard_that_are_refused():
    agents = {"id": "web_search_1", "question": [[user("Who?")]], "involved_classes": ["WebSearchAPI"]}
    assert bfcl.matches(agents)
    assert "found a record for agents" in refused(bfcl, agents)


def test_an_episode_of_tau_bench():
    assert read(tau_bench, TAU) == {
        "tools": TAU["tools"],
        "messages": [
            {"role": "system", "content": "# Policy of the yard"},
            user("A slip for the Vega"),
            assistant("", call("book_slip", {"ship": "Vega"}, id="c")),
            {"role": "tool", "tool_call_id": "c", "name": "book_slip", "content": '{"slip": 4}'},
            assistant("She has slip 4."),
        ],
    }
    inside = TAU | {"tools": None, "info": {"tools": TAU["tools"]}}
    assert read(tau_bench, inside) == read(tau_bench, TAU)


def episode(**message):
    return TAU | {"traj": [message]}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (TAU | {"reward": 0.0}, "reward: found 0.0: the episode failed, nothing to learn"),
        (TAU | {"reward": float("nan")}, "reward: found nan: the episode failed"),
        (TAU | {"reward": None}, "reward: found null, expected a number"),
        (TAU | {"reward": True}, "reward: found true, expected a number"),
        (TAU | {"tools": None}, "tools: found none: trajectories of tau-bench hold no tools, expected the domain's"),
        (TAU | {"tools": None, "info": {"tools": 5}}, "info: tools: found int, expected a list"),
        (TAU | {"traj": None}, "traj: found NoneType, expected a list"),
        (TAU | {"traj": ["hi"]}, "traj[0]: found str, expected an object"),
        (episode(role="robot"), 'traj[0].role: found "robot", expected one of system, user, assistant, tool'),
        (episode(role="user", content=5), "traj[0].content: found int, expected a string"),
        (episode(role="assistant", content=""), "traj[0].content: found nothing, expected text or calls"),
        (episode(role="assistant", function_call={"name": "f"}), "traj[0].function_call: unknown, expected one of"),
        (episode(role="assistant", tool_calls={}), "traj[0].tool_calls: found dict, expected a list"),
        (episode(role="assistant", tool_calls=[5]), "traj[0].tool_calls[0]: found int, expected an object"),
        (episode(role="assistant", tool_calls=[{}]), "traj[0].tool_calls[0].name: found NoneType"),
        (
            episode(role="assistant", tool_calls=[{"function": {"name": "f", "arguments": "["}}]),
            "traj[0].tool_calls[0].function.arguments: not JSON",
        ),
    ],
)
def test_broken_records_of_tau_bench_name_the_field(record, message):
    assert message in refused(tau_bench, record)


@pytest.mark.parametrize(("layout", "record"), RECORDS)
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_record_is_read_or_refused(layout, record, data):
    assert is_read_or_refused(layout, data.draw(damaged(record)))
