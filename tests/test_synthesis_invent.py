"""Freshly invented tools: their schemas, their world, how they are asked for, and the words that they are made of."""

import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from itool.errors import UserError
from itool.formats.notes import Notes
from itool.formats.tools import read_tools
from itool.params import load
from itool.toolcall.schema import validate
from stages.synthesis import vocabulary
from stages.synthesis.dialogue import report
from stages.synthesis.generate import possible, sample, word
from stages.synthesis.invent import MOST_PARAMETERS, with_invented
from stages.synthesis.pool import load_pool
from stages.synthesis.programs import Program, Sampler, Step, execute, hold_out, rosters
from stages.synthesis.scenarios import SCENARIOS
from stages.synthesis.values import draw_all
from stages.synthesis.verify import verify
from stages.synthesis.world import SimulationError, World

VOCABULARY = Path("data/invented.json")
PARAMS = load().synthesis


@pytest.fixture(scope="module")
def shipped():
    return load_pool("data/tools")


@pytest.fixture(scope="module")
def invented(shipped):
    """A thousand invented tools and nothing else."""
    pool = with_invented(shipped, 1000, 4)
    return replace(pool, tools=pool.tools[len(shipped.tools) :], links=pool.links[len(shipped.links) :])


def written(tools):
    return [(t.name, t.tool.description, t.tool.parameters, t.intents, t.noun, t.domain) for t in tools]


def leaves(parameters):
    for parameter in parameters:
        yield from leaves(parameter.fields) if parameter.fields else [parameter]


def texts(phrases):
    """All phrases of one side, be they a list or those of yes and of no."""
    return [text for each in phrases.values() for text in each] if isinstance(phrases, dict) else phrases


