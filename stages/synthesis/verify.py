"""Three layers that a synthetic task must pass: format, execution, semantics [O]. A rejection says which one it failed,
and why.
"""

import json
from dataclasses import dataclass
from typing import Any

from itool.toolcall.checker import check
from itool.toolcall.schema import validate
from itool.toolcall.types import Task
from itool.toolcall.values import scalars
from stages.synthesis.dialogue import Sample
from stages.synthesis.programs import Program, execute
from stages.synthesis.scenarios import SCENARIOS
from stages.synthesis.values import Entities, said, words
from stages.synthesis.world import SimulationError


@dataclass(frozen=True)
class Rejection:
    """Why a candidate was thrown away. Layers: format, execution, semantics, duplicate, and with a language
    model writing.
    """

    scenario: str
    layer: str
    reason: str
    detail: str


def verify(sample: Sample, entities: Entities) -> Rejection | None:
    """The first thing wrong with a sample of the pool, or None."""
    layer, found = "format", format_error(sample.task)
    if not found:
        layer, found = "execution", execution_error(sample.program)
    if not found:
        layer, found = "semantics", semantics_error(sample, entities)
    return Rejection(sample.task.scenario, layer, *found) if found else None


def format_error(task: Task) -> tuple[str, str] | None:
    """(reason, detail) when a call, in the preferred values, does not fit its schema, or the reference is not right by
    its own measure.
    """
    tools = {tool.name: tool for tool in task.tools}
    answer = task.reference.answer()
    for call in answer.calls:
        if call.name not in tools:
            return "unknown tool", f"{call.name} is not among {', '.join(tools)}"
        if problems := validate(call.arguments, tools[call.name].parameters, call.name):
            return "argument against schema", problems[0]
    if not answer.calls and not answer.text.strip():
        return "empty answer", ""
    verdict = check(answer, task.reference, task.tools, strict=True)
    if not verdict.right:
        return "reference fails its own check", f"{verdict.error} at {verdict.path}"
    return None


def execution_error(program: Program) -> tuple[str, str] | None:
    """(reason, detail) when the program does not run in a fresh World, or runs otherwise than recorded."""
    try:
        again = execute(program)
    except SimulationError as error:
        return "simulation error", str(error)
    for before, after in zip(program.steps, again.steps, strict=True):
        if (before.arguments, before.result) != (after.arguments, after.result):
            return "result differs", f"{before.tool.name}: {before.result} and then {after.result}"
    return None


def semantics_error(sample: Sample, entities: Entities) -> tuple[str, str] | None:
    """(reason, detail) when the dialogue does not say what the reference wants, or says it ambiguously."""
    program, task = sample.program, sample.task
    text = " ".join(message["content"] for message in task.messages if message["role"] == "user")
    results = [message["content"] for message in task.messages if message["role"] == "tool"]
    known = [value for result in results for value in scalars(json.loads(result))]
    for step in program.steps:
        for name, value in step.arguments.items():
            parameter = step.tool.parameter(name)
            from_result = name not in step.said and value in known
            if not from_result and not said(parameter, value, text):
                return "value not said", f"{step.tool.name}.{name}: {value}"
        if pair := _equal_slots(step.arguments):
            return "ambiguous values", f"{step.tool.name}: {' and '.join(pair)} are equal"
    calls = [(call.name, call.arguments) for call in task.reference.answer().calls]
    if any(call in calls[:index] for index, call in enumerate(calls)):
        return "equal calls", str(calls[0])
    return SCENARIOS[program.scenario].problem(sample, text, entities)


def _equal_slots(arguments: dict[str, Any]) -> tuple[str, str] | None:
    """Two parameters of one call (or fields of one object) that carry the same spoken value; lists of objects are
    looked into one by one.
    """
    seen: dict[str, str] = {}
    for name, value in _slots(arguments):
        if isinstance(value, list) and value and isinstance(value[0], dict):
            found = next((pair for item in value if (pair := _equal_slots(item))), None)
            if found:
                return found
            continue
        for spoken in map(words, value if isinstance(value, list) else [value]):
            if seen.setdefault(spoken, name) != name:
                return seen[spoken], name
    return None


def _slots(arguments: dict[str, Any]) -> list[tuple[str, Any]]:
    """(name, value) of all that a user says on its own, with objects opened; yes-or-no values are phrases and cannot be
    mixed up.
    """
    found = []
    for name, value in arguments.items():
        if isinstance(value, dict):
            found += [(f"{name}.{inner}", item) for inner, item in _slots(value)]
        elif not isinstance(value, bool):
            found.append((name, value))
    return found
