"""What a user's own tools get when nobody wrote phrases or a simulation for them [O].

Phrases follow the names ("with due date 2025-03-01"), values follow JSON type, format and enum, and the name where it
is telling (`departure_city` is a city), and every call succeeds. Descriptions work best as infinitives ("create an
invoice").
"""

import math
import re
from typing import Any

from itool.toolcall.types import Tool
from stages.synthesis.values import Entities
from stages.synthesis.world import World

PHRASES = {
    "train": ["with {name} {}", "where {name} is {}", "using {} as {name}"],
    "test": ["{name} set to {}", "taking {} for {name}"],
}
YES = {"train": ["with {name} on", "with {name}"], "test": ["{name} enabled"]}
NO = {"train": ["with {name} off", "without {name}"], "test": ["{name} disabled"]}


def phrases(tool: Tool, entities: Entities) -> dict[str, Any]:
    """The tool's entry of a phrases file, made from its names, description and schema."""
    name = tool.name.replace("_", " ").replace(".", " ")
    sentence = re.split(r"[.\n]", tool.description.strip())[0].replace("{", "").replace("}", "").strip()
    train = [f"call {name}", f"run {name}"]
    if sentence:
        train.append(sentence[0].lower() + sentence[1:])
    return {
        "intents": {"train": train, "test": [f"use {name}", f"do a {name}"]},
        "noun": name,
        "parameters": _parameters(tool.parameters, entities),
    }


def _parameters(schema: dict[str, Any], entities: Entities) -> dict[str, Any]:
    return {name: _parameter(name, inner, entities) for name, inner in schema.get("properties", {}).items()}


def _parameter(name: str, schema: dict[str, Any], entities: Entities) -> dict[str, Any]:
    kind = _kind(name, schema, entities)
    if kind.startswith("object"):
        return {"values": kind, "fields": _parameters(schema if kind == "object" else schema["items"], entities)}
    said = name.replace("_", " ")

    def filled(templates: dict[str, list[str]]) -> dict[str, list[str]]:
        return {side: [template.replace("{name}", said) for template in each] for side, each in templates.items()}

    if kind != "bool":
        return {"values": kind, "phrases": filled(PHRASES)}
    yes, no = filled(YES), filled(NO)
    return {"values": kind, "phrases": {side: {"true": yes[side], "false": no[side]} for side in yes}}


def _kind(name: str, schema: dict[str, Any], entities: Entities) -> str:
    types = schema.get("type", "string")
    kind = next((t for t in types if t != "null"), "string") if isinstance(types, list) else types
    if "enum" in schema:
        return "enum"
    if kind == "object":
        return "object"
    if kind == "array":
        inner = _kind(name.removesuffix("s"), schema.get("items", {}), entities)
        fewest = max(1, int(schema.get("minItems", 1)))
        most = max(fewest, min(2, int(schema.get("maxItems", 2))))
        return f"{'objects' if inner.startswith('object') else f'list:{inner}'}:{fewest}-{most}"
    if kind == "boolean":
        return "bool"
    if kind in ("integer", "number"):
        step = 1 if kind == "integer" else 0
        low = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf) + step)
        high = schema.get("maximum", schema.get("exclusiveMaximum", math.inf) - step)
        if low == -math.inf:
            low = next((start for start in (1, 0) if start < high), high - 30)
        if high == math.inf:
            high = low + 30
        return f"int:{math.ceil(low)}-{math.floor(high)}" if kind == "integer" else f"number:{low}-{high}"
    if schema.get("format") in ("date", "time", "email"):
        return schema["format"]
    words = re.findall("[a-z]+", name.lower())
    if words and words[-1] == "id":
        return f"id:{(words[0] + 'xx')[:2].upper()}:{'_'.join(words)}"
    for word in reversed(words):
        if word in entities or word in ("email", "phone"):
            return word
    return "person" if words and words[-1] == "name" else "topic"


def simulate(world: World, /, **arguments: Any) -> dict[str, Any]:
    """Stands for any tool without a simulation: stores the arguments as a record and returns its id."""
    return {"id": world.add("records", "RC", arguments=arguments)["id"], "status": "done"}
