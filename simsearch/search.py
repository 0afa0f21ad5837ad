"""Open an index and find the studies nearest to a study, a draft or a text.

Retrieve, then score: FAISS returns the nearest studies by the vector of the whole text,
and each of these candidates is scored exactly with every signal. A signal is a cosine
of one field; the lexical signal (DESIGN, `lexical.py`) will retrieve and score beside
them. The similarity is the weighted sum of the signals.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.encoders import Encoder
from simsearch.errors import (
    ArgumentError,
    GoneStudyError,
    IndexCorruptError,
    NctIdError,
    NothingToCompareError,
    RecipeError,
    UnknownStudyError,
)
from simsearch.fields import FIELDS, has_words, plain_text
from simsearch.index import VectorIndex, open_vector_index
from simsearch.storage import Generation, find_index, open_generation
from simsearch.store import StudyStore
from simsearch.study import Study, parse_nct_id
from simsearch.vectors import DEFAULT_WEIGHTS, cosines, weighted_sum, weights_for

MAX_K = 10_000
"""The most neighbours that one query may ask for."""

TEXT_FILE = "text.faiss"
STORE_FILE = "studies.sqlite"
FIELD_FILES = {"conditions": "conditions.npy", "interventions": "interventions.npy"}

# Candidates scored per query: this many, or this many times k where that is more.
# Measured on 46,289 studies (DECISIONS.md): the ten best are those of scoring them all.
_MIN_CANDIDATES = 1000
_CANDIDATES_PER_K = 10

_BLOCK = 8192  # rows unpacked at once

QueryVectors = Mapping[str, npt.NDArray[np.float32]]


class Neighbour(msgspec.Struct, frozen=True):
    """A study near the query study.

    `similarity` is the weighted sum of `signals` (field name → cosine, for each field
    that the query has); `rank` counts from 1.
    """

    rank: int
    study: Study
    similarity: float
    signals: dict[str, float]


class Index:
    """An opened index: one generation, read-only. Open with `open_index`.

    It stays with its generation when a new one is published; open again for that. A
    context manager: `with open_index() as index: ...` closes it.
    """

    def __init__(self, path: Path, generation: Generation) -> None:
        manifest = generation.manifest
        n_studies, dimension = manifest.n_studies, manifest.recipe.dimension
        for name in (STORE_FILE, TEXT_FILE, *FIELD_FILES.values()):
            if name not in manifest.files:
                raise IndexCorruptError(generation.path, f"its manifest lacks {name}")
        self.path = path
        self.generation = generation
        self.store = StudyStore(generation.path / STORE_FILE)
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the study store; the vectors are freed with the object."""
        self.store.close()

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
            gone = self.store.gone(canonical)
            if gone:
                raise GoneStudyError(canonical, gone.since, gone.became)
            raise UnknownStudyError(
                canonical,
                self.n_studies,
                self.generation.manifest.records_date,
                "rebuild from records that hold it, or ask with --online or --file RECORD",
            )
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
        query: QueryVectors,
        k: int,
        weights: Mapping[str, float],
        exclude: Collection[int] = (),
    ) -> list[Neighbour]:
        """Return the k studies nearest to the query's vectors; `exclude` its own rows.

        Args:
            query: field name → (dimension,) float32, unit, or zero for a field it lacks.
            k: 1 to `MAX_K`.
            weights: field name → weight.
            exclude: row numbers of the query study.
        """
        if not 1 <= k <= MAX_K:
            raise ArgumentError("k", k, f"from 1 to {MAX_K:,}")
        self._check_numbers(*query.values())
        shares = weights_for(weights, {field: bool(row.any()) for field, row in query.items()})
        rows = self._candidates(query["text"], k, weights)
        rows = rows[~np.isin(rows, list(exclude))]
        rows = rows[self.text.rows(rows).any(axis=1)]  # withheld studies have no text
        signals = self.signals(query, rows)
        similarity = weighted_sum(signals, shares)
        self._check_numbers(similarity)
        best = np.lexsort((rows, -similarity))[:k]  # rows are in the order of NCT IDs
        studies = self.store.studies(rows[best].tolist())
        return [
            Neighbour(
                rank,
                study,
                float(similarity[at]),
                {
                    name: round(float(values[at]), 6)
                    for name, values in signals.items()
                    if query[name].any()
                },
            )
            for rank, (study, at) in enumerate(zip(studies, best, strict=True), start=1)
        ]

    def _candidates(
        self, query: npt.NDArray[np.float32], k: int, weights: Mapping[str, float]
    ) -> npt.NDArray[np.int64]:
        """Return the rows to score, in order: a gather from mapped files likes that.

        The nearest by the whole text hold the answer for the default weights; for others,
        which may set that text aside, every study is scored.
        """
        if dict(weights) != dict(DEFAULT_WEIGHTS):
            return np.arange(self.n_studies)
        depth = max(_MIN_CANDIDATES, _CANDIDATES_PER_K * k) + 1
        return np.sort(self.text.nearest(query, depth)[0])

    def rows(self, field: str, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.floating]:
        """Return (n, dimension), unit or zero: the stored rows of a field with these numbers."""
        return self.text.rows(numbers) if field == "text" else self._fields[field][numbers]

    def vectors(self, row: int) -> dict[str, npt.NDArray[np.float32]]:
        """Return field name → (dimension,) float32, the stored vectors of one row."""
        numbers = np.array([row], dtype=np.int64)
        return {field: self.rows(field, numbers)[0].astype(np.float32) for field in FIELDS}

    def signals(
        self, query: QueryVectors, numbers: npt.NDArray[np.int64]
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Return field name → (n,) cosines of the query with the rows of these numbers."""
        blocks = np.array_split(numbers, max(1, len(numbers) // _BLOCK))
        return {
            field: np.concatenate(
                [cosines(query[field], self.rows(field, block)) for block in blocks]
            )
            for field in FIELDS
        }

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
    return Index(folder, open_generation(folder))


def similar_to_study(
    index: Index, nct_id: str, k: int = 10, weights: Mapping[str, float] = DEFAULT_WEIGHTS
) -> list[Neighbour]:
    """Return the k studies most like one that the index holds, nearest first.

    The study itself, under whichever of its IDs, is not among them. No model is loaded.

    Raises:
        ArgumentError: k or a weight is out of its range.
        NctIdError, UnknownStudyError: no such ID, or not in this index.
        NothingToCompareError: the study is registered without any text.
    """
    row = index.row_of(nct_id)
    query = index.vectors(row)
    if not query["text"].any():
        status = index.store.studies([row])[0].status or "unknown"
        raise NothingToCompareError(
            nct_id, f"it is registered without title, summary or conditions (status {status})"
        )
    return index.nearest(query, k, weights, exclude=[row])


def similar_to_draft(
    index: Index,
    draft: Study,
    encoder: Encoder,
    k: int = 10,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
) -> list[Neighbour]:
    """Return the k studies most like a study that need not be in the index.

    A study of the index with the draft's own NCT ID or alias is not among them.

    Raises:
        ArgumentError: k or a weight is out of its range.
        NothingToCompareError: the draft has no text.
        RecipeError: the encoder is not the one that built the index.
    """
    texts = {field: text_of(draft) for field, text_of in FIELDS.items()}
    if not has_words(texts.values()):
        raise NothingToCompareError(
            "the draft", "it has no title, summary, conditions or interventions"
        )
    own_ids = filter(None, (draft.nct_id, *draft.aliases))
    own_rows = map(index.store.row_of, own_ids)
    exclude = [row for row in own_rows if row is not None]
    return index.nearest(_encoded(index, encoder, texts), k, weights, exclude)


def similar_to_text(
    index: Index,
    text: str,
    encoder: Encoder,
    k: int = 10,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
) -> list[Neighbour]:
    """Return the k studies nearest to a free text, by their whole texts.

    Raises:
        ArgumentError: k or a weight is out of its range.
        NothingToCompareError: the text holds no word.
        RecipeError: the encoder is not the one that built the index.
    """
    plain = plain_text(text)
    if not has_words([plain]):
        raise NothingToCompareError(
            "the text", "it holds no word (a study is asked for by its ID, without --text)"
        )
    texts = dict.fromkeys(FIELDS, "") | {"text": plain}
    return index.nearest(_encoded(index, encoder, texts), k, weights)


def _encoded(index: Index, encoder: Encoder, texts: Mapping[str, str]) -> QueryVectors:
    """Encode the texts that say something; the others are rows of zeros."""
    recipe = index.generation.manifest.recipe
    if encoder.fingerprint != recipe.fingerprint:
        raise RecipeError(
            index.path, "model", recipe.model, encoder.name,
            "a text must be encoded by the model that built the index (--model)",
        )  # fmt: skip
    said = {field: text for field, text in texts.items() if has_words([text])}
    rows = dict(zip(said, encoder.encode(list(said.values())), strict=True))
    nothing = np.zeros(recipe.dimension, dtype=np.float32)
    return {field: rows.get(field, nothing) for field in texts}


def _open_rows(path: Path, n_rows: int, dimension: int) -> npt.NDArray[np.float16]:
    """Open a file of (n_rows, dimension) float16 unit or zero rows, memory-mapped."""
    try:
        rows: npt.NDArray[np.float16] = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # numpy's reader of headers raises nearly anything
        raise IndexCorruptError(path, f"no array ({error})") from error
    if rows.shape != (n_rows, dimension) or rows.dtype != np.float16:
        raise IndexCorruptError(
            path,
            f"{rows.shape} {rows.dtype} where {(n_rows, dimension)} float16 is needed",
        )
    return rows
