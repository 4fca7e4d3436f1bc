"""Tasks from a user's own conversations: their splits, which are kept, and what the log says of them [O].

The file is read twice, for the splits and for the tasks, so that not all tasks are in memory at a time.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial

from itool.artifacts import task_row
from itool.errors import UserError
from itool.formats import read_conversations
from itool.formats.notes import Notes
from itool.formats.records import point
from itool.log import log
from itool.toolcall.types import Kind, Task
from stages.synthesis.dedup import near_groups
from stages.synthesis.lengths import Limits, Problem
from stages.synthesis.measure import SPLITS, text_of
from stages.synthesis.processes import in_processes
from stages.synthesis.verify import Rejection, format_error

WITHHELD = 0.4  # share of a user's tasks that may show held-out tools without a warning
LEARNT = ("train", "explore")


@dataclass(frozen=True)
class HeldOut:
    """Tools that only the unseen test split shows, and that only validation shows; of the pool, by their names.

    A user's own tools are held out beside them: as many as `unseen_share` and `validation_share` of the conversations
    show.
    """

    unseen: Set[str] = frozenset()
    validation: Set[str] = frozenset()
    unseen_share: float = 0.0
    validation_share: float = 0.0


def learn_from(
    path: str, form: str, shares: Mapping[str, float], sizes: Mapping[str, int], held: HeldOut, limits: Limits
) -> Iterator[Task | Rejection]:
    """The tasks of a user's conversations, and why others were rejected. Logs what became of them.

    `form` and `shares` are those of read_conversations, and `sizes` those of the splits. Raises UserError when a file
    that is not empty gives no task.
    """
    texts: list[str] = []
    shown: list[frozenset[str]] = []
    for tasks in read_conversations(path, form, Notes(), shares):
        texts.append(text_of(tasks[-1]))
        shown.append(frozenset(tool.name for tool in tasks[-1].tools))
    held = with_own(held, shown)
    splits = splits_of(texts, shown, sizes, held)
    notes = Notes()
    turns = (
        task
        for split, tasks in zip(splits, read_conversations(path, form, notes, shares), strict=True)
        for task in with_split(tasks, split)
    )
    yield from _told(accepted(turns, limits), path, held)
    notes.tell(path)


def with_own(held: HeldOut, shown: Sequence[frozenset[str]]) -> HeldOut:
    """With the names of own tools that are held out, too."""
    unseen = frozenset(held.unseen) | own_held_out(shown, held.unseen_share, held.unseen | held.validation)
    validation = held.validation | own_held_out(shown, held.validation_share, unseen | held.validation)
    return replace(held, unseen=unseen, validation=validation)


def own_held_out(shown: Sequence[frozenset[str]], share: float, taken: Set[str]) -> set[str]:
    """Names of tools, those of `taken` apart, that no more than this share of the conversations show together.

    They come in the order of a hash, and do not depend on the order of the conversations.
    """
    showing: dict[str, list[int]] = {}
    for index, names in enumerate(shown):
        for name in names - taken:
            showing.setdefault(name, []).append(index)
    held: set[str] = set()
    covered: set[int] = set()
    for name in sorted(showing, key=point):
        if len(covered) >= share * len(shown):
            break
        if len(covered.union(showing[name])) <= share * len(shown):
            held.add(name)
            covered.update(showing[name])
    return held


def splits_of(
    texts: Sequence[str], shown: Sequence[frozenset[str]], sizes: Mapping[str, int], held: HeldOut
) -> list[str]:
    """The split of each conversation; near duplicates are in one split.

    A split does not depend on the order of the file. It is test_unseen where one of those that are alike shows a tool
    that only this split shows, validation in the same way, and otherwise one of `sizes` by a hash of what is said, in
    proportion to the sizes.
    """
    ids = near_groups(texts)
    tools: dict[int, frozenset[str]] = {}
    least: dict[int, str] = {}
    for group, text, names in zip(ids, texts, shown, strict=True):
        tools[group] = tools.get(group, frozenset()) | names
        least[group] = min(least.get(group, text), text)
    if repeated := len(ids) - len(tools):
        most = max(Counter(ids).values())
        log.info(
            "conversations: %d say nearly what others do and share their split; at most %d are alike", repeated, most
        )
    splits = {group: _split(tools[group], least[group], sizes, held) for group in tools}
    return [splits[group] for group in ids]


def _split(shown: Set[str], text: str, sizes: Mapping[str, int], held: HeldOut) -> str:
    if shown & held.unseen:
        return "test_unseen"
    if shown & held.validation:
        return "validation"
    place = point(text) * sum(sizes.values())
    for split, size in sizes.items():
        place -= size
        if place < 0:
            return split
    return list(sizes)[-1]


def with_split(tasks: Sequence[Task], split: str) -> Iterator[Task]:
    """The tasks of a conversation in its split. What no rule can judge is only to be learnt, in the warm-up."""
    for task in tasks:
        unjudged = task.reference.kind is Kind.UNJUDGED
        yield replace(task, split="train" if unjudged and split in LEARNT else split)


def accepted(tasks: Iterator[Task], limits: Limits) -> Iterator[Task | Rejection]:
    """A user's tasks that pass the format layer and fit the model, without repetitions, and why others do not."""
    seen: set[bytes] = set()
    for task, problem in in_processes(partial(_with_problem, limits), tasks):
        row = task_row(task)
        key = hashlib.blake2b((row["tools"] + row["messages"]).encode(), digest_size=16).digest()
        if problem:
            yield Rejection(task.scenario, "format", problem[0], f"{task.task_id}: {problem[1]}")
        elif key in seen:
            yield Rejection(task.scenario, "duplicate", "exact", task.task_id)
        else:
            seen.add(key)
            yield task


