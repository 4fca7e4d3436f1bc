"""What metrics/synthesis.json says: counts, reasons of rejection, diversity, and the overlap between the splits [O]."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from itool.toolcall.types import Task
from stages.synthesis.dialogue import Sample
from stages.synthesis.values import Entities, identities
from stages.synthesis.verify import Rejection

SPLITS = ("train", "explore", "validation", "test_seen", "test_unseen")
SPLIT_PAIRS = [(a, b) for a in SPLITS[:3] for b in SPLITS[3:]] + [
    ("train", "explore"),
    ("train", "validation"),
    ("explore", "validation"),
]


def text_of(task: Task) -> str:
    """All that users and tools say in a task: what makes one task a duplicate of another."""
    return "\n".join(message["content"] for message in task.messages if message["role"] in ("user", "tool"))


def metrics(
    samples: Sequence[Sample], users: Sequence[Task], rejected: Sequence[Rejection], entities: Entities
) -> dict[str, Any]:
    """`samples` come from the pool, `users` from conversations. Shares are in 0..1, all else are counts."""
    tasks = {split: [t for t in [*(s.task for s in samples), *users] if t.split == split] for split in SPLITS}
    return {
        "tasks": {split: {"all": len(found)} | _counted(t.scenario for t in found) for split, found in tasks.items()},
        "complex": {split: sum(task.complex for task in found) for split, found in tasks.items()},
        "rejected": {"all": len(rejected)}
        | {
            layer: _counted(r.reason for r in rejected if r.layer == layer)
            for layer in ("format", "execution", "semantics", "duplicate")
        },
        "diversity": {split: _diversity([text_of(task) for task in found]) for split, found in tasks.items()},
        "overlap": _overlap(samples, tasks, entities),
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _diversity(texts: list[str]) -> dict[str, float]:
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