def schemas(schema):
    """A resolved schema and all that are in it."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    for each in [*inner, *([schema["items"]] if isinstance(schema.get("items"), dict) else [])]:
        yield from schemas(each)


def done(tool, seed, entities):
    """The result of a call with drawn values, in a world that has what these name."""
    said = draw_all(tool.parameters, entities, "train", random.Random(seed))
    return execute(Program("single", "train", (tool,), (Step(tool, said, said),), seed)).steps[0].result


def test_none_are_invented_by_default(shipped):
    assert PARAMS.invent == 0
    assert with_invented(shipped, 0, 4) is shipped


def test_the_seed_decides_and_more_tools_begin_with_the_same_ones(shipped, invented):
    few = with_invented(shipped, 137, 4).tools[len(shipped.tools) :]
    more = with_invented(shipped, 138, 4).tools[len(shipped.tools) :]
    assert written(few) == written(more[:137]) == written(invented.tools[:137])
    other = with_invented(shipped, 137, 5).tools[len(shipped.tools) :]
    assert len({t.name for t in few} & {t.name for t in other}) < 40


def test_a_name_that_is_taken_gives_way_to_the_next_tool(shipped, invented):
    first = invented.tools[0]
    pool = with_invented(replace(shipped, tools=(first,)), 20, 4)
    assert written(pool.tools[1:]) == written(invented.tools[1:21])


def test_names_and_requests_are_distinct_also_from_the_shipped_ones(shipped, invented):
    tools = [*shipped.tools, *invented.tools]
    assert len({tool.name for tool in tools}) == len(tools)
    intents = [intent.lower() for tool in tools for side in tool.intents.values() for intent in side]
    assert [intent for intent, count in Counter(intents).items() if count > 1] == []


def test_more_than_there_are_is_one_line(shipped):
    with pytest.raises(
        UserError, match=r"params\.yaml: synthesis\.invent: found 99999, expected at most \d{4}: no more"
    ):
        with_invented(shipped, 99_999, 4)


def test_schemas_are_read_as_anybodys_tools_are(invented, tmp_path):
    (tmp_path / "tools.json").write_text(json.dumps([tool.tool.spec() for tool in invented.tools]))
    notes = Notes()
    assert read_tools(tmp_path / "tools.json", notes) == [tool.tool for tool in invented.tools]
    assert notes.one_each() == []


def test_schemas_have_the_shapes_of_real_tools(invented):
    found = Counter()
    for tool in invented.tools:
        inner = list(schemas(tool.tool.schema))[1:]
        found.update({keyword for schema in inner for keyword in schema})
        found.update({f"{schema.get('type')}" for schema in inner})
        found["nested"] += any("properties" in schema for schema in inner)
        found["list of objects"] += any("properties" in schema.get("items", {}) for schema in inner)
        found["referenced"] += "$defs" in tool.tool.parameters
        found["long description"] += len(tool.tool.description) > 100
        found["dotted"] += "." in tool.name
        found["camel"] += bool(re.search("[a-z][A-Z]", tool.name))
    shapes = (
        "enum",
        "default",
        "minimum",
        "maximum",
        "format",
        "pattern",
        "description",
        "maxLength",
        "anyOf",
        "array",
    )
    kinds = ("boolean", "integer", "number", "['string', 'null']", "nested", "list of objects", "referenced")
    assert {
        name: found[name] for name in (*shapes, *kinds, "long description", "dotted", "camel") if found[name] < 20
    } == {}
    counts = Counter(len(tool.tool.properties) for tool in invented.tools)
    assert (min(counts), max(counts)) == (0, MOST_PARAMETERS)
    assert len({tool.domain for tool in invented.tools}) > 25


def test_nothing_that_a_tool_is_told_can_be_mixed_up(invented):
    """No phrase says two parameters of one tool, each has one place for a value, and train and test share none."""
    for tool in invented.tools:
        said = [
            text
            for leaf in leaves(tool.parameters)
            for text in texts(leaf.phrases["train"]) + texts(leaf.phrases["test"])
        ]
        assert len(set(said)) == len(said), (tool.name, [text for text in said if said.count(text) > 1])
        assert not any(re.search(r"\{\w", text) for text in said), tool.name
        for leaf in leaves(tool.parameters):
            places = 0 if leaf.kind == "bool" else 1
            assert {text.count("{}") for text in texts(leaf.phrases["train"]) + texts(leaf.phrases["test"])} == {places}
        assert not set(tool.intents["train"]) & set(tool.intents["test"])
        assert not any(
            "{" in text for side in tool.intents.values() for text in [*side, tool.noun, tool.tool.description]
        )
    for link in invented.links:
        assert not set(link.phrases["train"]) & set(link.phrases["test"])
        assert not any("{" in text for side in link.phrases.values() for text in side)


def test_every_tool_runs_on_drawn_values_which_its_schema_takes(invented):
    for number, tool in enumerate(invented.tools):
        said = draw_all(tool.parameters, invented.entities, "test", random.Random(number))
        assert validate(said, tool.tool.parameters, tool.name) == []
        result = done(tool, number, invented.entities)
        assert result == done(tool, number, invented.entities)
        assert json.loads(json.dumps(result)) == result
        assert result
        assert all(isinstance(value, str | int) for value in result.values()), (tool.name, result)


def test_an_id_that_does_not_exist_is_refused(invented):
    tool = next(t for t in invented.tools if t.function.action.effect == "read")
    with pytest.raises(SimulationError, match="no such record"):
        tool.execute(World(1), {tool.function.id_name: "XX123"})


def test_the_tools_of_a_thing_act_on_the_same_records(invented):
    family = {t.function.action.effect: t for t in invented.tools if t.function.thing.one == "support ticket"}
    world = World(3)
    made = family["add"].execute(world, {"title": "Broken", "text": "It is"})
    name = family["add"].function.id_name
    call = {name: made[name]}
    closed = next(
        t for t in invented.tools if t.function.thing.one == "support ticket" and t.function.action.status == "closed"
    )
    assert made["status"] == "open"
    assert closed.execute(world, call)["status"] == "closed"
    assert family["read"].execute(world, call)["status"] == "closed"
    assert family["find"].execute(world, {"title": "Broken"})["count"] == 1


def test_results_are_reported_in_words():
    assert report({"invoiceId": "IN123", "amount_due": 5}) == "The invoice id is IN123 and the amount due is 5."


def test_links_lead_from_what_is_made_or_found_to_what_takes_its_id(invented):
    assert len(invented.links) > 1000
    for number, link in enumerate(invented.links):
        assert link.source.function.thing is link.target.function.thing
        parameter = link.target.parameter(link.parameter)
        identifier = done(link.source, number, invented.entities)[link.field]
        assert re.fullmatch(parameter.kind.split(":")[1] + r"\d{3}", identifier)


def test_a_period_does_not_end_before_it_begins(invented):
    periods = 0
    for tool in invented.tools:
        for parameter in tool.parameters:
            if tool.function.action.effect == "count" and parameter.kind == "object":
                period = draw_all(tool.parameters, invented.entities, "train", random.Random(1))[parameter.name]
                first, last = period.values()
                periods += 1
                assert first < last
    assert periods > 20


def test_held_out_tools_come_from_most_domains(invented):
    held = hold_out(invented, 0.25, random.Random(1))
    assert len(held) == 250
    domains = {tool.domain for tool in invented.tools}
    assert len({tool.domain for tool in invented.tools if tool.name in held}) > 0.8 * len(domains)


@pytest.mark.parametrize("split", ["train", "explore", "test_unseen"])
def test_every_scenario_gives_verified_samples(invented, split):
    seen, _, unseen = rosters(invented, hold_out(invented, 0.25, random.Random(1)))
    roster, side = (unseen, "test") if split == "test_unseen" else (seen, "train")
    assert set(possible(roster, 5)) == set(SCENARIOS)
    drawn, rejected = 0, []
    for scenario in SCENARIOS:
        rng = random.Random(f"{scenario}/{split}")
        kept = 0
        for _ in range(30):
            drawn += 1
            try:
                program = execute(sample(scenario, Sampler(scenario, roster, invented.entities, side, 5, rng)))
            except SimulationError as error:
                rejected.append(str(error))
                continue
            if found := verify(word(program, split, PARAMS, rng), invented.entities):
                rejected.append(found)
            else:
                kept += 1
        assert kept >= 20, (scenario, rejected)
    assert len(rejected) <= 0.1 * drawn, rejected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("kinds"), r"invented\.json: kinds: missing"),
        (lambda v: v.update(remarks="none"), r"invented\.json\.remarks: found 'none', expected a list of texts"),
        (
            lambda v: v["kinds"]["case"].append("fly"),
            r"kinds\.case: found 'fly', expected names that this file explains",
        ),
        (
            lambda v: v["actions"]["get"].update(effect="look"),
            r"actions\.get\.effect: found 'look', expected one of add, ",
        ),
        (lambda v: v["actions"]["get"]["intents"].pop("test"), r"actions\.get\.intents: test: missing"),
        (
            lambda v: v["parameters"]["city"].update(values="town"),
            r"parameters\.city\.values: found 'town', expected an entity list",
        ),
        (
            lambda v: v["parameters"]["city"]["phrases"].update(train="in {}"),
            r"parameters\.city\.phrases\.train: found 'in \{\}', expected a list of phrases",
        ),
        (lambda v: v["parameters"]["address"]["needs"].append("planet"), r"parameters\.address\.needs: found 'planet'"),
        (lambda v: v["domains"]["billing"]["invoice"].update(kind="idea"), r"billing\.invoice\.kind: found 'idea'"),
        (
            lambda v: v["domains"]["billing"]["invoice"]["facts"].update(pages=[9, 1]),
            r"billing\.invoice\.facts\.pages: found \[9, 1\], expected the least and the largest whole number",
        ),
    ],
)
def test_a_faulty_vocabulary_is_one_line(shipped, tmp_path, monkeypatch, change, message):
    content = json.loads(VOCABULARY.read_text())
    change(content)
    file = tmp_path / "invented.json"
    file.write_text(json.dumps(content))
    monkeypatch.setattr(vocabulary, "VOCABULARY", file)
    with pytest.raises(UserError, match=message):
        with_invented(shipped, 5, 4)


def test_all_of_the_vocabulary_can_be_made_into_tools(shipped):
    """Whatever the file holds, every parameter that a thing or an action needs can stand beside the others."""
    with pytest.raises(UserError) as error:
        with_invented(shipped, 99_999, 1)
    most = int(re.search(r"at most (\d+)", str(error.value))[1])
    pool = with_invented(shipped, most, 1)
    assert len({tool.name for tool in pool.tools}) == len(pool.tools) > 2000
    for tool in pool.tools[len(shipped.tools) :]:
        said = [text for leaf in leaves(tool.parameters) for text in texts(leaf.phrases["train"])]
        assert len(set(said)) == len(said), (tool.name, [text for text in said if said.count(text) > 1])
