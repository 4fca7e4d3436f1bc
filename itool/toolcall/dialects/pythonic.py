"""The Python-call list of ToolACE, Llama and the Berkeley leaderboard: `[f(a=1, b="x"), g(c=[1, 2])]`."""

import json
import re

from itool.toolcall.grammar import END, JSON_ESCAPES, JSON_WORDS, SPACE, Grammar, Reading
from itool.toolcall.types import Answer, Call, Unparseable

IN_TEMPLATES = False
NUMBER = re.compile(
    r"[+-]?(?:(?:0(?:_?0)*|[1-9](?:_?[0-9])*)(?:\.(?:[0-9](?:_?[0-9])*)?)?|\.[0-9](?:_?[0-9])*)"
    r"(?:[eE][+-]?[0-9](?:_?[0-9])*)?"
)
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
    """Calls when the text begins (after any space and a closed thought) with `[f(` or with `f(a=` or `f()`, else text.
    Raises Unparseable.

    Values are JSON or Python literals.
    """
    return Scanner().read(text)


class Scanner(Grammar):
    """Fragments: choice `[`, name `f(`, argument `a=1` and `, b="x"`, next `), ` and `)]`.

    Without the bracket the first fragment is the name. The choice of a text that begins as calls do ends where the text
    leaves their grammar: `[Note]`.
    """

    escapes = JSON_ESCAPES | {"'": 0, "x": 2}
    quotes = "\"'"
    words = JSON_WORDS | {"True": True, "False": False, "None": None}
    number = NUMBER
    openings = "[{("
    trailing_commas = True

    def _answer(self) -> Reading:
        byte = yield from self._opening()
        if self.text_from < self._position or byte is END or (byte in NOT_IN_NAMES and byte != "["):
            self.talks = True
            return
        closing = "]" if byte == "[" else END
        self.presumed = byte != "["  # `[` is taken for a call, the beginning of a name for text
        if byte == "[":
            byte = yield from self._skip()
        try:
            yield from self._call(byte)
        except Unparseable:
            if self.talks is False or (closing == "]" and not self._names_no_call()):
                raise
            self.talks, self.text_from = True, self.text_from if self.presumed else self._position
            return
        byte = yield from self._skip()
        while byte == ",":
            byte = yield  # up to here the comma may also be the last byte but the bracket
            self.promised = True
            if byte in SPACE:
                byte = yield from self._skip()
            if byte != closing:
                yield from self._call(byte)
                byte = yield from self._skip()
        if byte != closing:
            self._fail(f", or {closing}", byte)
        self.promised, self.closed = False, True
        if closing == "]":
            self._expect(END, (yield from self._skip()))

    def _names_no_call(self) -> bool:
        """Whether the name that was read is followed by something else than a call, such as the ] of `[Note]`."""
        return self.open.name is not None and self._position < len(self.data)

    def _call(self, byte: str) -> Reading:
        """One call, from the first byte of its name to its closing parenthesis."""
        path = f"calls[{len(self.calls)}]"
        self._mark("name", f"{path}.name", 0 if self.presumed else self._position)
        call = self._begin_call()
        call.name, byte = yield from self._name(byte, "name")
        self._expect("(", byte)
        if self.presumed:
            self.presumed = False  # without a bracket it is a call at the first `=` or `)`
        else:
            self.talks = False
        start = self._position + 1
        byte = yield from self._skip()
        while byte == "," or (byte not in (")", END) and not call.arguments):
            self._mark("argument", f"{path}.arguments", start)
            if call.arguments:
                call.promised = True
                byte = yield from self._skip()
                if byte == ")":
                    self.marks.pop()
                    break
            argument, byte = yield from self._name(byte, "argument")
            self._expect("=", byte)
            self.talks = False
            self._begin_value(call, argument)
            byte = yield from self._argument_value((yield from self._skip()), argument)
            start = self._position
            if byte in SPACE:
                byte = yield from self._skip()
        self._mark("next", f"{path}.next", start)
        if byte != ")":
            self._fail(", or )", byte)
        self.talks = False
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
