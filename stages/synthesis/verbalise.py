"""From an executed program to a dialogue and its reference answer; every sentence part has lists of its own for train
and test [O].
"""

import json
import math
import random
import re
from dataclasses import dataclass
from typing import Any

from itool.params import Synthesis
from itool.toolcall.types import Kind, Reference, ReferenceCall, Task
from stages.synthesis.programs import Program, Step
from stages.synthesis.values import Parameter, words

# The share of a validation or test request's parts that are worded as training never is; values of test always are new.
# With all parts new the embedded model, which knows no synonyms, falls from 44% to 18% (docs/LOG.md).
NEW_WORDING = 0.5
LEARNT = ("train", "explore")  # splits that a model learns from
LONGER_WORD = re.compile("[a-z]{4,}")
WRAPPERS = {
    "train": (
        "please {}",
        "can you {}?",
        "could you {}?",
        "would you {}?",
        "I need to {}",
        "I want to {}",
        "I would like to {}",
        "I have to {}",
        "help me {}",
        "I am about to {}",
        "{}, please",
        "I wish to {}",
        "now I must {}",
        "can you please {}?",
        "hello, I want to {}",
        "I need you to {}",
    ),
    "test": (
        "I am hoping to {}",
        "my intention is to {}",
        "is it possible to {}?",
        "kindly {}",
        "we ought to {}",
        "have the kindness to {}",
        "now is the moment to {}",
        "I was going to {}",
    ),
}
REFUSAL_TEXT = "None of the tools can do that."
# Between two requests of one turn.
JOINS = {
    "train": (", and also ", "; then ", ", and then ", " and ", "; also ", ", plus "),
    "test": ("; on top of that ", "; next ", ", and in addition ", ", after that "),
}
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
# The second turn of a dialogue: something changed, or something added.
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


@dataclass(frozen=True)
class Sample:
    """A task that was made, the program it came from, and the templates its user spoke with."""

    task: Task
    program: Program
    phrases: tuple[str, ...]


class Speaker:
    """The simulated user of one dialogue: picks templates and remembers which.

    In training and exploration users speak the first share `settings.train_wording` of every list of training
    templates. Users of the validation split say half of their parts, and every sentence frame, with the rest of these
    lists, users of the test splits with the lists of test. Users of the exploration misspell the share `settings.typos`
    of the longer words in frames, intents and what is said of a parameter, never in a value [O].
    """

    def __init__(self, split: str, settings: Synthesis, rng: random.Random) -> None:
        self.split = split
        self.wording = settings.train_wording
        self.typos = settings.typos if split == "explore" else 0.0
        self.rng = rng
        self.used: list[str] = []

    def heard(self, templates: Any, share: float = NEW_WORDING) -> Any:
        """The list, or the dict of lists, from which this user takes the next part; new words with the probability."""
        new = self.split not in LEARNT and self.rng.random() < share
        if new and self.split != "validation":
            return templates["test"]
        spoken = templates["train"]
        if isinstance(spoken, dict):
            return {name: self.half(each, new) for name, each in spoken.items()}
        return self.half(spoken, new)

    def half(self, templates: Any, new: bool) -> Any:
        """The templates of training, or those that it leaves out, if any."""
        cut = math.ceil(self.wording * len(templates))
        return (templates[cut:] if new else ()) or templates[:cut]

    def pick(self, templates: Any) -> Any:
        """One of the templates, which are a list a side, or a list."""
        chosen = self.rng.choice(self.heard(templates) if isinstance(templates, dict) else templates)
        self.used.append(chosen if isinstance(chosen, str) else "|".join(chosen))
        return chosen

    def say(self, templates: Any) -> str:
        """One of the templates, as this user types it."""
        return self.typed(self.pick(templates))

    def typed(self, template: str) -> str:
        """The template, with typos."""
        if self.typos == 0.0:  # other splits draw as if there were none
            return template
        return LONGER_WORD.sub(self.mistyped, template)

    def mistyped(self, found: re.Match[str]) -> str:
        """Sometimes with two letters swapped, one lost, or one typed twice; never the first."""
        word = found[0]
        if self.rng.random() >= self.typos:
            return word
        at = self.rng.randrange(1, len(word) - 1)
        middle = self.rng.choice((word[at + 1] + word[at], word[at + 1], word[at] * 2 + word[at + 1]))
        return word[:at] + middle + word[at + 2 :]

    def wrap(self, request: str) -> str:
        """A whole sentence."""
        text = self.say(self.heard(WRAPPERS, share=1.0)).format(request)
        return text[0].upper() + text[1:]

    def slots(self, step: Step, names: tuple[str, ...] | None = None) -> str:
        """The step's said arguments (or only those named), in random order; no template twice, so that equal kinds stay
        apart.
        """
        spoken = [p for p in step.tool.parameters if p.name in step.said and (names is None or p.name in names)]
        self.rng.shuffle(spoken)
        taken: set[str] = set()
        return " ".join(self.slot(parameter, step.said[parameter.name], taken) for parameter in spoken)

    def slot(self, parameter: Parameter, value: Any, taken: set[str]) -> str:
        if parameter.kind.startswith("objects:"):
            return ", and ".join(self._object(parameter, item, set()) for item in value)
        if parameter.kind == "object":
            return self._object(parameter, value, taken)
        templates = self.heard(parameter.phrases)
        if parameter.kind == "bool":
            return self.pick(templates[str(value).lower()])
        template = self.pick([t for t in templates if t not in taken] or templates)
        taken.add(template)
        return self.typed(template).replace("{}", words(value))

    def _object(self, parameter: Parameter, value: dict[str, Any], taken: set[str]) -> str:
        return " ".join(self.slot(field, value[field.name], taken) for field in parameter.fields if field.name in value)

    def request(self, step: Step) -> str:
        return f"{self.say(step.tool.intents)} {self.slots(step)}".strip()

    def several(self, program: Program) -> str:
        """All calls of a parallel turn."""
        first, *rest = program.steps
        if program.changed:
            text = self.request(first)
            for step in rest:
                text += self.pick(SAME).format(self.slots(step, program.changed))
            return text
        if program.scenario == "parallel" and all(step.said for step in program.steps) and self.rng.random() < 0.5:
            opening, between, last = self.pick(EACH)
            text = self.say(first.tool.intents) + opening + self.slots(first)
            for step in rest:
                text += (last if step is rest[-1] else between) + self.slots(step)
            return text
        text = self.request(first)
        for step in rest:
            text += self.pick(JOINS) + self.request(step)
        return text

    def follow_up(self, program: Program) -> str:
        """The second turn, which refers back to the first."""
        first, second = program.steps
        templates = CHANGE if all(name in first.said for name in program.changed) else ADD
        template = self.pick(templates)
        text = template.replace("{noun}", second.tool.noun).replace("{}", self.slots(second, program.changed))
        return text[0].upper() + text[1:]


