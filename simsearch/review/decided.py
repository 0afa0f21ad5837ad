"""All that was decided in a review, with the studies: what an export and a report are made of."""

from __future__ import annotations

import msgspec

from simsearch.index.opened import OpenedIndex
from simsearch.review.folder import Asked, Decision, Review
from simsearch.review.status import Status, status_of
from simsearch.search.facts_of import with_facts
from simsearch.study import Study


class DecidedStudy(msgspec.Struct, frozen=True):
    """A study and its last decision; `study` has only an NCT ID where the index lacks it."""

    study: Study
    decision: Decision
    known: bool
    """Whether it was decided before any list showed it."""


class Decided(msgspec.Struct, frozen=True):
    """A review with all its studies."""

    status: Status
    studies: tuple[DecidedStudy, ...]
    """In the order in which they were first decided."""
    asked: tuple[Asked, ...]


def decided(index: OpenedIndex, review: Review) -> Decided:
    """Return all that was decided in a review, with the studies as the index has them.

    Raises:
        ReviewError: the folder cannot be read.
    """
    current = review.current()
    first = {each.study: each for each in reversed(review.decisions())}
    there = {nct_id: row for nct_id, (row, _) in index.store.located(current).items()}
    studies = with_facts(index, index.store.studies(list(there.values())))
    by_id = dict(zip(there, studies, strict=True))
    return Decided(
        status_of(index, review),
        tuple(
            DecidedStudy(by_id.get(nct_id, Study(nct_id=nct_id)), each, first[nct_id].batch == 0)
            for nct_id, each in current.items()
        ),
        tuple(review.asked()),
    )
