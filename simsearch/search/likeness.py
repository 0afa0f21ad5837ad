"""Which of many names a person means by a mistyped one, or by a nickname."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

_COUNTRY_NICKNAMES = MappingProxyType(
    {
        "us": "United States", "usa": "United States", "america": "United States",
        "uk": "United Kingdom", "greatbritain": "United Kingdom", "england": "United Kingdom",
        "korea": "South Korea", "holland": "Netherlands",
    }
)  # fmt: skip
_N_CLOSE = 5
_LEAST_LIKENESS = 70  # of 100
_FEW_LETTERS = 3


def closest(value: str, names: Iterable[str]) -> list[str]:
    """Return the few names that are nearest to a mistyped one, best first.

    A value of a few letters is compared with whole names: many names contain them by chance.
    """
    from rapidfuzz import fuzz, process

    scorer = fuzz.ratio if len(letters(value)) <= _FEW_LETTERS else fuzz.WRatio
    found = process.extract(
        value, list(dict.fromkeys(names)), scorer=scorer, processor=letters,
        score_cutoff=_LEAST_LIKENESS, limit=_N_CLOSE,
    )  # fmt: skip
    return [name for name, *_ in found]


def country_meant(value: str) -> str:
    """Return the country that a nickname stands for, or the name as it is with single blanks."""
    plain = " ".join(value.split())
    return _COUNTRY_NICKNAMES.get(letters(plain), plain)


def letters(text: str) -> str:
    """Return the letters and digits of a text, in small letters."""
    return "".join(filter(str.isalnum, text.casefold()))
