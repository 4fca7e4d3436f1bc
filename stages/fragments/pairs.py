"""Reads off a search tree which fragments make the difference [P]. Pure functions on one tree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stages.params import Fragments
from stages.toolcall.checker import consistent, fragment_error
from stages.toolcall.prompt import Prompter
from stages.toolcall.scanner import join_bytes
from stages.toolcall.types import ErrorKind, Task

Row = dict[str, Any]  # of stages.artifacts.NODES


@dataclass(frozen=True)
class Harvest:
    """The pairs of a tree as rows of stages.artifacts.PAIRS, and for every other branching the reason why it gave none.

    Reasons: cut (fewer than two finished siblings), visits, no_right, no_wrong (every sibling can still become right),
    margin, prefix (one is the beginning of the other and nothing follows it).
    """

    pairs: list[dict[str, Any]]
    reasons: Counter[str]


def harvest(nodes: Sequence[Row], task: Task, prompter: Prompter, settings: Fragments, strict: bool) -> Harvest:
    """One pair at most for each node with two visited children or more.

    chosen: the sibling of highest Q that lies on a right answer. rejected: the one of lowest Q that no accepted answer
    can begin with, whatever the order of its calls and arguments; siblings that mean the same, one of them right, are
    so never a pair. Both have `settings.visits` visits and Qs more than `settings.margin` apart [P, margin and visits
    O]. The prompt is the path so far with the tokens in which both begin. `nodes` are a tree's rows in order of
    creation.
    """
    children: list[list[Row]] = [[] for _ in nodes]
    paths: list[tuple[int, ...]] = [()] * len(nodes)  # generated ids up to and with each node
    for node in nodes[1:]:
        children[node["parent"]].append(node)
        paths[node["node"]] = paths[node["parent"]] + tuple(node["ids"])

    def wrong(node: Row) -> bool:
        text, ended = _text(paths[node["node"]], prompter)
        return not consistent(text, task.reference, task.tools, strict, prompter.dialect, ended)

    found = Harvest([], Counter())
    for parent in nodes:
        siblings = [child for child in children[parent["node"]] if child["visits"] > 0]
        if len(siblings) < 2:
            continue
        pair = _choose(siblings, wrong, settings)
        if isinstance(pair, str):
            found.reasons[pair] += 1
            continue
        chosen, rejected = pair
        common = _common(chosen["ids"], rejected["ids"])
        chosen_ids, rejected_ids = _tail(chosen, common, children), _tail(rejected, common, children)
        if not chosen_ids or not rejected_ids:
            found.reasons["prefix"] += 1
            continue
        so_far = paths[parent["node"]]
        before, _ = _text(so_far, prompter)
        both, ended = _text(paths[rejected["node"]], prompter)
        error = fragment_error(before, both[len(before) :], task.reference, task.tools, strict, prompter.dialect, ended)
        found.pairs.append(
            {
                "task_id": task.task_id,
                "scenario": task.scenario,
                "kind": rejected["kind"],
                "path": rejected["path"],
                "error": error,
                "prompt": [*nodes[0]["ids"], *so_far, *chosen["ids"][:common]],
                "chosen": chosen_ids,
                "rejected": rejected_ids,
                "chosen_q": chosen["q"],
                "rejected_q": rejected["q"],
                "chosen_visits": chosen["visits"],
                "rejected_visits": rejected["visits"],
            }
        )
    return found


def balanced(pairs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many pairs that teach to call as pairs that teach to talk: of the more frequent kind the widest gaps [O].

    Otherwise the first token alone tips the policy: trained on 52 pairs for calling and 23 against, the embedded model
    stops refusing (docs/LOG.md).
    """
    sides = [
        [i for i, pair in enumerate(pairs) if pair["error"] == kind]
        for kind in (ErrorKind.SHOULD_CALL, ErrorKind.SHOULD_NOT_CALL)
    ]
    fewer = min(len(side) for side in sides)
    dropped = {
        index
        for side in sides
        for index in sorted(side, key=lambda i: pairs[i]["rejected_q"] - pairs[i]["chosen_q"])[fewer:]
    }
    return [pair for index, pair in enumerate(pairs) if index not in dropped]


def _choose(siblings: list[Row], wrong: Any, settings: Fragments) -> tuple[Row, Row] | str:
    """The chosen and the rejected sibling, the eldest in a tie, or why there is no pair."""
    finished = [node for node in siblings if node["kind"] != "cut"]
    if len(finished) < 2:
        return "cut"
    visited = [node for node in finished if node["visits"] >= settings.visits]
    if len(visited) < 2:
        return "visits"
    right = [node for node in visited if node["right"]]
    if not right:
        return "no_right"
    against = [node for node in visited if not node["right"] and wrong(node)]
    if not against:
        return "no_wrong"
    chosen = max(right, key=lambda node: node["q"])
    rejected = min(against, key=lambda node: node["q"])
    return (chosen, rejected) if chosen["q"] - rejected["q"] > settings.margin else "margin"


def _text(ids: tuple[int, ...], prompter: Prompter) -> tuple[bytes, bool]:
    """The bytes of generated ids, and whether the model ended its turn with them."""
    return join_bytes(ids, prompter.token_bytes, prompter.end_ids), bool(ids) and ids[-1] in prompter.end_ids


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two fragments share from the start."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _tail(node: Row, common: int, children: list[list[Row]]) -> list[int]:
    """What a fragment has beyond the common tokens.

    Where that is nothing (1 beside 12), the token that came next makes the difference: the first of the best child, for
    a right fragment on a right answer, for a wrong one the most visited.
    """
    tail = list(node["ids"][common:])
    following = [child for child in children[node["node"]] if child["right"] == node["right"]]
    if tail or not following:
        return tail
    best = max(following, key=lambda child: child["q"] if node["right"] else child["visits"])
    return list(best["ids"][:1])
