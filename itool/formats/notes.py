"""What a reader of a file has to tell: what it left out, what was broken, what it mended [O].

One rule holds for all formats: what cannot be used is counted, named, and left out, and the rest is read.
"""

from collections import Counter

from itool.log import log
from itool.toolcall.types import Tool

SHOWN = 5  # of a kind are kept with their places


class Notes:
    """Counts by kind, and the first few of each kind in their own words."""

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()  # records by their layout
        self.broken: Counter[str] = Counter()  # against the format: the file's author would want to know
        self.left_out: Counter[str] = Counter()  # well formed, but of no use here
        self.repaired: Counter[str] = Counter()
        self.tools: dict[str, Tool | None] = {}  # what was read of tools, by their specifications
        self._first: dict[str, list[str]] = {}

    def breaks(self, kind: str, detail: str) -> None:
        self._note(self.broken, kind, detail)

    def leaves_out(self, kind: str, detail: str) -> None:
        self._note(self.left_out, kind, detail)

    def repairs(self, kind: str, detail: str) -> None:
        self._note(self.repaired, kind, detail)

    def first(self, kind: str) -> list[str]:
        """The first details of a kind, in the order in which they were met."""
        return self._first.get(kind, [])

    def one_each(self) -> list[str]:
        """The first detail of each kind of what was broken or left out."""
        return [self._first[kind][0] for kind in self.broken | self.left_out]

    def lines(self) -> list[str]:
        """A line for each kind: how often it was met, and its first places."""
        named = [("broken", self.broken), ("left out", self.left_out), ("repaired", self.repaired)]
        return [
            f"{what}: {kind} {count}; {'; '.join(self.first(kind))}"
            for what, counts in named
            for kind, count in counts.most_common()
        ]

    def tell(self, source: str) -> None:
        """Logs what was broken or left out as warnings with their first places, and what was repaired as one line."""
        if self.repaired:
            counts = ", ".join(f"{kind} {count}" for kind, count in self.repaired.most_common())
            log.info("%s: repaired: %s", source, counts)
        for line in self.lines()[: len(self.broken) + len(self.left_out)]:
            log.warning("%s: %s", source, line)

    def _note(self, counts: Counter[str], kind: str, detail: str) -> None:
        counts[kind] += 1
        shown = self._first.setdefault(kind, [])
        if len(shown) < SHOWN:
            shown.append(" ".join(detail.split())[:300])
