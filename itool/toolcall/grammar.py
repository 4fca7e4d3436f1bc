"""What the dialects share: a reader of bytes that knows, after every byte, what was read and in which fragment.

A dialect's grammar is a generator that receives one byte at a time (as a Latin-1 character) and raises Unparseable
where the text leaves it. Parsing, cutting into fragments and judging unfinished answers all read through it, so they
cannot disagree. [O]
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from itool.toolcall.literals import END, Literals, Reading
from itool.toolcall.types import Answer, Call, Tool

THINK, THOUGHT = b"<think>", b"</think>"  # around a thought, which may stand before an answer


@dataclass
class OpenCall:
    """A call being read.

    name and argument: None until they are complete. promised: the last thing read is a comma between arguments.
    complete: no argument can follow.
    """

    name: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    argument: str | None = None
    promised: bool = False
    complete: bool = False


class Grammar(Literals):
    """Reads an answer byte by byte; a dialect adds `_answer`, the generator that starts at the first byte.

    marks: [first byte, kind, path] of each fragment.
    talks: None while undecided between calls (False) and text (True).
    presumed: what `talks` is taken for where a fragment ends while it is undecided; None where no fragment can end.
    thought_end: the byte after a closed thought that opens the answer, or 0. text_from: in a text, the byte that ends
    the choice to talk.
    calls: the finished calls. in_call: a call is being read, `open`. promised: another must follow. closed: none can.
    tools: those shown, by their names.
    opened: the tag that ends the thought inside which the answer begins, or "".
    """

    def __init__(self, tools: Iterable[Tool] = (), opened: str = "") -> None:
        self.tools = {tool.name: tool for tool in tools}
        self.marks: list[list[Any]] = [[0, "choice", "choice"]]
        self.talks: bool | None = None
        self.presumed: bool | None = None
        self.opened = opened
        self.thought_end = 0
        self.text_from = 0
        self.calls: list[Call] = []
        self.in_call = False
        self.open = OpenCall()
        self.promised = False
        self.closed = False
        super().__init__()

    def read(self, text: str) -> Answer:
        """The answer that a whole text is. Raises Unparseable."""
        self.feed(text.encode("utf-8", "surrogatepass"))
        self.finish()
        if self.error:
            raise self.error
        if self.talks:
            return Answer(text=self.text())
        return Answer(tuple(self.calls))

    def text(self) -> str:
        """What was read, without the end of a thought that the prompt opened."""
        return self.data[self.thought_end if self.opened else 0 :].decode("utf-8", "replace")

    def settle(self) -> None:
        """Takes the end of what was read for the end of a fragment: a number or word there is complete, and the choice
        between calls and text is made. Nothing may be fed after.
        """
        if self.talks is None:
            self.talks = self.presumed
        call = self.open
        if self.token == "bare" and call.argument is not None and not self.containers:
            text = self.token_text()
            value = self.bare_value(text)
            if value is not Ellipsis and text[-1].isalnum():  # `5.` may go on as `5.5`
                call.arguments[call.argument], call.argument, self.token = value, None, ""

    def _send(self, characters: Sequence[str]) -> None:
        if not self.talks:
            super()._send(characters)

    def _path(self) -> str:
        return str(self.marks[-1][2])

    def _mark(self, kind: str, path: str, start: int) -> None:
        self.marks.append([start, kind, path])

    def _opening(self) -> Reading:
        """Passes spaces and a closed thought, notes where the answer begins, and returns the last byte read.

        That is the answer's first byte, or, if the answer begins with a part of `<think>`, the first byte after that.
        """
        byte = yield from self._skip()
        start = self.text_from = self._position
        inside, closing = bool(self.opened), self.opened.encode() or THOUGHT
        while not inside and byte is not END and THINK.startswith(self.data[start : self._position + 1]):
            inside = self._position + 1 == start + len(THINK)
            byte = yield
        if inside:
            while byte is not END and not self._ends_with(closing):
                byte = yield
            self.thought_end = self._position + (byte is not END)
            self.marks[0][1:] = ["thought", "thought"]
            self._mark("choice", "choice", self.thought_end)
            if byte is not END:
                byte = yield from self._skip()
            self.text_from = self._position
        return byte

    def _ends_with(self, text: bytes) -> bool:
        """Whether `text` ends with the byte that was read last."""
        end = self._position + 1
        return self.data[max(end - len(text), 0) : end] == text

    def _begin_call(self) -> OpenCall:
        self.promised, self.in_call = False, True
        self.open = OpenCall()
        return self.open

    def _end_call(self, name: str) -> None:
        self.calls.append(Call(name, self.open.arguments))
        self.in_call = False

    def _begin_value(self, call: OpenCall, argument: str) -> None:
        """Names the argument fragment being read, once its name is known."""
        if argument in call.arguments:
            self._fail("another argument", argument)
        self.marks[-1][2] += "." + argument
        call.argument, call.promised = argument, False

    def _argument_value(self, byte: str, argument: str) -> Reading:
        """The value of an argument that begins with `byte`, into the open call; returns the byte after it."""
        value, after = yield from self._value(byte)
        self.open.arguments[argument], self.open.argument = value, None
        return (yield) if after is None else after
