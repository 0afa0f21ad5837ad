"""Write the command reference: `python docs/make_commands.py > docs/commands.md`.

It walks the commands as they are declared: help, examples, arguments and options by panel.
"""

from __future__ import annotations

import html
import inspect
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperArgument

from simsearch.cli.main import app

HEAD = """\
# Commands

Written by `docs/make_commands.py` from the commands themselves. `simsearch COMMAND --help` shows
the same at the terminal.
"""


def reference() -> str:
    """Return the reference as Markdown."""
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="simsearch")
    return "\n".join([HEAD, *_sections(root, context, "simsearch")]).rstrip() + "\n"


def _sections(command: Any, context: Any, name: str) -> Iterator[str]:
    """Yield the section of a command, then those of the commands within."""
    text, examples = _text_and_examples(command)
    yield f"{'#' * min(len(name.split()) + 1, 4)} `{name}`\n\n{text}\n"
    if examples:
        yield f"```console\n{examples}\n```\n"
    arguments = [_entry(each, context) for each in _shown(command, context, is_argument=True)]
    if arguments:
        yield "**Arguments**\n\n" + "\n".join(arguments) + "\n"
    panels: dict[str, list[str]] = {}
    for each in _shown(command, context, is_argument=False):
        panel = getattr(each, "rich_help_panel", None) or "Options"
        panels.setdefault(panel, []).append(_entry(each, context))
    for panel, entries in panels.items():
        yield f"**{panel}**\n\n" + "\n".join(entries) + "\n"
    for inner in command.list_commands(context) if hasattr(command, "list_commands") else ():
        within = command.get_command(context, inner)
        yield from _sections(
            within, typer.Context(within, info_name=inner, parent=context), f"{name} {inner}"
        )


def _text_and_examples(command: Any) -> tuple[str, str]:
    text, _, examples = inspect.cleandoc(command.help or "").partition("\b\n")
    return text.strip(), examples.removeprefix("Examples:\n").strip()


def _shown(command: Any, context: Any, *, is_argument: bool) -> list[Any]:
    return [
        each
        for each in command.get_params(context)
        if isinstance(each, TyperArgument) == is_argument and not getattr(each, "hidden", False)
    ]


def _entry(parameter: Any, context: Any) -> str:
    names, text = parameter.get_help_record(context)
    return f"- `{' '.join(html.unescape(names).split())}`: {text}"


if __name__ == "__main__":
    print(reference(), end="")
