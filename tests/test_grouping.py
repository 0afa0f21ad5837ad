"""Outcomes grouped by meaning: the same in other words is one, and what differs stays apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.design.embedding import embed_criteria
from simsearch.design.groups import Group, Mention, grouped
from simsearch.design.topics import OUTCOME_DISTANCE, topics_of
from simsearch.design.wording import shared_abbreviations, wording
from simsearch.facts import Facts, Outcome
from simsearch.study import Study


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Overall survival (OS)", "overall survival"),
        ("OS", "overall survival"),
        ("Number of participants with adverse events", "adverse events"),
        ("Incidence and severity of adverse events up to 30 days after dose", "adverse events"),
        ("Change from baseline in HbA1c at week 24", "hba1c"),
        ("Mean change from baseline to week 12 in pain VAS", "pain vas"),
        ("28-day mortality", "mortality"),
        ("Mortality rate within 30 days", "mortality"),
        ("The percentage of patients who achieved complete response (CR) by week 12",
         "complete response"),
        ("Pain as measured by the visual analogue scale", "pain"),
        ("To evaluate the efficacy of iron in these patients", "efficacy of iron"),
        ("Time to clinical improvement", "time to clinical improvement"),
        ("Number", "number"),
        ("Day 28", "day 28"),
    ],
)  # fmt: skip
def test_an_outcome_is_worded_without_how_it_is_counted_and_when(text, about):
    assert wording(text) == about


def test_an_abbreviation_that_a_record_explains_holds_for_the_others():
    short = shared_abbreviations(["Forced Vital Capacity (FVC) in litres", "FVC", "Pain (VAS)"])
    assert short == {"FVC": "forced vital capacity"}
    assert wording("Change in FVC", short) == "forced vital capacity"


def apart(texts):
    """Return rows of which none is like another."""
    return np.eye(len(texts), dtype=np.float32)


def together(texts):
    """Return rows that are all the same."""
    return np.ones((len(texts), 1), dtype=np.float32)


def mentions(*texts: str) -> list[Mention]:
    return [Mention(f"NCT{place}", text) for place, text in enumerate(texts)]


def labels(groups: tuple[Group, ...]) -> list[str]:
    return [each.label for each in groups]


def test_equal_wordings_are_one_group_however_far_their_rows():
    groups = grouped(mentions("Overall survival (OS)", "OS", "Pain"), apart, 0.0)
    assert [each.nct_ids for each in groups] == [("NCT0", "NCT1"), ("NCT2",)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Overall survival", "Disease-free survival"),
        ("Event free survival", "Progression-free survival"),
        ("Systolic blood pressure", "Diastolic blood pressure"),
        ("Serious adverse events", "Adverse events"),
        ("Safety of iron", "Efficacy of iron"),
    ],
)
def test_two_things_stay_apart_however_near_their_rows(one, other):
    assert len(grouped(mentions(one, other), together, 0.9)) == 2


def test_a_wording_that_names_both_may_join_either():
    both = "Overall survival and disease-free survival"
    assert len(grouped(mentions("Overall survival", both), together, 0.9)) == 1


def test_the_label_is_the_most_central_text():
    rows = {"a": [1, 0], "b": [0.9, 0.436], "c": [0.9, -0.436]}

    def embed(texts):
        return np.array([rows[text[-1]] for text in texts], dtype=np.float32)

    (group,) = grouped(mentions("outcome c", "outcome b", "outcome a"), embed, 0.9)
    assert group.label == "outcome a"


def test_a_study_that_says_it_twice_counts_once():
    said = [Mention("NCT1", "Mortality", "Day 28"), Mention("NCT1", "Mortality", "Day 60")]
    (group,) = grouped(said, apart, 0.0)
    assert group.nct_ids == ("NCT1",)
    assert group.time_frames == (("day 28", 1), ("day 60", 1))


def test_time_frames_are_counted_by_studies_the_most_frequent_first():
    said = [Mention("NCT1", "Pain", "1 year"), Mention("NCT2", "Pain", "6 months."),
            Mention("NCT3", "Pain", "6  Months")]  # fmt: skip
    (group,) = grouped(said, apart, 0.0)
    assert group.time_frames == (("6 months", 2), ("1 year", 1))


def test_nothing_gives_no_group_and_one_gives_one():
    assert grouped([], apart, 0.5) == ()
    assert labels(grouped(mentions("Pain"), apart, 0.5)) == ["Pain"]


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=12), st.randoms())
def test_every_mention_is_in_one_group_and_their_order_changes_nothing(texts, random):
    said = mentions(*texts)
    groups = grouped(said, embed_criteria, 0.6)
    assert sorted(each.nct_id for group in groups for each in group.mentions) == sorted(
        each.nct_id for each in said
    )
    shuffled = random.sample(said, len(said))
    again = grouped(shuffled, embed_criteria, 0.6)
    assert {frozenset(each.nct_ids) for each in groups} == {
        frozenset(each.nct_ids) for each in again
    }


def test_criteria_of_the_same_words_are_near_and_others_are_not():
    rows = embed_criteria(["Pregnant or lactating women", "Pregnancy or breastfeeding", "Diabetes"])
    assert rows[0] @ rows[1] == pytest.approx(1)
    assert rows[0] @ rows[2] == 0


def study(nct_id: str, *measures: str, criteria: str = "") -> Study:
    outcomes = tuple(Outcome(each) for each in measures)
    return Study(nct_id=nct_id, facts=Facts(primary_outcomes=outcomes, criteria=criteria))


@pytest.mark.model
def test_the_model_joins_outcomes_in_other_words_and_no_others():
    studies = [
        study("NCT1", "Number of participants with adverse events", "Overall survival"),
        study("NCT2", "Incidence of treatment-emergent adverse events", "Time to death"),
        study("NCT3", "Death from any cause", "Oxygen saturation"),
        study("NCT4", "All-cause mortality", "Blood oxygen saturation"),
    ]
    groups = [set(each.nct_ids) for each in topics_of(studies).outcomes]
    assert {"NCT1", "NCT2"} in groups
    assert {"NCT3", "NCT4"} in groups
    assert 0 < OUTCOME_DISTANCE < 1


def test_criteria_count_studies_that_give_them_and_not_the_query():
    given = "Inclusion Criteria:\n- Consent\nExclusion Criteria:\n- Pregnancy"
    topics = topics_of(
        [study("NCT1", criteria=given), study("NCT2")], [study("NCT9", criteria=given)]
    )
    assert (topics.n, topics.n_criteria, topics.n_outcomes) == (2, 1, 0)
    assert [each.nct_ids for each in topics.exclusion] == [("NCT9", "NCT1")]
