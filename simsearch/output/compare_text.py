"""A comparison for the terminal: designs, benchmark with small charts, groups."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from simsearch.design.groups import Group
from simsearch.design.measures import Measure, Share
from simsearch.design.rows import Design
from simsearch.errors import one_line
from simsearch.output.compare_parts import (
    frames_words,
    frequent,
    groups_note,
    intro,
    missing_note,
)
from simsearch.output.design_words import (
    NOT_GIVEN,
    cells,
    counted_words,
    measure_notes,
    number,
    outcome,
    share_words,
    standing_sentence,
    yes_or_no,
)
from simsearch.output.formats import View
from simsearch.output.render import UNCUT_WIDTH, render
from simsearch.search.compare import Comparison
from simsearch.search.shape import query_title
from simsearch.study import STUDY_URL, status_label

_LISTED = 8  # groups of one kind
_CHART = 24  # characters
_ROOM_FOR_CHARTS = 96
_INDENT = 4
_OUTCOMES = 3  # of one study


def comparison_table(comparison: Comparison, view: View) -> Iterator[str]:
    """Yield the designs, a study in a few lines, then benchmark and groups."""
    title = query_title(comparison.query)
    head = Text(one_line(title) if title else "Studies side by side", style="bold")
    parts: list[RenderableType] = [head, Text(intro(comparison))]
    parts += [Text(note, style="yellow") for note in missing_note(comparison)]
    parts += ["", *_designs(comparison, view)]
    parts += _benchmark(comparison, view)
    parts += _topics(comparison, view)
    if not view.quiet:
        parts += [Text(comparison.facts.line, style="dim")]
    yield render(Lines(*parts), width=view.width, color=view.color)


def _designs(comparison: Comparison, view: View) -> list[RenderableType]:
    found: list[RenderableType] = []
    for design in comparison.asked:
        found += _design(design, "query", "", view)
    for place, each in enumerate(comparison.studies, start=1):
        far = "" if each.is_close else "not close; "
        found += _design(each.design, str(each.rank or place), far + each.relation, view)
    return found


def _design(design: Design, name: str, relation: str, view: View) -> list[RenderableType]:
    """Return a study in a few lines: name, design, numbers, outcomes."""
    its = cells(design)
    link = f"cyan link {STUDY_URL}{design.nct_id}" if design.nct_id else "cyan"
    head = Text.assemble(
        (f"{name:<{_INDENT}}" if len(name) < _INDENT else f"{name}  ", "bold"),
        (design.nct_id or "draft", link), "  ", (one_line(design.title), "bold"),
    )  # fmt: skip
    phase = its["Phase"]
    lines = [
        " · ".join(
            (
                its["Status"],
                f"phase {phase}" if phase[0].isdigit() or phase.startswith("early") else "",
                _designed(design, its),
            )
        ).replace("·  ·", "·"),
        " · ".join(
            (
                f"{its['Participants']} participants".replace("1 participants", "1 participant")
                if design.enrollment is not None
                else "participants not given",
                _lasting(its),
                _who(its),
                its["Sites"] if its["Sites"] != NOT_GIVEN else "sites not given",
            )
        ),
    ]
    outcomes = [outcome(each) for each in design.primary_outcomes[:_OUTCOMES]]
    more = len(design.primary_outcomes) - len(outcomes)
    if outcomes:
        lines.append("measures: " + "; ".join(outcomes) + (f"; {more} more" if more else ""))
    if relation:
        lines.append(relation.removesuffix("; "))
    room = (view.width or UNCUT_WIDTH) - _INDENT
    below = [
        part
        for line in lines
        for part in textwrap.wrap(one_line(line), room, max_lines=3, placeholder=" …")
    ]
    return [head, Padding(Text("\n".join(below), style="dim"), (0, 0, 0, _INDENT)), ""]


def _designed(design: Design, its: dict[str, str]) -> str:
    """Return allocation, masking, arms and comparator in one phrase."""
    if design.study_type == "OBSERVATIONAL":
        return "observational"
    arms = f"{design.n_arms} arm{'' if design.n_arms == 1 else 's'}" if design.n_arms else ""
    against = ", ".join(design.comparators)
    versus = {"": "", "none": "no comparator"}.get(against, f"against {against}")
    known = [each for each in (its["Allocation"], its["Masking"]) if each not in (NOT_GIVEN, "n/a")]
    return ", ".join(filter(None, (*known, arms, versus))) or "design not given"


def _lasting(its: dict[str, str]) -> str:
    primary, completion = its["Months to primary completion"], its["Months to completion"]
    if primary == completion == NOT_GIVEN:
        return "duration not given"
    if NOT_GIVEN in (primary, completion):
        one, what = (completion, "") if primary == NOT_GIVEN else (primary, " to primary completion")
        return f"{one} months{what}"
    return f"{primary} months to primary completion, {completion} to completion"


def _who(its: dict[str, str]) -> str:
    ages = "ages not given" if its["Ages"] == NOT_GIVEN else its["Ages"]
    ages = "any age" if ages == "no limit" else ages
    sex = {"all": "", NOT_GIVEN: ""}.get(its["Sex"], f", {its['Sex']} only")
    healthy = ", healthy volunteers" if its["Healthy volunteers"] == "yes" else ""
    return ages + sex + healthy


def _benchmark(comparison: Comparison, view: View) -> list[RenderableType]:
    bench = comparison.benchmark
    if not bench.n:
        return []
    charts = view.width is None or view.width >= _ROOM_FOR_CHARTS
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("")
    for heading in ("n", "min", "¼", "median", "¾", "max"):
        table.add_column(heading, justify="right", no_wrap=True)
    if charts:
        table.add_column("", no_wrap=True, width=_CHART)
    table.add_column("", overflow="fold", style="dim")
    for each in bench.measures:
        if each.n or each.n_missing or each.left_out:
            five = (each.least, each.lower, each.median, each.upper, each.greatest)
            drawn = [Text(_drawn(each))] if charts else []
            notes = Text("; ".join(measure_notes(each)))
            table.add_row(Text(each.name), str(each.n), *map(number, five), *drawn, notes)
    counted = counted_words(bench.n, comparison.n_far, named=comparison.named)
    found: list[RenderableType] = [
        Text(f"Benchmark: {bench.headline}", style="bold"), Text(counted, style="dim"), "", table,
    ]  # fmt: skip
    if charts and any(each.standings for each in bench.measures):
        found.append(Text("─ range, ━ middle half, ┃ median, ◆ query", style="dim"))
    stands = [
        Text(f"◆ {one_line(standing_sentence(each, measure, bench))}")
        for measure in bench.measures
        for each in measure.standings
        if each.place != "within"
    ]
    found += ["", *stands, "" if stands else Text(""), _shares(bench.shares, charts=charts)]
    if bench.stopped:
        found += ["", Text("Stopped early", style="bold")]
        found += [
            Text(f"{each.nct_id} {status_label(each.status).lower()}: {one_line(each.why or NOT_GIVEN)}")
            for each in bench.stopped
        ]
    return [*found, ""]


def _drawn(measure: Measure) -> str:
    """Return a measure as a line of characters: range, middle half, median, query."""
    if measure.least is None or measure.greatest is None:
        return ""
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
