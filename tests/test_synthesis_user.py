"""A user's own tools without phrases, own phrases, own conversations, and what is said when they are broken."""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from itool.artifacts import TASKS, read_table, read_tasks, row_task
from itool.errors import UserError
from itool.formats import read_conversations
from itool.params import Synthesis
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.toolcall.types import Kind
from stages.synthesis import generic
from stages.synthesis.conversations import accepted, learn_from, tell_splits, with_splits
from stages.synthesis.generate import synthesise
from stages.synthesis.lengths import Limits
from stages.synthesis.pool import load_pool
from stages.synthesis.programs import hold_out, rosters
from stages.synthesis.run import run
from stages.synthesis.scenarios import SCENARIOS
from stages.synthesis.verify import verify

ROOT = Path(__file__).parents[1]
SIZES = {"train": 60, "explore": 20, "validation": 10, "test_seen": 10}
INVOICE = {
    "name": "create_invoice",
    "description": "Create an invoice. Sends no mail.",
    "parameters": {
        "type": "object",
        "properties": {
            "customer_name": {"type": "string"},
            "amount": {"type": "number", "minimum": 5, "maximum": 50},
            "due_date": {"type": "string", "format": "date"},
            "kind": {"type": "string", "enum": ["final", "part"]},
            "paid": {"type": "boolean"},
            "lines": {
                "type": "array",
                "items": {"type": "object", "properties": {"product": {"type": "string"}}, "required": ["product"]},
            },
            "tags": {"type": "array", "items": {"type": "string"}},
            "parts": {
                "type": "array",
                "items": {"type": ["object", "null"], "properties": {"name": {"type": "string"}}},
            },
            "colors": {"type": "array", "items": {"type": "string", "enum": ["red", "blue"]}},
            "offset": {"type": "integer", "minimum": -10, "maximum": -5},
            "share": {"type": "number", "maximum": 0.5},
            "depth": {"type": "integer", "maximum": -1.5},
            "steps": {"type": ["integer", "null"], "minimum": 2.5},
            "rank": {"type": "integer", "exclusiveMinimum": 2, "exclusiveMaximum": 9},
            "ratio": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "codes": {"type": "array", "items": {"type": "integer"}, "minItems": 3},
            "pick": {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            "unit": {"type": "string", "const": "cm"},
            "grid": {"type": "array", "items": {"type": "array", "items": {"type": "object"}}},
            "address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            "note": {"type": ["string", "null"], "default": None},
        },
        "required": ["customer_name", "amount", "due_date"],
    },
}
LOOKUP = {
    "type": "function",
    "function": {
        "name": "get_invoice",
        "description": "",
        "parameters": {"type": "object", "properties": {"invoice_id": {"type": "string"}}, "required": ["invoice_id"]},
    },
}
PING = {"name": "ping", "description": "ping the server"}
CITY = {
    "name": "get_weather",
    "description": "weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


LINK = {"from": "get_weather", "to": "get_weather", "parameter": "city", "field": "city", "phrases": {}}
FREE = {
    "name": "tag_record",
    "description": "tag a record",
    "parameters": {
        "type": "object",
        "properties": {"record": {"type": "string"}, "tags": {"type": "object", "properties": {}}},
        "required": ["record"],
    },
}


def params(**changes):
    sizes = {"train": 30, "explore": 0, "validation": 10, "test_seen": 10, "test_unseen": 10}
    fields = {
        "seed": 1,
        "tools": "x",
        "conversations": "x",
        "format": "openai",
        "simulate": True,
        "train_wording": 0.5,
        "new_wording": 0.5,
        "typos": 0.3,
        "unseen_tools": 0.3,
        "validation_tools": 0.0,
        "max_tools": 3,
        "train_irrelevant": 1.0,
    }
    return Synthesis(**{**fields, **sizes, "mixture": dict.fromkeys(SCENARIOS, 1.0), **changes})


@pytest.fixture(scope="module")
def short():
    """A model that takes 200 tokens."""
    return Limits(Prompter(load_tokenizer(ROOT / "data/base"), "pythonic", 200), 128)


@pytest.fixture(scope="module")
def limits():
    return Limits(Prompter(load_tokenizer(ROOT / "data/base"), "pythonic", 2048), 128)


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "tools.json"
    path.write_text(json.dumps([INVOICE, LOOKUP, PING]))
    return path


def test_generic_tools_give_verified_tasks_of_all_scenarios_but_dependent(own, limits):
    pool = load_pool(own)
    held = hold_out(pool, 0.3, random.Random(1))
    assert len(held) == 1
    samples, _ = synthesise(params(unseen_tools=0.0), pool, limits, set())
    assert {s.task.scenario for s in samples} == set(SCENARIOS) - {"dependent"}
    assert all(verify(s, pool.entities) is None for s in samples)
    assert {s.task.split for s in samples} == {"train", "validation", "test_seen"}


def test_generic_values_follow_type_format_enum_and_name(own):
    pool = load_pool(own)
    kinds = {p.name: p.kind for tool in pool.tools for p in tool.parameters}
    assert kinds == {
        "customer_name": "person",
        "amount": "number:5-50",
        "due_date": "date",
        "kind": "enum",
        "paid": "bool",
        "lines": "objects:1-2",
        "tags": "list:topic:1-2",
        "parts": "objects:1-2",
        "colors": "list:enum:1-2",
        "offset": "int:-10--5",
        "share": "number:0-0.5",
        "depth": "int:-31--2",
        "steps": "int:3-32",
        "rank": "int:3-8",
        "ratio": "number:0-1",
        "codes": "list:int:1-31:3-3",
        "pick": "list:topic:1-1",
        "unit": "enum",
        "address": "object",
        "note": "topic",
        "invoice_id": "id:IN:invoice_id",
    }
    invoice = pool.tools[0]
    assert "create an invoice" in invoice.intents["train"]
    assert not set(invoice.intents["train"]) & set(invoice.intents["test"])
    for parameter in invoice.parameters:
        if parameter.kind not in ("bool", "object", "objects:1-2"):
            assert all(phrase.count("{}") == 1 for side in parameter.phrases.values() for phrase in side)
            assert not set(parameter.phrases["train"]) & set(parameter.phrases["test"])


def test_a_tool_set_too_small_for_the_quotas_gives_what_it_can(own, caplog, limits):
    own.write_text(json.dumps([PING]))
    samples, rejected = synthesise(params(train=100), load_pool(own), limits, set())
    assert 0 < sum(s.task.split == "train" for s in samples) < 100
    assert any("could be made of these tools" in record.message for record in caplog.records)
    assert any(r.layer == "duplicate" for r in rejected)


def test_no_weight_left(own, limits):
    message = r"params.yaml: synthesis.mixture: found no weight above 0 among what these tools allow: single, "
    with pytest.raises(UserError, match=message):
        synthesise(params(mixture={"dependent": 1.0}), load_pool(own), limits, set())


def test_a_weight_of_an_unknown_scenario_is_named(project):
    message = r"params.yaml: synthesis.mixture.singel: unknown scenario, expected one of single, multiple, "
    with pytest.raises(UserError, match=message):
        project(mixture={"singel": 1.0})


@pytest.fixture
def own_phrases(tmp_path, monkeypatch):
    """A project of one's own in whose data/ tools and phrases are written."""
    monkeypatch.chdir(tmp_path)
    data = Path("data")
    for name in ("tools", "phrases"):
        (data / name).mkdir(parents=True)
    (data / "entities.json").symlink_to(ROOT / "data/entities.json")

    def written(tools, phrases):
        (data / "tools" / "own.json").write_text(json.dumps({"domain": "own", "tools": tools}))
        (data / "phrases" / "own.json").write_text(json.dumps(phrases))
        return data / "tools"

    return written


def spoken(**parameter):
    said = {"values": "city", "phrases": {"train": ["in {}"], "test": ["at {}"]}}
    entry = {
        "intents": {"train": ["see the weather"], "test": ["look at the sky"]},
        "parameters": {"city": said | parameter},
    }
    return {"domain": "own", "tools": {"get_weather": entry}}


def test_own_phrases_without_simulation_are_used(own_phrases, limits):
    pool = load_pool(own_phrases([CITY], spoken()))
    assert pool.tools[0].intents["train"] == ["see the weather"]
    samples, _ = synthesise(params(train=2, unseen_tools=0.0), pool, limits, set())
    assert any("in " in s.task.messages[0]["content"] for s in samples if s.task.split == "train")


@pytest.mark.parametrize(
    ("phrases", "message"),
    [
        (spoken(values="planet"), r"parameters.city.values: found 'planet'"),
        (spoken(values="list:object:1-2"), r"parameters.city.values: found 'list:object:1-2'"),
        (spoken(phrases={"train": ["in {}"]}), r"parameters.city.phrases: test: missing"),
        (
            spoken(phrases={"train": [], "test": ["at {}"]}),
            r"parameters.city.phrases.train: found \[\], expected a list",
        ),
        (spoken(phrases={"train": "in {}", "test": ["at {}"]}), r"phrases.train: found 'in {}', expected a list"),
        (spoken(values="bool"), r"parameters.city.phrases.train: found \['in {}'\], expected an object"),
        (spoken(values=3), r"parameters.city.values: found 3, expected an entity list"),
        (spoken(values="list:city:0-2"), r"parameters.city.values: found 'list:city:0-2'"),
        (spoken(values="enum"), r"parameters.city.values: found 'enum', expected an enum in the tool's schema"),
        (spoken(values="list:enum:1-2"), r"city.values: found 'list:enum:1-2', expected an enum in the tool's schema"),
        (
            {"tools": {"get_weather": spoken()["tools"]["get_weather"] | {"parameters": {"city": None}}}},
            r"parameters.city: found None, expected an object",
        ),
        (spoken() | {"links": [LINK | {"from": "ping"}]}, r"links\[0\].from: ping: missing"),
        (spoken() | {"links": [{"from": "get_weather"}]}, r"links\[0\]: to: missing"),
        (spoken() | {"links": [LINK | {"parameter": "town"}]}, r"links\[0\].parameter: town: missing"),
    ],
)
def test_broken_phrases_name_file_and_field(own_phrases, phrases, message):
    with pytest.raises(UserError, match=message):
        load_pool(own_phrases([CITY], phrases))


def test_phrases_are_looked_up_for_tools_in_data_alone(own_phrases, tmp_path, monkeypatch):
    """A file beside the project, or beside the folder of a tools file, is nobody's phrases."""
    own_phrases([CITY], spoken())
    tools = json.dumps([CITY])
    for place in (tmp_path / "own.json", tmp_path / "mine" / "own.json", tmp_path / "project" / "own.json"):
        place.parent.mkdir(exist_ok=True)
        place.write_text(tools)
        assert load_pool(place).tools[0].intents["train"][0] == "call get weather"
    (tmp_path / "phrases").mkdir()
    (tmp_path / "phrases" / "own.json").write_text(json.dumps(spoken()))
    (tmp_path / "project" / "data").symlink_to(tmp_path / "data")
    monkeypatch.chdir(tmp_path / "project")
    assert load_pool("own.json").tools[0].intents["train"][0] == "call get weather"
    Path("data/mine").mkdir()
    Path("data/mine/own.json").write_text(tools)
    assert load_pool("data/mine/own.json").tools[0].intents["train"] == ["see the weather"]


def test_an_own_tool_that_nobody_could_ask_for_is_named(tmp_path):
    rows = {"type": "array", "items": {"type": "array", "items": {"type": "object"}}}
    tool = {"name": "f", "parameters": {"type": "object", "properties": {"rows": rows}, "required": ["rows"]}}
    (tmp_path / "mine.json").write_text(json.dumps([tool]))
    with pytest.raises(UserError, match=r"mine\.json: tools\.f\.parameters\.rows: found a required list of lists of"):
        load_pool(tmp_path / "mine.json")


def test_required_options_of_a_list_can_be_left_out_and_asked_for(tmp_path, limits):
    colors = {"type": "array", "items": {"type": "string", "enum": ["red", "blue"]}}
    paint = {"type": "object", "properties": {"colors": colors}, "required": ["colors"]}
    (tmp_path / "tools.json").write_text(json.dumps([PING, {"name": "paint", "parameters": paint}]))
    samples, _ = synthesise(params(unseen_tools=0.0), load_pool(tmp_path / "tools.json"), limits, set())
    assert any(s.task.scenario == "missing_parameter" for s in samples)


def test_phrases_of_other_tools_in_a_file_of_the_same_name_are_left_alone(own_phrases, caplog):
    """A user's data/mytools/mail.json has nothing to do with the pool's data/phrases/mail.json."""
    for phrases in (spoken(), {"links": []}, {"tools": None}, [], 5):
        folder = own_phrases([PING], phrases)
        caplog.clear()
        assert load_pool(folder).tools[0].intents["train"] == ["call ping", "run ping", "ping the server"]
        assert "data/phrases/own.json has no tool of data/tools/own.json" in caplog.text
    (folder / "own.json").unlink()
    (folder / "mail.json").write_text(json.dumps([PING]))
    Path("data/phrases/mail.json").write_text(json.dumps(spoken()))
    assert load_pool(folder).tools[0].function is generic.simulate
    (folder / "mail.json").write_text(json.dumps([PING, CITY]))
    with pytest.raises(UserError, match=r"phrases/mail.json: tools: ping: missing"):
        load_pool(folder)


def test_an_optional_object_of_unknown_fields_is_never_spoken_of(tmp_path, limits):
    (tmp_path / "tools.json").write_text(json.dumps([FREE]))
    pool = load_pool(tmp_path / "tools.json")
    assert [parameter.name for parameter in pool.tools[0].parameters] == ["record"]
    samples, _ = synthesise(params(train=4, unseen_tools=0.0), pool, limits, set())
    assert samples


def test_broken_tool_files(tmp_path):
    with pytest.raises(UserError, match="no tool files"):
        load_pool(tmp_path)
    with pytest.raises(UserError, match=r"nowhere\.json"):
        load_pool(tmp_path / "nowhere.json")
    (tmp_path / "a.json").write_text('{"tools": [\n{"name": }]}')
    with pytest.raises(UserError, match=r"a\.json: not JSON: .* at line 2"):
        load_pool(tmp_path / "a.json")
    (tmp_path / "a.json").write_text(json.dumps([PING]))
    (tmp_path / "b.json").write_text(json.dumps([PING]))
    with pytest.raises(UserError, match="tool ping: found 2 of this name"):
        load_pool(tmp_path)


def read(path, sizes=SIZES, unseen=frozenset(), validation_only=frozenset()):
    return with_splits(read_conversations(path, "openai"), sizes, unseen, validation_only)


def weather(number):
    """A request that is no near duplicate of that of another number below 676."""
    return user(f"Weather {chr(97 + number // 26)}{chr(97 + number % 26)}")


def call(arguments, name="get_weather"):
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}],
    }


