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
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.errors import IndexCorruptError

if TYPE_CHECKING:  # a query needs no scipy
    from scipy.sparse import csr_array

TERMS_VERSION = 3
"""Version of what a term is; part of the recipe."""

MAX_TERMS = 64
"""The most telling terms of a study are kept, no more: it ranks as well, and is smaller."""

# Of BM25: how soon a repeated term stops to count, and how much long texts are damped.
_K1, _B = 1.2, 0.75
# A term of more than a quarter of the studies tells nothing, unless they are few.
_MAX_SHARE, _ALWAYS_KEPT = 0.25, 100
_MAX_BYTES = 32  # a longer term is cut

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
# A name of capitals and a number that stand apart, and no year: `AMG 706`.
_CODE = re.compile(r"(?<![^\W_])([A-Z]{2,6}) (?!(?:19|20)\d\d(?![^\W_]))(\d{2,8})(?![^\W_])")

# British letters and the American ones, in words of `_LEAST_BRITISH` letters and more.
_LEAST_BRITISH = 5
_SPELLINGS = tuple(
    (re.compile(british), american)
    for british, american in (
        (r"[ao]e(?=\w)", "e"),  # haematology, oedema; not spinae
        (r"our(?=$|al|ed|ing|ful|able|ite)", "or"),  # tumour, behavioural; not course
        (r"sulph", "sulf"),
        (r"is(?=(?:e|ed|er|es|ing|ation)$)", "iz"),  # randomised
        (r"lys(?=(?:e|ed|es|ing)$)", "lyz"),
        (r"([bt])re$", r"\1er"),  # fibre, centre
        (r"mme$", "m"),  # programme
    )
)

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

    A term is a word of two letters or more in the singular, in American spelling. A name of
    letters and digits with hyphens (`BMS-986165`) is also one term without them, and so is one of
    capitals and a number with a blank between (`AMG 706`).
    """
    for letters, digits in _CODE.findall(text):
        yield _cut(f"{letters}{digits}".casefold())
    for word in _WORD.findall(text.casefold()):
        parts = word.split("-")
        if len(parts) > 1 and not word.isalpha() and any(map(str.isdigit, word)):
            yield _cut("".join(parts))
        for part in parts:
            if len(part) > 1 and not part.isdigit():
                yield _cut(_plain(part))


class Fit(msgspec.Struct, frozen=True):
    """What a term weighs, and the mean length of a text, as found in some corpus."""

    terms: npt.NDArray[np.bytes_]
    """(n_terms,) in order."""
    idf: npt.NDArray[np.float32]
    """(n_terms,) by term."""
    mean_length: float


def write_lexical(
    folder: Path, texts: Iterable[str], n_studies: int, kept: Fit | None = None
) -> float:
    """Weigh the terms of `n_studies` texts, which come in row order; write the arrays.

    With the fit of an earlier corpus its terms keep their weights, and only terms that it
    does not know are weighed by this one: the row of an unchanged text stays the same.

    Returns:
        The mean number of terms of a text, which a query text is weighed with.

    Raises:
        OSError: the disk refuses a write.
    """
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer=lambda text: list(terms_of(text)), dtype=np.int32)
    try:
        counts = csr_array(counter.fit_transform(texts))
        names = [name.encode() for name in counter.get_feature_names_out().tolist()]
    except ValueError:  # not one term
        counts, names = csr_array((n_studies, 0), dtype=np.int32), []
    del counter
    counts.sort_indices()
    terms = np.array(names, dtype=f"S{_MAX_BYTES}")
    fit = _fitted(terms, counts, kept)
    rows = _rows(counts, np.searchsorted(fit.terms, terms), fit)
    del counts
    postings = rows.tocsc()
    postings.sort_indices()
    arrays = {
        "terms": fit.terms,
        "idf": fit.idf,
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
    return fit.mean_length


def read_fit(folder: Path, mean_length: float) -> Fit:
    """Return the fit that a generation was weighed with.

    Raises:
        IndexCorruptError: a file is missing or no array.
    """
    arrays = {key: _open_array(folder, key) for key in ("terms", "idf")}
    return Fit(arrays["terms"], arrays["idf"], mean_length)


def _fitted(terms: npt.NDArray[np.bytes_], counts: Any, kept: Fit | None) -> Fit:
    """Return what terms weigh in a corpus, given its (n_studies, n_terms) CSR counts.

    The order of bytes is that of code points, so `terms` are in order.
    """
    n_studies = counts.shape[0]
    n_with = np.bincount(counts.indices, minlength=len(terms))
    telling = n_with <= max(_MAX_SHARE * n_studies, _ALWAYS_KEPT)
    # A term that tells nothing is kept with no weight: a later corpus shall not take it for new.
    # Rounded before use, so that a fit that is read again gives the same weights.
    idf = np.where(telling, _idf(n_with, n_studies), 0).astype(np.float32)
    if kept is None:
        return Fit(terms, idf, float(counts.sum() / n_studies))
    new = ~np.isin(terms, kept.terms)
    joined = np.concatenate([kept.terms, terms[new]])
    order = np.argsort(joined, kind="stable")
    return Fit(joined[order], np.concatenate([kept.idf, idf[new]])[order], kept.mean_length)


def _rows(counts: Any, place_of: npt.NDArray[np.int64], fit: Fit) -> Any:
    """Return the CSR array of unit rows of the `MAX_TERMS` most telling terms of each text.

    Args:
        counts: (n_studies, n_terms) CSR, how often a term stands in a text.
        place_of: (n_terms,) where a term stands in the fit.
        fit: what terms weigh.
    """
    from scipy.sparse import csr_array

    idf = fit.idf.astype(np.float64)
    starts = counts.indptr.tolist()
    most = int(np.minimum(np.diff(counts.indptr), MAX_TERMS).sum())
    terms, weights = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.float32)
    ends = [0]
    for start, end in itertools.pairwise(starts):
        often = counts.data[start:end]
        places = place_of[counts.indices[start:end]]
        row = NO_TERMS
        if len(places):
            row = _most_telling(places, _bm25(often, often.sum(), idf[places], fit.mean_length))
        part = slice(ends[-1], ends[-1] + len(row.terms))
        terms[part], weights[part] = row.terms, row.weights
        ends.append(part.stop)
    used = slice(ends[-1])
    return csr_array((weights[used], terms[used], ends), shape=(len(starts) - 1, len(fit.terms)))


class LexicalIndex:
    """The term weights of all studies. Open with `open_lexical_index`."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], mean_length: float) -> None:
        self._arrays = arrays
        self._mean_length = mean_length
        self.n_rows = len(arrays["row_starts"]) - 1

    @property
    def terms(self) -> npt.NDArray[np.bytes_]:
        """The (n_terms,) terms by number, in order."""
        return self._arrays["terms"]

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
        return _most_telling(
            terms,
            _bm25(often, length, self._arrays["idf"][terms].astype(np.float64), self._mean_length),
        )

    def signal(self, query: TermWeights) -> npt.NDArray[np.float64]:
        """Return (n_studies,) the product of a query's row with every study's: cosines if unit.

        Sums go in the order of terms, so that a value is the same on every machine.
        """
        if not query:
            return np.zeros(self.n_rows)
        starts, ends = (self._arrays["posting_starts"][query.terms + step] for step in (0, 1))
        parts = list(map(slice, starts.tolist(), ends.tolist()))
        rows = np.concatenate([self._arrays["posting_rows"][part] for part in parts])
        weights = np.concatenate([self._arrays["posting_weights"][part] for part in parts])
        products = weights * np.repeat(query.weights, ends - starts)
        return np.bincount(rows, products, minlength=self.n_rows).astype(np.float64, copy=False)

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

    def matrix(self) -> csr_array:
        """Return (n_studies, n_terms) the term weights of all studies, float32."""
        return self._sparse("row", (self.n_rows, len(self._arrays["terms"])))

    def postings(self) -> csr_array:
        """Return (n_terms, n_studies) the same weights by term."""
        return self._sparse("posting", (len(self._arrays["terms"]), self.n_rows))

    def _sparse(self, by: str, shape: tuple[int, int]) -> csr_array:
        from scipy.sparse import csr_array

        numbers = self._arrays["row_terms" if by == "row" else "posting_rows"]
        starts = self._arrays[f"{by}_starts"]
        starts = starts.astype(np.int32 if len(numbers) < 2**31 else np.int64)
        return csr_array(
            (self._arrays[f"{by}_weights"].astype(np.float32), numbers, starts), shape=shape
        )

    def shared(self, query: TermWeights, number: int) -> Iterator[tuple[str, float]]:
        """Yield the terms that a query shares with a study and what each adds, most first."""
        row = self.row(number)
        if not (query and row):
            return
        its = np.searchsorted(row.terms, query.terms).clip(max=len(row.terms) - 1)
        mine = np.flatnonzero(row.terms[its] == query.terms)
        terms = query.terms[mine]
        added = query.weights[mine] * row.weights[its[mine]]
        names = self._arrays["terms"]
        for place in np.lexsort((terms, -added)).tolist():
            yield names[terms[place]].decode(), float(added[place])


