"""The search tree and its three functions: select, expand, backward. Pure: each returns a new tree or a number, and
changes nothing.

The formulae, for a state s (task and fragments so far), an edge (s, a) to the state s' by fragment a, after MCTS-DPO
[X]:

    PUCT      argmax_a Q(s,a) + c * p(a|s) * sqrt(N(s)) / (1 + N(s,a))                         [X]
    reward    r(s,a) = R(s') - R(s), R = O + w*C at a complete answer                          [X]
    value     Q(s,a) = r(s,a) + gamma * V(s')                                                  [X]
    back-up   V(s) = sum_a N(s,a) * Q(s,a) / sum_a N(s,a), V = 0 at a complete answer          [X]
    counts    N(s) = 1 + sum_a N(s,a)                                                          [X]

O is the checker's outcome against the reference, C the model's self-evaluation, w its weight. With gamma = 1 the
rewards along a path add up to the reward of its end. A value for an unfinished answer would shift all its children
equally and never change a choice, so we use 0, and the model is not asked for C there [O]. p(a|s) is the product of the
fragment's token probabilities at the sampling temperature, renormalised over the known children [O]. N(s,a) counts the
rollouts that ran through the edge [O]. Rollouts run to the end of an answer. Therefore selection stops at the first
node from which no request was sent yet, and skips a subtree in which every node was asked or is a complete answer [O].

Virtual loss: while a request is in flight, each of its n rollouts counts on its path as a visit that earned 0, so that
the next request of the same tree goes elsewhere [O].
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from itool.toolcall.scanner import Fragment

GAMMA = 1.0
NONE: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True)
class Judgement:
    """What a complete answer is worth. outcome O in 0..1, self_evaluation C in 0..1 or None where not asked, reward R =
    O + w*C.
    """

    right: bool
    outcome: float
    self_evaluation: float | None
    reward: float


@dataclass(frozen=True)
class Rollout:
    """One generation from the prompt on: its fragments, and one log-probability for each of their tokens."""

    fragments: Sequence[Fragment]
    logprobs: Sequence[float]


@dataclass
class Tree:
    """A search tree of N nodes in order of creation: node 0 is the root, a parent stands before its children.

    A node stands for a state s and for the edge (s_parent, a) into it.
    """

    ids: list[tuple[int, ...]]  # [N] token ids of the fragment; of the prompt at the root
    kind: list[str] = field(default_factory=lambda: ["root"])  # [N] fragment kind
    path: list[str] = field(default_factory=lambda: [""])  # [N] where in the answer the fragment stands
    parent: list[int] = field(default_factory=lambda: [-1])  # [N] -1 at the root
    children: list[tuple[int, ...]] = field(default_factory=lambda: [()])  # [N] in order of creation
    logprobs: list[tuple[float, ...]] = field(
        default_factory=lambda: [()]
    )  # [N] of the fragment's tokens, given its path
    visits: list[int] = field(default_factory=lambda: [0])  # [N] N(s_parent, a); all rollouts at the root
    asked: list[bool] = field(default_factory=lambda: [False])  # [N] a request was sent from here
    judgement: list[Judgement | None] = field(default_factory=lambda: [None])  # [N] of a complete answer
    terminal: list[bool] = field(default_factory=lambda: [False])  # [N] no fragment follows
    q: list[float] = field(default_factory=lambda: [0.0])  # [N] Q(s_parent, a); V(s) at the root
    value: list[float] = field(default_factory=lambda: [0.0])  # [N] V(s)
    right: list[bool] = field(default_factory=lambda: [False])  # [N] a right answer lies here or below
    exhausted: list[bool] = field(default_factory=lambda: [False])  # [N] nothing is left to expand here or below

    def __len__(self) -> int:
        return len(self.ids)


def new_tree(prompt: tuple[int, ...]) -> Tree:
    """A tree of one node, the root."""
    return Tree([prompt])


def path_to(tree: Tree, node: int) -> list[int]:
    """The nodes from the root's child to `node`."""
    nodes = []
    while node != 0:
        nodes.append(node)
        node = tree.parent[node]
    return nodes[::-1]


def ids_to(tree: Tree, node: int) -> tuple[int, ...]:
    """The generated token ids of the path to `node`, without the prompt."""
    return tuple(token for step in path_to(tree, node) for token in tree.ids[step])


def logprobs_to(tree: Tree, node: int) -> tuple[float, ...]:
    """One log-probability for each of `ids_to`."""
    return tuple(logprob for step in path_to(tree, node) for logprob in tree.logprobs[step])


def node_visits(tree: Tree, node: int) -> int:
    """N(s) = 1 + sum_a N(s,a)."""
    return 1 + sum(tree.visits[child] for child in tree.children[node])


def priors(tree: Tree, node: int) -> list[float]:
    """p(a|s) of every child, renormalised over the children."""
    logprobs = [sum(tree.logprobs[child]) for child in tree.children[node]]
    weights = [math.exp(logprob - max(logprobs)) for logprob in logprobs]
    return [weight / sum(weights) for weight in weights]


