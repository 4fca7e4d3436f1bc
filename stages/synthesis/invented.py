"""Which kind of value (stages/synthesis/values.py) a parameter of a user's own tool gets [O].

What counts, in this order: enum, format, what the description says of the form, the last word of the name ("city" of
`departure_city`, "name" of `customer_name` with the word before it), and what the description lists.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from itool.toolcall.schema import types_of
from stages.synthesis.options import options_of
from stages.synthesis.values import GENERATED, Entities, drawable

MAX_DEPTH = 4  # of objects in each other; deeper ones are recursive, or more than a user would say
NO_BOUND = 1_000_000  # what a schema says of larger numbers is the range of its type
# Many servers say "number" of what is always a whole number. These words name what need not be.
MEASURES = frozenset(
    "amount balance confidence cost discount distance height hours lat latitude length level lng lon longitude price "
    "probability radius rate ratio scale score speed temperature threshold tip total value volume weight width".split()
)
RANGES = {"year": (1990, 2026), "month": (1, 12)}
FORMATS = {
    **{"date": "date", "time": "time", "email": "email", "date-time": "datetime"},
    **{"uri": "url", "url": "url", "uuid": "uuid", "password": "token"},
}
PERSONS = frozenset(
    "user first last full display given family middle maiden contact author owner customer guest employee person "
    "people attendee passenger participant recipient sender patient student member speaker manager surname creator "
    "nickname applicant client colleague driver doctor teacher traveler traveller".split()
)
IDS = frozenset("id ids uid identifier guid uuid slug".split())
ID_KEYS = frozenset("issue project space ticket epic board parent".split())  # their keys are ids, and no secrets
AFTERWORDS = frozenset("filter list array string".split())  # that end a name and say nothing of its value
CODE = frozenset(
    "jql cql wiql sql formula regex regexp xpath css javascript script html xml json yaml expression function "
    "selector duration recurrence rrule".split()
)
CODE_TOLD = re.compile(
    r"\bJSON[ -](?:string|array|object|encoded|text)|regular expression|\bregexp?\b|\bjavascript\b|CSS selector|base64"
    r"|\b(?:SQL|JQL|CQL|WIQL|RRULE)\b|\bSELECT (?:query|statement)",
    re.IGNORECASE,
)
TOLD = (  # what a description says of the form of a text
    (re.compile(r"\b(?:UUID|GUID)\b", re.IGNORECASE), "uuid"),
    (re.compile(r"YYYY-MM-DD(?!['\"]?[ T]?HH|T)"), "date"),
    (re.compile(r"YYYY-MM-DD|\bISO[ -]?8601\b|\bRFC[ -]?3339\b", re.IGNORECASE), "datetime"),
    (re.compile(r"\bHH:MM\b"), "time"),
)
WORDS = {  # entity list or generated kind -> last words of names that ask for it, beside its own name
    "handle": "owner org organization organisation username login assignee actor enterprise reviewer user collaborator",
    "branch": "branch ref head base",
    "person": "author contact customer guest employee attendee passenger participant recipient sender patient student "
    "member speaker manager surname",
    "folder": "directory dir cwd",
    "path": "filename filepath",
    "url": "uri link href webhook website",
    "repository": "repo",
    "city": "town location place",
    "street": "address",
    "label": "tag",
    "topic": "query search keyword q term",
    "subject": "title summary headline caption",
    "message": "body description comment content text note reason instruction prompt observation",
    "timezone": "timezone",
    "phone": "telephone mobile fax",
    "email": "mail",
    "token": "cursor secret password apikey passphrase credential",
    "hex": "sha hash digest checksum commit etag commitish",
    "date": "day deadline birthday dob",
    "datetime": "timestamp since until",
    "project": "sheet worksheet workbook table database collection bucket workspace app name",
}
BY_WORD = {word: kind for kind, words in WORDS.items() for word in words.split()} | {
    word: word for word in (*GENERATED, "date", "datetime", "email", "phone")
}
FREE = "topic"  # what a text is about that nothing else is known of
LOOSE = (FREE, "token", "project")  # kinds that say less of a value than an example does
BESIDE_OPTIONS = ("message", "uuid", "date", "datetime", "email", "url", "path")  # though the description quotes some
Schema = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a parameter stands: the object (or the person) that it is of, the parameters beside it, and how deep."""

    entities: Entities
    owner: str = ""
    others: frozenset[str] = frozenset()
    depth: int = -1  # of the tool's parameters as one object

    def within(self, name: str, schema: Schema) -> "Place":
        """The place of the fields of an object."""
        return Place(self.entities, name, frozenset(schema.get("properties", {})), self.depth + 1)


