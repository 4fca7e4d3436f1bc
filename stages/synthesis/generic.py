"""What a user's own tools get when nobody wrote phrases or a simulation for them [O].

Phrases follow the names ("with due date 2025-03-01"), values follow JSON type, format and enum, and the name where it
is telling (`departure_city` is a city), and every call succeeds. Descriptions work best as infinitives ("create an
invoice"). Of a union the first type for which there are values is taken.
"""

import math
import re
from typing import Any

from itool.toolcall.schema import types_of
from itool.toolcall.types import Tool
from stages.synthesis.values import Entities
from stages.synthesis.world import World

PHRASES = {
    "train": ["with {name} {}", "where {name} is {}", "using {} as {name}"],
    "test": ["{name} set to {}", "taking {} for {name}"],
}
YES = {"train": ["with {name} on", "with {name}"], "test": ["{name} enabled"]}
NO = {"train": ["with {name} off", "without {name}"], "test": ["{name} disabled"]}
MAX_DEPTH = 4  # of objects in each other; deeper ones are recursive, or more than a user would say
# Many servers say "number" of what is always a whole number. These words name what need not be.
MEASURES = frozenset(
    "amount balance confidence cost discount distance height hours lat latitude length level lng lon longitude price "
    "probability radius rate ratio scale score speed temperature threshold tip total value volume weight width".split()
)
SYNONYMS = {"filename": "path", "directory": "path", "dir": "path", "uri": "url", "link": "url", "repo": "repository"}
FORMATS = {"date": "date", "time": "time", "email": "email", "date-time": "datetime", "uri": "url", "url": "url"}


class NoValues(Exception):  # noqa: N818 (the answer to a question, and no fault)
    """No value can be invented for a parameter that every call needs; says which and why."""


def phrases(tool: Tool, entities: Entities) -> dict[str, Any]:
    """The tool's entry of a phrases file, made from its names, description and schema. Raises NoValues."""
    name = tool.name.replace("_", " ").replace(".", " ")
    sentence = re.split(r"[.\n]", tool.description.strip())[0].replace("{", "").replace("}", "").strip()
    train = [f"call {name}", f"run {name}"]
    if sentence:
        train.append(sentence[0].lower() + sentence[1:])
    return {
        "intents": {"train": train, "test": [f"use {name}", f"do a {name}"]},
        "noun": name,
        "parameters": _parameters(tool.schema, entities, 0),
    }


def plain(schema: dict[str, Any], name: str, entities: Entities, depth: int = 0) -> dict[str, Any]:
    """A schema with one type other than null, and null if it was there: of a union the first one that has values."""
    types = [kind for kind in types_of(schema) if kind != "null"]
    branches = schema.get("anyOf", []) or ([schema | {"type": kind} for kind in types] if len(types) > 1 else [])
    if not branches or "properties" in schema:
        return schema
    for branch in branches:
        if branch.get("type") != "null" and _kind(name, branch, entities, depth):
            return branch
    return schema


def _parameters(schema: dict[str, Any], entities: Entities, depth: int) -> dict[str, Any]:
    """The entries of the parameters, None of an optional one for which there are no values. Raises NoValues for a
    required one.
    """
    found: dict[str, Any] = {}
    for name, inner in schema.get("properties", {}).items():
        inner = plain(inner, name, entities, depth)
        kind = _kind(name, inner, entities, depth)
        if not kind and name in schema.get("required", []):
            raise NoValues(f"{name}: {_why_none(inner)}")
        found[name] = _parameter(name, inner, kind, entities, depth) if kind else None
    return found


def _why_none(schema: dict[str, Any]) -> str:
    if "pattern" in schema:
        return f"a text of the pattern {schema['pattern'][:40]}"
    return "an object of any fields" if "object" in types_of(schema) else "a value of no type that can be said"


