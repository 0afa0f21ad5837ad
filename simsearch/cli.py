"""The command `simsearch`: parse, call the library, print."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer.exceptions import TyperException

import simsearch
from simsearch.encoders import DEFAULT_MODEL, Encoder, load_encoder
from simsearch.errors import SimsearchError
from simsearch.options import (
    ApiOption,
    Format,
    IndexOption,
    InfoFormat,
    MirrorOption,
    ModelOption,
    Precision,
    PrecisionOption,
    QuietOption,
    RejectsOption,
    ShrinkOption,
    VerboseOption,
)
from simsearch.presentation import (
    FORMATTERS,
    Answer,
    Query,
    answer_text,
    fetch_facts,
    info_facts,
    info_json,
    info_table,
    render,
    report_facts,
)
from simsearch.records import read_draft, read_ids, read_studies
from simsearch.search import (
    MAX_K,
    Index,
    open_index,
    similar_to_draft,
    similar_to_study,
    similar_to_text,
)
from simsearch.study import Study

if TYPE_CHECKING:  # a query by ID needs neither HTTP nor a mirror
    from simsearch.api import RegistryApi
    from simsearch.mirror import Mirror

app = typer.Typer(
    name="simsearch",
    help="Find the clinical trials most like a given one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    """Find the clinical trials most like a given one.

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
    online: Annotated[
        bool,
        typer.Option("--online", help="Ask the registry for a study that the index lacks."),
    ] = False,
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
    """Print the studies most like one: by NCT ID, by words, or by a draft record.

    \b
    simsearch query NCT03540472
    simsearch query https://clinicaltrials.gov/study/NCT03540472 -k 25
    simsearch query --text "eltrombopag for aplastic anemia in children"
    simsearch query --file draft.json --format csv > related.csv
    simsearch query NCT03540472 --format ids | head -3
    simsearch query NCT07000001 --online
    """
    if sum(given is not None for given in (study, text, file)) != 1:
        raise typer.BadParameter("give one of NCT_ID, --text or --file")
    with open_index(index) as opened:
        if study is not None and not (online and not opened.holds(study)):
            asked = Query("study", opened.study(study))
            neighbours = similar_to_study(opened, study, top_k)
            if not quiet and (moved := opened.merged(study)):
                print(f"simsearch: {moved}", file=sys.stderr)
        elif study is not None:
            draft = _online(study)
            asked = Query("study", draft)
            encoder = _encoder_of(opened, model, quiet=quiet)
            neighbours = similar_to_draft(opened, draft, encoder, top_k)
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
        list[Path] | None,
        typer.Argument(
            metavar="[RECORDS]...",
            help="Registry records in any form: API v2 JSON, the site's CSV, legacy XML, AACT; "
            "a zip or folder of these; plain or gzip; - for standard input. Default: the mirror.",
            show_default=False,
        ),
    ] = None,
    index: IndexOption = None,
    mirror: MirrorOption = None,
    model: ModelOption = DEFAULT_MODEL,
    precision: PrecisionOption = Precision.auto,
    allow_rejects: RejectsOption = False,
    allow_shrink: ShrinkOption = False,
    quiet: QuietOption = False,
) -> None:
    """Build the index from registry records and publish it, whole or not at all.

    \b
    simsearch rebuild ctg-studies.json.zip
    simsearch rebuild dump.zip updates.jsonl --index ./index
    zcat records.jsonl.gz | simsearch rebuild -
    simsearch rebuild
    """
    from simsearch.mirror import is_empty, user_mirror

    sources = records or [mirror or user_mirror()]
    if not records and is_empty(sources[0]):
        raise typer.BadParameter("name RECORDS, or bring a mirror with simsearch fetch")
    _build(
        sources, index, model, precision,
        allow_rejects=allow_rejects, allow_shrink=allow_shrink, quiet=quiet,
    )  # fmt: skip


