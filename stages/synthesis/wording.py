"""How a simulated user words a request; every sentence part has lists of its own for train and test [O]."""

import math
import random
import re
from collections.abc import Sequence
from typing import Any

from itool.params import Synthesis
from stages.synthesis.programs import Step
from stages.synthesis.values import Parameter, words

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
# Between two requests of one turn.
JOINS = {
    "train": (", and also ", "; then ", ", and then ", " and ", "; also ", ", plus "),
    "test": ("; on top of that ", "; next ", ", and in addition ", ", after that "),
}


class SimulatedUser:
    """The user of one dialogue, who chooses templates at random and remembers which.

    In training and exploration users choose from the first share `settings.train_wording` of every list of training
    templates. Users of the validation split word the share `settings.new_wording` of their parts, and every sentence
    frame, with the rest of these lists, users of the test splits with the lists of test. Users of the exploration
    misspell the share `settings.typos` of the longer words in frames, intents and what is said of a parameter, never in
    a value [O].
    """

    def __init__(self, split: str, settings: Synthesis, rng: random.Random) -> None:
        self.split = split
        self.train_wording = settings.train_wording
        self.new_wording = settings.new_wording
        self.typos = settings.typos if split == "explore" else 0.0
        self.rng = rng
        self.used: list[str] = []

    def wordings(self, templates: Any, frame: bool = False) -> Any:
        """The list (or the dict of lists) from which this user takes the next part, of a dict side -> templates.

        `frame`: whether it is for a whole sentence.
        """
        new = self.split not in LEARNT and self.rng.random() < (1.0 if frame else self.new_wording)
        if new and self.split != "validation":
            return templates["test"]
        training = templates["train"]
        if isinstance(training, dict):
            return {name: self._training_part(each, new) for name, each in training.items()}
        return self._training_part(training, new)

    def _training_part(self, templates: Any, new: bool) -> Any:
        """The training templates that training uses, or with `new` those that it leaves out, if there are any."""
        cut = math.ceil(self.train_wording * len(templates))
        return (templates[cut:] if new else ()) or templates[:cut]

    def choose(self, templates: Any) -> Any:
        """One of the templates, which are a list, or a list for each side."""
        chosen = self.rng.choice(self.wordings(templates) if isinstance(templates, dict) else templates)
        self.used.append(chosen if isinstance(chosen, str) else "|".join(chosen))
        return chosen

    def say(self, templates: Any) -> str:
        """One of the templates, with this user's typos."""
        return self._with_typos(self.choose(templates))

    def sentence(self, request: str) -> str:
        """The request in the frame of a whole sentence."""
        return capitalised(self.say(self.wordings(WRAPPERS, frame=True)).format(request))

    def request(self, step: Step) -> str:
        """The intent and the arguments of a call."""
        return f"{self.say(step.tool.intents)} {self.arguments(step)}".strip()

    def joined(self, steps: Sequence[Step]) -> str:
        """Several requests in one."""
        first, *rest = steps
        text = self.request(first)
        for step in rest:
            text += self.choose(JOINS) + self.request(step)
        return text

    def arguments(self, step: Step, names: tuple[str, ...] | None = None) -> str:
        """The step's said arguments (or only those named), in random order.

        No template comes twice, so that parameters of one kind can be told apart.
        """
        spoken = [p for p in step.tool.parameters if p.name in step.said and (names is None or p.name in names)]
        self.rng.shuffle(spoken)
        taken: set[str] = set()
        return " ".join(self._argument(parameter, step.said[parameter.name], taken) for parameter in spoken)

    def _argument(self, parameter: Parameter, value: Any, taken: set[str]) -> str:
        if parameter.kind.startswith("objects:"):
            return ", and ".join(self._object(parameter, item, set()) for item in value)
        if parameter.kind == "object":
            return self._object(parameter, value, taken)
        templates = self.wordings(parameter.phrases)
        if parameter.kind == "bool":
            return self.choose(templates[str(value).lower()])
        template = self.choose([t for t in templates if t not in taken] or templates)
        taken.add(template)
        return self._with_typos(template).replace("{}", words(value))

    def _object(self, parameter: Parameter, value: dict[str, Any], taken: set[str]) -> str:
        given = [field for field in parameter.fields if field.name in value]
        return " ".join(self._argument(field, value[field.name], taken) for field in given)

    def _with_typos(self, template: str) -> str:
        if self.typos == 0.0:  # the other splits draw nothing for typos
            return template
        return LONGER_WORD.sub(self._misspelt, template)

    def _misspelt(self, found: re.Match[str]) -> str:
        """Sometimes the word with two letters swapped, one lost, or one typed twice; never the first."""
        word = found[0]
        if self.rng.random() >= self.typos:
            return word
        at = self.rng.randrange(1, len(word) - 1)
        middle = self.rng.choice((word[at + 1] + word[at], word[at + 1], word[at] * 2 + word[at + 1]))
        return word[:at] + middle + word[at + 2 :]


def capitalised(text: str) -> str:
    """The text with a capital first letter; the rest stays as it is."""
    return text[0].upper() + text[1:]
