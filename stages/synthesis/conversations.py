"""Tasks from a user's own conversations: which are kept, and what the log says of them [O]."""

import hashlib
from collections import Counter
from collections.abc import Set
from dataclasses import replace

from itool.artifacts import task_row
from itool.errors import UserError
from itool.formats import read_conversations
from itool.log import log
from itool.toolcall.types import Kind, Task
from itool.toolcall.wording import text_share
from stages.synthesis.dedup import near_groups
from stages.synthesis.lengths import Limits
from stages.synthesis.measure import SPLITS, text_of
from stages.synthesis.verify import Rejection, format_error

WITHHELD = 0.4  # share of a user's tasks that may show held-out tools without a warning


def learn_from(
    path: str, form: str, sizes: dict[str, int], unseen: Set[str], validation_only: Set[str], limits: Limits
) -> tuple[list[Task], list[Rejection]]:
    """The tasks of a user's conversations, and what was rejected. Logs what became of them.

    Raises UserError when a file that is not empty gives no task.
    """
    turns = with_splits(read_conversations(path, form), sizes, unseen, validation_only)
    users, rejected = accepted(turns, limits)
    if not turns:
        return users, rejected
    told = f"{len(turns)} assistant turns, {len(users)} kept, {len(rejected)} rejected"
    reasons = Counter(r.reason if r.layer == "format" else r.layer for r in rejected)
    why = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
    if not users:
        first = " ".join(rejected[0].detail.split())[:200]
        raise UserError(f"{path}: {told} ({why}), expected one to keep; the first is {first}")
    log.info("conversations: %s%s", told, f" ({why}; see rejected.parquet)" if rejected else "")
    tell_splits(users, unseen | validation_only)
    return users, rejected


def with_splits(
    conversations: list[list[Task]], sizes: dict[str, int], unseen: Set[str], validation_only: Set[str]
) -> list[Task]:
    """The tasks of all conversations with their splits; near duplicates are in one split.

    A split does not depend on the order of the file.
    """
    ids = near_groups([text_of(tasks[-1]) for tasks in conversations])
    groups: dict[int, list[list[Task]]] = {}
    for group, tasks in zip(ids, conversations, strict=True):
        groups.setdefault(group, []).append(tasks)
    if repeated := len(conversations) - len(groups):
        most = max(map(len, groups.values()))
        log.info(
            "conversations: %d say nearly what others do and share their split; at most %d are alike", repeated, most
        )
    splits = {group: _split_of(alike, sizes, unseen, validation_only) for group, alike in groups.items()}
    return [
        replace(task, split=splits[group]) for group, tasks in zip(ids, conversations, strict=True) for task in tasks
    ]


def _split_of(alike: list[list[Task]], sizes: dict[str, int], unseen: Set[str], validation_only: Set[str]) -> str:
    """The split of conversations that are near duplicates of each other.

    It is test_unseen where one of them shows a tool of `unseen`, validation where one shows a tool of
    `validation_only`, and otherwise one of `sizes` by a hash of what is said, in proportion to the sizes.
    """
    shown = {tool.name for tasks in alike for tool in tasks[-1].tools}
    if shown & unseen:
        return "test_unseen"
    if shown & validation_only:
        return "validation"
    return _by_hash(min(text_of(tasks[-1]) for tasks in alike), sizes)


def _by_hash(text: str, sizes: dict[str, int]) -> str:
    """A split, as likely as it is large."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    point = int.from_bytes(digest, "big") / 2**64 * sum(sizes.values())
    for split, size in sizes.items():
        point -= size
        if point < 0:
            return split
    return list(sizes)[-1]


def accepted(tasks: list[Task], limits: Limits) -> tuple[list[Task], list[Rejection]]:
    """A user's tasks that pass the format layer and fit the model, without repetitions."""
    kept: list[Task] = []
    rejected: list[Rejection] = []
    seen: set[str] = set()
    for task in tasks:
        row = task_row(task)
        key = row["tools"] + row["messages"]
        problem = _unchecked(task) or format_error(task) or limits.problem(task)
        if problem:
            rejected.append(Rejection(task.scenario, "format", problem[0], f"{task.task_id}: {problem[1]}"))
        elif key in seen:
            rejected.append(Rejection(task.scenario, "duplicate", "exact", task.task_id))
        else:
            seen.add(key)
            kept.append(task)
    return kept, rejected


def tell_splits(users: list[Task], held: Set[str]) -> None:
    """Logs where a user's tasks went. Those that show a held-out tool are never learnt from."""
    counts = Counter(task.split for task in users)
    log.info("tasks from conversations: %s", ", ".join(f"{split} {counts[split]}" for split in SPLITS))
    withheld = sum(not held.isdisjoint(tool.name for tool in task.tools) for task in users) / len(users)
    if withheld > WITHHELD:
        log.warning(
            "%.0f%% of them show a held-out tool and are not learnt from; lower synthesis.unseen_tools and "
            "synthesis.validation_tools (0: no tool is held out)",
            100 * withheld,
        )
    elif not counts["train"] + counts["explore"]:
        log.warning(
            "no conversation is learnt from, all fell to validation and test by chance: give more conversations or "
            "raise synthesis.train"
        )


def _unchecked(task: Task) -> tuple[str, str] | None:
    """(reason, detail) of a text with which any other would be right, or none."""
    reference = task.reference
    if reference.kind is Kind.REPORT and not reference.values:
        return "report of nothing in the results", reference.text
    if reference.kind is Kind.REFUSAL and text_share(reference.text, reference) < 1:
        return "neither question, report nor refusal", reference.text
    return None
