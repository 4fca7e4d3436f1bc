"""What a user's own tools get when nobody wrote for them: kinds of values, options, patterns, and wording."""

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itool.toolcall.schema import parse_tool, validate
from stages.synthesis.generic import NoValues, phrases
from stages.synthesis.invented import singular, spoken
from stages.synthesis.options import options_of
from stages.synthesis.patterns import NotGenerated, text_of
from stages.synthesis.pool import load_pool
from stages.synthesis.values import Parameter, draw, draw_all, drawable, fits, known, mentions, said, words

ENTITIES = json.loads((Path(__file__).parents[1] / "data/entities.json").read_text())
TEXT = {"type": "string"}
ROWS = {"type": "array", "items": {"type": "object"}}


def spec(properties, required=(), name="do_it", description="", **keywords):
    schema = {"type": "object", "properties": properties, "required": list(required)} | keywords
    return {"name": name, "description": description, "parameters": schema}


def entry(properties, required=(), **keywords):
    return phrases(parse_tool(spec(properties, required, **keywords), "test"), ENTITIES)


def kind(parameter, schema=TEXT, **keywords):
    """The kind of a parameter; None where nobody says it."""
    found = entry({parameter: schema}, **keywords)["parameters"][parameter]
    return found and found["values"]


def text(description="", **keywords):
    return TEXT | {"description": description} | keywords


@pytest.fixture
def pool_of(tmp_path):
    def loaded(*specs):
        (tmp_path / "tools.json").write_text(json.dumps(specs))
        return load_pool(tmp_path / "tools.json")

    return loaded


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("customer_name", "person"),
        ("firstName", "person"),
        ("display_name", "person"),
        ("name", "project"),
        ("table_name", "project"),
        ("branchName", "branch"),
        ("file_name", "file"),
        ("city_name", "city"),
        ("departure_city", "city"),
        ("city_guide", "topic"),
        ("cities", "city"),
        ("owner", "handle"),
        ("assignees", "handle"),
        ("head", "branch"),
        ("base_ref", "branch"),
        ("timeZone", "timezone"),
        ("target_timezone", "timezone"),
        ("start_cursor", "token"),
        ("page_token", "token"),
        ("apiKey", "token"),
        ("issue_key", "id:IS:issue_key"),
        ("sha", "hex"),
        ("commit_id", "hex"),
        ("uid", "id:UI:uid"),
        ("wikiIdentifier", "id:WI:wiki_identifier"),
        ("taskIdFilter", "id:TA:task_id"),
        ("start_date", "date"),
        ("deadline", "date"),
        ("timestamp", "datetime"),
        ("created_at", "datetime"),
        ("timeMin", "datetime"),
        ("startTime", "datetime"),
        ("time", "time"),
        ("working_directory", "folder"),
        ("repo_path", "folder"),
        ("repo", "repository"),
        ("filename", "path"),
        ("title", "subject"),
        ("description", "message"),
        ("query", "topic"),
        ("hue", "topic"),
        ("range", "cells"),
        ("jql", None),
        ("formula", None),
        ("regex", None),
    ],
)
def test_kinds_by_name(name, wanted):
    assert kind(name) == wanted


