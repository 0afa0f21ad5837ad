"""How an evaluation ranks: the `Ranker` protocol, and our own ranking with any weights.

`Similarities` is the one place of an evaluation that computes our similarities; the rankers
that ours is compared with are in `baselines.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from simsearch.encode.encoders import Encoder
from simsearch.encode.fields import FIELDS, has_words, lexical_text
from simsearch.evaluation.corpus import Corpus, Rows
from simsearch.index.terms import products
from simsearch.search.nearest import FEW, ranked, rounded
from simsearch.search.nearest import signals as signals_of
from simsearch.search.query_parts import QueryPart, check_encoder, study_part
from simsearch.search.second_stage import LEAST_CHANCE, is_served, similarities
from simsearch.vectors import DEFAULT_WEIGHTS, cosines, total, weights_for

Scores = npt.NDArray[np.float64]

OURS = "simsearch"
"""Name of our own ranking as a query gives it."""

_SCORED = 100  # neighbours, the depth of the deepest measure

LINEAR = "linear"
"""Name of the weighted sum of signals, with the weights under evaluation."""


class Ranker(Protocol):
    """A way of ranking that an evaluation compares with others."""

    @property
    def name(self) -> str:
        """Its name in tables and for `--system`."""

    @property
    def is_baseline(self) -> bool:
        """Whether it is there for comparison only, and not a ranking of ours."""

    def prepare(self, rows: Rows) -> None:
        """Get ready to compare these rows with each other: fit, or encode texts."""

    def scores(self, row: int, rows: Rows) -> Scores:
        """Return (n,) how similar the studies of `rows` are to the study of `row`.

        All are 0 if the query study lacks what the ranker compares.
        """


class Similarities:
    """Our similarities, computed for every study without retrieving candidates first.

    Args:
        corpus: the studies.
        encoder: the one that built the index; needed for studies that the index lacks.
    """

    def __init__(self, corpus: Corpus, encoder: Encoder | None = None) -> None:
        self._corpus = corpus
        self._encoder = encoder
        self._last: tuple[int, Rows, dict[str, Scores]] | None = None

    def between(self, row: int, rows: Rows, weights: Mapping[str, float]) -> Scores:
        """Return (n,) the similarity of each study of `rows` to the study of `row`.

        Raises:
            RecipeError: a study outside the index, and another encoder built the index.
        """
        if not self.can_compare(row, weights):
            return np.zeros(len(rows))
        shares = weights_for(weights, self._part(row).present)
        signals = self._signals(row, rows)
        return rounded(total(shares[name] * values for name, values in signals.items()))

    def can_compare(self, row: int, weights: Mapping[str, float]) -> bool:
        """Return whether a study has at least one signal of positive weight."""
        return any(weights.get(name) and has for name, has in self._part(row).present.items())

    def _signals(self, row: int, rows: Rows) -> dict[str, Scores]:
        """Return signal name → (n,), kept for the next weights of the same query study."""
        if self._last is None or self._last[0] != row or self._last[1] is not rows:
            self._last = (row, rows, self._compute(row, rows))
        return self._last[2]

    def _compute(self, row: int, rows: Rows) -> dict[str, Scores]:
        query, n_indexed = self._part(row), self._corpus.n_indexed
        indexed = rows < n_indexed
        signals = signals_of(self._corpus.index, query, rows[indexed])
        if indexed.all():
            return signals
        found = {}
        for name, values in signals.items():
            found[name] = np.zeros(len(rows))
            found[name][indexed] = values
        for place in np.flatnonzero(~indexed).tolist():
            other = self._part(int(rows[place]))
            for name, vector in query.vectors.items():
                found[name][place] = cosines(vector, other.vectors[name][np.newaxis])[0]
            found["lexical"][place] = products([query.terms], [other.terms])[0, 0]
        return found

    def _part(self, row: int) -> QueryPart:
        """Return a study of the corpus in the form that the index compares."""
        if row >= self._corpus.n_indexed:
            return self._extra_parts[row - self._corpus.n_indexed]
        index = self._corpus.index
        return QueryPart(index.vectors(row), index.lexical.row(row), (row,))

    @cached_property
    def _extra_parts(self) -> list[QueryPart]:
        """The studies that the index lacks, encoded in one go."""
        if self._encoder is None:
            raise ValueError("studies outside the index need an encoder")
        index, studies = self._corpus.index, self._corpus.extra
        check_encoder(index, self._encoder)
        vectors = {
            name: encode_texts(self._encoder, [text_of(study) for study in studies])
            for name, text_of in FIELDS.items()
        }
        return [
            QueryPart(
                {name: rows[place] for name, rows in vectors.items()},
                index.lexical.encode(lexical_text(study)),
            )
            for place, study in enumerate(studies)
        ]


class LearnedRanker:
    """Our own ranking as users get it: the learned one.

    Of many studies those are scored that a query for `_SCORED` neighbours scores; the others come
    after them in the order of the weighted sum, as theirs do.
    """

    name = OURS
    is_baseline = False

    def __init__(self, corpus: Corpus, similarities: Similarities) -> None:
        self._index = corpus.index
        self._n_indexed = corpus.n_indexed
        self._similarities = similarities

    def prepare(self, rows: Rows) -> None:
        """Do nothing: an index is ready."""

    def scores(self, row: int, rows: Rows) -> Scores:
        """Return (n,) similarities, those of the weighted sum where a study is not in the index."""
        if row >= self._n_indexed or (len(rows) and rows.max() >= self._n_indexed):
            return self._similarities.between(row, rows, DEFAULT_WEIGHTS)
        part = study_part(self._index, row)
        if len(rows) <= FEW:
            return rounded(similarities(self._index, [part], rows, hold_nearest=False))
        linear = LEAST_CHANCE * self._similarities.between(row, rows, DEFAULT_WEIGHTS)
        best = ranked(self._index, [part], _SCORED)
        places = np.searchsorted(rows, best.rows).clip(max=len(rows) - 1)
        is_ranked = rows[places] == best.rows
        linear[places[is_ranked]] = best.similarity[is_ranked]
        return linear


class OurRanker:
    """Our weighted sum of signals with the given weights; every study is scored."""

    is_baseline = False

    def __init__(self, name: str, similarities: Similarities, weights: Mapping[str, float]) -> None:
        self.name = name
        self._similarities = similarities
        self._weights = weights

    def prepare(self, rows: Rows) -> None:
        """Do nothing: an index is ready."""

    def scores(self, row: int, rows: Rows) -> Scores:
        """Return (n,) similarities."""
        return self._similarities.between(row, rows, self._weights)


def our_systems(weights: Mapping[str, float]) -> dict[str, Mapping[str, float]]:
    """Return system → weights: the weighted sum, then with each signal alone, then without each."""
    systems: dict[str, Mapping[str, float]] = {LINEAR: weights}
    if dict(weights) != dict(DEFAULT_WEIGHTS):
        systems["default-weights"] = DEFAULT_WEIGHTS
    for name in DEFAULT_WEIGHTS:
        systems[f"only-{name}"] = {name: 1.0}
    for name in filter(weights.get, DEFAULT_WEIGHTS):
        systems[f"without-{name}"] = {**weights, name: 0.0}
    return systems


def is_learned(corpus: Corpus, weights: Mapping[str, float]) -> bool:
    """Report whether the ranking that a query gives is the learned one."""
    return is_served(corpus.index, (), weights)


def encode_texts(encoder: Encoder, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return (n, dimension) unit rows; a text without a word gets a row of zeros."""
    rows = np.zeros((len(texts), encoder.dimension), dtype=np.float32)
    with_words = [place for place, text in enumerate(texts) if has_words([text])]
    if with_words:
        rows[with_words] = encoder.encode([texts[place] for place in with_words])
    return rows
