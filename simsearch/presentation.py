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
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from simsearch.errors import one_line
from simsearch.filters import NO_FILTERS, Filters
from simsearch.reasons import Reason
from simsearch.reports import UNCUT_WIDTH, index_json, index_line, render
from simsearch.search import Index, Neighbour
from simsearch.storage import is_demo
from simsearch.study import Study

ANSWER_SCHEMA = "simsearch.answer/1"

WHOLE_REGISTRY_COMMAND = "simsearch fetch --all && simsearch rebuild"

CLOSE_PERCENTILE = 99.0
"""Below it a neighbour is not close: one random pair in a hundred is as similar."""

_NARROW = 72
_GAP = 3  # blanks between two columns
_LEAST_TITLE = 12
_UNKNOWN = "–"

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

    @property
    def n_close(self) -> int:
        """How many of the neighbours are close."""
        return sum(each.percentile >= CLOSE_PERCENTILE for each in self.neighbours)


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
    query = _query_json(answer.query)
    asked = {"query": " ".join([each["nct_id"] for each in query["studies"]]) or query["text"]}
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
    rows = [
        {
            name: "|".join(map(str, value)) if isinstance(value, list) else value
            for name, value in {**_neighbour_json(neighbour, reason, flat=True), **built}.items()
        }
        for neighbour, reason in zip(answer.neighbours, answer.reasons, strict=True)
    ]
    writer = csv.DictWriter(text, list(_CSV_COLUMNS), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


_CSV_COLUMNS = (
    "rank", "nct_id", "title", "status", "phases", "similarity", "percentile", "reason",
    "study_type", "conditions", "interventions", "sponsor", "start_date", "enrollment",
    "countries", "url", "generation", "records_date",
)  # fmt: skip


def _as_ids(answer: Answer) -> str:
    """Return the NCT IDs alone, one a line."""
    return "".join(neighbour.study.nct_id + "\n" for neighbour in answer.neighbours)


def _as_markdown(answer: Answer) -> str:
    """Return a Markdown table with the query above and the index below."""
    head = _markdown_cell(_query_title(answer.query))
    lines = [
        f"Studies most like {head}:",
        "",
        "| # | NCT ID | Title | Status | Phase | Similarity | Reason |",
        "|--:|--------|-------|--------|-------|-----------:|--------|",
    ]
    for each, reason in zip(answer.neighbours, answer.reasons, strict=True):
        study = each.study
        cells = (
            str(each.rank),
            f"[{study.nct_id}]({study.url})",
            _markdown_cell(study.title),
            status_label(study.status),
            phase_label(study.phases),
            f"{each.similarity:.3f}",
            _markdown_cell(reason.line),
        )
        lines.append(f"| {' | '.join(cells)} |")
    notes = [note, ""] if (note := _closeness(answer)) else []
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


def answer_text(
    answer: Answer, *, width: int | None, color: bool, explain: bool = False, quiet: bool = False
) -> str:
    """Return the table: query above it, index below it (neither with `quiet`).

    Args:
        answer: what to show.
        width: of the terminal, in characters: long titles are cut to two lines, and a
            narrow one (a phone) gets a list in place of columns. None is for a pipe or
            file: nothing is cut or wrapped.
        color: write the terminal's codes for colour and links.
        explain: all of each reason, in place of one line.
        quiet: the neighbours alone.
    """
    if width is not None and width < _NARROW:
        neighbours = _neighbour_list(answer, explain=explain)
    else:
        neighbours = _neighbour_table(answer, width, explain=explain)
    if quiet:
        return render(neighbours, width=width, color=color)
    parts: list[RenderableType] = [_query_header(answer.query), "", neighbours, ""]
    if note := _closeness(answer):
        parts.append(Text(note, style="yellow"))
    parts.append(Text(index_line(answer.index), style="dim"))
    if is_demo(answer.index.path):
        parts.append("This is the demo collection. The whole registry, in some hours:")
        parts.append(Text(f"  {WHOLE_REGISTRY_COMMAND}", style="bold"))
    return render(Group(*parts), width=width, color=color)


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
    return f"{which}: at least one random pair in a hundred is as similar as {others} are."


def _study_json(study: Study) -> dict[str, Any]:
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
        **_study_json(alone),
        "studies": [_study_json(study) for study in query.studies],
        "unlike": [_study_json(study) for study in query.unlike],
    }


def _neighbour_json(neighbour: Neighbour, reason: Reason, *, flat: bool = False) -> dict[str, Any]:
    study = _study_json(neighbour.study)
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
    header = Text.assemble((name, _link_style(study)), "  ", (study.title or "(no title)", "bold"))
    facts = [
        status_label(study.status),
        f"phase {label}" if (label := phase_label(study.phases)) else "",
        "; ".join(study.conditions),
        "; ".join(each.name for each in study.interventions),
    ]
    line = " · ".join(fact for fact in facts if fact)
    return header.append(f"\n{line}", style="not bold dim") if line else header


