"""Argument values: how one is drawn for a parameter, how it is said, and how it is recognised in a text [O].

A kind (see `Parameter.kind`) is an entity list of data/entities.json or one of `int:A-B`, `number:A-B`, `date`, `time`,
`date:A-B` (in these months), `time:A-B` (in these hours), `datetime`, `email`, `phone`, `enum`, `pattern`, `bool`,
`id:PREFIX:table`, one of GENERATED, `list:<kind>:A-B`, `object`, `objects:A-B`. `side` is "train" or "test": the two
draw from disjoint entity lists, from different years and, since addresses are made of names, from disjoint e-mail
addresses; numbers, times and what is generated share their ranges. Of a list only the values that fit the schema's
pattern and lengths are drawn.
"""

import math
import random
import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

from itool.toolcall.values import scalars
from stages.synthesis.patterns import LONGEST, NotGenerated, text_of

Entities = dict[str, dict[str, list[str]]]  # kind -> side -> values
Number = TypeVar("Number", int, Fraction)

YEAR = {"train": 2025, "test": 2026}
MAIL_HOSTS = ("mail.com", "example.org", "inbox.net")
OPTIONAL = 0.35  # how often a user gives an optional parameter
FIT_A_PATTERN = 5  # values of a list that must match a pattern, or texts are made from it
MONTHS_AND_HOURS = {"date": (1, 12), "time": (6, 22)}  # of dates, and of times, that say none
REDRAWN = 100  # times that a list gets one more value, until it is as long as its schema asks
GENERATED = {
    "token": "[a-z][a-z0-9]{9}",
    "hex": "[0-9a-f]{10}",
    "long_hex": "[0-9a-f]{40}",
    "uuid": "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "version": r"[1-9]\.[0-9]\.[0-9]",
    "rgb": "#[0-9A-F]{6}",
    "cell": "[A-H][1-9][0-9]",
    "cells": "[A-D][1-9]:[E-H][1-9][0-9]",
}
PATTERNS = GENERATED | {
    "int": r"-?\d+",
    "number": r"-?\d+(?:\.\d+)?",
    "date": r"\d{4}-\d{2}-\d{2}",
    "time": r"\d{2}:\d{2}",
    "datetime": r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:00Z",
    "email": r"\S+@\S+",
    "phone": r"\d{3}-\d{4}",
    "id": r"[A-Z]{2}\d{3}",
    "bool": "(?:True|False)",  # in a list
}


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter of a pool tool, or a field of an object parameter.

    `schema`: its JSON Schema. `phrases`: side -> templates with one `{}`; for kind `bool` side -> {"true": [...],
    "false": [...]}; empty for objects, which are said through their `fields`. `ask`: what a clarifying question calls
    it.
    """

    name: str
    schema: dict[str, Any]
    required: bool
    kind: str
    phrases: dict[str, Any]
    ask: str
    fields: tuple["Parameter", ...] = field(default=())


def bounds(text: str, number: type[Number]) -> tuple[Number, Number]:
    """ "2-6" -> (2, 6), "-5--2" -> (-5, -2). Raises ValueError."""
    low, high = re.split(r"(?<=\d)-", text)
    return number(low), number(high)


def _ordered(text: str, number: type[Number], least: float = -math.inf) -> bool:
    low, high = bounds(text, number)
    return least <= low <= high


def known(kind: Any, entities: Entities) -> bool:
    """Whether `kind` is well formed."""
    if not isinstance(kind, str):
        return False
    head, _, rest = kind.partition(":")
    try:
        if head == "int":
            return _ordered(rest, int)
        if head in MONTHS_AND_HOURS and rest:
            first, last = bounds(rest, int)
            return MONTHS_AND_HOURS[head][0] <= first <= last <= MONTHS_AND_HOURS[head][1]
        if head == "objects":
            return _ordered(rest, int, least=1)
        if head == "number":
            return _ordered(rest, Fraction)
        if head == "list":
            inner, _, count = rest.rpartition(":")
            plain = not inner.startswith("object")
            return plain and _ordered(count, int, least=1) and known(inner, entities)
    except ValueError:
        return False
    if head == "id":
        return re.fullmatch("[A-Z]{2}:[a-z_]+", rest) is not None
    written = ("date", "time", "datetime", "email", "phone", "enum", "pattern", "bool", "object")
    return kind in written or kind in GENERATED or kind in entities


def fits(value: str, schema: dict[str, Any]) -> bool:
    """Whether a text has the pattern and the length that a schema asks for."""
    long_enough = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf)
    return long_enough and ("pattern" not in schema or re.search(schema["pattern"], value) is not None)


def drawable(kind: str, schema: dict[str, Any], entities: Entities) -> bool:
    """Whether the texts of a kind fit the schema: all that are made, and of a list enough on both sides."""
    if not {"pattern", "minLength", "maxLength"} & schema.keys():
        return True
    try:
        if kind in entities:
            least = FIT_A_PATTERN if "pattern" in schema else 1
            return all(sum(fits(value, schema) for value in entities[kind][side]) >= least for side in YEAR)
        rngs = [random.Random(seed) for seed in range(3)]
        return all(fits(_draw_plain(kind, schema, entities, side, rng), schema) for side in YEAR for rng in rngs)
    except (NotGenerated, re.error):
        return False


def draw(parameter: Parameter, entities: Entities, side: str, rng: random.Random) -> Any:
    """A value for the parameter."""
    if parameter.kind == "object":
        return draw_all(parameter.fields, entities, side, rng)
    if parameter.kind.startswith("objects:"):
        count = rng.randint(*bounds(parameter.kind.removeprefix("objects:"), int))
        return [draw_all(parameter.fields, entities, side, rng) for _ in range(count)]
    return _draw_plain(parameter.kind, parameter.schema, entities, side, rng)


def draw_all(
    parameters: tuple[Parameter, ...], entities: Entities, side: str, rng: random.Random, leave: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Values for all required and some optional parameters except those named in `leave`, in schema order."""
    return {
        p.name: draw(p, entities, side, rng)
        for p in parameters
        if p.name not in leave and (p.required or rng.random() < OPTIONAL)
    }


