"""The words that tools are invented of, as data/invented.json has them [O].

`domains` holds things by field of life and work, `kinds` which actions a kind of thing has, `actions` what is done with
a thing and how users ask for it, `parameters` a library of parameters and how users say them, `unsaid` optional ones
that no user ever gives, and `remarks` sentences that longer descriptions end with. In all texts {a} stands for the
thing with its article ("an invoice"), {one} for the thing, {many} for several, and in `then` {it} for the one that an
earlier call made or found.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from itool.errors import UserError
from itool.files import read_json
from stages.synthesis.pool import field_of, parameters_of, sides_of
from stages.synthesis.values import Entities

VOCABULARY = Path("data/invented.json")
# What an action does to the records of its thing; see stages/synthesis/records.py.
EFFECTS = ("add", "bulk", "read", "change", "remove", "find", "count", "act")
# Which parameters it takes beside its own: the thing's, an id and one of the thing's or more, those to filter by, a
# list of new things, an id, or none.
TAKES = ("fields", "change", "filters", "records", "id", "none")
Schema = dict[str, Any]


@dataclass(frozen=True)
class Thing:
    """What the tools of a family are about. `needs` and `has`: its parameters, always and sometimes given.

    `facts`: fields of results and the bounds of their numbers. `states`: values of its status, the first one when new.
    """

    domain: str
    one: str
    a: str
    many: str
    it: str
    actions: tuple[str, ...]
    states: tuple[str, ...]
    facts: dict[str, tuple[int, int]]
    needs: tuple[str, ...]
    has: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """What is done with a thing. `then`: side -> how a user asks for it after an earlier request, or empty.

    `status`: what the thing's status is afterwards. `gives`: what else comes of it and gets an id of its own.
    """

    effect: str
    takes: str
    verbs: tuple[str, ...]
    needs: tuple[str, ...]
    has: tuple[str, ...]
    descriptions: tuple[str, ...]
    intents: dict[str, list[str]]
    noun: str
    then: dict[str, list[str]]
    status: str
    gives: str


@dataclass(frozen=True)
class Template:
    """A parameter of the library. `kind`: see stages/synthesis/values.py. `also`: schemas of other values that it
    sometimes takes. `filter`: whether lists can be filtered by it. `needs` and `has`: fields of an object.
    """

    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    kind: str
    schema: Schema
    phrases: dict[str, Any]
    also: tuple[Schema, ...]
    filter: bool
    needs: tuple[str, ...]
    has: tuple[str, ...]


@dataclass(frozen=True)
class Vocabulary:
    things: tuple[Thing, ...]
    actions: dict[str, Action]
    parameters: dict[str, Template]
    unsaid: dict[str, Schema]
    remarks: tuple[str, ...]


def read_vocabulary(entities: Entities) -> Vocabulary:
    """Reads and checks the file. Raises UserError naming file and field."""
    content, where = read_json(VOCABULARY), str(VOCABULARY)
    parameters = {
        name: _template(name, entry, entities, f"{where}: parameters")
        for name, entry in _entries(content, "parameters", where)
    }
    actions = {
        name: _action(entry, parameters, f"{where}: actions.{name}")
        for name, entry in _entries(content, "actions", where)
    }
    kinds = {
        name: _names(content["kinds"], name, f"{where}: kinds", actions)
        for name, _ in _entries(content, "kinds", where)
    }
    things = tuple(
        _thing(entry, domain, one, kinds, parameters, f"{where}: domains.{domain}.{one}")
        for domain, _ in _entries(content, "domains", where)
        for one, entry in _entries(content["domains"], domain, f"{where}: domains")
    )
    for name, template in parameters.items():
        for key in ("needs", "has"):
            _known(getattr(template, key), parameters, f"{where}: parameters.{name}.{key}")
    unsaid = dict(_entries(content, "unsaid", where))
    return Vocabulary(things, actions, parameters, unsaid, _names(content, "remarks", where))


def _entries(content: Any, name: str, where: str) -> list[tuple[str, Any]]:
    """The entries of a section. Raises UserError where it is no object."""
    section = field_of(content, name, where)
    if not isinstance(section, dict):
        raise UserError(f"{where}: {name}: found {section!r}, expected an object")
    return list(section.items())


def _template(name: str, entry: Any, entities: Entities, section: str) -> Template:
    where = f"{section}.{name}"
    kind, grouped = field_of(entry, "values", where), str(field_of(entry, "values", where)).startswith("object")
    schema = {} if grouped else field_of(entry, "schema", where)
    if not grouped:
        parameters_of({"properties": {name: schema}}, {name: entry}, entities, section)
    return Template(
        names=_names(entry, "names", where),
        descriptions=_names(entry, "descriptions", where),
        kind=kind,
        schema=schema,
        phrases={} if grouped else entry["phrases"],
        also=tuple(entry.get("also", ())),
        filter=entry.get("filter", False),
        needs=_names(entry, "needs", where) if grouped else (),
        has=_names(entry, "has", where) if grouped else (),
    )


def _action(entry: Any, parameters: dict[str, Template], where: str) -> Action:
    return Action(
        effect=_one_of(entry, "effect", EFFECTS, where),
        takes=_one_of(entry, "takes", TAKES, where),
        verbs=_names(entry, "verbs", where),
        needs=_names(entry, "needs", where, parameters),
        has=_names(entry, "has", where, parameters),
        descriptions=_names(entry, "descriptions", where),
        intents=sides_of(field_of(entry, "intents", where), f"{where}.intents"),
        noun=_text(entry, "noun", where),
        then=sides_of(entry["then"], f"{where}.then") if "then" in entry else {},
        status=_text(entry, "status", where) if "status" in entry else "",
        gives=_text(entry, "gives", where) if "gives" in entry else "",
    )


def _thing(
    entry: Any,
    domain: str,
    one: str,
    kinds: dict[str, tuple[str, ...]],
    parameters: dict[str, Template],
    where: str,
) -> Thing:
    return Thing(
        domain=domain,
        one=one,
        a=_text(entry, "a", where),
        many=_text(entry, "many", where),
        it=_text(entry, "it", where),
        actions=kinds[_one_of(entry, "kind", tuple(kinds), where)],
        states=_names(entry, "states", where),
        facts={name: _bounds(found, f"{where}.facts.{name}") for name, found in _entries(entry, "facts", where)},
        needs=_names(entry, "needs", where, parameters),
        has=_names(entry, "has", where, parameters),
    )


def _text(entry: Any, name: str, where: str) -> str:
    found = field_of(entry, name, where)
    if not isinstance(found, str) or not found:
        raise UserError(f"{where}.{name}: found {found!r}, expected a text")
    return found


def _one_of(entry: Any, name: str, allowed: tuple[str, ...], where: str) -> str:
    found = _text(entry, name, where)
    if found not in allowed:
        raise UserError(f"{where}.{name}: found {found!r}, expected one of {', '.join(allowed)}")
    return found


def _names(entry: Any, name: str, where: str, allowed: Any = None) -> tuple[str, ...]:
    """A list of texts; with `allowed` only those."""
    found = field_of(entry, name, where)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise UserError(f"{where}.{name}: found {found!r}, expected a list of texts")
    if allowed is not None:
        _known(found, allowed, f"{where}.{name}")
    return tuple(found)


def _known(names: Any, allowed: Any, where: str) -> None:
    for name in names:
        if name not in allowed:
            raise UserError(f"{where}: found {name!r}, expected names that this file explains")


def _bounds(found: Any, where: str) -> tuple[int, int]:
    whole = isinstance(found, list) and len(found) == 2 and all(type(each) is int for each in found)
    if not whole or found[0] > found[1]:
        raise UserError(f"{where}: found {found!r}, expected the least and the largest whole number")
    return found[0], found[1]
