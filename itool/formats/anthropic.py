"""Conversations in the form of Anthropic's Messages API [O].

The system prompt stands beside the messages, tools have an `input_schema`, and a content is a text or a list of blocks.
Blocks of text, calls and results are read. Thinking is left out: it is no part of an answer, and much of it is
encrypted. Images, documents, and what the API's own tools did are refused by their names.
"""

from typing import Any

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
    parts_of,
    plain_text,
    result_text,
    results_and_text,
    text_of,
    tool_list,
)

THINKING = ("thinking", "redacted_thinking")
BLOCKS = {"user": ("text", "tool_result"), "assistant": ("text", "tool_use", *THINKING)}


def matches(record: dict[str, Any]) -> bool:
    """Whether a record has this layout: a tool has an `input_schema`, or a block calls or answers; OpenAI's calls and
    results are none of it.
    """
    messages, tools = record.get("messages"), record.get("tools")
    if not isinstance(messages, list) or any(_is_openai(message) for message in messages):
        return False
    contents = [message.get("content") for message in messages if isinstance(message, dict)]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    if any(isinstance(block, dict) and block.get("type") in ("tool_use", "tool_result") for block in blocks):
        return True
    listed = tools if isinstance(tools, list) else []
    return any(isinstance(tool, dict) and isinstance(tool.get("input_schema"), dict) for tool in listed)


def _is_openai(message: Any) -> bool:
    return isinstance(message, dict) and (message.get("role") == "tool" or bool(message.get("tool_calls")))


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record as {"tools": [...], "messages": [...]} in OpenAI's form.

    Results come before the text that stands beside them. One that is an error says so in its text. Raises UserError
    with the field.
    """
    check_record(record, ("system", "messages", "tools"), where)
    system = text_of(record.get("system"), f"{where}: system")
    placed = [(f"{where}: system", {"role": "system", "content": system})] if system.strip() else []
    for message, at in items(record.get("messages"), f"{where}: messages"):
        placed += [(f"{at}.content", each) for each in _messages(message, at)]
    return {"tools": tool_list(record, where), "messages": merged(placed)}


def _messages(message: Any, where: str) -> list[Message]:
    """What one message is: the assistant's turn, or results and then the user's text."""
    message = checked(message, dict, where)
    role = one_of(message.get("role"), BLOCKS, f"{where}.role")
    check_message(message, ("role", "content"), where)
    blocks = _blocks(message.get("content"), BLOCKS[role], f"{where}.content")
    text = "\n".join(plain_text(block.get("text"), f"{at}.text") for block, at in blocks if block["type"] == "text")
    if role == "assistant":
        return [assistant(text, [call(block, at, "input") for block, at in blocks if block["type"] == "tool_use"])]
    return results_and_text([_result(block, at) for block, at in blocks if block["type"] == "tool_result"], text)


def _blocks(content: Any, known: tuple[str, ...], where: str) -> list[tuple[dict[str, Any], str]]:
    """The blocks of a content and their places. A text is one block."""
    if isinstance(content, list):
        return parts_of(content, known, where)
    return [({"type": "text", "text": checked(content, str, where)}, where)]


def _result(block: dict[str, Any], where: str) -> Message:
    identifier = checked(block.get("tool_use_id"), str, f"{where}.tool_use_id")
    text = result_text(block.get("content"), f"{where}.content")
    return {"role": "tool", "tool_call_id": identifier, "content": f"Error: {text}" if block.get("is_error") else text}
