"""Registry records → a published index, in one batch.

Records are read into a staging store (the newest of each NCT ID wins), each distinct
text is encoded once, and store and vectors are written in the order of NCT IDs, so that
the order of the records makes no difference. The new generation is verified, then
published whole.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.encoders import Encoder
from simsearch.errors import (
    IndexReadError,
    PublishError,
    RecipeError,
    RejectedRecordsError,
    ShrinkError,
    SourceError,
    VerificationError,
)
from simsearch.fields import FIELDS, TEXT_VERSION, has_words, lexical_text
from simsearch.index import write_vector_index
from simsearch.jobs import Progress, no_progress
from simsearch.lexical import TERMS_VERSION, open_lexical_index, write_lexical
from simsearch.records import Gone, Notice, Outcome, Rejected, SourceFile, StudyReader
from simsearch.search import FIELD_FILES, PAIRS_FILE, STORE_FILE, TEXT_FILE, Index
from simsearch.staging import Staging
from simsearch.storage import (
    FORMAT,
    Draft,
    Manifest,
    Recipe,
    new_generation,
    open_generation,
    published_studies,
)
from simsearch.store import StudyStore, write_store
from simsearch.study import Study

MAX_REJECTED_SHARE = 0.01
"""A build with a larger share of unusable records fails unless it is told to accept."""

MAX_LOST_SHARE = 0.02
"""A build that would lose a larger share of the studies published before fails likewise."""

_EXAMPLES = 5
_CHUNK = 256  # texts encoded between two signs of progress
_BLOCK = 4096  # rows written or checked at once
_LENGTH_TOLERANCE = 0.01  # of a unit row, after rounding to 16 bits
_PAIRS = 50_000  # random pairs of studies that a similarity is measured by
_SAMPLE = 50  # studies that must find themselves before an index is published
_LIBRARIES = ("simsearch", "numpy", "faiss-cpu", "sentence-transformers", "transformers", "torch")


class BuildReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a build did. `seconds` is by stage; `empty_fields` counts studies by field."""

    index: Path
    generation: str
    n_studies: int
    n_records: int
    n_rejected: int
    reject_reasons: dict[str, int]
    rejected_examples: tuple[Rejected, ...]
    n_duplicates: int
    notices: tuple[Notice, ...]
    n_notices: int
    n_texts: int
    n_distinct: int
    n_cached: int
    n_truncated: int
    max_tokens: int
    empty_fields: dict[str, int]
    records_date: str
    recipe: Recipe
    precision: str
    sources: tuple[SourceFile, ...]
    bytes: int
    seconds: dict[str, float]

    @property
    def n_encoded(self) -> int:
        """How many texts were encoded by this build."""
        return self.n_distinct - self.n_cached

    @property
    def n_reused(self) -> int:
        """How many texts share the vector of an equal text."""
        return self.n_texts - self.n_distinct


class _Texts(msgspec.Struct):
    """The distinct texts of a corpus, and which of them each study has."""

    distinct: list[str]
    numbers: npt.NDArray[np.int32]
    """(n_studies, n_fields), number of the text in `distinct`, or -1 for none."""


def build_index(
    records: StudyReader,
    index: Path | str,
    encoder: Encoder,
    *,
    allow_rejects: bool = False,
    allow_shrink: bool = False,
    progress: Progress | None = None,
) -> BuildReport:
    """Build the index of all studies in `records` and publish it in the folder `index`.

    The index published before answers until the new one is complete, and stays if this
    build fails or is killed.

    Args:
        records: what `read_studies` returns.
        index: the folder to publish in; made if it is missing.
        encoder: encodes the texts; a later free-text query needs the same one.
        allow_rejects: publish although more than 1 % of the records are unusable.
        allow_shrink: publish although more than 2 % of the studies would be lost.
        progress: called now and then, in the long stages after every few hundred texts.

    Raises:
        SourceError: a source cannot be read to its end, or holds no study.
        RejectedRecordsError: too many records are unusable.
        ShrinkError: too many of the studies published before would be lost.
        BuildError: the folder cannot be published in, or the new index fails its check.
    """
    folder = Path(index)
    try:
        with new_generation(folder) as draft:
            build = _Build(draft, encoder, progress or no_progress)
            return build.run(
                records, folder, allow_rejects=allow_rejects, allow_shrink=allow_shrink
            )
    except sqlite3.Error as error:
        raise PublishError(folder, str(error)) from error


