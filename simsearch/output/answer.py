"""Answers as text: table, Markdown, CSV, JSON, JSON Lines or bare IDs.

The JSON shape is `search/shape.py`'s, described in docs/json.md.
"""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator, Sequence
from types import MappingProxyType

import msgspec
from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from simsearch.errors import one_line
from simsearch.files import pretty_json
from simsearch.index.directory import WHOLE_REGISTRY_COMMAND
from simsearch.output.formats import View
from simsearch.output.render import UNCUT_WIDTH, link_style, markdown_cell, render
from simsearch.search.answer import Answer
from simsearch.search.neighbour import Neighbour
from simsearch.search.question import Query
from simsearch.search.shape import (
    CSV_COLUMNS,
    EXPLAINED_COLUMNS,
    answer_shape,
    explained,
    flat_rows,
    neighbour_shape,
    nothing_found,
    percentile_label,
    query_name,
    query_title,
)
from simsearch.study import Study, phase_label, status_label

_NARROW = 72
_GAP = 3  # blanks between two columns
_LEAST_TITLE = 12
_LONGEST_TITLE = 1000
_UNKNOWN = "–"
_FAR = "not close from here on"

_HEADINGS = ("#", "NCT ID", "Title", "Status", "Phase", "Similarity", "Pctl.")
_TITLE = _HEADINGS.index("Title")
_NUMERIC = frozenset({"#", "Similarity", "Pctl."})
_NAMES = frozenset({"conditions_in_common", "interventions_in_common"})

_STATUS_STYLE = MappingProxyType(
    {"RECRUITING": "green", "NOT_YET_RECRUITING": "green", "ENROLLING_BY_INVITATION": "green"}
)


def answer_json(answer: Answer, _: View) -> Iterator[str]:
    """Yield one JSON object: query, neighbours, index."""
    yield pretty_json(answer_shape(answer))


def answer_jsonl(answer: Answer, _: View) -> Iterator[str]:
    """Yield one JSON object a neighbour, each with the query and the generation."""
    asked = {"query": query_name(answer.query), "notes": list(answer.notes)}
    built = {
        "generation": answer.facts.generation,
        "records_date": answer.facts.records_date,
    }
    for neighbour in answer:
        yield msgspec.json.encode({**asked, **neighbour_shape(neighbour), **built}).decode() + "\n"


def answer_csv(answer: Answer, view: View) -> Iterator[str]:
    """Yield a CSV with a header; lists are joined by `|` as the registry's own CSV does."""
    text = io.StringIO()
    columns = [*CSV_COLUMNS, *(EXPLAINED_COLUMNS if view.explain else ())]
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(map(view.csv_row, flat_rows(answer)))
    yield view.csv_start + text.getvalue()


def answer_ids(answer: Answer, _: View) -> Iterator[str]:
    """Yield the NCT IDs, one a line."""
    for neighbour in answer:
        yield f"{neighbour.nct_id}\n"


def answer_markdown(answer: Answer, view: View) -> Iterator[str]:
    """Yield a Markdown table with the query above and the index below."""
    lines = [
        f"Studies most like {markdown_cell(query_title(answer.query))}:",
        "",
        "| # | NCT ID | Title | Status | Phase | Similarity | Pctl. | Reason |",
        "|--:|--------|-------|--------|-------|-----------:|------:|--------|",
    ]
    for each in answer:
        study = each.study
        cells = (
            str(each.rank),
            f"[{study.nct_id}]({study.url})",
            markdown_cell(study.title),
            status_label(study.status),
            phase_label(study.phases),
            f"{each.similarity:.3f}",
            percentile_label(each.percentile),
            "<br>".join(map(markdown_cell, _reason_lines(each, view))),
        )
        lines.append(f"| {' | '.join(cells)} |")
    said = [markdown_cell(f"{note[:1].upper()}{note[1:]}.") for note in answer.notes]
    notes = [line for note in (*said, *_notes(answer)) for line in (note, "")]
    yield "\n".join([*lines, "", *notes, f"{answer.facts.line}.", ""])


