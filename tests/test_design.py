"""Ages, durations, comparators: a design read from a study and its facts."""

import pytest

from simsearch.design.comparator import comparators
from simsearch.design.durations import age_years, months_between
from simsearch.design.rows import design_of
from simsearch.facts import Arm, Facts, Outcome, Site
from simsearch.output.design_words import ages
from simsearch.study import Intervention, Study


def trial(*arms: Arm, title: str = "", **facts: object) -> Study:
    """Return a trial with these arms."""
    return Study(
        nct_id="NCT00000101",
        title=title,
        study_type="INTERVENTIONAL",
        facts=Facts(arms=arms, **facts),
    )


@pytest.mark.parametrize(
    ("age", "years"),
    [
        ("18 Years", 18), ("1 Year", 1), ("6 Months", 0.5), ("0 Days", 0),
        ("26 Weeks", 26 * 7 / 365.25), ("90 Minutes", 1.5 / 24 / 365.25), ("", None), ("N/A", None),
    ],
)  # fmt: skip
def test_an_age_is_told_in_years_whatever_its_unit(age, years):
    assert age_years(age) == (None if years is None else pytest.approx(years))


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2018-01-15", "2019-01-15", 12.0),
        ("2018-01", "2018-03-31", 2.0),
        ("2018-01-01", "2018-01-16", 0.5),
        ("2018-06", "2018-03", -3.0),
        ("2018", "2019-03", None),
        ("", "2019-03", None),
        ("2018-02-30", "2018-03-30", None),
    ],
)
def test_months_between_two_dates_need_a_month_in_both(start, end, months):
    assert months_between(start, end) == months


EXPERIMENTAL, ACTIVE = "EXPERIMENTAL", "ACTIVE_COMPARATOR"


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        (trial(Arm("Iron", EXPERIMENTAL), Arm("Placebo", "PLACEBO_COMPARATOR")), ("placebo",)),
        (trial(Arm("Iron", EXPERIMENTAL), Arm("Placebo", ACTIVE, "", ("Placebo",))), ("placebo",)),
        (trial(Arm("Iron"), Arm("Sham tube")), ("sham",)),
        (trial(Arm("Iron", EXPERIMENTAL), Arm("Diet", ACTIVE)), ("active",)),
        (trial(Arm("Iron", ACTIVE), Arm("Diet", ACTIVE)), ("active",)),
        (trial(Arm("Iron", EXPERIMENTAL), Arm("Waiting", "NO_INTERVENTION")), ("no treatment",)),
        (
            trial(
                Arm("Iron and placebo of folate", EXPERIMENTAL, "", ("Iron", "Placebo of folate")),
                Arm("Folate and placebo of iron", ACTIVE, "", ("Folate", "Placebo of iron")),
            ),
            ("active",),
        ),
        (
            trial(
                Arm("10 mg", EXPERIMENTAL, "", ("Iron",)), Arm("20 mg", EXPERIMENTAL, "", ("Iron",))
            ),
            ("dose",),
        ),
        (
            trial(
                Arm("Low", EXPERIMENTAL, "", ("Iron 10 mg",)),
                Arm("High", EXPERIMENTAL, "", ("Iron 20 mg",)),
                Arm("P", "PLACEBO_COMPARATOR"),
            ),
            ("placebo", "dose"),
        ),
        (trial(Arm("Iron", EXPERIMENTAL)), ("none",)),
        (trial(n_arms=1), ("none",)),
        (trial(intervention_model="SINGLE_GROUP"), ("none",)),
        (
            trial(
                Arm("Children", EXPERIMENTAL, "", ("Iron",)),
                Arm("Adults", EXPERIMENTAL, "", ("Iron",)),
                allocation="NON_RANDOMIZED",
            ),
            ("none",),
        ),
        (
            trial(
                Arm("Iron", EXPERIMENTAL, "", ("Iron",)),
                Arm("Folate", EXPERIMENTAL, "", ("Folate",)),
                allocation="RANDOMIZED",
            ),
            ("active",),
        ),
        (trial(title="Iron, a placebo-controlled trial"), ("placebo",)),
        (trial(title="Iron without placebo"), ()),
        (trial(), ()),
    ],
)
def test_the_comparator_is_read_from_the_arms(study, expected):
    assert comparators(study) == expected


def test_an_observational_study_compares_nothing_by_design():
    study = Study(
        nct_id="NCT1", study_type="OBSERVATIONAL", facts=Facts(arms=(Arm("Placebo"), Arm("Iron")))
    )
    assert comparators(study) == ()


def test_a_study_without_facts_has_an_empty_design():
    design = design_of(Study(nct_id="NCT00000101", enrollment=30, start_date="2018-01"))
    assert (design.enrollment, design.has_facts) == (30, False)
    assert (design.n_arms, design.n_sites, design.months_to_primary) == (None, None, None)


def test_a_design_counts_arms_sites_and_countries():
    study = Study(
        nct_id="NCT00000101",
        interventions=(Intervention("Iron", "DRUG"),),
        countries=("France", "South Korea"),
        start_date="2018-01",
        completion_date="2020-01",
        facts=Facts(
            arms=(Arm("A", EXPERIMENTAL), Arm("B", ACTIVE)),
            primary_completion_date="2019-01",
            start_date_type="ACTUAL",
            primary_completion_date_type="ESTIMATED",
            completion_date_type="ESTIMATED",
            sites=(Site("France"), Site("France"), Site("South Korea")),
            primary_outcomes=(Outcome("Iron", "1 year"),),
            minimum_age="6 Months",
        ),
    )
    design = design_of(study)
    assert (design.n_arms, design.n_sites, design.n_countries) == (2, 3, 2)
    assert (design.months_to_primary, design.months_to_completion) == (12, 24)
    assert design.months_to_primary_type == "ESTIMATED"
    assert (design.minimum_years, design.maximum_years) == (0.5, None)


def test_a_duration_is_actual_where_both_dates_are():
    facts = Facts(
        start_date_type="ACTUAL",
        primary_completion_date="2019-01",
        primary_completion_date_type="ACTUAL",
    )
    design = design_of(Study(nct_id="NCT1", start_date="2018-01", facts=facts))
    assert design.months_to_primary_type == "ACTUAL"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(sites=(Site("China"),)), "not given"),
        (Facts(sex="ALL"), "no limit"),
        (Facts(criteria="Anemia"), "no limit"),
        (Facts(maximum_age="75 Years"), "up to 75 years"),
    ],
)
def test_ages_have_no_limit_only_where_the_record_says_who_may_take_part(facts, expected):
    design = design_of(Study(nct_id="NCT00000101", facts=facts))
    assert ages(design) == expected
