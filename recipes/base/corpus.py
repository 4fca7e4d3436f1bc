"""Dialogues over procedurally invented tools, from easy to hard.

Every sample has tools of its own, so signatures cannot be learnt by heart [O].
"""

import json
import string
from dataclasses import dataclass, field
from random import Random
from typing import Any

from itool.toolcall.dialects import DIALECTS
from itool.toolcall.prompt import SELF_EVALUATION_QUESTION
from itool.toolcall.types import Answer, Call, Tool
from recipes.base.phrasing import (
    AGAIN,
    ENDS,
    FRAMES,
    FURTHER,
    JOINS,
    LEADS,
    LOOSE,
    NAMED,
    QUESTIONS,
    REFUSALS,
    SPOKEN,
    THAT,
)
from recipes.base.words import ADJECTIVES, CODAS, ENDINGS, NOUNS, ONSETS, ROLES, SYNONYMS, UNITS, VERBS, VOWELS

# What a level of the curriculum may show: most candidate tools, most parameters, and the weights of the sample forms.
LEVELS: tuple[dict[str, Any], ...] = (
    {"tools": 1, "parameters": 2, "forms": {"plain": 1.0}},
    {"tools": 2, "parameters": 3, "forms": {"plain": 0.9, "doubt": 0.1}},
    {"tools": 4, "parameters": 4, "forms": {"plain": 0.8, "doubt": 0.1, "parallel": 0.05, "again": 0.05}},
    {
        "tools": 6,
        "parameters": 5,
        "forms": {
            "plain": 0.43,
            "doubt": 0.09,
            "parallel": 0.18,
            "again": 0.07,
            "chain": 0.08,
            "ask": 0.07,
            "refuse": 0.05,
            "tell": 0.03,
        },
    },
)
PREPOSITIONS = {name: tuple(p for p in ROLES if name in ROLES[p]) for names in ROLES.values() for name in names}
SAME = {word: tuple(w for group in SYNONYMS if word in group for w in group) for group in SYNONYMS for word in group}


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
            letters = "".join(rng.choices(string.ascii_uppercase, k=rng.choice((2, 2, 3))))
            return letters + rng.choice(("", *(f"{dash}{rng.randint(10, 9999)}" for dash in ("", "", "-"))))
        case "file":
            return f"{noun_of(rng)}.{rng.choice(ENDINGS)}"
        case "sentence":
            return " ".join(rng.choices(NOUNS + ADJECTIVES + VERBS, k=rng.randint(2, 5))).capitalize()
        case "list":
            return [invented_name(rng) for _ in range(rng.randint(1, 3))]
        case "object":
            return draw_object(slot.schema, rng)
        case "objects":
            return [draw_object(slot.schema["items"], rng) for _ in range(rng.randint(1, 2))]
    raise AssertionError(slot.kind)


def draw_object(schema: dict[str, Any], rng: Random) -> dict[str, Any]:
    return {
        name: rng.randint(1, 40) if inner["type"] == "integer" else invented_name(rng)
        for name, inner in schema["properties"].items()
        if name in schema["required"] or rng.random() < 0.5
    }


def spoken(value: Any, rng: Random) -> str:
    """The value as a person says it."""
    if isinstance(value, list):
        parts = [spoken(item, rng) for item in value]
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    if isinstance(value, dict):
        return rng.choice((" ", " ", " and ")).join(
            f"{rng.choice((name.replace('_', ' '), *PREPOSITIONS.get(name, ()), rng.choice(LOOSE)))} {inner}"
            for name, inner in value.items()
        )
    if isinstance(value, str) and "@" not in value and (value.count(" ") > 1 or rng.random() < 0.08):
        return f"'{value}'"  # a whole sentence is quoted
    return str(value)


def phrase(slot: Slot, value: Any, alone: bool, rng: Random) -> str:
    """How a request says this value. `alone`: no other parameter of the tool has values of this kind."""
    name = slot.name.replace("_", " ")
    if slot.kind == "boolean":
        return rng.choice(
            (f"with {name}", f"{name} on", f"including {name}", f"only {name}", f"{name}, yes", f"make it {name}")
            if value
            else (f"without {name}", f"{name} off", f"no {name}", f"not {name}", f"free of {name}", f"non {name}")
        )
    said = spoken(value, rng)
    if slot.kind in ("integer", "number") and rng.random() < 0.3:
        said += f" {rng.choice(UNITS)}"
    if alone and rng.random() < 0.4:
        return f"{rng.choice(LOOSE)} {said}"
    if slot.preposition and rng.random() < 0.7:
        spoken_as = slot.preposition if rng.random() < 0.4 else rng.choice(SPOKEN[slot.preposition])
        return f"{spoken_as} {rng.choice(('', '', 'the '))}{said}"
    return rng.choice(NAMED).format(n=same(name, rng) if rng.random() < 0.3 else name, v=said)


