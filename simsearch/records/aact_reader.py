r"""The pipe-delimited download of AACT → studies: a zip with one text file per table.

The tables refer to each other by NCT ID, in no order that could be relied on, and the
whole registry is some fifteen million rows that are needed. So these rows go through one
scratch table of SQLite and come back sorted by study: its external sort keeps to a fixed
amount of memory however many rows there are, and it is part of Python. Measured on a
made zip of 100,000 studies (3.8 million rows): 2,500 studies a second and a peak of
103 MB, 51 of them Python with its imports. The scratch table takes some 4 KB of disk a
study, lies where SQLite keeps its temporary files (SQLITE_TMPDIR, TMPDIR, /var/tmp, /tmp)
and is gone when the reading ends, however it ends.

What AACT's export does to text: every `""` was deleted, so that quotes only bound a
cell; a newline with the white space after it became `~`, so that a row is a line.
Where texts carry Markdown escapes a tilde of their own is `\~`.
"""

from __future__ import annotations

import csv
import re
import sqlite3
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import groupby, islice
from operator import itemgetter
from pathlib import PurePosixPath

import msgspec

from simsearch.errors import NctIdError, SourceError
from simsearch.records import vocabulary
from simsearch.records.archive import open_member
from simsearch.records.assemble import RawIntervention, assemble_study
from simsearch.records.outcomes import (
    MAX_DOCUMENT_BYTES,
    Notice,
    Outcome,
    Rejected,
    nct_id_reason,
    readable_nct_id,
)
from simsearch.study import Study, named_nct_ids

_DUMP = "postgres_data.dmp"
_BATCH_ROWS = 5_000
_BROKEN_MEMBER = (OSError, EOFError, zlib.error, zipfile.BadZipFile)
_OUTCOME_TYPES = ("primary", "secondary")
_ESCAPED_OR_TILDE = re.compile(r"\\.|~")

# temp_store: some builds of SQLite keep temporary tables in memory unless told.
# cache_size: the memory of the sort, and of the table, in KiB.
_SCRATCH = """
    PRAGMA temp_store = FILE;
    PRAGMA cache_size = -32768;
    PRAGMA temp.cache_size = -8192;
    PRAGMA temp.journal_mode = OFF;
    CREATE TEMP TABLE part (nct_id TEXT, kind INTEGER, position INTEGER, row INTEGER, cells BLOB);
"""

_Cells = list[str | None]
_Part = tuple[str, int, int, int, bytes]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Cells).decode


class _Table(msgspec.Struct, frozen=True):
    """The columns read of a table, and which of its rows: `keeps` is given their cells.

    Every table needs its column `nct_id` too; the cell of an absent column is `None`.
    """

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    keeps: Callable[..., bool] = lambda *_: True

    @property
    def columns(self) -> tuple[str, ...]:
        """The needed columns, then the optional ones."""
        return self.needed + self.optional


def _is_mesh_of_the_study(_term: str, kind: str | None) -> bool:
    """Leave out the ancestors of a MeSH term; old exports hold none, nor the column."""
    return kind in (None, "mesh-list")


def _names_a_study(text: str) -> bool:
    """Leave out all texts but the few that are needed, for the NCT IDs in them."""
    return bool(named_nct_ids(_with_line_breaks(text)))


