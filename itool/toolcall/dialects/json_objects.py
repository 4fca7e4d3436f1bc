"""Calls as JSON objects, `{"name": "f", "arguments": {"a": 1}}`, between tags, in a list, or bare.

Hermes, Qwen2.5 and 3, Granite, Mistral, Command, Phi, xLAM, Llama 3 and others differ in the tags and in two words.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.dialects.tags import Tagged
from itool.toolcall.literals import END, SPACE, JsonText, Reading, value_of
from itool.toolcall.types import Call, Tool, Unparseable

ARGUMENTS = ("arguments", "parameters")  # a call that has another family's word is no call without arguments


@dataclass(frozen=True)
class JsonObjects(Dialect):
    """opening, closing: the tags, or "" where there are none. shared: one pair of tags holds all calls, and not one
    each. listed: the calls stand in a JSON list. between: what separates the calls of one pair of tags. space: what
    stands inside the tags. name_key, arguments_keys: the two words; calls are written with the first of the latter.
    Where name_key is "", a call is `{"f": {"a": 1}}`.
    """

    opening: str = "<tool_call>"
    closing: str = "</tool_call>"
    shared: bool = False
    listed: bool = False
    between: str = "\n"
    space: str = "\n"
    name_key: str = "name"
    arguments_keys: tuple[str, ...] = ("arguments",)

    def render_calls(self, calls: tuple[Call, ...]) -> str:
        written = [self._render_call(call) for call in calls]
        if not self.shared:
            return self.between.join(self._tagged(call) for call in written)
        inside = self.between.join(written)
        return self._tagged(f"[{inside}]" if self.listed else inside)

    def _render_call(self, call: Call) -> str:
        named = {self.name_key: call.name, self.arguments_keys[0]: call.arguments}
        fields = named if self.name_key else {call.name: call.arguments}
        return json.dumps(fields, ensure_ascii=False, allow_nan=False)

    def _tagged(self, inside: str) -> str:
        return self.opening + self.space * bool(self.opening) + inside + self.space * bool(self.closing) + self.closing

    def Scanner(self, tools: Iterable[Tool] = ()) -> "Scanner":  # noqa: N802
        return Scanner(self, tools)


class Scanner(Tagged):
    """Reads calls when the opening tag stands in the text (outside a thought that opens it), else text.

    Values are JSON. The fields of a call come in any order, further fields are passed over, and no arguments are none.
    Fragments: choice `<tool_call>` with any text before it, name `\\n{"name": "f", "arguments": {`, argument
    `"a": 1` and `, "b": "x"`, next `}}\\n</tool_call>\\n<tool_call>` and `}}\\n</tool_call>`. In a list, or bare, the
    choice is `[` or `{`. Where the name follows the arguments, `}, "name": "f"` is a fragment of its own.
    """

    form: JsonObjects

    def _answer(self) -> Reading:
        form = self.form
        start, byte = (yield from self._tagged_opening()) if form.opening else (yield from self._bare_opening())
        while not self.talks:
            try:
                yield from self._call(start, byte)
            except Unparseable:
                if self.talks is False:
                    raise
                self.talks, self.text_from = True, self._position
                return
            start, byte = yield from self._after_call((yield from self._skip()))
            if byte is END:
                self.closed = True
                return

    def _tagged_opening(self) -> Reading:
        """Where the first call begins, and its first byte."""
        yield from self._find(self.form.opening)
        start = self._position + 1
        if self.talks:
            return start, END
        byte = yield from self._skip()
        if self.form.listed:
            self._expect("[", byte)
            start, byte = self._position + 1, (yield from self._skip())
        return start, byte

    def _bare_opening(self) -> Reading:
        """The same without tags: an answer calls when it begins with `{"` or `[{"`."""
        byte = yield from self._opening()
        if self.text_from < self._position or byte != ("[" if self.form.listed else "{"):
            self.talks = True
            return self._position, END
        self.presumed = False
        start = self._position + 1
        if self.form.listed:
            byte = yield from self._skip()
        return start, byte

    def _after_call(self, byte: str) -> Reading:
        """From the byte after a call: where the next one begins and its first byte, or END."""
        form = self.form
        if not form.shared:
            byte = yield from self._rest_of(form.closing, byte)
            if byte is END:
                return self._position, END
            self.promised = True
            yield from self._exactly(form.opening, byte)
            return self._position + 1, (yield from self._skip())
        separator = form.between.strip()
        if byte == separator:
            self.promised = True
            byte = yield from self._skip()
            return self._position, byte
        if byte == "{" and not separator:
            self.promised = True
            return self._position, byte
        self.closed = True
        byte = yield from self._rest_of("] " * form.listed + form.closing, byte)
        self._expect(END, byte)
        return self._position, END

    def _call(self, start: int, byte: str) -> Reading:
        """One JSON object, from its opening brace to its closing one."""
        path = f"calls[{len(self.calls)}]"
        self._mark("name", f"{path}.name", start)
        call = self._begin_call()
        self._expect("{", byte)
        self._expect('"', byte := (yield from self._skip()))
        if self.talks is None:
            self.talks = False
            self._judge_start(self.text_from)
        fields: set[str] = set()
        while True:
            field = yield from self._field(byte, fields)
            byte = yield from self._skip()
            if not self.form.name_key:
                call.name = field
                byte = yield from self._arguments(byte, path)
            elif field == self.form.name_key:
                self._expect('"', byte)
                call.name = yield from self._string(byte, "name")
                byte = yield
            elif field in self.form.arguments_keys:
                byte = yield from self._arguments(byte, path)
            else:
                _, after = yield from self._value(byte)
                byte = (yield) if after is None else after
            if byte in SPACE:
                byte = yield from self._skip()
            if byte != ",":
                break
            byte = yield from self._skip()
        if self.marks[-1][1] != "next":
            self._mark("next", f"{path}.next", self._position)
        self._expect("}", byte)
        if call.name is None:
            self._fail("a name", byte)
        self._end_call(call.name)

    def _field(self, byte: str, fields: set[str]) -> Reading:
        """The name of a call's next field, which begins with `byte`, with the colon after it."""
        self._expect('"', byte)
        field = yield from self._string('"', "field")
        foreign = self.form.name_key and field in ARGUMENTS and field not in self.form.arguments_keys
        if foreign or field in fields or (field in ARGUMENTS and fields.intersection(ARGUMENTS)):
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

    def _quoted_arguments(self, path: str) -> Reading:
        """Arguments as a string that holds a JSON object, whose opening quote was just read; returns where it ends.

        They are one fragment, because nothing of them can be judged before the string is complete.
        """
        self._mark("argument", f"{path}.arguments", self._position + 1)
        text = yield from self._string('"', "arguments")
        arguments = value_of(text, JsonText())
        if not isinstance(arguments, dict):
            self._fail("a JSON object", text)
        self.open.arguments |= arguments
        return self._position + 1


