"""The list to embed in other sites: a page for an iframe, a fragment, and the script for both."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simsearch.errors import ArgumentError
from simsearch.index.opened import OpenedIndex
from simsearch.search.answer import ask
from simsearch.web import asking, replies
from simsearch.web.rendering import static_files
from simsearch.web.service import Service

MAX_EMBEDDED = 20
"""The most neighbours of an embedded list."""

LABELS = MappingProxyType(
    {
        "en": {"title": "More related trials", "far": "not close from here on",
               "none": "No trial is close to this one.", "source": "Similar by topic. Data to"},
        "de": {"title": "Ähnliche Studien", "far": "ab hier nicht mehr nah",
               "none": "Keine Studie ist dieser nah.", "source": "Ähnlich nach Thema. Daten bis"},
        "es": {"title": "Más ensayos relacionados", "far": "a partir de aquí, poco parecidos",
               "none": "Ningún ensayo es cercano a este.",
               "source": "Similares por tema. Datos hasta"},
        "fr": {"title": "Autres essais apparentés", "far": "à partir d’ici, peu proches",
               "none": "Aucun essai n’est proche de celui-ci.",
               "source": "Similaires par sujet. Données jusqu’au"},
        "pt": {"title": "Mais ensaios relacionados", "far": "daqui em diante, pouco próximos",
               "none": "Nenhum ensaio é próximo deste.",
               "source": "Semelhantes por tema. Dados até"},
    }
)  # fmt: skip
"""Language → the words around the list; what records say stays as registered."""

THEMES = ("auto", "light", "dark", "inherit")
_OWN = ("theme", "lang", "links")


class Look(msgspec.Struct, frozen=True):
    """How an embedded list looks: theme, language of its labels, and where its links lead."""

    theme: str = "auto"
    lang: str = "en"
    links: str = "here"

    def __post_init__(self) -> None:
        allowed = {"theme": THEMES, "lang": tuple(LABELS), "links": ("here", "registry")}
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ArgumentError(name, getattr(self, name), f"one of {', '.join(values)}")


def routes(service: Service) -> list[Route]:
    """Return the list to embed, and its script."""

    async def framed(request: Request) -> Response:
        return await service.run(partial(_listed, request=request))

    async def fragment(request: Request) -> Response:
        home = f"//{request.url.netloc}{service.settings.root}"
        return await service.run(partial(_listed, request=request, home=home))

    async def script(_: Request) -> Response:
        content = static_files().content("embed.js")
        headers = {"cache-control": "public, max-age=3600"}
        return Response(content, 200, headers, "text/javascript; charset=utf-8")

    return [
        Route("/embed.js", script),
        Route("/embed/{nct_id}", framed),
        Route("/embed/{nct_id}/fragment", fragment),
    ]


def _listed(index: OpenedIndex, request: Request, home: str = "") -> Response:
    """Return the list: only its markup, with addresses that name the `home`; or a page."""
    pairs = asking.without_empty(request.query_params.multi_items())
    asked = asking.parsed([each for each in pairs if each[0] not in (*_OWN, *asking.ABOUT)])
    if asked.k > MAX_EMBEDDED:
        raise ArgumentError("k", asked.k, f"from 1 to {MAX_EMBEDDED}")
    look = Look(**{name: value for name, value in pairs if name in _OWN})
    study = index.study(request.path_params["nct_id"])
    asked = msgspec.structs.replace(asked, studies=(study.nct_id,))
    answer = ask(index, asked.question())
    return replies.html(
        "embed_list.html" if home else "embed.html",
        answer=answer, level=2, look=look, label=LABELS[look.lang], study=study,
        facts=index.facts, origin=home,
    )  # fmt: skip
