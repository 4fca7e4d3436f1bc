"""What a user's own tools get when nobody wrote phrases or a simulation for them [O].

Phrases follow the names in words ("with due date 2025-03-01"), values follow the schema and the names
(stages/synthesis/invented.py), and every call succeeds. A description is one more intent where it begins with a verb
("Creates an invoice.").
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

from itool.toolcall.schema import types_of
from itool.toolcall.types import Tool
from stages.synthesis.invented import Place, Schema, called, kind_of, settled, spoken, words_of
from stages.synthesis.values import Entities
from stages.synthesis.world import World

PHRASES = {
    "train": ["with {name} {}", "where {name} is {}", "using {} as {name}"],
    "test": ["{name} set to {}", "taking {} for {name}"],
}
YES = {"train": ["with {name} on", "with {name}"], "test": ["{name} enabled"]}
NO = {"train": ["with {name} off", "without {name}"], "test": ["{name} disabled"]}
# What descriptions begin with, beside the first word of the tool's own name.
VERBS = frozenset(
    "accept access activate add adjust aggregate analyse analyze answer append apply approve archive ask assign "
    "attach audit authenticate authorize batch block book browse build bulk buy calculate call cancel capture "
    "change charge check choose clear click clone close collect combine compare complete compose compress compute "
    "configure confirm connect convert copy count create decline decode decrypt define delete demonstrate deny "
    "deploy describe detect determine disable disconnect discover dismiss display download draft drag drop "
    "duplicate echo edit emulate enable encode encrypt end enqueue estimate evaluate exchange execute expand "
    "explain explore export extend extract fetch fill filter find finish fork format forward freeze generate get "
    "give go grant group handle hide highlight hover identify import index initialize insert inspect install invite "
    "invoke issue join kill label launch leave link list load lock log login look lookup make manage map mark match "
    "measure merge modify monitor move mute navigate notify obtain open order parse patch pause pay perform pin "
    "ping place play plot poll post predict press preview print process produce provide publish pull purchase push "
    "put query queue rank rate read rebase reboot receive record redeem refresh refund register reject release "
    "reload remove rename render renew reopen reorder repeat replace reply report request reschedule reserve reset "
    "resize resolve restart restore restrict resume retrieve retry return revert review revoke rotate run save scan "
    "schedule score scrape scroll search select send set share show shut sign simulate skip sort split stage star "
    "start stop store stream submit subscribe suggest summarize suspend switch sync tag take terminate test toggle "
    "track train transcribe transfer transform transition translate trigger truncate type unblock undo uninstall "
    "unlink unlock unpin unstage unstar unsubscribe update upgrade upload upsert use validate verify view wait walk "
    "watch withdraw wrap write".split()
)
PERSON = "(?:users?|person|persons|people|contacts?|customers?|employees?|guests?)"
SENTENCE_END = re.compile(
    r"(?<!e\.g)(?<!i\.e)(?<!etc)[.!?:;](?=\s|$)|\n\s*\n|\n\s*(?=[-*\u2022#]|[A-Z][\w ]{0,30}:\s*(?:\n|$))"
)
MARKDOWN = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|[*`#]+|<[^>]*>|(?<!\w)_+|_+(?!\w)")
SHOUTED = re.compile(r"^(?:[A-Z]{4,}|Note|Warning)\s*[:!]\s*")  # IMPORTANT:
SERVICE = re.compile(r"^[\w .-]{1,30}\|\s*")  # Notion |


class NoValues(Exception):  # noqa: N818 (the answer to a question, and no fault)
    """No value can be invented for a parameter that every call needs; says which and why."""


def phrases(tool: Tool, entities: Entities) -> dict[str, Any]:
    """The tool's entry of a phrases file, made from its names, description and schema. Raises NoValues."""
    name = spoken(tool.name)
    train = [f"call {name}", f"run {name}", *_described(tool)]
    schema = settled_parameters(tool, entities)
    said = Counter(spoken(leaf) for leaf in _leaves(schema, 0))
    return {
        "intents": {"train": train, "test": [f"use {name}", f"do a {name}"]},
        "noun": name,
        "parameters": _parameters(schema, Place(entities).within(_owner(tool), schema), "", said),
    }


def settled_parameters(tool: Tool, entities: Entities) -> Schema:
    """The parameters' schema as values are drawn of it."""
    return settled(tool.schema, _owner(tool), Place(entities))