@app.command()
def fetch(
    all_: Annotated[bool, typer.Option("--all", help="The whole registry.")] = False,
    condition: Annotated[
        str, typer.Option(metavar="TEXT", help="Studies of a condition, as the site's search.")
    ] = "",
    intervention: Annotated[
        str, typer.Option(metavar="TEXT", help="Studies of an intervention.")
    ] = "",
    query_: Annotated[
        str, typer.Option("--query", metavar="TEXT", help="Studies that other terms find.")
    ] = "",
    ids: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Studies named in a file, one a line.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only what was updated since (YYYY-MM-DD).")
    ] = None,
    mirror: MirrorOption = None,
    api: ApiOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked for, and ask nothing.")
    ] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring studies from the registry into the local mirror; resumes where it stopped.

    \b
    simsearch fetch --all
    simsearch fetch --condition "aplastic anemia"
    simsearch fetch --ids watch-list.txt
    simsearch fetch --all --since 2026-11-01 --dry-run
    """
    from simsearch.fetch import Scope, fetch_ids, plan
    from simsearch.fetch import fetch as bring
    from simsearch.progress import progress_on_stderr

    scope = Scope(condition, intervention, query_)
    if sum((all_, bool(scope.parameters), ids is not None)) != 1:
        raise typer.BadParameter("give one of --all, --ids, or --condition/--intervention/--query")
    since = "" if since is None else _iso_date(since)
    if since and ids:
        raise typer.BadParameter("--since goes with --all or a search, not with --ids")
    named = read_ids(ids) if ids else []
    if dry_run:
        _print(plan(scope, since, named))
        return
    with _mirror(mirror) as opened, _api(api, verbose=verbose) as registry:
        if ids:
            report = fetch_ids(opened, registry, named)
        else:
            with progress_on_stderr(quiet=quiet) as progress:
                report = bring(opened, registry, scope, since=since, progress=progress)
        _print_facts(fetch_facts(report, opened.path), quiet=quiet)


@app.command()
def update(
    index: IndexOption = None,
    mirror: MirrorOption = None,
    api: ApiOption = None,
    recheck: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=10**6, help="How many old studies to look up again."),
    ] = 2000,
    model: ModelOption = DEFAULT_MODEL,
    precision: PrecisionOption = Precision.auto,
    allow_rejects: RejectsOption = False,
    allow_shrink: ShrinkOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring what changed in the registry since the last fetch, then rebuild the index.

    \b
    simsearch update
    simsearch update --index ./index --quiet
    """
    from simsearch.fetch import update as bring
    from simsearch.progress import progress_on_stderr

    with _mirror(mirror) as opened, _api(api, verbose=verbose) as registry:
        with progress_on_stderr(quiet=quiet) as progress:
            report = bring(opened, registry, n_rechecked=recheck, progress=progress)
        _print_facts(fetch_facts(report, opened.path), quiet=quiet)
        path = opened.path
    _build(
        [path], index, model, precision,
        allow_rejects=allow_rejects, allow_shrink=allow_shrink, quiet=quiet,
    )  # fmt: skip


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
    """Print what an index holds: studies, dates, recipe, sizes, coverage.

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
    _print_facts(facts, quiet=False)


def main() -> NoReturn:
    """Run the command: exit 0 if fine, 1 with a one-line error, 2 on wrong usage.

    Anything that is not a `SimsearchError` or wrong usage is a bug and keeps its
    traceback.
    """
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115 - closed by the caller
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter
    if any("\udc80" <= letter <= "\udcff" for word in sys.argv for letter in word):
        _fail("an argument is not UTF-8 text: rename the file, or mend the locale", 2)
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


def _build(
    sources: Sequence[Path],
    index: Path | None,
    model: str,
    precision: Precision,
    *,
    allow_rejects: bool,
    allow_shrink: bool,
    quiet: bool,
) -> None:
    from simsearch.build import build_index
    from simsearch.progress import progress_on_stderr, waiting_for
    from simsearch.storage import find_target

    target = find_target(index, Path())
    reader = read_studies(*sources)
    with waiting_for("Loading the model", quiet=quiet):
        encoder = load_encoder(model, precision.value)
    with progress_on_stderr(quiet=quiet) as progress:
        report = build_index(
            reader, target, encoder,
            allow_rejects=allow_rejects, allow_shrink=allow_shrink, progress=progress,
        )  # fmt: skip
    _print_facts(report_facts(report), quiet=quiet)


def _mirror(path: Path | None) -> Mirror:
    from simsearch.mirror import Mirror, user_mirror

    return Mirror(path or user_mirror())


def _api(address: str | None, *, verbose: bool) -> RegistryApi:
    """Return a client; a server on this machine need not be spared."""
    from simsearch.api import BASE_URL, RegistryApi
    from simsearch.progress import log

    is_loopback = (address or "").startswith("http://127.0.0.1:")
    return RegistryApi(
        f"simsearch/{simsearch.__version__} (related clinical trials; Python)",
        base_url=address or BASE_URL,
        pause_seconds=0 if is_loopback else 1,
        backoff_seconds=0.05 if is_loopback else 1,
        log=log if verbose else lambda _: None,
    )


def _online(nct_id: str) -> Study:
    from simsearch.fetch import study_online
    from simsearch.progress import waiting_for

    with (
        _api(os.environ.get("SIMSEARCH_API"), verbose=False) as registry,
        waiting_for("Asking the registry", quiet=False),
    ):
        return study_online(registry, nct_id)


def _iso_date(text: str) -> str:
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise typer.BadParameter(f"--since {text!r} is no date like 2026-11-01") from None


def _print_facts(facts: Sequence[tuple[str, str]], *, quiet: bool) -> None:
    if not quiet:
        width, color = _terminal()
        _print(render(info_table(facts), width=width, color=color))


def _encoder_of(index: Index, model: str | None, *, quiet: bool) -> Encoder:
    """Load the model that built the index, from where the user says it is now."""
    from simsearch.progress import waiting_for

    with waiting_for("Loading the model", quiet=quiet):
        return load_encoder(index.generation.manifest.recipe.model if model is None else model)


def _terminal() -> tuple[int | None, bool]:
    """Return the width to keep to and whether to colour: None and no, unless on a terminal."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None, False
    return shutil.get_terminal_size().columns, "NO_COLOR" not in os.environ


def _print(text: str) -> None:
    if sys.stdout is None:
        _fail("cannot write the answer: standard output is closed", 1)
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # who read it has had enough: typer ends quietly
    except OSError as error:
        _fail(f"cannot write the answer: {error.strerror or error}", 1)
