"""At query: the term weights of all studies, looked up in memory-mapped arrays without scipy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simsearch.errors import IndexCorruptError
from simsearch.index.npy import gathered
from simsearch.index.terms.arrays import ARRAY_FILES, TERM_TYPE, open_array, path_of
from simsearch.index.terms.weights import NO_TERMS, TermWeights, bm25, unit_row
from simsearch.index.terms.words import terms_of
from simsearch.index.values import (
    check_idf,
    check_numbers,
    check_starts,
    check_weights,
)

if TYPE_CHECKING:  # a query needs no scipy
    from scipy.sparse import csr_array

_HALF_PRESENT = 0.01

_NUMBERS = {"row": "row_terms", "posting": "posting_rows"}
"""By what the weights are arranged → the array of the numbers beside them."""


class LexicalIndex:
    """The term weights of all studies. Open with `open_lexical_index`.

    Raises:
        IndexCorruptError: a file is damaged; any method but `encode` raises it too.
    """

    def __init__(
        self, folder: Path, arrays: Mapping[str, npt.NDArray[Any]], mean_length: float
    ) -> None:
        self._paths = {key: path_of(folder, key) for key in ARRAY_FILES}
        self._arrays = arrays
        self._mean_length = mean_length
        self.n_rows = len(arrays["row_starts"]) - 1
        """The number of studies."""

    @property
    def terms(self) -> npt.NDArray[np.bytes_]:
        """(n_terms,) the terms by number, in ascending order."""
        return self._arrays["terms"]

    @property
    def idf(self) -> npt.NDArray[np.float32]:
        """(n_terms,) the inverse document frequency of terms; 0 for one too common to count."""
        return self._arrays["idf"]

    def row(self, number: int) -> TermWeights:
        """Return the stored row of a study."""
        starts = self._arrays["row_starts"]
        part = slice(int(starts[number]), int(starts[number + 1]))
        terms, weights = self._arrays["row_terms"][part], self._arrays["row_weights"][part]
        path = self._paths["row_terms"]
        check_numbers(path, terms, len(self._arrays["terms"]))
        check_weights(self._paths["row_weights"], weights)
        return TermWeights(terms.astype(np.int64), weights.astype(np.float64))

    def numbers(self, text: str) -> npt.NDArray[np.int64]:
        """Return (n,) the numbers of the terms of a text that the index knows, ascending.

        Terms that are too common to count are left out.
        """
        names = np.array(sorted({name.encode() for name in terms_of(text)}), dtype=TERM_TYPE)
        places = self._places(names)
        return places[self._arrays["idf"][places] > 0]

    def terms_of_rows(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the terms in the rows of some studies, one after the other, and how many each has.

        Args:
            rows: (n,) numbers of studies.

        Returns:
            (m,) numbers of terms, and (n,) how many of them belong to each study.
        """
        starts, ends = (self._arrays["row_starts"][rows + step] for step in (0, 1))
        terms = gathered(self._arrays["row_terms"], starts, ends)
        check_numbers(self._paths["row_terms"], terms, len(self._arrays["terms"]))
        return terms, ends - starts

    def _places(self, names: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int64]:
        """Return the numbers of those of some terms, ascending, that the index knows."""
        vocabulary = self._arrays["terms"]
        if not len(names) or not len(vocabulary):
            return np.zeros(0, dtype=np.int64)
        places = np.searchsorted(vocabulary, names).clip(max=len(vocabulary) - 1)
        found: npt.NDArray[np.int64] = places[vocabulary[places] == names]
        return found

    def studies_with(self, term: str) -> npt.NDArray[np.int64]:
        """Return (n,) the rows of the studies that have a term in theirs, ascending.

        Terms that are too common, and all but the `MAX_TERMS` heaviest of a study, are in none.
        """
        number = self.number_of(term)
        if number is None:
            return np.zeros(0, dtype=np.int64)
        starts = self._arrays["posting_starts"]
        part = slice(int(starts[number]), int(starts[number + 1]))
        rows = self._arrays["posting_rows"][part]
        check_numbers(self._paths["posting_rows"], rows, self.n_rows)
        return rows.astype(np.int64)

    def encode(self, text: str) -> TermWeights:
        """Return the unit row of a text, by the terms that the index knows."""
        counts = Counter(terms_of(text))
        length = sum(counts.values())
        names = np.array(sorted(name.encode() for name in counts), dtype=TERM_TYPE)
        vocabulary = self._arrays["terms"]
        terms = self._places(names)
        if not len(terms):
            return NO_TERMS
        known = vocabulary[terms].tolist()
        often = np.array([counts[name.decode()] for name in known], dtype=np.int64)
        idfs = self._arrays["idf"][terms].astype(np.float64)
        return unit_row(terms, bm25(often, length, idfs, self._mean_length))

    def signal(self, query: TermWeights) -> npt.NDArray[np.float64]:
        """Return (n_studies,) the product of a query's row with every study's: cosines if unit.

        Products are added in the order of the terms, so that a value is the same on every machine.
        """
        if not query:
            return np.zeros(self.n_rows)
        starts, ends = (self._arrays["posting_starts"][query.terms + step] for step in (0, 1))
        parts = list(map(slice, starts.tolist(), ends.tolist()))
        rows = np.concatenate([self._arrays["posting_rows"][part] for part in parts])
        weights = np.concatenate([self._arrays["posting_weights"][part] for part in parts])
        check_numbers(self._paths["posting_rows"], rows, self.n_rows)
        check_weights(self._paths["posting_weights"], weights)
        products = weights * np.repeat(query.weights, ends - starts)
        return np.bincount(rows, products, minlength=self.n_rows).astype(np.float64, copy=False)

    def number_of(self, term: str) -> int | None:
        """Return the number of a term; None if no text has it."""
        vocabulary, name = self._arrays["terms"], term.encode()
        number = int(np.searchsorted(vocabulary, name))
        known = number < len(vocabulary) and bool(vocabulary[number] == name)
        return number if known else None

    def idf_of(self, number: int) -> float:
        """Return the idf of a term; 0 for one that is too common to count."""
        return float(self._arrays["idf"][number])

    def n_with(self) -> npt.NDArray[np.int64]:
        """Return (n_terms,) how many studies have each term in their row."""
        return np.diff(self._arrays["posting_starts"]).astype(np.int64)

    def presence(
        self, terms: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return (n_studies,) the sum of the weights of the terms that a study has.

        A term counts by how much of the study's row it is, soon saturated: .5 where it is
        `_HALF_PRESENT` of the row for each unit of its idf, near 1 where the study is about it.

        Args:
            terms: (n,) numbers of terms with an idf above 0.
            weights: (n,) what each counts.
        """
        if not len(terms):
            return np.zeros(self.n_rows)
        starts, ends = (self._arrays["posting_starts"][terms + step] for step in (0, 1))
        parts = list(map(slice, starts.tolist(), ends.tolist()))
        rows = np.concatenate([self._arrays["posting_rows"][part] for part in parts])
        stored = np.concatenate([self._arrays["posting_weights"][part] for part in parts])
        check_numbers(self._paths["posting_rows"], rows, self.n_rows)
        check_weights(self._paths["posting_weights"], stored)
        lengths = ends - starts
        often = stored / np.repeat(self._arrays["idf"][terms].astype(np.float64), lengths)
        counted = np.repeat(weights, lengths) * often / (often + _HALF_PRESENT)
        return np.bincount(rows, counted, minlength=self.n_rows).astype(np.float64, copy=False)

    def products(
        self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Return (n,) float64, the product of each study in `left` with the same in `right`.

        Args:
            left: (n,) numbers of rows.
            right: likewise.
        """
        from scipy.sparse import csr_array  # at build, where it is loaded anyway

        self._check_all("row", len(self._arrays["terms"]))
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
        """Return (n_studies, n_terms) float32, the term weights of all studies."""
        return self._sparse("row", (self.n_rows, len(self._arrays["terms"])))

    def postings(self) -> csr_array:
        """Return (n_terms, n_studies) float32, the same weights by term."""
        return self._sparse("posting", (len(self._arrays["terms"]), self.n_rows))

    def _check_all(self, by: str, end: int) -> None:
        """Check all entries of the rows or postings, whose numbers are below `end`."""
        check_numbers(self._paths[_NUMBERS[by]], self._arrays[_NUMBERS[by]], end)
        check_weights(self._paths[f"{by}_weights"], self._arrays[f"{by}_weights"])

    def _sparse(self, by: str, shape: tuple[int, int]) -> csr_array:
        from scipy.sparse import csr_array

        self._check_all(by, shape[1])
        numbers = self._arrays[_NUMBERS[by]]
        starts = self._arrays[f"{by}_starts"]
        starts = starts.astype(np.int32 if len(numbers) < 2**31 else np.int64)
        return csr_array(
            (self._arrays[f"{by}_weights"].astype(np.float32), numbers, starts), shape=shape
        )

    def shared(self, query: TermWeights, number: int) -> Iterator[tuple[str, float]]:
        """Yield the terms that a query shares with a study, and what each adds, most first.

        Args:
            query: a row of term weights.
            number: the study's row.
        """
        row = self.row(number)
        if not (query and row):
            return
        its = np.minimum(np.searchsorted(row.terms, query.terms), len(row.terms) - 1)
        mine = row.terms[its] == query.terms
        added = query.weights[mine] * row.weights[its[mine]]
        order = np.argsort(-added, kind="stable")  # of equal ones the first terms
        names = self._arrays["terms"][query.terms[mine][order]]
        for name, value in zip(names.tolist(), added[order].tolist(), strict=True):
            yield self._readable(name), value

    def _readable(self, term: bytes) -> str:
        try:
            text = term.decode()
        except UnicodeDecodeError:
            text = ""
        if not text.isprintable() or not text:
            raise IndexCorruptError(self._paths["terms"], "it holds what is no term")
        return text


def open_lexical_index(folder: Path, n_rows: int, mean_length: float) -> LexicalIndex:
    """Open the arrays of a generation, memory-mapped.

    Args:
        folder: of the generation.
        n_rows: its number of studies.
        mean_length: the mean number of terms of a text, the manifest's `mean_terms`.

    Raises:
        IndexCorruptError: a file is missing, not an array, or does not fit the others.
    """
    arrays = {key: open_array(folder, key) for key in ARRAY_FILES}
    n_terms, n_weights = len(arrays["terms"]), len(arrays["row_terms"])
    lengths = {
        "idf": n_terms, "row_starts": n_rows + 1, "row_weights": n_weights,
        "posting_starts": n_terms + 1, "posting_rows": n_weights, "posting_weights": n_weights,
    }  # fmt: skip
    for key, length in lengths.items():
        if len(arrays[key]) != length:
            found = f"{len(arrays[key]):,} entries where {length:,} are needed"
            raise IndexCorruptError(path_of(folder, key), found)
    for by in _NUMBERS:
        key = f"{by}_starts"
        check_starts(path_of(folder, key), arrays[key], n_weights)
    check_idf(path_of(folder, "idf"), arrays["idf"])
    return LexicalIndex(folder, arrays, mean_length)
