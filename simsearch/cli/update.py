"""`simsearch update`: what changed in the registry → the mirror → the index."""

from __future__ import annotations

from typing import Annotated

import typer

from simsearch.cli.building import BuildOptions, FitOption, build_and_report, summarised
from simsearch.cli.connect import open_mirror, registry_api
from simsearch.cli.options import ApiOption, VerboseOption
from simsearch.cli.progress import log, progress_on_stderr
from simsearch.cli.terminal import print_facts
from simsearch.output.reports import fetch_facts
from simsearch.registry.fetch import update as update_mirror

EXAMPLES = """
simsearch update
simsearch update --index ./index --wait 600 --json-summary
simsearch update && simsearch diff --watch-list mine.txt
"""


def update(
    options: BuildOptions,
    recheck: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=10**6,
            help="How many studies to look up again, those not seen for longest first.",
        ),
    ] = 2000,
    keep_fit: FitOption = True,
    api: ApiOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Fetch what changed in the registry since the last fetch, then rebuild the index.

    Studies that did not change are not encoded again, and keep their rows: see --keep-fit.
    """
    with summarised("update", wanted=options.json_summary) as done:
        options.check()
        with open_mirror(options.mirror) as opened, registry_api(api, verbose=verbose) as client:
            with progress_on_stderr(quiet=options.quiet) as progress:
                report = update_mirror(
                    opened, client, n_rechecked=recheck, progress=progress, say=log
                )
            done["fetch"] = report
            quiet = options.quiet or options.json_summary
            print_facts(fetch_facts(report, opened.path), quiet=quiet)
            path = opened.path
        build_and_report([path], options, done, keep_fit=keep_fit)
