"""Several calls of one tool in one turn."""

from stages.synthesis.dialogue import Dialogue, asked_for_calls
from stages.synthesis.pool import PoolTool
from stages.synthesis.programs import Program, Roster, Sampler, Step
from stages.synthesis.scenarios.base import Scenario, with_parameters
from stages.synthesis.wording import SimulatedUser

IDENTICAL = 0.5  # share of the programs whose calls differ in few arguments
# Another call of the same tool that says only what differs.
SAME = {
    "train": (
        ", and the same {}",
        "; then the same {}",
        " and again {}",
        ", and once more {}",
        ", plus the same {}",
        "; also {}",
    ),
    "test": ("; likewise {}", ", then repeat it {}", ", with a further one {}"),
}
# The intent once, then each call's arguments: before the first, before a middle one, before the last.
EACH = {
    "train": (
        (", once ", ", once ", " and once "),
        (": first ", ", then ", ", then "),
        (": ", "; ", "; "),
        (" ", ", also ", " and also "),
    ),
    "test": ((", one time ", ", one time ", " and one time "), (", separately ", ", ", " and ")),
}


class Parallel(Scenario):
    def targets(self, roster: Roster, max_tools: int) -> list[PoolTool]:
        return with_parameters(roster.targets)

    def sample(self, tool: PoolTool, sampler: Sampler) -> Program:
        first = sampler.step(tool)
        distractors = sampler.few()
        steps, changed = _repeated(first, sampler)
        return sampler.program(steps, distractors, changed=changed)

    def word(self, program: Program, user: SimulatedUser) -> Dialogue:
        return asked_for_calls(user.sentence(_said(program, user)), program.steps)


def _repeated(first: Step, sampler: Sampler) -> tuple[list[Step], tuple[str, ...]]:
    """Two or three calls of one tool, and the parameters that the later ones say anew: none if they say all anew."""
    rng = sampler.rng
    count = rng.choice((2, 2, 3))
    given = [p for p in first.tool.parameters if p.name in first.said]
    if len(given) < 2 or rng.random() >= IDENTICAL:
        return [first, *(sampler.step(first.tool) for _ in range(count - 1))], ()
    changed = rng.sample(given, rng.randint(1, min(2, len(given) - 1)))
    others = [first.said | {p.name: sampler.value(p) for p in changed} for _ in range(count - 1)]
    return [first, *(Step(first.tool, said, said) for said in others)], tuple(p.name for p in changed)


def _said(program: Program, user: SimulatedUser) -> str:
    first, *rest = program.steps
    if program.changed:
        text = user.request(first)
        for step in rest:
            text += user.choose(SAME).format(user.arguments(step, program.changed))
        return text
    if all(step.said for step in program.steps) and user.rng.random() < 0.5:
        opening, between, last = user.choose(EACH)
        text = user.say(first.tool.intents) + opening + user.arguments(first)
        for step in rest:
            text += (last if step is rest[-1] else between) + user.arguments(step)
        return text
    return user.joined(program.steps)
