"""The ClinicalTrials.gov API v2: throttled requests with retries.

At most one request a second. After 429, 5xx, a broken connection, a truncated body or HTML in
place of JSON, a request is repeated with growing pauses, or when the server says; anything else
is an error at once. No answer may be larger than `MOST_BYTES` or take longer than
`ANSWER_SECONDS`, and no server can impose a pause longer than `LONGEST_PAUSE_SECONDS`.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import Self, TypeVar

import httpx
import msgspec
import tenacity

from simsearch.callbacks import Log, no_log
from simsearch.errors import ApiError, NctIdError, NoAnswerError, RedirectError
from simsearch.records.mirror import MirroredRecord
from simsearch.registry.answers import Page, SearchResult, Version, mirrored_record
from simsearch.registry.http_parts import (
    Body,
    BodyError,
    TruncatedBodyError,
    retry_after,
    shown_address,
)
from simsearch.registry.record_fields import FIELDS
from simsearch.study import parse_nct_id

BASE_URL = "https://clinicaltrials.gov/api/v2"
PAGE_SIZE = 1000
IDS_PER_REQUEST = 200
"""How many NCT IDs fit into an address that every server accepts."""

LONGEST_PAUSE_SECONDS = 300
"""If the server asks for a longer pause, the request fails, to be tried again later."""
MOST_BYTES = 256 * 2**20
"""The most bytes of an answer; a page of 1,000 studies has some 10 MB."""
ANSWER_SECONDS = 600.0
"""How long an answer may take to arrive once it has begun."""

_ATTEMPTS = 5
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 307, 308})
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_CONNECT_SECONDS = 10.0
_SILENT_SECONDS = 5.0  # a longer wait before a retry is reported

T = TypeVar("T")


class TokenLostError(Exception):
    """The page token is not valid any more: tokens expire when the registry's data change."""


class _RefusedIdsError(Exception):
    """The API refuses a request for several NCT IDs because of one of them."""


