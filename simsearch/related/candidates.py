"""The candidates of a batch of queries, found for the whole batch at once.

A single query takes as candidates the studies nearest by the whole text and those nearest by
their terms, and scores each with every signal. For a batch this is turned round:

1. The texts are compared in 8-bit integers, which finds somewhat more than the nearest.
2. Those are scored with every signal. The k-th best of a query says how many of its terms a
   study must share to get into the list without a similar text.
3. Few studies share as many, and only the rare terms of a query have to be looked up to find
   them.

A study that gets in by its terms alone must also be in the list of terms that a single query
retrieves, so that the candidates are the same.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from simsearch.index.opened import OpenedIndex
from simsearch.index.terms import TermWeights
from simsearch.related.coarse_int8 import CoarseTexts, Floats, Ints, Near, kth
from simsearch.related.pair_scores import SINGLE_ERROR, PairScores, QueryBatch
from simsearch.search.nearest import candidate_depth
from simsearch.vectors import greatest

HEAD = 8
"""So many more than k are scored to learn how similar the k-th is at least."""

_LOOKED_UP = 0.5  # the share of the needed product of terms that may be left to frequent terms
_QUERIES = 32  # whose terms are looked up at a time

Flags = npt.NDArray[np.bool_]


class Pairs(msgspec.Struct, frozen=True):
    """n pairs of a query's number in its batch and a column: the place of a searched row."""

    at: Ints
    """(n,) numbers of queries."""
    columns: Ints
    """(n,) columns."""
    text: Floats
    """(n,) cosines of the whole texts."""
    whole: Floats
    """(n,) similarities; -inf where that cannot be among the best k."""

    def where(self, chosen: Flags) -> Pairs:
        """Return the pairs for which `chosen`, (n,), is true."""
        return Pairs(self.at[chosen], self.columns[chosen], self.text[chosen], self.whole[chosen])

    def joined(self, other: Pairs) -> Pairs:
        """Return these pairs and then those of another."""
        return Pairs(
            np.concatenate([self.at, other.at]),
            np.concatenate([self.columns, other.columns]),
            np.concatenate([self.text, other.text]),
            np.concatenate([self.whole, other.whole]),
        )


class _Coarse(msgspec.Struct, frozen=True):
    """What the coarse comparison of the texts found for a batch of n queries."""

    found: Near
    is_near: Flags
    """Of each pair found, whether it may be among the nearest by text."""
    cut: Floats
    """(n,) the coarse cosine of the last of the nearest."""


