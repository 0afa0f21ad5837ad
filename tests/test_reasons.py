"""Why a study is a neighbour."""

import numpy as np
import pytest
from asking import study_parts
from conftest import SIX, record

from simsearch import Study
from simsearch.index.opened import opened_index
from simsearch.search.names import named_by
from simsearch.search.names_in_common import conditions_in_common, interventions_in_common
from simsearch.search.nearest import nearest
from simsearch.search.query_parts import read_text, text_part
from simsearch.search.reasons import explain, lines_of_pairs
from simsearch.search.spelling import one_word_each, only_begins_codes, said_by, words_of
from simsearch.study import Intervention
from simsearch.vectors import DEFAULT_WEIGHTS


def reason(index, nct_id, other):
    parts = study_parts(index, [nct_id])
    found = {each.study.nct_id: each for each in nearest(index, parts, 50)}
    (found_reason,) = explain(index, parts, [index.study(nct_id)], [found[other]], DEFAULT_WEIGHTS)
    return found_reason


def relation(build, **changes):
    """The relation of a study of iron for anemia to another one that differs by `changes`."""
    query = record("NCT00000201", "Iron for anemia", ["Anemia"], [("DRUG", "Iron")])
    other = {"title": "Iron again", "conditions": ["Anemia"], "interventions": [("DRUG", "Iron")]}
    found = record("NCT00000202", **{**other, **changes.get("record", {})})
    found["protocolSection"]["sponsorCollaboratorsModule"]["leadSponsor"]["name"] = changes.get(
        "sponsor", "Another"
    )
    for secondary, target in (("names", found), ("named", query)):
        if secondary in changes:
            ids = [{"id": changes[secondary]}]
            target["protocolSection"]["identificationModule"]["secondaryIdInfos"] = ids
    for each in (query, found):
        del each["derivedSection"]
    index = opened_index(build([query, found, *SIX]).index)
    return reason(index, "NCT201", "NCT00000202").relation


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "same condition and intervention"),
        ({"sponsor": "A Hospital"}, "same sponsor's sister study"),
        ({"record": {"conditions": ["Knee"]}}, "same intervention, other condition"),
        ({"record": {"conditions": []}}, "same intervention"),
        ({"record": {"title": "Zinc now", "interventions": [("DRUG", "Zinc")]}},
         "same condition, other intervention"),
        # Its title speaks of iron, or of the query's condition: nothing other.
        ({"record": {"interventions": [("DRUG", "Zinc")]}}, "same condition"),
        ({"record": {"title": "Iron in anemia", "conditions": ["Knee"]}}, "same intervention"),
        ({"record": {"interventions": []}}, "same condition"),
        ({"record": {"interventions": [], "conditions": ["Knee"]}}, ""),
        ({"names": "NCT00000201"}, "names this study"),
        ({"named": "NCT00000202"}, "named by this study"),
        ({"names": "NCT00000201", "record": {"title": "Extension study of iron"}},
         "extension of this study"),
        ({"sponsor": "A Hospital", "record": {"title": "Long-term follow-up of iron"}},
         "extension study of the same sponsor"),
        ({"record": {"title": "Extension study of iron"}}, "same condition and intervention"),
    ],
)  # fmt: skip
def test_the_relation_is_what_the_records_show(build, changes, expected):
    assert relation(build, **changes) == expected


def test_an_intervention_in_both_titles_is_no_other_one(build):
    """As part of a regimen it is registered otherwise, or not at all."""
    both = [
        record(
            "NCT00000201", "Iron with a regimen", ["Anemia"], [("DRUG", "iron and HAA regimen")]
        ),
        record("NCT00000202", "Iron in three courses", ["Anemia"], [("DRUG", "Courses")]),
        record("NCT00000203", "Zinc in three courses", ["Anemia"], [("DRUG", "Courses")]),
    ]
    for each in both:
        del each["derivedSection"]
    index = opened_index(build([*both, *SIX]).index)
    assert reason(index, "NCT201", "NCT00000202").relation == "same condition"
    other = "same condition, other intervention"
    assert reason(index, "NCT201", "NCT00000203").relation == other


def studies_alike(one, other):
    """What a study whose condition and intervention are `one` has in common with `other`."""

    def study(condition, name, synonyms=(), mesh=()):
        return Study(
            nct_id="", conditions=(condition,), condition_mesh=mesh,
            interventions=(Intervention(name, "DRUG", synonyms),),
        )  # fmt: skip

    return in_common(study(*one), study(*other))


