"""Goals as programs: which calls a user wants, in which order, with which arguments, and which tools the model may
choose from [O].
"""

import random
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from itool.toolcall.types import SCENARIOS
from stages.synthesis.pool import Link, Pool, PoolTool
from stages.synthesis.values import Entities, Parameter, draw, draw_all
from stages.synthesis.world import World

PROMPT_CHARACTERS = 620  # of all signatures together, so that prompts stay short
IDENTICAL = 0.5  # share of the parallel programs whose calls differ in few arguments


@dataclass(frozen=True)
class Step:
    """One call. `said`: the arguments that the user says; `arguments`: those and what came from an earlier result."""

    tool: PoolTool
    said: dict[str, Any]
    arguments: dict[str, Any]
    result: dict[str, Any] | None = None


@dataclass(frozen=True)
class Program:
    """What is wanted and what happens. `side`: "train" or "test", where values and phrases come from.

    `link`: how the second step of a dependent program gets its argument. `changed`: the parameters that the second turn
    of multi_turn, or a call of `parallel`, says anew. `missing`: required parameters that the user does not say.
    """

    scenario: str
    side: str
    candidates: tuple[PoolTool, ...]
    steps: tuple[Step, ...]
    world_seed: int
    link: Link | None = None
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Roster:
    """The tools of a split: `targets` may be asked for, `shown` may stand in a prompt; links lead to targets."""

    targets: tuple[PoolTool, ...]
    shown: tuple[PoolTool, ...]
    links: tuple[Link, ...]


def hold_out(pool: Pool, share: float, rng: random.Random, least: int = 1) -> set[str]:
    """Names of the tools for a split of their own: the share of every domain, rounded so that the total is right; at
    least `least` if any.
    """
    held: set[str] = set()
    if len(pool.tools) < 2 or share == 0.0:
        return held
    passed = 0
    for domain in dict.fromkeys(tool.domain for tool in pool.tools):
        names = [tool.name for tool in pool.tools if tool.domain == domain]
        passed += len(names)
        due = max(least, round(share * len(pool.tools))) if passed == len(pool.tools) else round(share * passed)
        held.update(rng.sample(names, min(len(names), due - len(held))))
    return held


def rosters(pool: Pool, unseen: Set[str], validation: Set[str] = frozenset()) -> tuple[Roster, Roster, Roster]:
    """Of all splits, of those validation tasks that ask for tools of their own, and of test_unseen.

    `unseen` and `validation` name the tools that only these show; the unseen split may show all tools.
    """

    def roster(targets: Set[str], shown: Set[str]) -> Roster:
        return Roster(
            tuple(tool for tool in pool.tools if tool.name in targets),
            tuple(tool for tool in pool.tools if tool.name in shown),
            tuple(link for link in pool.links if link.target.name in targets and link.source.name in shown),
        )

    names = {tool.name for tool in pool.tools}
    seen = names - unseen - validation
    return roster(seen, seen), roster(validation, names - unseen), roster(unseen, names)


def possible(roster: Roster, max_tools: int) -> list[str]:
    """The scenarios that can be made of these tools. `max_tools`: candidates in a prompt."""
    able = {
        "parallel": any(tool.parameters for tool in roster.targets),
        "multi_turn": any(tool.parameters for tool in roster.targets),
        "multiple": len(roster.shown) > 1 and max_tools > 1,
        "parallel_multiple": len(roster.targets) > 1 and max_tools > 1,
        "dependent": bool(roster.links) and max_tools > 1,
        "missing_parameter": any(_askable(tool) for tool in roster.targets),
        "irrelevant": len(roster.shown) > 1,
    }
    return [scenario for scenario in SCENARIOS if roster.targets and able.get(scenario, True)]


