"""Errors of a review's folder, and of the files that decisions come from."""

from __future__ import annotations

from pathlib import Path

from simsearch.errors.base import TRY_LATER, SimsearchError


class ReviewError(SimsearchError):
    """A review's folder that is none, is damaged, or cannot be read or written."""

    path: Path
    reason: str

    def _message(self) -> str:
        return f"{self.path} {self.reason}"


class NoReviewError(ReviewError):
    """A folder in which no review was begun."""

    reason: str = "is not a review's folder: it has no review.json"


class ReviewBusyError(ReviewError):
    """Another process is writing decisions into the folder."""

    reason: str = "is being written by another process"
    exit_code = TRY_LATER


class ImportedDecisionsError(SimsearchError):
    """A file of decisions that cannot be imported; nothing of it was.

    Attributes:
        place: the file.
        problems: each in one line, with the line of the file.
    """

    place: str
    problems: tuple[str, ...]

    def _message(self) -> str:
        n = len(self.problems)
        more = f" (and {n - 1:,} more problems)" if n > 1 else ""
        return f"{self.place}: {self.problems[0]}{more}; nothing was imported"
