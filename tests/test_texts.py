"""Questions in words: names that mean the same, mistakes, unknown words, and what is no subject."""

import json

import pytest
from asking import asked_text, written
from conftest import record

from simsearch.build.names_found import NamesFound, long_form
from simsearch.errors import IndexCorruptError, NothingToCompareError
from simsearch.index.opened import opened_index
from simsearch.index.synonyms import SYNONYMS_FILE, name_key
from simsearch.study import Intervention, Study

BRAND = Intervention("Zolomab", "DRUG", ("Brandex",))


def drug_trial(number, title, conditions, drug, summary="", **extra):
    return record(f"NCT0000{number:04}", title, conditions, [("DRUG", drug)], summary, **extra)


TRIALS = [
    drug_trial(1, "Zolomab (Brandex) in melanoma", ["Melanoma"], "Zolomab (Brandex)"),
    drug_trial(2, "Zolomab (Brandex) in lung cancer", ["Lung cancer"], "Zolomab (Brandex)"),
    drug_trial(3, "Zolomab in lung cancer, first line", ["Lung cancer"], "Zolomab",
               status="RECRUITING", phases=["PHASE3"]),
    drug_trial(4, "Brandex against warts", ["Warts"], "Brandex"),
    drug_trial(5, "Carboplatin in lung cancer", ["Lung cancer"], "Carboplatin", phases=["PHASE3"]),
    drug_trial(6, "Transcranial direct current stimulation (tDCS) in stroke", ["Stroke"], "tDCS"),
    drug_trial(7, "Transcranial direct current stimulation (tDCS) in pain", ["Pain"], "Current"),
    drug_trial(8, "Zolomab after resection in lung cancer", ["Lung cancer"], "Zolomab"),
    *(drug_trial(20 + n, f"Schizophrenia {word}", ["Schizophrenia"], word)
      for n, word in enumerate(("olanzapine", "clozapine", "haloperidol", "talking"))),
]  # fmt: skip


@pytest.fixture
def trials(build):
    return opened_index(build(TRIALS).index)


def found_names(*studies):
    names = NamesFound()
    for study in studies:
        names.add(study)
    return {each.name: each.means for each in names.synonyms()}


def titles(answer, n):
    return [each.title for each in answer[:n]]


def test_a_code_has_one_key_however_it_is_written():
    assert {name_key(each) for each in ("AMG 145", "AMG-145", "amg145")} == {"amg145"}
    assert name_key("Hodgkin\u2019s Lymphomas") == "hodgkin lymphoma"


@pytest.mark.parametrize(
    ("short", "before", "meant"),
    [
        ("tDCS", "effect of transcranial direct current stimulation", 4),
        ("PPA", "primary progressive aphasia", 3),
        ("COPD", "with chronic obstructive pulmonary disease", 4),
        ("GVHD", "acute graft-versus-host disease", 2),
        ("XYZ", "primary progressive aphasia", 0),
    ],
)
def test_an_abbreviation_stands_for_the_words_before_it(short, before, meant):
    words = before.split()
    assert long_form(short, before) == " ".join(words[len(words) - meant :] if meant else [])


def test_other_names_of_an_intervention_mean_it():
    studies = [Study(nct_id=f"NCT0000000{n}", interventions=(BRAND,)) for n in (1, 2)]
    studies.append(Study(nct_id="NCT00000003", interventions=(Intervention("Zolomab"),)))
    assert found_names(*studies) == {"Brandex": "Zolomab"}


def test_one_study_is_not_enough_and_a_contradiction_is_not_believed():
    one = Study(nct_id="NCT00000001", interventions=(BRAND,))
    other = Intervention("Mildomab", "DRUG", ("Brandex",))
    against = [Study(nct_id=f"NCT0000001{n}", interventions=(other,)) for n in range(2)]
    twice = Study(nct_id="NCT00000002", interventions=(BRAND,))
    assert found_names(one) == {}
    assert found_names(one, twice, *against) == {}


def test_a_control_is_no_name():
    placebo = Intervention("Placebo", "DRUG", ("Sugar pill",))
    assert found_names(*(Study(nct_id=f"NCT0000000{n}", interventions=(placebo,))
                         for n in (1, 2, 3))) == {}  # fmt: skip


def test_a_brand_name_brings_the_studies_of_the_drug(trials, encoder):
    answer = asked_text(trials, "Brandex lung cancer", encoder, k=3)
    assert all("Zolomab" in title and "lung" in title for title in titles(answer, 3))
    assert "Brandex: read as Zolomab too" in answer.notes


def test_several_words_together_beat_a_rare_one(trials, encoder):
    answer = asked_text(trials, "warts lung cancer", encoder, literal=True)
    assert "lung cancer" in answer[0].title


def test_an_abbreviation_in_lower_case_is_read_too(trials, encoder):
    answer = asked_text(trials, "transcranial direct current stimulation", encoder, k=2)
    short = asked_text(trials, "tdcs", encoder, k=2)
    assert {each.nct_id for each in answer} == {each.nct_id for each in short}


