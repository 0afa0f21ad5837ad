"""Which related lists cannot have changed between two generations of an index.

A study has changed if a stored row of it has: vectors, or term weights. A list stays as it
was if its study has not changed, none of its neighbours has changed, gone or stopped to pass
the filter, and no study that has changed, is new or passes newly is as similar as its last
neighbour. That holds for lists that are sure of their neighbours (`Lists.room`); the others
are computed again. Stored rows are compared, not records: where the lexical statistics were
fitted anew, everything has changed.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.encode.fields import FIELDS
from simsearch.errors import IndexReadError, RelatedFileError
from simsearch.index.directory import open_generation
from simsearch.index.opened import OpenedIndex
from simsearch.related.batch_search import SCALE, BlockSearch, Lists
from simsearch.related.files import Identity, read_identity, read_lists
from simsearch.related.memory import can_compare

_SAME = ("recipe", "k", "weights", "filters", "studies")
_BLOCK = 4096
# Of more changes than this share of the studies a full run is as fast.
_MANY = 0.05

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class FullRun(msgspec.Struct, frozen=True):
    """Every list is computed; the reason is for a person, or empty."""

    reason: str


class Earlier(msgspec.Struct, frozen=True):
    """The lists that cannot have changed: (n,) rows of their studies now, and the lists."""

    rows: Ints
    lists: Lists


def carried_over(
    search: BlockSearch, identity: Identity, since: Path | None, *, is_asked: bool
) -> Earlier | FullRun:
    """Return the lists of an earlier result that cannot have changed, or why there are none.

    Args:
        search: what lists are asked of now.
        identity: what the lists asked of now are of.
        since: the earlier result.
        is_asked: whether a person named it: then it must be there, be one, and be whole.

    Raises:
        RelatedFileError: a result that was named is none, or damaged.
    """
    is_there = since is not None and since.suffix.lower() == ".parquet" and since.is_file()
    before = read_identity(since) if since is not None and is_there else None
    if since is None or before is None:
        if is_asked:
            raise RelatedFileError(str(since), "is no earlier result of simsearch related")
        return FullRun("")
    different = [name for name in _SAME if getattr(before, name) != getattr(identity, name)]
    if different:
        return FullRun(f"{since} has other {' and '.join(different)}")
    if not can_compare(max(before.n_studies, search.index.n_studies), search.k):
        return FullRun(f"to compare with lists of {search.k:,} neighbours takes too much memory")
    try:
        generation = open_generation(search.index.path, before.generation)
        with OpenedIndex(search.index.path, generation) as old:
            then = BlockSearch(old, search.k, search.weights, search.filters)
            return _Comparison(search, then, since, _room(since, before)).carried()
    except IndexReadError:
        return FullRun(f"generation {before.generation} of {since} is not kept any more")
    except RelatedFileError as error:
        if is_asked:
            raise
        return FullRun(str(error))


def _room(since: Path, before: Identity) -> npt.NDArray[np.uint8]:
    """Return (n_studies,) `Lists.room` of an earlier result."""
    try:
        return np.frombuffer(zlib.decompress(before.room), dtype=np.uint8)
    except zlib.error as error:
        raise RelatedFileError(str(since), f"is damaged ({error})") from error


class _Comparison:
    """The earlier generation beside the one of now."""

    def __init__(
        self, new: BlockSearch, old: BlockSearch, since: Path, room: npt.NDArray[np.uint8]
    ) -> None:
        self._new, self._old = new, old
        self._since = since
        self._room = room
        self._old_ids, self._new_ids = (_ids(each.index) for each in (old, new))

    def carried(self) -> Earlier | FullRun:
        if self._old.is_wide != self._new.is_wide:
            return FullRun("the studies that pass have become many, or few")
        common, now, before = np.intersect1d(
            self._new_ids, self._old_ids, assume_unique=True, return_indices=True
        )
        same = _same_rows(self._new.index, self._old.index, now, before)
        n_new, n_old = len(self._new_ids), len(self._old_ids)
        new_row = np.full(n_old, -1, dtype=np.int64)  # of studies that have not changed
        new_row[before[same]] = now[same]
        old_row = np.full(n_new, -1, dtype=np.int64)
        old_row[now[same]] = before[same]
        del common
        passed = self._old.allowed.copy()
        entered = np.flatnonzero(self._new.allowed & self._new.has_text & ~_at(passed, old_row))
        if len(entered) > _MANY * n_new:
            return FullRun(f"{len(entered):,} of the {n_new:,} studies have changed")
        stays = (new_row >= 0) & passed & _at(self._new.allowed, new_row)

        lists = self._lists()
        asked = np.zeros(n_old, dtype=np.bool_)
        asked[self._old.asked] = True
        kept = (new_row >= 0) & asked & (lists.room > 0)
        kept &= (_at(stays, lists.rows) | (lists.rows < 0)).all(axis=1)
        old = np.flatnonzero(kept)
        rows = new_row[old]
        mapped = Lists(
            np.where(lists.rows[old] < 0, -1, new_row[lists.rows[old]]).astype(np.int32),
            lists.parts[old],
            lists.room[old].copy(),
        )
        unreached = self._new.unreached(rows, mapped, entered)
        return Earlier(
            rows[unreached],
            Lists(mapped.rows[unreached], mapped.parts[unreached], mapped.room[unreached]),
        )

    def _lists(self) -> Lists:
        """Return the lists of the earlier result by row of its generation."""
        n, k = len(self._old_ids), self._old.k
        lists = msgspec.structs.replace(Lists.empty(n, k), room=self._room)
        fits = len(self._room) == n
        for found in read_lists(self._since):
            query, neighbour = (
                np.searchsorted(self._old_ids, found[name]).clip(max=n - 1)
                for name in ("nct_id", "neighbour_id")
            )
            rank, similarity = found["rank"] - 1, found["similarity"]
            known = self._old_ids[query] == found["nct_id"]
            known &= self._old_ids[neighbour] == found["neighbour_id"]
            known &= (rank >= 0) & (rank < k) & (np.abs(similarity) <= 1)
            fits &= bool(known.all())
            if not fits:
                break
            lists.rows[query, rank] = neighbour
            lists.parts[query, rank] = np.rint(similarity * SCALE)
        if not fits:
            raise RelatedFileError(str(self._since), "does not fit the generation it names")
        return lists


def _ids(index: OpenedIndex) -> npt.NDArray[np.bytes_]:
    return np.array(index.store.nct_ids(), dtype="S11")


def _at(flags: Flags, rows: npt.NDArray[np.integer]) -> Flags:
    """Return the flags of rows, no where the row is -1."""
    found: Flags = flags[rows] & (rows >= 0)
    return found


def _same_rows(new: OpenedIndex, old: OpenedIndex, now: Ints, before: Ints) -> Flags:
    """Return (n,) whether the stored rows of two generations are the same."""
    same = np.ones(len(now), dtype=np.bool_)
    for field in FIELDS:
        one, other = new.stored(field), old.stored(field)
        for start in range(0, len(now), _BLOCK):
            part = slice(start, start + _BLOCK)
            same[part] &= (one[now[part]] == other[before[part]]).all(axis=1)
    return same & _same_terms(new, old, now, before)


def _same_terms(new: OpenedIndex, old: OpenedIndex, now: Ints, before: Ints) -> Flags:
    """Return (n,) whether rows have the same terms, by name, with the same weights."""
    names, old_names = new.lexical.terms, old.lexical.terms
    number = np.searchsorted(names, old_names).clip(max=max(0, len(names) - 1))
    number[names[number] != old_names] = -1
    one, other = new.lexical.matrix()[now], old.lexical.matrix()[before]
    same: Flags = np.diff(one.indptr) == np.diff(other.indptr)
    one, other = one[same], other[same]  # of equal lengths: their terms stand side by side
    differs = (one.indices != number[other.indices]) | (one.data != other.data)
    at = np.repeat(np.arange(one.shape[0]), np.diff(one.indptr))
    same[np.flatnonzero(same)[at[differs]]] = False
    return same
