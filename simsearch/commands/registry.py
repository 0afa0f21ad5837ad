"""`simsearch fetch` and `simsearch update`: the registry → the mirror → the index."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simsearch import __version__
from simsearch.commands.building import Building, build_and_report, summarised
from simsearch.commands.terminal import print_facts, print_text
from simsearch.encoders import DEFAULT_MODEL
from simsearch.errors import ArgumentError
from simsearch.generations import KEPT
from simsearch.jobs import no_log
from simsearch.options import (
    ApiOption,
    Backend,
    BackendOption,
    CacheOption,
    EmptyOption,
    Engine,
    EngineOption,
    FitOption,
    IndexOption,
    KeepOption,
    MirrorOption,
    ModelOption,
    MovedOption,
    NoCacheOption,
    Precision,
    PrecisionOption,
    QuietOption,
    RejectsOption,
    SchedulerOption,
    ShrinkOption,
    SummaryOption,
    VerboseOption,
    WaitOption,
)
from simsearch.records import read_ids
from simsearch.reports import fetch_facts

if TYPE_CHECKING:  # a query by ID needs neither HTTP nor a mirror
    from simsearch.api import RegistryApi
    from simsearch.mirror import Mirror


def fetch(
    all_: Annotated[bool, typer.Option("--all", help="The whole registry.")] = False,
    condition: Annotated[
        str, typer.Option(metavar="TEXT", help="Studies of a condition, as the site's search.")
    ] = "",
    intervention: Annotated[
        str, typer.Option(metavar="TEXT", help="Studies of an intervention.")
    ] = "",
    query_: Annotated[
        str, typer.Option("--query", metavar="TEXT", help="Studies that other terms find.")
    ] = "",
    ids: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Studies named in a file, one a line.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only what was updated since (YYYY-MM-DD).")
    ] = None,
    mirror: MirrorOption = None,
    api: ApiOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked for, and ask nothing.")
    ] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring studies from the registry into the local mirror; resumes where it stopped.

    \b
    simsearch fetch --all
    simsearch fetch --condition "aplastic anemia"
    simsearch fetch --ids watch-list.txt
    simsearch fetch --all --since 2026-11-01 --dry-run
    """
    from simsearch.fetch import Scope, fetch_ids, plan
    from simsearch.fetch import fetch as bring
    from simsearch.progress import log, progress_on_stderr

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
    with open_mirror(mirror) as opened, registry_api(api, verbose=verbose) as registry:
        if ids:
            report = fetch_ids(opened, registry, named, log)
        else:
            with progress_on_stderr(quiet=quiet) as progress:
                report = bring(opened, registry, scope, since=since, progress=progress)
        print_facts(fetch_facts(report, opened.path), quiet=quiet)


def update(
    index: IndexOption = None,
    mirror: MirrorOption = None,
    api: ApiOption = None,
    recheck: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=10**6, help="How many old studies to look up again."),
    ] = 2000,
    model: ModelOption = DEFAULT_MODEL,
    precision: PrecisionOption = Precision.auto,
    backend: BackendOption = Backend.torch,
    engine: EngineOption = Engine.local,
    scheduler: SchedulerOption = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    allow_rejects: RejectsOption = False,
    allow_shrink: ShrinkOption = False,
    allow_empty: EmptyOption = False,
    allow_moved: MovedOption = False,
    keep_fit: FitOption = True,
    keep: KeepOption = KEPT,
    wait: WaitOption = 0,
    json_summary: SummaryOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring what changed in the registry since the last fetch, then rebuild the index.

    What is unchanged is not encoded again, and keeps its rows: see --keep-fit.

    \b
    simsearch update
    simsearch update --index ./index --wait 600 --json-summary
    simsearch update && simsearch diff --watch-list mine.txt
    """
    from simsearch.fetch import update as bring
    from simsearch.progress import log, progress_on_stderr

    with summarised("update", wanted=json_summary) as done:
        options = Building(
            index=index, model=model, precision=precision, backend=backend, engine=engine,
            scheduler=scheduler, cache=cache, no_cache=no_cache, allow_rejects=allow_rejects,
            allow_shrink=allow_shrink, allow_empty=allow_empty, allow_moved=allow_moved,
            keep_fit=keep_fit, keep=keep, wait=wait, json_summary=json_summary, quiet=quiet,
        )  # fmt: skip
        with open_mirror(mirror) as opened, registry_api(api, verbose=verbose) as registry:
            with progress_on_stderr(quiet=quiet) as progress:
                report = bring(opened, registry, n_rechecked=recheck, progress=progress, say=log)
            done["fetch"] = report
            print_facts(fetch_facts(report, opened.path), quiet=quiet or json_summary)
            path = opened.path
        build_and_report([path], options, done)


def open_mirror(path: Path | None) -> Mirror:
    """Open the mirror, the user's own if none is named."""
    from simsearch.mirror import Mirror, user_mirror

    return Mirror(path or user_mirror())


def registry_api(address: str | None, *, verbose: bool) -> RegistryApi:
    """Return a client; a server on this machine need not be spared.

    Raises:
        ArgumentError: the address is none of the web.
        ApiError: it cannot be asked.
    """
    from simsearch.api import BASE_URL, RegistryApi
    from simsearch.progress import log

    if address and not re.match("https?://[^/]", address, re.IGNORECASE):
        raise ArgumentError("SIMSEARCH_API", address, f"an address like {BASE_URL}")
    is_loopback = (address or "").startswith("http://127.0.0.1:")
    return RegistryApi(
        f"simsearch/{__version__} (related clinical trials; Python)",
        base_url=address or BASE_URL,
        pause_seconds=0 if is_loopback else 1,
        backoff_seconds=0.05 if is_loopback else 1,
        log=log if verbose else no_log,
    )


def iso_date(text: str) -> str:
    """Return a date as it is, once it is one."""
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise typer.BadParameter(f"--since {text!r} is no date like 2026-11-01") from None
