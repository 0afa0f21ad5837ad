"""Errors in a question: arguments, filters, NCT IDs, studies."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from simsearch.errors.base import WRONG_USAGE, SimsearchError, records_to

_LONGEST_SHOWN = 100  # characters of a wrong value
_MAX_LISTED = 14  # up to this many allowed values are all listed; of more, only the close ones


class ArgumentError(SimsearchError):
    """An argument out of its range or of the wrong type; `expected` completes "it must be …"."""

    name: str
    found: object
    expected: str
    exit_code = WRONG_USAGE

    def _message(self) -> str:
        found = repr(self.found)
        shown = found if len(found) <= _LONGEST_SHOWN else f"{found[:_LONGEST_SHOWN]}…"
        return f"{self.name} is {shown}: it must be {self.expected}"


class FilterError(SimsearchError):
    """A filter value that no study can have.

    Attributes:
        name: the filter.
        value: the value given.
        close: the allowed values closest to it, best first.
        allowed: all allowed values.
    """

    name: str
    value: str
    close: Sequence[str] = ()
    allowed: Sequence[str] = ()
    exit_code = WRONG_USAGE

    def _message(self) -> str:
        return f"{self.name.replace('_', ' ')} {self.shown} is not known: {self.advice}"

    @property
    def shown(self) -> str:
        """The value, quoted; of a long one the beginning."""
        quoted = repr(self.value)
        return quoted if len(quoted) <= _LONGEST_SHOWN else f"{quoted[:_LONGEST_SHOWN]}…"

    @property
    def advice(self) -> str:
        """What may have been meant, and what is allowed."""
        if len(self.allowed) <= _MAX_LISTED:
            known = f"values are {', '.join(self.allowed)}"
            return f"did you mean {self.close[0]!r}? The {known}" if self.close else f"the {known}"
        if not self.close:
            return f"none of the {len(self.allowed):,} values in this index is like it"
        *others, last = map(repr, self.close)
        meant = f"{', '.join(others)} or {last}" if others else last
        return f"did you mean {meant}? There are {len(self.allowed):,} values in all"


class UnknownFieldError(FilterError):
    """A filter on a field that no record in the index has; no `value` could match.

    `value` is empty, or what was asked of a field of yes and no: `true` or `false`.
    """

    value: str = ""

    def _message(self) -> str:
        return f"no record in this index has the field {self.name}: ask without that filter"


class NctIdError(SimsearchError):
    """Text that is not an NCT ID; `close` is a similar one in the index, or empty."""

    text: str
    reason: str
    close: str = ""
    exit_code = WRONG_USAGE

    def _message(self) -> str:
        shown = textwrap.shorten(self.text, 60, placeholder="…") or self.text[:59]
        meant = f"; did you mean {self.close}?" if self.close else ""
        form = "an NCT ID is NCT and eight digits, like NCT03540472"
        digits = self.text.strip().upper().removeprefix("NCT")
        if digits and not digits.strip("0"):
            form = "no study has the number 0"
        return f"{shown!r} {self.reason}: {form}{meant}"


class UnknownStudyError(SimsearchError):
    """A valid NCT ID that is not in the index; `index` describes the index to a person."""

    nct_id: str
    index: str
    n_studies: int
    records_date: str
    is_demo: bool = False

    def _message(self) -> str:
        dated = records_to(self.records_date)
        return f"{self.nct_id} is not in {self.index} ({self.n_studies:,} studies{dated})"


class GoneStudyError(UnknownStudyError):
    """A study that has left the registry, or was merged into another.

    Attributes:
        since: when that was noticed, an ISO date.
        became: the NCT ID of the study that it was merged into, or empty.
    """

    since: str = ""
    became: str = ""

    def _message(self) -> str:
        noticed = f" (noticed on {self.since})" if self.since else ""
        if self.became:
            return f"{self.nct_id} was merged into {self.became}{noticed}: use that ID instead"
        return f"{self.nct_id} has left the registry{noticed}"


class UnknownNumberError(UnknownStudyError):
    """A number of another registry that no study of the index has; it stands in `nct_id`."""

    def _message(self) -> str:
        return f"no study in {self.index} ({self.n_studies:,} studies) has the number {self.nct_id}"


class SharedNumberError(SimsearchError):
    """A number, of another registry or a sponsor's own, that several studies have.

    Attributes:
        number: the number.
        studies: the NCT IDs of the studies.
    """

    number: str
    studies: Sequence[str]
    exit_code = WRONG_USAGE

    def _message(self) -> str:
        n = len(self.studies)
        named = ", ".join(self.studies[:_MAX_LISTED])
        more = f" and {n - _MAX_LISTED:,} more" if n > _MAX_LISTED else ""
        return f"{self.number} is a number of {n:,} studies, {named}{more}: give one of these"


class NothingToCompareError(SimsearchError):
    """A study, draft or text (`what`) without a word to compare."""

    what: str
    reason: str

    def _message(self) -> str:
        return f"{self.what} has nothing to compare: {self.reason}"