def settled(schema: Schema, name: str, place: Place) -> Schema:
    """The schema that values are drawn of.

    Of a union it is the first branch for which there are values, options in a description are an enum, and an object
    needs what the first of its groups of required names needs.
    """
    schema = _typed(schema)
    branches = list(_branches(schema)) if "properties" not in schema else []
    for branch in branches:
        told = {"description": schema["description"]} if "description" in schema else {}
        if kind_of(name, found := settled(told | branch, name, place), place):
            return found
    if branches or place.depth >= MAX_DEPTH:
        return schema
    if "properties" in schema and "object" in types_of(schema):
        return _settled_object(schema, name, place)
    if isinstance(schema.get("items"), dict) and "array" in types_of(schema):
        told = {"description": schema["description"]} if "description" in schema else {}
        inner = Place(place.entities, place.owner, place.others, place.depth + 1)
        return schema | {"items": settled(told | schema["items"], singular(name), inner)}
    if options := _options(schema, name, place):
        return schema | {"enum": options}
    return schema


def _typed(schema: Schema) -> Schema:
    """The schema with the type that its other keywords tell."""
    if "type" in schema or ("anyOf" in schema and "properties" not in schema):
        return schema
    kind = "object" if "properties" in schema else "array" if "items" in schema else ""
    return schema | {"type": kind} if kind else schema


def _branches(schema: Schema, nested: int = 0) -> Iterator[Schema]:
    """The types of a union other than null, those of unions in it one by one."""
    types = [kind for kind in types_of(schema) if kind != "null"] if "type" in schema else []
    for branch in schema.get("anyOf", []):
        if "anyOf" in branch and "properties" not in branch:
            yield from _branches(branch, nested + 1) if nested < MAX_DEPTH else ()
        elif branch.get("type") != "null":
            yield _typed(branch)
    if "anyOf" not in schema and len(types) > 1:
        yield from (schema | {"type": kind} for kind in types)


def _settled_object(schema: Schema, name: str, place: Place) -> Schema:
    within = place.within(name, schema)
    fields = {key: settled(inner, called(key, within), within) for key, inner in schema["properties"].items()}
    groups = [group for group in schema.get("anyOf", []) if group.get("required")]
    said = [
        group["required"]
        for group in groups
        if all(key in fields and kind_of(called(key, within), fields[key], within) for key in group["required"])
    ]
    needed = [key for key in (said[0] if said else []) if key not in schema.get("required", [])]
    return schema | {"properties": fields} | ({"required": [*schema.get("required", []), *needed]} if needed else {})


def _options(schema: Schema, name: str, place: Place) -> list[str]:
    """What a text's description lists, where that tells more of it than its name."""
    if "enum" in schema or "format" in schema or "pattern" in schema or "string" not in types_of(schema):
        return []
    guess = _guess(name, schema, place)
    listed, all_of_them = options_of(schema.get("description", ""), place.others)
    return listed if guess in LOOSE or (all_of_them and guess not in BESIDE_OPTIONS) else []


def called(name: str, place: Place) -> str:
    """The name that tells what a parameter is: `name` of a customer is a customer's name."""
    return f"{place.owner}_name" if name == "name" and place.owner else name


