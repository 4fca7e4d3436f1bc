"""Values byte by byte: a reader that knows, after every byte, what was read of a JSON or Python literal.

A grammar is a generator that receives one byte at a time (as a Latin-1 character) and raises Unparseable where the text
leaves it. [O]
"""

import codecs
import re
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from itool.toolcall.types import Unparseable

END = "end of the answer"  # sent after the last byte; longer than a character, so it is never in a set of characters
SPACE = " \n\r\t"
BARE = frozenset("0123456789+-.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
HEX = frozenset("0123456789abcdefABCDEF")
PYTHON_NUMBER = re.compile(
    r"[+-]?(?:(?:0(?:_?0)*|[1-9](?:_?[0-9])*)(?:\.(?:[0-9](?:_?[0-9])*)?)?|\.[0-9](?:_?[0-9])*)"
    r"(?:[eE][+-]?[0-9](?:_?[0-9])*)?"
)
JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|(.))")
# The first half of a surrogate pair is whole when what follows it is known.
WHOLE_ESCAPES = re.compile(
    r"(?:[^\\]|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\u[0-9a-fA-F]{4}(?=\\u[0-9a-fA-F]{4}|\\[^u]|[^\\])"
    r"|\\x[0-9a-fA-F]{2}|\\U[0-9a-fA-F]{8}|\\[^uxU])*",
    re.DOTALL,
)
ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
CLOSING = {"[": "]", "{": "}", "(": ")"}
# What may follow a backslash, and how many hexadecimal digits come after it.
JSON_ESCAPES = dict.fromkeys('"\\/bfnrt', 0) | {"u": 4}
JSON_WORDS = {"true": True, "false": False, "null": None}
MAX_DEPTH = 64  # of nested values: far above any real argument, far below Python's recursion limit
MAX_NUMBER = 400  # characters: the largest float in plain digits has 309

Reading = Generator[None, str, Any]


@dataclass
class Container:
    """A list, object or parenthesis being read.

    items: the finished ones. key: of the object's item that is being read. commas: how many were read.
    promised: the last thing read is a comma, so an item follows, or the end where the dialect allows that.
    """

    opening: str
    items: Any
    key: str | None = None
    commas: int = 0
    promised: bool = False

    def closing(self) -> str:
        return CLOSING[self.opening]

    def add(self, item: Any) -> None:
        if isinstance(self.items, list):
            self.items.append(item)
        else:
            self.items[self.key] = item
        self.key, self.promised = None, False

    def value(self) -> Any:
        """What the closed container stands for. A tuple is a list, but `(1)` is 1, as in Python."""
        return self.items[0] if self.opening == "(" and self.items and not self.commas else self.items


