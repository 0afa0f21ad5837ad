"""Judged sets: files of human judgements → `Groups` or `Qrels`.

The number of columns tells the two kinds apart; tabs, commas or blanks separate the columns:

- *groups*, `group, NCT ID`: studies of the same group are relevant to each other;
- *qrels*, `query, study, grade`, or `query, 0, study, grade` as in TREC files.

A header, blank lines and lines that start with # are skipped.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import msgspec

from simsearch.errors import JudgedSetError, NctIdError
from simsearch.records.lists import TooLongError, short_text
from simsearch.study import parse_nct_id

_GROUP_COLUMNS = 2
_QREL_COLUMNS = 3
_TREC_COLUMNS = 4
_NCT_DIGITS = 8
_LARGEST_GRADE = 1_000_000
_SHOWN = 40  # characters of a wrong cell in an error

HOLDS_GROUPS = "holds groups, not qrels"
"""The reason of the `JudgedSetError` of `read_qrels` for the other kind."""

HOLDS_QRELS = "holds qrels, not groups"
"""The reason of the `JudgedSetError` of `read_groups` for the other kind."""


class Groups(msgspec.Struct, frozen=True):
    """A judged set of groups: group → the NCT IDs of its studies, each once, in file order."""

    name: str
    members: dict[str, tuple[str, ...]]


class Qrels(msgspec.Struct, frozen=True):
    """A judged set of qrels: query study → judged study → grade, by NCT ID, in file order."""

    name: str
    grades: dict[str, dict[str, int]]


class _Line(msgspec.Struct, frozen=True):
    number: int
    cells: list[str]


def read_judged(path: Path) -> Groups | Qrels:
    """Read a judged set of either kind.

    Raises:
        JudgedSetError: the file cannot be read, has no judgements, or a line is not one.
    """
    lines = list(_lines(path))
    if not lines:
        raise JudgedSetError(path, 0, "has no judgements")
    n_columns = len(lines[0].cells)
    for line in lines:
        if len(line.cells) != n_columns:
            raise JudgedSetError(
                path,
                line.number,
                f"has {_columns(len(line.cells))} where the first line has {n_columns}",
            )
    if n_columns == _GROUP_COLUMNS:
        return _groups(path, lines)
    if n_columns in (_QREL_COLUMNS, _TREC_COLUMNS):
        return _qrels(path, lines)
    raise JudgedSetError(
        path, lines[0].number,
        f"has {_columns(n_columns)}: groups have 2 (group, NCT ID), qrels 3 or 4 "
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
    raise JudgedSetError(path, 0, HOLDS_QRELS)


def read_qrels(path: Path) -> Qrels:
    """Read a judged set of qrels.

    Raises:
        JudgedSetError: as `read_judged`, or the file holds groups.
    """
    read = read_judged(path)
    if isinstance(read, Qrels):
        return read
    raise JudgedSetError(path, 0, HOLDS_GROUPS)


def _columns(n: int) -> str:
    return "1 column" if n == 1 else f"{n} columns"


def _lines(path: Path) -> Iterator[_Line]:
    """Yield the lines with judgements, split at the separator that the first line has."""
    try:
        text = short_text(path)
    except TooLongError as error:
        raise JudgedSetError(path, 0, str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "") or "is not UTF-8 text"
        raise JudgedSetError(path, 0, reason) from error
    kept = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    separator = next((mark for mark in "\t," if kept and mark in kept[0][1]), None)
    for place, (number, line) in enumerate(kept):
        try:
            cells = next(csv.reader([line], delimiter=separator)) if separator else line.split()
        except csv.Error as error:
            raise JudgedSetError(path, number, f"cannot be split into columns ({error})") from error
        cells = [cell.strip() for cell in cells]
        if place or not _is_header(cells):
            yield _Line(number, cells)


def _is_header(cells: list[str]) -> bool:
    """Return whether cells are the names of columns: every judgement has a digit in it."""
    return not any(character.isdigit() for cell in cells for character in cell)


def _groups(path: Path, lines: list[_Line]) -> Groups:
    members: dict[str, dict[str, None]] = {}
    for line in lines:
        group, study = line.cells
        if not group:
            raise JudgedSetError(path, line.number, "has no group")
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
                path,
                line.number,
                f"gives {study} grade {grade} for {query}, and an earlier line gives {known}",
            )
    return Qrels(path.name, grades)


def _nct_id(path: Path, line: _Line, text: str) -> str:
    """Return the canonical ID.

    Elsewhere missing zeros may be left out; here a short ID is taken for a typing error, which
    would judge another study.
    """
    n_digits = sum(map(str.isdigit, text))
    if 0 < n_digits < _NCT_DIGITS:
        raise JudgedSetError(
            path,
            line.number,
            f"{_shown(text)} has {n_digits} of the {_NCT_DIGITS} digits of an NCT ID",
        )
    try:
        return parse_nct_id(text)
    except NctIdError as error:
        raise JudgedSetError(path, line.number, f"{_shown(text)} is not an NCT ID") from error


def _grade(path: Path, line: _Line, text: str) -> int:
    try:
        grade = int(text)
    except ValueError:
        grade = None
    if grade is None or abs(grade) > _LARGEST_GRADE:
        whole = f"not a whole number from {-_LARGEST_GRADE:,} to {_LARGEST_GRADE:,}"
        raise JudgedSetError(path, line.number, f"grade {_shown(text)} is {whole}")
    return grade


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
