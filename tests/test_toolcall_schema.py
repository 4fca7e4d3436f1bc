"""Tool specifications and values against them; every error is one line that says where and what."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from toolcall_strategies import WRONG_TYPE, tasks

from itool.artifacts import row_task, task_row
from itool.errors import UserError
from itool.formats.notes import Notes
from itool.formats.tools import read_tool, read_tools
from itool.toolcall.resolve import resolved
from itool.toolcall.schema import SchemaError, parse_tool, surely_right, type_errors, types_of, validate
from itool.toolcall.types import Reference, Task, Tool

FLIGHTS = {
    "type": "object",
    "properties": {
        "date": {"type": "string", "format": "date"},
        "seats": {"type": "integer", "default": 1},
        "cabin": {"type": "string", "enum": ["economy", "first"]},
        "note": {"type": ["string", "null"], "default": None},
        "people": {"type": "array", "items": {"type": "object", "properties": {"age": {"type": "number"}}}},
        "contact": {
            "type": "object",
            "properties": {"mail": {"type": "string", "format": "email"}},
            "required": ["mail"],
        },
    },
    "required": ["date"],
}


def test_both_forms_of_a_specification() -> None:
    bare = {"name": "f", "description": "d", "parameters": FLIGHTS}
    tool = parse_tool(bare, "x")
    assert tool == Tool("f", "d", FLIGHTS)
    assert parse_tool({"type": "function", "function": bare}, "x") == tool
    assert parse_tool(tool.spec(), "x") == tool
    assert parse_tool({"name": "g"}, "x") == Tool("g", "", {"type": "object", "properties": {}})


def nullable(inner: dict[str, Any], **outer: Any) -> dict[str, Any]:
    return {"anyOf": [inner, {"type": "null"}], **outer}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (nullable({"type": "string"}), {"type": ["string", "null"]}),
        ({"oneOf": [{"type": "null"}, {"type": "integer"}]}, {"type": ["integer", "null"]}),
        (
            nullable({"type": "string", "title": "in"}, title="out", default=None),
            {"type": ["string", "null"], "title": "out", "default": None},
        ),
        (
            nullable({"type": "string", "enum": ["a", "b"]}, default=None),
            {"type": ["string", "null"], "enum": ["a", "b", None], "default": None},
        ),
        ({"$ref": "#/$defs/Color", "default": "red"}, {"type": "string", "enum": ["red"], "default": "red"}),
        ({"$ref": "#/definitions/Old"}, {"type": "integer"}),
        ({"$ref": "#/properties/b"}, {"type": "boolean"}),
        ({"type": "string", "const": "red"}, {"type": "string", "enum": ["red"]}),
        (nullable({"type": "string", "const": "red"}), {"type": ["string", "null"], "enum": ["red", None]}),
        (
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/Maybe"}},
            {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        ),
        ({"type": "object", "additionalProperties": False}, {"type": "object", "additionalProperties": False}),
        (
            {"type": "array", "items": {"$ref": "#/$defs/Maybe"}},
            {"type": "array", "items": {"type": ["string", "null"]}},
        ),
        (
            nullable({"$ref": "#/$defs/Point"}),
            {
                "type": ["object", "null"],
                "properties": {"a": {"type": "string", "enum": ["red"]}, "b": {"type": "integer"}},
                "required": ["b"],
            },
        ),
        (
            {"allOf": [{"$ref": "#/$defs/Point"}, {"properties": {"c": True}, "required": ["c"]}], "title": "x"},
            {
                "type": "object",
                "title": "x",
                "properties": {"a": {"type": "string", "enum": ["red"]}, "b": {"type": "integer"}, "c": {}},
                "required": ["b", "c"],
            },
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "object"}]},
            {"anyOf": [{"type": "string"}, {"type": "object"}]},
        ),
        ({"oneOf": [{"const": "a"}, {"const": 1}]}, {"enum": ["a", 1]}),
        (
            {"oneOf": [{"type": "string", "const": "a"}, {"type": "null"}]},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ({"type": "array", "prefixItems": [{"const": 1}, True]}, {"type": "array", "prefixItems": [{"enum": [1]}, {}]}),
    ],
)
def test_a_schema_is_read_without_references_and_combinations(written: Any, read: Any) -> None:
    definitions = {
        "Color": {"type": "string", "enum": ["red"]},
        "Maybe": nullable({"type": "string"}),
        "Point": {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/Color"}, "b": {"$ref": "#/definitions/Old"}},
            "required": ["b"],
        },
    }
    parameters = {
        "$defs": definitions,
        "definitions": {"Old": {"type": "integer"}},
        "type": "object",
        "properties": {"a": written, "b": {"type": "boolean"}},
    }
    tool = parse_tool({"name": "f", "parameters": parameters}, "x")
    assert tool.parameters == parameters  # as its author wrote it, for prompts
    assert tool.schema == {"type": "object", "properties": {"a": read, "b": {"type": "boolean"}}}


NODE = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/Node", "description": "what follows"}},
    "required": ["value"],
}


def test_a_definition_inside_itself_is_followed_as_far_as_a_value_goes() -> None:
    parameters = {"type": "object", "properties": {"list": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": NODE}}
    schema = resolved(parameters)["properties"]["list"]
    assert schema["properties"]["next"] is schema
    fine = {"value": 1, "next": {"value": 2, "next": {"value": 3}}}
    assert not type_errors(fine, schema)
    assert type_errors({"value": 1, "next": {"value": 2, "next": {"value": "3"}}}, schema)
    assert validate({"list": fine}, parameters, "f") == []
    [line] = validate({"list": {"value": 1, "next": {"value": 2, "last": 3}}}, parameters, "f")
    assert line == "f.list.next.last: unknown"


@pytest.mark.parametrize("loop", [{"$ref": "#/properties/a"}, {"allOf": [{"$ref": "#/properties/a"}]}])
def test_a_reference_to_itself_allows_anything(loop: dict[str, Any]) -> None:
    assert types_of(resolved({"type": "object", "properties": {"a": loop}})["properties"]["a"])


@pytest.mark.parametrize("domain", sorted(Path("data/tools").glob("*.json")), ids=lambda path: path.stem)
def test_the_shipped_pool_is_inside_the_subset(domain: Path) -> None:
    notes = Notes()
    assert len(read_tools(domain, notes)) >= 5
    assert not notes.broken + notes.left_out + notes.repaired


def broken(**change: Any) -> dict[str, Any]:
    """A specification whose only parameter has the given schema, in which None removes a key."""
    schema = {key: value for key, value in ({"type": "string"} | change).items() if value is not None}
    return {"name": "f", "parameters": {"type": "object", "properties": {"a": schema}}}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("f", 'tools.json: tool: found "f", expected an object'),
        ({}, "tools.json: tool null: name: expected"),
        ({"name": "find flights"}, 'tools.json: tool "find flights": name: expected'),
        ({"name": "f", "description": 1}, "tools.json: tool f: description: found 1, expected a string"),
        ({"name": "f", "parameters": {"type": "array"}}, 'tool f: parameters.type: found "array", expected "object"'),
        ({"name": "f", "parameters": [1]}, 'tool "f": parameters: found [1], expected a JSON Schema object'),
        (broken(anyOf=[]), "tool f: parameters.properties.a.anyOf: [] should be non-empty"),
        (broken(**{"$ref": ["#/x"]}), "parameters.properties.a.$ref: ['#/x'] is not of type 'string'"),
        (broken(**{"$ref": "#/x"}), 'parameters.properties.a.$ref: found "#/x", expected a place in this schema'),
        (broken(**{"$ref": "http://x.org/y"}), '$ref: found "http://x.org/y", expected a place in this schema'),
        (broken(type="array", items="string"), "parameters.properties.a.items: 'string' is not of type 'object'"),
        ({"name": "f", "parameters": {"properties": {"a b": {"type": "string"}}}}, 'properties: found "a b", expected'),
        ({"name": "f", "parameters": {"properties": []}}, "parameters.properties: [] is not of type 'object'"),
    ],
)
def test_a_broken_specification_is_one_line(spec: Any, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        read_tool(spec, "tools.json", Notes())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("tools.json: tool")


KEYWORDS = sorted(
    {*Draft202012Validator.VALIDATORS}
    | {
        *("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$defs", "definitions"),
        *(
            "$schema",
            "$id",
            "$anchor",
            "$comment",
            "$vocabulary",
            "$recursiveRef",
            "$recursiveAnchor",
            "$dynamicAnchor",
        ),
        *("then", "else", "maxContains", "minContains", "contentEncoding", "contentMediaType", "contentSchema"),
        *("dependencies", "nullable", "x-note"),
    }
)
VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 5, -1, 2.5, "", "string", "object", "#/x", []]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=5,
)
META = Draft202012Validator(Draft202012Validator.META_SCHEMA)


@given(st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=2))
@settings(deadline=None, max_examples=200)
def test_what_is_surely_right_is_right_by_the_schema_of_schemas(schema: dict[str, Any]) -> None:
    assert not surely_right(schema) or META.is_valid(schema)


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_no_value_of_a_keyword_is_surely_right_and_wrong(keyword: str) -> None:
    values = [
        None,
        True,
        0,
        5,
        -1,
        2.5,
        "string",
        "x",
        [],
        ["a"],
        ["a", "a"],
        [1],
        [{}],
        ["null"],
        {},
        {"a": 1},
        {"a": {}},
    ]
    for value in values:
        assert not surely_right({keyword: value}) or META.is_valid({keyword: value}), value


def test_usual_schemas_are_surely_right() -> None:
    usual = {"title": "x", "minimum": 1, "x-note": 5, "anyOf": [FLIGHTS, {"type": ["string", "null"]}, True]}
    assert surely_right({"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {"a": usual}} | usual)
    assert surely_right({"type": "object", "required": ["a"], "additionalProperties": {"examples": [1]}})


def test_a_schema_nested_without_end_is_refused() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(500):
        schema = {"type": "array", "items": schema}
    with pytest.raises(SchemaError, match="nested deeper"):
        parse_tool({"name": "f", "parameters": {"properties": {"a": schema}}}, "x")


def test_tool_files(tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    for content in ([{"name": "f"}], {"domain": "d", "tools": [{"name": "f"}]}):
        path.write_text(json.dumps(content))
        assert [tool.name for tool in read_tools(path, Notes())] == ["f"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[\n{"name": "f",}\n]', "tools.json: not JSON: Expecting property name enclosed in double quotes at line 2"),
        (b"\xff", "tools.json: byte 0: not UTF-8"),
        (b"{}", "tools.json: found {}, expected a list of tools"),
        (b'[{"name": "f"}, {"name": "f", "description": "d"}]', "tools.json: tool f: name: given twice with different"),
        (b"[]", "tools.json: found no tools, expected at least one"),
        (b'{"tools": []}', "tools.json: found no tools, expected at least one"),
        (b"[" * 700 + b"]" * 700, "tools.json: found JSON nested deeper than 64 levels"),
        (b"[" * 100_000, "tools.json: found JSON nested deeper than 64 levels"),
        (b"[" + b"1" * 5000 + b"]", "tools.json: not JSON: a number of too many digits"),
    ],
)
def test_a_broken_file_names_itself(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "tools.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_tools(path, Notes())
    assert message in str(caught.value)


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json: No such file"):
        read_tools(tmp_path / "none.json", Notes())


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({"date": "2024-05-01", "seats": 2.0, "cabin": "first", "note": None}, []),
        ({}, ["f.date: missing"]),
        ({"date": "2024-5-1"}, ['f.date: found "2024-5-1", expected a string with format date']),
        ({"date": "2024-05-01", "seats": "2"}, ['f.seats: found "2", expected integer']),
        ({"date": "2024-05-01", "seats": True}, ["f.seats: found true, expected integer"]),
        ({"date": "2024-05-01", "cabin": "x"}, ['f.cabin: found "x", expected one of ["economy", "first"]']),
        ({"date": "2024-05-01", "zip": 1}, ["f.zip: unknown"]),
        ({"date": "2024-05-01", "people": [{"age": 1}, {"age": "1"}]}, ['f.people[1].age: found "1", expected number']),
        (
            {"date": "2024-05-01", "contact": {"mail": "x"}},
            ['f.contact.mail: found "x", expected a string with format email'],
        ),
        ({"date": "2024-05-01", "contact": {}}, ["f.contact.mail: missing"]),
    ],
)
def test_validate(value: Any, lines: list[str]) -> None:
    found = validate(value, FLIGHTS, "f")
    assert len(found) == len(lines)
    assert all(line.startswith(expected) for line, expected in zip(found, lines, strict=True))


@pytest.mark.parametrize(("time", "fine"), [("09:30", True), ("09:30:15", True), ("9:30", False), ("24:10", False)])
def test_times(time: str, fine: bool) -> None:
    assert (validate(time, {"type": "string", "format": "time"}) == []) == fine


def test_type_errors_look_inside_but_not_at_values() -> None:
    assert not type_errors("x", {"type": "string", "enum": ["y"], "format": "date"})
    assert not type_errors(None, {"type": ["string", "null"]})
    assert type_errors(None, {"type": "string"})
    assert type_errors([1, "2"], {"type": "array", "items": {"type": "integer"}})
    assert type_errors({"age": "1"}, FLIGHTS["properties"]["people"]["items"])
    assert not type_errors(5.0, {"type": "integer"})
    assert type_errors(5.5, {"type": "integer"})
    assert not type_errors(5, {"type": "number"})


@given(task=tasks())
@settings(deadline=None, max_examples=40)
def test_references_fit_their_schemas_and_tasks_survive_a_table(task: tuple[list[Tool], Reference]) -> None:
    tools, reference = task
    schemas = {tool.name: tool.parameters for tool in tools}
    for call in reference.answer().calls:
        assert validate(call.arguments, schemas[call.name]) == []
        for name in call.arguments:
            schema = schemas[call.name]["properties"][name]
            assert type_errors(WRONG_TYPE[schema["type"]], schema)
    whole = Task("t", "train", "single", tuple(tools), ({"role": "user", "content": "x"},), reference)
    assert row_task(task_row(whole)) == whole
