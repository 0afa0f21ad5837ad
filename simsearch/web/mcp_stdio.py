"""The server for assistants over standard input and output."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simsearch.index.opened import OpenedIndex
from simsearch.web.current import CurrentIndex
from simsearch.web.mcp import mcp_server


def serve_stdio(index: Path | None) -> None:
    """Answer until standard input ends; a new generation is taken up with the next question.

    Args:
        index: the folder of the index; None as in `opened_index`.

    Raises:
        IndexReadError: it cannot be opened.
    """
    current = CurrentIndex(index)

    def answer(work: Callable[[OpenedIndex], Any]) -> Any:
        current.refresh()
        with current.use() as opened:
            return work(opened)

    async def run(work: Callable[[OpenedIndex], Any]) -> Any:
        return await asyncio.to_thread(answer, work)

    try:
        mcp_server(run, str(current.path)).run("stdio")
    finally:
        current.close()
