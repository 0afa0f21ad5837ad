"""From a request to what it asks, and from there to the addresses of other pages."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simsearch.web import asking, replies
from simsearch.web.asking import Asked
from simsearch.web.settings import MOST_VIEWED

_LEAST_VIEWED = 20


def asked_of(request: Request) -> Asked | Response:
    """Return what is asked; or the address without empty parameters, as a form sends them."""
    pairs = request.query_params.multi_items()
    kept = asking.without_empty(pairs)
    asked = asking.parsed(kept)
    if len(kept) < len(pairs) and not request.url.path.endswith(".json"):
        return replies.moved(asking.address(request.url.path, asked))
    return asked


class Addresses(msgspec.Struct, frozen=True):
    """Gives the address of a page with some parameters changed."""

    path: str
    asked: Asked

    def __call__(self, ending: str = "", **changed: Any) -> str:
        """Return the address with an ending, and with other values of some parameters."""
        path = f"{self.path}.{ending}" if ending else self.path
        given = {name: tuple(v) if isinstance(v, list) else v for name, v in changed.items()}
        return asking.address(path, self.asked, **given)


def view_tabs(asked: Asked) -> dict[str, str]:
    """Return the name of each view of a list → its address."""
    more = msgspec.structs.replace(asked, k=min(max(asked.k, _LEAST_VIEWED), MOST_VIEWED))
    one = len(asked.studies) == 1 and not (asked.unlike or asked.texts)
    plain = msgspec.structs.replace(asked, studies=())
    found = {
        "List": Addresses(f"/study/{asked.studies[0]}", plain)() + "#related"
        if one
        else Addresses("/related", asked)()
    }
    if asked.studies:
        found |= {
            "Designs": Addresses("/compare", more)(),
            "Timeline": Addresses("/timeline", more)(),
            "Map": Addresses("/map", more)(),
        }
    return found
