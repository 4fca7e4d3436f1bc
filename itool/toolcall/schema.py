"""Tool specifications: a subset of JSON Schema, checked once when read, and values checked against it.

Types: string (format date, time or email; enum), integer, number, boolean, array, object; `required`, `default`,
`const`; nullable as `"type": [T, "null"]` or `anyOf: [T, {"type": "null"}]`; `$ref` to a definition, which is put in
its place. Annotations such as `title` are kept but not checked, and no value is held against bounds, lengths and
patterns. [O]
"""

import json
import math
import re
from datetime import date, time
from itertools import product
from pathlib import Path
from typing import Any

from itool.errors import UserError
from itool.files import read_json
from itool.toolcall.types import Tool

TYPES = ("string", "integer", "number", "boolean", "array", "object")
DEFINITIONS = ("$defs", "definitions")
# All that may stand in a tool without parameters: any other key could be misspelt ones.
BESIDE_PARAMETERS = ("name", "description", "type", "strict", "title", "annotations", "returns", "outputSchema")
REFUSED = ("anyOf", "oneOf", "allOf", "not", "$ref", "if", "prefixItems")
# Both dialects must be able to write a name, so it holds no space, quote, bracket, comma or equals sign.
NAME = re.compile(r"[\w.$@:/+-]{1,64}")
TIME = re.compile(r"\d{2}:\d{2}(:\d{2})?")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
MAX_DEPTH = 16  # of schemas in each other


class SchemaError(UserError):
    """A tool specification outside the subset: names where it stands, the tool, the field, found and expected."""


def parse_tool(spec: Any, where: str) -> Tool:
    """A Tool from `{"type": "function", "function": {...}}` or the bare `{"name", "description", "parameters"}`.

    MCP says `inputSchema` for `parameters`. `where` (a file, a task id) opens the message of the SchemaError.
    """
    if isinstance(spec, dict) and isinstance(spec.get("function"), dict):
        spec = spec["function"]
    if not isinstance(spec, dict):
        raise SchemaError(
            f"{where}: tool: found {_short(spec)}, expected an object with name, description and parameters"
        )
    name = spec.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise SchemaError(f"{where}: tool {_short(name)}: name: expected 1 to 64 letters, digits or _ . $ @ : / + -")
    description = spec.get("description", "")
    if not isinstance(description, str):
        raise SchemaError(f"{where}: tool {name}: description: found {_short(description)}, expected a string")
    return Tool(name, description, _parameters(spec, f"{where}: tool {name}"))


def parse_tools(specs: list[Any], where: str) -> list[Tool]:
    """Tools that stand side by side. Raises SchemaError also for a name given twice."""
    tools = [parse_tool(spec, where) for spec in specs]
    names: set[str] = set()
    for tool in tools:
        if tool.name in names:
            raise SchemaError(f"{where}: tool {tool.name}: name: given twice, expected once")
        names.add(tool.name)
    return tools


def load_tools(path: str | Path) -> list[Tool]:
    """All tools of a JSON file: `{"domain": ..., "tools": [...]}` or a list of specifications.

    Raises UserError naming the file, and the line where the JSON is broken.
    """
    content = read_json(path)
    specs = content.get("tools") if isinstance(content, dict) else content
    if not isinstance(specs, list):
        raise SchemaError(f'{path}: found {_short(content)}, expected a list of tools or {{"tools": [...]}}')
    if not specs:
        raise SchemaError(f"{path}: found no tools, expected at least one")
    return parse_tools(specs, str(path))


def validate(value: Any, schema: dict[str, Any], where: str = "value") -> list[str]:
    """Everything wrong with a value (type, enum, format, required), one line each naming the field; empty when fine."""
    if type_errors(value, schema, nested=False):
        return [f"{where}: found {_short(value)}, expected {_type_name(schema)}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: found {_short(value)}, expected one of {_short(schema['enum'])}"]
    if isinstance(value, str) and not _has_format(value, schema.get("format")):
        return [f"{where}: found {_short(value)}, expected a string with format {schema['format']}"]
    if isinstance(value, list):
        return [
            line for i, item in enumerate(value) for line in validate(item, schema.get("items", {}), f"{where}[{i}]")
        ]
    if not isinstance(value, dict):
        return []
    properties = schema.get("properties")
    lines = [f"{where}.{name}: missing" for name in schema.get("required", []) if name not in value]
    for name, item in value.items():
        if properties is not None and name not in properties:
            lines.append(f"{where}.{name}: unknown, expected one of {_short(list(properties))}")
        else:
            lines += validate(item, (properties or {}).get(name, {}), f"{where}.{name}")
    return lines