def open_lexical_index(folder: Path, n_rows: int, mean_length: float) -> LexicalIndex:
    """Open the arrays of a generation, memory-mapped.

    Raises:
        IndexCorruptError: a file is missing, no array, or does not fit the others.
    """
    arrays = {key: _open_array(folder, key) for key in _FILES}
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


def _open_array(folder: Path, key: str) -> npt.NDArray[Any]:
    name, dtype = _FILES[key]
    try:
        # As a plain array: each look at a numpy.memmap costs a microsecond more.
        array: npt.NDArray[Any] = np.asarray(np.lib.format.open_memmap(folder / name, mode="r"))
    except Exception as error:  # numpy's reader of headers raises nearly anything
        raise IndexCorruptError(folder / name, f"no array ({error})") from error
    if array.ndim != 1 or array.dtype != np.dtype(dtype):
        raise IndexCorruptError(folder / name, f"an array of another kind than {dtype}")
    return array


def combined(rows: Sequence[tuple[float, TermWeights]]) -> TermWeights:
    """Return the sum of rows, each times its factor."""
    if len(rows) == 1:
        ((factor, row),) = rows
        return TermWeights(row.terms, factor * row.weights)
    terms, places = np.unique(
        np.concatenate([row.terms for _, row in rows] or [NO_TERMS.terms]), return_inverse=True
    )
    weights = np.concatenate([factor * row.weights for factor, row in rows] or [NO_TERMS.weights])
    return TermWeights(terms, np.bincount(places, weights, minlength=len(terms)).astype(np.float64))


