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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from simsearch.encode.encoders import Encoder
from simsearch.build.distinct_texts import TextNumbers, encode_texts
from simsearch.errors import IndexReadError, PublishError, RejectedRecordsError, SourceError
from simsearch.encode.fields import TEXT_VERSION, lexical_text
from simsearch.index.generations import KEPT, Draft, new_generation
from simsearch.build.guards import Canary, Guards
from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.index.terms import TERMS_VERSION, Fit, read_fit, write_lexical
from simsearch.records import Gone, Notice, Outcome, Rejected, SourceFile, StudyReader
from simsearch.build.disk_space import bytes_to_write, check_room, expected_bytes
from simsearch.index.opened import STORE_FILE
from simsearch.index.opened import OpenedIndex
from simsearch.build.staging import Staging
from simsearch.index.directory import FORMAT, Manifest, Recipe, open_generation
from simsearch.index.studies import write_store
from simsearch.study import Study
from simsearch.index.vector_files import write_random_pairs, write_vectors
from simsearch.index.verify import verify_index

MAX_REJECTED_SHARE = 0.01
"""A build with a larger share of unusable records fails unless it is told to accept."""

MAX_DRIFT = 0.05
"""What terms weigh is found anew when the number of studies has changed by a larger share."""

_EXAMPLES = 5
_ROWS_FILE = "rows.f16"  # of the distinct texts, while a build lasts
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
    fitted: str
    """The generation that what terms weigh was found in."""
    sources: tuple[SourceFile, ...]
    canary: Canary
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


class _KeptFit(msgspec.Struct, frozen=True):
    """What terms weighed in an earlier generation, and the corpus that it was found in."""

    fit: Fit
    generation: str
    n_studies: int


