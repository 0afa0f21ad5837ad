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
from simsearch.output.neighbourhood_map import neighbourhood_map, trust
from simsearch.output.timeline import timeline
from simsearch.search.answer import Answer, ask
from simsearch.search.neighbourhood import neighbourhood
from simsearch.study import Study
from simsearch.web import replies
from simsearch.web.asking import Asked
from simsearch.web.linking import MOST_VIEWED, Addresses, asked_of, view_tabs
from simsearch.web.service import Service


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
            if asked.k > MOST_VIEWED:
                raise ArgumentError("k", asked.k, f"from 1 to {MOST_VIEWED}")
            view = partial(_view, name=name, ending=ending, asked=asked, draw=made[name])
            return await service.run(view)

        return Route(f"/{name}.{ending}" if ending else f"/{name}", shown)

    return [route(name, ending) for name in made for ending in ("", "json", "svg")]


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
        svg=Markup(picture.svg), note=picture.note, view=view_tabs(asked),  # noqa: S704 - escaped where it is made
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
