"""No candidate does what is wanted; the right answer is to say so."""

import re
from collections.abc import Sequence
from functools import cache

from itool.toolcall.types import Kind, Reference
from stages.synthesis.dialogue import Dialogue, Sample, said_by
from stages.synthesis.lengths import Problem
from stages.synthesis.pool import PoolTool
from stages.synthesis.programs import Program, Roster, Sampler, same_domain
from stages.synthesis.scenarios.base import Scenario
from stages.synthesis.values import Entities, contains
from stages.synthesis.wording import SimulatedUser

REFUSAL_TEXT = "None of the tools can do that."
# Words of a request that say nothing about which tool it wants.
STOP = "a an the my me i of in on to for from with at by and or it is are be do get have what which when how there some"


class Irrelevant(Scenario):
    def targets(self, roster: Roster, max_tools: int) -> Sequence[PoolTool]:
        return roster.targets if len(roster.shown) > 1 else ()

    def sample(self, tool: PoolTool, sampler: Sampler) -> Program:
        rng, shown = sampler.rng, sampler.roster.shown
        first = sampler.step(tool)
        distractors, similar = rng.randint(1, min(4, sampler.max_tools)), rng.random() < 0.3
        related = same_domain(tool, shown)
        others_left = len(related) + 1 < len(shown)
        excluded = (tool, *related) if others_left and not similar else (tool,)
        return sampler.program([first], distractors, similar=similar, excluded=excluded, runs=False)

    def word(self, program: Program, user: SimulatedUser) -> Dialogue:
        request = user.sentence(user.request(program.steps[0]))
        return [said_by("user", request)], Reference(Kind.REFUSAL, text=REFUSAL_TEXT)

    def problem(self, sample: Sample, text: str, entities: Entities) -> Problem:
        wanted = sample.program.steps[0].tool
        for tool in sample.program.candidates:
            if _fits(text, wanted, tool):
                return "a candidate fits", f"{tool.name}: {text}"
        return None


def _fits(text: str, wanted: PoolTool, candidate: PoolTool) -> bool:
    """Whether a request for `wanted` could as well be meant for `candidate`: it has one of its intents, or the intent's
    words are all its own.
    """
    intents = [intent for side in candidate.intents.values() for intent in side]
    if any(contains(text.lower(), intent.lower()) for intent in intents):
        return True
    used = [intent for side in wanted.intents.values() for intent in side if intent.lower() in text.lower()]
    return any(_content(intent) <= _vocabulary(candidate) for intent in used)


@cache
def _vocabulary(tool: PoolTool) -> frozenset[str]:
    intents = [intent for side in tool.intents.values() for intent in side]
    return _content(" ".join([tool.name.replace("_", " "), tool.tool.description, tool.noun, *intents]))


@cache
def _content(text: str) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in re.findall("[a-z]+", text.lower()) if word not in STOP.split())