def test_a_mistake_is_corrected_and_said(trials, encoder):
    answer = asked_text(trials, "schizophrena", encoder, k=4)
    assert answer.notes[0] == "schizophrena is not in this index: read as schizophrenia"
    assert not [title for title in titles(answer, 4) if "Schizophrenia" not in title]


def test_words_that_the_index_lacks_are_named(trials, encoder):
    answer = asked_text(trials, "lung cancer and xyloquant", encoder)
    assert "not in this index: xyloquant" in answer.notes


def test_of_a_very_long_unknown_word_the_beginning_is_named(trials, encoder):
    answer = asked_text(trials, "q" * 5000, encoder)
    assert f"not in this index: {'q' * 60}" in answer.notes


def test_literal_takes_the_words_as_they_are(trials, encoder):
    answer = asked_text(trials, "schizophrena phase 3", encoder, literal=True)
    assert answer.notes[0] == "not in this index: schizophrena"
    assert not answer.filters


@pytest.mark.parametrize("text", ["randomized double blind placebo controlled trial", "the",
                                  "xyloquant flurb", "traitement du cancer du poumon"])  # fmt: skip
def test_a_text_without_a_subject_is_close_to_nothing(trials, encoder, text):
    answer = asked_text(trials, text, encoder)
    assert answer.n_close == 0
    assert any("subject" in note or "English" in note for note in answer.notes)
    assert all(each.percentile < answer.close_percentile for each in answer)


@pytest.mark.parametrize("name", ["json", "jsonl", "csv", "markdown", "table"])
def test_every_format_says_that_a_text_has_no_subject(trials, encoder, name):
    shown = written(asked_text(trials, "the", encoder), name)
    assert "subject" in shown or "says nothing" in shown


def test_a_short_word_of_another_language_makes_no_english_text_foreign(trials, encoder):
    for text in ("en bloc lung", "cancer in children in Africa", "de novo melanoma"):
        assert not any("English" in note for note in asked_text(trials, text, encoder).notes)


def test_a_phase_and_a_status_in_a_text_are_filters(trials, encoder):
    answer = asked_text(trials, "recruiting phase 3 trials of lung cancer", encoder)
    assert titles(answer, 9) == ["Zolomab in lung cancer, first line"]
    assert answer.filters.phase == ("3",)
    assert answer.filters.status == ("recruiting",)


def test_a_country_in_a_text_is_a_filter_where_the_index_has_it(trials, encoder):
    assert asked_text(trials, "stroke in France", encoder).filters.country == ("France",)
    assert not asked_text(trials, "stroke in Chad", encoder).filters


def test_a_filter_that_is_given_beats_the_one_in_the_text(trials, encoder):
    from simsearch.search.filters import Filters

    answer = asked_text(trials, "phase 2 lung cancer", encoder, filters=Filters(phase="3"))
    assert answer.filters.phase == ("3",)
    assert "“phase 2” in the text: left out, as a phase is given" in answer.notes


def test_an_nct_id_in_a_text_is_a_study(trials, encoder):
    answer = asked_text(trials, "like NCT00000003 in melanoma", encoder)
    assert [study.nct_id for study in answer.query.studies] == ["NCT00000003"]
    assert "NCT00000003" not in {each.nct_id for each in answer}
    lacking = asked_text(trials, "melanoma NCT00009999", encoder)
    assert "not in this index, and left out: NCT00009999" in lacking.notes


def test_a_text_of_filters_alone_has_nothing_to_compare(trials, encoder):
    with pytest.raises(NothingToCompareError, match="name a condition"):
        asked_text(trials, "phase 3", encoder)


def test_a_long_text_asks_for_no_filter(trials, encoder):
    answer = asked_text(trials, "phase 3 " + "lung cancer patients take zolomab " * 9, encoder)
    assert not answer.filters
    assert any("taken as words" in note for note in answer.notes)


def test_synonyms_of_a_damaged_file_are_refused(build, encoder):
    report = build(TRIALS)
    index = opened_index(report.index)
    path = index.generation.path / SYNONYMS_FILE
    path.chmod(0o644)
    path.write_text("[" + path.read_text(encoding="utf-8")[2:], encoding="utf-8")
    with pytest.raises(IndexCorruptError, match=SYNONYMS_FILE):
        asked_text(index, "lung cancer", encoder)


def test_the_synonyms_of_the_same_studies_are_the_same_bytes(build):
    first = opened_index(build(TRIALS).index).generation.path / SYNONYMS_FILE
    text = first.read_bytes()
    again = opened_index(build(TRIALS[::-1]).index).generation.path / SYNONYMS_FILE
    assert again.read_bytes() == text
    assert ["brandex", "Brandex", "zolomab", "Zolomab", 2] in json.loads(text)
