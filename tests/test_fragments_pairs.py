"""Pairs from hand-made search trees: which branchings give one, of which tokens, and why the others give none."""

import random

import pytest
from exploration_fakes import END, PROMPT, FakeEngine, FakePrompter, ids_of, tasks

from itool import params
from itool.toolcall.checker import check, first_error
from itool.toolcall.dialects import read_answer
from itool.toolcall.types import ErrorKind
from stages.exploration.search import explore, node_rows
from stages.fragments.pairs import balanced, find_pairs
from stages.fragments.run import profile

[TASK] = tasks(1)  # right: f with a=1 and b="x", in any order
SETTINGS = params.Fragments(span="fragment", answers="both", rehearse=True, thoughts=True, margin=0.1, visits=1)


def node(number, parent, pieces, kind, q=0.0, right=False, visits=1, end=False):
    ids = [*ids_of(*pieces), *([END] if end else [])] if parent >= 0 else [0, 0, 0, PROMPT]
    return {
        "task_id": TASK.task_id,
        "node": number,
        "parent": parent,
        "ids": ids,
        "kind": kind,
        "path": f"path of {number}",
        "logprob": -1.0,
        "visits": visits,
        "q": q,
        "right": right,
        "terminal": end,
        "outcome": None,
        "self_evaluation": None,
    }


ROOT = node(0, -1, (), "root", right=True, visits=9)
CHOICE = node(1, 0, (b"[",), "choice", 0.5, True, 9)
NAME = node(2, 1, (b"f(",), "name", 0.5, True, 9)


def gather(*nodes, settings=SETTINGS):
    return find_pairs([ROOT, CHOICE, NAME, *nodes], TASK, FakePrompter(), settings, strict=False)


def reasons(*nodes, **options):
    found = gather(*nodes, **options)
    assert found.pairs == []
    return dict(found.reasons)


def test_a_pair_has_highest_and_lowest_q_and_their_common_tokens_in_the_prompt():
    found = gather(
        node(3, 2, (b"a=", b"2"), "argument", 0.3, visits=2),
        node(4, 2, (b"a=", b"1"), "argument", 0.9, True, visits=3),
        node(5, 2, (b")",), "next", 0.2, visits=1),
        node(6, 2, (b"a=1",), "argument", 0.7, True, visits=1),
        node(7, 2, (b"a=", b'"y"'), "argument", 0.1, visits=4),
    )
    assert found.pairs == [
        {
            "task_id": "task-000",
            "scenario": "multiple",
            "kind": "argument",
            "path": "path of 7",
            "error": ErrorKind.WRONG_TYPE,
            "prompt": [0, 0, 0, PROMPT, *ids_of(b"[", b"f(", b"a=")],
            "chosen": ids_of(b"1"),
            "rejected": ids_of(b'"y"'),
            "chosen_q": 0.9,
            "rejected_q": 0.1,
            "chosen_visits": 3,
            "rejected_visits": 4,
            "answer": ids_of(b"[", b"f(", b"a=", b"1"),
        }
    ]
    assert not found.reasons


def test_every_branching_gives_its_own_pair():
    found = gather(
        node(3, 0, (b"No",), "choice", 0.0),
        node(4, 1, (b"g(",), "name", 0.1),
        node(5, 2, (b"b=", b'"x"'), "argument", 0.8, True),
        node(6, 2, (b"b=", b'"y"'), "argument", 0.2),
    )
    errors = [pair["error"] for pair in found.pairs]
    assert errors == [ErrorKind.SHOULD_CALL, ErrorKind.WRONG_FUNCTION, ErrorKind.WRONG_VALUE]
    assert [len(pair["prompt"]) for pair in found.pairs] == [4, 5, 7]


def test_an_end_token_is_in_a_pair_only_where_one_was_generated():
    found = gather(
        node(3, 2, (b"a=", b"1"), "argument", 0.8, True, 4),
        node(4, 3, (b", ", b"b=", b'"x"'), "argument", 0.9, True, 2),
        node(5, 3, (b")]",), "next", 0.4, end=True, visits=2),
    )
    [pair] = found.pairs
    assert pair["chosen"] == ids_of(b", ", b"b=", b'"x"')
    assert pair["rejected"] == (*ids_of(b")]"), END)
    assert pair["error"] == ErrorKind.MISSING_PARAMETER


def test_another_order_or_spelling_is_never_rejected():
    right = node(3, 2, (b"a=", b"1"), "argument", 0.9, True)
    assert reasons(right, node(4, 2, (b"b=", b'"x"'), "argument", 0.0)) == {"no_wrong": 1}
    assert reasons(right, node(4, 2, (b" ", b"a=", b"1"), "argument", 0.0)) == {"no_wrong": 1}
    assert reasons(right, node(4, 2, (b"a=1",), "argument", 0.0)) == {"no_wrong": 1}


