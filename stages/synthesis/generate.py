"""Tasks from the pool: how many of each scenario, drawn until they are there, verified and without duplicates [O]."""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace

from itool.errors import UserError
from itool.log import log
from itool.params import Synthesis
from itool.statistics import apportion
from itool.toolcall.types import Task
from stages.synthesis.dedup import duplicates
from stages.synthesis.dialogue import Sample
from stages.synthesis.lengths import Limits
from stages.synthesis.measure import SPLITS, text_of
from stages.synthesis.pool import Pool
from stages.synthesis.programs import Program, Roster, Sampler, execute, rosters
from stages.synthesis.scenarios import SCENARIOS
from stages.synthesis.verify import Rejection, verify
from stages.synthesis.wording import LEARNT, SimulatedUser
from stages.synthesis.world import SimulationError

SURPLUS = 1.1  # candidates drawn for each task still wanted
ROUNDS = 8  # of drawing until every scenario of every split is full
# What the candidates of a round go through after verification: each comes out, perhaps changed, or is rejected.
Pass = Callable[[Sequence[Sample]], list[Sample | Rejection]]


@dataclass(frozen=True)
class Part:
    """Tasks of one split that are made of one roster. Only validation may have two parts. `name` seeds its draws."""

    name: str
    split: str
    roster: Roster
    size: int


def parts_of(params: Synthesis, pool: Pool, unseen: Set[str], validation_only: Set[str]) -> list[Part]:
    """What there is to make. Test comes first, so that of two duplicates the training side loses its one.

    `unseen` are the tools of the unseen test split. `validation_only` are those of half of the validation tasks, so
    that validation sees whether a model forgets what it knew of tools that training does not show [O].
    """
    seen_roster, validation_roster, unseen_roster = rosters(pool, unseen, validation_only)
    own = params.validation // 2 if validation_only else 0
    sizes = {split: getattr(params, split) for split in reversed(SPLITS)} | {"validation": params.validation - own}
    parts = [
        Part(split, split, unseen_roster if split == "test_unseen" else seen_roster, size)
        for split, size in sizes.items()
    ]
    return [*parts, Part("validation of its own tools", "validation", validation_roster, own)]


def synthesise(
    params: Synthesis,
    pool: Pool,
    limits: Limits,
    unseen: Set[str],
    validation_only: Set[str] = frozenset(),
    passes: Sequence[Pass] = (),
) -> tuple[list[Sample], list[Rejection]]:
    """Samples for all splits, and what was rejected.

    Draws in rounds until the quotas are full; a small set of tools may not fill them, of which the log warns.
    """
    parts = {part.name: part for part in parts_of(params, pool, unseen, validation_only)}
    wanted = {(part.name, name): count for part in parts.values() for name, count in quotas(params, part).items()}
    kept: list[tuple[str, Sample]] = []
    rejected: list[Rejection] = []
    have: Counter[tuple[str, str]] = Counter()
    for attempt in range(ROUNDS):
        drawn: list[tuple[str, Sample]] = []
        for (part, scenario), count in wanted.items():
            rng = random.Random(f"{params.seed}/{part}/{scenario}/{attempt}")
            for _ in range(math.ceil((count - have[part, scenario]) * SURPLUS)):
                found = draw(scenario, parts[part], pool, params, limits, rng)
                if isinstance(found, Sample):
                    drawn.append((part, found))
                else:
                    rejected.append(found)
        if not drawn:
            break
        for each in passes:
            drawn = passed(drawn, each, rejected)
        reasons = duplicates([text_of(sample.task) for _, sample in kept + drawn])[len(kept) :]
        for (part, sample), reason in zip(drawn, reasons, strict=True):
            key = (part, sample.task.scenario)
            if reason:
                rejected.append(Rejection(sample.task.scenario, "duplicate", reason, text_of(sample.task)))
            elif have[key] < wanted[key]:
                have[key] += 1
                kept.append((part, sample))
    for (part, scenario), count in wanted.items():
        if (found_count := have[part, scenario]) < count:
            log.warning("%s: %s: only %d of %d tasks could be made of these tools", part, scenario, found_count, count)
    return [sample for _, sample in kept], rejected


