"""Which k fits in memory, and how many batches at once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from simsearch.errors import ArgumentError
from simsearch.related.memory import batches_at_once
from simsearch.related.run import related

N = 600_000


def at_once(k: int, n: int = N, threads: int = 1, **options) -> int:
    search = SimpleNamespace(
        k=k, by_candidates=options.pop("by_candidates", True), index=SimpleNamespace(n_studies=N)
    )
    return batches_at_once(search, n, threads, is_all=options.pop("is_all", True))


def largest(refused: pytest.ExceptionInfo[ArgumentError]) -> int:
    return int(str(refused.value).split("at most ")[1].split()[0].replace(",", ""))


def test_usual_lists_are_computed_with_all_cores():
    assert at_once(10, threads=16) == 16


def test_with_many_cores_fewer_batches_are_computed_at_once():
    assert 1 <= at_once(300, threads=64) < 64


@pytest.mark.parametrize("options", [{}, {"by_candidates": False}])
def test_a_k_that_is_too_large_is_refused_with_the_largest_that_is_not(options):
    """Lists of 600,000 studies take 4.8 GB with a k of 1,000."""
    with pytest.raises(ArgumentError, match="for 600,000 studies") as refused:
        at_once(1000, **options)
    assert at_once(largest(refused), **options) == 1
    with pytest.raises(ArgumentError):
        at_once(largest(refused) + 1, **options)


def test_a_single_study_may_have_as_many_as_a_query_gives():
    assert at_once(10_000, n=1, is_all=False) == 1


def test_a_refused_run_leaves_nothing(six, tmp_path, monkeypatch):
    monkeypatch.setattr("simsearch.related.memory.MOST_BYTES", 10**6)
    with pytest.raises(ArgumentError, match="k is 3"):
        related(six, tmp_path / "x.csv", 3)
    assert list(tmp_path.glob("x*")) == []