def in_common(left, right):
    """The conditions and interventions that two studies have in common."""
    asked, its = named_by([left]), named_by([right])
    return conditions_in_common(asked, its), interventions_in_common(asked, its)


@pytest.mark.parametrize(
    ("one", "other", "conditions", "interventions"),
    [
        (("Aplastic Anemia", "Tacrolimus"), ("Anemia, aplastic", "Tacrolimus 1 mg capsules"),
         ("Anemia, aplastic",), ("Tacrolimus 1 mg capsules",)),
        (("Anemia", "FK506", ("Tacrolimus",)), ("Aplastic anemia", "Tacrolimus"),
         (), ("Tacrolimus",)),
        (("PRCA", "Placebo", (), ("Red-Cell Aplasia, Pure",)),
         ("Pure aplasia", "Placebo pills", (), ("Red-Cell Aplasia, Pure",)), (), ()),
        (("Chronic red-cell aplasia, pure", "Placebo", (), ("Red-Cell Aplasia, Pure",)),
         ("Pure aplasia of the red cell, acute", "Pills", (), ("Red-Cell Aplasia, Pure",)),
         ("Red-Cell Aplasia, Pure",), ()),
        (("Anemias", "Iron"), ("anemia", "iron"), ("anemia",), ("iron",)),
        (("Hepatitis B", "ISIS 3521"), ("Hepatitis C, Chronic", "ISIS 5132"), (), ()),
        (("Hepatitis C", "Vitamin D"), ("hepatitis c", "Vitamin C"), ("hepatitis c",), ()),
        (("Diabetes Mellitus, Type 2", "AMG 706"), ("Type II Diabetes Mellitus", "AMG-706"),
         ("Type II Diabetes Mellitus",), ("AMG-706",)),
        (("Diabetes Mellitus, Type 2", "Vitamin A"), ("Diabetes Mellitus, Type 1", "A"), (), ()),
        (("T-Cell Lymphoma", "Arm A"), ("B-Cell Lymphoma", "Arm B"), (), ()),
        (("Crohn's Disease", "Iron"), ("CROHN\u2019S DISEASE", "IRON"),
         ("CROHN\u2019S DISEASE",), ("IRON",)),
        (("COVID 19", "Iron"), ("COVID-19 pneumonia", "Zinc"), ("COVID-19 pneumonia",), ()),
        (("Type 2 diabetes", "Iron"), ("Type 2 myocardial infarction", "Zinc"), (), ()),
        (("HIV Infections", "Iron"), ("HIV", "Zinc"), ("HIV",), ()),
        (("Hepatitis B Infection", "Iron"), ("Hepatitis B", "Zinc"), ("Hepatitis B",), ()),
        (("Acute Pancreatitis", "Iron"), ("Chronic Pancreatitis", "Zinc"), (), ()),
        (("Infection", "Low dose"), ("Infections", "Low Dose"), ("Infections",), ()),
        (("Infection", "Iron"), ("Disease", "Zinc"), (), ()),
        (("Healthy Volunteers", "Sterile water"), ("Healthy Volunteers", "Water"), (), ()),
        (("A", "Tofacitinib ointment"), ("B", "Crisaborole ointment 2%"), (), ()),
        (("A", "Iron cream"), ("B", "Placebo cream (iron vehicle)"), (), ()),
        (("A", "Iron or placebo"), ("B", "iron 5 mg"), (), ("iron 5 mg",)),
        (("A", "Iron"), ("B", "Placebo of iron"), (), ()),
    ],
)  # fmt: skip
def test_names_are_common_by_word_synonym_and_mesh_term(one, other, conditions, interventions):
    assert studies_alike(one, other) == (conditions, interventions)


def test_shares_are_hundredths_of_the_similarity(six):
    found = reason(six, "NCT101", "NCT00000102")
    assert sum(found.shares.values()) == pytest.approx(100, abs=0.3)
    assert set(found.shares) == {name for name, weight in DEFAULT_WEIGHTS.items() if weight}


def test_words_in_common_are_shown_as_they_are_written(six):
    found = reason(six, "NCT105", "NCT00000106")
    assert set(found.terms) >= {"knee", "surgery"}
    assert list(found.terms.values()) == sorted(found.terms.values(), reverse=True)


