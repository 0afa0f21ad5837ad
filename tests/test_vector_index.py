"""Exact nearest rows, with and without the rows in 8 bits, and the edges of FAISS."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from conftest import record
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import IndexCorruptError
from simsearch.index import vector_index
from simsearch.index.faiss_rows import open_rows, write_rows
from simsearch.index.generation_files import COARSE_FILES
from simsearch.index.opened import opened_index
from simsearch.index.vector_index import VectorIndex, open_coarse, write_coarse
from simsearch.index.verify import verify_opened
from simsearch.vectors import unit_rows


def made(path: Path, rows: np.ndarray, *, coarse: bool = True):
    rows = unit_rows(rows).astype(np.float16)
    n, dimension = rows.shape
    write_rows(path, dimension, [rows[:3], rows[3:]])
    opened = open_rows(path, n, dimension)
    if not coarse:
        return VectorIndex(opened), rows.astype(np.float32)
    files = path.with_name("coarse.faiss"), path.with_name("scale.npy")
    write_coarse(*files, dimension, lambda: [rows[:3], rows[3:]])
    return VectorIndex(opened, open_coarse(*files, n, dimension)), rows.astype(np.float32)


@pytest.fixture(params=[True, False], ids=["8 bits first", "16 bits"])
def random_index(request, tmp_path):
    rows = np.random.default_rng(1).normal(size=(200, 24))
    return made(tmp_path / "rows.faiss", rows, coarse=request.param)


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
@given(st.integers(1, 30), st.floats(0, 1), st.booleans(), st.integers(0, 2**32), st.booleans())
def test_only_allowed_rows_come_back_and_the_nearest_of_them(
    tmp_path_factory, k, share, far, seed, coarse
):
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(400, 8)).astype(np.float32)
    path = tmp_path_factory.mktemp("ix") / "rows.faiss"
    index, rows = made(path, rows, coarse=coarse)
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


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-4, 1), st.sampled_from([16, 24, 64, 384]))
def test_rows_closer_together_than_8_bits_can_tell_are_in_their_true_order(
    tmp_path_factory, seed, spread, dimension
):
    """A crowd of rows around one direction: rounding to 8 bits puts them in another order.

    FAISS computes in other ways for some lengths of a row.
    """
    chance = np.random.default_rng(seed)
    rows = np.ones(dimension) + spread * chance.normal(size=(500, dimension))
    index, rows = made(tmp_path_factory.mktemp("ix") / "rows.faiss", rows)
    numbers, _ = index.nearest(rows[0], 3)
    brute = (rows.astype(np.float64) @ rows[0].astype(np.float64)).astype(np.float32)
    assert numbers.tolist() == np.lexsort((np.arange(500), -brute))[:3].tolist()


def test_rows_in_8_bits_of_another_index_are_an_error_and_no_answer(tmp_path):
    chance = np.random.default_rng(3)
    made(tmp_path / "rows.faiss", chance.normal(size=(300, 24)))
    other = unit_rows(chance.normal(size=(300, 24))).astype(np.float16)
    write_rows(tmp_path / "other.faiss", 24, [other])
    coarse = open_coarse(tmp_path / "coarse.faiss", tmp_path / "scale.npy", 300, 24)
    mixed = VectorIndex(open_rows(tmp_path / "other.faiss", 300, 24), coarse)
    with pytest.raises(IndexCorruptError, match=r"coarse\.faiss.*other rows than the index"):
        mixed.nearest(other[0].astype(np.float32), 3)


@pytest.mark.parametrize("scale", [[0.0, 0.1], [np.nan, 0.1], [0.1], [0.1, 2.0]])
def test_a_scale_that_is_none_is_named_as_such(tmp_path, scale):
    made(tmp_path / "rows.faiss", np.ones((3, 4)))
    np.save(tmp_path / "scale.npy", np.array(scale, dtype="<f4"))
    with pytest.raises(IndexCorruptError, match=r"scale\.npy"):
        open_coarse(tmp_path / "coarse.faiss", tmp_path / "scale.npy", 3, 4)


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
        open_rows(path, 1, 4)


def test_another_kind_or_size_of_index_is_named_as_such(tmp_path):
    path = tmp_path / "rows.faiss"
    flat = faiss.IndexFlatIP(4)
    flat.add(np.ones((2, 4), dtype=np.float32))
    faiss.write_index(flat, str(path))
    with pytest.raises(IndexCorruptError, match="another kind"):
        open_rows(path, 2, 4)
    made(path, np.ones((3, 4)))
    with pytest.raises(IndexCorruptError, match="3 rows of 4 where 5 of 4"):
        open_rows(path, 5, 4)


def test_a_large_index_keeps_its_texts_in_8_bits_too_and_finds_the_same(build, monkeypatch):
    words = [f"{one} {other}" for one in WORDS for other in WORDS]
    records = [record(f"NCT{101 + n:08}", title=f"Trial of {each}") for n, each in enumerate(words)]
    with opened_index(build(records).index) as index:
        assert not set(COARSE_FILES) & set(index.generation.manifest.files)
        expected = [nearest_of(index, row) for row in range(len(words))]
    monkeypatch.setattr(vector_index, "LEAST_COARSE", len(words))
    scanned = []
    first = VectorIndex._first_by_coarse
    monkeypatch.setattr(
        VectorIndex, "_first_by_coarse", lambda *given: scanned.append(1) or first(*given)
    )
    with opened_index(build(records).index) as index:
        assert set(COARSE_FILES) <= set(index.generation.manifest.files)
        verify_opened(index)
        assert [nearest_of(index, row) for row in range(len(words))] == expected
        folder = index.generation.path
    assert len(scanned) >= len(words)
    content = bytearray((folder / COARSE_FILES[0]).read_bytes())
    half = len(content) // 2
    content[half:] = b"\xff" * (len(content) - half)
    (folder / COARSE_FILES[0]).write_bytes(content)
    with (
        opened_index(folder.parents[1]) as index,
        pytest.raises(IndexCorruptError, match="text-8bit"),
    ):
        nearest_of(index, 0)


WORDS = (
    "anemia", "asthma", "cancer", "stroke", "ulcer", "sepsis", "gout", "lupus", "malaria",
    "migraine", "obesity", "psoriasis", "rosacea", "scurvy",
)  # fmt: skip


def nearest_of(index, row):
    numbers, values = index.text.nearest(index.vectors(row)["text"], 3)
    return numbers.tolist(), np.round(values, 5).tolist()
