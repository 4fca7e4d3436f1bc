"""Single-turn tasks of the Berkeley Function Calling Leaderboard, versions 3 and 4 [O].

Its questions (`id`, `question`, `function`) and its possible answers (`id`, `ground_truth`) stand in files of their
own; `joined` makes one record of both. A possible answer is a list of calls, `{"f": {"a": [1, 2, ""]}}`: for each
argument the acceptable values, where "" says that it may be absent. Objects among the values hold such lists again.
"""

import json
from collections.abc import Iterator
from itertools import combinations, islice, product
from typing import Any

from itool.errors import UserError
from itool.formats.fields import (
    Message,
    assistant,
    call,
    check_record,
    checked,
    inside,
    items,
    merged,
    text_message,
)
from itool.formats.names import with_legal_names
from itool.toolcall.schema import short

REFUSAL = "None of the available functions can do that."
AGENTIC = ("memory", "web_search")
MOST = 64  # values of one argument
ABSENT = object()  # stands for no value at all
ROLES = ("system", "user", "assistant")


def matches(record: dict[str, Any]) -> bool:
    """Whether a record is a question of the leaderboard, with its possible answer or without."""
    question = record.get("question")
    turns = isinstance(question, list) and bool(question) and all(isinstance(turn, list) for turn in question)
    return turns and ("function" in record or bool(record.get("involved_classes")))


