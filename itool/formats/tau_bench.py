"""Conversations in the layout of tau-bench's trajectories [O].

A record is an episode: its `reward`, and in `traj` OpenAI's messages, of which the first is the policy. The tools are
those of the domain and stand in no trajectory, so the user adds them. An episode that failed has nothing to learn.
"""

from typing import Any

from itool.errors import UserError
from itool.formats.fields import (
    Message,
    answered,
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
from itool.toolcall.schema import short

STOP = "###STOP###"  # the simulated user's last message holds it
ROLES = ("system", "user", "assistant", "tool")


def matches(record: dict[str, Any]) -> bool:
    """Whether a record has this layout, by its trajectory."""
    return isinstance(record.get("traj"), list) and "reward" in record


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record as {"tools": [...], "messages": [...]} in OpenAI's form, without the user's message that only ends it.

    Raises UserError with the field, and for an episode that failed or that holds no tools.
    """
    check_record(record, ("reward", "traj", "tools", "info"), where)
    reward = record.get("reward")
    if isinstance(reward, bool) or not isinstance(reward, int | float):
        raise UserError(f"{where}: reward: found {short(reward)}, expected a number")
    if not reward > 0:
        raise UserError(f"{where}: reward: found {reward}: the episode failed, nothing to learn")
    placed = [(f"{at}.content", _message(each, at)) for each, at in items(record.get("traj"), f"{where}: traj")]
    kept = [(at, message) for at, message in placed if message["role"] != "user" or STOP not in message["content"]]
    return {"tools": _tools(record, where), "messages": merged(kept)}


def _tools(record: dict[str, Any], where: str) -> list[Any]:
    info = record.get("info")
    tools = tool_list(record, where) or tool_list(info if isinstance(info, dict) else {}, f"{where}: info")
    if not tools:
        raise UserError(
            f"{where}: tools: found none: trajectories of tau-bench hold no tools, expected the domain's tools_info as "
            "the key tools of each record"
        )
    return tools


def _message(message: Any, where: str) -> Message:
    """One message of OpenAI's form. Thoughts, and what the API says beside, are left out."""
    message = checked(message, dict, where)
    role = one_of(message.get("role"), ROLES, f"{where}.role")
    check_message(message, ("role", "content", "tool_calls"), where)
    content, place = message.get("content"), f"{where}.content"
    if role == "tool":
        return {"role": role} | answered(message) | {"content": result_text(content, place)}
    if role != "assistant":
        return {"role": role, "content": text_of(content, place)}
    calls = message.get("tool_calls")
    listed = items([] if calls is None else calls, f"{where}.tool_calls")
    return assistant(text_of(content, place), [call(each, at) for each, at in listed])
