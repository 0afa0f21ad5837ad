"""The changes in a watched study and among its neighbours between two generations."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.diff.changes import Comparison, StudyChange
from simsearch.diff.neighbours import Lists, NeighbourChange, texts_of
from simsearch.errors import FilterError, NothingToCompareError
from simsearch.index.opened import OpenedIndex
from simsearch.search.answer import ask
from simsearch.search.filters import NO_FILTERS, Filters
from simsearch.search.neighbour import Neighbour
from simsearch.search.question import Question
from simsearch.study import Study


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
    elif texts_of(before) != texts_of(after):
        cause = "the watched study's text changed"
    lists = Lists(both, old or (), new or (), filters, cause)
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
    changes = Lists(both, old or (), new, watch.filters, "").changes()
    study = Study(nct_id="", title=text) if isinstance(asked, str) else asked
    return WatchedChange(StudyChange(event="unchanged", study=study), tuple(changes), text)


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
