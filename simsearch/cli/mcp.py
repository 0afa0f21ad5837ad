"""`simsearch mcp`: the server for assistants, over standard input and output."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from simsearch.cli.options import IndexOption
from simsearch.cli.terminal import print_text
from simsearch.errors import MissingExtraError

EXAMPLES = """
simsearch mcp
simsearch mcp --config
"""


def mcp(
    index: IndexOption = None,
    config: Annotated[
        bool,
        typer.Option("--config", help="Print the lines that make a client start the server."),
    ] = False,
) -> None:
    """Answer assistants over the Model Context Protocol: related studies, designs, changes.

    It needs the extra `web`. An assistant starts it; `simsearch serve` offers the same at /mcp.
    """
    try:
        from simsearch.web.mcp import client_config
        from simsearch.web.mcp_stdio import serve_stdio
    except ModuleNotFoundError as error:
        raise MissingExtraError("mcp", error.name or "a library", "web") from error
    if config:
        command = shutil.which("simsearch") or sys.argv[0]
        folder = None if index is None else str(Path(index).resolve())
        print_text(client_config(command, folder))
        return
    if sys.stdin is None or sys.stdout is None:
        raise typer.BadParameter(
            "standard input or output is closed: an assistant that starts the server holds both"
        )
    serve_stdio(index)
