"""Charts as SVG: no script, no style within, the same bytes every time.

Each is a piece of HTML with a title and a description for screen readers. Their classes
(`chart-…`) are drawn by the one style sheet (`page.stylesheet`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from simsearch.design.measures import Measure, Share
from simsearch.files import html_safe
from simsearch.output.design_words import number, share_words

_WIDTH, _HEIGHT, _MARGIN = 320, 34, 8
_MIDDLE = 14
_LOG_FROM = 50  # greatest value to least from which a scale is logarithmic


def strip(measure: Measure) -> str:
    """Return how the values of a measure lie: a dot a study, quartiles, and the query studies.

    Returns:
        an `<svg>`; `""` where there is no value.
    """
    values = [value for _, value in measure.values]
    asked = [each.value for each in measure.standings]
    if not values:
        return ""
    place, is_log = _scale([*values, *(each for each in asked if each >= 0)])
    shapes = [
        (
            f'<line class="chart-axis" x1="{_MARGIN}" x2="{_WIDTH - _MARGIN}" '
            f'y1="{_MIDDLE}" y2="{_MIDDLE}"/>'
        )
    ]
    if measure.lower is not None and measure.upper is not None and measure.median is not None:
        lower, upper, median = map(place, (measure.lower, measure.upper, measure.median))
        shapes += [
            (
                f'<rect class="chart-box" x="{lower:.1f}" y="{_MIDDLE - 8}" '
                f'width="{max(upper - lower, 1):.1f}" height="16" rx="2"/>'
            ),
            (
                f'<line class="chart-median" x1="{median:.1f}" x2="{median:.1f}" '
                f'y1="{_MIDDLE - 8}" y2="{_MIDDLE + 8}"/>'
            ),
        ]
    shapes += [
        f'<circle class="chart-dot" cx="{place(value):.1f}" cy="{_MIDDLE}" r="3">'
        f"<title>{html_safe(nct_id)}: {number(value)}</title></circle>"
        for nct_id, value in measure.values
    ]
    shapes += [
        f'<path class="chart-asked" d="M{place(each.value):.1f} {_MIDDLE - 7}'
        f'l6 7l-6 7l-6 -7z"><title>{html_safe(each.nct_id or "the draft")}: {number(each.value)}'
        "</title></path>"
        for each in measure.standings
        if each.value >= 0
    ]
    low, high = min(values), max(values)
    shapes += _ends(low, high, place)
    return _svg(f"{measure.name}, n = {measure.n}", _told(measure, is_log=is_log), shapes)


def bar(share: Share) -> str:
    """Return a share as a bar; `""` where no study says."""
    if not share.n:
        return ""
    width = (_WIDTH - 2 * _MARGIN) * share.count / share.n
    shapes = [
        (
            f'<rect class="chart-rest" x="{_MARGIN}" y="4" width="{_WIDTH - 2 * _MARGIN}" '
            'height="8" rx="2"/>'
        ),
        f'<rect class="chart-share" x="{_MARGIN}" y="4" width="{width:.1f}" height="8" rx="2"/>',
    ]
    return _svg(share.name, share_words(share), shapes, height=16)


def _scale(values: list[float]) -> tuple[Callable[[float], float], bool]:
    """Return value → horizontal place, and whether the scale is logarithmic."""
    low, high = min(values), max(values)
    is_log = high > _LOG_FROM * max(low, 1)
    bend: Callable[[float], float] = math.log1p if is_log else float
    start, end = bend(low), bend(high)
    room = _WIDTH - 2 * _MARGIN
    if end == start:
        return lambda _: _WIDTH / 2, is_log
    return lambda value: _MARGIN + room * (bend(value) - start) / (end - start), is_log


def _ends(low: float, high: float, place: Callable[[float], float]) -> list[str]:
    """Return the least and the greatest value, written below."""
    if low == high:
        return [_label(place(low), "middle", low)]
    return [_label(place(low), "start", low), _label(place(high), "end", high)]


def _label(x: float, anchor: str, value: float) -> str:
    return (
        f'<text class="chart-label" x="{x:.1f}" y="{_HEIGHT - 1}" text-anchor="{anchor}">'
        f"{number(value)}</text>"
    )


def _told(measure: Measure, *, is_log: bool) -> str:
    parts = []
    if measure.median is not None:
        parts.append(
            f"median {number(measure.median)}, middle half {number(measure.lower)} to "
            f"{number(measure.upper)}, from {number(measure.least)} to {number(measure.greatest)}"
        )
    else:
        parts.append("values " + ", ".join(number(value) for _, value in measure.values))
    parts += [f"{each.nct_id or 'the draft'}: {number(each.value)}" for each in measure.standings]
    if is_log:
        parts.append("logarithmic scale")
    return "; ".join(parts)


def _svg(title: str, told: str, shapes: list[str], height: int = _HEIGHT) -> str:
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {_WIDTH} {height}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{html_safe(title)}</title>'
        f"<desc>{html_safe(told)}</desc>{''.join(shapes)}</svg>"
    )
