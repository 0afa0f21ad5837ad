"""The neighbours of what is watched that are new, have left, or changed, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from simsearch.diff.changes import Comparison
from simsearch.diff.fields import KINDS, FieldChange
from simsearch.encode.fields import FIELDS, lexical_text
from simsearch.errors import FilterError
from simsearch.index.opened import OpenedIndex
from simsearch.search.filters import Filters, allowed_rows
from simsearch.search.neighbour import Neighbour
from simsearch.study import Study

# The kinds of change that are reported of a study which remains a neighbour.
_REPORTED = frozenset({"status", "results", "dates"})
_TEXTS = frozenset(KINDS["conditions"] + KINDS["interventions"] + KINDS["texts"])
_SHOWN = 3
_NEW_RECIPE = "the recipe changed"


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


class Lists:
    """The old and the new neighbours of what is watched, and what moved them."""

    def __init__(
        self,
        both: Comparison,
        old: Sequence[Neighbour],
        new: Sequence[Neighbour],
        filters: Filters,
        cause: str,
    ) -> None:
        self._both = both
        self._filters = filters
        row_of = both.new.store.row_of  # a study that was merged has the row of its successor
        rows = {row_of(each.study.nct_id) for each in new}
        kept = {each.study.nct_id for each in new}
        old_ones = [each.study for each in old]
        old_ones.sort(key=lambda study: study.nct_id in kept)  # the last counts: its own record
        self._before = {row_of(study.nct_id): study for study in old_ones}
        self._left = [each for each in old if row_of(each.study.nct_id) not in rows]
        self._came = [each for each in new if row_of(each.study.nct_id) not in self._before]
        self._stayed = [each for each in new if row_of(each.study.nct_id) in self._before]
        self._wide_cause = cause if both.same_recipe or cause.endswith("is new") else _NEW_RECIPE

    def changes(self) -> Iterator[NeighbourChange]:
        """Yield the neighbours that are new, those that left, and those that stayed but changed."""
        index = self._both.new
        for each in self._came:
            why = self._why(each, "moved up after {} left", self._left)
            reason = each.reason.line if each.reason else ""
            yield NeighbourChange(event="new", neighbour=each, why=why, reason=reason)
        for each in self._left:
            why = self._why(each, "moved down after {} came", self._came)
            yield NeighbourChange(event="left", neighbour=each, why=why)
        for each in self._stayed:
            before = self._before[index.row_of(each.study.nct_id)]
            if before.nct_id != each.study.nct_id:
                why = f"{before.nct_id} was merged into it"
                yield NeighbourChange(event="changed", neighbour=each, why=why)
            elif self._both.change(before, each.study):
                change = self._both.change(*self._with_facts(each.study))
                if _REPORTED & set(change.kinds):
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

    def _with_facts(self, study: Study) -> tuple[Study, Study]:
        """Return a study of both generations as the old and the new one have it."""
        return self._both.old.study(study.nct_id), self._both.new.study(study.nct_id)

    def _cause(self, study: Study) -> str:
        """Return the change in a study that moves it in the list by itself, or `""`."""
        if not self._both.new.holds(study.nct_id):
            return "left the index"
        if not self._both.old.holds(study.nct_id):
            return "new in the index"
        before, now = self._with_facts(study)
        if before.nct_id != now.nct_id:
            return f"merged into {now.nct_id}"
        passed, passes = (
            _passes(index, self._filters, study.nct_id)
            for index, study in ((self._both.old, before), (self._both.new, now))
        )
        if passed != passes:
            changed = [field.name for field in self._both.change(before, now).fields]
            verb = "passes the filters now" if passes else "no longer passes the filters"
            return f"{verb}: {_listed(changed)} changed" if changed else verb
        if texts_of(before) != texts_of(now):
            fields = self._both.change(before, now).fields
            return f"its record changed: {_listed([f.name for f in fields if f.name in _TEXTS])}"
        return ""


def _passes(index: OpenedIndex, filters: Filters, nct_id: str) -> bool:
    """Report whether a study of an index passes filters."""
    if not filters:
        return True
    store = index.store
    try:
        passing = index.remember(filters, lambda: allowed_rows(store, filters))
    except FilterError:
        return False
    return bool(passing[index.row_of(nct_id)])


def texts_of(study: Study) -> list[str]:
    """Return all the texts that the similarities of a study depend on."""
    return [text_of(study) for text_of in (*FIELDS.values(), lexical_text)]


def _listed(names: Sequence[str]) -> str:
    plain = [name.replace("_", " ") for name in names]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(plain[:_SHOWN]) + more
