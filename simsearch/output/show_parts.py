"""A study in full as sections of names, values, lists and tables: what every format shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from simsearch.facts import Facts, Outcome, Site
from simsearch.output.design_words import NOT_GIVEN, age_range, number, plural, words, yes_or_no
from simsearch.search.show import Shown
from simsearch.study import STUDY_URL, Study, phase_label, status_label

NOT_KEPT = "not kept by this index"

PUBMED_URL = "https://pubmed.ncbi.nlm.nih.gov/"


class Pairs(msgspec.Struct, frozen=True):
    """Names and values."""

    pairs: tuple[tuple[str, str], ...]


class Prose(msgspec.Struct, frozen=True):
    """Text as registered: paragraphs, and bullets that begin with a hyphen or a number."""

    text: str


class Rows(msgspec.Struct, frozen=True):
    """A table; a column without values is left out."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    url_of: dict[str, str] = {}
    """Cell → the address that it links to."""


class Section(msgspec.Struct, frozen=True):
    """A part of the page with its heading."""

    title: str
    blocks: tuple[Pairs | Prose | Rows, ...]


def sections(shown: Shown) -> list[Section]:
    """Return the study as a trial page shows it, without its related list.

    A part that the record lacks is left out, but for what every study has: that is `not given`.
    A part that the index does not keep says so.
    """
    study, facts = shown.study, shown.study.facts
    found = [
        Section("Basic information", (_basic(study, facts, is_lacking="design" in shown.lacks),)),
        *_prose("Brief summary", study.summary),
        *_lacking(shown),
    ]
    if facts is not None:
        found += [*_prose("Detailed description", facts.description)]
    found.append(Section("Conditions and keywords", (_topic(study),)))
    if facts is not None:
        found += list(_of_facts(study, facts, is_lacking=bool(shown.lacks)))
    elif study.interventions:
        found.append(Section("Interventions", (_interventions(study, Facts()),)))
    found.append(Section("Sponsor", (_sponsor(study, facts or Facts()),)))
    return found


def numbers_line(study: Study) -> str:
    """Return the study's numbers in a line: its own, obsolete ones, those of other registries."""
    others = study.facts.other_numbers if study.facts else ()
    named = [
        f"{each.number} ({each.registry})" if each.registry else each.number for each in others
    ]
    gone = [f"formerly {alias}" for alias in study.aliases]
    return " · ".join((study.nct_id or "draft", *gone, *named))


def _basic(study: Study, facts: Facts | None, *, is_lacking: bool) -> Pairs:
    kept = NOT_KEPT if is_lacking else NOT_GIVEN
    its = facts or Facts()
    status = status_label(study.status) or NOT_GIVEN
    if study.last_known_status:
        status += f" (last known: {status_label(study.last_known_status).lower()})"
    pairs = [("Status", status)]
    if its.why_stopped:
        pairs.append(("Why stopped", its.why_stopped))
    pairs += [
        ("Type", words(study.study_type) or NOT_GIVEN),
        ("Phase", phase_label(study.phases) or NOT_GIVEN),
        ("Enrollment", _typed(number(study.enrollment), its.enrollment_type)
         if study.enrollment is not None else NOT_GIVEN),
        ("Start", _typed(study.start_date, its.start_date_type)),
        ("Primary completion",
         _typed(its.primary_completion_date, its.primary_completion_date_type)
         if its.primary_completion_date else kept),
        ("Completion", _typed(study.completion_date, its.completion_date_type)),
        ("First posted", its.first_posted_date or kept),
        ("Results", _results(study, its)),
        ("Last update", study.last_update_date or NOT_GIVEN),
    ]  # fmt: skip
    return Pairs(tuple(pairs))


def _results(study: Study, facts: Facts) -> str:
    if facts.results_first_posted_date:
        return f"posted {facts.results_first_posted_date}"
    return {True: "posted", False: "none posted", None: NOT_GIVEN}[study.has_results]


def _typed(value: str, kind: str) -> str:
    """Return a value and whether it is actual or planned."""
    if not value:
        return NOT_GIVEN
    said = {"ACTUAL": "actual", "ESTIMATED": "planned"}.get(kind, "")
    return f"{value} ({said})" if said else value


def _prose(title: str, text: str) -> list[Section]:
    return [Section(title, (Prose(text),))] if text else []


def _lacking(shown: Shown) -> list[Section]:
    if not shown.lacks:
        return []
    listed = ", ".join(shown.lacks)
    text = f"This index does not keep {listed}: to have them, rebuild it with --details full."
    return [Section("Not in this index", (Prose(text),))]


def _topic(study: Study) -> Pairs:
    pairs = [("Conditions", "; ".join(study.conditions) or NOT_GIVEN)]
    for name, values in (
        ("Keywords", study.keywords),
        ("MeSH terms of conditions", study.condition_mesh),
        ("MeSH terms of interventions", study.intervention_mesh),
    ):
        if values:
            pairs.append((name, "; ".join(values)))
    return Pairs(tuple(pairs))


