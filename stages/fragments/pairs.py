"""Reads off a search tree which fragments make the difference [P]. Pure functions on one tree."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from itool.engine.base import Ids
from itool.params import Fragments
from itool.toolcall.checker import first_error
from itool.toolcall.prompt import Prompter
from itool.toolcall.scanner import join_bytes
from itool.toolcall.types import ErrorKind, Task

Row = dict[str, Any]  # of itool.artifacts.NODES


@dataclass(frozen=True)
class Findings:
    """What one tree gives: its pairs, why its other branchings gave none, and the answer to be learnt whole, if any.

    pairs: rows of itool.artifacts.PAIRS, in which `answer` is still the answer's ids and not yet its number.

    reasons: how many branchings gave no pair because of
        cut       fewer than two siblings are finished
        no_right  no sibling lies on a right answer
        no_wrong  every sibling can still become right
        visits    one side has too few
        margin    the Qs are too close (span path only)
        prefix    one side is the beginning of the other, and nothing follows it
        too_long  an answer would exceed model.max_length
    """

    pairs: list[dict[str, Any]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    learnt: Ids | None = None

    def add(self, found: dict[str, Any] | str) -> None:
        """A branching's pair, or the reason why it gave none."""
        if isinstance(found, str):
            self.reasons[found] += 1
        else:
            self.pairs.append(found)


class Reader:
    """Looks things up in a tree, whose rows stand in order of creation, for its task and its model."""

    def __init__(self, nodes: Sequence[Row], task: Task, prompter: Prompter, settings: Fragments, strict: bool) -> None:
        self.nodes, self.task, self.prompter, self.settings, self.strict = nodes, task, prompter, settings, strict
        self.children: list[list[Row]] = [[] for _ in nodes]
        self.paths: list[Ids] = [()] * len(nodes)  # generated ids up to and with each node
        self.longest = prompter.max_length - len(nodes[0]["ids"])  # tokens of an answer that can be trained on
        for node in nodes[1:]:
            self.children[node["parent"]].append(node)
            self.paths[node["node"]] = self.paths[node["parent"]] + tuple(node["ids"])

    def branchings(self) -> Iterator[tuple[Ids, list[Row]]]:
        """The path to, and the visited children of, every node that has two of them or more."""
        for path, children in zip(self.paths, self.children, strict=True):
            siblings = [child for child in children if child["visits"] > 0]
            if len(siblings) > 1:
                yield path, siblings

    def right_answer(self) -> Ids | None:
        """The generated ids of the right answer of highest Q, the first created in a tie; None where there is none."""
        right = [
            node
            for node in self.nodes
            if node["terminal"] and node["right"] and len(self.paths[node["node"]]) <= self.longest
        ]
        return self.paths[max(right, key=lambda node: node["q"])["node"]] if right else None

    def text(self, ids: Ids) -> tuple[bytes, bool]:
        """The bytes of generated ids, and whether the model ended its turn with them."""
        end_ids = self.prompter.end_ids
        return join_bytes(ids, self.prompter.token_bytes, end_ids), bool(ids) and ids[-1] in end_ids

    def error(self, ids: Ids) -> ErrorKind | None:
        """What is wrong first in these generated ids. None when an accepted answer begins with them, whatever the order
        of its calls and arguments.
        """
        text, ended = self.text(ids)
        return first_error(text, self.task.reference, self.task.tools, self.strict, self.prompter.dialect, ended)

    def pair(
        self,
        chosen: Row,
        rejected: Row,
        so_far: Ids,
        ids: Ids,
        other: Ids,
        answer: Ids,
    ) -> dict[str, Any] | str:
        """The pair in which `ids` is chosen and `other` rejected after `so_far`, or the reason why there is none.
        `answer` is the whole answer that begins with `so_far` and `ids`.
        """
        common = next((i for i, (x, y) in enumerate(zip(ids, other, strict=False)) if x != y), None)
        if common is None:
            return "prefix"
        if max(len(answer), len(so_far) + len(other)) > self.longest:
            return "too_long"
        return {
            "task_id": self.task.task_id,
            "scenario": self.task.scenario,
            "kind": rejected["kind"],
            "path": rejected["path"],
            "error": self.error(so_far + other),
            "prompt": [*self.nodes[0]["ids"], *so_far, *ids[:common]],
            "chosen": ids[common:],
            "rejected": other[common:],
            "chosen_q": chosen["q"],
            "rejected_q": rejected["q"],
            "chosen_visits": chosen["visits"],
            "rejected_visits": rejected["visits"],
            "answer": answer,
        }


def find_pairs(nodes: Sequence[Row], task: Task, prompter: Prompter, settings: Fragments, strict: bool) -> Findings:
    """What a tree gives. `settings.span` says how much of an answer a pair is about; all but the first are there to be
    compared with it:

    fragment: one pair at most for each node with two visited children or more [P].
    rest: the same, and each side goes on to the end of an answer [O].
    response: the best right answer of the tree against the worst wrong one, as DPO is mostly used.
    path: for each such node the path to the child of highest Q, right or wrong, against that to the child of lowest Q,
    a wrong one, with an end of turn after either, as the authors' code has it. Since the chosen side may be wrong here,
    the Qs must be more than `settings.margin` apart.
    """
    tree = Reader(nodes, task, prompter, settings, strict)
    found = {"response": _responses, "path": _paths}.get(settings.span, _fragments)(tree)
    learnt = None if settings.answers == "reference" else tree.right_answer()
    if learnt is None and settings.answers != "found":
        learnt = prompter.completion_ids(task.reference.answer())
    return Findings(found.pairs, found.reasons, learnt)


