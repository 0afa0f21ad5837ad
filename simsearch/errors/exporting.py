"""Errors of an export: the place that it goes to."""

from __future__ import annotations

from simsearch.errors.base import TRY_LATER, SimsearchError


class ExportError(SimsearchError):
    """An export cannot be written.

    Attributes:
        target: where to, without passwords.
        reason: what is wrong, and what to do next.
    """

    target: str
    reason: str

    def _message(self) -> str:
        return f"{self.target}: {self.reason}"


class ExportBusyError(ExportError):
    """Another process writes there, or the connection was lost: the same command may succeed."""

    exit_code = TRY_LATER
