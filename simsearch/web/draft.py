"""The page for a trial that is not registered: a synopsis or a record, of which nothing is kept."""

from __future__ import annotations

import re
from functools import partial

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simsearch.errors import NothingToCompareError
from simsearch.index.opened import OpenedIndex
from simsearch.output.answer import closeness
from simsearch.output.compare_html import benchmark_fragment
from simsearch.records import read_draft_text
from simsearch.search.answer import ask
from simsearch.search.compare import compare
from simsearch.search.question import Question
from simsearch.study import Intervention, Study
from simsearch.web import replies
from simsearch.web.service import Service
from simsearch.web.settings import MAX_BODY, MAX_TEXT
from simsearch.web.views import own_links

K = 20
"""How many neighbours of a draft are shown."""

_RECORD = re.compile(r"\s*(\{|\[\s*\{|<[?!A-Za-z])")  # not "[18F]FDG …" or "<18 years …"
_KEEP_NOTHING = "no-store"


def routes(service: Service) -> list[Route]:
    """Return the page: empty to fill in, and answered."""

    async def empty(_: Request) -> Response:
        return await service.run(lambda index: replies.html("draft.html", facts=index.facts, k=K))

    async def answered(request: Request) -> Response:
        async with request.form(max_files=1, max_fields=10, max_part_size=MAX_BODY) as form:
            study = await _draft(form)
        return await service.run(partial(_answer, study=study))

    return [
        Route("/draft", empty, methods=["GET"]),
        Route("/draft", answered, methods=["POST"]),
        Route("/draft.json", partial(_json, service), methods=["POST"]),
    ]


async def _json(service: Service, request: Request) -> Response:
    async with request.form(max_files=1, max_fields=10, max_part_size=MAX_BODY) as form:
        study = await _draft(form)

    def shown(index: OpenedIndex) -> Response:
        answer = ask(index, Question(drafts=(study,), k=K))
        return replies.json({"ok": True, **replies.answered(answer)}, cache=_KEEP_NOTHING)

    return await service.run(shown)


async def _draft(form: FormData) -> Study:
    """Return the study that a form describes: an uploaded record, a pasted one, or a synopsis.

    Raises:
        SourceError: the record is none, or not one.
        NothingToCompareError: the form is empty.
    """
    file = form.get("record")
    if isinstance(file, UploadFile) and file.size:
        return read_draft_text(await file.read(), "the file")
    pasted = form.get("synopsis")
    if isinstance(pasted, str) and _RECORD.match(pasted):
        return read_draft_text(pasted.encode(), "the text")
    text = _field(form, "synopsis")
    title, conditions, interventions = (
        _field(form, name) for name in ("title", "conditions", "interventions")
    )
    if not (title or conditions or interventions or text):
        raise NothingToCompareError("the draft", "every field is empty")
    return Study(
        nct_id="",
        title=title,
        summary=text,
        conditions=_listed(conditions),
        interventions=tuple(Intervention(name) for name in _listed(interventions)),
    )


def _field(form: FormData, name: str) -> str:
    value = form.get(name)
    return " ".join(value.split())[:MAX_TEXT] if isinstance(value, str) else ""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split("[;,]", text) if part.strip())


def _answer(index: OpenedIndex, study: Study) -> Response:
    question = Question(drafts=(study,), k=K)
    answer = ask(index, question)
    designs = compare(index, question, groups=False)
    return replies.html(
        "drafted.html", cache=_KEEP_NOTHING, facts=index.facts, answer=answer, study=study,
        closeness=closeness(answer), benchmark=own_links(benchmark_fragment(designs)),
    )  # fmt: skip
