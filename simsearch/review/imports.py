"""Decisions from screening tools: exports of ASReview, Rayyan and Covidence, CSV or RIS.

    ASReview    CSV: the column `included` or `asreview_label` (1, 0); RIS: the note
                ASReview_relevant, ASReview_irrelevant or ASReview_not_seen
    Rayyan      CSV or RIS: the note RAYYAN-INCLUSION: {"Ann"=>"Included"}
    Covidence   CSV or RIS of one category: the decision is not in the file, and is given with it
    any other   CSV: the column `decision` (include, exclude, undecided)

A file is imported whole or not at all: every problem is told with its line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import msgspec

from simsearch.errors import ImportedDecisionsError, NctIdError, one_line
from simsearch.records.csv_rows import long_cells
from simsearch.records.number_shapes import numbers_in
from simsearch.review.folder import Verdict
from simsearch.study import parse_nct_id

_MAX_BYTES = 64 * 2**20
_NUMBER_COLUMNS = ("nctid", "nctnumber", "nct", "accessionnumber", "url", "urls", "key")
_NUMBER_TAGS = ("AN", "M1", "ID", "UR", "L2", "C1")
_LABELS = ("included", "asreviewlabel", "decision", "label", "status")
_NOTES = ("notes", "note")
_NOTE_TAGS = ("N1", "C6", "KW", "RN", "N2")

_WORDS: MappingProxyType[str, Verdict] = MappingProxyType(
    {
        "1": "include", "include": "include", "included": "include", "yes": "include",
        "relevant": "include", "1.0": "include", "true": "include",
        "0": "exclude", "exclude": "exclude", "excluded": "exclude", "no": "exclude",
        "irrelevant": "exclude", "0.0": "exclude", "false": "exclude",
        "maybe": "undecided", "undecided": "undecided",
    }
)  # fmt: skip
_NOTHING = frozenset({"", "-1", "nan", "none", "null", "not_seen", "unlabeled"})
_ASREVIEW = re.compile(r"ASReview_(relevant|irrelevant|not_seen)", re.IGNORECASE)
_RAYYAN = re.compile(r"RAYYAN-INCLUSION:\s*\{([^}]*)\}", re.IGNORECASE)
_RAYYAN_ONE = re.compile(r'"([^"]*)"\s*=>\s*"([^"]*)"')
_RIS_LINE = re.compile(r"([A-Z][A-Z0-9])  ?-(?: (.*))?$")


class Imported(msgspec.Struct, frozen=True):
    """What a file decides; `n_undecided_yet` rows have no decision and are left out."""

    verdicts: dict[str, Verdict]
    n_undecided_yet: int


class _Row(msgspec.Struct, frozen=True):
    line: int
    numbers: list[str]
    """Texts that may be the study's number, the likeliest first."""
    label: str | None
    """The cell of a decision; None where the file has no such column."""
    notes: str


def read_decisions(path: Path, given: Verdict | None = None) -> Imported:
    """Return the decisions of a file.

    Args:
        path: CSV or RIS.
        given: the decision for studies of which the file itself says nothing.

    Raises:
        ImportedDecisionsError: the file cannot be read, or a line of it cannot be understood.
    """
    text = _text(path)
    rows = list(_ris_rows(text) if text.lstrip().startswith("TY  -") else _csv_rows(path, text))
    if not rows:
        raise ImportedDecisionsError(str(path), ("it has no row",))
    problems: list[str] = []
    verdicts: dict[str, Verdict] = {}
    line_of: dict[str, int] = {}
    n_undecided_yet = 0
    for row in rows:
        try:
            verdict = _verdict(row) or given
            if verdict is None:
                n_undecided_yet += 1
                continue
            number = _number(row)
        except ValueError as error:
            problems.append(f"line {row.line:,}: {error}")
            continue
        if verdicts.get(number, verdict) != verdict:
            problems.append(
                f"line {row.line:,}: {number} is decided as {verdict} here and as "
                f"{verdicts[number]} in line {line_of[number]:,}"
            )
        verdicts.setdefault(number, verdict)
        line_of.setdefault(number, row.line)
    if problems:
        raise ImportedDecisionsError(str(path), tuple(map(one_line, problems)))
    if not verdicts:
        raise ImportedDecisionsError(
            str(path),
            ("it says of no study what was decided: give --as include, exclude or undecided",),
        )
    return Imported(verdicts, n_undecided_yet)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ImportedDecisionsError(str(path), (error.strerror or "it cannot be read",)) from error
    if len(content) > _MAX_BYTES:
        raise ImportedDecisionsError(str(path), (f"it is larger than {_MAX_BYTES >> 20} MiB",))
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ImportedDecisionsError(str(path), ("it is UTF-16 text: save it as UTF-8",))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ImportedDecisionsError(
            str(path), (f"line {line:,}: it is not UTF-8 text: save the file as UTF-8",)
        ) from error