def _owner(tool: Tool) -> str:
    """What a parameter `name` is the name of: a person where the tool speaks of one, or nothing that is known."""
    first = next(iter(SENTENCE_END.split(tool.description.strip())), "")
    named = re.fullmatch(rf"[a-z]+(?: new| a| an)? {PERSON}", spoken(tool.name))
    return (
        "person" if named or re.match(rf"\w+ (?:(?:an?|the|new|existing|one) )*{PERSON}\b(?! \w+ing\b)", first) else ""
    )


def _described(tool: Tool) -> list[str]:
    """The description's first sentence as an infinitive; none where it does not begin with a verb."""
    text = "".join(char for char in tool.description if unicodedata.category(char) not in ("So", "Cs", "Cf", "Mn"))
    text = SERVICE.sub("", MARKDOWN.sub(r"\1", text).strip())
    text = SHOUTED.sub("", text)
    sentence = " ".join(SENTENCE_END.split(text)[0].replace("{", "").replace("}", "").split())
    found = re.fullmatch(r"(?:(\w+ly) )?(\w+)(.*)", sentence)  # "Permanently deletes a file"
    verb = _infinitive(found[2].lower(), words_of(tool.name)[:1]) if found else ""
    return [" ".join(filter(None, [(found[1] or "").lower(), verb + found[3]]))] if found and verb else []


def _infinitive(word: str, others: list[str]) -> str:
    """The verb without the ending of the third person; "" of what is no verb (of VERBS or `others`)."""
    stems = (word, word.removesuffix("s"), word.removesuffix("es"), re.sub("ies$", "y", word))
    return next((stem for stem in stems if stem in VERBS or stem in others), "")


def _leaves(schema: Schema, depth: int) -> Iterator[str]:
    """The names of all parameters and fields that hold no others."""
    for name, inner in schema.get("properties", {}).items():
        fields = inner.get("items", {}) if "properties" not in inner else inner
        if "properties" in fields and depth < 4:
            yield from _leaves(fields, depth + 1)
        else:
            yield name


def _parameters(schema: Schema, place: Place, owner: str, said: Counter[str]) -> dict[str, Any]:
    """The entries of the parameters, None of an optional one for which there are no values. Raises NoValues for a
    required one.

    `owner`: the object that they are fields of. `said`: how many parameters are called by the same words.
    """
    found: dict[str, Any] = {}
    for name, inner in schema.get("properties", {}).items():
        kind = kind_of(called(name, place), inner, place)
        if not kind and name in schema.get("required", []):
            raise NoValues(f"{name}: {_why_none(inner)}")
        words = f"{owner} {spoken(name)}" if owner and said[spoken(name)] > 1 else spoken(name)
        found[name] = _parameter(name, words, inner, kind, place, said) if kind else None
    return found


def _why_none(schema: Schema) -> str:
    if "pattern" in schema:
        return f"a text of the pattern {schema['pattern'][:40]}"
    if types_of(schema) == ("string",):
        asked = {key: schema[key] for key in ("minLength", "maxLength") if key in schema}
        return f"a text with {asked}" if asked else "code, or another text that nobody says"
    if "array" in types_of(schema) and "object" in types_of(schema.get("items", {"type": "null"})):
        return "a list of objects of any fields"
    return "an object of any fields" if "object" in types_of(schema) else "a value of no type that can be said"


def _parameter(name: str, words: str, schema: Schema, kind: str, place: Place, said: Counter[str]) -> dict[str, Any]:
    """The entry of one parameter. `words`: what users call it."""
    if kind.startswith("object"):
        fields = schema if kind == "object" else schema["items"]
        return {"values": kind, "fields": _parameters(fields, place.within(name, fields), spoken(name), said)}

    def filled(templates: dict[str, list[str]]) -> dict[str, list[str]]:
        return {side: [template.replace("{name}", words) for template in each] for side, each in templates.items()}

    entry: dict[str, Any] = {"values": kind, "ask": words}
    if kind != "bool":
        return entry | {"phrases": filled(PHRASES)}
    yes, no = filled(YES), filled(NO)
    return entry | {"phrases": {side: {"true": yes[side], "false": no[side]} for side in yes}}


def simulate(world: World, /, **arguments: Any) -> dict[str, Any]:
    """Stands for any tool without a simulation: stores the arguments as a record and returns its id."""
    return {"id": world.add("records", "RC", arguments=arguments)["id"], "status": "done"}
