"""Conversations in the form of the Gemini API and of Vertex AI [O].

`contents` holds turns of a role and `parts`, and each part is a text, a call or a result. Names are read in the camel
case of the REST interface and in the snake case of its libraries. Thoughts are left out: they are no part of an answer.
Files, images and executed code are refused by their names.
"""

from typing import Any

from itool.formats.fields import (
    Message,
    answered,
    assistant,
    call,
    check_message,
    check_record,
    checked,
    inside,
    items,
    merged,
    one_of,
    plain_text,
    result_text,
    results_and_text,
    tool_list,
)

DECLARATIONS = ("functionDeclarations", "function_declarations")
INSTRUCTIONS = ("systemInstruction", "system_instruction")
CAMEL = {
    "function_call": "functionCall",
    "function_response": "functionResponse",
    "thought_signature": "thoughtSignature",
    "part_metadata": "partMetadata",
}
BESIDE = ("thought", "thoughtSignature", "partMetadata")  # say something of a part, and are none
FROM_USER = ("text", "functionResponse")
PARTS = {"user": FROM_USER, "function": FROM_USER, "tool": FROM_USER, "model": ("text", "functionCall")}


def matches(record: dict[str, Any]) -> bool:
    """Whether a record has this layout: `contents` with `parts`."""
    contents = record.get("contents")
    return isinstance(contents, list) and any(isinstance(each, dict) and "parts" in each for each in contents)


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record as {"tools": [...], "messages": [...]} in OpenAI's form.

    Results come before the text that stands beside them. Raises UserError with the field.
    """
    check_record(record, (*INSTRUCTIONS, "contents", "tools"), where)
    placed = []
    for key in INSTRUCTIONS:
        if text := _instruction(record.get(key), f"{where}: {key}"):
            placed.append((f"{where}: {key}", {"role": "system", "content": text}))
    for content, at in items(record.get("contents"), f"{where}: contents"):
        placed += [(f"{at}.parts", message) for message in _messages(content, at)]
    tools = [each for tool in tool_list(record, where) for each in _tools(tool)]
    return {"tools": tools, "messages": merged(placed)}


def _tools(tool: Any) -> list[Any]:
    """The declarations that an entry of `tools` holds, and the API's own tools beside them, by their names."""
    if not isinstance(tool, dict) or "name" in tool:
        return [tool]
    held = {key: value for key, value in tool.items() if value is not None}
    return [{key: value} if key in DECLARATIONS else {"type": key} for key, value in held.items()]


def _instruction(found: Any, where: str) -> str:
    if found is None or isinstance(found, str):
        return plain_text(found or "", where).strip()
    check_message(checked(found, dict, where), ("role", "parts"), where)
    return "\n".join(text for _, text, _ in _parts(found, ("text",), where)).strip()


def _messages(content: Any, where: str) -> list[Message]:
    """What one content is: the model's turn, or results and then the user's text."""
    content = checked(content, dict, where)
    role = one_of(content.get("role") or "user", PARTS, f"{where}.role")
    check_message(content, ("role", "parts"), where)
    parts = _parts(content, PARTS[role], where)
    text = "\n".join(held for kind, held, _ in parts if kind == "text" and held)
    if role == "model":
        return [assistant(text, [call(held, at, "args") for kind, held, at in parts if kind == "functionCall"])]
    return results_and_text([_result(held, at) for kind, held, at in parts if kind == "functionResponse"], text)


def _parts(content: dict[str, Any], known: tuple[str, ...], where: str) -> list[tuple[str, Any, str]]:
    """(kind, what is held, where) of the parts that are no thoughts."""
    found: list[tuple[str, Any, str]] = []
    for part, at in items(content.get("parts"), f"{where}.parts"):
        part = {key: held for key, held in checked(part, dict, at).items() if held is not None}
        for key, held in part.items():
            kind, place = CAMEL.get(key, key), inside(at, key)
            if kind in BESIDE or (kind == "text" and part.get("thought") is True):
                continue
            one_of(kind, known, at)
            found.append((kind, plain_text(held, place) if kind == "text" else checked(held, dict, place), place))
    return found


def _result(found: dict[str, Any], where: str) -> Message:
    check_message(found, ("name", "response"), where)
    name = checked(found.get("name"), str, f"{where}.name")
    said = answered({"name": name, "tool_call_id": found.get("id")})
    return {"role": "tool"} | said | {"content": result_text(found.get("response"), f"{where}.response")}
