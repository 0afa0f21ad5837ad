"""`simsearch info`: what an index holds."""

from __future__ import annotations

from simsearch.cli.options import IndexOption, InfoFormat
from simsearch.cli.terminal import print_pieces, view
from simsearch.index.opened import opened_index
from simsearch.output.formats import write

EXAMPLES = """
simsearch info
simsearch info --index ./index
simsearch info --format json | jq .recipe
"""


def info(index: IndexOption = None, format_: InfoFormat = "table") -> None:
    """Print what an index holds: studies, dates, recipe, sizes, coverage.

    `simsearch index verify` checks it.
    """
    with opened_index(index) as opened:
        print_pieces(write("info", opened, format_, view()))
