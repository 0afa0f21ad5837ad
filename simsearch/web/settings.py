"""What the web app is told when it starts, and its limits."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

MAX_K = 200
"""The most neighbours of one answer."""

MOST_VIEWED = 50
"""The most neighbours of a timeline, a map or a comparison."""

MAX_STUDIES = 50
"""The most studies asked about at once, and likewise the most to keep away from."""

MAX_EXCLUDED = 1000
"""The most studies left out at once."""

MAX_TEXT = 20_000
"""The most characters of words asked with."""

MAX_VALUE = 200
"""The most characters of one value of a filter."""

MAX_VALUES = 50
"""The most values of one filter."""

MAX_BODY = 2 * 2**20
"""The most bytes of a body: a study's record with posted results may have a megabyte."""

MAX_QUERY = 16 * 1024
"""The most bytes of an address."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the web app answers."""

    hosts: tuple[str, ...] = ()
    """Names by which it is reached, beside `localhost` and addresses in numbers."""
    root: str = ""
    """The prefix below which it is reached: `/trials`; `""` where it begins at `/`."""
    origins: tuple[str, ...] = ()
    """Origins whose scripts may read the API: `https://example.org`, or `*`; none by default."""
    answer_seconds: float = 20
    """How long an answer may take, the wait for its turn included."""
    body_seconds: float = 10
    """How long a body may take to arrive."""
    threads: int = 2
    """How many questions one process answers at the same time."""
    waiting: int = 256
    """How many more may wait for their turn."""
    cache_bytes: int = 64 * 2**20
    """Memory for answers given before, of each process."""
    refresh_seconds: float = 1
    """How often it looks for a new generation."""
    reviews: Mapping[str, Path] = msgspec.field(default_factory=dict)
    """The reviews that are shown: name in the address → folder."""
    decides: bool = False
    """Whether decisions may be made on their pages, by people at this machine."""
    by: str = "the page"
    """Who decides there."""
    token: str = msgspec.field(default_factory=secrets.token_urlsafe)
    """What a form of a page has, and no page of another site knows; the same in all processes."""
