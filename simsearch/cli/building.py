"""What `simsearch rebuild` and `simsearch update` share: their options, one build, its report."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from simsearch import __version__
from simsearch.build.build import build_index
from simsearch.callbacks import no_log
from simsearch.cli.cache import cache_file
from simsearch.cli.command import OptionGroup
from simsearch.cli.hints import line_of
from simsearch.cli.options import (
    CacheOption,
    IndexOption,
    MirrorOption,
    NoCacheOption,
    QuietOption,
    WaitOption,
)
from simsearch.cli.progress import log, log_of_a_job, progress_on_stderr, waiting_for
from simsearch.cli.terminal import print_facts, print_text
from simsearch.encode.cache import cached
from simsearch.encode.encoders import DEFAULT_MODEL, Encoder, load_encoder
from simsearch.errors import SimsearchError
from simsearch.index.directory import find_target
from simsearch.index.generations import KEPT
from simsearch.index.lock import wait_until_free
from simsearch.output.reports import report_facts
from simsearch.records import read_studies

SUMMARY_SCHEMA = "simsearch.summary/1"


def _guard(name: str, help_text: str) -> Any:
    return typer.Option(name, help=help_text, rich_help_panel="Guards")


@dataclass(frozen=True, kw_only=True)
class BuildOptions(OptionGroup):
    """The options of a build."""

    index: IndexOption = None
    mirror: MirrorOption = None
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAME-OR-FOLDER",
            envvar="SIMSEARCH_MODEL",
            help="Encoder: the packaged MiniLM, a folder, or a sentence-transformers name.",
        ),
    ] = DEFAULT_MODEL
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(
            "--precision",
            metavar="auto|float32|bfloat16",
            envvar="SIMSEARCH_PRECISION",
            help="Arithmetic of the encoder; auto takes bfloat16 where the processor has it.",
        ),
    ] = "auto"
    backend: Annotated[
        Literal["torch", "openvino"],
        typer.Option(
            "--backend",
            metavar="torch|openvino",
            envvar="SIMSEARCH_BACKEND",
            help="What computes the vectors; openvino is an extra, mostly for Intel processors.",
        ),
    ] = "torch"
    engine: Annotated[
        Literal["local", "dask"],
        typer.Option(
            "--engine",
            metavar="local|dask",
            envvar="SIMSEARCH_ENGINE",
            help="Where texts are encoded: here, or by the workers of a Dask scheduler.",
        ),
    ] = "local"
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            envvar="SIMSEARCH_SCHEDULER",
            help="Address of the Dask scheduler, like tcp://10.0.0.5:8786.",
            show_default=False,
        ),
    ] = None
    details: Annotated[
        Literal["none", "brief", "full"] | None,
        typer.Option(
            "--details",
            metavar="none|brief|full",
            envvar="SIMSEARCH_DETAILS",
            help="What the index keeps of the facts that are shown and compared; brief leaves out "
            "detailed descriptions and eligibility criteria. Default: as in the index so far, else "
            "full.",
            show_default=False,
        ),
    ] = None
    cache: CacheOption = None
    no_cache: NoCacheOption = False
    allow_rejects: Annotated[
        bool,
        _guard("--allow-rejects", "Publish even if more than 1 % of the records are unusable."),
    ] = False
    allow_shrink: Annotated[
        bool,
        _guard("--allow-shrink", "Publish even if more than 2 % of the studies would be lost."),
    ] = False
    allow_empty: Annotated[
        bool,
        _guard(
            "--allow-empty",
            "Publish even if the share of studies without text, conditions or interventions "
            "rises by more than 2 points.",
        ),
    ] = False
    allow_moved: Annotated[
        bool,
        _guard("--allow-moved", "Publish even if a sample of studies loses many neighbours."),
    ] = False
    keep: Annotated[
        int,
        typer.Option(
            "--keep",
            metavar="N",
            min=1,
            max=1000,
            help="How many generations to keep, including the new one; `simsearch index rollback` "
            "goes back to the others.",
        ),
    ] = KEPT
    wait: WaitOption = 0
    json_summary: Annotated[
        bool,
        typer.Option(
            "--json-summary",
            help="Print one line of JSON in place of the report, also if the build fails.",
        ),
    ] = False
    quiet: QuietOption = False

    def check(self) -> None:
        """Refuse an engine that lacks what it needs, before anything else is done."""
        if (self.engine == "dask") != bool(self.scheduler):
            raise typer.BadParameter("--engine dask and --scheduler ADDRESS go together")


FitOption = Annotated[
    bool,
    typer.Option(
        "--keep-fit/--refit",
        metavar="",
        help="Reuse the previous index's term weights and scales until the number of studies "
        "changes by 5 %, or recompute them.",
    ),
]


@contextmanager
def summarised(command: str, *, wanted: bool) -> Iterator[dict[str, Any]]:
    """Collect what a run did; print it as one line of JSON, even if the run fails."""
    started, began = dt.datetime.now(dt.UTC), time.monotonic()
    done: dict[str, Any] = {}
    code, failure = 0, {}
    try:
        yield done
    except BaseException as error:
        code = getattr(error, "exit_code", 1)
        message = line_of(error) if isinstance(error, SimsearchError) else str(error)
        failure = {"error": type(error).__name__, "message": message}
        raise
    finally:
        if wanted:
            line = {
                "schema": SUMMARY_SCHEMA,
                "command": command,
                "version": __version__,
                "started": started.isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - began, 1),
                "exit_code": code,
                **failure,
                **done,
            }
            print_text(msgspec.json.encode(line, enc_hook=str).decode() + "\n")


def build_and_report(
    sources: Sequence[Any], options: BuildOptions, done: dict[str, Any], *, keep_fit: bool
) -> None:
    """Build and publish an index, and print the report.

    Args:
        sources: registry records.
        options: how.
        done: collects the report for the summary.
        keep_fit: whether to reuse the previous index's term weights.
    """
    target = find_target(options.index, Path())
    say = log_of_a_job(quiet=options.quiet)
    say(f"simsearch {__version__} builds {target} from {', '.join(map(str, sources))}")
    wait_until_free(target, options.wait, log)
    reader = read_studies(*sources)
    reader.check()
    with waiting_for("Loading the model", quiet=options.quiet):
        encoder = load_encoder(options.model, options.precision, options.backend)
    file = cache_file(options.cache, no_cache=options.no_cache)
    with (
        _placed(encoder, options) as placed,
        cached(placed, file, log) as encoder,
        progress_on_stderr(quiet=options.quiet) as progress,
    ):
        report = build_index(
            reader, target, encoder,
            allow_rejects=options.allow_rejects, allow_shrink=options.allow_shrink,
            allow_empty=options.allow_empty, allow_moved=options.allow_moved,
            keep_fit=keep_fit, details=options.details, keep=options.keep, wait=options.wait,
            say=log, progress=progress,
        )  # fmt: skip
    say(f"published {report.n_studies:,} studies as generation {report.generation}")
    done["build"] = report
    print_facts(report_facts(report), quiet=options.quiet or options.json_summary)


def _placed(encoder: Encoder, options: BuildOptions) -> AbstractContextManager[Encoder]:
    """Return the encoder, spread over the workers of the scheduler if one is named."""
    from simsearch.encode.dask import spread_over_dask

    if not options.scheduler:
        return nullcontext(encoder)
    load = (load_encoder, (options.model, encoder.precision.split()[0], options.backend))
    say = no_log if options.quiet else log
    return spread_over_dask(encoder, options.scheduler, load, say)
