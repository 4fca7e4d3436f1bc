"""One call, and several tools to choose from, some of them of the same domain."""

from collections.abc import Sequence

from stages.synthesis.dialogue import Dialogue, asked_for_calls
from stages.synthesis.pool import PoolTool
from stages.synthesis.programs import Program, Roster, Sampler
from stages.synthesis.scenarios.base import Scenario
from stages.synthesis.wording import SimulatedUser


class Multiple(Scenario):
    fewest_tools = 2

    def targets(self, roster: Roster, max_tools: int) -> Sequence[PoolTool]:
        return roster.targets if len(roster.shown) > 1 and max_tools > 1 else ()

    def sample(self, tool: PoolTool, sampler: Sampler) -> Program:
        first = sampler.step(tool)
        return sampler.program([first], sampler.rng.randint(1, sampler.max_tools - 1), similar=True)

    def word(self, program: Program, user: SimulatedUser) -> Dialogue:
        return asked_for_calls(user.sentence(user.request(program.steps[0])), program.steps)
