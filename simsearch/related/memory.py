"""How much memory related lists take: how many blocks at once it allows, and which k."""

from __future__ import annotations

from simsearch.errors import ArgumentError
from simsearch.related.batch_search import BlockSearch, block_size
from simsearch.search.nearest import MAX_K, candidate_depth

MOST_BYTES = 4 * 10**9
"""What lists and the blocks being computed may take, beside the index."""

# Bytes, measured on 46,289 studies with k from 10 to 2,000 (docs/related.md).
_A_NEIGHBOUR = 8
_A_NEIGHBOUR_COMPARED = 40  # the lists of before, in two orders, and those carried over
_A_QUERY, _A_CANDIDATE = 150_000, 4 * 105
_A_QUERY_OF_ALL, _A_BEST_OF_ALL = 600_000, 100


def can_compare(n_studies: int, k: int) -> bool:
    """Tell whether memory allows to compare with the lists of an earlier result."""
    return n_studies * k * _A_NEIGHBOUR_COMPARED <= MOST_BYTES


def blocks_at_once(search: BlockSearch, n_asked: int, threads: int, *, is_all: bool) -> int:
    """Return how many blocks may be computed at the same time, at most `threads`.

    Args:
        search: what is asked.
        n_asked: how many studies are asked for.
        threads: how many blocks are wanted at once.
        is_all: whether these are all; else the lists of their neighbours are computed too.

    Raises:
        ArgumentError: with this k the lists take more than `MOST_BYTES`.
    """

    def lists(k: int) -> int:
        n = n_asked if is_all else min(n_asked * (k + 1), search.index.n_studies)
        return n * k * _A_NEIGHBOUR

    def block(k: int) -> int:
        if not search.is_wide:
            return block_size(k) * (_A_QUERY_OF_ALL + k * _A_BEST_OF_ALL)
        most = search.index.n_studies // 4
        return block_size(k) * (_A_QUERY + min(candidate_depth(k), most) * _A_CANDIDATE)

    fitting = (MOST_BYTES - lists(search.k)) // block(search.k)
    if fitting < 1:
        fits = (k for k in range(1, MAX_K + 1) if lists(k) + block(k) <= MOST_BYTES)
        largest = max(fits, default=0)
        raise ArgumentError(
            "k",
            search.k,
            f"at most {largest:,} for {n_asked:,} studies, whose lists may take "
            f"{MOST_BYTES / 1e9:.0f} GB of memory",
        )
    return min(threads, fitting)
