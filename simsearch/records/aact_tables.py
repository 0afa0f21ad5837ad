r"""The tables of AACT's pipe-delimited export: which are read, which columns, how a row is parsed.

AACT's export changes texts: it deletes every `""`, so that quotes only enclose a cell, and it
replaces a line break and the white space after it by `~`, so that every row is one line. In texts
with Markdown escapes, a real tilde is `\~`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from simsearch.records.outcomes import Rejected, readable_nct_id

OUTCOME_TYPES = ("primary", "secondary")
"""The types of outcome that are compared, in the order in which a study has them."""

_DUMP = "postgres_data.dmp"
_ESCAPED_OR_TILDE = re.compile(r"\\.|~")

Cells = list[str | None]
"""The cells of a row, in the order of `Table.columns`; None for a column that a table lacks."""


class Table(msgspec.Struct, frozen=True):
    """A table's columns that are read, and which of its rows: those whose cells `keeps` accepts.

    Every table must have the column `nct_id`, too.
    """

    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    keeps: Callable[..., bool] = lambda *_: True

    @property
    def columns(self) -> tuple[str, ...]:
        """The needed columns, then the optional ones."""
        return self.needed + self.optional


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row to keep; `position` is its id in the table, `number` its line (the header is 1)."""

    nct_id: str
    position: int
    number: int
    cells: Cells


def _is_mesh_term_of_the_study(_term: str, kind: str | None) -> bool:
    """Exclude the ancestors of MeSH terms; old exports have none, and no column for the kind."""
    return kind in (None, "mesh-list")


TABLES = {
    "studies": Table(
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
            "why_stopped",
            "start_date_type",
            "primary_completion_date",
            "primary_completion_month_year",
            "primary_completion_date_type",
            "completion_date_type",
            "study_first_posted_date",
            "enrollment_type",
            "number_of_arms",
            "number_of_groups",
            "patient_registry",
        ),
    ),
    "brief_summaries": Table(("description",)),
    "conditions": Table(("name",)),
    "keywords": Table(("name",)),
    "interventions": Table(("name",), ("intervention_type", "id", "description")),
    "intervention_other_names": Table(("name", "intervention_id")),
    "design_outcomes": Table(("measure", "outcome_type"), ("time_frame", "description")),
    "designs": Table(
        (),
        (
            "allocation",
            "intervention_model",
            "primary_purpose",
            "masking",
            "observational_model",
            "time_perspective",
            "subject_masked",
            "caregiver_masked",
            "investigator_masked",
            "outcomes_assessor_masked",
        ),
    ),
    "design_groups": Table(("title",), ("group_type", "description", "id")),
    "design_group_interventions": Table(("design_group_id", "intervention_id")),
    "countries": Table(
        ("name",), ("removed",), lambda _name, removed: removed not in ("t", "true")
    ),
    "facilities": Table(
        ("name",), ("status", "city", "state", "zip", "country", "latitude", "longitude")
    ),
    "sponsors": Table(("name", "lead_or_collaborator"), ("agency_class",)),
    "id_information": Table(  # in old exports the kind of number is in id_type
        ("id_value",), ("id_source", "id_type", "id_type_description")
    ),
    "study_references": Table(("citation",), ("pmid", "reference_type")),
    "detailed_descriptions": Table(("description",)),
    "eligibilities": Table(
        (),
        (
            "criteria",
            "gender",
            "minimum_age",
            "maximum_age",
            "healthy_volunteers",
            "population",
            "sampling_method",
        ),
    ),
    "browse_conditions": Table(("mesh_term",), ("mesh_type",), _is_mesh_term_of_the_study),
    "browse_interventions": Table(("mesh_term",), ("mesh_type",), _is_mesh_term_of_the_study),
}
"""Name → table; its file is `NAME.txt`."""


def recognises_archive(names: Sequence[str]) -> bool:
    """Return whether a zip with members of these names is AACT's tables as text."""
    return len(members(names)) > 1


