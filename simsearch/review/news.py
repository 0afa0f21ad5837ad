"""What an update of the index brings for a review: new studies near it, changes in its own."""

from __future__ import annotations

import msgspec
import numpy as np

from simsearch.diff.changes import Comparison, StudyChange
from simsearch.index.directory import IndexFacts
from simsearch.review.folder import Review
from simsearch.review.ranking import scored
from simsearch.review.standing import standing
from simsearch.review.upcoming import Suggestion, included_rows, suggestions_of
from simsearch.search.answer import closeness

_TEXTS = frozenset({"conditions", "interventions", "texts"})


class ReviewNews(msgspec.Struct, frozen=True):
    """What is new for a review between two generations; true if anything is.

    `added` are studies without a decision that came or whose texts changed, and that are close to
    an included study, best first; `changed` are the included studies that changed or left.
    """

    review: str
    old: IndexFacts
    new: IndexFacts
    added: tuple[Suggestion, ...]
    changed: tuple[StudyChange, ...]
    n_looked_at: int
    """Studies that came or whose texts changed, close or not."""
    notes: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed)


def review_news(both: Comparison, review: Review, k: int = 50) -> ReviewNews:
    """Return what is new for a review between two generations of an index.

    Args:
        both: the two generations.
        review: the review.
        k: the most new studies to list.

    Raises:
        ReviewError: no included study is in the newer generation.
    """
    current = review.current()
    index = both.new
    now = standing(index, current)
    included = included_rows(index, review, now)
    own = {nct_id for nct_id, each in current.items() if each.decision == "include"}
    own |= {study.nct_id for study in index.store.studies(list(now.included))}
    fresh, changed = [], []
    for change in both.studies():
        if change.study.nct_id in own:
            changed.append(change)
        elif change.event == "added" or (change.event == "changed" and _TEXTS & {*change.kinds}):
            fresh.append(change.study.nct_id)
    rows = {index.store.row_of(nct_id) for nct_id in fresh} - {None, *now.decided}
    among = np.array(sorted(row for row in rows if row is not None), dtype=np.int64)
    excluded = [row for row in now.excluded if index.has_text[row]]
    found = scored(index, included, excluded, among)
    listed = suggestions_of(index, found, k, now)
    close = closeness(index)
    return ReviewNews(
        review.settings.name,
        both.old.facts,
        index.facts,
        tuple(each for each in listed if each.percentile >= close),
        tuple(changed),
        len(among),
        now.notes,
    )
