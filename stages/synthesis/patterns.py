"""Texts that match a regular expression, made from the form that `re` parses it to [O].

Letters are small where they may be, repetitions are short, and no text is longer than a user would say. What looks
around or back is not generated: a text is drawn again until the whole expression finds itself in it.
"""

import random
import re
from collections.abc import Iterable
from functools import lru_cache
from re import _parser as parser  # type: ignore[attr-defined]  # the parsed form has no public door
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

LONGEST = 80  # characters of a text that can be said
TRIES = 20
# From the first of these that has an allowed character: nobody says a mix of small and capital letters.
ALPHABETS = (ascii_lowercase + digits, ascii_uppercase + digits, "-_./:+@# ,;=~!?*%&()[]{}|^$<>'\"\\`")
TAIL = "[a-z]{5}"  # what goes on after an expression that says only how a text begins


class NotGenerated(Exception):  # noqa: N818 (the answer to a question, and no fault)
    """No text that could be said was found for an expression."""


def text_of(pattern: str, rng: random.Random, least: int = 0, most: int = LONGEST) -> str:
    """A text of `least` to `most` characters in which `re.search` finds the pattern. Raises NotGenerated."""
    for _ in range(TRIES):
        text = _all(_parsed(pattern), rng)
        if least <= len(text) <= min(most, LONGEST) and text == " ".join(text.split()) and re.search(pattern, text):
            return text
    raise NotGenerated(pattern)


@lru_cache(1024)
def _parsed(pattern: str) -> Any:
    opened = pattern.startswith("^") and not pattern.endswith("$") and "|" not in pattern
    try:
        re.compile(pattern)  # what is no expression may be one with the tail
        return parser.parse(pattern + TAIL * opened)
    except (re.error, OverflowError, RecursionError) as error:
        raise NotGenerated(pattern) from error


def _all(items: Iterable[Any], rng: random.Random) -> str:
    text = ""
    for operation, argument in items:
        text += _one(str(operation), argument, rng)
        if len(text) > LONGEST:
            raise NotGenerated(text)
    return text


def _one(operation: str, argument: Any, rng: random.Random) -> str:
    match operation:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL":
            return _letter([("NEGATE", None), ("LITERAL", argument)], rng)
        case "ANY":
            return rng.choice(ascii_lowercase)
        case "IN":
            return _letter(argument, rng)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, inner = argument
            return _repeated(least, most, inner, rng)
        case "SUBPATTERN" | "ATOMIC_GROUP":
            return _all(argument[-1] if operation == "SUBPATTERN" else argument, rng)
        case "BRANCH":
            return _all(rng.choice(argument[1]), rng)
        case "AT" | "ASSERT" | "ASSERT_NOT":
            return ""
    raise NotGenerated(operation)


def _repeated(least: int, most: int, inner: Any, rng: random.Random) -> str:
    """Two to five of a character that may come often, and no group more than once more than it must."""
    shortest, longest = inner.getwidth()
    if least * max(1, shortest) > LONGEST:
        raise NotGenerated(str(inner))
    if not longest:
        return ""
    single = longest == 1 and most > 1
    low = min(most, max(least, 2)) if single else least
    high = min(most, max(least, 5) if single else least + 1)
    return "".join(_all(inner, rng) for _ in range(rng.randint(low, high)))


def _letter(allowed: list[Any], rng: random.Random) -> str:
    for alphabet in ALPHABETS:
        if found := [char for char in alphabet if _in(char, allowed)]:
            return rng.choice(found)
    raise NotGenerated(str(allowed))


def _in(char: str, allowed: list[Any]) -> bool:
    """Whether a character stands in a class as `re` parses it."""
    found = False
    for operation, argument in allowed:
        match str(operation):
            case "LITERAL":
                found |= ord(char) == argument
            case "RANGE":
                found |= argument[0] <= ord(char) <= argument[1]
            case "CATEGORY":
                found |= _of_category(char, str(argument))
    return found is not any(str(operation) == "NEGATE" for operation, _ in allowed)


def _of_category(char: str, category: str) -> bool:
    kind = category.removeprefix("CATEGORY_")
    tests = {"DIGIT": char.isdigit(), "SPACE": char.isspace(), "WORD": char.isalnum() or char == "_"}
    return tests[kind] if kind in tests else not tests[kind.removeprefix("NOT_")]
