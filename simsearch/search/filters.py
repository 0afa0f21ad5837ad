"""Filters: which studies may be neighbours. Exact, and applied before the search.

Values are understood as people write them (`phase 2`, `recruiting`, `USA`); a value that
no study can have is an error that names the nearest one.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from simsearch.errors import ArgumentError, UnknownFieldError
from simsearch.index.studies import StudyStore
from simsearch.records.other_numbers import is_of_registry, number_key
from simsearch.records.vocabulary import date as registry_date
from simsearch.search.filter_values import KINDS, spelled
from simsearch.search.places import check_radius, rows_near
from simsearch.study import is_nct_id, parse_nct_id

DATE_WANTED = "a date like 2020, 2020-06 or 2020-06-15"


_MOST_PARTICIPANTS = 2**63 - 1  # SQLite compares with no greater number


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a neighbour must be; of several values of one filter, any will do.

    One value may be a plain string: `Filters(status="recruiting", phase=["2", "3"])`. Dates are
    `2020`, `2020-06` or `2020-06-15`, inclusive. A study whose record does not say what is asked
    does not pass, unless `or_unknown`.

    Raises:
        ArgumentError: a value is of another type.
    """

    status: tuple[str, ...] = ()
    phase: tuple[str, ...] = ()
    """A study of phases 1 and 2 matches either."""
    study_type: tuple[str, ...] = ()
    intervention_type: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    city: tuple[str, ...] = ()
    """With a site in this city, as registered."""
    state: tuple[str, ...] = ()
    """With a site in this state or province."""
    facility: tuple[str, ...] = ()
    """With a site whose name has these words, or their beginnings."""
    near: tuple[str, ...] = ()
    """With a site at a place: `Boston, Massachusetts`, a city, a state or a country."""
    radius_km: float | None = None
    """Also with a site within so many kilometres of a place of `near`."""
    sponsor: tuple[str, ...] = ()
    """Words of the lead sponsor's name, or their beginnings."""
    other_sponsor: tuple[str, ...] = ()
    """Lead sponsors whose studies are left out, by their whole names."""
    exclude: tuple[str, ...] = ()
    """NCT IDs of studies that are left out; one that the index lacks changes nothing."""
    start_after: str = ""
    start_before: str = ""
    min_enrollment: int | None = None
    has_results: bool | None = None
    same_intervention: bool = False
    """Whether a study must register an intervention of a query study (see `sharing`)."""
    same_condition: bool = False
    """The same with conditions."""
    or_unknown: bool = False
    """Whether a study also passes a filter on a field that its record does not have."""

    def __post_init__(self) -> None:
        for name in _LISTED:
            given = getattr(self, name)
            names = () if given is None else as_names(name, given, "a text, or a list of texts")
            msgspec.structs.force_setattr(self, name, names)
        for name in ("start_after", "start_before"):
            if getattr(self, name) is None:
                msgspec.structs.force_setattr(self, name, "")
            if not isinstance(getattr(self, name), str):
                raise ArgumentError(name, getattr(self, name), DATE_WANTED)
        check_radius(self.radius_km)
        least, results = self.min_enrollment, self.has_results
        if least is not None and (isinstance(least, bool) or not isinstance(least, int)):
            raise ArgumentError("min_enrollment", least, "a whole number")
        if not isinstance(results, bool | None):
            raise ArgumentError("has_results", results, "True, False or None")
        for name in ("or_unknown", "same_intervention", "same_condition"):
            if not isinstance(getattr(self, name), bool):
                raise ArgumentError(name, getattr(self, name), "True or False")

    def __bool__(self) -> bool:
        return self != NO_FILTERS


_LISTED = (
    "status", "phase", "study_type", "intervention_type", "country", "city", "state", "facility",
    "near", "sponsor", "other_sponsor", "exclude",
)  # fmt: skip


def as_names(name: str, given: object, expected: str) -> tuple[str, ...]:
    """Return what an argument names: a plain string one, a list of strings several.

    Raises:
        ArgumentError: it is neither.
    """
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, list | tuple | set | frozenset) or not all(
        isinstance(each, str) for each in given
    ):
        raise ArgumentError(name, given, expected)
    return tuple(sorted(given) if isinstance(given, set | frozenset) else given)


