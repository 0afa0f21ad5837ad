"""Why a study is a neighbour."""

import pytest
from asking import study_parts
from conftest import SIX, record

from simsearch import Study
from simsearch.index.opened import opened_index
from simsearch.search.names import both_in_common, named_by
from simsearch.search.nearest import nearest
from simsearch.search.query_parts import text_part
from simsearch.search.reasons import explain
from simsearch.search.spelling import words_of
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


def studies_alike(one, other):
    """What a study whose condition and intervention are `one` has in common with `other`."""

    def study(condition, name, synonyms=(), mesh=()):
        return Study(
            nct_id="", conditions=(condition,), condition_mesh=mesh,
            interventions=(Intervention(name, "DRUG", synonyms),),
        )  # fmt: skip

    left, right = study(*one), study(*other)
    return both_in_common(named_by([left]), [left], right, named_by([right]))


@pytest.mark.parametrize(
    ("one", "other", "conditions", "interventions"),
    [
        (("Aplastic Anemia", "Tacrolimus"), ("Anemia, aplastic", "Tacrolimus 1 mg capsules"),
         ("Anemia, aplastic",), ("Tacrolimus 1 mg capsules",)),
        (("Anemia", "FK506", ("Tacrolimus",)), ("Aplastic anemia", "Tacrolimus"),
         (), ("Tacrolimus",)),
        (("PRCA", "Placebo", (), ("Red-Cell Aplasia, Pure",)),
         ("Pure aplasia", "Placebo pills", (), ("Red-Cell Aplasia, Pure",)),
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
    assert words_of(study, [term, "absent"]) == {term: word}


def test_empty_words_are_terms():
    from simsearch.index.terms import terms_of
    from simsearch.search import stop_words as empty_words

    lists = [each for each in vars(empty_words).values() if isinstance(each, frozenset)]
    assert len(lists) == 9
    for word in frozenset().union(*lists):
        assert list(terms_of(word)) == ([word] if len(word) > 1 else [])


def test_a_field_near_in_meaning_is_said_to_be(build):
    """Other names, the same words to the encoder."""
    records = [
        record("NCT00000201", "Iron", ["Iron anemia"], [("DRUG", "Pills")]),
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
    parts = [text_part(six, "knee surgery", encoder)]
    (first,) = nearest(six, parts, 1)
    (found,) = explain(six, parts, [], [first], DEFAULT_WEIGHTS)
    assert found.relation == ""
    assert found.line == "words in common: knee, surgery"


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
        Study(nct_id="", intervention_mesh=tuple(each)) for each in (mesh, ["Iron", *mesh])
    )
    assert both_in_common(named_by([one]), [one], other, named_by([other]))[1] == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Lenalidomide", "Pomalidomide", ()),  # MeSH has their parent beside each
        ("Lenalidomide; an unknown drug", "Thalidomide", ("Thalidomide",)),
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
    assert both_in_common(named_by([first]), [first], second, named_by([second]))[1] == expected


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
    one, other = (Study(nct_id="", condition_mesh=(*more, *mesh)) for more in ((), ("Iron",)))
    assert both_in_common(named_by([one]), [one], other, named_by([other]))[0] == expected


def test_two_brands_of_a_substance_are_no_other_intervention(build):
    records = [
        record("NCT00000201", "Taxotere", ["Anemia"], [("DRUG", "Taxotere")]),
        record("NCT00000202", "Docefrez", ["Anemia"], [("DRUG", "Docefrez")]),
    ]
    for each in records:
        each["derivedSection"] = {
            "interventionBrowseModule": {"meshes": [{"id": "D000077143", "term": "Docetaxel"}]}
        }
    found = reason(opened_index(build([*SIX, *records]).index), "NCT201", "NCT00000202")
    assert found.relation in ("same condition and intervention", "same sponsor's sister study")
    assert found.interventions == ("Docetaxel",)
