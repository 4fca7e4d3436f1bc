"""The dialect of Hermes and Qwen: `<tool_call>\\n{"name": "f", "arguments": {"a": 1}}\\n</tool_call>` for each call."""

import json

from itool.toolcall.grammar import END, SPACE, Grammar, JsonText, Reading
from itool.toolcall.types import Answer, Call

OPEN, CLOSE = "<tool_call>", "</tool_call>"
IN_TEMPLATES = True
FOREIGN = ("parameters",)  # another family's word for the arguments: a call that has it is no call without arguments


def render(answer: Answer) -> str:
    """An answer as the model is to write it. Text stays as it is."""
    if not answer.calls:
        return answer.text
    return "\n".join(_render_call(call) for call in answer.calls)


def _render_call(call: Call) -> str:
    block = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False, allow_nan=False)
    return f"{OPEN}\n{block}\n{CLOSE}"


def parse(text: str) -> Answer:
    """Calls when `<tool_call>` stands in the text (outside a thought that opens it), else text. Raises Unparseable.

    Values are JSON. The fields of a call come in any order, further fields are passed over, and no arguments are none.
    """
    return Scanner().read(text)


class Scanner(Grammar):
    """Fragments: choice `<tool_call>` with any text before it, name `\\n{"name": "f", "arguments": {`, argument
    `"a": 1` and `, "b": "x"`, next `}}\\n</tool_call>\\n<tool_call>` and `}}\\n</tool_call>`.

    Where the name follows the arguments, `}, "name": "f"` is a fragment of its own.
    """

    def _answer(self) -> Reading:
        byte = yield from self._opening()
        while not self._ends_with(OPEN.encode()):
            if byte is END:
                self.talks = True
                return
            if not OPEN.encode().startswith(self.data[self.text_from : self._position + 1]):
                self.presumed = True
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
        fields: set[str] = set()
        self._expect("{", (yield from self._skip()))
        byte = ","
        while byte == ",":
            field = yield from self._field(fields)
            byte = yield from self._skip()
            if field == "name":
                self._expect('"', byte)
                call.name = yield from self._string(byte, "name")
                byte = yield
            elif field == "arguments":
                byte = yield from self._arguments(byte, path)
            else:
                _, after = yield from self._value(byte)
                byte = (yield) if after is None else after
            if byte in SPACE:
                byte = yield from self._skip()
        if self.marks[-1][1] != "next":
            self._mark("next", f"{path}.next", self._position)
        self._expect("}", byte)
        if call.name is None:
            self._fail("a name", byte)
        self._end_call(call.name)

    def _field(self, fields: set[str]) -> Reading:
        """The name of a call's next field, with the colon after it."""
        self._expect('"', (yield from self._skip()))
        field = yield from self._string('"', "field")
        if field in fields or field in FOREIGN:
            self._fail("another field", field)
        fields.add(field)
        self._expect(":", (yield from self._skip()))
        return field

    def _arguments(self, byte: str, path: str) -> Reading:
        """The arguments, which begin with `byte`, and the byte after them."""
        call = self.open
        if byte == '"':
            end = yield from self._quoted_arguments(path)
        else:
            self._expect("{", byte)
            end = yield from self._written_arguments(path)
        call.complete = True
        kind = "name" if call.name is None else "next"
        self._mark(kind, f"{path}.{kind}", end)
        return (yield)

    def _written_arguments(self, path: str) -> Reading:
        """Arguments as an object whose opening brace was just read; returns where the last argument ends."""
        call, end = self.open, self._position + 1
        byte = yield from self._skip()
        while byte == "," or (byte not in ("}", END) and not call.arguments):
            self._mark("argument", f"{path}.arguments", end)
            if call.arguments:
                call.promised = True
                byte = yield from self._skip()
            if byte != '"':
                self._fail("an argument", byte)
            argument = yield from self._string(byte, "argument")
            self._begin_value(call, argument)
            self._expect(":", (yield from self._skip()))
            byte = yield from self._argument_value((yield from self._skip()), argument)
            end = self._position
            if byte in SPACE:
                byte = yield from self._skip()
        if byte != "}":
            self._mark("next", f"{path}.next", end)
            self._fail(", or }", byte)
        return end

    def _quoted_arguments(self, path: str) -> Reading:
        """Arguments as a string that holds a JSON object, whose opening quote was just read; returns where it ends.

        They are one fragment, because nothing of them can be judged before the string is complete.
        """
        self._mark("argument", f"{path}.arguments", self._position + 1)
        text = yield from self._string('"', "arguments")
        reader = JsonText()
        reader.feed(text.encode())
        reader.finish()
        if not isinstance(reader.value, dict):
            self._fail("a JSON object", text)
        self.open.arguments |= reader.value
        return self._position + 1

    def _rest_of(self, text: str, byte: str) -> Reading:
        """A fixed text whose first byte is `byte`."""
        for i, expected in enumerate(text):
            if i:
                byte = yield
            if byte != expected:
                self._fail(text, byte)
