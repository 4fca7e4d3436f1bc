"""The usual faults of JSON Schemas in tools, mended in a documented way; the rest is left as its author wrote it [O].

docs/data.md lists the rules.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from itool.errors import UserError
from itool.files import parse_json
from itool.toolcall.resolve import Schema, mapped
from itool.toolcall.schema import TYPES, type_errors

# Types as other languages and other tools call them.
NAMES = {
    "object": "dict map hashmap struct json record",
    "number": "float double decimal real num",
    "integer": "int long short byte bigint int32 int64",
    "string": "str char text uuid uri url",
    "array": "list tuple arraylist set queue stack",
    "boolean": "bool",
    "null": "none nonetype nil",
}
ALIASES: dict[str, Schema] = {
    **{alias: {"type": kind} for kind, aliases in NAMES.items() for alias in aliases.split()},
    **{kind: {"type": "string", "format": kind} for kind in ("date", "time", "email")},
    "datetime": {"type": "string", "format": "date-time"},
}  # any other word, such as any, allows any type
NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
Tell = Callable[[str, str], None]


def repaired(parameters: Schema, tell: Tell) -> Schema:
    """The schema that its author meant. `tell(kind, detail)` is told of everything that was changed."""

    def repair(schema: Any, where: str, keyword: str) -> Any:
        if not isinstance(schema, dict):
            return schema

        def change(kind: str, detail: str) -> None:
            tell(kind, f"parameters{where}{detail}")

        schema = _types(schema, change)
        schema = _required(schema, change)
        schema = _older_words(schema, change)
        schema = _enum(schema, change)
        return _default(schema, change)

    return mapped(parameters, repair)


def _types(schema: Schema, tell: Tell) -> Schema:
    """Type names of JSON Schema; what names no type allows any."""
    kind = schema.get("type")
    if kind is None or (isinstance(kind, str) and kind in TYPES):
        return {key: value for key, value in schema.items() if key != "type" or value is not None}
    named = kind if isinstance(kind, list) else [kind]
    meant = [_meant(name) for name in named]
    if isinstance(kind, list) and all(name in TYPES for name in kind):
        return schema
    tell("type renamed", f".type: {json.dumps(kind)[:60]}")
    types = list(dict.fromkeys(each["type"] for each in meant if "type" in each))
    rest = {key: value for key, value in schema.items() if key != "type"}
    if not types or any("type" not in each for each in meant):
        return rest
    formats = {key: value for each in meant for key, value in each.items() if key == "format"}
    return {"type": types[0] if len(types) == 1 else types} | formats | rest


def _meant(name: Any) -> Schema:
    """What a type name stands for; anything for one that nobody knows."""
    if not isinstance(name, str):
        return {}
    name = re.split(r"[<\[,(]", name.strip().lower())[0].strip()
    return {"type": name} if name in TYPES else ALIASES.get(name, {})


def _required(schema: Schema, tell: Tell) -> Schema:
    """`required` as a list of names that there are. A parameter that says `required: true` of itself is added."""
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    own = [name for name, inner in properties.items() if isinstance(inner, dict) and inner.get("required") is True]
    if any(isinstance(inner, dict) and isinstance(inner.get("required"), bool) for inner in properties.values()):
        properties = {name: _without(inner, "required", bool) for name, inner in properties.items()}
        schema = schema | {"properties": properties}
    listed = schema.get("required")
    if isinstance(listed, bool):  # said of this very schema; its parent takes it up
        return schema
    names = [name for name in (listed if isinstance(listed, list) else [listed]) if isinstance(name, str)]
    open_ended = "properties" not in schema or schema.get("additionalProperties") or "patternProperties" in schema
    kept = list(dict.fromkeys([name for name in names if open_ended or name in properties] + own))
    if kept == (listed or []):
        return _without(schema, "required", type(None))
    tell("required corrected", f".required: {json.dumps(listed)[:60]}")
    return schema | {"required": kept}


def _without(schema: Any, key: str, kind: type) -> Any:
    if not isinstance(schema, dict) or not isinstance(schema.get(key), kind):
        return schema
    return {name: value for name, value in schema.items() if name != key}


def _older_words(schema: Schema, tell: Tell) -> Schema:
    """Words of older drafts and of OpenAPI 3.0, null for a keyword, and bounds that are no numbers."""
    new = {key: value for key, value in schema.items() if value is not None or key in ("default", "const")}
    if new.pop("nullable", False) is True and "type" in new:
        listed = new["type"] if isinstance(new["type"], list) else [new["type"]]
        new["type"] = list(dict.fromkeys([*listed, "null"]))
    if isinstance(new.get("items"), list):
        new["prefixItems"] = new.pop("items")
    for bound, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(new.get(strict), bool) and new.pop(strict) and bound in new:
            new[strict] = new.pop(bound)
    for key in (*NUMBERS, *COUNTS):
        if key in new and (isinstance(new[key], bool) or not isinstance(new[key], int | float)):
            number = _number(new[key])
            tell("bound corrected", f".{key}: {json.dumps(new[key])[:60]}")
            new = new | {key: number} if number is not None else {k: v for k, v in new.items() if k != key}
    for key in ("description", "title", "format", "pattern"):
        if key in new and not isinstance(new[key], str):
            tell("annotation corrected", f".{key}: {json.dumps(new[key])[:60]}")
            del new[key]
    if "pattern" in new and not _is_pattern(new["pattern"]):
        tell("pattern left out", f".pattern: {json.dumps(new.pop('pattern'))[:60]}")
    return new


def _is_pattern(text: str) -> bool:
    """Whether Python reads a regular expression. Some of JavaScript's it does not."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _number(value: Any) -> int | float | None:
    if not isinstance(value, str):
        return None
    try:
        return int(value) if float(value).is_integer() else float(value)
    except (ValueError, OverflowError):
        return None


