"""Options that several commands of `simsearch` share, and the values they take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from simsearch.errors import ArgumentError
from simsearch.filters import DATE_WANTED, Filters


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


class Backend(StrEnum):
    """What computes the encoder's vectors."""

    torch = "torch"
    openvino = "openvino"


class Engine(StrEnum):
    """Where texts are encoded."""

    local = "local"
    dask = "dask"


def given_path(text: str) -> Path:
    """Return the file or folder that a text names; an empty one names nothing."""
    if not text:
        raise typer.BadParameter("it is empty: name a file")
    return Path(text)


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
IndexModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME-OR-FOLDER",
        envvar="SIMSEARCH_MODEL",
        help="Where the index's model is now; needed for what is not in the index.",
        show_default="as the index names it",
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
BackendOption = Annotated[
    Backend,
    typer.Option(
        "--backend",
        envvar="SIMSEARCH_BACKEND",
        help="What computes the vectors; openvino is an extra, for Intel processors above all.",
    ),
]
EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine",
        envvar="SIMSEARCH_ENGINE",
        help="Where texts are encoded: here, or by the workers of a Dask scheduler.",
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        envvar="SIMSEARCH_SCHEDULER",
        help="Address of the Dask scheduler, like tcp://10.0.0.5:8786.",
        show_default=False,
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
EmptyOption = Annotated[
    bool,
    typer.Option(
        "--allow-empty",
        help="Publish although the share of studies without text, conditions or interventions "
        "rises by more than 2 points.",
    ),
]
MovedOption = Annotated[
    bool,
    typer.Option(
        "--allow-moved", help="Publish although a sample of studies loses many neighbours."
    ),
]
KeepOption = Annotated[
    int,
    typer.Option(
        "--keep",
        metavar="N",
        min=1,
        max=1000,
        help="How many generations stay: the new one and those before it, to roll back to.",
    ),
]
FitOption = Annotated[
    bool,
    typer.Option(
        "--keep-fit/--refit",
        help="Let terms weigh what they did in the index before, until the studies are 5 % more "
        "or fewer; or find it anew.",
    ),
]
SummaryOption = Annotated[
    bool,
    typer.Option(
        "--json-summary", help="Print one line of JSON in place of the report, also on failure."
    ),
]
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="[SECONDS]",
        min=0,
        help="Wait while another process writes the index; without a number, for ever.",
        show_default=False,
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
    _filter(
        "--sponsor",
        metavar="NAME",
        help_text="Words of the lead sponsor's name, or their beginnings.",
    ),
]
StartAfterFilter = Annotated[
    str | None,
    _filter("--start-after", metavar="DATE", help_text="Started then or later: 2020, 2020-06, …"),
]
StartBeforeFilter = Annotated[
    str | None, _filter("--start-before", metavar="DATE", help_text="Started then or earlier.")
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


def filters_from(**given: Any) -> Filters:
    """Return the filters that options named as those of `Filters` ask for.

    Raises:
        ArgumentError: a date is given, and is empty.
    """
    for name in ("start_after", "start_before"):
        if given.get(name) == "":
            raise ArgumentError(name, "", DATE_WANTED)
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    return Filters(**values)
