"""`simsearch info`: what an index holds."""

from __future__ import annotations

from typing import Annotated

import typer

from simsearch.commands.terminal import print_facts, print_text
from simsearch.options import IndexOption, InfoFormat
from simsearch.reports import info_facts, info_json
from simsearch.search import open_index


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
            from simsearch.verification import verify_opened

            verify_opened(opened)
    if format_ is InfoFormat.json:
        print_text(info_json(opened))
        return
    facts = info_facts(opened)
    if verify:
        facts.append(("Verified", "checksums, rows, NCT IDs and sample queries are right"))
    print_facts(facts, quiet=False)
