"""The Python-call list of ToolACE, Llama and the Berkeley leaderboard: `[f(a=1, b="x"), g(c=[1, 2])]`."""

import json

from itool.toolcall.grammar import END, JSON_ESCAPES, JSON_WORDS, SPACE, Grammar, Reading
from itool.toolcall.types import Answer, Call

NOT_IN_NAMES = frozenset("=,()[]{}\"'\\") | frozenset(map(chr, range(33)))


def render(answer: Answer) -> str:
    """An answer as the model is to write it; values are JSON. Text stays as it is."""
    if not answer.calls:
        return answer.text
    return "[" + ", ".join(_render_call(call) for call in answer.calls) + "]"


def _render_call(call: Call) -> str:
    arguments = (
        f"{name}={json.dumps(value, ensure_ascii=False, allow_nan=False)}" for name, value in call.arguments.items()
    )
    return f"{call.name}({', '.join(arguments)})"


def parse(text: str) -> Answer:
    """Calls when the text begins (after any space) with "[", else text. Raises Unparseable.

    Values are JSON or Python literals.
    """
    return Scanner().read(text)


class Scanner(Grammar):
    """Fragments: choice `[`, name `f(`, argument `a=1` and `, b="x"`, next `), ` and `)]`."""

    escapes = JSON_ESCAPES | {"'": 0, "x": 2}
    quotes = "\"'"
    words = JSON_WORDS | {"True": True, "False": False, "None": None}

    def _answer(self) -> Reading:
        byte = yield from self._skip()
        self.talks = byte != "["
        if self.talks:
            return
        byte = yield from self._skip()
        while True:
            yield from self._call(byte)
            byte = yield from self._skip()
            if byte == "]":
                break
            if byte != ",":
                self._fail(", or ]", byte)
            self.promised = True
            byte = yield from self._skip()
        self.closed = True
        byte = yield from self._skip()
        if byte is not END:
            self._fail(END, byte)

    def _call(self, byte: str) -> Reading:
        """One call, from the first byte of its name to its closing parenthesis."""
        path = f"calls[{len(self.calls)}]"
        self._mark("name", f"{path}.name", self._position)
        call = self._begin_call()
        call.name, byte = yield from self._name(byte, "name")
        if byte != "(":
            self._fail("(", byte)
        start = self._position + 1
        byte = yield from self._skip()
        while byte == "," or (byte not in (")", END) and not call.arguments):
            self._mark("argument", f"{path}.arguments", start)
            if call.arguments:
                call.promised = True
                byte = yield from self._skip()
            argument, byte = yield from self._name(byte, "argument")
            if byte != "=":
                self._fail("=", byte)
            self._begin_value(call, argument)
            byte = yield from self._skip()
            byte = yield from self._value(byte, argument)
            start = self._position
            if byte in SPACE:
                byte = yield from self._skip()
        self._mark("next", f"{path}.next", start)
        if byte != ")":
            self._fail(", or )", byte)
        self._end_call(call.name)

    def _name(self, byte: str, what: str) -> Reading:
        """A function's or argument's name, and the next byte that is no space."""
        start = self._position
        self.token, self.token_start = what, start
        while byte not in NOT_IN_NAMES and byte is not END:
            byte = yield
        if start == self._position:
            self._fail(f"a {what}", byte)
        name = self.data[start : self._position].decode("utf-8", "replace")
        self.token = ""
        if byte in SPACE:
            byte = yield from self._skip()
        return name, byte