def _of_facts(study: Study, facts: Facts, *, is_lacking: bool) -> Iterator[Section]:
    yield Section("Design", (_design(study, facts),))
    if facts.arms:
        rows = tuple(
            (each.label, words(each.type), "; ".join(each.interventions), each.description)
            for each in facts.arms
        )
        name = "Cohorts" if study.study_type == "OBSERVATIONAL" else "Arms"
        yield Section(name, (Rows(("Arm", "Type", "Given", "Description"), rows),))
    if study.interventions:
        yield Section("Interventions", (_interventions(study, facts),))
    for title, outcomes in (
        ("Primary outcomes", facts.primary_outcomes),
        ("Secondary outcomes", facts.secondary_outcomes),
        ("Other outcomes", facts.other_outcomes),
    ):
        if outcomes or title.startswith("Primary"):
            yield Section(title, (_outcomes(outcomes),))
    yield Section("Eligibility", tuple(_eligibility(facts, is_lacking=is_lacking)))
    if facts.sites:
        yield Section(_sites_title(facts.sites), (_sites(facts.sites),))
    if facts.references:
        yield Section("References", (_references(facts),))


def _design(study: Study, facts: Facts) -> Pairs:
    pairs = [
        ("Allocation", words(facts.allocation)),
        ("Model", words(facts.intervention_model or facts.observational_model)),
        ("Time perspective", words(facts.time_perspective)),
        ("Purpose", words(facts.primary_purpose)),
        ("Masking", _masking(facts)),
        ("Patient registry", yes_or_no(facts.patient_registry) if facts.patient_registry else ""),
        ("Arms", str(len(facts.arms) or facts.n_arms or "")),
    ]
    always = (
        ("Model",) if study.study_type == "OBSERVATIONAL" else ("Allocation", "Model", "Masking")
    )
    return Pairs(tuple((name, text or NOT_GIVEN) for name, text in pairs if text or name in always))


def _masking(facts: Facts) -> str:
    who = ", ".join(words(each) for each in facts.who_masked)
    return f"{words(facts.masking)} ({who})" if who else words(facts.masking)


def _interventions(study: Study, facts: Facts) -> Rows:
    described = facts.intervention_descriptions or ("",) * len(study.interventions)
    rows = tuple(
        (each.name, words(each.type), "; ".join(each.other_names), text)
        for each, text in zip(study.interventions, described, strict=False)
    )
    return Rows(("Intervention", "Type", "Other names", "Description"), rows)


def _outcomes(outcomes: Sequence[Outcome]) -> Rows | Prose:
    if not outcomes:
        return Prose(NOT_GIVEN)
    rows = tuple((each.measure, each.time_frame, each.description) for each in outcomes)
    return Rows(("Measure", "Time frame", "Description"), rows)


def _eligibility(facts: Facts, *, is_lacking: bool) -> Iterator[Pairs | Prose]:
    known = facts.has_eligibility
    pairs = [
        ("Ages", age_range(facts.minimum_age, facts.maximum_age) if known else NOT_GIVEN),
        ("Sex", words(facts.sex) or NOT_GIVEN),
        ("Healthy volunteers", yes_or_no(facts.healthy_volunteers)),
    ]
    if facts.study_population:
        pairs.append(("Study population", facts.study_population))
    if facts.sampling_method:
        pairs.append(("Sampling", words(facts.sampling_method)))
    yield Pairs(tuple(pairs))
    if facts.criteria or not is_lacking:
        yield Prose(facts.criteria or f"Criteria: {NOT_GIVEN}")


def _sponsor(study: Study, facts: Facts) -> Pairs:
    kind = words(facts.sponsor_class)
    sponsor = study.sponsor or NOT_GIVEN
    pairs = [("Sponsor", f"{sponsor} ({kind})" if kind and study.sponsor else sponsor)]
    if facts.collaborators:
        named = "; ".join(
            f"{each.name} ({words(each.kind)})" if each.kind else each.name
            for each in facts.collaborators
        )
        pairs.append(("Collaborators", named))
    if not facts.sites:
        pairs.append(("Countries", ", ".join(study.countries) or NOT_GIVEN))
    return Pairs(tuple(pairs))


def _sites_title(sites: Sequence[Site]) -> str:
    countries = len({each.country for each in sites if each.country})
    where = f" in {plural(countries, 'country')}" if countries else ""
    return f"{plural(len(sites), 'site')}{where}".capitalize()


def _sites(sites: Sequence[Site]) -> Rows:
    """Return the sites by country, the countries of most sites first."""
    counts: dict[str, int] = {}
    for each in sites:
        counts[each.country] = counts.get(each.country, 0) + 1
    ordered = sorted(sites, key=lambda each: (-counts[each.country], each.country))
    rows = tuple(
        (
            each.country or NOT_GIVEN,
            ", ".join(filter(None, (each.city, each.state))),
            each.facility,
            status_label(each.status),
        )
        for each in ordered
    )
    return Rows(("Country", "City", "Facility", "Status"), rows)


def _references(facts: Facts) -> Rows:
    rows = tuple((each.citation, each.pmid, words(each.type)) for each in facts.references)
    urls = {each.pmid: PUBMED_URL + each.pmid for each in facts.references if each.pmid.isdigit()}
    return Rows(("Reference", "PubMed", "Kind"), rows, urls)


def filled(rows: Rows) -> Rows:
    """Return a table without the columns that no row fills."""
    keep = [at for at in range(len(rows.headings)) if any(row[at] for row in rows.rows)]
    return Rows(
        tuple(rows.headings[at] for at in keep),
        tuple(tuple(row[at] for at in keep) for row in rows.rows),
        rows.url_of,
    )


def study_url(study: Study) -> str:
    """Return the address of a study's page at the registry; empty for a draft."""
    return STUDY_URL + study.nct_id if study.nct_id else ""