def answer_table(answer: Answer, view: View) -> Iterator[str]:
    """Yield the table: query above it, index below it (neither if `quiet`).

    On a terminal long titles are cut to two lines, and a narrow one (a phone) gets a list in
    place of columns.
    """
    width = view.width
    if width is not None and width < _NARROW:
        neighbours = _neighbour_list(answer, view)
    else:
        neighbours = _neighbour_table(answer, view)
    if view.quiet:
        yield render(neighbours, width=width, color=view.color)
        return
    parts: list[RenderableType] = [_query_header(answer.query), "", neighbours, ""]
    parts += [Text(note, style="yellow") for note in _notes(answer)]
    parts.append(Text(answer.facts.line, style="dim"))
    if answer.facts.demo:
        parts.append("This is the demo collection. The whole registry, in some hours:")
        parts.append(Text(f"  {WHOLE_REGISTRY_COMMAND}", style="bold"))
    yield render(Group(*parts), width=width, color=view.color)


def _notes(answer: Answer) -> list[str]:
    """Return the notes under the neighbours."""
    away = answer.query.unlike and len(answer)
    before = "Pctl. is of the similarity before --not takes its part off." if away else ""
    return [note for note in (closeness(answer), before) if note]


def closeness(answer: Answer) -> str:
    """Return a sentence where few neighbours or none are close; `""` where all are."""
    total, close = len(answer), answer.n_close
    if not total:
        return nothing_found(answer)
    if close == total:
        return ""
    if not answer.has_subject:
        return "None of these studies is called close: the text says nothing to compare them by."
    some = f"{close} of these {total} studies {'is' if close == 1 else 'are'} close"
    which = some if close else "None of these studies is close"
    others = "the others" if close else "they"
    if answer.ranking == "learned":
        return f"{which}: {others} are less likely than not to be clearly related."
    pairs = round(100 / (100 - answer.close_percentile))
    return f"{which}: at least one random pair in {pairs} is as similar as {others} are."


def _query_header(query: Query) -> Text:
    """Return each query study in two or three lines (name, title, facts), and the text."""
    lines = [_study_header(study) for study in query.studies]
    for text in query.texts:
        shown = textwrap.shorten(one_line(text), 300)
        lines.append(Text.assemble(("Text  ", "bold"), shown))
    lines += [Text.assemble("unlike ", _study_header(study)) for study in query.unlike]
    return Text("\n").join(lines)


def _study_header(study: Study) -> Text:
    name = study.nct_id or "Draft"
    header = Text.assemble((name, link_style(study)), "  ", (study.title or "(no title)", "bold"))
    facts = [
        status_label(study.status),
        f"phase {label}" if (label := phase_label(study.phases)) else "",
        "; ".join(study.conditions),
        "; ".join(each.name for each in study.interventions),
    ]
    line = " · ".join(fact for fact in facts if fact)
    return header.append(f"\n{line}", style="not bold dim") if line else header