@pytest.mark.parametrize(
    ("name", "schema", "wanted"),
    [
        ("page_id", text(format="uuid"), "uuid"),
        ("page_id", text("The UUID of the page"), "uuid"),
        ("due", text("As YYYY-MM-DD"), "date"),
        ("due", text("In ISO 8601 format"), "datetime"),
        ("from_date", text("ISO 8601 date"), "date"),
        ("due", text("RFC 3339 timestamp"), "datetime"),
        ("due", text("YYYY-MM-DDTHH:MM:SS"), "datetime"),
        ("notes", text("Free text. Dates are written YYYY-MM-DD."), "message"),
        ("query", text("The SQL query to execute"), None),
        ("data", text("A JSON object of fields"), None),
        ("path", text("The directory to list"), "folder"),
        ("path", text("The file in the directory"), "path"),
        ("account", text("The user's login"), "handle"),
        ("account", text("Where the money is"), "account"),
        ("key", text("A key to press, e.g. 'Enter', 'Tab'"), "enum"),
        ("sha", text("A commit, e.g. 'abc', 'def'"), "hex"),
        ("color", text("A hex colour"), "rgb"),
        ("range", text("Cells such as A1:B2"), "cells"),
        ("price_range", TEXT, "topic"),
        ("after", text("The cursor of the next page"), "token"),
        ("after", text("The ID of the block before"), "id:AF:after"),
        ("start", text("When it begins, date and time"), "datetime"),
        ("start", TEXT, "topic"),
        ("upload", text(format="binary"), None),
        ("page", {"type": "integer", "maximum": 2**53}, "int:1-31"),
        ("page", {"type": "number", "minimum": -(2**53), "maximum": 2**53}, "int:1-31"),
        ("timeout", {"type": "integer", "default": 5000}, "int:1-10000"),
        ("timeout", {"type": "integer", "default": 5000, "maximum": 9000}, "int:1-9000"),
        ("limit", {"type": "integer", "default": 10}, "int:1-31"),
        ("yearFrom", {"type": "integer"}, "int:1990-2026"),
        ("month", {"type": "integer"}, "int:1-12"),
        ("year", {"type": "integer", "minimum": 2030}, "int:2030-2060"),
        ("width", {"type": "number"}, "number:1-31"),
        ("width", {"type": "number", "default": 10}, "int:1-31"),
        ("flag", {"anyOf": [{"type": "null"}, {"anyOf": [{"type": "boolean"}, TEXT]}]}, "bool"),
        ("point", {"properties": {"city": TEXT}}, "object"),
        ("cities", {"items": TEXT}, "list:city:1-2"),
        ("people", {"items": {"properties": {"city": TEXT}}}, "objects:1-2"),
    ],
)
def test_kinds_by_schema_and_description(name, schema, wanted):
    assert kind(name, schema) == wanted


def test_a_name_alone_is_a_persons_where_the_words_say_so():
    assert kind("name", name="create_user") == "person"
    assert kind("name", description="Adds a new contact.") == "person"
    assert kind("name", description="Creates a repository for the authenticated user.") == "project"
    assert kind("name", name="repos/create-for-authenticated-user") == "project"
    inner = {"type": "object", "properties": {"name": TEXT}}
    fields = entry({"customer": inner, "sheet": inner})["parameters"]
    assert fields["customer"]["fields"]["name"]["values"] == "person"
    assert fields["sheet"]["fields"]["name"]["values"] == "project"


@pytest.mark.parametrize(
    ("description", "options"),
    [
        ("State, e.g. 'open', 'closed'", (["open", "closed"], False)),
        ("Either 'asc' or 'desc'.", (["asc", "desc"], True)),
        ('"day" | "week" | "month"', (["day", "week", "month"], True)),
        ("`low` (the default), `high` (at a price)", (["low", "high"], True)),
        ("One of: open, closed, all", (["open", "closed", "all"], True)),
        ("Possible values: created or updated. Default: created", (["created", "updated"], True)),
        ("The kind:\n- 'a': first\n- 'b': second", (["a", "b"], True)),
        ("One of: a list, of many words", ([], False)),
        ("Only 'one'", ([], False)),
        ("Set to `open`, `closed, `", ([], False)),
        ("The user's and the owner's", ([], False)),
        ("Give 'start' or 'end'", ([], False)),
        ("Like '<name>' or '<id>'", ([], False)),
        ("'YYYY-MM-DD' or 'now'", ([], False)),
        ("JSON with 'a', 'b'", ([], False)),
    ],
)
def test_options_in_descriptions(description, options):
    assert options_of(description, {"start", "end"}) == options


