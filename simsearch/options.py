"""Options that several commands of `simsearch` share, and the values they take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How an answer is written."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    markdown = "markdown"
    ids = "ids"


class InfoFormat(StrEnum):
    """How the facts of an index are written."""

    table = "table"
    json = "json"


class GroupBy(StrEnum):
    """What neighbours are grouped by."""

    sponsor = "sponsor"


class Precision(StrEnum):
    """Arithmetic of the encoder."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


IndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index",
        "-i",
        metavar="DIR",
        envvar="SIMSEARCH_INDEX",
        help="Folder of the index. Default: ./index if it holds one, else the user's "
        "(and for questions the demo).",
        show_default=False,
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME-OR-FOLDER",
        envvar="SIMSEARCH_MODEL",
        help="Encoder: the packaged MiniLM, a folder, or a sentence-transformers name.",
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        envvar="SIMSEARCH_PRECISION",
        help="Arithmetic of the encoder; auto takes bfloat16 where the processor has it.",
    ),
]
RejectsOption = Annotated[
    bool,
    typer.Option(
        "--allow-rejects", help="Publish although more than 1 % of the records are unusable."
    ),
]
ShrinkOption = Annotated[
    bool,
    typer.Option(
        "--allow-shrink", help="Publish although more than 2 % of the studies would be lost."
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="FILE",
        envvar="SIMSEARCH_CACHE",
        help="Vectors encoded before. Default: a file in the user's cache folder.",
        show_default=False,
    ),
]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Encode every text, and keep no vector.")
]
MirrorOption = Annotated[
    Path | None,
    typer.Option(
        "--mirror",
        metavar="FILE",
        envvar="SIMSEARCH_MIRROR",
        help="The mirror's file. Default: in the user's data folder.",
        show_default=False,
    ),
]
ApiOption = Annotated[
    str | None,
    typer.Option(
        "--api",
        metavar="URL",
        envvar="SIMSEARCH_API",
        help="Another address of the API.",
        show_default=False,
        hidden=True,
    ),
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Write a log line a request to stderr.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the result alone; a build prints none.")
]


def _filter(*names: str, metavar: str, help_text: str) -> object:
    return typer.Option(
        *names, metavar=metavar, help=help_text, rich_help_panel="Which studies", show_default=False
    )


StatusFilter = Annotated[
    list[str] | None,
    _filter("--status", metavar="STATUS", help_text="Recruiting, completed, …; repeatable."),
]
PhaseFilter = Annotated[
    list[str] | None,
    _filter("--phase", metavar="PHASE", help_text="1 to 4, early 1, n/a; 1/2 matches either."),
]
StudyTypeFilter = Annotated[
    list[str] | None,
    _filter("--study-type", metavar="TYPE", help_text="Interventional, observational, …"),
]
InterventionTypeFilter = Annotated[
    list[str] | None,
    _filter("--intervention-type", metavar="TYPE", help_text="Drug, device, behavioral, …"),
]
CountryFilter = Annotated[
    list[str] | None,
    _filter("--country", metavar="COUNTRY", help_text="With a site there; repeatable."),
]
SponsorFilter = Annotated[
    list[str] | None,
    _filter("--sponsor", metavar="NAME", help_text="Words of the lead sponsor's name."),
]
StartAfterFilter = Annotated[
    str,
    _filter("--start-after", metavar="DATE", help_text="Started then or later: 2020, 2020-06, …"),
]
StartBeforeFilter = Annotated[
    str, _filter("--start-before", metavar="DATE", help_text="Started then or earlier.")
]
MinEnrollmentFilter = Annotated[
    int | None,
    _filter("--min-enrollment", metavar="N", help_text="Of at least so many participants."),
]
ResultsFilter = Annotated[
    bool | None,
    _filter("--has-results/--no-results", metavar="", help_text="With results, or without."),
]
WeightOption = Annotated[
    list[str] | None,
    typer.Option(
        "--weight",
        "-w",
        metavar="SIGNAL=NUMBER",
        help="How much text, conditions, interventions and lexical count; others keep theirs.",
        show_default=False,
    ),
]
