"""YAML as the JSON that it stands for [O].

Plain words are what YAML 1.2 takes them for: `yes`, `12:30` and dates are texts. The names of a
mapping are texts as they are written, as in `200:`.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from itool.errors import UserError
from itool.files import MAX_NESTING, deeper

MAX_VALUES = 5_000_000  # with what aliases stand for: a few lines may stand for more than fits into memory
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is fifteen times as fast
WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER = re.compile(r"[-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
TEXT = ("!", "tag:yaml.org,2002:str")
TAGS = (None, *TEXT, *(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null", "map", "seq")))


def parse_yaml(text: str, where: str) -> Any:
    """What a YAML document says. Raises UserError that opens with `where`, also for what is nested deeper than 64
    levels, or without end.
    """
    try:
        value = _Reader(text, where).document()
    except yaml.YAMLError as error:
        raise UserError(f"{where}: not YAML: {' '.join(str(error).split())[:200]}") from None
    if deeper(value, MAX_NESTING):
        raise UserError(f"{where}: found YAML nested deeper than {MAX_NESTING} levels")
    return value


class _Reader:
    """Values from the parser's events. Its own trees may be nested deeper than C can follow."""

    def __init__(self, text: str, where: str):
        self.events = iter(yaml.parse(text, Loader=LOADER))
        self.where = where
        self.count = 0  # of values, with what aliases stand for
        self.anchors: dict[str, tuple[Any, int] | None] = {}  # values and their counts; None of one that is being read

    def document(self) -> Any:
        """The value of the only document; None where there is none."""
        value = None
        for number, event in enumerate(self._until(yaml.StreamEndEvent, yaml.DocumentStartEvent)):
            if number:
                raise self._error(event, "a second document, expected one")
            for root in self._until(yaml.DocumentEndEvent):
                value = self._value(root, MAX_NESTING)
        return value

    def _until(self, end: type[Any], kind: type[Any] = yaml.Event) -> Iterator[Any]:
        """The next events of a kind up to the end of what holds them."""
        for event in self.events:
            if isinstance(event, end):
                return
            if isinstance(event, kind):
                yield event

    def _value(self, event: Any, levels: int) -> Any:
        if levels < 0:
            raise UserError(f"{self.where}: found YAML nested deeper than {MAX_NESTING} levels")
        before = self.count
        self._counts(event, 1)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag not in TAGS:
            raise self._error(event, f"the tag {event.tag[:40]!r}, expected values of JSON")
        if event.anchor:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = [self._value(each, levels - 1) for each in self._until(yaml.SequenceEndEvent)]
        else:
            value = self._mapping(levels - 1)
        if event.anchor:
            self.anchors[event.anchor] = value, self.count - before
        return value

    def _counts(self, event: Any, values: int) -> None:
        self.count += values
        if self.count > MAX_VALUES:
            raise self._error(event, f"more than {MAX_VALUES:,} values, expected fewer")

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            raise self._error(event, f"*{event.anchor}, expected &{event.anchor} before it")
        if (found := self.anchors[event.anchor]) is None:
            raise self._error(event, f"*{event.anchor} inside of &{event.anchor}, expected values that end")
        self._counts(event, found[1])
        return found[0]

    def _scalar(self, event: Any) -> Any:
        """The value of a word that stands without quotes; else the text."""
        text = event.value
        if not (event.implicit[0] if event.tag is None else event.tag not in TEXT):
            return text
        if text in WORDS:
            return WORDS[text]
        try:
            return int(text) if INTEGER.fullmatch(text) else float(text) if NUMBER.fullmatch(text) else text
        except ValueError:
            raise self._error(event, "a number of too many digits, expected fewer") from None

    def _mapping(self, levels: int) -> dict[str, Any]:
        """The names and values, with those that `<<` takes in and that the mapping itself does not have."""
        own: dict[str, Any] = {}
        merged: list[Any] = []
        for event in self._until(yaml.MappingEndEvent):
            key = self._value(event, levels)
            if isinstance(key, dict | list):
                raise self._error(event, f"{type(key).__name__} as a name, expected text")
            name = event.value if isinstance(event, yaml.ScalarEvent) else str(key)
            value = self._value(next(self.events), levels)
            if name == "<<" and not getattr(event, "style", None):
                merged += value if isinstance(value, list) else [value]
            elif name in own:
                raise self._error(event, f"{name[:40]!r} again, expected it once")
            else:
                own[name] = value
        for other in merged:
            if not isinstance(other, dict):
                raise UserError(f"{self.where}: found {type(other).__name__} for <<, expected a mapping")
            own = other | own
        return own

    def _error(self, event: Any, found: str) -> UserError:
        return UserError(f"{self.where}: line {event.start_mark.line + 1}: found {found}")
