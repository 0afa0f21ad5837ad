"""Writing to the person at the terminal, or to the pipe."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import NoReturn

from simsearch.errors import ArgumentError
from simsearch.reports import info_table, render


def fail(message: str, code: int) -> NoReturn:
    """End with one line on stderr and this exit code."""
    print(f"simsearch: {' '.join(message.split())}", file=sys.stderr)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - Python would try again, and tell
    sys.exit(code)


def of_an_option(error: ArgumentError) -> str:
    """Return what is wrong with an argument, named as the option that gave it."""
    name, _, signal = error.name.partition(" ")  # `weight text`: one of several
    option = _OPTIONS.get(name, f"--{name.removeprefix('--').replace('_', '-')}")
    found = repr(error.found)
    if isinstance(error.found, dict):
        found = ",".join(f"{each}={value:g}" for each, value in error.found.items())
    return f"{option} {signal}{'=' if signal else ''}{found}: it must be {error.expected}"


_OPTIONS = {"k": "--top-k", "weights": "--weight", "SIMSEARCH_API": "SIMSEARCH_API"}


def print_facts(facts: Sequence[tuple[str, str]], *, quiet: bool) -> None:
    """Print facts, name and value, unless told to be quiet."""
    if not quiet:
        width, color = terminal()
        print_text(render(info_table(facts), width=width, color=color))


def terminal() -> tuple[int | None, bool]:
    """Return the width to keep to and whether to colour: None and no, unless on a terminal."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None, False
    return shutil.get_terminal_size().columns, "NO_COLOR" not in os.environ


def print_text(text: str) -> None:
    """Print a result on standard output; a full disk or a closed stream is an error."""
    if sys.stdout is None:
        fail("cannot write the answer: standard output is closed", 1)
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # who read it has had enough: typer ends quietly
    except OSError as error:
        fail_to_write(error)


def fail_to_write(error: OSError) -> NoReturn:
    """End with one line: standard output took no more."""
    fail(f"cannot write the answer: {error.strerror or error}", 1)