def user(text):
    return {"role": "user", "content": text}


def talk(*messages):
    return {"tools": [CITY], "messages": list(messages)}


def written(tmp_path, *lines):
    path = tmp_path / "talks.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


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
        ("user-00003-1", Kind.QUESTION),
        ("user-00003-3", Kind.CALLS),
        ("user-00004-1", Kind.REFUSAL),
    ]
    assert tasks[0].reference.calls[0].arguments == {"city": ["Oslo"]}
    assert tasks[1].reference.values == ("21", "clear")
    assert tasks[1].messages[2]["tool_calls"][0]["function"]["arguments"] == {"city": "Oslo"}
    assert tasks[2].reference.parameters == (("get_weather", "city"),)
    kept, rejected = accepted(tasks, short)
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
    assert len(accepted([task], short)[0]) == bool(asked)


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
    assert accepted([task], short)[0] == [task]


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
        talk(user("hi"), {"role": "assistant", "content": "Hello!"}),
        talk(user("Oslo"), call({"city": "Oslo"})),
        talk(user("Oslo"), call({"city": "Oslo"})),
        talk(user("bye"), {"role": "assistant", "content": "Is there anything else?"}),
        talk(user("so long " * 100), call({"city": "Oslo"})),
    )
    kept, rejected = accepted(read(path), short)
    assert [t.task_id for t in kept] == ["user-00004-1"]
    assert [r.reason for r in rejected] == [
        "argument against schema",
        "unknown tool",
        "neither question, report nor refusal",
        "exact",
        "neither question, report nor refusal",
        "does not fit the model",
    ]
    assert rejected[-1].detail.startswith("user-00007-1: ")
    assert rejected[-1].detail.endswith("tokens, expected at most model.max_length = 200")
    done = {"role": "tool", "tool_call_id": "c1", "content": '{"status": "ok"}'}
    said = {"role": "assistant", "content": "Done, the lamp is on."}
    path = written(tmp_path, talk(user("Oslo"), call({"city": "Oslo"}), done, said))
    assert [r.reason for r in accepted(read(path), short)[1]] == ["report of nothing in the results"]


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
    rejected = accepted(tasks, short)[1]
    assert [(each.layer, each.reason) for each in rejected] == [("duplicate", "exact")] * 5


