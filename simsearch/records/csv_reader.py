"""The site's table of studies: the browser download as CSV, and the API's `format=csv`.

Columns are found by the names in the header, so that their order and number are free.
The older site's table (before 2024: Title, Status, Sponsor/Collaborators) is read too,
and what a spreadsheet makes of either: `;` or tabs between cells, Windows-1252 letters.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from simsearch.errors import NctIdError, SourceError
from simsearch.records import vocabulary
from simsearch.records.assemble import RawIntervention, assemble_study
from simsearch.records.outcomes import (
    MAX_DOCUMENT_BYTES,
    NotRecordsError,
    Outcome,
    Rejected,
    Stream,
    nct_id_reason,
    readable_nct_id,
)
from simsearch.study import Study

_DELIMITERS = ",;\t"
_HEAD_BYTES = 4096
# The registry's longest cells have some 200,000 characters; what is longer lacks a quote.
_MAX_CELL_CHARACTERS = 2**22
_ENUM_TYPES = (
    "BEHAVIORAL", "BIOLOGICAL", "COMBINATION_PRODUCT", "DEVICE", "DIAGNOSTIC_TEST",
    "DIETARY_SUPPLEMENT", "DRUG", "GENETIC", "OTHER", "PROCEDURE", "RADIATION",
)  # fmt: skip
_INTERVENTION_TYPES = frozenset(
    {*_ENUM_TYPES, *(name.replace("_", " ").title() for name in _ENUM_TYPES)}
)
# A table that went through a data frame has 30.0 for 30 where other cells are empty.
_COUNT = re.compile(r"([0-9]{1,15})(?:\.0+)?")


class _BrokenRowError(Exception):
    """The row is not one whole record; the message says why."""


class _Row(msgspec.Struct, frozen=True):
    """The cells of one row, the bytes and lines it was read from, and what is wrong."""

    cells: list[str]
    body: bytes
    lines: str
    trouble: str = ""


def recognises(head: bytes) -> bool:
    """Tell by its first bytes whether a content may be the site's table of studies."""
    return bool(_delimiter(head))


def read(stream: Stream, place: str, *, draft: bool = False) -> Iterator[Outcome]:
    """Yield the studies of a table, each row or the reason why it cannot be used.

    Rows are numbered from 1, headers left out. A header met again (pages one after
    the other) is no row; it names the columns from there on.

    Raises:
        SourceError: a line too long to be the registry's.
        NotRecordsError: the first line is no header of such a table.
    """
    delimiter = _delimiter(stream.peek(_HEAD_BYTES))
    if not delimiter:
        raise NotRecordsError("its first line does not name NCT Number and Study Title")
    names: tuple[str, ...] = ()
    n = 0
    for row in _Lines(stream, place).rows(delimiter):
        if _is_header(row.cells):
            names = _names(row.cells)
            continue
        n += 1
        yield _outcome(row, names, f"{place} row {n:,}", draft=draft)


def _delimiter(head: bytes) -> str:
    """Return what separates the cells of the header in the first line, or `""`."""
    line = head.partition(b"\n")[0].decode("utf-8", "replace").removeprefix("\ufeff")
    for delimiter in _DELIMITERS:
        try:
            with _long_cells():
                cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            continue
        if _is_header(cells):
            return delimiter
    return ""


def _is_header(cells: Sequence[str]) -> bool:
    names = _names(cells)
    return "nct number" in names and ("study title" in names or "title" in names)


def _names(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell.strip().lower() for cell in cells)


class _Lines:
    """The lines of a stream as text, one row's lines kept until the row is complete.

    A line is UTF-8 where it is valid UTF-8. If the first line that is not ASCII is no
    valid UTF-8, the table was saved by a spreadsheet and such lines are Windows-1252;
    otherwise such a line is damaged.
    """

    def __init__(self, stream: Stream, place: str) -> None:
        self._stream = stream
        self._place = place
        self._encoding = ""
        self._n = 0
        self._row: list[bytes] = []
        self._damaged = False
        self._again: deque[bytes] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._next_line()
        if not line:
            raise StopIteration
        self._n += 1
        self._row.append(line)
        return self._decode(line)

    def rows(self, delimiter: str) -> Iterator[_Row]:
        """Yield the rows that are not blank.

        A row whose quotes do not close where they must has swallowed lines that are
        not its own: it is given as its first line alone, and reading goes on with the
        second, so that the rows after it are found again.
        """
        while True:
            self._row, self._damaged = [], False
            try:
                with _long_cells():
                    cells = next(csv.reader(self, delimiter=delimiter, strict=True), None)
            except csv.Error as error:
                trouble = f"{_in_words(error)}; reading goes on with the next line"
                self._step_back()
                yield _Row([], self._row[0], self._where(), trouble)
                continue
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                trouble = f"not {self._encoding.upper()} text" if self._damaged else ""
                yield _Row(cells, b"".join(self._row), self._where(), trouble)

    def _next_line(self) -> bytes:
        line = self._stream.readline(MAX_DOCUMENT_BYTES + 1)
        if len(line) > MAX_DOCUMENT_BYTES:
            raise SourceError(self._place, f"a line of over {MAX_DOCUMENT_BYTES:,} bytes")
        return line

    def _decode(self, line: bytes) -> str:
        try:
            text = line.decode("utf-8")
            if not line.isascii():
                self._encoding = self._encoding or "utf-8"
        except UnicodeDecodeError:
            self._encoding = self._encoding or "cp1252"
            text = line.decode(self._encoding, "replace")
            self._damaged |= "\ufffd" in text
        return text.removeprefix("\ufeff")

    def _step_back(self) -> None:
        """Give all lines of the row but the first once more."""
        self._again.extendleft(reversed(self._row[1:]))
        self._n -= len(self._row) - 1
        del self._row[1:]

    def _where(self) -> str:
        first = self._n - len(self._row) + 1
        return f"line {self._n:,}" if first == self._n else f"lines {first:,} to {self._n:,}"


