"""`simsearch compare`: the designs of a study and of those most like it, and their benchmark."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from simsearch.cli.asking import AskedOptions, all_named, loaded_encoder
from simsearch.cli.filter_options import (
    CompetingOption,
    FilterOptions,
    HideSameSponsorOption,
    MinPercentileOption,
)
from simsearch.cli.options import (
    CsvOptions,
    IndexModelOption,
    IndexOption,
    QuietOption,
    RankingOption,
    WeightOption,
    parsed_weights,
)
from simsearch.cli.outputs import ComparisonOutput
from simsearch.index.opened import opened_index
from simsearch.search.compare import compare as compare_designs
from simsearch.search.question import DEFAULT_K, Question

EXAMPLES = """
simsearch compare NCT03540472
simsearch compare NCT03540472 --phase 2 --status completed -k 50
simsearch compare NCT03540472 NCT03364764
simsearch compare --file draft.json --with included.csv -o designs.xlsx
simsearch compare --text "eltrombopag for aplastic anemia" -o designs.html
"""


def compare(
    *,
    asked: AskedOptions,
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="NCT_ID|FILE",
            help="Compare with this study, or those in a file (text, CSV, RIS), in place of the "
            "nearest; repeatable.",
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            "--top-k",
            "-k",
            metavar="N",
            min=1,
            max=10_000,
            help=f"How many of the nearest; several NCT IDs alone are compared with each other. "
            f"Default: {DEFAULT_K}.",
            show_default=False,
        ),
    ] = None,
    groups: Annotated[
        bool,
        typer.Option(
            "--groups/--no-groups",
            help="Group outcomes and criteria by meaning; without, no model is loaded.",
        ),
    ] = True,
    filters: FilterOptions,
    competing: CompetingOption = False,
    hide_same_sponsor: HideSameSponsorOption = False,
    min_percentile: MinPercentileOption = 0,
    weight: WeightOption = None,
    ranking: RankingOption = "learned",
    index: IndexOption = None,
    output: ComparisonOutput,
    csv: CsvOptions,
    model: IndexModelOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print the designs of a study and of those most like it, and their benchmark."""
    asked.check()
    weights = parsed_weights(weight)
    with opened_index(index) as opened, asked.advice():
        question = Question(
            **asked.question(),
            filters=filters.filters(),
            competing=competing,
            hide_same_sponsor=hide_same_sponsor,
            min_percentile=min_percentile,
            weights=weights,
            ranking=ranking,
            k=DEFAULT_K if top_k is None else top_k,
        )
        comparison = compare_designs(
            opened,
            question,
            others=all_named(with_ or ()),
            alone=top_k is None,
            groups=groups and output.format != "csv",
            find_study=asked.find_study,
            load_encoder=lambda: loaded_encoder(opened, model, quiet=quiet),
        )
    for note in () if quiet else comparison.notes:
        print(f"simsearch: {note}", file=sys.stderr)
    output.write(comparison, quiet=quiet, raw=csv.raw, bom=csv.bom)
