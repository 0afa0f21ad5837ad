"""The values of filters, understood as people write them: `phase 2`, `recruiting`, `USA`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from simsearch.errors import FilterError, UnknownFieldError
from simsearch.index.studies import StudyStore
from simsearch.search.countries import countries_named
from simsearch.search.likeness import closest, letters

STATUSES = (
    "RECRUITING", "NOT_YET_RECRUITING", "ENROLLING_BY_INVITATION", "ACTIVE_NOT_RECRUITING",
    "COMPLETED", "SUSPENDED", "TERMINATED", "WITHDRAWN", "UNKNOWN", "AVAILABLE",
    "NO_LONGER_AVAILABLE", "TEMPORARILY_NOT_AVAILABLE", "APPROVED_FOR_MARKETING", "WITHHELD",
)  # fmt: skip


PHASES = ("EARLY_PHASE1", "PHASE1", "PHASE2", "PHASE3", "PHASE4", "NA")


STUDY_TYPES = ("INTERVENTIONAL", "OBSERVATIONAL", "EXPANDED_ACCESS")


INTERVENTION_TYPES = (
    "DRUG", "BIOLOGICAL", "DEVICE", "PROCEDURE", "BEHAVIORAL", "RADIATION", "GENETIC",
    "DIETARY_SUPPLEMENT", "DIAGNOSTIC_TEST", "COMBINATION_PRODUCT", "OTHER",
)  # fmt: skip


STATUS_WORDS = MappingProxyType(
    {
        "active": ("RECRUITING", "ENROLLING_BY_INVITATION", "ACTIVE_NOT_RECRUITING"),
        "ongoing": ("RECRUITING", "ENROLLING_BY_INVITATION", "ACTIVE_NOT_RECRUITING"),
        "open": ("RECRUITING", "ENROLLING_BY_INVITATION", "AVAILABLE"),
        "enrolling": ("RECRUITING", "ENROLLING_BY_INVITATION"),
        "planned": ("NOT_YET_RECRUITING",),
        "stopped": ("SUSPENDED", "TERMINATED", "WITHDRAWN"),
    }
)
"""A word that people use for several statuses → the statuses."""


_BETWEEN_PHASES = re.compile(r"[/,](?!a)", re.IGNORECASE)  # but not within n/a


_ROMAN = MappingProxyType({"i": "1", "ii": "2", "iii": "3", "iv": "4"})


def spelled(store: StudyStore, kind: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return the values of a filter as the index spells them.

    Raises:
        FilterError: a value that no study can have.
        UnknownFieldError: no study has any.
    """
    known, understand = KINDS[kind]
    found: list[str] = []
    if kind == "phase":
        values = [part for value in values for part in _BETWEEN_PHASES.split(value)]
    for value in values:
        names = store.values_of(kind)
        if not (known or names):
            raise UnknownFieldError(kind)
        matching = understand(value, (*known, *names))
        if not matching:
            close = tuple(closest(value, (*known, *names)))
            raise FilterError(kind, value, close, tuple(known or names))
        found += matching
    return tuple(dict.fromkeys(found))


def _statuses(value: str, names: Iterable[str]) -> list[str]:
    """Return the statuses that a person means: `open`, `Active, not recruiting`."""
    return list(STATUS_WORDS.get(letters(value), ())) or _named(value, names)


def _named(value: str, names: Iterable[str]) -> list[str]:
    """Return the enum value that a person means: `phase 2`, `2`, `Active, not recruiting`."""
    said = letters(value)
    said = _ROMAN.get(said.removeprefix("phase"), said)
    shapes = {
        said,
        f"phase{said}",
        said.replace("early", "earlyphase"),
        said.replace("studies", ""),
    }
    shapes |= {"na"} if said in {"notapplicable", "none"} else set()
    return [name for name in names if letters(name) in shapes][:1]


def _with_words(value: str, names: Iterable[str]) -> list[str]:
    """Return the names that have a word beginning with each given word (`nat cancer`).

    Words are split the same way on both sides, at anything but letters and digits.
    """
    begins = [re.compile(rf"\b{word}") for word in re.findall(r"\w+", value.casefold())]
    return [
        name for name in names if begins and all(each.search(name.casefold()) for each in begins)
    ]


KINDS: Mapping[str, tuple[tuple[str, ...], Callable[[str, Iterable[str]], list[str]]]] = (
    MappingProxyType(
        {
            "status": (STATUSES, _statuses),
            "phase": (PHASES, _named),
            "study_type": (STUDY_TYPES, _named),
            "intervention_type": (INTERVENTION_TYPES, _named),
            "sponsor": ((), _with_words),
            "facility": ((), _with_words),
            "country": ((), countries_named),
        }
    )
)