@contextmanager
def _long_cells() -> Iterator[None]:
    """Lift the csv module's limit for one row; it is the whole process's."""
    before = csv.field_size_limit(_MAX_CELL_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _in_words(error: csv.Error) -> str:
    """Say in words what the csv module found."""
    if "unexpected end" in str(error):
        return "a quote that opens here is not closed by the end of the file"
    if "field limit" in str(error):
        return f"a cell of over {_MAX_CELL_CHARACTERS:,} characters: a quote is not closed"
    return f"its cells cannot be told apart ({error})"


def _outcome(row: _Row, names: Sequence[str], place: str, *, draft: bool) -> Outcome:
    try:
        return _study(_by_name(row, names), draft=draft)
    except NctIdError as error:
        reason = nct_id_reason(error)
    except _BrokenRowError as error:
        reason = str(error)
    return Rejected(place, readable_nct_id(row.body), f"{reason} ({row.lines})")


def _by_name(row: _Row, names: Sequence[str]) -> dict[str, str]:
    if row.trouble:
        raise _BrokenRowError(row.trouble)
    if len(row.cells) != len(names):
        numbers = f"{len(row.cells):,}, of named columns {len(names):,}"
        raise _BrokenRowError(f"the number of cells is {numbers}")
    return dict(zip(names, row.cells, strict=True))


def _study(row: Mapping[str, str], *, draft: bool) -> Study:
    """Return the study of a row by column names; the older site's names come second."""
    sponsors = row.get("sponsor/collaborators", "")
    return assemble_study(
        draft=draft,
        nct_id=row["nct number"],
        title=row.get("study title", row.get("title")),
        acronym=row.get("acronym"),
        summary=row.get("brief summary"),
        conditions=row.get("conditions", "").split("|"),
        interventions=_interventions(row.get("interventions", "")),
        status=row.get("study status", row.get("status")),
        study_type=row.get("study type"),
        phases=[row.get("phases", "")],
        sponsor=row.get("sponsor", sponsors.partition("|")[0]),
        countries=map(_country, row.get("locations", "").split("|")),
        start_date=row.get("start date"),
        completion_date=row.get("completion date"),
        last_update_date=row.get("last update posted"),
        outcomes=_measures(row),
        searched=[row.get("other ids")],
        enrollment=_enrollment(row.get("enrollment", "")),
        has_results=_has_results(row.get("study results", "")),
    )


def _measures(row: Mapping[str, str]) -> Iterator[str]:
    """Yield the measure of each outcome in `measure, description, time frame|measure, ...`.

    Nothing tells a comma within a measure from the one that ends it: it is cut at its
    first comma. Of 3,330 measures of the API, so joined, 95 in 100 came back whole.
    """
    for name in ("primary outcome measures", "secondary outcome measures"):
        for outcome in row.get(name, "").split("|"):
            yield outcome.partition(", ")[0]


def _interventions(text: str) -> Iterator[RawIntervention]:
    """Yield type and name of each intervention in `DRUG: X|DEVICE: Y`.

    A name may hold a bar: a piece that begins with no type belongs to the one before.
    """
    glued: list[str] = []
    for piece in text.split("|"):
        if glued and piece.partition(": ")[0] not in _INTERVENTION_TYPES:
            glued[-1] += f"|{piece}"
        else:
            glued.append(piece)
    for whole in glued:
        kind, _, name = whole.partition(": ")
        yield (kind, name, ()) if kind in _INTERVENTION_TYPES else ("", whole, ())


def _country(location: str) -> str:
    """Return the country at the end of `facility, city, state, zip, country`.

    The names with a comma (`Korea, Republic of`) are those that the registry renamed.
    """
    parts = location.strip().rsplit(", ", 2)
    with_comma = ", ".join(parts[-2:])
    return with_comma if vocabulary.country(with_comma) != with_comma else parts[-1]


def _enrollment(text: str) -> int | None:
    """Return a count of participants; a cell that is none shows a row out of step."""
    count = _COUNT.fullmatch(text.strip())
    if text.strip() and not count:
        raise _BrokenRowError(f"the enrollment is no number: {text.strip()[:40]!r}")
    return int(count[1]) if count else None


def _has_results(text: str) -> bool | None:
    """Return whether results are posted, where the cell says so in either site's words."""
    answer = text.strip().lower()
    if answer in {"yes", "has results"}:
        return True
    return False if answer in {"no", "no results available"} else None
