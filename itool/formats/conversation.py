"""A conversation in OpenAI's form, checked field by field, and the tasks that its assistant turns are [O]."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from itool.errors import UserError
from itool.files import parse_json
from itool.formats.notes import Notes
from itool.formats.reference import reference_of
from itool.formats.tools import tools_of
from itool.toolcall.schema import types_of
from itool.toolcall.types import OWN, Kind, Reference, Task, Tool
from itool.toolcall.wording import is_english

ROLES = ("system", "developer", "user", "assistant", "tool")
# What a message may hold beside what is read; it says nothing that a prompt would show.
BESIDE = ("name", "tool_call_id", "refusal", "annotations", "id", "type", "status", "timestamp", "index")
WEIGHTS = ("weight", "train", "loss")  # 0 or false: not to be learnt
ENTRY = ("id", "type", "function")  # the keys of a call that templates are shown
THOUGHTS = ("reasoning_content", "reasoning", "thinking")


@dataclass(frozen=True)
class Conversation:
    """Tools and messages (OpenAI's, with arguments as objects). `learnt`: the messages whose weight is not 0. `given`:
    the call entries of each message with what else is right beside them.
    """

    where: str
    tools: tuple[Tool, ...]
    messages: tuple[dict[str, Any], ...]
    learnt: frozenset[int]
    given: dict[int, list[dict[str, Any]]]


def checked(form: dict[str, Any], where: str, notes: Notes) -> Conversation:
    """The conversation of a record in OpenAI's form. Raises UserError naming file, line and field."""
    listed = form.get("tools")
    if isinstance(listed, str):
        listed = parse_json(listed, f"{where}: tools")
    if listed is not None and not isinstance(listed, list):
        raise UserError(f"{where}: tools: found {type(listed).__name__}, expected a list")
    if not isinstance(form.get("messages"), list):
        raise UserError(f"{where}: messages: found {type(form.get('messages')).__name__}, expected a list")
    tools = tuple(tools_of(listed or [], where, notes))
    given: dict[int, list[dict[str, Any]]] = {}
    messages, learnt = [], set()
    prompt = [{"role": "system", "content": form["system"]}] if form.get("system") else []
    for index, message in enumerate([*prompt, *form["messages"]]):
        place = f"{where}: messages[{index - len(prompt)}]" if index >= len(prompt) else f"{where}: system"
        kept = _message(message, place, notes)
        if "tool_calls" in kept:
            given[index] = [_without_nulls(call, tools, place, notes) for call in kept["tool_calls"]]
            kept["tool_calls"] = [{key: call[key] for key in ENTRY if key in call} for call in given[index]]
        messages.append(kept)
        if kept["role"] == "assistant" and not any(message.get(key) in (0, False) for key in WEIGHTS):
            learnt.add(index)
    _check_text([messages, [tool.spec() for tool in tools]], where)
    return Conversation(where, tools, tuple(messages), frozenset(learnt), given)


def tasks_of(conversation: Conversation, number: int, notes: Notes) -> list[Task]:
    """Every assistant turn to be learnt as a task without a split; its id is "user-<number>-<message>".

    A turn that no rule can judge has a reference of kind UNJUDGED.
    """
    tasks = []
    for index in sorted(conversation.learnt):
        history, tools = conversation.messages[:index], conversation.tools
        if not any(message["role"] != "system" for message in history):
            notes.leaves_out("assistant turn that answers nothing", f"{conversation.where}: messages[{index}]")
            continue
        reference = reference_of(conversation.messages[index], conversation.given.get(index, []), history, tools)
        if reference.kind is Kind.CALLS and not tools:
            raise UserError(f"{conversation.where}: tools: found none, expected those that messages[{index}] calls")
        if not tools:
            why = "found no tools, expected those that the assistant could have called"
            notes.leaves_out("assistant turn without tools", f"{conversation.where}: messages[{index}]: {why}")
            continue
        if reference.kind is Kind.UNJUDGED and not is_english(reference.text):
            notes.leaves_out("judgement of text that is not English", f"{conversation.where}: messages[{index}]")
        scenario = scenario_of(reference, history, tools)
        tasks.append(Task(f"{OWN}{number:05d}-{index}", "", scenario, tools, history, reference))
    return tasks


def scenario_of(reference: Reference, history: Sequence[dict[str, Any]], tools: Sequence[Tool]) -> str:
    """The scenario of which the pool's tasks have this shape, so that calibration can tell a user's turns apart."""
    texts = {
        Kind.QUESTION: "missing_parameter",
        Kind.REPORT: "report",
        Kind.REFUSAL: "irrelevant",
        Kind.UNJUDGED: "unjudged",
    }
    if reference.kind in texts:
        return texts[reference.kind]
    if len(reference.calls) > 1:
        return "parallel" if len({call.name for call in reference.calls}) == 1 else "parallel_multiple"
    if history[-1]["role"] == "tool":
        return "dependent"
    if any(message["role"] == "assistant" for message in history):
        return "multi_turn"
    return "multiple" if len(tools) > 1 else "single"


def _check_text(value: Any, where: str) -> None:
    """Raises UserError for what no file of UTF-8 and JSON can hold."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise UserError(f"{where}: found half of a surrogate pair (\\ud800 to \\udfff), expected text") from None
    except ValueError:
        raise UserError(f"{where}: found NaN or an infinite number, expected JSON numbers") from None


def _message(message: Any, where: str, notes: Notes) -> dict[str, Any]:
    """The message with `arguments` as dicts. OpenAI writes them as JSON strings; both forms are taken."""
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        found = message.get("role") if isinstance(message, dict) else message
        raise UserError(f"{where}.role: found {found!r}, expected one of {', '.join(ROLES)}")
    role = "system" if message["role"] == "developer" else message["role"]
    content = _text(message.get("content"), f"{where}.content", role)
    kept = {"role": role, "content": content}
    kept |= {field: message[field] for field in ("name", "tool_call_id") if isinstance(message.get(field), str)}
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise UserError(f"{where}.tool_calls: found {type(calls).__name__}, expected a list")
    if calls and role == "assistant":
        kept["tool_calls"] = [_call(call, f"{where}.tool_calls[{i}]") for i, call in enumerate(calls)]
    elif role == "assistant" and not content.strip():
        raise UserError(f"{where}.content: found nothing, expected text or tool_calls")
    for key in message:
        if key in THOUGHTS:
            notes.leaves_out("thought", f"{where}.{key}")
        elif message[key] is not None and key not in (*BESIDE, *WEIGHTS, "role", "content", "tool_calls"):
            notes.leaves_out("unknown field", f"{where}.{key}")
    return kept


def _text(content: Any, where: str, role: str) -> str:
    """Text as it is, parts of text as lines of it, nothing as no text, and any JSON that a tool returns as its text."""
    if role == "tool" and isinstance(content, dict | int | float):
        return json.dumps(content, ensure_ascii=False)
    if isinstance(content, list) and role == "tool" and not all(isinstance(p, dict) and "type" in p for p in content):
        return json.dumps(content, ensure_ascii=False)
    if isinstance(content, list):
        return "\n".join(_part(part, f"{where}[{i}]") for i, part in enumerate(content))
    if not isinstance(content, str | None):
        raise UserError(f"{where}: found {type(content).__name__}, expected a string")
    return content or ""


def _part(part: Any, where: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    if kind not in ("text", "input_text", "output_text", "refusal"):
        raise UserError(f'{where}: found {kind}, expected {{"type": "text", "text": ...}}')
    key = "refusal" if kind == "refusal" else "text"
    if not isinstance(part.get(key), str):
        raise UserError(f"{where}.{key}: found {type(part.get(key)).__name__}, expected a string")
    return str(part[key])


def _call(call: Any, where: str) -> dict[str, Any]:
    """A call entry. `alternatives` and `optional` beside its function say what else is right (docs/data.md)."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise UserError(f"{where}.function.name: missing")
    arguments = function.get("arguments") or {}
    for _ in range(2):  # some write the text of a text
        if isinstance(arguments, str):
            arguments = parse_json(arguments, f"{where}.function.arguments")
    if not isinstance(arguments, dict):
        raise UserError(f"{where}.function.arguments: found {type(arguments).__name__}, expected an object")
    entry = {"type": "function", "function": {"name": function["name"], "arguments": arguments}}
    if isinstance(call.get("id"), str):
        entry = {"id": call["id"]} | entry
    return entry | _else_right(call, arguments, where)


def _else_right(call: dict[str, Any], arguments: dict[str, Any], where: str) -> dict[str, Any]:
    """What else is right: other values of arguments, and arguments that may be absent."""
    values, absent = call.get("alternatives") or {}, call.get("optional") or []
    if not isinstance(values, dict) or not all(isinstance(each, list) for each in values.values()):
        raise UserError(f"{where}.alternatives: found {type(values).__name__}, expected lists of values by parameter")
    if not isinstance(absent, list) or not all(isinstance(name, str) for name in absent):
        raise UserError(f"{where}.optional: found {type(absent).__name__}, expected a list of names")
    for name in (*values, *absent):
        if name not in arguments:
            raise UserError(f"{where}: found {name!r} beside the call, expected one of its arguments")
    return {"alternatives": values, "optional": absent}


def _without_nulls(call: dict[str, Any], tools: Sequence[Tool], where: str, notes: Notes) -> dict[str, Any]:
    """The call without arguments of null that their parameter does not take: tables fill in what is absent."""
    function = call["function"]
    known = {tool.name: tool.properties for tool in tools}.get(function["name"])
    filled = {
        name
        for name, value in function["arguments"].items()
        if value is None and known is not None and (name not in known or "null" not in types_of(known[name]))
    }
    if not filled:
        return call
    notes.repairs("null argument", f"{where}: {function['name']}: {', '.join(sorted(filled))}")
    arguments = {name: value for name, value in function["arguments"].items() if name not in filled}
    return call | {"function": function | {"arguments": arguments}}