def _long_rows(path: Path, reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the rows of a CSV, with cells as long as abstracts and whole texts are."""
    n = 0
    while True:
        n += 1
        try:
            with long_cells():
                cells = next(reader, None)
        except csv.Error as error:
            reason = f"row {n:,}: its columns cannot be separated ({error})"
            raise ImportedDecisionsError(str(path), (reason,)) from error
        if cells is None:
            return
        yield cells


def _csv_rows(path: Path, text: str) -> Iterator[_Row]:
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = _long_rows(path, reader)
    names = ["".join(filter(str.isalnum, name.casefold())) for name in next(rows, [])]
    numbers = [names.index(name) for name in _NUMBER_COLUMNS if name in names]
    if not head.strip():
        raise ImportedDecisionsError(str(path), ("it is empty",))
    if not numbers:
        shown = ", ".join(cell.strip()[:40] for cell in head.split(delimiter)[:6])
        raise ImportedDecisionsError(
            str(path),
            (f"line 1: no column holds NCT IDs (nct_id, Accession Number, url); it has {shown}",),
        )
    label = next((names.index(name) for name in _LABELS if name in names), None)
    notes = [names.index(name) for name in _NOTES if name in names]
    end = reader.line_num
    for cells in rows:
        line, end = end + 1, reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        cells.extend([""] * (len(names) - len(cells)))
        yield _Row(
            line,
            [cells[at] for at in numbers],
            None if label is None else cells[label],
            " ".join(cells[at] for at in notes),
        )


def _ris_rows(text: str) -> Iterator[_Row]:
    fields: dict[str, list[str]] = {}
    begun = 0
    for n, line in enumerate(text.splitlines(), start=1):
        match = _RIS_LINE.match(line)
        if not match:
            continue
        tag, value = match[1], (match[2] or "").strip()
        if tag == "TY":
            fields, begun = {}, n
        elif tag == "ER":
            numbers = [value for tag in _NUMBER_TAGS for value in fields.get(tag, ())]
            notes = " ".join(value for tag in _NOTE_TAGS for value in fields.get(tag, ()))
            yield _Row(begun, numbers, None, notes)
        else:
            fields.setdefault(tag, []).append(value)


def _verdict(row: _Row) -> Verdict | None:
    """Return what a row decides, or None.

    Raises:
        ValueError: it says something else, or two people decided differently.
    """
    if rayyan := _RAYYAN.search(row.notes.replace('""', '"')):
        votes = {who: word.strip().casefold() for who, word in _RAYYAN_ONE.findall(rayyan[1])}
        if unknown := [word for word in votes.values() if word not in _WORDS]:
            raise ValueError(f"{unknown[0]!r} is no decision of Rayyan")
        if len({*votes.values()}) > 1:
            said = ", ".join(f"{who}: {word}" for who, word in votes.items())
            raise ValueError(f"the reviewers decided differently ({said}): resolve it in Rayyan")
        return _WORDS[next(iter(votes.values()))] if votes else None
    if asreview := _ASREVIEW.search(row.notes):
        return _WORDS.get(asreview[1].casefold())
    if row.label is None or row.label.strip().casefold() in _NOTHING:
        return None
    word = row.label.strip().casefold()
    if word not in _WORDS:
        raise ValueError(f"{row.label.strip()!r} is no decision: 1 or 0, include or exclude")
    return _WORDS[word]


def _number(row: _Row) -> str:
    """Return the NCT ID of a row.

    Raises:
        ValueError: it has none.
    """
    for text in filter(None, map(str.strip, row.numbers)):
        try:
            return parse_nct_id(text)
        except NctIdError:
            continue
    found = next((text for text in map(str.strip, row.numbers) if text), "")
    if not found:
        raise ValueError("it has no NCT ID")
    if others := [each for text in row.numbers for each in numbers_in(text)]:
        raise ValueError(
            f"{others[0].number} is a number of {others[0].registry}: find its NCT ID with "
            "`simsearch query`"
        )
    raise ValueError(f"{found[:60]!r} is not an NCT ID")
