"""`simsearch fetch`: studies of the registry → the local mirror."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.connect import open_mirror, registry_api
from simsearch.cli.options import ApiOption, MirrorOption, QuietOption, VerboseOption, given_path
from simsearch.cli.progress import log, progress_on_stderr
from simsearch.cli.terminal import print_facts, print_text
from simsearch.output.reports import fetch_facts
from simsearch.records import read_ids
from simsearch.registry.fetch import fetch as fetch_into
from simsearch.registry.scope import Scope, plan
from simsearch.registry.single_studies import fetch_ids

EXAMPLES = """
simsearch fetch --all
simsearch fetch --condition "aplastic anemia"
simsearch fetch --ids watch-list.txt
simsearch fetch --all --since 2026-11-01 --dry-run
"""


def fetch(
    all_: Annotated[bool, typer.Option("--all", help="The whole registry.")] = False,
    condition: Annotated[
        str, typer.Option(metavar="TEXT", help="Studies of a condition, as the site searches.")
    ] = "",
    intervention: Annotated[
        str, typer.Option(metavar="TEXT", help="Studies of an intervention.")
    ] = "",
    query_: Annotated[
        str, typer.Option("--query", metavar="TEXT", help="Studies found by other terms.")
    ] = "",
    ids: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="FILE", help="Studies listed in a file, one a line."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Only what was updated since (YYYY-MM-DD)."),
    ] = None,
    mirror: MirrorOption = None,
    api: ApiOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be requested, request nothing.")
    ] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fetch studies from the registry into the local mirror; resumes where it stopped."""
    scope = Scope(condition, intervention, query_)
    if sum((all_, bool(scope.parameters), ids is not None)) != 1:
        raise typer.BadParameter("give one of --all, --ids, or --condition/--intervention/--query")
    since = "" if since is None else iso_date(since)
    if since and ids:
        raise typer.BadParameter("--since goes with --all or a search, not with --ids")
    named = read_ids(ids) if ids else []
    if dry_run:
        print_text(plan(scope, since, named))
        return
    with open_mirror(mirror) as opened, registry_api(api, verbose=verbose) as client:
        if ids:
            report = fetch_ids(opened, client, named, log)
        else:
            with progress_on_stderr(quiet=quiet) as progress:
                report = fetch_into(opened, client, scope, since=since, progress=progress)
        print_facts(fetch_facts(report, opened.path), quiet=quiet)


def iso_date(text: str) -> str:
    """Return a date, checked."""
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise typer.BadParameter(f"--since {text!r} is not a date like 2026-11-01") from None
