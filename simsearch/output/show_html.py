"""A study in full as HTML: a piece that any page can hold, and a page by itself.

Everything from records is escaped; classes only (see `page.stylesheet`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from simsearch.files import html_safe
from simsearch.output.formats import View
from simsearch.output.page import page
from simsearch.output.show_parts import (
    Pairs,
    Prose,
    Rows,
    Section,
    filled,
    numbers_line,
    sections,
    study_url,
)
from simsearch.search.answer import Answer
from simsearch.search.shape import percentile_label
from simsearch.search.show import Shown
from simsearch.study import phase_label, status_label

_BULLET = re.compile(r"^([-*\u2022]|\(?\d{1,2}[.)])\s+")


def study_html(shown: Shown, _: View) -> Iterator[str]:
    """Yield a whole page, which needs nothing beside it."""
    yield page(f"{shown.study.nct_id} {shown.study.title}".strip(), study_fragment(shown))


def study_fragment(shown: Shown) -> str:
    """Return the study in full, with its related list."""
    study = shown.study
    official = (
        f'<p class="sx-lead">{html_safe(study.official_title)}</p>'
        if study.official_title and study.official_title != study.title
        else ""
    )
    number = html_safe(numbers_line(study))
    if url := study_url(study):
        number += f' · <a href="{html_safe(url)}" rel="noopener">ClinicalTrials.gov</a>'
    related = related_fragment(shown.related) if shown.related is not None else ""
    return (
        f'<article class="sx"><header class="sx-head"><p class="sx-kicker">{number}</p>'
        f"<h1>{html_safe(study.title or '(no title)')}</h1>{official}</header>"
        f"{''.join(map(section_fragment, sections(shown)))}{related}"
        f'<footer class="sx-foot"><p>{html_safe(shown.facts.line)}.</p></footer></article>'
    )


def section_fragment(section: Section) -> str:
    """Return one section with its heading."""
    blocks = "".join(map(_block, section.blocks))
    return f'<section class="sx-part"><h2>{html_safe(section.title)}</h2>{blocks}</section>'


def related_fragment(answer: Answer) -> str:
    """Return the related list as a table, with reasons and links to the registry."""
    rows = "".join(
        f'<tr><td>{each.rank}</td><th scope="row"><a href="{html_safe(each.study.url)}" '
        f'rel="noopener">{html_safe(each.nct_id)}</a> {html_safe(each.title)}</th>'
        f"<td>{html_safe(status_label(each.study.status))}</td>"
        f"<td>{html_safe(phase_label(each.study.phases))}</td><td>{each.similarity:.3f}</td>"
        f"<td>{percentile_label(each.percentile)}</td>"
        f"<td>{html_safe(each.reason.line if each.reason else '')}</td></tr>"
        for each in answer
    )
    headings = ("#", "Study", "Status", "Phase", "Similarity", "Percentile", "Why")
    top = "".join(f'<th scope="col">{each}</th>' for each in headings)
    return (
        '<section class="sx-part"><h2>Related studies</h2><div class="sx-scroll" tabindex="0" '
        f'role="region" aria-label="Related studies"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _block(block: Pairs | Prose | Rows) -> str:
    if isinstance(block, Pairs):
        pairs = "".join(
            f"<dt>{html_safe(name)}</dt><dd>{html_safe(text)}</dd>" for name, text in block.pairs
        )
        return f'<dl class="sx-kv">{pairs}</dl>'
    if isinstance(block, Prose):
        return f'<div class="sx-text">{"".join(_prose(block.text))}</div>'
    table = filled(block)
    top = "".join(f'<th scope="col">{html_safe(each)}</th>' for each in table.headings)
    rows = "".join(
        "<tr>" + "".join(_cell(each, table.url_of.get(each, "")) for each in row) + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="sx-scroll"><table class="sx-rows"><thead><tr>{top}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cell(text: str, url: str) -> str:
    shown = "<br>".join(map(html_safe, text.splitlines()))
    return (
        f'<td><a href="{html_safe(url)}" rel="noopener">{shown}</a></td>'
        if url
        else f"<td>{shown}</td>"
    )


def _prose(text: str) -> Iterator[str]:
    """Yield paragraphs, and lists of the lines that begin with a bullet or a number."""
    items: list[str] = []
    for line in [*text.splitlines(), ""]:
        mark = _BULLET.match(line)
        if mark:
            items.append(f"<li>{html_safe(line[mark.end() :])}</li>")
            continue
        if items:
            yield f"<ul>{''.join(items)}</ul>"
            items = []
        if line:
            yield f"<p>{html_safe(line)}</p>"