def _neighbour_table(answer: Answer, width: int | None, *, explain: bool) -> Table:
    """Return the neighbours in columns; on a terminal a title takes two lines at most."""
    neighbours = answer.neighbours
    statuses = [status_label(each.study.status) for each in neighbours]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("NCT ID", no_wrap=True)
    table.add_column("Title", overflow="fold", min_width=_LEAST_TITLE)
    table.add_column("Status", no_wrap=True)
    table.add_column("Phase", no_wrap=True)
    table.add_column("Similarity", justify="right", no_wrap=True)
    table.add_column("Pctl.", justify="right", no_wrap=True)
    room = UNCUT_WIDTH
    if width is not None:
        phases = (phase_label(each.study.phases) for each in neighbours)
        columns = ((str(len(neighbours)),), ("NCT ID     ",), ("Status", *statuses),
                   ("Phase", *phases), ("Similarity",), ("99.99",))  # fmt: skip
        taken = sum(max(map(len, column)) + _GAP for column in columns)
        room = max(width - taken, _LEAST_TITLE)
    for each, reason, status in zip(neighbours, answer.reasons, statuses, strict=True):
        study = each.study
        title = "\n".join(textwrap.wrap(study.title, room, max_lines=2, placeholder=" …"))
        table.add_row(
            str(each.rank),
            Text(study.nct_id, style=_link_style(study)),
            Group(Text(one_line(title, keep="\n")), *_below(each, reason, room, explain=explain)),
            Text(status or _UNKNOWN, style=_STATUS_STYLE.get(study.status, "")),
            phase_label(study.phases) or _UNKNOWN,
            f"{each.similarity:.3f}",
            percentile_label(each.percentile),
        )
    return table


def _neighbour_list(answer: Answer, *, explain: bool) -> RenderableType:
    """Return each neighbour as a few short lines."""
    entries: list[RenderableType] = []
    for each, reason in zip(answer.neighbours, answer.reasons, strict=True):
        study = each.study
        phase = phase_label(study.phases)
        facts = (status_label(study.status), f"phase {phase}" if phase else "")
        head = Text.assemble(
            f"{each.rank}. ", (study.nct_id, _link_style(study)),
            f"  {each.similarity:.3f} ({percentile_label(each.percentile)})",
        )  # fmt: skip
        entries += [head, Text(study.title)]
        if any(facts):
            entries.append(Text(" · ".join(filter(None, facts)), style="dim"))
        entries += [*_below(each, reason, UNCUT_WIDTH, explain=explain), ""]
    return Group(*entries[:-1])


def percentile_label(percentile: float) -> str:
    """Return a percentile, never rounded up to 100: `99.99`, `87.1`."""
    return f"{math.floor(percentile * 100 + 1e-6) / 100:.2f}"


def _below(
    neighbour: Neighbour, reason: Reason, room: int, *, explain: bool
) -> list[RenderableType]:
    """Return the lines under a neighbour's title: the reason, and what is folded there."""
    lines = _explained(reason) if explain else [reason.line]
    if neighbour.folded:
        ids = ", ".join(study.nct_id for study in neighbour.folded)
        lines.append(f"with {len(neighbour.folded)} more: {ids}")
    if not explain and room < UNCUT_WIDTH:
        lines = [
            part
            for line in lines
            for part in textwrap.wrap(one_line(line), room, max_lines=2, placeholder=" …")
        ]
    return [Text(one_line(line), style="dim") for line in lines]


def _explained(reason: Reason) -> list[str]:
    """Return all of a reason, a line each."""
    shares = ", ".join(f"{name} {share:.0f} %" for name, share in reason.shares.items())
    near = ", ".join(f"{field} ({value:.2f})" for field, value in reason.near.items())
    terms = ", ".join(f"{word} ({value:.2f})" for word, value in reason.terms.items())
    lines = {
        "relation": reason.relation,
        "conditions in common": "; ".join(reason.conditions),
        "interventions in common": "; ".join(reason.interventions),
        "near in meaning": near,
        "words in common": terms,
        "similarity made of": shares,
    }
    return [f"{name}: {text}" for name, text in lines.items() if text]


def _link_style(study: Study) -> str:
    return f"cyan link {study.url}" if study.url else "cyan"


def _markdown_cell(text: str) -> str:
    """Return text that stays within its cell and means itself."""
    escaped = text
    for character in "\\`*_[]<>|":
        escaped = escaped.replace(character, "\\" + character)
    return escaped