_TABLES = {
    "studies": _Table(
        ("brief_title",),
        (
            "official_title",
            "acronym",
            "overall_status",
            "last_known_status",
            "study_type",
            "phase",
            "enrollment",
            "start_date",
            "start_month_year",
            "completion_date",
            "completion_month_year",
            "last_update_posted_date",
            "results_first_posted_date",
        ),
    ),
    "brief_summaries": _Table(("description",)),
    "conditions": _Table(("name",)),
    "keywords": _Table(("name",)),
    "interventions": _Table(("name",), ("intervention_type", "id")),
    "intervention_other_names": _Table(("name", "intervention_id")),
    "design_outcomes": _Table(
        ("measure", "outcome_type"), keeps=lambda _measure, kind: kind.lower() in _OUTCOME_TYPES
    ),
    "countries": _Table(
        ("name",), ("removed",), lambda _name, removed: removed not in ("t", "true")
    ),
    "sponsors": _Table(("name", "lead_or_collaborator"), keeps=lambda _name, role: role == "lead"),
    "id_information": _Table(  # old exports say it in id_type
        ("id_value",),
        ("id_source", "id_type"),
        lambda value, *kinds: "nct_alias" in kinds or bool(named_nct_ids(value)),
    ),
    "detailed_descriptions": _Table(("description",), keeps=_names_a_study),
    "eligibilities": _Table(("criteria",), keeps=_names_a_study),
    "browse_conditions": _Table(("mesh_term",), ("mesh_type",), _is_mesh_of_the_study),
    "browse_interventions": _Table(("mesh_term",), ("mesh_type",), _is_mesh_of_the_study),
}
_KINDS = tuple(_TABLES)


def recognises_archive(names: Sequence[str]) -> bool:
    """Tell by its members' names whether a zip holds AACT's tables as text."""
    return len(_members(names)) > 1


def refusal(names: Sequence[str]) -> str:
    """Return what to download instead of AACT's database dump; `""` for any other zip."""
    if not any(PurePosixPath(name).name.lower() == _DUMP for name in names):
        return ""
    return (
        f"it is AACT's PostgreSQL dump ({_DUMP}), which only PostgreSQL reads: download "
        "the pipe-delimited files (YYYYMMDD_export_ctgov.zip) of "
        "https://aact.ctti-clinicaltrials.org instead"
    )


def read_archive(archive: zipfile.ZipFile, place: str) -> Iterator[Outcome]:
    """Yield the studies of AACT's tables, in the order of their NCT IDs.

    A row of studies.txt that cannot be read is a `Rejected`, with the row counted as an
    editor counts it, the header being row 1. Of the other tables a `Notice` says what
    is missing: the studies are read without it.

    Raises:
        SourceError: studies.txt lacks its columns, a table cannot be unpacked to its
            end, or there is no room for the scratch table.
    """
    members = _members(archive.namelist())
    try:
        with closing(sqlite3.connect(":memory:")) as scratch:
            scratch.executescript(_SCRATCH)
            for name, member in members.items():
                yield from _load(scratch, archive, member, name, f"{place}!{member}")
            if absent := [f"{name}.txt" for name in _TABLES if name not in members]:
                yield Notice(place, f"has no {', '.join(absent)}: what they say stays unknown")
            yield from _join(scratch, place, members["studies"])
    except sqlite3.Error as error:
        raise SourceError(
            place,
            f"the scratch table that joins the tables cannot be kept on disk ({error}): "
            "make room, or name a folder that has some in SQLITE_TMPDIR",
        ) from error


def _members(names: Sequence[str]) -> dict[str, str]:
    """Return the member of each table read, all of the folder where studies.txt lies."""
    paths = {name: PurePosixPath(name.lower()) for name in names}
    folder = next((path.parent for path in paths.values() if path.name == "studies.txt"), None)
    return {
        path.stem: name
        for name, path in paths.items()
        if path.parent == folder and path.suffix == ".txt" and path.stem in _TABLES
    }