def test_near_duplicates_of_what_shows_a_held_out_tool_are_not_learnt_from(tmp_path):
    lines = [talk(user("Weather, please"), call({"city": "Oslo"})) | {"tools": [CITY, *more]} for more in ([], [PING])]
    path = written(tmp_path, *lines, talk(user("News"), call({"city": "Oslo"})))
    assert [task.split for task in read(path, {"train": 1}, {"ping"})] == ["test_unseen", "test_unseen", "train"]
    assert [task.split for task in read(path, {"train": 1}, set(), {"ping"})] == ["validation", "validation", "train"]


def test_an_unknown_format_is_named(tmp_path):
    with pytest.raises(UserError, match=r"params.yaml: synthesis.format: found 'csv', expected one of openai"):
        read_conversations(written(tmp_path, talk(weather(1), call({"city": "Oslo"}))), "csv")


def test_conversations_that_all_show_a_held_out_tool_are_warned_about(tmp_path, caplog):
    caplog.set_level("INFO")
    path = written(tmp_path, *(talk(weather(i), call({"city": "Oslo"})) for i in range(20)))
    tell_splits(read(path), set())
    assert [record.levelname for record in caplog.records] == ["INFO"]
    tell_splits(read(path, SIZES, {"get_weather"}), {"get_weather"})
    assert "test_unseen 20" in caplog.records[1].getMessage()
    assert "100% of them show a held-out tool" in caplog.records[2].getMessage()


