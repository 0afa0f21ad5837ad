"""`simsearch query`: the studies most like one, several, a draft or a text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.options import (
    CsvOptions,
    FilterOptions,
    IndexModelOption,
    IndexOption,
    QuietOption,
    TopKOption,
    WeightOption,
    given_path,
    named_studies,
    parsed_weights,
)
from simsearch.cli.outputs import AnswerOutput
from simsearch.encode.encoders import Encoder
from simsearch.encode.minilm import load_query_encoder
from simsearch.errors import GoneStudyError, NctIdError, SourceError, UnknownStudyError
from simsearch.index.opened import OpenedIndex, opened_index
from simsearch.records import read_draft
from simsearch.records.id_files import ids_in_file
from simsearch.records.outcomes import DRAFT_HINT
from simsearch.search.answer import ask
from simsearch.search.query_parts import builder_of
from simsearch.search.question import GroupBy, Question
from simsearch.study import Study

EXAMPLES = """
simsearch query NCT03540472
simsearch query NCT03540472 --status recruiting --country France -k 25
simsearch query NCT03540472 --explain
simsearch query NCT03540472 NCT00229619 --not NCT00378326
simsearch query --text "eltrombopag for aplastic anemia in children"
simsearch query --file draft.json -o related.csv
simsearch query NCT03540472 -f ids | head -3
simsearch query NCT07000001 --online
"""


def query(
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NCT_ID",
            help="NCT IDs in any spelling, or addresses of studies' pages.",
            show_default=False,
        ),
    ] = None,
    ids: Annotated[
        list[Path] | None,
        typer.Option(
            "--ids",
            metavar="FILE",
            parser=given_path,
            help="The NCT IDs in a file (text, CSV, RIS); repeatable.",
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", "-t", metavar="TEXT", help="Search by words; repeatable."),
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            metavar="RECORD",
            parser=given_path,
            help="Search by a study record that is not in the index (- for standard input); "
            "repeatable.",
        ),
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option(
            "--not",
            metavar="NCT_ID",
            help="Keep away from what this study is about (--exclude leaves out only the study); "
            "repeatable.",
        ),
    ] = None,
    online: Annotated[
        bool, typer.Option("--online", help="Ask the registry for a study that is not here.")
    ] = False,
    top_k: TopKOption = 10,
    *,
    filters: FilterOptions,
    hide_same_sponsor: Annotated[
        bool,
        typer.Option(
            "--hide-same-sponsor",
            help="Hide studies of the query study's lead sponsor.",
            rich_help_panel="Filters",
        ),
    ] = False,
    min_percentile: Annotated[
        float,
        typer.Option(
            "--min-percentile",
            metavar="P",
            min=0,
            max=100,
            help="Leave out neighbours below this percentile.",
            show_default=False,
        ),
    ] = 0,
    weight: WeightOption = None,
    diverse: Annotated[
        float | None,
        typer.Option(
            "--diverse",
            metavar="[LAMBDA]",
            help="Diversify the results: 1 = ranking only, 0 = diversity only; "
            "0.7 without a number.",
            show_default=False,
        ),
    ] = None,
    group_by: Annotated[
        GroupBy | None,
        typer.Option(
            "--group-by",
            metavar="sponsor",
            help="Show each sponsor's other studies under its best.",
        ),
    ] = None,
    fold: Annotated[
        bool, typer.Option("--fold", help="Show near-duplicates under the best of them.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", "-e", help="Explain each neighbour in full.")
    ] = False,
    index: IndexOption = None,
    output: AnswerOutput,
    csv: CsvOptions,
    model: IndexModelOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print the studies most like one or several studies, a text, or a draft record."""
    if not studies and text is None and file is None and ids is None:
        raise typer.BadParameter("give an NCT_ID, --ids, --text or --file")
    weights = parsed_weights(weight)
    with opened_index(index) as opened, _advice(studies or ()):
        question = Question(
            studies=(*_all_named(studies or ()), *_listed(ids or ())),
            texts=tuple(text or ()),
            drafts=tuple(map(read_draft, file or ())),
            unlike=_all_named(unlike or ()),
            filters=filters.filters(),
            hide_same_sponsor=hide_same_sponsor,
            weights=weights,
            k=top_k,
            fold=fold,
            diverse=diverse,
            group_by=group_by,
            min_percentile=min_percentile,
            explain=output.format != "ids",
        )
        answer = ask(
            opened,
            question,
            find_study=_study_online if online else None,
            load_encoder=lambda: _loaded(opened, model, quiet=quiet),
        )
    for note in () if quiet else answer.notes:
        print(f"simsearch: {note}", file=sys.stderr)
    output.write(answer, quiet=quiet, explain=explain, raw=csv.raw, bom=csv.bom)


def _all_named(typed: Sequence[str]) -> tuple[str, ...]:
    return tuple(nct_id for each in typed for nct_id in named_studies(each))


def _listed(files: Sequence[Path]) -> Iterator[str]:
    for file in files:
        yield from ids_in_file(file)


@contextmanager
def _advice(studies: Sequence[str]) -> Iterator[None]:
    """Add to an error what `query` offers where a study is not found."""
    try:
        yield
    except GoneStudyError:
        raise
    except UnknownStudyError as error:
        error.add_note("or ask with --online or --file RECORD")
        raise
    except SourceError as error:
        if error.reason.endswith(DRAFT_HINT):
            error.add_note("for words, use --text")
        raise
    except NctIdError as error:
        if error.text in studies and not any(map(str.isdigit, error.text)):
            error.add_note("for words, use --text")
        raise


def _loaded(index: OpenedIndex, model: str | None, *, quiet: bool) -> Encoder:
    """Return the model that built the index, from where the user says it is now."""
    from simsearch.cli.progress import waiting_for

    with waiting_for("Loading the model", quiet=quiet):
        if model is None:
            return builder_of(index)
        return load_query_encoder(model, index.generation.manifest.recipe.fingerprint)


def _study_online(nct_id: str) -> Study:
    from simsearch.cli.connect import registry_api
    from simsearch.cli.progress import waiting_for
    from simsearch.registry.single_studies import study_online

    with (
        registry_api(os.environ.get("SIMSEARCH_API"), verbose=False) as registry,
        waiting_for("Asking the registry", quiet=False),
    ):
        return study_online(registry, nct_id)
