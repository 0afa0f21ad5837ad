"""What a review shows: the studies to screen next, and where it stands."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from simsearch.files import pretty_json
from simsearch.output.citations import Citation
from simsearch.output.exports import citations_asreview, citations_ris
from simsearch.output.formats import View
from simsearch.output.render import UNCUT_WIDTH, facts_table, link_style, markdown_cell, render
from simsearch.review import SUPPLEMENT
from simsearch.review.status import Status
from simsearch.review.twins import DecidedTwin
from simsearch.review.upcoming import Suggestion, Upcoming
from simsearch.search.shape import percentile_label
from simsearch.study import phase_label, status_label

NEXT_SCHEMA = "simsearch.review.next/1"
STATUS_SCHEMA = "simsearch.review.status/1"

_COLUMNS = (
    "rank", "nct_id", "title", "status", "phase", "similarity", "percentile", "nearest_id",
    "reason", "twins", "decided_twin", "explored", "url",
)  # fmt: skip
_BARS = " ▁▂▃▄▅▆▇█"


def next_table(found: Upcoming, view: View) -> Iterator[str]:
    """Yield the studies to screen as a table, each with the included study that it is most like."""
    table = Table(box=box.HORIZONTALS, show_edge=False, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("NCT ID", no_wrap=True)
    table.add_column("Title, and why", overflow="fold", ratio=1 if view.width else None)
    table.add_column("Status", max_width=12)
    table.add_column("Phase")
    table.add_column("Similarity", justify="right")
    for each in found.suggestions:
        study = each.study
        title = Text(study.title or study.nct_id)
        for line in _why(each):
            title.append(f"\n  {line}", style="dim")
        table.add_row(
            str(each.rank),
            Text(study.nct_id, style=link_style(study)),
            title,
            status_label(study.status) or "–",
            phase_label(study.phases) or "–",
            f"{each.similarity:.3f}",
        )
    if found.suggestions:
        yield render(table, width=view.width or UNCUT_WIDTH, color=view.color)
    if not view.quiet:
        yield "\n".join(["", *_notes(found), ""])


def next_json(found: Upcoming, _: View) -> Iterator[str]:
    """Yield the studies to screen as one JSON object."""
    yield pretty_json(
        {
            "schema": NEXT_SCHEMA,
            "review": found.review,
            "included": found.n_included,
            "excluded": found.n_excluded,
            "undecided": found.n_undecided,
            "next": [suggestion_row(each) for each in found.suggestions],
            "notes": [*found.notes, SUPPLEMENT],
            "index": msgspec.to_builtins(found.facts),
        }
    )


def next_csv(found: Upcoming, view: View) -> Iterator[str]:
    """Yield a CSV with a header, a study a row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_COLUMNS), lineterminator="\n")
    writer.writeheader()
    for each in found.suggestions:
        row = suggestion_row(each)
        writer.writerow(view.csv_row({**row, "twins": "|".join(row["twins"])}))
    yield view.csv_start + text.getvalue()


