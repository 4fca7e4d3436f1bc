"""The search with a model whose answers and probabilities are known."""

import math
from collections import Counter

import pytest
from exploration_fakes import END, MODEL, PROMPT, TOKEN_BYTES, FakeEngine, FakePrompter, ids_of, tasks
from hypothesis import given, settings
from hypothesis import strategies as st

from itool.params import Exploration
from stages.exploration.search import explore, node_rows
from stages.exploration.tree import ids_to, logprobs_to, node_visits

SETTINGS = Exploration(
    seed=1, simulations=6, samples=4, temperature=1.0, c=1.0, self_evaluation=0.1, wave=8, in_flight=1, shard=8
)
PREFIXES = {answer[:length] for answer in MODEL for length in range(len(answer) + 1)}


def search(count=5, max_tokens=20, **changes):
    engine = FakeEngine()
    trees = explore(tasks(count), engine, FakePrompter(), SETTINGS.model_copy(update=changes), max_tokens, strict=False)
    return trees, engine


def complete_answers(tree):
    return {ids_to(tree, node): tree.judgement[node] for node in range(len(tree)) if tree.judgement[node]}


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    simulations=st.integers(1, 8),
    samples=st.integers(1, 6),
    c=st.floats(0, 5),
    weight=st.floats(0, 1),
    max_tokens=st.integers(1, 12),
)
def test_invariants(seed, simulations, samples, c, weight, max_tokens):
    trees, engine = search(
        3, max_tokens, seed=seed, simulations=simulations, samples=samples, c=c, self_evaluation=weight, wave=2
    )
    for tree in trees:
        rollouts = [ids for prompt, ids in engine.answers if prompt == tree.ids[0]]
        answers = complete_answers(tree)
        # Every rollout's path is in the tree, and nothing else is.
        assert Counter(ids[:max_tokens] for ids in rollouts) == Counter(
            {ids_to(tree, node): tree.visits[node] for node in range(len(tree)) if tree.terminal[node]}
        )
        assert tree.visits[0] == len(rollouts)
        for node in range(len(tree)):
            assert node_visits(tree, node) == 1 + sum(tree.visits[child] for child in tree.children[node])
            # The ids along a path are a prefix of a real generation: nothing added, nothing tokenised again.
            assert ids_to(tree, node) in PREFIXES
            assert -1e-9 <= tree.value[node] <= 1 + weight + 1e-9
            assert -1e-9 <= tree.q[node] <= 1 + weight + 1e-9
            assert tree.terminal[node] == (tree.judgement[node] is not None) == (not tree.children[node])
        assert tree.right[0] == any(judged.right for judged in answers.values())


def test_outcomes_and_self_evaluation():
    trees, _engine = search(count=8, simulations=8)
    seen = {}
    for tree in trees:
        seen |= complete_answers(tree)
    assert set(seen) == set(MODEL)
    for ids, judged in seen.items():
        text = b"".join(TOKEN_BYTES[token] for token in ids[:-1])
        assert judged.right == (text == b'[f(a=1, b="x")]') == (judged.outcome == 1.0)
        # C is the probability of "yes" against "no", not a word found in a text.
        assert judged.self_evaluation == pytest.approx(0.75 if text.startswith(b"[") else 0.25)
        assert judged.reward == pytest.approx(judged.outcome + 0.1 * judged.self_evaluation)
    outcome = {b"".join(TOKEN_BYTES[token] for token in ids[:-1]): judged.outcome for ids, judged in seen.items()}
    assert 0 < outcome[b'[f(a=1, b="y")]'] < 1
    assert outcome[b"[f())"] == 0
    assert outcome[b"No tool fits."] == 0


def test_self_evaluation_is_asked_once_for_every_answer_and_only_at_its_end():
    trees, engine = search()
    questions = [prompt for prompt, _ in engine.scored]
    assert Counter(Counter(questions).values()) == {2: len(set(questions))}  # yes and no
    assert len(set(questions)) == sum(len(complete_answers(tree)) for tree in trees)
    assert search(self_evaluation=0.0)[1].scored == []


