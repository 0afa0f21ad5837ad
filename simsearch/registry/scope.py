"""Which studies a fetch covers, and the requests that this takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Self

import msgspec

from simsearch.registry.api import BASE_URL, IDS_PER_REQUEST, PAGE_SIZE
from simsearch.registry.record_fields import FIELDS

# The whole registry is fetched in windows of last-update dates: one for all dates before these
# years, one per year, then one per month, because most records were updated recently.
_WHOLE_YEARS = range(2005, 2020)


class Scope(msgspec.Struct, frozen=True):
    """The studies to fetch: those that match every text given, in the site's own search.

    Without any text, the whole registry.
    """

    condition: str = ""
    intervention: str = ""
    term: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The API parameters of this scope."""
        texts = {
            "query.cond": self.condition,
            "query.intr": self.intervention,
            "query.term": self.term,
        }
        return {name: text for name, text in texts.items() if text}

    @property
    def key(self) -> str:
        """The text under which the mirror stores how far this scope has been fetched."""
        return msgspec.json.encode(self.parameters, order="sorted").decode()

    @classmethod
    def from_key(cls, key: str) -> Self:
        """Return the scope of a key.

        Raises:
            msgspec.MsgspecError: the text is not a key.
        """
        parameters = msgspec.json.decode(key, type=dict[str, str])
        return cls(
            parameters.get("query.cond", ""),
            parameters.get("query.intr", ""),
            parameters.get("query.term", ""),
        )


def windows(scope: Scope, since: str = "") -> list[tuple[str, str]]:
    """Return the ranges of last-update dates to fetch one by one, oldest first.

    Args:
        scope: a search is fetched as a single range.
        since: ISO date; if given, there is a single range from this date on.

    Returns:
        (first, last) ISO dates, both included; `MIN` and `MAX` are the open ends of the API.
    """
    if since:
        return [(since, "MAX")]
    if scope.parameters:
        return [("MIN", "MAX")]
    today = dt.datetime.now(dt.UTC).date()
    starts = [dt.date(year, 1, 1) for year in _WHOLE_YEARS]
    starts += [
        dt.date(year, month, 1)
        for year in range(_WHOLE_YEARS.stop, today.year + 1)
        for month in range(1, 13)
    ]
    starts = [start for start in starts if start <= today]
    ends = [start - dt.timedelta(days=1) for start in starts[1:]]
    return [
        ("MIN", (starts[0] - dt.timedelta(days=1)).isoformat()),
        *((start.isoformat(), end.isoformat()) for start, end in zip(starts, ends, strict=False)),
        (starts[-1].isoformat(), "MAX"),
    ]


def window_query(scope: Scope, first: str, last: str) -> dict[str, str]:
    """Return the API parameters for the studies of a scope in one range; see `windows`."""
    return {
        **scope.parameters,
        "filter.advanced": f"AREA[LastUpdatePostDate]RANGE[{first},{last}]",
        "fields": "|".join(FIELDS),
    }


def plan(scope: Scope, since: str, nct_ids: Sequence[str]) -> str:
    """Return the requests that a fetch would make, as lines of text, without making them.

    Args:
        scope: which studies, unless `nct_ids` are given.
        since: ISO date of the oldest update, or `""`.
        nct_ids: single studies to fetch instead.
    """
    if nct_ids:
        n = -(-len(nct_ids) // IDS_PER_REQUEST)
        return f"{len(nct_ids):,} studies by NCT ID, in {n:,} requests to {BASE_URL}/studies\n"
    lines = [f"GET {BASE_URL}/studies, up to {PAGE_SIZE:,} studies a page, one request a second:"]
    for first, last in windows(scope, since):
        parameters = window_query(scope, first, last)
        del parameters["fields"]
        lines.append("  " + " ".join(f"{name}={value}" for name, value in parameters.items()))
    return "\n".join(lines) + "\n"
