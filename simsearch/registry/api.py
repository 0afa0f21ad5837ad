"""The ClinicalTrials.gov API v2: throttled requests with retries.

At most one request a second. After 429, 5xx, a broken connection, a truncated body or HTML in
place of JSON, a request is repeated with growing pauses, or when the server says; anything else
is an error at once.
"""

from __future__ import annotations

import datetime as dt
import email.utils
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

BASE_URL = "https://clinicaltrials.gov/api/v2"
PAGE_SIZE = 1000
IDS_PER_REQUEST = 200
"""How many NCT IDs fit into an address that every server accepts."""

# Those that `records/registry.py` reads: no contacts, no results, no personal data.
FIELDS = (
    "NCTId", "NCTIdAlias", "OrgStudyId", "SecondaryId", "BriefTitle", "OfficialTitle", "Acronym",
    "OverallStatus", "LastKnownStatus", "StartDate", "CompletionDate", "LastUpdatePostDate",
    "LeadSponsorName", "BriefSummary", "DetailedDescription", "Condition", "Keyword", "StudyType",
    "Phase", "EnrollmentCount", "InterventionType", "InterventionName", "InterventionOtherName",
    "PrimaryOutcomeMeasure", "SecondaryOutcomeMeasure", "EligibilityCriteria", "LocationCountry",
    "ConditionMeshTerm", "InterventionMeshTerm", "HasResults",
)  # fmt: skip

_ATTEMPTS = 5
_LONGEST_PAUSE_SECONDS = 3600
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 307, 308})
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_CONNECT_SECONDS = 10.0

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
        log: receives a line about each request.

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
        log: Log = no_log,
    ) -> None:
        timeout = httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, _CONNECT_SECONDS))
        headers = {"User-Agent": user_agent}
        try:
            self._client = httpx.Client(base_url=base_url, timeout=timeout, headers=headers)
        except (ValueError, ImportError, httpx.InvalidURL, OSError) as error:
            raise ApiError(base_url, f"no request can be sent to it ({error})") from error
        self._pause = pause_seconds
        self._page_size = str(page_size)
        self._backoff = tenacity.wait_exponential(
            multiplier=backoff_seconds, max=60
        ) + tenacity.wait_random(0, backoff_seconds / 4)
        self._log = log
        self._last_start = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def data_timestamp(self) -> str:
        """Return when the registry's data were last refreshed, as `2026-03-25T09:00:05`."""
        response = self._get("/version", {})
        stamp = _decoded(response, Version).data_timestamp
        try:
            dt.datetime.fromisoformat(stamp)
        except ValueError as error:
            raise ApiError(_plain(response), f"returned {stamp[:40]!r} as a time") from error
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
        parameters = {**query, "pageSize": self._page_size, **position}
        return self._page(parameters, TokenLostError if token else None)

    def studies(self, nct_ids: Sequence[str], fields: Sequence[str]) -> tuple[MirroredRecord, ...]:
        """Return those of at most `IDS_PER_REQUEST` studies that the registry has.

        One NCT ID that the API does not accept makes it refuse the others, too: then nothing is
        returned, and each study must be looked up by itself.

        Args:
            nct_ids: canonical NCT IDs.
            fields: the fields of the records, by their API names.
        """
        parameters = {
            "filter.ids": ",".join(nct_ids),
            "fields": "|".join(fields),
            "pageSize": self._page_size,
            "countTotal": "true",
        }
        try:
            return self._page(parameters, _RefusedIdsError).records
        except _RefusedIdsError:
            return ()

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
        """
        fields = {"fields": "|".join(FIELDS)}
        response = self._get(f"/studies/{nct_id}", fields)
        for _ in range(_MAX_REDIRECTS):
            if response.status_code not in _REDIRECTS:
                break
            target = response.headers.get("location", "").rstrip("/").rpartition("/")[2]
            response = self._get(f"/studies/{target.partition('?')[0]}", fields)
        if response.status_code in _REDIRECTS:
            raise RedirectError(nct_id, f"the registry redirects more than {_MAX_REDIRECTS} times")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if not response.is_success:
            raise ApiError(_plain(response), f"answered {response.status_code}")
        try:
            return mirrored_record(msgspec.Raw(response.content))
        except (msgspec.MsgspecError, NctIdError, UnicodeDecodeError) as error:
            raise ApiError(_plain(response), f"did not return a study record: {error}") from error

    def _get(
        self,
        path: str,
        parameters: Mapping[str, str],
        bad_request: type[Exception] | None = None,
    ) -> httpx.Response:
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
                f"{str(self._client.base_url).rstrip('/')}{path}",
                f"{error.reason}, after {_ATTEMPTS} tries",
            ) from error
        raise AssertionError("tenacity returns or raises")

    def _once(
        self, path: str, parameters: Mapping[str, str], bad_request: type[Exception] | None
    ) -> httpx.Response:
        time.sleep(max(0.0, self._last_start + self._pause - time.monotonic()))
        self._last_start = time.monotonic()
        try:
            response = self._client.get(path, params=parameters)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ApiError(path, f"is not a valid address ({error})") from error
        except httpx.RequestError as error:
            raise _TransientError(f"no answer ({error or type(error).__name__})") from error
        self._log(f"{response.status_code} {response.request.url} {len(response.content):,} bytes")
        code = response.status_code
        if code in _RETRIED:
            raise _TransientError(f"answered {code}", _retry_after(response))
        if code == httpx.codes.BAD_REQUEST and bad_request:
            raise bad_request
        if code == httpx.codes.NOT_FOUND or response.is_redirect:
            return response
        if not response.is_success:
            raise ApiError(_plain(response), f"answered {code}: {_first_line(response)}")
        if not response.content.lstrip().startswith(b"{"):
            raise _TransientError("answered with something other than JSON")
        try:
            msgspec.json.decode(response.content, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, RecursionError) as error:
            raise _TransientError("answered with truncated JSON") from error
        return response

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.pause if isinstance(error, _TransientError) else None
        own = float(self._backoff(state))
        return own if asked is None else min(max(asked, own), _LONGEST_PAUSE_SECONDS)

    def _log_retry(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0
        self._log(f"{error}; try {state.attempt_number + 1} of {_ATTEMPTS} in {pause:.0f} s")


def _decoded(response: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ApiError(_plain(response), f"answered in an unexpected form: {error}") from error


def _plain(response: httpx.Response) -> str:
    """Return the address of a request, without the long list of fields."""
    return str(response.request.url.copy_with(query=None))


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds to wait by the Retry-After header, which may be a number or a date."""
    text = response.headers.get("retry-after", "").strip()
    try:
        if text.isdecimal():
            return float(text)
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    until = until.replace(tzinfo=until.tzinfo or dt.UTC)
    return max(0.0, (until - dt.datetime.now(dt.UTC)).total_seconds())


def _first_line(response: httpx.Response) -> str:
    return (response.text.strip().splitlines() or ["no reason given"])[0][:200]
