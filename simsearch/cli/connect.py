"""Connecting to the registry and to the local mirror of it."""

from __future__ import annotations

import re
from pathlib import Path

from simsearch import __version__
from simsearch.callbacks import no_log
from simsearch.cli.progress import log
from simsearch.errors import ArgumentError
from simsearch.records.mirror import Mirror, user_mirror
from simsearch.registry.api import BASE_URL, RegistryApi
from simsearch.registry.http_parts import shown_address


def open_mirror(path: Path | None) -> Mirror:
    """Open the mirror, the user's own if none is named."""
    return Mirror(path or user_mirror())


def registry_api(address: str | None, *, verbose: bool) -> RegistryApi:
    """Return a client of the registry; a server on this machine is asked without pauses.

    Raises:
        ArgumentError: the text is not an address of the web.
        ApiError: no request can be sent to it.
    """
    if address and not re.match("https?://[^/]", address, re.IGNORECASE):
        raise ArgumentError("SIMSEARCH_API", shown_address(address), f"an address like {BASE_URL}")
    is_loopback = (address or "").startswith("http://127.0.0.1:")
    return RegistryApi(
        f"simsearch/{__version__} (related clinical trials; Python)",
        base_url=address or BASE_URL,
        pause_seconds=0 if is_loopback else 1,
        backoff_seconds=0.05 if is_loopback else 1,
        log=log if verbose else no_log,
        say=no_log if verbose else log,  # a verbose log has those lines already
    )
