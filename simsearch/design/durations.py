"""Ages in years, and the months between two registered dates."""

from __future__ import annotations

import datetime as dt
import re
from types import MappingProxyType

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(year|month|week|day|hour|minute)s?\b", re.IGNORECASE)
_UNITS_A_YEAR = MappingProxyType(
    {
        "year": 1.0,
        "month": 12.0,
        "week": 365.25 / 7,
        "day": 365.25,
        "hour": 365.25 * 24,
        "minute": 365.25 * 24 * 60,
    }
)
_DAYS_A_MONTH = 365.25 / 12
_TO_THE_MONTH, _TO_THE_DAY = 2, 3  # parts of a date


def age_years(age: str) -> float | None:
    """Return a registered age (`18 Years`, `6 Months`) in years; None for no limit."""
    found = _AGE.search(age)
    return float(found[1]) / _UNITS_A_YEAR[found[2].lower()] if found else None


def months_between(start: str, end: str) -> float | None:
    """Return the months from one registered date to another, to a tenth.

    Below zero where they are registered so; None where one is not given to the month. Days count
    where both dates have them.
    """
    one, other = _parts(start), _parts(end)
    if min(len(one), len(other)) < _TO_THE_MONTH:
        return None
    if len(one) == len(other) == _TO_THE_DAY:
        try:
            days = (dt.date(*other) - dt.date(*one)).days
        except ValueError:  # no such day
            return None
        return round(days / _DAYS_A_MONTH, 1)
    return float((other[0] - one[0]) * 12 + other[1] - one[1])


def _parts(date: str) -> list[int]:
    """Return year, month and day of a date, as far as it has them."""
    pieces = date.split("-")
    return [int(each) for each in pieces] if all(each.isdecimal() for each in pieces) else []
