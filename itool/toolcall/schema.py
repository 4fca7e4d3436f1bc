"""Tool specifications: JSON Schema, checked once when read, and values checked against it [O].

`itool/formats/tools.py` brings the layouts of the field and their usual faults into the form that `parse_tool` takes.
"""

import json
import math
import re
from datetime import date, time
from functools import lru_cache
from typing import Any

from itool.errors import UserError
from itool.files import deeper
from itool.toolcall.resolve import NAMED, ONE, SEVERAL, closed, mapped, pointed
from itool.toolcall.types import Tool

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
# Every dialect must be able to write a name, so it holds no space, quote, bracket, comma or equals sign.
NAME = re.compile(r"[\w.$@:/+-]{1,64}")
TIME = re.compile(r"\d{2}:\d{2}(:\d{2})?")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
MAX_DEPTH = 16  # of schemas in each other
# What the values of keywords are. Any value may stand for default and const, and for words that are no keywords.
OF_TEXT = ("$ref", "$schema", "$comment", "title", "description", "format", "pattern", "contentEncoding")
OF_NUMBER = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
OF_COUNT = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
OF_FLAG = ("uniqueItems", "deprecated", "readOnly", "writeOnly")
SELDOM = (
    *("multipleOf", "minContains", "maxContains", "dependencies", "dependentRequired", "contentMediaType"),
    *("contentSchema", "unevaluatedItems", "unevaluatedProperties"),
)


class SchemaError(UserError):
    """A wrong tool specification: names where it stands, the tool, the field, found and expected."""


def parse_tool(spec: Any, where: str) -> Tool:
    """A Tool from `{"type": "function", "function": {...}}` or the bare `{"name", "description", "parameters"}`.

    `where` (a file, a task id) opens the message of the SchemaError.
    """
    if isinstance(spec, dict) and isinstance(spec.get("function"), dict):
        spec = spec["function"]
    if not isinstance(spec, dict):
        raise SchemaError(
            f"{where}: tool: found {short(spec)}, expected an object with name, description and parameters"
        )
    name = spec.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise SchemaError(f"{where}: tool {short(name)}: name: expected 1 to 64 letters, digits or _ . $ @ : / + -")
    description = spec.get("description") or ""
    if not isinstance(description, str):
        raise SchemaError(f"{where}: tool {name}: description: found {short(description)}, expected a string")
    return Tool(name, description, _parameters(spec.get("parameters"), f"{where}: tool {name}: parameters"))


def validate(value: Any, schema: dict[str, Any], where: str = "value") -> list[str]:
    """Everything wrong with a value by JSON Schema, one line each naming the field; empty when fine.

    An object takes no property that its schema does not name, unless that says so. 5.0 is an integer. A format is a
    rule for date, time (without a zone, seconds if wanted) and email, and a remark else.
    """
    errors = _validator(json.dumps(schema)).iter_errors(value)
    return sorted({where + line for error in errors for line in _lines(error)})


def _lines(error: Any) -> list[str]:
    """What an error of the validator says, with the place in the value."""
    path, found, wanted = _path(error.absolute_path), short(error.instance), error.validator_value
    if error.validator == "required":
        return [f"{path}.{name}: missing" for name in wanted if name not in error.instance]
    if error.validator in ("unevaluatedProperties", "additionalProperties"):
        return [f"{path}.{name}: unknown" for name in re.findall(r"'([^']*)'", error.message)]
    if error.validator == "type":
        return [f"{path}: found {found}, expected {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"]
    if error.validator == "enum":
        return [f"{path}: found {found}, expected one of {short(wanted)}"]
    if error.validator == "format":
        return [f"{path}: found {found}, expected a string with format {wanted}"]
    return [f"{path}: {_cut(error.message)}"]


@lru_cache(1024)
def _validator(schema: str) -> Any:
    """The validator of a schema that is given as JSON."""
    from jsonschema import Draft202012Validator, FormatChecker  # a sixth of a second, and few stages validate

    formats = FormatChecker(formats=())
    for name in ("date", "time", "email"):
        formats.checks(name)(lambda value, name=name: not isinstance(value, str) or _has_format(value, name))
    return Draft202012Validator(closed(json.loads(schema)), format_checker=formats)


