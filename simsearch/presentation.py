"""Answers → text: table, Markdown, CSV, JSON, JSON Lines or bare IDs. Nothing is printed here.

The JSON shape is versioned by its `schema` value and described in docs/json.md.
"""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from simsearch.errors import one_line
from simsearch.search import Index, Neighbour
from simsearch.storage import is_demo
from simsearch.study import Study

if TYPE_CHECKING:  # a query needs neither the build nor HTTP
    from simsearch.build import BuildReport
    from simsearch.fetch import FetchReport

ANSWER_SCHEMA = "simsearch.answer/1"
INFO_SCHEMA = "simsearch.info/1"

WHOLE_REGISTRY_COMMAND = "simsearch fetch --all && simsearch rebuild"

# Width of a line where nothing is cut: no title comes near it.
_UNCUT_WIDTH = 100_000
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
    """What was asked: a study of the index, a draft, or a text."""

    kind: str
    """`study`, `draft` or `text`."""
    study: Study | None = None
    text: str = ""


class Answer(msgspec.Struct, frozen=True):
    """A query, its neighbours and the index that gave them."""

    query: Query
    neighbours: Sequence[Neighbour]
    index: Index


def phase_label(phases: Sequence[str]) -> str:
    """Return phases as people write them: `2`, `1/2`, `early 1`, `n/a`, or `` for none."""
    if not phases:
        return ""
    named = [phase.replace("EARLY_PHASE", "early ").removeprefix("PHASE") for phase in phases]
    return "/".join("n/a" if name == "NA" else name for name in named)


def status_label(status: str) -> str:
    """Return an overall status as people write it."""
    return _STATUS.get(status, status.replace("_", " ").capitalize())


def index_json(index: Index) -> dict[str, Any]:
    """Return the identity of an index, as every JSON answer carries it."""
    manifest = index.generation.manifest
    return {
        "path": str(index.path),
        "demo": _is_demo(index),
        "generation": manifest.generation,
        "built": manifest.built,
        "records_date": manifest.records_date,
        "n_studies": manifest.n_studies,
        "recipe": {
            "digest": manifest.recipe.digest,
            "model": manifest.recipe.model,
            "fingerprint": manifest.recipe.fingerprint,
            "text_version": manifest.recipe.text_version,
        },
    }


def _as_json(answer: Answer) -> str:
    """Return one JSON object: query, neighbours, index."""
    shape = {
        "schema": ANSWER_SCHEMA,
        "query": _query_json(answer.query),
        "neighbours": [_neighbour_json(neighbour) for neighbour in answer.neighbours],
        "index": index_json(answer.index),
    }
    return msgspec.json.format(msgspec.json.encode(shape), indent=2).decode() + "\n"


