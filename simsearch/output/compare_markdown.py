"""A comparison as Markdown, to paste into a protocol or an issue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simsearch.design.groups import Group
from simsearch.design.rows import Design
from simsearch.output.compare_parts import (
    FREQUENT,
    frames_words,
    frequent,
    groups_note,
    intro,
    missing_note,
)
from simsearch.output.design_words import (
    NOT_GIVEN,
    cells,
    counted_words,
    measure_notes,
    number,
    share_words,
    standing_sentence,
    yes_or_no,
)
from simsearch.output.formats import View
from simsearch.output.render import markdown_cell
from simsearch.search.compare import Comparison
from simsearch.search.shape import query_title
from simsearch.study import STUDY_URL, status_label


def comparison_markdown(comparison: Comparison, view: View) -> Iterator[str]:
    """Yield headings, the table of designs, the benchmark and the groups."""
    title = query_title(comparison.query) or f"{len(comparison)} studies"
    yield f"# Designs: {markdown_cell(title)}\n\n{markdown_cell(intro(comparison))}\n\n"
    for note in missing_note(comparison):
        yield f"{markdown_cell(note)}\n\n"
    yield from _table(comparison)
    yield from _benchmark(comparison)
    yield from _topics(comparison)
    if not view.quiet:
        yield f"{comparison.facts.line}.\n"


def _row(cells_: Sequence[str]) -> str:
    return f"| {' | '.join(cells_)} |\n"


def _table(comparison: Comparison) -> Iterator[str]:
    headings = ["Study", "Title", "Relation", *cells(Design(nct_id="", title=""))]
    yield _row(headings) + _row(["---"] * len(headings))
    for design in comparison.asked:
        yield _row(
            [_link(design.nct_id), markdown_cell(design.title), "the query", *_cells(design)]
        )
    for each in comparison.studies:
        relation = each.relation if each.is_close else f"not close; {each.relation}"
        yield _row(
            [
                _link(each.design.nct_id),
                markdown_cell(each.design.title),
                markdown_cell(relation.removesuffix("; ")),
                *_cells(each.design),
            ]
        )
    yield "\n"


def _cells(design: Design) -> list[str]:
    return [markdown_cell(each) for each in cells(design).values()]


def _benchmark(comparison: Comparison) -> Iterator[str]:
    bench = comparison.benchmark
    if not bench.n:
        return
    counted = counted_words(bench.n, comparison.n_far, named=comparison.named)
    yield f"## Benchmark: {bench.headline}\n\n{counted}\n\n"
    yield _row(["", "n", "min", "lower quartile", "median", "upper quartile", "max", "notes"])
    yield _row(["---", "--:", "--:", "--:", "--:", "--:", "--:", "---"])
    for each in bench.measures:
        five = (each.least, each.lower, each.median, each.upper, each.greatest)
        notes = "; ".join(measure_notes(each))
        yield _row([each.name, str(each.n), *map(number, five), notes])
    yield "\n"
    for measure in bench.measures:
        for standing in measure.standings:
            yield f"- {markdown_cell(standing_sentence(standing, measure, bench))}\n"
    yield "\n" + _row(["Share", "of those that say", "not given", "query"])
    yield _row(["---", "---", "--:", "---"])
    for share in bench.shares:
        asked = ", ".join(dict.fromkeys(yes_or_no(value) for _, value in share.asked))
        yield _row([share.name, share_words(share), str(share.n_missing or ""), asked])
    yield "\n"
    for stop in bench.stopped:
        why = markdown_cell(stop.why or NOT_GIVEN)
        yield f"- {_link(stop.nct_id)} {status_label(stop.status).lower()}: {why}\n"
    yield "\n" if bench.stopped else ""


def _topics(comparison: Comparison) -> Iterator[str]:
    topics = comparison.topics
    if topics is None or not topics.n:
        return
    own = {each.nct_id for each in comparison.asked}
    for name, groups, n in (
        ("Primary outcomes", topics.outcomes, topics.n_outcomes),
        ("Inclusion criteria", topics.inclusion, topics.n_criteria),
        ("Exclusion criteria", topics.exclusion, topics.n_criteria),
    ):
        shown = frequent(groups, own, FREQUENT)
        yield f"## {name}\n\n{groups_note(groups, own, n, len(shown))}\n\n"
        for each in shown:
            yield _group(each, own)
        yield "\n" if shown else ""


def _group(group: Group, own: set[str]) -> str:
    others = [each for each in group.nct_ids if each not in own]
    frames = frames_words(group)
    parts = [
        f"{len(others)}: {markdown_cell(group.label)}",
        f"[{markdown_cell(frames)}]" if frames else "",
        f"({', '.join(others)})",
    ]
    return f"- {' '.join(filter(None, parts))}\n"


def _link(nct_id: str) -> str:
    return f"[{nct_id}]({STUDY_URL}{nct_id})" if nct_id else "draft"
