"""A comparison for the terminal: designs, benchmark with small charts, groups."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from simsearch.design.groups import Group
from simsearch.design.measures import Measure, Share
from simsearch.errors import one_line
from simsearch.output.compare_designs import designs
from simsearch.output.compare_parts import (
    frames_words,
    frequent,
    groups_note,
    intro,
    missing_note,
)
from simsearch.output.design_words import (
    NOT_GIVEN,
    counted_notes,
    counted_words,
    number,
    share_words,
    standing_sentence,
    yes_or_no,
)
from simsearch.output.formats import View
from simsearch.output.render import UNCUT_WIDTH, render
from simsearch.search.compare import Comparison
from simsearch.search.shape import query_title
from simsearch.study import status_label

_LISTED = 8  # groups of one kind
_CHART = 16  # characters
_LEGEND = "─ range, ━ middle half, ┃ median, ◆ query; of one or two studies, their values"
_ROOM_FOR_CHARTS = 96
_INDENT = 4


def comparison_table(comparison: Comparison, view: View) -> Iterator[str]:
    """Yield the designs, a study in a few lines, then benchmark and groups."""
    title = query_title(comparison.query)
    head = Text(one_line(title) if title else "Studies side by side", style="bold")
    parts: list[RenderableType] = [head, Text(intro(comparison))]
    parts += [Text(note, style="yellow") for note in missing_note(comparison)]
    parts += ["", *designs(comparison, view)]
    parts += _benchmark(comparison, view)
    parts += _topics(comparison, view)
    if not view.quiet:
        parts += [Text(comparison.facts.line, style="dim")]
    yield render(Lines(*parts), width=view.width, color=view.color)


def _benchmark(comparison: Comparison, view: View) -> list[RenderableType]:
    bench = comparison.benchmark
    if not bench.n:
        return []
    charts = view.width is None or view.width >= _ROOM_FOR_CHARTS
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("", no_wrap=True)
    for heading in ("n", "min", "¼", "median", "¾", "max"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("missing", justify="right", no_wrap=True)
    if charts:
        table.add_column("", no_wrap=True, width=_CHART)
    shown = [each for each in bench.measures if each.n or each.n_missing or each.left_out]
    for each in shown:
        five = (each.least, each.lower, each.median, each.upper, each.greatest)
        drawn = [Text(_drawn(each))] if charts else []
        table.add_row(
            Text(each.name), str(each.n), *map(number, five), str(each.n_missing or ""), *drawn
        )
    counted = counted_words(bench.n, comparison.n_far, named=comparison.named)
    found: list[RenderableType] = [
        Text(f"Benchmark: {bench.headline}", style="bold"), Text(counted, style="dim"), "", table,
    ]  # fmt: skip
    if charts:
        found.append(Text(_LEGEND, style="dim"))
    notes = [f"{each.name}: {'; '.join(noted)}" for each in shown if (noted := counted_notes(each))]
    found += [Text(one_line(each), style="dim") for each in notes]
    stands = [
        Text(f"◆ {one_line(standing_sentence(each, measure, bench))}")
        for measure in bench.measures
        for each in measure.standings
        if each.place not in (None, "within")
    ]
    found += ["", *stands, "" if stands else Text(""), _shares(bench.shares, charts=charts)]
    if bench.stopped:
        found += ["", Text("Stopped early", style="bold")]
        found += [
            Text(
                one_line(
                    f"{each.nct_id} {status_label(each.status).lower()}: {each.why or NOT_GIVEN}"
                )
            )
            for each in bench.stopped
        ]
    return [*found, ""]


def _drawn(measure: Measure) -> str:
    """Return a measure as a line of characters: range, middle half, median, query."""
    if measure.least is None or measure.greatest is None:
        return ", ".join(number(value) for _, value in measure.values)
    asked = [each.value for each in measure.standings if each.value >= 0]
    low, high = min([measure.least, *asked]), max([measure.greatest, *asked])
    if low == high:
        return ""

    def place(value: float | None) -> int:
        return round(((value or 0) - low) / (high - low) * (_CHART - 1))

    line = [" "] * _CHART
    for start, end, mark in (
        (measure.least, measure.greatest, "─"),
        (measure.lower, measure.upper, "━"),
    ):
        for at in range(place(start), place(end) + 1):
            line[at] = mark
    line[place(measure.median)] = "┃"
    for value in asked:
        line[place(value)] = "◆"
    return "".join(line)


def _shares(shares: Sequence[Share], *, charts: bool) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("")
    table.add_column("of those that say", no_wrap=True)
    if charts:
        table.add_column("", no_wrap=True, width=_CHART)
    table.add_column("not given", justify="right")
    has_query = any(each.asked for each in shares)
    if has_query:
        table.add_column("query")
    for each in shares:
        filled = round(_CHART * each.count / each.n) if each.n else 0
        drawn = [Text("█" * filled + "░" * (_CHART - filled) if each.n else "")] if charts else []
        asked = ", ".join(dict.fromkeys(yes_or_no(value) for _, value in each.asked))
        missing = str(each.n_missing or "")
        table.add_row(
            Text(each.name), share_words(each), *drawn, missing, *([asked] if has_query else [])
        )
    return table


def _topics(comparison: Comparison, view: View) -> list[RenderableType]:
    topics = comparison.topics
    if topics is None or not topics.n:
        return []
    own = {each.nct_id for each in comparison.asked}
    found: list[RenderableType] = []
    for name, groups, n in (
        ("Primary outcomes", topics.outcomes, topics.n_outcomes),
        ("Inclusion criteria", topics.inclusion, topics.n_criteria),
        ("Exclusion criteria", topics.exclusion, topics.n_criteria),
    ):
        shown = frequent(groups, own, _LISTED)
        note = groups_note(groups, own, n, len(shown))
        found.append(Text.assemble((name, "bold"), "  ", (note, "dim")))
        found += [_group(each, own, view) for each in shown]
        found.append("")
    return found


def _group(group: Group, own: set[str], view: View) -> RenderableType:
    others = [each for each in group.nct_ids if each not in own]
    frames = frames_words(group)
    mine = "  ◆ query too" if own.intersection(group.nct_ids) else ""
    room = (view.width or UNCUT_WIDTH) - _INDENT
    label = textwrap.wrap(one_line(group.label) + mine, room, max_lines=2, placeholder=" …")
    below = "; ".join(filter(None, (one_line(frames), " ".join(others))))
    under = textwrap.wrap(below, room, max_lines=2, placeholder=" …")
    text = Text("\n".join(label)).append("\n" + "\n".join(under), style="dim")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(width=_INDENT - 2, justify="right", style="bold")
    table.add_column()
    table.add_row(str(len(others)), text)
    return table