def sample(scenario: str, roster: Roster, entities: Entities, side: str, max_tools: int, rng: random.Random) -> Program:
    """A program of one of the `possible` scenarios; nothing is executed yet."""
    tool = rng.choice(_eligible(scenario, roster.targets))
    link: Link | None = None
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    steps = [_step(tool, draw_all(tool.parameters, entities, side, rng))]
    hidden: tuple[PoolTool, ...] = ()  # tools that must not be among the candidates
    look_alikes = False
    if scenario == "single":
        others = rng.choice((0, 0, 1, 2))
        hidden = _domain(tool, roster.shown)
    elif scenario == "multiple":
        others, look_alikes = rng.randint(1, max_tools - 1), True
    elif scenario == "parallel":
        others = rng.choice((0, 0, 1, 2))
        steps, changed = _parallel(steps[0], entities, side, rng)
    elif scenario == "parallel_multiple":
        others = rng.choice((0, 0, 1, 2))
        kin = _domain(tool, roster.targets)
        wanted = rng.choice((1, 1, 2))
        partners = kin if len(kin) >= wanted and rng.random() < 0.6 else [t for t in roster.targets if t is not tool]
        for partner in rng.sample(partners, min(wanted, len(partners), max_tools - 1)):
            steps.append(_step(partner, draw_all(partner.parameters, entities, side, rng)))
    elif scenario == "multi_turn":
        others = rng.choice((0, 0, 1, 2))
        second, changed = _follow_up(steps[0], entities, side, rng)
        steps.append(second)
    elif scenario == "dependent":
        others = rng.choice((0, 0, 1, 2))
        link = rng.choice(roster.links)
        first = draw_all(link.source.parameters, entities, side, rng)
        steps = [
            _step(link.source, first),
            _step(link.target, draw_all(link.target.parameters, entities, side, rng, (link.parameter,))),
        ]
    elif scenario == "missing_parameter":
        others = rng.choice((0, 0, 1, 2))
        askable = _askable(tool)
        missing = tuple(rng.sample(askable, 2 if len(askable) > 2 and rng.random() < 0.2 else 1))
        said = {name: value for name, value in steps[0].said.items() if name not in missing}
        steps = [_step(tool, said)]
    elif scenario == "irrelevant":
        others, look_alikes = rng.randint(1, min(4, max_tools)), rng.random() < 0.3
        kin = _domain(tool, roster.shown)
        hidden = (tool,) if look_alikes or len(kin) + 1 == len(roster.shown) else (tool, *kin)
    else:  # report
        others = rng.choice((0, 0, 1))
    asked = [step.tool for step in steps if step.tool not in hidden]
    candidates = _candidates(asked, others, look_alikes, roster.shown, hidden, max_tools, rng)
    return Program(scenario, side, candidates, tuple(steps), rng.getrandbits(32), link, changed, missing)


def execute(program: Program) -> Program:
    """Runs the steps in a fresh World and returns the program with results, and with the linked argument filled in.

    Ids that the user says are taken to exist already. Nothing runs where the right answer is to ask or to refuse.
    Raises SimulationError when the world refuses a call.
    """
    if program.scenario in ("missing_parameter", "irrelevant"):
        return program
    world = World(program.world_seed)
    for step in program.steps:
        for parameter in step.tool.parameters:
            if parameter.name in step.said:
                _ensure(world, parameter, step.said[parameter.name])
    done: list[Step] = []
    for step in program.steps:
        arguments = dict(step.said)
        if program.link and done:
            arguments[program.link.parameter] = (done[0].result or {})[program.link.field]
            arguments = {p.name: arguments[p.name] for p in step.tool.parameters if p.name in arguments}
        done.append(replace(step, arguments=arguments, result=step.tool.execute(world, arguments)))
    return replace(program, steps=tuple(done))


def _ensure(world: World, parameter: Parameter, value: Any) -> None:
    kind = parameter.kind.removeprefix("list:")
    if kind.startswith("id:"):
        for identifier in value if isinstance(value, list) else [value]:
            world.ensure(kind.split(":")[2], identifier)
    for fields in value if parameter.kind.startswith("objects:") else [value] if parameter.kind == "object" else []:
        for field in parameter.fields:
            if field.name in fields:
                _ensure(world, field, fields[field.name])


def _step(tool: PoolTool, said: dict[str, Any]) -> Step:
    return Step(tool, said, said)


