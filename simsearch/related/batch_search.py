"""The neighbours of many studies at once: what asking each by itself answers, in blocks.

Where a single query scans every row, a block of queries is one matrix product. The whole texts
are compared in 8-bit integers, which finds a little more than the nearest; those are scored
with every signal, and the k-th best says how many of its terms a study must share to get in
without being near by its text. Few do: only the rare terms of a query are looked up. What is
left is scored in double precision, as a single query scores it.

The candidates are those of a single query: a study that gets in by its terms alone is held
against the lexical list that a single query retrieves.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from simsearch.encode.fields import FIELDS
from simsearch.errors import ArgumentError
from simsearch.index.opened import OpenedIndex
from simsearch.index.terms import TermWeights
from simsearch.related.coarse_int8 import CHUNK, CoarseTexts, Floats, Ints, Near, floats, kth
from simsearch.search.filters import NO_FILTERS, Filters, allowed_rows
from simsearch.search.nearest import (
    FEW,
    MAX_K,
    SIMILARITY_DECIMALS,
    candidate_depth,
    ranked,
    rounded,
)
from simsearch.search.query_parts import study_part
from simsearch.vectors import DEFAULT_WEIGHTS, SIGNALS, greatest, pair_cosines, weights_for

SCALE = 10**SIMILARITY_DECIMALS
"""Similarities of lists are whole numbers of this many parts: they are rounded to them."""

BLOCK = 256
"""Studies that are asked for at once, where their lists are not long (see `block_size`)."""

ROBUST_SHARE = 0.5
"""Neighbours within this share of the nearest by text stay candidates when studies change."""

_MOST_ROOM = 255
_BLOCK_NEIGHBOURS = 1 << 16  # of a block: what finds them grows with their number
_FINE = 5e-6  # more than a similarity in single precision is off
_LOOKED_UP = 0.5  # share of the needed terms' product that may be left to frequent terms
_HEAD = 8  # candidates beyond k that tell how good the k-th is at least
_PAIRS = 4096  # pairs of rows in memory at once
_TERMS_BLOCK = 32  # queries whose terms are looked up at once


class Lists(msgspec.Struct, frozen=True):
    """The neighbours of n studies, best first."""

    rows: npt.NDArray[np.int32]
    """(n, k) rows of the index; -1 where there are fewer."""
    parts: npt.NDArray[np.int32]
    """(n, k) similarities in parts of `SCALE`; 0 where there is no neighbour."""
    room: npt.NDArray[np.uint8]
    """(n,) how many studies may come nearer by text before a neighbour might be no candidate
    any more; 0 where that is open, or where a study that is no candidate might be in the list."""

    @classmethod
    def empty(cls, n: int, k: int, room: int = 0) -> Lists:
        """Return n lists without a neighbour."""
        return cls(
            np.full((n, k), -1, dtype=np.int32),
            np.zeros((n, k), dtype=np.int32),
            np.full(n, room, dtype=np.uint8),
        )


class _Queries(msgspec.Struct, frozen=True):
    """A block of query studies: n rows, their vectors by field, terms and shares."""

    rows: Ints
    vectors: dict[str, npt.NDArray[np.float32]]
    terms: csr_array
    shares: npt.NDArray[np.float64]
    """(n, n_signals) in the order of `SIGNALS`."""

    def share(self, signal: str) -> npt.NDArray[np.float64]:
        return self.shares[:, SIGNALS.index(signal)]

    @property
    def cap(self) -> npt.NDArray[np.float64]:
        """(n,) the most that the signals beside text and terms can add."""
        return 1 - self.share("text") - self.share("lexical")


class BlockSearch:
    """Finds the lists of blocks of studies; threads may share one.

    Args:
        index: what is asked.
        k: neighbours of a study, 1 to `MAX_K`.
        weights: signal name → weight, as for a single query.
        filters: what a neighbour must be, likewise.

    Raises:
        ArgumentError, FilterError: as for a single query.
    """

    def __init__(
        self,
        index: OpenedIndex,
        k: int,
        weights: Mapping[str, float] = DEFAULT_WEIGHTS,
        filters: Filters = NO_FILTERS,
    ) -> None:
        if not 1 <= k <= MAX_K:
            raise ArgumentError("k", k, f"from 1 to {MAX_K:,}")
        weights_for(weights, dict.fromkeys(SIGNALS, True))
        self.index = index
        self.k = k
        self.weights = dict(weights)
        self.filters = filters
        self._stored = {field: index.stored(field) for field in FIELDS}
        self.allowed = allowed_rows(index.store, filters)
        self.has_text = index.has_text
        self._passing = np.flatnonzero(self.allowed) if filters else None
        self._columns = np.flatnonzero(self.allowed & self.has_text)
        self._depth = candidate_depth(k)
        self._robust_rank = int(ROBUST_SHARE * self._depth)
        self._rows = index.lexical.matrix()
        self.can_ask = self.has_text & _not_zero(self._stored["text"])
        """(n_studies,) which studies have a text to ask with."""
        self.asked = np.flatnonzero(self.can_ask & self._weighs())
        """(n,) the rows of the studies that have a list: what weighs is there to compare."""
        self._frequency = np.diff(index.lexical.postings().indptr)
        self.is_wide = self.weights == dict(DEFAULT_WEIGHTS) and int(self.allowed.sum()) > max(
            FEW, self._depth
        )
        self._is_retrieved = self.is_wide and len(self._columns) > self._depth
        if self._is_retrieved:
            self._texts = CoarseTexts(self._stored["text"], self._columns, self._depth)
            postings = index.lexical.postings()
            self._postings = (
                postings
                if len(self._columns) == index.n_studies
                else self._rows[self._columns].T.tocsr()
            )

    def _weighs(self) -> npt.NDArray[np.bool_]:
        """Return (n_studies,) which studies have at least one signal that weighs."""
        weighed = {signal for signal in SIGNALS if self.weights.get(signal)}
        if "text" in weighed:
            return np.ones(self.index.n_studies, dtype=np.bool_)
        present = [_not_zero(self._stored[field]) for field in FIELDS if field in weighed]
        present += [np.diff(self._rows.indptr) > 0] if "lexical" in weighed else []
        found: npt.NDArray[np.bool_] = np.any(present, axis=0)
        return found

    @property
    def most_room(self) -> int:
        """The `room` of a list that is sure of its neighbours."""
        return min(self._depth - self._robust_rank, _MOST_ROOM) if self.is_wide else _MOST_ROOM

    def lists(self, rows: Ints) -> Lists:
        """Return the lists of these studies, each of which has a text."""
        queries = self._queries(rows)
        if self._is_retrieved:
            return self._by_candidates(queries)
        if self.is_wide and len(self._columns):  # many pass, few of which have a text
            return self._singly(queries)
        return self._by_all(queries)

    def unreached(self, rows: Ints, lists: Lists, entered: Ints) -> npt.NDArray[np.bool_]:
        """Return (n,) which lists stay as they are when studies enter, and take off their room.

        Args:
            rows: (n,) the studies of the lists.
            lists: what they had, in rows of now; `room` is written to.
            entered: rows of the studies that were no candidates before, or others.
        """
        stay = np.ones(len(rows), dtype=np.bool_)
        if not len(entered):
            return stay
        vectors = {field: floats(self._stored[field][entered]).T for field in FIELDS}
        terms = self._rows[entered].T.tocsr()
        for start in range(0, len(rows), CHUNK // 4):
            part = slice(start, start + CHUNK // 4)
            queries = self._queries(rows[part])
            text = queries.vectors["text"] @ vectors["text"]
            whole = queries.share("text").astype(np.float32)[:, np.newaxis] * text
            for field in list(FIELDS)[1:]:
                weighted = queries.vectors[field] * queries.share(field)[:, np.newaxis]
                whole += weighted.astype(np.float32) @ vectors[field]
            whole += queries.share("lexical")[:, np.newaxis] * (queries.terms @ terms).toarray()
            last = np.where(lists.rows[part, -1] < 0, -np.inf, lists.parts[part, -1] / SCALE)
            stay[part] = ~(whole >= (last - 2 * _FINE)[:, np.newaxis]).any(axis=1)
            if self.is_wide:
                stay[part] &= self._take_room(queries, lists, part, text)
        return stay

    def _take_room(
        self, queries: _Queries, lists: Lists, part: slice, text: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.bool_]:
        """Take off the studies that are nearer by text than the neighbours; tell who has room."""
        at, rank = np.nonzero(lists.rows[part] >= 0)
        neighbours = floats(self._stored["text"][lists.rows[part][at, rank]])
        least = np.ones(len(queries.rows), dtype=np.float32)
        cosines = np.einsum("ij,ij->i", queries.vectors["text"][at], neighbours)
        np.minimum.at(least, at, cosines)
        nearer = (text >= (least - _FINE)[:, np.newaxis]).sum(axis=1)
        has_room: npt.NDArray[np.bool_] = nearer < lists.room[part]
        lists.room[part] -= np.where(has_room, nearer, 0).astype(np.uint8)
        return has_room

    def _queries(self, rows: Ints) -> _Queries:
        vectors = {field: floats(self._stored[field][rows]) for field in FIELDS}
        terms = self._rows[rows]
        present = np.stack(
            [*(vectors[field].any(axis=1) for field in FIELDS), np.diff(terms.indptr) > 0], axis=1
        )
        patterns, which = np.unique(present, axis=0, return_inverse=True)
        shares = np.array(
            [
                list(
                    weights_for(
                        self.weights, dict(zip(SIGNALS, map(bool, each), strict=True))
                    ).values()
                )
                for each in patterns
            ]
        )
        return _Queries(rows, vectors, terms, shares[which.ravel()])

    def _by_candidates(self, queries: _Queries) -> Lists:
        n, depth = len(queries.rows), self._depth
        coarse = self._texts.nearest(queries.vectors["text"])
        cut, robust = kth(coarse.at, coarse.cosine, n, depth, self._robust_rank)
        near = coarse.cosine >= (cut - 2 * coarse.within)[coarse.at]
        at, columns = coarse.at[near], coarse.columns[near]
        text = self._cosines(queries, "text", at, columns)
        off = np.abs(text - coarse.cosine[near]) > coarse.within
        singly = (cut - 2 * coarse.within < coarse.floor) | (np.bincount(at[off], minlength=n) > 0)
        (last,) = kth(at, text, n, depth)
        other = self._columns[columns] != queries.rows[at]
        at, columns, text = at[other], columns[other], text[other]
        is_sure = text > last[at] + _FINE
        whole, least = self._scored(queries, at, columns, text, is_sure)

        kept = whole >= least[at]
        far_at, far_columns, far_text, far_whole = self._far(queries, coarse, near, cut, least)
        at = np.concatenate([at[kept], far_at])
        columns = np.concatenate([columns[kept], far_columns])
        whole = np.concatenate([whole[kept], far_whole])
        text = np.concatenate([text[kept], far_text])

        doubtful = (text <= last[at] + _FINE) & (whole >= kth(at, whole, n, self.k)[0][at] - _FINE)
        for query in np.unique(at[doubtful]).tolist():
            of = np.flatnonzero((at == query) & (text <= last[query] + _FINE))
            is_candidate = np.isin(columns[of], self._nearest_by_terms(queries, query))
            singly[query] |= bool((~is_candidate & (text[of] >= last[query] - _FINE)).any())
            whole[of[~is_candidate]] = -np.inf
        best = whole >= np.maximum(kth(at, whole, n, self.k)[0][at] - _FINE, -1)
        lists = self._ranked(queries, at[best], columns[best])

        is_robust = text >= (robust + coarse.within)[at]
        unsure = np.bincount(at[doubtful | (best & ~is_robust)], minlength=n) > 0
        reach = queries.share("text") * (coarse.floor + coarse.within) + queries.cap
        lists.room[unsure | singly | (reach >= least)] = 0
        for query in np.flatnonzero(singly).tolist():
            self._ask_singly(queries, query, lists)
        return lists

    def _scored(
        self,
        queries: _Queries,
        at: Ints,
        columns: Ints,
        text: Floats,
        is_sure: npt.NDArray[np.bool_],
    ) -> tuple[Floats, Floats]:
        """Return the similarity of pairs that can be in a list, and what a list's last has.

        Text and terms are compared first, the other signals only where they can matter.
        Those that are surely candidates tell what the last of a list has at least.
        """
        n = len(queries.rows)
        partly = self._text_and_terms(queries, at, columns, text)
        whole = np.full(len(at), -np.inf, dtype=np.float32)

        def score(chosen: npt.NDArray[np.bool_]) -> Floats:
            whole[chosen] = partly[chosen] + self._others(queries, at[chosen], columns[chosen])
            return kth(at, np.where(is_sure, whole, -np.inf), n, self.k)[0] - _FINE

        sure = np.where(is_sure, partly, -np.inf)
        head = sure >= np.maximum(kth(at, sure, n, self.k + _HEAD)[0][at], -1)
        least = score(head)
        return whole, score(head | (partly + queries.cap[at] >= least[at]))

    def _text_and_terms(self, queries: _Queries, at: Ints, columns: Ints, text: Floats) -> Floats:
        """Return what pairs, given the cosines of their texts, have from text and terms."""
        found = queries.share("text")[at] * text
        found += queries.share("lexical")[at] * self._products(queries, at, columns)
        return found

    def _far(
        self,
        queries: _Queries,
        coarse: Near,
        near: npt.NDArray[np.bool_],
        cut: Floats,
        least: Floats,
    ) -> tuple[Ints, Ints, Floats, Floats]:
        """Return the pairs that get in without being near by text, with cosine and similarity."""
        at, columns, reach = self._by_terms(queries, coarse, near, cut, least)
        text = self._cosines(queries, "text", at, columns)
        able = reach + queries.share("text")[at] * text >= least[at]
        at, columns, text = at[able], columns[able], text[able]
        whole = self._text_and_terms(queries, at, columns, text)
        able = whole + queries.cap[at] >= least[at]
        at, columns, text, whole = at[able], columns[able], text[able], whole[able]
        return at, columns, text, whole + self._others(queries, at, columns)

    def _by_terms(
        self,
        queries: _Queries,
        coarse: Near,
        near: npt.NDArray[np.bool_],
        cut: Floats,
        least: Floats,
    ) -> tuple[Ints, Ints, Floats]:
        """Return the pairs, not near by text, that may be similar enough by their terms.

        With each comes what signals beside text can add to its similarity.

        Of a query's terms, the most frequent are left out as long as they could not do it
        by themselves (Cauchy and Schwarz: their product is at most their length).
        """
        to_text, to_terms = queries.share("text"), queries.share("lexical")
        n_columns = len(self._columns)
        by_text = to_text[coarse.at] * (coarse.cosine + coarse.within) + queries.cap[coarse.at]
        alone = ~near & (by_text >= least[coarse.at])
        keys = coarse.at * n_columns + coarse.columns
        order = np.argsort(keys)
        keys, is_done, cosine = keys[order], (near | alone)[order], coarse.cosine[order]
        missing = least - to_text * (cut - coarse.within) - queries.cap
        needed = np.divide(missing, to_terms, out=np.full(len(cut), 2.0), where=to_terms > 0)
        rare, left_out = self._rare_terms(queries.terms, needed)
        found = [(coarse.at[alone], coarse.columns[alone], (1 - to_text)[coarse.at[alone]])]
        for start in range(0, len(cut), _TERMS_BLOCK):
            shared = rare[start : start + _TERMS_BLOCK] @ self._postings
            at = start + np.repeat(np.arange(shared.shape[0]), np.diff(shared.indptr))
            able = np.flatnonzero(shared.data >= (needed - left_out - _FINE).astype(np.float32)[at])
            at, columns = at[able], shared.indices[able].astype(np.int64)
            pairs = at * n_columns + columns
            place = np.searchsorted(keys, pairs).clip(max=len(keys) - 1)
            is_found = keys[place] == pairs
            text = np.where(is_found, cosine[place], coarse.floor[at]) + coarse.within
            terms = to_terms[at] * (shared.data[able] + left_out[at] + _FINE)
            able = to_text[at] * text + terms + queries.cap[at] >= least[at]
            able &= ~(is_found & is_done[place]) & (self._columns[columns] != queries.rows[at])
            found.append((at[able], columns[able], (terms + queries.cap[at])[able]))
        at, columns, reach = (np.concatenate(each) for each in zip(*found, strict=True))
        return at, columns, reach

    def _rare_terms(self, terms: csr_array, needed: Floats) -> tuple[csr_array, Floats]:
        """Return the terms without each row's most frequent, and the length of what is left out.

        That is at most a share of what is `needed`, (n,), and all where no product can be that.
        """
        most = np.where(needed > 1 + _FINE, np.inf, _LOOKED_UP * needed)
        at = np.repeat(np.arange(terms.shape[0]), np.diff(terms.indptr))
        order = np.lexsort((-self._frequency[terms.indices], at))
        squares = np.square(terms.data[order].astype(np.float64))
        total = np.concatenate([[0.0], np.cumsum(squares)])
        length = np.sqrt((total[1:] - total[terms.indptr[:-1]][at]).clip(min=0))
        out = length <= most[at]
        left_out = np.zeros(len(most))
        np.maximum.at(left_out, at[out], length[out])
        kept = np.sort(order[~out])
        starts = np.zeros(len(most) + 1, dtype=terms.indptr.dtype)  # scipy copies what differs
        np.cumsum(np.bincount(at[~out], minlength=len(most)), out=starts[1:])
        return (
            csr_array((terms.data[kept], terms.indices[kept], starts), shape=terms.shape),
            left_out,
        )

    def _nearest_by_terms(self, queries: _Queries, query: int) -> Ints:
        """Return the columns among the rows that a single query retrieves by terms."""
        row = self.index.lexical.row(int(queries.rows[query]))
        weights = queries.share("lexical")[query] * row.weights
        signal = self.index.lexical.signal(TermWeights(row.terms, weights))
        rows = greatest(signal, self._depth, self._passing)
        places = np.searchsorted(self._columns, rows).clip(max=len(self._columns) - 1)
        columns: Ints = places[self._columns[places] == rows]
        return columns

    def _singly(self, queries: _Queries) -> Lists:
        lists = Lists.empty(len(queries.rows), self.k)
        for query in range(len(queries.rows)):
            self._ask_singly(queries, query, lists)
        return lists

    def _ask_singly(self, queries: _Queries, query: int, lists: Lists) -> None:
        """Take the list of one query of a block from the search that answers single queries."""
        part = study_part(self.index, int(queries.rows[query]))
        found = ranked(self.index, [part], self.k, self.weights, self.filters)
        n = len(found.rows)
        lists.rows[query, :n], lists.rows[query, n:] = found.rows, -1
        lists.parts[query, :n] = np.rint(found.similarity * SCALE)

    # By all: every study that may be a neighbour is scored.

    def _by_all(self, queries: _Queries) -> Lists:
        n, kept = len(queries.rows), self.k + _HEAD
        best = np.full((n, 0), -np.inf, dtype=np.float32)
        columns = np.zeros((n, 0), dtype=np.int64)
        for start in range(0, len(self._columns), CHUNK):
            part = self._columns[start : start + CHUNK]
            scores = queries.share("lexical")[:, np.newaxis] * (
                (queries.terms @ self._rows[part].T.tocsr()).toarray()
            )
            for field in FIELDS:
                weighted = queries.vectors[field] * queries.share(field)[:, np.newaxis]
                scores += weighted @ floats(self._stored[field][part]).T
            scores[queries.rows[:, np.newaxis] == part] = -np.inf
            best = np.concatenate([best, scores], axis=1)
            numbers = np.broadcast_to(np.arange(start, start + len(part)), scores.shape)
            columns = np.concatenate([columns, numbers], axis=1)
            if best.shape[1] > kept:
                places = np.argpartition(-best, kept - 1, axis=1)[:, :kept]
                best = np.take_along_axis(best, places, axis=1)
                columns = np.take_along_axis(columns, places, axis=1)
        last = (
            -np.partition(-best, self.k - 1, axis=1)[:, self.k - 1]
            if self.k <= best.shape[1]
            else np.full(n, -1.0)
        )
        at, places = np.nonzero((best >= (last - _FINE)[:, np.newaxis]) & (best > -np.inf))
        lists = self._ranked(queries, at, columns[at, places])
        crowded = (best.shape[1] == kept < len(self._columns)) & (
            best.min(axis=1, initial=np.inf) >= last - _FINE
        )
        for query in np.flatnonzero(crowded).tolist():
            self._ask_singly(queries, query, lists)
        return lists

    # Scores of pairs of a query's number and a column.

    def _ranked(self, queries: _Queries, at: Ints, columns: Ints) -> Lists:
        """Return the k best of pairs, scored in double precision."""
        n, k = len(queries.rows), self.k
        rows = self._columns[columns]
        similarity = rounded(self._similarity(queries, at, rows))
        order = np.lexsort((rows, -similarity, at))
        at, rows, similarity = at[order], rows[order], similarity[order]
        counts = np.bincount(at, minlength=n)
        rank = np.arange(len(at)) - (np.cumsum(counts) - counts)[at]
        first = rank < k
        lists = Lists.empty(n, k, self.most_room)
        lists.rows[at[first], rank[first]] = rows[first]
        lists.parts[at[first], rank[first]] = np.rint(similarity[first] * SCALE)
        return lists

    def _similarity(self, queries: _Queries, at: Ints, rows: Ints) -> npt.NDArray[np.float64]:
        """Return (n,) similarities in double precision, before rounding."""
        found = np.zeros(len(at))
        for part in _parts(len(at)):
            added = [
                pair_cosines(
                    queries.share(field)[at[part], np.newaxis] * queries.vectors[field][at[part]],
                    self._stored[field][rows[part]],
                )
                for field in FIELDS
            ]
            terms = queries.terms[at[part]].astype(np.float64)
            products = terms.multiply(self._rows[rows[part]].astype(np.float64)).sum(axis=1)
            added.append(queries.share("lexical")[at[part]] * np.asarray(products).ravel())
            found[part] = np.sum(added, axis=0)
        return found

    def _others(self, queries: _Queries, at: Ints, columns: Ints) -> Floats:
        """Return (n,) what the signals beside text and terms add."""
        found = np.zeros(len(at))
        for field in list(FIELDS)[1:]:
            found += queries.share(field)[at] * self._cosines(queries, field, at, columns)
        return found

    def _cosines(self, queries: _Queries, field: str, at: Ints, columns: Ints) -> Floats:
        found = np.empty(len(at), dtype=np.float32)
        for part in _parts(len(at)):
            rows = floats(self._stored[field][self._columns[columns[part]]])
            found[part] = np.einsum("ij,ij->i", queries.vectors[field][at[part]], rows)
        return found

    def _products(self, queries: _Queries, at: Ints, columns: Ints) -> Floats:
        found = np.empty(len(at), dtype=np.float32)
        for part in _parts(len(at)):
            rows = self._rows[self._columns[columns[part]]]
            found[part] = np.asarray(queries.terms[at[part]].multiply(rows).sum(axis=1)).ravel()
        return found


def block_size(k: int) -> int:
    """Return how many studies are asked for at once, k neighbours of each."""
    return max(1, min(BLOCK, _BLOCK_NEIGHBOURS // k))


def _not_zero(rows: npt.NDArray[np.float16]) -> npt.NDArray[np.bool_]:
    """Return (n,) which rows have a number in them; bits are faster to look at than halves."""
    starts = range(0, len(rows), CHUNK)
    return np.concatenate([rows[at : at + CHUNK].view(np.uint16).any(axis=1) for at in starts])


def _parts(n: int) -> list[slice]:
    return [slice(start, start + _PAIRS) for start in range(0, n, _PAIRS)]
