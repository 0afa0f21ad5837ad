"""The lists of a batch of studies are those of single queries."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from conftest import record

from simsearch import Filters
from simsearch.errors import ArgumentError, FilterError
from simsearch.index.opened import opened_index
from simsearch.related import batch_search, coarse_int8
from simsearch.related.batch_search import BatchSearch
from simsearch.related.lists import SCALE
from simsearch.search import nearest as search
from simsearch.search.filters import allowed_rows
from simsearch.search.nearest import ranked
from simsearch.search.query_parts import study_part
from simsearch.vectors import greatest

TERMS = [
    "anemia", "aplasia", "marrow", "iron", "drops", "pills", "surgery", "knee", "children",
    "adults", *(f"word{n}" for n in range(60)),
]  # fmt: skip


def many(n: int, seed: int = 0) -> list[dict]:
    """Studies of random words, some without interventions, some without a text, some twice."""
    rng = random.Random(seed)
    found = []
    for number in range(1, n + 1):
        words = rng.choices(TERMS, k=rng.randint(4, 14))
        conditions = rng.choices(TERMS[:10], k=rng.randint(0, 2))
        interventions = [("DRUG", word) for word in rng.choices(TERMS[:10], k=rng.randint(0, 2))]
        status = rng.choice(["RECRUITING", "COMPLETED", "COMPLETED"])
        nct_id = f"NCT{number:08}"
        if number % 97 == 0:
            found.append(record(nct_id, status="WITHHELD"))
        elif number % 31 == 0:
            found.append({**found[-1]} | record(nct_id, "anemia aplasia", status=status))
        else:
            found.append(
                record(nct_id, " ".join(words[:5]), conditions, interventions, " ".join(words),
                       status=status)
            )  # fmt: skip
    return found


@pytest.fixture
def few_are_enough(monkeypatch) -> None:
    """Retrieve candidates in an index of some hundred studies, as in one of many thousand."""
    monkeypatch.setattr(search, "FEW", 50)
    monkeypatch.setattr(batch_search, "FEW", 50)
    monkeypatch.setattr(search, "_MIN_CANDIDATES", 30)
    monkeypatch.setattr(search, "_CANDIDATES_PER_K", 3)
    monkeypatch.setattr(coarse_int8, "CHUNK", 100)


def assert_like_single_queries(index, k: int = 10, **options) -> BatchSearch:
    many_at_once = BatchSearch(index, k, **options)
    lists = many_at_once.lists(many_at_once.listed)
    for at, row in enumerate(many_at_once.listed.tolist()):
        alone = ranked(index, [study_part(index, row)], k, **options)
        n = len(alone.rows)
        assert lists.rows[at].tolist() == [*alone.rows.tolist(), *[-1] * (k - n)]
        assert (lists.parts[at, :n] / SCALE).tolist() == alone.similarity.tolist()
    return many_at_once


def test_small_index(six):
    assert not assert_like_single_queries(six, 3).by_candidates


def test_k_beyond_the_corpus(six):
    assert_like_single_queries(six, 50)


@pytest.mark.parametrize("k", [1, 10, 25])
def test_candidates(build: Callable, few_are_enough, k):
    index = opened_index(build(many(400)).index)
    assert assert_like_single_queries(index, k).by_candidates


def test_candidates_that_pass_a_filter(build: Callable, few_are_enough):
    index = opened_index(build(many(400)).index)
    found = assert_like_single_queries(index, filters=Filters(status=("recruiting",)))
    assert found.by_candidates


def test_all_of_few_that_pass_a_filter(build: Callable):
    index = opened_index(build(many(300)).index)
    found = assert_like_single_queries(index, filters=Filters(status=("recruiting",)))
    assert not found.by_candidates


def test_a_filter_that_nothing_passes(build: Callable):
    index = opened_index(build(many(100)).index)
    lists = BatchSearch(index, 5, filters=Filters(min_enrollment=10**6)).lists(np.arange(90))
    assert (lists.rows == -1).all()


@pytest.mark.parametrize("weights", [{"text": 1.0}, {"lexical": 1.0, "conditions": 0.5}])
def test_other_weights(build: Callable, weights):
    index = opened_index(build(many(200)).index)
    alone = [
        row for row in BatchSearch(index, 5).listed if all(study_part(index, row).present.values())
    ]
    found = BatchSearch(index, 5, weights)
    lists = found.lists(np.array(alone))
    for at, row in enumerate(alone):
        single = ranked(index, [study_part(index, row)], 5, weights)
        assert lists.rows[at].tolist() == single.rows.tolist()


def test_many_equal_studies(build: Callable, few_are_enough):
    same = [record(f"NCT{n:08}", "anemia iron", ["Anemia"], [], "iron") for n in range(1, 200)]
    assert_like_single_queries(opened_index(build(same).index))


def test_studies_without_text_have_no_list(build: Callable):
    index = opened_index(build(many(194)).index)
    listed = {index.store.nct_ids()[row] for row in BatchSearch(index, 3).listed}
    assert "NCT00000097" not in listed
    assert "NCT00000098" in listed


@pytest.mark.parametrize("k", [0, 10_001])
def test_k_out_of_range(six, k):
    with pytest.raises(ArgumentError):
        BatchSearch(six, k)


def test_a_filter_value_that_no_study_has(six):
    with pytest.raises(FilterError):
        BatchSearch(six, 3, filters=Filters(status=("sleeping",)))


def withheld(n: int, first: int = 1) -> list[dict]:
    """Studies without a text."""
    return [record(f"NCT{first + at:08}", status="WITHHELD", enrollment=500) for at in range(n)]


@pytest.mark.parametrize("n_with_text", [0, 1, 5])
def test_many_pass_and_few_of_them_have_a_text(build: Callable, few_are_enough, n_with_text):
    big = [record(f"NCT{n:08}", "iron knee", enrollment=500) for n in range(301, 301 + n_with_text)]
    records = [*many(100), *withheld(80, first=200), *big]
    index = opened_index(build(records, allow_rejects=True).index)
    found = assert_like_single_queries(index, 3, filters=Filters(min_enrollment=500))
    assert found.by_candidates


def test_many_studies_without_a_text(build: Callable, few_are_enough):
    index = opened_index(build([*many(200), *withheld(150, first=300)]).index)
    for filters in (Filters(), Filters(min_enrollment=1)):
        assert assert_like_single_queries(index, filters=filters).by_candidates


@pytest.mark.parametrize("filters", [Filters(), Filters(min_enrollment=1)])
def test_nearest_by_terms_are_those_of_a_single_query_that_have_a_text(
    build: Callable, few_are_enough, filters
):
    """Where few share a term with the query, a single query finds studies without a text too."""
    knees = [record(f"NCT{number:08}", "knee") for number in range(201, 301)]
    lonely = record("NCT00000900", "zebra", conditions=["Zebra"], summary="zebra")
    index = opened_index(build([*withheld(150), *knees, lonely]).index)
    found = BatchSearch(index, 10, filters=filters)
    row = index.row_of("NCT00000900")
    signal = index.lexical.signal(index.lexical.row(row))
    passing = np.flatnonzero(allowed_rows(index.store, filters)) if filters else None
    single = greatest(signal, search.candidate_depth(10), passing)
    assert not index.has_text[single].all()
    columns = found.candidates.nearest_by_terms(found.batch(np.array([row])), 0)[0]
    assert sorted(found.candidates.searched[columns]) == sorted(single[index.has_text[single]])


@pytest.mark.parametrize(("k", "size"), [(1, 256), (100, 256), (1000, 65), (10_000, 6)])
def test_long_lists_are_computed_in_smaller_batches(k, size):
    """65,536 neighbours in a batch at most."""
    assert batch_search.batch_size(k) == size
