"""A model's chat template: what it writes, what it loses, and in which dialect it writes calls."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import product
from typing import Any, NamedTuple

from itool.errors import UserError, one_line
from itool.toolcall.dialects import reading
from itool.toolcall.types import Call, Tool

# A prompt must not change over night, and some templates print today's date.
DAY = datetime(2024, 7, 26)
OPTIONS = {"date_string": "26 Jul 2024", "strftime_now": DAY.strftime}

# The tags around thoughts, as families of models write them.
THOUGHTS = (
    ("<think>", "</think>"),
    ("<think:opensource>", "</think:opensource>"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
)
OPENS, CLOSES = ("|".join(map(re.escape, tags)) for tags in zip(*THOUGHTS, strict=True))
OPEN_THOUGHT = re.compile(rf"({OPENS})\s*\Z")
ENDING_THOUGHT = re.compile(rf"\s*(?:(?:{OPENS})\s*)?(?:(?:{CLOSES})\s*)?\Z")
LEADING_THOUGHT = re.compile(rf"\s*(?:(?:{OPENS})\s*)?(?:(?:{CLOSES})\s*)?")

PROBES = (
    Tool(
        "probe_city",
        "Probe of a tool.",
        {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Probe."},
                "count": {"type": "integer", "description": "Probe."},
                "near": {"type": ["string", "null"], "description": "Probe."},
                "tags": {"type": "array", "items": {"type": "string"}, "description": "Probe."},
            },
            "required": ["city"],
        },
    ),
    Tool(
        "probe_flag",
        "Probe of a tool.",
        {
            "type": "object",
            "properties": {
                "on": {"type": "boolean", "description": "Probe."},
                "mark": {"type": "string", "description": "Probe."},
            },
        },
    ),
)
SPECS = [tool.spec() for tool in PROBES]
CALLS = (
    Call("probe_city", {"city": "Probe sur Mer", "count": 3791, "tags": ["probe-tag"]}),
    Call("probe_flag", {"on": True, "mark": "probe-mark"}),
)
SYSTEM, USER, TEXT, RESULTS = "probe-system", "probe-user", "probe-answer", ("probe-result-1", "probe-result-2")


def asked(*messages: dict[str, Any], system: bool = False) -> list[dict[str, Any]]:
    """A user's message, and others after it."""
    return [*[{"role": "system", "content": SYSTEM}] * system, {"role": "user", "content": USER}, *messages]


