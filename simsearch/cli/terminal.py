"""Writing to the person at the terminal, or to the pipe."""

from __future__ import annotations

import os
import select
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from simsearch.output.formats import View


def fail(message: str, code: int) -> NoReturn:
    """End with one line on stderr and this exit code."""
    print(f"simsearch: {' '.join(message.split())}", file=sys.stderr)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _print_no_more()
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
    """Print a result piece by piece on standard output, until nobody reads on."""
    for piece in pieces:
        if not print_text(piece):
            return


def print_text(text: str) -> bool:
    """Print a result on standard output; a full disk or a closed stream is an error.

    Returns:
        Whether somebody reads on. A reader who has had enough, as `head` has, is no error: what
        is printed later goes nowhere, and the command comes to its own end.
    """
    if sys.stdout is None:
        fail("cannot write the answer: standard output is closed", 1)
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _print_no_more()
        return False
    except OSError as error:
        fail_to_write(error)
    return True


@contextmanager
def quiet_end() -> Iterator[None]:
    """End the command with 0 where whoever reads standard output has had enough.

    For what is not printed by `print_text`: help, and lists as they are computed. A connection
    that breaks elsewhere stays an error.
    """
    try:
        yield
    except BrokenPipeError:
        if not _reader_has_gone():
            raise
        _print_no_more()
        raise typer.Exit from None
    except SystemExit as error:  # rich, which prints the help, ends with 1
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        raise typer.Exit from None


def _reader_has_gone() -> bool:
    """Report whether standard output is a pipe that nobody reads any more."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _print_no_more() -> None:
    """Let what is still printed go nowhere; else Python tries again at its end, and says so."""
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115


def fail_to_write(error: OSError) -> NoReturn:
    """End with one line: standard output cannot be written."""
    fail(f"cannot write the answer: {error.strerror or error}", 1)