def products(rows: Sequence[TermWeights], others: Sequence[TermWeights]) -> npt.NDArray[np.float64]:
    """Return (n_rows, n_others) the product of every row with every other."""
    terms = np.unique(np.concatenate([row.terms for row in others]))
    if not len(terms):
        return np.zeros((len(rows), len(others)))
    right = _dense(others, terms)
    # numpy multiplies an array with itself several times as fast.
    left = right if rows is others else _dense(rows, terms)
    found: npt.NDArray[np.float64] = left @ right.T
    return found


def _dense(rows: Sequence[TermWeights], terms: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return (n_rows, n_terms) the weights of these terms, which are in order."""
    dense = np.zeros((len(rows), len(terms)))
    numbers = np.repeat(np.arange(len(rows)), [len(row.terms) for row in rows])
    named = np.concatenate([row.terms for row in rows])
    places = np.searchsorted(terms, named).clip(max=len(terms) - 1)
    known = terms[places] == named
    dense[numbers[known], places[known]] = np.concatenate([row.weights for row in rows])[known]
    return dense


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


def _most_telling(terms: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> TermWeights:
    """Return the unit row of the `MAX_TERMS` greatest weights; of equal ones the first terms."""
    strongest = np.sort(np.lexsort((terms, -weights))[:MAX_TERMS])
    strongest = strongest[weights[strongest] > 0]
    return _unit(TermWeights(terms[strongest], weights[strongest]))


def _unit(row: TermWeights) -> TermWeights:
    length = np.sqrt(np.square(row.weights).sum())
    return TermWeights(row.terms, row.weights / length) if length > 0 else NO_TERMS


@lru_cache(maxsize=2**17)
def _plain(word: str) -> str:
    """Return a word in the singular, in American spelling: `hemorrhage` of `haemorrhages`.

    The rules are the same for every word, whether English or not (`exercize`, `disease`).
    """
    if len(word) > 5 and word.endswith("ies"):  # noqa: PLR2004 - therapies, not dies
        word = f"{word[:-3]}y"
    elif len(word) > 3 and word[-1] == "s" and word[-2] not in "sui":  # noqa: PLR2004 - as said
        word = word[:-1]
    if len(word) >= _LEAST_BRITISH and word.isalpha():
        for british, american in _SPELLINGS:
            word = british.sub(american, word)
    return word


def _cut(term: str) -> str:
    """Return a term that fits its place in the array, whole letters only."""
    encoded = term.encode()
    return term if len(encoded) <= _MAX_BYTES else encoded[:_MAX_BYTES].decode(errors="ignore")