def refusal(names: Sequence[str]) -> str:
    """Return what to download instead, for the members of AACT's database dump; otherwise `""`."""
    if not any(PurePosixPath(name).name.lower() == _DUMP for name in names):
        return ""
    return (
        f"it is AACT's PostgreSQL dump ({_DUMP}), which only PostgreSQL can read: download "
        "the pipe-delimited files (YYYYMMDD_export_ctgov.zip) from "
        "https://aact.ctti-clinicaltrials.org instead"
    )


def members(names: Sequence[str]) -> dict[str, str]:
    """Return the table → its member, for the tables in the same folder as studies.txt."""
    paths = {name: PurePosixPath(name.lower()) for name in names}
    folder = next((path.parent for path in paths.values() if path.name == "studies.txt"), None)
    return {
        path.stem: name
        for name, path in paths.items()
        if path.parent == folder and path.suffix == ".txt" and path.stem in TABLES
    }


def folders(paths: Sequence[Path]) -> dict[Path, list[str]]:
    """Return the folders that hold AACT's tables, unpacked, with the names of their files."""
    names: dict[Path, list[str]] = {}
    for path in paths:
        names.setdefault(path.parent, []).append(path.name)
    return {folder: held for folder, held in names.items() if recognises_archive(held)}


def header_columns(line: bytes) -> list[str]:
    """Return the names of the columns in the first line of a table."""
    text = line.decode("utf-8-sig", errors="replace")
    return [column.strip().strip('"').lower() for column in text.split("|")]


def kept_rows(
    lines: Iterator[bytes], columns: Sequence[str], table: Table, place: str
) -> Iterator[Row | Rejected]:
    """Yield the rows to keep of a table, and the rows that cannot be read.

    Args:
        lines: those after the header.
        columns: the columns that the header names.
        table: which columns and rows are wanted.
        place: the file, for the rejected rows.
    """
    key = columns.index("nct_id")
    order = columns.index("id") if "id" in columns else key
    wanted = [columns.index(each) if each in columns else None for each in table.columns]
    for number, line in enumerate(lines, start=2):
        if line.isspace():
            continue
        try:
            cells = cells_of(line, len(columns))
        except (ValueError, csv.Error) as error:
            yield Rejected(f"{place} row {number:,}", _own_number(line, key), str(error))
            continue
        nct_id = cells[key].strip().upper()
        kept = [None if at is None else cells[at] for at in wanted]
        if not nct_id:
            yield Rejected(f"{place} row {number:,}", "", "the row has no NCT ID")
        elif table.keeps(*kept):
            yield Row(nct_id, whole_number(cells[order]) or 0, number, kept)


def _own_number(line: bytes, key: int) -> str:
    """Return the NCT ID in the row's own column, by its place among the bars."""
    return readable_nct_id(b"".join(line.split(b"|")[key : key + 1]))


def cells_of(line: bytes, n_columns: int) -> list[str]:
    """Return the cells of a row; if its quotes are not balanced, every bar ends a cell.

    Raises:
        ValueError: the row is not UTF-8, or does not have `n_columns` cells.
        csv.Error: the row has a lone CR.
    """
    text = line.decode("utf-8").rstrip("\r\n")
    n_quotes = text.count('"')
    if n_quotes == 0:
        cells = text.split("|")
    elif n_quotes % 2:
        cells = [cell.strip('"') for cell in text.split("|")]
    else:
        cells = next(csv.reader((text,), delimiter="|"))
    if len(cells) != n_columns:
        counts = f"{len(cells)} instead of {n_columns}"
        raise ValueError(f"the number of cells differs from the header's: {counts}")
    return cells


def whole_number(text: str | None) -> int | None:
    """Return a whole number of at most 18 digits, so that it fits SQLite's integers, or None."""
    digits = (text or "").strip()
    return int(digits) if re.fullmatch("[0-9]{1,18}", digits) else None


def with_line_breaks(text: str) -> str:
    r"""Return a text with Markdown escapes with its line breaks restored; `\~` is a tilde."""
    return _ESCAPED_OR_TILDE.sub(lambda found: "\n" if found[0] == "~" else found[0], text)
