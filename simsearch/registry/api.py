"""The ClinicalTrials.gov API v2: polite requests, patient retries, whole pages.

One request a second at most. 429, 5xx, broken connections, cut bodies and HTML in place
of JSON are tried again with growing pauses, or when the server says; what cannot heal is
an error at once.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Annotated, Self, TypeVar

import httpx
import msgspec
import tenacity

from simsearch.callbacks import Log, no_log
from simsearch.errors import ApiError, NctIdError, NoAnswerError, RedirectError
from simsearch.records.mirror import MirroredRecord
from simsearch.study import parse_nct_id

BASE_URL = "https://clinicaltrials.gov/api/v2"
PAGE_SIZE = 1000
IDS_PER_REQUEST = 200
"""How many NCT IDs fit into one address that every server takes."""

# The pieces that `records/registry.py` reads: no contacts, no results, no personal data.
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
_MOST_HOPS = 5
_SENT_ON = frozenset({301, 302, 307, 308})
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_TIMEOUT = httpx.Timeout(90, connect=10)

T = TypeVar("T")


class Page(msgspec.Struct, frozen=True):
    """A page of a search answer; `total` is only on the first.

    `n_broken` studies of it are no records that could be kept.
    """

    records: tuple[MirroredRecord, ...]
    n_broken: int
    next_token: str
    total: int | None


class TokenLostError(Exception):
    """The page token is no longer known: tokens die when the registry's data change."""


class _Dated(msgspec.Struct, rename="camel"):
    date: str = ""


class _Status(msgspec.Struct, rename="camel"):
    last_update_post_date_struct: _Dated | None = None


class _Identification(msgspec.Struct, rename="camel"):
    nct_id: str


class _Protocol(msgspec.Struct, rename="camel"):
    identification_module: _Identification
    status_module: _Status | None = None


class _Head(msgspec.Struct, rename="camel"):
    """The parts of a record that the mirror keys on."""

    protocol_section: _Protocol


class _Answer(msgspec.Struct, rename="camel"):
    studies: list[msgspec.Raw]
    next_page_token: str | None = None
    total_count: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None


class _Version(msgspec.Struct, rename="camel"):
    data_timestamp: str


