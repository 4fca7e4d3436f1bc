"""The dialects by their names in params.yaml, and reading answers in them.

A dialect is an instance of one of the families in this folder, each a subclass of `Dialect`, and it registers here
alone.
"""

from collections.abc import Iterable
from dataclasses import replace

from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.dialects.gemma import GEMMA
from itool.toolcall.dialects.json_objects import JSON_OBJECTS
from itool.toolcall.dialects.markup import MARKUP
from itool.toolcall.dialects.named_json import NAMED_JSON
from itool.toolcall.dialects.pythonic import PYTHONIC
from itool.toolcall.types import Answer, Call, Tool, Unparseable

DIALECTS: dict[str, Dialect] = PYTHONIC | JSON_OBJECTS | NAMED_JSON | MARKUP | GEMMA


def read_answer(dialect: Dialect, text: str, finished: bool, tools: Iterable[Tool] = ()) -> Answer | Unparseable:
    """The text as an answer, or why it is none.

    `finished`: whether the model ended its turn. An answer cut by the length limit is unparseable, also where the part
    that is there would parse [O]. `tools`: those shown, whose schemas type the values of some dialects.
    """
    if not finished:
        return Unparseable(len(text.encode()), "cut by the length limit")
    try:
        return dialect.parse(text, tools)
    except Unparseable as error:
        return error


def reading(
    text: str, calls: tuple[Call, ...], tools: Iterable[Tool], names: Iterable[str] = DIALECTS, opened: str = ""
) -> str | None:
    """Which of the named dialects reads the calls in a text, best one that writes them so, too; None if none does.

    `opened`: the tag that ends the thought inside which the text begins, if it does.
    """
    tools = list(tools)
    able = [name for name in names if _reads(replace(DIALECTS[name], thought_end=opened), text, calls, tools)]
    same = [name for name in able if DIALECTS[name].render_calls(calls) == text.strip()]
    return next(iter(same + able), None)


def _reads(dialect: Dialect, text: str, calls: tuple[Call, ...], tools: list[Tool]) -> bool:
    try:
        return dialect.parse(text, tools).calls == calls
    except Unparseable:
        return False