def _parameter(name: str, schema: dict[str, Any], kind: str, entities: Entities, depth: int) -> dict[str, Any]:
    if kind.startswith("object"):
        fields = schema if kind == "object" else plain(schema["items"], name, entities, depth)
        return {"values": kind, "fields": _parameters(fields, entities, depth + 1)}
    said = name.replace("_", " ")

    def filled(templates: dict[str, list[str]]) -> dict[str, list[str]]:
        return {side: [template.replace("{name}", said) for template in each] for side, each in templates.items()}

    if kind != "bool":
        return {"values": kind, "phrases": filled(PHRASES)}
    yes, no = filled(YES), filled(NO)
    return {"values": kind, "phrases": {side: {"true": yes[side], "false": no[side]} for side in yes}}


def _kind(name: str, schema: dict[str, Any], entities: Entities, depth: int) -> str:
    """The kind of value (stages/synthesis/values.py) of a schema with one type; "" where none can be invented."""
    types = [kind for kind in types_of(schema) if kind != "null"]
    kind = "string" if "string" in types else types[0] if types else ""
    if "enum" in schema:
        return "enum" if any(isinstance(value, str | int | float) for value in schema["enum"]) else ""
    if kind == "object":
        return "object" if _can_be_said(schema, entities, depth) else ""
    if kind == "array":
        return _list_kind(name, schema, entities, depth)
    if kind == "boolean":
        return "bool"
    if kind in ("integer", "number"):
        return _number_kind(name, schema, kind)
    return _text_kind(name, schema, entities) if kind == "string" and "pattern" not in schema else ""


def _can_be_said(schema: dict[str, Any], entities: Entities, depth: int) -> bool:
    """Whether an object has fields, and values for all that it needs."""
    if depth >= MAX_DEPTH or not schema.get("properties"):
        return False
    try:
        return any(_parameters(schema, entities, depth + 1).values())
    except NoValues:
        return False


def _list_kind(name: str, schema: dict[str, Any], entities: Entities, depth: int) -> str:
    items = plain(schema.get("items", {}), name, entities, depth)
    inner = _kind(name.removesuffix("s"), items, entities, depth + 1) if "prefixItems" not in schema else ""
    nested = inner.startswith("objects") or (inner.startswith("list") and "object" in inner)
    if not inner or nested or depth >= MAX_DEPTH:
        return ""
    fewest = max(1, int(schema.get("minItems", 1)))
    most = max(fewest, min(2, int(schema.get("maxItems", 2))))
    return f"{'objects' if inner.startswith('object') else f'list:{inner}'}:{fewest}-{most}"


def _number_kind(name: str, schema: dict[str, Any], kind: str) -> str:
    step = 1 if kind == "integer" else 0
    low = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf) + step)
    high = schema.get("maximum", schema.get("exclusiveMaximum", math.inf) - step)
    if low == -math.inf:
        low = next((start for start in (1, 0) if start < high), high - 30)
    if high == math.inf:
        high = low + 30
    least, most = math.ceil(low), math.floor(high)
    measure = MEASURES & set(re.findall("[a-z]+", _words(name)))
    if least <= most if kind == "integer" else least + 2 <= most and not measure:
        return f"int:{least}-{most}"
    return f"number:{low}-{high}" if kind == "number" and low <= high else ""


def _text_kind(name: str, schema: dict[str, Any], entities: Entities) -> str:
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    words = re.findall("[a-z]+", _words(name))
    if words and words[-1] == "id":
        return f"id:{(words[0] + 'xx')[:2].upper()}:{'_'.join(words)}"
    for word in reversed(words):
        if word in entities or word in ("email", "phone"):
            return word
        if word in SYNONYMS:
            return SYNONYMS[word]
    return "person" if words and words[-1] == "name" else "topic"


def _words(name: str) -> str:
    """A name in lower-case words: startDate and START_DATE are "start_date"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def simulate(world: World, /, **arguments: Any) -> dict[str, Any]:
    """Stands for any tool without a simulation: stores the arguments as a record and returns its id."""
    return {"id": world.add("records", "RC", arguments=arguments)["id"], "status": "done"}
