"""When two argument values are the same, and what an unfinished value can still become. [O]"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from itool.toolcall.grammar import Grammar
from itool.toolcall.literals import Container

# The Berkeley leaderboard compares strings without these, and without regard to case and to the kind of quote.
IGNORED = {ord(character): None for character in " ,./-_*^"} | {ord("'"): '"'}


def same_value(a: Any, b: Any, strict: bool) -> bool:
    """Whether two JSON values are equal: numbers by value (5 is 5.0, true is not 1), strings exactly when strict."""
    if isinstance(a, str) and isinstance(b, str):
        return a == b or (not strict and lenient(a) == lenient(b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same_value(x, y, strict) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_value(value, b[key], strict) for key, value in a.items())
    return bool(a == b)


def lenient(text: str) -> str:
    """A string as the leaderboard compares it. Character by character, so that a prefix stays a prefix."""
    return text.translate(IGNORED).casefold()


def could_become(scanner: Grammar, wanted: Any, strict: bool) -> bool:
    """Whether the unfinished value of the scanner's open argument can be completed to one that is `wanted`."""
    return _could_become(scanner, scanner.containers, wanted, strict)


def _could_become(scanner: Grammar, containers: Sequence[Container], wanted: Any, strict: bool) -> bool:
    """The same for the value that the first of the open `containers` is, or the token where none is open."""
    if not containers:
        return _token_could_become(scanner, wanted, strict)
    container, inner = containers[0], containers[1:]
    if container.opening == "(" and not container.commas:  # `(1)` is 1, and `(1,)` is [1]
        first = container.items[:1]
        if same_value(first[0], wanted, strict) if first else _could_become(scanner, inner, wanted, strict):
            return True
    if not _begins(container, wanted, strict):
        return False
    if not (inner or scanner.token or container.key is not None):
        return scanner.trailing_commas or not container.promised or len(wanted) > len(container.items)
    if isinstance(wanted, list):
        count = len(container.items)
        return len(wanted) > count and _could_become(scanner, inner, wanted[count], strict)
    if container.key is None:
        return any(key.startswith(scanner.token_text()) for key in wanted if key not in container.items)
    return container.key in wanted and _could_become(scanner, inner, wanted[container.key], strict)


def _token_could_become(scanner: Grammar, wanted: Any, strict: bool) -> bool:
    if not scanner.token:
        return True
    text = scanner.token_text()
    if scanner.token == "bare":
        return _bare_could_become(scanner, text, wanted)
    if scanner.token == "raw" and not isinstance(wanted, str):
        return True  # one value can be written in many ways, and a value's fragment ends after it
    return isinstance(wanted, str) and (
        wanted.startswith(text) or (not strict and lenient(wanted).startswith(lenient(text)))
    )


def begun_type(scanner: Grammar) -> str | None:
    """The JSON Schema type of the unfinished value of the open argument; None before its first byte."""
    if scanner.containers:
        return "array" if isinstance(scanner.containers[0].items, list) else "object"
    if not scanner.token:
        return None
    if scanner.token == "string":
        return "string"
    first = scanner.token_text()[:1]
    return {"t": "boolean", "f": "boolean", "n": "null"}.get(first.lower(), "number")


def _begins(container: Container, wanted: Any, strict: bool) -> bool:
    """Whether the finished items of a list or object are the first of `wanted`'s."""
    items = container.items
    if isinstance(items, list):
        if not isinstance(wanted, list) or len(wanted) < len(items):
            return False
        return all(same_value(item, other, strict) for item, other in zip(items, wanted, strict=False))
    if not isinstance(wanted, dict):
        return False
    return all(key in wanted and same_value(item, wanted[key], strict) for key, item in items.items())


def _bare_could_become(scanner: Grammar, text: str, wanted: Any) -> bool:
    if isinstance(wanted, bool) or wanted is None:
        return any(word.startswith(text) for word, meant in scanner.words.items() if meant is wanted)
    if not isinstance(wanted, int | float):
        return False
    text = text.replace("_", "").removeprefix("+").lower()
    mantissa, exponent, _ = text.partition("e")
    if mantissa.lstrip("-").startswith("."):
        mantissa = mantissa.replace(".", "0.")
    if mantissa.strip("-0") == "":
        mantissa = mantissa[: 1 + mantissa.startswith("-")]  # Python writes 0 with any number of digits
    digits = format(Decimal(repr(wanted)), "f")
    digits += ("" if "." in digits else ".") + "0" * len(text)
    return bool(exponent) or digits.startswith(mantissa) or repr(wanted).startswith(text)


def scalars(value: Any) -> list[Any]:
    """All scalars in a value, in order."""
    if isinstance(value, dict):
        return [scalar for item in value.values() for scalar in scalars(item)]
    if isinstance(value, list):
        return [scalar for item in value for scalar in scalars(item)]
    return [value]