def test_conversations_that_chance_sent_to_the_tests_are_warned_about(tmp_path, caplog):
    path = written(tmp_path, talk(user("Weather"), call({"city": "Oslo"})))
    tell_splits(read(path, {"train": 0, "validation": 10}, set()), {"ping"})
    [record] = caplog.records
    assert "held-out" not in record.getMessage()
    assert "give more conversations or raise synthesis.train" in record.getMessage()


def test_what_became_of_conversations_is_told(tmp_path, caplog, short):
    caplog.set_level("INFO")
    path = written(
        tmp_path,
        *[talk(weather(i), call({"city": "Oslo"})) for i in (1, 2, 3, 3)],
        *[talk(user(f"hi {i}"), {"role": "assistant", "content": "Hello!"}) for i in range(2)],
    )
    kept, rejected = learn_from(path, "openai", SIZES, set(), set(), short)
    assert (len(kept), len(rejected)) == (3, 3)
    assert caplog.records[0].getMessage().startswith("conversations: 2 say nearly what others do")
    assert caplog.records[1].getMessage() == (
        "conversations: 6 assistant turns, 3 kept, 3 rejected "
        "(neither question, report nor refusal: 2, duplicate: 1; see rejected.parquet)"
    )
    path = written(tmp_path, talk(user("Weather"), call({"city": "Oslo"})))
    caplog.clear()
    learn_from(path, "openai", SIZES, set(), set(), short)
    assert caplog.records[0].getMessage() == "conversations: 1 assistant turns, 1 kept, 0 rejected"


