"""What a diff says of each study, in words: groups under a title."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType

import msgspec

from simsearch.diff.changes import Comparison, StudyChange
from simsearch.diff.fields import KINDS
from simsearch.diff.neighbours import NeighbourChange
from simsearch.diff.watch import WatchedChange
from simsearch.output.diff_phrases import phrases
from simsearch.study import Study, phase_label, status_label

_SHOWN = 3  # conditions
_EVENTS = MappingProxyType({"changed": "Changed", "added": "Added", "gone": "Gone"})
_KIND_ORDER = MappingProxyType({kind: n for n, kind in enumerate(KINDS)})


class Entry(msgspec.Struct, frozen=True):
    """A study in a list, with the lines that describe its change."""

    study: Study
    lines: tuple[str, ...]
    rank: int = 0
    """Its rank as a neighbour; 0 if it is not listed as one."""


class Group(msgspec.Struct, frozen=True):
    """Studies under a title; `n_more` are not listed."""

    title: str
    entries: tuple[Entry, ...] = ()
    n_more: int = 0
    lines: tuple[str, ...] = ()
    """What changed in the watched study."""
    head: Study | None = None
    """The watched study that this group and those after it are about."""


def study_groups(both: Comparison, limit: int) -> list[Group]:
    """Return the studies that differ, by event, the first `limit` of each.

    Args:
        both: the two generations; all their differences are iterated over.
        limit: the most studies listed in a group.
    """
    if not both:
        return []
    first = _most_important(both.studies(), limit)
    groups = []
    for event, title in _EVENTS.items():
        if n := both.counts[event]:
            entries = tuple(Entry(change.study, _study_lines(change)) for change in first[event])
            about = f" ({_kinds_line(both)})" if event == "changed" else ""
            groups.append(Group(f"{title}: {n:,}{about}", entries, n - len(entries)))
    return groups


def _kinds_line(both: Comparison) -> str:
    return ", ".join(f"{kind} {both.kinds[kind]:,}" for kind in KINDS if both.kinds[kind])


def _most_important(changes: Iterable[StudyChange], limit: int) -> dict[str, list[StudyChange]]:
    """Return event → the first changes, the most important kind first; no more stay in memory."""
    first: dict[str, list[StudyChange]] = {event: [] for event in _EVENTS}
    for change in changes:
        kept = first[change.event]
        kept.append(change)
        if len(kept) > 2 * limit:
            _cut(kept, limit)
    for kept in first.values():
        _cut(kept, limit)
    return first


def _cut(changes: list[StudyChange], limit: int) -> None:
    changes.sort(key=lambda each: (*map(_KIND_ORDER.get, each.kinds[:1]), each.study.nct_id))
    del changes[limit:]


def watched_groups(watched: WatchedChange, k: int) -> Iterator[Group]:
    """Yield the changes in a watched study, then those among its `k` neighbours."""
    change = watched.study
    known = {"added": ("new in the index",), "gone": ("no longer in the index",)}
    lines = (*known.get(change.event, ()), *_study_lines(change)) if change else ()
    yield Group(change.study.title, lines=lines, head=change.study)
    titles = {
        "new": f"New among its {k} nearest",
        "left": "No longer among them",
        "changed": "Still among them, but changed",
    }
    for event, title in titles.items():
        entries = tuple(
            Entry(each.neighbour.study, _neighbour_lines(each), each.neighbour.rank)
            for each in watched.neighbours
            if each.event == event
        )
        if entries:
            yield Group(title, entries)


def _neighbour_lines(change: NeighbourChange) -> tuple[str, ...]:
    facts = _facts(change.neighbour.study) if change.event == "new" else ()
    parts = (*facts, *phrases(change.fields), change.why)
    return tuple(filter(None, (" · ".join(filter(None, parts)), change.reason)))


def _study_lines(change: StudyChange) -> tuple[str, ...]:
    """Return what to say of a study that was added, changed or has gone."""
    if change.event == "changed":
        return (" · ".join(phrases(change.fields)),)
    noticed = f" (noticed on {change.since})" if change.since else ""
    if change.event == "added":
        line = " · ".join((*_facts(change.study), *change.study.conditions[:_SHOWN]))
        return (line,) if line else ()
    if change.became:
        return (f"merged into {change.became}{noticed}",)
    return (f"left the registry{noticed}",) if noticed else ()


def _facts(study: Study) -> tuple[str, ...]:
    phase = phase_label(study.phases)
    return tuple(filter(None, (status_label(study.status), f"phase {phase}" if phase else "")))
