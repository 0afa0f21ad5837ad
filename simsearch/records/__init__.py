"""Registry records of every form → `Study`.

`read_studies` reads them all: it yields a `Study` for each usable record and a `Rejected` with
the reason for each other one, so that nothing is dropped silently. The readers are imported when
a source is read, because a query by NCT ID needs none of them.
"""

from __future__ import annotations

import io
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from simsearch.errors import NctIdError, SourceError
from simsearch.records.lists import TooLongError, short_text
from simsearch.records.outcomes import Gone, LeftOut, Notice, Outcome, Rejected, SourceFile, Stream
from simsearch.study import Study, parse_nct_id

if TYPE_CHECKING:
    from simsearch.records.aact_server import Server, ServerWalk
    from simsearch.records.sources import SourceWalk

__all__ = [
    "Gone",
    "LeftOut",
    "Notice",
    "Outcome",
    "Rejected",
    "SourceFile",
    "StudyReader",
    "ids_with_places",
    "read_draft",
    "read_draft_text",
    "read_ids",
    "read_record",
    "read_studies",
]


_MAX_COUNTED = 100  # records that are counted where one is needed


class StudyReader:
    """Iterate over the studies of several sources; see `read_studies`."""

    def __init__(self, sources: Sequence[str | os.PathLike[str] | Server]) -> None:
        self._walks = [_walk_of(source) for source in sources]

    @property
    def bytes_read(self) -> int:
        """How many of the `bytes_total` bytes have been read so far."""
        return sum(walk.bytes_read for walk in self._walks)

    @property
    def bytes_total(self) -> int:
        """Size of all sources on disk in bytes; that of standard input is known at its end."""
        return sum(walk.bytes_total for walk in self._walks)

    @property
    def source_files(self) -> tuple[SourceFile, ...]:
        """Name, size and digest of each source; complete once the iteration has ended."""
        return tuple(walk.description for walk in self._walks)

    def check(self) -> None:
        """Check that each source can be read and holds a study, as far as its beginning shows.

        Raises:
            SourceError: one cannot, or holds none.
        """
        for walk in self._walks:
            if not walk.check():
                deque(self._outcomes(walk), maxlen=0)  # raises, with what it holds instead

    def __iter__(self) -> Iterator[Outcome]:
        for walk in self._walks:
            yield from self._outcomes(walk)

    def _outcomes(self, walk: SourceWalk | ServerWalk) -> Iterator[Outcome]:
        n_studies = 0
        first_trouble = ""
        for outcome in walk:
            if isinstance(outcome, Study):
                n_studies += 1
            elif isinstance(outcome, Notice | Rejected) and not first_trouble:
                trouble = outcome.message if isinstance(outcome, Notice) else outcome.reason
                first_trouble = f"{outcome.place}: {trouble}"
            yield outcome
        if not n_studies:
            reason = f" ({first_trouble})" if first_trouble else ""
            raise SourceError(walk.description.name, f"contains no usable study record{reason}")


def server_of(source: object) -> Server | None:
    """Return the server that a source is the address of; None for a file or folder."""
    text = str(source)
    if not text.startswith(("postgres:", "postgresql:")):
        return None
    from simsearch.records.aact_server import SCHEMES, Server

    if isinstance(source, Server):
        return source
    return Server(text) if text.startswith(SCHEMES) else None


def _walk_of(source: str | os.PathLike[str] | Server) -> SourceWalk | ServerWalk:
    if server := server_of(source):
        from simsearch.records.aact_server import ServerWalk

        return ServerWalk(server)
    from simsearch.records.sources import SourceWalk

    return SourceWalk(cast("str | os.PathLike[str]", source))


def read_studies(*sources: str | os.PathLike[str] | Server) -> StudyReader:
    """Return an iterator over all studies of `sources`, in the order in which they are stored.

    A source is the path of a file or folder, `-` for standard input, or the address of a
    PostgreSQL server with AACT's database (`postgresql://…`). The form of a file is detected from
    its content: API v2 JSON (lines, an array, one study, a search page), the site's CSV,
    the legacy XML, AACT's zip of tables, a mirror; a zip or folder of these; any of them
    compressed with gzip. The iterator yields a `Study` for each usable record, a `Rejected` for
    each other record, a `Gone` for each study that has left the registry according to a mirror,
    and a `Notice` for anything else that a person should know.

    Raises:
        SourceError: a source is missing, empty or cut short, or contains no study record.
    """
    return StudyReader(sources)


