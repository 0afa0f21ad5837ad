"""The registry → the mirror: everything once, then what changed, then what has gone.

A fetch of the whole registry goes window by window of the last-update date, oldest first.
A study that is updated while the fetch runs moves to the last window, so it is never
missed; a page token that dies costs its window and no more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.errors import (
    ApiError,
    FetchError,
    FetchRefusedError,
    MirrorError,
    NoAnswerError,
    RedirectError,
)
from simsearch.records import read_record
from simsearch.records.mirror import Mirror, MirroredRecord, Window
from simsearch.registry.api import (
    BASE_URL,
    FIELDS,
    IDS_PER_REQUEST,
    PAGE_SIZE,
    RegistryApi,
    TokenLostError,
)
from simsearch.study import Study, parse_nct_id

RECHECKED = 2000
"""How many of the longest unseen studies an update looks up, to find those that have gone."""

# The registry's oldest records have not been touched for long; recent years are fuller.
_YEARS = range(2005, 2020)
_OVERLAP_DAYS = 1
_RESTARTS = 2  # of a window, before giving up for now


class Scope(msgspec.Struct, frozen=True):
    """What to bring: all that match every text given; no text means the whole registry."""

    condition: str = ""
    intervention: str = ""
    term: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The API's parameters for it."""
        asked = {
            "query.cond": self.condition,
            "query.intr": self.intervention,
            "query.term": self.term,
        }
        return {name: text for name, text in asked.items() if text}


class FetchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a fetch brought, what the mirror holds now, and which studies have gone.

    `n_broken` of the studies received are no records that could be kept.
    """

    n_received: int
    n_mirrored: int
    data_timestamp: str
    n_broken: int = 0
    gone: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()


def windows(scope: Scope, since: str = "") -> list[tuple[str, str]]:
    """Return the ranges of last-update dates to fetch, oldest first, as (first, last).

    `MIN` and `MAX` are the registry's open ends. A narrowed scope, or one since a date,
    is a single range.
    """
    if since:
        return [(since, "MAX")]
    if scope.parameters:
        return [("MIN", "MAX")]
    today = dt.datetime.now(dt.UTC).date()
    starts = [dt.date(year, 1, 1) for year in _YEARS]
    starts += [
        dt.date(year, month, 1)
        for year in range(_YEARS.stop, today.year + 1)
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
    """Return the API parameters for one range of a scope."""
    return {
        **scope.parameters,
        "filter.advanced": f"AREA[LastUpdatePostDate]RANGE[{first},{last}]",
        "fields": "|".join(FIELDS),
    }


def fetch(
    mirror: Mirror,
    api: RegistryApi,
    scope: Scope,
    *,
    since: str = "",
    progress: Progress | None = None,
) -> FetchReport:
    """Bring the studies of a scope into the mirror, going on where an earlier call stopped.

    Args:
        mirror: where they go; each page is committed with the place to go on from.
        api: the registry.
        scope: which studies.
        since: ISO date; only studies updated on or after it.
        progress: called after each page.

    Raises:
        ApiError: the registry refuses, or does not answer.
        FetchError: the registry does not answer any more, or a window stays incomplete after
            several attempts; `FetchRefusedError` where it refuses to go on.
        MirrorError: the mirror cannot be written.
    """
    return _Fetch(mirror, api, scope, since, progress or no_progress).run()


def fetch_ids(
    mirror: Mirror, api: RegistryApi, nct_ids: Sequence[str], say: Log = no_log
) -> FetchReport:
    """Bring single studies into the mirror; IDs that the registry does not hold are named.

    Args:
        mirror: where they go.
        api: the registry.
        nct_ids: the studies.
        say: told of a study that the registry sends on from without end: it is passed over.

    Raises:
        FetchError, MirrorError: as for `fetch`.
    """
    not_found = []
    n_received = 0
    try:
        timestamp = api.data_timestamp()
        for part in _parts(nct_ids, IDS_PER_REQUEST):
            records = _named(api, part, "|".join(FIELDS))
            mirror.add(records)
            n_received += len(records)
            for nct_id in sorted(set(part) - {record.nct_id for record in records}):
                try:
                    record = api.study(nct_id)  # an obsolete number leads to the study it became
                except RedirectError as error:
                    say(f"{error}: passed over")
                    continue
                if record is None:
                    not_found.append(nct_id)
                else:
                    mirror.add([record])
                    n_received += 1
    except ApiError as error:
        raise _broken_off(error, n_received) from error
    return FetchReport(
        n_received=n_received,
        n_mirrored=mirror.n_records,
        data_timestamp=timestamp,
        not_found=tuple(not_found),
    )


def update(
    mirror: Mirror,
    api: RegistryApi,
    *,
    n_rechecked: int = RECHECKED,
    progress: Progress | None = None,
    say: Log = no_log,
) -> FetchReport:
    """Bring what changed since the last fetch, for all that was fetched before.

    Then the studies that were not seen for the longest time are looked up, and those
    that have left the registry become tombstones. `say` is told of those passed over.

    Raises:
        MirrorError: nothing was ever fetched completely.
        ApiError, FetchError: as for `fetch`.
    """
    scopes = mirror.scopes()
    if not scopes:
        raise MirrorError(
            mirror.path, "holds no complete fetch yet: run `simsearch fetch --all` first"
        )
    n_received = n_broken = 0
    timestamp = ""
    for key, synced in scopes:
        try:
            since = dt.date.fromisoformat(synced[:10]) - dt.timedelta(days=_OVERLAP_DAYS)
            scope = _scope_of(msgspec.json.decode(key, type=dict[str, str]))
        except (ValueError, OverflowError, msgspec.MsgspecError) as error:
            raise MirrorError(mirror.path, f"is damaged ({error})") from error
        report = fetch(mirror, api, scope, since=since.isoformat(), progress=progress)
        n_received += report.n_received
        n_broken += report.n_broken
        timestamp = report.data_timestamp
    gone = recheck(mirror, api, mirror.oldest_checked(n_rechecked), progress, say)
    return FetchReport(
        n_received=n_received,
        n_broken=n_broken,
        n_mirrored=mirror.n_records,
        data_timestamp=timestamp,
        gone=gone,
    )


def recheck(
    mirror: Mirror,
    api: RegistryApi,
    nct_ids: Sequence[str],
    progress: Progress | None = None,
    say: Log = no_log,
) -> tuple[str, ...]:
    """Look up studies of the mirror; bury those that the registry no longer holds.

    One that the registry sends on from without end stays; `say` is told.

    Returns:
        The NCT IDs that have gone or were merged into another study.
    """
    report = progress or no_progress
    gone = []
    n_done = 0
    for part in _parts(nct_ids, IDS_PER_REQUEST):
        found = _named(api, part, "NCTId|LastUpdatePostDate")
        present = {record.nct_id for record in found} & set(part)
        mirror.mark_seen(sorted(present))
        for nct_id in sorted(set(part) - present):
            try:
                record = api.study(nct_id)
            except RedirectError as error:
                say(f"{error}: passed over")
                mirror.mark_seen([nct_id])  # others have their turn before it comes again
                continue
            if record is None:
                mirror.bury(nct_id)
            elif record.nct_id != nct_id:
                mirror.add([record])
                mirror.bury(nct_id, became=record.nct_id)
            else:
                mirror.mark_seen([nct_id])
                continue
            gone.append(nct_id)
        n_done += len(part)
        report("checking", n_done, len(nct_ids), "studies")
    return tuple(gone)


def study_online(api: RegistryApi, nct_id: str) -> Study:
    """Return one study as the registry has it now.

    Raises:
        NctIdError: the text is no NCT ID.
        ApiError: the registry does not answer, or does not hold the study.
    """
    canonical = parse_nct_id(nct_id)
    record = api.study(canonical)
    if record is None:
        raise ApiError(canonical, "is not in the registry either")
    return read_record(record.body, canonical)


def plan(scope: Scope, since: str, nct_ids: Sequence[str]) -> str:
    """Return what a fetch would ask for, as lines of text; nothing is asked."""
    if nct_ids:
        n = -(-len(nct_ids) // IDS_PER_REQUEST)
        return f"{len(nct_ids):,} studies by NCT ID, in {n:,} requests to {BASE_URL}/studies\n"
    lines = [f"GET {BASE_URL}/studies, up to {PAGE_SIZE:,} studies a page, one request a second:"]
    for first, last in windows(scope, since):
        asked = window_query(scope, first, last)
        del asked["fields"]
        lines.append("  " + " ".join(f"{name}={value}" for name, value in asked.items()))
    return "\n".join(lines) + "\n"


class _Fetch:
    """One fetch of one scope."""

    def __init__(
        self, mirror: Mirror, api: RegistryApi, scope: Scope, since: str, progress: Progress
    ) -> None:
        self._mirror = mirror
        self._api = api
        self._scope = scope
        self._since = since
        self._progress = progress
        self._key = _key_of(scope)
        self._n_received = 0
        self._n_expected = 0
        self._n_broken = 0
        self._stamp = ""

    def run(self) -> FetchReport:
        timestamp = self._stamp = self._api.data_timestamp()
        ranges = windows(self._scope, self._since)
        whole = window_query(self._scope, ranges[0][0], ranges[-1][1])
        self._n_expected = self._api.count(whole)
        # What changed since a window was done lies in the last one: never take that as done.
        self._mirror.restart_window(self._key, _name(*ranges[-1]), only_done=True)
        for first, last in ranges:
            self._window(first, last)
        if not self._since or self._is_update():
            self._mirror.finish(self._key, timestamp[:10])
        return FetchReport(
            n_received=self._n_received,
            n_broken=self._n_broken,
            n_mirrored=self._mirror.n_records,
            data_timestamp=timestamp,
        )

    def _is_update(self) -> bool:
        """Tell whether this goes on from a complete fetch, so that it is complete again."""
        synced = dict(self._mirror.scopes()).get(self._key, "")
        return bool(synced) and self._since <= synced

    def _window(self, first: str, last: str) -> None:
        """Fetch one range page by page, beginning again where its token has died."""
        name = _name(first, last)
        query = window_query(self._scope, first, last)
        for _ in range(1 + _RESTARTS):
            try:
                window = self._pages(name, query)
            except TokenLostError:
                trouble = "its page token was lost"
            except ApiError as error:
                raise _broken_off(error, self._n_received) from error
            else:
                if window.total is None or window.received == window.total:
                    return
                trouble = f"{window.received:,} of {window.total:,} studies came"
            self._n_received -= self._mirror.window(self._key, name).received
            self._mirror.restart_window(self._key, name)
            self._stamp = self._api.data_timestamp()
        raise FetchError(f"the studies updated {name} stay incomplete: {trouble}", self._n_received)

    def _pages(self, name: str, query: Mapping[str, str]) -> Window:
        window = self._mirror.window(self._key, name)
        if window.token and not window.done and window.stamp != self._stamp:
            self._mirror.restart_window(self._key, name)  # tokens are of one state of the data
            window = Window()
        self._n_received += window.received
        while not window.done:
            page = self._api.page(query, window.token)
            stuck = not page.records or page.next_token == window.token  # nothing more comes
            before = window.received
            window = Window(
                token=page.next_token,
                stamp=self._stamp,
                broken=window.broken + page.n_broken,
                total=window.total if page.total is None else page.total,
                done=not page.next_token or stuck,
            )
            self._mirror.add_page(self._key, name, window, page.records)
            window = self._mirror.window(self._key, name)
            self._n_received += window.received - before
            self._n_broken += page.n_broken
            total = max(self._n_expected, self._n_received)
            self._progress("fetching", self._n_received, total, "studies")
        return window


def _broken_off(error: ApiError, n_received: int) -> FetchError:
    """Return the error of a fetch that this one ends: whether the same command may do later."""
    kind = FetchError if isinstance(error, NoAnswerError) else FetchRefusedError
    return kind(str(error), n_received)


def _name(first: str, last: str) -> str:
    return f"{first}..{last}"


def _named(api: RegistryApi, nct_ids: Sequence[str], fields: str) -> list[MirroredRecord]:
    """Return the records of these IDs that the registry holds.

    One ID that it takes offence at fails them all: then none is returned, and each is to
    be looked up by itself.
    """
    try:
        return list(api.page({"filter.ids": ",".join(nct_ids), "fields": fields}).records)
    except ApiError as error:
        if "answered 400" not in error.reason:
            raise
        return []


def _key_of(scope: Scope) -> str:
    return msgspec.json.encode(scope.parameters, order="sorted").decode()


def _scope_of(parameters: Mapping[str, str]) -> Scope:
    return Scope(
        parameters.get("query.cond", ""),
        parameters.get("query.intr", ""),
        parameters.get("query.term", ""),
    )


def _parts(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))
