"""`simsearch info`: what an index holds."""

from __future__ import annotations

from typing import Annotated

import typer

from simsearch.cli.options import IndexOption, InfoFormat
from simsearch.cli.terminal import print_facts, print_pieces, view
from simsearch.index.opened import opened_index
from simsearch.output.formats import write

EXAMPLES = """
simsearch info
simsearch info --index ./index --verify
simsearch info --format json | jq .recipe
"""


def info(
    index: IndexOption = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Check everything first, like simsearch index verify."),
    ] = False,
    format_: InfoFormat = "table",
) -> None:
    """Print what an index holds: studies, dates, recipe, sizes, coverage."""
    with opened_index(index) as opened:
        if verify:
            from simsearch.index.verify import verify_opened

            verify_opened(opened)
    print_pieces(write("info", opened, format_, view()))
    if verify and format_ == "table":
        verified = "checksums, rows, NCT IDs and sample queries are right"
        print_facts([("Verified", verified)], quiet=False)
