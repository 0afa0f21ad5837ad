"""`simsearch info`: what an index holds."""

from __future__ import annotations

from simsearch.cli.options import IndexOption
from simsearch.cli.outputs import InfoOutput
from simsearch.index.opened import opened_index

EXAMPLES = """
simsearch info
simsearch info --index ./index
simsearch info -f json | jq .recipe
"""


def info(index: IndexOption = None, *, output: InfoOutput) -> None:
    """Print what an index holds: studies, dates, recipe, sizes, coverage.

    `simsearch index verify` checks it.
    """
    with opened_index(index) as opened:
        output.write(opened)