def _load(
    scratch: sqlite3.Connection, archive: zipfile.ZipFile, member: str, name: str, place: str
) -> Iterator[Outcome]:
    """Put the rows of one table on the scratch table; yield what is wrong with it."""
    lines = _lines(archive, member, place)
    header = next(lines, b"").decode("utf-8-sig", errors="replace")
    columns = [column.strip().strip('"').lower() for column in header.split("|")]
    lacking = [each for each in ("nct_id", *_TABLES[name].needed) if each not in columns]
    if lacking:
        reason = f"its first row names no column {' or '.join(lacking)} between bars (|)"
        if name == "studies":
            raise SourceError(place, reason)
        yield Notice(place, f"left out: {reason}")
        return
    parts = _parts(lines, columns, name, place)
    n_bad, first = 0, None
    while batch := list(islice(parts, _BATCH_ROWS)):
        good = (part for part in batch if not isinstance(part, Rejected))
        scratch.executemany("INSERT INTO part VALUES (?, ?, ?, ?, ?)", good)
        bad = [part for part in batch if isinstance(part, Rejected)]
        if name == "studies":
            yield from bad
        elif bad:
            n_bad, first = n_bad + len(bad), first or bad[0]
    if first:
        yield Notice(place, f"{n_bad:,} of its rows cannot be read (first: {first})")


def _lines(archive: zipfile.ZipFile, member: str, place: str) -> Iterator[bytes]:
    """Yield the lines of a member; only LF ends one, for texts may hold a CR."""
    try:
        with open_member(archive, archive.getinfo(member)) as stream:
            while line := stream.readline(MAX_DOCUMENT_BYTES + 1):
                if len(line) > MAX_DOCUMENT_BYTES:
                    raise SourceError(place, f"a line of over {MAX_DOCUMENT_BYTES:,} bytes")
                yield line
    except _BROKEN_MEMBER as error:
        raise SourceError(place, f"cannot be unpacked to its end: {error}") from error


def _parts(
    lines: Iterator[bytes], columns: list[str], name: str, place: str
) -> Iterator[_Part | Rejected]:
    """Yield the rows to be kept of one table, each with its key, order and cells."""
    table, kind = _TABLES[name], _KINDS.index(name)
    key = columns.index("nct_id")
    order = columns.index("id") if "id" in columns else key
    wanted = [columns.index(each) if each in columns else None for each in table.columns]
    for row, line in enumerate(lines, start=2):
        if line.isspace():
            continue
        try:
            cells = _cells(line, len(columns))
        except (ValueError, csv.Error) as error:
            yield Rejected(f"{place} row {row:,}", readable_nct_id(line), str(error))
            continue
        nct_id = cells[key].strip().upper()
        kept = [None if at is None else cells[at] for at in wanted]
        if not nct_id:
            yield Rejected(f"{place} row {row:,}", "", "the row has no NCT ID")
        elif table.keeps(*kept):
            yield nct_id, kind, _number(cells[order]) or 0, row, _encode(kept)


def _cells(line: bytes, n_cells: int) -> list[str]:
    """Return the cells of a row; where quotes do not pair, every bar ends a cell.

    Raises:
        ValueError: the row is not UTF-8, or has more or fewer cells than columns.
    """
    text = line.decode("utf-8").rstrip("\r\n")
    n_quotes = text.count('"')
    if n_quotes == 0:
        cells = text.split("|")
    elif n_quotes % 2:
        cells = [cell.strip('"') for cell in text.split("|")]
    else:
        cells = next(csv.reader((text,), delimiter="|"))
    if len(cells) != n_cells:
        raise ValueError(f"{len(cells)} cells in a table of {n_cells} columns")
    return cells


def _number(text: str | None) -> int | None:
    """Return a whole number of at most 18 digits, which SQLite can hold, or None."""
    digits = (text or "").strip()
    return int(digits) if re.fullmatch("[0-9]{1,18}", digits) else None


