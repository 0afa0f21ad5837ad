"""The design of a study as one row of a comparison."""

from __future__ import annotations

import msgspec

from simsearch.design.comparator import Comparator, comparators
from simsearch.design.durations import age_years, months_between
from simsearch.facts import Facts, Outcome
from simsearch.study import Study


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared of a study's design; None and `""` are not given.

    Enumerations are the registry's (`RANDOMIZED`, `DOUBLE`).
    """

    nct_id: str
    title: str
    study_type: str = ""
    status: str = ""
    why_stopped: str = ""
    phases: tuple[str, ...] = ()
    allocation: str = ""
    masking: str = ""
    who_masked: tuple[str, ...] = ()
    intervention_model: str = ""
    primary_purpose: str = ""
    observational_model: str = ""
    time_perspective: str = ""
    n_arms: int | None = None
    arm_types: tuple[str, ...] = ()
    """Type of each arm, in their order; cohorts have none."""
    comparators: tuple[Comparator, ...] = ()
    """What the treatment is compared with; see `comparator.py`."""
    enrollment: int | None = None
    enrollment_type: str = ""
    """`ACTUAL` or `ESTIMATED`; so are the other types."""
    start_date: str = ""
    primary_completion_date: str = ""
    completion_date: str = ""
    months_to_primary: float | None = None
    """From start to primary completion; below zero where the dates are registered so."""
    months_to_primary_type: str = ""
    months_to_completion: float | None = None
    months_to_completion_type: str = ""
    minimum_age: str = ""
    maximum_age: str = ""
    minimum_years: float | None = None
    """The least age in years; None where there is no limit, or none known."""
    maximum_years: float | None = None
    sex: str = ""
    healthy_volunteers: bool | None = None
    primary_outcomes: tuple[Outcome, ...] = ()
    n_sites: int | None = None
    n_countries: int | None = None
    countries: tuple[str, ...] = ()
    sponsor: str = ""
    sponsor_class: str = ""
    has_results: bool | None = None
    has_eligibility: bool = False
    """Whether it says who may take part; without, its ages are not known."""
    has_facts: bool = False
    """Whether its facts are known; without them most of the row is empty."""


def design_of(study: Study) -> Design:
    """Return the design of a study, as far as its record gives it."""
    facts = study.facts or Facts()
    start, primary = study.start_date, facts.primary_completion_date
    countries = tuple(
        dict.fromkeys(filter(None, (*study.countries, *(each.country for each in facts.sites))))
    )
    return Design(
        nct_id=study.nct_id,
        title=study.title,
        study_type=study.study_type,
        status=study.status,
        why_stopped=facts.why_stopped,
        phases=study.phases,
        allocation=facts.allocation,
        masking=facts.masking,
        who_masked=facts.who_masked,
        intervention_model=facts.intervention_model,
        primary_purpose=facts.primary_purpose,
        observational_model=facts.observational_model,
        time_perspective=facts.time_perspective,
        n_arms=len(facts.arms) or facts.n_arms,
        arm_types=tuple(each.type for each in facts.arms),
        comparators=comparators(study),
        enrollment=study.enrollment,
        enrollment_type=facts.enrollment_type,
        start_date=start,
        primary_completion_date=primary,
        completion_date=study.completion_date,
        months_to_primary=months_between(start, primary),
        months_to_primary_type=_planned(facts.start_date_type, facts.primary_completion_date_type),
        months_to_completion=months_between(start, study.completion_date),
        months_to_completion_type=_planned(facts.start_date_type, facts.completion_date_type),
        minimum_age=facts.minimum_age,
        maximum_age=facts.maximum_age,
        minimum_years=age_years(facts.minimum_age),
        maximum_years=age_years(facts.maximum_age),
        sex=facts.sex,
        healthy_volunteers=facts.healthy_volunteers,
        primary_outcomes=facts.primary_outcomes,
        n_sites=len(facts.sites) or None,
        n_countries=len(countries) or None,
        countries=countries,
        sponsor=study.sponsor,
        sponsor_class=facts.sponsor_class,
        has_results=study.has_results,
        has_eligibility=facts.has_eligibility,
        has_facts=study.facts is not None,
    )


def _planned(*types: str) -> str:
    """Return the type of a duration: planned if one of its dates is, else as its end."""
    return "ESTIMATED" if "ESTIMATED" in types else types[-1]