def _with_problem(limits: Limits, task: Task) -> tuple[Task, Problem]:
    return task, _unchecked(task) or format_error(task) or limits.problem(task)


def _told(results: Iterator[Task | Rejection], path: str, held: HeldOut) -> Iterator[Task | Rejection]:
    """Passes the results on and logs their counts in the end. Raises UserError when no task is among them."""
    reasons: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    withheld, first = 0, ""
    for result in results:
        if isinstance(result, Rejection):
            reasons[result.reason if result.layer == "format" else result.layer] += 1
            first = first or " ".join(result.detail.split())[:200]
        else:
            splits[result.split] += 1
            withheld += not (held.unseen | held.validation).isdisjoint(tool.name for tool in result.tools)
        yield result
    kept, rejected = splits.total(), reasons.total()
    if not kept + rejected:
        return
    told = f"{kept + rejected} assistant turns, {kept} kept, {rejected} rejected"
    why = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
    if not kept:
        raise UserError(f"{path}: {told} ({why}), expected one to keep; the first is {first}")
    log.info("conversations: %s%s", told, f" ({why}; see rejected.parquet)" if rejected else "")
    _tell_splits(splits, withheld / kept)


def _tell_splits(splits: Counter[str], withheld: float) -> None:
    """Logs where a user's tasks went. Those that show a held-out tool are never learnt from."""
    log.info("tasks from conversations: %s", ", ".join(f"{split} {splits[split]}" for split in SPLITS))
    if withheld > WITHHELD:
        log.warning(
            "%.0f%% of them show a held-out tool and are not learnt from; lower synthesis.unseen_tools and "
            "synthesis.validation_tools (0: no tool is held out)",
            100 * withheld,
        )
    elif not splits["train"] + splits["explore"]:
        log.warning(
            "no conversation is learnt from, all fell to validation and test by chance: give more conversations or "
            "raise synthesis.train"
        )


def _unchecked(task: Task) -> Problem:
    """(reason, detail) of a text with which any other would be right, where answers are measured, or none."""
    if task.reference.kind is Kind.UNJUDGED and task.split != "train":
        return "text that no rule can judge", task.reference.text
    return None
