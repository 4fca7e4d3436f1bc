"""Statistics against numbers worked out by hand, against scipy, and by simulated coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itool.statistics import (
    Weights,
    auc,
    bootstrap_difference,
    bootstrap_mean,
    gains_per_doubling,
    paired_test,
    saturating_fit,
)


def test_bootstrap_interval_covers_the_true_mean_about_95_times_in_100():
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(300):
        estimate = bootstrap_mean(random.random(120) < 0.3, 400, trial)
        covered += estimate.low <= 0.3 <= estimate.high
    assert 0.91 <= covered / 300 <= 0.985


def test_bootstrap_interval_has_the_width_of_the_normal_one():
    estimate = bootstrap_mean([1] * 300 + [0] * 700, 4000, 1)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert estimate.value == pytest.approx(0.3)
    assert estimate.n == 1000
    assert estimate.low == pytest.approx(0.3 - half, abs=0.004)
    assert estimate.high == pytest.approx(0.3 + half, abs=0.004)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_bootstrap_is_ordered_bounded_and_repeatable(values, seed):
    estimate = bootstrap_mean(values, 50, seed)
    assert 0 <= estimate.low <= estimate.high <= 1
    assert estimate == bootstrap_mean(values, 50, seed)


def test_nothing_observed_is_no_number():
    assert vars(bootstrap_mean([], 100, 1)) == {"value": None, "low": None, "high": None, "n": 0}


def test_mcnemar_is_the_exact_binomial_test_of_the_discordant_tasks():
    before = [1] * 50 + [0] * 10 + [1] * 2 + [0] * 20
    after = [1] * 50 + [1] * 10 + [0] * 2 + [0] * 20
    # 10 gained, 2 lost: 2 * (C(12,0) + C(12,1) + C(12,2)) / 2^12
    assert paired_test(before, after) == pytest.approx(2 * (1 + 12 + 66) / 4096)
    assert paired_test(after, before) == pytest.approx(paired_test(before, after))


def test_mcnemar_of_equal_answers_is_one():
    assert paired_test([1, 0, 1], [1, 0, 1]) == 1.0
    assert paired_test([1, 0], [0, 1]) == 1.0


def test_paired_difference_is_narrower_than_the_unpaired_one():
    before = np.arange(400) % 2
    after = before.copy()
    after[:40] = 1  # 20 gained, none lost
    paired = bootstrap_difference(before, after, 2000, 1)
    assert paired.value == pytest.approx(0.05)
    assert paired.low > 0.02
    assert paired.high < 0.08


def test_paired_figures_refuse_different_tasks():
    with pytest.raises(ValueError, match="different shapes"):
        paired_test([1, 0], [1])
    with pytest.raises(ValueError, match="different shapes"):
        bootstrap_difference([1, 0], [1], 10, 1)


def test_auc_counts_couples_and_halves_ties():
    assert auc([0.1, 0.4, 0.35, 0.8], [False, False, True, True]) == pytest.approx(0.75)
    assert auc([1, 1], [True, False]) == pytest.approx(0.5)
    assert auc([1, 2], [True, True]) is None


def test_saturating_fit_recovers_the_curve():
    n = np.array([100, 200, 400, 800, 1600, 3200])
    fit = saturating_fit(n, 0.9 - 2.5 * n**-0.45)
    assert fit["a"] == pytest.approx(0.9, abs=1e-3)
    assert fit["b"] == pytest.approx(2.5, rel=1e-2)
    assert fit["c"] == pytest.approx(0.45, abs=1e-2)


def test_two_sizes_leave_the_curve_open():
    assert saturating_fit([100, 200, 100], [0.1, 0.2, 0.1]) is None


def answers(accuracies, seeds=2, tasks=400):
    """Right or wrong (sizes, seeds, tasks) with exactly these accuracies, tasks ordered from easy to hard."""
    grid = np.zeros((len(accuracies), seeds, tasks))
    for size, accuracy in enumerate(accuracies):
        grid[size, :, : round(accuracy * tasks)] = 1
    return grid


def verdict(accuracies, sizes=(100, 200, 400, 800)):
    right = answers(accuracies)
    return gains_per_doubling(sizes, right, Weights.draw(2, 400, 500, 1))


def test_saturating_gains_decay():
    gains = verdict([0.2, 0.5, 0.6, 0.62])
    assert [step.value for step in gains.steps] == pytest.approx([0.3, 0.1, 0.02])
    assert all(step.low <= step.value <= step.high for step in gains.steps)
    assert gains.first_minus_last.value == pytest.approx(0.28)
    assert gains.first_minus_last.low > 0
    assert gains.verdict == "decays"


@pytest.mark.parametrize("accuracies", [[0.2, 0.4, 0.6, 0.8], [0.5, 0.5, 0.5, 0.5], [0.1, 0.2, 0.4, 0.8]])
def test_equal_or_growing_gains_are_no_decay(accuracies):
    found = verdict(accuracies)
    assert found.verdict == ("no decay" if found.first_minus_last.high <= 0 else "decay not shown")


def test_gain_is_per_doubling_not_per_step():
    gains = verdict([0.2, 0.6, 0.7], sizes=(100, 400, 800))
    assert [step.value for step in gains.steps] == pytest.approx([0.2, 0.1])


def test_one_gain_has_nothing_to_decay_from():
    assert verdict([0.2, 0.6], sizes=(100, 200)).verdict == "too few sizes"


def test_seeds_widen_the_interval():
    agree, differ = answers([0.2, 0.5, 0.6, 0.65]), answers([0.2, 0.5, 0.6, 0.65])
    differ[0, 0, :160], differ[0, 1, :] = 1, 0  # same mean accuracy at the first size, seeds far apart
    weights = Weights.draw(2, 400, 500, 1)
    sizes = (100, 200, 400, 800)
    close, far = (gains_per_doubling(sizes, grid, weights).first_minus_last for grid in (agree, differ))
    assert far.value == pytest.approx(close.value)
    assert far.high - far.low > 2 * (close.high - close.low)


def test_a_flat_curve_fits_itself():
    fit = saturating_fit([100, 200, 400], [0.4, 0.4, 0.4])
    assert fit["a"] - fit["b"] * 200 ** -fit["c"] == pytest.approx(0.4, abs=1e-4)