def verbalise(program: Program, split: str, settings: Synthesis, rng: random.Random) -> Sample:
    """The dialogue of an executed program up to the assistant turn that is asked for, with its reference; the task has
    no id yet.
    """
    speaker = Speaker(split, settings, rng)
    first, last = program.steps[0], program.steps[-1]
    if program.scenario == "dependent" and program.link:
        body = f"{speaker.request(first)} {speaker.pick(program.link.phrases)} {speaker.slots(last)}".strip()
        messages = [_user(speaker.wrap(body)), *_answered(first)]
        reference = _calls([last])
    elif program.scenario == "multi_turn":
        opening = _user(speaker.wrap(speaker.request(first)))
        messages = [opening, *_answered(first), {"role": "assistant", "content": report(first.result or {})}]
        messages.append(_user(speaker.follow_up(program)))
        reference = _calls([last])
    elif program.scenario == "report":
        messages = [_user(speaker.wrap(speaker.request(first))), *_answered(first)]
        values = tuple(_plain(value) for value in (first.result or {}).values())
        reference = Reference(Kind.REPORT, values=values, text=report(first.result or {}))
    elif program.scenario == "missing_parameter":
        messages = [_user(speaker.wrap(speaker.request(first)))]
        names = tuple((first.tool.name, name) for name in program.missing)
        reference = Reference(Kind.QUESTION, parameters=names, text=question(first, program.missing))
    elif program.scenario == "irrelevant":
        messages = [_user(speaker.wrap(speaker.request(first)))]
        reference = Reference(Kind.REFUSAL, text=REFUSAL_TEXT)
    else:
        messages = [_user(speaker.wrap(speaker.several(program)))]
        reference = _calls(list(program.steps))
    tools = tuple(candidate.tool for candidate in program.candidates)
    task = Task("", split, program.scenario, tools, tuple(messages), reference)
    return Sample(task, program, tuple(speaker.used))


def report(result: dict[str, Any]) -> str:
    """{"price": 210, "flight_id": "FL482"} -> "The price is 210 and the flight id is FL482."."""
    parts = [f"the {name.replace('_', ' ')} is {_plain(value)}" for name, value in result.items()]
    text = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    return text[0].upper() + text[1:] + "."


def question(step: Step, missing: tuple[str, ...]) -> str:
    """Asks for the parameters by their names; by friendlier words only where these contain the name."""
    asked = []
    for name in missing:
        plain, ask = name.replace("_", " "), step.tool.parameter(name).ask
        asked.append(f"the {ask if plain in ask else plain}")
    return f"What is {' and '.join(asked)}?"


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _answered(step: Step) -> list[dict[str, Any]]:
    """The assistant's call and the tool's result."""
    call = {"type": "function", "function": {"name": step.tool.name, "arguments": step.arguments}}
    result = {"role": "tool", "name": step.tool.name, "content": json.dumps(step.result, ensure_ascii=False)}
    return [{"role": "assistant", "content": "", "tool_calls": [call]}, result]


def _calls(steps: list[Step]) -> Reference:
    calls = [ReferenceCall(step.tool.name, {name: [value] for name, value in step.arguments.items()}) for step in steps]
    return Reference(Kind.CALLS, calls=tuple(calls))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
