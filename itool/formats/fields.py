"""The fields of a record, each checked where it is read, and the messages that layouts are brought into [O].

`where` is the place of what a function is given, in the record's own names. Each wrong shape is a UserError of one
line that opens with it.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from typing import Any, TypeVar

from itool.errors import UserError
from itool.files import parse_json
from itool.formats.names import legal_name, with_legal_names
from itool.toolcall.dialects.markup import Literal
from itool.toolcall.literals import value_of
from itool.toolcall.schema import short

Message = dict[str, Any]
T = TypeVar("T", str, list[Any], dict[str, Any])

KINDS: dict[type, str] = {str: "a string", list: "a list", dict: "an object"}
TEXT = {"text": "text"}  # the field that holds the text of a part, by the part's type
MEDIA = ("image", "images", "image_url", "video", "videos", "audio", "audios", "files", "documents", "attachments")
# The fields that belong to a conversation, by their names in a record, and in a message or call. All others are
# metadata; so is the whole conversation in yet another form.
OF_RECORD = ("system", "system_prompt", "tools", "functions", "tool_calls", "chosen", "rejected", "rejected_response")
OF_MESSAGE = (
    *("content", "value", "text", "parts", "tool_calls", "function_call"),
    *("arguments", "args", "input", "parameters", "kwargs", "result", "output", "response"),
)
LABELS = ("label", "kto_tag")  # false where an answer is an example of a bad one
WEIGHTS = ("weight", "loss")  # 0 or false where a message is not learnt


def checked(value: Any, kind: type[T], where: str) -> T:
    """The value if it is of this kind."""
    if not isinstance(value, kind):
        raise UserError(f"{where}: found {type(value).__name__}, expected {KINDS[kind]}")
    return value


def one_of(value: Any, known: Collection[str], where: str) -> str:
    """The value if it is one of the known words."""
    if value not in tuple(known):
        raise UserError(f"{where}: found {short(value)}, expected one of {', '.join(known)}")
    return str(value)


def items(value: Any, where: str) -> list[tuple[Any, str]]:
    """The items of a list, each with its place."""
    return [(item, f"{where}[{number}]") for number, item in enumerate(checked(value, list, where))]


def inside(where: str, key: str) -> str:
    """The place of a field whose name is the record's own, and may hold anything."""
    return " ".join(f"{where}.{key}".split())


def check_record(record: dict[str, Any], read: tuple[str, ...], where: str) -> None:
    """Raises UserError for a field that belongs to the conversation and is not among those read, and for a record that
    is an example of a bad answer. Metadata may be anything.
    """
    for label in LABELS:
        if record.get(label) is False:
            raise UserError(f"{where}: {label}: found false, expected an answer to learn")
    _check_fields(record, OF_RECORD, read, f"{where}: ")


def check_message(message: dict[str, Any], read: tuple[str, ...], where: str) -> None:
    """Raises UserError for a field of a message or call that holds a part of it and is not among those read."""
    _check_fields(message, OF_MESSAGE, read, f"{where}.")


def _check_fields(found: dict[str, Any], content: tuple[str, ...], read: tuple[str, ...], place: str) -> None:
    for key in (*content, *MEDIA):
        if key not in read and isinstance(value := found.get(key), str | list | dict) and value:
            raise UserError(f"{place}{key}: unknown, expected one of {', '.join(read)}")


def parsed(value: Any, where: str) -> Any:
    """What the JSON or Python literal in a text says; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value, where)
    except UserError:
        if (literal := literal_of(value)) is Ellipsis:
            raise
        return literal


def literal_of(text: str) -> Any:
    """The value of the JSON or Python literal that a whole text is, or Ellipsis where it is none."""
    try:
        return value_of(text, Literal())
    except UnicodeEncodeError:
        return Ellipsis


def plain_text(value: Any, where: str) -> str:
    """The value if it is a text that UTF-8 can hold."""
    text = checked(value, str, where)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"{where}: found half of a surrogate pair (\\ud800 to \\udfff), expected text") from None
    return text


def parts_of(content: Any, known: Collection[str], where: str) -> list[tuple[dict[str, Any], str]]:
    """The parts of a content with their places, each an object of a known type."""
    parts = items(content, where)
    for part, at in parts:
        one_of(checked(part, dict, at).get("type"), known, f"{at}.type")
    return parts


def text_of(content: Any, where: str, kinds: Mapping[str, str] = TEXT) -> str:
    """Text as it is, parts of text as lines of it, nothing as no text."""
    if not isinstance(content, list):
        return "" if content is None else plain_text(content, where)
    parts = [(part, kinds[part["type"]], at) for part, at in parts_of(content, kinds, where)]
    return "\n".join(plain_text(part.get(key), f"{at}.{key}") for part, key, at in parts)


def result_text(content: Any, where: str, kinds: Mapping[str, str] = TEXT) -> str:
    """The text of a tool's result: text and parts of it as by `text_of`, and anything else as its JSON."""
    if isinstance(content, list) and all(isinstance(part, dict) and "type" in part for part in content):
        return text_of(content, where, kinds)
    return text_of(content if content is None else json_text(content), where)