def test_conversations_that_give_no_task_are_an_error(tmp_path, caplog, short):
    caplog.set_level("INFO")
    assert learn_from(written(tmp_path, "", " "), "openai", SIZES, set(), set(), short) == ([], [])
    assert caplog.records == []
    with pytest.raises(UserError, match=r"talks.jsonl: found no assistant turn after another message"):
        learn_from(written(tmp_path, talk(user("hi"))), "openai", SIZES, set(), set(), short)
    hello = talk(user("hi"), {"role": "assistant", "content": "Hello!"})
    message = (
        r"talks.jsonl: 1 assistant turns, 0 kept, 1 rejected "
        r"\(neither question, report nor refusal: 1\), .*user-00001-1: "
    )
    with pytest.raises(UserError, match=message):
        learn_from(written(tmp_path, hello), "openai", SIZES, set(), set(), short)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder in which synthesis runs with the parameters that it is called with; small sizes."""

    def runs(max_length=1024, **changes):
        fields = yaml.safe_load((ROOT / "params.yaml").read_text())
        fields["model"] |= {"path": str(ROOT / "data/base"), "max_length": max_length}
        sizes = {"train": 10, "explore": 10, "validation": 10, "test_seen": 10, "test_unseen": 10}
        own = {"tools": "tools.json", "conversations": "talks.jsonl", "unseen_tools": 0.0, "validation_tools": 0.0}
        fields["synthesis"] |= sizes | own | changes
        Path("params.yaml").write_text(yaml.safe_dump(fields))
        run()
        return [task for name in ("train", "explore", "validation", "test") for task in tasks_of(name)]

    def tasks_of(name):
        return map(row_task, read_table(f"data/synthesis/{name}.parquet", TASKS).iter_rows(named=True))

    monkeypatch.chdir(tmp_path)
    Path("tools.json").write_text(json.dumps([CITY, PING]))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/entities.json").symlink_to(ROOT / "data/entities.json")
    return runs


def test_nothing_but_conversations_where_nothing_is_simulated(tmp_path, project):
    written(tmp_path, *(talk(weather(i), call({"city": "Oslo"})) for i in range(50)))
    tasks = project(simulate=False)
    assert sorted(task.task_id for task in tasks) == [f"user-{number:05d}-1" for number in range(1, 51)]
    assert {task.split for task in tasks} == {"train", "explore", "validation", "test_seen"}
    assert len(project(simulate=True)) == 90  # no tool is held out, so there is no unseen test split
    written(tmp_path, "")
    with pytest.raises(UserError, match=r"talks.jsonl: found no conversation, expected some: synthesis.simulate"):
        project(simulate=False)


def test_a_split_without_tasks_is_an_error_at_once(tmp_path, project):
    written(tmp_path, *(talk(weather(i), call({"city": "Oslo"})) for i in range(50)))
    message = (
        r"found no tasks for train, explore, validation \(train 0, explore 0, validation 0, test 50\); .*unseen_tools"
    )
    with pytest.raises(UserError, match=message):
        project(simulate=False, unseen_tools=1.0)
    assert not Path("data/synthesis").exists()
    assert len(project(simulate=False, explore=0)) == 50
    with pytest.raises(UserError, match=r"data/synthesis/explore\.parquet: found no tasks; raise their number"):
        read_tasks("data/synthesis/explore.parquet")


def test_answers_that_generation_would_cut_are_rejected_with_their_length(tmp_path, short):
    path = written(tmp_path, talk(user("Weather"), call({"city": "Oslo " * 50})))
    [rejection] = accepted(read(path), short)[1]
    assert rejection.reason == "answer too long"
    assert re.fullmatch(r"user-00001-1: \d+ tokens, expected at most engine.max_tokens = 128", rejection.detail)


def test_a_model_that_takes_no_task_is_named_at_once_with_what_was_rejected(tmp_path, project):
    written(tmp_path, "")
    message = r"found no tasks for train, .*, test 0; rejected: does not fit the model \d+"
    with pytest.raises(UserError, match=message):
        project(max_length=40)
    assert not Path("data/synthesis").exists()


def wide(parameters, description="keep a record"):
    """A tool with this many parameters, all of them required."""
    properties = {f"field_{letter}": {"type": "string"} for letter in "abcdefghijkl"[:parameters]}
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    return {"name": f"keep_{parameters}", "description": description, "parameters": schema}


def test_tools_of_many_parameters_are_called_several_times(tmp_path, limits):
    (tmp_path / "tools.json").write_text(json.dumps([wide(8)]))
    pool = load_pool(tmp_path / "tools.json")
    roomy = replace(limits, max_tokens=512)
    samples, _ = synthesise(params(mixture={"parallel": 1.0}, unseen_tools=0.0), pool, roomy, set())
    assert len(samples) >= 20
    assert {len(s.task.reference.calls) for s in samples} == {2, 3}
    samples, rejected = synthesise(params(mixture={"parallel": 1.0}, unseen_tools=0.0), pool, limits, set())
    assert samples == []
    assert any(r.reason == "answer too long" for r in rejected)


def test_long_descriptions_leave_max_tools_as_it_is_where_the_model_has_the_length(tmp_path, limits):
    tools = [wide(count, "keep a record of all that was said " * 12) for count in range(1, 9)]
    (tmp_path / "tools.json").write_text(json.dumps(tools))
    pool = load_pool(tmp_path / "tools.json")
    chosen = params(mixture={"multiple": 1.0}, unseen_tools=0.0, max_tools=6, train_irrelevant=0.0)
    roomy, tight = (Limits(Prompter(limits.prompter.tokenizer, "pythonic", most), 512) for most in (4096, 700))
    shown = {
        most: [len(s.task.tools) for s in synthesise(chosen, pool, each, set())[0]]
        for most, each in (("roomy", roomy), ("tight", tight))
    }
    assert max(shown["roomy"]) == 6
    assert 2 <= max(shown["tight"]) < 6
    assert abs(len(shown["tight"]) - len(shown["roomy"])) <= 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"talks.jsonl: line 2: not JSON: .* at line 1, column 2"),
        ("[]", r"line 2: found list"),
        ({"messages": []}, r"line 2: tools: found NoneType, expected a list"),
        ({"tools": [CITY]}, r"line 2: messages: found NoneType"),
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
        ({"tools": [CITY, CITY], "messages": []}, r"line 2: tool get_weather: name: given twice"),
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
    path = written(tmp_path, talk(user("Oslo"), call({"city": "Oslo"})), line)
    with pytest.raises(UserError, match=message):
        read(path)


def test_a_line_separator_in_a_text_ends_no_line(tmp_path):
    path = tmp_path / "talks.jsonl"
    path.write_text(json.dumps(talk(user("a\u2028b"), call({"city": "Oslo"})), ensure_ascii=False) + "\n")
    [task] = read(path)
    assert task.messages[0]["content"] == "a\u2028b"


def test_missing_conversations_file(tmp_path):
    with pytest.raises(UserError, match=r"none\.jsonl: No such file"):
        read(tmp_path / "none.jsonl", SIZES)


def test_links_between_own_tools(tmp_path):
    """A link whose target is held out is for the unseen split only."""
    pool = load_pool("data/tools")
    link = pool.links[0]
    seen, _, unseen = rosters(pool, {link.target.name})
    assert link in unseen.links
    assert all(link.target not in (other.source, other.target) for other in seen.links)