def kind_of(name: str, schema: Schema, place: Place) -> str:
    """The kind of value of a settled schema; "" where none can be invented."""
    if "enum" in schema:
        return "enum" if any(isinstance(value, str | int | float) for value in schema["enum"]) else ""
    types = [kind for kind in types_of(schema) if kind != "null"] if "type" in schema or "anyOf" not in schema else []
    kind = "string" if "string" in types else types[0] if types else ""
    if kind == "object":
        return "object" if _can_be_said(schema, name, place) else ""
    if kind == "array":
        return _list_kind(name, schema, place)
    if kind == "boolean":
        return "bool"
    if kind in ("integer", "number"):
        return _number_kind(name, schema, kind)
    return _text_kind(name, schema, place) if kind == "string" else ""


def _can_be_said(schema: Schema, name: str, place: Place) -> bool:
    """Whether an object has fields, and values for all that it needs."""
    if place.depth >= MAX_DEPTH or not schema.get("properties"):
        return False
    within = place.within(name, schema)
    said = {key for key, inner in schema["properties"].items() if kind_of(called(key, within), inner, within)}
    return bool(said) and said.issuperset(key for key in schema.get("required", []) if key in schema["properties"])


def _list_kind(name: str, schema: Schema, place: Place) -> str:
    deeper = Place(place.entities, place.owner, place.others, place.depth + 1)
    items = schema.get("items", {})
    inner = kind_of(singular(name), items, deeper) if "prefixItems" not in schema else ""
    nested = inner.startswith("objects") or (inner.startswith("list") and "object" in inner)
    if not inner or nested or place.depth >= MAX_DEPTH:
        return ""
    fewest = max(1, int(schema.get("minItems", 1)))
    most = max(fewest, min(2, int(schema.get("maxItems", 2))))
    return f"{'objects' if inner.startswith('object') else f'list:{inner}'}:{fewest}-{most}"


def _number_kind(name: str, schema: Schema, kind: str) -> str:
    words = words_of(name)
    low, high = _bounds(words, schema, 1 if kind == "integer" else 0)
    least, most = math.ceil(low), math.floor(high)
    measure = MEASURES & {*words} and not isinstance(schema.get("default"), int)
    if least <= most if kind == "integer" else least + 2 <= most and not measure:
        return f"int:{least}-{most}"
    return f"number:{low}-{high}" if kind == "number" and low <= high else ""


def _bounds(words: list[str], schema: Schema, step: int) -> tuple[float, float]:
    """The smallest and the largest number that a user would say."""
    low = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf) + step)
    high = schema.get("maximum", schema.get("exclusiveMaximum", math.inf) - step)
    low, high = (low if abs(low) <= NO_BOUND else -math.inf), (high if abs(high) <= NO_BOUND else math.inf)
    first, last = next((RANGES[word] for word in words if word in RANGES), (-math.inf, math.inf))
    if max(low, first) <= min(high, last):
        low, high = max(low, first), min(high, last)
    usual = schema.get("default")
    if low == -math.inf:
        low = next((start for start in (1, 0) if start < high), high - 30)
    if high == math.inf:
        tells = isinstance(usual, int | float) and 30 < usual <= NO_BOUND
        high = max(low, 2 * schema["default"]) if tells else low + 30
    return low, high


def _text_kind(name: str, schema: Schema, place: Place) -> str:
    """The kind that the name tells if its values fit the schema, or what the schema's pattern makes."""
    guess = _guess(name, schema, place)
    kinds = (guess, "long_hex" if guess == "hex" else "", "pattern" if "pattern" in schema else "")
    return next((kind for kind in kinds if kind and drawable(kind, schema, place.entities)), "")


