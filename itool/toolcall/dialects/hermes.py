"""The dialect of Hermes and Qwen: `<tool_call>\\n{"name": "f", "arguments": {"a": 1}}\\n</tool_call>` for each call."""

import json

from itool.toolcall.grammar import END, SPACE, Grammar, Reading
from itool.toolcall.types import Answer, Call

OPEN, CLOSE = "<tool_call>", "</tool_call>"


def render(answer: Answer) -> str:
    """An answer as the model is to write it. Text stays as it is."""
    if not answer.calls:
        return answer.text
    return "\n".join(_render_call(call) for call in answer.calls)


def _render_call(call: Call) -> str:
    block = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False, allow_nan=False)
    return f"{OPEN}\n{block}\n{CLOSE}"


def parse(text: str) -> Answer:
    """Calls when the text begins (after any space) with `<tool_call>`, else text. Raises Unparseable.

    Values are JSON; the name comes before the arguments.
    """
    return Scanner().read(text)


class Scanner(Grammar):
    """Fragments: choice `<tool_call>`, name `\\n{"name": "f", "arguments": {`, argument `"a": 1` and `, "b": "x"`, next
    `}}\\n</tool_call>\\n<tool_call>` and `}}\\n</tool_call>`.
    """

    def _answer(self) -> Reading:
        byte = yield from self._skip()
        for expected in OPEN:
            if byte != expected:
                self.talks = True
                return
            if expected != ">":
                byte = yield
        self.talks = False
        while True:
            yield from self._call()
            yield from self._rest_of(CLOSE, (yield from self._skip()))
            byte = yield from self._skip()
            if byte is END:
                break
            self.promised = True
            yield from self._rest_of(OPEN, byte)
        self.closed = True

    def _call(self) -> Reading:
        """One JSON object, from the byte after `<tool_call>` to its closing brace."""
        path = f"calls[{len(self.calls)}]"
        self._mark("name", f"{path}.name", self._position + 1)
        call = self._begin_call()
        self._expect("{", (yield from self._skip()))
        yield from self._key("name")
        byte = yield from self._skip()
        if byte != '"':
            self._fail("a function name", byte)
        call.name = yield from self._string(byte, "name")
        self._expect(",", (yield from self._skip()))
        yield from self._key("arguments")
        self._expect("{", (yield from self._skip()))
        start = self._position + 1
        byte = yield from self._skip()
        while byte == "," or (byte not in ("}", END) and not call.arguments):
            self._mark("argument", f"{path}.arguments", start)
            if call.arguments:
                call.promised = True
                byte = yield from self._skip()
            if byte != '"':
                self._fail("an argument", byte)
            argument = yield from self._string(byte, "argument")
            self._begin_value(call, argument)
            self._expect(":", (yield from self._skip()))
            byte = yield from self._skip()
            byte = yield from self._value(byte, argument)
            start = self._position
            if byte in SPACE:
                byte = yield from self._skip()
        self._mark("next", f"{path}.next", start)
        self._expect("}", byte)
        self._expect("}", (yield from self._skip()))
        self._end_call(call.name)

    def _key(self, name: str) -> Reading:
        """`"name":` with any spaces."""
        yield from self._rest_of(f'"{name}"', (yield from self._skip()))
        self._expect(":", (yield from self._skip()))

    def _rest_of(self, text: str, byte: str) -> Reading:
        """A fixed text whose first byte is `byte`."""
        for i, expected in enumerate(text):
            if i:
                byte = yield
            if byte != expected:
                self._fail(text, byte)

    def _expect(self, expected: str, byte: str) -> None:
        if byte != expected:
            self._fail(expected, byte)