def test_options_are_drawn_and_found_again(pool_of):
    properties = {
        "state": text("One of: open, closed"),
        "kinds": {"type": "array", "description": "'big' or 'small'", "items": TEXT},
        "city": text("For example 'Ulm' or 'Bonn'"),
        "lang": text("e.g. 'en', 'de'"),
        "start": text("'start' or 'hue'"),
        "hue": TEXT,
    }
    parameters = {p.name: p for p in pool_of(spec(properties)).tools[0].parameters}
    assert [p.kind for p in parameters.values()] == ["enum", "list:enum:1-2", "city", "enum", "topic", "topic"]
    rng = random.Random(0)
    assert {draw(parameters["state"], ENTITIES, "train", rng) for _ in range(20)} == {"open", "closed"}
    assert {*draw(parameters["kinds"], ENTITIES, "test", rng)} <= {"big", "small"}
    assert mentions(parameters["state"], "call it where state is closed", ENTITIES)
    assert not mentions(parameters["state"], "call it where state is odd", ENTITIES)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d+\.\d+\.\d+$",
        r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$",
        r"^sha256:[a-f0-9]{64}$",
        r"[a-f\d]{24}",
        r"^refs/",
        r"^https?://.+",
        r"^(?!x)[^\d\s]{3}$",
        r"^(v{0,1})(stable|([0-9]+)(?:\.([0-9]+))?(-.*)?)$",
        r"(?i)^[A-Z]{2}-\w+$",
    ],
)
def test_texts_are_made_from_patterns(pattern):
    made = [text_of(pattern, random.Random(seed)) for seed in range(20)]
    assert all(re.search(pattern, each) and each == " ".join(each.split()) for each in made)
    assert len(set(made)) > 1
    assert made[0] == text_of(pattern, random.Random(0))


@pytest.mark.parametrize(
    "pattern", ["[", r"(a)\1", "a{90}", "((a{80}){80}){80}", r"\p{L}", "(){1000000}", "^$", "^ $", "(?=b)a", "(?!)"]
)
def test_patterns_that_make_nothing_sayable(pattern):
    with pytest.raises(NotGenerated):
        text_of(pattern, random.Random(0), 1)


def test_a_text_that_goes_on_after_its_beginning():
    assert re.fullmatch("refs/[a-z]{5}", text_of("^refs/", random.Random(0)))


@given(st.text(alphabet="ab1.^$|()[]{}*+?\\dwsDWS-,<>=!:P", max_size=12), st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_any_pattern_gives_a_match_or_nothing(pattern, seed):
    try:
        made = text_of(pattern, random.Random(seed))
    except NotGenerated:
        return
    assert re.search(pattern, made)


def test_a_pattern_keeps_the_kind_whose_values_match_it():
    assert kind("city", text(pattern="^[A-Z]")) == "city"
    assert kind("city", text(pattern="^[a-z]{3}$")) == "pattern"
    assert kind("day", text(pattern=r"^\d{4}-\d{2}-\d{2}$")) == "date"
    assert kind("day", text(pattern=r"^\d{2}/\d{2}$")) == "pattern"
    assert kind("sha", text(minLength=40)) == "long_hex"
    assert kind("code", text(pattern="[")) is None
    assert kind("codes", {"type": "array", "items": text(pattern="^[A-Z]{3}$")}) == "list:pattern:1-2"


def test_lists_are_filtered_by_length_and_pattern():
    code = Parameter("p", text(pattern="^[A-Z][a-z]+$", maxLength=5), True, "city", {}, "p")
    drawn = {draw(code, ENTITIES, side, random.Random(seed)) for side in ("train", "test") for seed in range(50)}
    assert all(fits(value, code.schema) for value in drawn)
    assert len(drawn) > 5
    assert drawable("message", {"maxLength": 30}, ENTITIES)
    assert not drawable("message", {"minLength": 200}, ENTITIES)
    with pytest.raises(NoValues, match=r"body: a text with \{'minLength': 200\}"):
        entry({"body": text(minLength=200)}, ["body"])
    own = Parameter("p", text(maxLength=1), True, "city", {}, "p")
    assert draw(own, ENTITIES, "train", random.Random(0)) in ENTITIES["city"]["train"]


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("code", text(pattern="^[A-Z]{2}-[0-9]+$")),
        ("word", text(pattern="^(big|small) [a-z]+s$")),
        ("sha", TEXT),
        ("page_id", text(format="uuid")),
        ("cursor", TEXT),
        ("version", TEXT),
        ("owner", TEXT),
        ("zone", text("The cell")),
    ],
)
def test_made_values_are_said_and_mentioned(pool_of, name, schema):
    found = pool_of(spec({name: schema}, [name])).tools[0].parameters[0]
    assert known(found.kind, ENTITIES)
    for seed in range(10):
        value = draw(found, ENTITIES, "train", random.Random(seed))
        for phrase in (*found.phrases["train"], *found.phrases["test"]):
            request = f"Please call it {phrase.replace('{}', words(value))}, and soon"
            assert said(found, value, request)
            assert mentions(found, request, ENTITIES)
        assert not mentions(found, f"Please call it for {words(value)}", ENTITIES)


