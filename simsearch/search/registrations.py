"""Which records are of one trial, by the numbers that it has in other registries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from simsearch.facts import OtherNumber
from simsearch.index.opened import OpenedIndex
from simsearch.records.number_shapes import CLINICALTRIALS_GOV
from simsearch.records.other_numbers import key_of
from simsearch.study import Study


class Registrations(msgspec.Struct, frozen=True):
    """The numbers of a study: its own NCT IDs, and those elsewhere (key → number)."""

    own: frozenset[str]
    elsewhere: Mapping[str, OtherNumber]


def registrations(
    index: OpenedIndex, rows: Sequence[int], studies: Sequence[Study]
) -> list[Registrations]:
    """Return the numbers of studies of an index, given with their rows."""
    numbers = index.store.numbers_of(rows)
    return [
        Registrations(_own(study), numbers[int(row)])
        for row, study in zip(rows, studies, strict=True)
    ]


def registrations_of(study: Study) -> Registrations:
    """Return the numbers of a study that is not in the index."""
    numbers = study.facts.other_numbers if study.facts else ()
    return Registrations(_own(study), {key_of(each): each for each in numbers})


def same_registration(one: Registrations, other: Registrations) -> str:
    """Return what makes two records one trial, in words, or `""`.

    That is a number of another registry, or the NCT ID of each among the numbers of the other.
    Numbers of sponsors do not count: many use the same.
    """
    for key, number in one.elsewhere.items():
        if key in other.elsewhere and number.registry not in {"", CLINICALTRIALS_GOV}:
            return f"same registration: {number.registry} {number.number}"
    if _names(one.own, other.elsewhere) and _names(other.own, one.elsewhere):
        return "each has the other's NCT ID among its numbers"
    return ""


def _own(study: Study) -> frozenset[str]:
    return frozenset({study.nct_id, *study.aliases} - {""})


def _names(nct_ids: Iterable[str], numbers: Mapping[str, OtherNumber]) -> bool:
    return any(nct_id in numbers for nct_id in nct_ids)
