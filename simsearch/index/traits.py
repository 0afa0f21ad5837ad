"""What a study is for and whom it takes, as registered: what reasons say of its design.

The values lie in the store already, as facets and as ages by which filters select.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from simsearch.facts import Facts, age_in_years
from simsearch.index.study_tables import NO_LIMIT, TRAIT_KINDS

_Found = Iterable[tuple[Any, ...]]

_AMONG = "row BETWEEN span.value AND span.value + ?1"
_KINDS = ", ".join(f"'{kind}'" for kind in TRAIT_KINDS)
FACETS = f"SELECT id, kind, value FROM facet WHERE kind IN ({_KINDS})"
BY_ROWS = f"""
SELECT row, facet FROM json_each(?3) AS wanted CROSS JOIN json_each(?2) AS span
CROSS JOIN has_facet ON facet = wanted.value AND {_AMONG}
"""
AGES_BY_ROWS = f"""
SELECT row, minimum_age, maximum_age FROM json_each(?2) AS span CROSS JOIN design ON {_AMONG}
"""


class Traits(msgspec.Struct, frozen=True, gc=False):
    """Purpose and population of one study; what its record does not say is empty or None."""

    primary_purpose: str = ""
    """The registry's enum (`TREATMENT`, …)."""
    sex: str = ""
    """`ALL`, `FEMALE` or `MALE`."""
    healthy_volunteers: str = ""
    """`yes` or `no`."""
    minimum_age: float | None = None
    """In years."""
    maximum_age: float | None = None
    """In years; `NO_LIMIT` for none."""


def traits_of(facts: Facts) -> Traits:
    """Return the traits of a study by its facts."""
    takes = {None: "", True: "yes", False: "no"}[facts.healthy_volunteers]
    return Traits(facts.primary_purpose, facts.sex, takes, *ages_of(facts))


def ages_of(facts: Facts) -> tuple[float | None, float | None]:
    """Return the least and the greatest age in years, None for what is not known.

    A record that gives the sex gives the ages, and one without a limit has none.
    """
    least, most = age_in_years(facts.minimum_age), age_in_years(facts.maximum_age)
    if facts.sex:
        least = 0.0 if not facts.minimum_age else least
        most = NO_LIMIT if not facts.maximum_age else most
    return least, most


def traits_by_row(
    facets: Mapping[int, tuple[str, str]], has_facet: _Found, ages: _Found
) -> dict[int, Traits]:
    """Return row → traits.

    Args:
        facets: number of a facet → its kind and value.
        has_facet: row and number of a facet.
        ages: row, least age and greatest.

    Raises:
        KeyError, TypeError, ValueError, msgspec.ValidationError: the values are not such.
    """
    found: dict[int, dict[str, object]] = defaultdict(dict)
    for row, facet in has_facet:
        kind, value = facets[facet]
        found[row][kind] = value
    for row, least, most in ages:
        found[row] |= {"minimum_age": least, "maximum_age": most}
    return {row: msgspec.convert(values, Traits) for row, values in found.items()}