def _draw_plain(kind: str, schema: dict[str, Any], entities: Entities, side: str, rng: random.Random) -> Any:
    """A scalar, or a list without repetition."""
    head, _, rest = kind.partition(":")
    if head == "list":
        inner, _, count = rest.rpartition(":")
        items: list[Any] = []
        for _ in range(rng.randint(*bounds(count, int))):
            item = _draw_plain(inner, schema.get("items", {}), entities, side, rng)
            items += [item] if item not in items else []
        for _ in range(REDRAWN if len(items) < schema.get("minItems", 0) else 0):
            item = _draw_plain(inner, schema.get("items", {}), entities, side, rng)
            items += [item] if item not in items and len(items) < schema["minItems"] else []
        return items
    if head == "int":
        return rng.randint(*bounds(rest, int))
    if head == "number":
        low, high = bounds(rest, Fraction)
        scale = 10  # one decimal, more only where the range has no such number
        while math.ceil(low * scale) > math.floor(high * scale):
            scale *= 10
        return rng.randint(math.ceil(low * scale), math.floor(high * scale)) / scale
    if head in MONTHS_AND_HOURS:
        within = rng.randint(*(bounds(rest, int) if rest else MONTHS_AND_HOURS[head]))
        if head == "date":
            return f"{YEAR[side]}-{within:02d}-{rng.randint(1, 28):02d}"
        return f"{within:02d}:{rng.randrange(0, 60, 5):02d}"
    if kind == "datetime":
        day, hour = _draw_plain("date", schema, entities, side, rng), _draw_plain("time", schema, entities, side, rng)
        return f"{day}T{hour}:00Z"
    if kind == "email":
        return f"{rng.choice(entities['person'][side]).lower().replace(' ', '.')}@{rng.choice(MAIL_HOSTS)}"
    if kind == "phone":
        return f"{rng.randint(200, 999)}-{rng.randint(1000, 9999)}"
    if head == "id":
        return f"{rest.partition(':')[0]}{rng.randint(100, 999)}"
    if kind == "enum":
        return rng.choice([value for value in schema["enum"] if value is not None])
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "pattern":
        return text_of(schema["pattern"], rng, schema.get("minLength", 0), schema.get("maxLength", LONGEST))
    if kind in GENERATED:
        return text_of(GENERATED[kind], rng)
    return rng.choice([value for value in entities[kind][side] if fits(value, schema)] or entities[kind][side])


