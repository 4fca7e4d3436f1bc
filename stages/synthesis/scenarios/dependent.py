"""Two calls, the second of which takes an argument from the result of the first; the second one is wanted."""

from stages.synthesis.dialogue import Dialogue, answered, calls, said_by
from stages.synthesis.pool import PoolTool
from stages.synthesis.programs import Program, Roster, Sampler
from stages.synthesis.scenarios.base import Scenario
from stages.synthesis.wording import SimulatedUser


class Dependent(Scenario):
    def targets(self, roster: Roster, max_tools: int) -> list[PoolTool]:
        return [link.target for link in roster.links] if max_tools > 1 else []

    def sample(self, tool: PoolTool, sampler: Sampler) -> Program:
        link = sampler.rng.choice([link for link in sampler.roster.links if link.target is tool])
        distractors = sampler.few()
        steps = [sampler.step(link.source), sampler.step(tool, leave=(link.parameter,))]
        return sampler.program(steps, distractors, link=link)

    def word(self, program: Program, user: SimulatedUser) -> Dialogue:
        assert program.link is not None
        first, second = program.steps
        body = f"{user.request(first)} {user.choose(program.link.phrases)} {user.arguments(second)}".strip()
        return [said_by("user", user.sentence(body)), *answered(first)], calls([second])
