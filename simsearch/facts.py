"""The facts of a registered study that are shown and compared, and play no part in ranking.

Names follow the registry's. A missing text is `""`, a missing list `()`, a missing number or
yes/no `None`; enumerations are the registry's (`RANDOMIZED`, `ESTIMATED`), an unknown value is
kept as it is. Dates are as precise as registered: `2018`, `2018-06` or `2018-06-10`.
"""

from __future__ import annotations

import re

import msgspec


class Arm(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An arm of a trial, or a cohort of an observational study."""

    label: str
    type: str = ""
    """`EXPERIMENTAL`, `PLACEBO_COMPARATOR`, …; cohorts have none."""
    description: str = ""
    interventions: tuple[str, ...] = ()
    """Names of what the arm is given, as the study's interventions are named."""


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a study measures, and when."""

    measure: str
    time_frame: str = ""
    description: str = ""


class Organization(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A sponsor or collaborator; `kind` is the registry's class (`INDUSTRY`, `NIH`, …)."""

    name: str
    kind: str = ""


class Site(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A place where a study is run; the country is named as in `Study.countries`."""

    country: str = ""
    facility: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    status: str = ""
    latitude: float | None = None
    longitude: float | None = None


class Reference(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An article that a record cites; `pmid` is its PubMed ID."""

    citation: str = ""
    pmid: str = ""
    type: str = ""
    """`BACKGROUND`, `RESULT` or `DERIVED`."""


class OtherNumber(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A number that the study has elsewhere."""

    number: str
    registry: str = ""
    """`EudraCT`, `EU CT`, `ISRCTN`, `ChiCTR`, …; empty for a number of the sponsor's own."""


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a study's page shows beyond the fields of `Study`."""

    why_stopped: str = ""
    start_date_type: str = ""
    """`ACTUAL` or `ESTIMATED`; so are the other types."""
    primary_completion_date: str = ""
    primary_completion_date_type: str = ""
    completion_date_type: str = ""
    first_posted_date: str = ""
    results_first_posted_date: str = ""
    enrollment_type: str = ""

    description: str = ""
    """The detailed description; paragraphs and bullets are lines."""

    allocation: str = ""
    intervention_model: str = ""
    primary_purpose: str = ""
    masking: str = ""
    who_masked: tuple[str, ...] = ()
    observational_model: str = ""
    time_perspective: str = ""
    patient_registry: bool | None = None

    arms: tuple[Arm, ...] = ()
    n_arms: int | None = None
    """As registered, where a form gives the number without the arms."""
    intervention_descriptions: tuple[str, ...] = ()
    """In the order of `Study.interventions`; empty where none has a description."""

    primary_outcomes: tuple[Outcome, ...] = ()
    secondary_outcomes: tuple[Outcome, ...] = ()
    other_outcomes: tuple[Outcome, ...] = ()

    criteria: str = ""
    """Eligibility criteria, inclusion and exclusion; paragraphs and bullets are lines."""
    minimum_age: str = ""
    """As registered: `18 Years`, `6 Months`; empty for no limit (see `has_eligibility`)."""
    maximum_age: str = ""
    sex: str = ""
    """`ALL`, `FEMALE` or `MALE`."""
    healthy_volunteers: bool | None = None
    study_population: str = ""
    sampling_method: str = ""

    sponsor_class: str = ""
    collaborators: tuple[Organization, ...] = ()
    sites: tuple[Site, ...] = ()
    references: tuple[Reference, ...] = ()
    other_numbers: tuple[OtherNumber, ...] = ()

    @property
    def has_eligibility(self) -> bool:
        """Whether the record says who may take part; if not, no age is not `no limit`."""
        said = self.criteria or self.minimum_age or self.maximum_age or self.sex
        return bool(said) or self.healthy_volunteers is not None


_AGE = re.compile(r"([0-9]{1,4}) ?(year|month|week|day|hour|minute)s?", re.IGNORECASE)
_IN_A_YEAR = {
    "year": 1, "month": 12, "week": 365.25 / 7, "day": 365.25, "hour": 365.25 * 24,
    "minute": 365.25 * 24 * 60,
}  # fmt: skip


def age_in_years(text: str) -> float | None:
    """Return an age as registered (`18 Years`, `6 Months`) in years; None for any other text."""
    age = _AGE.fullmatch(text.strip())
    return int(age[1]) / _IN_A_YEAR[age[2].lower()] if age else None
