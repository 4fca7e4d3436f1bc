"""Dialogues over procedurally invented tools, from easy to hard.

Every sample has tools of its own, so signatures cannot be learnt by heart [O].
"""

import json
import string
from dataclasses import dataclass, field
from random import Random
from typing import Any

from stages.base.words import (
    ADJECTIVES,
    AGAIN,
    CODAS,
    ENDINGS,
    JOINS,
    NAMED,
    NOUNS,
    ONSETS,
    QUESTIONS,
    REFUSALS,
    REQUESTS,
    ROLES,
    VERBS,
    VOWELS,
)
from stages.toolcall import pythonic
from stages.toolcall.prompt import SELF_EVALUATION_QUESTION
from stages.toolcall.types import Answer, Call, Tool

# What a level of the curriculum may show: most candidate tools, most parameters, and the weights of the sample forms.
LEVELS: tuple[dict[str, Any], ...] = (
    {"tools": 1, "parameters": 2, "forms": {"plain": 1.0}},
    {"tools": 2, "parameters": 3, "forms": {"plain": 0.9, "doubt": 0.1}},
    {"tools": 4, "parameters": 4, "forms": {"plain": 0.8, "doubt": 0.1, "parallel": 0.05, "again": 0.05}},
    {
        "tools": 6,
        "parameters": 5,
        "forms": {
            "plain": 0.6,
            "doubt": 0.12,
            "parallel": 0.1,
            "again": 0.05,
            "chain": 0.04,
            "ask": 0.03,
            "refuse": 0.03,
            "tell": 0.03,
        },
    },
)


@dataclass(frozen=True)
class Slot:
    """A parameter of an invented tool and how requests speak of it."""

    name: str
    schema: dict[str, Any]
    kind: str
    required: bool
    preposition: str  # "" where the parameter is spoken of by its name


@dataclass(frozen=True)
class Invented:
    tool: Tool
    slots: tuple[Slot, ...]
    intents: tuple[str, ...]


@dataclass
class Dialogue:
    """A sample: OpenAI messages, assistant turns as rendered text; `learned[i]`: is the i-th assistant turn
    in the loss.
    """

    tools: list[Tool]
    messages: list[dict[str, str]] = field(default_factory=list)
    learned: list[bool] = field(default_factory=list)

    def say(self, role: str, content: str, learned: bool = True) -> None:
        self.messages.append({"role": role, "content": content})
        if role == "assistant":
            self.learned.append(learned)


def invented_word(rng: Random) -> str:
    syllables = rng.choices((1, 2, 3), (2, 5, 2))[0]
    return "".join(rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(syllables)) + rng.choice(CODAS)


def invented_name(rng: Random) -> str:
    """Something to be copied: an invented proper name, or a few common words."""
    form = rng.random()
    if form < 0.3:
        return invented_word(rng).capitalize()
    if form < 0.5:
        return f"{invented_word(rng).capitalize()} {invented_word(rng).capitalize()}"
    if form < 0.6:
        return f"{invented_word(rng).capitalize()} {rng.choice(NOUNS).capitalize()}"
    if form < 0.75:
        return rng.choice(NOUNS)
    if form < 0.9:
        return f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"
    return f"{rng.choice(NOUNS)} {rng.choice(NOUNS)}"


