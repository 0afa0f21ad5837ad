"""What a fetch reports: its result, or the error that it ends with."""

from __future__ import annotations

import msgspec

from simsearch.errors import ApiError, FetchError, FetchRefusedError, NoAnswerError


class FetchReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a fetch.

    `n_received` studies came, of which `n_broken` had records that could not be kept;
    `n_mirrored` are in the mirror now. `data_timestamp` is the time of the registry's data
    (ISO). The others are NCT IDs: `gone` have left the registry; `missing` were not found by one
    check, and count as gone when another agrees; `returned` had gone, and are back; `not_found`
    are unknown to the registry.
    """

    n_received: int
    n_mirrored: int
    data_timestamp: str
    n_broken: int = 0
    gone: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()


def interrupted(error: ApiError, n_received: int) -> FetchError:
    """Return the error of a fetch that this error ended; its type says whether to try again."""
    kind = FetchError if isinstance(error, NoAnswerError) else FetchRefusedError
    return kind(str(error), n_received)
