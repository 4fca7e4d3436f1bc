"""Tool specifications: a subset of JSON Schema, checked once when read, and values checked against it.

Types: string (format date, time or email; enum), integer, number, boolean, array, object; `required`, `default`,
nullable as `"type": [T, "null"]`. Annotations such as `title` or `minimum` are kept but not checked. [O]
"""

import json
import math
import re
from datetime import date, time
from pathlib import Path
from typing import Any

from stages.errors import UserError
from stages.toolcall.types import Tool

TYPES = ("string", "integer", "number", "boolean", "array", "object")
REFUSED = ("anyOf", "oneOf", "allOf", "not", "$ref", "if")
# Both dialects must be able to write a name, so it holds no space, quote, bracket, comma or equals sign.
NAME = re.compile(r"[\w.$@:/+-]{1,64}")
TIME = re.compile(r"\d{2}:\d{2}(:\d{2})?")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
MAX_DEPTH = 16


class SchemaError(UserError):
    """A tool specification outside the subset: names where it stands, the tool, the field, found and expected."""


def parse_tool(spec: Any, where: str) -> Tool:
    """A Tool from `{"type": "function", "function": {...}}` or the bare `{"name", "description", "parameters"}`.

    `where` (a file, a task id) opens the message of the SchemaError.
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
    parameters = spec.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise SchemaError(
            f"{where}: tool {name}: parameters: found {_short(parameters)}, expected a JSON Schema object"
        )
    parameters = {"type": "object", "properties": {}} | parameters
    if parameters["type"] != "object":
        raise SchemaError(
            f'{where}: tool {name}: parameters.type: found {_short(parameters["type"])}, expected "object"'
        )
    _check_schema(parameters, f"{where}: tool {name}: parameters", depth=0)
    return Tool(name, description, parameters)


def load_tools(path: str | Path) -> list[Tool]:
    """All tools of a JSON file: `{"domain": ..., "tools": [...]}` or a list of specifications.

    Raises UserError naming the file, and the line where the JSON is broken.
    """
    content = read_json(path)
    specs = content.get("tools") if isinstance(content, dict) else content
    if not isinstance(specs, list):
        raise SchemaError(f'{path}: found {_short(content)}, expected a list of tools or {{"tools": [...]}}')
    tools = [parse_tool(spec, str(path)) for spec in specs]
    names: set[str] = set()
    for tool in tools:
        if tool.name in names:
            raise SchemaError(f"{path}: tool {tool.name}: name: given twice, expected once")
        names.add(tool.name)
    return tools


def read_json(path: str | Path) -> Any:
    """Any JSON file. Raises UserError naming the file, and the line where the JSON is broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start}: not UTF-8") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: line {error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise UserError(f"{path}: not JSON: nested too deep") from None


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


def _check_schema(schema: Any, where: str, depth: int) -> None:
    if not isinstance(schema, dict):
        raise SchemaError(f"{where}: found {_short(schema)}, expected a JSON Schema object")
    if depth > MAX_DEPTH:
        raise SchemaError(f"{where}: nested deeper than {MAX_DEPTH} levels")
    for keyword in REFUSED:
        if keyword in schema:
            raise SchemaError(f'{where}.{keyword}: not supported, expected one "type" (or [type, "null"])')
    if "type" in schema:
        _check_type(schema["type"], f"{where}.type")
    elif "enum" not in schema:
        raise SchemaError(f"{where}.type: missing, expected one of {', '.join(TYPES)}")
    _check_enum_and_default(schema, where)
    if "items" in schema:
        _check_schema(schema["items"], f"{where}.items", depth + 1)
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        raise SchemaError(f"{where}.properties: found {_short(properties)}, expected an object")
    for name, inner in properties.items():
        if depth == 0 and not NAME.fullmatch(name):
            raise SchemaError(f"{where}.properties: found {_short(name)}, expected letters, digits or _ . $ @ : / + -")
        _check_schema(inner, f"{where}.properties.{name}", depth + 1)
    required = schema.get("required", [])
    if not isinstance(required, list) or any(not isinstance(name, str) for name in required):
        raise SchemaError(f"{where}.required: found {_short(required)}, expected a list of names")
    for name in required:
        if "properties" in schema and name not in properties:
            raise SchemaError(f"{where}.required: found {_short(name)}, expected one of {_short(list(properties))}")


def _check_type(kind: Any, where: str) -> None:
    names = kind if isinstance(kind, list) else [kind]
    nullable = isinstance(kind, list) and len(kind) == 2 and "null" in kind
    if (isinstance(kind, list) and not nullable) or sum(name in TYPES for name in names) != 1:
        raise SchemaError(f'{where}: found {_short(kind)}, expected one of {", ".join(TYPES)} or [one of them, "null"]')


def _check_enum_and_default(schema: dict[str, Any], where: str) -> None:
    if "enum" in schema:
        values = schema["enum"]
        if not isinstance(values, list) or not values:
            raise SchemaError(f"{where}.enum: found {_short(values)}, expected a list of values")
        for value in values:
            if type_errors(value, schema):
                raise SchemaError(f"{where}.enum: found {_short(value)}, expected {_type_name(schema)}")
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
