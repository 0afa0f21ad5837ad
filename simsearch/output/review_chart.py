"""The curve of a review: how many studies were kept, by how many were screened."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from simsearch.output.pictures import label, picture

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 340, 190, 34, 10, 28, 44
_MOST_TICKS = 5


def gain_curve(curve: Sequence[int], n_screened: int, per_point: int) -> str:
    """Return the curve as an `<svg>`; `""` where nothing was screened.

    Args:
        curve: how many of each `per_point` screened studies were kept; the last may be of fewer.
        n_screened: how many were screened.
        per_point: so many studies make a point.
    """
    if not n_screened:
        return ""
    kept = [0, *accumulate(curve)]
    at = [min(n * per_point, n_screened) for n in range(len(kept))]
    most = max(kept[-1], 1)

    def x(n: float) -> float:
        return _LEFT + n / n_screened * (_WIDTH - _LEFT - _RIGHT)

    def y(n: float) -> float:
        return _HEIGHT - _BOTTOM - n / most * (_HEIGHT - _BOTTOM - _TOP)

    shapes = [label(0, _TOP - 14, "kept")]
    for tick in _ticks(most):
        shapes.append(
            f'<line class="line-grid" stroke="#dce2e7" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" '
            f'y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        )
        shapes.append(label(_LEFT - 8, y(tick) + 4, f"{tick:,}", anchor="end"))
    shapes += [
        label(x(tick), _HEIGHT - _BOTTOM + 18, f"{tick:,}", anchor="middle")
        for tick in _ticks(n_screened)
    ]
    shapes.append(label(_WIDTH - _RIGHT, _HEIGHT - 4, "studies screened", anchor="end"))
    points = [f"{x(n):.1f} {y(found):.1f}" for n, found in zip(at, kept, strict=True)]
    shapes.append(
        f'<path class="line-running" fill="none" stroke="#0b5c72" stroke-width="2.5" '
        f'stroke-linejoin="round" d="M{"L".join(points)}"/>'
    )
    shapes += [
        f'<circle class="mark-running" fill="#0b5c72" cx="{x(n):.1f}" cy="{y(found):.1f}" r="3.5">'
        f"<title>{found:,} kept of {n:,} screened</title></circle>"
        for n, found in zip(at[1:], kept[1:], strict=True)
    ]
    told = f"{kept[-1]:,} kept of {n_screened:,} screened; the table below says the same."
    return picture(_WIDTH, _HEIGHT, "Studies kept by studies screened", told, shapes)


def _ticks(most: int) -> list[int]:
    """Return whole numbers from 0 that divide an axis, the steps 1, 2 or 5 times ten to a power."""
    step = 1
    while most / step > _MOST_TICKS:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return list(range(0, most + 1, step))