def _guess(name: str, schema: Schema, place: Place) -> str:
    """The kind of a text by format, description and name; "" for code, which nobody says."""
    about = schema.get("description", "")
    if "format" in schema:
        if schema["format"] in FORMATS:
            return FORMATS[schema["format"]]
        if schema["format"] in ("byte", "binary"):
            return ""
    words = words_of(name)
    while len(words) > 1 and words[-1] in AFTERWORDS:
        words.pop()
    if not words:
        return FREE
    if {words[-1], singular(words[-1])} & CODE or CODE_TOLD.search(about):
        return ""
    by_name = _by_name(words, about, place)
    told = next((kind for form, kind in TOLD if form.search(about)), "")
    if told and by_name not in ("message", "subject") and not (told == "datetime" and by_name == "date"):
        return told
    return by_name


def _by_name(words: list[str], about: str, place: Place) -> str:
    last, before = singular(words[-1]), words[:-1]
    if last in IDS and "commit" in before:
        return "hex"
    if last in IDS:
        return _id(words)
    if last == "key":
        return _id(words) if before and before[-1] in ID_KEYS else "token"
    if last == "name" and before:
        if PERSONS & {*before, *map(singular, before)}:
            return "person"
        found = _by_name(before, "", place)
        return found if found in place.entities and found not in (FREE, "message") else "project"
    return _of_time(last, before, about) or _of_place(last, before, about) or _listed(last, about, place.entities)


def _id(words: list[str]) -> str:
    """The kind of ids whose parameter is called so; a table of the world is named after it."""
    return f"id:{(words[0] + 'xx')[:2].upper()}:{'_'.join(words)}"


def _of_time(last: str, before: list[str], about: str) -> str:
    """The kind of what is a moment, a zone, or the place in a list that a server gave before."""
    if (last == "zone" and "time" in before) or last == "timezone":
        return "timezone"
    if last == "time":
        return "datetime" if before else "time"
    if (last == "at" and before) or (last in ("min", "max") and "time" in before):
        return "datetime"
    if last in ("after", "before", "start", "end", "from", "to"):
        told = re.search(r"\bcursor\b|\b(?:date|time)\b|\bid\b", about, re.IGNORECASE)
        kinds = {"cursor": "token", "date": "datetime", "time": "datetime", "id": _id([*before, last])}
        return kinds[told[0].lower()] if told else ""
    return "token" if last == "token" else ""


def _of_place(last: str, before: list[str], about: str) -> str:
    """The kind of words that mean several things, by the words around them."""
    if last == "path":
        folder = {"repo", "repository", "root", "project"} & {*before} or re.search(r"\b(?:directory|folder)\b", about)
        return "folder" if folder and not re.search(r"\bfile", about, re.IGNORECASE) else "path"
    if last == "account":
        login = re.search(r"\b(?:login|username|user|e-?mail|calendar|organization)\b", about, re.IGNORECASE)
        return "handle" if login else ""
    if last in ("color", "colour"):
        return "rgb" if re.search(r"\bhex|#[0-9A-Fa-f]{3}", about, re.IGNORECASE) else "color"
    if last == "range":
        return "cells" if not before or re.search(r"\bcells?\b|\b[A-Z]1\b|sheet", about) else ""
    if last == "address" and "email" in before:
        return "email"
    return ""


def _listed(last: str, about: str, entities: Entities) -> str:
    return last if last in entities else BY_WORD.get(last, FREE)


def words_of(name: str) -> list[str]:
    """The words of a name in small letters: startDate, start-date and START_DATE are ["start", "date"]."""
    return re.findall("[a-z]+", spoken(name))


def spoken(name: str) -> str:
    """An identifier as a user says it: "start date" for startDate, start-date and START_DATE."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})", " ", name)
    return " ".join(re.findall(r"[^\W_]+", apart)).lower() or name


def singular(word: str) -> str:
    """One of several: "cities" -> "city", "names" -> "name", "address" as it is."""
    if re.search("[^aeiou]ies$", word):
        return word[:-3] + "y"
    return word[:-2] if word.endswith("sses") else word[:-1] if re.search("[^su]s$", word) else word
