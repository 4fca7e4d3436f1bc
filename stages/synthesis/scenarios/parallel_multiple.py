"""Calls of two or three different tools in one turn."""

from collections.abc import Sequence

from stages.synthesis.dialogue import Dialogue, asked_for_calls
from stages.synthesis.pool import PoolTool
from stages.synthesis.programs import Program, Roster, Sampler, same_domain
from stages.synthesis.scenarios.base import Scenario
from stages.synthesis.wording import SimulatedUser


class ParallelMultiple(Scenario):
    def targets(self, roster: Roster, max_tools: int) -> Sequence[PoolTool]:
        return roster.targets if len(roster.targets) > 1 and max_tools > 1 else ()

    def sample(self, tool: PoolTool, sampler: Sampler) -> Program:
        rng, targets = sampler.rng, sampler.roster.targets
        steps = [sampler.step(tool)]
        distractors = sampler.few()
        related = same_domain(tool, targets)
        wanted = rng.choice((1, 1, 2))
        stay = len(related) >= wanted and rng.random() < 0.6
        partners = related if stay else [other for other in targets if other is not tool]
        count = min(wanted, len(partners), sampler.max_tools - 1)
        steps += [sampler.step(partner) for partner in rng.sample(partners, count)]
        return sampler.program(steps, distractors)

    def word(self, program: Program, user: SimulatedUser) -> Dialogue:
        return asked_for_calls(user.sentence(user.joined(program.steps)), program.steps)
