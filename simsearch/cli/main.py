"""The command `simsearch`: its commands put together, and how it ends."""

from __future__ import annotations

import errno
import os
import re
import sys
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

import simsearch
from simsearch.cli.command import Command, Group, add_command
from simsearch.cli.hints import line_of, usage_line
from simsearch.cli.terminal import fail, fail_to_write, print_text, quiet_end
from simsearch.errors import SimsearchError

COMMANDS = (
    "query", "show", "compare", "related", "rebuild", "fetch", "update", "info", "diff", "review",
    "evaluate", "serve", "mcp", "export", "index", "cache",
)  # fmt: skip
"""The commands, each in the file of its name here."""

_DEFAULT_LAMBDA = 0.7
_DEFAULTS = {
    "--diverse": (re.compile(r"-?([0-9]{1,2}([.,][0-9]*)?|[.,][0-9]+)"), _DEFAULT_LAMBDA),
    "--wait": (
        re.compile(r"-?([0-9]+([.][0-9]*)?|[.][0-9]+)(e[+-]?[0-9]+)?|inf", re.IGNORECASE),
        "inf",
    ),
}
"""Option whose value may be left out → what a value looks like, and the default.

typer has no such options. After --diverse, a study number without NCT is not a value.
"""


class _Commands(Group):
    """The commands; each is imported when it is run, or when all are listed."""

    def make_context(self, *args: Any, **given: Any) -> Any:
        """Read the command line, and print the help if that is asked for."""
        with quiet_end():
            return super().make_context(*args, **given)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with quiet_end():
            return super().invoke(ctx)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return a command, imported now."""
        if cmd_name not in COMMANDS:
            self.commands = dict.fromkeys(COMMANDS, Command(name=None))  # names to suggest
            return None
        module = import_module(f"simsearch.cli.{cmd_name}")
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(context_settings=_SETTINGS, add_completion=False)
            add_command(app, getattr(module, cmd_name), cmd_name, examples=module.EXAMPLES)
        command = typer.main.get_command(app)
        command.name = cmd_name
        return command


_SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="simsearch",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=_SETTINGS,
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
    simsearch query NCT03540472      the studies most like one
    simsearch rebuild records.jsonl  an index of your own records
    simsearch info                   what the index holds
    """


def main() -> NoReturn:
    """Run the command: exit 0 if fine, 2 on wrong usage, else with a one-line error.

    A `SimsearchError` exits with its `exit_code`: 1, 2, 3 or 75 (see `errors`).

    Anything that is not a `SimsearchError` or wrong usage is a bug and keeps its
    traceback.
    """
    _prepare_streams()
    if any("\udc80" <= letter <= "\udcff" for word in sys.argv for letter in word):
        fail("an argument is not UTF-8 text: rename the file, or correct the locale", 2)
    try:
        code = app(_with_values(sys.argv[1:]), prog_name="simsearch", standalone_mode=False)
    except TyperException as error:
        if not error.format_message():  # no command: the help has been shown
            sys.exit(error.exit_code)
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "simsearch"
        message = usage_line(error.format_message())
        fail(f"{message} (see {command} --help)", error.exit_code)
    except SimsearchError as error:
        fail(line_of(error), error.exit_code)
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename:
            raise
        fail_to_write(error)  # typer writes the help itself
    sys.exit(code if type(code) is int else 0)  # not the truth that a callback returned


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
    """Return the command line with the defaults of options whose value is left out."""
    found: list[str] = []
    for word, after in zip(words, [*words[1:], ""], strict=False):
        is_value, default = _DEFAULTS.get(word, (None, ""))
        missing = is_value and not is_value.fullmatch(after)
        found.append(f"{word}={default}" if missing else word)
    return found
