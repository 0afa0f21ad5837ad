"""What a build reports: the records that it read, rejected and published."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import msgspec

from simsearch.build.distinct_texts import TextNumbers
from simsearch.build.guards import Canary
from simsearch.errors import RejectedRecordsError
from simsearch.index.directory import Generation
from simsearch.index.manifest import Recipe
from simsearch.records import Gone, LeftOut, Notice, Outcome, Rejected, SourceFile
from simsearch.study import Study

MAX_REJECTED_SHARE = 0.01
"""A build fails if a larger share of its records is unusable, unless `allow_rejects` is given."""

_EXAMPLES = 5  # rejected records and notices that a report shows


class BuildReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a build read and published."""

    index: Path
    generation: str
    n_studies: int
    n_records: int
    n_rejected: int
    reject_reasons: dict[str, int]
    """Reason → number of records, the most frequent first."""
    rejected_examples: tuple[Rejected, ...]
    """The first few."""
    left_out: dict[str, int]
    """Fact of a wrong type → number of records that were read without it."""
    left_out_examples: tuple[LeftOut, ...]
    """The first few."""
    n_duplicates: int
    """How many usable records were replaced by a newer one of the same study."""
    notices: tuple[Notice, ...]
    """The first few of `n_notices`."""
    n_notices: int
    n_texts: int
    """How many texts the studies have in all fields."""
    n_distinct: int
    n_cached: int
    """How many of the distinct texts were in the cache."""
    n_truncated: int
    """How many of the distinct texts were cut off at `max_tokens`."""
    max_tokens: int
    empty_fields: dict[str, int]
    """Field → number of studies without text in it."""
    records_date: str
    """The latest date in the records, ISO, or empty."""
    recipe: Recipe
    precision: str
    details: str
    """How much of the facts is kept: `none`, `brief` or `full`."""
    kept_details: bool
    """Whether that is less than everything because the generation before keeps no more."""
    fitted: str
    """The generation that the term weights were fitted in."""
    sources: tuple[SourceFile, ...]
    canary: Canary
    bytes: int
    """Size of the generation on disk."""
    seconds: dict[str, float]
    """Stage → time taken, in the order of the stages."""

    @property
    def n_encoded(self) -> int:
        """How many texts this build encoded."""
        return self.n_distinct - self.n_cached

    @property
    def n_reused(self) -> int:
        """How many texts reuse the vector of an equal text."""
        return self.n_texts - self.n_distinct


class Tally:
    """Counts the outcomes of reading, and keeps the first few rejected records and notices."""

    def __init__(self) -> None:
        self.n_usable = 0
        self.n_rejected = 0
        self.n_notices = 0
        self.rejected: list[Rejected] = []
        self.notices: list[Notice] = []
        self.gone: list[Gone] = []
        """All studies that have left the registry."""
        self.left_out_examples: list[LeftOut] = []
        self._reasons: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    @property
    def n_records(self) -> int:
        """How many records were read, usable or not."""
        return self.n_usable + self.n_rejected

    @property
    def reasons(self) -> dict[str, int]:
        """Reason of rejection → number of records, the most frequent first."""
        return dict(self._reasons.most_common())

    @property
    def left_out(self) -> dict[str, int]:
        """Fact of a wrong type → number of records without it, the most frequent first."""
        return dict(self._left_out.most_common())

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        if isinstance(outcome, Study):
            self.n_usable += 1
        elif isinstance(outcome, Rejected):
            self.n_rejected += 1
            self._reasons[_kind_of(outcome.reason)] += 1
            if len(self.rejected) < _EXAMPLES:
                self.rejected.append(outcome)
        elif isinstance(outcome, Gone):
            self.gone.append(outcome)
        elif isinstance(outcome, LeftOut):
            self._left_out[outcome.fact] += 1
            if len(self.left_out_examples) < _EXAMPLES:
                self.left_out_examples.append(outcome)
        else:
            self.n_notices += 1
            if len(self.notices) < _EXAMPLES:
                self.notices.append(outcome)

    def check(self) -> None:
        """Check that few of the records are unusable.

        Raises:
            RejectedRecordsError: more than `MAX_REJECTED_SHARE` of them are.
        """
        if self.n_rejected > MAX_REJECTED_SHARE * self.n_records:
            raise RejectedRecordsError(self.n_rejected, self.n_records, str(self.rejected[0]))


def report_of(
    index: Path,
    generation: Generation,
    tally: Tally,
    texts: TextNumbers,
    canary: Canary,
    *,
    n_cached: int,
    n_truncated: int,
    kept_details: bool,
    seconds: dict[str, float],
) -> BuildReport:
    """Return the report of a build that has published a generation."""
    manifest = generation.manifest
    n_studies = manifest.n_studies
    return BuildReport(
        index=index,
        generation=manifest.generation,
        n_studies=n_studies,
        n_records=tally.n_records,
        n_rejected=tally.n_rejected,
        reject_reasons=tally.reasons,
        rejected_examples=tuple(tally.rejected),
        left_out=tally.left_out,
        left_out_examples=tuple(tally.left_out_examples),
        n_duplicates=tally.n_usable - n_studies,
        notices=tuple(tally.notices),
        n_notices=tally.n_notices,
        n_texts=texts.n_texts,
        n_distinct=texts.n_distinct,
        n_cached=n_cached,
        n_truncated=n_truncated,
        max_tokens=manifest.recipe.max_tokens,
        empty_fields={field: n_studies - n for field, n in manifest.field_coverage.items()},
        records_date=manifest.records_date,
        recipe=manifest.recipe,
        precision=manifest.precision,
        details=manifest.details,
        kept_details=kept_details,
        fitted=manifest.fitted,
        sources=manifest.sources,
        canary=canary,
        bytes=generation.bytes,
        seconds=seconds,
    )


def _kind_of(reason: str) -> str:
    """Return a reason without what is specific to one record: IDs, lines, numbers (but API v2)."""
    return " ".join(
        re.sub(r"'[^']*'|\([^)]*\)|\b[0-9][0-9,]*", "", reason.split(":", maxsplit=1)[0]).split()
    )
