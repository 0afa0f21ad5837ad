"""The command `simsearch`: parse, call the library, print."""

from __future__ import annotations

import os
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

import simsearch
from simsearch.encoders import DEFAULT_MODEL, Encoder, load_encoder
from simsearch.errors import SimsearchError
from simsearch.presentation import (
    FORMATTERS,
    Answer,
    Query,
    answer_text,
    info_facts,
    info_json,
    info_table,
    render,
    report_facts,
)
from simsearch.records import read_draft, read_studies
from simsearch.search import (
    MAX_K,
    Index,
    open_index,
    similar_to_draft,
    similar_to_study,
    similar_to_text,
)

app = typer.Typer(
    name="simsearch",
    help="Find the clinical trials most like a given one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
        help="Folder of the index. Default: ./index if it holds one, the user's, the demo.",
        show_default=False,
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result alone.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"simsearch {simsearch.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    r"""Find the clinical trials most like a given one.

    \b
    simsearch query NCT03540472      the studies nearest to one
    simsearch rebuild records.jsonl  an index of your own records
    simsearch info                   what the index holds
    """


@app.command()
def query(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="NCT_ID",
            help="NCT ID in any spelling, or the address of the study's page.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option("--text", "-t", metavar="TEXT", help="Ask with words instead of a study."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="RECORD",
            help="Ask with a study record that is not in the index (- for standard input).",
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, max=MAX_K, help="How many neighbours.")
    ] = 10,
    index: IndexOption = None,
    format_: Annotated[Format, typer.Option("--format", "-o", help="How to write the answer.")] = (
        Format.table
    ),
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME-OR-FOLDER",
            envvar="SIMSEARCH_MODEL",
            help="Where the index's model is now, for --text and --file.",
            show_default="as the index names it",
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    r"""Print the studies most like one: by NCT ID, by words, or by a draft record.

    \b
    simsearch query NCT03540472
    simsearch query https://clinicaltrials.gov/study/NCT03540472 -k 25
    simsearch query --text "eltrombopag for aplastic anemia in children"
    simsearch query --file draft.json --format csv > related.csv
    simsearch query NCT03540472 --format ids | xargs -n1 echo
    """
    if sum(given is not None for given in (study, text, file)) != 1:
        raise typer.BadParameter("give one of NCT_ID, --text or --file")
    with open_index(index) as opened:
        if study is not None:
            asked = Query("study", opened.study(study))
            neighbours = similar_to_study(opened, study, top_k)
        elif file is not None:
            draft = read_draft(file)
            asked = Query("draft", draft)
            encoder = _encoder_of(opened, model, quiet=quiet)
            neighbours = similar_to_draft(opened, draft, encoder, top_k)
        else:
            asked = Query("text", text=text or "")
            encoder = _encoder_of(opened, model, quiet=quiet)
            neighbours = similar_to_text(opened, asked.text, encoder, top_k)
    answer = Answer(asked, neighbours, opened)
    if format_ is Format.table:
        width, color = _terminal()
        _print(answer_text(answer, width=width, color=color, quiet=quiet))
    else:
        _print(FORMATTERS[format_](answer))


@app.command()
def rebuild(
    records: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORDS...",
            help="Study records in API v2 layout: JSON Lines, array, search page, one study; "
            "a zip or folder of these; plain or gzip; - for standard input.",
            show_default=False,
        ),
    ],
    index: IndexOption = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAME-OR-FOLDER",
            envvar="SIMSEARCH_MODEL",
            help="Encoder: the packaged MiniLM, a folder, or a sentence-transformers name.",
        ),
    ] = DEFAULT_MODEL,
    precision: Annotated[
        Precision,
        typer.Option(
            envvar="SIMSEARCH_PRECISION",
            help="Arithmetic of the encoder; auto takes bfloat16 where the processor has it.",
        ),
    ] = Precision.auto,
    allow_rejects: Annotated[
        bool, typer.Option(help="Publish although more than 1 % of the records are unusable.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    r"""Build the index from registry records and publish it, whole or not at all.

    \b
    simsearch rebuild ctg-studies.json.zip
    simsearch rebuild records.jsonl.gz more/ --index ./index
    zcat records.jsonl.gz | simsearch rebuild -
    """
    from simsearch.build import build_index
    from simsearch.progress import progress_on_stderr, waiting_for
    from simsearch.storage import find_target

    target = find_target(index, Path.cwd())
    reader = read_studies(*records)
    with waiting_for("Loading the model", quiet=quiet):
        encoder = load_encoder(model, precision.value)
    with progress_on_stderr(quiet=quiet) as progress:
        report = build_index(
            reader, target, encoder, allow_rejects=allow_rejects, progress=progress
        )
    if not quiet:
        width, color = _terminal()
        _print(render(info_table(report_facts(report)), width=width, color=color))


@app.command()
def info(
    index: IndexOption = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check every checksum, row and ID; takes longer.")
    ] = False,
    format_: Annotated[
        InfoFormat, typer.Option("--format", "-o", help="How to write the facts.")
    ] = InfoFormat.table,
) -> None:
    r"""Print what an index holds: studies, dates, recipe, sizes, coverage.

    \b
    simsearch info
    simsearch info --index ./index --verify
    simsearch info --format json | jq .recipe
    """
    with open_index(index) as opened:
        if verify:
            from simsearch.build import verify_index
            from simsearch.storage import verify_checksums

            verify_checksums(opened.generation)
            verify_index(opened)
    if format_ is InfoFormat.json:
        _print(info_json(opened))
        return
    facts = info_facts(opened)
    if verify:
        facts.append(("Verified", "checksums, rows, NCT IDs and sample queries are right"))
    width, color = _terminal()
    _print(render(info_table(facts), width=width, color=color))


def main() -> NoReturn:
    """Run the command: exit 0 if fine, 1 with a one-line error, 2 on wrong usage.

    Anything that is not a `SimsearchError` or wrong usage is a bug and keeps its
    traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter
    try:
        code = app(prog_name="simsearch", standalone_mode=False)
    except TyperException as error:
        if not error.format_message():  # no command: the help has been shown
            sys.exit(error.exit_code)
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "simsearch"
        _fail(f"{error.format_message().rstrip('.')} (see {command} --help)", error.exit_code)
    except SimsearchError as error:
        _fail(str(error), 1)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> NoReturn:
    print(f"simsearch: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def _encoder_of(index: Index, model: str | None, *, quiet: bool) -> Encoder:
    """Load the model that built the index, from where the user says it is now."""
    from simsearch.progress import waiting_for

    with waiting_for("Loading the model", quiet=quiet):
        return load_encoder(model or index.generation.manifest.recipe.model)


def _terminal() -> tuple[int | None, bool]:
    """Return the width to keep to and whether to colour: None and no, unless on a terminal."""
    if not sys.stdout.isatty():
        return None, False
    return shutil.get_terminal_size().columns, "NO_COLOR" not in os.environ


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