class _Build:
    """One run, stage by stage."""

    def __init__(self, draft: Draft, encoder: Encoder, progress: Progress) -> None:
        self._draft = draft
        self._encoder = encoder
        self._progress = progress
        self._seconds: dict[str, float] = {}
        self._stage_start = time.perf_counter()

    def run(
        self, reader: StudyReader, folder: Path, *, allow_rejects: bool, allow_shrink: bool
    ) -> BuildReport:
        tally = _Tally()
        staging_path = self._draft.path / "staging.sqlite"
        with closing(Staging(staging_path)) as staging:
            self._read(reader, staging, tally)
            tally.check(allow_rejects=allow_rejects)
            survivors = staging.merge_aliases()
            n_studies = staging.n_studies
            if not allow_shrink:
                _check_lost(folder, staging)
            texts = self._collect(staging, n_studies)
            self._lap("reading")
            vectors, n_truncated = self._encode(texts.distinct)
            self._lap("encoding")
            write_store(self._draft.path / STORE_FILE, staging.studies(), tally.gone, survivors)
            mean_terms = write_lexical(
                self._draft.path, map(lexical_text, staging.studies()), n_studies
            )
            records_date = staging.records_date()
        staging_path.unlink()
        merged = tuple(
            Notice(old, f"left out: an obsolete number of {new}, which is here")
            for old, new in survivors.items()
            if old in staging.dropped
        )
        self._write_vectors(texts.numbers, vectors)
        coverage = (texts.numbers >= 0).sum(axis=0).tolist()
        manifest = self._manifest(
            reader, n_studies, dict(zip(FIELDS, coverage, strict=True)), records_date, mean_terms
        )
        self._write_random_pairs(texts.numbers, vectors, mean_terms)
        self._lap("writing")
        generation = self._draft.seal(manifest)
        with Index(folder, generation) as built:
            verify_index(built)
        self._draft.publish()
        self._lap("publishing")
        return BuildReport(
            index=folder,
            generation=self._draft.name,
            n_studies=n_studies,
            n_records=tally.n_studies + tally.n_rejected,
            n_rejected=tally.n_rejected,
            reject_reasons=dict(tally.reasons.most_common()),
            rejected_examples=tuple(tally.examples),
            n_duplicates=tally.n_studies - n_studies,
            notices=(tuple(tally.notices) + merged)[:_EXAMPLES],
            n_notices=tally.n_notices + len(merged),
            n_texts=int((texts.numbers >= 0).sum()),
            n_distinct=len(texts.distinct),
            n_cached=getattr(self._encoder, "n_found", 0),
            n_truncated=n_truncated,
            max_tokens=self._encoder.max_tokens,
            empty_fields={field: n_studies - n for field, n in manifest.field_coverage.items()},
            records_date=records_date,
            recipe=manifest.recipe,
            precision=manifest.precision,
            sources=manifest.sources,
            bytes=generation.bytes,
            seconds=self._seconds,
        )

    def _read(self, reader: StudyReader, staging: Staging, tally: _Tally) -> None:
        for n, outcome in enumerate(reader):
            if isinstance(outcome, Study):
                staging.add(outcome)
            tally.add(outcome)
            if n % 500 == 0:
                self._progress("reading", reader.bytes_read, reader.bytes_total, "bytes")
        self._progress("reading", reader.bytes_total, reader.bytes_total, "bytes")

    def _collect(self, staging: Staging, n_studies: int) -> _Texts:
        number_of: dict[str, int] = {}
        numbers = np.full((n_studies, len(FIELDS)), -1, dtype=np.int32)
        for row, study in enumerate(staging.studies()):
            for column, text_of in enumerate(FIELDS.values()):
                text = text_of(study)
                if has_words([text]):
                    numbers[row, column] = number_of.setdefault(text, len(number_of))
        if not number_of:
            raise SourceError("the records", "no study has a text to compare")
        return _Texts(list(number_of), numbers)

    def _encode(self, texts: list[str]) -> tuple[npt.NDArray[np.float16], int]:
        """Encode each text; return (n, dim) float16 unit rows and how many were cut off.

        Texts of like length go together. The chunks are taken in a shuffled but fixed
        order, so that the rate, and with it the time left, holds from the start.
        """
        tokens = np.concatenate(
            [
                self._encoder.count_tokens(texts[at : at + _BLOCK])
                for at in range(0, len(texts), _BLOCK)
            ]
        )
        order = sorted(range(len(texts)), key=lambda n: (tokens[n], texts[n]))
        chunks = [order[at : at + _CHUNK] for at in range(0, len(order), _CHUNK)]
        vectors = np.zeros((len(texts), self._encoder.dimension), dtype=np.float16)
        done = 0
        for chunk in np.random.default_rng(0).permutation(len(chunks)):
            self._progress("encoding", done, len(texts), "texts")
            numbers = chunks[chunk]
            vectors[numbers] = self._encoder.encode([texts[n] for n in numbers])
            done += len(numbers)
        self._progress("encoding", done, len(texts), "texts")
        return vectors, int((tokens > self._encoder.max_tokens).sum())

    def _write_vectors(
        self, numbers: npt.NDArray[np.int32], vectors: npt.NDArray[np.float16]
    ) -> None:
        dimension = vectors.shape[1]
        for column, field in enumerate(FIELDS):
            blocks = _blocks(vectors, numbers[:, column])
            if field in FIELD_FILES:
                path = self._draft.path / FIELD_FILES[field]
                _write_rows(path, (len(numbers), dimension), blocks)
            else:
                write_vector_index(self._draft.path / TEXT_FILE, dimension, blocks)

    def _write_random_pairs(
        self,
        numbers: npt.NDArray[np.int32],
        vectors: npt.NDArray[np.float16],
        mean_terms: float,
    ) -> None:
        """Write the cosines of random pairs of studies: what a similarity is measured by."""
        of_field = dict(zip(FIELDS, numbers.T, strict=True))
        with_text = np.flatnonzero(of_field["text"] >= 0)
        left, right = _random_pairs(with_text)
        lexical = open_lexical_index(self._draft.path, len(numbers), mean_terms)
        columns = [
            _pair_cosines(vectors, of_field[field][left], of_field[field][right])
            for field in FIELDS
        ]
        columns.append(lexical.products(left, right))
        pairs = np.stack(columns, axis=1).astype(np.float16)
        np.save(self._draft.path / PAIRS_FILE, pairs)

    def _manifest(
        self,
        reader: StudyReader,
        n_studies: int,
        coverage: dict[str, int],
        records_date: str,
        mean_terms: float,
    ) -> Manifest:
        encoder = self._encoder
        return Manifest(
            format=FORMAT,
            generation=self._draft.name,
            previous=self._draft.previous,
            built=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            records_date=records_date,
            n_studies=n_studies,
            field_coverage=coverage,
            mean_terms=mean_terms,
            recipe=Recipe(
                text_version=TEXT_VERSION,
                terms_version=TERMS_VERSION,
                model=encoder.name,
                fingerprint=encoder.fingerprint,
                dimension=encoder.dimension,
                max_tokens=encoder.max_tokens,
            ),
            precision=encoder.precision,
            sources=reader.source_files,
            versions=_versions(),
        )

    def _lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._seconds[stage] = now - self._stage_start
        self._stage_start = now


