"""The HTTP API, version 1: what the pages show, as JSON."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Path, Query
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simsearch import __version__
from simsearch.index.opened import OpenedIndex
from simsearch.records import read_draft_text
from simsearch.search.answer import Answer, ask
from simsearch.search.compare import compare
from simsearch.search.facts_of import with_facts
from simsearch.search.show_shape import full_shape
from simsearch.study import Study
from simsearch.web import replies
from simsearch.web.api_models import (
    ERRORS,
    CompareAnswer,
    CompareBody,
    Filtering,
    IndexAnswer,
    RelatedAnswer,
    RelatedBody,
    RelatedQuery,
    StudyAnswer,
)
from simsearch.web.asking import address
from simsearch.web.errors import EXAMPLE, ParameterError
from simsearch.web.service import Service
from simsearch.web.settings import MAX_K

_DESCRIPTION = """\
The clinical studies most like a given one, each with its similarity and the reason for it.

Every answer names the generation of the index and the date of its records. An `ETag` holds for
as long as the generation does. Errors have one shape: `ok` is false, `error` says what is wrong,
`next_step` what to do. Unknown parameters are refused.
"""
_ID = Annotated[
    str, Path(description="An NCT ID in any spelling, or a study's number in another registry.")
]


def include_api(app: FastAPI, service: Service) -> None:
    """Add the API, its description and the page about it."""
    app.include_router(_router(service))
    root = service.settings.root
    description = get_openapi(
        title="simsearch", version=__version__, description=_DESCRIPTION, routes=app.routes,
        servers=[{"url": root}] if root else None,
    )  # fmt: skip
    _without_automatic_errors(description)
    text = msgspec.json.encode(description)

    async def openapi(_: Request) -> Response:
        return Response(text, 200, {"cache-control": replies.HOLDS}, "application/json")

    async def about(_: Request) -> Response:
        shown = list(_operations(description))
        return replies.html("api.html", facts=None, operations=shown, example=EXAMPLE, root=root)

    app.router.routes += [Route("/api/v1/openapi.json", openapi), Route("/api", about)]


def _router(service: Service) -> APIRouter:
    root = service.settings.root
    router = APIRouter(prefix="/api/v1", responses=ERRORS)

    @router.get("/index", response_model=IndexAnswer, summary="The index that answers")
    async def index(request: Request) -> Response:
        _refuse_unknown(request, ())
        return await service.run(_index)

    @router.get("/studies/{nct_id}", response_model=StudyAnswer, summary="A study")
    async def study(request: Request, nct_id: _ID) -> Response:
        _refuse_unknown(request, ())
        return await service.run(partial(_study, nct_id=nct_id))

    @router.get(
        "/studies/{nct_id}/related",
        response_model=RelatedAnswer,
        summary="The studies most like one",
    )
    async def related(nct_id: _ID, query: Annotated[RelatedQuery, Query()]) -> Response:
        return await service.run(partial(_related, nct_id=nct_id, query=query, root=root))

    @router.post(
        "/related",
        response_model=RelatedAnswer,
        summary="The studies most like several, words or a draft",
    )
    async def related_to_several(request: Request, body: RelatedBody) -> Response:
        _refuse_unknown(request, ())
        return await service.run(partial(_several, body=body))

    @router.post(
        "/compare",
        response_model=CompareAnswer,
        summary="The designs of a study and of those most like it, with a benchmark",
    )
    async def compared(request: Request, body: CompareBody) -> Response:
        _refuse_unknown(request, ())
        return await service.run(partial(_compared, body=body))

    return router


def _refuse_unknown(request: Request, known: tuple[str, ...]) -> None:
    for name in request.query_params:
        if name not in known:
            raise ParameterError(name, known)


def _index(index: OpenedIndex) -> Response:
    return replies.json({"ok": True, "index": replies.index_shape(index.facts)})


def _study(index: OpenedIndex, nct_id: str) -> Response:
    (study,) = with_facts(index, [index.study(nct_id)])
    facts = replies.index_shape(index.facts)
    return replies.json({"ok": True, "study": full_shape(study), "index": facts})


def _related(index: OpenedIndex, nct_id: str, query: RelatedQuery, root: str) -> Response:
    asked = query.asked(studies=(nct_id,))
    answer = ask(index, asked.question())
    following = _next(answer, nct_id, query)
    shown = replies.answered(answer, next=following and root + following)
    shown["neighbours"] = shown["neighbours"][query.offset :]
    return replies.json({"ok": True, **shown})


def _next(answer: Answer, nct_id: str, query: RelatedQuery) -> str | None:
    """Return the address of the neighbours that follow; None where there are none."""
    done = query.offset + query.k
    if len(answer) < done or done >= MAX_K:
        return None
    path = address(f"/api/v1/studies/{nct_id}/related", query.asked(), k=query.k)
    return f"{path}{'&' if '?' in path else '?'}offset={done}"


def _several(index: OpenedIndex, body: RelatedBody) -> Response:
    answer = ask(index, body.asked().question(_drafts(body)))
    return replies.json({"ok": True, **replies.answered(answer, next=None)}, cache="no-store")


def _compared(index: OpenedIndex, body: CompareBody) -> Response:
    found = compare(index, body.asked().question(_drafts(body)), groups=body.groups)
    return replies.json({"ok": True, **replies.compared(found)}, cache="no-store")


def _drafts(body: RelatedBody) -> list[Study]:
    if body.draft is None:
        return []
    return [read_draft_text(msgspec.json.encode(body.draft), "the draft")]


def _without_automatic_errors(description: dict[str, Any]) -> None:
    """Leave out the shape of FastAPI's own validation errors: ours takes its place."""
    schemas = description["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for operations in description["paths"].values():
        for operation in operations.values():
            content = operation["responses"]["422"]["content"]["application/json"]
            content["schema"] = {"$ref": "#/components/schemas/ErrorModel"}


def _operations(description: dict[str, Any]) -> Any:
    """Yield what the page about the API shows of each operation."""
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody")
            fields = _fields(description, body) if body else {}
            parameters = [
                (each["name"], each["in"], each["schema"], each.get("description", ""))
                for each in operation.get("parameters", ())
            ]
            parameters += [
                (name, "body", schema, schema.get("description", ""))
                for name, schema in fields.items()
            ]
            yield {
                "method": method.upper(), "path": path, "summary": operation["summary"],
                "parameters": [
                    (name, where, _kind(schema), why) for name, where, schema, why in parameters
                ],
            }  # fmt: skip


def _fields(description: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Return field → schema of the body that an operation takes, what is asked about first."""
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    fields: dict[str, Any] = description["components"]["schemas"][name]["properties"]
    return dict(sorted(fields.items(), key=lambda field: field[0] in Filtering.model_fields))


def _kind(schema: dict[str, Any]) -> str:
    """Return a type in a word or two."""
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    kind = str(schema.get("const", schema.get("type", "text")))
    if kind == "array":
        return "texts, repeated"
    words = {
        "string": "text",
        "integer": "whole number",
        "boolean": "true or false",
        "object": "object",
    }
    kind = words.get(kind, kind)
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and high <= 1000:  # noqa: PLR2004 - more says little
        kind += f", {low:g} to {high:g}"
    return kind
