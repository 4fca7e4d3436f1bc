"""Calls as a name and a JSON object of arguments, `[TOOL_CALLS]f[ARGS]{"a": 1}`: Mistral, DeepSeek, Kimi and others."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.dialects.tags import Tagged
from itool.toolcall.literals import Reading
from itool.toolcall.types import Call, Tool


@dataclass(frozen=True)
class NamedJson(Dialect):
    """begin, end: around all calls. opening, closing: around each. header: what stands before `arguments`, with the
    fields {name} and {index}; pattern: a header as models write it, with the group `name`. between: what separates
    calls.
    """

    begin: str = ""
    opening: str = "[TOOL_CALLS]"
    header: str = "{name}"
    pattern: str = r"(?P<name>.+)"
    arguments: str = "[ARGS]"
    closing: str = ""
    between: str = ""
    end: str = ""

    def render_calls(self, calls: tuple[Call, ...]) -> str:
        return self.begin + self.between.join(self._render(i, call) for i, call in enumerate(calls)) + self.end

    def _render(self, index: int, call: Call) -> str:
        arguments = json.dumps(call.arguments, ensure_ascii=False, allow_nan=False)
        header = self.header.format(name=call.name, index=index)
        return self.opening + header + self.arguments + arguments + self.closing

    def Scanner(self, tools: Iterable[Tool] = ()) -> "Scanner":  # noqa: N802
        return Scanner(self, tools)


class Scanner(Tagged):
    """Reads calls when the first tag stands in the text (outside a thought that opens it), else text.

    Fragments: choice `[TOOL_CALLS]` with any text before it, name `f[ARGS]{`, argument `"a": 1` and `, "b": "x"`, next
    `}[TOOL_CALLS]` and `}`.
    """

    form: NamedJson

    def _answer(self) -> Reading:
        form = self.form
        yield from self._find(form.begin.strip() or form.opening)
        if self.talks:
            return
        if form.begin:
            yield from self._exactly(form.opening, (yield from self._skip()))
        another = True
        while another:
            yield from self._call()
            byte = yield from self._rest_of(form.closing, (yield from self._skip()))
            another = yield from self._another(form.opening, form.end.strip(), byte)

    def _call(self) -> Reading:
        """From the byte after the opening tag to the closing brace of the arguments."""
        path = f"calls[{len(self.calls)}]"
        self._mark("name", f"{path}.name", self._position + 1)
        call = self._begin_call()
        header = yield from self._until(self.form.arguments.strip(), "header")
        found = re.fullmatch(self.form.pattern, header.strip())
        if not found:
            self._fail("a name", header)
        call.name = found["name"]
        self._expect("{", (yield from self._skip()))
        end = yield from self._written_arguments(path)
        call.complete = True
        self._mark("next", f"{path}.next", end)
        self._end_call(call.name)


DEEPSEEK = ("<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>")
NAMED_JSON: dict[str, Dialect] = {
    "mistral": NamedJson(pattern=r"(?P<name>[^\[]+)(?:\[CALL_ID\].*)?"),  # from Small 3.2 on
    "functionary": NamedJson(opening="<function=", arguments=">", closing="</function>"),
    "kimi_k2": NamedJson(
        begin="<|tool_calls_section_begin|>",
        opening="<|tool_call_begin|>",
        header="functions.{name}:{index}",
        pattern=r"(?:functions\.)?(?P<name>.+?)(?::\d+)?",
        arguments="<|tool_call_argument_begin|>",
        closing="<|tool_call_end|>",
        end="<|tool_calls_section_end|>",
    ),
    "deepseek_v31": NamedJson(
        *DEEPSEEK, arguments="<｜tool▁sep｜>", closing="<｜tool▁call▁end｜>", end="<｜tool▁calls▁end｜>"
    ),
    "deepseek_v3": NamedJson(
        *DEEPSEEK,
        header="function<｜tool▁sep｜>{name}",
        pattern=r"function<｜tool▁sep｜>(?P<name>.+)",
        arguments="\n```json\n",
        closing="\n```<｜tool▁call▁end｜>",
        between="\n",
        end="<｜tool▁calls▁end｜>",
    ),
    "solar": NamedJson(
        begin="<|tool_calls|>",
        opening="<|tool_call:begin|>",
        header="{index:010d}<|tool_call:name|>{name}",
        pattern=r".*<\|tool_call:name\|>(?P<name>.+)",
        arguments="<|tool_call:args|>",
        closing="<|tool_call:end|>",
    ),
}
