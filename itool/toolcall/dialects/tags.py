"""What the dialects with tags share: finding the first tag, reading a fixed text, and reading up to a tag."""

from collections.abc import Iterable
from typing import Any

from itool.toolcall.grammar import Grammar
from itool.toolcall.literals import END, SPACE, Reading
from itool.toolcall.types import Tool

WORD_ENDS = frozenset(SPACE) | frozenset('<>"')


class Tagged(Grammar):
    """A grammar whose dialect, `form`, says how its tags are written. Between tags, any space may stand."""

    def __init__(self, form: Any, tools: Iterable[Tool] = ()) -> None:
        self.form = form
        super().__init__(tools, form.thought_end)

    def _find(self, tag: str) -> Reading:
        """Reads through the first `tag`, with any text before it: the choice to call. Without it the answer is
        text.
        """
        byte = yield from self._opening()
        wanted = tag.encode()
        while not self._ends_with(wanted):
            if byte is END:
                self.talks = True
                return
            if not wanted.startswith(self.data[self.text_from : self._position + 1]):
                self.presumed = True
            byte = yield
        self.talks = False
        self._judge_start(self._position + 1 - len(wanted))

    def _judge_start(self, start: int) -> None:
        """Fails where something stands before byte `start`, the first of the calls, that the dialect does not allow."""
        form, before = self.form, self.data[self.thought_end : start].decode("utf-8", "replace").strip()
        thinks = self.thought_end and not self.opened
        if (thinks and not form.thoughts) or (before and not form.preamble):
            self._fail("nothing before the calls", before or "a thought")

    def _rest_of(self, text: str, byte: str) -> Reading:
        """A fixed text whose first byte is `byte`, which is no space; returns the next byte that is none. Where `text`
        holds space, any may stand, or none.
        """
        for part in text.split():
            yield from self._exactly(part, byte)
            byte = yield from self._skip()
        return byte

    def _exactly(self, text: str, byte: str) -> Reading:
        """A fixed text whose first byte is `byte`, up to its last one."""
        for i, expected in enumerate(text.encode().decode("latin-1")):
            if i:
                byte = yield
            if byte != expected:
                self._fail(text, byte)

    def _one_of(self, first: str, second: str, byte: str) -> Reading:
        """Which of two fixed texts stands here, its first byte being `byte`; ends at its last byte."""
        texts = {text.encode().decode("latin-1"): text for text in (second, first)}
        read = byte
        while read not in texts:
            if not any(text.startswith(read) for text in texts):
                self._fail(f"{first} or {second}", byte)
            byte = yield
            read += byte
        return texts[read]

    def _written_arguments(self, path: str) -> Reading:
        """Arguments as an object whose opening brace was just read; returns where the last argument ends."""
        call, end = self.open, self._position + 1
        byte = yield from self._skip()
        while byte == "," or (byte not in ("}", END) and not call.arguments):
            self._mark("argument", f"{path}.arguments", end)
            if call.arguments:
                call.promised = True
                byte = yield from self._skip()
            argument = yield from self._key(byte, "argument")
            self._begin_value(call, argument)
            yield from self._colon()
            byte = yield from self._argument_value((yield from self._skip()), argument)
            end = self._position
            if byte in SPACE:
                byte = yield from self._skip()
        if byte != "}":
            self._mark("next", f"{path}.next", end)
            self._fail(", or }", byte)
        return end

    def _another(self, opening: str, end: str, byte: str) -> Reading:
        """Whether another call opens at `byte`, with its tag read; if none does, nothing may follow the tag `end`."""
        if byte is END and not end:
            another = False
        else:
            another = (yield from self._one_of(opening, end or opening, byte)) == opening
            if not another:
                self._expect(END, (yield from self._skip()))
        self.promised, self.closed = another, not another
        return another

    def _word(self, byte: str, what: str) -> Reading:
        """A name that begins with `byte` and ends before space, an angle bracket or a quote, and the byte after it."""
        start = self._position
        self.token, self.token_start = what, start
        while byte not in WORD_ENDS and byte is not END:
            byte = yield
        if start == self._position:
            self._fail(f"a {what}", byte)
        word = self.data[start : self._position].decode("utf-8", "replace")
        self.token = ""
        return word, byte

    def _until(self, stop: str, what: str) -> Reading:
        """The text from the next byte to `stop`, which is read too."""
        start, last = self._position + 1, stop.encode()
        self.token, self.token_start = what, start
        byte = yield
        while byte is not END and not (self._position + 1 - start >= len(last) and self._ends_with(last)):
            byte = yield
        if byte is END:
            self._fail(stop, byte)
        self.token = ""
        return self.data[start : self._position + 1 - len(last)].decode("utf-8", "replace")


def without_begun(text: str, stop: str) -> str:
    """The text without a beginning of `stop` at its end."""
    begun = next((size for size in range(len(stop), 0, -1) if text.endswith(stop[:size])), 0)
    return text[: len(text) - begun]
