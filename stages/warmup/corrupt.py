"""Wrong answers made from right ones, for the self-evaluation samples. [O]"""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from itool.toolcall.checker import check
from itool.toolcall.types import Answer, Call, Task


@dataclass
class Material:
    """What wrong answers are made of: argument values by parameter name, in order of appearance, and text answers."""

    values: dict[str, list[Any]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


def gather(tasks: Iterable[Task]) -> Material:
    """The values and texts of the tasks' references."""
    material = Material()
    for task in tasks:
        answer = task.reference.answer()
        if answer.text:
            material.texts.append(answer.text)
        for call in answer.calls:
            for name, value in call.arguments.items():
                material.values.setdefault(name, []).append(value)
    return material


def corrupt(task: Task, material: Material, chance: random.Random, strict: bool) -> Answer | None:
    """A wrong answer to the task that differs from the right one in one place; None when none is found.

    For calls: a wrong value, two values swapped, an argument left out or added, another function, a call too few, or
    text instead. For text: another text, or a call. The checker has the last word on what is wrong.
    """
    right = task.reference.answer()
    ways = (
        [_wrong_value, _swapped, _missing, _extra, _other_function, _too_few, _text] if right.calls else [_text, _call]
    )
    chance.shuffle(ways)
    for way in ways:
        for answer in way(right, task, material, chance):
            if not check(answer, task.reference, task.tools, strict).right:
                return answer
    return None


def _wrong_value(right: Answer, task: Task, material: Material, chance: random.Random) -> Iterator[Answer]:
    for index, call in _calls(right, chance):
        for name in _shuffled(call.arguments, chance):
            for value in _others(name, call.arguments[name], material, chance):
                yield _replaced(right, index, Call(call.name, call.arguments | {name: value}))


def _others(name: str, value: Any, material: Material, chance: random.Random) -> list[Any]:
    """A few other values for a parameter: near ones, and some that it has elsewhere."""
    near: list[Any] = []
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        near = [value + chance.choice((1, 2, 10)), value * 10]
    if isinstance(value, list) and len(value) > 1:
        near = [value[:-1]]
    elsewhere = material.values.get(name, [])
    return near[:1] + chance.sample(elsewhere, min(4, len(elsewhere))) + near[1:]


def _swapped(right: Answer, task: Task, material: Material, chance: random.Random) -> Iterator[Answer]:
    for index, call in _calls(right, chance):
        names = _shuffled(call.arguments, chance)
        for a, b in pairwise(names):
            if type(call.arguments[a]) is type(call.arguments[b]):
                swapped = call.arguments | {a: call.arguments[b], b: call.arguments[a]}
                yield _replaced(right, index, Call(call.name, swapped))


def _missing(right: Answer, task: Task, material: Material, chance: random.Random) -> Iterator[Answer]:
    for index, call in _calls(right, chance):
        for name in _shuffled(call.arguments, chance):
            yield _replaced(right, index, Call(call.name, {k: v for k, v in call.arguments.items() if k != name}))


def _extra(right: Answer, task: Task, material: Material, chance: random.Random) -> Iterator[Answer]:
    properties = {tool.name: tool.properties for tool in task.tools}
    for index, call in _calls(right, chance):
        for name in _shuffled([name for name in properties[call.name] if name not in call.arguments], chance):
            for value in _others(name, None, material, chance):
                yield _replaced(right, index, Call(call.name, call.arguments | {name: value}))


def _other_function(right: Answer, task: Task, material: Material, chance: random.Random) -> Iterator[Answer]:
    for index, call in _calls(right, chance):
        for tool in _shuffled(task.tools, chance):
            yield _replaced(right, index, Call(tool.name, call.arguments))


def _too_few(right: Answer, task: Task, material: Material, chance: random.Random) -> Iterator[Answer]:
    if len(right.calls) > 1:
        gone = chance.randrange(len(right.calls))
        yield Answer(right.calls[:gone] + right.calls[gone + 1 :])


def _text(right: Answer, task: Task, material: Material, chance: random.Random) -> Iterator[Answer]:
    for text in chance.sample(material.texts, min(4, len(material.texts))):
        yield Answer(text=text)


def _call(right: Answer, task: Task, material: Material, chance: random.Random) -> Iterator[Answer]:
    for tool in _shuffled(task.tools, chance):
        known = [name for name in tool.required if name in material.values]
        yield Answer((Call(tool.name, {name: chance.choice(material.values[name]) for name in known}),))


def _calls(answer: Answer, chance: random.Random) -> list[tuple[int, Call]]:
    return _shuffled(enumerate(answer.calls), chance)


def _shuffled(items: Iterable[Any], chance: random.Random) -> list[Any]:
    items = list(items)
    return chance.sample(items, len(items))


def _replaced(answer: Answer, index: int, call: Call) -> Answer:
    return Answer((*answer.calls[:index], call, *answer.calls[index + 1 :]))


def difficulty(tasks: Iterable[Task]) -> list[float]:
    """How hard each task looks [P]: candidate tools, length of the tool list and calls, each as a share of the most."""
    marks = [
        (len(task.tools), sum(len(json.dumps(tool.spec())) for tool in task.tools), len(task.reference.calls))
        for task in tasks
    ]
    most = [max(mark, default=0) or 1 for mark in zip(*marks, strict=True)]
    return [sum(mark / top for mark, top in zip(each, most, strict=True)) for each in marks]
