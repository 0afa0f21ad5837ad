"""The report of an export, name and value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simsearch.export.postgres import PostgresReport
from simsearch.index.opened import OpenedIndex
from simsearch.output.render import duration_label

Facts = Sequence[tuple[str, str]]


def folder_facts(index: OpenedIndex, folder: Path, n_related: int, next_step: str) -> Facts:
    """Return what was written into a folder, and how to load it."""
    return [
        ("Written", str(folder)),
        ("Index", index.facts.line.removeprefix("Index: ")),
        ("Related", f"{n_related:,} neighbours of {index.n_studies:,} studies"),
        ("Next", next_step),
    ]


def postgres_facts(report: PostgresReport, *, dry_run: bool) -> Facts:
    """Return what an export into a server did, or would do."""
    would = "would be " if dry_run else ""
    done = {
        "nothing": f"nothing: {report.generation} is there already",
        "whole": f"all tables {would}loaded"
        + (f" in the place of {report.before}" if report.before else ""),
        "differences": f"the differences from {report.before} {would}written",
    }
    facts = [("To", f"{report.target}, schema {report.schema}"), ("Done", done[report.kind])]
    if not dry_run and report.kind != "nothing":
        written = (
            f"{report.n_records:,} studies, {report.n_embeddings:,} embeddings, "
            f"{report.n_lists:,} lists of {report.n_studies:,}"
        )
        facts += [
            ("Computed", f"{report.n_computed:,} lists"),
            ("Written", written),
            ("Removed", f"{report.n_removed:,} studies"),
        ]
    return [*facts, ("Generation", report.generation), ("Time", duration_label(report.seconds))]
