"""Eligibility criteria → single ones, inclusion apart from exclusion."""

import pytest

from simsearch.design.criteria import split_criteria


def test_bullets_and_numbers_are_taken_off_and_headings_divide():
    found = split_criteria(
        "Inclusion Criteria:\n* Adults\n1. Anemia\n(b) Informed consent\n"
        "Key exclusion criteria\n- Pregnancy,\n2) Iron overload;\n"
    )
    assert found.inclusion == ("Adults", "Anemia", "Informed consent")
    assert found.exclusion == ("Pregnancy", "Iron overload")
    assert found.other == ()


@pytest.mark.parametrize(
    "heading",
    [
        "Exclusion Criteria:", "EXCLUSION CRITERIA", "Main Exclusion Criteria", "Exclusion:",
        "Exclusion criteria for patients:", "Criteria for exclusion:", "Non-inclusion criteria:",
        "Exclusion Criteria -", "**Exclusion Criteria:**", "Ineligible if:",
    ],
)  # fmt: skip
def test_a_heading_of_exclusion_is_known(heading):
    found = split_criteria(f"Inclusion Criteria:\n- Anemia\n{heading}\n- Pregnancy")
    assert (found.inclusion, found.exclusion) == (("Anemia",), ("Pregnancy",))


def test_a_sentence_that_says_exclusion_is_no_heading():
    found = split_criteria(
        "Inclusion Criteria:\n- No exclusion of other causes by a scan\n- Anemia"
    )
    assert len(found.inclusion) == 2
    assert found.exclusion == ()


def test_a_list_within_a_line_is_divided():
    found = split_criteria("Inclusion Criteria: 1. Adults 2. Anemia 3. Consent")
    assert found.inclusion == ("Adults", "Anemia", "Consent")


def test_a_number_within_a_criterion_divides_nothing():
    found = split_criteria("Inclusion Criteria:\n- Hemoglobin of 8. Then, 2. Ferritin")
    assert found.inclusion == ("Hemoglobin of 8. Then, 2. Ferritin",)


def test_a_heading_in_the_middle_of_a_line_divides():
    found = split_criteria("Inclusion Criteria: Anemia. Exclusion Criteria: Pregnancy.")
    assert (found.inclusion, found.exclusion) == (("Anemia.",), ("Pregnancy.",))


def test_what_stands_above_any_heading_is_kept_apart():
    assert split_criteria("Adults with anemia").other == ("Adults with anemia",)


@pytest.mark.parametrize("text", ["", "Inclusion Criteria:\n- None", "Please contact site", "-\n*"])
def test_a_stub_is_no_criterion(text):
    found = split_criteria(text)
    assert (*found.inclusion, *found.exclusion, *found.other) == ()
