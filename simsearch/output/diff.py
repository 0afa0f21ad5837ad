"""What changed between two generations → text, for a person or a program. Nothing is printed.

The shapes are described in docs/diff.md, that of the JSON is versioned by its `schema`.
Formats for programs come in pieces, so that a change of everything fits in memory.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from simsearch.diff.changes import KINDS, Comparison, FieldChange, StudyChange
from simsearch.diff.watch import NeighbourChange, WatchedChange
from simsearch.errors import one_line
from simsearch.files import pretty_json
from simsearch.index.directory import records_to
from simsearch.index.opened import OpenedIndex
from simsearch.output.formats import View
from simsearch.output.render import link_style, markdown_cell, render
from simsearch.search.shape import study_shape
from simsearch.study import Intervention, Study, phase_label, status_label

DIFF_SCHEMA = "simsearch.diff/1"

_MAIL_WIDTH = 80
_NONE = "–"
_SHOWN = 3  # names of a list
_EVENTS = MappingProxyType({"changed": "Changed", "added": "Added", "gone": "Gone"})
_KIND_ORDER = MappingProxyType({kind: n for n, kind in enumerate(KINDS)})


class Bulletin(msgspec.Struct, frozen=True):
    """What is told: all studies that differ, or what became of the watched ones."""

    both: Comparison
    watched: tuple[WatchedChange, ...] = ()
    k: int = 0
    """How many neighbours of a watched study were compared; 0 where none is watched."""

    def __bool__(self) -> bool:
        return any(self.watched) if self.k else bool(self.both)


class _Entry(msgspec.Struct, frozen=True):
    """A study in a list, with what is said of it."""

    study: Study
    said: tuple[str, ...]
    rank: int = 0


class _Group(msgspec.Struct, frozen=True):
    """Studies under a title; `n_more` are not listed."""

    title: str
    entries: tuple[_Entry, ...] = ()
    n_more: int = 0
    said: tuple[str, ...] = ()
    head: Study | None = None
    """The watched study that the title, and the groups after it, are about."""


def diff_table(bulletin: Bulletin, view: View) -> Iterator[str]:
    """Yield the bulletin for a terminal or a mail (80 columns); if `quiet` only the lists.

    Nothing is cut. A quiet bulletin is empty where nothing changed.
    """
    if view.quiet and not bulletin:
        return
    parts: list[RenderableType] = []
    for group in _groups(bulletin, view.limit):
        parts += ["", *_group_lines(group)]
    parts = parts[1:] if view.quiet else [*map(Text, _head(bulletin)), *parts]
    yield render(Group(*parts), width=view.width or _MAIL_WIDTH, color=view.color)


def diff_markdown(bulletin: Bulletin, view: View) -> Iterator[str]:
    """Yield the bulletin as Markdown (see `diff_table`)."""
    if view.quiet and not bulletin:
        return
    head = [] if view.quiet else _head(bulletin)
    lines = [line for each in head for line in (markdown_cell(each), "")]
    for group in _groups(bulletin, view.limit):
        lines += [*_group_markdown(group), ""]
    yield "\n".join(lines)


def _head(bulletin: Bulletin) -> list[str]:
    """Return what was compared, and how much of it differs."""
    both = bulletin.both
    if both:
        numbers = ", ".join(f"{n:,} {event}" for event, n in both.counts.items())
        lines = [
            f"From {_side(both, both.old)}",
            f"to   {_side(both, both.new)}",
            f"Studies: {numbers}.",
        ]
    else:
        lines = [f"Nothing changed since {_side(both, both.old)}."]
    if not both.same_recipe:
        old, new = (index.generation.manifest.recipe for index in (both.old, both.new))
        lines.append(
            f"The recipes differ ({old.model} {old.digest}, {new.model} {new.digest}): "
            "neighbours differ for that reason too."
        )
    if bulletin.k and (both or bulletin):
        n, changed = len(bulletin.watched), sum(map(bool, bulletin.watched))
        lines.append(
            f"Watched: {n:,}, with their {bulletin.k:,} nearest; "
            f"something changed for {f'{changed:,}' if changed else 'none'}."
        )
    return lines


def _side(both: Comparison, index: OpenedIndex) -> str:
    """Return a generation in words, with its folder where they are of two indexes."""
    manifest = index.generation.manifest
    dated = records_to(manifest.records_date)
    where = f", {index.path}" if both.old.path != both.new.path else ""
    return f"{manifest.generation} ({manifest.n_studies:,} studies{dated}){where}"


def _groups(bulletin: Bulletin, limit: int) -> list[_Group]:
    if bulletin.k:
        return [
            group
            for watched in filter(None, bulletin.watched)
            for group in _watched_groups(watched, bulletin.k)
        ]
    both = bulletin.both
    first = _most_telling(both.studies(), limit) if both else {}
    groups = []
    for event, title in _EVENTS.items():
        if n := both.counts[event]:
            entries = tuple(_Entry(change.study, _said(change)) for change in first[event])
            about = f" ({_kinds_line(both)})" if event == "changed" else ""
            groups.append(_Group(f"{title}: {n:,}{about}", entries, n - len(entries)))
    return groups


def _kinds_line(both: Comparison) -> str:
    return ", ".join(f"{kind} {both.kinds[kind]:,}" for kind in KINDS if both.kinds[kind])


def _most_telling(changes: Iterable[StudyChange], limit: int) -> dict[str, list[StudyChange]]:
    """Return event → the first changes, the most telling kind before others, no more kept."""
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


def _watched_groups(watched: WatchedChange, k: int) -> Iterator[_Group]:
    change = watched.study
    known = {"added": ("new in the index",), "gone": ("no longer in the index",)}
    said = (*known.get(change.event, ()), *_said(change)) if change else ()
    yield _Group(change.study.title, said=said, head=change.study)
    titles = {
        "new": f"New among its {k} nearest",
        "left": "No longer among them",
        "changed": "Still among them, but changed",
    }
    for event, title in titles.items():
        entries = tuple(
            _Entry(each.neighbour.study, _neighbour_said(each), each.neighbour.rank)
            for each in watched.neighbours
            if each.event == event
        )
        if entries:
            yield _Group(title, entries)


def _neighbour_said(change: NeighbourChange) -> tuple[str, ...]:
    facts = _facts(change.neighbour.study) if change.event == "new" else ()
    said = (*facts, *phrases(change.fields), change.why)
    return tuple(filter(None, (" · ".join(filter(None, said)), change.reason)))


def _said(change: StudyChange) -> tuple[str, ...]:
    """Return what is said of a study that was added, changed or has gone."""
    if change.event == "changed":
        return (" · ".join(phrases(change.fields)),)
    noticed = f" (noticed on {change.since})" if change.since else ""
    if change.event == "added":
        said = " · ".join((*_facts(change.study), *change.study.conditions[:_SHOWN]))
        return (said,) if said else ()
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
"""Fields told as old → new: what each is called, and how its value is written."""

_LISTS = ("conditions", "interventions", "countries")


def phrases(fields: Sequence[FieldChange]) -> list[str]:
    """Return what changed in a study's fields, in a few words each."""
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
        elif field.name in _LISTS and (moved := _moved(field.old, field.new)):
            found.append(f"{field.name} {moved}")
        elif not (field.name == "last_known_status" and "status" in names):
            long.append(field.name.replace("_", " "))
    return [*found, f"changed {', '.join(long)}"] if long else found