def type_errors(value: Any, schema: dict[str, Any], nested: bool = True) -> bool:
    """Whether a value, or with `nested` anything in it, has a type the schema does not allow. 5.0 is an integer."""
    if not _is_type(value, schema.get("type")):
        return True
    if nested and isinstance(value, list):
        return any(type_errors(item, schema.get("items", {})) for item in value)
    if nested and isinstance(value, dict):
        properties = schema.get("properties", {})
        return any(type_errors(item, properties.get(name, {})) for name, item in value.items())
    return False


def types_of(schema: dict[str, Any]) -> tuple[str, ...]:
    """The type names a schema allows; all of them where it names none."""
    kind = schema.get("type")
    if kind is None:
        return (*TYPES, "null")
    return tuple(kind) if isinstance(kind, list) else (kind,)


def _is_type(value: Any, kind: str | list[str] | None) -> bool:
    if kind is None:
        return True
    if isinstance(kind, list):
        return any(_is_type(value, one) for one in kind)
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, float):
        return kind == "number" or (kind == "integer" and value.is_integer())
    expected = {"string": str, "integer": int, "number": int, "array": list, "object": dict, "null": type(None)}
    return isinstance(value, expected.get(kind, ()))


def _has_format(value: str, wanted: str | None) -> bool:
    try:
        if wanted == "date":
            return bool(date.fromisoformat(value)) and len(value) == 10
        if wanted == "time":
            return bool(TIME.fullmatch(value)) and time.fromisoformat(value) is not None
    except ValueError:
        return False
    return wanted != "email" or bool(EMAIL.fullmatch(value))


def _parameters(spec: dict[str, Any], where: str) -> dict[str, Any]:
    if "parameters" not in spec and "inputSchema" not in spec:
        for key in spec:
            if key not in BESIDE_PARAMETERS:
                raise SchemaError(f"{where}: {key}: unknown, expected parameters")
    found, where = spec.get("parameters") or spec.get("inputSchema") or {}, f"{where}: parameters"
    if not isinstance(found, dict):
        raise SchemaError(f"{where}: found {_short(found)}, expected a JSON Schema object")
    definitions = {
        f"#/{section}/{name}": schema
        for section in DEFINITIONS
        if isinstance(found.get(section), dict)
        for name, schema in found[section].items()
        if isinstance(schema, dict)
    }
    found = {key: value for key, value in found.items() if key not in DEFINITIONS}
    found, definitions = _plain(found, definitions, where)
    found = {"type": "object", "properties": {}} | found
    if found["type"] != "object":
        raise SchemaError(f'{where}.type: found {_short(found["type"])}, expected "object"')
    return _checked(found, definitions, where, depth=0)


