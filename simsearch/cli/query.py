"""`simsearch query`: the studies most like one, several, a draft or a text."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from simsearch.cli.asking import AskedOptions, loaded_encoder
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
    TopKOption,
    WeightOption,
    parsed_weights,
)
from simsearch.cli.outputs import AnswerOutput
from simsearch.index.opened import opened_index
from simsearch.output.formats import WITH_FACTS
from simsearch.search.answer import ask
from simsearch.search.question import GroupBy, Question

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
    *,
    asked: AskedOptions,
    top_k: TopKOption = 10,
    filters: FilterOptions,
    competing: CompetingOption = False,
    hide_same_sponsor: HideSameSponsorOption = False,
    min_percentile: MinPercentileOption = 0,
    weight: WeightOption = None,
    ranking: RankingOption = "learned",
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
    asked.check()
    weights = parsed_weights(weight)
    with opened_index(index) as opened, asked.advice():
        question = Question(
            **asked.question(),
            filters=filters.filters(),
            competing=competing,
            hide_same_sponsor=hide_same_sponsor,
            weights=weights,
            ranking=ranking,
            k=top_k,
            fold=fold,
            diverse=diverse,
            group_by=group_by,
            min_percentile=min_percentile,
            explain=output.format != "ids",
            facts=output.format in WITH_FACTS,
        )
        answer = ask(
            opened,
            question,
            find_study=asked.find_study,
            load_encoder=lambda: loaded_encoder(opened, model, quiet=quiet),
        )
    for note in () if quiet else answer.notes:
        print(f"simsearch: {note}", file=sys.stderr)
    output.write(answer, quiet=quiet, explain=explain, raw=csv.raw, bom=csv.bom)
