"""A required parameter is not said; the right answer is to ask for it."""

from itool.toolcall.types import Kind, Reference
from itool.toolcall.wording import asks_for
from stages.synthesis.dialogue import Dialogue, Sample, said_by
from stages.synthesis.lengths import Problem
from stages.synthesis.pool import PoolTool
from stages.synthesis.programs import Program, Roster, Sampler, Step
from stages.synthesis.scenarios.base import Scenario
from stages.synthesis.values import Entities, mentions
from stages.synthesis.wording import SimulatedUser


class MissingParameter(Scenario):
    def targets(self, roster: Roster, max_tools: int) -> list[PoolTool]:
        return [tool for tool in roster.targets if _askable(tool)]

    def sample(self, tool: PoolTool, sampler: Sampler) -> Program:
        rng, whole = sampler.rng, sampler.step(tool)
        distractors = sampler.few()
        askable = _askable(tool)
        missing = tuple(rng.sample(askable, 2 if len(askable) > 2 and rng.random() < 0.2 else 1))
        said = {name: value for name, value in whole.said.items() if name not in missing}
        return sampler.program([Step(tool, said, said)], distractors, runs=False, missing=missing)

    def word(self, program: Program, user: SimulatedUser) -> Dialogue:
        step = program.steps[0]
        names = tuple((step.tool.name, name) for name in program.missing)
        reference = Reference(Kind.QUESTION, parameters=names, text=_question(step, program.missing))
        return [said_by("user", user.sentence(user.request(step)))], reference

    def problem(self, sample: Sample, text: str, entities: Entities) -> Problem:
        tool = sample.program.steps[0].tool
        for name in sample.program.missing:
            if mentions(tool.parameter(name), text, entities):
                return "missing parameter is said", f"{tool.name}.{name}: {text}"
        return None


def _askable(tool: PoolTool) -> list[str]:
    """Required parameters that a user can leave out and be asked for: neither objects nor yes-or-no."""
    return [p.name for p in tool.parameters if p.required and not p.kind.startswith("object") and p.kind != "bool"]


def _question(step: Step, missing: tuple[str, ...]) -> str:
    """Asks for the parameters by their names; by friendlier words only where the checker finds the name in these."""
    asked = []
    for name in missing:
        plain, ask = name.replace("_", " "), step.tool.parameter(name).ask
        asked.append(f"the {ask if plain in ask or asks_for(f'What is the {ask}?', name) else plain}")
    return f"What is {' and '.join(asked)}?"
