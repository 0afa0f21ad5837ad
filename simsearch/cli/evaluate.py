"""`simsearch evaluate`: how well an index ranks judged sets, compared with baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from simsearch.cli.against import AgainstOptions
from simsearch.cli.cache import cache_file
from simsearch.cli.options import (
    CacheOption,
    IndexModelOption,
    IndexOption,
    NoCacheOption,
    QuietOption,
    WeightOption,
    given_path,
    parsed_weights,
)
from simsearch.cli.outputs import EvaluationOutput
from simsearch.cli.pool import PoolOptions
from simsearch.cli.progress import log, progress_on_stderr, waiting_for
from simsearch.encode.cache import cached
from simsearch.encode.encoders import PLAIN_MODEL, Encoder, load_encoder
from simsearch.errors import ArgumentError, JudgedSetError
from simsearch.evaluation.agreement import Agreement, agreements, enlarged
from simsearch.evaluation.comparison import (
    Comparison,
    judged_records,
    needs_encoder,
    system_names,
)
from simsearch.evaluation.judged import (
    HOLDS_GROUPS,
    HOLDS_QRELS,
    Groups,
    Qrels,
    read_groups,
    read_qrels,
)
from simsearch.evaluation.trec import is_trec_run
from simsearch.files import written_whole
from simsearch.index.opened import opened_index

EXAMPLES = """
simsearch evaluate --groups reviews.tsv
simsearch evaluate --groups reviews.tsv --qrels pairs.tsv -o quality.md
simsearch evaluate --qrels pairs.tsv --records more.jsonl.gz --system simsearch --system bm25
simsearch evaluate --groups reviews.tsv --leave-one-out -o update.md
simsearch evaluate --groups reviews.tsv --save run.trec --save-system bm25
simsearch evaluate --qrels graded.tsv --pool to-read --rankers simsearch,bm25
simsearch evaluate --qrels graded.tsv --judged first.tsv --judged second.tsv
simsearch evaluate --index minilm --against bge-small --groups reviews.tsv
"""

Judged = TypeVar("Judged")


def evaluate(
    groups: Annotated[
        list[Path] | None,
        typer.Option("--groups", parser=given_path, metavar="FILE", show_default=False,
            help="Judged groups (group, NCT ID): rank the whole index for each study; repeatable.",
        ),
    ] = None,
    qrels: Annotated[
        list[Path] | None,
        typer.Option("--qrels", parser=given_path, metavar="FILE", show_default=False,
            help="Judged candidates (query, study, grade): rank only these; repeatable.",
        ),
    ] = None,
    index: IndexOption = None,
    records: Annotated[
        list[Path] | None,
        typer.Option(
            "--records", metavar="RECORDS", parser=given_path, show_default=False,
            help="With --qrels: records of judged studies that the index lacks.",
        ),
    ] = None,
    baselines: Annotated[
        bool, typer.Option(help="Also rank with TF-IDF, BM25 and the encoder alone.")
    ] = True,
    system: Annotated[
        list[str] | None,
        typer.Option(
            "--system", metavar="NAME", show_default=False,
            help="Only this system; repeatable. The others are compared with the first.",
        ),
    ] = None,
    weight: WeightOption = None,
    sample: Annotated[
        int,
        typer.Option(
            metavar="N", min=0,
            help="How many studies to sample for the figures without judgements; 0 = none.",
        ),
    ] = 1000,
    save: Annotated[
        Path | None,
        typer.Option(parser=given_path,
            metavar="FILE", show_default=False,
            help="Save the rankings of one system as a TREC run; needs exactly one judged set.",
        ),
    ] = None,
    save_system: Annotated[
        str, typer.Option(metavar="NAME", help="The system whose rankings are saved.")
    ] = "simsearch",
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out",
            help="With --groups: look for each study with the rest of its group; "
            "simulate screening.",
        ),
    ] = False,
    model: IndexModelOption = None,
    *,
    beside: AgainstOptions,
    pools: PoolOptions,
    output: EvaluationOutput,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """Print how well the index ranks judged sets, compared with baselines, with intervals."""
    _check_together(groups or (), qrels or (), records, save, sample)
    if save:
        _check_saved(save, save_system, system_names(parsed_weights(weight)))
    if leave_one_out:
        _leave_one_out(index, groups or [], output, quiet=quiet)
        return
    weights = parsed_weights(weight)
    systems = pools.systems if pools.pool else system
    systems = systems or system_names(weights, baselines=baselines)
    sets = _judged_sets(groups or (), qrels or (), pools.judged or ())
    if beside.against:
        output.write(beside.compared(index, *sets, system, weights, quiet=quiet))
        return
    grouped, graded, agreed = sets
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
        progress = stack.enter_context(progress_on_stderr(quiet=quiet))
        extra = judged_records(records, graded, opened, progress) if records else []
        comparison = Comparison(opened, systems, weights, encoder, plain, progress)
        if pools.pool:
            pools.write(comparison, graded)
            return
        if save:
            judged = grouped[0] if grouped else graded[0]
            _save(save, comparison.trec_run(judged, save_system, extra))
        report = comparison.run(grouped, graded, extra, sample, agreed)
    output.write(report)


def _check_together(
    groups: Sequence[Path],
    qrels: Sequence[Path],
    records: Sequence[Path] | None,
    save: Path | None,
    sample: int,
) -> None:
    """Refuse options that do not go together."""
    if records and not qrels:
        raise typer.BadParameter("--records goes with --qrels")
    if save and len([*groups, *qrels]) != 1:
        raise typer.BadParameter("--save needs one judged set")
    if not (groups or qrels or sample):
        raise typer.BadParameter("give --groups, --qrels or a --sample above 0")


def _leave_one_out(
    index: Path | None, groups: Sequence[Path], output: EvaluationOutput, *, quiet: bool
) -> None:
    from simsearch.evaluation.corpus import Corpus
    from simsearch.evaluation.leave_one_out import leave_one_out

    if not groups:
        raise typer.BadParameter("--leave-one-out goes with --groups")
    sets = _read(groups, read_groups)
    with opened_index(index) as opened, progress_on_stderr(quiet=quiet) as progress:
        report = leave_one_out(Corpus(opened), sets, progress)
    output.write(report, kind="left-out")


def _judged_sets(
    groups: Sequence[Path], qrels: Sequence[Path], judged: Sequence[Path]
) -> tuple[list[Groups], list[Qrels], list[Agreement]]:
    """Return groups, judged candidates with what readers added, and how far readers agree."""
    grouped, sets, readings = (
        _read(groups, read_groups), _read(qrels, read_qrels), _read(judged, read_qrels),
    )  # fmt: skip
    return grouped, enlarged(sets, readings), agreements(sets, readings)


def _read(paths: Sequence[Path], read: Callable[[Path], Judged]) -> list[Judged]:
    """Read judged sets of one kind; an error about the other kind names its option."""
    try:
        return [read(path) for path in paths]
    except JudgedSetError as error:
        for reason, option in ((HOLDS_QRELS, "--qrels"), (HOLDS_GROUPS, "--groups")):
            if error.reason == reason:
                error.add_note(f"give it with {option}")
        raise


def _check_saved(path: Path, system: str, known: Sequence[str]) -> None:
    """Refuse to save a run over anything but another run, or that of no system."""
    if system not in known:
        raise ArgumentError("save_system", system, f"one of {', '.join(known)}")
    if path.is_dir():
        raise ArgumentError("--save", str(path), "a file to write, not a folder")
    if path.is_file() and path.stat().st_size and not is_trec_run(path):
        raise ArgumentError("--save", str(path), "a new file, or a TREC run to replace")


def _save(path: Path, lines: Iterable[str]) -> None:
    try:
        with written_whole(path) as file:
            file.writelines(line.encode() for line in lines)
    except OSError as error:
        raise ArgumentError("--save", str(path), f"a file to write ({error.strerror})") from error
