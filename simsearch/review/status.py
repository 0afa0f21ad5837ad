"""Where a review stands: how many were screened and kept, how it went, whether to stop."""

from __future__ import annotations

import msgspec

from simsearch.files import batches
from simsearch.index.directory import IndexFacts
from simsearch.index.opened import OpenedIndex
from simsearch.review.folder import Asked, Decision, Review
from simsearch.review.standing import Standing, standing
from simsearch.review.stopping import Left, Rule, left, rules

PER_POINT = 10
"""So many screened studies make a point of the curve."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Where a review stands."""

    name: str
    question: str
    begun: str
    n_known: int
    """Studies decided before any list showed them."""
    n_known_included: int
    n_screened: int
    """Studies that a list showed and that were decided since, undecided ones left out."""
    n_kept: int
    n_included: int
    n_excluded: int
    n_undecided: int
    n_missing: int
    """Decided studies that this index does not have."""
    lists: str
    """How many lists, of which data."""
    curve: tuple[int, ...]
    """How many of each ten screened studies, in order, were kept; the last may be of fewer."""
    rules: tuple[Rule, ...]
    left: Left
    notes: tuple[str, ...]
    facts: IndexFacts


def screened(decisions: list[Decision]) -> list[bool]:
    """Return for each study of a list that was decided, in order, whether it is kept.

    A study that was decided twice stands where it was decided first, with its last decision.
    """
    last = {each.study: each for each in decisions}
    first = {each.study: each for each in reversed(decisions)}
    order = {each.study: None for each in decisions if first[each.study].batch}
    verdicts = [last[study].decision for study in order]
    return [verdict == "include" for verdict in verdicts if verdict != "undecided"]


def status_of(index: OpenedIndex, review: Review) -> Status:
    """Return where a review stands.

    Raises:
        ReviewError: the folder cannot be read.
    """
    decisions = review.decisions()
    current = review.current()
    now = standing(index, current)
    labels = screened(decisions)
    first = {each.study: each for each in reversed(decisions)}
    known = [each for each in current.values() if not first[each.study].batch]
    return Status(
        name=review.settings.name,
        question=review.settings.question,
        begun=review.settings.begun,
        n_known=len(known),
        n_known_included=sum(each.decision == "include" for each in known),
        n_screened=len(labels),
        n_kept=sum(labels),
        n_included=_number(current, "include"),
        n_excluded=_number(current, "exclude"),
        n_undecided=_number(current, "undecided"),
        n_missing=len(now.missing),
        lists=_lists(review.asked()),
        curve=tuple(sum(ten) for ten in batches(labels, PER_POINT)),
        rules=rules(labels),
        left=left(labels),
        notes=_notes(now),
        facts=index.facts,
    )


def _number(current: dict[str, Decision], verdict: str) -> int:
    return sum(each.decision == verdict for each in current.values())


def _lists(asked: list[Asked]) -> str:
    if not asked:
        return ""
    dates = dict.fromkeys(each.records_date or each.generation for each in asked)
    n = f"{len(asked):,} {'list' if len(asked) == 1 else 'lists'}"
    return f"{n}, of records to {', '.join(dates)}"


def _notes(now: Standing) -> tuple[str, ...]:
    return now.notes
