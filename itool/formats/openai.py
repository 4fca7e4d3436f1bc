"""OpenAI's conversations: `messages` with `tools`, or with the older `functions` and `function_call` [O]."""

from typing import Any

from itool.errors import UserError
from itool.files import parse_json


def matches(record: dict[str, Any]) -> bool:
    """Whether a record has this layout."""
    messages = record.get("messages")
    return isinstance(messages, list) and all(isinstance(each, dict) and "role" in each for each in messages)


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record with calls as `tool_calls`, results in the role `tool`, and its system prompt as first message.

    Raises UserError naming the field that is none of OpenAI's.
    """
    tools = record.get("tools")
    messages = [_message(message, f"{where}: messages[{i}]") for i, message in enumerate(record["messages"])]
    system = next((record[key] for key in ("system", "system_prompt") if record.get(key)), None)
    if system is not None:
        if not isinstance(system, str):
            raise UserError(f"{where}: system: found {type(system).__name__}, expected a string")
        messages.insert(0, {"role": "system", "content": system})
    return record | {"tools": record.get("functions") if tools is None else tools, "messages": messages}


def _message(message: dict[str, Any], where: str) -> dict[str, Any]:
    """The message in today's words. `null` says that a field is absent."""
    message = {key: value for key, value in message.items() if value is not None}
    if message.get("role") == "function":
        message["role"] = "tool"
    call = message.pop("function_call", None)
    if isinstance(call, dict) and not message.get("tool_calls"):
        message["tool_calls"] = [{"type": "function", "function": call}]
    calls = message.get("tool_calls")
    if isinstance(calls, str):  # of a table that holds no nested values
        message["tool_calls"] = parse_json(calls, f"{where}.tool_calls")
    return message
