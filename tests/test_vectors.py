"""Unit rows, cosines, weights."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simsearch.errors import ArgumentError
from simsearch.vectors import (
    DEFAULT_WEIGHTS,
    cosines,
    greatest,
    pair_cosines,
    unit_rows,
    weights_for,
)

rows = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2),
    elements=st.floats(-100, 100, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3),
)  # fmt: skip


@given(rows)
def test_rows_are_unit_or_zero_and_the_argument_stays(array):
    before = array.copy()
    lengths = np.linalg.norm(unit_rows(array), axis=1)
    assert np.allclose(lengths, array.any(axis=1), atol=1e-5)
    assert np.array_equal(array, before)


def test_cosine_of_a_half_right_angle():
    query = unit_rows([[1, 1]])[0]
    found = cosines(query, np.array([[1, 0], [0, 0], [-1, 0]], dtype=np.float16))
    assert found == pytest.approx([math.sqrt(0.5), 0, -math.sqrt(0.5)])


def test_cosines_of_pairs_are_those_of_each_row_with_the_one_beside_it():
    rng = np.random.default_rng(4)
    left, right = (unit_rows(rng.normal(size=(9, 384))).astype(np.float16) for _ in range(2))
    expected = [cosines(one, other[np.newaxis])[0] for one, other in zip(left, right, strict=True)]
    assert pair_cosines(left, right) == pytest.approx(expected, abs=1e-12)


def test_a_cosine_does_not_depend_on_its_company():
    rng = np.random.default_rng(3)
    many = unit_rows(rng.normal(size=(500, 384))).astype(np.float16)
    query = unit_rows(rng.normal(size=(1, 384)))[0]
    together = cosines(query, many)
    assert [cosines(query, many[n : n + 1])[0] for n in range(500)] == together.tolist()


def test_the_weight_of_a_missing_field_moves_to_the_others():
    present = {"text": True, "conditions": False, "interventions": True}
    shares = weights_for({"text": 0.6, "conditions": 0.2, "interventions": 0.2}, present)
    assert shares == pytest.approx({"text": 0.75, "conditions": 0, "interventions": 0.25})


def test_default_weights_sum_to_one():
    assert sum(DEFAULT_WEIGHTS.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "weights",
    [
        {"text": -1}, {"text": math.nan}, {"text": math.inf}, {"text": "0.5"}, {"text": None},
        {"txt": 1}, {"text": 0}, {"text": 1e308, "terms": 1e308}, {},
    ],
)  # fmt: skip
def test_impossible_weights_are_refused(weights):
    with pytest.raises(ArgumentError, match=r"weights? .*it must be"):
        weights_for(weights, {"text": True, "terms": True})


def test_weights_may_be_numbers_of_numpy():
    assert weights_for(
        {"text": np.float32(3), "terms": np.int64(1)}, dict.fromkeys(["text", "terms"], True)
    ) == {"text": 0.75, "terms": 0.25}


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 2000), st.integers(1, 300), st.integers(0, 50), st.sampled_from([0, 1, 3, 1000])
)
def test_the_greatest_values_are_found_also_among_ties(n_values, n, seed, kinds):
    chance = np.random.default_rng(seed)
    values = chance.integers(0, kinds + 1, n_values) / 7.0
    n = min(n, n_values)
    places = greatest(values, n)
    assert len(set(places.tolist())) == n
    assert sorted(values[places]) == sorted(values)[n_values - n :]


def test_the_greatest_may_be_sought_among_some():
    values = np.array([0.9, 0.1, 0.8, 0.7, 0.2])
    assert set(greatest(values, 2, np.array([1, 3, 4])).tolist()) == {3, 4}
