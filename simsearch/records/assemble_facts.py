"""The raw parts of what a study's page shows → clean `Facts`; every reader ends here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from simsearch.facts import Arm, Facts, Organization, Outcome, Reference, Site
from simsearch.records import vocabulary
from simsearch.records.other_numbers import RawNumber, other_numbers
from simsearch.records.text import clean_lines, clean_name, clean_text
from simsearch.study import Intervention

NOTHING = Facts()
_MAX_ARMS_REGISTERED = 10_000
_MAX_LATITUDE, _MAX_LONGITUDE = 90, 180

Text = str | None


class RawArm(msgspec.Struct, gc=False):
    """An arm; `given` names its interventions with their types: `Drug: X`."""

    label: Text = None
    type: Text = None
    description: Text = None
    given: Sequence[Text] = ()


class RawGiven(msgspec.Struct, gc=False):
    """What a record says of an intervention besides its names; `arms` are labels of arms."""

    type: Text = None
    name: Text = None
    description: Text = None
    arms: Sequence[Text] = ()


class RawSite(msgspec.Struct, gc=False):
    """A site, as registered."""

    country: Text = None
    facility: Text = None
    city: Text = None
    state: Text = None
    zip: Text = None
    status: Text = None
    latitude: float | None = None
    longitude: float | None = None


RawOutcome = tuple[Text, Text, Text]
"""Measure, time frame, description."""


class RawFacts(msgspec.Struct, kw_only=True, gc=False):
    """The parts of a record of any form, named like the fields of `Facts`.

    Texts may have entities, irregular white space and, where they are descriptions, Markdown
    escapes; vocabulary and dates may be those of any form.
    """

    why_stopped: Text = None
    start_date_type: Text = None
    primary_completion_date: Text = None
    primary_completion_date_type: Text = None
    completion_date_type: Text = None
    first_posted_date: Text = None
    results_first_posted_date: Text = None
    enrollment_type: Text = None
    description: Text = None
    allocation: Text = None
    intervention_model: Text = None
    primary_purpose: Text = None
    masking: Text = None
    """Older forms name in brackets who is masked."""
    who_masked: Iterable[Text] = ()
    observational_model: Text = None
    time_perspective: Text = None
    patient_registry: bool | None = None
    arms: Iterable[RawArm] = ()
    n_arms: int | None = None
    interventions: Iterable[RawGiven] = ()
    primary_outcomes: Iterable[RawOutcome] = ()
    secondary_outcomes: Iterable[RawOutcome] = ()
    other_outcomes: Iterable[RawOutcome] = ()
    criteria: Text = None
    minimum_age: Text = None
    maximum_age: Text = None
    sex: Text = None
    healthy_volunteers: bool | None = None
    study_population: Text = None
    sampling_method: Text = None
    sponsor_class: Text = None
    collaborators: Iterable[tuple[Text, Text]] = ()
    """Name, class."""
    sites: Iterable[RawSite] = ()
    references: Iterable[tuple[Text, Text, Text]] = ()
    """Citation, PubMed ID, type."""
    other_numbers: Iterable[RawNumber] = ()


def assemble_facts(
    raw: RawFacts, interventions: Sequence[Intervention], own_ids: Sequence[str]
) -> Facts | None:
    """Return clean facts; None if the record has none.

    Args:
        raw: the parts of the record.
        interventions: of the study, clean.
        own_ids: the study's NCT IDs, the obsolete ones too.
    """
    masking, masked = vocabulary.masking(raw.masking or "")
    given = list(raw.interventions)
    arms = _arms(raw.arms, given)
    facts = Facts(
        why_stopped=clean_text(raw.why_stopped),
        start_date_type=_date_type(raw.start_date_type),
        primary_completion_date=vocabulary.date(raw.primary_completion_date or ""),
        primary_completion_date_type=_date_type(raw.primary_completion_date_type),
        completion_date_type=_date_type(raw.completion_date_type),
        first_posted_date=vocabulary.date(raw.first_posted_date or ""),
        results_first_posted_date=vocabulary.date(raw.results_first_posted_date or ""),
        enrollment_type=_date_type(raw.enrollment_type),
        description=clean_lines(raw.description),
        allocation=vocabulary.word(raw.allocation or ""),
        intervention_model=vocabulary.word(raw.intervention_model or ""),
        primary_purpose=vocabulary.word(raw.primary_purpose or ""),
        masking=masking,
        who_masked=vocabulary.who_masked((*masked, *(each or "" for each in raw.who_masked))),
        observational_model=vocabulary.word(raw.observational_model or ""),
        time_perspective=vocabulary.word(raw.time_perspective or ""),
        patient_registry=raw.patient_registry,
        arms=arms,
        n_arms=None if arms else _n_arms(raw.n_arms),
        intervention_descriptions=_descriptions(given, interventions),
        primary_outcomes=_outcomes(raw.primary_outcomes),
        secondary_outcomes=_outcomes(raw.secondary_outcomes),
        other_outcomes=_outcomes(raw.other_outcomes),
        criteria=clean_lines(raw.criteria),
        minimum_age=clean_name(raw.minimum_age),
        maximum_age=clean_name(raw.maximum_age),
        sex=vocabulary.word(raw.sex or ""),
        healthy_volunteers=raw.healthy_volunteers,
        study_population=clean_text(raw.study_population, markup=True),
        sampling_method=vocabulary.word(raw.sampling_method or ""),
        sponsor_class=vocabulary.word(raw.sponsor_class or ""),
        collaborators=tuple(
            Organization(name, vocabulary.word(kind or ""))
            for text, kind in raw.collaborators
            if (name := clean_name(text))
        ),
        sites=_sites(raw.sites),
        references=_references(raw.references),
        other_numbers=other_numbers(raw.other_numbers, own_ids),
    )
    return None if facts == NOTHING else facts


def _date_type(text: Text) -> str:
    return vocabulary.word(text or "")


def _n_arms(number: int | None) -> int | None:
    return number if number is not None and 0 <= number <= _MAX_ARMS_REGISTERED else None


def _arms(raw: Iterable[RawArm], given: Sequence[RawGiven]) -> tuple[Arm, ...]:
    """Return the arms that have a label or a description, with the names of what they are given.

    Either the interventions name their arms, or the arms name their interventions.
    """
    names: dict[str, dict[str, None]] = {}
    for each in given:
        if name := clean_name(each.name):
            for label in each.arms:
                names.setdefault(clean_name(label), {})[name] = None
    arms = []
    for arm in raw:
        label, description = clean_name(arm.label), clean_text(arm.description, markup=True)
        if label or description:
            received = names.get(label) or dict.fromkeys(map(_without_type, arm.given))
            kind = vocabulary.word(arm.type or "")
            arms.append(Arm(label, kind, description, tuple(filter(None, received))))
    return tuple(arms)


def _without_type(text: Text) -> str:
    """Return the name in `Drug: X`; a colon may stand in a name too."""
    kind, _, name = clean_name(text).partition(": ")
    is_type = vocabulary.word(kind) in vocabulary.INTERVENTION_TYPES
    return name if is_type else clean_name(text)


def _descriptions(
    given: Sequence[RawGiven], interventions: Sequence[Intervention]
) -> tuple[str, ...]:
    """Return the interventions' descriptions in the order of the study's; `()` if all are empty."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for each in given:
        if text := clean_text(each.description, markup=True):
            key = clean_name(each.name), vocabulary.intervention_type(each.type or "")
            found.setdefault(key, {})[text] = None
    texts = tuple(" ".join(found.get((each.name, each.type), ())) for each in interventions)
    return texts if any(texts) else ()


