"""`simsearch related`: the related list of every study, in a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from simsearch.commands.query import parsed_weights
from simsearch.commands.terminal import print_facts, terminal
from simsearch.errors import SourceError, UnknownStudyError
from simsearch.options import (
    CountryFilter,
    IndexOption,
    InterventionTypeFilter,
    MinEnrollmentFilter,
    PhaseFilter,
    QuietOption,
    ResultsFilter,
    SponsorFilter,
    StartAfterFilter,
    StartBeforeFilter,
    StatusFilter,
    StudyTypeFilter,
    WeightOption,
    filters_from,
)
from simsearch.records import ids_with_places
from simsearch.related_files import ending
from simsearch.search import MAX_K, Index, open_index

_ANEW = (
    "CSV and JSON Lines are always computed anew; of Parquet, or with --since FILE.parquet, "
    "the lists that cannot have changed are carried over"
)


def related(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NCT_ID]...", help="The lists of these studies.", show_default=False
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="The lists of all studies of the index.")
    ] = False,
    ids: Annotated[
        Path | None,
        typer.Option(
            "--ids",
            metavar="FILE",
            help="The lists of the studies named there, one a line (- for standard input).",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write; its ending says in which form: .parquet, .csv or .jsonl. "
            "- is standard output, as JSON Lines.",
            show_default=False,
        ),
    ] = Path("-"),
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, max=MAX_K, help="How many neighbours.")
    ] = 10,
    status: StatusFilter = None,
    phase: PhaseFilter = None,
    study_type: StudyTypeFilter = None,
    intervention_type: InterventionTypeFilter = None,
    country: CountryFilter = None,
    sponsor: SponsorFilter = None,
    start_after: StartAfterFilter = None,
    start_before: StartBeforeFilter = None,
    min_enrollment: MinEnrollmentFilter = None,
    has_results: ResultsFilter = None,
    weight: WeightOption = None,
    with_titles: Annotated[
        bool, typer.Option("--with-titles", help="Title and status of both studies too.")
    ] = False,
    since: Annotated[
        Path | None,
        typer.Option(
            "--since",
            metavar="FILE",
            help="With --all: lists written before (.parquet); those that cannot have changed are "
            "taken from there. Default: the output itself.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that is something else.")
    ] = False,
    threads: Annotated[
        int,
        typer.Option(
            "--threads", min=0, metavar="N", help="Blocks at once; 0 is one for each core."
        ),
    ] = 0,
    index: IndexOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the neighbours of every study, as `simsearch query` answers for each by itself.

    When killed, the same command goes on; when repeated after an update, only the lists that
    can have changed are computed: of Parquet, or with --since. CSV and JSON Lines are always
    computed anew. docs/related.md describes the columns.

    \b
    simsearch related --all -o related.parquet
    simsearch related --all -k 5 --status recruiting -o recruiting.csv
    simsearch related NCT03540472 NCT00229619
    simsearch related --ids watched.txt --with-titles -o watched.jsonl
    """
    from simsearch.progress import log, progress_on_stderr
    from simsearch.related import related as write_related
    from simsearch.reports import related_facts, related_lacking

    if everything == bool(studies or ids):
        raise typer.BadParameter("give --all, or NCT_IDs, or --ids FILE")
    if since and not everything:
        raise typer.BadParameter("--since goes with --all: named lists are always computed")
    target = None if str(output) == "-" else output
    if everything and target is None and terminal()[0] is not None:
        raise typer.BadParameter(f"--all prints {top_k} lines a study: give -o FILE, or pipe it")
    in_file = ids_with_places(ids) if ids else {}
    named = [*(studies or []), *in_file]
    filters = filters_from(
        status=status,
        phase=phase,
        study_type=study_type,
        intervention_type=intervention_type,
        country=country,
        sponsor=sponsor,
        start_after=start_after,
        start_before=start_before,
        min_enrollment=min_enrollment,
        has_results=has_results,
    )
    weights = parsed_weights(weight or [])
    with open_index(index) as opened, progress_on_stderr(quiet=quiet) as progress:
        _check_known(opened, in_file)
        report = write_related(
            opened, target, top_k, nct_ids=None if everything else named, weights=weights,
            filters=filters, since=since, with_titles=with_titles, force=force, threads=threads,
            progress=progress,
        )  # fmt: skip
    if target is not None:
        print_facts(related_facts(report), quiet=quiet)
        if everything and not since and not quiet and ending(target) != ".parquet":
            print(f"simsearch: {_ANEW}", file=sys.stderr)
    elif (lacking := related_lacking(report)) and not quiet:
        log(f"no list: {lacking}")


def _check_known(index: Index, places: Mapping[str, str]) -> None:
    """Refuse a file that names a study which the index lacks, with the line.

    Raises:
        SourceError: it does.
    """
    for nct_id, place in places.items():
        try:
            index.row_of(nct_id)
        except UnknownStudyError as error:
            raise SourceError(place, str(error)) from error
