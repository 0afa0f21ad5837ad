"""`simsearch rebuild`: registry records → a published index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.building import BuildOptions, FitOption, build_and_report, summarised
from simsearch.cli.options import given_path
from simsearch.records.mirror import is_empty, user_mirror

EXAMPLES = """
simsearch rebuild ctg-studies.json.zip
simsearch rebuild dump.zip updates.jsonl --index ./index
simsearch rebuild records.jsonl.gz --keep 5 --wait --json-summary
zcat records.jsonl.gz | simsearch rebuild -
simsearch rebuild
simsearch rebuild dump.zip --engine dask --scheduler tcp://10.0.0.5:8786
"""


def rebuild(
    records: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RECORDS",
            parser=given_path,
            help="Registry records in any form: API v2 JSON, the site's CSV, legacy XML, AACT; "
            "a zip or folder of these; plain or gzip; - for standard input. Default: the mirror.",
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
