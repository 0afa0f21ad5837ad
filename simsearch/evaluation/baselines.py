"""The rankers that ours is compared with: TF-IDF, BM25, and the encoder alone on one text.

All of them read the same texts of the same studies. bm25s and scikit-learn are imported
when a baseline is fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Progress, no_progress
from simsearch.encode.encoders import Encoder
from simsearch.encode.fields import plain_text, whole_text
from simsearch.evaluation.corpus import Corpus, Rows
from simsearch.evaluation.rankers import Ranker, Scores, encode_texts
from simsearch.files import batches
from simsearch.study import Study
from simsearch.vectors import cosines

if TYPE_CHECKING:
    import bm25s

_BATCH = 512  # texts encoded between two reports of progress


class TfidfRanker:
    """Cosine of scikit-learn's TF-IDF vectors of the whole texts."""

    name = "tfidf"
    is_baseline = True

    def __init__(self, corpus: Corpus, progress: Progress = no_progress) -> None:
        self._corpus = corpus
        self._progress = progress
        self._matrix: Any = None  # scipy's sparse (n, n_terms), unit rows

    def prepare(self, rows: Rows) -> None:  # noqa: ARG002 - fits on all rows
        """Fit on all whole texts of the corpus, whichever rows are compared."""
        if self._matrix is None:
            from sklearn.feature_extraction.text import TfidfVectorizer

            n = len(self._corpus)
            self._progress("fitting TF-IDF", 0, n, "texts")
            vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
            self._matrix = vectorizer.fit_transform(self._corpus.whole_texts)
            self._progress("fitting TF-IDF", n, n, "texts")

    def scores(self, row: int, rows: Rows) -> Scores:
        """Return (n,) cosines."""
        self.prepare(rows)
        found: Scores = (self._matrix @ self._matrix[row].T).toarray()[:, 0]
        return found[rows]


class Bm25Ranker:
    """BM25 (Lucene's variant, k1 1.5, b 0.75), the query study's whole text as the query."""

    name = "bm25"
    is_baseline = True

    def __init__(self, corpus: Corpus, progress: Progress = no_progress) -> None:
        self._corpus = corpus
        self._progress = progress
        self._index: bm25s.BM25 | None = None

    def prepare(self, rows: Rows) -> None:  # noqa: ARG002 - indexes all rows
        """Index all whole texts of the corpus, whichever rows are compared."""
        self._fitted()

    def scores(self, row: int, rows: Rows) -> Scores:
        """Return (n,) BM25 scores."""
        index = self._fitted()
        (words,) = _words([self._corpus.whole_texts[row]])
        if not words:
            return np.zeros(len(rows))
        found: Scores = index.get_scores(words)[rows].astype(np.float64)
        return found

    def _fitted(self) -> bm25s.BM25:
        if self._index is None:
            import bm25s

            n = len(self._corpus)
            self._progress("fitting BM25", 0, n, "texts")
            self._index = bm25s.BM25()
            self._index.index(_words(self._corpus.whole_texts), show_progress=False)
            self._progress("fitting BM25", n, n, "texts")
        return self._index


class EncoderRanker:
    """Cosine of the embeddings of one text of each study.

    Args:
        name: its name in tables.
        text_of: the text of a study that is encoded.
        corpus: the studies.
        encoder: encodes the texts.
        progress: called while it encodes.
    """

    is_baseline = True

    def __init__(
        self,
        name: str,
        text_of: Callable[[Study], str],
        corpus: Corpus,
        encoder: Encoder,
        progress: Progress = no_progress,
    ) -> None:
        self.name = name
        self._text_of = text_of
        self._corpus = corpus
        self._encoder = encoder
        self._progress = progress
        self._known = np.zeros(len(corpus), dtype=np.bool_)
        self._vectors: npt.NDArray[np.float32] | None = None

    def prepare(self, rows: Rows) -> None:
        """Encode the texts of these rows, each distinct text once, sorted by length."""
        missing = rows[~self._known[rows]]
        if not len(missing):
            return
        if self._vectors is None:
            self._vectors = np.zeros((len(self._corpus), self._encoder.dimension), np.float32)
        rows_of: dict[str, list[int]] = {}
        for row, text in zip(
            missing.tolist(), self._corpus.texts(self._text_of, missing), strict=True
        ):
            rows_of.setdefault(text, []).append(row)
        texts = sorted(rows_of, key=lambda text: (len(text), text))
        in_batches = list(batches(texts, _BATCH))
        done = 0
        for place in np.random.default_rng(0).permutation(len(in_batches)):  # for a steady rate
            self._progress(f"encoding {self.name}", done, len(texts), "texts")
            batch = in_batches[place]
            done += len(batch)
            for text, vector in zip(batch, encode_texts(self._encoder, batch), strict=True):
                self._vectors[rows_of[text]] = vector
        self._progress(f"encoding {self.name}", len(texts), len(texts), "texts")
        self._known[missing] = True

    def scores(self, row: int, rows: Rows) -> Scores:
        """Return (n,) cosines."""
        self.prepare(np.append(rows, row))
        if self._vectors is None:
            return np.zeros(0)
        return cosines(self._vectors[row], self._vectors[rows])


def _title(study: Study) -> str:
    return plain_text(study.title)


def _title_and_summary(study: Study) -> str:
    return plain_text(f"{study.title} {study.summary}")


ENCODER_TEXTS: dict[str, Callable[[Study], str]] = {
    "encoder-title": _title,
    "encoder-title-summary": _title_and_summary,
    "encoder-whole": whole_text,
}
"""Name of an encoder baseline → the text of a study that it encodes."""

BASELINES = (TfidfRanker.name, Bm25Ranker.name, *ENCODER_TEXTS)
"""The names of all baselines."""


def baseline(
    name: str, corpus: Corpus, encoder: Encoder | None, progress: Progress = no_progress
) -> Ranker:
    """Return one of `BASELINES`, not yet fitted.

    Args:
        name: which one.
        corpus: the studies.
        encoder: encodes the texts for those of `ENCODER_TEXTS`; None will do for the others.
        progress: called while it fits or encodes.

    Raises:
        ValueError: the baseline needs an encoder, and there is none.
    """
    if name == TfidfRanker.name:
        return TfidfRanker(corpus, progress)
    if name == Bm25Ranker.name:
        return Bm25Ranker(corpus, progress)
    if encoder is None:
        raise ValueError(f"{name} needs an encoder")
    return EncoderRanker(name, ENCODER_TEXTS[name], corpus, encoder, progress)


def _words(texts: list[str]) -> list[list[str]]:
    import bm25s

    found: list[list[str]] = bm25s.tokenize(
        texts, stopwords="en", return_ids=False, show_progress=False
    )
    return found
