"""Registry records → a published generation, in six stages (`_Build.run`).

Records are read into a staging file, where the newest of each NCT ID wins; every distinct text is
encoded once. Study store and vectors are written in the order of NCT IDs, so the order of the
records makes no difference. The new generation is verified, then published whole.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import numpy as np

from simsearch.build.disk_space import bytes_to_write, check_room, expected_bytes
from simsearch.build.distinct_texts import EncodedTexts, TextNumbers, encode_texts
from simsearch.build.guards import Canary, Guards
from simsearch.build.kept import KeptFit, kept_details, kept_fit
from simsearch.build.learned_pairs import learned_pairs, ranking_for, write_learned_pairs
from simsearch.build.names_found import NamesFound
from simsearch.build.report import BuildReport, Tally, report_of
from simsearch.build.staging import Staging
from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.encode.encoders import Encoder
from simsearch.encode.fields import TEXT_VERSION, lexical_text
from simsearch.errors import PublishError, SourceError
from simsearch.index.directory import Generation
from simsearch.index.facts_blobs import Details, dictionary_of
from simsearch.index.generation_files import LEARNED_PAIRS_FILE, STORE_FILE
from simsearch.index.generations import KEPT, Draft, new_generation
from simsearch.index.manifest import FORMAT, Manifest, Recipe
from simsearch.index.opened import OpenedIndex
from simsearch.index.profiles import write_means, write_profiles
from simsearch.index.study_writer import write_store
from simsearch.index.synonyms import write_synonyms
from simsearch.index.terms import TERMS_VERSION, open_lexical_index, write_lexical
from simsearch.index.vector_files import write_random_pairs, write_vectors
from simsearch.index.verify import verify_index
from simsearch.records import Notice, SourceFile, StudyReader
from simsearch.study import Study

# Files that exist only during a build.
_STAGING_FILE = "staging.sqlite"
_ROWS_FILE = "rows.f16"

_STEP = 500  # records or studies between two reports of progress
_LIBRARIES = ("simsearch", "numpy", "faiss-cpu", "sentence-transformers", "transformers", "torch")


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
    details: Details | None = None,
    keep: int = KEPT,
    wait: float = 0,
    say: Log = no_log,
    progress: Progress | None = None,
) -> BuildReport:
    """Build an index of all studies in `records` and publish it in the folder `index`.

    The index that is there remains in use until the new one is complete, and is kept if this
    build fails or is killed.

    Args:
        records: the result of `read_studies`.
        index: the folder to publish in; created if it is missing.
        encoder: encodes the texts; later free-text queries need the same one.
        allow_rejects: publish even if more than 1 % of the records are unusable.
        allow_shrink: publish even if more than 2 % of the studies would be lost.
        allow_empty: publish even if the share of studies without text, conditions or
            interventions rises by more than 2 points.
        allow_moved: publish even if sample studies lose many of their neighbours.
        keep_fit: reuse the term weights of the current generation, so that the rows of unchanged
            studies stay the same, unless the number of studies has changed by more than 5 %
            since they were fitted.
        details: what is kept of the facts that are shown and compared (`Study.facts`): `"none"`,
            `"brief"` (all but detailed descriptions and eligibility criteria) or `"full"`. None
            stands for what the current generation keeps, or `"full"` if there is none.
        keep: how many generations to keep, including the new one.
        wait: how many seconds to wait for another process that writes there.
        say: called once, with a line that says which process this one is waiting for.
        progress: called regularly, in the long stages after every few hundred texts.

    Raises:
        SourceError: a source cannot be read to its end, or holds no study.
        RejectedRecordsError: too many records are unusable.
        GuardError: the new index differs too much from the current one.
        IndexBusyError: another process is writing there.
        NoRoomError: the disk has less free space than the build needs.
        BuildError: the folder cannot be published in, or the new index fails its check.
    """
    folder = Path(index)
    records.check()
    try:
        with new_generation(folder, keep=keep, wait=wait, say=say) as draft:
            guards = Guards(
                folder,
                allow_shrink=allow_shrink, allow_empty=allow_empty, allow_moved=allow_moved,
            )  # fmt: skip
            build = _Build(folder, draft, encoder, guards, details, progress or no_progress)
            return build.run(records, allow_rejects=allow_rejects, keep_fit=keep_fit)
    except sqlite3.Error as error:
        raise PublishError(folder, str(error)) from error


class _Records(msgspec.Struct, frozen=True):
    """The outcome of reading."""

    tally: Tally
    became: dict[str, str]
    """Obsolete number → NCT ID of the study that remains."""
    sources: tuple[SourceFile, ...]
    n_studies: int
    date: str


class _Terms(msgspec.Struct, frozen=True):
    """The outcome of weighing terms; the fields are those of a manifest."""

    mean_terms: float
    fitted: str
    n_fitted: int


class _Build:
    """One build: `run` calls the stages in their order."""

    def __init__(
        self,
        folder: Path,
        draft: Draft,
        encoder: Encoder,
        guards: Guards,
        details: Details | None,
        progress: Progress,
    ) -> None:
        self._folder = folder
        self._draft = draft
        self._encoder = encoder
        self._guards = guards
        self._details: Details = details or kept_details(folder) or "full"
        self._kept_details = details is None and self._details != "full"
        self._n_facts = 0
        self._kept: KeptFit | None = None
        self._progress = progress
        self._n_found_before = getattr(encoder, "n_found", 0)
        self._seconds: dict[str, float] = {}

    def run(self, reader: StudyReader, *, allow_rejects: bool, keep_fit: bool) -> BuildReport:
        dimension = self._encoder.dimension
        check_room(self._folder, expected_bytes(self._folder, reader.bytes_total, dimension))
        staging_path = self._draft.path / _STAGING_FILE
        with closing(Staging(staging_path)) as staging:
            with self._stage("reading"):
                records = self._read(reader, staging, allow_rejects=allow_rejects)
            with self._stage("storing"):
                texts = self._store(staging, records)
            with self._stage("encoding"):
                encoded = self._encode(staging, texts)
            with self._stage("weighing"):
                terms = self._weigh(staging, keep_fit=keep_fit)
        staging_path.unlink()
        with self._stage("writing"):
            self._write(texts, encoded, terms)
        with self._stage("publishing"):
            generation, canary = self._publish(self._manifest(records, texts, terms))
        return report_of(
            self._folder, generation, records.tally, texts, canary,
            n_cached=getattr(self._encoder, "n_found", 0) - self._n_found_before,
            kept_details=self._kept_details,
            n_truncated=encoded.n_truncated, seconds=self._seconds,
        )  # fmt: skip

    def _read(self, reader: StudyReader, staging: Staging, *, allow_rejects: bool) -> _Records:
        """Read all records into the staging file, where each study remains once."""
        tally = Tally()
        for n, outcome in enumerate(reader):
            if isinstance(outcome, Study):
                staging.add(outcome)
            tally.add(outcome)
            if n % _STEP == 0:
                self._progress("reading", reader.bytes_read, reader.bytes_total, "bytes")
        self._progress("reading", reader.bytes_total, reader.bytes_total, "bytes")
        if not allow_rejects:
            tally.check()
        became = staging.merge_aliases()
        for old, new in became.items():
            if old in staging.dropped:
                tally.add(Notice(old, f"left out: an obsolete number of {new}, which is here"))
        self._guards.check_lost(staging.nct_ids())
        return _Records(
            tally, became, reader.source_files, staging.n_studies, staging.records_date()
        )

    def _store(self, staging: Staging, records: _Records) -> TextNumbers:
        """Write the study store, and number the distinct texts of the studies."""
        check_room(self._folder, bytes_to_write(records.n_studies, self._encoder.dimension))
        texts = TextNumbers(records.n_studies)
        studies = texts.numbered(self._counted("storing", staging, with_facts=True))
        samples = () if self._details == "none" else staging.sample_of_facts()
        self._n_facts = write_store(
            self._draft.path / STORE_FILE, studies, records.tally.gone, records.became,
            details=self._details, dictionary=dictionary_of(samples, self._details),
        )  # fmt: skip
        if not texts.n_distinct:
            raise SourceError("the records", "no study has a text to compare")
        self._guards.check_empty(records.n_studies, texts.coverage())
        return texts

    def _encode(self, staging: Staging, texts: TextNumbers) -> EncodedTexts:
        """Encode every distinct text."""
        return encode_texts(
            texts.distinct(staging.studies()), texts.n_distinct, self._encoder,
            self._draft.path / _ROWS_FILE, self._progress,
        )  # fmt: skip

    def _weigh(self, staging: Staging, *, keep_fit: bool) -> _Terms:
        """Write the terms of the studies and their weights, and the names that mean the same."""
        n_studies = staging.n_studies
        kept = self._kept = kept_fit(self._folder, n_studies) if keep_fit else None
        names = NamesFound()
        studies = names.watched(self._counted("weighing", staging))
        lexical_texts = map(lexical_text, studies)
        mean_terms = write_lexical(
            self._draft.path, lexical_texts, n_studies, kept.fit if kept else None
        )
        lexical = open_lexical_index(self._draft.path, n_studies, mean_terms)
        write_profiles(self._draft.path, self._counted("profiling", staging), lexical)
        write_synonyms(self._draft.path, names.synonyms())
        if kept:
            return _Terms(mean_terms, kept.generation, kept.n_studies)
        return _Terms(mean_terms, self._draft.name, n_studies)

    def _write(self, texts: TextNumbers, encoded: EncodedTexts, terms: _Terms) -> None:
        """Write the vectors of the studies, their means, and the similarities of random pairs."""
        path = self._draft.path
        write_vectors(path, texts.numbers, encoded.rows)
        write_random_pairs(path, texts.numbers, encoded.rows, terms.mean_terms)
        if self._kept and self._keeps_scale():
            self._kept.copy_scale(path)
        else:
            write_means(path, texts.numbers, encoded.rows)
            write_learned_pairs(path, np.zeros(0))  # until the generation can be opened
        (path / _ROWS_FILE).unlink()

    def _keeps_scale(self) -> bool:
        ranking = ranking_for(self._encoder.fingerprint)
        return bool(self._kept and self._kept.keeps_scale(self._recipe(), ranking))

    def _publish(self, manifest: Manifest) -> tuple[Generation, Canary]:
        """Verify the new generation, compare it with the current one, and publish it."""
        generation = self._with_scale(self._draft.seal(manifest))
        with OpenedIndex(self._folder, generation) as built:
            verify_index(built)
            canary = self._guards.check_moved(built)
        self._draft.publish()
        return generation, canary

    def _with_scale(self, generation: Generation) -> Generation:
        """Return the generation with the scale of the learned ranking, where there is one."""
        if not generation.manifest.ranking or self._keeps_scale():
            return generation
        with OpenedIndex(self._folder, generation) as built:
            write_learned_pairs(self._draft.path, learned_pairs(built, self._progress))
        known = dict(generation.manifest.files)
        del known[LEARNED_PAIRS_FILE]
        return self._draft.seal(msgspec.structs.replace(generation.manifest, files=known))

    def _recipe(self) -> Recipe:
        encoder = self._encoder
        return Recipe(
            text_version=TEXT_VERSION,
            terms_version=TERMS_VERSION,
            model=encoder.name,
            fingerprint=encoder.fingerprint,
            dimension=encoder.dimension,
            max_tokens=encoder.max_tokens,
        )

    def _manifest(self, records: _Records, texts: TextNumbers, terms: _Terms) -> Manifest:
        encoder = self._encoder
        return Manifest(
            format=FORMAT,
            generation=self._draft.name,
            previous=self._draft.previous,
            built=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            records_date=records.date,
            n_studies=records.n_studies,
            field_coverage=texts.coverage(),
            mean_terms=terms.mean_terms,
            fitted=terms.fitted,
            n_fitted=terms.n_fitted,
            recipe=self._recipe(),
            ranking=ranking_for(encoder.fingerprint),
            precision=encoder.precision,
            details=self._details,
            n_facts=self._n_facts,
            sources=records.sources,
            versions=_versions(),
        )

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Measure how long a stage takes."""
        began = time.perf_counter()
        yield
        self._seconds[name] = time.perf_counter() - began

    def _counted(
        self, stage: str, staging: Staging, *, with_facts: bool = False
    ) -> Iterator[Study]:
        """Yield the studies, and report how many have been yielded."""
        n_studies = staging.n_studies
        for n, study in enumerate(staging.studies(with_facts=with_facts)):
            if n % _STEP == 0:
                self._progress(stage, n, n_studies, "studies")
            yield study
        self._progress(stage, n_studies, n_studies, "studies")


def _versions() -> dict[str, str]:
    """Return program or library → its version."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
