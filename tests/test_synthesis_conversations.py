"""A user's own conversations: the tasks they give, their splits, what is left out, and what is said of it."""

import json
import re
from pathlib import Path

import pytest
from conversation_fakes import CITY, PING, SIZES, call, parted, read, talk, user, weather, written

from itool.errors import UserError
from itool.formats import read_conversations
from itool.formats.notes import Notes
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.toolcall.types import Kind
from stages.synthesis.conversations import HeldOut, learn_from, own_held_out
from stages.synthesis.lengths import Limits
from stages.synthesis.verify import Rejection

ROOT = Path(__file__).parents[1]
NOTHING = HeldOut()


@pytest.fixture(scope="module")
def short():
    """A model that takes 200 tokens."""
    return Limits(Prompter(load_tokenizer(ROOT / "data/base"), "pythonic", 200), 128)


def test_every_assistant_turn_is_a_task(tmp_path, short):
    result = {"role": "tool", "tool_call_id": "c1", "content": '{"degrees": 21, "sky": "clear"}'}
    report = {"role": "assistant", "content": "It is clear and 21 degrees."}
    ask = {"role": "assistant", "content": "For which city?"}
    path = written(
        tmp_path,
        talk(
            {"role": "system", "content": "Be brief."},
            user("Weather in Oslo"),
            call('{"city": "Oslo"}'),
            result,
            report,
        ),
        "",
        talk(user("weather?"), ask, user("Oslo"), call({"city": "Oslo"})),
        talk(user("sing"), {"role": "assistant", "content": "Sorry, I cannot do that."}),
    )
    tasks = read(path)
    assert [(t.task_id, t.reference.kind) for t in tasks] == [
        ("user-00001-2", Kind.CALLS),
        ("user-00001-4", Kind.REPORT),
        ("user-00002-1", Kind.QUESTION),
        ("user-00002-3", Kind.CALLS),
        ("user-00003-1", Kind.REFUSAL),
    ]
    assert tasks[0].reference.calls[0].arguments == {"city": ["Oslo"]}
    assert tasks[1].reference.values == ("21", "clear")
    assert tasks[1].messages[2]["tool_calls"][0]["function"]["arguments"] == {"city": "Oslo"}
    assert tasks[2].reference.parameters == (("get_weather", "city"),)
    kept, rejected = parted(tasks, short)
    assert kept == tasks
    assert rejected == []


def test_only_one_call_with_one_tool_is_simple(tmp_path):
    once, twice = call({"city": "Oslo"}), call({"city": "Oslo"})
    twice["tool_calls"] *= 2
    path = written(
        tmp_path,
        talk(user("Oslo"), once, user("and then?"), twice),
        talk(user("sing"), {"role": "assistant", "content": "I cannot."}),
        talk(user("Oslo"), once) | {"tools": [CITY, PING]},
    )
    assert [t.complex for t in read(path)] == [False, True, True, True]


def test_parts_of_text_are_joined_and_a_developer_is_the_system(tmp_path):
    parts = [{"type": "text", "text": "Weather"}, {"type": "text", "text": "in Oslo"}]
    path = written(tmp_path, talk({"role": "developer", "content": "Be brief."}, user(parts), call({"city": "Oslo"})))
    [task] = read(path)
    assert task.messages == (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather\nin Oslo"},
    )


def test_a_result_that_no_reader_of_json_takes_is_text(tmp_path):
    for content in ("[" * 500 + "]" * 500, "[" * 100_000, "1" * 5000):
        result, report = ({"role": role, "content": content} for role in ("tool", "assistant"))
        path = written(tmp_path, talk(user("x"), call({"city": "Oslo"}), result, report))
        assert read(path)[1].reference.values == (content,)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("From which start date?", ("startDate",)),
        ("Which startDate, and in which city?", ("startDate", "city")),
        ("In which city did it happen?", ("city",)),
        ("Your city is noted, ok?", ()),
        ("I cannot do that. Which city would help?", ("city",)),
    ],
)
def test_a_question_asks_by_the_checkers_own_rules(tmp_path, short, text, asked):
    fields = {name: {"type": "string"} for name in ("startDate", "id", "city")}
    tool = CITY | {"parameters": {"type": "object", "properties": fields, "required": [*fields]}}
    path = written(tmp_path, {"tools": [tool], "messages": [user("x"), {"role": "assistant", "content": text}]})
    [task] = read(path)
    assert [name for _, name in task.reference.parameters] == [name for name in fields if name in asked]
    assert task.reference.kind is (Kind.QUESTION if asked else Kind.UNJUDGED)