def _domain(tool: PoolTool, tools: Sequence[PoolTool]) -> tuple[PoolTool, ...]:
    """The other tools of the tool's domain."""
    return tuple(other for other in tools if other.domain == tool.domain and other is not tool)


def _askable(tool: PoolTool) -> list[str]:
    """Required parameters that a user can leave out and be asked for: neither objects nor yes-or-no."""
    return [p.name for p in tool.parameters if p.required and not p.kind.startswith("object") and p.kind != "bool"]


def _eligible(scenario: str, tools: Sequence[PoolTool]) -> list[PoolTool]:
    if scenario == "missing_parameter":
        return [tool for tool in tools if _askable(tool)]
    if scenario in ("parallel", "multi_turn"):
        return [tool for tool in tools if tool.parameters]
    return list(tools)


def _parallel(first: Step, entities: Entities, side: str, rng: random.Random) -> tuple[list[Step], tuple[str, ...]]:
    """Two or three calls of one tool. `changed` is empty when the calls share nothing on purpose."""
    count = rng.choice((2, 2, 3))
    named = [p for p in first.tool.parameters if p.name in first.said]
    if len(named) < 2 or rng.random() >= IDENTICAL:
        others = [draw_all(first.tool.parameters, entities, side, rng) for _ in range(count - 1)]
        return [first, *(_step(first.tool, said) for said in others)], ()
    renewed = rng.sample(named, rng.randint(1, min(2, len(named) - 1)))
    others = [first.said | {p.name: draw(p, entities, side, rng) for p in renewed} for _ in range(count - 1)]
    return [first, *(_step(first.tool, said) for said in others)], tuple(p.name for p in renewed)


def _follow_up(first: Step, entities: Entities, side: str, rng: random.Random) -> tuple[Step, tuple[str, ...]]:
    """The second turn: one or two arguments changed, or one added that the first turn did not give."""
    absent = [p for p in first.tool.parameters if p.name not in first.said]
    named = [p for p in first.tool.parameters if p.name in first.said]
    if absent and (not named or rng.random() < 0.35):
        renewed = [rng.choice(absent)]
    else:
        renewed = rng.sample(named, 2 if len(named) > 2 and rng.random() < 0.25 else 1)
    said = first.said | {p.name: draw(p, entities, side, rng) for p in renewed}
    said = {p.name: said[p.name] for p in first.tool.parameters if p.name in said}
    return _step(first.tool, said), tuple(p.name for p in renewed)


def _candidates(
    asked: list[PoolTool],
    others: int,
    look_alikes: bool,
    shown: Sequence[PoolTool],
    hidden: Sequence[PoolTool],
    max_tools: int,
    rng: random.Random,
) -> tuple[PoolTool, ...]:
    """The asked tools and up to `others` distractors in random order; with `look_alikes` the first ones are of a domain
    in question.
    """
    chosen = list(dict.fromkeys(asked))
    kin_of = asked or list(hidden)
    rest = [tool for tool in shown if tool not in chosen and tool not in hidden]
    rng.shuffle(rest)
    if look_alikes:
        # One to three of the same domain first, then whatever came up.
        kin = [tool for tool in rest if any(tool.domain == target.domain for target in kin_of)][: rng.randint(1, 3)]
        rest = kin + [tool for tool in rest if tool not in kin]
    size = sum(map(_signature_size, chosen))
    for tool in rest[:others]:
        size += _signature_size(tool)
        if len(chosen) >= max_tools or (size > PROMPT_CHARACTERS and len(chosen) > len(asked)):
            break
        chosen.append(tool)
    rng.shuffle(chosen)
    return tuple(chosen)


def _signature_size(tool: PoolTool) -> int:
    """Characters of the tool as a compact signature, roughly."""

    def size(parameter: Parameter) -> int:
        options = sum(len(str(option)) + 1 for option in parameter.schema.get("enum", []))
        return len(parameter.name) + 10 + options + sum(map(size, parameter.fields))

    return len(tool.name) + len(tool.tool.description) + sum(map(size, tool.parameters))
