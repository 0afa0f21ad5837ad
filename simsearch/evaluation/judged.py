"""Judged sets: files of people's judgements → `Groups` or `Qrels`.

Two kinds, told apart by their columns, which are separated by tabs, commas or blanks:

- *groups*, `group, NCT ID`: studies of one group are relevant to each other;
- *qrels*, `query, study, grade`, or `query, 0, study, grade` as TREC writes them.

A header is passed over, and so are blank lines and those that begin with #.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import msgspec

from simsearch.errors import JudgedSetError, NctIdError
from simsearch.study import parse_nct_id

_GROUP_COLUMNS = 2
_QREL_COLUMNS = 3
_TREC_COLUMNS = 4
_NCT_DIGITS = 8
_LARGEST_GRADE = 1_000_000
_SHOWN = 40


class Groups(msgspec.Struct, frozen=True):
    """Group → the NCT IDs of its studies, each once, in the order of the file."""

    name: str
    members: dict[str, tuple[str, ...]]


class Qrels(msgspec.Struct, frozen=True):
    """Query study → judged study → grade, by NCT ID, in the order of the file."""

    name: str
    grades: dict[str, dict[str, int]]


class _Line(msgspec.Struct, frozen=True):
    number: int
    cells: list[str]


def read_judged(path: Path) -> Groups | Qrels:
    """Read a judged set of either kind.

    Raises:
        JudgedSetError: the file cannot be read, is empty, or a line is none of such a set.
    """
    lines = list(_lines(path))
    if not lines:
        raise JudgedSetError(path, 0, "holds no judgement")
    n_columns = len(lines[0].cells)
    for line in lines:
        if len(line.cells) != n_columns:
            raise JudgedSetError(
                path, line.number, f"has {len(line.cells)} columns where others have {n_columns}"
            )
    if n_columns == _GROUP_COLUMNS:
        return _groups(path, lines)
    if n_columns in (_QREL_COLUMNS, _TREC_COLUMNS):
        return _qrels(path, lines)
    raise JudgedSetError(
        path, lines[0].number,
        f"has {n_columns} columns: groups have 2 (group, NCT ID), qrels 3 or 4 "
        "(query, study, grade; query, 0, study, grade)",
    )  # fmt: skip


def read_groups(path: Path) -> Groups:
    """Read a judged set of groups.

    Raises:
        JudgedSetError: as `read_judged`, or the file holds qrels.
    """
    read = read_judged(path)
    if isinstance(read, Groups):
        return read
    raise JudgedSetError(path, 0, "holds qrels, not groups: give it with --qrels")


def read_qrels(path: Path) -> Qrels:
    """Read a judged set of qrels.

    Raises:
        JudgedSetError: as `read_judged`, or the file holds groups.
    """
    read = read_judged(path)
    if isinstance(read, Qrels):
        return read
    raise JudgedSetError(path, 0, "holds groups, not qrels: give it with --groups")


def _lines(path: Path) -> Iterator[_Line]:
    """Yield the lines that say something, split at the file's own separator."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "") or "is no UTF-8 text"
        raise JudgedSetError(path, 0, reason) from error
    said = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    separator = next((mark for mark in "\t," if said and mark in said[0][1]), None)
    for place, (number, line) in enumerate(said):
        try:
            cells = next(csv.reader([line], delimiter=separator)) if separator else line.split()
        except csv.Error as error:
            raise JudgedSetError(path, number, f"cannot be cut into columns ({error})") from error
        cells = [cell.strip() for cell in cells]
        if place or not _is_header(cells):
            yield _Line(number, cells)


def _is_header(cells: list[str]) -> bool:
    """Tell names of columns from judgements, which all hold a number."""
    return not any(character.isdigit() for cell in cells for character in cell)


def _groups(path: Path, lines: list[_Line]) -> Groups:
    members: dict[str, dict[str, None]] = {}
    for line in lines:
        group, study = line.cells
        if not group:
            raise JudgedSetError(path, line.number, "names no group")
        members.setdefault(group, {})[_nct_id(path, line, study)] = None
    return Groups(path.name, {group: tuple(studies) for group, studies in members.items()})


def _qrels(path: Path, lines: list[_Line]) -> Qrels:
    grades: dict[str, dict[str, int]] = {}
    for line in lines:
        query, study = (_nct_id(path, line, cell) for cell in (line.cells[0], line.cells[-2]))
        grade = _grade(path, line, line.cells[-1])
        known = grades.setdefault(query, {}).setdefault(study, grade)
        if known != grade:
            raise JudgedSetError(
                path, line.number, f"grades {study} {grade} for {query}, and {known} before"
            )
    return Qrels(path.name, grades)


def _nct_id(path: Path, line: _Line, text: str) -> str:
    """Return the canonical ID. A short one is a slip: judgements would go to another study."""
    n_digits = sum(map(str.isdigit, text))
    if 0 < n_digits < _NCT_DIGITS:
        raise JudgedSetError(
            path, line.number, f"{_shown(text)} has {n_digits} of an NCT ID's {_NCT_DIGITS} digits"
        )
    try:
        return parse_nct_id(text)
    except NctIdError as error:
        raise JudgedSetError(path, line.number, f"{_shown(text)} is no NCT ID") from error


def _grade(path: Path, line: _Line, text: str) -> int:
    try:
        grade = int(text)
    except ValueError:
        grade = None
    if grade is None or abs(grade) > _LARGEST_GRADE:
        whole = f"no whole number from {-_LARGEST_GRADE:,} to {_LARGEST_GRADE:,}"
        raise JudgedSetError(path, line.number, f"grade {_shown(text)} is {whole}")
    return grade


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
