"""The cells of the site's table: lists joined by bars, locations, numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simsearch.records import vocabulary
from simsearch.records.assemble import RawIntervention

_ENUM_TYPES = (
    "BEHAVIORAL", "BIOLOGICAL", "COMBINATION_PRODUCT", "DEVICE", "DIAGNOSTIC_TEST",
    "DIETARY_SUPPLEMENT", "DRUG", "GENETIC", "OTHER", "PROCEDURE", "RADIATION",
)  # fmt: skip
_INTERVENTION_TYPES = frozenset(
    {*_ENUM_TYPES, *(name.replace("_", " ").title() for name in _ENUM_TYPES)}
)
NOT_GIVEN = frozenset({"", "na", "n/a", "nan", "none", "not provided", "null"})
"""Words of a cell, in lower case, that stand for nothing."""


class BrokenRowError(Exception):
    """The row is not one complete record; the message is the reason."""


def measures(row: Mapping[str, str]) -> Iterator[str]:
    """Yield the measure of each outcome in `measure, description, time frame|measure, ...`.

    A comma within a measure cannot be distinguished from the one that ends it, so a measure is
    cut at its first comma. Of 3,330 measures from the API, joined like this, 95 % came back whole.
    The older site's one column has the measures alone, primary before secondary.
    """
    for name in ("primary outcome measures", "secondary outcome measures"):
        for outcome in row.get(name, "").split("|"):
            yield outcome.partition(", ")[0]
    yield from row.get("outcome measures", "").split("|")


def interventions(text: str) -> Iterator[RawIntervention]:
    """Yield type and name of each intervention in `DRUG: X|DEVICE: Y`.

    A name may contain a bar: a piece that does not begin with a type belongs to the one before.
    """
    glued: list[str] = []
    for piece in text.split("|"):
        if glued and piece.partition(": ")[0] not in _INTERVENTION_TYPES:
            glued[-1] += f"|{piece}"
        else:
            glued.append(piece)
    for whole in glued:
        kind, _, name = whole.partition(": ")
        yield (kind, name, ()) if kind in _INTERVENTION_TYPES else ("", whole, ())


def country(location: str) -> str:
    """Return the country at the end of `facility, city, state, zip, country`.

    All country names with a comma (`Korea, Republic of`) are names that the registry has changed.
    """
    parts = location.strip().rsplit(", ", 2)
    with_comma = ", ".join(parts[-2:])
    return with_comma if vocabulary.country(with_comma) != with_comma else parts[-1]


def enrollment(text: str) -> int | None:
    """Return the number of participants; any other text means that the cells have shifted."""
    if text.strip().lower() in NOT_GIVEN:
        return None
    count = vocabulary.count(text)
    if count is None:
        raise BrokenRowError(f"the enrollment is not a number: {text.strip()[:40]!r}")
    return count


def has_results(text: str) -> bool | None:
    """Return whether results are posted, in either site's words; None if the cell has neither."""
    answer = text.strip().lower()
    if answer in {"yes", "has results"}:
        return True
    return False if answer in {"no", "no results available"} else None
