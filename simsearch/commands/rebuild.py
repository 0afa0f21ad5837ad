"""`simsearch rebuild`: registry records → a published index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simsearch.commands.building import Building, build_and_report, summarised
from simsearch.encoders import DEFAULT_MODEL
from simsearch.generations import KEPT
from simsearch.options import (
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
    WaitOption,
    given_path,
)


def rebuild(
    records: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RECORDS]...",
            parser=given_path,
            help="Registry records in any form: API v2 JSON, the site's CSV, legacy XML, AACT; "
            "a zip or folder of these; plain or gzip; - for standard input. Default: the mirror.",
            show_default=False,
        ),
    ] = None,
    index: IndexOption = None,
    mirror: MirrorOption = None,
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
    keep_fit: FitOption = False,
    keep: KeepOption = KEPT,
    wait: WaitOption = 0,
    json_summary: SummaryOption = False,
    quiet: QuietOption = False,
) -> None:
    """Build the index from registry records and publish it, whole or not at all.

    Killed at whatever moment, it leaves the index as it was; the next run goes on from the
    vectors that are in the cache.

    \b
    simsearch rebuild ctg-studies.json.zip
    simsearch rebuild dump.zip updates.jsonl --index ./index
    simsearch rebuild records.jsonl.gz --keep 5 --wait --json-summary
    zcat records.jsonl.gz | simsearch rebuild -
    simsearch rebuild
    simsearch rebuild dump.zip --engine dask --scheduler tcp://10.0.0.5:8786
    """
    from simsearch.mirror import is_empty, user_mirror

    with summarised("rebuild", wanted=json_summary) as done:
        options = Building(
            index=index, model=model, precision=precision, backend=backend, engine=engine,
            scheduler=scheduler, cache=cache, no_cache=no_cache, allow_rejects=allow_rejects,
            allow_shrink=allow_shrink, allow_empty=allow_empty, allow_moved=allow_moved,
            keep_fit=keep_fit, keep=keep, wait=wait, json_summary=json_summary, quiet=quiet,
        )  # fmt: skip
        sources = records or [mirror or user_mirror()]
        if not records and is_empty(sources[0]):
            raise typer.BadParameter("name RECORDS, or bring a mirror with simsearch fetch")
        build_and_report(sources, options, done)