def _as_jsonl(answer: Answer) -> str:
    """Return one JSON object a neighbour, each with the query and the generation."""
    query = _query_json(answer.query)
    asked = {"query": query["nct_id"] or query["text"]}
    built = _build_json(answer.index)
    lines = (
        msgspec.json.encode({**asked, **_neighbour_json(neighbour), **built}).decode()
        for neighbour in answer.neighbours
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
            for name, value in {**_neighbour_json(neighbour, flat=True), **built}.items()
        }
        for neighbour in answer.neighbours
    ]
    writer = csv.DictWriter(text, list(_CSV_COLUMNS), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


_CSV_COLUMNS = (
    "rank", "nct_id", "title", "status", "phases", "similarity", "study_type", "conditions",
    "interventions", "sponsor", "start_date", "enrollment", "countries", "url",
    "generation", "records_date",
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
        "| # | NCT ID | Title | Status | Phase | Similarity |",
        "|--:|--------|-------|--------|-------|-----------:|",
    ]
    for each in answer.neighbours:
        study = each.study
        cells = (
            str(each.rank),
            f"[{study.nct_id}]({study.url})",
            _markdown_cell(study.title),
            status_label(study.status),
            phase_label(study.phases),
            f"{each.similarity:.3f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"{index_line(answer.index)}.", ""])


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
        neighbours = _neighbour_list(answer.neighbours)
    else:
        neighbours = _neighbour_table(answer.neighbours, width)
    if quiet:
        return render(neighbours, width=width, color=color)
    parts: list[RenderableType] = [_query_header(answer.query), "", neighbours, ""]
    parts.append(Text(index_line(answer.index), style="dim"))
    if _is_demo(answer.index):
        parts.append("This is the demo collection. The whole registry, in some hours:")
        parts.append(Text(f"  {WHOLE_REGISTRY_COMMAND}", style="bold"))
    return render(Group(*parts), width=width, color=color)


def index_line(index: Index) -> str:
    """Return which index answers: what it holds, from when, and where it is."""
    manifest = index.generation.manifest
    name = "demo collection" if _is_demo(index) else str(index.path)
    dated = f", records to {manifest.records_date}" if manifest.records_date else ""
    return f"Index: {name}, {manifest.n_studies:,} studies{dated}, built {manifest.built[:10]}"


def render(renderable: RenderableType, *, width: int | None, color: bool) -> str:
    """Return a table as text; a width of None cuts nothing."""
    text = io.StringIO()
    console = Console(
        file=text, width=width or _UNCUT_WIDTH, force_terminal=color, no_color=not color,
        highlight=False, legacy_windows=False, emoji=False,
    )  # fmt: skip
    console.print(renderable)
    lines = text.getvalue().splitlines()
    return "".join(line.rstrip() + "\n" for line in lines)


def info_table(facts: Sequence[tuple[str, str]]) -> RenderableType:
    """Return facts, name and value, as two columns."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, escape(value))
    return table


def info_facts(index: Index) -> list[tuple[str, str]]:
    """Return what an index holds, as names and values for a person."""
    manifest = index.generation.manifest
    n = manifest.n_studies
    coverage = ", ".join(
        f"{field} {count:,} ({count / n:.1%})" for field, count in manifest.field_coverage.items()
    )
    files = ", ".join(f"{name} {size_label(entry.bytes)}" for name, entry in manifest.files.items())
    recipe = manifest.recipe
    space = (
        f"{recipe.model}, {recipe.dimension} dimensions, {recipe.max_tokens} tokens, "
        f"text version {recipe.text_version}, {manifest.precision}"
    )
    sources = [
        f"{source.name}, {size_label(source.bytes)}, SHA-256 {source.sha256[:12]}…"
        for source in manifest.sources
    ]
    return [
        ("Index", f"{index.path}{' (demo collection)' if _is_demo(index) else ''}"),
        ("Studies", f"{n:,}"),
        ("Records to", manifest.records_date or "not dated"),
        ("Built", f"{manifest.built.replace('T', ' ').replace('+00:00', ' UTC')}"),
        ("Generation", manifest.generation + _before(manifest.previous)),
        ("Coverage", coverage),
        ("Recipe", f"{recipe.digest}: {space}"),
        ("Size", f"{size_label(index.generation.bytes)} ({files})"),
        *(("Source", source) for source in sources),
        ("Versions", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())),
    ]


def report_facts(report: BuildReport) -> list[tuple[str, str]]:
    """Return what a build did, as names and values for a person."""
    dated = f", records to {report.records_date}" if report.records_date else ""
    facts = [
        ("Published", f"{report.n_studies:,} studies{dated}"),
        ("Read", f"{report.n_records:,} records, {_sizes(report)}"),
        ("Rejected", _counts(report.n_rejected, report.reject_reasons)),
        *(("", str(rejected)) for rejected in report.rejected_examples),
        ("Duplicates", f"{report.n_duplicates:,}"),
        ("Texts", f"{report.n_texts:,}: {report.n_encoded:,} encoded, {report.n_reused:,} reused"),
        ("Truncated", f"{report.n_truncated:,} texts of over {report.max_tokens} tokens"),
        ("Empty", ", ".join(f"{field} {n:,}" for field, n in report.empty_fields.items())),
        ("Recipe", f"{report.recipe.digest}: {report.recipe.model}, {report.precision}"),
        ("Time", _times(report)),
        ("Size", size_label(report.bytes)),
        ("Where", f"{report.index} (generation {report.generation})"),
    ]
    facts += [("Note", str(notice)) for notice in report.notices]
    if report.n_notices > len(report.notices):
        facts.append(("Note", f"and {report.n_notices - len(report.notices):,} more notes"))
    return facts


def fetch_facts(report: FetchReport, mirror: Path) -> list[tuple[str, str]]:
    """Return what a fetch brought, as names and values for a person."""
    facts = [
        ("Received", f"{report.n_received:,} studies, registry data of {report.data_timestamp}"),
        ("Mirror", f"{report.n_mirrored:,} studies in {mirror}"),
    ]
    if report.n_broken:
        facts.append(("Broken", f"{report.n_broken:,} records that could not be kept (see -v)"))
    if report.gone:
        facts.append(("Gone", _some(report.gone)))
    if report.not_found:
        facts.append(("Not found", _some(report.not_found)))
    return facts


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{len(names):,} ({shown}{', …' if len(names) > 5 else ''})"  # noqa: PLR2004 - as shown


def _counts(total: int, reasons: Mapping[str, int]) -> str:
    detail = "; ".join(f"{reason} {n:,}" for reason, n in reasons.items())
    return f"{total:,} ({detail})" if detail else f"{total:,}"


def _sizes(report: BuildReport) -> str:
    return ", ".join(f"{source.name} ({size_label(source.bytes)})" for source in report.sources)


def _times(report: BuildReport) -> str:
    stages = ", ".join(f"{stage} {duration_label(s)}" for stage, s in report.seconds.items())
    return f"{duration_label(sum(report.seconds.values()))} ({stages})"


def info_json(index: Index) -> str:
    """Return what an index holds as JSON: its identity and its whole manifest."""
    manifest = msgspec.to_builtins(index.generation.manifest)
    shape = {"schema": INFO_SCHEMA, **index_json(index), "manifest": manifest}
    return msgspec.json.format(msgspec.json.encode(shape), indent=2).decode() + "\n"


def size_label(n_bytes: int) -> str:
    """Return a size in decimal units, as disks count."""
    size = float(n_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":  # noqa: PLR2004 - what the units stand for
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"


def duration_label(seconds: float) -> str:
    """Return a time span as people say it: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 10:  # noqa: PLR2004 - below it tenths matter
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _before(previous: str) -> str:
    return f" (before it: {previous})" if previous else ""


def _is_demo(index: Index) -> bool:
    return is_demo(index.path)


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
    blank = _study_json(query.study or Study(nct_id=""))
    return {"kind": query.kind, "text": query.text, **blank}


def _neighbour_json(neighbour: Neighbour, *, flat: bool = False) -> dict[str, Any]:
    study = _study_json(neighbour.study)
    if flat:
        study["interventions"] = [
            f"{each.type}: {each.name}" if each.type else each.name
            for each in neighbour.study.interventions
        ]
    return {
        "rank": neighbour.rank,
        "similarity": neighbour.similarity,
        "signals": neighbour.signals,
        **study,
    }


def _query_title(query: Query) -> str:
    if query.study is None:
        return f"“{one_line(query.text)}”"
    name = query.study.nct_id or "the draft"
    return f"{name} {query.study.title}".strip()


def _query_header(query: Query) -> Text:
    """Return the query study in two or three lines: name, title, facts."""
    if query.study is None:
        return Text.assemble(("Text  ", "bold"), textwrap.shorten(one_line(query.text), 300))
    study = query.study
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


def _neighbour_table(neighbours: Sequence[Neighbour], width: int | None) -> Table:
    """Return the neighbours in columns; on a terminal a title takes two lines at most."""
    statuses = [status_label(each.study.status) for each in neighbours]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("NCT ID", no_wrap=True)
    table.add_column("Title", overflow="fold", min_width=_LEAST_TITLE)
    table.add_column("Status", no_wrap=True)
    table.add_column("Phase", no_wrap=True)
    table.add_column("Similarity", justify="right", no_wrap=True)
    room = _UNCUT_WIDTH
    if width is not None:
        phases = (phase_label(each.study.phases) for each in neighbours)
        columns = ((str(len(neighbours)),), ("NCT ID     ",), ("Status", *statuses),
                   ("Phase", *phases), ("Similarity",))  # fmt: skip
        taken = sum(max(map(len, column)) + _GAP for column in columns)
        room = max(width - taken, _LEAST_TITLE)
    for each, status in zip(neighbours, statuses, strict=True):
        study = each.study
        title = "\n".join(textwrap.wrap(study.title, room, max_lines=2, placeholder=" …"))
        table.add_row(
            str(each.rank),
            Text(study.nct_id, style=_link_style(study)),
            Text(one_line(title, keep="\n")),
            Text(status or _UNKNOWN, style=_STATUS_STYLE.get(study.status, "")),
            phase_label(study.phases) or _UNKNOWN,
            f"{each.similarity:.3f}",
        )
    return table


def _neighbour_list(neighbours: Sequence[Neighbour]) -> RenderableType:
    """Return each neighbour as a few short lines."""
    entries: list[RenderableType] = []
    for each in neighbours:
        study = each.study
        phase = phase_label(study.phases)
        facts = (status_label(study.status), f"phase {phase}" if phase else "")
        head = Text.assemble(
            f"{each.rank}. ", (study.nct_id, _link_style(study)), f"  {each.similarity:.3f}"
        )
        entries += [head, Text(study.title)]
        if any(facts):
            entries.append(Text(" · ".join(filter(None, facts)), style="dim"))
        entries.append("")
    return Group(*entries[:-1])


def _link_style(study: Study) -> str:
    return f"cyan link {study.url}" if study.url else "cyan"


def _markdown_cell(text: str) -> str:
    """Return text that stays within its cell and means itself."""
    escaped = text
    for character in "\\`*_[]<>|":
        escaped = escaped.replace(character, "\\" + character)
    return escaped