def build_index(
    records: StudyReader,
    index: Path | str,
    encoder: Encoder,
    *,
    allow_rejects: bool = False,
    allow_shrink: bool = False,
    allow_empty: bool = False,
    allow_moved: bool = False,
    keep_fit: bool = False,
    keep: int = KEPT,
    wait: float = 0,
    say: Log = no_log,
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
        allow_empty: publish although the share of studies without a field rises by more than
            2 points.
        allow_moved: publish although sample studies lose many of their neighbours.
        keep_fit: let terms weigh what they do in the index published before, so that the
            rows of unchanged studies stay the same; unless the number of studies has
            changed by more than 5 % since that was found.
        keep: how many generations stay, the new one among them.
        wait: how many seconds to wait for another process that writes there.
        say: told once, in a line, for whom it waits.
        progress: called now and then, in the long stages after every few hundred texts.

    Raises:
        SourceError: a source cannot be read to its end, or holds no study.
        RejectedRecordsError: too many records are unusable.
        GuardError: the new index differs too much from the one that answers.
        IndexBusyError: another process writes there.
        NoRoomError: the disk has less free than the build takes.
        BuildError: the folder cannot be published in, or the new index fails its check.
    """
    folder = Path(index)
    try:
        with new_generation(folder, keep=keep, wait=wait, say=say) as draft:
            guards = Guards(
                folder,
                allow_shrink=allow_shrink, allow_empty=allow_empty, allow_moved=allow_moved,
            )  # fmt: skip
            build = _Build(draft, encoder, progress or no_progress)
            return build.run(
                records, folder, guards, allow_rejects=allow_rejects, keep_fit=keep_fit
            )
    except sqlite3.Error as error:
        raise PublishError(folder, str(error)) from error


class _Build:
    """One run, stage by stage."""

    def __init__(self, draft: Draft, encoder: Encoder, progress: Progress) -> None:
        self._draft = draft
        self._encoder = encoder
        self._progress = progress
        self._n_found = getattr(encoder, "n_found", 0)  # by builds before this one
        self._seconds: dict[str, float] = {}
        self._stage_start = time.perf_counter()

    def run(
        self,
        reader: StudyReader,
        folder: Path,
        guards: Guards,
        *,
        allow_rejects: bool,
        keep_fit: bool,
    ) -> BuildReport:
        dimension = self._encoder.dimension
        check_room(folder, expected_bytes(folder, reader.bytes_total, dimension))
        tally = _Tally()
        staging_path = self._draft.path / "staging.sqlite"
        with closing(Staging(staging_path)) as staging:
            self._read(reader, staging, tally)
            tally.check(allow_rejects=allow_rejects)
            survivors = staging.merge_aliases()
            n_studies = staging.n_studies
            guards.check_lost(staging.nct_ids())
            self._lap("reading")
            check_room(folder, bytes_to_write(n_studies, dimension))
            texts = self._store(staging, tally.gone, survivors)
            guards.check_empty(n_studies, texts.coverage())
            self._lap("storing")
            encoded = encode_texts(
                texts.distinct(staging.studies()), texts.n_distinct, self._encoder,
                self._draft.path / _ROWS_FILE, self._progress,
            )  # fmt: skip
            self._lap("encoding")
            kept = _kept_fit(folder, n_studies) if keep_fit else None
            mean_terms = self._weigh_terms(staging, kept)
            self._lap("weighing")
            records_date = staging.records_date()
        staging_path.unlink()
        merged = tuple(
            Notice(old, f"left out: an obsolete number of {new}, which is here")
            for old, new in survivors.items()
            if old in staging.dropped
        )
        write_vectors(self._draft.path, texts.numbers, encoded.rows)
        write_random_pairs(self._draft.path, texts.numbers, encoded.rows, mean_terms)
        (self._draft.path / _ROWS_FILE).unlink()
        encoder = self._encoder
        manifest = Manifest(
            format=FORMAT,
            generation=self._draft.name,
            previous=self._draft.previous,
            built=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            records_date=records_date,
            n_studies=n_studies,
            field_coverage=texts.coverage(),
            mean_terms=mean_terms,
            fitted=kept.generation if kept else self._draft.name,
            n_fitted=kept.n_studies if kept else n_studies,
            recipe=Recipe(
                text_version=TEXT_VERSION,
                terms_version=TERMS_VERSION,
                model=encoder.name,
                fingerprint=encoder.fingerprint,
                dimension=dimension,
                max_tokens=encoder.max_tokens,
            ),
            precision=encoder.precision,
            sources=reader.source_files,
            versions=_versions(),
        )
        self._lap("writing")
        generation = self._draft.seal(manifest)
        with OpenedIndex(folder, generation) as built:
            verify_index(built)
            canary = guards.check_moved(built)
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
            n_distinct=texts.n_distinct,
            n_cached=getattr(encoder, "n_found", 0) - self._n_found,
            n_truncated=encoded.n_truncated,
            max_tokens=encoder.max_tokens,
            empty_fields={field: n_studies - n for field, n in manifest.field_coverage.items()},
            records_date=records_date,
            recipe=manifest.recipe,
            precision=manifest.precision,
            fitted=manifest.fitted,
            sources=manifest.sources,
            canary=canary,
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

    def _store(
        self, staging: Staging, gone: Sequence[Gone], survivors: Mapping[str, str]
    ) -> TextNumbers:
        """Write the store, and number the texts of the studies on their way there."""
        texts = TextNumbers(staging.n_studies)
        studies = texts.numbered(self._counted("storing", staging))
        write_store(self._draft.path / STORE_FILE, studies, gone, survivors)
        if not texts.n_distinct:
            raise SourceError("the records", "no study has a text to compare")
        return texts

    def _weigh_terms(self, staging: Staging, kept: _KeptFit | None) -> float:
        texts = map(lexical_text, self._counted("weighing", staging))
        return write_lexical(self._draft.path, texts, staging.n_studies, kept.fit if kept else None)

    def _counted(self, stage: str, staging: Staging) -> Iterator[Study]:
        """Yield the studies, and tell how many have passed."""
        n_studies = staging.n_studies
        for n, study in enumerate(staging.studies()):
            if n % 500 == 0:
                self._progress(stage, n, n_studies, "studies")
            yield study
        self._progress(stage, n_studies, n_studies, "studies")

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
    """Return a reason without what it says of one record: IDs, lines, numbers (but API v2)."""
    return " ".join(
        re.sub(r"'[^']*'|\([^)]*\)|\b[0-9][0-9,]*", "", reason.split(":", maxsplit=1)[0]).split()
    )


def _kept_fit(index: Path, n_studies: int) -> _KeptFit | None:
    """Return what terms weigh in the generation that answers; None where that is too old."""
    try:
        generation = open_generation(index)
        manifest = generation.manifest
        fit = read_fit(generation.path, manifest.mean_terms)
    except IndexReadError:
        return None
    found_in = manifest.n_fitted or manifest.n_studies
    if abs(n_studies - found_in) > MAX_DRIFT * found_in:
        return None
    return _KeptFit(fit, manifest.fitted or manifest.generation, found_in)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
