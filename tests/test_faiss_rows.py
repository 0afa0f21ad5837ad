"""Exact nearest rows with FAISS, and its edges."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import IndexCorruptError
from simsearch.index.faiss_rows import open_vector_index, write_vector_index
from simsearch.vectors import unit_rows


def made(path: Path, rows: np.ndarray):
    rows = unit_rows(rows).astype(np.float16)
    write_vector_index(path, rows.shape[1], [rows[:3], rows[3:]])
    return open_vector_index(path, len(rows), rows.shape[1]), rows.astype(np.float32)


@pytest.fixture
def random_index(tmp_path):
    return made(tmp_path / "rows.faiss", np.random.default_rng(1).normal(size=(200, 24)))


def test_neighbours_equal_brute_force(random_index):
    index, rows = random_index
    for query in rows[:50]:
        numbers, values = index.nearest(query, 10)
        brute = rows @ query
        order = np.lexsort((np.arange(len(rows)), -brute))[:10]
        assert numbers.tolist() == order.tolist()
        assert values == pytest.approx(brute[order], abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 2**32))
def test_neighbours_equal_brute_force_whatever_the_sizes(tmp_path_factory, n, k, seed):
    rows = np.random.default_rng(seed).integers(-2, 3, size=(n, 4)).astype(np.float32)
    index, rows = made(tmp_path_factory.mktemp("ix") / "rows.faiss", rows)
    numbers, values = index.nearest(unit_rows([[1, 2, 0, 1]])[0], k)
    brute = np.round(rows @ unit_rows([[1, 2, 0, 1]])[0], 6)
    assert len(numbers) == min(n, k)
    assert np.round(values, 6) == pytest.approx(np.sort(brute)[::-1][: len(values)], abs=2e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.floats(0, 1), st.booleans(), st.integers(0, 2**32))
def test_only_allowed_rows_come_back_and_the_nearest_of_them(tmp_path_factory, k, share, far, seed):
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(400, 8)).astype(np.float32)
    index, rows = made(tmp_path_factory.mktemp("ix") / "rows.faiss", rows)
    query = rows[0]
    # At random, or those furthest away, so that what should suffice does not.
    allowed = rows @ query < np.quantile(rows @ query, share) if far else chance.random(400) < share
    numbers, values = index.nearest(query, k, allowed)
    brute = np.where(allowed, rows @ query, -np.inf)
    order = np.lexsort((np.arange(400), -brute))[: min(k, int(allowed.sum()))]
    assert numbers.tolist() == order.tolist()
    assert values == pytest.approx(brute[order], abs=1e-6)


def test_k_beyond_the_corpus_gives_every_row_once(random_index):
    index, rows = random_index
    numbers, _ = index.nearest(rows[0], 10_000)
    assert sorted(numbers.tolist()) == list(range(200))


def test_ties_come_in_row_order_even_at_the_last_place(tmp_path):
    rows = np.ones((100, 4), dtype=np.float32)
    index, rows = made(tmp_path / "rows.faiss", rows)
    numbers, _ = index.nearest(rows[50], 5)
    assert numbers.tolist() == [0, 1, 2, 3, 4]


def test_stored_rows_come_back_as_written(random_index):
    index, rows = random_index
    assert np.array_equal(index.rows(np.array([7, 3])), rows[[7, 3]])
    assert index.rows(np.array([], dtype=np.int64)).shape == (0, 24)


@pytest.mark.parametrize(
    "query", [np.full(24, np.nan), np.full(24, np.inf), np.ones(23), np.ones((1, 24))]
)
def test_a_query_that_is_not_a_finite_row_is_refused(random_index, query):
    with pytest.raises(ValueError, match="finite values is needed"):
        random_index[0].nearest(query.astype(np.float32), 3)


def test_searching_changes_nothing_in_the_query(random_index):
    index, rows = random_index
    query = rows[4].copy()
    index.nearest(query, 3)
    assert np.array_equal(query, rows[4])


def test_a_search_keeps_to_its_own_thread_and_leaves_others_their_number(random_index, monkeypatch):
    index, rows = random_index
    counts = []
    kind = faiss.IndexScalarQuantizer
    search = kind.search
    monkeypatch.setattr(
        kind, "search",
        lambda *words, **more: counts.append(faiss.omp_get_max_threads()) or search(*words, **more),
    )  # fmt: skip
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3)
    try:
        index.nearest(rows[4], 3)
        assert counts == [1]
        assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)


def test_another_file_is_named_as_such(tmp_path):
    path = tmp_path / "rows.faiss"
    path.write_bytes(b"not an index at all, but of some length")
    with pytest.raises(IndexCorruptError, match="not a FAISS index"):
        open_vector_index(path, 1, 4)


def test_another_kind_or_size_of_index_is_named_as_such(tmp_path):
    path = tmp_path / "rows.faiss"
    flat = faiss.IndexFlatIP(4)
    flat.add(np.ones((2, 4), dtype=np.float32))
    faiss.write_index(flat, str(path))
    with pytest.raises(IndexCorruptError, match="another kind"):
        open_vector_index(path, 2, 4)
    made(path, np.ones((3, 4)))
    with pytest.raises(IndexCorruptError, match="3 rows of 4 where 5 of 4"):
        open_vector_index(path, 5, 4)
