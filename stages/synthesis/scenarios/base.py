"""What a scenario is. Each is one file of this folder and one line in `__init__.py` [O]."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from stages.synthesis.dialogue import Dialogue, Sample
from stages.synthesis.lengths import Problem
from stages.synthesis.pool import PoolTool
from stages.synthesis.programs import Program, Roster, Sampler
from stages.synthesis.values import Entities
from stages.synthesis.wording import SimulatedUser


class Scenario(ABC):
    """One kind of task. `fewest_tools`: how many candidates a prompt must keep to be of this kind."""

    fewest_tools = 1

    def targets(self, roster: Roster, max_tools: int) -> Sequence[PoolTool]:
        """The tools that a task may ask for; none where no task can be made of the roster's tools.

        `max_tools`: the candidates in a prompt.
        """
        return roster.targets

    @abstractmethod
    def sample(self, tool: PoolTool, sampler: Sampler) -> Program:
        """A program that asks for the tool, one of `targets`; nothing is executed yet."""

    @abstractmethod
    def word(self, program: Program, user: SimulatedUser) -> Dialogue:
        """The dialogue of the executed program, up to the assistant's turn that is wanted, and its reference."""

    def problem(self, sample: Sample, text: str, entities: Entities) -> Problem:
        """What is wrong with the dialogue, beside what is wrong in any scenario (see verify.py).

        `text`: all that the user says.
        """
        return None


def with_parameters(tools: Sequence[PoolTool]) -> list[PoolTool]:
    """The tools that take arguments."""
    return [tool for tool in tools if tool.parameters]
