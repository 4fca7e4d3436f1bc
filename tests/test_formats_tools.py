"""Tools in every layout of the field, and the faults of their schemas that are repaired."""

import json
from pathlib import Path
from typing import Any

import pytest

from itool.errors import UserError
from itool.formats.notes import Notes
from itool.formats.repair import repaired
from itool.formats.tools import is_tools, read_tools
from itool.toolcall.types import Tool

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("get_weather", "Weather of a city.", SCHEMA)
BARE = {"name": "get_weather", "description": "Weather of a city."}


def read(tmp_path: Path, content: Any, name: str = "tools.json") -> tuple[list[Tool], Notes]:
    path, notes = tmp_path / name, Notes()
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_tools(path, notes), notes


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "function", "function": BARE | {"parameters": SCHEMA, "strict": True}}],
        [{"type": "function", "strict": True} | BARE | {"parameters": SCHEMA}],
        {"tools": [BARE | {"parameters": SCHEMA}]},
        {"functions": [BARE | {"parameters": SCHEMA}]},
        BARE | {"parameters": SCHEMA},
        [BARE | {"input_schema": SCHEMA}],
        [BARE | {"type": "custom", "input_schema": SCHEMA}],
        {"tools": [BARE | {"title": "Weather", "inputSchema": SCHEMA, "outputSchema": {}, "_meta": {}}]},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [BARE | {"inputSchema": SCHEMA}]}},
        {"tools": [{"toolSpec": BARE | {"inputSchema": {"json": SCHEMA}}}]},
        [{"functionDeclarations": [BARE | {"parameters": SCHEMA}]}],
        [{"function_declarations": [BARE | {"parametersJsonSchema": SCHEMA}]}],
        [{"title": "get_weather", "description": "Weather of a city."} | SCHEMA],
        [BARE | {"args": {"city": {"type": "string"}}}],
        [BARE | {"parameters": {"city": {"type": "string"}}}],
        [BARE | {"parameters": {"type": "object", "properties": SCHEMA["properties"]}, "required": ["city"]}],
        [BARE | {"parameters": json.dumps(SCHEMA)}],
        [json.dumps(BARE | {"parameters": SCHEMA})],
        "\n".join([json.dumps(BARE | {"parameters": SCHEMA})] * 2),
    ],
)
def test_layouts(tmp_path: Path, content: Any) -> None:
    tools, notes = read(tmp_path, content)
    assert tools == [WEATHER]
    assert not notes.broken + notes.left_out
    assert set(notes.repaired) <= {"tool given twice"}


def test_a_document_of_openapi_in_yaml_and_functions_of_python(tmp_path: Path) -> None:
    document = """
openapi: 3.1.0
info: {title: Weather, version: "1"}
paths:
  /weather/{city}:
    get:
      operationId: get_weather
      summary: Weather of a city.
      parameters: [{name: city, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: fine}}
"""
    assert read(tmp_path, document, "api.yaml")[0] == [WEATHER]
    code = 'def get_weather(city: str):\n    """Weather of a city.\n\n    Args:\n        city: Which.\n    """\n'
    [tool] = read(tmp_path, code, "mine.py")[0]
    assert (tool.name, tool.description, tool.required) == ("get_weather", "Weather of a city.", ["city"])


FEED = Tool("feed", "Feeds a pet.", {"type": "object", "properties": {"pet": {"type": "integer"}}, "required": ["pet"]})
PAGES = [
    {"jsonrpc": "2.0", "id": 1, "result": {"tools": [BARE | {"inputSchema": SCHEMA}], "nextCursor": "2"}},
    {"jsonrpc": "2.0", "id": 2, "result": {"tools": [FEED.spec()["function"]]}},
]


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(map(json.dumps, PAGES)),
        PAGES,
        [{"tools": [BARE | {"parameters": SCHEMA}]}, {"functions": [FEED.spec()]}],
        [BARE | {"parameters": SCHEMA}, PAGES[1]],
        [{"tools": []}, PAGES[0], [FEED.spec()]],
    ],
)
def test_several_documents_of_tools_in_one_file(tmp_path: Path, content: Any) -> None:
    tools, notes = read(tmp_path, content)
    assert tools == [WEATHER, FEED]
    assert not notes.broken + notes.left_out + notes.repaired


def test_a_broken_document_among_others_is_named(tmp_path: Path) -> None:
    broken = [{"swagger": "2.0"}, {"mcpServers": {}}, {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601}}]
    tools, notes = read(tmp_path, [*broken, PAGES[0]])
    assert tools == [WEATHER]
    assert notes.broken == {"broken document": 2, "broken tool": 1}
    with pytest.raises(UserError, match=r"found Swagger '2\.0'"):
        read(tmp_path, broken)


