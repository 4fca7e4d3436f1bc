"""What layouts of turns share, be they `from` and `value` or `role` and `content`: which turns there are, and each as
a message [O].
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from itool.errors import UserError
from itool.formats.fields import (
    Message,
    answered,
    assistant,
    calls_of,
    check_message,
    check_record,
    checked,
    items,
    json_text,
    one_of,
    result_text,
    text_of,
    weight_of,
)

# The key of a turn's role, and the key of its text.
KEYS = {"from": "value", "role": "content"}
# What the roles of the layouts are here. A `call` is an assistant's turn that is nothing but calls.
ROLES = {
    "system": "system",
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant"), "assistant"),
    **dict.fromkeys(("function_call", "tool_call"), "call"),
    **dict.fromkeys(("observation", "tool", "tool_response"), "tool"),
}


@dataclass(frozen=True)
class Turn:
    """A turn. role: system, user, assistant, call or tool. where: names the turn's text in errors. beside: what its
    message says beside role and content.
    """

    role: str
    text: str
    where: str
    beside: dict[str, Any] = field(default_factory=dict)

    def message(self) -> Message:
        """The turn as one message. Raises UserError for calls that are none."""
        if self.role == "call":
            return assistant("", calls_of(self.text, self.where)) | self.beside
        return {"role": self.role, "content": self.text} | self.beside


def field_of(record: dict[str, Any]) -> str:
    """The field that holds a record's turns."""
    return "messages" if not record.get("conversations") and "messages" in record else "conversations"


def roles_of(record: dict[str, Any]) -> list[tuple[str, str]]:
    """(role, text) of the turns of a record for which both are texts; nothing where it has none. Never raises."""
    found = [(turn.get(key := _role_key(turn)), turn.get(KEYS[key])) for turn in _objects(record)]
    return [(role, text) for role, text in found if isinstance(role, str) and isinstance(text, str)]


def has_turns(record: dict[str, Any]) -> bool:
    """Whether a record has turns that are no messages of OpenAI: `conversations`, or turns of `from`. Never raises."""
    found = _objects(record)
    return bool(found) and (field_of(record) == "conversations" or any(turn.get("from") for turn in found))


def _objects(record: dict[str, Any]) -> list[dict[str, Any]]:
    listed = record.get(field_of(record))
    return [turn for turn in listed if isinstance(turn, dict)] if isinstance(listed, list) else []


def turns(record: dict[str, Any], where: str, beside: tuple[str, ...] = ("system", "tools")) -> list[Turn]:
    """The turns of a record, a system prompt of the record's own first. An empty system prompt is none.

    `beside`: the fields that the layout reads beside the turns. Raises UserError naming the field.
    """
    name = field_of(record)
    check_record(record, (name, *beside), where)
    found = [_turn(turn, at) for turn, at in items(record.get(name), f"{where}: {name}")]
    own = Turn("system", text_of(record.get("system"), f"{where}: system"), f"{where}: system")
    first = found[0].text.strip() if found and found[0].role == "system" else ""
    if first and own.text.strip() not in ("", first):
        raise UserError(f"{where}: system: found another prompt than that of {name}[0], expected one of them")
    return [turn for turn in ([] if first else [own]) + found if turn.role != "system" or turn.text.strip()]


def messages_of(
    listed: Iterable[Turn], answer: Callable[[Turn], Message], results: Callable[[str], list[Message]]
) -> Iterator[tuple[str, Message]]:
    """The messages of turns with their places. `answer` reads an assistant's text, `results` what tools return."""
    for turn in listed:
        if turn.role == "assistant":
            read = [answer(turn)]
        else:
            read = results(turn.text) if turn.role == "tool" else [turn.message()]
        yield from ((turn.where, message | turn.beside) for message in read)


def _role_key(turn: dict[str, Any]) -> str:
    return "role" if turn.get("from") is None and "role" in turn else "from"


def _turn(turn: Any, where: str) -> Turn:
    turn = checked(turn, dict, where)
    key = _role_key(turn)
    role = ROLES[one_of(turn.get(key), ROLES, f"{where}.{key}")]
    check_message(turn, (key, KEYS[key]), where)
    value, place = turn.get(KEYS[key]), f"{where}.{KEYS[key]}"
    if role == "call" and value is not None:
        value = json_text(value)
    read = result_text if role == "tool" else text_of
    return Turn(role, read(value, place), place, _beside(turn, role, where))


def _beside(turn: dict[str, Any], role: str, where: str) -> dict[str, Any]:
    """What a message keeps of a turn beside its role and text."""
    if role == "tool":
        return answered(turn)
    return weight_of(turn, where) if role in ("assistant", "call") else {}
