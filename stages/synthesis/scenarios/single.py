"""One call, and one tool that obviously does it: no other candidate is of its domain."""

from stages.synthesis.dialogue import Dialogue, asked_for_calls
from stages.synthesis.pool import PoolTool
from stages.synthesis.programs import Program, Sampler, same_domain
from stages.synthesis.scenarios.base import Scenario
from stages.synthesis.wording import SimulatedUser


class Single(Scenario):
    def sample(self, tool: PoolTool, sampler: Sampler) -> Program:
        first = sampler.step(tool)
        return sampler.program([first], sampler.few(), excluded=same_domain(tool, sampler.roster.shown))

    def word(self, program: Program, user: SimulatedUser) -> Dialogue:
        return asked_for_calls(user.sentence(user.request(program.steps[0])), program.steps)
