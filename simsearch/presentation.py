"""Answers → text: table, Markdown, CSV, JSON, JSON Lines or bare IDs. Nothing is printed here.

The JSON shape is versioned by its `schema` value and described in docs/json.md.
"""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from simsearch.errors import one_line
from simsearch.filters import NO_FILTERS, Filters
from simsearch.reasons import Reason
from simsearch.reports import UNCUT_WIDTH, index_json, index_line, render
from simsearch.search import Index, Neighbour
from simsearch.storage import WHOLE_REGISTRY_COMMAND, is_demo
from simsearch.study import Study

ANSWER_SCHEMA = "simsearch.answer/1"

CLOSE_PERCENTILE = 99.8
"""Below it a neighbour is not close: one random pair in 500 is as similar.

Of 800 neighbours of 80 studies that were read, .77 of those above are related, .44 of the others.
"""

CLOSE_PERCENTILE_OF_FEW = 99.0
"""Likewise in an index of fewer than `_FEW_STUDIES`: it is of one field, and any pair is alike."""

_FEW_STUDIES = 10_000

_NARROW = 72
_GAP = 3  # blanks between two columns
_LEAST_TITLE = 12
_LONGEST_TITLE = 1000
_UNKNOWN = "–"

_HEADINGS = ("#", "NCT ID", "Title", "Status", "Phase", "Similarity", "Pctl.")
_TITLE = _HEADINGS.index("Title")
_NUMERIC = frozenset({"#", "Similarity", "Pctl."})

_STATUS = MappingProxyType(
    {
        "ACTIVE_NOT_RECRUITING": "Active, not recruiting",
        "ENROLLING_BY_INVITATION": "By invitation",
        "NO_LONGER_AVAILABLE": "No longer available",
        "NOT_YET_RECRUITING": "Not yet recruiting",
        "TEMPORARILY_NOT_AVAILABLE": "Temporarily not available",
    }
)
_STATUS_STYLE = MappingProxyType(
    {"RECRUITING": "green", "NOT_YET_RECRUITING": "green", "ENROLLING_BY_INVITATION": "green"}
)


class Query(msgspec.Struct, frozen=True):
    """What was asked: studies of the index, a draft, a text, or several of them."""

    studies: tuple[Study, ...] = ()
    """The query studies and the draft, as registered."""
    text: str = ""
    unlike: tuple[Study, ...] = ()
    draft: bool = False
    """Whether the last of the studies is a draft, given as a record."""

    @property
    def kind(self) -> str:
        """`study`, `draft` or `text`; `several` for more than one of them."""
        if len(self.studies) + bool(self.text) + len(self.unlike) != 1:
            return "several"
        if self.text:
            return "text"
        return "draft" if self.draft else "study"


class Answer(msgspec.Struct, frozen=True):
    """A query, its neighbours with a reason each, and the index that gave them."""

    query: Query
    neighbours: Sequence[Neighbour]
    reasons: Sequence[Reason]
    index: Index
    weights: Mapping[str, float]
    filters: Filters = NO_FILTERS
    explain: bool = False
    """Whether table, Markdown and CSV say all of each reason; JSON always does."""

    @property
    def close_percentile(self) -> float:
        """The percentile from which a neighbour is close."""
        few = self.index.n_studies < _FEW_STUDIES
        return CLOSE_PERCENTILE_OF_FEW if few else CLOSE_PERCENTILE

    @property
    def n_close(self) -> int:
        """How many of the neighbours are close."""
        return sum(each.percentile >= self.close_percentile for each in self.neighbours)


def phase_label(phases: Sequence[str]) -> str:
    """Return phases as people write them: `2`, `1/2`, `early 1`, `n/a`, or `` for none."""
    if not phases:
        return ""
    named = [phase.replace("EARLY_PHASE", "early ").removeprefix("PHASE") for phase in phases]
    return "/".join("n/a" if name == "NA" else name for name in named)


def status_label(status: str) -> str:
    """Return an overall status as people write it."""
    return _STATUS.get(status, status.replace("_", " ").capitalize())


