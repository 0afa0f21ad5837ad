"""Registry records in each form → `Study`.

`read_studies` is the one door: it yields a `Study` for every usable record and a
`Rejected` with its reason for every other, so that nothing is dropped silently.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

import msgspec

from simsearch.errors import NctIdError, SourceError
from simsearch.records.registry import Record, study_from_record
from simsearch.records.sources import BrokenRecord, Found, Notice, RawRecord, SourceFile, SourceWalk
from simsearch.study import Study

__all__ = ["Notice", "Rejected", "SourceFile", "StudyReader", "read_draft", "read_studies"]

_decoder = msgspec.json.Decoder(Record)
_NCT_ID_TEXT = re.compile(rb'"nctId"\s*:\s*"([^"]{1,40})"')


class Rejected(msgspec.Struct, frozen=True):
    """A record that cannot be used: where it stands, its NCT ID if readable, and why."""

    place: str
    nct_id: str
    reason: str

    def __str__(self) -> str:
        name = f" {self.nct_id}" if self.nct_id else ""
        return f"{self.place}{name}: {self.reason}"


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

    def __iter__(self) -> Iterator[Study | Rejected | Notice]:
        for walk in self._walks:
            n_studies = 0
            first_trouble = ""
            for found in walk:
                outcome = _outcome(found)
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
    walk = SourceWalk(source)
    found = [each for each in walk if not isinstance(each, Notice)]
    if len(found) != 1:
        raise SourceError(
            walk.description.name, f"holds {len(found):,} records, where one is needed"
        )
    outcome = _outcome(found[0], draft=True)
    if not isinstance(outcome, Study):
        raise SourceError(walk.description.name, f"is no usable study record: {outcome}")
    return outcome


def _outcome(found: Found, *, draft: bool = False) -> Study | Rejected | Notice:
    if isinstance(found, Notice):
        return found
    if isinstance(found, BrokenRecord):
        return Rejected(found.place, _readable_nct_id(found.body), found.reason)
    try:
        return study_from_record(_record(found), draft=draft)
    except msgspec.ValidationError as error:
        reason = f"not a study record in API v2 layout: {error}"
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = f"broken JSON: {error}"
    except NctIdError as error:
        reason = str(error) if error.text else "the record has no NCT ID"
    return Rejected(found.place, _readable_nct_id(found.body), reason)


def _record(found: RawRecord) -> Record:
    if isinstance(found.body, dict):
        return msgspec.convert(found.body, Record)
    return _decoder.decode(found.body)


def _readable_nct_id(body: msgspec.Raw | bytes | dict[str, object]) -> str:
    """Return the NCT ID of a record that could not be parsed, as far as one is seen."""
    text = msgspec.json.encode(body) if isinstance(body, dict) else bytes(body)
    match = _NCT_ID_TEXT.search(text)
    return match[1].decode("ascii", "replace") if match else ""