def _moved(old: Sequence[Any], new: Sequence[Any]) -> str:
    """Return which names came (+) and went (-); nothing where only order or details differ."""
    before, after = ([_plain(value) for value in values] for values in (old, new))
    signed = [f"+ {name}" for name in after if name not in before]
    signed += [f"- {name}" for name in before if name not in after]
    more = [f"and {len(signed) - _SHOWN} more"] if len(signed) > _SHOWN else []
    return ", ".join(signed[:_SHOWN] + more)


def _plain(value: Any) -> str:
    return value.name if isinstance(value, Intervention) else str(value)


def _group_lines(group: _Group) -> list[RenderableType]:
    title = Text(one_line(group.title), "bold")
    if group.head:
        title = Text.assemble((group.head.nct_id, link_style(group.head)), "  ", title)
    lines: list[RenderableType] = [
        title,
        *(Padding(Text(one_line(line)), (0, 0, 0, 2)) for line in group.said),
    ]
    if group.entries:
        lines.append(_entry_table(group.entries))
    if group.n_more:
        lines.append(Text(f"  and {group.n_more:,} more", "dim"))
    return lines


def _entry_table(entries: Sequence[_Entry]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for entry in entries:
        study = entry.study
        said = [Text(one_line(line), "dim") for line in entry.said]
        title = Text(one_line(study.title) or "(no title)")
        table.add_row(
            f"{entry.rank}." if entry.rank else " ",
            Text(study.nct_id, style=link_style(study)),
            Group(title, *said),
        )
    return table


def _group_markdown(group: _Group) -> list[str]:
    title = markdown_cell(one_line(group.title))
    if group.head:
        linked = f"[{group.head.nct_id}]({group.head.url})"
        return [
            f"## {linked} {title}",
            *(f"\n{markdown_cell(one_line(line))}" for line in group.said),
        ]
    lines = [f"### {title}", "", "| # | NCT ID | Title | What |", "|--:|---|---|---|"]
    for entry in group.entries:
        study = entry.study
        cells = (
            str(entry.rank or ""),
            f"[{study.nct_id}]({study.url})",
            markdown_cell(one_line(study.title)),
            "; ".join(markdown_cell(one_line(line)) for line in entry.said),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", f"and {group.n_more:,} more"] if group.n_more else lines


def diff_json(bulletin: Bulletin, _: View) -> Iterator[str]:
    """Yield one JSON object, a study a line."""
    both = bulletin.both
    head = {
        "schema": DIFF_SCHEMA,
        "old": both.old.facts,
        "new": both.new.facts,
        "same_recipe": both.same_recipe,
        "counts": both.counts,
        "k": bulletin.k,
        "watched": [_watched_json(each) for each in bulletin.watched],
    }
    yield pretty_json(head).removesuffix("\n}\n") + ',\n  "studies": ['
    comma = ""
    for change in both.studies():
        if not bulletin.k:
            yield f"{comma}\n    {msgspec.json.encode(_change_json(change)).decode()}"
            comma = ","
    kinds = {kind: both.kinds[kind] for kind in KINDS if both.kinds[kind]}
    yield f'\n  ],\n  "kinds": {msgspec.json.encode(kinds).decode()}\n}}\n'


def _watched_json(watched: WatchedChange) -> dict[str, Any]:
    neighbours = [_neighbour_json(each) for each in watched.neighbours]
    return {**_change_json(watched.study), "neighbours": neighbours}


def _change_json(change: StudyChange) -> dict[str, Any]:
    return {
        "event": change.event,
        **study_shape(change.study),
        "kinds": change.kinds,
        "fields": _fields_json(change.fields),
        "became": change.became,
        "since": change.since,
    }


def _neighbour_json(change: NeighbourChange) -> dict[str, Any]:
    return {
        "event": change.event,
        "rank": change.neighbour.rank,
        "similarity": change.neighbour.similarity,
        **study_shape(change.neighbour.study),
        "fields": _fields_json(change.fields),
        "why": change.why,
        "reason": change.reason,
    }


def _fields_json(fields: Sequence[FieldChange]) -> dict[str, Any]:
    return {field.name: {"old": field.old, "new": field.new} for field in fields}


def _lines(bulletin: Bulletin) -> Iterator[dict[str, Any]]:
    """Yield a flat object a study, and a neighbour of a watched study (with its `query`)."""
    both = bulletin.both
    new = both.new.generation.manifest
    built = {
        "old_generation": both.old.generation.manifest.generation,
        "generation": new.generation,
        "records_date": new.records_date,
    }
    if not bulletin.k:
        yield from ({**_change_json(change), **built} for change in both.studies())
    for watched in bulletin.watched:
        if watched.study:
            yield {**_change_json(watched.study), **built}
        query = {"query": watched.study.study.nct_id}
        for each in watched.neighbours:
            shape = _neighbour_json(each)
            yield {**query, **shape, "event": f"neighbour_{each.event}", **built}


def diff_jsonl(bulletin: Bulletin, _: View) -> Iterator[str]:
    """Yield one JSON object a study, and a neighbour."""
    for line in _lines(bulletin):
        yield msgspec.json.encode(line).decode() + "\n"


_CSV_COLUMNS = (
    "event", "nct_id", "title", "status", "field", "old", "new", "became", "since", "query",
    "rank", "similarity", "why", "reason", "url", "old_generation", "generation", "records_date",
)  # fmt: skip


def diff_csv(bulletin: Bulletin, _: View) -> Iterator[str]:
    """Yield a CSV with a header, a row a changed field; lists are joined by `|`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_CSV_COLUMNS), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for line in _lines(bulletin):
        fields = line["fields"] or {"": {"old": "", "new": ""}}
        for name, values in fields.items():
            old, new = (_cell(values[side]) for side in ("old", "new"))
            writer.writerow({**line, "field": name, "old": old, "new": new})
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _cell(value: Any) -> Any:
    return "|".join(map(_plain, value)) if isinstance(value, tuple) else value


def diff_ids(bulletin: Bulletin, _: View) -> Iterator[str]:
    """Yield the NCT IDs of what is new: studies added or changed, or new neighbours, each once."""
    wanted = {"neighbour_new"} if bulletin.k else {"added", "changed"}
    told: set[str] = set()
    for line in _lines(bulletin):
        if line["event"] in wanted and line["nct_id"] not in told:
            told.add(line["nct_id"])
            yield line["nct_id"] + "\n"
