"""The web app: pages, API, embeds and the server for assistants, behind one guard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from mcp.server.transport_security import TransportSecuritySettings
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simsearch import __version__
from simsearch.errors import SimsearchError
from simsearch.index.opened import OpenedIndex
from simsearch.web import draft, embed, pages, replies, reviews, views
from simsearch.web.api import include_api
from simsearch.web.current import CurrentIndex
from simsearch.web.errors import Problem, http_problem, problem_of
from simsearch.web.mcp import mcp_server
from simsearch.web.metrics import Metrics
from simsearch.web.prefix import Prefixed, step_with_prefix
from simsearch.web.rendering import static_files
from simsearch.web.security import Guard
from simsearch.web.service import Service
from simsearch.web.settings import MAX_BODY, Settings
from simsearch.web.shape_errors import shape_error

_FOREVER = "public, max-age=31536000, immutable"
_GUARDED = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # `Guard` does it
_NEVER = {"cache-control": "no-store"}


def create_app(
    current: CurrentIndex,
    settings: Settings | None = None,
    metrics: Metrics | None = None,
    *,
    parent: int = 0,
) -> FastAPI:
    """Return the app over an index, which is closed with it.

    Args:
        current: the index that is served.
        settings: names, origins and limits.
        metrics: counts what is answered.
        parent: the process that started this one, with which it ends; 0 for none.
    """
    settings, metrics = settings or Settings(), metrics or Metrics()
    service = Service(current, settings, metrics)
    assistants = mcp_server(service.run, str(current.path))
    endpoint = assistants.streamable_http_app(
        stateless_http=True, json_response=True, max_request_body_size=MAX_BODY,
        transport_security=_GUARDED,
    )  # fmt: skip

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(current.warm)
        following = asyncio.create_task(service.follow(parent))
        try:
            async with assistants.session_manager.run():
                yield
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
            service.close()

    app = FastAPI(
        title="simsearch", version=__version__, lifespan=lifespan,
        docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False,
    )  # fmt: skip
    app.router.routes += [*_system(service), *pages.routes(service), *draft.routes(service)]
    app.router.routes += [*views.routes(service), *embed.routes(service), *endpoint.routes]
    app.router.routes += reviews.routes(service)
    include_api(app, service)
    _report_errors(app, str(current.path), settings.root)
    if settings.root:
        app.add_middleware(Prefixed, root=settings.root)
    app.add_middleware(Guard, current=current, settings=settings, metrics=metrics)
    return app


def _system(service: Service) -> list[Route]:
    """Return what watches over the server, and the files of pages."""

    async def healthz(_: Request) -> Response:
        return replies.json({"ok": True}, cache="no-store")

    async def readyz(_: Request) -> Response:
        def ready(index: OpenedIndex) -> Response:
            facts = index.facts
            _ = index.store.row_of("NCT00000000")
            shown = {
                "ok": True, "generation": facts.generation, "records_date": facts.records_date,
            }  # fmt: skip
            return replies.json(shown, cache="no-store")

        return await service.run(ready)

    async def metrics(_: Request) -> Response:
        def told(index: OpenedIndex) -> str:
            return service.metrics.text(index.facts)

        text = await service.run(told)
        return Response(text, 200, _NEVER, "text/plain; version=0.0.4; charset=utf-8")

    async def static(request: Request) -> Response:
        found = static_files().get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return Response(found[0], 200, {"cache-control": _FOREVER}, found[1])

    async def icon(_: Request) -> Response:
        content = static_files().content("icon.svg")
        return Response(content, 200, {"cache-control": "public, max-age=86400"}, "image/svg+xml")

    return [
        Route("/favicon.ico", icon),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/static/{name}", static),
    ]


def _report_errors(app: FastAPI, index_path: str, root: str) -> None:
    """Let every error have the one shape."""

    def told(request: Request, found: Problem) -> Response:
        step = step_with_prefix(found.next_step, root)
        return replies.problem(request, msgspec.structs.replace(found, next_step=step))

    async def on_purpose(request: Request, error: Exception) -> Response:
        assert isinstance(error, SimsearchError)  # noqa: S101 - it is registered for these
        return told(request, problem_of(error, index_path))

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        return told(request, http_problem(error.status_code, error.detail))

    async def of_shape(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        found = shape_error(error.errors()[0], request.url.path)
        return told(request, problem_of(found, index_path))

    app.add_exception_handler(SimsearchError, on_purpose)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_shape)
