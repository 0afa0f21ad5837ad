"""Which of many names a person means by a mistyped one."""

from __future__ import annotations

from collections.abc import Iterable

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


def letters(text: str) -> str:
    """Return the letters and digits of a text, in small letters."""
    return "".join(filter(str.isalnum, text.casefold()))
