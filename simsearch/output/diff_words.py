"""What a diff says of each study, in words: groups under a title, and phrases for changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from simsearch.diff.changes import KINDS, Comparison, FieldChange, StudyChange
from simsearch.diff.watch import NeighbourChange, WatchedChange
from simsearch.study import Intervention, Study, phase_label, status_label

_NONE = "–"
_SHOWN = 3  # names of a list
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


_SHORT: Mapping[str, tuple[str, Callable[[Any], str]]] = MappingProxyType(
    {
        "status": ("", status_label),
        "start_date": ("start", str),
        "completion_date": ("completion", str),
        "enrollment": ("enrollment", lambda number: "" if number is None else f"{number:,}"),
        "study_type": ("type", status_label),
        "phases": ("phase", phase_label),
        "sponsor": ("sponsor", str),
        "acronym": ("acronym", str),
        "last_update_date": ("updated in other parts", str),
    }
)
"""Fields shown as old → new: the label of each, and how its value is written."""

_NAMES = ("conditions", "interventions", "countries")
"""Fields shown by the names that were added and removed."""


def phrases(fields: Sequence[FieldChange]) -> list[str]:
    """Return the changes in a study's fields, in a few words each; long texts are only named."""
    names = {field.name for field in fields}
    found, long = [], []
    for field in fields:
        if field.name in _SHORT:
            label, write = _SHORT[field.name]
            old, new = (write(value) or _NONE for value in (field.old, field.new))
            found.append(f"{label} {old} → {new}".strip())
        elif field.name == "has_results":
            words = {True: "results posted", False: "no results posted", None: "results unknown"}
            found.append(words[field.new])
        elif field.name == "title":
            found.append(f"title was “{field.old}”")
        elif field.name in _NAMES and (moved := _moved(field.old, field.new)):
            found.append(f"{field.name} {moved}")
        elif not (field.name == "last_known_status" and "status" in names):
            long.append(field.name.replace("_", " "))
    return [*found, f"changed {', '.join(long)}"] if long else found


def _moved(old: Sequence[Any], new: Sequence[Any]) -> str:
    """Return the names added (+) and removed (-): `""` if only order or details differ."""
    before, after = ([plain_name(value) for value in values] for values in (old, new))
    signed = [f"+ {name}" for name in after if name not in before]
    signed += [f"- {name}" for name in before if name not in after]
    more = [f"and {len(signed) - _SHOWN} more"] if len(signed) > _SHOWN else []
    return ", ".join(signed[:_SHOWN] + more)


def plain_name(value: Any) -> str:
    """Return one value of a list field as text: an intervention by its name."""
    return value.name if isinstance(value, Intervention) else str(value)