def test_words_beside_a_pattern_are_not_mentioned(pool_of):
    found = pool_of(spec({"code": text(pattern="^[A-Z]{2}-[0-9]+$")}, ["code"])).tools[0].parameters[0]
    assert not mentions(found, "call it with code review", ENTITIES)
    assert not mentions(found, "call it where code is ab-12", ENTITIES)


def test_a_list_is_as_long_as_its_schema_asks():
    pair = {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2}
    several = Parameter("p", pair, True, "list:enum:2-2", {}, "p")
    assert all(len(draw(several, ENTITIES, "train", random.Random(seed))) == 2 for seed in range(30))
    hopeless = Parameter("p", pair | {"minItems": 3}, True, "list:enum:3-3", {}, "p")
    assert len(draw(hopeless, ENTITIES, "train", random.Random(0))) == 2


def test_the_first_group_of_required_names_that_can_be_said_is_needed(pool_of):
    groups = {"anyOf": [{"required": ["free"]}, {"required": ["city"]}, {"required": ["date"]}]}
    loose = spec({"free": {"type": "object"}, "city": TEXT, "date": TEXT, "note": TEXT}, ["note"], **groups)
    [made] = pool_of(loose).tools
    assert [p.name for p in made.parameters if p.required] == ["city", "note"]
    nested = spec({"filter": {"type": "object", "properties": {"city": TEXT}, "oneOf": [{"required": ["city"]}]}})
    assert pool_of(nested).tools[0].parameters[0].fields[0].required
    for seed in range(20):
        arguments = draw_all(made.parameters, ENTITIES, "train", random.Random(seed))
        assert not validate(arguments, made.tool.parameters)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (ROWS, "rows: a list of objects of any fields"),
        ({"type": "object"}, "rows: an object of any fields"),
        (text(pattern=r"(a)\1"), r"rows: a text of the pattern \(a\)"),
        (text("A regular expression"), "rows: code, or another text that nobody says"),
        ({"type": "array", "items": ROWS}, "rows: a value of no type that can be said"),
    ],
)
def test_the_reason_for_no_values(schema, why):
    with pytest.raises(NoValues, match=why):
        entry({"rows": schema}, ["rows"])
    assert entry({"rows": schema})["parameters"] == {"rows": None}


def test_schemas_that_hold_themselves_are_read():
    inside = {"node": {"type": "object", "properties": {"city": TEXT, "next": {"$ref": "#/$defs/node"}}}}
    union = {"any": {"anyOf": [{"$ref": "#/$defs/any"}, TEXT]}}
    properties = {"node": {"$ref": "#/$defs/node"}, "word": {"$ref": "#/$defs/any"}}
    found = entry(properties, **{"$defs": inside | union})["parameters"]
    assert found["node"]["values"] == "object"
    assert found["word"]["values"] == "topic"


@pytest.mark.parametrize(
    ("name", "said_as"),
    [
        ("dueDate", "due date"),
        ("DUE_DATE", "due date"),
        ("due-date", "due date"),
        ("repos/list.all", "repos list all"),
        ("pageIDs", "page ids"),
        ("HTMLBody", "html body"),
        ("page2", "page2"),
        ("$", "$"),
    ],
)
def test_identifiers_are_said_in_words(name, said_as):
    assert spoken(name) == said_as
    made = entry({name: TEXT}, name="a/b-c.d") if name != "repos/list.all" else entry({}, name=name)
    assert made["noun"] == (said_as if name == "repos/list.all" else "a b c d")
    for each in made["parameters"].values():
        assert each["ask"] == said_as
        assert all(f"{said_as} " in f"{phrase} " for phrase in each["phrases"]["train"])