def draw_value(slot: Slot, rng: Random) -> Any:
    match slot.kind:
        case "string":
            return invented_name(rng)
        case "integer":
            return rng.choice((rng.randint(2, 12), rng.randint(2, 99), rng.randint(100, 5000)))
        case "number":
            return rng.choice((rng.randint(1, 99) + 0.5, round(rng.uniform(0.1, 400), rng.choice((1, 2)))))
        case "boolean":
            return rng.random() < 0.6
        case "enum":
            return rng.choice(slot.schema["enum"])
        case "date":
            return f"{rng.randint(1980, 2040)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        case "time":
            return f"{rng.randint(0, 23):02d}:{rng.choice((0, 15, 30, 45, rng.randint(0, 59))):02d}"
        case "email":
            name = invented_word(rng) + rng.choice(("", "." + invented_word(rng)))
            return f"{name}@{invented_word(rng)}.{rng.choice(ENDINGS)}"
        case "id":
            letters = "".join(rng.choices(string.ascii_uppercase, k=2))
            return f"{letters}{rng.choice(('', '-'))}{rng.randint(10, 9999)}"
        case "file":
            return f"{noun_of(3, rng)}.{rng.choice(ENDINGS)}"
        case "sentence":
            return " ".join(rng.choices(NOUNS + ADJECTIVES + VERBS, k=rng.randint(2, 5))).capitalize()
        case "list":
            return [invented_name(rng) for _ in range(rng.randint(1, 3))]
        case "object":
            return {name: invented_name(rng) for name in slot.schema["properties"]}
    raise AssertionError(slot.kind)


def spoken(value: Any) -> str:
    """The value as a person says it."""
    if isinstance(value, list):
        return str(value[0]) if len(value) == 1 else f"{', '.join(value[:-1])} and {value[-1]}"
    if isinstance(value, dict):
        return " and ".join(f"{name.replace('_', ' ')} {inner}" for name, inner in value.items())
    if isinstance(value, str) and value.count(" ") > 1 and value[1:].islower():
        return f"'{value}'"  # a whole sentence is quoted
    return str(value)


def phrase(slot: Slot, value: Any, rng: Random) -> str:
    name = slot.name.replace("_", " ")
    if slot.kind == "boolean":
        return rng.choice(
            (f"with {name}", f"{name} on", f"including {name}")
            if value
            else (f"without {name}", f"{name} off", f"no {name}")
        )
    if slot.preposition and rng.random() < 0.8:
        return f"{slot.preposition} {spoken(value)}"
    return rng.choice(NAMED).format(n=name, v=spoken(value))


def noun_of(level: int, rng: Random) -> str:
    """A word for the names of tools and parameters; on the last level some are plurals, and some nobody has
    heard of.
    """
    form = rng.random() if level == 3 else 1.0
    if form < 0.15:
        return invented_word(rng)
    return rng.choice(NOUNS) + ("s" if form < 0.4 else "")


def invent_slot(level: int, taken: set[str], prepositions: set[str], rng: Random) -> Slot:
    preposition = ""
    if rng.random() < 0.5:
        preposition = rng.choice([p for p in ROLES if p not in prepositions])
        name = rng.choice(ROLES[preposition])
    else:
        name = noun_of(level, rng)
    if rng.random() < 0.2:
        name = f"{rng.choice(ADJECTIVES + NOUNS)}_{name}"
    if name in taken:
        return invent_slot(level, taken, prepositions, rng)
    taken.add(name)
    prepositions.add(preposition)
    kinds = {
        "string": 50,
        "integer": 16,
        "enum": 9,
        "date": 6,
        "time": 4,
        "email": 3,
        "number": 4,
        "boolean": 0,
        "id": 5,
        "list": 4,
        "object": 0,
    }
    if not preposition:
        kinds |= {"boolean": 8, "object": 3}
    if level == 3:
        kinds |= {"file": 3, "sentence": 4}
    kind = rng.choices(list(kinds), list(kinds.values()))[0]
    schema: dict[str, Any] = {"type": kind if kind in ("integer", "number", "boolean") else "string"}
    if kind in ("date", "time", "email"):
        schema["format"] = kind
    elif kind == "enum":
        schema["enum"] = rng.sample(rng.choice((NOUNS, ADJECTIVES, VERBS)), rng.randint(2, 4))
    elif kind == "list":
        schema = {"type": "array", "items": {"type": "string"}}
    elif kind == "object":
        names = rng.sample(NOUNS, 2)
        schema = {"type": "object", "properties": {n: {"type": "string"} for n in names}, "required": names}
    required = rng.random() < 0.75
    slot = Slot(name, schema, kind, required, preposition)
    if not required and kind in ("integer", "enum", "boolean", "number") and rng.random() < 0.6:
        schema["default"] = draw_value(slot, rng)
    return slot