def passed(drawn: list[tuple[str, Sample]], through: Pass, rejected: list[Rejection]) -> list[tuple[str, Sample]]:
    """The candidates, with their parts, that come out of a pass. The others are added to `rejected`."""
    results = zip(drawn, through([sample for _, sample in drawn]), strict=True)
    kept = []
    for (part, _), result in results:
        if isinstance(result, Rejection):
            rejected.append(result)
        else:
            kept.append((part, result))
    return kept


def quotas(params: Synthesis, part: Part) -> dict[str, int]:
    """The part's size shared out over the scenarios by their weights in the mixture, to the task.

    What is learnt has more irrelevant requests, as in Hammer (arXiv 2410.04587): nearly all others teach to call.
    """
    able = possible(part.roster, params.max_tools)
    weights = {name: params.mixture.get(name, 0.0) for name in able}
    if part.split in LEARNT and "irrelevant" in able:
        weights["irrelevant"] = params.train_irrelevant
    if not able:
        return {}
    if not sum(weights.values()):
        raise UserError(
            f"params.yaml: synthesis.mixture: found no weight above 0 among what these tools allow: {', '.join(able)}"
        )
    return apportion(part.size, weights)


def possible(roster: Roster, max_tools: int) -> list[str]:
    """The scenarios that can be made of these tools. `max_tools`: candidates in a prompt."""
    return [name for name, scenario in SCENARIOS.items() if scenario.targets(roster, max_tools)]


def draw(
    scenario: str, part: Part, pool: Pool, params: Synthesis, limits: Limits, rng: random.Random
) -> Sample | Rejection:
    """One candidate: sampled, executed, worded, verified, and fitted to the model."""
    side = "test" if part.split.startswith("test") else "train"
    program = sample(scenario, Sampler(scenario, part.roster, pool.entities, side, params.max_tools, rng))
    try:
        program = execute(program)
    except SimulationError as error:
        return Rejection(scenario, "execution", "simulation error", str(error))
    candidate = word(program, part.split, params, rng)
    return verify(candidate, pool.entities) or fitted(candidate, limits)


def fitted(sample: Sample, limits: Limits) -> Sample | Rejection:
    """The sample with as many of its candidate tools as fit the model; those that are asked for stay."""
    while problem := limits.problem(sample.task):
        smaller = _with_one_tool_less(sample)
        if smaller is None:
            return Rejection(sample.task.scenario, "format", *problem)
        sample = smaller
    return sample


def _with_one_tool_less(sample: Sample) -> Sample | None:
    """Without one distractor, preferably one of another domain; None where every candidate is needed."""
    program, asked = sample.program, [step.tool for step in sample.program.steps]
    spare = [tool for tool in program.candidates if tool not in asked]
    if not spare or len(program.candidates) <= SCENARIOS[program.scenario].fewest_tools:
        return None
    dropped = min(spare, key=lambda tool: any(tool.domain == other.domain for other in asked))
    candidates = tuple(tool for tool in program.candidates if tool is not dropped)
    task = replace(sample.task, tools=tuple(tool.tool for tool in candidates))
    return replace(sample, program=replace(program, candidates=candidates), task=task)


def sample(scenario: str, sampler: Sampler) -> Program:
    """A program of one of the `possible` scenarios; nothing is executed yet."""
    targets = SCENARIOS[scenario].targets(sampler.roster, sampler.max_tools)
    return SCENARIOS[scenario].sample(sampler.rng.choice(targets), sampler)


def word(program: Program, split: str, params: Synthesis, rng: random.Random) -> Sample:
    """The dialogue of an executed program, with its reference; the task has no id yet."""
    user = SimulatedUser(split, params, rng)
    messages, reference = SCENARIOS[program.scenario].word(program, user)
    tools = tuple(candidate.tool for candidate in program.candidates)
    task = Task("", split, program.scenario, tools, tuple(messages), reference)
    return Sample(task, program, tuple(user.used))
