"""Errors about what an index is built from, and with: records, registry, models, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simsearch.errors.base import NOT_PUBLISHED, TRY_LATER, SimsearchError


class SourceError(SimsearchError):
    """A source of records (`place`) that cannot be read, or not to its end."""

    place: str
    reason: str

    def _message(self) -> str:
        return f"{self.place}: {self.reason}"


class SourceLostError(SourceError):
    """A server with records does not answer, or went away: the same command may succeed."""

    exit_code = TRY_LATER

    def _message(self) -> str:
        return f"{super()._message()}: try again"


class RejectedRecordsError(SourceError):
    """More of the records are unusable than a build accepts by default.

    Attributes:
        n_rejected: the number of unusable records.
        n_read: the number of records read.
        first: the first of them, and what is wrong with it.
    """

    exit_code = NOT_PUBLISHED

    def __init__(self, n_rejected: int, n_read: int, first: str) -> None:
        self.n_rejected = n_rejected
        self.n_read = n_read
        self.first = first
        super().__init__(
            f"{n_rejected:,} of {n_read:,} records rejected",
            f"more than 1 % (first: {first}); nothing was published",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.n_rejected, self.n_read, self.first)


class MirrorError(SimsearchError):
    """The mirror is another kind of file, damaged, or cannot be written."""

    path: Path
    reason: str

    def _message(self) -> str:
        return f"mirror {self.path} {self.reason}"


class NoFetchYetError(MirrorError):
    """The mirror contains no complete fetch that could be updated."""

    reason: str = "contains no complete fetch that could be updated"


class ApiError(SimsearchError):
    """The registry refuses a request, or answers in an unexpected form."""

    url: str
    reason: str

    def _message(self) -> str:
        return f"{self.url}: {self.reason}"


class NoAnswerError(ApiError):
    """The registry does not answer, even after several tries."""

    exit_code = TRY_LATER


class RedirectError(ApiError):
    """The registry redirects from one study to the next, in a circle or too often."""


class FetchError(SimsearchError):
    """A fetch that could not be completed; the `n_received` studies that arrived are kept."""

    reason: str
    n_received: int
    exit_code = TRY_LATER

    def _message(self) -> str:
        kept = f"the {self.n_received:,} studies received are kept"
        return f"{self.reason}; {kept}, and the same fetch resumes from there"


class FetchRefusedError(FetchError):
    """A fetch that the registry refuses, or answers in an unexpected form: see what is wrong."""

    exit_code = 1


class DoubtfulAnswersError(FetchError):
    """The registry's answers about studies that may have gone are not believed."""


class EncoderError(SimsearchError):
    """A model that cannot be loaded, or is not the expected one."""

    model: str
    reason: str

    def _message(self) -> str:
        return f"model {self.model}: {self.reason}"


class EngineError(SimsearchError):
    """Dask workers, or their scheduler (`address`), that cannot be used."""

    address: str
    reason: str

    def _message(self) -> str:
        return f"dask {self.address}: {self.reason}"


class EngineLostError(EngineError):
    """The scheduler or all workers are out of reach; trying again later may succeed."""

    exit_code = TRY_LATER


class JudgedSetError(SimsearchError):
    """A judged set that cannot be read; `line` counts from 1, and 0 means the whole file."""

    path: Path
    line: int
    reason: str

    def _message(self) -> str:
        place = f"{self.path} line {self.line:,}" if self.line else str(self.path)
        return f"{place}: {self.reason}"


class RelatedFileError(SimsearchError):
    """A file of related lists that is another kind of file, or cannot be read or written."""

    path: str
    reason: str

    def _message(self) -> str:
        return f"{self.path} {self.reason}"


class ForeignRelatedFileError(RelatedFileError):
    """The file holds something other than related lists."""

    reason: str = "holds something other than related lists"


class RelatedBusyError(RelatedFileError):
    """Another run is writing the same file of related lists."""

    reason: str = "is being written by another run: try again later"
    exit_code = TRY_LATER


class CacheError(SimsearchError):
    """The cache of vectors cannot be read or written; a build works without one."""

    path: Path
    reason: str

    def _message(self) -> str:
        return f"cache {self.path} {self.reason}"


class ForeignCacheError(CacheError):
    """The file named as the cache is another kind of file; it is left as it is."""
