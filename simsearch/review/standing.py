"""The decisions of a review as an index of today sees them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from simsearch.index.opened import OpenedIndex
from simsearch.review.folder import Decision, Verdict


class Standing(msgspec.Struct, frozen=True):
    """Where the studies of a review stand in an index.

    `included`, `excluded` and `undecided` are rows of the index, in the order in which they were
    decided; `notes` are what a person should know: studies that were merged, or have left.
    """

    included: tuple[int, ...]
    excluded: tuple[int, ...]
    undecided: tuple[int, ...]
    missing: tuple[str, ...]
    """NCT IDs that the index does not have, in the order of their decisions."""
    notes: tuple[str, ...]

    @property
    def decided(self) -> tuple[int, ...]:
        """All rows with a decision."""
        return self.included + self.excluded + self.undecided

    @property
    def verdicts(self) -> dict[int, Verdict]:
        """Row → its decision."""
        found: dict[int, Verdict] = dict.fromkeys(self.included, "include")
        found |= dict.fromkeys(self.excluded, "exclude")
        return found | dict.fromkeys(self.undecided, "undecided")


def standing(index: OpenedIndex, decisions: Mapping[str, Decision]) -> Standing:
    """Return where each decided study stands; the decision on a merged study follows it.

    Where two numbers of what is one study now were decided differently, the later decision
    counts, and a note says so.

    Args:
        index: the index of today.
        decisions: NCT ID → its last decision, as `Review.current` returns them.
    """
    notes, missing = [], []
    by_row: dict[int, Decision] = {}
    own: dict[int, str] = {}
    located = index.store.located(decisions)
    for nct_id, decision in decisions.items():
        if nct_id not in located:
            missing.append(nct_id)
            notes.append(_of_missing(index, nct_id, decision))
            continue
        row, own[row] = located[nct_id]
        other = by_row.pop(row, None)
        if other and other.decision != decision.decision:
            later = max((other, decision), key=lambda each: each.date)
            notes.append(
                f"{other.study} ({other.decision}) and {nct_id} ({decision.decision}) are one "
                f"study now: the decision of {later.date} counts, {later.decision}"
            )
            decision = later  # noqa: PLW2901 - what counts
        by_row[row] = decision
    notes += [
        f"{decision.study} was merged into {own[row]}: its decision follows"
        for row, decision in by_row.items()
        if decision.study != own[row]
    ]
    of = {
        verdict: tuple(row for row, each in by_row.items() if each.decision == verdict)
        for verdict in ("include", "exclude", "undecided")
    }
    return Standing(of["include"], of["exclude"], of["undecided"], tuple(missing), tuple(notes))


def _of_missing(index: OpenedIndex, nct_id: str, decision: Decision) -> str:
    gone = index.store.gone(nct_id)
    what = f"left the registry (noticed on {gone.since})" if gone else "is not in this index"
    return f"{nct_id} {what}: its decision, {decision.decision}, is kept"
