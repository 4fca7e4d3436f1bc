"""When two argument values are the same, and what an unfinished value can still become. [O]"""

from decimal import Decimal
from typing import Any

from itool.toolcall.grammar import Container, Grammar

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
    return a == b


def lenient(text: str) -> str:
    """A string as the leaderboard compares it. Character by character, so that a prefix stays a prefix."""
    return text.translate(IGNORED).casefold()


def could_become(scanner: Grammar, wanted: Any, strict: bool) -> bool:
    """Whether the unfinished value of the scanner's open argument can be completed to one that is `wanted`."""
    containers = scanner.open.containers
    for depth, container in enumerate(containers):
        if not _begins(container, wanted, strict):
            return False
        last = depth + 1 == len(containers)
        if last and not container.promised and container.key is None and not scanner.token:
            return True
        if isinstance(wanted, list):
            if len(wanted) == len(container.items):
                return False
            wanted = wanted[len(container.items)]
        elif container.key is not None:
            if container.key not in wanted:
                return False
            wanted = wanted[container.key]
        else:
            return any(key.startswith(scanner.token_text()) for key in wanted if key not in container.items)
    if not scanner.token:
        return True
    text = scanner.token_text()
    if scanner.token == "bare":
        return _bare_could_become(scanner, text, wanted)
    return isinstance(wanted, str) and (
        wanted.startswith(text) or (not strict and lenient(wanted).startswith(lenient(text)))
    )


def begun_type(scanner: Grammar) -> str | None:
    """The JSON Schema type of the unfinished value of the open argument; None before its first byte."""
    if scanner.open.containers:
        return "array" if isinstance(scanner.open.containers[0].items, list) else "object"
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
    mantissa, exponent, _ = text.lower().partition("e")
    digits = format(Decimal(repr(wanted)), "f")
    digits += ("" if "." in digits else ".") + "0" * len(text)
    return bool(exponent) or digits.startswith(mantissa) or repr(wanted).startswith(text)