def puct(tree: Tree, node: int, c: float, virtual: Mapping[int, int] = NONE) -> list[float]:
    """Q(s,a) + c * p(a|s) * sqrt(N(s)) / (1 + N(s,a)) of every child of `node`, with its `virtual` visits worth 0."""
    children = tree.children[node]
    visits = [tree.visits[child] + virtual.get(child, 0) for child in children]
    explored = c * math.sqrt(1 + sum(visits))
    return [
        tree.q[child] * tree.visits[child] / max(1, count) + explored * prior / (1 + count)
        for child, count, prior in zip(children, visits, priors(tree, node), strict=True)
    ]


def select(tree: Tree, c: float, in_flight: Mapping[int, int] = NONE) -> int | None:
    """The node to send the next request from, or None when none is left. The first created wins a tie.

    `in_flight`: the rollouts asked for of each node from which a request was sent whose answer is not yet here.
    """
    virtual: Counter[int] = Counter()
    for leaf, rollouts in in_flight.items():
        virtual.update(dict.fromkeys(path_to(tree, leaf), rollouts))
    closed = tree.exhausted
    if in_flight:
        closed = list(closed)
        for node in reversed(range(len(tree))):
            children = tree.children[node]
            closed[node] |= node in in_flight or (tree.asked[node] and all(closed[child] for child in children))
    if closed[0]:
        return None
    node = 0
    while tree.asked[node]:
        scores = dict(zip(tree.children[node], puct(tree, node, c, virtual), strict=True))
        node = max((child for child in scores if not closed[child]), key=scores.__getitem__)
    return node


def expand(tree: Tree, leaf: int, rollouts: Sequence[Rollout]) -> tuple[Tree, list[int]]:
    """Merges the rollouts of a request sent from `leaf` into the tree, and returns it with its new complete answers.

    Fragments with equal token ids below the same node are one node. A rollout is merged from the root on: what it
    generated may change where the leaf's last fragment ends (`a=1` becomes `a=12`), and then it runs beside the leaf.
    """
    tree = _copy(tree)
    tree.asked[leaf] = True
    known = {(tree.parent[node], tree.ids[node]): node for node in range(1, len(tree))}
    answers = []
    for rollout in rollouts:
        node, start = 0, 0
        tree.visits[0] += 1
        for fragment in rollout.fragments:
            end = start + len(fragment.ids)
            if (node, fragment.ids) not in known:
                known[node, fragment.ids] = len(tree)
                _add(tree, node, fragment, tuple(rollout.logprobs[start:end]), terminal=end == len(rollout.logprobs))
                if tree.terminal[-1]:
                    answers.append(len(tree) - 1)
            node, start = known[node, fragment.ids], end
            tree.visits[node] += 1
    return tree, answers


def backward(tree: Tree, judgements: Mapping[int, Judgement]) -> Tree:
    """Adds the judgements of new complete answers and recomputes V, Q, `right` and `exhausted` from the leaves up."""
    tree = _copy(tree)
    for node, judgement in judgements.items():
        tree.judgement[node] = judgement
    for node in reversed(range(len(tree))):
        children = tree.children[node]
        if children:
            visits = sum(tree.visits[child] for child in children)
            tree.value[node] = sum(tree.visits[child] * tree.q[child] for child in children) / visits
        tree.q[node] = _delta_reward(tree, node) + GAMMA * tree.value[node]
        judged = tree.judgement[node]
        tree.right[node] = (judged is not None and judged.right) or any(tree.right[child] for child in children)
        tree.exhausted[node] = tree.terminal[node] or (
            tree.asked[node] and all(tree.exhausted[child] for child in children)
        )
    return tree


def right_and_wrong(tree: Tree) -> bool:
    """Whether the tree holds a right answer and a wrong one."""
    return len({judgement.right for judgement in tree.judgement if judgement is not None}) == 2


def _delta_reward(tree: Tree, node: int) -> float:
    """r(s,a) = R(s') - R(s)."""
    after, before = tree.judgement[node], tree.judgement[tree.parent[node]] if node else None
    return (after.reward if after else 0.0) - (before.reward if before else 0.0)


def _add(tree: Tree, parent: int, fragment: Fragment, logprobs: tuple[float, ...], terminal: bool) -> None:
    tree.children[parent] += (len(tree),)
    tree.ids.append(fragment.ids)
    tree.kind.append(fragment.kind)
    tree.path.append(fragment.path)
    tree.parent.append(parent)
    tree.children.append(())
    tree.logprobs.append(logprobs)
    tree.visits.append(0)
    tree.asked.append(False)
    tree.judgement.append(None)
    tree.terminal.append(terminal)
    tree.q.append(0.0)
    tree.value.append(0.0)
    tree.right.append(False)
    tree.exhausted.append(False)


def _copy(tree: Tree) -> Tree:
    return Tree(*(list(getattr(tree, each.name)) for each in fields(tree)))