def test_flat_parameters_with_types_of_python(tmp_path: Path) -> None:
    flat = {
        "ids": {"type": "List[int]", "description": "which"},
        "note": {"type": "str, optional"},
        "size": {"type": "int (optional)"},
        "unit": {"type": "string", "default": "g"},
        "wet": {"type": "bool", "optional": True},
        "dry": {"type": "bool", "required": False},
    }
    [tool] = read(tmp_path, [{"name": "f", "parameters": flat}])[0]
    assert tool.required == ["ids"]
    assert tool.parameters["properties"]["ids"] == {
        "type": "array",
        "items": {"type": "integer"},
        "description": "which",
    }
    assert tool.parameters["properties"]["size"] == {"type": "integer"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML: while parsing"),
        ("a: 1\n---\nb: 2", "not YAML: expected a single document"),
        ("[" * 1000, "not YAML"),
        ("[" * 100 + "]" * 100, "nested deeper than 64 levels"),
        ("a: &a [*a]", "not YAML: Circular reference"),
        ("a: *b", "not YAML: .*undefined alias"),
        ("a: !inc b.yaml", "not YAML: could not determine a constructor"),
        ("? [a]\n: 3", "not YAML"),
        ("a: 1\na: 2", "not YAML: .*duplicate key"),
    ],
)
def test_broken_yaml_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"t\.yaml: .*{message}") as caught:
        read(tmp_path, text, "t.yaml")
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    specs = [
        BARE | {"parameters": SCHEMA},
        {"name": "find flights"},
        {"type": "web_search"},
        {"name": "f", "parameterz": 1},
    ]
    tools, notes = read(tmp_path, specs)
    assert tools == [WEATHER]
    assert (notes.broken, notes.left_out) == ({"broken tool": 2}, {"built-in tool": 1})
    assert 'tool "find flights": name: expected' in notes.first("broken tool")[0]
    assert 'tool "f": parameterz: unknown, expected parameters' in notes.first("broken tool")[1]
    with pytest.raises(UserError, match='tool "find flights": name: expected'):
        read(tmp_path, specs[1:])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"mcpServers": {"files": {"command": "npx"}}},
            "found a list of MCP servers, expected the result of a server's",
        ),
        ({"swagger": "2.0", "paths": {}}, "2.0"),
        ([BARE, BARE | {"description": "x"}], "tool get_weather: name: given twice with different contents"),
        ("a: [", "not JSON"),
        (5, "found 5, expected a list of tools"),
    ],
)
def test_files_that_hold_no_tools(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, content)


def parameter(schema: Any, **beside: Any) -> Any:
    """The repaired schema of a tool's only parameter, and the kinds of repairs."""
    kinds: list[str] = []
    whole = repaired({"type": "object", "properties": {"a": schema}} | beside, lambda kind, detail: kinds.append(kind))
    return whole["properties"]["a"], kinds


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (
            {"type": "dict", "properties": {"b": {"type": "float"}}},
            {"type": "object", "properties": {"b": {"type": "number"}}},
        ),
        ({"type": "STRING"}, {"type": "string"}),
        ({"type": "str, optional"}, {"type": "string"}),
        ({"type": "List[int]"}, {"type": "array"}),
        ({"type": "date"}, {"type": "string", "format": "date"}),
        ({"type": "any", "description": "x"}, {"description": "x"}),
        ({"type": ["str", "None"]}, {"type": ["string", "null"]}),
        ({"type": "ArrayOfThings"}, {}),
        ({"type": "integer", "default": "5"}, {"type": "integer", "default": 5}),
        ({"type": "boolean", "default": "False"}, {"type": "boolean", "default": False}),
        ({"type": "string", "default": 5}, {"type": "string", "default": "5"}),
        ({"type": "integer", "default": "many"}, {"type": "integer"}),
        ({"type": "string", "enum": ["x"], "default": "y"}, {"type": "string", "enum": ["x"]}),
        ({"type": "integer", "enum": ["1", "2"]}, {"type": "integer", "enum": [1, 2]}),
        ({"type": "integer", "enum": ["1", "any"]}, {"enum": [1, "any"]}),
        (
            {"type": "array", "items": {"type": "string"}, "enum": ["x", "y"]},
            {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}},
        ),
        ({"type": "string", "enum": []}, {"type": "string"}),
        (
            {"type": "object", "required": "b", "properties": {"b": {}}},
            {"type": "object", "required": ["b"], "properties": {"b": {}}},
        ),
        (
            {"type": "object", "required": ["c"], "properties": {"b": {}}},
            {"type": "object", "required": [], "properties": {"b": {}}},
        ),
        ({"type": "number", "minimum": "3", "maximum": [4]}, {"type": "number", "minimum": 3}),
        ({"type": "string", "description": ["x"]}, {"type": "string"}),
        ({"type": "string", "pattern": "["}, {"type": "string"}),
        ({"type": "string", "pattern": "^\\p{L}+$"}, {"type": "string"}),
    ],
)
def test_faults_that_are_repaired_and_told(written: Any, meant: Any) -> None:
    found, kinds = parameter(written)
    assert found == meant
    assert kinds


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"type": "string", "default": None}, {"type": "string", "default": None}),
        ({"type": "string", "enum": None}, {"type": "string"}),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "array", "items": [{"type": "string"}]}, {"type": "array", "prefixItems": [{"type": "string"}]}),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 1}),
        ({"anyOf": [{"type": "string"}, {"type": "object"}]}, {"anyOf": [{"type": "string"}, {"type": "object"}]}),
        (
            {"type": "object", "properties": {"type": {"type": "string"}}},
            {"type": "object", "properties": {"type": {"type": "string"}}},
        ),
    ],
)
def test_what_needs_no_word(written: Any, meant: Any) -> None:
    assert parameter(written) == (meant, [])


def test_a_parameter_that_says_of_itself_that_it_is_required() -> None:
    whole = repaired(
        {"type": "object", "properties": {"a": {"type": "string", "required": True}, "b": {"required": False}}},
        lambda kind, detail: None,
    )
    assert whole == {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}


def test_tools_and_conversations_are_told_apart() -> None:
    assert all(map(is_tools, [BARE, {"tools": [BARE]}, {"openapi": "3.1.0", "paths": {}}]))
    assert not any(map(is_tools, [{"tools": [BARE], "messages": []}, [], {"query": "", "tools": []}]))
