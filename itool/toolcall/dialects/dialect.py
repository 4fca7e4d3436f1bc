"""What every dialect is: how a family of models writes calls, and how that is read."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field

from itool.toolcall.grammar import Grammar
from itool.toolcall.types import Answer, Call, Tool


@dataclass(frozen=True)
class Dialect(ABC):
    """A language of calls. Its fields are what differs between the members of a family.

    thought_end: the tag that ends a thought which the prompt has opened, or "" where it opens none. preamble: whether
    text may stand before calls. thoughts: whether a closed thought may.
    """

    thought_end: str = field(default="", kw_only=True)
    preamble: bool = field(default=True, kw_only=True)
    thoughts: bool = field(default=True, kw_only=True)

    @abstractmethod
    def render_calls(self, calls: tuple[Call, ...]) -> str:
        """The calls, at least one, as the model is to write them."""

    @abstractmethod
    def Scanner(self, tools: Iterable[Tool] = ()) -> Grammar:  # noqa: N802 (it makes a reader as a class does)
        """A reader at the first byte of an answer. `tools` tell the types of values that are written without any."""

    def render(self, answer: Answer) -> str:
        """An answer as the model is to write it. Text stays as it is."""
        return self.render_calls(answer.calls) if answer.calls else answer.text

    def parse(self, text: str, tools: Iterable[Tool] = ()) -> Answer:
        """The answer that a whole text is. Raises Unparseable."""
        return self.Scanner(tools).read(text)
