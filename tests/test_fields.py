"""The texts that are encoded."""

import pytest

from simsearch.encode.fields import (
    FIELDS,
    conditions_text,
    has_words,
    interventions_text,
    lexical_text,
    whole_text,
)
from simsearch.study import Intervention, Study

STUDY = Study(
    nct_id="NCT00000102",
    title="Drops or pills?",
    conditions=("Aplasia", "Anemia"),
    interventions=(Intervention("Drops", "DRUG"), Intervention("Pills", "DRUG")),
    summary="An extension of NCT00000101 (NCT00000103).",
)


def test_the_whole_text_holds_title_conditions_interventions_summary():
    assert whole_text(STUDY) == "Drops or pills? Aplasia; Anemia. Drops; Pills. An extension of ."


def test_short_fields_are_joined():
    assert conditions_text(STUDY) == "Aplasia; Anemia"
    assert interventions_text(STUDY) == "Drops; Pills"


def test_no_field_holds_an_nct_id():
    """A study that names another must not gain by the name."""
    named = Study(
        nct_id="NCT00000102",
        title="Long-term follow-up of NCT00000101",
        conditions=("see nct 00000101", "NCT#00000101", "NCT: 00000101"),
        interventions=(Intervention("as in NCT101234"),),
        summary="NCT-00000101, NCT_00000101, NCT000001012",
    )
    for text_of in FIELDS.values():
        assert "00000101" not in text_of(named)
        assert "101234" not in text_of(named)


def test_a_study_without_text_has_no_words():
    assert not has_words(text_of(Study(nct_id="NCT00000102")) for text_of in FIELDS.values())
    assert not has_words(["...", " - "])
    assert has_words(["β"])


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("Iron (EudraCT number: 2012-003157-29, NCT00000102) for anemia", "Iron for anemia"),
        ("Iron; registered as ISRCTN94839639.", "Iron; registered as ."),
        ("Iron [ChiCTR2000029308] drops", "Iron drops"),
        ("Iron (, ) (2019-2020)", "Iron (, ) (2019-2020)"),  # nothing was removed
    ],
)
def test_numbers_of_other_registries_are_removed_as_nct_ids_are(text, without):
    study = Study(nct_id="NCT00000101", title=text)
    assert whole_text(study).removesuffix(".") == without.removesuffix(".")
    assert lexical_text(study).removesuffix(".") == without.removesuffix(".")