@pytest.mark.parametrize(
    "word",
    ["haemorrhages", "therapies", "randomised", "oedema", "tumours", "centre", "programme",
     "exercises", "disease", "sulphates", "analysing", "trees", "series", "bms-986165"],
)  # fmt: skip
def test_a_term_is_shown_as_the_study_spells_it(word):
    from simsearch.index.terms import terms_of

    term = next(terms_of(word))
    study = Study(nct_id="", title="A", summary=f"Of {word.upper()}, and more.")
    assert words_of(said_by(study), [term, "absent"]) == {term: word}


def test_empty_words_are_terms():
    from simsearch.index.terms import terms_of
    from simsearch.search import stop_words as empty_words

    lists = [each for each in vars(empty_words).values() if isinstance(each, frozenset)]
    assert len(lists) == 16
    for word in frozenset().union(*lists):
        assert list(terms_of(word)) == ([word] if len(word) > 1 else [])


def test_a_field_near_in_meaning_is_said_to_be(build):
    """Other names, the same words to the encoder."""
    records = [
        record("NCT00000201", "Iron", ["Iron in anemia"], [("DRUG", "Pills")]),
        record("NCT00000202", "Iron", ["Anemia of iron"], [("DRUG", "Surgery")]),
    ]
    for each in records:
        del each["derivedSection"]
    index = opened_index(build([*SIX, *records]).index)
    found = reason(index, "NCT201", "NCT00000202")
    assert found.near == {"conditions": pytest.approx(1.0, abs=1e-3)}
    assert not found.conditions
    assert "conditions near in meaning" in found.line


def test_a_text_has_words_in_common_and_no_relation(six, encoder):
    parts = [text_part(six, read_text(six, "knee surgery"), encoder)]
    (first,) = nearest(six, parts, 1)
    (found,) = explain(six, parts, [], [first], DEFAULT_WEIGHTS)
    assert found.relation == ""
    assert found.line == "conditions near in meaning; words in common: knee, surgery"


def test_of_several_query_studies_one_will_do(six):
    parts = study_parts(six, ["NCT101", "NCT105"])
    found = {each.study.nct_id: each for each in nearest(six, parts, 6)}
    studies = [six.study("NCT101"), six.study("NCT105")]
    (knee,) = explain(six, parts, studies, [found["NCT00000106"]], DEFAULT_WEIGHTS)
    assert knee.conditions == ("Knee",)


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        (["Docetaxel", "Docetaxel trihydrate"], ("Docetaxel",)),
        (["BB 1101", "Dexamethasone"], ("Dexamethasone",)),
        (["Sirolimus"], ("Sirolimus",)),
        (["Antibodies, Monoclonal", "Hormones"], ()),
    ],
)
def test_a_substance_is_in_common_by_its_mesh_term_and_a_class_is_not(mesh, expected):
    one, other = (
        Study(nct_id="", intervention_mesh=tuple(each), keywords=tuple(mesh))
        for each in (mesh, ["Iron", *mesh])
    )
    assert in_common(one, other)[1] == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Lenalidomide", "Pomalidomide", ()),  # MeSH has their parent beside each
        ("Lenalidomide; an unknown drug", "Thalidomide", ()),  # no text has it
    ],
)
def test_a_substance_is_one_that_both_need_for_an_intervention(one, other, expected):
    first, second = (
        Study(
            nct_id="",
            intervention_mesh=("Lenalidomide", "Pomalidomide", "Thalidomide"),
            interventions=tuple(Intervention(name, "DRUG") for name in names.split("; ")),
        )
        for names in (one, other)
    )
    assert in_common(first, second)[1] == expected


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        (["Heart Diseases", "Neuroblastoma"], ("Neuroblastoma",)),
        (["Communicable Diseases", "HIV Infections", "Infections"], ("HIV Infections",)),
        (["Heart Diseases", "Heart Failure"], ("Heart Failure",)),
        (["Carcinoma", "Heart Diseases", "Neoplasms"], ()),
    ],
)
def test_of_mesh_terms_of_conditions_a_wide_one_is_none(mesh, expected):
    one, other = (
        Study(nct_id="", condition_mesh=(*more, *mesh), title=" and ".join(mesh))
        for more in ((), ("Iron",))
    )
    assert in_common(one, other)[0] == expected


def about(*conditions, mesh=(), title="", keywords=(), drugs=(), drug_mesh=(), summary=""):
    return Study(
        nct_id="", conditions=conditions, condition_mesh=mesh, title=title, keywords=keywords,
        interventions=tuple(Intervention(name, "DRUG") for name in drugs),
        intervention_mesh=drug_mesh, summary=summary,
    )  # fmt: skip


