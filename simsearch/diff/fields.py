"""The fields in which two records of a study can differ, by kind of change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from simsearch.facts import Facts, Site
from simsearch.study import Study

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "status": ("status", "last_known_status", "why_stopped"),
        "results": ("has_results",),
        "dates": ("start_date", "primary_completion_date", "completion_date"),
        "enrollment": ("enrollment", "enrollment_type"),
        "design": (
            "study_type", "phases", "allocation", "intervention_model", "masking",
            "primary_purpose", "observational_model", "time_perspective",
        ),
        "outcomes": ("primary_outcomes", "secondary_outcomes"),
        "arms": ("arms",),
        "eligibility": (
            "criteria", "minimum_age", "maximum_age", "sex", "healthy_volunteers",
        ),
        "conditions": ("conditions", "condition_mesh"),
        "interventions": ("interventions", "intervention_mesh"),
        "texts": ("title", "official_title", "acronym", "summary", "keywords", "outcomes"),
        "sponsor": ("sponsor",),
        "countries": ("countries",),
        "sites": ("sites",),
        "numbers": ("aliases", "mentions"),
        "other": ("last_update_date",),
    }
)  # fmt: skip
"""Kind of change → the fields of a study and of its facts, the most important kind first.

`other` is an update that changed none of them.
"""

_OF_FACTS = frozenset(Facts.__struct_fields__)


class FieldChange(msgspec.Struct, frozen=True):
    """A field of a study that changed, with its old and its new value."""

    name: str
    old: Any
    new: Any


def changed_fields(old: Study, new: Study) -> tuple[FieldChange, ...]:
    """Return the fields in which two records of a study differ, the most important first.

    Facts are compared where both studies have them, and criteria where both give them: an index
    may keep none. The date of the last update, which moves with every change, is included only
    if no other field differs.
    """
    found = tuple(_differing(old, new))
    return tuple(field for field in found if field.name not in KINDS["other"]) or found


def _differing(old: Study, new: Study) -> Iterator[FieldChange]:
    """Yield the fields that differ, in the order of `KINDS`."""
    for names in KINDS.values():
        for name in names:
            if name not in _OF_FACTS:
                before, after = getattr(old, name), getattr(new, name)
            elif old.facts is None or new.facts is None:
                continue
            else:
                before, after = _fact(old.facts, name), _fact(new.facts, name)
                if name == "criteria" and not (before and after):
                    continue
            if before != after:
                yield FieldChange(name, before, after)


def _fact(facts: Facts, name: str) -> Any:
    """Return a fact; sites without coordinates and postal codes, in an order of their own."""
    return _sites(facts.sites) if name == "sites" else getattr(facts, name)


def _sites(sites: tuple[Site, ...]) -> tuple[Site, ...]:
    bare = (msgspec.structs.replace(s, zip="", latitude=None, longitude=None) for s in sites)
    return tuple(sorted(bare, key=lambda s: (s.country, s.state, s.city, s.facility, s.status)))
