"""Dates that a spreadsheet rewrote: `1/31/2024`, `31/01/2024`, `31.01.2024`.

A program writes all dates of a column in the same order, so that one date with a day over 12
decides the others. What stays undecided is no date: the wrong month would be worse than none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from simsearch.records import vocabulary
from simsearch.records.outcomes import Notice

COLUMNS = (
    "start date", "primary completion date", "completion date", "first posted",
    "results first posted", "last update posted",
)  # fmt: skip
"""The columns of the site's table that hold dates."""

_REWRITTEN = re.compile(
    r"([0-9]{1,2}|[0-9]{4})([./-])([0-9]{1,2})\2([0-9]{1,2}|[0-9]{4})"
    r"(?:[ T]+[0-9]{1,2}:[0-9]{2}.*)?"
)
_MONTH_AND_YEAR = re.compile(r"([0-9]{1,2})[./-]([0-9]{4})")
_FIRST_YEAR = 30  # of two digits, as spreadsheets take them: 29 is 2029, 30 is 1930
_MONTHS = 12


class _Parts(msgspec.Struct, frozen=True):
    first: int
    second: int
    year: int
    day_first: bool
    """Whether the order is known: with dots the day comes first everywhere."""


class DateColumns:
    """What the dates of each column of a table show about their order, and those not understood."""

    def __init__(self) -> None:
        self._day_first: set[str] = set()
        self._month_first: set[str] = set()
        self._lost: Counter[str] = Counter()
        self._first_lost: dict[str, str] = {}

    def see(self, cells: Mapping[str, str]) -> bool:
        """Note what the dates of a row, by column, show; return whether one needs the column."""
        needs_column = False
        for column in COLUMNS:
            parts = _parts(cells.get(column, ""))
            if parts and not parts.day_first:
                needs_column = True
                if parts.first > _MONTHS >= parts.second:
                    self._day_first.add(column)
                elif parts.second > _MONTHS >= parts.first:
                    self._month_first.add(column)
        return needs_column

    def iso(self, column: str, cell: str, place: str) -> str:
        """Return a date as ISO, or `""`; a date that is not understood is counted."""
        text = cell.strip()
        found = vocabulary.date(text) or self._rewritten(column, text)
        if text and not found:
            self._lost[column] += 1
            self._first_lost.setdefault(column, f"{text[:40]!r} in {place}")
        return found

    def notices(self, place: str) -> Iterator[Notice]:
        """Yield how many dates of each column were not understood."""
        for column, n in self._lost.items():
            dates = "date was" if n == 1 else "dates were"
            yield Notice(
                place,
                f"{n:,} {dates} not understood in the column {column.title()} "
                f"(first: {self._first_lost[column]}): write 2024-01-31",
            )

    def _rewritten(self, column: str, text: str) -> str:
        if whole := _MONTH_AND_YEAR.fullmatch(text):
            return vocabulary.date(f"{whole[2]}-{int(whole[1]):02d}")
        parts = _parts(text)
        if not parts:
            return ""
        day, month = parts.first, parts.second
        if not parts.day_first and parts.first != parts.second:
            day_first = column in self._day_first
            if day_first == (column in self._month_first):  # neither, or both
                day_first = parts.first > _MONTHS
                if not (day_first or parts.second > _MONTHS):
                    return ""
            if not day_first:
                day, month = month, day
        return vocabulary.date(f"{parts.year:04d}-{month:02d}-{day:02d}")


def _parts(cell: str) -> _Parts | None:
    """Return the numbers of a date as a spreadsheet writes it, or None for any other text."""
    match = _REWRITTEN.fullmatch(cell.strip())
    if not match:
        return None
    first, separator, second, third = match[1], match[2], match[3], match[4]
    if len(first) == len("2024"):  # 2024/1/31
        return _Parts(int(third), int(second), int(first), day_first=True)
    year = int(third)
    if len(third) < len("2024"):
        year += 2000 if year < _FIRST_YEAR else 1900
    return _Parts(int(first), int(second), year, day_first=separator == ".")
