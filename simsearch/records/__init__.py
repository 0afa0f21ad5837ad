"""Registry records in each form → `Study`.

`read_studies` is the one door: it yields a `Study` for every usable record and a
`Rejected` with its reason for every other, so that nothing is dropped silently.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from simsearch.errors import SourceError
from simsearch.records.outcome import Notice, Outcome, Rejected
from simsearch.records.sources import SourceFile, SourceWalk
from simsearch.study import Study

__all__ = [
    "Notice",
    "Outcome",
    "Rejected",
    "SourceFile",
    "StudyReader",
    "read_draft",
    "read_studies",
]


class StudyReader:
    """Iterate over the studies of several sources; see `read_studies`."""

    def __init__(self, sources: Sequence[str | os.PathLike[str]]) -> None:
        self._walks = [SourceWalk(source) for source in sources]

    @property
    def bytes_read(self) -> int:
        """How many of `bytes_total` have been read so far."""
        return sum(walk.bytes_read for walk in self._walks)

    @property
    def bytes_total(self) -> int:
        """Size of all sources on disk, in bytes (of standard input once it has ended)."""
        return sum(walk.bytes_total for walk in self._walks)

    @property
    def source_files(self) -> tuple[SourceFile, ...]:
        """Name, size and digest of each source, complete once the iteration has ended."""
        return tuple(walk.description for walk in self._walks)

    def __iter__(self) -> Iterator[Outcome]:
        for walk in self._walks:
            n_studies = 0
            first_trouble = ""
            for outcome in walk:
                if isinstance(outcome, Study):
                    n_studies += 1
                elif not first_trouble:
                    trouble = outcome.message if isinstance(outcome, Notice) else outcome.reason
                    first_trouble = f"{outcome.place}: {trouble}"
                yield outcome
            if not n_studies:
                reason = f" ({first_trouble})" if first_trouble else ""
                raise SourceError(walk.description.name, f"holds no usable study record{reason}")


def read_studies(*sources: str | os.PathLike[str]) -> StudyReader:
    """Return an iterator over all studies of `sources`, in their own order.

    A source is a path of a file or folder, or `-` for standard input. Its form (API v2
    JSON Lines, array, one study, search page; zip or folder of these; gzip of any) is
    found from its content. The iterator yields a `Study` per usable record, `Rejected`
    for any other, and a `Notice` for what a person should know.

    Raises:
        SourceError: a source is missing, empty, cut short, or holds no study record.
    """
    return StudyReader(sources)


def read_draft(source: str | os.PathLike[str]) -> Study:
    """Return the one study record in `source`, which may lack an NCT ID.

    Raises:
        SourceError: the source cannot be read, or holds none or several records.
    """
    walk = SourceWalk(source, draft=True)
    found = [outcome for outcome in walk if not isinstance(outcome, Notice)]
    if len(found) != 1:
        raise SourceError(
            walk.description.name, f"holds {len(found):,} records, where one is needed"
        )
    (outcome,) = found
    if isinstance(outcome, Rejected):
        raise SourceError(walk.description.name, f"is no usable study record: {outcome}")
    return outcome
