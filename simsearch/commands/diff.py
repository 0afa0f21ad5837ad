"""`simsearch diff`: what changed between two generations."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from simsearch.bulletin import STREAMS, Bulletin, bulletin_markdown, bulletin_text
from simsearch.changes import Comparison, compare
from simsearch.commands.terminal import fail, print_text, terminal
from simsearch.jobs import Progress
from simsearch.options import Format, IndexOption
from simsearch.progress import patient, progress_on_stderr
from simsearch.records import read_ids
from simsearch.search import MAX_K
from simsearch.storage import find_index
from simsearch.study import parse_nct_id
from simsearch.watching import WatchedChange, is_known, watched_change

EXIT_CHANGED = 4
"""How `--exit-code` ends where something changed; 1 is an error, 2 wrong usage."""


def diff(
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD",
            help="A generation, by its name or the start of it (20261123), or the folder of "
            "another index. Default: the generation before.",
            show_default=False,
        ),
    ] = "",
    new: Annotated[
        str,
        typer.Argument(
            metavar="NEW", help="Likewise. Default: the one that answers.", show_default=False
        ),
    ] = "",
    watch: Annotated[
        list[str] | None,
        typer.Option(
            "--watch",
            "-w",
            metavar="NCT_ID",
            help="Tell of this study alone, and of its nearest; repeatable.",
        ),
    ] = None,
    watch_list: Annotated[
        Path | None,
        typer.Option(
            "--watch-list", metavar="FILE", help="Likewise, of the NCT IDs in a file, one a line."
        ),
    ] = None,
    top_k: Annotated[
        int,
        typer.Option("--top-k", "-k", min=1, max=MAX_K, help="Neighbours of each watched study."),
    ] = 10,
    limit: Annotated[
        int,
        typer.Option("--limit", min=1, help="Studies listed of each event, in table and markdown."),
    ] = 20,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help=f"End with {EXIT_CHANGED} if something changed, else 0."),
    ] = False,
    index: IndexOption = None,
    format_: Annotated[Format, typer.Option("--format", "-o", help="How to write it.")] = (
        Format.table
    ),
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="The lists alone: nothing where nothing changed."),
    ] = False,
) -> None:
    """Print what changed between two generations: studies, or the neighbours of watched ones.

    \b
    simsearch diff
    simsearch diff --watch NCT03540472
    simsearch update --quiet && simsearch diff --watch-list mine.txt --quiet
    simsearch diff 20261123 20261124 --format csv > changes.csv
    simsearch diff ../monday/index --format jsonl | jq 'select(.fields.status)'
    simsearch diff --format ids > new-or-changed.txt
    """
    wanted = [parse_nct_id(nct_id) for nct_id in watch or []]
    wanted += read_ids(watch_list) if watch_list else []
    with ExitStack() as opened:
        with progress_on_stderr(quiet=quiet) as shown:  # nothing is printed while it shows
            progress = patient(shown)
            both = opened.enter_context(compare(find_index(index, Path()), old, new, progress))
            watched = _watched(both, wanted, top_k, progress)
        bulletin = Bulletin(both, watched, top_k if wanted else 0)
        _print(bulletin, format_, limit, quiet=quiet)
    if exit_code and bulletin:
        raise typer.Exit(EXIT_CHANGED)


def _print(bulletin: Bulletin, format_: Format, limit: int, *, quiet: bool) -> None:
    if format_ is Format.table:
        width, color = terminal()
        text = bulletin_text(bulletin, limit=limit, width=width, color=color, quiet=quiet)
        print_text(text)
    elif format_ is Format.markdown:
        print_text(bulletin_markdown(bulletin, limit=limit, quiet=quiet))
    else:
        for piece in STREAMS[format_](bulletin):
            print_text(piece)


def _watched(
    both: Comparison, nct_ids: Sequence[str], k: int, progress: Progress
) -> tuple[WatchedChange, ...]:
    """Return what became of the watched studies, each once; say which are not there."""
    found: dict[str, WatchedChange] = {}
    asked = list(dict.fromkeys(nct_ids))
    for done, nct_id in enumerate(asked):
        progress("watching", done, len(asked), "studies")
        if is_known(both, nct_id):
            change = watched_change(both, nct_id, k)
            found.setdefault(change.study.study.nct_id, change)
        else:
            print(f"simsearch: {nct_id} is in neither generation: passed over", file=sys.stderr)
    progress("watching", len(asked), len(asked), "studies")
    if asked and not found:
        fail("no watched study is in either generation", 1)
    return tuple(found.values())
