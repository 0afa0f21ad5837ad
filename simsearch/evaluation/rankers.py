"""What an evaluation ranks, and how simsearch ranks it.

A `Corpus` is the studies of an index and, behind them, judged studies that the index
lacks. A `Ranker` says how similar rows of a corpus are to one of them. All that asks an
index for similarities is `Similarities`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from simsearch.encode.encoders import Encoder
from simsearch.encode.fields import FIELDS, has_words, lexical_text, whole_text
from simsearch.index.opened import OpenedIndex
from simsearch.index.terms import products
from simsearch.search.nearest import rounded
from simsearch.search.nearest import signals as signals_of
from simsearch.search.query_parts import QueryPart, check_encoder
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS, cosines, weights_for

Rows = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

OURS = "simsearch"
"""Name of our own ranking with the weights that an evaluation is run with."""

_BLOCK = 8192  # rows looked at, at once


class Corpus:
    """The studies of an index, in row order, then `extra` studies that it lacks."""

    def __init__(self, index: OpenedIndex, extra: Iterable[Study] = ()) -> None:
        self.index = index
        self.n_indexed = index.n_studies
        lacking = {each.nct_id: each for each in extra if index.store.row_of(each.nct_id) is None}
        self.extra = [lacking[nct_id] for nct_id in sorted(lacking)]
        self.ids = [*index.store.nct_ids(), *(study.nct_id for study in self.extra)]
        self._extra_rows = {
            name: self.n_indexed + place
            for place, study in enumerate(self.extra)
            for name in (*study.aliases, study.nct_id)
        }

    def __len__(self) -> int:
        return len(self.ids)

    def row_of(self, nct_id: str) -> int | None:
        """Return the row of a study by its NCT ID or an alias of it."""
        row = self.index.store.row_of(nct_id)
        return self._extra_rows.get(nct_id) if row is None else row

    def studies(self, rows: Iterable[int]) -> list[Study]:
        """Return the studies of these rows, in the order asked for."""
        numbers = [int(row) for row in rows]
        indexed = [row for row in numbers if row < self.n_indexed]
        found = dict(zip(indexed, self.index.store.studies(indexed), strict=True))
        return [found[row] if row in found else self.extra[row - self.n_indexed] for row in numbers]

    def texts(self, text_of: Callable[[Study], str], rows: Iterable[int]) -> list[str]:
        """Return a text of each of these rows, block by block to spare memory."""
        numbers = list(rows)
        return [
            text_of(study)
            for start in range(0, len(numbers), _BLOCK)
            for study in self.studies(numbers[start : start + _BLOCK])
        ]

    @cached_property
    def whole_texts(self) -> list[str]:
        """The whole text of every study, which the baselines read."""
        return self.texts(whole_text, range(len(self)))

    @cached_property
    def has_text(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a study has a text; withheld ones have none, and are never ranked."""
        index = self.index
        indexed = [
            index.rows("text", np.arange(start, min(start + _BLOCK, self.n_indexed))).any(axis=1)
            for start in range(0, self.n_indexed, _BLOCK)
        ]
        extra = [has_words([whole_text(study)]) for study in self.extra]
        return np.concatenate([*indexed, np.array(extra, dtype=np.bool_)])

    @cached_property
    def searchable(self) -> Rows:
        """The rows of the index that have a text, in the order of NCT IDs."""
        return np.flatnonzero(self.has_text[: self.n_indexed])


class Ranker(Protocol):
    """A way of ranking, compared with others by an evaluation."""

    @property
    def name(self) -> str:
        """How tables and `--system` name it."""

    @property
    def is_baseline(self) -> bool:
        """Whether it is none of ours."""

    def prepare(self, rows: Rows) -> None:
        """Get ready to compare these rows with each other: fit, or encode texts."""

    def scores(self, row: int, rows: Rows) -> Values:
        """Return (n,) how similar the studies of `rows` are to that of `row`.

        A ranker that cannot tell, because the query study lacks what it compares,
        returns zeros.
        """


