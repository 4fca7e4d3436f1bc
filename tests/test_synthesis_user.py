"""A user's own tools without phrases, own phrases, own conversations, and what is said when they are broken."""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from conversation_fakes import CITY, PING, call, parted, read, talk, user, weather, written

from itool.artifacts import TASKS, read_table, read_tasks, row_task
from itool.errors import UserError
from itool.params import Synthesis
from itool.toolcall.prompt import Prompter, load_tokenizer
from stages.synthesis import generic
from stages.synthesis.generate import synthesise
from stages.synthesis.lengths import Limits
from stages.synthesis.pool import load_pool
from stages.synthesis.programs import hold_out, rosters
from stages.synthesis.run import run
from stages.synthesis.scenarios import SCENARIOS
from stages.synthesis.verify import verify

ROOT = Path(__file__).parents[1]
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
        "invent": 0,
        "conversations": "x",
        "format": "auto",
        "sources": {},
        "simulate": True,
        "writer": "phrases",
        "judge": "none",
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
        "tags": "list:label:1-2",
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
        "note": "message",
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
        (spoken(values="pattern"), r"city.values: found 'pattern', expected a pattern in the tool's schema"),
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
    with pytest.raises(UserError, match=r"mine\.json: tool f: rows: a value of no type that can be said; expected"):
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
    written(tmp_path, *(talk(weather(i), call({"city": "Oslo"})) for i in range(3)))
    message = (
        r"found no tasks for explore, validation, test \(train 3, explore 0, validation 0, test 0\); .*unseen_tools"
    )
    with pytest.raises(UserError, match=message):
        project(simulate=False, train=1000)
    assert not Path("data/synthesis").exists()
    written(tmp_path, *(talk(weather(i), call({"city": "Oslo"})) for i in range(50)))
    assert len(project(simulate=False, explore=0)) == 50
    with pytest.raises(UserError, match=r"data/synthesis/explore\.parquet: found no tasks; raise their number"):
        read_tasks("data/synthesis/explore.parquet")


def test_answers_that_generation_would_cut_are_rejected_with_their_length(tmp_path, short):
    path = written(tmp_path, talk(user("Weather"), call({"city": "Oslo " * 50})))
    [rejection] = parted(read(path), short)[1]
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


def test_links_between_own_tools(tmp_path):
    """A link whose target is held out is for the unseen split only."""
    pool = load_pool("data/tools")
    link = pool.links[0]
    seen, _, unseen = rosters(pool, {link.target.name})
    assert link in unseen.links
    assert all(link.target not in (other.source, other.target) for other in seen.links)