ARDS = "Respiratory Distress Syndrome"
SARS = "Severe Acute Respiratory Syndrome"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # MeSH terms that the registry guessed.
        (about("Hepatitis C", mesh=("Hepatitis A", "Hepatitis C")),
         about("HCV", mesh=("Hepatitis A", "Hepatitis C")), ()),
        (about("HCV infection", mesh=("Hepatitis A",), title="Chronic hepatitis C"),
         about("HCV", mesh=("Hepatitis A",), title="Hepatitis C, genotype 1"), ("HCV",)),
        (about("Acute ARDS", f"Severe {ARDS}", mesh=(f"{ARDS}, Newborn",)),
         about(f"Acute {ARDS}", mesh=(f"{ARDS}, Newborn",)), (ARDS,)),
        (about("COVID", mesh=(SARS,), title=f"{SARS} Coronavirus 2"),
         about("Pneumonia", mesh=(SARS,), title=f"{SARS} Coronavirus 2 in adults"), ()),
        (about("COVID", SARS, title="SARS-CoV-2 in Ghent"), about("Pneumonia", title="SARS-CoV-2"),
         ()),
        (about("Pulmonary Arterial Hypertension", mesh=("Hypertension",)),
         about("Hypertension, Portal", mesh=("Hypertension",)), ()),
        (about("Low testosterone", mesh=("Eunuchism", "Hypogonadism")),
         about("Male hypogonadism", mesh=("Eunuchism", "Hypogonadism")), ()),
        # MeSH terms that both records support, in a condition, keyword or title.
        (about("Acute Pancreatitis", mesh=("Pancreatitis",)),
         about("Pain", mesh=("Pancreatitis",), keywords=("chronic pancreatitis",)),
         ("Pancreatitis",)),
        (about("Stage II Colon Cancer", mesh=("Colonic Neoplasms",)),
         about("Stage III Colon Cancer", mesh=("Colonic Neoplasms",)), ("Colon Cancer",)),
        # One side's registered name within the other's.
        (about("Fabry Disease"), about("Cardiac involvement of Fabry disease"),
         ("Fabry Disease",)),
        (about("Hypertension"), about("Essential hypertension"), ("Hypertension",)),
        (about("Hypertension"), about("Pulmonary arterial hypertension"), ()),
        (about("Pregnancy"), about("Ectopic Pregnancy"), ()),
        (about("Diabetes"), about("Diabetes insipidus"), ()),
        (about("Small Cell Lung Cancer"), about("Non-Small Cell Lung Cancer"), ()),
        (about("Hodgkin Disease"), about("Non-Hodgkin's Disease of the eye"), ()),
        (about("Small Cell Lung Cancer"),
         about("Lung", keywords=("small cell and non-small cell lung cancer",)),
         ("Small Cell Lung Cancer",)),
        (about("Breast Neoplasms"), about("Breast Cancer"), ("Breast Cancer",)),
        (about("Postoperative Pain"), about("Post Operative Pain"), ("Postoperative Pain",)),
        # Words that are no whole name.
        (about("Sudden Cardiac Arrest", mesh=("Death, Sudden, Cardiac",)),
         about("Sudden Cardiac Death", mesh=("Death, Sudden, Cardiac",)), ()),
    ],
)  # fmt: skip
def test_a_condition_in_common_stands_in_both_records(one, other, expected):
    assert in_common(one, other)[0] == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (about(drugs=("Taxotere",), drug_mesh=("Docetaxel",)),
         about(drugs=("Docetaxel",), drug_mesh=("Docetaxel",)), ()),
        (about(drugs=("Taxotere",), drug_mesh=("Docetaxel",), title="Weekly docetaxel"),
         about(drugs=("TXT",), drug_mesh=("Docetaxel",), keywords=("docetaxel",)), ("Docetaxel",)),
        (about(drugs=("Qsymia",), drug_mesh=("Phentermine",), title="VI-0521 (Qsymia) in obesity"),
         about(drugs=("VI-0521",), drug_mesh=("Phentermine",)), ("VI-0521",)),
        (about(drugs=("Standard of care",), drug_mesh=("Iron",)),
         about(drug_mesh=("Iron",), title="Standard of care"), ()),
    ],
)  # fmt: skip
def test_a_substance_in_common_stands_in_both_records(one, other, expected):
    assert in_common(one, other)[1] == expected


