"""The Python-call list of ToolACE, Llama and the Berkeley leaderboard: `[f(a=1, b="x"), g(c=[1, 2])]`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.dialects.tags import Tagged
from itool.toolcall.literals import END, SPACE, PythonLiterals, Reading
from itool.toolcall.types import Call, Tool, Unparseable

NOT_IN_NAMES = frozenset("=,()[]{}\"'\\") | frozenset(map(chr, range(33)))


@dataclass(frozen=True)
class Pythonic(Dialect):
    """opening, closing: the tags round the list, or "" where there are none. python: whether values are written as in
    Python, and not as in JSON; the templates that do so escape no newline.
    """

    opening: str = ""
    closing: str = ""
    python: bool = False

    def render_calls(self, calls: tuple[Call, ...]) -> str:
        return f"{self.opening}[{', '.join(map(self._render_call, calls))}]{self.closing}"

    def _render_call(self, call: Call) -> str:
        return f"{call.name}({', '.join(f'{name}={self._literal(value)}' for name, value in call.arguments.items())})"

    def _literal(self, value: Any) -> str:
        return repr(value) if self.python else json.dumps(value, ensure_ascii=False, allow_nan=False)

    def Scanner(self, tools: Iterable[Tool] = ()) -> "Scanner":  # noqa: N802
        return Scanner(self, tools)


class Scanner(PythonLiterals, Tagged):
    """Reads calls when the text begins (after any space and a closed thought) with `[f(` or with `f(a=` or `f()`, or
    holds the opening tag; else text. Values are JSON or Python literals.

    Fragments: choice `[`, name `f(`, argument `a=1` and `, b="x"`, next `), ` and `)]`. With tags the choice is the
    opening one. Without the bracket the first fragment is the name. The choice of a text that begins as calls do ends
    where the text leaves their grammar: `[Note]`.
    """

    form: Pythonic

    def __init__(self, form: Pythonic, tools: Iterable[Tool]) -> None:
        self.raw_newlines = form.python
        super().__init__(form, tools)

    def _answer(self) -> Reading:
        if self.form.opening:
            yield from self._find(self.form.opening)
            if self.talks:
                return
            self._expect("[", byte := (yield from self._skip()))
        else:
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
            byte = yield from self._rest_of(self.form.closing, (yield from self._skip()))
            self._expect(END, byte)

    def _names_no_call(self) -> bool:
        """Whether the name that was read is followed by something else than a call, such as the ] of `[Note]`."""
        return self.open.name is not None and self._position < len(self.data)

    def _call(self, byte: str) -> Reading:
        """One call, from the first byte of its name to its closing parenthesis."""
        path = f"calls[{len(self.calls)}]"
        self._mark("name", f"{path}.name", self.thought_end if self.presumed else self._position)
        call = self._begin_call()
        call.name, byte = yield from self._name(byte, "name")
        self._expect("(", byte)
        if self.presumed:
            self.presumed = False  # without a bracket it is a call at the first `=` or `)`
        else:
            self._is_a_call()
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
            self._is_a_call()
            self._begin_value(call, argument)
            byte = yield from self._argument_value((yield from self._skip()), argument)
            start = self._position
            if byte in SPACE:
                byte = yield from self._skip()
        self._mark("next", f"{path}.next", start)
        if byte != ")":
            self._fail(", or )", byte)
        self._is_a_call()
        self._end_call(call.name)

    def _is_a_call(self) -> None:
        """Settles that the answer calls."""
        if self.talks is None:
            self.talks = False
            self._judge_start(self.text_from)

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


# Here and in the other families, the names are those of vLLM's --tool-call-parser where it has one.
PYTHONIC: dict[str, Dialect] = {
    "pythonic": Pythonic(),  # ToolACE, Llama 4, the Berkeley leaderboard, and the embedded model
    "lfm2": Pythonic(opening="<|tool_call_start|>", closing="<|tool_call_end|>", python=True),
    "olmo3": Pythonic(opening="<function_calls>", closing="</function_calls>"),
}
