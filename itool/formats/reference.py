"""The right answer that an assistant's message of a conversation stands for [O]."""

import json
from collections.abc import Sequence
from typing import Any

from itool.errors import UserError
from itool.files import parse_json
from itool.toolcall.schema import validate
from itool.toolcall.types import Kind, Reference, ReferenceCall, Tool
from itool.toolcall.values import scalars
from itool.toolcall.wording import asks_for, refuses, tells_value, told_part


def reference_of(
    message: dict[str, Any], given: Sequence[dict[str, Any]], history: Sequence[dict[str, Any]], tools: Sequence[Tool]
) -> Reference:
    """Calls as they are, with what `given` says beside them.

    Text is judged where a rule of the checker can judge it: a question asks for required parameters at its end, a
    report tells values of the results since the user spoke, and a refusal says that the assistant cannot. Any other
    text is UNJUDGED.
    """
    if "tool_calls" in message:
        return Reference(Kind.CALLS, calls=tuple(_call(call, tools) for call in given))
    text = message["content"].strip()
    required = [(tool.name, name) for tool in tools for name in tool.required]
    if asked := [each for each in required if asks_for(text, each[1])]:
        return Reference(Kind.QUESTION, parameters=tuple(asked), text=text)
    if results := _results(history):
        part = told_part(text)
        told = [value for value in _values(results) if tells_value(part, value)]
        return Reference(Kind.REPORT if told else Kind.UNJUDGED, values=tuple(told), text=text)
    return Reference(Kind.REFUSAL if tools and refuses(text) else Kind.UNJUDGED, text=text)


def _call(call: dict[str, Any], tools: Sequence[Tool]) -> ReferenceCall:
    """A call with all that is right in it. Of several values one that its schema allows is preferred."""
    function, values = call["function"], call["alternatives"]
    schema = next((tool.parameters for tool in tools if tool.name == function["name"]), {})
    accepted = {}
    for name, value in function["arguments"].items():
        others = [other for other in values.get(name, []) if other != value or type(other) is not type(value)]
        accepted[name] = sorted([value, *others], key=lambda each: _against(schema, name, each)) if others else [value]
    optional = tuple(name for name in call["optional"] if name in accepted)
    return ReferenceCall(function["name"], accepted, optional)


def _against(schema: dict[str, Any], name: str, value: Any) -> bool:
    """Whether an argument's value is against the schema of its tool."""
    lines = validate({name: value}, schema)
    return any(line.startswith((f"value.{name}:", f"value.{name}.", f"value.{name}[")) for line in lines)


def _results(history: Sequence[dict[str, Any]]) -> list[str]:
    """What the tools returned since the user's last message."""
    spoken = max((i for i, message in enumerate(history) if message["role"] == "user"), default=-1)
    return [message["content"] for message in history[spoken + 1 :] if message["role"] == "tool"]


def _values(results: Sequence[str]) -> list[str]:
    """All values in the results, as text, each once."""
    found = [scalar for result in results for scalar in scalars(_opened(_json_or_text(result)))]
    values = dict.fromkeys(value if isinstance(value, str) else json.dumps(value) for value in found)
    return [value for value in values if value.strip()]


def _opened(result: Any) -> Any:
    """A result without the envelope of MCP: the JSON in its texts."""
    content = result.get("content") if isinstance(result, dict) else None
    if not isinstance(content, list) or not all(isinstance(part, dict) and "type" in part for part in content):
        return result
    return [_json_or_text(str(part.get("text", ""))) for part in content]


def _json_or_text(content: str) -> Any:
    try:
        return parse_json(content, "")
    except UserError:
        return content