def test_two_brands_of_a_substance_are_no_other_intervention(build):
    records = [
        record("NCT00000201", "First", ["Anemia"], [("DRUG", "Taxotere")]),
        record("NCT00000202", "Second", ["Anemia"], [("DRUG", "Docefrez")]),
    ]
    for each in records:
        each["derivedSection"] = {
            "interventionBrowseModule": {"meshes": [{"id": "D000077143", "term": "Docetaxel"}]}
        }
    found = reason(opened_index(build([*SIX, *records]).index), "NCT201", "NCT00000202")
    assert found.relation == "same condition"
    assert found.interventions == ()  # docetaxel is the registry's word, in neither record


def test_an_intervention_of_words_that_any_study_has_is_none():
    one, other = (about(drugs=(name,)) for name in ("Survey", "Survey of pain"))
    asked, its = named_by([one]), named_by([other])
    assert interventions_in_common(asked, its) == ("Survey of pain",)
    assert interventions_in_common(asked, its, lambda term: term != "survey") == ()


def test_to_be_healthy_is_no_condition_near_in_meaning(build):
    records = [
        record("NCT00000201", "Iron", ["Healthy"], [("DRUG", "Pills")]),
        record("NCT00000202", "Iron", ["Healthy Volunteers"], [("DRUG", "Surgery")]),
        record("NCT00000203", "Iron", ["Healthy"], [("DRUG", "Surgery")]),
    ]
    for each in records:
        del each["derivedSection"]
    index = opened_index(build([*SIX, *records]).index)
    for other in ("NCT00000202", "NCT00000203"):
        found = reason(index, "NCT201", other)
        assert "conditions" not in found.near
        assert not found.conditions


@pytest.mark.parametrize(
    ("text", "terms", "expected"),
    [
        ("an 18F-FDG PET scan", ["18f", "fdg", "pet"], ["18f-fdg", "pet"]),
        ("IL-6 blockade", ["il6", "il"], ["il-6"]),
        ("Anti-PD-1 and PD-L1", ["antipd1", "l1", "pd", "pdl1"], ["pd-l1", "anti-pd-1"]),
        ("knee surgery", ["knee", "surgery"], ["knee", "surgery"]),
    ],
)
def test_one_thing_is_one_word_in_common(text, terms, expected):
    values = dict.fromkeys(terms, 0.125)
    found = one_word_each(text.casefold(), values)
    assert set(found) == set(expected)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert sum(found.values()) == sum(values.values())


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        ("abt", "ABT-333 and ABT 450", True),
        ("abt", "ABT-333 of ABT", False),
        ("covid", "COVID", False),
        ("bi", "absent", False),
        ("il", "IL-6 in oil", True),
    ],
)
def test_the_letters_of_codes_are_known_by_the_numbers_after_them(term, text, expected):
    assert only_begins_codes(term, text.casefold()) == expected


def test_company_codes_and_the_names_of_a_sponsor_are_no_words_in_common(build):
    records = [
        record("NCT00000201", "JNJ-111 in anemia", summary="Zeta Hospital studies iron."),
        record("NCT00000202", "JNJ-222 in anemia", summary="Zeta Hospital studies iron."),
    ]
    for each in records:
        module = each["protocolSection"]["sponsorCollaboratorsModule"]
        module["leadSponsor"]["name"] = "Zeta"
    index = opened_index(build([*SIX, *records]).index)
    words = set(reason(index, "NCT201", "NCT00000202").terms)
    assert "iron" in words
    assert not words & {"jnj", "zeta"}


def test_of_two_compounds_with_a_part_in_common_the_first_term_decides():
    text = "granulocyte-colony factor and colony-stimulating factor"
    found = one_word_each(text, {"granulocyte": 0.4, "colony": 0.3, "stimulating": 0.2})
    assert found == {"granulocyte-colony": 0.7, "stimulating": 0.2}


def test_lines_of_many_pairs_are_those_of_answers():
    index = opened_index()  # the demo index
    pairs, expected = [], []
    for row in range(0, index.n_studies, 7):
        (study,) = index.store.studies([row])
        parts = study_parts(index, [study.nct_id])
        found = nearest(index, parts, 20)
        reasons = explain(index, parts, [study], found, DEFAULT_WEIGHTS)
        pairs += [(row, index.row_of(each.nct_id)) for each in found]
        expected += [each.line for each in reasons]
    assert len({line.split(":")[0] for line in expected}) > 8  # of every kind
    assert lines_of_pairs(index, np.array(pairs)) == expected
