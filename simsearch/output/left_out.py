"""Leave-one-out evaluations and simulated screenings → tables, Markdown, CSV or JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from rich import box
from rich.markup import escape
from rich.table import Table

from simsearch.evaluation.intervals import Estimate
from simsearch.evaluation.leave_one_out import LeftOut, LeftOutReport, Places
from simsearch.evaluation.screening import BATCH, DEPTHS, LIMIT
from simsearch.files import pretty_json
from simsearch.output.formats import View
from simsearch.output.render import render

LEFT_OUT_SCHEMA = "simsearch.left-out/1"

_PLACES = (
    "system", "median place (quartiles)", "geometric mean [95 %]", "to find all, by group",
    "against the first [95 %]",
)  # fmt: skip
_SCREENED = ("list", *(f"recall@{depth}" for depth in DEPTHS), "WSS@95")
_STOPS = ("rule", "met in", "after (quartiles)", "recall then", "nothing missed")


def left_out_table(report: LeftOutReport, view: View) -> Iterator[str]:
    """Yield tables: places by system, screening, stopping rules."""
    for each in report.sets:
        for title, header, rows in _sheets(each):
            table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD)
            for name in header:
                table.add_column(name, justify="left" if name == header[0] else "right")
            for row in rows:
                table.add_row(*map(escape, row))
            yield render(table, width=view.width, color=view.color)
    yield _foot(report) + "\n"


def left_out_markdown(report: LeftOutReport, _: View) -> Iterator[str]:
    """Yield the same tables as Markdown."""
    for each in report.sets:
        for title, header, rows in _sheets(each):
            yield f"**{title}**\n\n| {' | '.join(header)} |\n"
            yield f"|{'|'.join(['---', *['---:'] * (len(header) - 1)])}|\n"
            yield "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"
    yield _foot(report) + "\n"


def left_out_csv(report: LeftOutReport, view: View) -> Iterator[str]:
    """Yield the places, a row for each study that was left out, group and system."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("set", "group", "system", "place"))
    for each in report.sets:
        for system in each.systems:
            for group, places in system.by_group.items():
                writer.writerows((each.name, group, system.system, place) for place in places)
    yield view.csv_start + text.getvalue()


def left_out_json(report: LeftOutReport, _: View) -> Iterator[str]:
    """Yield all figures as JSON; what is not a number is null."""
    shape = {"schema": LEFT_OUT_SCHEMA, **msgspec.to_builtins(report, str_keys=True)}
    yield pretty_json(_without_nan(shape))


def _sheets(each: LeftOut) -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    screening = each.screening
    groups = f"{each.n_groups:,} groups"
    yield (
        f"{each.name}: each study of {groups} left out in turn, place when the others ask",
        _PLACES,
        [_places_row(system) for system in each.systems],
    )
    rows = [
        [
            name,
            *(_share(recall[depth]) for depth in DEPTHS),
            _share(screening.wss[name]),
        ]
        for name, recall in screening.recall.items()
    ]
    gain = ["learning - fixed", *([""] * len(DEPTHS)), _share(screening.gain, sign="+")]
    yield (
        f"{each.name}: the later half of {groups} screened for, {BATCH} at a time",
        _SCREENED,
        [*rows, gain],
    )
    yield (
        f"{each.name}: stopping rules within {LIMIT:,} studies screened",
        _STOPS,
        [
            [
                name, f"{stop.n_met} of {each.n_groups}", _spread(stop.screened),
                _share(stop.recall), f"{stop.n_all_found} of {stop.n_met}",
            ]
            for name, stop in screening.stops.items()
        ],
    )  # fmt: skip


def _places_row(system: Places) -> list[str]:
    mean = system.log_mean
    against = system.against
    return [
        system.system,
        _spread(system.quartiles),
        f"{math.exp(mean.mean):.1f} [{math.exp(mean.low):.1f} {math.exp(mean.high):.1f}]",
        _spread(system.to_find_all),
        f"x{math.exp(against.mean):.2f} [{math.exp(against.low):.2f} {math.exp(against.high):.2f}]"
        if against
        else "",
    ]


def _spread(quartiles: tuple[float, float, float]) -> str:
    low, middle, high = quartiles
    return "–" if math.isnan(middle) else f"{middle:,.0f} ({low:,.0f}, {high:,.0f})"


def _share(found: Estimate, sign: str = "") -> str:
    if math.isnan(found.mean):
        return "–"
    return f"{found.mean:{sign}.3f} [{found.low:.3f} {found.high:.3f}]"


def _foot(report: LeftOutReport) -> str:
    return (
        f"{report.facts.line}. Against the first: the first system's geometric mean as a share of "
        "this one's, paired by group; below 1 the first is better."
    )


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