def test_singular():
    wanted = ["city", "name", "address", "status", "reference"]
    assert [singular(each) for each in ("cities", "names", "addresses", "status", "references")] == wanted


def test_parameters_of_one_name_are_told_apart_by_their_object():
    parent = {"type": "object", "properties": {"page_id": TEXT, "city": TEXT}}
    found = entry({"page_id": TEXT, "newParent": parent})["parameters"]
    assert found["page_id"]["ask"] == "page id"
    assert found["newParent"]["fields"]["page_id"]["ask"] == "new parent page id"
    assert found["newParent"]["fields"]["city"]["ask"] == "city"
    assert not {*found["page_id"]["phrases"]["train"]} & {*found["newParent"]["fields"]["page_id"]["phrases"]["train"]}


@pytest.mark.parametrize(
    ("description", "intent"),
    [
        ("Create an invoice. Sends no mail.", "create an invoice"),
        ("Retrieves v1.2 of a page.", "retrieve v1.2 of a page"),
        ("Copies a file, e.g. a photo. Fast.", "copy a file, e.g. a photo"),
        ("Searches\nfor pages", "search for pages"),
        ("Find notes\n\nMore of it", "find notes"),
        ("List users\nArgs:\n  x", "list users"),
        ("Notion | Retrieve a user\nError Responses:\n400: no", "retrieve a user"),
        ("\U0001f4e7 **Send** a [mail](http://x.org) to `all`", "send a mail to all"),
        ("IMPORTANT: Delete a {file}", "delete a file"),
        ("Permanently deletes a file", "permanently delete a file"),
        ("List, create or close tabs.", "list, create or close tabs"),
        ("Frobs the knob", "frob the knob"),
        ("Specific block", None),
        ("If nothing else helps, use this", None),
        ("", None),
    ],
)
def test_a_description_is_an_intent_where_it_begins_with_a_verb(description, intent):
    found = entry({}, name="frob_it", description=description)["intents"]["train"]
    assert found == ["call frob it", "run frob it", *([intent] if intent else [])]


LEAVES = st.one_of(
    st.sampled_from([TEXT, {"type": "boolean"}, {"type": "null"}, {"enum": ["a", 2]}, {}, {"type": "object"}]),
    st.fixed_dictionaries(
        {"type": st.just("integer")}, optional={"minimum": st.integers(-50, 0), "default": st.just(90)}
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["string", ["string", "null"], ["number", "string"]])},
        optional={
            "pattern": st.sampled_from(["^[A-Z]", r"^\d+$", "(x)\\1", "["]),
            "maxLength": st.integers(0, 40),
            "description": st.sampled_from(["'a' or 'b'", "One of: p, q", "ISO 8601", "A UUID", "JSON string"]),
        },
    ),
)
NAMES = st.sampled_from(["name", "city", "pageId", "created_at", "sha", "tags", "owner", "jql", "x", "range"])


def nested(inner):
    fields = st.dictionaries(NAMES, inner, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"items": inner}, optional={"type": st.just("array"), "minItems": st.integers(0, 2)}),
        st.builds(lambda found: {"properties": found, "required": [*found][:1]}, fields),
        st.builds(lambda found: {"type": "object", "properties": found, "anyOf": [{"required": [*found]}]}, fields),
    )


@given(st.dictionaries(NAMES, st.recursive(LEAVES, nested, max_leaves=6), max_size=4), st.integers(0, 2))
@settings(max_examples=150, deadline=None)
def test_what_is_drawn_fits_any_schema(tmp_path_factory, properties, needed):
    """Or no request is invented for the tool."""
    path = tmp_path_factory.mktemp("own") / "tools.json"
    path.write_text(json.dumps([spec({}, name="ping"), spec(properties, [*properties][:needed])]))
    for made in load_pool(path).tools:
        for side in ("train", "test"):
            arguments = draw_all(made.parameters, ENTITIES, side, random.Random(0))
            assert not validate(arguments, made.tool.parameters)