def words(value: Any) -> str:
    """A scalar or a list of scalars as a user says it: `next_day` as "next day", lists as "Ann, Bob and Cid"."""
    if isinstance(value, list):
        said = [words(item) for item in value]
        return said[0] if len(said) == 1 else ", ".join(said[:-1]) + " and " + said[-1]
    return value.replace("_", " ") if isinstance(value, str) and re.fullmatch("[a-z]+(_[a-z]+)+", value) else str(value)


def contains(text: str, phrase: str) -> bool:
    """Whether the phrase stands in the text as words of its own ("3" stands neither in "13" nor in "3.5")."""
    start = text.find(phrase)
    while start >= 0:
        before, after = text[max(0, start - 1) : start], text[start + len(phrase) :]
        inside = before.isalnum() or (before and before in "_.-")
        goes_on = after[:1].isalnum() or (after and after[0] in "_-") or (after[:1] == "." and after[1:2].isalnum())
        if not inside and not goes_on:
            return True
        start = text.find(phrase, start + 1)
    return False


def said(parameter: Parameter, value: Any, text: str) -> bool:
    """Whether the text says the value: every scalar in it, and for a boolean one of its phrases."""
    if isinstance(value, dict):
        return all(said(p, value[p.name], text) for p in parameter.fields if p.name in value)
    if isinstance(value, list):
        return all(said(parameter, item, text) for item in value)
    if parameter.kind == "bool":
        return any(phrase in text for side in YEAR for phrase in parameter.phrases[side][str(value).lower()])
    return contains(text, words(value))


def mentions(parameter: Parameter, text: str, entities: Entities) -> bool:
    """Whether the text holds one of the parameter's phrases with any value of its kind in it."""
    if parameter.fields:
        return any(mentions(p, text, entities) for p in parameter.fields)
    kind, schema = item_of(parameter.kind, parameter.schema)
    if kind == "bool" and kind == parameter.kind:
        return any(
            phrase in text for side in YEAR for said_so in parameter.phrases[side].values() for phrase in said_so
        )
    phrases = [phrase for side in YEAR for phrase in parameter.phrases[side]]
    if kind == "enum" or kind in entities:
        options = schema["enum"] if kind == "enum" else entities[kind]["train"] + entities[kind]["test"]
        return any(contains(text, phrase.replace("{}", words(option))) for phrase in phrases for option in options)
    if kind == "pattern":
        return any(_holds(text, phrase, schema) for phrase in phrases)
    pattern = PATTERNS[kind.partition(":")[0]]
    templates = [re.escape(phrase).replace(re.escape("{}"), pattern) for phrase in phrases]
    return any(re.search(rf"\b{template}\b", text) for template in templates)


def _holds(text: str, phrase: str, schema: dict[str, Any]) -> bool:
    """Whether the phrase stands in the text around some words that fit the schema."""
    before, after = phrase.split("{}")
    rests = [text[found.end() :] for found in re.finditer(rf"\b{re.escape(before)}", text)]
    return any(
        rest.startswith(after, end.start()) and fits(rest[: end.start()], schema)
        for rest in rests
        for end in re.finditer(r"(?<=\S)(?!\w)", rest[:LONGEST])
    )


def item_of(kind: str, schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Kind and schema of what lists of a kind hold: list:city:1-3 -> city."""
    while kind.startswith("list:"):
        kind, schema = kind.removeprefix("list:").rpartition(":")[0], schema.get("items", {})
    return kind, schema


def identities(parameter: Parameter, value: Any, entities: Entities) -> list[str]:
    """The scalars in a value that train and test must not share: entities, dates and addresses, but not numbers, times,
    ids and options.
    """
    if parameter.kind.startswith("object"):
        items = value if isinstance(value, list) else [value]
        return [
            i
            for item in items
            for p in parameter.fields
            if p.name in item
            for i in identities(p, item[p.name], entities)
        ]
    kind, _ = item_of(parameter.kind, parameter.schema)
    told_apart = kind in entities or kind.partition(":")[0] in ("date", "datetime", "email")
    return scalars(value) if told_apart else []
