"""Which NCT ID of an index a mistyped one means."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from types import MappingProxyType

_LOOKALIKES = MappingProxyType(
    {"O": "0", "Q": "0", "D": "0", "I": "1", "L": "1", "|": "1", "Z": "2", "S": "5", "G": "6",
     "B": "86"}
)  # fmt: skip
"""Letter → the digits that it is typed for."""

_LONGEST = 20  # characters looked at
_MOST_LETTERS = 4  # in place of digits
_DIGITS = 8
_LEAST_DIGITS = 5  # fewer could be any study


def meant(typed: str, nct_ids: Sequence[str]) -> str:
    """Return the only NCT ID of an index that a mistyped text can mean, or `""`.

    First with lookalikes replaced (O for 0, l for 1) and whatever stands between the digits
    removed; then the one that the fewest typing errors lead to.

    Args:
        typed: what a person typed.
        nct_ids: those of the index.
    """
    plain = re.sub(r"[^A-Z0-9|]", "", typed.upper()[:_LONGEST])
    if not plain.isdigit() and sum(map(str.isdigit, plain)) < _LEAST_DIGITS:
        return ""
    read = set(_readings(plain.removeprefix("NCT"))).intersection(nct_ids)
    if read:
        return read.pop() if len(read) == 1 else ""
    return _nearest(f"NCT{plain}" if plain.isdigit() else plain, nct_ids)


def _readings(digits: str) -> Iterator[str]:
    """Yield the NCT IDs that digits can be read as, some of which are letters."""
    letters = [each for each in digits if not each.isdigit()]
    if len(digits) > _DIGITS or len(letters) > _MOST_LETTERS:
        return
    choices = (each if each.isdigit() else _LOOKALIKES.get(each, "") for each in digits)
    for reading in itertools.product(*choices):
        yield f"NCT{int(''.join(reading)):08d}"


def _nearest(typed: str, nct_ids: Sequence[str]) -> str:
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    found = process.extract(typed, nct_ids, scorer=OSA.distance, score_cutoff=2, limit=2)
    if not found or (len(found) > 1 and found[0][1] == found[1][1]):
        return ""
    return str(found[0][0])