def _plain(schema: dict[str, Any], definitions: dict[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema with the definition in place of its `$ref` and a type in place of `anyOf: [T, null]`.

    `definitions` are by their references. Those that may stand inside are returned, too: None marks one that may not.
    """
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference in definitions:
        if definitions[reference] is None:
            raise SchemaError(f"{where}.$ref: found {reference} inside itself, expected a definition that ends")
        outer = {key: value for key, value in schema.items() if key != "$ref"}
        return _plain(definitions[reference] | outer, definitions | {reference: None}, where)
    if "const" in schema:
        schema = {key: value for key, value in schema.items() if key != "const"} | {"enum": [schema["const"]]}
    for keyword in ("anyOf", "oneOf"):
        match schema.get(keyword):
            case [dict(other), {"type": "null"}] | [{"type": "null"}, dict(other)]:
                inner, inside = _plain(other, definitions, where)
                if inner.get("type") in TYPES:
                    outer = {key: value for key, value in schema.items() if key != keyword}
                    options = {"enum": [*inner["enum"], None]} if isinstance(inner.get("enum"), list) else {}
                    return inner | outer | {"type": [inner["type"], "null"]} | options, inside
    return schema, definitions


def _checked(found: Any, definitions: dict[str, Any], where: str, depth: int) -> dict[str, Any]:
    """The schema in the words of the subset."""
    if not isinstance(found, dict):
        raise SchemaError(f"{where}: found {_short(found)}, expected a JSON Schema object")
    if depth > MAX_DEPTH:
        raise SchemaError(f"{where}: nested deeper than {MAX_DEPTH} levels")
    schema, definitions = _plain(found, definitions, where)
    for keyword in REFUSED:
        if keyword in schema:
            raise SchemaError(f'{where}.{keyword}: not supported, expected one "type" (or [type, "null"])')
    if "type" in schema:
        _check_type(schema["type"], f"{where}.type")
    elif "enum" not in schema:
        raise SchemaError(f"{where}.type: missing, expected one of {', '.join(TYPES)}")
    if "items" in schema:
        items = _checked(schema["items"], definitions, f"{where}.items", depth + 1)
        schema = schema | {"items": items}
    if not isinstance(schema.get("additionalProperties", True), bool):
        others = _checked(schema["additionalProperties"], definitions, f"{where}.additionalProperties", depth + 1)
        schema = schema | {"additionalProperties": others}
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        raise SchemaError(f"{where}.properties: found {_short(properties)}, expected an object")
    for name in properties:
        if depth == 0 and not NAME.fullmatch(name):
            raise SchemaError(f"{where}.properties: found {_short(name)}, expected letters, digits or _ . $ @ : / + -")
    if "properties" in schema:
        schema = schema | {
            "properties": {
                name: _checked(inner, definitions, f"{where}.properties.{name}", depth + 1)
                for name, inner in properties.items()
            }
        }
    required = schema.get("required", [])
    if not isinstance(required, list) or any(not isinstance(name, str) for name in required):
        raise SchemaError(f"{where}.required: found {_short(required)}, expected a list of names")
    for name in required:
        if "properties" in schema and name not in properties:
            raise SchemaError(f"{where}.required: found {_short(name)}, expected one of {_short(list(properties))}")
    _check_range(schema, where)
    _check_enum_and_default(schema, where)
    return schema


def _check_type(kind: Any, where: str) -> None:
    names = kind if isinstance(kind, list) else [kind]
    nullable = isinstance(kind, list) and len(kind) == 2 and "null" in kind
    if (isinstance(kind, list) and not nullable) or sum(name in TYPES for name in names) != 1:
        raise SchemaError(f'{where}: found {_short(kind)}, expected one of {", ".join(TYPES)} or [one of them, "null"]')


def _check_range(schema: dict[str, Any], where: str) -> None:
    for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"):
        value = schema.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -math.inf < value < math.inf:
            raise SchemaError(f"{where}.{name}: found {_short(value)}, expected a number")
    whole = "integer" in types_of(schema)
    for least, most in product(("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if least not in schema or most not in schema:
            continue
        low, high = schema[least], schema[most]
        if whole:  # the least and the greatest integer
            low = math.ceil(low) if least == "minimum" else math.floor(low) + 1
            high = math.floor(high) if most == "maximum" else math.ceil(high) - 1
        if low > high or (low == high and not whole and (least, most) != ("minimum", "maximum")):
            found = f"{where}: found {least} {schema[least]} and {most} {schema[most]}"
            raise SchemaError(f"{found}, expected {_type_name(schema)} between them")


def _check_enum_and_default(schema: dict[str, Any], where: str) -> None:
    if "enum" in schema:
        values = schema["enum"]
        if not isinstance(values, list) or not values:
            raise SchemaError(f"{where}.enum: found {_short(values)}, expected a list of values")
        for value in values:
            if type_errors(value, schema):
                raise SchemaError(f"{where}.enum: found {_short(value)}, expected {_type_name(schema)}")
        if all(value is None for value in values):
            raise SchemaError(f"{where}.enum: found {_short(values)}, expected a value beside null")
    if "default" in schema:
        problems = validate(schema["default"], schema, f"{where}.default")
        if problems:
            raise SchemaError(problems[0])


def _type_name(schema: dict[str, Any]) -> str:
    return " or ".join(types_of(schema))


def _short(value: Any) -> str:
    """A value as JSON, cut to fit a one-line message."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
