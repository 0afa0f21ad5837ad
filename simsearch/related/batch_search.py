"""The neighbours of many studies at once, exactly as a query for each would find them.

A single query scans every row of the index. For a batch of queries that scan is one matrix
product; `BatchSearch` chooses between the two ways to do it:

- *by candidates* (`candidates.py`), where a single query would retrieve candidates too;
- *by all*: every study that may be a neighbour is scored, where filters leave few or other
  weights are given, as a single query does.

Both leave a few more than k studies for each query, which are scored in double precision and
ranked as a single query ranks them. The rare query for which that is not certain is searched
singly.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from simsearch.encode.fields import FIELDS
from simsearch.errors import ArgumentError
from simsearch.index.opened import OpenedIndex
from simsearch.related.candidates import HEAD, CandidateSearch
from simsearch.related.coarse_int8 import CHUNK, Floats, Ints, floats
from simsearch.related.lists import SCALE, Lists
from simsearch.related.pair_scores import SINGLE_ERROR, PairScores, QueryBatch
from simsearch.related.reach import REACH, WITHOUT_END, ByText, Searched, reach_of
from simsearch.search.filters import NO_FILTERS, Filters, allowed_rows
from simsearch.search.nearest import FEW, MAX_K, candidate_depth, ranked, rounded
from simsearch.search.query_parts import study_part
from simsearch.search.second_stage import Ranking, is_served, similarities
from simsearch.search.sharing import Sharing, kinds_shared
from simsearch.vectors import DEFAULT_WEIGHTS, SIGNALS, by_similarity, weights_for

BATCH = 256
"""The most studies in a batch (see `batch_size`)."""

_BATCH_NEIGHBOURS = 1 << 16  # the most in a batch: the work on it grows with their number


class BatchSearch:
    """Finds the lists of batches of studies; threads may share one.

    Args:
        index: the index.
        k: the number of neighbours of each study, 1 to `MAX_K`.
        weights: signal name → weight, as for a single query.
        filters: what a neighbour must match, as for a single query.
        ranking: as for a single query.
        spare: how many more than the candidates are scored, to tell the reach of lists.

    Raises:
        ArgumentError, FilterError: as for a single query.
    """

    def __init__(
        self,
        index: OpenedIndex,
        k: int,
        weights: Mapping[str, float] = DEFAULT_WEIGHTS,
        filters: Filters = NO_FILTERS,
        ranking: Ranking = "learned",
        spare: int = 0,
    ) -> None:
        if not 1 <= k <= MAX_K:
            raise ArgumentError("k", k, f"from 1 to {MAX_K:,}")
        weights_for(weights, dict.fromkeys(SIGNALS, True))
        self.index = index
        self.k = k
        self.weights = dict(weights)
        self.filters = filters
        self.ranking: Ranking = ranking if is_served(index, (), weights) else "linear"
        """The ranking that the lists have."""
        self._scores = PairScores(index, self.weights)
        self._sharing = Sharing(index, filters) if kinds_shared(filters) else None
        allowed = allowed_rows(index.store, filters)
        n_passing = int(allowed.sum())
        self._searched = np.flatnonzero(allowed & index.has_text)
        self.with_text = index.has_text & _not_zero(self._scores.stored["text"])
        """(n_studies,) which studies have a text to query with."""
        self.listed = np.flatnonzero(self.with_text & self._has_weighted_signal())
        """(n,) the rows of the studies that have a list: they have a signal with a weight."""
        self._depth = depth = candidate_depth(k)
        self._spare = spare
        self.by_candidates = self.weights == dict(DEFAULT_WEIGHTS) and n_passing > max(FEW, depth)
        """Whether a single query would score its candidates only."""
        self.candidates: CandidateSearch | None = None
        """Finds them; None where no more studies than that may be neighbours."""
        if self.by_candidates and len(self._searched) > depth + spare and not self._sharing:
            passing = np.flatnonzero(allowed) if filters else None
            self.candidates = CandidateSearch(
                index, self._scores, self._searched, k, passing, spare
            )

    def _has_weighted_signal(self) -> npt.NDArray[np.bool_]:
        """Return (n_studies,) which studies have a signal with a weight."""
        weighted = {signal for signal in SIGNALS if self.weights.get(signal)}
        if "text" in weighted:
            return np.ones(self.index.n_studies, dtype=np.bool_)
        present = [_not_zero(self._scores.stored[field]) for field in FIELDS if field in weighted]
        present += [np.diff(self._scores.terms.indptr) > 0] if "lexical" in weighted else []
        found: npt.NDArray[np.bool_] = np.any(present, axis=0)
        return found

    def batch(self, rows: Ints) -> QueryBatch:
        """Return these studies as queries."""
        return self._scores.batch(rows)

    def lists(self, rows: Ints) -> Lists:
        """Return the lists of these studies, all of which are `with_text`."""
        return self.lists_and_reach(rows)[0]

    def lists_and_reach(self, rows: Ints) -> tuple[Lists, Floats]:
        """Return the lists of these studies, all of which are `with_text`, and (n, 5) their reach.

        Only lists in the order of the learned ranking, from a search with spare ones, have a reach
        that ends: see `reach`.
        """
        reach = np.full((len(rows), len(REACH)), WITHOUT_END)
        return self._lists(rows, reach), reach

    def _lists(self, rows: Ints, reach: Floats) -> Lists:
        queries = self.batch(rows)
        if self._sharing:  # each query has its own neighbours to choose from
            lists = Lists.empty(len(rows), self.k)
            self._search_singly(queries, np.ones(len(rows), dtype=np.bool_), lists)
            return lists
        if self.ranking == "learned":
            return self._learned(queries, reach)
        if self.candidates:
            at, found, singly = self.candidates.best(queries)
            lists = self._ranked(queries, at, found)
            self._search_singly(queries, singly, lists)
            return lists
        if self.by_candidates and len(self._searched):  # many pass, but few of them have a text
            lists = Lists.empty(len(rows), self.k)
            self._search_singly(queries, np.ones(len(rows), dtype=np.bool_), lists)
            return lists
        return self._by_all(queries)

    def _learned(self, queries: QueryBatch, reach: Floats) -> Lists:
        """Put the candidates that a single query retrieves in the order of the learned ranking."""
        n = len(queries.rows)
        lists = Lists.empty(n, self.k)
        singly = np.ones(n, dtype=np.bool_)
        if self.candidates:
            near, lasts, singly = self.candidates.near_by_text(queries)
            ends = np.cumsum(np.bincount(near.at, minlength=n)).tolist()
            for query, (start, end) in enumerate(itertools.pairwise([0, *ends])):
                if not singly[query]:
                    by_text = ByText(near.columns[start:end], near.text[start:end], lasts[query])
                    singly[query] = not self._order(queries, query, by_text, lists, reach)
        reach[singly] = WITHOUT_END
        self._search_singly(queries, singly, lists)
        return lists

    def _order(
        self, queries: QueryBatch, query: int, by_text: ByText, lists: Lists, reach: Floats
    ) -> bool:
        """Write list and reach of one query; report whether it surely has no wrong candidate."""
        if self.candidates is None:
            return False
        by_terms, words = self.candidates.nearest_by_terms(queries, query)
        lasts = by_text.lasts
        columns = np.union1d(by_text.columns[by_text.cosines >= lasts[1] - SINGLE_ERROR], by_terms)
        if self._spare:
            spare, lasts_by_terms = self.candidates.spare_by_terms(words)
            candidates = columns
            columns = np.union1d(np.union1d(by_text.columns, spare), candidates)
        searched, row = self.candidates.searched, int(queries.rows[query])
        columns = columns[searched[columns] != row]
        rows = searched[columns]
        part = study_part(self.index, row)
        similarity = rounded(
            similarities(self.index, [part], rows, words, hold_nearest=not self.filters)
        )
        order = by_similarity(rows, similarity)
        if self._spare:
            is_candidate = np.isin(columns, candidates)
            order = order[is_candidate[order]]
            share = queries.share("lexical")[query] or 1.0
            reach[query] = reach_of(
                Searched(
                    by_text.of(columns), words[rows] / share, similarity, is_candidate, lasts,
                    lasts_by_terms / share, self._depth,
                ),
                order[: self.k],
                self.k,
            )  # fmt: skip
        best = order[: self.k]
        lists.rows[query, : len(best)] = rows[best]
        lists.parts[query, : len(best)] = np.rint(similarity[best] * SCALE)
        doubtful = by_text.columns[by_text.cosines <= lasts[1] + SINGLE_ERROR]
        return not np.isin(columns[best], np.setdiff1d(doubtful, by_terms)).any()

    def _search_singly(
        self, queries: QueryBatch, chosen: npt.NDArray[np.bool_], lists: Lists
    ) -> None:
        """Replace the lists of the chosen queries by those of single queries."""
        for query in np.flatnonzero(chosen).tolist():
            row = int(queries.rows[query])
            among = self._sharing.rows(row) if self._sharing else None
            part = study_part(self.index, row)
            found = ranked(
                self.index, [part], self.k, self.weights, self.filters, self.ranking, among
            )
            n = len(found.rows)
            lists.rows[query, :n], lists.rows[query, n:] = found.rows, -1
            lists.parts[query, :n], lists.parts[query, n:] = np.rint(found.similarity * SCALE), 0

    def _by_all(self, queries: QueryBatch) -> Lists:
        """Score every study that may be a neighbour, chunk by chunk."""
        n, kept = len(queries.rows), self.k + HEAD
        best = np.full((n, 0), -np.inf, dtype=np.float32)
        columns = np.zeros((n, 0), dtype=np.int64)
        for start in range(0, len(self._searched), CHUNK):
            part = self._searched[start : start + CHUNK]
            scores = self._chunk_scores(queries, part)
            best = np.concatenate([best, scores], axis=1)
            numbers = np.broadcast_to(np.arange(start, start + len(part)), scores.shape)
            columns = np.concatenate([columns, numbers], axis=1)
            if best.shape[1] > kept:
                places = np.argpartition(-best, kept - 1, axis=1)[:, :kept]
                best = np.take_along_axis(best, places, axis=1)
                columns = np.take_along_axis(columns, places, axis=1)
        last = np.full(n, -1.0)
        if self.k <= best.shape[1]:
            last = -np.partition(-best, self.k - 1, axis=1)[:, self.k - 1]
        at, places = np.nonzero((best >= (last - SINGLE_ERROR)[:, np.newaxis]) & (best > -np.inf))
        lists = self._ranked(queries, at, self._searched[columns[at, places]])
        is_crowded = (best.shape[1] == kept < len(self._searched)) & (
            best.min(axis=1, initial=np.inf) >= last - SINGLE_ERROR
        )
        self._search_singly(queries, is_crowded, lists)
        return lists

    def _chunk_scores(self, queries: QueryBatch, rows: Ints) -> npt.NDArray[np.floating]:
        """Return (n_queries, n_rows) similarities, -inf of a query with itself."""
        products = (queries.terms @ self._scores.terms[rows].T.tocsr()).toarray()
        scores: npt.NDArray[np.floating] = queries.share("lexical")[:, np.newaxis] * products
        for field in FIELDS:
            weighted = queries.vectors[field] * queries.share(field)[:, np.newaxis]
            scores += weighted @ floats(self._scores.stored[field][rows]).T
        scores[queries.rows[:, np.newaxis] == rows] = -np.inf
        return scores

    def _ranked(self, queries: QueryBatch, at: Ints, rows: Ints) -> Lists:
        """Return the k best of pairs of a query's number and a row, in double precision."""
        n, k = len(queries.rows), self.k
        similarity = rounded(self._scores.similarity(queries, at, rows))
        order = by_similarity(rows, similarity)
        order = order[np.argsort(at[order], kind="stable")]
        at, rows, similarity = at[order], rows[order], similarity[order]
        counts = np.bincount(at, minlength=n)
        rank = np.arange(len(at)) - (np.cumsum(counts) - counts)[at]
        first = rank < k
        lists = Lists.empty(n, k)
        lists.rows[at[first], rank[first]] = rows[first]
        lists.parts[at[first], rank[first]] = np.rint(similarity[first] * SCALE)
        return lists


def batch_size(k: int) -> int:
    """Return the number of studies in a batch, with k neighbours each."""
    return max(1, min(BATCH, _BATCH_NEIGHBOURS // k))


def _not_zero(rows: npt.NDArray[np.float16]) -> npt.NDArray[np.bool_]:
    """Return (n,) which rows are not all zero; bits are compared faster than 16-bit floats."""
    starts = range(0, len(rows), CHUNK)
    return np.concatenate([rows[at : at + CHUNK].view(np.uint16).any(axis=1) for at in starts])