class Similarities:
    """Exhaustive similarities of our own: the one place that asks an index for them.

    Args:
        corpus: the studies.
        encoder: the one that built the index, for studies that the index lacks.
    """

    def __init__(self, corpus: Corpus, encoder: Encoder | None = None) -> None:
        self._corpus = corpus
        self._encoder = encoder
        self._last: tuple[int, Rows, dict[str, Values]] | None = None

    def between(self, row: int, rows: Rows, weights: Mapping[str, float]) -> Values:
        """Return (n,) float64, the similarity of each study of `rows` to that of `row`."""
        if not self.compares(row, weights):
            return np.zeros(len(rows))
        shares = weights_for(weights, self._part(row).present)
        signals = self._signals(row, rows)
        total: Values = np.sum([shares[name] * values for name, values in signals.items()], axis=0)
        return rounded(total)

    def compares(self, row: int, weights: Mapping[str, float]) -> bool:
        """Tell whether a study has a signal that weighs."""
        return any(weights.get(name) and has for name, has in self._part(row).present.items())

    def _signals(self, row: int, rows: Rows) -> dict[str, Values]:
        """Return signal name → (n,), kept for the next weights of the same query study."""
        if self._last is None or self._last[0] != row or self._last[1] is not rows:
            self._last = (row, rows, self._compute(row, rows))
        return self._last[2]

    def _compute(self, row: int, rows: Rows) -> dict[str, Values]:
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
        """Return a study of the corpus as the index compares it."""
        if row >= self._corpus.n_indexed:
            return self._extra_parts[row - self._corpus.n_indexed]
        index = self._corpus.index
        return QueryPart(index.vectors(row), index.lexical.row(row), (row,))

    @cached_property
    def _extra_parts(self) -> list[QueryPart]:
        """The studies that the index lacks, encoded all at once."""
        if self._encoder is None:
            raise ValueError("studies outside the index need an encoder")
        index, studies = self._corpus.index, self._corpus.extra
        check_encoder(index, self._encoder)
        vectors = {
            name: encode_said(self._encoder, [text_of(study) for study in studies])
            for name, text_of in FIELDS.items()
        }
        return [
            QueryPart(
                {name: rows[place] for name, rows in vectors.items()},
                index.lexical.encode(lexical_text(study)),
            )
            for place, study in enumerate(studies)
        ]


class OurRanker:
    """Our own ranking with some weights, every study scored."""

    is_baseline = False

    def __init__(self, name: str, similarities: Similarities, weights: Mapping[str, float]) -> None:
        self.name = name
        self._similarities = similarities
        self._weights = weights

    def prepare(self, rows: Rows) -> None:
        """Nothing to do: an index is ready."""

    def scores(self, row: int, rows: Rows) -> Values:
        """Return (n,) similarities."""
        return self._similarities.between(row, rows, self._weights)


def our_systems(weights: Mapping[str, float]) -> dict[str, Mapping[str, float]]:
    """Return system → weights: our ranking, then each signal of it alone and left out."""
    systems: dict[str, Mapping[str, float]] = {OURS: weights}
    if dict(weights) != dict(DEFAULT_WEIGHTS):
        systems["default-weights"] = DEFAULT_WEIGHTS
    for name in DEFAULT_WEIGHTS:
        systems[f"only-{name}"] = {name: 1.0}
    for name in filter(weights.get, DEFAULT_WEIGHTS):
        systems[f"without-{name}"] = {**weights, name: 0.0}
    return systems


def encode_said(encoder: Encoder, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return (n, dimension) float32 unit rows, zero for a text without a word."""
    rows = np.zeros((len(texts), encoder.dimension), dtype=np.float32)
    said = [place for place, text in enumerate(texts) if has_words([text])]
    if said:
        rows[said] = encoder.encode([texts[place] for place in said])
    return rows
