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
