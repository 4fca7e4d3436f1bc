"""glaive-function-calling-v2: `system` shows functions as JSON objects one after another, `chat` is one text [O].

The turns of the chat begin with USER:, ASSISTANT: and FUNCTION RESPONSE:, those of the assistant end with
`<|endoftext|>`. A call is `<functioncall> {"name": "f", "arguments": '{"a": 1}'}`, with JSON in single quotes that
escape nothing. Entries of the assistant that follow each other are one turn, and an entry that repeats the calls of the
one before it adds none: the published set has such repetitions.
"""

import re
from collections.abc import Iterator
from typing import Any

from itool.errors import UserError
from itool.formats.fields import Message, assistant, call, calls_of, check_record, merged, text_of
from itool.formats.names import with_legal_names
from itool.formats.prompts import literals_at, without_sentences
from itool.toolcall.schema import short

ROLES = {"USER": "user", "ASSISTANT": "assistant", "FUNCTION RESPONSE": "tool"}
SPEAKER = re.compile(r"^[^\S\n]*(USER|ASSISTANT|FUNCTION RESPONSE):", re.MULTILINE)
CALL, END = "<functioncall>", "<|endoftext|>"
QUOTED = re.compile(r"""\{\s*"name"\s*:\s*"([^"]*)"\s*,\s*"arguments"\s*:\s*'(.*)'\s*\}""", re.DOTALL)
ABOUT_FUNCTIONS = re.compile(r"access to the following functions|use them if required", re.IGNORECASE)


def matches(record: dict[str, Any]) -> bool:
    """Whether a record is a chat in one text."""
    chat = record.get("chat")
    return isinstance(chat, str) and bool(SPEAKER.search(chat))


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record as {"tools": [...], "messages": [...]} in OpenAI's form. Raises UserError naming the field.

    A row without functions has no tools, and keeps its prompt.
    """
    check_record(record, ("system", "chat"), where)
    specs, prompt = _tools_and_prompt(text_of(record.get("system"), f"{where}: system"), f"{where}: system")
    system = [{"role": "system", "content": prompt}] if prompt else []
    messages = merged(_messages(text_of(record.get("chat"), f"{where}: chat"), f"{where}: chat"))
    return {"tools": with_legal_names(specs, f"{where}: system"), "messages": system + messages}


def _tools_and_prompt(system: str, where: str) -> tuple[list[Any], str]:
    """The functions that a prompt shows, and what it says of its own."""
    system = system.strip().removeprefix("SYSTEM:")
    start = system.find("{") if "{" in system else len(system)
    specs, end = literals_at(system, start, f"{where}: function")
    return specs, without_sentences(f"{system[:start]}\n{system[end:]}", ABOUT_FUNCTIONS)


def _messages(chat: str, where: str) -> Iterator[tuple[str, Message]]:
    """The turns of a chat, with their places for errors."""
    before, *parts = SPEAKER.split(chat)
    if before.strip():
        raise UserError(f"{where}: found {short(before)}, expected USER: or ASSISTANT: at its beginning")
    last: list[dict[str, Any]] = []
    for number, (speaker, text) in enumerate(zip(parts[::2], parts[1::2], strict=True), start=1):
        place = f"{where}: turn {number}"
        if speaker != "ASSISTANT":
            last = []
            yield place, {"role": ROLES[speaker], "content": text.replace(END, "").strip()}
            continue
        beside, calls = _text_and_calls(text, place)
        yield place, assistant(beside, [] if calls == last else calls)
        last = calls or last


def _text_and_calls(text: str, where: str) -> tuple[str, list[dict[str, Any]]]:
    """The text and the calls of the assistant's entry."""
    texts, calls = [], []
    for entry in text.split(END):
        beside, *written = entry.split(CALL)
        texts.append(beside.strip())
        calls += [each for one in written for each in _calls(one.strip(), where)]
    return "\n".join(filter(None, texts)), calls


def _calls(text: str, where: str) -> list[dict[str, Any]]:
    """The call that a text is. A quote inside its quoted arguments may be escaped as in Python, or not at all."""
    quoted = QUOTED.fullmatch(text)
    if not quoted:
        return calls_of(text, where)
    try:
        return [call({"name": quoted[1], "arguments": quoted[2]}, where)]
    except UserError:
        return [call({"name": quoted[1], "arguments": quoted[2].replace("\\'", "'")}, where)]