def noun_of(rng: Random) -> str:
    """A word for the names of tools and parameters; some are plurals, and some nobody has heard of."""
    form = rng.random()
    if form < 0.15:
        return invented_word(rng)
    return rng.choice(NOUNS) + ("s" if form < 0.35 else "")


def same(words: str, rng: Random) -> str:
    """The same in other words, where there are any."""
    return rng.choice(SAME.get(words, (words,)))


def invent_slot(taken: set[str], prepositions: set[str], rng: Random) -> Slot:
    preposition = ""
    if rng.random() < 0.5:
        preposition = rng.choice([p for p in ROLES if p not in prepositions])
        name = rng.choice(ROLES[preposition])
    else:
        name = noun_of(rng)
    if rng.random() < 0.2:
        name = f"{rng.choice(ADJECTIVES + NOUNS)}_{name}"
    if name in taken:
        return invent_slot(taken, prepositions, rng)
    taken.add(name)
    prepositions.add(preposition)
    kinds = {
        "string": 40,
        "integer": 16,
        "enum": 10,
        "date": 7,
        "time": 5,
        "email": 3,
        "number": 4,
        "id": 9,
        "list": 4,
        "file": 2,
        "sentence": 5,
    }
    if not preposition:
        kinds |= {"boolean": 8, "object": 4, "objects": 2}
    kind = rng.choices(list(kinds), list(kinds.values()))[0]
    schema: dict[str, Any] = {"type": kind if kind in ("integer", "number", "boolean") else "string"}
    if kind in ("date", "time", "email"):
        schema["format"] = kind
    elif kind == "enum":
        schema["enum"] = rng.sample(rng.choice((NOUNS, ADJECTIVES, VERBS)), rng.randint(2, 4))
    elif kind == "list":
        schema = {"type": "array", "items": {"type": "string"}}
    elif kind in ("object", "objects"):
        names = [rng.choice((rng.choice(NOUNS), *PREPOSITIONS)) for _ in range(rng.randint(2, 3))]
        inner = {n: {"type": rng.choice(("string", "string", "integer"))} for n in names}
        schema = {"type": "object", "properties": inner, "required": [*inner][: rng.randint(1, len(inner))]}
        if kind == "objects":
            schema = {"type": "array", "items": schema}
    required = rng.random() < 0.75
    slot = Slot(name, schema, kind, required, preposition)
    if not required and kind in ("integer", "enum", "boolean", "number") and rng.random() < 0.6:
        schema["default"] = draw_value(slot, rng)
    return slot


def invent_tool(level: int, rng: Random, like: Invented | None = None) -> Invented:
    """A tool nobody has seen. `like`: share a word of its name with that one, so that the two are easily mistaken."""
    verb, noun, other = rng.choice(VERBS), noun_of(rng), rng.choice(NOUNS)
    if like is not None:
        words = like.tool.name.split("_")
        verb, noun = (words[0], noun) if rng.random() < 0.5 else (verb, words[-1])
    thing = f"{rng.choice(ADJECTIVES + NOUNS)} {noun}" if rng.random() < 0.35 else noun
    name = f"{verb}_{thing}".replace(" ", "_")
    second, kind = rng.choice((rng.choice(VERBS), same(verb, rng))), same(noun, rng)
    description = rng.choice(
        (
            f"{verb} the {thing}",
            f"{verb} a {thing} of the {other}",
            f"{second} the {other} {noun}",
            f"{verb} and {second} a {noun}",
            f"{thing} to {second}",
            f"{second} a {kind}",
            f"{second} the {kind} of a {other}",
        )
    )
    taken: set[str] = set()
    prepositions: set[str] = set()
    count = rng.randint(1, LEVELS[level]["parameters"])
    slots = tuple(invent_slot(taken, prepositions, rng) for _ in range(count))
    intents = [
        f"{verb} the {thing}",
        f"{verb} a {thing}",
        f"{verb} {thing}",
        f"{verb} some {thing}s",
        f"{verb} our {noun}",
        description,
    ]
    if level >= 1:
        intents += [f"{same(verb, rng)} {article} {same(noun, rng)}" for article in 2 * ("the", "a", "my", "this")]
    if level >= 2:
        intents += [f"{second} the {noun}", f"{second} the {kind}"] if second in description else []
        intents += [f"deal with the {thing}", f"have a {thing}", f"work on {thing}s", f"{verb} something"]
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
    kinds = [s.kind for s in invented.slots]
    said = [
        phrase(s, call.arguments[s.name], kinds.count(s.kind) == 1, rng)
        for s in invented.slots
        if s.name in call.arguments
    ]
    rng.shuffle(said)
    return rng.choice((" ", " ", " ", ", ", " and ")).join(said)


