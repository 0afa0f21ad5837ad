"""Entries of one trial: shown as one, and marked where one of them is decided.

Two records are taken for one trial if they have the same number in another registry, or if each
has the other's NCT ID among its numbers (`same_registration`). Most are; but arms of a platform
trial and sub-studies share a number too, so that none is left out for it. Studies that only name
each other in their texts, as an extension and the trial before it, are two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from simsearch.index.opened import OpenedIndex
from simsearch.records.number_shapes import CLINICALTRIALS_GOV
from simsearch.review.folder import Verdict
from simsearch.review.standing import Standing
from simsearch.search.registrations import Registrations, registrations, same_registration
from simsearch.study import Study


class DecidedTwin(msgspec.Struct, frozen=True):
    """A decided study that is of the same trial as another, by the numbers that `reason` tells."""

    study: Study
    decision: Verdict
    reason: str


def folded(found: Sequence[Registrations]) -> dict[int, tuple[int, ...]]:
    """Return place → the places of further entries of the same trial after it."""
    first_with: dict[str, int] = {}
    groups: dict[int, tuple[int, ...]] = {}
    for at, each in enumerate(found):
        keys = list(_keys(each))
        first = min((first_with[key] for key in keys if key in first_with), default=at)
        for key in keys:
            first_with.setdefault(key, first)
        groups[first] = (*groups[first], at) if first != at else ()
    return groups


def decided_twins(
    index: OpenedIndex, found: Sequence[Registrations], now: Standing
) -> dict[int, DecidedTwin]:
    """Return place → the decided study of the same trial, for those that have one.

    Args:
        index: the index.
        found: the numbers of studies without a decision.
        now: the decisions.
    """
    verdicts = now.verdicts
    twins = {}
    for at, each in enumerate(found):
        rows = {row for key in _asked_by(each) for row in index.store.rows_numbered(key)}
        decided = sorted(rows & verdicts.keys())
        studies = index.store.studies(decided)
        numbers = registrations(index, decided, studies)
        for row, study, other in zip(decided, studies, numbers, strict=True):
            if reason := same_registration(each, other):
                twins[at] = DecidedTwin(study, verdicts[row], reason)
                break
    return twins


def _asked_by(each: Registrations) -> Iterator[str]:
    """Yield the numbers that another record of the same trial would have."""
    yield from each.own
    for key, number in each.elsewhere.items():
        if number.registry not in {"", CLINICALTRIALS_GOV}:
            yield key


def _keys(each: Registrations) -> Iterator[str]:
    """Yield keys of which two records of one trial have one in common."""
    for key, number in each.elsewhere.items():
        if number.registry not in {"", CLINICALTRIALS_GOV}:
            yield key
        for own in each.own:
            yield " ".join(sorted((own, key)))