class CandidateSearch:
    """Finds the studies that may be among the k most similar; threads may share one.

    Args:
        index: the index.
        scores: scores pairs of its studies.
        searched: (n,) the rows that may be neighbours, more than the candidates of a query.
        k: the number of neighbours.
        passing: the rows that pass the filters, with or without a text; None for all.
        spare: how many more than the candidates are looked for, by text and by terms.
    """

    def __init__(
        self, index: OpenedIndex, scores: PairScores, searched: Ints, k: int, passing: Ints | None,
        spare: int = 0,
    ) -> None:  # fmt: skip
        self._lexical = index.lexical
        self._scores = scores
        self.searched = searched
        self._k = k
        self._passing = passing
        self._depth = candidate_depth(k)
        self._spare = spare
        self._texts = CoarseTexts(scores.stored["text"], searched, self._depth + spare)
        postings = index.lexical.postings()
        self._frequency = np.diff(postings.indptr)
        is_all = len(searched) == index.n_studies
        self._postings = postings if is_all else scores.terms[searched].T.tocsr()

    def best(self, queries: QueryBatch) -> tuple[Ints, Ints, Flags]:
        """Return the pairs among which are the k most similar of each query.

        Returns:
            Numbers of queries in the batch, rows of the index beside them, and (n_queries,)
            whether a query has to be searched singly instead.
        """
        n = len(queries.rows)
        coarse, pairs, singly = self._near_by_text(queries)
        (last,) = kth(pairs.at, pairs.text, n, self._depth)
        pairs = pairs.where(self.searched[pairs.columns] != queries.rows[pairs.at])
        whole, least = self._scored(queries, pairs, pairs.text > last[pairs.at] + SINGLE_ERROR)
        pairs = msgspec.structs.replace(pairs, whole=whole).where(whole >= least[pairs.at])
        pairs = pairs.joined(self._far_by_text(queries, coarse, least))
        self._drop_others(queries, pairs, last, singly)
        lowest = kth(pairs.at, pairs.whole, n, self._k)[0] - SINGLE_ERROR
        pairs = pairs.where(pairs.whole >= np.maximum(lowest[pairs.at], -1))
        return pairs.at, self.searched[pairs.columns], singly

    def near_by_text(self, queries: QueryBatch) -> tuple[Pairs, Floats, Flags]:
        """Return the pairs that a single query may retrieve by text.

        Returns:
            The pairs, with the spare ones; (n_queries, 3) the cosines of the last that is safe
            from the spare ones, of the last candidate, and of the last spare one; and
            (n_queries,) whether a query has to be searched singly instead.
        """
        _, pairs, singly = self._near_by_text(queries)
        depth, spare = self._depth, self._spare
        ranks = (max(1, depth - spare), depth, depth + spare)
        lasts = np.stack(kth(pairs.at, pairs.text, len(queries.rows), *ranks), axis=1)
        pairs = pairs.where(pairs.text >= (lasts[:, -1] - SINGLE_ERROR)[pairs.at])
        return pairs, lasts, singly

    def nearest_by_terms(
        self, queries: QueryBatch, query: int
    ) -> tuple[Ints, npt.NDArray[np.float64]]:
        """Return the columns among the rows that a single query retrieves by terms.

        With them, (n_studies,) the lexical signal times its share.
        """
        row = self._lexical.row(int(queries.rows[query]))
        weights = queries.share("lexical")[query] * row.weights
        signal = self._lexical.signal(TermWeights(row.terms, weights))
        return self._columns(greatest(signal, self._depth, self._passing)), signal

    def spare_by_terms(
        self, signal: npt.NDArray[np.float64]
    ) -> tuple[Ints, npt.NDArray[np.float64]]:
        """Return the columns among the nearest by terms with the spare ones, and three cosines.

        The three are the last that is safe from the spare ones, of the last candidate, and of
        the last spare one, as the signal has them.
        """
        depth, spare = self._depth, self._spare
        rows = greatest(signal, min(depth + spare, len(signal)), self._passing)
        values = np.sort(signal[rows])[::-1]
        ranks = np.minimum([max(1, depth - spare), depth, depth + spare], len(values))
        return self._columns(rows), values[ranks - 1]

    def _columns(self, rows: Ints) -> Ints:
        """Return the columns of those rows that are searched."""
        places = np.searchsorted(self.searched, rows).clip(max=len(self.searched) - 1)
        columns: Ints = places[self.searched[places] == rows]
        return columns

    def _near_by_text(self, queries: QueryBatch) -> tuple[_Coarse, Pairs, Flags]:
        """Return the nearest by text and some more, with exact cosines.

        With them, (n_queries,) for which queries the coarse comparison was not enough.
        """
        n = len(queries.rows)
        found = self._texts.nearest(queries.vectors["text"])
        (cut,) = kth(found.at, found.cosine, n, self._depth + self._spare)
        is_near = found.cosine >= (cut - 2 * found.within)[found.at]
        at, columns = found.at[is_near], found.columns[is_near]
        text = self._scores.cosines(queries, "text", at, self.searched[columns])
        is_off = np.abs(text - found.cosine[is_near]) > found.within
        singly = cut - 2 * found.within < found.floor
        singly |= np.bincount(at[is_off], minlength=n) > 0
        pairs = Pairs(at, columns, text, np.full(len(at), -np.inf, dtype=np.float32))
        return _Coarse(found, is_near, cut), pairs, singly

    def _scored(self, queries: QueryBatch, pairs: Pairs, is_sure: Flags) -> tuple[Floats, Floats]:
        """Return (n_pairs,) similarities, and (n_queries,) what the k-th best has at least.

        Text and terms are compared first, the other signals only where they can matter. Only
        pairs that are surely candidates count for the k-th best.
        """
        n, at = len(queries.rows), pairs.at
        rows = self.searched[pairs.columns]
        partly = self._scores.text_and_terms(queries, at, rows, pairs.text)
        whole = pairs.whole.copy()

        def score(chosen: Flags) -> Floats:
            others = self._scores.others(queries, at[chosen], rows[chosen])
            whole[chosen] = partly[chosen] + others
            return kth(at, np.where(is_sure, whole, -np.inf), n, self._k)[0] - SINGLE_ERROR

        sure = np.where(is_sure, partly, -np.inf)
        head = sure >= np.maximum(kth(at, sure, n, self._k + HEAD)[0][at], -1)
        least = score(head)
        return whole, score(head | (partly + queries.most_of_others[at] >= least[at]))

    def _far_by_text(self, queries: QueryBatch, coarse: _Coarse, least: Floats) -> Pairs:
        """Return the pairs that are similar enough although their texts are not near."""
        at, columns, reach = self._by_terms(queries, coarse, least)
        text = self._scores.cosines(queries, "text", at, self.searched[columns])
        able = reach + queries.share("text")[at] * text >= least[at]
        at, columns, text = at[able], columns[able], text[able]
        partly = self._scores.text_and_terms(queries, at, self.searched[columns], text)
        pairs = Pairs(at, columns, text, partly)
        pairs = pairs.where(partly + queries.most_of_others[at] >= least[at])
        others = self._scores.others(queries, pairs.at, self.searched[pairs.columns])
        return msgspec.structs.replace(pairs, whole=pairs.whole + others)

    def _by_terms(
        self, queries: QueryBatch, coarse: _Coarse, least: Floats
    ) -> tuple[Ints, Ints, Floats]:
        """Return the pairs, not near by text, that may be similar enough by their terms.

        Returns:
            Numbers of queries, columns, and what the signals other than text can add.
        """
        found, cut, others = coarse.found, coarse.cut, queries.most_of_others
        to_text, to_terms = queries.share("text"), queries.share("lexical")
        by_text = to_text[found.at] * (found.cosine + found.within) + others[found.at]
        alone = ~coarse.is_near & (by_text >= least[found.at])
        compared = _Compared(found, coarse.is_near | alone, len(self.searched))
        missing = least - to_text * (cut - found.within) - others
        needed = np.divide(missing, to_terms, out=np.full(len(cut), 2.0), where=to_terms > 0)
        rare, left_out = self._rare_terms(queries.terms, needed)
        enough = (needed - left_out - SINGLE_ERROR).astype(np.float32)
        parts = [(found.at[alone], found.columns[alone], (1 - to_text)[found.at[alone]])]
        for start in range(0, len(cut), _QUERIES):
            shared = rare[start : start + _QUERIES] @ self._postings
            at = start + np.repeat(np.arange(shared.shape[0]), np.diff(shared.indptr))
            able = np.flatnonzero(shared.data >= enough[at])
            at, columns = at[able], shared.indices[able].astype(np.int64)
            text, is_done = compared.look_up(at, columns)
            terms = to_terms[at] * (shared.data[able] + left_out[at] + SINGLE_ERROR)
            able = to_text[at] * text + terms + others[at] >= least[at]
            able &= ~is_done & (self.searched[columns] != queries.rows[at])
            parts.append((at[able], columns[able], (terms + others[at])[able]))
        at, columns, reach = (np.concatenate(each) for each in zip(*parts, strict=True))
        return at, columns, reach

    def _rare_terms(self, terms: csr_array, needed: Floats) -> tuple[csr_array, Floats]:
        """Return the terms without each row's most frequent, and the length of what is left out.

        A product with what is left out is at most its length (Cauchy and Schwarz). It may be a
        share of what is `needed`, (n,); where no product can be as great as that, all is left out.
        """
        most = np.where(needed > 1 + SINGLE_ERROR, np.inf, _LOOKED_UP * needed)
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

    def _drop_others(self, queries: QueryBatch, pairs: Pairs, last: Floats, singly: Flags) -> None:
        """Give -inf to pairs that are candidates neither by text nor by terms.

        Where it is not certain which of them are candidates by text, `singly` becomes true.

        Args:
            queries: the batch.
            pairs: all pairs; `whole` is written to.
            last: (n_queries,) the cosine of the last candidate by text.
            singly: (n_queries,) is written to.
        """
        at, text, whole = pairs.at, pairs.text, pairs.whole
        lowest = kth(at, whole, len(queries.rows), self._k)[0] - SINGLE_ERROR
        doubtful = (text <= last[at] + SINGLE_ERROR) & (whole >= lowest[at])
        for query in np.unique(at[doubtful]).tolist():
            of = np.flatnonzero((at == query) & (text <= last[query] + SINGLE_ERROR))
            is_candidate = np.isin(pairs.columns[of], self.nearest_by_terms(queries, query)[0])
            singly[query] |= bool((~is_candidate & (text[of] >= last[query] - SINGLE_ERROR)).any())
            whole[of[~is_candidate]] = -np.inf


class _Compared:
    """The pairs whose texts the coarse comparison has compared, to look them up."""

    def __init__(self, found: Near, is_done: Flags, n_columns: int) -> None:
        keys = found.at * n_columns + found.columns
        order = np.argsort(keys)
        self._n_columns = n_columns
        self._keys = keys[order]
        self._cosine = found.cosine[order]
        self._is_done = is_done[order]
        self._found = found

    def look_up(self, at: Ints, columns: Ints) -> tuple[Floats, Flags]:
        """Return (n,) the most that the cosines of texts can be, and whether a pair is done."""
        pairs = at * self._n_columns + columns
        place = np.searchsorted(self._keys, pairs).clip(max=len(self._keys) - 1)
        is_found = self._keys[place] == pairs
        text = np.where(is_found, self._cosine[place], self._found.floor[at]) + self._found.within
        return text, is_found & self._is_done[place]