class _TransientError(Exception):
    """A failure that may pass; `pause` is the delay that the server asks for, in seconds."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        self.reason = reason
        self.pause = pause
        super().__init__(reason)


class _Answer(msgspec.Struct, frozen=True):
    """A complete answer; `url` is the address without password and parameters."""

    url: str
    status: int
    body: bytes
    location: str

    @property
    def is_redirect(self) -> bool:
        return self.status in _REDIRECTS and bool(self.location)


class RegistryApi:
    """A client of the API; a context manager.

    Every method raises `NoAnswerError` if the registry does not answer after several tries, and
    `ApiError` if it refuses or answers in an unexpected form.

    Args:
        user_agent: names the tool and its version to the registry.
        base_url: the address of the API.
        pause_seconds: the least time between the starts of two requests.
        backoff_seconds: the pause after the first failure; it doubles with each further one.
        timeout_seconds: how long to wait for any part of an answer; for a connection, 10 at most.
        page_size: how many studies a page has at most.
        most_bytes: the most bytes of an answer.
        answer_seconds: how long an answer may take to arrive once it has begun.
        log: receives a line about each request.
        say: receives a line before each longer wait.

    Raises:
        ApiError: no request can be sent to the address.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        base_url: str = BASE_URL,
        pause_seconds: float = 1.0,
        backoff_seconds: float = 1.0,
        timeout_seconds: float = 90.0,
        page_size: int = PAGE_SIZE,
        most_bytes: int = MOST_BYTES,
        answer_seconds: float = ANSWER_SECONDS,
        log: Log = no_log,
        say: Log = no_log,
    ) -> None:
        timeout = httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, _CONNECT_SECONDS))
        headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip"}
        try:
            self._client = httpx.Client(base_url=base_url, timeout=timeout, headers=headers)
        except (ValueError, ImportError, httpx.InvalidURL, OSError) as error:
            # The reason quotes the address, and could quote the password in it.
            reason = "" if "@" in base_url else f" ({error})"
            raise ApiError(
                shown_address(base_url), f"no request can be sent to it{reason}"
            ) from error
        self.page_size = page_size
        self._pause = pause_seconds
        self._most_bytes = most_bytes
        self._answer_seconds = answer_seconds
        self._backoff = tenacity.wait_exponential(
            multiplier=backoff_seconds, max=60
        ) + tenacity.wait_random(0, backoff_seconds / 4)
        self._log = log
        self._say = say
        self._last_start = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def data_timestamp(self) -> str:
        """Return when the registry's data were last refreshed, as `2026-03-25T09:00:05`."""
        answer = self._get("/version", {})
        stamp = _decoded(answer, Version).data_timestamp
        try:
            dt.datetime.fromisoformat(stamp)
        except ValueError as error:
            raise ApiError(answer.url, f"returned {stamp[:40]!r} as a time") from error
        return stamp

    def page(self, query: Mapping[str, str], token: str = "") -> Page:
        """Return a page of the studies that match a query.

        Args:
            query: API parameters.
            token: of the page; empty for the first.

        Raises:
            TokenLostError: the token is not valid any more.
        """
        position = {"pageToken": token} if token else {"countTotal": "true"}
        parameters = {**query, "pageSize": str(self.page_size), **position}
        return self._page(parameters, TokenLostError if token else None)

    def studies(self, nct_ids: Sequence[str], fields: Sequence[str]) -> tuple[MirroredRecord, ...]:
        """Return those of at most `IDS_PER_REQUEST` studies that the registry has.

        One NCT ID that the API does not accept makes it refuse the others, too: then each half is
        requested by itself. A study returned under another NCT ID is left out: see `study`.

        Args:
            nct_ids: canonical NCT IDs.
            fields: the fields of the records, by their API names.
        """
        parameters = {
            "filter.ids": ",".join(nct_ids),
            "fields": "|".join(fields),
            "pageSize": str(IDS_PER_REQUEST),
            "countTotal": "true",
        }
        try:
            found = self._page(parameters, _RefusedIdsError).records
        except _RefusedIdsError:
            if len(nct_ids) == 1:
                return ()
            half = len(nct_ids) // 2
            return self.studies(nct_ids[:half], fields) + self.studies(nct_ids[half:], fields)
        wanted = set(nct_ids)
        return tuple(record for record in found if record.nct_id in wanted)

    def _page(self, parameters: Mapping[str, str], bad_request: type[Exception] | None) -> Page:
        result = _decoded(self._get("/studies", parameters, bad_request), SearchResult)
        records = [record for raw in result.studies if (record := self._kept(raw))]
        return Page(
            tuple(records),
            len(result.studies) - len(records),
            result.next_page_token or "",
            result.total_count,
        )

    def _kept(self, raw: msgspec.Raw) -> MirroredRecord | None:
        try:
            return mirrored_record(raw)
        except (msgspec.MsgspecError, NctIdError, RecursionError, UnicodeDecodeError) as error:
            self._log(f"a record cannot be kept: {error}: {bytes(raw)[:80]!r}")
            return None

    def count(self, query: Mapping[str, str]) -> int:
        """Return how many studies match a query (API parameters)."""
        parameters = {**query, "fields": "NCTId", "pageSize": "1", "countTotal": "true"}
        return _decoded(self._get("/studies", parameters), SearchResult).total_count or 0

    def study(self, nct_id: str) -> MirroredRecord | None:
        """Return the record of a study; None if the registry does not have it.

        If the study was merged into another, this is the record of the other, under its NCT ID.

        Raises:
            RedirectError: it was merged in a circle, or more than five times.
            NoAnswerError: the registry redirects to a page that is not a study, or answers with a
                study that was not asked for.
        """
        fields = {"fields": "|".join(FIELDS)}
        asked = nct_id
        answer = self._get(f"/studies/{asked}", fields)
        for _ in range(_MAX_REDIRECTS):
            if not answer.is_redirect:
                break
            asked = _redirected(answer)
            answer = self._get(f"/studies/{asked}", fields)
        if answer.is_redirect:
            raise RedirectError(nct_id, f"the registry redirects more than {_MAX_REDIRECTS} times")
        if answer.status == httpx.codes.NOT_FOUND:
            return None
        if not httpx.codes.is_success(answer.status):
            raise ApiError(answer.url, f"answered {answer.status}")
        try:
            record = mirrored_record(msgspec.Raw(answer.body))
        except (msgspec.MsgspecError, NctIdError, UnicodeDecodeError) as error:
            raise ApiError(answer.url, f"did not return a study record: {error}") from error
        if asked not in {record.nct_id, *record.aliases}:
            raise NoAnswerError(answer.url, f"answered with another study, {record.nct_id}")
        return record

    def _get(
        self,
        path: str,
        parameters: Mapping[str, str],
        bad_request: type[Exception] | None = None,
    ) -> _Answer:
        """Send a request until there is a final answer: success, redirection or 404.

        `bad_request` is raised for status 400 in place of `ApiError`.
        """
        try:
            for attempt in tenacity.Retrying(
                stop=tenacity.stop_after_attempt(_ATTEMPTS),
                wait=self._wait,
                retry=tenacity.retry_if_exception_type(_TransientError),
                before_sleep=self._log_retry,
                reraise=True,
            ):
                with attempt:
                    return self._once(path, parameters, bad_request)
        except _TransientError as error:
            raise NoAnswerError(
                f"{shown_address(str(self._client.base_url)).rstrip('/')}{path}",
                f"{error.reason}, after {_ATTEMPTS} tries",
            ) from error
        raise AssertionError("tenacity returns or raises")

    def _once(
        self, path: str, parameters: Mapping[str, str], bad_request: type[Exception] | None
    ) -> _Answer:
        time.sleep(max(0.0, self._last_start + self._pause - time.monotonic()))
        self._last_start = time.monotonic()
        try:
            with self._client.stream("GET", path, params=parameters) as response:
                answer = self._received(response)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ApiError(path, "is not part of a valid address") from error
        except httpx.RequestError as error:
            raise _TransientError(f"no answer ({error or type(error).__name__})") from error
        if answer.status in _RETRIED:
            pause = retry_after(response.headers.get("retry-after", ""))
            if pause is not None and pause > LONGEST_PAUSE_SECONDS:
                asked = f"and asks for a pause of {pause:,.0f} s: try again after that"
                raise NoAnswerError(answer.url, f"answered {answer.status} {asked}")
            raise _TransientError(f"answered {answer.status}", pause)
        if answer.status == httpx.codes.BAD_REQUEST and bad_request:
            raise bad_request
        if answer.status == httpx.codes.NOT_FOUND or answer.is_redirect:
            return answer
        if not httpx.codes.is_success(answer.status):
            raise ApiError(answer.url, f"answered {answer.status}: {_first_line(answer)}")
        if not answer.body.lstrip().startswith(b"{"):
            raise _TransientError("answered with something other than JSON")
        try:
            msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, RecursionError) as error:
            raise _TransientError("answered with truncated JSON") from error
        return answer

    def _received(self, response: httpx.Response) -> _Answer:
        """Read an answer to its end, within the limits of size and time."""
        url = response.request.url.copy_with(userinfo=b"")
        shown = str(url.copy_with(query=None))
        latest = time.monotonic() + self._answer_seconds
        try:
            body = Body(response.headers.get("content-encoding", ""), self._most_bytes)
            for piece in response.iter_raw():
                body.add(piece)
                if time.monotonic() > latest:
                    reason = f"the answer did not end within {self._answer_seconds:g} s"
                    raise _TransientError(reason)
            whole = body.whole()
        except BodyError as error:
            raise ApiError(shown, str(error)) from error
        except TruncatedBodyError as error:
            raise _TransientError(str(error)) from error
        self._log(f"{response.status_code} {url} {len(whole):,} bytes")
        location = response.headers.get("location", "")
        return _Answer(shown, response.status_code, whole, location)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.pause if isinstance(error, _TransientError) else None
        own = float(self._backoff(state))
        return own if asked is None else max(asked, own)

    def _log_retry(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0
        line = f"{error}; try {state.attempt_number + 1} of {_ATTEMPTS} in {pause:.0f} s"
        self._log(line)
        if pause + time.monotonic() - self._last_start > _SILENT_SECONDS:
            self._say(f"the registry: {line}")


def _redirected(answer: _Answer) -> str:
    """Return the study that an answer redirects to."""
    target = answer.location.partition("?")[0].rstrip("/").rpartition("/")[2]
    try:
        return parse_nct_id(target)
    except NctIdError as error:
        where = shown_address(answer.location)[:100]
        raise NoAnswerError(answer.url, f"redirects to {where!r}, which is not a study") from error


def _decoded(answer: _Answer, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ApiError(answer.url, f"answered in an unexpected form: {error}") from error


def _first_line(answer: _Answer) -> str:
    text = answer.body[:2000].decode(errors="replace")
    return (text.strip().splitlines() or ["no reason given"])[0][:200]
