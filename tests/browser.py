"""Debian's Chromium, driven by Playwright; nothing is downloaded, no request leaves the machine."""

from __future__ import annotations

import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

MISSING = "needs a browser: apt-get install chromium (see CONTRIBUTING.md)"


def executable() -> str:
    """Return where the browser is; skip without one, but fail where CI should have it."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)
    return found


class Visit:
    """A page in the browser; collects what it should never do."""

    def __init__(self, context: Any, own: set[str]) -> None:
        self.page = context.new_page()
        self.faults: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", lambda request: self._asked(request.url, own))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.location.get('url', '')} says: {message.text}")

    def _asked(self, url: str, own: set[str]) -> None:
        place = urlsplit(url)
        if place.scheme not in ("data", "blob", "about") and place.netloc not in own:
            self.faults.append(f"asked {url}")


@contextmanager
def browsing(address: str) -> Iterator[Any]:
    """Open the browser; yield a function that opens a page with some settings."""
    path = executable()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        visits: list[Visit] = []

        def visit(also: str = "", **settings: Any) -> Visit:
            """Open a page at the address, or at another one from which it may be asked."""
            own = {urlsplit(each).netloc for each in (address, also)}
            given = {"base_url": also or address, "viewport": {"width": 1200, "height": 900}}
            visits.append(Visit(browser.new_context(**given | settings), own))
            return visits[-1]

        try:
            yield visit
            faults = [fault for each in visits for fault in each.faults]
            assert not faults, faults
        finally:
            browser.close()


@contextmanager
def another_site(body: str) -> Iterator[str]:
    """Serve a page at another address of this machine; yield the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 204)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode() if self.path == "/" else b"")

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=partial(server.serve_forever, 0.05), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