def _as_json(answer: Answer) -> str:
    """Return one JSON object: query, neighbours, index."""
    shape = {
        "schema": ANSWER_SCHEMA,
        "query": _query_json(answer.query),
        "n_close": answer.n_close,
        "close_percentile": answer.close_percentile,
        "weights": dict(answer.weights),
        "filters": {
            name: value
            for name, value in msgspec.to_builtins(answer.filters).items()
            if value != getattr(NO_FILTERS, name)
        },
        "neighbours": [
            _neighbour_json(*each) for each in zip(answer.neighbours, answer.reasons, strict=True)
        ],
        "index": index_json(answer.index),
    }
    return msgspec.json.format(msgspec.json.encode(shape), indent=2).decode() + "\n"


def _as_jsonl(answer: Answer) -> str:
    """Return one JSON object a neighbour, each with the query and the generation."""
    names = [study.nct_id or "draft" for study in answer.query.studies]
    asked = {"query": " ".join(filter(None, (*names, answer.query.text)))}
    built = _build_json(answer.index)
    lines = (
        msgspec.json.encode({**asked, **_neighbour_json(neighbour, reason), **built}).decode()
        for neighbour, reason in zip(answer.neighbours, answer.reasons, strict=True)
    )
    return "".join(line + "\n" for line in lines)


def _build_json(index: Index) -> dict[str, str]:
    """Return which build a line came from, and to which date its records go."""
    manifest = index.generation.manifest
    return {"generation": manifest.generation, "records_date": manifest.records_date}


def _as_csv(answer: Answer) -> str:
    """Return a CSV with a header; lists are joined by `|` as the registry's own CSV does."""
    text = io.StringIO()
    built = _build_json(answer.index)
    columns = [*_CSV_COLUMNS, *(_EXPLAINED if answer.explain else ())]
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for neighbour, reason in zip(answer.neighbours, answer.reasons, strict=True):
        row = {**_neighbour_json(neighbour, reason, flat=True), **built, **_explained(reason)}
        writer.writerow(
            {
                name: "|".join(map(str, value)) if isinstance(value, list) else value
                for name, value in row.items()
            }
        )
    return text.getvalue()


_CSV_COLUMNS = (
    "rank", "nct_id", "title", "status", "phases", "similarity", "percentile", "reason",
    "study_type", "conditions", "interventions", "sponsor", "start_date", "enrollment",
    "countries", "url", "generation", "records_date", "folded",
)  # fmt: skip

_EXPLAINED = (
    "relation", "conditions_in_common", "interventions_in_common", "near_in_meaning",
    "words_in_common", "similarity_made_of",
)  # fmt: skip
_NAMES = frozenset({"conditions_in_common", "interventions_in_common"})  # commas stand in them


def _as_ids(answer: Answer) -> str:
    """Return the NCT IDs alone, one a line."""
    return "".join(neighbour.study.nct_id + "\n" for neighbour in answer.neighbours)


def _as_markdown(answer: Answer) -> str:
    """Return a Markdown table with the query above and the index below."""
    head = markdown_cell(_query_title(answer.query))
    lines = [
        f"Studies most like {head}:",
        "",
        "| # | NCT ID | Title | Status | Phase | Similarity | Pctl. | Reason |",
        "|--:|--------|-------|--------|-------|-----------:|------:|--------|",
    ]
    for each, reason in zip(answer.neighbours, answer.reasons, strict=True):
        study = each.study
        cells = (
            str(each.rank),
            f"[{study.nct_id}]({study.url})",
            markdown_cell(study.title),
            status_label(study.status),
            phase_label(study.phases),
            f"{each.similarity:.3f}",
            percentile_label(each.percentile),
            "<br>".join(map(markdown_cell, _reason_lines(answer, each, reason))),
        )
        lines.append(f"| {' | '.join(cells)} |")
    notes = [line for note in _notes(answer) for line in (note, "")]
    return "\n".join([*lines, "", *notes, f"{index_line(answer.index)}.", ""])


FORMATTERS: Mapping[str, Callable[[Answer], str]] = MappingProxyType(
    {
        "json": _as_json,
        "jsonl": _as_jsonl,
        "csv": _as_csv,
        "markdown": _as_markdown,
        "ids": _as_ids,
    }
)
"""Format name → function that writes an answer as text; the table is `answer_text`."""


