"""What a tool, a call, an answer, a reference and a task are. Plain data, without files, models or dialects."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from itool.toolcall.resolve import resolved


@dataclass(frozen=True)
class Tool:
    """A function the model may call. `parameters` is a JSON Schema object, as prompts show it."""

    name: str
    description: str
    parameters: dict[str, Any]

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The parameters without references and combinations (itool/toolcall/resolve.py)."""
        return resolved(self.parameters)

    @property
    def properties(self) -> dict[str, Any]:
        """The schema of each parameter, by its name."""
        properties: dict[str, Any] = self.schema.get("properties", {})
        return properties

    @property
    def required(self) -> list[str]:
        """The names of the parameters that a call must have."""
        required: list[str] = self.schema.get("required", [])
        return required

    def spec(self) -> dict[str, Any]:
        """The tool as an OpenAI `tools` entry, the form that chat templates take."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class Call:
    """One function call. `arguments` are JSON values; their order is the order in which they were written."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One assistant turn: either calls or text, and the other one is empty. Text before calls is not kept."""

    calls: tuple[Call, ...] = ()
    text: str = ""


class Kind(StrEnum):
    """What a reference asks for."""

    CALLS = "calls"
    QUESTION = "question"  # a required parameter is missing: ask for it
    REPORT = "report"  # a tool result is to be reported
    REFUSAL = "refusal"  # no tool fits
    UNJUDGED = "unjudged"  # a user's text that no rule can judge: to learn from, never to measure by


@dataclass(frozen=True)
class ReferenceCall:
    """An expected call: for each argument every acceptable value, the preferred one first.

    A parameter that is not named here must be absent or equal to its schema default. A schema-optional parameter may be
    absent if its default is among the acceptable values, and a parameter of `optional` may be absent in any case.
    """

    name: str
    arguments: dict[str, list[Any]]
    optional: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """What counts as a right answer. Calls may come in any order.

    `parameters`: for QUESTION, the missing parameters as [tool name, parameter name] pairs, all of which must be named.
    `values`: for REPORT, the values that the text must contain. `text`: the preferred wording for the three text kinds.
    """

    kind: Kind
    calls: tuple[ReferenceCall, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    values: tuple[str, ...] = ()
    text: str = ""

    def answer(self) -> Answer:
        """The preferred right answer."""
        if self.kind is not Kind.CALLS:
            return Answer(text=self.text)
        return Answer(tuple(Call(c.name, {k: v[0] for k, v in c.arguments.items()}) for c in self.calls))

    def to_json(self) -> str:
        calls = [
            {"name": c.name, "arguments": c.arguments} | ({"optional": c.optional} if c.optional else {})
            for c in self.calls
        ]
        fields = {
            "kind": self.kind,
            "calls": calls,
            "parameters": self.parameters,
            "values": self.values,
            "text": self.text,
        }
        return json.dumps(fields, ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> "Reference":
        fields = json.loads(text)
        return Reference(
            kind=Kind(fields["kind"]),
            calls=tuple(
                ReferenceCall(c["name"], c["arguments"], tuple(c.get("optional", ()))) for c in fields["calls"]
            ),
            parameters=tuple((tool, parameter) for tool, parameter in fields["parameters"]),
            values=tuple(fields["values"]),
            text=fields["text"],
        )


class ErrorKind(StrEnum):
    """What is wrong with a fragment. The five parameter kinds first."""

    MISSING_PARAMETER = "missing_parameter"  # the request gives it, the call lacks it
    UNKNOWN_PARAMETER = "unknown_parameter"  # not in the tool's schema
    EXTRA_PARAMETER = "extra_parameter"  # in the schema, but the request does not ask for it
    WRONG_VALUE = "wrong_value"
    WRONG_TYPE = "wrong_type"
    WRONG_FUNCTION = "wrong_function"
    WRONG_COUNT = "wrong_count"  # too many or too few calls
    SHOULD_NOT_CALL = "should_not_call"  # calls, or holds a call in its text, where text is asked for
    SHOULD_CALL = "should_call"
    WRONG_TEXT = "wrong_text"  # talks, rightly, but says the wrong thing
    UNPARSEABLE = "unparseable"


PARAMETER_KINDS = tuple(ErrorKind)[:5]


OWN = "user-"
SIMPLE = ("single",)  # everything else is complex: not one call to one obvious tool [P]


@dataclass(frozen=True)
class Task:
    """One thing to answer: x = (tools, messages so far, reference answer).

    `messages` are OpenAI chat messages; assistant calls stand in `tool_calls` with `arguments` as a dict, tool results
    in `tool` messages.
    `scenario` names the kind of the task (stages/synthesis/scenarios lists them). The ids of tasks from a user's own
    conversations start with OWN.
    """

    task_id: str
    split: str
    scenario: str
    tools: tuple[Tool, ...]
    messages: tuple[dict[str, Any], ...] = field(default_factory=tuple)
    reference: Reference = Reference(Kind.REFUSAL)

    @property
    def complex(self) -> bool:
        return self.scenario not in SIMPLE


class Unparseable(Exception):  # noqa: N818 (an outcome of parsing, which the checker takes as data)
    """Text that starts as calls but is not well formed [O].

    `position` is the byte at which the grammar broke, `path` the fragment, e.g. calls[0].arguments.city.
    """

    def __init__(self, position: int, reason: str, path: str = "choice"):
        super().__init__(f"byte {position} ({path}): {reason}")
        self.position = position
        self.reason = reason
        self.path = path
