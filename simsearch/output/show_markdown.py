"""A study in full as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from simsearch.errors import one_line
from simsearch.output.answer import answer_markdown
from simsearch.output.formats import View
from simsearch.output.render import markdown_cell
from simsearch.output.show_parts import (
    Pairs,
    Prose,
    Rows,
    filled,
    numbers_line,
    sections,
    study_url,
)
from simsearch.search.show import Shown


def study_markdown(shown: Shown, view: View) -> Iterator[str]:
    """Yield headings, lists and tables, then the related list."""
    study = shown.study
    yield f"# {markdown_cell(one_line(study.title) or '(no title)')}\n\n"
    if study.official_title and study.official_title != study.title:
        yield f"{markdown_cell(one_line(study.official_title))}\n\n"
    yield f"{markdown_cell(numbers_line(study))}\n\n"
    if url := study_url(study):
        yield f"<{url}>\n\n"
    for section in sections(shown):
        yield f"## {markdown_cell(section.title)}\n\n"
        for block in section.blocks:
            yield from _block(block)
    if shown.related is not None:
        yield "## Related studies\n\n"
        yield from answer_markdown(shown.related, view)
    elif not view.quiet:
        yield f"{shown.facts.line}.\n"


def _block(block: Pairs | Prose | Rows) -> Iterator[str]:
    if isinstance(block, Pairs):
        for name, text in block.pairs:
            yield f"- {name}: {markdown_cell(one_line(text))}\n"
    elif isinstance(block, Prose):
        for line in block.text.splitlines():
            yield f"{markdown_cell(line)}\n\n"
        return
    else:
        table = filled(block)
        yield f"| {' | '.join(table.headings)} |\n|{' --- |' * len(table.headings)}\n"
        for row in table.rows:
            cells = (_linked(each, table.url_of.get(each, "")) for each in row)
            yield f"| {' | '.join(cells)} |\n"
    yield "\n"


def _linked(cell: str, url: str) -> str:
    text = "<br>".join(map(markdown_cell, cell.splitlines()))
    return f"[{text}]({url})" if url else text
