"""The site's table of studies: the CSV download of the website, and the API's `format=csv`.

Columns are found by their names in the header, so their order and number do not matter. The
older site's table (before 2024: Title, Status, Sponsor/Collaborators) is read too, and what a
spreadsheet makes of either: `;` or tabs between cells, text in Windows-1252.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import msgspec

from simsearch.errors import NctIdError
from simsearch.records.assemble import assemble_study
from simsearch.records.csv_cells import (
    NOT_GIVEN,
    BrokenRowError,
    country,
    enrollment,
    has_results,
    interventions,
    measures,
)
from simsearch.records.csv_facts import raw_facts
from simsearch.records.csv_rows import Row, RowReader, long_cells
from simsearch.records.outcomes import (
    Notice,
    NotRecordsError,
    Outcome,
    Rejected,
    Stream,
    nct_id_reason,
    readable_nct_id,
)
from simsearch.records.table_dates import COLUMNS, DateColumns
from simsearch.study import Study

NO_HEADER = "its first line does not name the columns NCT Number and Study Title"
"""Why a table is not read."""

_DELIMITERS = ",;\t"
_HEAD_BYTES = 4096
_MAX_LINES_ABOVE = 10
_SEPARATOR_LINE = re.compile(rb"(?:\xef\xbb\xbf)?sep=.\s*", re.IGNORECASE)  # of a spreadsheet
_NCT_ID = re.compile(r"NCT[0-9]{8}", re.IGNORECASE)
# The number of a row whose cells are not known: it is the first cell, or stands after the rank.
_FIRST_CELLS = re.compile(rb"""\s*(?:"?[0-9]*"?[,;\t])?"?(NCT[0-9]{1,8})(?![0-9])""", re.IGNORECASE)


class _Header(msgspec.Struct, frozen=True):
    """Where the header of a table stands, and what separates its cells."""

    delimiter: str
    names: tuple[str, ...]
    above: tuple[bytes, ...] = ()
    """The lines above it."""

    @property
    def is_plain(self) -> bool:
        """Whether quotes are plain characters, as in the older site's file with tabs."""
        return self.delimiter == "\t" and {"rank", "url"} <= {*self.names}


class _Numbered(msgspec.Struct, frozen=True):
    """A row, its number, and the columns of the header above it."""

    n: int
    names: tuple[str, ...]
    row: Row


def recognises(head: bytes) -> bool:
    """Return whether content with these first bytes may be the site's table of studies."""
    return bool(_header(head))


def read(stream: Stream, place: str, *, draft: bool = False) -> Iterator[Outcome]:
    """Yield the studies of a table, and a `Rejected` for each row that is not usable.

    Rows are numbered from 1, not counting headers. A second header (concatenated pages) is not a
    row; it names the columns of the rows after it. Lines above the first header are left out
    with a `Notice`, and so are dates that cannot be understood.

    Raises:
        SourceError: a line is too long to be from the registry.
        NotRecordsError: no line at the beginning is the header of such a table.
    """
    header = _header(stream.peek(_HEAD_BYTES))
    if not header:
        raise NotRecordsError(NO_HEADER)
    for _ in header.above:
        stream.readline()
    if n_captions := sum(not _SEPARATOR_LINE.fullmatch(line) for line in header.above):
        lines = "a line" if n_captions == 1 else f"{n_captions} lines"
        yield Notice(place, f"left out: {lines} above the header")
    reader = RowReader(stream, place, len(header.above))
    dates = DateColumns()
    split = reader.plain_rows if header.is_plain else reader.rows
    for each in _settled(_numbered(split(header.delimiter)), dates):
        yield _outcome(each, dates, f"{place} row {each.n:,}", draft=draft)
    yield from dates.notices(place)


def _header(head: bytes) -> _Header | None:
    """Return the header among the first lines, or None if no line is one."""
    lines = head.split(b"\n", _MAX_LINES_ABOVE)[:_MAX_LINES_ABOVE]
    for n, raw in enumerate(lines):
        line = raw.decode("utf-8", "replace").removeprefix("\ufeff")
        for delimiter in _DELIMITERS:
            try:
                with long_cells():
                    names = _names(next(csv.reader([line], delimiter=delimiter), []))
            except csv.Error:
                continue
            if _is_header(names):
                return _Header(delimiter, names, tuple(lines[:n]))
    return None


def _is_header(names: Sequence[str]) -> bool:
    return "nct number" in names and ("study title" in names or "title" in names)