def answer_text(answer: Answer, *, width: int | None, color: bool, quiet: bool = False) -> str:
    """Return the table: query above it, index below it (neither with `quiet`).

    Args:
        answer: what to show.
        width: of the terminal, in characters: long titles are cut to two lines, and a
            narrow one (a phone) gets a list in place of columns. None is for a pipe or
            file: nothing is cut or wrapped.
        color: write the terminal's codes for colour and links.
        quiet: the neighbours alone.
    """
    if width is not None and width < _NARROW:
        neighbours = _neighbour_list(answer)
    else:
        neighbours = _neighbour_table(answer, width)
    if quiet:
        return render(neighbours, width=width, color=color)
    parts: list[RenderableType] = [_query_header(answer.query), "", neighbours, ""]
    parts += [Text(note, style="yellow") for note in _notes(answer)]
    parts.append(Text(index_line(answer.index), style="dim"))
    if is_demo(answer.index.path):
        parts.append("This is the demo collection. The whole registry, in some hours:")
        parts.append(Text(f"  {WHOLE_REGISTRY_COMMAND}", style="bold"))
    return render(Group(*parts), width=width, color=color)


def _notes(answer: Answer) -> list[str]:
    """Return what has to be said under the neighbours."""
    away = answer.query.unlike and answer.neighbours
    before = "Pctl. is of the similarity before --not takes its part off." if away else ""
    return [note for note in (_closeness(answer), before) if note]


def _closeness(answer: Answer) -> str:
    """Return what has to be said where few neighbours or none are close."""
    total, close = len(answer.neighbours), answer.n_close
    if not total:
        return "No study passes the filters." if answer.filters else "There is no other study."
    if close == total:
        return ""
    some = f"{close} of these {total} studies {'is' if close == 1 else 'are'} close"
    which = some if close else "None of these studies is close"
    others = "the others" if close else "they"
    pairs = round(100 / (100 - answer.close_percentile))
    return f"{which}: at least one random pair in {pairs} is as similar as {others} are."


def study_json(study: Study) -> dict[str, Any]:
    """Return a study as every JSON answer carries it."""
    return {
        "nct_id": study.nct_id,
        "title": study.title,
        "status": study.status,
        "phases": list(study.phases),
        "study_type": study.study_type,
        "conditions": list(study.conditions),
        "interventions": [{"type": each.type, "name": each.name} for each in study.interventions],
        "sponsor": study.sponsor,
        "start_date": study.start_date,
        "enrollment": study.enrollment,
        "countries": list(study.countries),
        "url": study.url,
    }


def _query_json(query: Query) -> dict[str, Any]:
    alone = query.studies[0] if len(query.studies) == 1 else Study(nct_id="")
    return {
        "kind": query.kind,
        "text": query.text,
        **study_json(alone),
        "studies": [study_json(study) for study in query.studies],
        "unlike": [study_json(study) for study in query.unlike],
    }


def _neighbour_json(neighbour: Neighbour, reason: Reason, *, flat: bool = False) -> dict[str, Any]:
    study = study_json(neighbour.study)
    if flat:
        study["interventions"] = [
            f"{each.type}: {each.name}" if each.type else each.name
            for each in neighbour.study.interventions
        ]
    return {
        "rank": neighbour.rank,
        "similarity": neighbour.similarity,
        "percentile": neighbour.percentile,
        "signals": neighbour.signals,
        "reason": reason.line if flat else {"line": reason.line, **msgspec.to_builtins(reason)},
        "folded": [study.nct_id for study in neighbour.folded],
        **study,
    }


def _query_title(query: Query) -> str:
    names = [f"{study.nct_id or 'the draft'} {study.title}".strip() for study in query.studies]
    if query.text:
        names.append(f"“{one_line(query.text)}”")
    unlike = ", ".join(study.nct_id for study in query.unlike)
    return " and ".join(names) + (f", unlike {unlike}" if unlike else "")


def _query_header(query: Query) -> Text:
    """Return each query study in two or three lines (name, title, facts), and the text."""
    lines = [_study_header(study) for study in query.studies]
    if query.text:
        shown = textwrap.shorten(one_line(query.text), 300)
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


