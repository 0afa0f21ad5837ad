"""A comparison as plain values: JSON (docs/json.md), rows of a CSV, a notebook's table.

The shape is versioned by its `schema` value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from simsearch.design.groups import Group
from simsearch.design.rows import Design
from simsearch.files import html_safe
from simsearch.search.shape import query_shape, query_title
from simsearch.study import phase_label, status_label

if TYPE_CHECKING:
    from simsearch.search.compare import Compared, Comparison

COMPARISON_SCHEMA = "simsearch.comparison/1"

COMPARED_COLUMNS = (
    "role", "rank", "nct_id", "title", "relation", "similarity", "percentile", "is_close",
    "study_type", "status", "why_stopped", "phases", "allocation", "intervention_model",
    "primary_purpose", "masking", "who_masked", "n_arms", "arm_types", "comparators",
    "enrollment", "enrollment_type", "start_date", "primary_completion_date", "completion_date",
    "months_to_primary", "months_to_primary_type", "months_to_completion",
    "months_to_completion_type", "minimum_age", "maximum_age", "sex", "healthy_volunteers",
    "primary_outcomes", "n_sites", "n_countries", "countries", "sponsor", "sponsor_class",
    "has_results", "url", "generation", "records_date",
)  # fmt: skip


def comparison_shape(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as the JSON object of docs/json.md."""
    topics = comparison.topics
    return {
        "schema": COMPARISON_SCHEMA,
        "query": query_shape(comparison.query),
        "close_percentile": comparison.close_percentile,
        "n_close": comparison.benchmark.n,
        "n_far": comparison.n_far,
        "named": comparison.named,
        "n_without_facts": comparison.n_without_facts,
        "lacks": list(comparison.lacks),
        "studies": [
            *(_study_shape("query", each) for each in comparison.asked),
            *(_compared_shape(each) for each in comparison.studies),
        ],
        "benchmark": msgspec.to_builtins(comparison.benchmark),
        "topics": None
        if topics is None
        else {
            "n": topics.n,
            "n_outcomes": topics.n_outcomes,
            "n_criteria": topics.n_criteria,
            "outcomes": [_group_shape(each) for each in topics.outcomes],
            "inclusion": [_group_shape(each) for each in topics.inclusion],
            "exclusion": [_group_shape(each) for each in topics.exclusion],
        },
        "notes": list(comparison.notes),
        "index": msgspec.to_builtins(comparison.facts),
    }


def _group_shape(group: Group) -> dict[str, Any]:
    return {
        "label": group.label,
        "n_studies": len(group.nct_ids),
        "nct_ids": list(group.nct_ids),
        "time_frames": [{"time_frame": frame, "n": n} for frame, n in group.time_frames],
        "mentions": msgspec.to_builtins(group.mentions),
    }


def _study_shape(role: str, design: Design) -> dict[str, Any]:
    shape: dict[str, Any] = msgspec.to_builtins(design)
    return {"role": role, **shape}


def _compared_shape(each: Compared) -> dict[str, Any]:
    return {
        **_study_shape("neighbour" if each.rank else "given", each.design),
        "rank": each.rank,
        "similarity": each.similarity,
        "percentile": each.percentile,
        "is_close": each.is_close,
        "relation": each.relation,
        "url": each.study.url,
    }


def compared_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Yield each study as a row of the CSV: values by column, lists joined by `|`."""
    built = {
        "generation": comparison.facts.generation,
        "records_date": comparison.facts.records_date,
    }
    for shape in comparison_shape(comparison)["studies"]:
        row = {**dict.fromkeys(COMPARED_COLUMNS), **shape, **built}
        row["primary_outcomes"] = [
            f"{each['measure']} [{frame}]" if (frame := each.get("time_frame")) else each["measure"]
            for each in row["primary_outcomes"]
        ]
        yield {
            name: "|".join(row[name]) if isinstance(row[name], list | tuple) else row[name]
            for name in COMPARED_COLUMNS
        }


def comparison_repr(comparison: Comparison) -> str:
    """Return a comparison as a short text: a line a study."""
    title = "Designs of " + (query_title(comparison.query) or f"{len(comparison)} studies")
    lines = (f"{each.nct_id or 'draft':<11}  {each.title}" for each in comparison.designs)
    return "\n".join(
        [title, *lines, f"Benchmark: {comparison.benchmark.headline}", comparison.facts.line]
    )


def comparison_html(comparison: Comparison) -> str:
    """Return a comparison as an HTML table for a notebook, with the benchmark below."""
    rows = "".join(
        "<tr>" + "".join(f"<td>{html_safe(cell)}</td>" for cell in _brief(each)) + "</tr>"
        for each in comparison.designs
    )
    headings = "".join(f"<th>{name}</th>" for name in _BRIEF)
    figures = "".join(
        f"<tr><td>{html_safe(each.name)}</td><td>{_figure(each.median)}</td>"
        f"<td>{_figure(each.lower)}</td><td>{_figure(each.upper)}</td><td>{each.n}</td></tr>"
        for each in comparison.benchmark.measures
    )
    return (
        f"<div><p>{html_safe(query_title(comparison.query)) or 'Designs'}</p>"
        f"<table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table>"
        f"<p>Benchmark: {html_safe(comparison.benchmark.headline)}</p><table><thead><tr>"
        "<th></th><th>median</th><th>lower quartile</th><th>upper quartile</th><th>n</th></tr>"
        f"</thead><tbody>{figures}</tbody></table>"
        f"<p><small>{html_safe(comparison.facts.line)}</small></p></div>"
    )


_BRIEF = ("NCT ID", "Title", "Status", "Phase", "Enrollment", "Months", "Comparator")


def _brief(design: Design) -> tuple[str, ...]:
    return (
        design.nct_id or "draft",
        design.title,
        status_label(design.status),
        phase_label(design.phases),
        "" if design.enrollment is None else f"{design.enrollment:,}",
        _figure(design.months_to_completion),
        ", ".join(design.comparators),
    )


def _figure(value: float | None) -> str:
    return "n/a" if value is None else f"{value:,g}"
