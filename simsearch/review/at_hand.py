"""The list that is being screened, on a page: what is left of the last one, or else a new one.

A list stays until its studies are decided, so that nothing moves under the eyes of the person
who screens; the next one has learned from these decisions. The lists are those of the folder:
what `simsearch review next` listed last is at hand on the page, and the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from simsearch.index.opened import OpenedIndex
from simsearch.review.folder import Decision, Review, Verdict
from simsearch.review.ranking import Scores, scored
from simsearch.review.standing import standing
from simsearch.review.upcoming import (
    Upcoming,
    asked_of,
    included_rows,
    suggestions_of,
    upcoming,
)
from simsearch.study import parse_nct_id

N_AT_HAND = 10
"""How many studies a new list has, and how many of a longer one are at hand at once."""


class AtHand(msgspec.Struct, frozen=True):
    """A list to screen; `is_new` where it stands in no folder yet (see `noted`)."""

    upcoming: Upcoming
    is_new: bool


def at_hand(index: OpenedIndex, review: Review) -> AtHand:
    """Return what is left of the last list, in its order, or a new list.

    Nothing is written. A list made of another generation of the index is not continued.

    Raises:
        ReviewError: the folder cannot be read, or no included study is in the index.
    """
    left = _left(index, review)[:N_AT_HAND]
    if not left:
        return AtHand(upcoming(index, review, N_AT_HAND), is_new=True)
    now = standing(index, review.current())
    excluded = [row for row in now.excluded if index.has_text[row]]
    among = np.array(sorted(left), dtype=np.int64)
    found = scored(index, included_rows(index, review, now), excluded, among)
    order = np.argsort([left.index(row) for row in found.rows.tolist()])
    in_order = Scores(
        found.rows[order], found.scores[order], found.nearest[order], found.similarity[order]
    )
    return AtHand(
        Upcoming(
            review.settings.name,
            index.facts,
            suggestions_of(index, in_order, len(left), now),
            len(now.included),
            len(now.excluded),
            len(now.undecided),
            now.notes,
        ),
        is_new=False,
    )


def renewed(index: OpenedIndex, review: Review) -> None:
    """Put a new list in place of what is left of the last one."""
    review.note_asked(asked_of(upcoming(index, review, N_AT_HAND)))


def decide_at_hand(
    index: OpenedIndex, review: Review, study: str, verdict: Verdict, by: str
) -> None:
    """Write a decision into the folder, and before it the list that shows the study, if new.

    Args:
        index: the index.
        review: the review.
        study: NCT ID, in any spelling.
        verdict: what is decided.
        by: who decides.

    Raises:
        NctIdError: the ID is none.
        ReviewError: the folder cannot be read or written.
    """
    nct_id = parse_nct_id(study)
    if nct_id not in review.current():
        found = at_hand(index, review)
        if found.is_new and nct_id in asked_of(found.upcoming).shown:
            review.note_asked(asked_of(found.upcoming))
    review.decide({nct_id: verdict}, by)


def undo(review: Review, study: str, by: str) -> None:
    """Decide a study as it was before its last decision; set it aside if it had none before.

    The last decision stays in the folder: this is a newer one.

    Raises:
        NctIdError: the ID is none.
        ReviewError: the folder cannot be read or written.
    """
    nct_id = parse_nct_id(study)
    verdicts = [each.decision for each in review.decisions() if each.study == nct_id]
    if verdicts:
        before: Verdict = verdicts[-2] if len(verdicts) > 1 else "undecided"
        review.decide({nct_id: before}, by)


def latest(decisions: Sequence[Decision], n: int) -> list[Decision]:
    """Return the last decisions on up to n studies, newest first."""
    found: dict[str, Decision] = {}
    for each in reversed(decisions):
        found.setdefault(each.study, each)
    return list(found.values())[:n]


def _left(index: OpenedIndex, review: Review) -> list[int]:
    """Return the rows of the last list without a decision, in its order."""
    asked = review.asked()
    if not asked or asked[-1].generation != index.facts.generation:
        return []
    decided = {*standing(index, review.current()).decided}
    located = index.store.located(asked[-1].shown)
    rows = dict.fromkeys(located[each][0] for each in asked[-1].shown if each in located)
    return [row for row in rows if row not in decided and index.has_text[row]]