class _Tally:
    """Counts what the reader yields, and keeps the first few of what went wrong."""

    def __init__(self) -> None:
        self.n_studies = 0
        self.n_rejected = 0
        self.n_notices = 0
        self.reasons: Counter[str] = Counter()
        self.examples: list[Rejected] = []
        self.notices: list[Notice] = []
        self.gone: list[Gone] = []

    def add(self, outcome: Outcome) -> None:
        if isinstance(outcome, Study):
            self.n_studies += 1
        elif isinstance(outcome, Rejected):
            self.n_rejected += 1
            self.reasons[_kind_of(outcome.reason)] += 1
            if len(self.examples) < _EXAMPLES:
                self.examples.append(outcome)
        elif isinstance(outcome, Gone):
            self.gone.append(outcome)
        else:
            self.n_notices += 1
            if len(self.notices) < _EXAMPLES:
                self.notices.append(outcome)

    def check(self, *, allow_rejects: bool) -> None:
        n_records = self.n_studies + self.n_rejected
        if self.n_rejected > MAX_REJECTED_SHARE * n_records and not allow_rejects:
            raise RejectedRecordsError(self.n_rejected, n_records, str(self.examples[0]))


def _kind_of(reason: str) -> str:
    """Return a reason without what it says of one record: IDs, lines, numbers."""
    return " ".join(
        re.sub(r"'[^']*'|\([^)]*\)|[0-9][0-9,]*", "", reason.split(":", maxsplit=1)[0]).split()
    )


