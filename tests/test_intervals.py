"""Means and ratios with their bootstrap intervals."""

import numpy as np
import pytest

from simsearch.evaluation.intervals import estimate, ratio_estimate


def test_an_interval_contains_the_mean_and_is_reproducible():
    values = np.random.default_rng(5).random(40)
    found = estimate(values, seed=1)
    assert found.low < found.mean == values.mean() < found.high
    assert estimate(values, seed=1) == found
    assert estimate(values, seed=2) != found


def test_an_interval_is_as_wide_as_the_normal_one():
    values = np.random.default_rng(5).normal(size=400)
    found = estimate(values)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_the_samples_are_those_of_numpys_generator():
    """5,000 samples, drawn here one array at a time: the percentiles 2.5 and 97.5."""
    values = np.random.default_rng(5).random(300)
    random, n_drawn = np.random.default_rng(0), 1_000_000 // 300
    sizes = (n_drawn, 5000 - n_drawn)
    means = [values[random.integers(0, 300, (size, 300))].mean(axis=1) for size in sizes]
    found = estimate(values)
    assert [found.low, found.high] == pytest.approx(
        np.percentile(np.concatenate(means), [2.5, 97.5])
    )


def test_a_constant_difference_has_no_width():
    found = estimate(np.full(9, 0.25))
    assert (found.mean, found.low, found.high) == (0.25, 0.25, 0.25)


def test_a_single_value_has_no_width():
    found = estimate(np.array([0.25]))
    assert (found.mean, found.low, found.high) == (0.25, 0.25, 0.25)


def test_no_value_is_not_a_number():
    for found in (estimate(np.zeros(0)), ratio_estimate(np.zeros(0), np.zeros(0))):
        assert np.isnan([found.mean, found.low, found.high]).all()


def test_the_ratio_of_proportional_values_has_no_width():
    """The same groups are drawn for both means."""
    below = np.random.default_rng(2).random(12)
    found = ratio_estimate(1.5 * below, below)
    assert (found.mean, found.low, found.high) == pytest.approx((1.5, 1.5, 1.5))


def test_samples_whose_divisor_is_0_are_left_out_of_a_ratio():
    """A fourth of the values is positive, and alone in both: any finite ratio is 1."""
    values = np.array([0.0, 0, 0, 1])
    found = ratio_estimate(values, values)
    assert (found.mean, found.low, found.high) == (1, 1, 1)
