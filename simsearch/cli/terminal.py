"""Writing to the person at the terminal, or to the pipe."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from simsearch.output.formats import View


def fail(message: str, code: int) -> NoReturn:
    """End with one line on stderr and this exit code."""
    print(f"simsearch: {' '.join(message.split())}", file=sys.stderr)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - else Python tries again, and says so
    sys.exit(code)


def view(**shown: Any) -> View:
    """Return how something is shown on this terminal, or in this pipe; `shown` as in `View`."""
    width, color = terminal()
    return View(width=width, color=color, **shown)


def print_facts(facts: Sequence[tuple[str, str]], *, quiet: bool) -> None:
    """Print facts, name and value, unless `quiet`."""
    from simsearch.output.render import facts_table, render

    if not quiet:
        width, color = terminal()
        print_text(render(facts_table(facts), width=width, color=color))


def terminal() -> tuple[int | None, bool]:
    """Return the width to keep to and whether to colour: None and no, unless on a terminal."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None, False
    return shutil.get_terminal_size().columns, "NO_COLOR" not in os.environ


def print_pieces(pieces: Iterable[str]) -> None:
    """Print a result piece by piece on standard output."""
    for piece in pieces:
        print_text(piece)


def print_text(text: str) -> None:
    """Print a result on standard output; a full disk or a closed stream is an error."""
    if sys.stdout is None:
        fail("cannot write the answer: standard output is closed", 1)
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader has had enough: typer ends quietly
    except OSError as error:
        fail_to_write(error)


def fail_to_write(error: OSError) -> NoReturn:
    """End with one line: standard output cannot be written."""
    fail(f"cannot write the answer: {error.strerror or error}", 1)