def listed(opening: str, closing: str, space: str = "", **words: Any) -> JsonObjects:
    """A dialect whose calls stand in one JSON list."""
    return JsonObjects(opening, closing, shared=True, listed=True, between=", ", space=space, **words)


JSON_OBJECTS: dict[str, Dialect] = {
    "hermes": JsonObjects(),  # Hermes, Qwen2.5, Qwen3, Granite 4
    "llama3_json": JsonObjects("", "", shared=True, between="; ", space="", arguments_keys=("parameters", "arguments")),
    "xlam": listed("", ""),
    "mistral_json": listed("[TOOL_CALLS]", ""),  # up to Nemo
    "granite": listed("<|tool_call|>", ""),
    "phi4_mini_json": listed("<|tool_call|>", "<|/tool_call|>"),
    "apriel": listed("<tool_calls>", "</tool_calls>"),
    "nemotron_json": listed("<TOOLCALL>", "</TOOLCALL>"),
    "jamba": listed("<tool_calls>", "</tool_calls>", space="\n"),
    "minimax": JsonObjects("<tool_calls>", "</tool_calls>", shared=True),
    "cohere_command3": listed(
        "<|START_ACTION|>", "<|END_ACTION|>", space="\n", name_key="tool_name", arguments_keys=("parameters",)
    ),
    "gigachat3": JsonObjects("<|function_call|>", "", space=""),
    "apertus": listed("<|tools_prefix|>", "<|tools_suffix|>", name_key=""),
}
