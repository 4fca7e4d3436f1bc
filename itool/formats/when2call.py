"""Conversations in the layouts of nvidia/When2Call [O].

Its training records are `messages` and `tools`, those for preferences have a `chosen_response` beside them, and its
test records a `question` and four `answers`, one of which is the `correct_answer`. Tools are mostly JSON texts, with
types of Python and `required` beside the parameters. Calls stand in the text as `<TOOLCALL>[...]</TOOLCALL>`.
"""

from typing import Any

from itool.errors import UserError
from itool.formats.fields import (
    Message,
    assistant,
    calls_of,
    check_record,
    checked,
    items,
    merged,
    one_of,
    plain_text,
    text_message,
    tool_list,
)
from itool.formats.xlam import parameter_schema, with_schema

OPENING, CLOSING = "<TOOLCALL>", "</TOOLCALL>"
ANSWERS = ("direct", "tool_call", "request_for_info", "cannot_answer")
ROLES = ("system", "user", "assistant")
READ = ("messages", "chosen_response", "rejected_response", "question", "answers", "correct_answer", "tools")


def matches(record: dict[str, Any]) -> bool:
    """Whether a record has one of these layouts."""
    if "correct_answer" in record:
        return isinstance(record.get("answers"), dict) and "question" in record
    messages, tools = record.get("messages"), record.get("tools")
    if not isinstance(messages, list) or not isinstance(tools, list):
        return False
    if any(not isinstance(each, dict) or each.get("tool_calls") or each.get("role") == "tool" for each in messages):
        return False
    texts = [*(message.get("content") for message in messages), _content(record.get("chosen_response"))]
    tagged = any(isinstance(text, str) and OPENING in text for text in texts)
    return tagged or "chosen_response" in record or any(_is_of_this_layout(tool) for tool in tools)


def _content(message: Any) -> Any:
    return message.get("content") if isinstance(message, dict) else None


def _is_of_this_layout(tool: Any) -> bool:
    return isinstance(tool, str) or (isinstance(tool, dict) and isinstance(tool.get("required"), list))


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record as {"tools": [...], "messages": [...]} in OpenAI's form.

    Read is the conversation with the right answer; the wrong ones, `rejected_response` among them, are not. Raises
    UserError with the field.
    """
    check_record(record, READ, where)
    placed = _test(record, where) if "correct_answer" in record else _training(record, where)
    return {"tools": [_tool(tool) for tool in tool_list(record, where)], "messages": merged(placed)}


def _tool(tool: Any) -> Any:
    """The tool with JSON Schema's types. `required` beside the parameters stays there."""
    tool = with_schema(tool)
    parameters = tool.get("parameters") if isinstance(tool, dict) else None
    if not isinstance(parameters, dict) or not isinstance(parameters.get("properties"), dict):
        return tool
    properties = {name: parameter_schema(each) for name, each in parameters["properties"].items()}
    return tool | {"parameters": parameters | {"properties": properties}}


def _training(record: dict[str, Any], where: str) -> list[tuple[str, Message]]:
    """The messages, and the preferred answer where there is one, with their places."""
    placed = [_message(each, ROLES, at) for each, at in items(record.get("messages"), f"{where}: messages")]
    if "chosen_response" not in record:
        return placed
    chosen, at = record["chosen_response"], f"{where}: chosen_response"
    return [*placed, (at, _answer(chosen, at)) if isinstance(chosen, str) else _message(chosen, ("assistant",), at)]


def _message(message: Any, roles: tuple[str, ...], where: str) -> tuple[str, Message]:
    """A message with its place, and with the calls that stand in its text."""
    read, place = text_message(message, roles, where), f"{where}.content"
    return place, read | (_answer(read["content"], place) if read["role"] == "assistant" else {})


def _answer(text: str, where: str) -> Message:
    """The assistant's turn that a text is, with the calls that stand at its end."""
    beside, opening, written = plain_text(text, where).partition(OPENING)
    if not opening:
        return assistant(text, [])
    if not written.rstrip().endswith(CLOSING):
        raise UserError(f"{where}: found {OPENING} with no {CLOSING} at the end, expected {OPENING}[...]{CLOSING}")
    return assistant(beside.strip(), calls_of(written.rstrip().removesuffix(CLOSING), where))


def _test(record: dict[str, Any], where: str) -> list[tuple[str, Message]]:
    """The question and its right answer, with their places."""
    kind = one_of(record["correct_answer"], ANSWERS, f"{where}: correct_answer")
    answer = checked(record.get("answers"), dict, f"{where}: answers").get(kind)
    at = f"{where}: answers.{kind}"
    question = plain_text(record.get("question"), f"{where}: question")
    called = kind == "tool_call"
    right = assistant("", calls_of(answer, at)) if called else assistant(plain_text(answer, at), [])
    return [(f"{where}: question", {"role": "user", "content": question}), (at, right)]
