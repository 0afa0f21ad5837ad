"""A study in full for the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from simsearch.errors import one_line
from simsearch.output.answer import answer_table
from simsearch.output.formats import View
from simsearch.output.render import UNCUT_WIDTH, link_style, render
from simsearch.output.show_parts import Pairs, Prose, Rows, filled, numbers_line, sections
from simsearch.search.show import Shown

_WIDEST = 110  # of prose: longer lines are hard to read
_NARROW = 96  # below it a table is a list
_HANGING = re.compile(r"^([-*\u2022]|\(?\d{1,2}[.)])\s+")


def study_text(shown: Shown, view: View) -> Iterator[str]:
    """Yield the study section by section, then its related list."""
    study = shown.study
    head = Text(one_line(study.title) or "(no title)", style="bold")
    parts: list[RenderableType] = [head]
    if study.official_title and study.official_title != study.title:
        parts.append(Text(one_line(study.official_title)))
    parts += [Text(one_line(numbers_line(study)), style=link_style(study)), ""]
    for section in sections(shown):
        parts.append(Text(section.title, style="bold"))
        for block in section.blocks:
            parts += [Padding(_block(block, view), (0, 0, 0, 2)), ""]
    yield render(Group(*parts), width=view.width, color=view.color)
    if shown.related is not None:
        yield render(Text("Related studies", style="bold"), width=view.width, color=view.color)
        yield from answer_table(shown.related, view)
    elif not view.quiet:
        yield render(Text(shown.facts.line, style="dim"), width=view.width, color=view.color)


def _block(block: Pairs | Prose | Rows, view: View) -> RenderableType:
    if isinstance(block, Pairs):
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, text in block.pairs:
            table.add_row(name, Text(one_line(text)))
        return table
    if isinstance(block, Prose):
        return Text("\n".join(_wrapped(block.text, view)))
    return _table(filled(block), view)


def _wrapped(text: str, view: View) -> Iterator[str]:
    room = UNCUT_WIDTH if view.width is None else min(view.width - 2, _WIDEST)
    for line in text.splitlines():
        mark = _HANGING.match(line)
        indent = " " * (mark.end() if mark else 0)
        yield from textwrap.wrap(one_line(line), room, subsequent_indent=indent) or [""]


def _table(rows: Rows, view: View) -> RenderableType:
    if view.width is not None and view.width < _NARROW:
        return _list(rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for heading in rows.headings:
        table.add_column(heading, overflow="fold")
    for row in rows.rows:
        table.add_row(*(Text(one_line(each)) for each in row))
    return table


def _list(rows: Rows) -> RenderableType:
    """Return a table as a list: the first cell of each row, the others below it."""
    found: list[RenderableType] = []
    for first, *others in rows.rows:
        found.append(Text(one_line(first), style="bold"))
        below = [one_line(each) for each in others if each]
        if below:
            found.append(Padding(Text("\n".join(below), style="dim"), (0, 0, 0, 2)))
    return Group(*found)