def next_markdown(found: Upcoming, _: View) -> Iterator[str]:
    """Yield a Markdown table."""
    lines = [
        "| # | NCT ID | Title | Status | Phase | Similarity | Why |",
        "|--:|--------|-------|--------|-------|-----------:|-----|",
    ]
    for each in found.suggestions:
        study = each.study
        cells = (
            str(each.rank), f"[{study.nct_id}]({study.url})", markdown_cell(study.title),
            status_label(study.status), phase_label(study.phases), f"{each.similarity:.3f}",
            "<br>".join(map(markdown_cell, _why(each))),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    yield "\n".join([*lines, "", *_notes(found), ""])


def next_ids(found: Upcoming, _: View) -> Iterator[str]:
    """Yield the NCT IDs, one a line, without twins."""
    for each in found.suggestions:
        yield f"{each.study.nct_id}\n"


def next_ris(found: Upcoming, _: View) -> Iterator[str]:
    """Yield the studies to screen as RIS."""
    return citations_ris(_citations(found))


def next_asreview(found: Upcoming, view: View) -> Iterator[str]:
    """Yield the CSV that ASReview opens."""
    return citations_asreview(_citations(found), view)


def status_table(status: Status, view: View) -> Iterator[str]:
    """Yield where a review stands, for a person."""
    facts = [
        ("Review", status.name),
        ("Question", status.question or "–"),
        ("Known", f"{status.n_known:,} studies decided before the first list"),
        ("Screened", f"{status.n_screened:,} studies of the lists, {status.n_kept:,} kept"),
        ("Decided", _decided(status)),
        ("Lists", status.lists or "none asked for yet"),
    ]  # fmt: skip
    if status.curve:
        facts.append(("Kept of each ten", " ".join(map(str, status.curve))))
        facts.append(("", _bars(status.curve)))
    facts += [(f"Stop? {rule.name}", rule.line) for rule in status.rules]
    facts.append(("Left", status.left.line))
    facts += [("Note", note) for note in status.notes]
    yield render(facts_table(facts), width=view.width, color=view.color)
    if not view.quiet:
        yield f"\n{SUPPLEMENT}\n"


def status_json(status: Status, _: View) -> Iterator[str]:
    """Yield where a review stands as JSON."""
    shape = msgspec.to_builtins(status)
    yield pretty_json({"schema": STATUS_SCHEMA, **shape, "supplement": SUPPLEMENT})


def _decided(status: Status) -> str:
    return (
        f"{status.n_included:,} included, {status.n_excluded:,} excluded, "
        f"{status.n_undecided:,} undecided"
    )


def _bars(curve: tuple[int, ...]) -> str:
    return "".join(_BARS[min(round(n * (len(_BARS) - 1) / 10), len(_BARS) - 1)] for n in curve)


def _why(each: Suggestion) -> Iterator[str]:
    yield f"most like {each.nearest.nct_id}, pctl. {percentile_label(each.percentile)}"
    yield each.reason.line
    if each.twins:
        yield f"the same trial: {', '.join(twin.nct_id for twin in each.twins)}"
    if each.decided_twin:
        yield twin_line(each.decided_twin)
    if each.explored:
        yield "from further down the list (exploration)"


def twin_line(twin: DecidedTwin) -> str:
    """Return what is known of a study that may be one trial with a decided one."""
    decided = {"include": "included", "exclude": "excluded", "undecided": "set aside"}
    return f"perhaps one trial with {twin.study.nct_id} ({decided[twin.decision]}): {twin.reason}"


def suggestion_row(each: Suggestion) -> dict[str, Any]:
    """Return a study to screen as JSON has it."""
    study = each.study
    return {
        "rank": each.rank,
        "nct_id": study.nct_id,
        "title": study.title,
        "status": study.status,
        "phase": phase_label(study.phases),
        "similarity": each.similarity,
        "percentile": each.percentile,
        "nearest_id": each.nearest.nct_id,
        "reason": each.reason.line,
        "twins": [twin.nct_id for twin in each.twins],
        "decided_twin": each.decided_twin.study.nct_id if each.decided_twin else "",
        "explored": each.explored,
        "url": study.url,
    }


def _notes(found: Upcoming) -> Iterator[str]:
    decided = (
        f"{found.n_included:,} included and {found.n_excluded:,} excluded studies decide the order"
    )
    undecided = f"; {found.n_undecided:,} undecided" if found.n_undecided else ""
    yield f"{decided}{undecided}."
    yield from found.notes
    yield SUPPLEMENT
    yield found.facts.line


def _citations(found: Upcoming) -> Iterator[Citation]:
    facts = found.facts
    for each in found.suggestions:
        near = (
            f"Place {each.rank} of review {found.review}: most like {each.nearest.nct_id}, "
            f"similarity {each.similarity:.3f}, percentile {percentile_label(each.percentile)}"
        )
        source = f"Source: ClinicalTrials.gov, records to {facts.records_date}; {facts.generation}"
        yield Citation(
            study=each.study, records_date=facts.records_date,
            notes=(near, f"Reason: {each.reason.line}", source, SUPPLEMENT),
        )  # fmt: skip
