"""The command `simsearch evaluate`: how well an index ranks judged sets, beside baselines."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.cache import cache_file
from simsearch.cli.options import (
    CacheOption,
    EvaluationFormat,
    IndexModelOption,
    IndexOption,
    NoCacheOption,
    QuietOption,
    WeightOption,
    given_path,
    parsed_weights,
)
from simsearch.cli.terminal import print_pieces, view
from simsearch.encode.cache import cached
from simsearch.encode.encoders import PLAIN_MODEL, Encoder, load_encoder
from simsearch.errors import ArgumentError
from simsearch.index.opened import opened_index
from simsearch.output.formats import write

_LONGEST_LINE = 1000


EXAMPLES = """
simsearch evaluate --groups reviews.tsv
simsearch evaluate --groups reviews.tsv --qrels pairs.tsv --format markdown
simsearch evaluate --qrels pairs.tsv --records more.jsonl.gz --system simsearch --system bm25
simsearch evaluate --groups reviews.tsv --save run.trec --save-system bm25
"""


def evaluate(
    groups: Annotated[
        list[Path] | None,
        typer.Option(
            "--groups", metavar="FILE", show_default=False,
            help="Judged groups (group, NCT ID): the whole index is ranked for each study.",
        ),
    ] = None,
    qrels: Annotated[
        list[Path] | None,
        typer.Option(
            "--qrels", metavar="FILE", show_default=False,
            help="Judged candidates (query, study, grade): they alone are ranked.",
        ),
    ] = None,
    index: IndexOption = None,
    records: Annotated[
        list[Path] | None,
        typer.Option(
            "--records", metavar="RECORDS", parser=given_path, show_default=False,
            help="Records of judged studies that the index lacks, for --qrels.",
        ),
    ] = None,
    baselines: Annotated[
        bool, typer.Option(help="Rank with TF-IDF, BM25 and the encoder alone, too.")
    ] = True,
    system: Annotated[
        list[str] | None,
        typer.Option(
            "--system", metavar="NAME", show_default=False,
            help="Only these systems, the first of which others are compared with.",
        ),
    ] = None,
    weight: WeightOption = None,
    sample: Annotated[
        int,
        typer.Option(
            metavar="N", min=0,
            help="How many studies to ask about without judgements; 0 leaves that out.",
        ),
    ] = 1000,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", show_default=False,
            help="Save a system's ranking as a TREC run; needs one judged set.",
        ),
    ] = None,
    save_system: Annotated[
        str, typer.Option(metavar="NAME", help="The system whose ranking is saved.")
    ] = "simsearch",
    model: IndexModelOption = None,
    format_: EvaluationFormat = "table",
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """Print how well the index ranks judged sets, beside baselines, with intervals."""
    from simsearch.cli.progress import log, progress_on_stderr, waiting_for
    from simsearch.evaluation.comparison import (
        Comparison,
        judged_records,
        needs_encoder,
        system_names,
    )
    from simsearch.evaluation.judged import read_groups, read_qrels

    if records and not qrels:
        raise typer.BadParameter("--records goes with --qrels")
    if save and len([*(groups or ()), *(qrels or ())]) != 1:
        raise typer.BadParameter("--save needs one judged set")
    if not (groups or qrels or sample):
        raise typer.BadParameter("give --groups or --qrels, or a --sample to ask about")
    if save:
        _check_place(save)
    weights = parsed_weights(weight or ())
    systems = system or system_names(weights, baselines=baselines)
    grouped = [read_groups(path) for path in groups or ()]
    graded = [read_qrels(path) for path in qrels or ()]
    with ExitStack() as stack:
        opened = stack.enter_context(opened_index(index))
        keep = cache_file(cache, no_cache=no_cache)

        def loaded(name: str) -> Encoder:
            with waiting_for("Loading the model", quiet=quiet):
                encoder = load_encoder(name)
            return stack.enter_context(cached(encoder, keep, log))

        plain = encoder = None
        if records:
            built_with = opened.generation.manifest.recipe.model
            encoder = loaded(built_with if model is None else model)
        if needs_encoder([*systems, save_system] if save else systems):
            plain = loaded(PLAIN_MODEL)
        with progress_on_stderr(quiet=quiet) as progress:
            extra = judged_records(records, graded, opened, progress) if records else []
            comparison = Comparison(opened, systems, weights, encoder, plain, progress)
            if save:
                judged = grouped[0] if grouped else graded[0]
                _write(save, comparison.trec_run(judged, save_system, extra))
            report = comparison.run(grouped, graded, extra, sample)
        print_pieces(write("evaluation", report, format_, view()))


def _check_place(path: Path) -> None:
    """Refuse to save a run where something else is."""
    if path.is_dir():
        raise ArgumentError("--save", str(path), "a file to write, not a folder")
    if path.is_file() and path.stat().st_size and not _is_run(path):
        raise ArgumentError("--save", str(path), "a new file, or a TREC run to replace")


def _is_run(path: Path) -> bool:
    """Tell a file whose first line has the six columns of a TREC run."""
    try:
        with path.open(encoding="utf-8") as file:
            _, _, _, rank, similarity, _ = file.readline(_LONGEST_LINE).split()
        return int(rank) >= 0 and math.isfinite(float(similarity))
    except (OSError, ValueError):
        return False


def _write(path: Path, lines: Iterable[str]) -> None:
    """Write a run beside its place, which it takes when it is whole; a device has no beside."""
    target = path.resolve()
    is_device = target.exists() and not target.is_file()
    part = target if is_device else target.with_name(f"{target.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(lines)
        if not is_device:
            part.replace(target)
    except OSError as error:
        raise ArgumentError("--save", str(path), f"a file to write ({error.strerror})") from error
    finally:
        if not is_device:
            with suppress(OSError):
                part.unlink()
