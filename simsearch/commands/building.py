"""What `simsearch rebuild` and `simsearch update` share: one build, its report, its summary."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import typer

from simsearch import __version__
from simsearch.cache import cached
from simsearch.commands.cache import cache_file
from simsearch.commands.terminal import print_facts, print_text
from simsearch.encoders import Encoder, load_encoder
from simsearch.jobs import no_log
from simsearch.options import Backend, Engine, Precision
from simsearch.records import read_studies
from simsearch.reports import report_facts

SUMMARY_SCHEMA = "simsearch.summary/1"


@dataclass(frozen=True, kw_only=True)
class Building:
    """The options of a build, as they were typed."""

    index: Path | None
    model: str
    precision: Precision
    backend: Backend
    engine: Engine
    scheduler: str | None
    cache: Path | None
    no_cache: bool
    allow_rejects: bool
    allow_shrink: bool
    allow_empty: bool
    allow_moved: bool
    keep_fit: bool
    keep: int
    wait: float
    json_summary: bool
    quiet: bool

    def __post_init__(self) -> None:
        """See that an engine has what it needs, before anything else is done."""
        if (self.engine is Engine.dask) != bool(self.scheduler):
            raise typer.BadParameter("--engine dask and --scheduler ADDRESS go together")


@contextmanager
def summarised(command: str, *, wanted: bool) -> Iterator[dict[str, Any]]:
    """Give a place for what a run did; print it as one line of JSON, also of a run that fails."""
    started, began = dt.datetime.now(dt.UTC), time.monotonic()
    done: dict[str, Any] = {}
    code, failure = 0, {}
    try:
        yield done
    except BaseException as error:
        code = getattr(error, "exit_code", 1)
        failure = {"error": type(error).__name__, "message": str(error)}
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


def build_and_report(sources: Sequence[Path], options: Building, done: dict[str, Any]) -> None:
    """Build and publish an index, and print the report.

    Args:
        sources: registry records.
        options: how.
        done: where the report goes for the summary.
    """
    from simsearch.build import build_index
    from simsearch.lock import wait_until_free
    from simsearch.progress import log, log_of_a_job, progress_on_stderr, waiting_for
    from simsearch.storage import find_target

    target = find_target(options.index, Path())
    say = log_of_a_job(quiet=options.quiet)
    say(f"simsearch {__version__} builds {target} from {', '.join(map(str, sources))}")
    wait_until_free(target, options.wait, log)
    reader = read_studies(*sources)
    with waiting_for("Loading the model", quiet=options.quiet):
        encoder = load_encoder(options.model, options.precision.value, options.backend.value)
    file = cache_file(options.cache, no_cache=options.no_cache)
    with (
        _placed(encoder, options) as placed,
        cached(placed, file, log) as encoder,
        progress_on_stderr(quiet=options.quiet) as progress,
    ):
        report = build_index(
            reader,
            target,
            encoder,
            allow_rejects=options.allow_rejects,
            allow_shrink=options.allow_shrink,
            allow_empty=options.allow_empty,
            allow_moved=options.allow_moved,
            keep_fit=options.keep_fit,
            keep=options.keep,
            wait=options.wait,
            say=log,
            progress=progress,
        )
    say(f"published {report.n_studies:,} studies as generation {report.generation}")
    done["build"] = report
    print_facts(report_facts(report), quiet=options.quiet or options.json_summary)


def _placed(encoder: Encoder, options: Building) -> AbstractContextManager[Encoder]:
    """Return the encoder, its work spread over the scheduler's workers if one is named."""
    from simsearch.engine import spread_over_dask
    from simsearch.progress import log

    if not options.scheduler:
        return nullcontext(encoder)
    load = (load_encoder, (options.model, encoder.precision.split()[0], options.backend.value))
    say = no_log if options.quiet else log
    return spread_over_dask(encoder, options.scheduler, load, say)
