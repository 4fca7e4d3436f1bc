"""ShareGPT with tools, as LLaMA-Factory and APIGen-MT write it, and the messages of ms-swift [O].

`conversations` or `messages` are turns of `from` and `value`, or of `role` and `content`. The turns of `function_call`
or `tool_call` hold a call, or a list of calls, as JSON, and those of `observation`, `tool` or `tool_response` a result.
`tools` is a list or its JSON, and `system` the system prompt. Calls that follow each other without a result between
them are parallel calls of one turn, and the text that stands before or after them is text beside calls.
"""

from typing import Any

from itool.formats import hermes, toolace
from itool.formats.fields import merged, tool_list
from itool.formats.turns import ROLES, has_turns, roles_of, turns

OPENAI_TOO = ("system", "user", "assistant", "tool")  # roles that OpenAI's messages also have


def matches(record: dict[str, Any]) -> bool:
    """Whether a record has turns of ShareGPT, or calls in turns of their own, and no layout of its own for calls."""
    if hermes.matches(record) or toolace.matches(record):
        return False
    return has_turns(record) or any(role in ROLES and role not in OPENAI_TOO for role, _ in roles_of(record))


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record as {"tools": [...], "messages": [...]} in OpenAI's form. Raises UserError naming the field."""
    messages = merged((turn.where, turn.message()) for turn in turns(record, where))
    return {"tools": tool_list(record, where), "messages": messages}