def _fragments(tree: Reader) -> Findings:
    """The chosen side is the sibling of highest Q that lies on a right answer. The rejected side is the one of lowest Q
    that no accepted answer can begin with [P]. Siblings that mean the same, one of them right, are thus never a pair.
    Both sides have `settings.visits` visits [O]. The prompt is the path so far with the tokens in which both begin.

    No gap between the Qs is asked for [O]: the checker has decided which side is better, and Q could only hide it. A
    near miss is worth up to 0.9, the more the larger the task is, and self-evaluation may lift it above a right answer.
    """
    found = Findings()
    for so_far, siblings in tree.branchings():
        sides = _choose(siblings, tree)
        if isinstance(sides, str):
            found.add(sides)
            continue
        ids, other = (_finished(side, tree) for side in sides)
        answer = so_far + ids
        if tree.settings.span == "fragment":
            ids, other = _beginning(ids, sides), _beginning(other, sides[::-1])
        found.add(tree.pair(*sides, so_far, ids, other, answer))
    return found


def _responses(tree: Reader) -> Findings:
    """The best right answer of the tree against its worst wrong one."""
    finished = [node for node in tree.nodes if node["terminal"] and node["kind"] != "cut"]
    right = [node for node in finished if node["right"]]
    wrong = [node for node in finished if not node["right"]]
    found = Findings()
    if not right or not wrong:
        found.add("no_wrong" if right else "no_right")
        return found
    chosen, rejected = max(right, key=lambda node: node["q"]), min(wrong, key=lambda node: node["q"])
    ids, other = (tree.paths[node["node"]] for node in (chosen, rejected))
    found.add(tree.pair(chosen, rejected, (), ids, other, ids))
    return found


def _paths(tree: Reader) -> Findings:
    """For each branching the path to the best sibling against the path to the worst one, each with an end of turn."""
    found = Findings()
    for _, siblings in tree.branchings():
        chosen, rejected = (best(siblings, key=lambda node: node["q"]) for best in (max, min))
        ids, other = (_ended(tree.paths[node["node"]], tree.prompter) for node in (chosen, rejected))
        if chosen["q"] - rejected["q"] <= tree.settings.margin:
            found.add("margin")
        elif tree.error(other) is None:
            found.add("no_wrong")
        else:
            found.add(tree.pair(chosen, rejected, (), ids, other, ids))
    return found


def balanced(pairs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many pairs that teach to call as pairs that teach to talk: of the more frequent kind the widest gaps [O].

    Otherwise the first token alone tips the policy: trained on 52 pairs for calling and 23 against, the embedded model
    stops refusing (docs/LOG.md). Where one kind is missing, all pairs are kept: either the tasks are all of one kind,
    or the policy errs in one direction only, and then these pairs are what mends it.
    """
    sides = [
        [i for i, pair in enumerate(pairs) if pair["error"] == kind]
        for kind in (ErrorKind.SHOULD_CALL, ErrorKind.SHOULD_NOT_CALL)
    ]
    if not all(sides):
        return list(pairs)
    fewer = min(len(side) for side in sides)
    dropped = {
        index
        for side in sides
        for index in sorted(side, key=lambda i: pairs[i]["rejected_q"] - pairs[i]["chosen_q"])[fewer:]
    }
    return [pair for index, pair in enumerate(pairs) if index not in dropped]


def _choose(siblings: list[Row], tree: Reader) -> tuple[Row, Row] | str:
    """The chosen and the rejected sibling, the first created in a tie, or why there is no pair."""
    finished = [node for node in siblings if node["kind"] != "cut"]
    if len(finished) < 2:
        return "cut"
    right = [node for node in finished if node["right"]]
    if not right:
        return "no_right"
    against = [node for node in finished if not node["right"] and tree.error(tree.paths[node["node"]])]
    if not against:
        return "no_wrong"
    right, against = ([n for n in side if n["visits"] >= tree.settings.visits] for side in (right, against))
    if not right or not against:
        return "visits"
    return max(right, key=lambda node: node["q"]), min(against, key=lambda node: node["q"])


def _finished(side: Row, tree: Reader) -> Ids:
    """The token ids from one side of a pair to the end of an answer. A right fragment is followed by its best child, a
    wrong one by its most visited.
    """
    ids, node = tuple(side["ids"]), side
    while following := [child for child in tree.children[node["node"]] if child["right"] == side["right"]]:
        node = max(following, key=lambda child: child["q"] if side["right"] else child["visits"])
        ids += tuple(node["ids"])
    return ids


def _beginning(ids: Ids, sides: tuple[Row, Row]) -> Ids:
    """The fragment of the first of two sides, where `ids` are its tokens up to the end of the answer. The token that
    came next is added where the other side begins with the whole fragment (1 beside 12).
    """
    mine, other = (tuple(side["ids"]) for side in sides)
    return ids[: len(mine) + (other[: len(mine)] == mine)]


def _ended(ids: Ids, prompter: Prompter) -> Ids:
    """The ids with an end of turn, which is added where the model generated none."""
    return ids if ids[-1] in prompter.end_ids else (*ids, prompter.end_id)
