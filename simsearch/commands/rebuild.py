"""`simsearch rebuild`: registry records → a published index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from simsearch.cache import cached
from simsearch.commands.cache import cache_file
from simsearch.commands.terminal import print_facts
from simsearch.encoders import DEFAULT_MODEL, load_encoder
from simsearch.options import (
    CacheOption,
    IndexOption,
    MirrorOption,
    ModelOption,
    NoCacheOption,
    Precision,
    PrecisionOption,
    QuietOption,
    RejectsOption,
    ShrinkOption,
)
from simsearch.records import read_studies
from simsearch.reports import report_facts


def rebuild(
    records: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RECORDS]...",
            help="Registry records in any form: API v2 JSON, the site's CSV, legacy XML, AACT; "
            "a zip or folder of these; plain or gzip; - for standard input. Default: the mirror.",
            show_default=False,
        ),
    ] = None,
    index: IndexOption = None,
    mirror: MirrorOption = None,
    model: ModelOption = DEFAULT_MODEL,
    precision: PrecisionOption = Precision.auto,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    allow_rejects: RejectsOption = False,
    allow_shrink: ShrinkOption = False,
    quiet: QuietOption = False,
) -> None:
    """Build the index from registry records and publish it, whole or not at all.

    \b
    simsearch rebuild ctg-studies.json.zip
    simsearch rebuild dump.zip updates.jsonl --index ./index
    zcat records.jsonl.gz | simsearch rebuild -
    simsearch rebuild
    """
    from simsearch.mirror import is_empty, user_mirror

    sources = records or [mirror or user_mirror()]
    if not records and is_empty(sources[0]):
        raise typer.BadParameter("name RECORDS, or bring a mirror with simsearch fetch")
    build_and_report(
        sources, index, model, precision, cache=cache, no_cache=no_cache,
        allow_rejects=allow_rejects, allow_shrink=allow_shrink, quiet=quiet,
    )  # fmt: skip


def build_and_report(
    sources: Sequence[Path],
    index: Path | None,
    model: str,
    precision: Precision,
    *,
    cache: Path | None,
    no_cache: bool,
    allow_rejects: bool,
    allow_shrink: bool,
    quiet: bool,
) -> None:
    """Build and publish an index, and print the report."""
    from simsearch.build import build_index
    from simsearch.progress import log, progress_on_stderr, waiting_for
    from simsearch.storage import find_target

    target = find_target(index, Path())
    reader = read_studies(*sources)
    with waiting_for("Loading the model", quiet=quiet):
        encoder = load_encoder(model, precision.value)
    kept = cached(encoder, cache_file(cache, no_cache=no_cache), log)
    with kept as encoder, progress_on_stderr(quiet=quiet) as progress:
        report = build_index(
            reader, target, encoder,
            allow_rejects=allow_rejects, allow_shrink=allow_shrink, progress=progress,
        )  # fmt: skip
    print_facts(report_facts(report), quiet=quiet)
