"""AACT's pipe-delimited export → studies: a zip, or folder, with one text file per table.

The tables refer to each other by NCT ID, in no reliable order, and of the whole registry some
fifteen million rows are needed. Therefore the rows go through a temporary table of SQLite and are
read back sorted by study. SQLite's external sort needs a fixed amount of memory, however many
rows there are, and is part of Python. Measured on a generated zip of 100,000 studies (3.8 million
rows): 2,500 studies a second and a peak of 103 MB, of which Python and its imports are 51 MB. The
temporary table takes some 4 KB of disk per study, lies where SQLite keeps temporary files
(SQLITE_TMPDIR, TMPDIR, /var/tmp, /tmp), and is deleted when reading ends, for whatever reason.
"""

from __future__ import annotations

import sqlite3
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter

import msgspec

from simsearch.errors import NctIdError, SourceError
from simsearch.files import batches
from simsearch.records import vocabulary
from simsearch.records.aact_facts import other_numbers, raw_facts, registered_date
from simsearch.records.aact_tables import (
    OUTCOME_TYPES,
    TABLES,
    Cells,
    Row,
    header_columns,
    kept_rows,
    members,
    with_line_breaks,
)
from simsearch.records.archive import Members, open_member
from simsearch.records.assemble import RawIntervention, assemble_study
from simsearch.records.outcomes import (
    MAX_DOCUMENT_BYTES,
    Notice,
    Outcome,
    Rejected,
    nct_id_reason,
    readable_nct_id,
)
from simsearch.study import Study

_BATCH_ROWS = 5_000
_BROKEN_MEMBER = (OSError, EOFError, zlib.error, zipfile.BadZipFile)
_TABLE_NAMES = tuple(TABLES)

# temp_store: by default, some builds of SQLite keep temporary tables in memory.
# cache_size: the memory of the sort, and of the table, in KiB.
_SCRATCH = """
    PRAGMA temp_store = FILE;
    PRAGMA cache_size = -32768;
    PRAGMA temp.cache_size = -8192;
    PRAGMA temp.journal_mode = OFF;
    CREATE TEMP TABLE part (nct_id TEXT, kind INTEGER, position INTEGER, row INTEGER, cells BLOB);
"""  # kind: the table's place in _TABLE_NAMES

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Cells).decode


def read_archive(archive: zipfile.ZipFile | Members, place: str) -> Iterator[Outcome]:
    """Yield the studies of AACT's tables, in the order of their NCT IDs.

    A row of studies.txt that cannot be read yields a `Rejected`; rows are numbered as in an
    editor, the header being row 1. Missing or unreadable parts of other tables yield a `Notice`,
    and the studies are read without them.

    Raises:
        SourceError: studies.txt lacks a needed column, a table cannot be unpacked to its end,
            or there is no room for the temporary table.
    """
    found = members(archive.namelist())
    try:
        with closing(sqlite3.connect(":memory:")) as scratch:
            scratch.executescript(_SCRATCH)
            for name, member in found.items():
                yield from _load(scratch, archive, member, name, f"{place}!{member}")
            if absent := [f"{name}.txt" for name in TABLES if name not in found]:
                yield Notice(place, f"has no {', '.join(absent)}; their fields are left empty")
            yield from _join(scratch, place, found["studies"])
    except sqlite3.Error as error:
        raise SourceError(
            place,
            f"the temporary table that joins the others cannot be written ({error}): "
            "free disk space, or set SQLITE_TMPDIR to a folder with enough",
        ) from error


def _load(
    scratch: sqlite3.Connection,
    archive: zipfile.ZipFile | Members,
    member: str,
    name: str,
    place: str,
) -> Iterator[Outcome]:
    """Copy the rows of one table to the temporary table; yield what is wrong with them."""
    lines = _lines(archive, member, place)
    columns = header_columns(next(lines, b""))
    lacking = [each for each in ("nct_id", *TABLES[name].needed) if each not in columns]
    if lacking:
        reason = f"its header has no column {' or '.join(lacking)} between bars (|)"
        if name == "studies":
            raise SourceError(place, reason)
        yield Notice(place, f"left out: {reason}")
        return
    kind = _TABLE_NAMES.index(name)
    n_bad, first = 0, None
    for batch in batches(kept_rows(lines, columns, TABLES[name], place), _BATCH_ROWS):
        good = (
            (row.nct_id, kind, row.position, row.number, _encode(row.cells))
            for row in batch
            if isinstance(row, Row)
        )
        scratch.executemany("INSERT INTO part VALUES (?, ?, ?, ?, ?)", good)
        bad = [row for row in batch if isinstance(row, Rejected)]
        if name == "studies":
            yield from bad
        elif bad:
            n_bad, first = n_bad + len(bad), first or bad[0]
    if first:
        yield Notice(place, f"{n_bad:,} of its rows cannot be read (first: {first})")