def test_a_report_tells_of_all_results_by_the_checkers_own_rules(tmp_path, short):
    twice = call({"city": "Oslo"})
    twice["tool_calls"] *= 2
    results = [
        {"role": "tool", "tool_call_id": "c1", "content": json.dumps(result)}
        for result in ({"order": "A1", "city": "Lyon", "count": 1}, {"order": "A2", "city": "Porto", "total": 1200.5})
    ]
    report = {"role": "assistant", "content": "A1 is in Lyon and A2 in Porto, for $1,200.50 in all."}
    path = written(tmp_path, talk(user("x"), twice, *results, report))
    task = read(path)[1]
    assert task.reference.values == ("A1", "Lyon", "A2", "Porto", "1200.5")
    assert parted([task], short)[0] == [task]


def test_turns_have_the_scenario_whose_shape_they_have(tmp_path):
    once, twice, other = call({"city": "Oslo"}), call({"city": "Oslo"}), call({})
    twice["tool_calls"] *= 2
    other["tool_calls"] = once["tool_calls"] + call({}, name="ping")["tool_calls"]
    result = {"role": "tool", "tool_call_id": "c1", "content": '{"city": "Bergen"}'}
    path = written(
        tmp_path,
        talk({"role": "system", "content": "Be brief."}, user("Oslo"), once, user("and then?"), once),
        talk(user("Oslo"), twice) | {"tools": [CITY, PING]},
        talk(user("Oslo"), other) | {"tools": [CITY, PING]},
        talk(user("Oslo"), once) | {"tools": [CITY, PING]},
        talk(user("Oslo"), once, result, once, result, {"role": "assistant", "content": "Bergen."}),
        talk(user("weather?"), {"role": "assistant", "content": "For which city?"}),
        talk(user("sing"), {"role": "assistant", "content": "I cannot."}),
    )
    scenarios = [t.scenario for t in read(path)]
    assert scenarios[:5] == ["single", "multi_turn", "parallel", "parallel_multiple", "multiple"]
    assert scenarios[5:] == ["single", "dependent", "report", "missing_parameter", "irrelevant"]


def test_unfit_and_repeated_turns_are_rejected_with_reason(tmp_path, short):
    path = written(
        tmp_path,
        talk(user("weather"), call({"city": 5})),
        talk(user("weather"), call({}, name="get_news")),
        talk(user("Oslo"), call({"city": "Oslo"})),
        talk(user("Oslo"), call({"city": "Oslo"})),
        talk(user("so long " * 100), call({"city": "Oslo"})),
    )
    kept, rejected = parted(read(path), short)
    assert [t.task_id for t in kept] == ["user-00003-1"]
    assert [r.reason for r in rejected] == [
        "argument against schema",
        "unknown tool",
        "exact",
        "does not fit the model",
    ]
    assert rejected[-1].detail.startswith("user-00005-1: ")
    assert rejected[-1].detail.endswith("tokens, expected at most model.max_length = 200")


@pytest.mark.parametrize(
    "messages",
    [
        [user("hi"), {"role": "assistant", "content": "Hello!"}],
        [user("bye"), {"role": "assistant", "content": "Is there anything else?"}],
        [user("How do planes fly?"), {"role": "assistant", "content": "A plane cannot fly without lift."}],
        [user("Wetter?"), {"role": "assistant", "content": "Das kann ich leider nicht."}],
        [
            *(user("Oslo"), call({"city": "Oslo"}), {"role": "tool", "content": '{"status": "ok"}'}),
            {"role": "assistant", "content": "Done, the lamp is on."},
        ],
    ],
)
def test_text_that_no_rule_can_judge_is_learnt_and_never_measured(tmp_path, short, messages):
    path = written(tmp_path, talk(*messages))
    learnt = read(path, {"explore": 1})
    assert (learnt[-1].reference.kind, learnt[-1].split) == (Kind.UNJUDGED, "train")
    assert parted(learnt, short)[0][-1] == learnt[-1]
    measured = read(path, {"validation": 1})
    assert measured[-1].split == "validation"
    assert parted(measured, short)[1][-1].reason == "text that no rule can judge"


