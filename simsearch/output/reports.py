"""Facts → text: what an index holds, what a build and a fetch did. Nothing is printed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table

from simsearch.errors import records_to
from simsearch.files import pretty_json
from simsearch.index.directory import is_demo
from simsearch.index.opened import OpenedIndex
from simsearch.output.formats import View
from simsearch.output.render import duration_label, facts_table, render, size_label

if TYPE_CHECKING:  # a query needs neither the build nor HTTP
    from simsearch.build.report import BuildReport
    from simsearch.index.generations import Listed
    from simsearch.registry.reports import FetchReport
    from simsearch.related.run import RelatedReport

INFO_SCHEMA = "simsearch.info/1"
GENERATIONS_SCHEMA = "simsearch.generations/1"


class Listing(msgspec.Struct, frozen=True):
    """The generations of an index."""

    path: Path
    generations: list[Listed]


def info_table(index: OpenedIndex, view: View) -> Iterator[str]:
    """Yield what an index holds as a table."""
    yield render(facts_table(info_facts(index)), width=view.width, color=view.color)


def info_json(index: OpenedIndex, _: View) -> Iterator[str]:
    """Yield what an index holds as JSON: its identity and its whole manifest."""
    manifest = msgspec.to_builtins(index.generation.manifest)
    facts = msgspec.to_builtins(index.facts)
    yield pretty_json({"schema": INFO_SCHEMA, **facts, "manifest": manifest})


def info_facts(index: OpenedIndex) -> list[tuple[str, str]]:
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
        ("Index", f"{index.path}{' (demo collection)' if is_demo(index.path) else ''}"),
        ("Studies", f"{n:,}"),
        ("Records to", manifest.records_date or "not dated"),
        ("Built", f"{manifest.built.replace('T', ' ').replace('+00:00', ' UTC')}"),
        ("Generation", manifest.generation + _before(manifest.previous)),
        ("Coverage", coverage),
        (
            "Details",
            f"{manifest.details}, of {manifest.n_facts:,} studies ({manifest.n_facts / n:.1%})",
        ),
        ("Recipe", f"{recipe.digest}: {space}"),
        ("Size", f"{size_label(index.generation.bytes)} ({files})"),
        *(("Source", source) for source in sources),
        ("Versions", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())),
    ]


def report_facts(report: BuildReport) -> list[tuple[str, str]]:
    """Return what a build did, as names and values for a person."""
    dated = records_to(report.records_date)
    facts = [
        ("Published", f"{report.n_studies:,} studies{dated}"),
        ("Read", f"{report.n_records:,} records, {_sizes(report)}"),
        ("Rejected", _counts(report.n_rejected, report.reject_reasons)),
        *(("", str(rejected)) for rejected in report.rejected_examples),
        *_left_out(report),
        ("Duplicates", f"{report.n_duplicates:,}"),
        ("Texts", _texts(report)),
        ("Truncated", f"{report.n_truncated:,} texts of over {report.max_tokens} tokens"),
        ("Empty", ", ".join(f"{field} {n:,}" for field, n in report.empty_fields.items())),
        *([("Details", _kept_details(report))] if report.kept_details else []),
        ("Recipe", f"{report.recipe.digest}: {report.recipe.model}, {report.precision}"),
        ("Canary", str(report.canary)),
        ("Time", _times(report)),
        ("Size", size_label(report.bytes)),
        ("Where", f"{report.index} (generation {report.generation})"),
    ]
    facts += [("Note", str(notice)) for notice in report.notices]
    if report.n_notices > len(report.notices):
        facts.append(("Note", f"and {report.n_notices - len(report.notices):,} more notes"))
    return facts


def _kept_details(report: BuildReport) -> str:
    return f"{report.details}, as in the generation before; --details full keeps everything"


def _left_out(report: BuildReport) -> Iterator[tuple[str, str]]:
    """Yield the facts of a wrong type, which their studies are without; nothing if there are none.

    Two records may lack the same fact, and a record several.
    """
    if report.left_out:
        n = sum(report.left_out.values())
        yield "Left out", _counts(n, report.left_out)
        yield from (("", str(each)) for each in report.left_out_examples)


def _texts(report: BuildReport) -> str:
    cached = f"{report.n_cached:,} from the cache, " if report.n_cached else ""
    return f"{report.n_texts:,}: {report.n_encoded:,} encoded, {cached}{report.n_reused:,} reused"


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


def related_facts(report: RelatedReport) -> list[tuple[str, str]]:
    """Return what a run over the related lists did, as names and values for a person."""
    came = [f"{report.n_computed:,} computed"]
    came += [f"{report.n_resumed:,} from the interrupted run"] if report.n_resumed else []
    others = report.n_of_neighbours
    checked = f" (checked with the lists of {others:,} neighbours)" if others else ""
    facts = [
        ("Lists", f"{report.n_lists:,} ({', '.join(came)})"),
        ("Neighbours", f"{report.n_rows:,}, {report.n_mutual:,} of them mutual{checked}"),
    ]
    if report.n_short:
        facts.append(("Short", f"{report.n_short:,} lists have fewer neighbours than asked for"))
    lacking = related_lacking(report)
    if lacking:
        facts.append(("No list", lacking))
    return [
        *facts,
        ("Time", duration_label(report.seconds)),
        ("Where", report.output),
    ]


def related_lacking(report: RelatedReport) -> str:
    """Return in words how many studies have no list, and why; `""` where all have one."""
    lacking = {
        "without a text to compare": report.n_without_text,
        "without a field that weighs": report.n_without_weighed,
    }
    return "; ".join(f"{n:,} studies {why}" for why, n in lacking.items() if n)


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


def generations_table(listing: Listing, view: View) -> Iterator[str]:
    """Yield the generations of an index as a table, the current one marked.

    On a narrow terminal columns are left out; names are whole, as other commands take them.
    """
    generations, width = listing.generations, view.width
    rows = [_generation_cells(each) for each in generations]
    shown = list(_GENERATION_HEADINGS)
    for heading in _LEFT_OUT:
        if width is None or _least_width(shown, rows) <= width:
            break
        if heading != _RECIPE or all(each.manifest for each in generations):
            shown.remove(heading)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in shown:
        table.add_column(
            heading,
            justify="right" if heading in {"Studies", "Size"} else "left",
            no_wrap=heading != _RECIPE,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(escape(row[heading]) for heading in shown))
    least = _least_width(shown, rows)
    yield render(table, width=width and max(width, least), color=view.color)


_NAME, _RECIPE = "Generation", "Recipe"
_GENERATION_HEADINGS = ("", _NAME, "Built (UTC)", "Records to", "Studies", "Size", _RECIPE)
# What is left out where room is short, in this order: the name says when it was built, too.
_LEFT_OUT = ("Built (UTC)", _RECIPE, "Size", "Records to", "Studies")
_LEAST_RECIPE = 17  # it may be folded


def _generation_cells(generation: Listed) -> dict[str, str]:
    """Return heading → what it says of a generation; what is wrong with it as its recipe."""
    mark = "*" if generation.current else ""
    cells = dict.fromkeys(_GENERATION_HEADINGS, "") | {"": mark, _NAME: generation.name}
    manifest = generation.manifest
    if manifest is None:
        return cells | {_RECIPE: generation.problem}
    return cells | {
        "Built (UTC)": manifest.built.replace("T", " ").replace("+00:00", ""),
        "Records to": manifest.records_date,
        "Studies": f"{manifest.n_studies:,}",
        "Size": size_label(generation.bytes),
        _RECIPE: f"{manifest.recipe.digest}: {manifest.recipe.model}, {manifest.precision}",
    }


def _least_width(headings: Sequence[str], rows: Sequence[Mapping[str, str]]) -> int:
    """Return how wide a table of these columns is at least."""
    widths = {
        heading: max(map(cell_len, (heading, *(row[heading] for row in rows))))
        for heading in headings
    }
    if _RECIPE in widths:
        widths[_RECIPE] = min(widths[_RECIPE], _LEAST_RECIPE)
    return sum(widths.values()) + 2 * (len(widths) - 1)


def generations_json(listing: Listing, _: View) -> Iterator[str]:
    """Yield the generations of an index as JSON, each with its manifest."""
    shape = {
        "schema": GENERATIONS_SCHEMA,
        "path": str(listing.path),
        "generations": listing.generations,
    }
    yield pretty_json(shape)


def _before(previous: str) -> str:
    return f" (before it: {previous})" if previous else ""
