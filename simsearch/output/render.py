"""Tables as text, and the labels of sizes, times and Markdown cells."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from simsearch.study import Study

UNCUT_WIDTH = 100_000
"""Width of a line where nothing is cut: no title comes near it."""


def render(renderable: RenderableType, *, width: int | None, color: bool) -> str:
    """Return something of rich's as text; a width of None cuts nothing."""
    text = io.StringIO()
    console = Console(
        file=text, width=width or UNCUT_WIDTH, force_terminal=color, no_color=not color,
        highlight=False, legacy_windows=False, emoji=False,
    )  # fmt: skip
    console.print(renderable)
    lines = text.getvalue().splitlines()
    return "".join(line.rstrip() + "\n" for line in lines)


def facts_table(facts: Sequence[tuple[str, str]]) -> RenderableType:
    """Return facts, name and value, as two columns."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, escape(value))
    return table


def link_style(study: Study) -> str:
    """Return the style of an NCT ID: a link to the study's page where it has one."""
    return f"cyan link {study.url}" if study.url else "cyan"


def markdown_cell(text: str) -> str:
    """Return text that stays within its cell and means itself."""
    escaped = text
    for character in "\\`*_[]<>|":
        escaped = escaped.replace(character, "\\" + character)
    return escaped


def size_label(n_bytes: int) -> str:
    """Return a size in decimal units, as disks count: `512 bytes`, `18.4 MB`."""
    return decimal(n_bytes)


def duration_label(seconds: float) -> str:
    """Return a time span as people say it: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 10:  # noqa: PLR2004 - below it tenths matter
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