def _neighbour_table(answer: Answer, view: View) -> RenderableType:
    """Return the neighbours in columns, with each one's reason in full width below it.

    On a terminal a title takes two lines at most. Each row is a table of its own, of the
    same widths: rich has no cell that spans columns.
    """
    width = view.width
    rows = [_cells(each) for each in answer]
    widths = [max(map(cell_len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    if width is not None:
        room = width - sum(widths) + widths[_TITLE] - _GAP * (len(widths) - 1)
        widths[_TITLE] = min(widths[_TITLE], max(room, _LEAST_TITLE))
    shown: list[RenderableType] = [_columns(widths, header=True)]
    for each, cells in zip(answer, rows, strict=True):
        row = _columns(widths, header=False)
        title = textwrap.wrap(cells.pop(_TITLE), widths[_TITLE], max_lines=2, placeholder=" …")
        rank, nct_id, status, *numbers = cells
        row.add_row(
            rank,
            Text(nct_id, style=link_style(each.study)),
            Text("\n".join(title)),
            Text(status, style=_STATUS_STYLE.get(each.study.status, "")),
            *numbers,
        )
        indent = widths[0] + _GAP
        if each is _first_far(answer):
            shown.append(Padding(Text(_FAR, style="yellow"), (0, 0, 0, indent)))
        room = UNCUT_WIDTH if width is None or view.explain else width - indent
        below = Group(*_below(_reason_lines(each, view), room))
        shown += [row, Padding(below, (0, 0, 0, indent))]
    return Group(*shown)


def _first_far(answer: Answer) -> Neighbour | None:
    """Return the first neighbour that is not close, where close ones come before it."""
    n_close = answer.n_close
    are_first = all(each.percentile >= answer.close_percentile for each in answer[:n_close])
    return answer[n_close] if are_first and 0 < n_close < len(answer) else None


def _cells(neighbour: Neighbour) -> list[str]:
    """Return the cells of a neighbour, in the order of `_HEADINGS`."""
    study = neighbour.study
    return [
        str(neighbour.rank),
        study.nct_id,
        _cut(one_line(study.title)),
        status_label(study.status) or _UNKNOWN,
        phase_label(study.phases) or _UNKNOWN,
        f"{neighbour.similarity:.3f}",
        percentile_label(neighbour.percentile),
    ]


def _cut(title: str) -> str:
    """Return a title, cut if it is far too long for a column."""
    return title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…"


def _columns(widths: Sequence[int], *, header: bool) -> Table:
    """Return a table without rows."""
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False, show_header=header
    )
    for heading, width in zip(_HEADINGS, widths, strict=True):
        numeric = heading in _NUMERIC
        table.add_column(
            heading,
            width=width,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=heading != _HEADINGS[_TITLE],
        )
    return table


def _neighbour_list(answer: Answer, view: View) -> RenderableType:
    """Return each neighbour as a few short lines."""
    entries: list[RenderableType] = []
    for each in answer:
        study = each.study
        phase = phase_label(study.phases)
        facts = (status_label(study.status), f"phase {phase}" if phase else "")
        head = Text.assemble(
            f"{each.rank}. ", (study.nct_id, link_style(study)),
            f"  {each.similarity:.3f} ({percentile_label(each.percentile)})",
        )  # fmt: skip
        if each is _first_far(answer):
            entries += [Text(_FAR, style="yellow"), ""]
        entries += [head, Text(study.title)]
        if any(facts):
            entries.append(Text(" · ".join(filter(None, facts)), style="dim"))
        entries += [*_below(_reason_lines(each, view), UNCUT_WIDTH), ""]
    return Group(*entries[:-1])


def _below(lines: Sequence[str], room: int) -> list[RenderableType]:
    """Return the lines under a neighbour's title, each in two at most where room is short."""
    if room < UNCUT_WIDTH:
        lines = [
            part
            for line in lines
            for part in textwrap.wrap(line, room, max_lines=2, placeholder=" …")
        ]
    return [Text(line, style="dim") for line in lines]


def _reason_lines(neighbour: Neighbour, view: View) -> list[str]:
    """Return why a study is a neighbour, in one line or in all, and what is folded under it."""
    reason = neighbour.reason
    lines = [reason.line] if reason else []
    if view.explain:
        lines = [
            f"{name.replace('_', ' ')}: {('; ' if name in _NAMES else ', ').join(pieces)}"
            for name, pieces in explained(reason).items()
            if pieces
        ]
    if neighbour.places and neighbour.places.line:
        lines.append(neighbour.places.line)
    if neighbour.folded:
        ids = ", ".join(study.nct_id for study in neighbour.folded)
        lines.append(f"with {len(neighbour.folded)} more: {ids}")
    return [one_line(line) for line in lines]
