"""The tree's functions against trees worked by hand, and what must hold of any tree."""

import copy
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itool.toolcall.scanner import Fragment
from stages.exploration.tree import (
    Judgement,
    Rollout,
    backward,
    expand,
    ids_to,
    logprobs_to,
    new_tree,
    node_visits,
    path_to,
    priors,
    puct,
    right_and_wrong,
    select,
)

GOLDEN = json.loads((Path(__file__).parent / "golden" / "exploration_tree.json").read_text())
END = 9


def rollout(pieces, probability=lambda ids: 0.5):
    """Token lists as a rollout; a fragment's probability lies on its first token."""
    fragments = [Fragment(tuple(ids), "text", "text") for ids in pieces]
    logprobs = [math.log(probability(ids)) if position == 0 else 0.0 for ids in pieces for position in range(len(ids))]
    return Rollout(fragments, logprobs)


def judged(outcome):
    return Judgement(outcome == 1, outcome, None, outcome)


def key(ids):
    return ",".join(map(str, ids))


def test_golden_tree():
    tree = new_tree((100, 101))
    for expected in GOLDEN["rounds"]:
        assert select(tree, GOLDEN["c"]) == expected["leaf"]
        rollouts = [rollout(pieces, lambda ids: GOLDEN["logprob_of"][key(ids)]) for pieces in expected["rollouts"]]
        tree, answers = expand(tree, expected["leaf"], rollouts)
        assert answers == expected["new_answers"]
        tree = backward(tree, {node: judged(GOLDEN["outcome_of"][key(tree.ids[node])]) for node in answers})
        assert tree.parent == expected["parent"]
        assert tree.visits == expected["visits"]
        assert tree.q == pytest.approx(expected["q"], abs=1e-6)
        assert tree.value == pytest.approx(expected["value"], abs=1e-6)
        assert tree.right == expected["right"]
        assert tree.exhausted == expected["exhausted"]
        for node, scores in expected["puct"].items():
            assert puct(tree, int(node), GOLDEN["c"]) == pytest.approx(scores, abs=1e-6)
        assert select(tree, GOLDEN["c"]) == expected["next"]


def test_a_value_for_an_unfinished_answer_shifts_its_children_alike():
    first = GOLDEN["rounds"][0]
    tree, answers = expand(new_tree((1,)), 0, [rollout(pieces) for pieces in first["rollouts"]])
    judgements = {node: judged(GOLDEN["outcome_of"][key(tree.ids[node])]) for node in answers}
    tree = backward(tree, judgements | {1: judged(0.25)})
    # r into node 1 is 0.25 - 0, r out of it 0 - 0.25: its children move together, its own Q stays.
    assert tree.q[:5] == pytest.approx([0.625, 0.6666667, 0.75, 1.0, -0.25], abs=1e-6)


def test_prior_is_the_product_of_token_probabilities_over_the_known_children():
    fragments = [Fragment((1, 2), "text", "text"), Fragment((3,), "text", "text")]
    rollouts = [Rollout(fragments[:1], [math.log(0.5), math.log(0.4)]), Rollout(fragments[1:], [math.log(0.3)])]
    tree, _ = expand(new_tree((7,)), 0, rollouts)
    assert priors(tree, 0) == pytest.approx([0.4, 0.6])
    far = [Rollout([Fragment((index,), "text", "text")], [-900.0 - index]) for index in range(2)]
    assert sum(priors(expand(new_tree((7,)), 0, far)[0], 0)) == pytest.approx(1.0)  # no underflow


def test_eldest_wins_a_tie():
    tree, answers = expand(new_tree((7,)), 0, [rollout([[1], [END]]), rollout([[2], [END]])])
    tree = backward(tree, {node: judged(0.5) for node in answers})
    assert len(set(puct(tree, 0, 1.0))) == 1
    assert select(tree, 1.0) == 1


def test_exhausted_subtrees_are_skipped_and_an_exhausted_tree_is_done():
    tree, answers = expand(new_tree((7,)), 0, [rollout([[1, END]]), rollout([[2], [3, END]])])
    tree = backward(tree, {node: judged(float(tree.ids[node] == (1, END))) for node in answers})
    assert (
        puct(tree, 0, 1.0)[0] > puct(tree, 0, 1.0)[1]
    )  # the complete answer scores best, but nothing can be asked there
    assert select(tree, 1.0) == 2
    tree, answers = expand(tree, 2, [rollout([[2], [3, END]])])
    tree = backward(tree, {})
    assert answers == []
    assert select(tree, 1.0) is None