def _names(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell.strip().lower() for cell in cells)


def _numbered(rows: Iterator[Row]) -> Iterator[_Numbered]:
    names: tuple[str, ...] = ()
    n = 0
    for row in rows:
        if _is_header(found := _names(row.cells)):
            names = found
            continue
        n += 1
        yield _Numbered(n, names, row)


def _settled(rows: Iterator[_Numbered], dates: DateColumns) -> Iterator[_Numbered]:
    """Yield the rows; from the first date that a spreadsheet rewrote on, read all ahead.

    They wait in a temporary file: only the column as a whole shows which number is the day.
    """
    first = None
    for each in rows:
        if dates.see(dict(zip(each.names, each.row.cells, strict=False))):
            first = each
            break
        yield each
    if first is None:
        return
    with tempfile.TemporaryFile() as file:
        for each in chain([first], rows):
            dates.see(dict(zip(each.names, each.row.cells, strict=False)))
            encoded = msgspec.msgpack.encode(each)
            file.write(len(encoded).to_bytes(8) + encoded)
        file.seek(0)
        while size := file.read(8):
            yield msgspec.msgpack.decode(file.read(int.from_bytes(size)), type=_Numbered)


def _outcome(each: _Numbered, dates: DateColumns, place: str, *, draft: bool) -> Outcome:
    row = each.row
    try:
        cells = _by_name(row, each.names)
        cells.update(
            {
                column: dates.iso(column, cells[column], f"row {each.n:,}")
                for column in COLUMNS
                if column in cells
            }
        )
        return _study(cells, draft=draft)
    except NctIdError as error:
        reason = nct_id_reason(error)
    except BrokenRowError as error:
        reason = str(error)
    return Rejected(place, _own_number(row, each.names), f"{reason} ({row.lines})")


def _own_number(row: Row, names: Sequence[str]) -> str:
    """Return the NCT ID in the row's own column; of a row without cells, that of its first cell."""
    if len(row.cells) == len(names):
        return readable_nct_id(row.cells[names.index("nct number")].encode())
    own = _FIRST_CELLS.match(row.body)
    return own[1].decode().upper() if own else ""


def _by_name(row: Row, names: Sequence[str]) -> dict[str, str]:
    """Return the cells of a row by column; cells with the older site's `null` are empty."""
    if len(row.cells) == len(names) and not (row.guessed and not _is_sound(row, names)):
        cells = ("" if cell.strip() == "null" else cell for cell in row.cells)
        found = dict(zip(names, cells, strict=True))
        if not row.trouble or row.guessed:
            return found
    if row.trouble:
        raise BrokenRowError(row.trouble)
    counts = f"{len(row.cells):,} instead of {len(names):,}"
    raise BrokenRowError(f"the number of cells differs from the header's: {counts}")


def _is_sound(row: Row, names: Sequence[str]) -> bool:
    """Return whether a row with bad quotes was guessed rightly: what has a shape is in its place.

    The older site writes `"Expanded Access":Treatment IND/Protocol"`.
    """
    cells = dict(zip(names, row.cells, strict=True))
    shaped = [cells[name].strip() for name in COLUMNS if name in cells]
    return bool(_NCT_ID.fullmatch(cells["nct number"].strip())) and all(
        text.lower() in NOT_GIVEN or any(digit in text for digit in "0123456789")
        for text in (*shaped, cells.get("enrollment", ""))
    )


def _study(row: Mapping[str, str], *, draft: bool) -> Study:
    """Return the study of a row, given by column; the older site's columns are the fallback."""
    sponsors = row.get("sponsor/collaborators", "")
    return assemble_study(
        draft=draft,
        nct_id=row["nct number"],
        title=row.get("study title", row.get("title")),
        acronym=row.get("acronym"),
        summary=row.get("brief summary"),
        conditions=row.get("conditions", "").split("|"),
        interventions=interventions(row.get("interventions", "")),
        status=row.get("study status", row.get("status")),
        study_type=row.get("study type"),
        phases=[row.get("phases", "")],
        sponsor=row.get("sponsor", sponsors.partition("|")[0]),
        countries=map(country, row.get("locations", "").split("|")),
        start_date=row.get("start date"),
        completion_date=row.get("completion date"),
        last_update_date=row.get("last update posted"),
        outcomes=measures(row),
        searched=[row.get("other ids")],
        enrollment=enrollment(row.get("enrollment", "")),
        has_results=has_results(row.get("study results", "")),
        facts=raw_facts(row),
    )
