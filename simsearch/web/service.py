"""What every page asks: the current index, in a thread, within a time."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from simsearch.index.opened import OpenedIndex
from simsearch.web.current import CurrentIndex
from simsearch.web.errors import BusyError
from simsearch.web.metrics import Metrics
from simsearch.web.settings import Settings

_log = logging.getLogger("simsearch.web")

Value = TypeVar("Value")


class Service:
    """Runs questions in a few threads, so that the event loop stays free.

    Args:
        current: the index that is served.
        settings: how many at once, and how long.
        metrics: counts the changes of generation.
    """

    def __init__(self, current: CurrentIndex, settings: Settings, metrics: Metrics) -> None:
        self.current = current
        self.settings = settings
        self.metrics = metrics
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="answer")
        self._pending = 0

    async def run(self, work: Callable[[OpenedIndex], Value]) -> Value:
        """Return what `work` makes of the current index.

        Raises:
            BusyError: too many wait already, or it took too long.
            SimsearchError: what `work` raises.
        """
        if self._pending >= self.settings.threads + self.settings.waiting:
            raise BusyError
        self._pending += 1
        try:
            future = asyncio.get_running_loop().run_in_executor(self._pool, self._work, work)
            return await asyncio.wait_for(future, self.settings.answer_seconds)
        except TimeoutError:
            raise BusyError from None
        finally:
            self._pending -= 1

    async def follow(self, parent: int = 0) -> None:
        """Look for new generations until cancelled; end with the parent process if it ends."""
        while True:
            await asyncio.sleep(self.settings.refresh_seconds)
            if parent and os.getppid() != parent:
                signal.raise_signal(signal.SIGTERM)
                return
            try:
                if await asyncio.to_thread(self.current.refresh):
                    self.metrics.reloaded()
            except Exception:  # noqa: BLE001 - the next look may succeed
                _log.exception("looking for a new generation failed")

    def close(self) -> None:
        """Stop the threads and close the index."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.current.close()

    def _work(self, work: Callable[[OpenedIndex], Value]) -> Value:
        with self.current.use() as opened:
            return work(opened)