def calling(calls: Iterable[Call]) -> dict[str, Any]:
    """An assistant's message with calls."""
    entries = [{"type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in calls]
    return {"role": "assistant", "content": "", "tool_calls": entries}


def results(calls: Iterable[Call] = CALLS) -> list[dict[str, Any]]:
    """A tool message for each call."""
    return [
        {"role": "tool", "content": result, "name": call.name} for call, result in zip(calls, RESULTS, strict=False)
    ]


def with_ids(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with ids of nine letters and digits, which Mistral's templates ask for, for all calls and results.

    A result belongs to the call with its id, or else to the first call that has no result yet.
    """
    shown: list[dict[str, Any]] = []
    waiting: dict[Any, str] = {}  # the ids of calls without a result, by those that they had
    count = 0
    for message in messages:
        if message.get("tool_calls"):
            calls = []
            for call in message["tool_calls"]:
                count += 1
                waiting[call.get("id") or count] = f"call{count:05d}"
                calls.append(call | {"id": f"call{count:05d}"})
            message = message | {"tool_calls": calls}
        elif message["role"] == "tool" and waiting:
            old = message.get("tool_call_id")
            message = message | {"tool_call_id": waiting.pop(old if old in waiting else next(iter(waiting)))}
        shown.append(message)
    return shown


class Writes(NamedTuple):
    """How a template writes an assistant's calls: in which dialect, what stands between them and the end of the
    conversation, and the special token after them, if there is one.
    """

    dialect: str
    tail: str
    end: str | None


class ChatTemplate:
    """Renders conversations with the chat template of a tokenizer. Raises UserError when it refuses a plain one.

    special: matches the text of any special token. thinking: what the template is told about thoughts. plain_types: the
    template fails on types such as ["string", "null"], and is shown the first. as_text: it takes arguments as text.
    prompt: of a plain question, with the probes as tools.
    """

    def __init__(self, tokenizer: Any, special: re.Pattern[str], thinking: bool):
        self.tokenizer = tokenizer
        self.special = special
        self.thinking = thinking
        self.plain_types = False
        self.as_text = False
        self.prompt = ""
        self._settle([])

    def render(self, messages: Sequence[dict[str, Any]], tools: Iterable[dict[str, Any]], generate: bool = True) -> str:
        """The conversation as text, with ids for its calls; `generate`: with the beginning of the assistant's turn.
        Raises UserError for whatever the template raises.
        """
        messages = with_ids(messages)
        shown = [_plain(spec) if self.plain_types else spec for spec in tools]
        if self.as_text:
            messages = [with_text_arguments(message) for message in messages]
        try:
            text: str = self.tokenizer.apply_chat_template(
                messages,
                tools=shown or None,
                add_generation_prompt=generate,
                tokenize=False,
                enable_thinking=self.thinking,
                **OPTIONS,
            )
        except Exception as error:  # a template is somebody's program, and whatever it raises is why it refuses
            raise UserError(one_line(error)) from None
        return text

    def thought_end(self) -> str:
        """The tag that ends the thought inside which a prompt ends, or "" where it ends in none."""
        found = OPEN_THOUGHT.search(self.prompt)
        return dict(THOUGHTS)[found[1]] if found else ""

    def turn(self, *messages: dict[str, Any]) -> str:
        """What follows a prompt where the assistant's `messages` are known, to the end of the conversation.

        Raises UserError for a template that begins an answered turn otherwise than its prompts end.
        """
        whole = self.render(asked(*messages), SPECS, generate=False)
        if whole.startswith(self.prompt):
            return whole[len(self.prompt) :]
        before = ENDING_THOUGHT.sub("", self.prompt)
        if not whole.startswith(before):
            raise UserError("it begins a turn that is answered otherwise than it ends a prompt")
        turn = LEADING_THOUGHT.sub("", whole[len(before) :], count=1)
        return self.thought_end() + turn  # where the prompt opens a thought, none

    def writes(self, names: Iterable[str]) -> Writes | None:
        """How the template writes calls, if one of the named dialects reads them.

        Leaves the template in the first form of arguments and types that it takes. Raises UserError with its reason
        when it takes none.
        """
        self._settle([calling(CALLS), *results()])
        turn = self.turn(calling(CALLS))
        found = self._first_reading(turn, names)
        if found is None:
            return None
        name, size = found
        after = turn[size:] if self.special.match(turn, size) else self._after(name)
        end = self.special.match(after)
        return Writes(name, turn[size:], end[0] if end else None)

    def reads_single(self, names: Iterable[str]) -> str | None:
        """The dialect of a template that takes one call a turn, if it is one of those named."""
        first, second = ([calling([call]), *results([call])] for call in CALLS)
        self._settle([*first, *second])
        found = self._first_reading(self.turn(calling(CALLS[:1])), names, CALLS[:1])
        return found[0] if found else None

    def lost(self, call_message: dict[str, Any]) -> list[str]:
        """What a prompt leaves out of a conversation in which `call_message` holds CALLS."""
        text = self.render(asked(call_message, *results(), system=True), SPECS)
        parts = {"the system prompt": [SYSTEM], "the user's message": [USER], "a tool result": RESULTS}
        parts["a call"] = ["probe_city", "probe sur mer", "3791", "probe-tag", "probe-mark"]
        return [what for what, texts in parts.items() if any(part not in text.lower() for part in texts)]

    def _settle(self, messages: Sequence[dict[str, Any]]) -> None:
        """Finds the form of arguments and types that the template takes. Raises UserError when it takes none; then all
        stays as it was.
        """
        before, error = (self.as_text, self.plain_types), UserError("")
        for self.as_text, self.plain_types in product((False, True), (False, True)):
            try:
                text = self.render(asked(*messages), SPECS)
                if not messages or "Probe sur Mer" in text or self.as_text:
                    self.prompt = self.render(asked(), SPECS)
                    return
            except UserError as refused:
                error = refused
        self.as_text, self.plain_types = before
        raise error

    def _first_reading(
        self, turn: str, names: Iterable[str], calls: tuple[Call, ...] = CALLS
    ) -> tuple[str, int] | None:
        """The dialect that reads the calls at the beginning of a turn, and how many characters they have. The turn ends
        after them or goes on with a special token.
        """
        opened = self.thought_end()
        for size in [*(found.start() for found in self.special.finditer(turn)), len(turn)]:
            if name := reading(turn[:size], calls, PROBES, names, opened):
                return name, size
        return None

    def _after(self, name: str) -> str:
        """What follows CALLS in a conversation that goes on with their results."""
        turn = self.turn(calling(CALLS), *results())
        found = self._first_reading(turn, [name])
        return turn[found[1] :] if found else ""


def _plain(value: Any) -> Any:
    """A schema with one type where it has several: the first that is not null."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _plain(item) for key, item in value.items()}
    if isinstance(plain.get("type"), list):
        plain["type"] = next((kind for kind in plain["type"] if kind != "null"), "null")
    return plain


def with_text_arguments(message: dict[str, Any]) -> dict[str, Any]:
    """A message whose calls have their arguments as JSON texts."""
    if not message.get("tool_calls"):
        return message
    calls = [
        call
        | {"function": call["function"] | {"arguments": json.dumps(call["function"]["arguments"], ensure_ascii=False)}}
        for call in message["tool_calls"]
    ]
    return message | {"tool_calls": calls}
