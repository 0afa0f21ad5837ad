"""Who may write decisions into a review's folder by a page: a person at this machine, on purpose.

The app must be bound to loopback, and be asked for by a name of loopback, so that a proxy in front
of it makes a review read-only. A form counts only if it comes from a page of this server: by what
the browser says of its origin, and by a token that only such a page has.
"""

from __future__ import annotations

import ipaddress
import secrets

from starlette.datastructures import FormData
from starlette.requests import Request

from simsearch.web.errors import NotAllowedError
from simsearch.web.settings import Settings

_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def is_loopback(host: str) -> bool:
    """Report whether a host is this machine alone: `localhost`, `127.0.0.1`, `::1`."""
    name = host.casefold().removeprefix("[").removesuffix("]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def may_decide(request: Request, settings: Settings) -> bool:
    """Report whether a page may offer decisions to whoever asks for it."""
    client = request.client.host if request.client else ""
    return (
        settings.decides
        and is_loopback(request.url.hostname or "")
        and is_loopback(client)
        and not any(name in request.headers for name in _FORWARDED)
    )


def check_form(request: Request, form: FormData, settings: Settings) -> None:
    """Check that a form was sent by a page of this server, to a person who may decide.

    Raises:
        NotAllowedError: it was not.
    """
    if not may_decide(request, settings):
        raise NotAllowedError("reviews are read-only here")
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    is_ours = site in (None, "same-origin") and origin in (
        None,
        f"{request.url.scheme}://{request.url.netloc}",
    )
    token = form.get("token")
    is_known = isinstance(token, str) and secrets.compare_digest(
        token.encode(), settings.token.encode()
    )
    if not (is_ours and is_known):
        raise NotAllowedError("a decision must come from the review's own page")
