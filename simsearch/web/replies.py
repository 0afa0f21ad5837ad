"""Replies: pages, JSON, exports and errors, with the headers that say how long they hold."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from simsearch.index.directory import IndexFacts
from simsearch.output.formats import WITH_FACTS, View, format_names, write
from simsearch.search.answer import Answer
from simsearch.search.compare import Comparison
from simsearch.search.shape import answer_shape
from simsearch.web.errors import Problem
from simsearch.web.rendering import page

HOLDS = "public, max-age=60, stale-while-revalidate=600"
"""How long an answer may be taken for current: an index changes once a day."""

_JSON = "application/json"

EXPORTS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        name: shown
        for name, shown in {
            "csv": ("csv", "text/csv; charset=utf-8", "CSV"),
            "ris": ("ris", "application/x-research-info-systems; charset=utf-8", "RIS"),
            "asreview.csv": ("asreview", "text/csv; charset=utf-8", "ASReview"),
            "bib": ("bibtex", "application/x-bibtex; charset=utf-8", "BibTeX"),
            "jsonl": ("jsonl", "application/jsonl; charset=utf-8", "JSON Lines"),
            "txt": ("ids", "text/plain; charset=utf-8", "NCT IDs"),
        }.items()
        if shown[0] in format_names("answer")
    }
)
"""Ending of an address → the format of answers, its type and its name."""


def html(template: str, /, *, status: int = 200, cache: str = HOLDS, **values: Any) -> Response:
    """Return a page."""
    return Response(
        page(template, **values), status, {"cache-control": cache}, "text/html; charset=utf-8"
    )


def json(value: Any, *, status: int = 200, cache: str = HOLDS) -> Response:
    """Return an object as JSON."""
    return Response(msgspec.json.encode(value), status, {"cache-control": cache}, _JSON)


def feed(text: str) -> Response:
    """Return an Atom feed."""
    return Response(text, 200, {"cache-control": "no-store"}, "application/atom+xml; charset=utf-8")


def export(answer: Answer, ending: str, name: str, *, cache: str = HOLDS) -> Response:
    """Return an answer as a file to save.

    Args:
        answer: the answer.
        ending: one of `EXPORTS`.
        name: of the file, without its ending; letters, digits, `-` and `_`.
        cache: how long it holds.
    """
    form, kind, _ = EXPORTS[ending]
    text = "".join(write("answer", answer, form, View(explain=True)))
    headers = {
        "cache-control": cache,
        "content-disposition": f'attachment; filename="{name}.{ending}"',
    }
    return Response(text, 200, headers, kind)


def needs_facts(ending: str) -> bool:
    """Report whether a list exported with this ending has facts of its studies."""
    return ending in EXPORTS and EXPORTS[ending][0] in WITH_FACTS


def moved(address: str) -> Response:
    """Return a redirect to an address of ours.

    Raises:
        ValueError: it could lead elsewhere.
    """
    if address.startswith(("//", "/\\")) or not address.startswith(("/", "?")):
        raise ValueError(f"not an address of ours: {address[:40]!r}")
    return RedirectResponse(address, 303, {"cache-control": "no-store"})


def problem(request: Request, found: Problem) -> Response:
    """Return an error: as JSON to programs, as a page to people."""
    if wants_json(request):
        return json(found, status=found.status, cache="no-store")
    return html("error.html", status=found.status, cache="no-store", problem=found, facts=None)


def wants_json(request: Request) -> bool:
    """Report whether a request is a program's."""
    path = request.url.path
    endings = (".json", *(f".{ending}" for ending in EXPORTS))
    if path.startswith(("/api/v1", "/mcp", "/healthz", "/readyz", "/metrics")):
        return True
    return path.endswith(endings) or "text/html" not in request.headers.get(
        "accept", "*/*,text/html"
    )


def index_shape(facts: IndexFacts) -> dict[str, Any]:
    """Return the facts of the index without where it lies."""
    return {**msgspec.to_builtins(facts), "path": index_name(facts)}


def answered(answer: Answer, **further: Any) -> dict[str, Any]:
    """Return an answer as JSON has it (docs/json.md), without where the index lies.

    Args:
        answer: the answer.
        **further: fields beside those of the answer, such as `next`.
    """
    return {
        **answer_shape(answer),
        "notes": answer.notes,
        "index": index_shape(answer.facts),
    } | further


def compared(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON has it, without where the index lies."""
    return comparison.to_dict() | {"index": index_shape(comparison.facts)}


def index_name(facts: IndexFacts) -> str:
    """Return the name of the folder of an index, without those around it."""
    return facts.path.rstrip("/").rpartition("/")[2]
