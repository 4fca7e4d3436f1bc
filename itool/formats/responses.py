"""Conversations in the form of OpenAI's Responses API [O].

`input` is a text or a list of items, `instructions` is the system prompt, and the items of `output` follow those of the
input. Messages, calls and results are read. Reasoning is left out: it is no part of an answer, and much of it is
encrypted. Images, files, references to items, and what the API's own tools did are refused by their names.
"""

from typing import Any

from itool.errors import UserError
from itool.formats.fields import (
    Message,
    assistant,
    call,
    check_message,
    check_record,
    checked,
    items,
    merged,
    one_of,
    result_text,
    text_of,
    tool_list,
)

ITEMS = ("message", "function_call", "function_call_output", "reasoning")
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}


def matches(record: dict[str, Any]) -> bool:
    """Whether a record has this layout: items in `input`, or a text there and items in `output`."""
    given, made = record.get("input"), record.get("output")
    return _has_items(given) if isinstance(given, list) else isinstance(given, str) and _has_items(made)


def _has_items(found: Any) -> bool:
    if not isinstance(found, list):
        return False
    return any(isinstance(item, dict) and (item.get("type") in ITEMS or "role" in item) for item in found)


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record as {"tools": [...], "messages": [...]} in OpenAI's form.

    The assistant's items between two of others are one turn, with the text beside the calls. Raises UserError with the
    field, also for a record that goes on from a response which it does not hold.
    """
    check_record(record, ("instructions", "input", "output", "tools"), where)
    if record.get("previous_response_id"):
        raise UserError(f"{where}: previous_response_id: the turns before are not in the record, expected all in input")
    system = text_of(record.get("instructions"), f"{where}: instructions", TEXTS)
    placed = [(f"{where}: instructions", {"role": "system", "content": system})] if system.strip() else []
    given, made = record.get("input"), record.get("output")
    given = [{"role": "user", "content": given}] if isinstance(given, str) else given
    listed = items(given, f"{where}: input") + items([] if made is None else made, f"{where}: output")
    placed += [(f"{at}.content", message) for item, at in listed for message in _messages(item, at)]
    return {"tools": tool_list(record, where), "messages": merged(placed)}


def _messages(item: Any, where: str) -> list[Message]:
    """What one item is; nothing for reasoning."""
    item = checked(item, dict, where)
    kind = one_of(item.get("type") or ("message" if "role" in item else None), ITEMS, f"{where}.type")
    if kind == "function_call":
        return [assistant("", [call(item, where, identifier="call_id")])]
    if kind == "function_call_output":
        identifier = checked(item.get("call_id"), str, f"{where}.call_id")
        text = result_text(item.get("output"), f"{where}.output", TEXTS)
        return [{"role": "tool", "tool_call_id": identifier, "content": text}]
    return [_message(item, where)] if kind == "message" else []


def _message(item: dict[str, Any], where: str) -> Message:
    role = ROLES[one_of(item.get("role"), ROLES, f"{where}.role")]
    check_message(item, ("role", "content"), where)
    return {"role": role, "content": text_of(item.get("content"), f"{where}.content", TEXTS)}