def _path(steps: Any) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def type_errors(value: Any, schema: dict[str, Any], nested: bool = True) -> bool:
    """Whether a value, or with `nested` anything in it, has a type that the resolved schema does not allow. 5.0 is an
    integer.
    """
    if not _is_type(value, schema.get("type")):
        return True
    branches = schema.get("anyOf", [])
    if branches and all(type_errors(value, branch, nested) for branch in branches):
        return True
    if nested and isinstance(value, list):
        first = schema.get("prefixItems", [])
        rest = [schema.get("items", {})] * (len(value) - len(first))
        return any(type_errors(item, inner) for item, inner in zip(value, [*first, *rest], strict=False))
    if nested and isinstance(value, dict):
        properties, other = schema.get("properties", {}), schema.get("additionalProperties")
        inner = {name: properties.get(name, other if isinstance(other, dict) else {}) for name in value}
        return any(type_errors(item, inner[name]) for name, item in value.items())
    return False


def types_of(schema: dict[str, Any]) -> tuple[str, ...]:
    """The type names that a resolved schema allows; all of them where it names none."""
    kind = schema.get("type")
    if kind is not None:
        return tuple(kind) if isinstance(kind, list) else (kind,)
    branches = schema.get("anyOf")
    return tuple(dict.fromkeys(kind for branch in branches for kind in types_of(branch))) if branches else TYPES


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


def _has_format(value: str, wanted: str) -> bool:
    try:
        if wanted == "date":
            return bool(date.fromisoformat(value)) and len(value) == 10
        if wanted == "time":
            return bool(TIME.fullmatch(value)) and time.fromisoformat(value) is not None
    except ValueError:
        return False
    return bool(EMAIL.fullmatch(value))


def _parameters(found: Any, where: str) -> dict[str, Any]:
    """The JSON Schema of the parameters. Raises SchemaError naming the first field that is none."""
    if not isinstance(found or {}, dict):
        raise SchemaError(f"{where}: found {short(found)}, expected a JSON Schema object")
    schema = {"type": "object", "properties": {}} | (found or {})
    if schema["type"] != "object":
        raise SchemaError(f'{where}.type: found {short(schema["type"])}, expected "object"')
    if problem := _problem(json.dumps(schema, default=str)):
        raise SchemaError(where + problem)
    for name in schema["properties"]:
        if not NAME.fullmatch(name):
            raise SchemaError(f"{where}.properties: found {short(name)}, expected letters, digits or _ . $ @ : / + -")
    return schema


@lru_cache(4096)
def _problem(schema: str) -> str:
    """The first thing wrong with a schema, given as JSON, by the schema of schemas; "" where it is right."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    content = json.loads(schema)
    if deeper(content, 2 * MAX_DEPTH):
        return f": nested deeper than {MAX_DEPTH} levels"
    if not surely_right(content):
        error = best_match(Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(content))
        if error:
            return f"{_path(error.absolute_path)}: {_cut(error.message)}"
    return _dangling(content)


def surely_right(schema: Any) -> bool:
    """Whether a schema says only what the schema of schemas surely allows. Asking that one takes a hundred times as
    long, and is left for the few other schemas.
    """
    if not isinstance(schema, dict):
        return isinstance(schema, bool)
    return all(_may_stand(keyword, value) for keyword, value in schema.items())


def _may_stand(keyword: str, value: Any) -> bool:
    if keyword in ONE:
        return surely_right(value)
    if keyword in SEVERAL:
        return isinstance(value, list) and value != [] and all(map(surely_right, value))
    if keyword in NAMED:
        return isinstance(value, dict) and all(map(surely_right, value.values()))
    if keyword == "type":
        return value in TYPES if isinstance(value, str) else _are_names(value) and set() < {*value} <= {*TYPES}
    if keyword in OF_TEXT:
        return isinstance(value, str)
    if keyword in OF_NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if keyword in OF_COUNT:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if keyword in OF_FLAG:
        return isinstance(value, bool)
    if keyword == "required":
        return _are_names(value)
    if keyword in ("enum", "examples"):
        return isinstance(value, list)
    return keyword not in SELDOM and not keyword.startswith("$")


def _are_names(value: Any) -> bool:
    """Whether this is a list of different texts."""
    return isinstance(value, list) and all(isinstance(each, str) for each in value) and len({*value}) == len(value)


def _dangling(root: dict[str, Any]) -> str:
    """The first reference that points nowhere in the schema itself, or ""."""
    found: list[str] = []

    def look(inner: Any, where: str, keyword: str) -> Any:
        reference = inner.get("$ref") if isinstance(inner, dict) else None
        if reference is not None and pointed(root, reference) is None:
            found.append(f"{where}.$ref: found {short(reference)}, expected a place in this schema")
        return inner

    mapped(root, look)
    return found[0] if found else ""


def short(value: Any) -> str:
    """A value as JSON, cut to fit a one-line message."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _cut(json.dumps(value, ensure_ascii=False, default=str))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."