def test_virtual_loss_sends_the_next_request_elsewhere():
    pieces = [[[1], [3, END]], [[1], [4, END]], [[2], [5, END]], [[2], [6, END]]]
    tree, answers = expand(new_tree((7,)), 0, [rollout(each) for each in pieces])
    tree = backward(tree, {node: judged(0.9 if tree.parent[node] == 1 else 0.5) for node in answers})
    assert [tree.ids[node] for node in tree.children[0]] == [(1,), (2,)]
    better, other = tree.children[0]
    assert select(tree, 0.0) == better
    # One in flight: 4 visits worth nothing beside 2 worth 0.9 leave 0.3, less than the other's 0.5.
    assert puct(tree, 0, 0.0, {better: 4}) == pytest.approx([0.3, 0.5])
    assert select(tree, 0.0, {better: 4}) == other
    assert puct(tree, 0, 1.0, {better: 4}) == pytest.approx(
        [0.3 + 0.5 * 3 / 7, 0.5 + 0.5 * 3 / 3]  # N(s) = 1 + 2 + 4 + 2, priors equal
    )
    assert select(tree, 0.0, {better: 4, other: 4}) is None  # nothing else is known
    assert select(new_tree((7,)), 0.0, {0: 4}) is None


def test_whether_a_tree_holds_a_right_and_a_wrong_answer():
    pieces = [[[1], [3, END]], [[1], [4, END]], [[2], [5, END]], [[2], [6, END]]]
    tree, answers = expand(new_tree((7,)), 0, [rollout(each) for each in pieces])
    assert not right_and_wrong(tree)
    assert not right_and_wrong(backward(tree, {node: judged(0.0) for node in answers}))
    assert not right_and_wrong(backward(tree, {node: judged(1.0) for node in answers}))
    assert right_and_wrong(backward(tree, {node: judged(float(tree.ids[node] == (3, END))) for node in answers}))


def test_a_rollout_that_moves_the_leafs_boundary_runs_beside_it():
    tree, answers = expand(new_tree((7,)), 0, [rollout([[1], [2], [END]])])
    tree = backward(tree, {node: judged(0.0) for node in answers})
    leaf = 2
    assert ids_to(tree, leaf) == (1, 2)
    assert logprobs_to(tree, leaf) == pytest.approx([math.log(0.5)] * 2)
    tree, answers = expand(tree, leaf, [rollout([[1], [2, 3], [END]])])
    tree = backward(tree, {node: judged(1.0) for node in answers})
    assert [tree.ids[node] for node in tree.children[1]] == [(2,), (2, 3)]
    assert tree.visits[1] == 2
    assert tree.asked[leaf]
    assert tree.exhausted[leaf]
    assert tree.visits[leaf] == 1


def test_functions_change_nothing():
    tree, answers = expand(new_tree((7,)), 0, [rollout([[1], [2, END]])])
    before = copy.deepcopy(tree)
    after = backward(tree, {node: judged(1.0) for node in answers})
    expand(tree, 1, [rollout([[1], [3, END]])])
    assert tree == before
    assert after != before


# A token below 4 begins or goes on with a fragment; END ends the answer. Fragments are single tokens, the last holds
# the end.
ANSWERS = st.lists(st.integers(0, 3), max_size=4).map(
    lambda tokens: [*([token] for token in tokens[:-1]), [*tokens[-1:], END]]
)


@given(st.lists(st.lists(ANSWERS, min_size=1, max_size=4), min_size=1, max_size=6), st.floats(0, 4), st.data())
def test_invariants(rounds, c, data):
    reward = {}
    tree, sent = new_tree((7,)), []
    for continuations in rounds:
        leaf = select(tree, c)
        if leaf is None:
            break
        assert not tree.asked[leaf]
        assert not tree.terminal[leaf]
        assert leaf not in sent
        sent.append(leaf)
        path = [list(tree.ids[node]) for node in path_to(tree, leaf)]
        tree, answers = expand(tree, leaf, [rollout(path + pieces) for pieces in continuations])
        for node in answers:
            reward[node] = data.draw(st.floats(0, 1.1))
        tree = backward(tree, {node: Judgement(reward[node] > 1, reward[node], None, reward[node]) for node in answers})

        for pieces in continuations:  # every rollout's path is in the tree
            node = leaf
            for ids in pieces:
                [node] = [child for child in tree.children[node] if tree.ids[child] == tuple(ids)]
            assert tree.terminal[node]
    for node in range(len(tree)):
        children = tree.children[node]
        assert node_visits(tree, node) == 1 + sum(tree.visits[child] for child in children)
        assert tree.terminal[node] == (not children)
        if children:
            assert tree.visits[node] == sum(tree.visits[child] for child in children)  # rollouts run to the end
            assert (
                min(tree.q[child] for child in children) - 1e-9
                <= tree.value[node]
                <= max(tree.q[child] for child in children) + 1e-9
            )
        assert -1e-9 <= tree.q[node] <= 1.1 + 1e-9  # a right beginning never scores below zero
        assert len({tree.ids[child] for child in children}) == len(children)
        assert all(child > node for child in children)
    # Q of the root's edges is the mean reward of the rollouts below.
    total = sum(tree.visits[node] * value for node, value in reward.items())
    assert tree.value[0] == pytest.approx(total / tree.visits[0], abs=1e-9)