def invent_tool(level: int, rng: Random, like: Invented | None = None) -> Invented:
    """A tool nobody has seen. `like`: share a word of its name with that one, so that the two are easily mistaken."""
    verb, noun, other = rng.choice(VERBS), noun_of(level, rng), rng.choice(NOUNS)
    if like is not None:
        words = like.tool.name.split("_")
        verb, noun = (words[0], noun) if rng.random() < 0.5 else (verb, words[-1])
    thing = f"{rng.choice(ADJECTIVES + NOUNS)} {noun}" if rng.random() < 0.35 else noun
    name = f"{verb}_{thing}".replace(" ", "_")
    second = rng.choice(VERBS)
    description = rng.choice(
        (
            f"{verb} the {thing}",
            f"{verb} a {thing} of the {other}",
            f"{second} the {other} {noun}",
            f"{verb} and {second} a {noun}",
            f"{thing} to {second}",
        )
    )
    taken: set[str] = set()
    prepositions: set[str] = set()
    count = rng.randint(1, LEVELS[level]["parameters"])
    slots = tuple(invent_slot(level, taken, prepositions, rng) for _ in range(count))
    intents = [
        f"{verb} the {thing}",
        f"{verb} a {thing}",
        f"{verb} {thing}",
        f"{verb} some {thing}s",
        f"{verb} our {noun}",
        description,
    ]
    if level >= 2:
        intents += [f"{second} the {noun}"] if second in description else []
        intents += [f"deal with the {thing}", f"get a {thing}", f"work on {thing}s"]
    parameters = {
        "type": "object",
        "properties": {s.name: s.schema for s in slots},
        "required": [s.name for s in slots if s.required],
    }
    return Invented(Tool(name, description, parameters), slots, tuple(intents))


def draw_call(invented: Invented, rng: Random) -> Call:
    given = [s for s in invented.slots if s.required or rng.random() < 0.5]
    arguments = {s.name: draw_value(s, rng) for s in given}
    return Call(invented.tool.name, arguments)


def phrases(invented: Invented, call: Call, rng: Random) -> str:
    said = [phrase(s, call.arguments[s.name], rng) for s in invented.slots if s.name in call.arguments]
    rng.shuffle(said)
    return rng.choice((" ", " ", ", ")).join(said)


def request(invented: Invented, call: Call, rng: Random, pattern: str | None = None) -> str:
    pattern = pattern or rng.choice(REQUESTS)
    return pattern.format(i=rng.choice(invented.intents), s=phrases(invented, call, rng)).strip()


def corrupt(call: Call, invented: Invented, candidates: list[Invented], rng: Random) -> Call:
    """A wrong call: another value, two values swapped, a parameter lost, or another function."""
    arguments = dict(call.arguments)
    names = list(arguments)
    fault = rng.random()
    if fault < 0.2 and len(candidates) > 1:
        return Call(rng.choice([c for c in candidates if c is not invented]).tool.name, arguments)
    if fault < 0.45 and len(names) > 1:
        a, b = rng.sample(names, 2)
        arguments[a], arguments[b] = arguments[b], arguments[a]
    elif fault < 0.65 and names:
        del arguments[rng.choice(names)]
    elif names:
        name = rng.choice(names)
        arguments[name] = draw_value(next(s for s in invented.slots if s.name == name), rng)
    return Call(call.name, arguments)


def calls_text(*calls: Call) -> str:
    return pythonic.render(Answer(calls))


def dialogue(level: int, rng: Random) -> Dialogue:
    """One sample of the given level (index into LEVELS): one tool list and several exchanges about it, each
    on its own.
    """
    invented: list[Invented] = []
    for _ in range(rng.randint(1, LEVELS[level]["tools"])):
        like = rng.choice(invented) if invented and level >= 2 and rng.random() < 0.4 else None
        tool = invent_tool(level, rng, like)
        if all(tool.tool.name != other.tool.name for other in invented):
            invented.append(tool)
    forms = LEVELS[level]["forms"]
    talk = Dialogue([i.tool for i in invented])
    for _ in range(rng.choice((1, 2, 2, 3, 3, 4))):
        exchange(rng.choices(list(forms), list(forms.values()))[0], talk, invented, rng)
    if level == 3:
        for message in talk.messages:
            if message["role"] == "user" and rng.random() < 0.6:
                message["content"] = message["content"][:1].upper() + message["content"][1:]
    return talk


