"""Freshly invented tools that join the pool: real-looking schemas of every shape, for calls that no model has seen [O].

The tools of one thing are a family (create, get, update, cancel, list ... an invoice), so that the choice among them is
hard, and their calls act on the same records. Names, parameters, defaults, nesting and descriptions are drawn; how
users speak is put together from data/invented.json.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from itool.errors import UserError
from itool.toolcall.schema import parse_tool
from stages.synthesis.invented import spoken
from stages.synthesis.pool import Link, Pool, PoolTool, parameters_of
from stages.synthesis.records import Service
from stages.synthesis.values import Entities, bounds
from stages.synthesis.vocabulary import VOCABULARY, Action, Schema, Template, Thing, Vocabulary, read_vocabulary

MOST_PARAMETERS = 8  # of a tool
MOST_OPTIONAL = 5
MOST_FIELDS = 2  # optional ones of an object
CAMEL = 0.4  # share of the domains whose names are in camelCase; the others are in snake_case
DESCRIBED = 0.8  # share of the domains whose parameters have descriptions
CLOSED = 0.3  # share of the domains whose objects say additionalProperties: false
DEFAULT = 0.5  # share of the optional parameters with a usual value that have a default
NULLABLE = 0.25  # share of the other optional parameters that take null
UNION = 0.5  # share of the parameters that may be of another form, too, that are
UNSAID = 0.15  # share of the tools that have a parameter which no user gives
REFERENCED = 0.2  # share of the domains that define objects apart and refer to them
FORMS = ("{verb}_{what}", "{verb}_{what}", "{domain}_{verb}_{what}", "{domain}.{many}.{verb}")
# What a search returns the id of, and how a user speaks of that record.
FOUND = (("first", "the first one"), ("latest", "the latest one"), ("top", "the top one"))


def with_invented(pool: Pool, count: int, seed: int) -> Pool:
    """The pool with `count` invented tools and the links between them; one whose name is taken gives way to the next.

    The tools depend on the seed alone, and more of them begin with the same ones. Raises UserError when there are not
    so many, or naming file and field of a faulty vocabulary.
    """
    if not count:
        return pool
    taken = {tool.name for tool in pool.tools}
    tools: list[PoolTool] = []
    links: list[Link] = []
    for family in _families(read_vocabulary(pool.entities), pool.entities, seed):
        kept = [tool for tool in family.tools() if tool.name not in taken][: count - len(tools)]
        tools += kept
        links += [link for link in family.links() if link.source in kept and link.target in kept]
        if len(tools) == count:
            return Pool((*pool.tools, *tools), (*pool.links, *links), pool.entities)
    raise UserError(
        f"params.yaml: synthesis.invent: found {count}, expected at most {len(tools)}: no more are invented"
    )


@dataclass(frozen=True)
class Style:
    """How the tools of a domain are written."""

    form: str
    camel: bool
    described: bool
    closed: bool
    referenced: bool

    def written(self, words: str) -> str:
        """A name of these words."""
        first, *rest = words.replace(" ", "_").split("_")
        return first + "".join(word.capitalize() for word in rest) if self.camel else "_".join([first, *rest])


@dataclass(frozen=True)
class Slot:
    """A parameter: the schema that values are drawn of, the one that prompts show, and its entry of a phrases file."""

    name: str
    plain: Schema
    shown: Schema
    entry: dict[str, Any] | None  # None: nobody can say it


def _families(vocabulary: Vocabulary, entities: Entities, seed: int) -> Iterator["Family"]:
    """All families in an order that is drawn."""
    things = list(vocabulary.things)
    random.Random(f"{seed}/invent").shuffle(things)
    for thing in things:
        style = _style(random.Random(f"{seed}/invent/{thing.domain}"))
        yield Family(thing, style, vocabulary, entities, random.Random(f"{seed}/invent/{thing.domain}/{thing.one}"))


def _style(rng: random.Random) -> Style:
    return Style(
        form=rng.choice(FORMS),
        camel=rng.random() < CAMEL,
        described=rng.random() < DESCRIBED,
        closed=rng.random() < CLOSED,
        referenced=rng.random() < REFERENCED,
    )


class Family:
    """The tools of one thing."""

    def __init__(self, thing: Thing, style: Style, vocabulary: Vocabulary, entities: Entities, rng: random.Random):
        self.thing = thing
        self.style = style
        self.vocabulary = vocabulary
        self.entities = entities
        self.rng = rng
        words = thing.one.split()
        self.prefix = (words[0][0] + words[-1][0] if len(words) > 1 else thing.one[:2]).upper()
        self.table = thing.many.replace(" ", "_")
        self.names = {key: self._name_of(template) for key, template in vocabulary.parameters.items()}
        self.found, self.found_said = rng.choice(FOUND)
        self._tools = {name: self._tool(name, vocabulary.actions[name]) for name in thing.actions}

    def tools(self) -> list[PoolTool]:
        """All of them, in the order of the thing's actions."""
        return list(self._tools.values())

    def links(self) -> list[Link]:
        """From what makes or finds one of the things to all that may be done with it afterwards."""
        actions = self.vocabulary.actions
        fields = {"add": self.names["id"], "find": self._found_name()}
        return [
            Link(self._tools[source], fields[actions[source].effect], self._tools[target], self.names["id"], phrases)
            for source in self._tools
            if actions[source].effect in fields
            for target in self._tools
            if (phrases := self._then(actions[source], actions[target]))
        ]

    def _then(self, source: Action, target: Action) -> dict[str, list[str]]:
        it = self.thing.it if source.effect == "add" else self.found_said
        return {side: [phrase.replace("{it}", it) for phrase in phrases] for side, phrases in target.then.items()}

    def _tool(self, name: str, action: Action) -> PoolTool:
        """One tool, with its parameters drawn."""
        needs, has = self._chosen(action)
        slots = [self._slot(key, True) for key in needs]
        slots += [self._slot(key, False, filters=action.takes == "filters") for key in has]
        slots += self._unsaid() if len(slots) < MOST_PARAMETERS and self.rng.random() < UNSAID else []
        required = [slot.name for slot in slots[: len(needs)]]
        shown = self._object({slot.name: slot.shown for slot in slots}, required)
        spec = {
            "name": self._tool_name(action),
            "description": self._described(action),
            "parameters": _referenced(shown) if self.style.referenced else shown,
        }
        where = f"{VOCABULARY}: {self.thing.domain}.{self.thing.one}.{name}"
        plain = {"properties": {slot.name: slot.plain for slot in slots}, "required": required}
        return PoolTool(
            tool=parse_tool(spec, where),
            domain=self.thing.domain,
            intents={side: [self._filled(intent) for intent in each] for side, each in action.intents.items()},
            noun=self._filled(action.noun),
            parameters=parameters_of(plain, {slot.name: slot.entry for slot in slots}, self.entities, where),
            function=self._service(action),
        )

    def _tool_name(self, action: Action) -> str:
        several = action.effect in ("find", "count", "bulk")
        many, domain = self.style.written(self.thing.many), self.style.written(self.thing.domain)
        what = self.thing.many if several else self.thing.one
        verb = self.rng.choice(action.verbs)
        if self.style.form.startswith("{domain}."):
            return self.style.form.format(domain=domain, many=many, verb=self.style.written(verb))
        return self.style.written(self.style.form.format(domain=self.thing.domain, verb=verb, what=what))

    def _described(self, action: Action) -> str:
        """One of the action's descriptions, and up to two general remarks."""
        count = self.rng.choice((0, 0, 0, 1, 2))
        remarks = self.rng.sample(self.vocabulary.remarks, count)
        return " ".join([self._filled(self.rng.choice(action.descriptions)), *remarks])

    def _service(self, action: Action) -> Service:
        kinds = ("count", "created", "status", *self.thing.facts)
        names = {kind: self.style.written(kind) for kind in kinds}
        names["gives"] = self.style.written(f"{action.gives}_id")
        return Service(action, self.thing, self.prefix, self.table, self.names["id"], self._found_name(), names)

    def _found_name(self) -> str:
        return self.style.written(f"{self.found}_{self.thing.one}_id")

    def _chosen(self, action: Action) -> tuple[list[str], list[str]]:
        """The keys of the library of required and of optional parameters, without those that a user could mix up."""
        thing, needs, has = self.thing, list(action.needs), list(action.has)
        own = [*thing.needs, *thing.has]
        if action.takes == "fields":
            needs, has = [*thing.needs, *needs], [*thing.has, *has]
        elif action.takes == "change":
            self.rng.shuffle(own)
            needs, has = ["id", own[0]], [*own[1:], *has]
        elif action.takes == "filters":
            has += ["status", *(key for key in own if self.vocabulary.parameters[key].filter)]
        elif action.takes == "records":
            needs = ["records", *needs]
        elif action.takes == "id":
            needs = ["id", *needs]
        most = min(self.rng.randint(0, MOST_OPTIONAL), MOST_PARAMETERS - len(needs))
        wanted = self.rng.sample(has, len(has))
        chosen = self._apart([*needs, *wanted])
        return needs, [key for key in chosen if key not in needs][:most]

    def _apart(self, keys: Sequence[str]) -> list[str]:
        """Those keys that share neither a name nor a phrase with an earlier one."""
        kept: list[str] = []
        taken: set[str] = set()
        for key in keys:
            marks = {self.names[key], *self._phrases(key)}
            if taken.isdisjoint(marks):
                kept.append(key)
                taken |= marks
        return kept

    def _phrases(self, key: str) -> set[str]:
        """All that says a parameter or a field of it."""
        template = self._template(key)
        if template.kind.startswith("object"):
            return {phrase for field in (*template.needs, *template.has) for phrase in self._phrases(field)}
        sides = template.phrases.values()
        if template.kind == "bool":
            return {phrase for side in sides for phrases in side.values() for phrase in phrases}
        return {phrase for phrases in sides for phrase in phrases}

    def _template(self, key: str) -> Template:
        """A parameter of the library, completed with what the thing says of it."""
        template = self.vocabulary.parameters[key]
        if key in ("id", "other"):
            return replace(template, kind=f"id:{self.prefix}:{self.table}")
        if key == "status":
            return replace(template, schema=template.schema | {"enum": list(self.thing.states)})
        if key == "records":
            flat = [field for field in self.thing.needs if not self._template(field).kind.startswith("objects")]
            return replace(template, needs=tuple(flat))
        return template

    def _slot(self, key: str, required: bool, filters: bool = False) -> Slot:
        """The parameter of a key. With `filters` it has no default: a list that is not filtered holds everything."""
        template, name = self._template(key), self.names[key]
        if template.kind.startswith("object"):
            return self._group(name, template, required)
        phrases = self._filled(template.phrases)
        entry = {"values": template.kind, "phrases": phrases, "ask": spoken(name)}
        usual = None if required or (filters and template.filter) else self._default(template)
        return Slot(name, template.schema, self._dressed(template.schema, template, required, usual), entry)

    def _unsaid(self) -> list[Slot]:
        """An optional parameter that no user gives."""
        name, schema = self.rng.choice(list(self.vocabulary.unsaid.items()))
        return [Slot(self.style.written(name), schema, schema, None)]

    def _group(self, name: str, template: Template, required: bool) -> Slot:
        """An object, or a list of objects."""
        has = self.rng.sample(template.has, len(template.has))
        needs = template.needs or has[:1]  # an object without fields could not be said
        has = [key for key in has if key not in needs][: self.rng.randint(0, MOST_FIELDS)]
        fields = [self._slot(key, True) for key in needs] + [self._slot(key, False) for key in has]
        names = [slot.name for slot in fields[: len(needs)]]
        plain: Schema = {"type": "object", "properties": {slot.name: slot.plain for slot in fields}, "required": names}
        shown = self._object({slot.name: slot.shown for slot in fields}, names)
        if template.kind != "object":
            plain, shown = {"type": "array", "items": plain}, {"type": "array", "items": shown, "minItems": 1}
        entry = {"values": template.kind, "fields": {slot.name: slot.entry for slot in fields}}
        return Slot(name, plain, self._dressed(shown, template, required, None), entry)

    def _object(self, properties: dict[str, Schema], required: list[str]) -> Schema:
        closed = {"additionalProperties": False} if self.style.closed else {}
        return {"type": "object", "properties": properties, "required": required} | closed

    def _dressed(self, schema: Schema, template: Template, required: bool, usual: Any) -> Schema:
        """The schema as prompts show it: with a description, and sometimes with another type, null or the `usual`
        value as default, if there is one.
        """
        rng = self.rng
        if template.also and rng.random() < UNION:
            schema = {"anyOf": [schema, *template.also]}
        elif usual is not None and rng.random() < DEFAULT:
            schema = schema | {"default": usual}
        elif not required and rng.random() < NULLABLE:
            schema = _nullable(schema, rng)
        if self.style.described:
            schema = schema | {"description": self._filled(rng.choice(template.descriptions))}
        return schema

    def _default(self, template: Template) -> Any:
        """A value that may stand for one that is not given; None where there is no usual one."""
        if template.kind == "bool":
            return self.rng.random() < 0.2
        if "enum" in template.schema:
            return self.rng.choice(template.schema["enum"])
        head, _, rest = template.kind.partition(":")
        return self.rng.randint(*bounds(rest, int)) if head == "int" else None

    def _name_of(self, template: Template) -> str:
        return self.style.written(self._filled(self.rng.choice(template.names)))

    def _filled(self, text: Any) -> Any:
        """A text, or all texts of lists and objects of them, with the words of the thing."""
        if isinstance(text, dict):
            return {key: self._filled(inner) for key, inner in text.items()}
        if isinstance(text, list):
            return [self._filled(inner) for inner in text]
        thing = self.thing
        return text.replace("{one}", thing.one).replace("{many}", thing.many).replace("{a}", thing.a)


def _referenced(schema: Schema) -> Schema:
    """The schema with the objects among the parameters defined apart."""
    apart = {name: inner for name, inner in schema["properties"].items() if inner.get("type") == "object"}
    if not apart:
        return schema
    names = {name: name[0].upper() + name[1:] for name in apart}
    references = {name: {"$ref": f"#/$defs/{names[name]}"} for name in apart}
    definitions = {names[name]: inner for name, inner in apart.items()}
    return schema | {"properties": schema["properties"] | references, "$defs": definitions}


def _nullable(schema: Schema, rng: random.Random) -> Schema:
    """The schema of the same values or null, in one of the two ways in which servers write it."""
    absent = {"default": None} if rng.random() < 0.5 else {}
    if rng.random() < 0.5 and "properties" not in schema:
        return {"anyOf": [schema, {"type": "null"}]} | absent
    options = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return schema | {"type": [schema["type"], "null"]} | options | absent
