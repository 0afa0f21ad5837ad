"""Slices of a judged set by facts of the query studies."""

import pytest
from conftest import record
from judging import KNEE

from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.judged import Groups
from simsearch.evaluation.selection import select_groups
from simsearch.evaluation.slices import areas_of, decade_of, slices
from simsearch.index.opened import opened_index
from simsearch.study import Study


@pytest.fixture
def corpus(six) -> Corpus:
    return Corpus(six)


def test_query_studies_are_sliced_by_what_they_lack_and_when_they_began(corpus):
    selection = select_groups(Groups("g", {"A": KNEE, "B": ("NCT00000101", "NCT00000106")}), corpus)
    found = slices(corpus, selection.cases)
    assert found["query without interventions"].tolist() == [False, True, False, True]
    assert "query without conditions" not in found
    assert found["start: 2010s"].all()


def test_query_studies_are_sliced_by_the_sponsor_of_their_relevant_ones(build):
    records = [record(f"NCT0000010{n}", "Aplasia") for n in range(4)]
    for each, sponsor in zip(records, ["A", "B", "A", ""], strict=True):
        module = each["protocolSection"]["sponsorCollaboratorsModule"]
        module["leadSponsor"]["name"] = sponsor
    corpus = Corpus(opened_index(build(records).index))
    members = tuple(corpus.ids)
    found = slices(corpus, select_groups(Groups("g", {"A": members}), corpus).cases)
    shared = "sponsor: one relevant study shares it"
    assert found[shared].tolist() == [True, False, True, False]
    assert found["sponsor: no relevant study shares it"].tolist() == [False, True, False, False]
    assert found["sponsor: unknown"].tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("terms", "areas"),
    [
        (("Breast Neoplasms",), ["neoplasms"]),
        (("HIV Infections", "Anemia"), ["infections", "blood and immune"]),
        (("Broken Heart",), ["cardiovascular"]),
        (("Hiccup",), ["other"]),
        ((), ["other"]),
    ],
)
def test_areas_follow_the_words_of_mesh_terms(terms, areas):
    assert areas_of(Study(nct_id="NCT00000101", condition_mesh=terms)) == areas


def test_areas_follow_conditions_where_a_record_has_no_mesh_terms():
    assert areas_of(Study(nct_id="NCT00000101", conditions=("Psoriasis",))) == ["skin"]


def test_a_decade_is_that_of_the_start():
    assert decade_of(Study(nct_id="NCT00000101", start_date="2009-12")) == "2000s"
    assert decade_of(Study(nct_id="NCT00000101")) == "unknown"
