"""The turns of a dialogue as chat messages, and the references that its last turn is compared with [O]."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from itool.toolcall.types import Kind, Reference, ReferenceCall, Task
from stages.synthesis.invented import spoken
from stages.synthesis.programs import Program, Step

Dialogue = tuple[list[dict[str, Any]], Reference]  # messages up to the assistant's turn, and what that turn should be


@dataclass(frozen=True)
class Sample:
    """A task that was made, the program it came from, and the templates its user chose."""

    task: Task
    program: Program
    phrases: tuple[str, ...]


def said_by(role: str, text: str) -> dict[str, Any]:
    """One message of text."""
    return {"role": role, "content": text}


def answered(step: Step) -> list[dict[str, Any]]:
    """The assistant's call and the tool's result."""
    call = {"type": "function", "function": {"name": step.tool.name, "arguments": step.arguments}}
    result = {"role": "tool", "name": step.tool.name, "content": json.dumps(step.result, ensure_ascii=False)}
    return [{"role": "assistant", "content": "", "tool_calls": [call]}, result]


def calls(steps: Sequence[Step]) -> Reference:
    """The calls of these steps are wanted."""
    arguments = [{name: [value] for name, value in step.arguments.items()} for step in steps]
    wanted = (ReferenceCall(step.tool.name, each) for step, each in zip(steps, arguments, strict=True))
    return Reference(Kind.CALLS, calls=tuple(wanted))


def asked_for_calls(text: str, steps: Sequence[Step]) -> Dialogue:
    """One turn of the user, after which the calls of these steps are wanted."""
    return [said_by("user", text)], calls(steps)


def report(result: dict[str, Any]) -> str:
    """{"price": 210, "flight_id": "FL482"} -> "The price is 210 and the flight id is FL482."."""
    parts = [f"the {spoken(name)} is {plain(value)}" for name, value in result.items()]
    text = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    return text[0].upper() + text[1:] + "."


def plain(value: Any) -> str:
    """A value of a result as a report writes it."""
    return value if isinstance(value, str) else json.dumps(value)
