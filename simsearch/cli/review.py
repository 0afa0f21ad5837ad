"""`simsearch review`: from the studies that a review included to those it does not know yet."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simsearch.cli.command import add_command, new_group
from simsearch.cli.options import (
    CsvOptions,
    IndexOption,
    QuietOption,
    given_path,
    named_studies,
)
from simsearch.cli.outputs import (
    NewsOutput,
    NextOutput,
    ReportOutput,
    ReviewOutput,
    StatusOutput,
)
from simsearch.cli.terminal import print_facts
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
    print_facts([*facts, ("Next", f"simsearch review next {folder}")], quiet=quiet)


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


def _decide(
    folder: Path, studies: Sequence[str], verdict: Verdict, by: str, index: Path | None,
    *, quiet: bool,
) -> None:  # fmt: skip
    from simsearch.review.folder import open_review

    review = open_review(folder)
    numbers = _numbers(studies)
    with opened_index(index) as opened:
        _report_missing(opened, numbers)
    added = review.decide(dict.fromkeys(numbers, verdict), by or getpass.getuser())
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


app = new_group("Review updates: screen what is like the studies that a review includes.")
add_command(
    app,
    new,
    examples="""
simsearch review new anemia/ --included included.txt
simsearch review new anemia/ --included NCT00001626 --excluded excluded.csv
""",
)
add_command(
    app,
    next_,
    "next",
    examples="""
simsearch review next anemia/
simsearch review next anemia/ -k 100 -o next.ris
simsearch review next anemia/ --explore 0.1
""",
)
add_command(app, keep, examples="\nsimsearch review keep anemia/ NCT00001626 NCT00004143\n")
add_command(app, drop, examples="\nsimsearch review drop anemia/ NCT00001626 dropped.txt\n")
add_command(app, later, examples="\nsimsearch review later anemia/ NCT00001626\n")
add_command(
    app,
    import_,
    "import",
    examples="""
simsearch review import anemia/ asreview_dataset.csv
simsearch review import anemia/ rayyan.ris --by "Ann and Bob"
simsearch review import anemia/ covidence_excluded.csv --as exclude
""",
)
add_command(
    app,
    export,
    examples="""
simsearch review export anemia/ -o anemia.ris
simsearch review export anemia/ -f asreview > anemia-asreview.csv
""",
)
add_command(
    app,
    status,
    examples="""
simsearch review status anemia/
simsearch review status anemia/ -f json | jq .rules
""",
)
add_command(app, report, examples="\nsimsearch review report anemia/ -o report.md\n")
add_command(
    app,
    news,
    examples="""
simsearch update --quiet && simsearch review news anemia/ --quiet
simsearch review news anemia/ -o anemia.atom
""",
)
