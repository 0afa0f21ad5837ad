"""Studies by their start and completion, as one SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from simsearch.output.pictures import (
    label,
    legend,
    linked,
    look_of,
    mark,
    picture,
    short,
    status_words,
)
from simsearch.study import Study

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 960, 430, 24, 34, 26
_TITLE = 52  # letters of a title that fit beside the bars
_MOST_YEARS = 12  # marked on the axis
_YEARS = (1900, 2200)


def timeline(asked: Sequence[Study], studies: Sequence[Study], today: str) -> str:
    """Return studies as bars from start to completion, the query studies first.

    Those without a start date are listed without a bar.

    Args:
        asked: the query studies.
        studies: the others, in the order of their ranks.
        today: the date of the records, at which a line stands; `""` for none.

    Returns:
        an `<svg>`, the same for the same studies.
    """
    every = [*asked, *studies]
    known = [year for each in every for year in _span(each)]
    now = _year(today)
    low = math.floor(min(known, default=2000))
    high = math.ceil(max([*known, low + 1, *([now] if now and known else [])]))

    def place(year: float) -> float:
        return _LEFT + (year - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    height = _TOP + _ROW * len(every) + 44
    shapes = [*_axis(low, high, height, place)]
    if now and low <= now <= high:
        x = place(now)
        shapes.append(
            f'<line class="line-now" stroke="#8a4b00" stroke-dasharray="4 3" x1="{x:.1f}" '
            f'x2="{x:.1f}" y1="{_TOP - 6}" y2="{height - 40}"/>'
        )
    for row, study in enumerate(every):
        is_asked = row < len(asked)
        number = "query" if is_asked else str(row - len(asked) + 1)
        shapes.append(_bar(study, number, _TOP + _ROW * (row + 0.5), place))
    shapes += legend(every, 12, height - 12)
    told = f"{len(every)} studies from {low} to {high}; the table below says the same."
    return picture(_WIDTH, height, "Timeline of trials", told, shapes)


def _axis(low: int, high: int, height: int, place: Callable[[float], float]) -> Iterator[str]:
    step = max(1, math.ceil((high - low) / _MOST_YEARS))
    for year in range(low, high + 1, step):
        x = place(year)
        yield (
            f'<line class="line-grid" stroke="#dce2e7" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 8}" '
            f'y2="{height - 40}"/>'
        )
        yield label(x, _TOP - 14, str(year), anchor="middle")


def _bar(study: Study, number: str, y: float, place: Callable[[float], float]) -> str:
    look, span = look_of(study), _span(study)
    name = label(12, y + 4, number)
    title = label(54, y + 4, short(study.title or study.nct_id or "the draft", _TITLE), kind="ink")
    shapes = [name, title]
    if span:
        start, end = place(span[0]), place(span[-1])
        shapes.append(
            f'<line class="line-{look.name}" stroke="{look.color}" stroke-width="5" '
            f'stroke-linecap="round" stroke-opacity=".55" x1="{start:.1f}" x2="{end:.1f}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        shapes.append(mark(look, end, y))
    else:
        shapes.append(label(_LEFT + 6, y + 4, "no dates"))
    ground = (
        f'<rect class="ground" fill="none" x="0" y="{y - 13:.1f}" width="{_WIDTH}" height="26"/>'
    )
    dates = f"{study.start_date or 'start not given'} to {study.completion_date or 'end not given'}"
    told = f"{study.nct_id or 'Draft'} {study.title}: {status_words(study)}, {dates}"
    return linked(study, told, ground + "".join(shapes))


def _span(study: Study) -> list[float]:
    """Return start and completion as years; the start alone if no later completion is given."""
    start, end = _year(study.start_date), _year(study.completion_date)
    if start is None:
        return []
    return [start, end] if end is not None and end > start else [start]


def _year(date: str) -> float | None:
    """Return a date as a year with a fraction; None if it is none, or far from our time."""
    parts = date.split("-")
    try:
        year, month, day = (int(part) for part in (*parts, "1", "1")[:3])
    except ValueError:
        return None
    if not _YEARS[0] <= year < _YEARS[1]:
        return None
    return year + (month - 1) / 12 + (day - 1) / 365
