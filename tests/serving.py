"""A running web app for tests: on loopback, in a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from simsearch.web.app import create_app
from simsearch.web.current import CurrentIndex
from simsearch.web.settings import Settings
from simsearch.web.slow_clients import ImpatientProtocol


class Site:
    """The app of an index, served; `get` and the like ask it."""

    def __init__(self, address: str, app: Any) -> None:
        self.address = address
        self.app = app
        self.port = int(address.rpartition(":")[2])
        self._client = httpx.Client(base_url=address, trust_env=False)

    def get(self, path: str, **how: Any) -> httpx.Response:
        return self._client.get(path, **how)

    def post(self, path: str, **how: Any) -> httpx.Response:
        return self._client.post(path, **how)

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        return self._client.request(method, path, **how)

    def close(self) -> None:
        self._client.close()


@contextmanager
def serving(index: Path | None = None, **settings: Any) -> Iterator[Site]:
    """Serve an index, the demo by default, until the block ends."""
    app = create_app(CurrentIndex(index), Settings(refresh_seconds=0.05, **settings))
    with socket.socket() as at:
        at.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, log_config=None, access_log=False, http=ImpatientProtocol, ws="none",
            lifespan="on", server_header=False,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([at],), daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive() or server.started
        site = Site(f"http://127.0.0.1:{at.getsockname()[1]}", app)
        try:
            yield site
        finally:
            site.close()
            server.should_exit = True
            thread.join(20)
