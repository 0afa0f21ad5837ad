"""`simsearch show`: one study in full, and its related list."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from simsearch.cli.asking import AskedOptions, loaded_encoder
from simsearch.cli.options import IndexModelOption, IndexOption, QuietOption
from simsearch.cli.outputs import StudyOutput
from simsearch.index.opened import opened_index
from simsearch.search.show import show as show_study

EXAMPLES = """
simsearch show NCT03540472
simsearch show NCT03540472 -k 0
simsearch show NCT03540472 -o study.html
simsearch show NCT03540472 -f json | jq .study.facts.arms
"""


def show(
    study: Annotated[
        str,
        typer.Argument(
            metavar="NCT_ID", help="An NCT ID in any spelling, or the address of a study's page."
        ),
    ],
    online: Annotated[
        bool,
        typer.Option("--online", help="Ask the registry for a study that is not in the index."),
    ] = False,
    top_k: Annotated[
        int,
        typer.Option(
            "--top-k", "-k", metavar="N", min=0, max=10_000, help="How many related studies."
        ),
    ] = 10,
    *,
    index: IndexOption = None,
    output: StudyOutput,
    model: IndexModelOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print one study in full, and the studies most like it."""
    asked = AskedOptions(studies=[study], online=online)
    with opened_index(index) as opened, asked.advice(words=False):
        shown = show_study(
            opened,
            study,
            top_k,
            find_study=asked.find_study,
            load_encoder=lambda: loaded_encoder(opened, model, quiet=quiet),
        )
    for note in () if quiet else shown.notes:
        print(f"simsearch: {note}", file=sys.stderr)
    output.write(shown, quiet=quiet)
