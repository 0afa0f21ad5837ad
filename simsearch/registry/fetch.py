"""The registry → the mirror: everything once, then what has changed since.

The whole registry is fetched in windows of last-update dates, oldest first. A study that is
updated during the fetch moves to the last window, so it is never missed; if a page token expires,
only its window is fetched again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.errors import ApiError, FetchError, MirrorError, NoFetchYetError
from simsearch.records.mirror import Mirror, Window
from simsearch.registry.api import RegistryApi, TokenLostError
from simsearch.registry.recheck import A_FEW, MOST_MISSING, RECHECKED, recheck, revive, to_recheck
from simsearch.registry.reports import FetchReport, interrupted
from simsearch.registry.scope import Scope, window_query, windows

_OVERLAP_DAYS = 1
_RESTARTS = 2  # of a window, before the fetch fails
_SPARE_PAGES = 100  # beyond twice those that the number of studies needs
_LISTED = 5  # NCT IDs in a line
_MOST_STUDIES = 5_000_000  # that a registry may have


class _EndlessPagesError(Exception):
    """The pages of a search go on although there cannot be more studies."""


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

    Then the studies that had gone are looked up again, and those unseen for longest are checked:
    see `registry.recheck`.

    Args:
        mirror: what was fetched before.
        api: the registry.
        n_rechecked: how many studies to check.
        progress: called after each request.
        say: receives a line about studies that are missing or back, and about each study that the
            registry redirects endlessly; such studies are kept.

    Raises:
        MirrorError: nothing has been fetched completely yet, or the mirror cannot be written.
        ApiError: as for `fetch`.
        FetchError: as for `fetch`, or too many studies are missing to be believed. Then none is
            removed, and the next update fetches again what this one did.
    """
    scopes = mirror.scopes()
    if not scopes:
        raise NoFetchYetError(mirror.path)
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
    try:
        returned = revive(mirror, api, n_rechecked, progress)
        if returned:
            say(f"back in the registry: {_some(returned)}")
        checked = recheck(mirror, api, to_recheck(mirror, n_rechecked), progress, say)
    except (ApiError, FetchError) as error:
        # What this registry did not list as changed is not believed either.
        for key, synced in scopes:
            mirror.finish(key, synced)
        if isinstance(error, FetchError):
            raise type(error)(error.reason, n_received) from error
        raise
    if checked.missing:
        say(
            f"not found in the registry: {_some(checked.missing)}; "
            "kept until a check on another day agrees"
        )
    return FetchReport(
        n_received=n_received,
        n_broken=n_broken,
        n_mirrored=mirror.n_records,
        data_timestamp=timestamp,
        gone=checked.gone,
        missing=checked.missing,
        returned=returned,
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
        self._refuse_if_incredible(ranges[0][0])
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

    def _refuse_if_incredible(self, first: str) -> None:
        """Refuse a registry that counts far fewer studies than the mirror has of it.

        A study stays in the range from a date on, however often it is updated. Which studies of
        the mirror belong to a search is not known, so only the whole registry is compared.
        """
        if self._scope.parameters:
            return
        n_here = self._mirror.n_updated_since("" if first == "MIN" else first)
        n_lacking = n_here - self._n_expected
        if n_lacking > max(A_FEW, MOST_MISSING * n_here):
            dated = "" if first == "MIN" else f" updated since {first}"
            raise FetchError(
                f"the registry counts {self._n_expected:,} studies{dated}, and the mirror has "
                f"{n_here:,} of them: the count is not believed", 0,
            )  # fmt: skip

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
            except _EndlessPagesError as error:
                trouble = str(error)
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
        n_pages = 0
        while not window.done:
            n_pages += 1
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
            if not window.done:
                self._check_end(window, n_pages, is_new=window.received > before)
        return window

    def _check_end(self, window: Window, n_pages: int, *, is_new: bool) -> None:
        """Refuse to go on where the pages do not end; `is_new`: the last one had a new study."""
        if not is_new:
            raise _EndlessPagesError(f"page {n_pages:,} repeats studies of the pages before it")
        n_studies = self._n_expected if window.total is None else window.total
        if n_studies > _MOST_STUDIES:
            raise _EndlessPagesError(f"the registry claims to have {n_studies:,} studies")
        if n_pages > _SPARE_PAGES + 2 * n_studies / self._api.page_size:
            raise _EndlessPagesError(f"{n_pages:,} pages do not end, for {n_studies:,} studies")


def _some(nct_ids: Sequence[str]) -> str:
    """Return a number of studies and the first NCT IDs of them."""
    more = ", …" if len(nct_ids) > _LISTED else ""
    return f"{len(nct_ids):,} ({', '.join(nct_ids[:_LISTED])}{more})"


def _name(first: str, last: str) -> str:
    return f"{first}..{last}"
