"""Numbers of other registries are recognised by shape, in every spelling, and removed from texts.

The spellings are those of registrants; the normal forms are those of the registries' own pages.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.facts import OtherNumber
from simsearch.records.number_shapes import without_numbers
from simsearch.records.other_numbers import number_key, other_number, other_numbers


@pytest.mark.parametrize(
    ("registry", "number", "spellings"),
    [
        ("EudraCT", "2012-003157-29",
         ["2012-003157-29", "EudraCT: 2012-003157-29", "EUDRACT No.: 2012-003157-29;",
          "Eudra CT 2012-003157-29", "N° EudraCT : 2012-003157-29", "EudraCT 2012 003157-29",
          "EudraCT 201200315729", "2012\u2013003157\u201329", "EUDRACT2012-003157-29"]),
        ("EU CT", "2023-508524-35-00", ["2023-508524-35-00", "EU CT 2023-508524-35-00",
                                        "CTIS number: 2023-508524-35-00"]),
        ("EU CT", "2022-503007-22", ["2022-503007-22"]),
        ("ISRCTN", "ISRCTN94839639",
         ["ISRCTN94839639", "ISRCTN: 94839639", "isrctn 94839639", "ISRCTN number 94839639"]),
        ("UTN", "U1111-1251-8195", ["U1111-1251-8195", "UTN: U1111-1251-8195", "U 1111-1251-8195"]),
        ("ChiCTR", "ChiCTR2000029308", ["ChiCTR2000029308", "CHICTR 2000029308"]),
        ("ChiCTR", "ChiCTR-TRC-10001234", ["ChiCTR-TRC-10001234", "chictr trc 10001234"]),
        ("JPRN", "UMIN000001382",
         ["UMIN000001382", "JPRN-UMIN000001382", "UMIN-CTR-C000001382", "UMIN ID: 000001382"]),
        ("JPRN", "jRCT2031210320", ["jRCT2031210320", "JPRN-jRCT2031210320"]),
        ("JPRN", "jRCTs031180001", ["jRCTs031180001", "JRCTS031180001"]),
        ("JPRN", "JapicCTI-070399", ["JapicCTI-070399", "JapicCTI-07-0399", "JapicCTI- 070399"]),
        ("ANZCTR", "ACTRN12608000435381",
         ["ACTRN12608000435381", "ACTRN 12608000435381", "ANZCTR12608000435381",
          "ACTRN12608000435381p"]),
        ("DRKS", "DRKS00021199", ["DRKS00021199", "DRKS-ID: 00021199", "drks 00021199"]),
        ("CTRI", "CTRI/2009/091/000090", ["CTRI/2009/091/000090", "CTRI-2009-091-000090"]),
        ("NTR", "NTR1469", ["NTR1469", "NTR 1469"]),
        ("ReBEC", "RBR-4nr86m", ["RBR-4nr86m", "RBR-4NR86M"]),
        ("PACTR", "PACTR201201000259370", ["PACTR201201000259370"]),
        ("IRCT", "IRCT20200401046909N2", ["IRCT20200401046909N2", "IRCT2020-0401046909N2"]),
        ("CRIS", "KCT0001234", ["KCT0001234"]),
        ("SLCTR", "SLCTR/2019/012", ["SLCTR/2019/012", "SLCTR 2019/12"]),
        ("TCTR", "TCTR20200401001", ["TCTR20200401001"]),
        ("ID-RCB", "2020-A00280-39", ["2020-A00280-39", "ID RCB : 2020-A00280-39"]),
        ("NCI CTRP", "NCI-2012-02487", ["NCI-2012-02487"]),
    ],
)  # fmt: skip
def test_a_number_has_one_form_however_it_is_spelled(registry, number, spellings):
    for text in spellings:
        assert other_number(text) == OtherNumber(number, registry), text
        assert number_key(text) == number_key(number), text
        assert without_numbers(f"As in {text}, iron").split() == ["As", "in", ",", "iron"] or (
            ";" in text or "N°" in text
        )


@pytest.mark.parametrize(
    "text",
    ["R01HL037597", "2R44DA047150", "1R41MH118130-01", "N01 HR16146", "U10CA021115", "UL1RR024139",
     "NCRR-M01RR01070-0506", "5R01DA008045-08", "P30CA013330", "R01-03818-1", "N/A", "none", "-",
     "pending", "", None, "000000", "NCT12345678", "NCT00000000", "U1111-1111-1111", "TBD"],
)  # fmt: skip
def test_grants_fillers_and_dummies_are_no_numbers_of_a_study(text):
    assert other_number(text) is None


@pytest.mark.parametrize("kind", ["NIH", "FDA", "VA", "CDC", "AHRQ", "SAMHSA", "OTHER_GRANT"])
def test_a_number_that_the_record_calls_a_grant_is_none(kind):
    assert other_number("AI001065-08", kind, "National Institutes of Health (NIH)") is None


@pytest.mark.parametrize(
    "text", ["D2782C00002", "MK-0476-340", "05-C-0123", "ISRCTN1150", "2020-00516", "20050251"]
)
def test_any_other_number_is_the_sponsors_own_and_kept_as_registered(text):
    assert other_number(text) == OtherNumber(text, "")


@pytest.mark.parametrize(
    ("text", "kind", "domain", "expected"),
    [
        ("94839639", "REGISTRY", "ISRCTN registry", OtherNumber("ISRCTN94839639", "ISRCTN")),
        ("201200315729", "EUDRACT_NUMBER", "", OtherNumber("2012-003157-29", "EudraCT")),
        ("12608000435381", "REGISTRY", "ANZCTR", OtherNumber("ACTRN12608000435381", "ANZCTR")),
        ("Chinadrugtrials", "OTHER", "CTR20231827",
         OtherNumber("CTR20231827", "ChinaDrugTrials")),
        ("2022-503007-22", "EUDRACT_NUMBER", "", OtherNumber("2022-503007-22", "EU CT")),
        ("DREAM Study", "OTHER", "Pear Therapeutics", OtherNumber("DREAM Study", "")),
        ("A-12", "REGISTRY", "ISRCTN", OtherNumber("A-12", "")),
    ],
)  # fmt: skip
def test_the_body_named_beside_a_number_completes_it(text, kind, domain, expected):
    assert other_number(text, kind, domain) == expected


def test_the_numbers_of_a_study_are_each_once_without_its_own():
    raw = [
        ("ABC-1", None, None), ("EudraCT 2012-003157-29", "", ""), ("abc 1", None, None),
        ("2012-003157-29", "EUDRACT_NUMBER", None), ("NCT00000101", None, None),
        ("NCT00000102", None, None), ("NCT00000901", None, None),
        ("J9726 CDR0000066427, ISRCTN94839639", None, None),
    ]  # fmt: skip
    assert other_numbers(raw, own=["NCT00000101", "NCT00000901"]) == (
        OtherNumber("ABC-1"),
        OtherNumber("2012-003157-29", "EudraCT"),
        OtherNumber("NCT00000102", "ClinicalTrials.gov"),
        OtherNumber("CDR0000066427", "NCI PDQ"),
        OtherNumber("ISRCTN94839639", "ISRCTN"),
    )


def test_a_number_with_another_study_in_brackets_is_the_number():
    assert other_number("25373 (NCT01077960)") == OtherNumber("25373 (NCT01077960)")


def test_resubmissions_and_kinds_do_not_make_another_number():
    assert number_key("2023-508524-35-01") == number_key("2023-508524-35")
    assert number_key("ChiCTR-TRC-10001234") == number_key("ChiCTR10001234")
    assert number_key("2023-508524-35") != number_key("2023-508525-35")
    assert number_key("mk 0476/340") == number_key("MK-0476-340")


@pytest.mark.parametrize(
    "text",
    ["Started in 2012, 30 to 50 patients", "control of NTR-1", "albumin 40 g", "per 100-20 units",
     "IL-12 2010-2011", "SARS-CoV-2 B.1.1.529", "a dose of 100000-200000 IU", "AMG 706", "1111"],
)  # fmt: skip
def test_other_words_and_figures_stay_in_a_text(text):
    assert without_numbers(text) == text


@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_record_says_a_number_has_a_form_or_is_none(text, kind, domain):
    found = other_number(text, kind, domain)
    assert found is None or not any(character < " " for character in found.number)
    assert isinstance(number_key(text), str)
