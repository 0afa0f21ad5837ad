"""The lexical signal: the cosine of BM25 term weights, which finds a rare name by its letters.

Fitted at build with scikit-learn (its only importer); looked up at query from stored
arrays, memory-mapped, without it. A study is a unit row of the weights of its most telling
terms; the same weights by term (*postings*) give the signal of a query with every study.

Term weights are those of Robertson and Zaragoza, "The Probabilistic Relevance Framework:
BM25 and Beyond" (2009), with the idf of a term's share of the studies, smoothed by one.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.errors import IndexCorruptError

TERMS_VERSION = 1
"""Version of what a term is; part of the recipe."""

MAX_TERMS = 64
"""The most telling terms of a study are kept, no more: it ranks as well, and is smaller."""

# Of BM25: how soon a repeated term stops to count, and how much long texts are damped.
_K1, _B = 1.2, 0.75
# A term of more than a quarter of the studies tells nothing, unless they are few.
_MAX_SHARE, _ALWAYS_KEPT = 0.25, 100
_MAX_BYTES = 32  # a longer term is cut

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")

_FILES = {
    "terms": ("lexical-terms.npy", f"S{_MAX_BYTES}"),
    "idf": ("lexical-idf.npy", "<f4"),
    "row_starts": ("lexical-row-starts.npy", "<i8"),
    "row_terms": ("lexical-row-terms.npy", "<i4"),
    "row_weights": ("lexical-row-weights.npy", "<f2"),
    "posting_starts": ("lexical-posting-starts.npy", "<i8"),
    "posting_rows": ("lexical-posting-rows.npy", "<i4"),
    "posting_weights": ("lexical-posting-weights.npy", "<f2"),
}
LEXICAL_FILES = tuple(name for name, _ in _FILES.values())


class TermWeights(msgspec.Struct, frozen=True):
    """A sparse row: (n,) int64 term numbers, ascending, and their (n,) float64 weights."""

    terms: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]

    def __bool__(self) -> bool:
        return len(self.terms) > 0


NO_TERMS = TermWeights(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float64))


def terms_of(text: str) -> Iterator[str]:
    """Yield the terms of a text, as often as they stand there.

    A term is a word of two letters or more without its plural s. A name of letters and
    digits with hyphens (`BMS-986165`) is also one term without them.
    """
    for word in _WORD.findall(text.casefold()):
        parts = word.split("-")
        if len(parts) > 1 and not word.isalpha() and any(map(str.isdigit, word)):
            yield _cut("".join(parts))
        for part in parts:
            if len(part) > 1 and not part.isdigit():
                yield _cut(_singular(part))


def write_lexical(folder: Path, texts: Iterable[str], n_studies: int) -> float:
    """Fit the term weights of `n_studies` texts, which come in row order; write the arrays.

    Returns:
        The mean number of terms of a text, which a query text is weighed with.

    Raises:
        OSError: the disk refuses a write.
    """
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer=lambda text: list(terms_of(text)), dtype=np.int32)
    try:
        counts = counter.fit_transform(texts)
        names = counter.get_feature_names_out()
    except ValueError:  # not one term
        counts, names = csr_array((n_studies, 0), dtype=np.int32), np.zeros(0, dtype=object)
    n_with = np.bincount(counts.indices, minlength=len(names))
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    mean_length = float(lengths.mean())
    kept = n_with <= max(_MAX_SHARE * n_studies, _ALWAYS_KEPT)
    idf = _idf(n_with, n_studies)[kept]
    counts = csr_array(counts)[:, kept]
    weights = _bm25(
        counts.data, np.repeat(lengths, np.diff(counts.indptr)), idf[counts.indices], mean_length
    )
    rows = csr_array((weights, counts.indices, counts.indptr), shape=counts.shape)
    _keep_most_telling(rows)
    postings = rows.tocsc()
    postings.sort_indices()
    arrays = {
        "terms": np.array([name.encode() for name in names[kept]], dtype=f"S{_MAX_BYTES}"),
        "idf": idf,
        "row_starts": rows.indptr,
        "row_terms": rows.indices,
        "row_weights": rows.data,
        "posting_starts": postings.indptr,
        "posting_rows": postings.indices,
        "posting_weights": postings.data,
    }
    for key, (name, dtype) in _FILES.items():
        with (folder / name).open("wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(arrays[key], dtype=dtype))
    return mean_length


class LexicalIndex:
    """The term weights of all studies. Open with `open_lexical_index`."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], mean_length: float) -> None:
        self._arrays = arrays
        self._mean_length = mean_length
        self.n_rows = len(arrays["row_starts"]) - 1

    def row(self, number: int) -> TermWeights:
        """Return the stored row of a study."""
        starts = self._arrays["row_starts"]
        part = slice(int(starts[number]), int(starts[number + 1]))
        return TermWeights(
            self._arrays["row_terms"][part].astype(np.int64),
            self._arrays["row_weights"][part].astype(np.float64),
        )

    def encode(self, text: str) -> TermWeights:
        """Return the unit row of a text that is not in the index, by the terms known here."""
        counts = Counter(terms_of(text))
        length = sum(counts.values())
        names = np.array(sorted(name.encode() for name in counts), dtype=f"S{_MAX_BYTES}")
        vocabulary = self._arrays["terms"]
        if not len(names) or not len(vocabulary):
            return NO_TERMS
        places = np.searchsorted(vocabulary, names).clip(max=len(vocabulary) - 1)
        known = vocabulary[places] == names
        terms = places[known]
        often = np.array([counts[name.decode()] for name in names[known].tolist()], dtype=np.int64)
        weights = _bm25(
            often, length, self._arrays["idf"][terms].astype(np.float64), self._mean_length
        )
        strongest = np.sort(np.lexsort((terms, -weights))[:MAX_TERMS])
        return _unit(TermWeights(terms[strongest], weights[strongest]))

    def signal(self, query: TermWeights) -> npt.NDArray[np.float64]:
        """Return (n_studies,) the product of a query's row with every study's: cosines if unit.

        Sums go in the order of terms, so that a value is the same on every machine.
        """
        starts = self._arrays["posting_starts"]
        parts = [slice(int(starts[term]), int(starts[term + 1])) for term in query.terms]
        if not parts:
            return np.zeros(self.n_rows)
        rows = np.concatenate([self._arrays["posting_rows"][part] for part in parts])
        products = np.concatenate(
            [
                self._arrays["posting_weights"][part].astype(np.float64) * weight
                for part, weight in zip(parts, query.weights, strict=True)
            ]
        )
        return np.bincount(rows, products, minlength=self.n_rows).astype(np.float64)

    def products(
        self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Return (n,) the products of the rows numbered `left` with those numbered `right`."""
        from scipy.sparse import csr_array  # at build, where it is loaded anyway

        rows = csr_array(
            (
                self._arrays["row_weights"].astype(np.float64),
                self._arrays["row_terms"],
                self._arrays["row_starts"],
            ),
            shape=(self.n_rows, len(self._arrays["terms"])),
        )
        return np.asarray(rows[left].multiply(rows[right]).sum(axis=1)).ravel()

    def shared(self, query: TermWeights, number: int) -> list[tuple[str, float]]:
        """Return the terms that a query shares with a study and what each adds, most first."""
        row = self.row(number)
        terms, mine, its = np.intersect1d(
            query.terms, row.terms, assume_unique=True, return_indices=True
        )
        added = query.weights[mine] * row.weights[its]
        return [
            (self._arrays["terms"][terms[at]].decode(), float(added[at]))
            for at in np.argsort(-added, kind="stable")
        ]


def open_lexical_index(folder: Path, n_rows: int, mean_length: float) -> LexicalIndex:
    """Open the arrays of a generation, memory-mapped.

    Raises:
        IndexCorruptError: a file is missing, no array, or does not fit the others.
    """
    arrays = {}
    for key, (name, dtype) in _FILES.items():
        try:
            # As a plain array: each look at a numpy.memmap costs a microsecond more.
            arrays[key] = np.asarray(np.lib.format.open_memmap(folder / name, mode="r"))
        except Exception as error:  # numpy's reader of headers raises nearly anything
            raise IndexCorruptError(folder / name, f"no array ({error})") from error
        if arrays[key].ndim != 1 or arrays[key].dtype != np.dtype(dtype):
            raise IndexCorruptError(folder / name, f"an array of another kind than {dtype}")
    n_terms, n_weights = len(arrays["terms"]), len(arrays["row_terms"])
    lengths = {
        "idf": n_terms, "row_starts": n_rows + 1, "row_weights": n_weights,
        "posting_starts": n_terms + 1, "posting_rows": n_weights, "posting_weights": n_weights,
    }  # fmt: skip
    for key, length in lengths.items():
        if len(arrays[key]) != length:
            raise IndexCorruptError(
                folder / _FILES[key][0], f"{len(arrays[key]):,} entries where {length:,} are needed"
            )
    return LexicalIndex(arrays, mean_length)


def combined(rows: Sequence[tuple[float, TermWeights]]) -> TermWeights:
    """Return the sum of rows, each times its factor."""
    terms, places = np.unique(
        np.concatenate([row.terms for _, row in rows] or [NO_TERMS.terms]), return_inverse=True
    )
    weights = np.concatenate([factor * row.weights for factor, row in rows] or [NO_TERMS.weights])
    return TermWeights(terms, np.bincount(places, weights, minlength=len(terms)).astype(np.float64))


def products(left: Sequence[TermWeights]) -> npt.NDArray[np.float64]:
    """Return (n, n) the product of every row with every other."""
    terms, places = np.unique(np.concatenate([row.terms for row in left]), return_inverse=True)
    dense = np.zeros((len(left), len(terms)))
    numbers = np.repeat(np.arange(len(left)), [len(row.terms) for row in left])
    dense[numbers, places] = np.concatenate([row.weights for row in left])
    found: npt.NDArray[np.float64] = dense @ dense.T
    return found


def _idf(n_with: npt.NDArray[np.int64], n_studies: int) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.log((1 + n_studies) / (1 + n_with))
    return found


def _bm25(
    often: npt.NDArray[np.integer],
    length: npt.NDArray[np.integer] | int,
    idf: npt.NDArray[np.float64],
    mean_length: float,
) -> npt.NDArray[np.float64]:
    """Return BM25's weight of terms that stand so often in a text of this length."""
    damping = _K1 * (1 - _B + _B * length / mean_length)
    weights: npt.NDArray[np.float64] = idf * often * (_K1 + 1) / (often + damping)
    return weights


def _keep_most_telling(rows: object) -> None:
    """Cut each row of a CSR array to its `MAX_TERMS` greatest weights, and make it unit."""
    data, starts = rows.data, rows.indptr  # type: ignore[attr-defined] # scipy has no types
    for start, end in itertools.pairwise(starts):
        part = data[start:end]
        if len(part) > MAX_TERMS:
            # Of equal weights the first term is kept.
            part[np.argsort(-part, kind="stable")[MAX_TERMS:]] = 0
        length = np.sqrt(np.square(part).sum())
        if length > 0:
            part /= length
    rows.eliminate_zeros()  # type: ignore[attr-defined]
    rows.sort_indices()  # type: ignore[attr-defined]


def _unit(row: TermWeights) -> TermWeights:
    length = np.sqrt(np.square(row.weights).sum())
    return TermWeights(row.terms, row.weights / length) if length > 0 else NO_TERMS


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] not in "sui" else word  # noqa: PLR2004 - as said


def _cut(term: str) -> str:
    """Return a term that fits its place in the array, whole letters only."""
    encoded = term.encode()
    return term if len(encoded) <= _MAX_BYTES else encoded[:_MAX_BYTES].decode(errors="ignore")
