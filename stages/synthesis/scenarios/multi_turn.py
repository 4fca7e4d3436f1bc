"""A second turn that changes something of the first, or adds to it."""

from stages.synthesis.dialogue import Dialogue, Sample, answered, calls, report, said_by
from stages.synthesis.lengths import Problem
from stages.synthesis.pool import PoolTool
from stages.synthesis.programs import Program, Roster, Sampler, Step
from stages.synthesis.scenarios.base import Scenario, with_parameters
from stages.synthesis.values import Entities
from stages.synthesis.wording import SimulatedUser, capitalised

# Something is changed in the second turn.
CHANGE = {
    "train": (
        "now the same {}",
        "and the same {}",
        "do that again {}",
        "another time {}",
        "and {}?",
        "repeat that {}",
        "again, but {}",
        "on this occasion {}",
        "the same again {}, please",
        "and the {noun} {}?",
        "next one {}",
        "try it {}",
        "what about the {noun} {}?",
        "can you do it {} as well?",
    ),
    "test": (
        "could it also be done {}?",
        "I want that again {}",
        "likewise {}, please",
        "make it {} instead",
        "one more time {}",
        "how do the {noun} look {}?",
    ),
}
# Something is added in the second turn.
ADD = {
    "train": (
        "the same, but also {}",
        "do it again, also {}",
        "same as before, only {}",
        "once more, this time also {}",
        "repeat that {} in addition",
        "again, and {}",
    ),
    "test": ("run it again, additionally {}", "as before, now furthermore {}", "the earlier one, plus {}"),
}


class MultiTurn(Scenario):
    def targets(self, roster: Roster, max_tools: int) -> list[PoolTool]:
        return with_parameters(roster.targets)

    def sample(self, tool: PoolTool, sampler: Sampler) -> Program:
        first = sampler.step(tool)
        distractors = sampler.few()
        second, changed = _follow_up(first, sampler)
        return sampler.program([first, second], distractors, changed=changed)

    def word(self, program: Program, user: SimulatedUser) -> Dialogue:
        first, second = program.steps
        opening = said_by("user", user.sentence(user.request(first)))
        told = said_by("assistant", report(first.result or {}))
        return [opening, *answered(first), told, said_by("user", _second_turn(program, user))], calls([second])

    def problem(self, sample: Sample, text: str, entities: Entities) -> Problem:
        first, second = sample.program.steps
        return ("nothing changed", str(first.arguments)) if first.arguments == second.arguments else None


def _follow_up(first: Step, sampler: Sampler) -> tuple[Step, tuple[str, ...]]:
    """The second call: one or two arguments changed, or one added that the first call did not give."""
    rng = sampler.rng
    absent = [p for p in first.tool.parameters if p.name not in first.said]
    given = [p for p in first.tool.parameters if p.name in first.said]
    if absent and (not given or rng.random() < 0.35):
        changed = [rng.choice(absent)]
    else:
        changed = rng.sample(given, 2 if len(given) > 2 and rng.random() < 0.25 else 1)
    said = first.said | {p.name: sampler.value(p) for p in changed}
    said = {p.name: said[p.name] for p in first.tool.parameters if p.name in said}
    return Step(first.tool, said, said), tuple(p.name for p in changed)


def _second_turn(program: Program, user: SimulatedUser) -> str:
    """What the user says in the second turn, which refers back to the first."""
    first, second = program.steps
    template = user.choose(CHANGE if all(name in first.said for name in program.changed) else ADD)
    arguments = user.arguments(second, program.changed)
    return capitalised(template.replace("{noun}", second.tool.noun).replace("{}", arguments))