def _check_lost(index: Path, staging: Staging) -> None:
    """Refuse a build that would lose many of the studies that the index holds now.

    Raises:
        ShrinkError: it would.
    """
    try:
        generation = open_generation(index)
        with closing(StudyStore(generation.path / STORE_FILE)) as store:
            before = set(store.nct_ids())
        n_before, n_lost = len(before), len(before - staging.nct_ids())
    except RecipeError:  # another version's index: its number of studies is all that is known
        n_before = published_studies(index)
        n_lost = n_before - staging.n_studies
    except IndexReadError:
        return
    if n_lost > MAX_LOST_SHARE * n_before:
        raise ShrinkError(index, n_before, n_lost)


def verify_index(index: Index) -> None:
    """Check that the parts of an index belong together and answer.

    Raises:
        VerificationError: IDs are not in order, rows are neither unit nor zero, or a
            study is not its own nearest row.
    """
    if index.store.integrity() != "ok":
        raise VerificationError("the study store", index.store.integrity())
    ids = index.store.nct_ids()
    if ids != sorted(set(ids)) or len(ids) != index.n_studies:
        raise VerificationError("NCT IDs", "not unique and in order")
    for field in FIELDS:
        for start in range(0, index.n_studies, _BLOCK):
            numbers = np.arange(start, min(start + _BLOCK, index.n_studies))
            rows = index.rows(field, numbers)
            lengths = np.linalg.norm(rows.astype(np.float32), axis=1)
            bad = numbers[rows.any(axis=1) & ~(np.abs(lengths - 1) < _LENGTH_TOLERANCE)]
            if len(bad):
                raise VerificationError(f"the {field} vectors", f"{ids[bad[0]]} has no unit row")
    for row in np.unique(np.linspace(0, index.n_studies - 1, _SAMPLE).astype(np.int64)).tolist():
        vector = index.rows("text", np.array([row]))[0]
        if vector.any() and not index.text.nearest(vector, 1)[1][0] > 1 - _LENGTH_TOLERANCE:
            raise VerificationError("sample queries", f"{ids[row]} does not find itself")


def _random_pairs(
    rows: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return `_PAIRS` pairs of different rows by lot, or all where there are fewer."""
    if len(rows) * (len(rows) - 1) // 2 <= _PAIRS:
        one, other = np.triu_indices(len(rows), 1)
        return rows[one], rows[other]
    chance = np.random.default_rng(0)
    left, right = chance.choice(rows, _PAIRS), chance.choice(rows, _PAIRS)
    return left[left != right], right[left != right]


def _pair_cosines(
    vectors: npt.NDArray[np.float16], left: npt.NDArray[np.int32], right: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Return (n,) the cosines of texts by their numbers, 0 where one is missing."""
    found = np.zeros(len(left))
    for at in range(0, len(left), _BLOCK):
        part = slice(at, at + _BLOCK)
        rows = vectors[left[part]].astype(np.float32) * vectors[right[part]].astype(np.float32)
        found[part] = rows.sum(axis=1)
    found[(left < 0) | (right < 0)] = 0
    return found


def _blocks(
    vectors: npt.NDArray[np.float16], numbers: npt.NDArray[np.int32]
) -> Iterator[npt.NDArray[np.float16]]:
    """Yield (≤ `_BLOCK`, dim) rows by text number; zeros where the number is -1."""
    for at in range(0, len(numbers), _BLOCK):
        part = numbers[at : at + _BLOCK]
        block = vectors[part]
        block[part < 0] = 0
        yield block


def _write_rows(
    path: Path, shape: tuple[int, int], blocks: Iterator[npt.NDArray[np.float16]]
) -> None:
    """Write an .npy file of float16 rows, block by block."""
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(block.astype("<f2", copy=False).tobytes())


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