def request(invented: Invented, call: Call, rng: Random) -> str:
    """The whole request, in a frame."""
    said = rng.choice(FRAMES).format(i=rng.choice(invented.intents), s=phrases(invented, call, rng))
    return framed(said, rng)


def plainly(invented: Invented, call: Call, rng: Random) -> str:
    """The request without a frame, to be joined with others."""
    return f"{rng.choice(invented.intents)} {phrases(invented, call, rng)}".strip()


def framed(said: str, rng: Random) -> str:
    lead = rng.choice(LEADS)
    text = f"{lead} {said.strip()}{rng.choice(ENDS)}".strip()
    return text[:1].upper() + text[1:] if rng.random() < 0.7 else text


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
    return DIALECTS["pythonic"].render(Answer(calls))


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
    for _ in range(rng.choice((1, 2, 3, 3, 4, 5))):
        exchange(rng.choices(list(forms), list(forms.values()))[0], talk, invented, rng)
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
        calls, said = [call], plainly(target, call, rng)
        for _ in range(rng.choice((1, 1, 2))):
            if rng.random() < 0.4 and call.arguments:  # the same again, but for some arguments
                slots = [s for s in target.slots if s.name in call.arguments]
                changed = {s.name: draw_value(s, rng) for s in rng.sample(slots, rng.randint(1, len(slots)))}
                calls.append(Call(call.name, call.arguments | changed))
                said = rng.choice(FURTHER).format(a=said, b=phrases(target, Call(call.name, changed), rng))
            else:
                other = rng.choice(invented)
                calls.append(draw_call(other, rng))
                said = rng.choice(JOINS).format(a=said, b=plainly(other, calls[-1], rng))
        talk.say("user", framed(said, rng))
        talk.say("assistant", calls_text(*calls))
        return
    if form == "chain":
        chain(talk, target, call, invented, rng)
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
        if rng.random() < 0.5:
            tell(talk, rng)
        slots = [s for s in target.slots if s.name in call.arguments]
        fresh = {s.name: draw_value(s, rng) for s in rng.sample(slots, rng.randint(1, (len(slots) + 1) // 2))}
        talk.say("user", rng.choice(AGAIN).format(s=phrases(target, Call(call.name, fresh), rng)))
        talk.say("assistant", calls_text(Call(call.name, call.arguments | fresh)))
    elif form == "tell":
        tell(talk, rng)


def draw_result(rng: Random) -> dict[str, Any]:
    names = [rng.choice((noun_of(rng), f"{noun_of(rng)}_{noun_of(rng)}")) for _ in range(rng.randint(1, 3))]
    kinds = [Slot(n, {"type": "string"}, rng.choice(("string", "integer", "number", "id")), True, "") for n in names]
    return {s.name: draw_value(s, rng) for s in kinds}


def tell(talk: Dialogue, rng: Random) -> None:
    """A result, and the answer that says it."""
    result = draw_result(rng)
    talk.say("tool", json.dumps(result, ensure_ascii=False))
    pattern = rng.choice(("{n}: {v}", "your {n}: {v}", "the {n}: {v}"))
    talk.say("assistant", "; ".join(pattern.format(n=n.replace("_", " "), v=v) for n, v in result.items()))


def chain(talk: Dialogue, target: Invented, call: Call, invented: list[Invented], rng: Random) -> None:
    """A request for two calls, the second with an argument from the first one's result."""
    other = rng.choice(invented)
    second = draw_call(other, rng)
    fitting = [s for s in other.slots if s.name in second.arguments and s.kind in ("string", "integer", "id", "file")]
    if not fitting:
        talk.say("user", request(target, call, rng))
        talk.say("assistant", calls_text(call))
        tell(talk, rng)
        return
    slot = rng.choice(fitting)
    rest = Call(second.name, {n: v for n, v in second.arguments.items() if n != slot.name})
    that = rng.choice(THAT).format(n=slot.name.replace("_", " "))
    said = rng.choice(JOINS).format(a=plainly(target, call, rng), b=f"{plainly(other, rest, rng)} {that}")
    result = [*draw_result(rng).items(), (slot.name, second.arguments[slot.name])]
    rng.shuffle(result)
    talk.say("user", framed(said, rng))
    talk.say("assistant", calls_text(call))
    talk.say("tool", json.dumps(dict(result), ensure_ascii=False))
    talk.say("assistant", calls_text(second))
