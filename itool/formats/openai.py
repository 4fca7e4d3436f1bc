"""Conversations in OpenAI's form: JSONL, one object a line with `tools` and `messages` [O]."""

import json
from itertools import takewhile
from pathlib import Path
from typing import Any

from itool.errors import UserError
from itool.files import parse_json, read_text
from itool.toolcall.schema import parse_tools
from itool.toolcall.types import OWN, Kind, Reference, ReferenceCall, Task, Tool
from itool.toolcall.values import scalars
from itool.toolcall.wording import asks_for, tells_value

ROLES = ("system", "developer", "user", "assistant", "tool")


def read_conversations(path: str | Path) -> list[list[Task]]:
    """The tasks of each conversation of the file that has any, in its order; a line is a conversation.

    Raises UserError naming file, line and field, also for a file of lines without a task.
    """
    path = Path(path)
    lines = read_text(path).split("\n")  # JSON may hold other ends of lines
    conversations = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        content = parse_json(line, where)
        if not isinstance(content, dict):
            raise UserError(f"{where}: found {type(content).__name__}, expected an object with tools and messages")
        tools = tuple(parse_tools(_list(content, "tools", where), where))
        messages = [_message(m, f"{where}: messages[{i}]") for i, m in enumerate(_list(content, "messages", where))]
        try:
            json.dumps([messages, [tool.spec() for tool in tools]], ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError:
            raise UserError(f"{where}: found half of a surrogate pair (\\ud800 to \\udfff), expected text") from None
        except ValueError:
            raise UserError(f"{where}: found NaN or an infinite number, expected JSON numbers") from None
        conversations.append(tasks_of(number, tools, messages))
    if not any(conversations) and any(line.strip() for line in lines):
        raise UserError(f"{path}: found no assistant turn after another message, expected at least one")
    return [tasks for tasks in conversations if tasks]


def tasks_of(number: int, tools: tuple[Tool, ...], messages: list[dict[str, Any]]) -> list[Task]:
    """Every assistant turn after another message as a task without a split; its id is "user-<number>-<message>".

    `messages` are OpenAI's with arguments as dicts. A reader of another format brings its messages into this form.
    """
    tasks = []
    for index, message in enumerate(messages):
        if message["role"] == "assistant" and index > 0:
            history = tuple(messages[:index])
            reference = _reference(message, history, tools)
            scenario = _scenario(reference, history, tools)
            tasks.append(Task(f"{OWN}{number:05d}-{index}", "", scenario, tools, history, reference))
    return tasks


def _list(content: dict[str, Any], field: str, where: str) -> list[Any]:
    if not isinstance(content.get(field), list):
        raise UserError(f"{where}: {field}: found {type(content.get(field)).__name__}, expected a list")
    return content[field]


def _message(message: Any, where: str) -> dict[str, Any]:
    """The message with `arguments` as dicts. OpenAI writes them as JSON strings; both forms are taken."""
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        found = message.get("role") if isinstance(message, dict) else message
        raise UserError(f"{where}.role: found {found!r}, expected one of {', '.join(ROLES)}")
    content = _text(message.get("content"), f"{where}.content")
    kept = {"role": "system" if message["role"] == "developer" else message["role"], "content": content}
    kept |= {field: message[field] for field in ("name", "tool_call_id") if isinstance(message.get(field), str)}
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise UserError(f"{where}.tool_calls: found {type(calls).__name__}, expected a list")
    if calls and message["role"] == "assistant":
        kept["tool_calls"] = [_call(call, f"{where}.tool_calls[{i}]") for i, call in enumerate(calls)]
    elif message["role"] == "assistant" and not content.strip():
        raise UserError(f"{where}.content: found nothing, expected text or tool_calls")
    return kept


def _text(content: Any, where: str) -> str:
    """Text as it is, parts of text as lines of it, nothing as no text."""
    if isinstance(content, list):
        return "\n".join(_part(part, f"{where}[{i}]") for i, part in enumerate(content))
    if not isinstance(content, str | None):
        raise UserError(f"{where}: found {type(content).__name__}, expected a string")
    return content or ""


def _part(part: Any, where: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    if kind != "text":
        raise UserError(f'{where}: found {kind}, expected {{"type": "text", "text": ...}}')
    if not isinstance(part.get("text"), str):
        raise UserError(f"{where}.text: found {type(part.get('text')).__name__}, expected a string")
    return part["text"]


def _call(call: Any, where: str) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise UserError(f"{where}.function.name: missing")
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        arguments = parse_json(arguments or "{}", f"{where}.function.arguments")
    if not isinstance(arguments, dict):
        raise UserError(f"{where}.function.arguments: found {type(arguments).__name__}, expected an object")
    identifier = {"id": call["id"]} if isinstance(call.get("id"), str) else {}
    return identifier | {"type": "function", "function": {"name": function["name"], "arguments": arguments}}


def _reference(message: dict[str, Any], history: tuple[dict[str, Any], ...], tools: tuple[Tool, ...]) -> Reference:
    """Calls as they are. Text after tool results is a report of the values of these which it tells; text that asks for
    required parameters is a question; any other must be a refusal. The checker's rules say what a text tells and asks.
    """
    if "tool_calls" in message:
        functions = [call["function"] for call in message["tool_calls"]]
        calls = [ReferenceCall(f["name"], {name: [value] for name, value in f["arguments"].items()}) for f in functions]
        return Reference(Kind.CALLS, calls=tuple(calls))
    text = message["content"].strip()
    results = [message["content"] for message in takewhile(lambda each: each["role"] == "tool", reversed(history))]
    if results:
        found = [scalar for result in reversed(results) for scalar in scalars(_json_or_text(result))]
        values = dict.fromkeys(value if isinstance(value, str) else json.dumps(value) for value in found)
        told = [value for value in values if value.strip() and tells_value(text, value)]
        return Reference(Kind.REPORT, values=tuple(told), text=text)
    required = [(tool.name, name) for tool in tools for name in tool.parameters.get("required", [])]
    asked = [each for each in required if asks_for(text, each[1])]
    return Reference(Kind.QUESTION if asked else Kind.REFUSAL, parameters=tuple(asked), text=text)


def _scenario(reference: Reference, history: tuple[dict[str, Any], ...], tools: tuple[Tool, ...]) -> str:
    """The scenario of which the pool's tasks have this shape, so that calibration can tell a user's turns apart."""
    texts = {Kind.QUESTION: "missing_parameter", Kind.REPORT: "report", Kind.REFUSAL: "irrelevant"}
    if reference.kind in texts:
        return texts[reference.kind]
    if len(reference.calls) > 1:
        return "parallel" if len({call.name for call in reference.calls}) == 1 else "parallel_multiple"
    if history[-1]["role"] == "tool":
        return "dependent"
    if any(message["role"] == "assistant" for message in history):
        return "multi_turn"
    return "multiple" if len(tools) > 1 else "single"


def _json_or_text(content: str) -> Any:
    try:
        return parse_json(content, "")
    except UserError:
        return content
