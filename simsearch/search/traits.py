"""What the designs of two studies have in common that is telling: their purpose, whom they take.

Most studies are for treatment and take adults of all sexes: that relates nobody. What few studies
of an index have relates two that have it. Which these are depends on the index alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from simsearch.index.opened import OpenedIndex
from simsearch.index.traits import Traits, traits_of
from simsearch.study import Study

LEAST_COMMON = 0.3
"""A trait that this share of the studies have, of those whose records say, relates nobody."""

_PURPOSES = MappingProxyType(
    {
        "TREATMENT": "treatment",
        "PREVENTION": "prevention",
        "DIAGNOSTIC": "diagnosis",
        "SUPPORTIVE_CARE": "supportive care",
        "SCREENING": "screening",
        "HEALTH_SERVICES_RESEARCH": "health services research",
        "BASIC_SCIENCE": "basic science",
        "DEVICE_FEASIBILITY": "device feasibility",
        "ECT": "education",
        "EDUCATIONAL_COUNSELING_TRAINING": "education",
    }
)
_SEXES = MappingProxyType({"FEMALE": "women only", "MALE": "men only"})
_AGES = MappingProxyType(
    {
        "newborns": (0, 0.09),
        "infants": (0, 2),
        "children": (0, 18),
        "older adults": (60, 999),
        "adults": (18, 999),
    }
)
"""Ages in years between which both limits of a study lie; of two that do, the first is said."""
_YOUNG = MappingProxyType({"women only": "girls only", "men only": "boys only"})
_YOUNG_AGES = ("newborns", "infants", "children")
_BLOCKS, _BLOCK = 16, 64  # studies counted to know what is common

_HEALTHY = "healthy volunteers"
_NAMES = (*_PURPOSES.values(), *_SEXES.values(), *_AGES, _HEALTHY)

Facets = Mapping[int, tuple[str, str]]
"""Number of a facet → its kind and value."""

Shared = tuple[str, tuple[str, ...]]
"""A purpose, and names of a population; empty for nothing."""

_NOTHING: Shared = ("", ())


def traits_in_common(
    index: OpenedIndex, studies: Sequence[Study], rows: Sequence[int]
) -> list[Shared]:
    """Return what the designs of some studies have in common with query studies.

    Args:
        index: the index.
        studies: the query studies, of which one is enough; those with facts go by these.
        rows: the rows of the others.
    """
    if not studies:
        return [_NOTHING] * len(rows)
    row_of = {
        study.nct_id: row
        for study in studies
        if not study.facts and (row := index.store.row_of(study.nct_id)) is not None
    }
    known = telling_traits(index, sorted({*rows, *row_of.values()}))
    asked = [
        _names(traits_of(study.facts))
        if study.facts
        else known.get(row_of.get(study.nct_id, -1), frozenset())
        for study in studies
    ]
    return [said_of_both(max((mine & known[row] for mine in asked), key=len)) for row in rows]


def telling_traits(index: OpenedIndex, rows: Sequence[int]) -> dict[int, frozenset[str]]:
    """Return row → those names of its traits that few studies of the index have.

    Args:
        index: the index.
        rows: of studies, each once.
    """
    known = index.remember("telling traits", lambda: _telling(index))
    if known is None:
        return dict.fromkeys(rows, frozenset())
    telling, facets = known
    found = index.store.traits(facets, rows)
    return {row: _names(found.get(row)) & telling for row in rows}


def _names(traits: Traits | None) -> frozenset[str]:
    if traits is None:
        return frozenset()
    found = {
        _PURPOSES.get(traits.primary_purpose, ""),
        _SEXES.get(traits.sex, ""),
        _HEALTHY if traits.healthy_volunteers == "yes" else "",
    }
    least, most = traits.minimum_age, traits.maximum_age
    if least is not None and most is not None:
        found |= {name for name, (low, high) in _AGES.items() if low <= least and most <= high}
    return frozenset(found - {""})


def _telling(index: OpenedIndex) -> tuple[frozenset[str], Facets] | None:
    """Return the traits that few studies of an index have, and the facets that they go by.

    None if no study has any.
    """
    facets = index.store.trait_facets()
    if not facets:
        return None
    step = max(_BLOCK, -(-index.n_studies // _BLOCKS))
    n_known: Counter[str] = Counter()
    n_having: Counter[str] = Counter()
    for traits in index.store.traits(facets, range(0, index.n_studies, step), _BLOCK - 1).values():
        known = {
            "purpose": traits.primary_purpose,
            "sex": traits.sex,
            "healthy": traits.healthy_volunteers,
            "ages": traits.maximum_age is not None,
        }
        n_known.update(name for name, is_known in known.items() if is_known)
        n_having.update(_names(traits))
    telling = frozenset(
        name for name in _NAMES if n_having[name] < LEAST_COMMON * max(1, n_known[_kind(name)])
    )
    said = {
        number: (kind, value)
        for number, (kind, value) in facets.items()
        if telling & _names(msgspec.convert({kind: value}, Traits))
    }
    return telling, said


def _kind(name: str) -> str:
    """Return which trait a name is of."""
    if name in _AGES:
        return "ages"
    if name == _HEALTHY:
        return "healthy"
    return "sex" if name in _SEXES.values() else "purpose"


def said_of_both(names: frozenset[str]) -> Shared:
    """Return what is said of the names of traits that two studies share."""
    if not names:
        return _NOTHING
    age = next((each for each in _AGES if each in names), "")
    sex = next((each for each in _SEXES.values() if each in names), "")
    if sex and age in _YOUNG_AGES:
        age, sex = "" if age == "children" else age, _YOUNG[sex]
    healthy = _HEALTHY if _HEALTHY in names else ""
    purpose = next((each for each in _PURPOSES.values() if each in names), "")
    return purpose, tuple(filter(None, (age, sex, healthy)))
