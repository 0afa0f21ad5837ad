"""What became of a watched study and of its neighbours between two generations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from simsearch.diff.changes import KINDS, Comparison, FieldChange, StudyChange
from simsearch.encode.fields import FIELDS, lexical_text
from simsearch.errors import NothingToCompareError
from simsearch.index.opened import OpenedIndex
from simsearch.search.nearest import nearest
from simsearch.search.neighbour import Neighbour
from simsearch.search.query_parts import study_part
from simsearch.search.reasons import explain
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS

# Changes of a neighbour that stays one which are worth telling.
_TELLING = frozenset({"status", "results", "dates"})
_TEXTS = frozenset(KINDS["conditions"] + KINDS["interventions"] + KINDS["texts"])
_SHOWN = 3


class NeighbourChange(msgspec.Struct, frozen=True, kw_only=True):
    """A study that is new among the neighbours of another, has left them, or changed there.

    `event` is `new`, `left` or `changed`. A neighbour that left has the rank and similarity
    that it had. `why` says what brought it or took it away; `reason` says why one that is
    new is a neighbour; `fields` are those of the record that changed.
    """

    event: str
    neighbour: Neighbour
    why: str = ""
    reason: str = ""
    fields: tuple[FieldChange, ...] = ()


class WatchedChange(msgspec.Struct, frozen=True):
    """What became of a watched study, and of its neighbours; false where nothing did."""

    study: StudyChange
    neighbours: tuple[NeighbourChange, ...]

    def __bool__(self) -> bool:
        return bool(self.study) or bool(self.neighbours)


def is_known(both: Comparison, nct_id: str) -> bool:
    """Tell whether one of the two holds a study by this NCT ID or alias of it.

    Raises:
        NctIdError: it is none.
    """
    return both.old.holds(nct_id) or both.new.holds(nct_id)


def watched_change(both: Comparison, nct_id: str, k: int = 10) -> WatchedChange:
    """Return what became of a study that one of the two holds, and of its k neighbours.

    Neighbours are compared where both hold the study; of a study that was added, all are new.

    Raises:
        ArgumentError: k is out of its range.
        NctIdError, UnknownStudyError: no such ID, or in neither.
    """
    before = both.old.study(nct_id) if both.old.holds(nct_id) else None
    after = both.new.study(nct_id) if both.new.holds(nct_id) else None
    if before and (after is None or after.nct_id != before.nct_id):  # it left or was merged
        return WatchedChange(both.change(before, None), ())
    after = after or both.new.study(nct_id)  # which says that neither holds it
    return WatchedChange(
        both.change(before, after), tuple(_Lists(both, before, after, k).changes())
    )


class _Lists:
    """The neighbours of one study before and after, and what moved them."""

    def __init__(self, both: Comparison, before: Study | None, after: Study, k: int) -> None:
        self._both = both
        self._after = after
        old = _nearest(both.old, before, k)
        new = _nearest(both.new, after, k)
        if before and not (old and new):  # without a text in one of them
            old = new = []
        row_of = both.new.store.row_of  # of one that was merged: the row of its survivor
        rows = {row_of(each.study.nct_id) for each in new}
        kept = {each.study.nct_id for each in new}
        old_ones = [each.study for each in old]
        old_ones.sort(key=lambda study: study.nct_id in kept)  # its own record, the last, counts
        self._before = {row_of(study.nct_id): study for study in old_ones}
        self._left = [each for each in old if row_of(each.study.nct_id) not in rows]
        self._came = [each for each in new if row_of(each.study.nct_id) not in self._before]
        self._stayed = [each for each in new if row_of(each.study.nct_id) in self._before]
        self._wide_cause = ""
        if before is None:
            self._wide_cause = "the watched study is new"
        elif not both.same_recipe:
            self._wide_cause = "the recipe changed"
        elif _texts(before) != _texts(after):
            self._wide_cause = "the watched study's text changed"

    def changes(self) -> Iterator[NeighbourChange]:
        """Yield the neighbours that are new, those that left, and those that stay and changed."""
        index = self._both.new
        parts = [study_part(index, index.row_of(self._after.nct_id))] if self._came else []
        reasons = explain(index, parts, [self._after], self._came, DEFAULT_WEIGHTS) if parts else []
        for each, reason in zip(self._came, reasons, strict=True):
            why = self._why(each, "moved up after {} left", self._left)
            yield NeighbourChange(event="new", neighbour=each, why=why, reason=reason.line)
        for each in self._left:
            why = self._why(each, "moved down after {} came", self._came)
            yield NeighbourChange(event="left", neighbour=each, why=why)
        for each in self._stayed:
            before = self._before[index.row_of(each.study.nct_id)]
            change = self._both.change(before, each.study)
            if before.nct_id != each.study.nct_id:
                why = f"{before.nct_id} was merged into it"
                yield NeighbourChange(event="changed", neighbour=each, why=why)
            elif _TELLING & set(change.kinds):
                yield NeighbourChange(event="changed", neighbour=each, fields=change.fields)

    def _why(self, neighbour: Neighbour, moved: str, others: Sequence[Neighbour]) -> str:
        """Return what brought a neighbour or took it away: itself, the query, or the others."""
        movers = [each.study.nct_id for each in others if self._cause(each.study)]
        return (
            self._cause(neighbour.study)
            or self._wide_cause
            or (moved.format(_listed(movers)) if movers else "")
            or "a small shift: the weights of words follow the corpus"
        )

    def _cause(self, study: Study) -> str:
        """Return what a neighbour did itself, or nothing."""
        if not self._both.new.holds(study.nct_id):
            return "left the index"
        if not self._both.old.holds(study.nct_id):
            return "new in the index"
        before, now = (each.study(study.nct_id) for each in (self._both.old, self._both.new))
        if before.nct_id != now.nct_id:
            return f"merged into {now.nct_id}"
        if _texts(before) != _texts(now):
            fields = self._both.change(before, now).fields
            return f"its record changed: {_listed([f.name for f in fields if f.name in _TEXTS])}"
        return ""


def _nearest(index: OpenedIndex, study: Study | None, k: int) -> list[Neighbour]:
    """Return the neighbours of a study; none of one that is not there or has no text."""
    if study is None:
        return []
    try:
        return nearest(index, [study_part(index, index.row_of(study.nct_id))], k)
    except NothingToCompareError:
        return []


def _texts(study: Study) -> list[str]:
    """Return all that the similarity of a study depends on."""
    return [text_of(study) for text_of in (*FIELDS.values(), lexical_text)]


def _listed(names: Sequence[str]) -> str:
    plain = [name.replace("_", " ") for name in names]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(plain[:_SHOWN]) + more
