"""NCT IDs in every spelling, and in prose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.errors import NctIdError
from simsearch.study import Study, canonical_nct_id, named_nct_ids, parse_nct_id


@pytest.mark.parametrize(
    "text",
    [
        "NCT00977691",
        "nct00977691",
        "  NCT00977691\n",
        "NCT977691",
        "NCT 00977691",
        "NCT-00977691",
        "https://clinicaltrials.gov/study/NCT00977691",
        "https://clinicaltrials.gov/study/NCT00977691?cond=anemia&rank=1",
        "clinicaltrials.gov/ct2/show/nct00977691",
        "https://example.org/trials/NCT00977691/details",
        "NCT\uff10\uff10977691",  # full-width digits
    ],
)
def test_every_spelling_gives_the_canonical_id(text):
    assert parse_nct_id(text) == "NCT00977691"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NCT",
        "NCT123456789",
        "NCT000977691",
        "NCT0097769O",  # a short number, and a letter glued to it
        "NCT0097 7691",
        "NCT00977.691",
        "NCT00977691b",
        "NCT00977691.5",
        "see NCT977691",
        "00977691",
        "NCTO0977691",
        "aplastic anemia",
    ],
)
def test_text_that_is_not_an_id_is_refused_with_an_example(text):
    with pytest.raises(NctIdError, match="eight digits, like NCT03540472") as caught:
        parse_nct_id(text)
    assert caught.value.text == text


@pytest.mark.parametrize("text", ["NCT00000000", "nct0", "00000000"])
def test_the_number_0_is_no_study(text):
    with pytest.raises(NctIdError) as caught:
        parse_nct_id(text)
    assert str(caught.value) == f"{text!r} is not an NCT ID: no study has the number 0"


def test_an_address_of_two_studies_is_refused():
    with pytest.raises(NctIdError, match="names 2 studies"):
        parse_nct_id("https://example.org/compare?NCT00977691&b=NCT03540472")


def test_the_error_names_no_option_of_the_command():
    with pytest.raises(NctIdError, match=r"like NCT03540472$"):
        parse_nct_id("aplastic anemia")


@given(st.integers(1, 99_999_999))
def test_the_canonical_id_is_parsed_as_itself(number):
    nct_id = canonical_nct_id(str(number))
    assert len(nct_id) == 11
    assert parse_nct_id(nct_id) == parse_nct_id(f"nct{number}") == nct_id


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("See NCT00977691, NCT03540472.", {"NCT00977691", "NCT03540472"}),
        ("(NCT 00977691)", {"NCT00977691"}),
        ("(NCT#00977691), NCT: 03540472", {"NCT00977691", "NCT03540472"}),
        ("NCT\u00a0977691", {"NCT00977691"}),
        ("wrapped at NCT\n      00977691", {"NCT00977691"}),
        ("https://clinicaltrials.gov/show/NCT00977691?rank=1", {"NCT00977691"}),
        ("NCT12345", {"NCT00012345"}),
        ("NCT1234", set()),
        ("at the junct 00977691", set()),
        ("NCT00000000", set()),
        ("NCT009776910", set()),
        ("XNCT00977691", set()),
        ("the NCT of 00977691", set()),
        ("00977691", set()),
        ("", set()),
    ],
)
def test_ids_named_in_prose(text, named):
    assert named_nct_ids(text) == named


def test_a_draft_has_no_page():
    assert Study(nct_id="").url == ""
    assert Study(nct_id="NCT00000102").url == "https://clinicaltrials.gov/study/NCT00000102"
