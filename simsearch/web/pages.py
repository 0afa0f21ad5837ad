"""The pages: start, study, several studies, why; each is also .json, and lists are exported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simsearch.facts import Facts
from simsearch.index.opened import OpenedIndex
from simsearch.search.answer import ask
from simsearch.search.facets import facet_counts
from simsearch.search.facts_of import lacking, with_facts
from simsearch.search.show_shape import SHOW_SCHEMA, full_shape
from simsearch.study import Study
from simsearch.web import asking, replies
from simsearch.web.asking import Asked
from simsearch.web.errors import NoPageError
from simsearch.web.linking import asked_of
from simsearch.web.listing import list_values
from simsearch.web.service import Service
from simsearch.web.settings import MAX_TEXT

_ENDING = re.compile(rf"(.*?)\.(json|{'|'.join(map(re.escape, replies.EXPORTS))})")
EXAMPLES = ("NCT03540472", "NCT00229619")
EXAMPLE_NUMBER = "2020-001154-22"
EXAMPLE_WORDS = "iron for anemia in pregnancy"


def routes(service: Service) -> list[Route]:
    """Return the pages over a service."""
    pages = _Pages(service)
    return [
        Route("/", pages.start),
        Route("/.json", pages.start_json),
        Route("/search", pages.search),
        Route("/study/{name}", pages.study),
        Route("/related", pages.related),
        Route("/related.{ending}", pages.related),
    ]


class _Pages:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def start(self, _: Request) -> Response:
        return await self._service.run(
            partial(_start, reviews=tuple(self._service.settings.reviews))
        )

    async def start_json(self, _: Request) -> Response:
        def shown(index: OpenedIndex) -> Response:
            return replies.json({"ok": True, "index": replies.index_shape(index.facts)})

        return await self._service.run(shown)

    async def search(self, request: Request) -> Response:
        """Send a person who typed something to the page that answers it."""
        typed = request.query_params.get("q", "").strip()[:MAX_TEXT]
        if not typed:
            return replies.moved("/")
        studies = asking.named_in(typed)
        if len(studies) == 1:
            return replies.moved(f"/study/{studies[0]}")
        found = Asked(studies=studies) if studies else Asked(texts=(typed,))
        return replies.moved(asking.address("/related", found))

    async def study(self, request: Request) -> Response:
        """Show a study, and last the studies most like it."""
        given, ending = _split(request.path_params["name"])
        asked = asked_of(request)
        if isinstance(asked, Response):
            return asked
        return await self._service.run(partial(_study, given=given, ending=ending, asked=asked))

    async def related(self, request: Request) -> Response:
        """Show the studies most like several, or like words, and unlike others."""
        asked = asked_of(request)
        if isinstance(asked, Response):
            return asked
        ending = request.path_params.get("ending", "")
        if ending and ending not in ("json", *replies.EXPORTS):
            raise NoPageError
        if not (asked.studies or asked.texts):
            return replies.moved("/")
        return await self._service.run(partial(_related, ending=ending, asked=asked))


def _split(name: str) -> tuple[str, str]:
    """Return the name of a study and the ending of the address, or none."""
    found = _ENDING.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")


def _start(index: OpenedIndex, reviews: Sequence[str]) -> Response:
    store = index.store
    numbers = [each for each in EXAMPLES if index.holds(each)] or store.nct_ids()[:3]
    examples = [index.study(each) for each in numbers]
    elsewhere = index.study(EXAMPLE_NUMBER) if index.holds(EXAMPLE_NUMBER) else None
    together = asking.address("/related", Asked(studies=tuple(each.nct_id for each in examples)))
    words = asking.address("/related", Asked(texts=(EXAMPLE_WORDS,)))
    return replies.html(
        "start.html", facts=index.facts, examples=examples, elsewhere=elsewhere,
        number=EXAMPLE_NUMBER, together=together, words=(EXAMPLE_WORDS, words),
        counts=facet_counts(index), reviews=reviews,
    )  # fmt: skip


def _study(index: OpenedIndex, given: str, ending: str, asked: Asked) -> Response:
    row = index.row_of(given)
    (study,) = with_facts(index, index.store.studies([row]))
    dot = f".{ending}" if ending else ""
    if given != study.nct_id:
        return replies.moved(asking.address(f"/study/{study.nct_id}{dot}", asked))
    asked = msgspec.structs.replace(asked, studies=(study.nct_id,), unlike=(), texts=())
    question = asked.question(facts=replies.needs_facts(ending))
    answer = ask(index, question) if index.has_text[row] else None
    if ending == "json" or (ending and answer is None):
        return replies.json(
            {
                "ok": True, "schema": SHOW_SCHEMA, "study": full_shape(study),
                "lacks": lacking(index),
                "related": replies.answered(answer) if answer else None,
                "index": replies.index_shape(index.facts),
            }
        )  # fmt: skip
    if answer and ending:
        return replies.export(answer, ending, f"related-{study.nct_id}")
    base = msgspec.structs.replace(asked, studies=())  # the address names it
    listed = list_values(index, answer, asked, f"/study/{study.nct_id}", base) if answer else {}
    return replies.html(
        "study.html", study=study, lacks=lacking(index), sections=_sections(study),
        **{"answer": None, "facts": index.facts} | listed,
    )  # fmt: skip


def _sections(study: Study) -> list[tuple[str, str]]:
    """Return the sections of a study's page: anchor and heading."""
    facts = study.facts or Facts()
    outcomes = facts.primary_outcomes or facts.secondary_outcomes or facts.other_outcomes
    are_there = {
        ("basic", "Basic information"): True,
        ("summary", "Brief summary"): study.summary,
        ("description", "Detailed description"): facts.description,
        ("conditions", "Conditions"): study.conditions,
        ("design", "Study design"): facts.allocation
        or facts.intervention_model or facts.observational_model or facts.time_perspective
        or facts.primary_purpose or facts.masking or facts.who_masked,
        ("groups", "Study groups"): facts.arms,
        ("interventions", "Interventions"): study.interventions,
        ("outcomes", "Outcomes"): outcomes or study.outcomes,
        ("eligibility", "Eligibility"): facts.criteria
        or facts.minimum_age or facts.maximum_age or facts.sex,
        ("sponsors", "Sponsors"): study.sponsor,
        ("locations", "Locations"): facts.sites or study.countries,
        ("references", "References"): facts.references,
        ("numbers", "Other identifiers"): facts.other_numbers or study.aliases,
    }  # fmt: skip
    return [section for section, there in are_there.items() if there]


def _related(index: OpenedIndex, ending: str, asked: Asked) -> Response:
    answer = ask(index, asked.question(facts=replies.needs_facts(ending)))
    if ending == "json":
        return replies.json({"ok": True, **replies.answered(answer)})
    if ending:
        return replies.export(answer, ending, "related")
    return replies.html("related.html", **list_values(index, answer, asked, "/related", asked))
