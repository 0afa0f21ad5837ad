"""At build: count the terms of all studies with scikit-learn, weight them, write the arrays.

A fit is what a corpus says about terms: their idf, and the mean length of a text. A build may
reuse the fit of an earlier generation, so that the rows of unchanged studies stay the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.index.terms.arrays import TERM_TYPE, open_array, write_arrays
from simsearch.index.terms.weights import MAX_TERMS, NO_TERMS, bm25, idf, unit_row
from simsearch.index.terms.words import terms_of

# A term in more than this share of the studies says too little about any of them; in a small
# corpus, though, a term in up to this many studies always counts.
_MAX_SHARE, _ALWAYS_KEPT = 0.25, 100


class Fit(msgspec.Struct, frozen=True):
    """The idf of terms and the mean length of a text, as found in some corpus."""

    terms: npt.NDArray[np.bytes_]
    """(n_terms,) in ascending order."""
    idf: npt.NDArray[np.float32]
    """(n_terms,) by term; 0 for a term that is too common to count."""
    mean_length: float


def write_lexical(
    folder: Path, texts: Iterable[str], n_studies: int, kept: Fit | None = None
) -> float:
    """Weight the terms of all texts and write the arrays of a generation.

    Args:
        folder: of the generation.
        texts: the lexical texts of the studies, in row order.
        n_studies: how many there are.
        kept: the fit of an earlier corpus. Its terms keep their idf, and only terms that it does
            not have get theirs from this corpus: the row of an unchanged text stays the same.

    Returns:
        The mean number of terms of a text, by which a query's text is weighted too.

    Raises:
        OSError: a write failed.
    """
    terms, counts = _counted(texts, n_studies)
    fit = _fitted(terms, counts, kept)
    rows = _rows(counts, np.searchsorted(fit.terms, terms), fit)
    del counts
    postings = rows.tocsc()
    postings.sort_indices()
    write_arrays(
        folder,
        {
            "terms": fit.terms,
            "idf": fit.idf,
            "row_starts": rows.indptr,
            "row_terms": rows.indices,
            "row_weights": rows.data,
            "posting_starts": postings.indptr,
            "posting_rows": postings.indices,
            "posting_weights": postings.data,
        },
    )
    return fit.mean_length


def read_fit(folder: Path, mean_length: float) -> Fit:
    """Return the fit that a generation was built with.

    Args:
        folder: of the generation.
        mean_length: the manifest's `mean_terms`.

    Raises:
        IndexCorruptError: a file is missing or not an array.
    """
    return Fit(open_array(folder, "terms"), open_array(folder, "idf"), mean_length)


def _counted(texts: Iterable[str], n_studies: int) -> tuple[npt.NDArray[np.bytes_], Any]:
    """Return the (n_terms,) terms, ascending, and the (n_studies, n_terms) CSR array of counts."""
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer=lambda text: list(terms_of(text)), dtype=np.int32)
    try:
        counts = csr_array(counter.fit_transform(texts))
        # In the order of code points, which is that of UTF-8 too.
        names = [name.encode() for name in counter.get_feature_names_out().tolist()]
    except ValueError:  # there is not a single term
        counts, names = csr_array((n_studies, 0), dtype=np.int32), []
    counts.sort_indices()
    return np.array(names, dtype=TERM_TYPE), counts


def _fitted(terms: npt.NDArray[np.bytes_], counts: Any, kept: Fit | None) -> Fit:
    """Return the fit of a corpus, given its terms and counts, with the idf of `kept` terms."""
    n_studies = counts.shape[0]
    n_with = np.bincount(counts.indices, minlength=len(terms))
    informative = n_with <= max(_MAX_SHARE * n_studies, _ALWAYS_KEPT)
    # Too common a term stays, with an idf of 0: else a later corpus would take it for a new one.
    # Rounded before use, so that a fit that is read back gives the same weights.
    idfs = np.where(informative, idf(n_with, n_studies), 0).astype(np.float32)
    if kept is None:
        return Fit(terms, idfs, float(counts.sum() / n_studies))
    new = ~np.isin(terms, kept.terms)
    joined = np.concatenate([kept.terms, terms[new]])
    order = np.argsort(joined, kind="stable")
    return Fit(joined[order], np.concatenate([kept.idf, idfs[new]])[order], kept.mean_length)


def _rows(counts: Any, place_of: npt.NDArray[np.int64], fit: Fit) -> Any:
    """Return the CSR array of the unit rows of all texts.

    Args:
        counts: (n_studies, n_terms) CSR, how often a term occurs in a text.
        place_of: (n_terms,) the number of a term in the fit.
        fit: the idf of terms, and the mean length of a text.
    """
    from scipy.sparse import csr_array

    idfs = fit.idf.astype(np.float64)
    starts = counts.indptr.tolist()
    most = int(np.minimum(np.diff(counts.indptr), MAX_TERMS).sum())
    terms, weights = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.float32)
    ends = [0]
    for start, end in itertools.pairwise(starts):
        often, places = counts.data[start:end], place_of[counts.indices[start:end]]
        row = NO_TERMS
        if len(places):  # where no text has a term, the mean length is 0
            row = unit_row(places, bm25(often, often.sum(), idfs[places], fit.mean_length))
        part = slice(ends[-1], ends[-1] + len(row.terms))
        terms[part], weights[part] = row.terms, row.weights
        ends.append(part.stop)
    used = slice(ends[-1])
    return csr_array((weights[used], terms[used], ends), shape=(len(starts) - 1, len(fit.terms)))
