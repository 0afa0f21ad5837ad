"""`simsearch review new`, `keep`, `drop`, `later` and `import`: what goes into a review."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simsearch.cli.options import IndexOption, QuietOption, given_path, named_studies
from simsearch.cli.terminal import print_facts
from simsearch.index.lock import user_name
from simsearch.index.opened import OpenedIndex, opened_index
from simsearch.study import parse_nct_id

if TYPE_CHECKING:
    from simsearch.review.folder import Review, Verdict

FolderArgument = Annotated[
    Path,
    typer.Argument(metavar="DIR", parser=given_path, help="The review's folder."),
]
StudiesArgument = Annotated[
    list[str],
    typer.Argument(metavar="NCT_ID", help="NCT IDs in any spelling, or a file of them."),
]
ByOption = Annotated[
    str,
    typer.Option("--by", metavar="WHO", help="Who decides.", show_default="your login name"),
]


def new(
    folder: FolderArgument,
    included: Annotated[
        list[str],
        typer.Option(
            "--included", metavar="NCT_ID|FILE", show_default=False,
            help="A study that the review includes, or a file (text, CSV, RIS); repeatable.",
        ),
    ],
    excluded: Annotated[
        list[str] | None,
        typer.Option(
            "--excluded", metavar="NCT_ID|FILE", show_default=False,
            help="The same for studies that were looked at and excluded; repeatable.",
        ),
    ] = None,
    question: Annotated[
        str,
        typer.Option("--question", metavar="TEXT", help="What the review asks, for the report."),
    ] = "",
    index: IndexOption = None,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """Begin a review in a new folder, from the studies that it includes."""
    from simsearch.errors import ArgumentError
    from simsearch.review.folder import begin_review

    taken, left_out = _numbers(included), _numbers(excluded or ())
    if both := sorted({*taken} & {*left_out}):
        raise ArgumentError("excluded", both[0], "another study than those included")
    verdicts: dict[str, Verdict] = dict.fromkeys(taken, "include")
    verdicts |= dict.fromkeys(left_out, "exclude")
    with opened_index(index) as opened:
        _report_missing(opened, verdicts)
        begin_review(folder, verdicts, question=question, by="the start of the review")
    facts = [("Review", str(folder)), ("Included", f"{len(taken):,}")]
    facts += [("Excluded", f"{len(left_out):,}")] if left_out else []
    print_facts(
        [*facts, ("Next", f"simsearch review next {shlex.quote(str(folder))}")], quiet=quiet
    )


def keep(
    folder: FolderArgument,
    studies: StudiesArgument,
    by: ByOption = "",
    index: IndexOption = None,
    quiet: QuietOption = False,
) -> None:
    """Include studies: they pull what is like them up the list."""
    _decide(folder, studies, "include", by, index, quiet=quiet)


def drop(
    folder: FolderArgument,
    studies: StudiesArgument,
    by: ByOption = "",
    index: IndexOption = None,
    quiet: QuietOption = False,
) -> None:
    """Exclude studies: they push what is like them down the list."""
    _decide(folder, studies, "exclude", by, index, quiet=quiet)


def later(
    folder: FolderArgument,
    studies: StudiesArgument,
    by: ByOption = "",
    index: IndexOption = None,
    quiet: QuietOption = False,
) -> None:
    """Set studies aside as undecided: they leave the list and change nothing in it."""
    _decide(folder, studies, "undecided", by, index, quiet=quiet)


def import_(
    folder: FolderArgument,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", parser=given_path,
            help="CSV or RIS: an export of ASReview, Rayyan or Covidence, or of your own.",
        ),
    ],
    as_: Annotated[
        str,
        typer.Option(
            "--as", metavar="DECISION", show_default=False,
            help="Decision of the studies of which the file says none: include, exclude or "
            "undecided; for Covidence, whose files hold one category.",
        ),
    ] = "",
    by: Annotated[
        str, typer.Option("--by", metavar="WHO", help="Who decided.", show_default="the file")
    ] = "",
    index: IndexOption = None,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """Import decisions from a screening tool: the whole file, or nothing of it."""
    from simsearch.errors import ArgumentError, ImportedDecisionsError
    from simsearch.review.folder import VERDICTS, open_review
    from simsearch.review.imports import read_decisions

    given = next((each for each in VERDICTS if each == as_), None)
    if as_ and not given:
        raise ArgumentError("as", as_, "include, exclude or undecided")
    review = open_review(folder)
    try:
        found = read_decisions(file, given)
    except ImportedDecisionsError as error:
        for problem in error.problems if len(error.problems) > 1 else ():
            print(f"simsearch: {file}: {problem}", file=sys.stderr)
        raise
    with opened_index(index) as opened:
        _report_missing(opened, found.verdicts)
    added = review.decide(found.verdicts, by or file.name)
    if found.n_undecided_yet:
        print(
            f"simsearch: {found.n_undecided_yet:,} rows have no decision: left out",
            file=sys.stderr,
        )
    _print_decided(review, len(added), len(found.verdicts), quiet=quiet)


def _decide(
    folder: Path, studies: Sequence[str], verdict: Verdict, by: str, index: Path | None,
    *, quiet: bool,
) -> None:  # fmt: skip
    from simsearch.review.folder import open_review

    review = open_review(folder)
    numbers = _numbers(studies)
    with opened_index(index) as opened:
        _report_missing(opened, numbers)
    added = review.decide(dict.fromkeys(numbers, verdict), by or user_name())
    _print_decided(review, len(added), len(numbers), quiet=quiet)


def _print_decided(review: Review, n_added: int, n_given: int, *, quiet: bool) -> None:
    current = review.current().values()
    numbers = ", ".join(
        f"{sum(each.decision == verdict for each in current):,} {name}"
        for verdict, name in (
            ("include", "included"), ("exclude", "excluded"), ("undecided", "undecided")
        )
    )  # fmt: skip
    again = f", {n_given - n_added:,} were so before" if n_given > n_added else ""
    print_facts([("Decided", f"{n_added:,}{again}"), ("Review", numbers)], quiet=quiet)


def _numbers(given: Sequence[str]) -> list[str]:
    """Return the canonical NCT IDs that arguments name, each once."""
    named = (parse_nct_id(nct_id) for text in given for nct_id in named_studies(text))
    return list(dict.fromkeys(named))


def _report_missing(index: OpenedIndex, numbers: Sequence[str] | dict[str, Verdict]) -> None:
    """Say on stderr which studies the index lacks; their decisions are kept all the same.

    Raises:
        NctIdError: a number is mistyped.
    """
    for nct_id in numbers:
        canonical, row = index.locate(nct_id)
        if row is None:
            print(f"simsearch: {canonical} is not in this index: kept", file=sys.stderr)
