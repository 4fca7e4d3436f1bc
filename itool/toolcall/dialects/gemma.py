"""The calls of Gemma 4: `<|tool_call>call:f{a:<|"|>x<|"|>,b:3}<tool_call|>`, with bare keys and its own quote."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.dialects.tags import Tagged, without_begun
from itool.toolcall.literals import END, Reading
from itool.toolcall.types import Call, Tool

OPENING, CLOSING, QUOTE = "<|tool_call>", "<tool_call|>", '<|"|>'
KEY_ENDS = frozenset(":,{}[]")


@dataclass(frozen=True)
class Gemma(Dialect):
    """One form, without fields of its own."""

    def render_calls(self, calls: tuple[Call, ...]) -> str:
        return "".join(f"{OPENING}call:{call.name}{_written(call.arguments)}{CLOSING}" for call in calls)

    def Scanner(self, tools: Iterable[Tool] = ()) -> "Scanner":  # noqa: N802
        return Scanner(self, tools)


def _written(value: Any) -> str:
    if isinstance(value, str):
        return f"{QUOTE}{value}{QUOTE}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value, allow_nan=False)


class Scanner(Tagged):
    """Reads calls when the opening tag stands in the text (outside a thought that opens it), else text.

    Fragments: choice `<|tool_call>` with any text before it, name `call:f{`, argument `a:3` and `,b:<|"|>x<|"|>`, next
    `}<tool_call|><|tool_call>` and `}<tool_call|>`.
    """

    quotes = "<"  # the first byte of QUOTE

    def token_text(self) -> str:
        """Of a string, what has been read without a part of the quote that ends it."""
        if self.token != "string":
            return super().token_text()
        return without_begun(self.data[self.token_start :].decode("utf-8", "replace"), QUOTE)

    def _answer(self) -> Reading:
        yield from self._find(OPENING)
        another = not self.talks
        while another:
            yield from self._call()
            yield from self._exactly(CLOSING, (yield from self._skip()))
            another = yield from self._another(OPENING, "", (yield from self._skip()))

    def _call(self) -> Reading:
        """From the byte after the opening tag to the closing brace of the arguments."""
        path = f"calls[{len(self.calls)}]"
        self._mark("name", f"{path}.name", self._position + 1)
        call = self._begin_call()
        yield from self._exactly("call:", (yield from self._skip()))
        call.name = yield from self._until("{", "header")
        end = yield from self._written_arguments(path)
        call.complete = True
        self._mark("next", f"{path}.next", end)
        self._end_call(call.name)

    def _key(self, byte: str, what: str) -> Reading:
        """A bare key that begins with `byte`, up to the colon after it."""
        start = self._position
        self.token, self.token_start = what, start
        while byte not in KEY_ENDS and byte is not END:
            byte = yield
        if byte != ":" or start == self._position:
            self._fail(f"a {what} and :", byte)
        self.token = ""
        return self.data[start : self._position].decode("utf-8", "replace").strip()

    def _colon(self) -> Reading:
        """It ended the bare key."""
        yield from ()

    def _string(self, quote: str, what: str) -> Reading:
        yield from self._exactly(QUOTE, quote)
        return (yield from self._until(QUOTE, what))


GEMMA: dict[str, Dialect] = {"gemma4": Gemma()}