class Literals:
    """Reads bytes one by one; a subclass adds `_answer`, the generator that starts at the first byte.

    data: all bytes fed. containers: those being read, from the outermost.
    token: what is being read (name, argument, key, string, bare, ...), or ""; token_start: its first byte.
    ended: `finish` was called. error: where the grammar broke, if it did.
    """

    escapes = JSON_ESCAPES
    quotes = '"'
    words = JSON_WORDS
    number = JSON_NUMBER
    openings = "[{"
    trailing_commas = False  # whether a comma may stand before a closing bracket
    raw_newlines = False  # whether a string may hold newlines and tabs that are not escaped

    def __init__(self) -> None:
        self.data = bytearray()
        self.containers: list[Container] = []
        self.token = ""
        self.token_start = 0
        self.ended = False
        self.error: Unparseable | None = None
        self._position = 0
        self._reading = self._answer()
        next(self._reading)

    def feed(self, data: bytes) -> None:
        """Reads more bytes. Never raises: a break of the grammar is kept in `error`."""
        self.data += data
        self._send(data.decode("latin-1"))

    def finish(self) -> None:
        """Says that no byte follows. Never raises."""
        self.ended = True
        self._send([END])

    def token_text(self) -> str:
        """What has been read of `token`, without an unfinished escape or character at its end."""
        if not self.token:
            return ""
        text = codecs.getincrementaldecoder("utf-8")("replace").decode(self.data[self.token_start :])
        return unescape("".join(WHOLE_ESCAPES.findall(text)[:1]))

    def _send(self, characters: Sequence[str]) -> None:
        if self.error:
            return
        send = self._reading.send
        try:
            for character in characters:
                send(character)
                self._position += 1
        except Unparseable as error:
            self.error = error
        except StopIteration:
            pass  # the answer is text, or it ended where it may

    def _answer(self) -> Reading:
        raise NotImplementedError

    def _path(self) -> str:
        """Where in the answer the byte that is read next stands."""
        return ""

    def _fail(self, expected: str, found: str) -> NoReturn:
        raise Unparseable(self._position, f"found {found[:40]!r}, expected {expected}", self._path())

    def _skip(self) -> Reading:
        """The next byte that is no space."""
        byte = yield
        while byte in SPACE:
            byte = yield
        return byte

    def _expect(self, expected: str, byte: str) -> None:
        if byte != expected:
            self._fail(expected, byte)

    def _string(self, quote: str, what: str) -> Reading:
        """The string whose opening quote was just read."""
        start = self._position + 1
        self.token, self.token_start = what, start
        while True:
            byte = yield
            if byte == quote:
                break
            if byte == "\\":
                byte = yield
                if byte not in self.escapes:
                    self._fail("an escape", byte)
                for _ in range(self.escapes[byte]):
                    byte = yield
                    if byte not in HEX:
                        self._fail("a hexadecimal digit", byte)
            elif byte is END or (byte < " " and not (self.raw_newlines and byte in SPACE)):
                self._fail("a character of a string", byte)
        self.token = ""
        return unescape(self.data[start : self._position].decode("utf-8", "replace"))

    def _bare(self, byte: str) -> Reading:
        """A number or a word such as true, and the byte after it."""
        start = self._position
        self.token, self.token_start = "bare", start
        while byte in BARE:
            byte = yield
        value = self.bare_value(self.data[start : self._position].decode("latin-1"))
        if value is Ellipsis:
            found = self.data[start : self._position + 1].decode("latin-1")
            self._fail("a value", found if byte is not END else found or END)
        self.token = ""
        return value, byte

    def bare_value(self, text: str) -> Any:
        """The number, true, false or null that a bare text is; Ellipsis when it is none."""
        if text in self.words:
            return self.words[text]
        if len(text) > MAX_NUMBER or not self.number.fullmatch(text):
            return Ellipsis
        value = int(text) if text.lstrip("+-").replace("_", "").isdigit() else float(text)
        return Ellipsis if value in (float("inf"), float("-inf")) else value

    def _value(self, byte: str) -> Reading:
        """The value that begins with `byte`, and the byte after it, or None where that need not be read to find the
        value's end.
        """
        containers = self.containers
        while True:
            after: str | None = None
            if byte in self.openings:
                if len(containers) == MAX_DEPTH:
                    self._fail(f"at most {MAX_DEPTH} nested values", byte)
                containers.append(Container(byte, {} if byte == "{" else []))
                byte = yield from self._skip()
                if byte != containers[-1].closing():
                    byte = yield from self._item(byte, containers[-1])
                    continue
                value = containers.pop().value()
            elif byte in self.quotes:
                value = yield from self._string(byte, "string")
            else:
                value, after = yield from self._bare(byte)
            while containers:
                inner = containers[-1]
                inner.add(value)
                if after is None or after in SPACE:
                    after = yield from self._skip()
                if after == ",":
                    inner.promised = True
                    inner.commas += 1
                    after = yield from self._skip()
                    if not (self.trailing_commas and after == inner.closing()):
                        byte = yield from self._item(after, inner)
                        break
                if after != inner.closing():
                    self._fail(f", or {inner.closing()}", after)
                value, after = containers.pop().value(), None
            else:
                return value, after

    def _item(self, byte: str, container: Container) -> Reading:
        """Reads up to the first byte of an item's value: through its key, in an object."""
        if isinstance(container.items, list):
            return byte
        key = yield from self._key(byte, "key")
        if key in container.items:
            self._fail("another key", key)
        container.key = key
        yield from self._colon()
        return (yield from self._skip())

    def _key(self, byte: str, what: str) -> Reading:
        """The key of an item, or the name of an argument, that begins with `byte`."""
        if byte not in self.quotes:
            self._fail("an argument" if what == "argument" else "a key", byte)
        return (yield from self._string(byte, what))

    def _colon(self) -> Reading:
        """The colon after a key."""
        self._expect(":", (yield from self._skip()))


def unescape(text: str) -> str:
    """The string that the text between two quotes stands for; half a surrogate pair becomes U+FFFD."""
    if "\\" not in text:
        return text
    text = ESCAPE.sub(_character, text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(escape: re.Match[str]) -> str:
    """What an escape stands for; U+FFFD for a code point that there is none of."""
    digits = escape[1] or escape[2] or escape[3]
    if not digits:
        return ESCAPED.get(escape[4], escape[4])
    return chr(int(digits, 16)) if int(digits, 16) <= sys.maxunicode else "\ufffd"


class PythonLiterals(Literals):
    """Literals whose values are JSON or Python literals."""

    escapes = JSON_ESCAPES | {"'": 0, "x": 2, "U": 8}
    quotes = "\"'"
    words = JSON_WORDS | {"True": True, "False": False, "None": None}
    number = PYTHON_NUMBER
    openings = "[{("
    trailing_commas = True


class JsonText(Literals):
    """Reads a text that is one JSON value, `value`."""

    value: Any = None

    def _answer(self) -> Reading:
        value, byte = yield from self._value((yield from self._skip()))
        if byte is None or byte in SPACE:
            byte = yield from self._skip()
        self._expect(END, byte)
        self.value = value


def value_of(text: str, reader: JsonText) -> Any:
    """The value that a whole text is to a new reader, or Ellipsis where it is none."""
    reader.feed(text.encode())
    reader.finish()
    return Ellipsis if reader.error else reader.value
