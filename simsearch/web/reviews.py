"""The pages of reviews: where one stands, what to screen next, and decisions; its news as a feed.

Reading never writes. A decision is written into the folder as `simsearch review keep` does it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args
from urllib.parse import quote

import msgspec
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simsearch.diff.changes import compare
from simsearch.errors import ArgumentError, NoEarlierGenerationError
from simsearch.index.opened import OpenedIndex
from simsearch.output.feed import feed
from simsearch.output.formats import View, write
from simsearch.output.review import suggestion_row, twin_line
from simsearch.output.review_chart import gain_curve
from simsearch.review import SUPPLEMENT
from simsearch.review.at_hand import at_hand, decide_at_hand, latest, renewed, undo
from simsearch.review.folder import Review, Verdict, open_review
from simsearch.review.news import review_news
from simsearch.review.status import PER_POINT, Status, status_of
from simsearch.study import Study, parse_nct_id
from simsearch.web import replies
from simsearch.web.deciding import check_form, may_decide
from simsearch.web.errors import NoPageError
from simsearch.web.service import Service
from simsearch.web.settings import Settings

SCHEMA = "simsearch.review.page/1"
_N_LATEST = 8
_PRIVATE = "no-store"
_MOST_BYTES = 10_000  # of a field of a form

Value = TypeVar("Value")


def routes(service: Service) -> list[Route]:
    """Return the pages over a service."""
    pages = _Pages(service)
    return [
        Route("/review/{name}", pages.show, methods=["GET"]),
        Route("/review/{name}", pages.decide, methods=["POST"]),
        Route("/feed/{name}", pages.news),
    ]


class _Pages:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._settings = service.settings

    async def show(self, request: Request) -> Response:
        """Show a review, as a page or as JSON."""
        name, is_json = self._named(request.path_params["name"])
        folder = self._settings.reviews[name]
        if is_json:
            return await self._service.run(partial(_json, folder=folder))
        shown = partial(
            _page, name=name, folder=folder, again=request.query_params.get("study", ""),
            token=self._settings.token if may_decide(request, self._settings) else "",
        )  # fmt: skip
        return await self._service.run(shown)

    async def decide(self, request: Request) -> Response:
        """Take a decision, and show the review again."""
        name = request.path_params["name"]
        async with request.form(max_files=0, max_fields=5, max_part_size=_MOST_BYTES) as form:
            check_form(request, form, self._settings)
            if name not in self._settings.reviews:
                raise NoPageError
            work = partial(_decided, form, self._settings, self._settings.reviews[name])
        shown = await self._service.run(work)
        return replies.moved(f"/review/{quote(name, safe='')}{shown}#at-hand")

    async def news(self, request: Request) -> Response:
        """Return what the last update brought, as an Atom feed."""
        name = request.path_params["name"]
        if name not in self._settings.reviews:
            raise NoPageError
        folder, path = self._settings.reviews[name], self._service.current.path
        return await self._service.run(partial(_news, folder=folder, path=path))

    def _named(self, given: str) -> tuple[str, bool]:
        """Return the name of a review, and whether it is wanted as JSON.

        Raises:
            NoPageError: there is no such review.
        """
        for name, is_json in ((given, False), (given.removesuffix(".json"), True)):
            if name in self._settings.reviews:
                return name, is_json
        raise NoPageError


def _decided(form: FormData, settings: Settings, folder: Path, index: OpenedIndex) -> str:
    """Do what a form asks; return the parameters of the page to show then.

    Raises:
        NctIdError, ArgumentError: the form is none of ours.
        ReviewError: the folder cannot be read or written.
    """
    review = open_review(folder)
    action, study = (str(form.get(field) or "") for field in ("decision", "study"))
    if action == "renew":
        renewed(index, review)
        return ""
    nct_id = parse_nct_id(study)
    verdict = next((each for each in get_args(Verdict) if each == action), None)
    if verdict:
        decide_at_hand(index, review, nct_id, verdict, settings.by)
        return ""
    if action != "undo":
        known = ", ".join((*get_args(Verdict), "undo", "renew"))
        raise ArgumentError("decision", action, f"one of {known}")
    undo(review, nct_id, settings.by)
    return f"?study={nct_id}"


def _page(index: OpenedIndex, name: str, folder: Path, again: str, token: str) -> Response:
    review = open_review(folder)
    status = status_of(index, review)
    decisions = review.decisions()
    found = at_hand(index, review).upcoming
    last = latest(decisions, _N_LATEST)
    can_undo = bool(last) and (
        last[0].batch > 0 or any(each.study == last[0].study for each in decisions[:-1])
    )
    waiting = [each for each in review.current().values() if each.decision == "undecided"]
    studies = _studies(index, [each.study for each in (*last, *waiting)])
    once_more = review.current().get(parse_nct_id(again)) if again else None
    return replies.html(
        "review.html", cache=_PRIVATE, facts=index.facts, name=name, state=status, found=found,
        last=last, can_undo=can_undo, waiting=waiting, studies=studies, token=token,
        once_more=once_more,
        again=_studies(index, [once_more.study])[once_more.study] if once_more else None,
        twin_line=twin_line, supplement=SUPPLEMENT,
        points=_points(status),
        chart=Markup(gain_curve(status.curve, status.n_screened, PER_POINT)),  # noqa: S704 - escaped where it is made
    )  # fmt: skip


def _points(status: Status) -> list[tuple[int, int]]:
    """Return the points of the curve: how many were screened, and kept of them."""
    kept = itertools.accumulate(status.curve)
    return [(min((n + 1) * PER_POINT, status.n_screened), number) for n, number in enumerate(kept)]


def _studies(index: OpenedIndex, nct_ids: list[str]) -> dict[str, Study]:
    """Return NCT ID → study; one that the index lacks has only its number."""
    located = index.store.located(nct_ids)
    found = index.store.studies([row for row, _ in located.values()])
    known = dict(zip(located, found, strict=True))
    return {nct_id: known.get(nct_id, Study(nct_id=nct_id)) for nct_id in nct_ids}


def _json(index: OpenedIndex, folder: Path) -> Response:
    review = open_review(folder)
    status = status_of(index, review)
    found = at_hand(index, review)
    shape: dict[str, Any] = msgspec.to_builtins(status)
    del shape["facts"]
    return replies.json(
        {
            "ok": True, "schema": SCHEMA, **shape,
            "next": [suggestion_row(each) for each in found.upcoming.suggestions],
            "decisions": msgspec.to_builtins(latest(review.decisions(), len(review.decisions()))),
            "supplement": SUPPLEMENT,
            "index": replies.index_shape(index.facts),
        },
        cache=_PRIVATE,
    )  # fmt: skip


def _news(index: OpenedIndex, folder: Path, path: Path) -> Response:
    review = open_review(folder)

    def made() -> str:
        try:
            with compare(path) as both:
                return "".join(write("news", review_news(both, review), "atom", View()))
        except NoEarlierGenerationError:
            return feed(f"Review {review.settings.name}: new studies", index.facts.built, ())

    return replies.feed(_remembered(index, review, made))


def _remembered(index: OpenedIndex, review: Review, made: Callable[[], Value]) -> Value:
    """Return what was made before of the same decisions and generation, or else make it."""
    state = tuple((each.study, each.decision) for each in review.current().values())
    return index.remember(("news of a review", review.path, state), made)
