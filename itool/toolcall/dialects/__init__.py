"""The dialects by their names in params.yaml, and reading answers in them.

A dialect is a module with `render`, `parse`, `Scanner` and `IN_TEMPLATES`, and it registers here alone. `IN_TEMPLATES`:
whether chat templates that write the `tool_calls` of earlier turns write them in this dialect.
"""

from types import ModuleType

from itool.toolcall.dialects import hermes, pythonic
from itool.toolcall.types import Answer, Unparseable

DIALECTS: dict[str, ModuleType] = {"pythonic": pythonic, "hermes": hermes}


def read_answer(dialect: ModuleType, text: str, finished: bool) -> Answer | Unparseable:
    """The text as an answer, or why it is none.

    `finished`: whether the model ended its turn. An answer cut by the length limit is unparseable, also where the part
    that is there would parse [O].
    """
    if not finished:
        return Unparseable(len(text.encode()), "cut by the length limit")
    try:
        answer: Answer = dialect.parse(text)
    except Unparseable as error:
        return error
    return answer