def read_draft(source: str | os.PathLike[str]) -> Study:
    """Return the only study record in `source`; it may lack an NCT ID.

    Raises:
        SourceError: the source is a folder, cannot be read, or does not contain exactly one
            usable record.
    """
    from simsearch.records.sources import SourceWalk

    if os.path.isdir(source):  # noqa: PTH112 - any path will do
        raise SourceError(os.fspath(source), "is a folder: name the file of one record")
    walk = SourceWalk(source, draft=True)
    return _only(walk, lambda: walk.description.name)


def read_draft_text(body: bytes, place: str) -> Study:
    """Return the only study record in a text of any form; it may lack an NCT ID.

    Args:
        body: the text: JSON, XML or CSV, not packed.
        place: what it is called in an error.

    Raises:
        SourceError: it does not hold exactly one usable record.
    """
    from simsearch.records.outcomes import NotRecordsError
    from simsearch.records.recognise import text_outcomes

    stream = cast("Stream", io.BufferedReader(io.BytesIO(body)))
    try:
        return _only(text_outcomes(stream, place, draft=True), lambda: place)
    except NotRecordsError as error:
        raise SourceError(place, str(error)) from None


def _only(outcomes: Iterable[Outcome], name: Callable[[], str]) -> Study:
    """Return the only study among outcomes.

    Raises:
        SourceError: there is another number of records, or it is unusable.
    """
    records = (outcome for outcome in outcomes if isinstance(outcome, Study | Rejected))
    found = list(islice(records, _MAX_COUNTED + 1))
    if len(found) != 1:
        number = f"more than {_MAX_COUNTED}" if len(found) > _MAX_COUNTED else f"{len(found):,}"
        raise SourceError(name(), f"contains {number} records instead of one")
    (outcome,) = found
    if isinstance(outcome, Rejected):
        raise SourceError(name(), f"is not a usable study record: {outcome}")
    return outcome


def read_record(body: bytes, place: str) -> Study:
    """Return the study of one record in API v2 layout.

    Args:
        body: the record as JSON.
        place: where it came from, for the error.

    Raises:
        SourceError: the record is not usable.
    """
    from simsearch.records import json_reader

    outcome = next(json_reader.study_outcomes(body, place))
    if isinstance(outcome, Study):
        return outcome
    raise SourceError(place, f"is not a usable study record: {outcome}")


def read_ids(path: str | os.PathLike[str], parse: Callable[[str], str] = parse_nct_id) -> list[str]:
    """Return the NCT IDs listed in a file, one per line, without repeats.

    Blank lines and comments (from # to the end of the line) are ignored.

    Args:
        path: the file; `-` for standard input.
        parse: takes a line, and may take other numbers of studies too (`study_number`).

    Raises:
        SourceError: the file cannot be read or names no study, or a line is not an NCT ID.
    """
    return list(ids_with_places(path, parse))


def ids_with_places(
    path: str | os.PathLike[str], parse: Callable[[str], str] = parse_nct_id
) -> dict[str, str]:
    """Return each NCT ID → where it first appears (`watched.txt line 3`); see `read_ids`."""
    place = "standard input" if str(path) == "-" else str(path)
    try:
        lines = _text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(place, getattr(error, "strerror", "") or "is not UTF-8 text") from error
    except TooLongError as error:
        raise SourceError(place, str(error)) from error
    ids: dict[str, str] = {}
    for n, line in enumerate(lines, start=1):
        if named := line.partition("#")[0].strip():
            try:
                ids.setdefault(parse(named), f"{place} line {n:,}")
            except NctIdError as error:
                raise SourceError(f"{place} line {n:,}", f"{named!r} is not an NCT ID") from error
    if not ids:
        raise SourceError(place, "names no study")
    return ids


def _text(path: str | os.PathLike[str]) -> str:
    if str(path) != "-":
        return short_text(Path(path))
    if sys.stdin is None:
        raise SourceError("standard input", "is closed")
    return short_text(sys.stdin.buffer)
