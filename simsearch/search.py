"""Open an index and find the studies nearest to a query.

Retrieve, then score: the nearest studies by the vector of the whole text (FAISS) and
those by their terms (lexical) are the candidates, and each is scored exactly with every
signal. A signal is a cosine: of one dense field, or of the term weights. The similarity is
the weighted sum of the signals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.errors import (
    ArgumentError,
    GoneStudyError,
    IndexCorruptError,
    NctIdError,
    NothingToCompareError,
    UnknownStudyError,
)
from simsearch.fields import FIELDS
from simsearch.filters import NO_FILTERS, Filters, allowed_rows
from simsearch.index import VectorIndex, open_vector_index
from simsearch.lexical import LEXICAL_FILES, open_lexical_index
from simsearch.parts import SIGNALS, Mix, QueryPart, mixes
from simsearch.storage import Generation, find_index, open_generation, pointed, who_lacks
from simsearch.store import TEXTLESS, StudyStore
from simsearch.study import Study, parse_nct_id
from simsearch.vectors import DEFAULT_WEIGHTS, cosines, greatest, total

MAX_K = 10_000
"""The most neighbours that one query may ask for."""

SIMILARITY_DECIMALS = 6
"""Similarities are rounded to this many decimals *before* ranking.

Stored rows have 16-bit floats, so further digits are noise; rounding makes equal
things equal, and ties then go by NCT ID on every machine.
"""

AWAY_SHARE = 0.5
"""What the similarity to the studies to be kept away from takes off, in its share."""

TEXT_FILE = "text.faiss"
STORE_FILE = "studies.sqlite"
PAIRS_FILE = "random-pairs.npy"
FIELD_FILES = {"conditions": "conditions.npy", "interventions": "interventions.npy"}

# Candidates of each of the two retrievals: this many, or this many times k where that is more.
# Measured on 46,289 studies (DECISIONS.md): they hold .999 of the ten best of scoring them all.
_MIN_CANDIDATES = 200
_CANDIDATES_PER_K = 10
FEW = 2000  # so few studies that pass a filter are all scored

_BLOCK = 8192  # rows unpacked at once
_FILES = (STORE_FILE, TEXT_FILE, PAIRS_FILE, *FIELD_FILES.values(), *LEXICAL_FILES)


class Neighbour(msgspec.Struct, frozen=True):
    """A study near the query.

    `similarity` is the weighted sum of the `signals` (name → cosine, for each that the query
    has; of several query studies the mean), and of `away`, what is taken off for studies to
    keep away from; `rank` counts from 1; `percentile` says how many in a hundred random pairs
    of studies of the index are less similar, before that is taken off.
    """

    rank: int
    study: Study
    similarity: float
    signals: dict[str, float]
    percentile: float
    folded: tuple[Study, ...] = ()
    """Studies that stand under this one, nearest first (see `variety.py`)."""


class Scored(msgspec.Struct, frozen=True):
    """Rows of an index, best first, with (n,) similarities and (n,) cosines by signal."""

    rows: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]
    nearness: npt.NDArray[np.float64]
    """(n,) the similarity before anything is taken off for studies to keep away from."""
    signals: dict[str, npt.NDArray[np.float64]]
    shares: dict[str, float]
    """Signal → its share in the similarity."""


class Index:
    """An opened index: one generation, read-only. Open with `open_index`.

    It stays with its generation when a new one is published; open again for that. A
    context manager: `with open_index() as index: ...` closes it.
    """

    def __init__(self, path: Path, generation: Generation) -> None:
        manifest = generation.manifest
        n_studies, dimension = manifest.n_studies, manifest.recipe.dimension
        for name in _FILES:
            if name not in manifest.files:
                raise IndexCorruptError(generation.path, f"its manifest lacks {name}")
        self.path = path
        self.generation = generation
        with ExitStack() as opened:  # where the rest fails, what is open is closed
            self.store = opened.enter_context(closing(StudyStore(generation.path / STORE_FILE)))
            if self.store.n_studies != n_studies:
                raise IndexCorruptError(
                    generation.path / STORE_FILE,
                    f"{self.store.n_studies:,} studies where the manifest says {n_studies:,}",
                )
            self.text: VectorIndex = open_vector_index(
                generation.path / TEXT_FILE, n_studies, dimension
            )
            self._fields = {
                field: _open_rows(generation.path / name, n_studies, dimension)
                for field, name in FIELD_FILES.items()
            }
            self.lexical = open_lexical_index(generation.path, n_studies, manifest.mean_terms)
            self.pairs = _open_pairs(generation.path / PAIRS_FILE)
            self.has_text = np.ones(n_studies, dtype=np.bool_)
            self.has_text[self.store.rows_of(*TEXTLESS)] = False
            opened.pop_all()
        # What is kept does not lead back to the index: the vectors are freed with it.
        store, pairs = self.store, self.pairs
        self._passing = lru_cache(maxsize=64)(lambda filters: allowed_rows(store, filters))
        self._percentiles_of = lru_cache(maxsize=64)(
            lambda shares: _percentile_function(pairs, shares)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the study store and let go of the mapped files: nothing can be asked any more."""
        self.store.close()
        for name in ("text", "_fields", "lexical"):
            vars(self).pop(name, None)

    @property
    def n_studies(self) -> int:
        """How many studies the index holds."""
        return self.generation.manifest.n_studies

    def row_of(self, nct_id: str) -> int:
        """Return the row of a study by any spelling of its NCT ID, or by an alias of it.

        Raises:
            NctIdError: the text is no NCT ID.
            UnknownStudyError: the index does not hold it.
        """
        try:
            canonical = parse_nct_id(nct_id)
        except NctIdError as error:
            raise NctIdError(error.text, error.reason, self._close_id(nct_id)) from None
        row = self.store.row_of(canonical)
        if row is None:
            gone, dated = self.store.gone(canonical), self.generation.manifest.records_date
            name, step = who_lacks(self.path)
            if gone:
                raise GoneStudyError(
                    canonical, gone.since, gone.became, name, self.n_studies, dated
                )
            raise UnknownStudyError(canonical, name, self.n_studies, dated, step)
        return row

    def holds(self, nct_id: str) -> bool:
        """Tell whether the index holds a study; `nct_id` is refused as in `row_of`."""
        try:
            self.row_of(nct_id)
        except UnknownStudyError:
            return False
        return True

    def merged(self, nct_id: str) -> str:
        """Return what became of an obsolete number, in words; `""` for a study's own ID."""
        asked, now = parse_nct_id(nct_id), self.study(nct_id).nct_id
        if asked == now:
            return ""
        gone = self.store.gone(asked)
        noticed = f" (noticed on {gone.since})" if gone else ""
        return f"{asked} is an obsolete number of {now}{noticed}"

    def study(self, nct_id: str) -> Study:
        """Return a study; `nct_id` is understood, and refused, as in `row_of`."""
        return self.store.studies([self.row_of(nct_id)])[0]

    def nearest(
        self,
        parts: Sequence[QueryPart],
        k: int,
        weights: Mapping[str, float] = DEFAULT_WEIGHTS,
        filters: Filters = NO_FILTERS,
    ) -> list[Neighbour]:
        """Return the k studies nearest to the parts of a query, none of which is among them.

        Args:
            parts: at least one that is not `away`.
            k: 1 to `MAX_K`.
            weights: signal name → weight.
            filters: what a neighbour must be.

        Raises:
            ArgumentError: k or a weight is out of its range.
            FilterError: a value that no study can have.
        """
        if not 1 <= k <= MAX_K:
            raise ArgumentError("k", k, f"from 1 to {MAX_K:,}")
        return self._neighbours(self.ranked(parts, k, weights, filters))

    def ranked(
        self,
        parts: Sequence[QueryPart],
        k: int,
        weights: Mapping[str, float] = DEFAULT_WEIGHTS,
        filters: Filters = NO_FILTERS,
    ) -> Scored:
        """Return the k rows nearest to the parts of a query (see `nearest`)."""
        self._check_numbers(*(vector for part in parts for vector in part.vectors.values()))
        near, away = mixes(parts, weights)
        allowed = self._passing(filters) if filters else None
        rows, lexical = self._candidates(near, k, weights, allowed, exact=away is not None)
        for own in (row for part in parts for row in part.rows):
            rows = rows[rows != own]
        rows = self._with_text(rows)
        scored = self._scored(rows, near, away, lexical)
        best = _cut(scored, np.lexsort((rows, -scored.similarity))[:k])  # rows: NCT ID order
        return msgspec.structs.replace(best, signals=self._shown(best, parts))

    def _shown(
        self, best: Scored, parts: Sequence[QueryPart]
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Return the signals of scored rows, with those that the parts have and that weigh 0."""
        signals = dict(best.signals)
        for field in FIELDS:
            vectors = [part.vectors[field] for part in parts if not part.away]
            present = [vector for vector in vectors if vector.any()]
            if field not in signals and present:
                mean = np.asarray(np.mean(present, axis=0, dtype=np.float64))
                signals[field] = cosines(mean, self.rows(field, best.rows))
        return {name: signals[name] for name in (*SIGNALS, "away") if name in signals}

    def exhaustive(
        self, parts: Sequence[QueryPart], weights: Mapping[str, float] = DEFAULT_WEIGHTS
    ) -> npt.NDArray[np.float64]:
        """Return (n_studies,) the similarity of every study, -inf for those without a text."""
        near, away = mixes(parts, weights)
        rows = self._with_text(np.arange(self.n_studies))
        similarity = np.full(self.n_studies, -np.inf)
        scored = self._scored(rows, near, away, self.lexical.signal(near.terms))
        similarity[rows] = scored.similarity
        return similarity

    def signals(
        self, part: QueryPart, rows: npt.NDArray[np.int64]
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Return signal → (n,) the cosine of one part of a query with each of these rows."""
        alone = Mix(dict.fromkeys(SIGNALS, 1.0), dict(part.vectors), part.terms)
        return self._added(rows, alone, self.lexical.signal(part.terms))

    def _neighbours(self, scored: Scored) -> list[Neighbour]:
        """Return scored rows as neighbours, ranked as they come."""
        percentiles = self.percentiles(scored.nearness, scored.shares)
        return [
            Neighbour(
                rank,
                study,
                float(scored.similarity[at]),
                {
                    name: min(round(float(values[at]), SIMILARITY_DECIMALS), 1.0)
                    for name, values in scored.signals.items()
                },
                round(float(percentiles[at]), 3),
            )
            for at, (rank, study) in enumerate(
                enumerate(self.store.studies(scored.rows.tolist()), start=1)
            )
        ]

    def percentiles(
        self, similarity: npt.NDArray[np.float64], shares: Mapping[str, float]
    ) -> npt.NDArray[np.float64]:
        """Return how many in a hundred random pairs of studies are less similar than each value.

        Args:
            similarity: (n,) similarities.
            shares: signal name → its share in them.
        """
        return self._percentiles_of(tuple(shares[name] for name in SIGNALS))(similarity)

    def part(self, row: int, *, away: bool = False) -> QueryPart:
        """Return a study of the index as a part of a query.

        Raises:
            NothingToCompareError: the study is registered without any text.
        """
        vectors = self.vectors(row)
        if not vectors["text"].any():
            study = self.store.studies([row])[0]
            raise NothingToCompareError(
                study.nct_id,
                "it is registered without title, summary or conditions "
                f"(status {study.status or 'unknown'})",
            )
        return QueryPart(vectors, self.lexical.row(row), (row,), away)

    def _with_text(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the rows without those of withheld studies, which have no text to compare."""
        return rows[self.has_text[rows]]

    def _candidates(
        self,
        near: Mix,
        k: int,
        weights: Mapping[str, float],
        allowed: npt.NDArray[np.bool_] | None,
        *,
        exact: bool,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return the rows to score, in order, and (n_studies,) the lexical signal.

        The nearest by the whole text and by the terms hold the answer for the default weights;
        for others, which may set both aside, and where `exact` is asked for, every study that
        passes is scored. A gather from mapped files likes rows in order.
        """
        passing = None if allowed is None else np.flatnonzero(allowed)
        depth = candidate_depth(k)
        n_passing = self.n_studies if passing is None else len(passing)
        if exact or dict(weights) != dict(DEFAULT_WEIGHTS) or n_passing <= max(FEW, depth):
            rows = np.arange(self.n_studies) if passing is None else passing
            return rows, self.lexical.signal(near.terms)
        # FAISS frees the interpreter while it scans: the terms are looked up meanwhile.
        query = near.vectors["text"].astype(np.float32)
        by_text = _Beside(lambda: self.text.nearest(query, depth, allowed)[0])
        lexical = self.lexical.signal(near.terms)
        by_terms = greatest(lexical, depth, passing)
        nearest = by_text.result()
        lists = [by_terms, nearest] if query.any() else [by_terms]
        return np.unique(np.concatenate(lists)), lexical

    def _scored(
        self,
        rows: npt.NDArray[np.int64],
        near: Mix,
        away: Mix | None,
        lexical: npt.NDArray[np.float64],
    ) -> Scored:
        added = self._added(rows, near, lexical)
        similarity = nearness = total(added.values())
        signals = {
            name: values / near.shares[name] for name, values in added.items() if near.shares[name]
        }
        if away:
            taken = self._added(rows, away, self.lexical.signal(away.terms))
            signals["away"] = -AWAY_SHARE * total(taken.values())
            similarity = similarity + signals["away"]
        self._check_numbers(similarity)
        return Scored(rows, rounded(similarity), rounded(nearness), signals, near.shares)

    def _added(
        self, rows: npt.NDArray[np.int64], mix: Mix, lexical: npt.NDArray[np.float64]
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Return signal → (n,) what it adds to the similarity of each row."""
        blocks = np.array_split(rows, max(1, len(rows) // _BLOCK))
        dense = {
            field: np.concatenate([cosines(vector, self.rows(field, block)) for block in blocks])
            for field, vector in mix.vectors.items()
            if mix.shares[field]
        }
        return {**dense, "lexical": lexical[rows]}

    def rows(self, field: str, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.floating]:
        """Return (n, dimension), unit or zero: the stored rows of a field with these numbers."""
        return self.text.rows(numbers) if field == "text" else self._fields[field][numbers]

    def stored(self, field: str) -> npt.NDArray[np.float16]:
        """Return (n_studies, dimension) float16: all rows of a field, as they lie in its file."""
        return self.text.stored() if field == "text" else self._fields[field]

    def vectors(self, row: int) -> dict[str, npt.NDArray[np.float32]]:
        """Return field name → (dimension,) float32, the stored vectors of one row."""
        numbers = np.array([row], dtype=np.int64)
        return {field: self.rows(field, numbers)[0].astype(np.float32) for field in FIELDS}

    def _check_numbers(self, *arrays: npt.NDArray[np.floating]) -> None:
        if not all(np.isfinite(array).all() for array in arrays):
            raise IndexCorruptError(
                self.generation.path, "it holds vectors that are no numbers (see info --verify)"
            )

    def _close_id(self, text: str) -> str:
        """Return the ID in this index that a mistyped one is nearest to, or `""`."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        typed = "".join(text.upper().split())[:20]
        if not any(character.isdigit() for character in typed):
            return ""
        if typed.isdigit():
            typed = f"NCT{typed:>08}"
        found = process.extractOne(typed, self.store.nct_ids(), scorer=OSA.distance, score_cutoff=2)
        return str(found[0]) if found else ""


class _Beside(Thread):
    """A call in a thread of its own, begun at once."""

    def __init__(self, call: Callable[[], npt.NDArray[np.int64]]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._done: list[npt.NDArray[np.int64]] = []
        self._error: Exception | None = None
        self.start()

    def run(self) -> None:
        """Call, and keep what comes of it."""
        try:
            self._done.append(self._call())
        except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
            self._error = error

    def result(self) -> npt.NDArray[np.int64]:
        """Wait for the call's result; raise what it raised."""
        self.join()
        if self._error:
            raise self._error
        return self._done[0]


def open_index(path: Path | str | None = None) -> Index:
    """Open an index for queries.

    Args:
        path: its folder; None takes `index` in the current folder where that holds one,
            else the one in the user's data folder, else the demo index.

    Raises:
        IndexNotFoundError: the folder holds no index.
        IndexCorruptError: a file of it is missing, damaged or foreign.
        RecipeError: another version of simsearch built it.
    """
    folder = find_index(None if path is None else Path(path), Path())
    while True:
        name = pointed(folder)
        try:
            return Index(folder, open_generation(folder, name))
        except IndexCorruptError:
            if name == pointed(folder):
                raise  # else a newer one was published meanwhile, and this one pruned


def candidate_depth(k: int) -> int:
    """Return how many candidates each of the two retrievals gives for k neighbours."""
    return max(_MIN_CANDIDATES, _CANDIDATES_PER_K * k)


def rounded(similarity: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return similarities as they are ranked and shown."""
    return similarity.clip(max=1.0).round(SIMILARITY_DECIMALS)


def _percentile_function(
    pairs: npt.NDArray[np.float16], shares: tuple[float, ...]
) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    similarity = np.sort((pairs @ np.array(shares)).round(SIMILARITY_DECIMALS))
    scale = 100 / max(1, len(similarity))
    highest = 100 - scale / 2  # no sample says that nothing could be nearer
    return lambda values: np.minimum(np.searchsorted(similarity, values) * scale, highest)


def _cut(scored: Scored, places: npt.NDArray[np.int64]) -> Scored:
    return Scored(
        scored.rows[places],
        scored.similarity[places],
        scored.nearness[places],
        {name: values[places] for name, values in scored.signals.items()},
        scored.shares,
    )


def _open_rows(path: Path, n_rows: int, dimension: int) -> npt.NDArray[np.float16]:
    """Open a file of (n_rows, dimension) float16 unit or zero rows, memory-mapped."""
    try:
        rows: npt.NDArray[np.float16] = np.asarray(np.lib.format.open_memmap(path, mode="r"))
    except Exception as error:  # numpy's reader of headers raises nearly anything
        raise IndexCorruptError(path, f"no array ({error})") from error
    if rows.shape != (n_rows, dimension) or rows.dtype != np.float16:
        raise IndexCorruptError(
            path,
            f"{rows.shape} {rows.dtype} where {(n_rows, dimension)} float16 is needed",
        )
    return rows


def _open_pairs(path: Path) -> npt.NDArray[np.float16]:
    """Open the (n_pairs, n_signals) float16 cosines of random pairs of studies."""
    try:
        pairs: npt.NDArray[np.float16] = np.load(path)
    except Exception as error:
        raise IndexCorruptError(path, f"no array ({error})") from error
    if pairs.ndim != 2 or pairs.shape[1] != len(SIGNALS) or pairs.dtype != np.float16:  # noqa: PLR2004 - pairs by signals
        raise IndexCorruptError(path, f"{pairs.shape} {pairs.dtype} are no pairs by signals")
    return pairs
