"""What stands before every answer: host, sizes, deadlines, headers; the cache of answers; counts.

One ASGI middleware, so that an answer given before passes through nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import time
from collections.abc import Mapping, MutableMapping
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simsearch import __version__
from simsearch.web.cache import AnswerCache, Headers, Kept, etag
from simsearch.web.current import CurrentIndex
from simsearch.web.metrics import ROUTES, Metrics
from simsearch.web.prefix import step_with_prefix, without_prefix
from simsearch.web.settings import MAX_BODY, MAX_QUERY, Settings

_log = logging.getLogger("simsearch.web")

_EVERYWHERE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "
)
_OWN = (
    (b"content-security-policy", f"{_POLICY}'none'".encode()),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_EMBEDDED = (
    (b"content-security-policy", f"{_POLICY}*".encode()),
    (b"cross-origin-resource-policy", b"cross-origin"),
)
_KINDS = {"healthz": "health", "readyz": "health", "metrics": "health", "": "start"}
_EVERYONES = ("/embed/", "/static/", "/embed.js")  # may be loaded by pages of other sites
_READABLE = ("/api/", "/embed/")  # by scripts of the origins that are allowed
_PRIVATE = ("review", "feed")  # never
_HTTP_OK = 200
_TOO_LARGE = 413
_DRAINED, _DRAIN_SECONDS = 8 * MAX_BODY, 3


class Guard:
    """The middleware.

    Args:
        app: what answers.
        current: the index that is served.
        settings: names, origins and limits.
        metrics: counts the answers.
    """

    def __init__(
        self, app: ASGIApp, current: CurrentIndex, settings: Settings, metrics: Metrics
    ) -> None:
        self._app = app
        self._current = current
        self._settings = settings
        self._metrics = metrics
        self._cache = AnswerCache(settings.cache_bytes)
        self._generation = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let the app do it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        began, path = time.perf_counter(), scope["path"]
        request = _Request(without_prefix(scope, self._settings.root), self._settings)
        out = _Out(send, request)
        try:
            await self._answer(request, receive, out)
        except HTTPException as error:
            if error.status_code == _TOO_LARGE:
                await _drained(receive)
            await out.refuse(error.status_code, str(error.detail))
        except Exception:  # noqa: BLE001 - a bug is logged, and never shown
            _log.exception("failed on %s %.200s", scope["method"], ascii(path))
            await out.refuse(500, "this server has failed on the question")
        seconds = time.perf_counter() - began
        self._metrics.answered(request.kind, out.status, seconds)
        _log.debug(
            "%s %s %d %.1f ms", scope["method"], ascii(path)[1:-1], out.status, 1000 * seconds
        )

    async def _answer(self, request: _Request, receive: Receive, out: _Out) -> None:
        request.check()
        if request.is_preflight:
            await out.send_all(204, [(b"cache-control", b"max-age=600"), *request.preflight()], b"")
            return
        if request.method == "GET" and request.is_cacheable:
            await self._answer_cached(request, receive, out)
            return
        await self._app(request.scope, self._bounded(receive), out.send)

    async def _answer_cached(self, request: _Request, receive: Receive, out: _Out) -> None:
        """Answer from the cache where it can, else let the app do it and keep the answer."""
        generation = self._current.generation
        if generation != self._generation:
            self._cache.clear()
            self._generation = generation
        tag = etag(__version__, generation, request.question)
        kept = self._cache.get(generation, request.question)
        self._metrics.looked_up(hit=kept is not None)
        if kept and request.headers.get(b"if-none-match") == tag:
            headers = [each for each in kept.headers if each[0] != b"content-length"]
            await out.send_all(304, headers, b"")
        elif kept:
            await out.send_all(_HTTP_OK, kept.headers, kept.body)
        else:
            await self._app(request.scope, self._bounded(receive), out.collect)
            if out.is_public:
                out.headers.append((b"etag", tag))
                self._cache.put(generation, request.question, Kept(out.headers, out.body))
            await out.send_all(out.status, out.headers, out.body)

    def _bounded(self, receive: Receive) -> Receive:
        """Return a `receive` that ends a body that is too large or too slow."""
        n_bytes, is_complete = 0, False
        deadline = time.monotonic() + self._settings.body_seconds

        async def bounded() -> Message:
            nonlocal n_bytes, is_complete
            if is_complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0, deadline - time.monotonic()))
            except TimeoutError:
                raise HTTPException(408, "the body of the request was too slow") from None
            n_bytes += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if n_bytes > MAX_BODY:
                raise HTTPException(413, f"the body is longer than {MAX_BODY:,} bytes")
            return message

        return bounded


async def _drained(receive: Receive) -> None:
    """Take in what is left of a body, within bounds: a client reads no answer while it sends."""
    n_bytes = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while n_bytes < _DRAINED:
                message = await receive()
                n_bytes += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


class _Request:
    """A request as the guard reads it."""

    def __init__(self, scope: MutableMapping[str, Any], settings: Settings) -> None:
        self._settings = settings
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.is_head = scope["method"] == "HEAD"
        self.method = "GET" if self.is_head else scope["method"]
        self.scope: MutableMapping[str, Any] = {**scope, "method": self.method}
        self.path: str = scope["path"]
        self.question: bytes = (scope.get("raw_path") or b"") + b"?" + scope["query_string"]
        if self.path.startswith("/embed/"):  # a fragment names the host
            self.question += b" " + self.headers.get(b"host", b"")
        first = self.path.lstrip("/").partition("/")[0].partition(".")[0]
        kind = _KINDS.get(first, first)
        self.kind = kind if kind in ROUTES else "other"

    @property
    def is_cacheable(self) -> bool:
        return self.kind not in {"health", "mcp", "static", *_PRIVATE}

    @property
    def is_preflight(self) -> bool:
        return self.method == "OPTIONS" and self.allowed_origin is not None

    @property
    def allowed_origin(self) -> bytes | None:
        """The origin of a script that may read the answer; None if it may not."""
        origin = self.headers.get(b"origin", b"")
        is_data = self.path.startswith(_READABLE) or self.path.endswith(".json")
        is_data = is_data and self.kind not in _PRIVATE
        allowed = self._settings.origins
        known = "*" in allowed or origin.decode("latin-1") in allowed
        return origin if origin and is_data and known else None

    def with_prefix(self, step: str) -> str:
        return step_with_prefix(step, self._settings.root)

    def preflight(self) -> Headers:
        return [
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", b"content-type"),
        ]

    def check(self) -> None:
        """Refuse a request for another host, or one that is too large by what it says itself.

        Raises:
            HTTPException: it is refused.
        """
        if not self._is_known_host(self.headers.get(b"host", b"").decode("latin-1")):
            raise HTTPException(421, "the request is for another host than this server's")
        if len(self.question) > MAX_QUERY:
            raise HTTPException(414, f"the address is longer than {MAX_QUERY:,} bytes")
        length = self.headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > MAX_BODY:
            raise HTTPException(413, f"the body is longer than {MAX_BODY:,} bytes")

    def _is_known_host(self, host: str) -> bool:
        """Report whether a host is ours: a name that was given, or an address in numbers.

        A page of another site cannot make a browser send those for a name of its own.
        """
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        name = name.casefold()
        if name in {"localhost", *self._settings.hosts}:
            return True
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True


class _Out:
    """Sends an answer, with the headers that every answer has."""

    def __init__(self, send: Send, request: _Request) -> None:
        self._send = send
        self._request = request
        self._is_started = False
        self.status = 500
        self.headers: Headers = []
        self.body = b""

    @property
    def is_public(self) -> bool:
        """Whether the answer may be kept."""
        kept = dict(self.headers).get(b"cache-control", b"")
        return self.status == _HTTP_OK and kept.startswith(b"public")

    async def collect(self, message: Message) -> None:
        """Take in what the app sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message["headers"])
        else:
            self.body += message.get("body", b"")

    async def send(self, message: Message) -> None:
        """Send what the app sends."""
        if message["type"] == "http.response.start":
            self._is_started = True
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], *self._added()]}
        elif self._request.is_head:
            message = {**message, "body": b""}
        await self._send(message)

    async def send_all(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, status: int, why: str) -> None:
        """Send an error in the shape of all errors, unless an answer is under way."""
        if self._is_started:
            return
        step = self._request.with_prefix(_NEXT.get(status, ""))
        text = {"ok": False, "error": why, "status": status, "next_step": step}
        body = msgspec.json.encode(text)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
        ]
        await self.send_all(status, headers, body)

    def _added(self) -> Headers:
        request = self._request
        added: Headers = list(_EVERYWHERE)
        added += _EMBEDDED if request.path.startswith(_EVERYONES) else _OWN
        origin = request.allowed_origin
        if origin is not None:
            added += [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
        return added


_NEXT = {
    408: "send it again, at once",
    413: "send one study's record, not a file of many",
    414: "send a long question as JSON: POST /api/v1/related",
    421: "start it with --allow-host NAME, or ask by its address in numbers",
    500: "try again; if it happens again, report it with the line of the server's log",
}
