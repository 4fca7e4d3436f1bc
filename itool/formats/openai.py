"""OpenAI's conversations: `messages` with `tools`, or with the older `functions` and `function_call` [O]."""

from typing import Any

from itool.files import parse_json

RESULTS = ("function", "ipython")  # older roles of a tool's result


def matches(record: dict[str, Any]) -> bool:
    """Whether a record has this layout."""
    messages = record.get("messages")
    return isinstance(messages, list) and all(isinstance(each, dict) and "role" in each for each in messages)


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record with calls as `tool_calls`, and results in the role `tool`. A system prompt beside the messages is the
    field `system`.

    Raises UserError naming the field that is none of OpenAI's.
    """
    tools = record.get("functions") if record.get("tools") is None else record["tools"]
    messages = [_message(message, f"{where}: messages[{i}]") for i, message in enumerate(record["messages"])]
    return {"tools": tools, "messages": messages, "system": record.get("system") or record.get("system_prompt")}


def _message(message: dict[str, Any], where: str) -> dict[str, Any]:
    """The message in today's words. `null` says that a field is absent."""
    message = {key: value for key, value in message.items() if value is not None}
    if message.get("role") in RESULTS:
        message["role"] = "tool"
    if not message.get("content") and isinstance(message.get("refusal"), str):
        message["content"] = message["refusal"]
    call = message.pop("function_call", None)
    if isinstance(call, dict) and not message.get("tool_calls"):
        message["tool_calls"] = [{"type": "function", "function": call}]
    calls = message.get("tool_calls")
    if isinstance(calls, str):  # of a table that holds no nested values
        message["tool_calls"] = parse_json(calls, f"{where}.tool_calls")
    return message
