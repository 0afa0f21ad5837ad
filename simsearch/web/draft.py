"""The page for a trial that is not registered: a synopsis or a record, of which nothing is kept.

The draft travels with every form of the answer, so that its list is filtered, grown and saved like
that of a study, and the server forgets it each time.
"""

from __future__ import annotations

import re
from functools import partial

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simsearch.errors import NothingToCompareError
from simsearch.index.opened import OpenedIndex
from simsearch.output.compare_html import benchmark_fragment
from simsearch.records import read_draft_text
from simsearch.search.answer import ask
from simsearch.search.compare import compare
from simsearch.study import Intervention, Study
from simsearch.web import asking, replies
from simsearch.web.asking import Asked
from simsearch.web.errors import NoPageError
from simsearch.web.listing import list_values
from simsearch.web.service import Service
from simsearch.web.settings import MAX_BODY, MAX_TEXT, MOST_VIEWED
from simsearch.web.views import own_links

K = 20
"""How many neighbours of a draft are shown at first."""

_RECORD = re.compile(r"\s*(\{|\[\s*\{|<[?!A-Za-z])")  # not "[18F]FDG …" or "<18 years …"
_MAX_FIELDS = 500
_FORGOTTEN = "private, no-cache"  # a browser may show it again when a person goes back
_NO_STORE = "no-store"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A draft as a form describes it; `synopsis` may be a whole record."""

    title: str = ""
    conditions: str = ""
    interventions: str = ""
    synopsis: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """The fields that are filled in, for the next form."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in given.items() if value}

    def study(self) -> Study:
        """Return the study that it describes: a record, or a synopsis.

        Raises:
            SourceError: the record is none, or not one.
            NothingToCompareError: nothing is filled in.
        """
        if _RECORD.match(self.synopsis):
            return read_draft_text(self.synopsis.encode("utf-8", "replace"), "the record")
        if not self.fields:
            raise NothingToCompareError("the draft", "every field is empty")
        interventions = _listed(self.interventions)
        return Study(
            nct_id="",
            title=self.title,
            summary=_one_line(self.synopsis),
            conditions=_listed(self.conditions),
            interventions=tuple(Intervention(name) for name in interventions),
        )


def routes(service: Service) -> list[Route]:
    """Return the page: empty to fill in, and answered; an answer is also saved as a file."""

    async def empty(_: Request) -> Response:
        return await service.run(lambda index: replies.html("draft.html", facts=index.facts, k=K))

    async def answered(request: Request) -> Response:
        ending = request.path_params.get("ending", "")
        if ending and ending not in ("json", *replies.EXPORTS):
            raise NoPageError
        async with request.form(
            max_files=1, max_fields=_MAX_FIELDS, max_part_size=MAX_BODY
        ) as form:
            draft, asked = await _draft(form), _asked(form)
        return await service.run(partial(_answer, draft=draft, asked=asked, ending=ending))

    return [
        Route("/draft", empty, methods=["GET"]),
        Route("/draft", answered, methods=["POST"]),
        Route("/draft.{ending}", answered, methods=["POST"]),
    ]


async def _draft(form: FormData) -> Draft:
    """Return the draft of a form; an uploaded record takes the place of what is pasted."""
    file = form.get("record")
    if isinstance(file, UploadFile) and file.size:
        return Draft(synopsis=(await file.read()).decode("utf-8-sig", "replace"))
    texts = {name: _text(form, name) for name in Draft.__struct_fields__}
    if not _RECORD.match(texts["synopsis"]):
        texts["synopsis"] = texts["synopsis"].strip()[:MAX_TEXT]
    return Draft(**texts | {name: _one_line(texts[name]) for name in texts if name != "synopsis"})


def _asked(form: FormData) -> Asked:
    """Return the filters of a form, and the studies that are kept or pushed away."""
    given = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    dropped = [value for name, value in given if name == "drop"]
    is_cleared = any(name == "clear" for name, _ in given)
    pairs = [
        (name, value)
        for name, value in given
        if value not in dropped and name != "text" and (name in asking.ABOUT or not is_cleared)
    ]
    pairs += [("k", value) for name, value in given if name == "more"]
    return asking.parsed(asking.without_empty([("k", str(K)), *pairs]))


def _answer(index: OpenedIndex, draft: Draft, asked: Asked, ending: str) -> Response:
    study = draft.study()
    question = asked.question([study], facts=replies.needs_facts(ending))
    answer = ask(index, question)
    if ending == "json":
        return replies.json({"ok": True, **replies.answered(answer)}, cache=_NO_STORE)
    if ending:
        return replies.export(answer, ending, "related-draft", cache=_NO_STORE)
    few = msgspec.structs.replace(question, k=min(question.k, MOST_VIEWED))
    designs = compare(index, few, groups=False)
    values = list_values(index, answer, asked, "/draft", asked) | {"draft": draft, "study": study}
    return replies.html(
        "drafted.html", cache=_FORGOTTEN, benchmark=own_links(benchmark_fragment(designs)), **values
    )


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_TEXT]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split("[;,]", text) if part.strip())
