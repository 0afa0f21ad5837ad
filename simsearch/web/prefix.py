"""The site below a prefix of a host that has other pages too, such as /trials.

Pages, redirects and answers are made as if the site began at `/`; one place puts the prefix before
their addresses, and takes it from those that are asked.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simsearch.errors import ArgumentError
from simsearch.web.metrics import ROUTES

_ALLOWED = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_ADDRESS = re.compile(rb'(\s(?:href|src|action|formaction)=")(?=/(?!/))')
_PAGES = frozenset({*ROUTES, "search", "healthz", "readyz", "metrics"})
_STEP = re.compile(r"(?<= )/(?=\w|\s|$)")


def root_path(given: str) -> str:
    """Return a prefix in its one spelling: `/trials`; `""` for none.

    Raises:
        ArgumentError: it is none, or the name of a page.
    """
    root = given.rstrip("/")
    first = root.lstrip("/").partition("/")[0]
    if not _ALLOWED.fullmatch(root) or first in _PAGES or ".." in root:
        raise ArgumentError("root_path", given, "a path like /trials, and not that of a page")
    return root


def without_prefix(scope: Scope, root: str) -> MutableMapping[str, Any]:
    """Return a request as if the site began at `/`; a proxy may have taken the prefix away."""
    path: str = scope["path"]
    if not root or not (path == root or path.startswith(f"{root}/")):
        return {**scope}
    raw = scope.get("raw_path") or b""
    plain = raw[len(root) :] if raw.startswith(root.encode()) else raw
    return {**scope, "path": path[len(root) :] or "/", "raw_path": plain or b"/"}


def step_with_prefix(step: str, root: str) -> str:
    """Return what to do next, with the prefix before the addresses in it."""
    return _STEP.sub(f"{root}/", step) if root else step


class Prefixed:
    """Middleware that puts the prefix before the addresses of a page, and of a redirect.

    Texts of records cannot be taken for an attribute: their quotes are escaped.

    Args:
        app: what answers.
        root: the prefix.
    """

    def __init__(self, app: ASGIApp, root: str) -> None:
        self._app = app
        self._root = root.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = b""

        async def prefixed(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                headers = [self._header(*each) for each in message["headers"]]
                start = {**message, "headers": headers}
                if not _is_page(start):
                    await send(start)
            elif not _is_page(start):
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    page = _ADDRESS.sub(rb"\1" + self._root, body)
                    await send(_of_length(start, len(page)))
                    await send({"type": "http.response.body", "body": page})

        await self._app(scope, receive, prefixed)

    def _header(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        is_ours = name == b"location" and value.startswith(b"/") and not value.startswith(b"//")
        return name, self._root + value if is_ours else value


def _is_page(start: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/html")
        for name, value in start["headers"]
    )


def _of_length(start: Message, length: int) -> Message:
    kept = [each for each in start["headers"] if each[0] != b"content-length"]
    return {**start, "headers": [*kept, (b"content-length", b"%d" % length)]}
