"""Draw the README's picture of the terminal: `python docs/make_picture.py`.

It runs the command on the demo collection and draws what it prints, so that the picture shows what
the program does. Written to docs/query.svg; fonts are those of whoever looks at it.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

from simsearch.index.directory import demo_index
from simsearch.index.opened import opened_index
from simsearch.output.formats import View, write
from simsearch.search.answer import ask
from simsearch.search.question import Question

COMMAND = "simsearch query NCT03540472"
PICTURE = Path(__file__).parent / "query.svg"
_WIDTH = 100  # columns


def picture() -> str:
    """Return the picture, as SVG."""
    with opened_index(demo_index()) as index:
        answer = ask(index, Question(studies="NCT03540472"))
    printed = "".join(write("answer", answer, "table", View(width=_WIDTH, color=True)))
    console = Console(record=True, width=_WIDTH, file=io.StringIO())
    console.print(Text.assemble(("$ ", "dim"), (COMMAND, "bold")))
    console.print(Text.from_ansi(printed))
    drawn = console.export_svg(title="simsearch", unique_id="simsearch")
    # No font from elsewhere: a page that shows the picture asks nobody else for anything.
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    drawn = drawn.replace("Fira Code", "Menlo, Consolas, DejaVu Sans Mono")
    drawn = drawn.replace(
        "<svg ", '<svg xml:space="preserve" role="img" aria-label="What the command prints" ', 1
    )
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
