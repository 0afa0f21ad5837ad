"""The formats of a diff: table and Markdown for people; JSON, JSON Lines, CSV and IDs for programs.

docs/diff.md describes them; the JSON is versioned by its `schema`. Formats for programs are
written piece by piece, so that a diff in which every study changed fits in memory.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from simsearch.diff.changes import Comparison, StudyChange
from simsearch.diff.fields import KINDS, FieldChange
from simsearch.diff.neighbours import NeighbourChange
from simsearch.diff.watch import WatchedChange
from simsearch.errors import one_line, records_to
from simsearch.files import pretty_json
from simsearch.index.opened import OpenedIndex
from simsearch.output.diff_phrases import plain_name
from simsearch.output.diff_words import Entry, Group, study_groups, watched_groups
from simsearch.output.formats import View
from simsearch.output.render import link_style, markdown_cell, render
from simsearch.search.shape import study_shape

DIFF_SCHEMA = "simsearch.diff/1"

_MAIL_WIDTH = 80


class Bulletin(msgspec.Struct, frozen=True):
    """What a diff reports: every study that differs, or the watched studies and their neighbours.

    True if there is any change to report.
    """

    both: Comparison
    watched: tuple[WatchedChange, ...] = ()
    k: int = 0
    """The number of neighbours compared for each watched study; 0 if none is watched."""

    def __bool__(self) -> bool:
        return any(self.watched) if self.k else bool(self.both)


def diff_table(bulletin: Bulletin, view: View) -> Iterator[str]:
    """Yield the bulletin for a terminal, or for a mail of 80 columns; nothing is cut.

    If `view.quiet`, only the lists: nothing at all if nothing changed.
    """
    if view.quiet and not bulletin:
        return
    parts: list[RenderableType] = []
    for group in _groups(bulletin, view.limit):
        parts += ["", *_group_lines(group)]
    parts = parts[1:] if view.quiet else [*map(Text, _head(bulletin)), *parts]
    yield render(Stack(*parts), width=view.width or _MAIL_WIDTH, color=view.color)


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
    """Return the two generations and the number of studies that differ, in a line each."""
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
    """Return a generation in words, with its folder if the two belong to different indexes."""
    manifest = index.generation.manifest
    dated = records_to(manifest.records_date)
    where = f", {index.path}" if both.old.path != both.new.path else ""
    return f"{manifest.generation} ({manifest.n_studies:,} studies{dated}){where}"


def _groups(bulletin: Bulletin, limit: int) -> list[Group]:
    if not bulletin.k:
        return study_groups(bulletin.both, limit)
    changed = filter(None, bulletin.watched)
    return [group for watched in changed for group in watched_groups(watched, bulletin.k)]


def _group_lines(group: Group) -> list[RenderableType]:
    title = Text(one_line(group.title), "bold")
    if group.head and group.head.nct_id:
        title = Text.assemble((group.head.nct_id, link_style(group.head)), "  ", title)
    lines: list[RenderableType] = [
        title,
        *(Padding(Text(one_line(line)), (0, 0, 0, 2)) for line in group.lines),
    ]
    if group.entries:
        lines.append(_entry_table(group.entries))
    if group.n_more:
        lines.append(Text(f"  and {group.n_more:,} more", "dim"))
    return lines


def _entry_table(entries: Sequence[Entry]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for entry in entries:
        study = entry.study
        described = [Text(one_line(line), "dim") for line in entry.lines]
        title = Text(one_line(study.title) or "(no title)")
        table.add_row(
            f"{entry.rank}." if entry.rank else " ",
            Text(study.nct_id, style=link_style(study)),
            Stack(title, *described),
        )
    return table


def _group_markdown(group: Group) -> list[str]:
    title = markdown_cell(one_line(group.title))
    if group.head:  # a draft or a text has no number
        linked = f"[{group.head.nct_id}]({group.head.url}) " if group.head.nct_id else ""
        return [
            f"## {linked}{title}",
            *(f"\n{markdown_cell(one_line(line))}" for line in group.lines),
        ]
    lines = [f"### {title}", "", "| # | NCT ID | Title | What |", "|--:|---|---|---|"]
    for entry in group.entries:
        study = entry.study
        cells = (
            str(entry.rank or ""),
            f"[{study.nct_id}]({study.url})",
            markdown_cell(one_line(study.title)),
            "; ".join(markdown_cell(one_line(line)) for line in entry.lines),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", f"and {group.n_more:,} more"] if group.n_more else lines


def diff_json(bulletin: Bulletin, _: View) -> Iterator[str]:
    """Yield one JSON object, with each study on a line."""
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
    return {**_change_json(watched.study), "text": watched.text, "neighbours": neighbours}


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
    """Yield a flat object for each study, and for each neighbour of a watched one (its `query`)."""
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
        query = {"query": watched.name}
        for each in watched.neighbours:
            shape = _neighbour_json(each)
            yield {**query, **shape, "event": f"neighbour_{each.event}", **built}


def diff_jsonl(bulletin: Bulletin, _: View) -> Iterator[str]:
    """Yield one JSON object a line: a study, or a neighbour of a watched study."""
    for line in _lines(bulletin):
        yield msgspec.json.encode(line).decode() + "\n"


_CSV_COLUMNS = (
    "event", "nct_id", "title", "status", "field", "old", "new", "became", "since", "query",
    "rank", "similarity", "why", "reason", "url", "old_generation", "generation", "records_date",
)  # fmt: skip


def diff_csv(bulletin: Bulletin, view: View) -> Iterator[str]:
    """Yield CSV with a header and a row for each changed field; lists are joined by `|`."""
    text = io.StringIO(view.csv_start, newline="")
    text.seek(0, io.SEEK_END)
    writer = csv.DictWriter(text, list(_CSV_COLUMNS), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for line in _lines(bulletin):
        fields = line["fields"] or {"": {"old": "", "new": ""}}
        for name, values in fields.items():
            old, new = (_cell(values[side]) for side in ("old", "new"))
            row = {**line, "field": name, "old": old, "new": new}
            writer.writerow(view.csv_row(row))
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _cell(value: Any) -> Any:
    return "|".join(map(plain_name, value)) if isinstance(value, tuple) else value


def diff_ids(bulletin: Bulletin, _: View) -> Iterator[str]:
    """Yield the NCT IDs of studies added or changed, or of new neighbours, each once."""
    wanted = {"neighbour_new"} if bulletin.k else {"added", "changed"}
    seen: set[str] = set()
    for line in _lines(bulletin):
        if line["event"] in wanted and line["nct_id"] not in seen:
            seen.add(line["nct_id"])
            yield line["nct_id"] + "\n"