def _enum(schema: Schema, tell: Tell) -> Schema:
    """An enum of values that the type allows: the same values in that type, where they can be, and else any type."""
    if "enum" not in schema:
        return schema
    values = schema["enum"]
    if not isinstance(values, list) or not values:
        tell("enum left out", f".enum: {json.dumps(values)[:60]}")
        return {key: value for key, value in schema.items() if key != "enum"}
    if not any(type_errors(value, schema, nested=False) for value in values):
        return schema
    if schema.get("type") == "array" and not any(isinstance(value, list) for value in values):
        items = schema["items"] if isinstance(schema.get("items"), dict) else {}  # the values are meant for the items
        tell("enum of the items", f".enum: {json.dumps(values)[:60]}")
        return {key: value for key, value in schema.items() if key != "enum"} | {
            "items": _enum(items | {"enum": values}, tell)
        }
    tell("enum of another type", f".enum: {json.dumps(values)[:60]}, type {json.dumps(schema.get('type'))}")
    meant = [_as_type(value, schema) for value in values]
    if not any(type_errors(value, schema, nested=False) for value in meant):
        return schema | {"enum": meant}
    return {key: value for key, value in schema.items() if key != "type"} | {"enum": meant}


def _default(schema: Schema, tell: Tell) -> Schema:
    """A default that the schema allows. One of null says that there is none, and stays."""
    value = schema.get("default")
    if value is None or _fits(value, schema):
        return schema
    tell("default of another type", f".default: {json.dumps(value)[:60]}, type {json.dumps(schema.get('type'))}")
    meant = _as_type(value, schema)
    if _fits(meant, schema):
        return schema | {"default": meant}
    return {key: value for key, value in schema.items() if key != "default"}


def _fits(value: Any, schema: Schema) -> bool:
    return not type_errors(value, schema) and value in schema.get("enum", [value])


def _as_type(value: Any, schema: Schema) -> Any:
    """The value as one of another type if nothing of it is lost: "5" as 5, 5 as "5", "true" as true."""
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind == "string" and not isinstance(value, dict | list):
            return value if isinstance(value, str) else json.dumps(value)
        if kind == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if kind in ("integer", "number") and (number := _number(value)) is not None:
            return number
        if kind in ("array", "object") and isinstance(value, str):
            try:
                return parse_json(value, "")
            except UserError:
                continue
    return value