def _join(scratch: sqlite3.Connection, place: str, studies_member: str) -> Iterator[Outcome]:
    """Yield the studies, each from the rows of all tables that bear its NCT ID."""
    rows = scratch.execute(
        "SELECT nct_id, kind, row, cells FROM part ORDER BY nct_id, kind, position, row"
    )
    n_orphans = 0
    for nct_id, group in groupby(rows, key=itemgetter(0)):
        parts: defaultdict[str, list[_Cells]] = defaultdict(list)
        study_rows = []
        for _, kind, row, cells in group:
            parts[_KINDS[kind]].append(_decode(cells))
            if _KINDS[kind] == "studies":
                study_rows.append(row)
        n_orphans += not study_rows
        for row, study in zip(study_rows, parts["studies"], strict=True):
            try:
                yield _study(nct_id, study, parts)
            except NctIdError as error:
                found = readable_nct_id(nct_id.encode())
                where = f"{place}!{studies_member} row {row:,}"
                yield Rejected(where, found, nct_id_reason(error))
    if n_orphans:
        yield Notice(
            place, f"{n_orphans:,} NCT IDs of other tables have no row in studies.txt: left out"
        )


def _study(nct_id: str, cells: _Cells, parts: dict[str, list[_Cells]]) -> Study:
    study = dict(zip(_TABLES["studies"].columns, cells, strict=True))
    results = study["results_first_posted_date"]
    aliases, other_ids = _ids(parts["id_information"])
    return assemble_study(
        nct_id=nct_id,
        aliases=aliases,
        title=study["brief_title"],
        official_title=study["official_title"],
        acronym=study["acronym"],
        summary=_with_line_breaks(next(_column(parts, "brief_summaries"), None) or ""),
        conditions=_column(parts, "conditions"),
        keywords=_column(parts, "keywords"),
        interventions=_interventions(parts),
        condition_mesh=_column(parts, "browse_conditions"),
        intervention_mesh=_column(parts, "browse_interventions"),
        status=study["overall_status"],
        last_known_status=study["last_known_status"],
        study_type=study["study_type"],
        phases=(study["phase"] or "",),
        sponsor=next(_column(parts, "sponsors"), None),
        countries=_column(parts, "countries"),
        start_date=_date(study["start_date"], study["start_month_year"]),
        completion_date=_date(study["completion_date"], study["completion_month_year"]),
        last_update_date=study["last_update_posted_date"],
        outcomes=_measures(parts["design_outcomes"]),
        searched=[*other_ids, *_searched_texts(parts)],
        enrollment=_number(study["enrollment"]),
        has_results=None if results is None else bool(results.strip()),
    )


def _ids(rows: list[_Cells]) -> tuple[list[str], list[str | None]]:
    """Return the aliases, and the other numbers of a study."""
    aliases = [value for value, *kinds in rows if value and "nct_alias" in kinds]
    return aliases, [value for value, *kinds in rows if "nct_alias" not in kinds]


def _interventions(parts: dict[str, list[_Cells]]) -> Iterator[RawIntervention]:
    others = defaultdict(list)
    for other, intervention_id in parts["intervention_other_names"]:
        others[intervention_id].append(other)
    for name, kind, number in parts["interventions"]:
        yield kind, name, tuple(others[number]) if number else ()


def _measures(rows: list[_Cells]) -> Iterator[str | None]:
    """Yield the measures of the primary outcomes, then of the secondary."""
    for wanted in _OUTCOME_TYPES:
        yield from (measure for measure, kind in rows if kind and kind.lower() == wanted)


def _searched_texts(parts: dict[str, list[_Cells]]) -> Iterator[str]:
    for name in ("detailed_descriptions", "eligibilities"):
        yield from (_with_line_breaks(text or "") for text in _column(parts, name))


def _column(parts: dict[str, list[_Cells]], name: str) -> Iterator[str | None]:
    """Return the cells of a table's first column, in order."""
    return (cells[0] for cells in parts[name])


def _date(date: str | None, as_registered: str | None) -> str | None:
    """Return the date as registered: AACT's own moves 2018-06 to the month's last day."""
    return as_registered if vocabulary.date(as_registered or "") else date


def _with_line_breaks(text: str) -> str:
    r"""Put back the line breaks of a text with markup, where `\~` is a tilde."""
    return _ESCAPED_OR_TILDE.sub(lambda found: "\n" if found[0] == "~" else found[0], text)