def json_text(value: Any) -> str:
    """Text as it is, and any other value as its JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def tool_list(record: dict[str, Any], where: str) -> list[Any]:
    """The specifications of a record's `tools` under legal names. The list may be a text, and so may each of it."""
    where, tools = f"{where}: tools", record.get("tools")
    if tools is None or (isinstance(tools, str) and not tools.strip()):
        return []
    listed = items(parsed(tools, where), where)
    return with_legal_names([parsed(tool, at) if _is_object_text(tool) else tool for tool, at in listed], where)


def _is_object_text(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip().startswith("{")


def call(found: Any, where: str, arguments: str = "arguments", identifier: str = "id") -> dict[str, Any]:
    """The call that an object with a name is, in OpenAI's form, under a legal name.

    `arguments`, `identifier`: the fields that hold these. The name and the arguments may stand in `function`. The
    object and its arguments may be texts; an empty text, null and a missing field are no arguments.
    """
    found = checked(parsed(found, where), dict, where)
    if isinstance(found.get("function"), dict):
        found, where = found | found["function"], f"{where}.function"
    check_message(found, ("name", arguments), where)
    if not (name := checked(found.get("name"), str, f"{where}.name").strip()):
        raise UserError(f"{where}.name: found nothing, expected the name of a function")
    given = found.get(arguments)
    absent = given is None or (isinstance(given, str) and not given.strip())
    given = {} if absent else checked(parsed(given, f"{where}.{arguments}"), dict, f"{where}.{arguments}")
    known = {"id": found[identifier]} if isinstance(found.get(identifier), str) and found[identifier] else {}
    return known | {"type": "function", "function": {"name": legal_name(name), "arguments": given}}


def calls_of(found: Any, where: str) -> list[dict[str, Any]]:
    """The call, or the list of calls, that a value or its text is."""
    found = parsed(found, where)
    if found == []:
        raise UserError(f"{where}: found no call, expected at least one")
    return [call(each, at) for each, at in items(found, where)] if isinstance(found, list) else [call(found, where)]


def assistant(text: str, calls: list[dict[str, Any]]) -> Message:
    """The message of an assistant's turn."""
    return {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})


def answered(result: dict[str, Any]) -> Message:
    """What a tool's result says of the call that it answers: the name under which it is known here, and the id."""
    said = {key: result[key] for key in ("name", "tool_call_id") if isinstance(result.get(key), str) and result[key]}
    return said | ({"name": legal_name(said["name"])} if "name" in said else {})


def results_and_text(results: list[Message], text: str) -> list[Message]:
    """The results that a user's turn brings, and then what the user says."""
    return [*results, *([{"role": "user", "content": text}] if text or not results else [])]


def text_message(message: Any, roles: Collection[str], where: str) -> Message:
    """A message that is nothing but a role and a text."""
    message = checked(message, dict, where)
    role = one_of(message.get("role"), roles, f"{where}.role")
    check_message(message, ("role", "content"), where)
    read = {"role": role, "content": text_of(message.get("content"), f"{where}.content")}
    return read | (weight_of(message, where) if role == "assistant" else {})


def weight_of(message: dict[str, Any], where: str) -> Message:
    """What the message of an assistant says of being learnt: a weight of 0, or nothing."""
    for key in WEIGHTS:
        if not isinstance(message.get(key), int | float | None):
            raise UserError(f"{where}.{key}: found {short(message[key])}, expected a number, true or false")
    return {"weight": 0} if any(message.get(key) == 0 for key in WEIGHTS) else {}


def merged(placed: Iterable[tuple[str, Message]]) -> list[Message]:
    """The messages, with one where several of the assistant, or of the system, stand side by side.

    The places name the messages in errors. Raises UserError for an assistant's turn that says nothing.
    """
    messages: list[Message] = []
    for role, group in groupby(placed, key=lambda each: each[1]["role"]):
        run = list(group)
        if role == "assistant":
            messages += map(_turn, _turns(run))
        elif role == "system":
            messages.append({"role": "system", "content": _text(run)})
        else:
            messages += [message for _, message in run]
    return messages


def _turns(run: list[tuple[str, Message]]) -> list[list[tuple[str, Message]]]:
    """The assistant's messages as one turn; where none calls, those that are learnt apart from the others."""
    if any("tool_calls" in message for _, message in run):
        return [run]
    return [list(turn) for _, turn in groupby(run, key=lambda each: each[1].get("weight"))]


def _turn(run: list[tuple[str, Message]]) -> Message:
    """The messages as one. Where there are calls, only these are learnt, so their weights count."""
    calling = [message for _, message in run if "tool_calls" in message]
    turn = assistant(_text(run), [call for message in calling for call in message["tool_calls"]])
    if not calling and not turn["content"]:
        raise UserError(f"{run[0][0]}: found nothing, expected text or calls")
    learnt = all(message.get("weight") != 0 for message in calling or [message for _, message in run])
    return turn | ({} if learnt else {"weight": 0})


def _text(run: list[tuple[str, Message]]) -> str:
    return "\n".join(message["content"] for _, message in run if message["content"].strip())
