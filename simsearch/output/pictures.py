"""What the timeline and the map share: colours and shapes by status, links, the frame of an SVG.

Colours stand as attributes, so that a saved picture has them; a page's style sheet goes before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType

import msgspec

from simsearch.errors import one_line
from simsearch.files import html_safe
from simsearch.study import Study, status_label


class Look(msgspec.Struct, frozen=True):
    """How studies of some statuses are drawn."""

    name: str
    label: str
    color: str
    shape: str


_OPEN = Look("open", "recruiting, or about to", "#176b3a", "circle")
_RUNNING = Look("running", "active, not recruiting", "#0b5c72", "square")
_DONE = Look("done", "completed", "#4a5b9c", "diamond")
_STOPPED = Look("stopped", "stopped early", "#a02323", "cross")
_OTHER = Look("other", "unknown or other", "#6b7781", "ring")
LOOKS = (_OPEN, _RUNNING, _DONE, _STOPPED, _OTHER)

_OF_STATUS = MappingProxyType(
    {
        "RECRUITING": _OPEN, "NOT_YET_RECRUITING": _OPEN, "ENROLLING_BY_INVITATION": _OPEN,
        "AVAILABLE": _OPEN, "ACTIVE_NOT_RECRUITING": _RUNNING, "COMPLETED": _DONE,
        "TERMINATED": _STOPPED, "WITHDRAWN": _STOPPED, "SUSPENDED": _STOPPED,
    }
)  # fmt: skip


def look_of(study: Study) -> Look:
    """Return how a study is drawn."""
    return _OF_STATUS.get(study.status, _OTHER)


def mark(look: Look, x: float, y: float, size: float = 6) -> str:
    """Return the mark of a status at a place."""
    common = f'class="mark-{look.name}" fill="{look.color}"'
    if look.shape == "circle":
        return f'<circle {common} cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"/>'
    if look.shape == "square":
        corner, side = (x - size * 0.9, y - size * 0.9), 1.8 * size
        return (
            f'<rect {common} x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{side:.1f}" '
            f'height="{side:.1f}"/>'
        )
    if look.shape == "diamond":
        s = size * 1.2
        return (
            f'<path {common} d="M{x:.1f} {y - s:.1f}l{s:.1f} {s:.1f}l{-s:.1f} {s:.1f}'
            f'l{-s:.1f} {-s:.1f}z"/>'
        )
    stroke = f'class="line-{look.name}" stroke="{look.color}" stroke-width="2.5" fill="none"'
    if look.shape == "cross":
        s = size * 0.9
        return (
            f'<path {stroke} d="M{x - s:.1f} {y - s:.1f}l{2 * s:.1f} {2 * s:.1f}'
            f'm0 {-2 * s:.1f}l{-2 * s:.1f} {2 * s:.1f}"/>'
        )
    return f'<circle {stroke} cx="{x:.1f}" cy="{y:.1f}" r="{size * 0.85:.1f}"/>'


def linked(study: Study, told: str, shapes: str) -> str:
    """Return shapes as a link to the study in the registry, with a text that says which."""
    title = f"<title>{html_safe(told)}</title>"
    if not study.nct_id:
        return f'<g role="img" aria-label="{html_safe(told)}">{title}{shapes}</g>'
    return f'<a href="{html_safe(study.url)}" aria-label="{html_safe(told)}">{title}{shapes}</a>'


def legend(studies: Iterable[Study], x: float, y: float) -> Iterator[str]:
    """Yield the marks that are used, each with what it stands for."""
    used = {look_of(study) for study in studies}
    for look in LOOKS:
        if look in used:
            yield mark(look, x, y - 4)
            yield label(x + 12, y, look.label)
            x += 46 + 6 * len(look.label)


def label(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "dim") -> str:
    """Return a text in a picture."""
    color = "#566573" if kind == "dim" else "#16202a"
    return (
        f'<text class="text-{kind}" fill="{color}" x="{x:.1f}" y="{y:.1f}" '
        f'text-anchor="{anchor}" font-size="12" font-family="system-ui, sans-serif">'
        f"{html_safe(text)}</text>"
    )


def picture(width: int, height: int, title: str, told: str, shapes: Iterable[str]) -> str:
    """Return a whole SVG, with a title and a description."""
    return (
        f'<svg class="picture" xmlns="http://www.w3.org/2000/svg" role="group" '
        f'viewBox="0 0 {width} {height}" aria-label="{html_safe(title)}">'
        f"<title>{html_safe(title)}</title><desc>{html_safe(told)}</desc>{''.join(shapes)}</svg>"
    )


def short(text: str, most: int) -> str:
    """Return a text of at most so many characters."""
    plain = one_line(text)
    return plain if len(plain) <= most else f"{plain[: most - 1].rstrip()}…"


def status_words(study: Study) -> str:
    """Return the status of a study, or that it is not known."""
    return status_label(study.status) or "status not given"