NO_FILTERS = Filters()


def allowed_rows(store: StudyStore, filters: Filters) -> npt.NDArray[np.bool_]:
    """Return (n_studies,) which studies pass.

    Raises:
        FilterError: a value that no study can have.
        UnknownFieldError: no record has the field that is asked for.
        ArgumentError: a date that is not one, or a number out of range.
        NctIdError: a study to leave out is not named by an NCT ID.
    """
    allowed = np.ones(store.n_studies, dtype=np.bool_)
    for name, rows in _passing(store, filters).items():
        passing = np.zeros(store.n_studies, dtype=np.bool_)
        passing[rows] = True
        if filters.or_unknown:
            passing |= _is_unknown(store, name)
        allowed &= passing
    if filters.other_sponsor:
        allowed[store.rows_of("sponsor", filters.other_sponsor)] = False
    for nct_id in filters.exclude:
        allowed[_rows_named(store, nct_id)] = False
    return allowed


def _rows_named(store: StudyStore, text: str) -> list[int]:
    """Return the rows of the studies with an NCT ID, or with a number elsewhere.

    Raises:
        NctIdError: it is neither an NCT ID nor a number of another registry, nor one here.
    """
    if is_nct_id(text):
        row = store.row_of(parse_nct_id(text))
        return [] if row is None else [row]
    rows = store.rows_numbered(number_key(text))
    if not (rows or is_of_registry(text)):
        parse_nct_id(text)  # says what it must be
    return rows


def unknown_counts(store: StudyStore, filters: Filters) -> dict[str, int]:
    """Return field → how many studies do not pass because their records do not have it."""
    if filters.or_unknown:
        return {}
    counts = {name: int(_is_unknown(store, name).sum()) for name in _passing(store, filters)}
    return {name: n for name, n in counts.items() if n}


def _passing(store: StudyStore, filters: Filters) -> dict[str, npt.NDArray[np.int64]]:
    """Return field → the rows of the studies that pass the filter on it."""
    found = {
        kind: store.rows_of(kind, spelled(store, kind, getattr(filters, kind)))
        for kind in KINDS
        if getattr(filters, kind)
    }
    for kind in ("city", "state", "near"):
        if values := getattr(filters, kind):
            found[kind] = rows_near(store, kind, values, filters.radius_km)
    if filters.radius_km is not None and not filters.near:
        raise ArgumentError(
            "radius_km", filters.radius_km, "given together with a place to be near"
        )
    if filters.start_after or filters.start_before:
        after, before = _date("start_after", filters), _date("start_before", filters)
        found["start_date"] = store.rows_started(after, before)
    if filters.min_enrollment is not None:
        if not 0 <= filters.min_enrollment <= _MOST_PARTICIPANTS:
            expected = f"0 or more, at most {_MOST_PARTICIPANTS:,}"
            raise ArgumentError("min_enrollment", filters.min_enrollment, expected)
        found["enrollment"] = store.rows_enrolling(filters.min_enrollment)
    if filters.has_results is not None:
        found["has_results"] = _rows_with_results(store, has_results=filters.has_results)
    return found


def _is_unknown(store: StudyStore, name: str) -> npt.NDArray[np.bool_]:
    """Return (n_studies,) which studies have nothing in a field."""
    if name in KINDS:
        known = store.rows_of(name, store.values_of(name))
    elif name in {"city", "state", "near"}:
        known = store.rows_at(None)
    elif name == "start_date":
        known = store.rows_started("", "")
    elif name == "enrollment":
        known = store.rows_enrolling(0)
    else:
        known = np.concatenate(
            [store.rows_with_results(has_results=each) for each in (True, False)]
        )
    unknown = np.ones(store.n_studies, dtype=np.bool_)
    unknown[known] = False
    return unknown


def _rows_with_results(store: StudyStore, *, has_results: bool) -> npt.NDArray[np.int64]:
    rows = store.rows_with_results(has_results=has_results)
    if not len(rows) and not len(store.rows_with_results(has_results=not has_results)):
        raise UnknownFieldError("has_results", str(has_results).lower())
    return rows


def _date(name: str, filters: Filters) -> str:
    given = str(getattr(filters, name))
    if given and registry_date(given) != given:
        raise ArgumentError(name, given, DATE_WANTED)
    return given
