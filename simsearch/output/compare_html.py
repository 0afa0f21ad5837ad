"""A comparison as HTML: pieces that any page can hold, and a page by itself.

Everything from records is escaped; there is no script and no style within (classes only: see
`page.stylesheet`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simsearch.design.benchmark import Benchmark
from simsearch.design.groups import Group
from simsearch.design.measures import Measure, Share
from simsearch.design.rows import Design
from simsearch.facts import Outcome
from simsearch.files import html_safe
from simsearch.output.charts import bar, strip
from simsearch.output.compare_parts import (
    FREQUENT,
    frames_words,
    frequent,
    groups_note,
    intro,
    missing_note,
)
from simsearch.output.design_words import (
    NOT_APPLICABLE,
    NOT_GIVEN,
    cells,
    counted_words,
    measure_notes,
    number,
    plural,
    share_words,
    standing_sentence,
    yes_or_no,
)
from simsearch.output.formats import View
from simsearch.output.page import page
from simsearch.search.compare import Compared, Comparison
from simsearch.search.shape import percentile_label, query_title
from simsearch.study import STUDY_URL, status_label

_OUTCOMES = 4  # of one study in the table


def comparison_html(comparison: Comparison, _: View) -> Iterator[str]:
    """Yield a whole page, which needs nothing beside it."""
    title = query_title(comparison.query) or f"{len(comparison)} studies"
    yield page(f"Designs: {title}", comparison_fragment(comparison))


def comparison_fragment(comparison: Comparison) -> str:
    """Return the whole comparison: headings, standings, benchmark, groups and table."""
    parts = [
        (
            f'<header class="sx-head"><p class="sx-kicker">Designs compared</p>'
            f"<h1>{html_safe(query_title(comparison.query) or 'Studies side by side')}</h1>"
            f'<p class="sx-lead">{html_safe(intro(comparison))}</p></header>'
        ),
        *(f'<p class="sx-note">{html_safe(each)}</p>' for each in missing_note(comparison)),
        benchmark_fragment(comparison),
        topics_fragment(comparison),
        table_fragment(comparison),
        f'<footer class="sx-foot"><p>{html_safe(comparison.facts.line)}.</p></footer>',
    ]
    return f'<article class="sx">{"".join(parts)}</article>'


def benchmark_fragment(comparison: Comparison) -> str:
    """Return the benchmark: where the query stands, the measures and the shares with charts."""
    bench = comparison.benchmark
    if not bench.n:
        return ""
    counted = counted_words(bench.n, comparison.n_far, named=comparison.named)
    return (
        f'<section class="sx-part"><h2>Benchmark: {html_safe(bench.headline)}</h2>'
        f'<p class="sx-dim">{html_safe(counted)} A dot is a study, the box the middle half, the '
        "line in it the median, a diamond the query study. n: studies that give the figure.</p>"
        f"{_standings(bench)}"
        f'<div class="sx-grid">{"".join(map(_measure, _shown(bench)))}</div>'
        f"<h3>Shares</h3>{_shares(bench)}{_stopped(bench)}</section>"
    )


def _shown(bench: Benchmark) -> list[Measure]:
    return [each for each in bench.measures if each.n or each.n_missing]


def _standings(bench: Benchmark) -> str:
    lines = [
        f"<li>{html_safe(standing_sentence(each, measure, bench))}</li>"
        for measure in bench.measures
        for each in measure.standings
        if each.place in ("below all", "below", "above", "above all")
    ]
    if not lines:
        return ""
    return f'<h3>Where it stands apart</h3><ul class="sx-standings">{"".join(lines)}</ul>'


def _measure(measure: Measure) -> str:
    figures = (
        f"<b>{number(measure.median)}</b> <span>middle half {number(measure.lower)} to "
        f"{number(measure.upper)}</span>"
        if measure.median is not None
        else f"<b>{NOT_APPLICABLE}</b>"
    )
    notes = [f"n = {measure.n}", *measure_notes(measure)]
    return (
        f'<figure class="sx-measure"><figcaption>{html_safe(measure.name)}</figcaption>'
        f"<p>{figures}</p>{strip(measure)}"
        f'<p class="sx-dim">{html_safe("; ".join(notes))}</p></figure>'
    )


def _shares(bench: Benchmark) -> str:
    rows = "".join(map(_share, bench.shares))
    has_query = any(each.asked for each in bench.shares)
    query = '<th scope="col">Query</th>' if has_query else ""
    return (
        '<div class="sx-scroll" tabindex="0" role="region" aria-label="Shares">'
        '<table class="sx-shares"><thead><tr><th scope="col">Share</th>'
        f'<th scope="col">Of those that say</th><td></td><th scope="col">Not given</th>{query}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def _share(share: Share) -> str:
    asked = ", ".join(dict.fromkeys(yes_or_no(value) for _, value in share.asked))
    query = f"<td>{asked}</td>" if share.asked else ""
    return (
        f'<tr><th scope="row">{html_safe(share.name)}</th><td>{share_words(share)}</td>'
        f"<td>{bar(share)}</td><td>{share.n_missing or ''}</td>{query}</tr>"
    )


def _stopped(bench: Benchmark) -> str:
    if not bench.stopped:
        return ""
    items = "".join(
        f"<li>{_link(each.nct_id)} {html_safe(status_label(each.status).lower())}: "
        f"{html_safe(each.why or NOT_GIVEN)}</li>"
        for each in bench.stopped
    )
    return f"<h3>Stopped early, and why</h3><ul>{items}</ul>"


def topics_fragment(comparison: Comparison) -> str:
    """Return primary outcomes and criteria grouped by meaning; `""` where they are not grouped."""
    topics = comparison.topics
    if topics is None or not topics.n:
        return ""
    own = {each.nct_id for each in comparison.asked}
    parts = [
        _groups("Primary outcomes", topics.outcomes, topics.n_outcomes, own, open_=True),
        _groups("Inclusion criteria", topics.inclusion, topics.n_criteria, own),
        _groups("Exclusion criteria", topics.exclusion, topics.n_criteria, own),
    ]
    return f'<section class="sx-part"><h2>By meaning</h2>{"".join(parts)}</section>'


def _groups(
    name: str, groups: Sequence[Group], n: int, own: set[str], *, open_: bool = False
) -> str:
    shown = frequent(groups, own, FREQUENT)
    if not shown:
        return f"<h3>{name}</h3><p class='sx-dim'>{html_safe(groups_note(groups, own, n, 0))}</p>"
    items = "".join(_group(each, own, n) for each in shown)
    return (
        f"<details{' open' if open_ else ''}><summary><h3>{name}</h3> "
        f'<span class="sx-dim">{html_safe(groups_note(groups, own, n, len(shown)))}</span>'
        "</summary>"
        f'<ol class="sx-groups">{items}</ol>{_rest(groups, shown, own)}</details>'
    )


def _rest(groups: Sequence[Group], shown: Sequence[Group], own: set[str]) -> str:
    """Return the groups that are not listed, one below the other."""
    others = [each for each in groups if each not in shown and set(each.nct_ids) - own]
    if not others:
        return ""
    items = "".join(
        f"<li>{html_safe(each.label)} {' '.join(map(_link, each.nct_ids))}</li>" for each in others
    )
    return (
        f'<details class="sx-rest"><summary>{plural(len(others), "other")}</summary>'
        f"<ul>{items}</ul></details>"
    )


def _group(group: Group, own: set[str], n: int) -> str:
    others = [each for each in group.nct_ids if each not in own]
    frames = frames_words(group)
    mine = '<span class="sx-tag">query too</span>' if own.intersection(group.nct_ids) else ""
    said = "".join(
        f"<li>{_link(each.nct_id)} {html_safe(each.text)}"
        + (f" <span class='sx-dim'>{html_safe(each.time_frame)}</span>" if each.time_frame else "")
        + "</li>"
        for each in group.mentions
    )
    return (
        f'<li><span class="sx-count">{len(others)}<small>/{n}</small></span><div>'
        f"<p>{html_safe(group.label)} {mine}</p>"
        + (f'<p class="sx-dim">{html_safe(frames)}</p>' if frames else "")
        + f"<details><summary>in their words</summary><ul>{said}</ul></details></div></li>"
    )


def table_fragment(comparison: Comparison) -> str:
    """Return the table: a study a row, the query studies first."""
    headings = ("Study", "Relation", *cells(Design(nct_id="", title="")))
    top = "".join(f'<th scope="col">{name}</th>' for name in headings)
    rows = [_row(each, "query", "the query") for each in comparison.asked]
    rows += [_compared(each) for each in comparison.studies]
    return (
        '<section class="sx-part"><h2>Side by side</h2><div class="sx-scroll" tabindex="0" '
        f'role="region" aria-label="Designs side by side"><table class="sx-designs"><thead><tr>'
        f"{top}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _compared(each: Compared) -> str:
    similarity = (
        f"similarity {each.similarity:.3f}, percentile {percentile_label(each.percentile)}"
        if each.similarity is not None and each.percentile is not None
        else ""
    )
    relation = "; ".join(filter(None, (each.relation, similarity)))
    far = "" if each.is_close else "not close; "
    return _row(each.design, "" if each.is_close else "far", far + relation)


def _row(design: Design, kind: str, relation: str) -> str:
    shown = dict(cells(design))
    outcomes = "".join(map(_outcome, design.primary_outcomes[:_OUTCOMES]))
    more = len(design.primary_outcomes) - _OUTCOMES
    outcomes += f'<li class="sx-dim">and {more} more</li>' if more > 0 else ""
    columns = "".join(
        f"<td><ul>{outcomes}</ul></td>"
        if name == "Primary outcomes" and outcomes
        else f'<td class="{"sx-none" if text in (NOT_GIVEN, NOT_APPLICABLE) else "sx-cell"}">'
        f"{html_safe(text)}</td>"
        for name, text in shown.items()
    )
    return (
        f'<tr class="sx-row {f"sx-{kind}" if kind else ""}"><th scope="row">{_link(design.nct_id)}'
        f"<span>{html_safe(design.title)}</span></th><td>{html_safe(relation)}</td>{columns}</tr>"
    )


def _outcome(each: Outcome) -> str:
    frame = f' <span class="sx-dim">{html_safe(each.time_frame)}</span>' if each.time_frame else ""
    return f"<li>{html_safe(each.measure)}{frame}</li>"


def _link(nct_id: str) -> str:
    """Return an NCT ID as a link to the registry; a draft has none."""
    if not nct_id:
        return "draft"
    return f'<a href="{html_safe(STUDY_URL + nct_id)}" rel="noopener">{html_safe(nct_id)}</a>'
