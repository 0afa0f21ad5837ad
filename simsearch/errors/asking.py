"""Errors about what is asked: arguments, filters, NCT IDs, studies."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from simsearch.errors.base import WRONG_USAGE, SimsearchError

_ALL_NAMED = 14  # so few allowed values are all named, of more only the close ones


class ArgumentError(SimsearchError):
    """A value outside its range; `expected` completes "it must be …"."""

    name: str
    found: object
    expected: str
    exit_code = WRONG_USAGE

    def _message(self) -> str:
        return f"{self.name} is {self.found!r}: it must be {self.expected}"


class FilterError(SimsearchError):
    """A filter value that no study can have; `close` are the nearest allowed ones, best first."""

    name: str
    value: str
    close: Sequence[str] = ()
    allowed: Sequence[str] = ()
    exit_code = WRONG_USAGE

    def _message(self) -> str:
        return f"{self.name.replace('_', ' ')} {self.value!r} is not known: {self.advice}"

    @property
    def advice(self) -> str:
        """What may have been meant, and what is allowed."""
        *others, last = map(repr, self.close or ("",))
        if len(self.allowed) <= _ALL_NAMED:
            known = f"values are {', '.join(self.allowed)}"
            return f"did you mean {self.close[0]!r}? The {known}" if self.close else f"the {known}"
        if not self.close:
            return f"none of the {len(self.allowed):,} values here is close to it"
        meant = f"{', '.join(others)} or {last}" if others else last
        return f"did you mean {meant}? There are {len(self.allowed):,} values in all"


class UnknownFieldError(FilterError):
    """A filter on a field that no record in the index has, whatever its `value`."""

    value: str = ""

    def _message(self) -> str:
        field = self.name.replace("_", " ")
        return f"no study in this index has a {field}: ask without that filter"


class NctIdError(SimsearchError):
    """Text that is not an NCT ID; `close` is one that the index holds, or empty."""

    text: str
    reason: str
    close: str = ""
    exit_code = WRONG_USAGE

    def _message(self) -> str:
        shown = textwrap.shorten(self.text, 60, placeholder="…") or self.text[:59]
        meant = f"; did you mean {self.close}?" if self.close else ""
        form = "an NCT ID is NCT and eight digits, like NCT03540472"
        return f"{shown!r} {self.reason}: {form}{meant}"


class UnknownStudyError(SimsearchError):
    """A valid NCT ID that an index does not hold; `index` names it for a person."""

    nct_id: str
    index: str
    n_studies: int
    records_date: str
    is_demo: bool = False

    def _message(self) -> str:
        dated = f", records to {self.records_date}" if self.records_date else ""
        return f"{self.nct_id} is not in {self.index} ({self.n_studies:,} studies{dated})"


class GoneStudyError(UnknownStudyError):
    """A study that has left the registry, or was merged into another (`became`)."""

    since: str = ""
    became: str = ""

    def _message(self) -> str:
        merged = f"was merged into {self.became}: ask for that"
        what = merged if self.became else "has left the registry"
        return f"{self.nct_id} {what} (noticed on {self.since})"


class NothingToCompareError(SimsearchError):
    """A study or text without a word that could be compared."""

    what: str
    reason: str

    def _message(self) -> str:
        return f"{self.what} has nothing to compare: {self.reason}"