def joined(questions: list[dict[str, Any]], answers: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """The questions with the `ground_truth` of the possible answer that has the same id, where there is one.

    Raises UserError for an id given twice, and for an answer without a question.
    """
    asked, known = _by_id(questions, f"{where}: questions"), _by_id(answers, f"{where}: answers")
    for identifier in known:
        if identifier not in asked:
            raise UserError(f"{where}: answers: id {short(identifier)}: found no question, expected one with this id")
    return [record | {k: v for k, v in known.get(i, {}).items() if k == "ground_truth"} for i, record in asked.items()]


def _by_id(records: list[Any], where: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for record, at in items(records, where):
        identifier = checked(checked(record, dict, at).get("id"), str, f"{at}.id")
        if identifier in found:
            raise UserError(f"{at}.id: found {short(identifier)} again, expected it once")
        found[identifier] = record
    return found


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record as {"tools": [...], "messages": [...]} in OpenAI's form.

    Where no function fits (the categories of irrelevance), the answer is a refusal in our words. The assistant's
    messages in a question are history, with a weight of 0. Raises UserError with the field, and for records of several
    turns, of agents, and of relevance, whose right calls nobody has written down.
    """
    check_record(record, ("id", "question", "function", "ground_truth"), where)
    identifier = checked(record.get("id"), str, f"{where}: id")
    _check_category(identifier, record, where)
    asked = question_form(record, where)
    return asked | {"messages": [*asked["messages"], _answer(identifier, record, record["function"], where)]}


def question_form(record: dict[str, Any], where: str) -> dict[str, list[Any]]:
    """What a record of a single turn asks, without any answer: {"tools": [...], "messages": [...]} in OpenAI's form.

    Raises UserError with the field.
    """
    tools = checked(record.get("function"), list, f"{where}: function")
    [(turn, place)] = items(record.get("question"), f"{where}: question")
    history = merged((f"{at}.content", _message(message, at)) for message, at in items(turn, place))
    return {"tools": with_legal_names(tools, f"{where}: function"), "messages": history}


def _check_category(identifier: str, record: dict[str, Any], where: str) -> None:
    """Raises UserError for a category that has no answer of one turn."""
    at = f"{where}: id {short(identifier)}"
    if "relevance" in identifier and "irrelevance" not in identifier:
        raise UserError(f"{at}: found relevance, which says that some call is right but not which, expected an answer")
    question = record.get("question")
    if "multi_turn" in identifier or (isinstance(question, list) and len(question) != 1):
        raise UserError(f"{at}: found a record of several turns, expected one of a single turn")
    if record.get("involved_classes") or any(name in identifier for name in AGENTIC):
        raise UserError(
            f"{at}: found a record for agents, whose functions are not in it, expected one of a single turn"
        )


def _message(message: Any, where: str) -> Message:
    """A message of the question. Those of the assistant are not learnt."""
    read = text_message(message, ROLES, where)
    return read | ({"weight": 0} if read["role"] == "assistant" else {})


def _answer(identifier: str, record: dict[str, Any], tools: list[Any], where: str) -> Message:
    if "irrelevance" in identifier:
        return assistant(REFUSAL, [])
    if record.get("ground_truth") is None:
        raise UserError(f"{where}: ground_truth: missing, expected the possible answer with id {short(identifier)}")
    truth = items(record["ground_truth"], f"{where}: ground_truth")
    if not truth:
        raise UserError(f"{where}: ground_truth: found no call, expected at least one")
    return assistant("", [_call(each, tools, at) for each, at in truth])


def _call(truth: Any, tools: list[Any], where: str) -> dict[str, Any]:
    """A call with the preferred values, and beside it what else is acceptable.

    An argument that may be absent is left out where the function does not know it, where no value is given, and where
    absence is preferred to the default.
    """
    truth = checked(truth, dict, where)
    if len(truth) != 1:
        raise UserError(f"{where}: found {len(truth)} names, expected one function with its arguments")
    [(name, acceptable)] = truth.items()
    where = inside(where, name)
    schema, values, optional = _parameters(name, tools), {}, []
    for argument, listed in checked(acceptable, dict, where).items():
        known, required = _property(schema, argument)
        found = _values(listed, known or {}, required, inside(where, argument))
        real = [value for value in found if value is not ABSENT]
        if ABSENT in found and (known is None or not real or (found[0] is ABSENT and _are_default(real, known))):
            continue
        values[argument] = real
        optional += [argument] * (ABSENT in found)
    entry = call({"name": name, "arguments": {key: real[0] for key, real in values.items()}}, where)
    others = {key: real for key, real in values.items() if len(real) > 1}
    return entry | ({"alternatives": others} if others else {}) | ({"optional": optional} if optional else {})


def _values(listed: Any, schema: dict[str, Any], required: bool, where: str) -> list[Any]:
    """The acceptable values of an argument, each once and the preferred one first, and ABSENT where it may be absent.

    ABSENT is the first where it is preferred, and else the last. "" is a value of text that is required, or whose
    default or enum it is.
    """
    distinct: dict[str, Any] = {}
    absent_at = None
    for number, (value, at) in enumerate(items(listed, where)):
        if value != "":
            found = _expanded(value, schema, at)
        else:
            found = [""] if _takes_empty_text(schema, required) else []
            absent_at = absent_at if required or absent_at is not None else number
        for each in found:
            distinct.setdefault(json.dumps(each, default=str), each)
    values = list(distinct.values())[:MOST]
    if not values and absent_at is None:
        raise UserError(f"{where}: found no value that the argument can have, expected at least one")
    if absent_at is None:
        return values
    return [ABSENT, *values] if absent_at == 0 else [*values, ABSENT]


def _takes_empty_text(schema: dict[str, Any], required: bool) -> bool:
    options = schema.get("enum")
    named = schema.get("default") == "" or (isinstance(options, list) and "" in options)
    return str(schema.get("type", "any")).lower() in ("string", "any") and (required or named)


def _expanded(value: Any, schema: dict[str, Any], where: str) -> list[Any]:
    """All values that an acceptable value stands for, at most MOST: objects hold lists of acceptable values."""
    if isinstance(value, dict):
        options = []
        for key, held in value.items():
            inner, required = _property(schema, key)
            schema_of, at = inner or {}, inside(where, key)
            listed = isinstance(held, list)
            options.append(_values(held, schema_of, required, at) if listed else _expanded(held, schema_of, at))
        chosen = islice(_nearest(options), MOST)
        return [{key: held for key, held in zip(value, each, strict=True) if held is not ABSENT} for each in chosen]
    if isinstance(value, list):
        inner = schema.get("items")
        inner = inner if isinstance(inner, dict) else {}
        return list(islice(_nearest([_expanded(item, inner, at) for item, at in items(value, where)]), MOST))
    return [value]


def _nearest(options: list[list[Any]]) -> Iterator[list[Any]]:
    """One of the options at each place: the first ones, then those with one other, then with two others, and so on."""
    open_places = [place for place, each in enumerate(options) if len(each) > 1]
    for changes in range(len(open_places) + 1):
        for places in combinations(open_places, changes):
            for others in product(*(options[place][1:] for place in places)):
                changed = dict(zip(places, others, strict=True))
                yield [changed.get(place, each[0]) for place, each in enumerate(options)]


def _parameters(name: str, tools: list[Any]) -> dict[str, Any]:
    """The schema of the named function's parameters; an empty one where there is none."""
    named = (tool for tool in tools if isinstance(tool, dict) and tool.get("name") == name)
    parameters = next(named, {}).get("parameters")
    return parameters if isinstance(parameters, dict) else {}


def _property(schema: dict[str, Any], name: str) -> tuple[dict[str, Any] | None, bool]:
    """The schema of a property, or None for an unknown one, and whether the property is required."""
    properties, required = schema.get("properties"), schema.get("required")
    found = properties.get(name) if isinstance(properties, dict) else None
    return found if isinstance(found, dict) else None, isinstance(required, list) and name in required


def _are_default(values: list[Any], schema: dict[str, Any]) -> bool:
    return "default" in schema and all(value == schema["default"] for value in values)
