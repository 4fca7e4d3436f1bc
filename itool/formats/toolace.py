"""Team-ACE/ToolACE: tools as a JSON list inside the system prompt, and calls as `[f(a=1, b="x"), g()]` [O].

The names of functions may hold spaces, dots and parentheses. A turn of `tool` is a JSON list with a name and results
for each call. The sentences of the prompt that explain how to call are left out, because each model is told of calls in
its own dialect; the prompt keeps what else it says, such as the time.
"""

import re
from functools import partial
from typing import Any

from itool.errors import UserError
from itool.formats.fields import Message, assistant, call, json_text, merged, parsed
from itool.formats.names import legal_name, with_legal_names
from itool.formats.prompts import literals_in, without_sentences
from itool.formats.turns import Turn, messages_of, turns
from itool.toolcall.literals import END, SPACE, PythonLiterals, Reading

ROLES = ("user", "assistant", "tool")
OBJECTS = re.compile(r"\[\s*\{")
WHOLE = re.compile(rb"\A\[")
ABOUT_CALLS = re.compile(
    r"composing functions|set of possible functions|function/tool call|none of the functions? can be used"
    r"|lacks the parameters required by|tools? call sections?|functions in JSON format|return the function call"
    r"|invoke any of the function|format of \[|(?:no|any) other text",
    re.IGNORECASE,
)


def matches(record: dict[str, Any]) -> bool:
    """Whether a record has turns of user, assistant and tool, and tools in its system prompt alone."""
    system, listed = record.get("system"), record.get("conversations")
    if not isinstance(system, str) or not isinstance(listed, list) or not listed or record.get("tools"):
        return False
    roles = [turn.get("from") if isinstance(turn, dict) else None for turn in listed]
    shown = '"name"' in system and "<tools>" not in system and OBJECTS.search(system)
    return bool(shown) and all(isinstance(role, str) and role in ROLES for role in roles)


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record as {"tools": [...], "messages": [...]} in OpenAI's form. Raises UserError naming the field."""
    listed = turns(record, where, beside=("system",))
    if not listed or listed[0].role != "system":
        raise UserError(f"{where}: system: found nothing, expected a prompt with a JSON list of functions")
    specs, prompt = _tools_and_prompt(listed[0])
    answer = partial(_answer, known=_any_of([spec["name"] for spec in specs]))
    system = [{"role": "system", "content": prompt}] if prompt else []
    messages = merged(messages_of(listed[1:], answer, _results))
    return {"tools": with_legal_names(specs, f"{where}: system"), "messages": system + messages}


def _tools_and_prompt(turn: Turn) -> tuple[list[dict[str, Any]], str]:
    """The first list of functions in a prompt, and what else the prompt says. An empty list shows no tools."""
    lists = [found for found in literals_in(turn.text, "[") if all(map(_is_function, found[0]))]
    if not lists:
        raise UserError(f"{turn.where}: found no JSON list of functions with names, expected one")
    specs, start, end = next((found for found in lists if found[0]), lists[0])
    return specs, without_sentences(f"{turn.text[:start]}\n{turn.text[end:].lstrip('.')}", ABOUT_CALLS)


def _is_function(value: Any) -> bool:
    return isinstance(value, dict) and "name" in value


def _any_of(names: list[Any]) -> re.Pattern[bytes]:
    """What matches one of the names, which may hold any character, and the parenthesis after it."""
    written = {name.strip().encode(errors="surrogatepass") for name in names if isinstance(name, str)} - {b""}
    longest_first = sorted(written, key=lambda name: (-len(name), name))
    return re.compile(rb"(?:" + b"|".join(map(re.escape, longest_first)) + rb")\s*\(" if written else rb"(?!)")


def _answer(turn: Turn, known: re.Pattern[bytes]) -> Message:
    """The text and the calls of an answer. A list of calls opens with the name of a tool, or is the whole answer."""
    text = turn.text.strip()
    lists = CallLists(text, known, re.compile(rb"\[\s*" + known.pattern))
    if lists.error:
        raise UserError(f"{turn.where}: calls: byte {lists.error.position}: {lists.error.reason}")
    if not lists.calls:
        whole = CallLists(text, known, WHOLE)
        lists = lists if whole.error or whole.beside() else whole
    return assistant(lists.beside(), [call(each, turn.where) for each in lists.calls])


def _results(text: str) -> list[Message]:
    """A message for each result of a list of names and results; the whole text as one where it is anything else."""
    try:
        listed = parsed(text, "")
    except UserError:
        listed = None
    if not isinstance(listed, list) or not listed or not all(map(_is_result, listed)):
        return [{"role": "tool", "content": text}]
    return [
        {"role": "tool", "name": legal_name(each["name"]), "content": json_text(each["results"])} for each in listed
    ]


def _is_result(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"name", "results"} and isinstance(value["name"], str)


class CallLists(PythonLiterals):
    """Reads the lists of calls in an answer: `calls`, in the bytes of `spans`.

    known: matches the name of a tool and the parenthesis after it; other names end at the first parenthesis. opening:
    matches where a list begins.
    """

    raw_newlines = True

    def __init__(self, answer: str, known: re.Pattern[bytes], opening: re.Pattern[bytes]) -> None:
        self.known, self.opening = known, opening
        self.calls: list[dict[str, Any]] = []
        self.spans: list[tuple[int, int]] = []
        super().__init__()
        self.feed(answer.encode())
        self.finish()

    def beside(self) -> str:
        """The text beside the lists."""
        bounds = [0, *(bound for span in self.spans for bound in span), len(self.data)]
        texts = zip(bounds[::2], bounds[1::2], strict=True)
        return b"".join(self.data[start:end] for start, end in texts).decode().strip()

    def _answer(self) -> Reading:
        byte = yield
        while found := self.opening.search(self.data, self._position):
            while self._position < found.start():
                byte = yield
            yield from self._list(byte)
            self.spans.append((found.start(), self._position + 1))
            byte = yield

    def _list(self, byte: str) -> Reading:
        self._expect("[", byte)
        byte = ","
        while byte == ",":
            yield from self._call()
            byte = yield from self._skip()
        self._expect("]", byte)

    def _call(self) -> Reading:
        name = yield from self._function((yield from self._skip()))
        arguments: dict[str, Any] = {}
        byte = yield from self._skip()
        while byte != ")":
            argument = yield from self._named("=", byte)
            if argument in arguments:
                self._fail("another argument", argument)
            arguments[argument], after = yield from self._value((yield from self._skip()))
            byte = (yield from self._skip()) if after is None or after in SPACE else after
            if byte == ",":
                byte = yield from self._skip()
            elif byte != ")":
                self._fail(", or )", byte)
        self.calls.append({"name": name, "arguments": arguments})

    def _function(self, byte: str) -> Reading:
        """The name of a function that begins with `byte`, up to the parenthesis after it."""
        start = self._position
        if known := self.known.match(self.data, start):
            while self._position < known.end() - 1:
                yield
            return self.data[start : self._position].decode().strip()
        return (yield from self._named("(", byte))

    def _named(self, last: str, byte: str) -> Reading:
        """The name that begins with `byte` and ends before `last`."""
        start = self._position
        while byte != last:
            if byte is END or byte in "[](){}=,\"'\n":
                self._fail(last, byte)
            byte = yield
        name = self.data[start : self._position].decode().strip()
        if not name:
            self._fail("a name", last)
        return name