def _lines(archive: zipfile.ZipFile | Members, member: str, place: str) -> Iterator[bytes]:
    """Yield the lines of a member; only LF ends one, because texts may contain a CR."""
    try:
        with open_member(archive, member) as stream:
            while line := stream.readline(MAX_DOCUMENT_BYTES + 1):
                if len(line) > MAX_DOCUMENT_BYTES:
                    raise SourceError(place, f"has a line of over {MAX_DOCUMENT_BYTES:,} bytes")
                yield line
    except _BROKEN_MEMBER as error:
        raise SourceError(place, f"cannot be unpacked to its end: {error}") from error


def _join(scratch: sqlite3.Connection, place: str, studies_member: str) -> Iterator[Outcome]:
    """Yield the studies, each made from the rows of all tables that have its NCT ID."""
    rows = scratch.execute(
        "SELECT nct_id, kind, row, cells FROM part ORDER BY nct_id, kind, position, row"
    )
    n_orphans = 0
    for nct_id, group in groupby(rows, key=itemgetter(0)):
        parts: defaultdict[str, list[Cells]] = defaultdict(list)
        study_rows = []
        for _, kind, row, cells in group:
            parts[_TABLE_NAMES[kind]].append(_decode(cells))
            if _TABLE_NAMES[kind] == "studies":
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


def _study(nct_id: str, cells: Cells, parts: dict[str, list[Cells]]) -> Study:
    tables = {
        name: [dict(zip(TABLES[name].columns, row, strict=True)) for row in rows]
        for name, rows in parts.items()
    }
    study = dict(zip(TABLES["studies"].columns, cells, strict=True))
    results = study["results_first_posted_date"]
    numbers = other_numbers(tables.get("id_information", ()))
    return assemble_study(
        nct_id=nct_id,
        aliases=_aliases(parts["id_information"]),
        title=study["brief_title"],
        official_title=study["official_title"],
        acronym=study["acronym"],
        summary=with_line_breaks(next(_column(parts, "brief_summaries"), None) or ""),
        conditions=_column(parts, "conditions"),
        keywords=_column(parts, "keywords"),
        interventions=_interventions(parts),
        condition_mesh=_column(parts, "browse_conditions"),
        intervention_mesh=_column(parts, "browse_interventions"),
        status=study["overall_status"],
        last_known_status=study["last_known_status"],
        study_type=study["study_type"],
        phases=(study["phase"] or "",),
        sponsor=next((name for name, role, _ in parts["sponsors"] if role == "lead"), None),
        countries=_column(parts, "countries"),
        start_date=registered_date(study, "start"),
        completion_date=registered_date(study, "completion"),
        last_update_date=study["last_update_posted_date"],
        outcomes=_measures(parts["design_outcomes"]),
        searched=[*(number for number, *_ in numbers), *_searched_texts(parts)],
        enrollment=vocabulary.count(study["enrollment"]),
        has_results=None if results is None else bool(results.strip()),
        facts=raw_facts(study, tables),
    )


def _aliases(rows: list[Cells]) -> list[str]:
    return [value for value, *kinds in rows if value and "nct_alias" in kinds]


def _interventions(parts: dict[str, list[Cells]]) -> Iterator[RawIntervention]:
    others = defaultdict(list)
    for other, intervention_id in parts["intervention_other_names"]:
        others[intervention_id].append(other)
    for name, kind, number, _ in parts["interventions"]:
        yield kind, name, tuple(others[number]) if number else ()


def _measures(rows: list[Cells]) -> Iterator[str | None]:
    """Yield the measures of the primary outcomes, then of the secondary."""
    for wanted in OUTCOME_TYPES:
        yield from (measure for measure, kind, *_ in rows if kind and kind.lower() == wanted)


def _searched_texts(parts: dict[str, list[Cells]]) -> Iterator[str]:
    for name in ("detailed_descriptions", "eligibilities"):
        yield from (with_line_breaks(text or "") for text in _column(parts, name))


def _column(parts: dict[str, list[Cells]], name: str) -> Iterator[str | None]:
    """Return the cells of a table's first column, in order."""
    return (cells[0] for cells in parts[name])
