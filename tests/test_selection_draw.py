"""Which tasks are drawn, how deficiencies weigh, and which are the hardest."""

import random

import polars as pl
import pytest

from itool.artifacts import PREDICTIONS
from itool.params import Iteration
from stages.selection.draw import candidates, hardest, weighted_draw, weights, wrong_fragments
from stages.selection.run import number


def test_no_task_comes_twice_while_there_are_fresh_ones():
    drawn = [candidates(3000, 800, 1.25, iteration, seed=1) for iteration in range(4)]
    assert all(len(part) >= 1000 for part in drawn)
    assert len(set().union(*drawn[:3])) == 3000 == sum(map(len, drawn[:3]))
    assert len(set(drawn[3]) & set(drawn[0])) < 500  # a new lap is cut anew
    assert drawn[0] == candidates(3000, 800, 1.25, 0, seed=1) != candidates(3000, 800, 1.25, 0, seed=2)
    assert candidates(100, 800, 1.25, 2, seed=1) == [*range(100)]


def test_headroom_says_how_many_tasks_there_are_to_choose_from():
    assert [len(candidates(3000, 500, headroom, 0, seed=1)) for headroom in (1.0, 2.0, 3.0, 6.0)] == [
        500,
        1000,
        1500,
        3000,
    ]


def test_an_iteration_is_numbered_by_what_it_goes_on_from_and_not_by_its_place():
    previous = {"other": "it0", "it2": "it1", "it1": "it0", "it2b": "it1", "it3": "it2"}
    iterations = {name: Iteration(previous=start, ratio=0.5) for name, start in previous.items()}
    numbers = {name: number(name, iterations) for name in iterations}
    assert numbers == {"other": 0, "it2": 1, "it1": 0, "it2b": 1, "it3": 2}


def predictions(*rows):
    empty = {"task_id": "", "split": "validation", "complex": True, "prompt": "", "output": "", "path": "", "tokens": 1}
    return pl.DataFrame(
        [
            empty | {"scenario": scenario, "right": not errors, "error": (errors or [""])[0], "errors": errors}
            for scenario, errors in rows
        ],
        schema=PREDICTIONS,
    )


def test_scenarios_with_more_wrong_fragments_weigh_more():
    table = predictions(
        ("single", []),
        ("single", []),
        ("parallel", ["wrong_value", "wrong_value"]),
        ("parallel", ["missing_parameter"]),
    )
    profile = wrong_fragments(table)
    assert profile == {"parallel": 1.5, "single": 0.0}
    scenarios = ["single", "parallel", "parallel", "report"]
    assert weights(scenarios, profile, 0.0) == [1.0] * 4
    assert weights(scenarios, profile, 1.0) == pytest.approx([0.0, 1.5 / 0.9375, 1.5 / 0.9375, 0.75 / 0.9375])
    half = weights(scenarios, profile, 0.5)
    assert [half[0], sum(half)] == pytest.approx([0.5, 4])
    assert weights(["single"], wrong_fragments(predictions(("single", []))), 1.0) == [1.0]


def test_the_draw_follows_the_weights_and_takes_none_twice():
    counts = [0] * 4
    for seed in range(2000):
        drawn = weighted_draw([1.0, 1.0, 3.0, 0.0], 1, random.Random(seed))
        counts[drawn[0]] += 1
    assert counts[3] == 0
    assert counts[2] / 2000 == pytest.approx(0.6, abs=0.05)
    assert weighted_draw([1.0, 0.0, 2.0], 3, random.Random(1)) == [0, 1, 2]
    assert weighted_draw([1.0, 1.0], 5, random.Random(1)) == [0, 1]


def test_the_hardest_are_kept_apart_for_answers_with_and_without_calls():
    perplexities = [1.0, 5.0, 3.0, 2.0, 9.0, 8.0]
    calls = [True, True, True, True, False, False]
    assert hardest(perplexities, calls, 0.5) == [False, True, True, False, True, False]
    assert hardest(perplexities, calls, 0.0) == [False] * 6
    assert hardest(perplexities, calls, 1.0) == [True] * 6
