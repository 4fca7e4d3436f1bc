"""What every dialect is: how a family of models writes calls, and how that is read."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field

from itool.toolcall.grammar import Grammar
from itool.toolcall.types import Answer, Call, Tool


@dataclass(frozen=True)
class Dialect(ABC):
    """A language of calls. Its fields are what differs between the members of a family.

    thinks: the answer begins inside a thought, which the prompt has opened.
    """

    thinks: bool = field(default=False, kw_only=True)

    @property
    def in_templates(self) -> bool:
        """Whether chat templates that write the `tool_calls` of earlier turns write them in this dialect."""
        return True

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
