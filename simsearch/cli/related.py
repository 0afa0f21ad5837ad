"""`simsearch related`: the related list of every study, in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.filter_options import FilterOptions
from simsearch.cli.options import (
    IndexOption,
    QuietOption,
    RankingOption,
    TopKOption,
    WeightOption,
    given_path,
    parsed_weights,
)
from simsearch.cli.outputs import ListsOutput
from simsearch.cli.progress import log, progress_on_stderr
from simsearch.cli.terminal import print_facts, terminal
from simsearch.errors import SharedNumberError, SourceError, UnknownStudyError
from simsearch.index.opened import OpenedIndex, opened_index
from simsearch.output.reports import related_facts, related_lacking
from simsearch.records import ids_with_places
from simsearch.records.other_numbers import study_number
from simsearch.related.pages import LISTS_FILE, write_pages
from simsearch.related.run import related as write_related

EXAMPLES = """
simsearch related --all -o related.parquet
simsearch related --all -k 5 --status recruiting -o recruiting.csv
simsearch related --all -o pages/
simsearch related NCT03540472 NCT00229619
simsearch related --all -f csv | head -20
simsearch related --ids watched.txt --with-titles -o watched.jsonl
"""


def related(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NCT_ID", help="Write the lists of these studies.", show_default=False
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Write the lists of all studies of the index.")
    ] = False,
    ids: Annotated[
        Path | None,
        typer.Option(
            "--ids",
            parser=given_path,
            metavar="FILE",
            help="Write the lists of the studies in a file, one NCT ID a line (- for standard "
            "input).",
        ),
    ] = None,
    top_k: TopKOption = 10,
    *,
    output: ListsOutput,
    filters: FilterOptions,
    weight: WeightOption = None,
    ranking: RankingOption = "learned",
    with_titles: Annotated[
        bool, typer.Option("--with-titles", help="Add title and status of both studies.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that holds something else.")
    ] = False,
    threads: Annotated[
        int,
        typer.Option(
            "--threads", min=0, metavar="N", help="Batches computed at once; 0 is one a core."
        ),
    ] = 0,
    index: IndexOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the neighbours of every study, exactly as `simsearch query` finds them for each.

    If it is killed, the same command continues. docs/related.md describes the columns. -o FOLDER/
    writes a small JSON and an HTML fragment a study, for sites without a server.
    """
    if everything == bool(studies or ids):
        raise typer.BadParameter("give --all, or NCT_IDs, or --ids FILE")
    target = output.output
    if everything and target is None and terminal()[0] is not None:
        raise typer.BadParameter(f"--all prints {top_k} lines a study: give -o FILE, or pipe it")
    if target is None and output.format == "parquet":
        raise typer.BadParameter("-f parquet needs a file: give -o FILE.parquet")
    in_file = ids_with_places(ids, study_number) if ids else {}
    named = None if everything else [*(studies or []), *in_file]
    asked, weights = filters.filters(), parsed_weights(weight)
    with opened_index(index) as opened, progress_on_stderr(quiet=quiet) as progress:
        _check_known(opened, in_file)
        report = write_related(
            opened, target, top_k, form=output.format, nct_ids=named, weights=weights,
            filters=asked, ranking=ranking, with_titles=with_titles, force=force,
            threads=threads, progress=progress,
        )  # fmt: skip
        if target is not None and target.name == LISTS_FILE:
            write_pages(opened, target)
    if target is not None:
        print_facts(related_facts(report), quiet=quiet)
    elif (lacking := related_lacking(report)) and not quiet:
        log(f"no list: {lacking}")


def _check_known(index: OpenedIndex, places: Mapping[str, str]) -> None:
    """Refuse a file that names a study that the index lacks, and say on which line.

    Raises:
        SourceError: it does.
    """
    for nct_id, place in places.items():
        try:
            index.row_of(nct_id)
        except (UnknownStudyError, SharedNumberError) as error:
            raise SourceError(place, str(error)) from error
