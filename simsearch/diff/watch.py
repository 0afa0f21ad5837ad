"""The changes in a watched study and among its neighbours between two generations."""

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

# The kinds of change that are reported of a study which remains a neighbour.
_REPORTED = frozenset({"status", "results", "dates"})
_TEXTS = frozenset(KINDS["conditions"] + KINDS["interventions"] + KINDS["texts"])
_SHOWN = 3


class NeighbourChange(msgspec.Struct, frozen=True, kw_only=True):
    """A neighbour of the watched study that is new, has left, or changed.

    Attributes:
        event: `new`, `left` or `changed`.
        neighbour: the neighbour; one that left has the rank and similarity that it had.
        why: what made it a neighbour, or no longer one.
        reason: what a new neighbour has in common with the watched study.
        fields: the fields of its record that changed.
    """

    event: str
    neighbour: Neighbour
    why: str = ""
    reason: str = ""
    fields: tuple[FieldChange, ...] = ()


class WatchedChange(msgspec.Struct, frozen=True):
    """The changes in a watched study and among its neighbours; false if there are none."""

    study: StudyChange
    neighbours: tuple[NeighbourChange, ...]

    def __bool__(self) -> bool:
        return bool(self.study) or bool(self.neighbours)


def is_known(both: Comparison, nct_id: str) -> bool:
    """Report whether either generation holds a study with this NCT ID or alias.

    Raises:
        NctIdError: it is not an NCT ID.
    """
    return both.old.holds(nct_id) or both.new.holds(nct_id)


def watched_change(both: Comparison, nct_id: str, k: int = 10) -> WatchedChange:
    """Return the changes in a study and among its k neighbours.

    All neighbours of a study that was added are new. Those of a study that has gone are not
    compared.

    Args:
        both: the two generations.
        nct_id: any spelling of the study's NCT ID, or an alias of it.
        k: the number of neighbours.

    Raises:
        ArgumentError: k is out of range.
        NctIdError: `nct_id` is not an NCT ID.
        UnknownStudyError: neither generation holds the study.
    """
    before = both.old.study(nct_id) if both.old.holds(nct_id) else None
    after = both.new.study(nct_id) if both.new.holds(nct_id) else None
    if before and (after is None or after.nct_id != before.nct_id):  # it has gone
        return WatchedChange(both.change(before, None), ())
    after = after or both.new.study(nct_id)  # raises UnknownStudyError
    return WatchedChange(
        both.change(before, after), tuple(_Lists(both, before, after, k).changes())
    )


class _Lists:
    """The old and the new neighbours of one study, and what moved them."""

    def __init__(self, both: Comparison, before: Study | None, after: Study, k: int) -> None:
        self._both = both
        self._after = after
        old = _nearest(both.old, before, k)
        new = _nearest(both.new, after, k)
        if before and not (old and new):  # it has no text in one of them
            old = new = []
        row_of = both.new.store.row_of  # a study that was merged has the row of its successor
        rows = {row_of(each.study.nct_id) for each in new}
        kept = {each.study.nct_id for each in new}
        old_ones = [each.study for each in old]
        old_ones.sort(key=lambda study: study.nct_id in kept)  # the last counts: its own record
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
        """Yield the neighbours that are new, those that left, and those that stayed but changed."""
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
            elif _REPORTED & set(change.kinds):
                yield NeighbourChange(event="changed", neighbour=each, fields=change.fields)

    def _why(self, neighbour: Neighbour, moved: str, others: Sequence[Neighbour]) -> str:
        """Return what moved a neighbour: its own change, that of the query, or of the others."""
        movers = [each.study.nct_id for each in others if self._cause(each.study)]
        return (
            self._cause(neighbour.study)
            or self._wide_cause
            or (moved.format(_listed(movers)) if movers else "")
            or "a small shift: the weights of words follow the corpus"
        )

    def _cause(self, study: Study) -> str:
        """Return the change in a study that moves it in the list by itself, or `""`."""
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
    """Return the neighbours of a study: none if it is missing or has no text."""
    if study is None:
        return []
    try:
        return nearest(index, [study_part(index, index.row_of(study.nct_id))], k)
    except NothingToCompareError:
        return []


def _texts(study: Study) -> list[str]:
    """Return all the texts that the similarities of a study depend on."""
    return [text_of(study) for text_of in (*FIELDS.values(), lexical_text)]


def _listed(names: Sequence[str]) -> str:
    plain = [name.replace("_", " ") for name in names]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(plain[:_SHOWN]) + more
