"""Options that several commands of `simsearch` share, and the values they take."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.command import OptionGroup
from simsearch.errors import ArgumentError
from simsearch.records.id_files import ids_in_file
from simsearch.search.second_stage import Ranking
from simsearch.vectors import DEFAULT_WEIGHTS, weights_for


def given_path(text: str) -> Path:
    """Return the file or folder that a text names; an empty one names nothing."""
    if not text:
        raise typer.BadParameter("it is empty: name a file or a folder")
    return Path(text)


def given_text(text: str) -> str:
    """Return the words that were typed; blanks alone are none."""
    if not text.strip():
        raise typer.BadParameter("it is empty: name a condition, a treatment or a population")
    return text


IndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index",
        "-i",
        parser=given_path,
        metavar="DIR",
        envvar="SIMSEARCH_INDEX",
        help="Folder of the index. Default: ./index if there is one, else the index in your data "
        "folder; questions fall back to the demo.",
        show_default=False,
    ),
]
IndexModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME-OR-FOLDER",
        envvar="SIMSEARCH_MODEL",
        help="The model that built the index, if it has moved; needed only for words and drafts.",
        show_default="as the index names it",
    ),
]
TopKOption = Annotated[
    int,
    typer.Option(
        "--top-k", "-k", metavar="N", min=1, max=10_000, help="How many neighbours, 1 to 10,000."
    ),
]
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="[SECONDS]",
        min=0,
        help="Wait while another process writes the index; without a number, as long as it takes.",
        show_default=False,
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        parser=given_path,
        metavar="FILE",
        envvar="SIMSEARCH_CACHE",
        help="Cache of vectors that were computed before. Default: a file in your cache folder.",
        show_default=False,
    ),
]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Encode every text, and keep no vectors.")
]
MirrorOption = Annotated[
    Path | None,
    typer.Option(
        "--mirror",
        parser=given_path,
        metavar="FILE",
        envvar="SIMSEARCH_MIRROR",
        help="The file of the mirror. Default: in your data folder.",
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
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Log each request to stderr.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the result.")]
WeightOption = Annotated[
    list[str] | None,
    typer.Option(
        "--weight",
        "-w",
        metavar="SIGNAL=NUMBER",
        help="How much text, conditions, interventions and lexical count; "
        "signals not named keep their weight.",
        show_default=False,
    ),
]

RankingOption = Annotated[
    Ranking,
    typer.Option(
        "--ranking",
        metavar="learned|linear",
        help="Rank by the learned ranking, where it can answer, or by the weighted sum of signals.",
    ),
]


def named_studies(text: str) -> list[str]:
    """Return the NCT IDs that an argument names: those of a file, or those between its commas.

    Raises:
        SourceError: the file cannot be read or has no NCT ID.
    """
    is_file = Path(text).suffix.strip(".0123456789")  # not NL14089.075.06, which is a number
    if os.path.lexists(text) or is_file:
        return ids_in_file(text)
    return [part.strip() for part in re.split("[,;]", text) if part.strip()] or [text]


@dataclass(frozen=True, kw_only=True)
class CsvOptions(OptionGroup):
    """How a CSV is written."""

    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="CSV: write texts as they are. By default an apostrophe keeps spreadsheets from "
            "running a text like =1+1 as a formula.",
            rich_help_panel="CSV",
        ),
    ] = False
    bom: Annotated[
        bool,
        typer.Option(
            "--bom", help="CSV: begin with a byte order mark, for Excel.", rich_help_panel="CSV"
        ),
    ] = False


def parsed_weights(given: Sequence[str] | None) -> dict[str, float]:
    """Return the weights that `text=1,lexical=.5` asks for; signals not named keep theirs.

    Raises:
        ArgumentError: something else than SIGNAL=NUMBER, no such signal, or all are 0.
    """
    weights = dict(DEFAULT_WEIGHTS)
    for piece in (part for text in given or () for part in text.split(",")):
        name, _, number = (part.strip() for part in piece.partition("="))
        if name not in weights:
            raise ArgumentError("weight", piece, f"of {', '.join(weights)}")
        try:
            weights[name] = float(number)
        except ValueError:
            raise ArgumentError("weight", piece, "like lexical=0.5") from None
    weights_for(weights, dict.fromkeys(weights, True))  # refuses what is not a weight
    return weights
