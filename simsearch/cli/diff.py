"""`simsearch diff`: what changed between two generations."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.filter_options import FilterOptions
from simsearch.cli.options import CsvOptions, IndexOption, TopKOption, given_path, given_text
from simsearch.cli.outputs import DiffOutput
from simsearch.cli.progress import patient, progress_on_stderr
from simsearch.diff.changes import compare
from simsearch.diff.watch import Watch, watched_changes
from simsearch.index.directory import find_index
from simsearch.output.diff import Bulletin
from simsearch.records import read_draft, read_ids
from simsearch.records.other_numbers import study_number

EXAMPLES = """
simsearch diff
simsearch diff --watch NCT03540472
simsearch diff --watch-text "iron for anemia in pregnancy" --status recruiting
simsearch update --quiet && simsearch diff --watch-list mine.txt --quiet
simsearch diff 20261123 20261124 -o changes.csv
simsearch diff ../monday/index -f jsonl | jq 'select(.fields.status)'
simsearch diff -f ids > new-or-changed.txt
"""

EXIT_CHANGED = 4
"""How `--exit-code` ends where something changed; 1 is an error, 2 wrong usage."""


def diff(
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD",
            help="A generation, by its name or the start of it (20261123), or the folder of "
            "another index. Default: the previous generation.",
            show_default=False,
        ),
    ] = "",
    new: Annotated[
        str,
        typer.Argument(
            metavar="NEW", help="The same. Default: the current one.", show_default=False
        ),
    ] = "",
    watch: Annotated[
        list[str] | None,
        typer.Option(
            "--watch",
            "-w",
            metavar="NCT_ID",
            help="Report only this study and its neighbours; repeatable.",
        ),
    ] = None,
    watch_list: Annotated[
        Path | None,
        typer.Option(
            "--watch-list",
            parser=given_path,
            metavar="FILE",
            help="The same for the NCT IDs in a file, one a line.",
        ),
    ] = None,
    watch_text: Annotated[
        list[str] | None,
        typer.Option(
            "--watch-text",
            parser=given_text,
            metavar="TEXT",
            help="The same for words; repeatable.",
        ),
    ] = None,
    watch_file: Annotated[
        list[Path] | None,
        typer.Option(
            "--watch-file",
            parser=given_path,
            metavar="RECORD",
            help="The same for the record of a draft; repeatable.",
        ),
    ] = None,
    top_k: TopKOption = 10,
    limit: Annotated[
        int,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="The most studies listed of each kind, in table and markdown.",
        ),
    ] = 20,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help=f"Exit with {EXIT_CHANGED} if something changed, else 0."),
    ] = False,
    index: IndexOption = None,
    *,
    filters: FilterOptions,
    output: DiffOutput,
    csv: CsvOptions,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print only the lists: nothing if nothing changed."),
    ] = False,
) -> None:
    """Print what changed between two generations: studies, or the neighbours of watched ones."""
    nct_ids = [study_number(nct_id) for nct_id in watch or []]
    nct_ids += read_ids(watch_list, study_number) if watch_list else []
    wanted = Watch(
        nct_ids=tuple(nct_ids),
        drafts=tuple(map(read_draft, watch_file or ())),
        texts=tuple(watch_text or ()),
        filters=filters.filters(),
        k=top_k,
    )
    if wanted.filters and not wanted:
        name = next(name for name, value in vars(filters).items() if value not in (None, False))
        raise typer.BadParameter(
            f"--{name.replace('_', '-')} chooses among the neighbours of what is watched: "
            "give --watch as well"
        )
    notes: list[str] = []
    with ExitStack() as opened:
        with progress_on_stderr(quiet=quiet) as shown:  # nothing is printed while it shows
            progress = patient(shown)
            both = opened.enter_context(compare(find_index(index, Path()), old, new, progress))
            watched = watched_changes(both, wanted, progress, notes.append)
        for note in notes:
            _note(note)
        bulletin = Bulletin(both, watched, top_k if wanted else 0)
        output.write(bulletin, quiet=quiet, limit=limit, raw=csv.raw, bom=csv.bom)
    if exit_code and bulletin:
        raise typer.Exit(EXIT_CHANGED)


def _note(line: str) -> None:
    print(f"simsearch: {line}", file=sys.stderr)
