"""The studies of a review to screen next: best first, none decided, twins folded."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np

from simsearch.errors import ArgumentError, ReviewError
from simsearch.index.directory import IndexFacts
from simsearch.index.opened import OpenedIndex
from simsearch.review.folder import Asked, Review, today
from simsearch.review.ranking import RANKING, Scores, scored
from simsearch.review.standing import Standing, standing
from simsearch.review.twins import DecidedTwin, decided_twins, folded
from simsearch.search.nearest import percentiles
from simsearch.search.neighbour import Neighbour, Reason
from simsearch.search.query_parts import study_part
from simsearch.search.reasons import explain
from simsearch.search.registrations import registrations
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS, SIGNALS

MAX_K = 1_000
_LOOKED_AT = 2  # times k studies are looked at for twins
_EXPLORED = 10  # times k places are explored


class Suggestion(msgspec.Struct, frozen=True):
    """A study to screen.

    `rank` counts from 1; `nearest` is the included study that it is most like, with `similarity`
    to that one, the `percentile` of that among random pairs of studies, and the `reason`.
    `twins` are further entries of the same trial. `explored` tells one that exploration
    brought up, not its place. `decided_twin` is a decided study that may be the same trial.
    """

    rank: int
    study: Study
    nearest: Study
    similarity: float
    percentile: float
    reason: Reason
    twins: tuple[Study, ...] = ()
    explored: bool = False
    decided_twin: DecidedTwin | None = None


class Upcoming(msgspec.Struct, frozen=True):
    """A list of studies to screen, and what it was made of."""

    review: str
    facts: IndexFacts
    suggestions: tuple[Suggestion, ...]
    n_included: int
    n_excluded: int
    n_undecided: int
    notes: tuple[str, ...]


def upcoming(index: OpenedIndex, review: Review, k: int = 20, explore: float = 0.0) -> Upcoming:
    """Return the next studies to screen; the same for the same folder and index.

    Args:
        index: the index.
        review: the review.
        k: how many, 1 to 1,000.
        explore: share of the list, 0 to .5, that is taken from further down, evenly spread.

    Raises:
        ArgumentError: k or the share is out of its range.
        ReviewError: no included study is in the index.
    """
    if not 1 <= k <= MAX_K:
        raise ArgumentError("k", k, f"from 1 to {MAX_K:,}")
    if not 0 <= explore <= 0.5:  # noqa: PLR2004 - half
        raise ArgumentError("explore", explore, "from 0 to 0.5")
    current = review.current()
    now = standing(index, current)
    included = included_rows(index, review, now)
    excluded = [row for row in now.excluded if index.has_text[row]]
    found = scored(index, included, excluded)
    held = ~np.isin(found.rows, now.decided)
    found = Scores(
        found.rows[held], found.scores[held], found.nearest[held], found.similarity[held]
    )
    return Upcoming(
        review.settings.name,
        index.facts,
        suggestions_of(index, found, k, now, explore, len(current)),
        len(now.included),
        len(now.excluded),
        len(now.undecided),
        now.notes,
    )


def included_rows(index: OpenedIndex, review: Review, now: Standing) -> list[int]:
    """Return the rows of the included studies by which others are ranked.

    Raises:
        ReviewError: there is none.
    """
    included = [row for row in now.included if index.has_text[row]]
    if not included:
        raise ReviewError(review.path, "has no included study that is in this index and has text")
    return included


def asked_of(found: Upcoming) -> Asked:
    """Return the line for the review's folder that says what was asked, and what came."""
    facts = found.facts
    return Asked(
        date=today(),
        generation=facts.generation,
        records_date=facts.records_date,
        n_studies=facts.n_studies,
        ranking=RANKING,
        n_included=found.n_included,
        n_excluded=found.n_excluded,
        shown=tuple(
            study.nct_id for each in found.suggestions for study in (each.study, *each.twins)
        ),
    )


def suggestions_of(
    index: OpenedIndex,
    found: Scores,
    k: int,
    now: Standing,
    explore: float = 0.0,
    seed: int = 0,
) -> tuple[Suggestion, ...]:
    """Return the first k of scored studies, entries of one trial as one.

    Args:
        index: the index.
        found: the scores of studies without a decision.
        k: how many.
        now: the decisions.
        explore: the share that is taken from further down.
        seed: decides which.
    """
    n = min(_LOOKED_AT * k + 10 + (_EXPLORED * k if explore else 0), len(found.rows))
    studies = index.store.studies(found.rows[:n].tolist())
    numbers = registrations(index, found.rows[:n].tolist(), studies)
    groups = folded(numbers)
    places, explored = _places(list(groups), k, explore, seed)
    nearest = index.store.studies(found.nearest[places].tolist())
    high = percentiles(index, found.similarity[places], {n: DEFAULT_WEIGHTS[n] for n in SIGNALS})
    of_decided = decided_twins(index, [numbers[at] for at in places], now)
    return tuple(
        Suggestion(
            rank,
            studies[at],
            near,
            float(found.similarity[at]),
            round(float(high[rank - 1]), 3),
            _reason(index, near, studies[at], float(found.similarity[at])),
            tuple(studies[twin] for twin in groups[at]),
            at in explored,
            of_decided.get(rank - 1),
        )
        for rank, (at, near) in enumerate(zip(places, nearest, strict=True), start=1)
    )


def _places(leaders: list[int], k: int, explore: float, seed: int) -> tuple[list[int], set[int]]:
    """Return the places of the list, and those of them that are explored."""
    n_explored = round(explore * k)
    best, further = leaders[: k - n_explored], leaders[k - n_explored :]
    drawn = sorted(
        further[: _EXPLORED * k],
        key=lambda at: hashlib.sha256(f"{seed} {at}".encode()).digest(),
    )
    explored = set(drawn[:n_explored])
    return [*best, *sorted(explored)], explored


def _reason(index: OpenedIndex, near: Study, study: Study, similarity: float) -> Reason:
    part = study_part(index, index.row_of(near.nct_id))
    as_neighbour = Neighbour(1, study, similarity, {}, 0.0)
    return explain(index, [part], [near], [as_neighbour], DEFAULT_WEIGHTS)[0]