def test_splits_depend_on_the_line_alone_and_keep_held_out_tools_apart(tmp_path):
    lines = [talk(weather(i), call({"city": "Oslo"})) for i in range(300)]
    splits = {t.messages[0]["content"]: t.split for t in read(written(tmp_path, *lines), SIZES)}
    again = {t.messages[0]["content"]: t.split for t in read(written(tmp_path, *lines[::-1]), SIZES)}
    assert splits == again
    counts = {split: list(splits.values()).count(split) for split in SIZES}
    assert 140 < counts["train"] < 220
    assert all(counts.values())
    held = read(written(tmp_path, *lines[:5]), SIZES, {"get_weather"})
    assert {t.split for t in held} == {"test_unseen"}
    own = read(written(tmp_path, *lines[:5]), SIZES, set(), {"get_weather"})
    assert {t.split for t in own} == {"validation"}


def test_near_duplicates_are_in_one_split_and_repetitions_are_dropped(tmp_path, caplog, short):
    """Training on nine and testing on the tenth of the same request would measure what was memorised."""
    caplog.set_level("INFO")
    asked = [
        f"Please tell me what the weather of the {place} is like on the morning of day {day}, thanks"
        for place in ("city", "town by the river", "old village", "harbour", "northern coast", "airport")
        for day in range(40)
    ]
    lines = [talk(user(text), call({"city": "Oslo"})) for text in [*asked, *asked[:5]]]
    tasks = read(written(tmp_path, *lines))
    places = {text: set() for text in asked}
    for task in tasks:
        places[task.messages[0]["content"]].add(task.split)
    splits = {place: set().union(*list(places.values())[40 * at : 40 * at + 40]) for at, place in enumerate("abcdef")}
    assert {len(found) for found in splits.values()} == {1}
    assert len(set().union(*splits.values())) > 1
    assert "conversations: 239 say nearly what others do and share their split; at most 45 are alike" in caplog.text
    backwards = read(written(tmp_path, *lines[::-1]))
    assert [task.split for task in backwards] == [task.split for task in tasks][::-1]
    rejected = parted(tasks, short)[1]
    assert [(each.layer, each.reason) for each in rejected] == [("duplicate", "exact")] * 5


def test_near_duplicates_of_what_shows_a_held_out_tool_are_not_learnt_from(tmp_path):
    lines = [talk(user("Weather, please"), call({"city": "Oslo"})) | {"tools": [CITY, *more]} for more in ([], [PING])]
    path = written(tmp_path, *lines, talk(user("News"), call({"city": "Oslo"})))
    assert [task.split for task in read(path, {"train": 1}, {"ping"})] == ["test_unseen", "test_unseen", "train"]
    assert [task.split for task in read(path, {"train": 1}, set(), {"ping"})] == ["validation", "validation", "train"]


def test_text_in_another_language_is_told_of(tmp_path):
    for text, told in (
        ("Das kann ich leider nicht.", 1),
        ("Nein.", 0),
        ("A plane needs lift.", 0),
        ("こんにちは 世界 です ね", 1),
    ):
        notes = Notes()
        read(written(tmp_path, talk(user("x"), {"role": "assistant", "content": text})), notes=notes)
        assert notes.left_out["judgement of text that is not English"] == told


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["messages"][1]["tool_calls"][0]["function"].update(
            arguments='"{\\"city\\": \\"Oslo\\"}"'
        ),
        lambda record: record["messages"][2].update(role="ipython"),
        lambda record: record["messages"][3].update(content=None, refusal="It is 21 degrees."),
        lambda record: record["messages"][3].update(content=[{"type": "refusal", "refusal": "It is 21 degrees."}]),
        lambda record: record["messages"][2].update(content=[{"type": "text", "text": '{"degrees": 21}'}]),
        lambda record: record.update(messages=json.dumps(record["messages"]), tools=json.dumps(record["tools"])),
        lambda record: record["messages"].insert(2, record["messages"][1] | {"train": False}),
        lambda record: record["messages"][1].update(function_call=None, audio=None),
    ],
)
def test_ways_of_writing_the_same_conversation(tmp_path, change):
    result = {"role": "tool", "tool_call_id": "c1", "content": '{"degrees": 21}'}
    report = {"role": "assistant", "content": "It is 21 degrees."}
    record = talk(user("Weather"), call({"city": "Oslo"}), result, report)
    change(record)
    calls, told = read(written(tmp_path, "\ufeff" + json.dumps(record)))
    assert calls.reference.calls[0].arguments == {"city": ["Oslo"]}
    assert (told.reference.values, told.reference.text) == (("21",), "It is 21 degrees.")


def test_a_place_counts_the_messages_of_the_file(tmp_path):
    notes = Notes()
    path = written(tmp_path, talk(user("x"), call({"city": "Oslo"})), talk(user(5)) | {"system": "Be brief."})
    read(path, notes=notes)
    assert "line 2: messages[0].content: found int" in notes.first("broken conversation")[0]