class _PassingError(Exception):
    """A failure that may heal; `pause` is what the server asks for, in seconds."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        self.reason = reason
        self.pause = pause
        super().__init__(reason)


class RegistryApi:
    """A client of the API; a context manager.

    Args:
        user_agent: names the tool and its version to the registry.
        base_url: where the API is.
        pause_seconds: between the starts of two requests.
        backoff_seconds: the first pause after a failure; it doubles each time.
        log: takes a line a request.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        base_url: str = BASE_URL,
        pause_seconds: float = 1.0,
        backoff_seconds: float = 1.0,
        log: Log = no_log,
    ) -> None:
        try:
            self._client = httpx.Client(
                base_url=base_url, timeout=_TIMEOUT, headers={"User-Agent": user_agent}
            )
        except (ValueError, ImportError, httpx.InvalidURL, OSError) as error:
            raise ApiError(base_url, f"cannot be asked ({error})") from error
        self._pause = pause_seconds
        self._backoff = tenacity.wait_exponential(
            multiplier=backoff_seconds, max=60
        ) + tenacity.wait_random(0, backoff_seconds / 4)
        self._log = log
        self._last_start = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def data_timestamp(self) -> str:
        """Return when the registry's data were last refreshed: `2026-03-25T09:00:05`."""
        response = self._get("/version", {})
        stamp = _decoded(response, _Version).data_timestamp
        try:
            dt.datetime.fromisoformat(stamp)
        except ValueError as error:
            raise ApiError(_plain(response), f"gave {stamp[:40]!r} for a time") from error
        return stamp

    def page(self, query: Mapping[str, str], token: str = "") -> Page:
        """Return a page of the studies that a query finds, the first without a token.

        Raises:
            TokenLostError: the token is no longer known.
            ApiError: the registry refuses, or does not answer after several tries.
        """
        parameters = dict(query)
        parameters["pageSize"] = str(PAGE_SIZE)
        if token:
            parameters["pageToken"] = token
        else:
            parameters["countTotal"] = "true"
        response = self._get("/studies", parameters, token_used=bool(token))
        answer = _decoded(response, _Answer)
        records = [record for raw in answer.studies if (record := self._record(raw))]
        return Page(
            tuple(records),
            len(answer.studies) - len(records),
            answer.next_page_token or "",
            answer.total_count,
        )

    def _record(self, raw: msgspec.Raw) -> MirroredRecord | None:
        try:
            return _record(raw)
        except (msgspec.MsgspecError, NctIdError, RecursionError, UnicodeDecodeError) as error:
            self._log(f"a record that cannot be kept: {error}: {bytes(raw)[:80]!r}")
            return None

    def count(self, query: Mapping[str, str]) -> int:
        """Return how many studies a query finds."""
        parameters = {**query, "fields": "NCTId", "pageSize": "1", "countTotal": "true"}
        return _decoded(self._get("/studies", parameters), _Answer).total_count or 0

    def study(self, nct_id: str) -> MirroredRecord | None:
        """Return one record, under its new number where it was merged; None if it is gone.

        Raises:
            RedirectError: it was merged more than five times, or in a circle.
            ApiError: the registry refuses, or does not answer after several tries.
        """
        fields = {"fields": "|".join(FIELDS)}
        response = self._get(f"/studies/{nct_id}", fields)
        for _ in range(_MOST_HOPS):
            if response.status_code not in _SENT_ON:
                break
            target = response.headers.get("location", "").rstrip("/").rpartition("/")[2]
            response = self._get(f"/studies/{target.partition('?')[0]}", fields)
        if response.status_code in _SENT_ON:
            raise RedirectError(nct_id, f"the registry sends on more than {_MOST_HOPS} times")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if not response.is_success:
            raise ApiError(_plain(response), f"answered {response.status_code}")
        try:
            return _record(msgspec.Raw(response.content))
        except (msgspec.MsgspecError, NctIdError, UnicodeDecodeError) as error:
            raise ApiError(_plain(response), f"gave no study record: {error}") from error

    def _get(
        self, path: str, parameters: Mapping[str, str], *, token_used: bool = False
    ) -> httpx.Response:
        """Ask until an answer stands: success, redirection, 404, or an error at the end."""
        try:
            for attempt in tenacity.Retrying(
                stop=tenacity.stop_after_attempt(_ATTEMPTS),
                wait=self._wait,
                retry=tenacity.retry_if_exception_type(_PassingError),
                before_sleep=self._log_retry,
                reraise=True,
            ):
                with attempt:
                    return self._once(path, parameters, token_used=token_used)
        except _PassingError as error:
            raise NoAnswerError(
                f"{str(self._client.base_url).rstrip('/')}{path}",
                f"{error.reason}, after {_ATTEMPTS} tries",
            ) from error
        raise AssertionError("tenacity returns or raises")

    def _once(
        self, path: str, parameters: Mapping[str, str], *, token_used: bool
    ) -> httpx.Response:
        time.sleep(max(0.0, self._last_start + self._pause - time.monotonic()))
        self._last_start = time.monotonic()
        try:
            response = self._client.get(path, params=parameters)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ApiError(path, f"no address that can be asked ({error})") from error
        except httpx.RequestError as error:
            raise _PassingError(f"no answer ({error or type(error).__name__})") from error
        self._log(f"{response.status_code} {response.request.url} {len(response.content):,} bytes")
        code = response.status_code
        if code in _RETRIED:
            raise _PassingError(f"answered {code}", _retry_after(response))
        if code == httpx.codes.BAD_REQUEST and token_used:
            raise TokenLostError
        if code == httpx.codes.NOT_FOUND or response.is_redirect:
            return response
        if not response.is_success:
            raise ApiError(_plain(response), f"answered {code}: {_first_line(response)}")
        if not response.content.lstrip().startswith(b"{"):
            raise _PassingError("answered with something else than JSON")
        try:
            msgspec.json.decode(response.content, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, RecursionError) as error:
            raise _PassingError("answered with JSON that breaks off") from error
        return response

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.pause if isinstance(error, _PassingError) else None
        own = float(self._backoff(state))
        return own if asked is None else min(max(asked, own), _LONGEST_PAUSE_SECONDS)

    def _log_retry(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0
        self._log(f"{error}; try {state.attempt_number + 1} of {_ATTEMPTS} in {pause:.0f} s")


def _record(raw: msgspec.Raw) -> MirroredRecord:
    head = msgspec.json.decode(raw, type=_Head).protocol_section
    dated = (head.status_module or _Status()).last_update_post_date_struct or _Dated()
    return MirroredRecord(parse_nct_id(head.identification_module.nct_id), dated.date, bytes(raw))


def _decoded(response: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ApiError(_plain(response), f"answered in another form: {error}") from error


def _plain(response: httpx.Response) -> str:
    """Return the address asked, without the long list of fields."""
    return str(response.request.url.copy_with(query=None))


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of a Retry-After header, which may be a number or a date."""
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
