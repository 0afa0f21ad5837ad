"""The command `simsearch`: its commands put together, and how it ends."""

from __future__ import annotations

import errno
import os
import re
import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

import simsearch
from simsearch.commands.cache import app as cache_app
from simsearch.commands.diff import diff
from simsearch.commands.evaluate import evaluate
from simsearch.commands.index import app as index_app
from simsearch.commands.info import info
from simsearch.commands.query import query
from simsearch.commands.rebuild import rebuild
from simsearch.commands.registry import fetch, update
from simsearch.commands.related import related
from simsearch.commands.terminal import fail, fail_to_write, of_an_option, print_text
from simsearch.errors import ArgumentError, SimsearchError
from simsearch.variety import DIVERSE

# What may follow --diverse as its value: never an NCT ID without its letters.
_NUMBER = re.compile(r"-?([0-9]{1,2}([.,][0-9]*)?|[.,][0-9]+)")
# What may follow --wait.
_SECONDS = re.compile(r"([0-9]+([.][0-9]*)?|[.][0-9]+)(e[+-]?[0-9]+)?|inf", re.IGNORECASE)

app = typer.Typer(
    name="simsearch",
    help="Find the clinical trials most like a given one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print_text(f"simsearch {simsearch.__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Find the clinical trials most like a given one.

    \b
    simsearch query NCT03540472      the studies nearest to one
    simsearch rebuild records.jsonl  an index of your own records
    simsearch info                   what the index holds
    """


app.add_typer(index_app, name="index")
app.add_typer(cache_app, name="cache")
for command in (query, related, rebuild, fetch, update, info, diff, evaluate):
    app.command()(command)


def main() -> NoReturn:
    """Run the command: exit 0 if fine, 2 on wrong usage, else with a one-line error.

    That of a `SimsearchError` exits with its `exit_code`: 1, 2, 3 or 75 (see `errors.py`).

    Anything that is not a `SimsearchError` or wrong usage is a bug and keeps its
    traceback.
    """
    _prepare_streams()
    if any("\udc80" <= letter <= "\udcff" for word in sys.argv for letter in word):
        fail("an argument is not UTF-8 text: rename the file, or mend the locale", 2)
    try:
        code = app(_with_values(sys.argv[1:]), prog_name="simsearch", standalone_mode=False)
    except TyperException as error:
        if not error.format_message():  # no command: the help has been shown
            sys.exit(error.exit_code)
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "simsearch"
        message = error.format_message().replace("Value error, ", "").rstrip(".")
        fail(f"{message} (see {command} --help)", error.exit_code)
    except ArgumentError as error:
        fail(of_an_option(error), error.exit_code)
    except SimsearchError as error:
        fail(str(error), error.exit_code)
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename:
            raise
        fail_to_write(error)  # typer writes the help itself
    sys.exit(code if isinstance(code, int) else 0)


def _prepare_streams() -> None:
    """Let no letter that a terminal lacks break an answer; a pipe or a file gets UTF-8.

    An encoding that the user names for Python's streams stays.
    """
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115 - closed by the caller
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter
    asked_for = os.environ.get("PYTHONIOENCODING", "").partition(":")[0]
    if hasattr(sys.stdout, "reconfigure") and not (sys.stdout.isatty() or asked_for):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")


def _with_values(words: list[str]) -> list[str]:
    """Return the command line with the default of an option that may stand without its value."""
    with_default: list[str] = []
    for word, after in zip(words, [*words[1:], ""], strict=False):
        if word == "--diverse" and not _NUMBER.fullmatch(after):
            with_default.append(f"{word}={DIVERSE}")
        elif word == "--wait" and not _SECONDS.fullmatch(after):
            with_default.append(f"{word}=inf")
        else:
            with_default.append(word)
    return with_default
