"""The memory that related lists take: how many batches it allows at once, and which k."""

from __future__ import annotations

from simsearch.errors import ArgumentError
from simsearch.related.batch_search import BatchSearch, batch_size
from simsearch.search.nearest import MAX_K, candidate_depth

MOST_BYTES = 4 * 10**9
"""The most that the lists and the batches being computed may take, in addition to the index."""

# Bytes, measured on 46,289 studies with k from 10 to 2,000 (docs/related.md).
_A_NEIGHBOUR = 8
_A_QUERY, _A_CANDIDATE = 150_000, 4 * 105
_A_QUERY_OF_ALL, _A_BEST_OF_ALL = 600_000, 100


def batches_at_once(search: BatchSearch, n_lists: int, threads: int, *, is_all: bool) -> int:
    """Return the number of batches that may be computed at the same time, at most `threads`.

    Args:
        search: computes the lists.
        n_lists: the number of lists.
        threads: the number of batches wanted at the same time.
        is_all: whether these are all lists; otherwise those of their neighbours are computed too.

    Raises:
        ArgumentError: with this k the lists take more than `MOST_BYTES`.
    """

    def lists(k: int) -> int:
        n = n_lists if is_all else min(n_lists * (k + 1), search.index.n_studies)
        return n * k * _A_NEIGHBOUR

    def batch(k: int) -> int:
        if not search.by_candidates:
            return batch_size(k) * (_A_QUERY_OF_ALL + k * _A_BEST_OF_ALL)
        most = search.index.n_studies // 4
        return batch_size(k) * (_A_QUERY + min(candidate_depth(k), most) * _A_CANDIDATE)

    fitting = (MOST_BYTES - lists(search.k)) // batch(search.k)
    if fitting < 1:
        fits = (k for k in range(1, MAX_K + 1) if lists(k) + batch(k) <= MOST_BYTES)
        largest = max(fits, default=0)
        raise ArgumentError(
            "k",
            search.k,
            f"at most {largest:,} for {n_lists:,} studies, whose lists may take "
            f"{MOST_BYTES / 1e9:.0f} GB of memory",
        )
    return min(threads, fitting)
