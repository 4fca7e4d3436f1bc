"""Calls whose arguments stand between tags: `<function=f><parameter=a>1</parameter></function>`.

Qwen3-Coder and later, Nemotron 3, GLM, MiniMax, DeepSeek from 3.2 and others differ in the tags. Values are written
without quotes: the tool's schema tells the string `1` from the number.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.dialects.tags import Tagged, without_begun
from itool.toolcall.literals import SPACE, JsonText, PythonLiterals, Reading, value_of
from itool.toolcall.schema import type_errors, types_of
from itool.toolcall.types import Call, Tool

CDATA = "<![CDATA["


@dataclass(frozen=True)
class Markup(Dialect):
    """begin, end: around all calls. opening, name_end, closing: before, after the name of, and after each call.
    key, key_end, value_end: before the name of an argument, between name and value, and after the value. typed: where a
    name is followed by whether the value is a string, what stands between the two. between: what separates calls.

    Space in a tag stands for any space, or none.
    """

    begin: str = ""
    opening: str = "<tool_call>\n<function="
    name_end: str = ">\n"
    key: str = "<parameter="
    typed: str = ""
    key_end: str = ">\n"
    value_end: str = "\n</parameter>\n"
    closing: str = "</function>\n</tool_call>"
    between: str = "\n"
    end: str = ""

    def render_calls(self, calls: tuple[Call, ...]) -> str:
        return self.begin + self.between.join(map(self._render_call, calls)) + self.end

    def _render_call(self, call: Call) -> str:
        arguments = "".join(self._render_argument(*argument) for argument in call.arguments.items())
        return self.opening + call.name + self.name_end + arguments + self.closing

    def _render_argument(self, name: str, value: Any) -> str:
        string = isinstance(value, str)
        written = value if string else json.dumps(value, ensure_ascii=False, allow_nan=False)
        typed = self.typed + json.dumps(string) if self.typed else ""
        return self.key + name + typed + self.key_end + written + self.value_end

    def Scanner(self, tools: Iterable[Tool] = ()) -> "Scanner":  # noqa: N802
        return Scanner(self, tools)


class Scanner(Tagged):
    """Reads calls when the first tag stands in the text (outside a thought that opens it), else text.

    Fragments: choice `<tool_call>` with any text before it, name `\\n<function=f>`, argument
    `\\n<parameter=a>\\n1\\n</parameter>`, next `\\n</function>\\n</tool_call>\\n<tool_call>`.
    """

    form: Markup

    def token_text(self) -> str:
        """Of a value, what has been read without a part of the tag that ends it."""
        if self.token != "raw":
            return super().token_text()
        text = self.data[self.token_start :].decode("utf-8", "replace")
        return self._unpadded(without_begun(text, self.form.value_end.strip()))

    def _answer(self) -> Reading:
        form = self.form
        first, *rest = form.opening.split()
        yield from self._find(form.begin.strip() or first)
        if self.talks:
            return
        if form.begin:
            yield from self._exactly(first, (yield from self._skip()))
        another = True
        while another:
            yield from self._call(rest)
            another = yield from self._another(first, form.end.strip(), (yield from self._skip()))

    def _call(self, opening: list[str]) -> Reading:
        """From the byte after the first opening tag, of which `opening` is the rest, to the last closing one."""
        form, path = self.form, f"calls[{len(self.calls)}]"
        self._mark("name", f"{path}.name", self._position + 1)
        call = self._begin_call()
        yield from self._tags(opening)
        call.name, byte = yield from self._word((yield), "name")
        end = self._position
        if form.name_end.strip():
            yield from self._exactly(form.name_end.strip(), byte)
            end, byte = self._position + 1, (yield)
        if byte in SPACE:
            byte = yield from self._skip()
        closing, *rest = form.closing.split()
        while (yield from self._one_of(form.key, closing, byte)) == form.key:
            self._mark("argument", f"{path}.arguments", end)
            yield from self._argument()
            end, byte = self._position + 1, (yield from self._skip())
        call.complete = True
        self._mark("next", f"{path}.next", end)
        yield from self._tags(rest)
        self._end_call(call.name)

    def _argument(self) -> Reading:
        """From the byte before an argument's name to the end of the tag after its value."""
        form, call = self.form, self.open
        name, byte = yield from self._word((yield), "argument")
        self._begin_value(call, name)
        string = None
        if form.typed:
            yield from self._exactly(form.typed, byte)
            word, byte = yield from self._word((yield), "type")
            string = word == "true"
        first, *rest = form.key_end.split()
        yield from self._exactly(first, byte)
        yield from self._tags(rest)
        text = self._unpadded((yield from self._until(form.value_end.strip(), "raw")))
        call.arguments[name], call.argument = self._value_of(text, name, string), None

    def _unpadded(self, text: str) -> str:
        """The text of a value, without a newline at either side where the dialect writes them, and outside of CDATA."""
        if text.startswith(CDATA) and text.endswith("]]>"):
            return text[len(CDATA) : -3]
        return text.removeprefix("\n").removesuffix("\n") if self.form.value_end.startswith("\n") else text

    def _value_of(self, text: str, argument: str, string: bool | None) -> Any:
        """What a written value stands for. `string`: what the model says about it, if the dialect has it say so."""
        tool = self.tools.get(self.open.name or "")
        schema = tool.properties.get(argument, {}) if tool else {}
        allowed = types_of(schema)
        if string or (string is None and allowed == ("string",)):
            return text
        value = value_of(text, Literal())
        if value is Ellipsis or (string is None and "string" in allowed and type_errors(value, schema)):
            return text
        return value

    def _tags(self, tags: list[str]) -> Reading:
        """Fixed texts with any space before each."""
        for tag in tags:
            yield from self._exactly(tag, (yield from self._skip()))


