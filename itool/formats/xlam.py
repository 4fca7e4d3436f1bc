"""Conversations in the layout of Salesforce/xlam-function-calling-60k [O].

A record is a `query`, the `tools` and the `answers`, which are the calls; both lists are mostly written as JSON texts.
The parameters of a tool are flat: they map names to a Python type, a description and sometimes a default.
"""

import json
import re
from itertools import pairwise
from typing import Any

from itool.formats.fields import assistant, calls_of, check_record, literal_of, plain_text, tool_list
from itool.formats.repair import ALIASES
from itool.toolcall.resolve import Schema
from itool.toolcall.schema import TYPES

HOLDERS = ("properties", "$defs", "definitions", "patternProperties")  # keywords that hold schemas by their names
BRACKETED = re.compile(r"\(\s*((?:optional|default)\b[^()]*)\)\s*$", re.IGNORECASE)
ABSENT = re.compile(r"\b(?:optional|default)\b", re.IGNORECASE)
DEFAULT = re.compile(r"\bdefault\s*=")
ANY = ("any", "")  # names of the type that says nothing
ELLIPSIS = {"title": "..."}  # what type_schema makes of it
MAX_BRACKETS = 16  # in a type


def matches(record: dict[str, Any]) -> bool:
    """Whether a record has this layout, by its three fields."""
    lists = (record.get("tools"), record.get("answers"))
    return isinstance(record.get("query"), str) and all(isinstance(each, str | list) for each in lists)


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record as {"tools": [...], "messages": [...]} in OpenAI's form.

    Raises UserError with the field, also where no tool is called: there is no text to learn instead of a call.
    """
    check_record(record, ("query", "tools", "answers"), where)
    query = plain_text(record.get("query"), f"{where}: query")
    calls = calls_of(record.get("answers"), f"{where}: answers")
    messages = [{"role": "user", "content": query}, assistant("", calls)]
    return {"tools": [with_schema(tool) for tool in tool_list(record, where)], "messages": messages}


def with_schema(tool: Any) -> Any:
    """The tool with its flat parameters as a JSON Schema; any other as it is."""
    parameters = tool.get("parameters") if isinstance(tool, dict) else None
    return tool | {"parameters": schema_of_flat(parameters)} if isinstance(parameters, dict) else tool


def schema_of_flat(parameters: Schema) -> Schema:
    """The schema of an object for parameters that stand by their names; any other as it is.

    A parameter is required unless it has a default or says that it is optional, also in its type.
    """
    if not _is_flat(parameters):
        return parameters
    properties = {name: parameter_schema(each) for name, each in parameters.items()}
    required = [name for name, each in parameters.items() if not _may_be_absent(each)]
    return {"type": "object", "properties": properties, "required": required}


def _is_flat(parameters: Schema) -> bool:
    """Whether these are parameters by their names, one of which may be "properties", and no schema."""
    held = [inner for key in HOLDERS if isinstance(inner := parameters.get(key), dict)]
    if "additionalProperties" in parameters or any(not isinstance(inner.get("type"), str) for inner in held):
        return False
    return parameters != {} and all(isinstance(each, dict) for each in parameters.values())


def _may_be_absent(parameter: Schema) -> bool:
    if parameter.get("optional") is True or parameter.get("required") is False:
        return True
    kind, rest = _written(parameter)
    return "default" in parameter or kind.strip().lower().startswith("optional") or bool(ABSENT.search(rest))


def parameter_schema(parameter: Any) -> Any:
    """The JSON Schema of a parameter whose type is written as in Python; any other as it is."""
    if not isinstance(parameter, dict) or not isinstance(parameter.get("type"), str):
        return parameter
    kind, rest = _written(parameter)
    default = DEFAULT.search(rest)
    value = literal_of(rest[default.end() :]) if default else ...
    others = {key: held for key, held in parameter.items() if key != "type"}
    return type_schema(kind) | ({} if value is ... else {"default": value}) | others


def _written(parameter: dict[str, Any]) -> tuple[str, str]:
    """The type of a parameter and what is written behind it, as in `int, optional` and `str (default='x')`."""
    text = parameter.get("type")
    text = BRACKETED.sub(r", \1", text) if isinstance(text, str) else ""
    kind, *rest = _split(text)
    return ("str", text) if kind.strip().startswith("default") else (kind, ",".join(rest))


def type_schema(text: str) -> Schema:
    """The JSON Schema of a Python type. One that JSON knows nothing of allows anything, and is its title."""
    name, bracket, inside = text.strip().partition("[")
    name = name.strip().lower()
    known = {"type": name} if name in TYPES else {} if name in ANY else ALIASES.get(name)
    if not bracket and known is not None:
        return dict(known)
    if not inside.endswith("]") or text.count("[") > MAX_BRACKETS:
        return {"title": text.strip()}
    inner = [type_schema(part) for part in _split(inside[:-1])]
    if name in ("union", "optional"):
        return _any_of(inner + [{"type": "null"}] * (name == "optional"))
    if name == "tuple":
        return _tuple(inner)
    if known == {"type": "array"} and len(inner) == 1:
        return {"type": "array", "items": inner[0]}
    if known == {"type": "object"} and len(inner) == 2:
        return {"type": "object"} | ({"additionalProperties": inner[1]} if inner[1] else {})
    return {"title": text.strip()}


def _any_of(schemas: list[Schema]) -> Schema:
    """A schema that takes what one of these takes."""
    distinct = list({json.dumps(schema): schema for schema in schemas}.values())
    if {} in distinct:
        return {}
    if {"type": "number"} in distinct:
        distinct = [schema for schema in distinct if schema != {"type": "integer"}]
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def _tuple(items: list[Schema]) -> Schema:
    if items[1:] == [ELLIPSIS]:
        return {"type": "array", "items": items[0]}
    count = {"minItems": len(items), "maxItems": len(items)}
    same = all(item == items[0] for item in items)
    return {"type": "array"} | ({"items": items[0]} if same else {"prefixItems": items}) | count


def _split(text: str) -> list[str]:
    """The parts between the commas that stand in no brackets."""
    commas, depth = [-1], 0
    for place, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            commas.append(place)
    return [text[before + 1 : after] for before, after in pairwise([*commas, len(text)])]