def _neighbour_table(answer: Answer, width: int | None) -> RenderableType:
    """Return the neighbours in columns, under each its reason across all of them.

    On a terminal a title takes two lines at most. Each row is a table of its own, of the
    same widths: rich has no cell that spans columns.
    """
    rows = [_cells(each) for each in answer.neighbours]
    widths = [max(map(cell_len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    if width is not None:
        room = width - sum(widths) + widths[_TITLE] - _GAP * (len(widths) - 1)
        widths[_TITLE] = min(widths[_TITLE], max(room, _LEAST_TITLE))
    shown: list[RenderableType] = [_columns(widths, header=True)]
    for each, reason, cells in zip(answer.neighbours, answer.reasons, rows, strict=True):
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
        room = UNCUT_WIDTH if width is None or answer.explain else width - indent
        below = Group(*_below(_reason_lines(answer, each, reason), room))
        shown += [row, Padding(below, (0, 0, 0, indent))]
    return Group(*shown)


def _cells(neighbour: Neighbour) -> list[str]:
    """Return what the columns say of a neighbour, in the order of `_HEADINGS`."""
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
    """Return a title without what is far too long for a column: it would leave no room beside."""
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


def _neighbour_list(answer: Answer) -> RenderableType:
    """Return each neighbour as a few short lines."""
    entries: list[RenderableType] = []
    for each, reason in zip(answer.neighbours, answer.reasons, strict=True):
        study = each.study
        phase = phase_label(study.phases)
        facts = (status_label(study.status), f"phase {phase}" if phase else "")
        head = Text.assemble(
            f"{each.rank}. ", (study.nct_id, link_style(study)),
            f"  {each.similarity:.3f} ({percentile_label(each.percentile)})",
        )  # fmt: skip
        entries += [head, Text(study.title)]
        if any(facts):
            entries.append(Text(" · ".join(filter(None, facts)), style="dim"))
        entries += [*_below(_reason_lines(answer, each, reason), UNCUT_WIDTH), ""]
    return Group(*entries[:-1])


def percentile_label(percentile: float) -> str:
    """Return a percentile, never rounded up to 100: `99.99`, `87.1`."""
    return f"{math.floor(percentile * 100 + 1e-6) / 100:.2f}"


def _below(lines: Sequence[str], room: int) -> list[RenderableType]:
    """Return the lines under a neighbour's title, each in two at most where room is short."""
    if room < UNCUT_WIDTH:
        lines = [
            part
            for line in lines
            for part in textwrap.wrap(line, room, max_lines=2, placeholder=" …")
        ]
    return [Text(line, style="dim") for line in lines]


def _reason_lines(answer: Answer, neighbour: Neighbour, reason: Reason) -> list[str]:
    """Return why a study is a neighbour, in one line or in all, and what is folded under it."""
    lines = [reason.line]
    if answer.explain:
        lines = [
            f"{name.replace('_', ' ')}: {('; ' if name in _NAMES else ', ').join(pieces)}"
            for name, pieces in _explained(reason).items()
            if pieces
        ]
    if neighbour.folded:
        ids = ", ".join(study.nct_id for study in neighbour.folded)
        lines.append(f"with {len(neighbour.folded)} more: {ids}")
    return [one_line(line) for line in lines]


def _explained(reason: Reason) -> dict[str, list[str]]:
    """Return all of a reason, piece by piece, under the names of `_EXPLAINED`."""
    pieces = (
        [reason.relation] if reason.relation else [],
        list(reason.conditions),
        list(reason.interventions),
        [f"{field} ({value:.2f})" for field, value in reason.near.items()],
        [f"{word} ({value:.2f})" for word, value in reason.terms.items()],
        [f"{name} {share:.0f} %" for name, share in reason.shares.items()],
    )
    return dict(zip(_EXPLAINED, pieces, strict=True))


def link_style(study: Study) -> str:
    """Return how an NCT ID looks: a link to the study's page where it has one."""
    return f"cyan link {study.url}" if study.url else "cyan"


def markdown_cell(text: str) -> str:
    """Return text that stays within its cell and means itself."""
    escaped = text
    for character in "\\`*_[]<>|":
        escaped = escaped.replace(character, "\\" + character)
    return escaped