def test_cut_rollouts_are_worth_nothing_and_get_no_end():
    trees, engine = search(max_tokens=5, simulations=3)
    kinds = Counter()
    for tree in trees:
        for node in range(len(tree)):
            if tree.kind[node] == "cut":
                kinds["cut"] += 1
                assert tree.terminal[node]
                assert tree.judgement[node].reward == 0
                assert not tree.judgement[node].right
                assert len(ids_to(tree, node)) == 5
                assert END not in ids_to(tree, node)
                assert tree.judgement[node].self_evaluation is None
            elif tree.terminal[node]:
                assert ids_to(tree, node)[-1] == END
                assert ids_to(tree, node).count(END) == 1
    assert kinds["cut"]
    assert all(END not in prompt[:-2] for prompt, _ in engine.scored)


def test_a_node_is_asked_once_and_every_request_has_noise_of_its_own():
    trees, engine = search(count=6)
    assert len({request.prompt for request in engine.requests}) == len(engine.requests)
    assert len({request.seed for request in engine.requests}) == len(engine.requests)
    for tree in trees:
        sent = [request.prompt for request in engine.requests if request.prompt[: len(tree.ids[0])] == tree.ids[0]]
        assert sent[0] == tree.ids[0]
        assert set(sent) == {tree.ids[0] + ids_to(tree, node) for node in range(len(tree)) if tree.asked[node]}


def test_trees_of_a_wave_advance_together():
    engine = search(count=8)[1]
    assert engine.calls[0] == 8
    assert len(engine.calls) <= SETTINGS.simulations
    assert len(search(count=8, wave=4)[1].calls) == 2 * len(engine.calls)


def test_a_finished_tree_makes_room_at_once():
    engine = search(count=40, simulations=60, samples=12, wave=8)[1]
    last = max(index for index, request in enumerate(engine.requests) if request.prompt[-1] == PROMPT)
    started = next(call for call in range(len(engine.calls)) if sum(engine.calls[: call + 1]) > last)
    assert engine.calls[:started] == [8] * started  # full as long as tasks wait
    assert started > len(engine.calls) / 2


def test_several_requests_of_a_tree_in_flight_go_to_different_nodes():
    trees, engine = search(count=2, simulations=9, in_flight=4)
    assert engine.calls[0] == 2  # of a new tree only the root is known
    assert max(engine.calls) == 8
    assert len({request.prompt for request in engine.requests}) == len(engine.requests)
    for tree in trees:
        assert sum(tree.asked) <= 9
        assert tree.visits[0] == 4 * sum(tree.asked)


def test_equal_runs_give_equal_trees_and_seeds_matter():
    assert search()[0] == search()[0]
    assert search()[0] != search(seed=2)[0]
    assert search(count=8)[0] == search(count=8, wave=3)[0]  # a tree does not depend on its company


def test_exhausted_trees_leave_the_wave():
    trees, engine = search(count=2, simulations=60, samples=12)
    assert len(engine.calls) < 60
    assert all(tree.exhausted[0] for tree in trees)
    for tree in trees:
        assert all(tree.asked[node] or tree.terminal[node] for node in range(len(tree)))


def test_node_rows_hold_the_whole_tree():
    [tree] = search(count=1)[0]
    rows = list(node_rows("task-000", tree))
    assert [row["node"] for row in rows] == list(range(len(tree)))
    assert rows[0] | {"q": 0} == {
        "task_id": "task-000",
        "node": 0,
        "parent": -1,
        "ids": (0, 0, 0, PROMPT),
        "kind": "root",
        "path": "",
        "logprob": 0.0,
        "visits": 24,
        "q": 0,
        "right": True,
        "terminal": False,
        "outcome": None,
        "self_evaluation": None,
    }
    by_path = {ids_to(tree, row["node"]): row for row in rows}
    name = by_path[ids_of(b"[", b"f(")]
    assert (name["kind"], name["path"]) == ("name", "calls[0].name")
    assert name["logprob"] == pytest.approx(math.log(0.8 / 0.9))
    for answer, weight in MODEL.items():
        if answer in by_path:
            assert sum(logprobs_to(tree, by_path[answer]["node"])) == pytest.approx(math.log(weight))


def test_another_tokenisation_is_another_node():
    tree = max(search(count=8, simulations=8)[0], key=len)
    paths = [ids_to(tree, node) for node in range(len(tree))]
    assert ids_of(b"[", b"f(", b"a=", b"1") in paths
    assert ids_of(b"[", b"f(", b"a=1") in paths


def test_an_error_is_not_swallowed(monkeypatch):
    monkeypatch.setattr("stages.exploration.search.check", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        search()