class Literal(PythonLiterals, JsonText):
    """JSON, or Python's own writing, which some templates use for true, false, null, lists and objects."""


DSML: Markup = Markup(
    begin="<｜DSML｜function_calls>\n",
    opening='<｜DSML｜invoke name="',
    name_end='">\n',
    key='<｜DSML｜parameter name="',
    typed='" string="',
    key_end='">',
    value_end="</｜DSML｜parameter>\n",
    closing="</｜DSML｜invoke>",
    end="\n</｜DSML｜function_calls>",
)
MARKUP: dict[str, Markup] = {
    "qwen3_coder": Markup(),  # Qwen3-Coder, Qwen3.5 and later, Nemotron 3, Step 3.5
    "seed_oss": Markup(
        opening="<seed:tool_call>\n<function=",
        key_end=">",
        value_end="</parameter>\n",
        closing="</function>\n</seed:tool_call>",
    ),
    "glm45": Markup(
        opening="<tool_call>",
        name_end="\n",
        key="<arg_key>",
        closing="</tool_call>",
        key_end="</arg_key>\n<arg_value>",
        value_end="</arg_value>\n",
    ),
    "glm47": Markup(
        opening="<tool_call>",
        name_end="",
        key="<arg_key>",
        closing="</tool_call>",
        key_end="</arg_key><arg_value>",
        value_end="</arg_value>",
        between="",
    ),
    "minimax_m2": Markup(
        begin="<minimax:tool_call>\n",
        opening='<invoke name="',
        name_end='">\n',
        key='<parameter name="',
        key_end='">',
        value_end="</parameter>\n",
        closing="</invoke>",
        end="\n</minimax:tool_call>",
    ),
    "minicpm5": Markup(
        opening='<function name="',
        name_end='">',
        key='<param name="',
        key_end='">',
        value_end="</param>",
        closing="</function>",
    ),
    "deepseek_v32": DSML,
    "deepseek_v4": replace(DSML, begin="<｜DSML｜tool_calls>\n", end="\n</｜DSML｜tool_calls>"),
    "hy_v3": Markup(
        begin="<tool_calls:opensource>\n",
        opening="<tool_call:opensource>",
        name_end="<tool_sep:opensource>\n",
        key="<arg_key:opensource>",
        key_end="</arg_key:opensource>\n<arg_value:opensource>",
        value_end="</arg_value:opensource>\n",
        closing="</tool_call:opensource>",
        end="\n</tool_calls:opensource>",
    ),
}
MARKUP["deepseek_v4"] = replace(MARKUP["deepseek_v32"], begin="<｜DSML｜tool_calls>\n", end="\n</｜DSML｜tool_calls>")
