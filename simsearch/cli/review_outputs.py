"""`simsearch review next`, `status`, `export`, `report` and `news`: what comes out of a review."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.options import CsvOptions, IndexOption, QuietOption
from simsearch.cli.outputs import NewsOutput, NextOutput, ReportOutput, ReviewOutput, StatusOutput
from simsearch.cli.review_decisions import FolderArgument
from simsearch.index.opened import opened_index


def next_(
    folder: FolderArgument,
    top_k: Annotated[
        int,
        typer.Option("--top-k", "-k", metavar="N", min=1, max=1000, help="How many, 1 to 1,000."),
    ] = 20,
    explore: Annotated[
        float,
        typer.Option(
            "--explore", metavar="SHARE", min=0, max=0.5,
            help="Take this share of the list from further down, to find what is unlike the rest.",
        ),
    ] = 0.0,
    index: IndexOption = None,
    *,
    output: NextOutput,
    csv: CsvOptions,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """List the studies to screen next: the best first, without those already decided.

    The list depends only on the decisions in the folder and on the index. A study that was
    listed but not decided is listed again; entries of one trial are shown as one.
    """
    from simsearch.review.folder import open_review
    from simsearch.review.upcoming import asked_of, upcoming

    review = open_review(folder)
    with opened_index(index) as opened:
        found = upcoming(opened, review, top_k, explore)
    review.note_asked(asked_of(found))
    output.write(found, quiet=quiet, raw=csv.raw, bom=csv.bom)


def export(
    folder: FolderArgument,
    index: IndexOption = None,
    *,
    output: ReviewOutput,
    csv: CsvOptions,
) -> None:
    """Write all decided studies, for a reference manager, a screening tool or a spreadsheet."""
    from simsearch.review.decided import decided
    from simsearch.review.folder import open_review

    review = open_review(folder)
    with opened_index(index) as opened:
        output.write(decided(opened, review), raw=csv.raw, bom=csv.bom)


def report(folder: FolderArgument, index: IndexOption = None, *, output: ReportOutput) -> None:
    """Write how the review was done: what was asked of which data, when, and what it found."""
    from simsearch.review.decided import decided
    from simsearch.review.folder import open_review

    review = open_review(folder)
    with opened_index(index) as opened:
        output.write(decided(opened, review))


def status(folder: FolderArgument, index: IndexOption = None, *, output: StatusOutput) -> None:
    """Print where the review stands: screened, kept, the curve, whether to stop."""
    from simsearch.review.folder import open_review
    from simsearch.review.status import status_of

    review = open_review(folder)
    with opened_index(index) as opened:
        output.write(status_of(opened, review))


def news(
    folder: FolderArgument,
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD", show_default=False,
            help="A generation, by its name or the start of it. Default: the previous one.",
        ),
    ] = "",
    new: Annotated[
        str,
        typer.Argument(
            metavar="NEW", help="The same. Default: the current one.", show_default=False
        ),
    ] = "",
    top_k: Annotated[
        int,
        typer.Option(
            "--top-k", "-k", metavar="N", min=1, max=1000,
            help="The most new studies to list, 1 to 1,000.",
        ),
    ] = 50,
    index: IndexOption = None,
    *,
    output: NewsOutput,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """Print what an update brought: new studies close to the included ones, changes to those."""
    from simsearch.diff.changes import compare
    from simsearch.index.directory import find_index
    from simsearch.review.folder import open_review
    from simsearch.review.news import review_news

    review = open_review(folder)
    with compare(find_index(index, Path()), old, new) as both:
        output.write(review_news(both, review, top_k), quiet=quiet)
