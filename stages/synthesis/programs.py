"""Goals as programs: which calls a user wants, in which order, with which arguments, and which tools the model may
choose from [O].
"""

import random
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from stages.synthesis.pool import Link, Pool, PoolTool
from stages.synthesis.values import Entities, Parameter, draw, draw_all
from stages.synthesis.world import World


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

    `runs`: whether the calls are carried out; they are not where the right answer is to ask or to refuse. `link`: how
    the second step gets its argument from the result of the first. `changed`: the parameters that a later step says
    anew, where it says only these. `missing`: required parameters that the user does not say.
    """

    scenario: str
    side: str
    candidates: tuple[PoolTool, ...]
    steps: tuple[Step, ...]
    world_seed: int
    runs: bool = True
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


def same_domain(tool: PoolTool, tools: Sequence[PoolTool]) -> tuple[PoolTool, ...]:
    """The other tools of the tool's domain."""
    return tuple(other for other in tools if other.domain == tool.domain and other is not tool)


class Sampler:
    """Draws the parts of one program, and puts them together."""

    def __init__(
        self, scenario: str, roster: Roster, entities: Entities, side: str, max_tools: int, rng: random.Random
    ) -> None:
        self.scenario = scenario
        self.roster = roster
        self.entities = entities
        self.side = side
        self.max_tools = max_tools
        self.rng = rng

    def value(self, parameter: Parameter) -> Any:
        """A value for the parameter."""
        return draw(parameter, self.entities, self.side, self.rng)

    def step(self, tool: PoolTool, leave: tuple[str, ...] = ()) -> Step:
        """A call of the tool; the user says all of its arguments but those named in `leave`."""
        said = draw_all(tool.parameters, self.entities, self.side, self.rng, leave)
        return Step(tool, said, said)

    def few(self) -> int:
        """How many tools beside the asked ones stand in most prompts."""
        return self.rng.choice((0, 0, 1, 2))

    def program(
        self,
        steps: Sequence[Step],
        distractors: int,
        *,
        similar: bool = False,
        excluded: Sequence[PoolTool] = (),
        runs: bool = True,
        link: Link | None = None,
        changed: tuple[str, ...] = (),
        missing: tuple[str, ...] = (),
    ) -> Program:
        """The program of these steps; nothing is executed yet.

        Its candidates are the tools of the steps and up to `distractors` others, without the `excluded` ones, in random
        order. With `similar` the first distractors are of the domain of a wanted tool.
        """
        candidates = self._candidates([step.tool for step in steps], distractors, similar, excluded)
        seed = self.rng.getrandbits(32)
        return Program(self.scenario, self.side, candidates, tuple(steps), seed, runs, link, changed, missing)

    def _candidates(
        self, wanted: list[PoolTool], distractors: int, similar: bool, excluded: Sequence[PoolTool]
    ) -> tuple[PoolTool, ...]:
        asked = [tool for tool in wanted if tool not in excluded]
        chosen = list(dict.fromkeys(asked))
        rest = [tool for tool in self.roster.shown if tool not in chosen and tool not in excluded]
        self.rng.shuffle(rest)
        if similar:
            domains = {tool.domain for tool in asked or excluded}
            alike = [tool for tool in rest if tool.domain in domains][: self.rng.randint(1, 3)]
            rest = alike + [tool for tool in rest if tool not in alike]
        chosen += rest[: min(distractors, self.max_tools - len(chosen))]
        self.rng.shuffle(chosen)
        return tuple(chosen)


def execute(program: Program) -> Program:
    """Runs the steps in a fresh World and returns the program with results, and with the linked argument filled in.

    Ids that the user says are taken to exist already. Raises SimulationError when the world refuses a call.
    """
    if not program.runs:
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