def test_an_unknown_format_is_named(tmp_path):
    path = written(tmp_path, talk(weather(1), call({"city": "Oslo"})))
    with pytest.raises(UserError, match=r"params.yaml: synthesis.format: found 'csv', expected one of auto, "):
        list(read_conversations(path, "csv", Notes()))


def learnt(path, limits, sizes=SIZES, held=NOTHING):
    """The tasks that synthesis takes from a file, and the rejections."""
    results = list(learn_from(str(path), "auto", {}, sizes, held, limits))
    rejected = [result for result in results if isinstance(result, Rejection)]
    return [result for result in results if not isinstance(result, Rejection)], rejected


def test_conversations_that_all_show_a_held_out_tool_are_warned_about(tmp_path, caplog, short):
    caplog.set_level("INFO")
    path = written(tmp_path, *(talk(weather(i), call({"city": "Oslo"})) for i in range(20)))
    learnt(path, short)
    assert {record.levelname for record in caplog.records} == {"INFO"}
    caplog.clear()
    learnt(path, short, held=HeldOut(unseen={"get_weather"}))
    assert "test_unseen 20" in caplog.records[1].getMessage()
    assert "100% of them show a held-out tool" in caplog.records[2].getMessage()


def test_of_a_source_in_a_folder_a_share_is_taken(tmp_path):
    for name in ("mine", "theirs"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(talk(weather(i), call({}))) for i in range(300)))
    tasks = list(read_conversations(tmp_path, "auto", Notes(), {"theirs.jsonl": 0.5}))
    assert 430 < len(tasks) < 470
    with pytest.raises(
        UserError, match=r"synthesis\.sources: found 'ours', expected one of mine\.jsonl, theirs\.jsonl"
    ):
        list(read_conversations(tmp_path, "auto", Notes(), {"ours": 0.5}))


def test_own_tools_are_held_out_by_the_share_of_conversations_that_show_them():
    shown = [frozenset({f"tool_{number % 20}", f"other_{number % 7}"}) for number in range(400)]
    for share in (0.1, 0.3):
        held = own_held_out(shown, share, set())
        covered = sum(not held.isdisjoint(names) for names in shown) / len(shown)
        assert 0 < covered <= share
        assert own_held_out(shown[::-1], share, set()) == held
        assert own_held_out(shown, share, held).isdisjoint(held)
    assert own_held_out([frozenset({"same"})] * 10, 0.2, set()) == set()
    assert own_held_out(shown, 0.0, set()) == set()


def test_held_out_own_tools_are_in_the_unseen_split_alone(tmp_path, short):
    tools = [CITY | {"name": f"weather_{number}"} for number in range(10)]
    talks = [
        {"tools": [tools[i % 10]], "messages": [weather(i), call({"city": "Oslo"}, name=f"weather_{i % 10}")]}
        for i in range(200)
    ]
    tasks, _ = learnt(written(tmp_path, *talks), short, held=HeldOut(unseen_share=0.2, validation_share=0.1))
    names = {split: {t.tools[0].name for t in tasks if t.split == split} for split in {t.split for t in tasks}}
    assert len(names["test_unseen"]) == 2
    assert names["test_unseen"].isdisjoint(names["train"] | names["validation"] | names["test_seen"])
    assert len(names["validation"] - names["train"]) == 1


def test_conversations_that_chance_sent_to_the_tests_are_warned_about(tmp_path, caplog, short):
    path = written(tmp_path, talk(user("Weather"), call({"city": "Oslo"})))
    learnt(path, short, {"train": 0, "validation": 10})
    [record] = caplog.records
    assert "held-out" not in record.getMessage()
    assert "give more conversations or raise synthesis.train" in record.getMessage()


def test_what_became_of_conversations_is_told(tmp_path, caplog, short):
    caplog.set_level("INFO")
    path = written(
        tmp_path,
        *[talk(weather(i), call({"city": "Oslo"})) for i in (1, 2, 3, 3)],
        *[talk(user(f"Weather {i}"), call({"city": i})) for i in range(2)],
        {"tools": [CITY], "messages": [{"role": "robot"}]},
    )
    kept, rejected = learnt(path, short)
    assert (len(kept), len(rejected)) == (3, 3)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("conversations: 2 say nearly what others do")
    assert said[1] == (
        "conversations: 6 assistant turns, 3 kept, 3 rejected "
        "(argument against schema: 2, duplicate: 1; see rejected.parquet)"
    )
    assert said[-1].startswith(f"{path}: broken: broken conversation 1; {path}: line 7: ")


