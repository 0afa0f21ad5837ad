"""`simsearch rebuild`: registry records → a published index."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from simsearch.cli.building import BuildOptions, FitOption, build_and_report, summarised
from simsearch.cli.options import given_path
from simsearch.records import server_of
from simsearch.records.mirror import is_empty, user_mirror


def given_records(text: str) -> Any:
    """Return the file, folder or server that a text names."""
    return server_of(text) or given_path(text)


EXAMPLES = """
simsearch rebuild ctg-studies.json.zip
simsearch rebuild dump.zip updates.jsonl --index ./index
simsearch rebuild records.jsonl.gz --keep 5 --wait --json-summary
zcat records.jsonl.gz | simsearch rebuild -
simsearch rebuild
simsearch rebuild postgresql://me@localhost/aact
simsearch rebuild dump.zip --engine dask --scheduler tcp://10.0.0.5:8786
"""


def rebuild(
    records: Annotated[
        list[Any] | None,
        typer.Argument(
            metavar="RECORDS",
            parser=given_records,
            help="Registry records in any form: API v2 JSON, the site's CSV, legacy XML, AACT; "
            "a zip or folder of these; plain or gzip; - for standard input; postgresql://… for a "
            "server with AACT. Default: the mirror.",
            show_default=False,
        ),
    ] = None,
    *,
    options: BuildOptions,
    keep_fit: FitOption = False,
) -> None:
    """Build the index from registry records and publish it, whole or not at all.

    If it is killed, the index stays as it was; the next run continues from the vectors in the
    cache.
    """
    with summarised("rebuild", wanted=options.json_summary) as done:
        options.check()
        sources = records or [options.mirror or user_mirror()]
        if not records and is_empty(sources[0]):
            raise typer.BadParameter("name RECORDS, or fetch a mirror first: simsearch fetch")
        build_and_report(sources, options, done, keep_fit=keep_fit)