def exchange(form: str, talk: Dialogue, invented: list[Invented], rng: Random) -> None:
    """Appends one exchange of the given form: a request, its answer and what follows from it."""
    target = rng.choice(invented)
    call = draw_call(target, rng)
    if form == "ask":
        missing = rng.choice(target.slots)
        if missing.required:
            call.arguments.pop(missing.name)
            talk.say("user", request(target, call, rng))
            talk.say("assistant", rng.choice(QUESTIONS).format(n=missing.name.replace("_", " ")))
            return
    if form == "refuse":
        stranger = invent_tool(2, rng)
        talk.say("user", request(stranger, draw_call(stranger, rng), rng))
        talk.say("assistant", rng.choice(REFUSALS))
        return
    if form == "parallel":
        other = rng.choice(invented)
        second = draw_call(other, rng)
        parts = [request(target, call, rng, "{i} {s}"), request(other, second, rng, "{i} {s}")]
        if other is target and rng.random() < 0.5:
            parts[1] = phrases(other, second, rng)
        calls = [call, second]
        if rng.random() < 0.25:
            calls.append(draw_call(target, rng))
            parts[1] = rng.choice(JOINS).format(a=parts[1], b=request(target, calls[2], rng, "{i} {s}"))
        talk.say("user", rng.choice(JOINS).format(a=parts[0], b=parts[1]))
        talk.say("assistant", calls_text(*calls))
        return
    talk.say("user", request(target, call, rng))
    if form == "doubt" and rng.random() < 0.5:
        wrong = corrupt(call, target, invented, rng)
        talk.say("assistant", calls_text(wrong), learned=False)
        talk.say("user", SELF_EVALUATION_QUESTION)
        talk.say("assistant", "yes" if wrong == call else "no")
        return
    talk.say("assistant", calls_text(call))
    if form == "doubt":
        talk.say("user", SELF_EVALUATION_QUESTION)
        talk.say("assistant", "yes")
    elif form == "again" and call.arguments:
        slot = rng.choice([s for s in target.slots if s.name in call.arguments])
        changed = call.arguments | {slot.name: draw_value(slot, rng)}
        talk.say("user", rng.choice(AGAIN).format(s=phrase(slot, changed[slot.name], rng)))
        talk.say("assistant", calls_text(Call(call.name, changed)))
    elif form in ("tell", "chain"):
        fields = [
            Slot(n, {"type": "string"}, rng.choice(("string", "integer", "id")), True, "")
            for n in rng.sample(NOUNS, rng.randint(1, 2))
        ]
        result = {s.name: draw_value(s, rng) for s in fields}
        talk.say("tool", json.dumps(result, ensure_ascii=False))
        if form == "tell":
            talk.say("assistant", "; ".join(f"{name}: {value}" for name, value in result.items()))
        else:
            follow_up(talk, fields[0], result[fields[0].name], invented, rng)


def follow_up(talk: Dialogue, source: Slot, value: Any, invented: list[Invented], rng: Random) -> None:
    """A second request whose one argument is the earlier result."""
    target = rng.choice(invented)
    call = draw_call(target, rng)
    fitting = [s for s in target.slots if s.name in call.arguments and s.kind == source.kind]
    if not fitting:
        talk.say("assistant", f"{source.name}: {value}")
        return
    slot = rng.choice(fitting)
    rest = Call(call.name, {n: v for n, v in call.arguments.items() if n != slot.name})
    call.arguments[slot.name] = value
    talk.say("assistant", f"{source.name}: {value}")
    talk.say("user", f"{request(target, rest, rng)}, {slot.name.replace('_', ' ')} is that {source.name}")
    talk.say("assistant", calls_text(call))
