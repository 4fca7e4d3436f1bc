"""The call is made and its result is there; the right answer reports it."""

from itool.toolcall.types import Kind, Reference
from stages.synthesis.dialogue import Dialogue, Sample, answered, plain, report, said_by
from stages.synthesis.lengths import Problem
from stages.synthesis.pool import PoolTool
from stages.synthesis.programs import Program, Sampler
from stages.synthesis.scenarios.base import Scenario
from stages.synthesis.values import Entities, contains
from stages.synthesis.wording import SimulatedUser


class Report(Scenario):
    def sample(self, tool: PoolTool, sampler: Sampler) -> Program:
        first = sampler.step(tool)
        return sampler.program([first], sampler.rng.choice((0, 0, 1)))

    def word(self, program: Program, user: SimulatedUser) -> Dialogue:
        step = program.steps[0]
        messages = [said_by("user", user.sentence(user.request(step))), *answered(step)]
        result = step.result or {}
        return messages, Reference(Kind.REPORT, values=tuple(map(plain, result.values())), text=report(result))

    def problem(self, sample: Sample, text: str, entities: Entities) -> Problem:
        result, values = sample.task.messages[-1]["content"], sample.task.reference.values
        in_result = all(value and contains(result, value) for value in values)
        return None if in_result else ("value not in result", ", ".join(values))