def _outcomes(raw: Iterable[RawOutcome]) -> tuple[Outcome, ...]:
    found = (
        Outcome(clean_text(measure), clean_text(frame), clean_text(description, markup=True))
        for measure, frame, description in raw
    )
    return tuple(each for each in found if each.measure or each.description)


def _sites(raw: Iterable[RawSite]) -> tuple[Site, ...]:
    found = (
        Site(
            vocabulary.country(clean_name(each.country)),
            clean_name(each.facility),
            clean_name(each.city),
            clean_name(each.state),
            clean_name(each.zip),
            vocabulary.status(each.status or ""),
            *_position(each),
        )
        for each in raw
    )
    return tuple(each for each in found if each.country or each.facility or each.city)


def _position(site: RawSite) -> tuple[float | None, float | None]:
    """Return latitude and longitude in degrees, both or none."""
    north, east = site.latitude, site.longitude
    if north is None or east is None:
        return None, None
    on_earth = abs(north) <= _MAX_LATITUDE and abs(east) <= _MAX_LONGITUDE
    return (float(north), float(east)) if on_earth else (None, None)


def _references(raw: Iterable[tuple[Text, Text, Text]]) -> tuple[Reference, ...]:
    found = (
        Reference(clean_text(citation), clean_name(pmid), vocabulary.word(kind or ""))
        for citation, pmid, kind in raw
    )
    return tuple(each for each in found if each.citation or each.pmid)
