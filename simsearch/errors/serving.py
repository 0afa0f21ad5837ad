"""Errors of what is served: an address that cannot be used, a part that is not installed."""

from __future__ import annotations

from simsearch.errors.base import SimsearchError


class AddressError(SimsearchError):
    """An address at which nothing can be served; `reason` completes "ADDRESS …"."""

    address: str
    reason: str

    def _message(self) -> str:
        return f"{self.address} {self.reason}"


class MissingExtraError(SimsearchError):
    """A library that only one part of simsearch needs, `extra`, is not installed."""

    what: str
    library: str
    extra: str

    def _message(self) -> str:
        return (
            f"{self.what} needs {self.library}, which is not installed: "
            f"pip install 'simsearch[{self.extra}]'"
        )
