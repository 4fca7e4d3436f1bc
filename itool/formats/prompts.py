"""What layouts share that write tools into a prompt: literals that stand in a text, and the rest of the prompt [O].

All of it takes time in proportion to the length of the text.
"""

import re
from collections.abc import Iterator
from typing import Any

from itool.errors import UserError
from itool.files import MAX_NESTING
from itool.formats.fields import parsed
from itool.toolcall.literals import CLOSING
from itool.toolcall.schema import short

# All that may stand between the brackets of a JSON or Python literal.
FILLING = re.compile(
    r"""(?:[\s,:]|"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+'|[-+]?[\d.][\w.+-]*+|(?i:true|false|null|none)\b)*+"""
)
GAP = re.compile(r"[\s,]*")  # between literals that stand one after another
SENTENCE = re.compile(r".+?(?:[.!?:](?=\s)|\.(?=[A-Z][a-z])|\n(?![a-z ])|\Z)\s*", re.DOTALL)


def literal_at(text: str, start: int) -> tuple[Any, int]:
    """The JSON or Python list or object that begins at a bracket of a text, and the place where it ends; Ellipsis where
    there is none, and the place where it breaks off.
    """
    awaited: list[str] = []  # brackets, the next one last
    place = start
    while place < len(text):
        if text[place] in CLOSING and len(awaited) < MAX_NESTING:
            awaited.append(CLOSING[text[place]])
        elif not awaited or text[place] != awaited.pop():
            break
        place += 1
        if not awaited:
            return _value(text[start:place]), place
        filling = FILLING.match(text, place)
        place = filling.end() if filling else place
    return ..., place


def _value(text: str) -> Any:
    try:
        return parsed(text, "")
    except UserError:
        return ...


def literals_at(text: str, start: int, where: str) -> tuple[list[Any], int]:
    """The lists and objects that stand one after another from a place of a text, and where they end."""
    values: list[Any] = []
    while text.startswith(("{", "["), start):
        value, end = literal_at(text, start)
        if value is Ellipsis:
            raise UserError(f"{where}[{len(values)}]: found {short(text[start : start + 80])}, expected JSON")
        values.append(value)
        gap = GAP.match(text, end)
        start = gap.end() if gap else end
    return values, start


def literals_in(text: str, bracket: str) -> Iterator[tuple[Any, int, int]]:
    """(value, start, end) of each list or object in a text that begins with this bracket and stands in no other.

    The search goes on where one ends or breaks off.
    """
    start = text.find(bracket)
    while start >= 0:
        value, end = literal_at(text, start)
        if value is not Ellipsis:
            yield value, start, end
        start = text.find(bracket, end)


def without_sentences(text: str, about: re.Pattern[str]) -> str:
    """The text without the sentences in which `about` is found, or "" where no word is left of it."""
    kept = "".join(sentence for sentence in SENTENCE.findall(text) if not about.search(sentence)).strip()
    return kept if re.search(r"\w", kept) else ""