def test_visits_and_a_right_answer_are_asked_for():
    right, wrong = (
        node(3, 2, (b"a=", b"1"), "argument", 0.5, True, 2),
        node(4, 2, (b"a=", b"2"), "argument", 0.4, visits=1),
    )
    assert len(gather(right, wrong).pairs) == 1
    assert reasons(right, wrong, settings=SETTINGS.model_copy(update={"visits": 2})) == {"visits": 1}
    assert reasons(right | {"right": False}, wrong) == {"no_right": 1}
    seldom = SETTINGS.model_copy(update={"visits": 3})  # more visits would not help where none is right, or none wrong
    assert reasons(right | {"right": False}, wrong, settings=seldom) == {"no_right": 1}
    assert reasons(right, right | {"node": 4, "ids": wrong["ids"]}, settings=seldom) == {"no_wrong": 1}
    assert reasons(right, wrong | {"visits": 0}) == {}
    assert reasons(right, wrong | {"kind": "cut"}) == {"cut": 1}


@pytest.mark.parametrize("span", ["fragment", "rest"])
def test_a_near_miss_gives_a_pair_however_small_its_gap(span):
    """The larger the task, the less a single wrong argument costs; and what a near miss is worth hides no right one."""
    settings = SETTINGS.model_copy(update={"span": span, "margin": 0.5})
    right = node(3, 2, (b"a=", b"1"), "argument", 1.0, True, 3)
    for q in (0.9, 0.99, 1.05):  # with self-evaluation a wrong answer may even be worth more than a right one
        [pair] = gather(right, node(4, 2, (b"a=", b"2"), "argument", q, visits=3), settings=settings).pairs
        assert (pair["chosen"], pair["rejected"]) == (ids_of(b"1"), ids_of(b"2"))


def test_whole_responses_need_no_gap_and_the_authors_pairs_do():
    good, bad = GOOD | {"q": 0.91}, BAD | {"q": 0.9}
    tree = (A, good, GOOD_END | {"q": 0.91}, bad, BAD_END | {"q": 0.9})
    assert len(gather(*tree, settings=SETTINGS.model_copy(update={"span": "response"})).pairs) == 1
    assert reasons(*tree, settings=SETTINGS.model_copy(update={"span": "path"})) == {"margin": 1}


def test_what_begins_like_its_sibling_is_told_apart_by_the_token_that_follows():
    found = gather(
        node(3, 2, (b"a=", b"1"), "argument", 0.9, True, 2),
        node(4, 2, (b"a=", b"1", b"2"), "argument", 0.2),
        node(5, 3, (b",", b" ", b"b=", b'"x"'), "argument", 0.9, True),
    )
    assert [(pair["chosen"], pair["rejected"]) for pair in found.pairs] == [(ids_of(b","), ids_of(b"2"))]
    assert reasons(
        node(3, 2, (b"a=", b"1"), "argument", 0.9, True, 2), node(4, 2, (b"a=", b"1", b"2"), "argument", 0.2)
    ) == {"prefix": 1}


A = node(3, 2, (b"a=", b"1"), "argument", 0.6, True, 5)
GOOD = node(4, 3, (b", ", b"b=", b'"x"'), "argument", 0.9, True, 2)
GOOD_END = node(5, 4, (b")]",), "next", 0.9, True, 2, end=True)
BAD = node(6, 3, (b", ", b"b=", b'"y"'), "argument", 0.3, visits=3)
BAD_END = node(7, 6, (b")]",), "next", 0.3, visits=3, end=True)
WHOLE = (b"[", b"f(", b"a=", b"1", b", ", b"b=")


@pytest.mark.parametrize(
    ("span", "chosen", "rejected"),
    [
        ("fragment", ids_of(b'"x"'), ids_of(b'"y"')),
        ("rest", (*ids_of(b'"x"', b")]"), END), (*ids_of(b'"y"', b")]"), END)),
        ("response", (*ids_of(b'"x"', b")]"), END), (*ids_of(b'"y"', b")]"), END)),
        ("path", (*ids_of(b'"x"'), END), (*ids_of(b'"y"'), END)),  # an end that nobody generated
    ],
)
def test_a_span_says_how_much_of_an_answer_a_pair_is_about(span, chosen, rejected):
    settings = SETTINGS.model_copy(update={"span": span})
    [pair] = gather(A, GOOD, GOOD_END, BAD, BAD_END, settings=settings).pairs
    assert pair["prompt"] == [0, 0, 0, PROMPT, *ids_of(*WHOLE)]
    assert (pair["chosen"], pair["rejected"]) == (chosen, rejected)
    assert pair["error"] == (ErrorKind.UNPARSEABLE if span == "path" else ErrorKind.WRONG_VALUE)
    whole = (*ids_of(*WHOLE, b'"x"', b")]"), END)
    assert pair["answer"] == ((*ids_of(*WHOLE, b'"x"'), END) if span == "path" else whole)


def test_only_the_authors_pairs_choose_what_is_wrong():
    bad, worse = BAD | {"node": 4, "q": 0.8}, node(5, 3, (b", ", b"b=", b"1"), "argument", 0.1)
    assert reasons(A, bad, worse) == {"no_right": 1}
    [pair] = gather(A, bad, worse, settings=SETTINGS.model_copy(update={"span": "path"})).pairs
    assert pair["chosen"] == (*ids_of(b'"y"'), END)


