"""What metrics/synthesis.json says: counts, reasons of rejection, diversity, and the overlap between the splits [O]."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from itool.toolcall.types import OWN, Task
from stages.synthesis.dialogue import Sample
from stages.synthesis.values import Entities, identities
from stages.synthesis.verify import Rejection

LAYERS = ("format", "execution", "semantics", "duplicate")  # all candidates may fail at
MEASURED = 20_000  # tasks of a split that are read for diversity and overlap
SPLITS = ("train", "explore", "validation", "test_seen", "test_unseen")
SPLIT_PAIRS = [(a, b) for a in SPLITS[:3] for b in SPLITS[3:]] + [
    ("train", "explore"),
    ("train", "validation"),
    ("explore", "validation"),
]


def text_of(task: Task) -> str:
    """All that users and tools say in a task: what makes one task a duplicate of another."""
    return "\n".join(message["content"] for message in task.messages if message["role"] in ("user", "tool"))


class Tally:
    """Counts of tasks by (split, scenario), of those from conversations, and of rejections by (layer, reason); and the
    first tasks of each split, for what counts alone do not tell.
    """

    def __init__(self) -> None:
        self.tasks: Counter[tuple[str, str]] = Counter()
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.complex: Counter[str] = Counter()
        self.users = 0
        self.first: dict[str, list[Task]] = {split: [] for split in SPLITS}

    def add(self, result: Task | Rejection) -> None:
        if isinstance(result, Rejection):
            self.rejected[result.layer, result.reason] += 1
            return
        self.tasks[result.split, result.scenario] += 1
        self.complex[result.split] += result.complex
        self.users += result.task_id.startswith(OWN)
        if len(self.first[result.split]) < MEASURED:
            self.first[result.split].append(result)


def metrics(samples: Sequence[Sample], tally: Tally, entities: Entities) -> dict[str, Any]:
    """`samples` come from the pool. Shares are in 0..1, all else are counts.

    Diversity and overlap are of the first MEASURED tasks of each split.
    """
    return {
        "tasks": {split: _counted(tally.tasks, split) for split in SPLITS},
        "complex": {split: tally.complex[split] for split in SPLITS},
        "rejected": {"all": tally.rejected.total()}
        | {layer: _by_second(tally.rejected, layer) for layer in (*LAYERS, *_others(tally.rejected))},
        "diversity": {split: diversity([text_of(task) for task in tally.first[split]]) for split in SPLITS},
        "overlap": _overlap(samples, tally.first, entities),
    }


def _counted(counts: Counter[tuple[str, str]], first: str) -> dict[str, int]:
    found = _by_second(counts, first)
    return {"all": sum(found.values())} | found


def _by_second(counts: Counter[tuple[str, str]], first: str) -> dict[str, int]:
    return dict(sorted((name, count) for (one, name), count in counts.items() if one == first))


def _others(rejected: Counter[tuple[str, str]]) -> list[str]:
    """The layers that only some pipelines have, such as the writer."""
    return sorted({layer for layer, _ in rejected} - {*LAYERS})


def diversity(texts: list[str]) -> dict[str, float]:
    """distinct_n: different word n-grams among all n-grams."""
    shares = {}
    for n in (1, 2, 3):
        grams = [
            gram
            for text in texts
            for words in [text.lower().split()]
            for gram in zip(*(words[i:] for i in range(n)), strict=False)
        ]
        shares[f"distinct_{n}"] = len(set(grams)) / len(grams) if grams else 0.0
    return shares


def _overlap(samples: Sequence[Sample], tasks: dict[str, list[Task]], entities: Entities) -> dict[str, dict[str, int]]:
    """For pairs of splits: how many different prompts, templates, entity values and shown tools stand in both."""
    held: dict[str, dict[str, set[str]]] = {
        split: {"prompts": set(), "phrases": set(), "values": set(), "tools": set()} for split in SPLITS
    }
    for split, found in tasks.items():
        held[split]["prompts"] = {text_of(task) for task in found}
        held[split]["tools"] = {tool.name for task in found for tool in task.tools}
    for sample in samples:
        here = held[sample.task.split]
        here["phrases"].update(sample.phrases)
        for step in sample.program.steps:
            for name, value in step.said.items():
                here["values"].update(identities(step.tool.parameter(name), value, entities))
    return {f"{a}/{b}": {what: len(held[a][what] & held[b][what]) for what in held[a]} for a, b in SPLIT_PAIRS}