def test_conversations_that_give_no_task_are_an_error(tmp_path, caplog, short):
    caplog.set_level("INFO")
    assert learnt(written(tmp_path, "", " "), short) == ([], [])
    assert caplog.records == []
    with pytest.raises(UserError, match=r"talks.jsonl: found no assistant turn with tools after another message"):
        learnt(written(tmp_path, talk(user("hi"))), short)
    wrong = talk(user("hi"), call({"city": 5}))
    message = r"talks.jsonl: 1 assistant turns, 0 kept, 1 rejected \(argument against schema: 1\), .*user-00001-1: "
    with pytest.raises(UserError, match=message):
        learnt(written(tmp_path, wrong), short)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"talks.jsonl: line 2: not JSON: .* at line 1, column 2"),
        ("[]", r"line 2: found list"),
        ({"messages": [user("x"), call({})]}, r"line 2: tools: found none, expected those that messages\[1\] calls"),
        ({"tools": [CITY]}, r"line 2: found an object with tools, expected a conversation"),
        ({"tools": 5, "messages": []}, r"line 2: tools: found int, expected a list"),
        ({"tools": [{"name": "a b"}], "messages": []}, r"line 2: tool .*name"),
        (talk({"role": "robot", "content": ""}), r"line 2: messages\[0\]\.role: found 'robot'"),
        (talk({"role": "user", "content": 5}), r"line 2: messages\[0\]\.content: found int"),
        (talk(user("x"), {"role": "assistant", "content": ""}), r"line 2: messages\[1\]\.content: found nothing"),
        (talk(user("x"), call("{oops")), r"line 2: messages\[1\]\.tool_calls\[0\]\.function\.arguments: not JSON"),
        (talk(user("x"), call("[1]")), r"tool_calls\[0\]\.function\.arguments: found list"),
        (talk(user("x"), call('{"city": NaN}')), r"line 2: found NaN or an infinite number"),
        (talk(user("x"), call('{"city": 1e999}')), r"line 2: found NaN or an infinite number"),
        (talk(user("half \ud83d"), call({"city": "Oslo"})), r"line 2: found half of a surrogate pair"),
        ("[" * 100_000, r"line 2: found JSON nested deeper than 64 levels"),
        ('{"a": ' + "[" * 500 + "]" * 500 + "}", r"line 2: found JSON nested deeper than 64 levels"),
        ('{"a": ' + "1" * 5000 + "}", r"line 2: not JSON: a number of too many digits"),
        (talk(user("x"), call("[" * 100_000)), r"line 2: messages\[1\].*\.arguments: found JSON nested deeper"),
        (talk(user("x"), call("1" * 5000)), r"function\.arguments: not JSON: a number of too many digits"),
        (
            {"tools": [CITY, CITY | {"description": "x"}], "messages": []},
            r"line 2: tool get_weather: name: given twice with different contents",
        ),
        (
            talk(user([{"type": "text", "text": "x"}, {"type": "image_url"}])),
            r"content\[1\]: found image_url, expected",
        ),
        (talk(user([{"type": "text"}])), r"content\[0\]\.text: found NoneType, expected a string"),
        (talk(user(["x"])), r"messages\[0\]\.content\[0\]: found str, expected .*text"),
        (talk(user("x"), call({}, name=5)), r"tool_calls\[0\]\.function\.name: missing"),
    ],
)
def test_broken_conversations_name_file_line_and_field(tmp_path, line, message):
    """They are left out and named, and the others are read; where there are no others, they are an error."""
    notes = Notes()
    path = written(tmp_path, talk(user("Oslo"), call({"city": "Oslo"})), line)
    assert len(read(path, notes=notes)) == 1
    assert notes.broken.total() == 1
    [said] = [line for kind in notes.broken for line in notes.first(kind)]
    assert re.search(message, said)
    with pytest.raises(UserError, match=re.escape(said.split(": ", 2)[-1])):
        read(written(tmp_path, talk(user("x")), line))


def test_a_line_separator_in_a_text_ends_no_line(tmp_path):
    path = tmp_path / "talks.jsonl"
    path.write_text(json.dumps(talk(user("a\u2028b"), call({"city": "Oslo"})), ensure_ascii=False) + "\n")
    [task] = read(path)
    assert task.messages[0]["content"] == "a\u2028b"


def test_missing_conversations_file(tmp_path):
    with pytest.raises(UserError, match=r"none\.jsonl: No such file"):
        read(tmp_path / "none.jsonl", SIZES)
