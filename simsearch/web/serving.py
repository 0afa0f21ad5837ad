"""Running the web app: one process, or several that share the address and the index's files."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
import webbrowser
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import uvicorn

from simsearch.errors import AddressError
from simsearch.web.app import create_app
from simsearch.web.current import CurrentIndex
from simsearch.web.metrics import Metrics, Shared, shared_memory
from simsearch.web.settings import Settings
from simsearch.web.slow_clients import ImpatientProtocol

MAX_CONNECTIONS = 1000
"""The most open connections of one process; further ones are answered 503."""

_GRACE_SECONDS = 10
_PAUSE_SECONDS = 0.2  # between two looks at the processes
_log = logging.getLogger("simsearch.web")


class Place(msgspec.Struct, frozen=True):
    """Where the app is served."""

    host: str
    port: int
    workers: int = 1


def serve(
    index: Path | None,
    place: Place,
    settings: Settings,
    *,
    ready: Callable[[str, str], None],
    browse: bool = False,
    verbose: bool = False,
) -> None:
    """Serve an index until SIGINT or SIGTERM; requests under way are answered first.

    Args:
        index: its folder; None as in `opened_index`.
        place: where, and with how many processes.
        settings: how it answers.
        ready: called with the address, and a line about the index, once it answers there.
        browse: open the page in the browser then.
        verbose: log every request to stderr.

    Raises:
        AddressError: the address cannot be used.
        IndexReadError: the index cannot be opened.
    """
    current = CurrentIndex(index)
    sockets = listening_sockets(place)
    address = _address(place.host, sockets[0].getsockname()[1])

    with current.use() as opened:
        line = opened.facts.line

    def tell() -> None:
        ready(address, line)
        if browse:
            webbrowser.open(address + settings.root)

    if len(sockets) == 1:
        set_up_log(verbose=verbose)
        app = create_app(current, settings)
        _run(app, sockets[0], tell)
        return
    current.close()  # each process opens it for itself; this one would hold an old generation
    _Processes(current.path, sockets, settings, verbose=verbose).run(tell)


def listening_sockets(place: Place) -> list[socket.socket]:
    """Return a socket for each process, all at one address: the system shares out connections.

    Raises:
        AddressError: the address cannot be used.
    """
    found: list[socket.socket] = []
    port = place.port
    try:
        family, *_, where = socket.getaddrinfo(place.host, port, type=socket.SOCK_STREAM)[0]
        for _ in range(place.workers):
            # asyncio sets TCP_NODELAY only where the protocol is named: without it every answer
            # on a kept connection takes 40 ms.
            each = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            found.append(each)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if place.workers > 1:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            each.bind((where[0], port, *where[2:]))
            port = each.getsockname()[1]
    except (OSError, OverflowError) as error:
        for each in found:
            each.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise AddressError(
            _address(place.host, place.port), f"cannot be used: {reason.lower()}"
        ) from error
    return found


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def set_up_log(*, verbose: bool) -> None:
    """Write warnings, and every request if `verbose`, to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    for name in ("simsearch.web", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.WARNING)
    _log.setLevel(logging.DEBUG if verbose else logging.INFO)


class _Server(uvicorn.Server):
    """Calls `ready` once it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._ready()


def _run(app: Any, at: socket.socket, ready: Callable[[], object]) -> None:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, proxy_headers=False,
        http=ImpatientProtocol, ws="none", limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=15, timeout_graceful_shutdown=_GRACE_SECONDS, lifespan="on",
    )  # fmt: skip
    _Server(config, ready).run(sockets=[at])


class _Processes:
    """Processes that serve one index; one that ends unasked is started again."""

    def __init__(
        self, path: Path, sockets: Sequence[socket.socket], settings: Settings, *, verbose: bool
    ) -> None:
        self._context = get_context("spawn")
        self._shared = shared_memory(len(sockets))
        self._sockets = sockets
        self._told = (path, settings, verbose)
        self._is_stopping = Event()

    def run(self, ready: Callable[[], object]) -> None:
        """Start them, and wait until a signal ends them."""
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: self._is_stopping.set())
        answers = self._context.Semaphore(0)
        processes = [self._started(number, answers) for number in range(len(self._sockets))]
        n_ready = 0
        while not self._is_stopping.is_set():
            if n_ready < len(processes) and answers.acquire(block=False):
                n_ready += 1
                if n_ready == len(processes):
                    ready()
            for number, each in enumerate(processes):
                if not each.is_alive():
                    _log.warning(
                        "process %d has ended (%s): starting another", number, each.exitcode
                    )
                    self._is_stopping.wait(1)
                    processes[number] = self._started(number, answers)
            self._is_stopping.wait(_PAUSE_SECONDS)
        self._stop(processes)

    def _started(self, number: int, answers: Any) -> BaseProcess:
        path, settings, verbose = self._told
        process = self._context.Process(
            target=_work,
            args=(path, self._sockets[number], settings, self._shared, number, verbose, answers),
            daemon=True,
        )
        process.start()
        return process

    def _stop(self, processes: Sequence[BaseProcess]) -> None:
        for each in processes:
            each.terminate()  # SIGTERM: they answer what is under way
        deadline = time.monotonic() + _GRACE_SECONDS + 5
        for each in processes:
            each.join(max(0, deadline - time.monotonic()))
            if each.is_alive():
                each.kill()


def _work(
    path: Path,
    at: socket.socket,
    settings: Settings,
    shared: Shared,
    number: int,
    verbose: bool,  # noqa: FBT001 - passed by position to a process
    answers: Any,
) -> None:
    """Serve in a process of several; it ends with the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's goes to all: the parent ends us
    set_up_log(verbose=verbose)
    parent = os.getppid()
    app = create_app(CurrentIndex(path), settings, Metrics(shared, number), parent=parent)
    _run(app, at, answers.release)
