"""The registry → the mirror: everything once, then what has changed since.

The whole registry is fetched in windows of last-update dates, oldest first. A study that is
updated during the fetch moves to the last window, so it is never missed; if a page token expires,
only its window is fetched again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec

from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.errors import ApiError, FetchError, MirrorError
from simsearch.records.mirror import Mirror, Window
from simsearch.registry.api import RegistryApi, TokenLostError
from simsearch.registry.recheck import RECHECKED, recheck
from simsearch.registry.reports import FetchReport, interrupted
from simsearch.registry.scope import Scope, window_query, windows

_OVERLAP_DAYS = 1
_RESTARTS = 2  # of a window, before the fetch fails


def fetch(
    mirror: Mirror,
    api: RegistryApi,
    scope: Scope,
    *,
    since: str = "",
    progress: Progress = no_progress,
) -> FetchReport:
    """Fetch the studies of a scope into the mirror, resuming where an earlier call stopped.

    Args:
        mirror: where they go; each page is committed with the position to resume from.
        api: the registry.
        scope: which studies.
        since: ISO date; only studies updated on or after it.
        progress: called after each page.

    Raises:
        ApiError: the registry refuses the first request, or does not answer it.
        FetchError: the registry stops answering, or a window stays incomplete after several
            attempts; `FetchRefusedError` if it refuses to continue.
        MirrorError: the mirror cannot be written.
    """
    return _Fetch(mirror, api, scope, since, progress).run()


def update(
    mirror: Mirror,
    api: RegistryApi,
    *,
    n_rechecked: int = RECHECKED,
    progress: Progress = no_progress,
    say: Log = no_log,
) -> FetchReport:
    """Fetch what has changed since the last fetch, in every scope that was fetched completely.

    Then the studies unseen for longest are checked, and those that have left the registry are
    replaced with tombstones.

    Args:
        mirror: what was fetched before.
        api: the registry.
        n_rechecked: how many studies to check.
        progress: called after each request.
        say: receives a line about each study that the registry redirects endlessly; such studies
            are kept.

    Raises:
        MirrorError: nothing has been fetched completely yet, or the mirror cannot be written.
        ApiError, FetchError: as for `fetch`.
    """
    scopes = mirror.scopes()
    if not scopes:
        raise MirrorError(mirror.path, "contains no complete fetch that could be updated")
    n_received = n_broken = 0
    timestamp = ""
    for key, synced in scopes:
        try:
            since = dt.date.fromisoformat(synced[:10]) - dt.timedelta(days=_OVERLAP_DAYS)
            scope = Scope.from_key(key)
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
        self._key = scope.key
        self._n_received = 0
        self._n_expected = 0
        self._n_broken = 0
        self._stamp = ""

    def run(self) -> FetchReport:
        timestamp = self._stamp = self._api.data_timestamp()
        ranges = windows(self._scope, self._since)
        whole = window_query(self._scope, ranges[0][0], ranges[-1][1])
        self._n_expected = self._api.count(whole)
        # Whatever has changed since an earlier call is in the last window, so fetch that again.
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
        """Return whether this continues a complete fetch, so that the scope is complete again."""
        synced = dict(self._mirror.scopes()).get(self._key, "")
        return bool(synced) and self._since <= synced

    def _window(self, first: str, last: str) -> None:
        """Fetch one range; start it again if its page token expires or studies are missing."""
        name = _name(first, last)
        query = window_query(self._scope, first, last)
        for _ in range(1 + _RESTARTS):
            try:
                window = self._pages(name, query)
            except TokenLostError:
                trouble = "its page token expired"
            except ApiError as error:
                raise interrupted(error, self._n_received) from error
            else:
                if window.total is None or window.received == window.total:
                    return
                trouble = f"{window.received:,} of {window.total:,} studies were received"
            self._n_received -= self._mirror.window(self._key, name).received
            self._mirror.restart_window(self._key, name)
            self._stamp = self._api.data_timestamp()
        raise FetchError(
            f"the studies updated {name} remain incomplete: {trouble}", self._n_received
        )

    def _pages(self, name: str, query: Mapping[str, str]) -> Window:
        window = self._mirror.window(self._key, name)
        if window.token and not window.done and window.stamp != self._stamp:
            # The data have changed, and a token is valid for one state of them.
            self._mirror.restart_window(self._key, name)
            window = Window()
        self._n_received += window.received
        while not window.done:
            page = self._api.page(query, window.token)
            stuck = not page.records or page.next_token == window.token  # no further studies
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


def _name(first: str, last: str) -> str:
    return f"{first}..{last}"
