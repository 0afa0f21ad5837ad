"""The changes in a watched study and among its neighbours between two generations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.diff.changes import Comparison, StudyChange
from simsearch.diff.fields import KINDS, FieldChange
from simsearch.encode.fields import FIELDS, lexical_text
from simsearch.errors import FilterError, NothingToCompareError
from simsearch.index.opened import OpenedIndex
from simsearch.search.answer import ask
from simsearch.search.filters import NO_FILTERS, Filters, allowed_rows
from simsearch.search.neighbour import Neighbour
from simsearch.search.question import Question
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


class WatchedChange(msgspec.Struct, frozen=True):
    """The changes in a watched study and among its neighbours; false if there are none.

    What is watched may also be a draft or a text, which do not change.
    """

    study: StudyChange
    """Of a text, an unchanged study without anything but the text as its title."""
    neighbours: tuple[NeighbourChange, ...]
    text: str = ""
    """What is watched, if it is a text."""

    @property
    def name(self) -> str:
        """The NCT ID of the study; `draft` for a draft without one; the text itself."""
        return self.text or self.study.study.nct_id or "draft"

    def __bool__(self) -> bool:
        return bool(self.study) or bool(self.neighbours)


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched: each study, draft and text by itself, with one set of filters."""

    nct_ids: tuple[str, ...] = ()
    drafts: tuple[Study, ...] = ()
    texts: tuple[str, ...] = ()
    filters: Filters = NO_FILTERS
    """What a neighbour must be: one that comes to pass is new, one that ceases to has left."""
    k: int = 10

    def __bool__(self) -> bool:
        return bool(self.nct_ids or self.drafts or self.texts)


def watched_changes(
    both: Comparison, watch: Watch, progress: Progress = no_progress, say: Log = no_log
) -> tuple[WatchedChange, ...]:
    """Return what became of all that is watched, each once.

    Args:
        both: the two generations.
        watch: what is watched, and how.
        progress: called for each.
        say: told of studies that neither generation holds, and how texts were understood.

    Raises:
        ArgumentError: k is out of range.
        FilterError: a value that no study can have.
        NctIdError: an NCT ID is none.
        NothingToCompareError: a draft or a text holds no word.
        UnknownStudyError: nothing is watched but studies that neither generation holds.
    """
    found: dict[str, WatchedChange] = {}
    nct_ids = list(dict.fromkeys(watch.nct_ids))
    n = len(nct_ids) + len(watch.drafts) + len(watch.texts)
    for done, nct_id in enumerate(nct_ids):
        progress("watching", done, n, "questions")
        if is_known(both, nct_id):
            change = watched_change(both, nct_id, watch.k, watch.filters)
            found.setdefault(change.name, change)
        else:
            say(f"{nct_id} is in neither generation: skipped")
    asked: tuple[Study | str, ...] = (*watch.drafts, *watch.texts)
    for done, each in enumerate(asked, start=len(nct_ids)):
        progress("watching", done, n, "questions")
        change = _asked_change(both, each, watch, say)
        found[f"{len(found)} {change.name}" if change.name == "draft" else change.name] = change
    progress("watching", n, n, "questions")
    if nct_ids and not found:
        raise both.new.lacks(nct_ids[0])
    return tuple(found.values())


def is_known(both: Comparison, nct_id: str) -> bool:
    """Report whether either generation holds a study with this NCT ID or alias.

    Raises:
        NctIdError: it is not an NCT ID.
    """
    return both.old.holds(nct_id) or both.new.holds(nct_id)


def watched_change(
    both: Comparison, nct_id: str, k: int = 10, filters: Filters = NO_FILTERS
) -> WatchedChange:
    """Return the changes in a study and among its k neighbours.

    All neighbours of a study that was added are new. Those of a study that has gone are not
    compared.

    Args:
        both: the two generations.
        nct_id: any spelling of the study's NCT ID, or an alias of it.
        k: the number of neighbours.
        filters: what a neighbour must be.

    Raises:
        ArgumentError: k is out of range.
        FilterError: a value that no study can have.
        NctIdError: `nct_id` is not an NCT ID.
        UnknownStudyError: neither generation holds the study.
    """
    before = both.old.study(nct_id) if both.old.holds(nct_id) else None
    after = both.new.study(nct_id) if both.new.holds(nct_id) else None
    if before and (after is None or after.nct_id != before.nct_id):  # it has gone
        return WatchedChange(both.change(before, None), ())
    after = after or both.new.study(nct_id)  # raises UnknownStudyError
    asked = Question(studies=(after.nct_id,), k=k, filters=filters)
    new, old = _nearest(both.new, asked), None
    if before:
        old = _nearest_before(both.old, msgspec.structs.replace(asked, studies=(before.nct_id,)))
        if old is None or new is None:  # it has no text in one of them
            old = new = None
    cause = ""
    if before is None:
        cause = "the watched study is new"
    elif _texts(before) != _texts(after):
        cause = "the watched study's text changed"
    lists = _Lists(both, old or (), new or (), filters, cause)
    return WatchedChange(both.change(before, after), tuple(lists.changes()))


def _asked_change(both: Comparison, asked: Study | str, watch: Watch, say: Log) -> WatchedChange:
    """Return the changes among the neighbours of a draft or of a text."""
    text = asked if isinstance(asked, str) else ""
    question = Question(
        texts=(text,) if text else (),
        drafts=() if isinstance(asked, str) else (asked,),
        k=watch.k,
        filters=watch.filters,
    )
    new = ask(both.new, question)
    for note in new.notes:
        say(note)
    old = _nearest_before(both.old, question)
    changes = _Lists(both, old or (), new, watch.filters, "").changes()
    study = Study(nct_id="", title=text) if isinstance(asked, str) else asked
    return WatchedChange(StudyChange(event="unchanged", study=study), tuple(changes), text)


class _Lists:
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
        if _texts(before) != _texts(now):
            fields = self._both.change(before, now).fields
            return f"its record changed: {_listed([f.name for f in fields if f.name in _TEXTS])}"
        return ""


def _nearest(index: OpenedIndex, question: Question) -> Sequence[Neighbour] | None:
    """Return the neighbours that an index answers; None if there is no text to compare."""
    try:
        return ask(index, question)
    except NothingToCompareError:
        return None


def _nearest_before(index: OpenedIndex, question: Question) -> Sequence[Neighbour] | None:
    """Return the same of an earlier generation, which may lack a value that is filtered by."""
    try:
        return _nearest(index, question)
    except FilterError:
        return ()


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


def _texts(study: Study) -> list[str]:
    """Return all the texts that the similarities of a study depend on."""
    return [text_of(study) for text_of in (*FIELDS.values(), lexical_text)]


def _listed(names: Sequence[str]) -> str:
    plain = [name.replace("_", " ") for name in names]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(plain[:_SHOWN]) + more