def test_whole_responses_need_a_right_and_a_wrong_one():
    response = SETTINGS.model_copy(update={"span": "response"})
    assert reasons(A, GOOD, GOOD_END, settings=response) == {"no_wrong": 1}
    assert reasons(A, BAD | {"node": 4}, BAD_END | {"node": 5, "parent": 4}, settings=response) == {"no_right": 1}


@pytest.mark.parametrize("answers", ["found", "reference", "both"])
def test_the_right_answer_of_highest_q_or_the_reference_is_learnt(answers):
    def learnt(*nodes):
        return gather(*nodes, settings=SETTINGS.model_copy(update={"answers": answers})).learnt

    reference = FakePrompter().completion_ids(TASK.reference.answer())
    other = node(6, 3, (b", ", b"b=", b'"x"', b")]"), "next", 0.95, True, end=True)
    found = (*ids_of(*WHOLE, b'"x"', b")]"), END)
    assert learnt(A, GOOD, GOOD_END) == (reference if answers == "reference" else found)
    assert answers == "reference" or learnt(A, GOOD, GOOD_END, other)[-2:] == (*ids_of(b")]"), END)
    wrong = (A, BAD | {"node": 4}, BAD_END | {"node": 5, "parent": 4})
    assert learnt(*wrong) == (None if answers == "found" else reference)


def test_what_is_too_long_to_train_on_is_left_out(monkeypatch):
    """A rollout may be longer than any reference: max_length bounds prompt and reference alone."""
    right = node(3, 2, (b"a=", b"1"), "argument", 0.9, True)
    wrong = node(4, 2, (b"a=", b'"y"'), "argument", 0.1)
    rambling = node(4, 2, (b"a=", b"2", b", ", b"b=", b'"y"'), "argument", 0.0)
    monkeypatch.setattr(FakePrompter, "max_length", len(ROOT["ids"]) + len(WHOLE))
    assert reasons(right, rambling) == {"too_long": 1}
    assert gather(right, wrong).pairs
    found = SETTINGS.model_copy(update={"answers": "found"})
    assert gather(A, GOOD, GOOD_END, settings=found).learnt is None
    both = gather(A, GOOD, GOOD_END)
    assert both.learnt == FakePrompter().completion_ids(TASK.reference.answer())


@pytest.mark.parametrize("seed", range(20))
def test_pairs_of_real_searches_hold_what_the_design_promises(seed):
    """Both sides are real generations; no accepted answer begins with the rejected one; the chosen one leads to one."""
    prompter, engine = FakePrompter(), FakeEngine()
    settings = params.Exploration(
        seed=seed,
        simulations=random.Random(seed).randint(1, 6),
        samples=4,
        temperature=1.0,
        c=1.0,
        self_evaluation=0.1,
        wave=8,
        in_flight=1,
        shard=8,
    )
    trees = explore([TASK], engine, prompter, settings, 16, strict=False)
    found = find_pairs(list(node_rows(TASK.task_id, trees[0])), TASK, prompter, SETTINGS, strict=False)
    generated = [prompt + answer for prompt, answer in engine.answers]
    for pair in found.pairs:
        assert pair["chosen"][0] != pair["rejected"][0]
        both = [(*pair["prompt"], *pair[side]) for side in ("chosen", "rejected")]
        whole = (0, 0, 0, PROMPT, *pair["answer"])
        assert whole in generated
        assert whole[: len(both[0])] == both[0]
        assert all(any(full[: len(ids)] == ids for full in generated) for ids in both)
        rejected = b"".join(prompter.token_bytes[token] for token in both[1][4:] if token != END)
        assert first_error(rejected, TASK.reference, TASK.tools, False, prompter.dialect, both[1][-1] == END)
        reached = [full for full in generated if full[: len(both[0])] == both[0] and full[-1] == END]
        assert any(
            check(
                read_answer(prompter.dialect, prompter.decode(full[4:]), True), TASK.reference, TASK.tools, False
            ).right
            for full in reached
        )
    figures = profile([found])
    assert figures["pairs"] == sum(figures["errors"].values()) == len(found.pairs)
    assert figures["branchings"] == figures["pairs"] + sum(figures["no_pair"].values())


def test_pairs_for_calling_and_for_talking_are_as_many():
    def pair(error, gap):
        return {"error": error, "chosen_q": gap, "rejected_q": 0.0}

    kept = pair("should_call", 0.9)
    pairs = [pair("should_call", 0.2), kept, pair("wrong_value", 0.1), pair("should_not_call", 0.3)]
    assert balanced(pairs) == pairs[1:]


def test_pairs_for_calling_alone_or_for_talking_alone_are_not_dropped():
    """A model that never errs towards one side, or tasks that all call, leave nothing to balance with."""
    for error in ("should_call", "should_not_call"):
        pairs = [{"error": kind, "chosen_q": 0.5, "rejected_q": 0.0} for kind in (error, "wrong_value", error)]
        assert balanced(pairs) == pairs
