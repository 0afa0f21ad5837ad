"""Further views of a list: designs compared, a timeline, a map."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simsearch.errors import ArgumentError
from simsearch.index.opened import OpenedIndex
from simsearch.output.compare_html import benchmark_fragment, table_fragment, topics_fragment
from simsearch.output.compare_parts import intro, missing_note
from simsearch.output.formats import View, write
from simsearch.output.neighbourhood_map import neighbourhood_map, trust
from simsearch.output.timeline import timeline
from simsearch.search.answer import Answer, ask
from simsearch.search.compare import compare
from simsearch.search.neighbourhood import neighbourhood
from simsearch.search.question import DEFAULT_K
from simsearch.study import STUDY_URL, Study
from simsearch.web import replies
from simsearch.web.asking import Asked
from simsearch.web.errors import NoPageError
from simsearch.web.linking import Addresses, asked_of, view_tabs
from simsearch.web.service import Service
from simsearch.web.settings import MOST_VIEWED


def routes(service: Service) -> list[Route]:
    """Return the views, each as a page, as JSON and as SVG."""
    made = {"timeline": _timeline, "map": _map}

    def route(name: str, ending: str) -> Route:
        async def shown(request: Request) -> Response:
            asked = asked_of(request)
            if isinstance(asked, Response):
                return asked
            if not asked.studies:
                raise ArgumentError("study", "", "the NCT ID of a study")
            asked = _within(asked, request)
            view = partial(_view, name=name, ending=ending, asked=asked, draw=made[name])
            return await service.run(view)

        return Route(f"/{name}.{ending}" if ending else f"/{name}", shown)

    async def compared(request: Request) -> Response:
        asked = asked_of(request)
        if isinstance(asked, Response):
            return asked
        ending = request.path_params.get("ending", "")
        if ending not in ("", "json", "csv"):
            raise NoPageError
        if not (asked.studies or asked.texts):
            raise ArgumentError("study", "", "the NCT ID of a study")
        asked = _within(asked, request)
        return await service.run(partial(_compared, ending=ending, asked=asked))

    pictures = [route(name, ending) for name in made for ending in ("", "json", "svg")]
    return [*pictures, Route("/compare", compared), Route("/compare.{ending}", compared)]


def _within(asked: Asked, request: Request) -> Asked:
    """Return what is asked, for 20 neighbours where it does not say how many.

    Raises:
        ArgumentError: for more than a view shows.
    """
    if asked.k > MOST_VIEWED:
        raise ArgumentError("k", asked.k, f"from 1 to {MOST_VIEWED}")
    return asked if "k" in request.query_params else msgspec.structs.replace(asked, k=DEFAULT_K)


def _compared(index: OpenedIndex, ending: str, asked: Asked) -> Response:
    found = compare(index, asked.question(), groups=ending != "csv")
    if ending == "json":
        return replies.json({"ok": True, **replies.compared(found)})
    if ending == "csv":
        text = "".join(write("comparison", found, "csv", View()))
        headers = {
            "cache-control": replies.HOLDS,
            "content-disposition": 'attachment; filename="designs.csv"',
        }
        return Response(text, 200, headers, "text/csv; charset=utf-8")
    parts = (benchmark_fragment(found), topics_fragment(found), table_fragment(found))
    return replies.html(
        "compare.html", facts=index.facts, answer=found, asked=asked, notes=missing_note(found),
        intro=intro(found), fragments=own_links("".join(parts)), view=view_tabs(asked),
        export=Addresses("/compare", asked), several=Addresses("/compare", asked),
    )  # fmt: skip


def own_links(fragment: str) -> Markup:
    """Return a fragment of the library, whose texts are escaped, with links to our own pages."""
    return Markup(fragment.replace(f'href="{STUDY_URL}', 'href="/study/'))  # noqa: S704


class _Picture(msgspec.Struct, frozen=True):
    svg: str
    note: str
    shape: dict[str, Any]


def _view(index: OpenedIndex, name: str, ending: str, asked: Asked, draw: Any) -> Response:
    answer = ask(index, asked.question())
    studies = [each.study for each in answer]
    picture: _Picture = draw(index, answer, studies)
    if ending == "json":
        return replies.json({"ok": True, **replies.answered(answer), name: picture.shape})
    if ending == "svg":
        headers = {
            "cache-control": replies.HOLDS,
            "content-disposition": f'attachment; filename="{name}.svg"',
        }
        return Response(picture.svg, 200, headers, "image/svg+xml")
    return replies.html(
        "view.html", facts=index.facts, answer=answer, asked=asked, name=name,
        svg=own_links(picture.svg), note=picture.note, view=view_tabs(asked),
        export=Addresses(f"/{name}", asked), several=Addresses(f"/{name}", asked),
    )  # fmt: skip


def _timeline(index: OpenedIndex, answer: Answer, studies: list[Study]) -> _Picture:
    svg = timeline(answer.query.studies, studies, index.facts.records_date)
    note = "From start to completion, as registered; the dashed line is the date of the records."
    return _Picture(svg, note, {"today": index.facts.records_date})


def _map(index: OpenedIndex, answer: Answer, studies: list[Study]) -> _Picture:
    every = [*answer.query.studies, *studies]
    found = neighbourhood(index, [each.nct_id for each in every])
    svg = neighbourhood_map(answer.query.studies, studies, found)
    note = f"Trials that lie near each other are alike; numbers are ranks. {trust(found.stress)}"
    return _Picture(svg, note, msgspec.to_builtins(found))
