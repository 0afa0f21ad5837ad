"""Which studies may be neighbours."""

import numpy as np
import pytest
from asking import similar_to_study
from conftest import SIX, record

from simsearch import Filters
from simsearch.errors import ArgumentError, FilterError, UnknownFieldError
from simsearch.index.opened import opened_index
from simsearch.index.studies import StudyStore
from simsearch.index.study_writer import write_store
from simsearch.search.countries import countries_named
from simsearch.search.filter_values import spelled
from simsearch.search.filters import allowed_rows
from simsearch.search.nearest import exhaustive
from simsearch.search.query_parts import study_part
from simsearch.study import Study


def passing(index, **filters):
    allowed = allowed_rows(index.store, Filters(**filters))
    return [
        nct_id[-1] for nct_id, passes in zip(index.store.nct_ids(), allowed, strict=True) if passes
    ]


@pytest.fixture
def varied(build):
    """Six studies that differ in all that can be filtered by."""
    records = [
        {**record("NCT00000101", "Iron pills", ["Anemia"], [("DRUG", "Pills")],
                  status="RECRUITING", phases=["PHASE1"], start="2018", enrollment=10),
         "hasResults": True},
        record("NCT00000102", "Iron pills", ["Anemia"], [("DEVICE", "Drops"), ("DRUG", "Pills")],
               phases=["PHASE1", "PHASE2"], start="2018-06", enrollment=100),
        record("NCT00000103", "Iron pills", ["Anemia"], [("BEHAVIORAL", "Marrow")],
               phases=["EARLY_PHASE1"], start="2018-06-15", enrollment=0),
        record("NCT00000104", "Iron pills", phases=["NA"], start="2020-01-01"),
        record("NCT00000105", "Iron pills", phases=[], start=""),
        record("NCT00000106", "Iron pills", phases=["PHASE4"]),
    ]  # fmt: skip
    records[1]["protocolSection"]["sponsorCollaboratorsModule"]["leadSponsor"]["name"] = (
        "Nova Drugs"
    )
    records[2]["protocolSection"]["sponsorCollaboratorsModule"]["leadSponsor"]["name"] = (
        "Nova Devices"
    )
    records[3]["protocolSection"]["contactsLocationsModule"]["locations"] = [
        {"country": "United States"}, {"country": "France"}
    ]  # fmt: skip
    records[4]["protocolSection"]["contactsLocationsModule"]["locations"] = []
    records[5]["protocolSection"]["designModule"].pop("enrollmentInfo")
    records[5]["protocolSection"]["designModule"]["studyType"] = "OBSERVATIONAL"
    del records[5]["hasResults"]
    return opened_index(build(records).index)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "123456"),
        ({"status": ("recruiting",)}, "1"),
        ({"status": ("Recruiting", "COMPLETED")}, "123456"),
        ({"status": ("withdrawn",)}, ""),
        ({"phase": ("1",)}, "12"),
        ({"phase": ("phase 2",)}, "2"),
        ({"phase": ("PHASE2", "4")}, "26"),
        ({"phase": ("early 1",)}, "3"),
        ({"phase": ("1/2",)}, "12"),
        ({"phase": ("II, 4",)}, "26"),
        ({"phase": ("early phase 1",)}, "3"),
        ({"phase": ("n/a",)}, "4"),
        ({"phase": ("N/A",)}, "4"),
        ({"phase": ("2/N/A",)}, "24"),
        ({"phase": ("not applicable",)}, "4"),
        ({"study_type": ("observational",)}, "6"),
        ({"intervention_type": ("drug",)}, "12"),
        ({"intervention_type": ("Behavioral", "device")}, "23"),
        ({"country": ("france",)}, "12346"),
        ({"country": ("USA",)}, "4"),
        ({"country": ("united  states",)}, "4"),
        ({"country": ("U.S.",)}, "4"),
        ({"country": ("U. S. A.",)}, "4"),
        ({"sponsor": ("nova",)}, "23"),
        ({"sponsor": ("drugs nova",)}, "2"),
        ({"sponsor": ("no-dru",)}, "2"),
        ({"other_sponsor": ("A Hospital",)}, "23"),
        ({"start_after": "2018-06"}, "12346"),
        ({"start_after": "2018-06-16"}, "1246"),
        ({"start_after": "2018-07"}, "146"),
        ({"start_after": "2019"}, "46"),
        ({"start_before": "2018-06"}, "123"),
        ({"start_before": "2018-06-14"}, "12"),
        ({"start_before": "2017"}, ""),
        ({"start_after": "2018-06-15", "start_before": "2019-12"}, "1236"),
        ({"min_enrollment": 0}, "12345"),
        ({"min_enrollment": 30}, "245"),
        ({"min_enrollment": 2**63 - 1}, ""),
        ({"has_results": True}, "1"),
        ({"has_results": False}, "2345"),
        ({"phase": ("1",), "intervention_type": ("device",)}, "2"),
    ],
)
def test_a_filter_passes_what_the_record_says(varied, filters, found):
    assert "".join(passing(varied, **filters)) == found


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (
            {"status": ("recruitng",)},
            "status 'recruitng' is not known: did you mean 'RECRUITING'?",
        ),
        ({"phase": ("5",)}, "the values are EARLY_PHASE1, PHASE1, PHASE2, PHASE3, PHASE4, NA"),
        ({"study_type": ("interventionel",)}, "did you mean 'INTERVENTIONAL'?"),
        ({"intervention_type": ("drugs",)}, "did you mean 'DRUG'?"),
        ({"country": ("Untied States",)}, "did you mean 'United States'?"),
        ({"country": ("Atlantis",)}, "the values are France, United States"),
        ({"sponsor": ("Novo Drugs",)}, "did you mean 'Nova Drugs'?"),
        ({"sponsor": (" ",)}, "sponsor ' ' is not known"),
        ({"sponsor": ("ova",)}, "the values are A Hospital, Nova Devices, Nova Drugs"),
    ],
)
def test_a_value_that_no_study_has_names_the_nearest(varied, filters, message):
    with pytest.raises(FilterError) as caught:
        passing(varied, **filters)
    assert message in str(caught.value)


@pytest.fixture
def sponsors(tmp_path):
    """A store of twenty sponsors."""
    names = [
        "Anhui Provincial Hospital", "National Cancer Institute (NCI)",
        "National Cancer Institute, Egypt", "Novartis", "Pfizer",
        *(f"A{letter} Clinic" for letter in "abcdefghijklmno"),
    ]  # fmt: skip
    made = [Study(nct_id=f"NCT{n:08}", sponsor=name) for n, name in enumerate(names)]
    write_store(tmp_path / "s.sqlite", made)
    return StudyStore(tmp_path / "s.sqlite")


@pytest.mark.parametrize("value", ["nci", "NCI,", "(nci) cancer", "inst NATION nci"])
def test_a_sponsor_is_found_by_the_beginnings_of_its_words(sponsors, value):
    assert spelled(sponsors, "sponsor", [value]) == ("National Cancer Institute (NCI)",)


def test_of_many_sponsors_an_unknown_one_is_told_the_nearest_alone(sponsors):
    with pytest.raises(FilterError) as caught:
        spelled(sponsors, "sponsor", ["Natinal Cancer Institut"])
    assert caught.value.close == (
        "National Cancer Institute (NCI)", "National Cancer Institute, Egypt",
    )  # fmt: skip
    assert str(caught.value) == (
        "sponsor 'Natinal Cancer Institut' is not known: did you mean 'National Cancer Institute "
        "(NCI)' or 'National Cancer Institute, Egypt'? There are 20 values in all"
    )


def test_of_many_sponsors_with_none_near_none_is_named(sponsors):
    with pytest.raises(FilterError) as caught:
        spelled(sponsors, "sponsor", ["xyzzy"])
    assert str(caught.value) == (
        "sponsor 'xyzzy' is not known: none of the 20 values in this index is like it"
    )


def test_a_few_letters_are_near_no_name_that_holds_them_by_chance(build):
    sites = [{"country": name} for name in ("Australia", "Belarus")]
    australian = record("NCT00000101", "Iron pills")
    australian["protocolSection"]["contactsLocationsModule"]["locations"] = sites
    with pytest.raises(FilterError, match="known: the values are Australia, Belarus"):
        passing(opened_index(build([australian]).index), country=("U.S.",))


@pytest.mark.parametrize("has_results", [True, False])
def test_results_that_no_record_speaks_of_cannot_be_asked_for(build, has_results):
    index = opened_index(build([{**each, "hasResults": None} for each in SIX]).index)
    with pytest.raises(UnknownFieldError) as caught:
        passing(index, has_results=has_results)
    assert str(caught.value) == (
        "no record in this index has the field has_results: ask without that filter"
    )


def test_a_country_cannot_be_asked_for_where_no_record_has_one(build):
    nowhere = record("NCT00000101", "Iron pills")
    del nowhere["protocolSection"]["contactsLocationsModule"]
    index = opened_index(build([nowhere]).index)
    with pytest.raises(UnknownFieldError, match="no record in this index has the field country"):
        passing(index, country=("France",))


def test_results_that_some_record_denies_can_be_asked_for(six):
    assert passing(six, has_results=True) == []


@pytest.mark.parametrize(
    "filters",
    [
        {"start_after": "2018-13"},
        {"start_before": "last year"},
        {"min_enrollment": -1},
        {"min_enrollment": 2**63},
        {"min_enrollment": 99999999999999999999},
    ],
)
def test_a_date_or_number_that_is_none_is_refused(varied, filters):
    with pytest.raises(ArgumentError, match=next(iter(filters))):
        passing(varied, **filters)


def test_filters_come_before_the_search(build, monkeypatch):
    """Of many studies only the two farthest pass, and both come back."""
    from simsearch.search import nearest as search

    monkeypatch.setattr(search, "_MIN_CANDIDATES", 3)
    monkeypatch.setattr(search, "_CANDIDATES_PER_K", 1)
    monkeypatch.setattr(search, "FEW", 0)
    near = [record(f"NCT000002{n:02}", "Iron pills for anemia", ["Anemia"]) for n in range(40)]
    far = [
        record(f"NCT0000030{n}", f"Knee surgery {'x' * n}", status="RECRUITING") for n in range(9)
    ]
    index = opened_index(build([*SIX, *near, *far]).index)
    for k in (1, 4, 10, 20):
        found = similar_to_study(index, "NCT00000104", k, filters=Filters(status=("recruiting",)))
        assert len(found) == min(k, 10)
        assert {each.study.status for each in found} == {"RECRUITING"}
        every = exhaustive(index, [study_part(index, index.row_of("NCT104"))])
        allowed = allowed_rows(index.store, Filters(status=("recruiting",)))
        assert [each.similarity for each in found] == sorted(every[allowed], reverse=True)[:k]


def test_no_study_that_passes_is_an_empty_answer(six):
    assert similar_to_study(six, "NCT101", filters=Filters(phase=("4",))) == []


def test_filters_are_true_when_they_ask_for_something():
    assert not Filters()
    assert Filters(min_enrollment=0)
    assert Filters(has_results=False)


def test_allowed_rows_are_a_mask_over_all_studies(six):
    allowed = allowed_rows(six.store, Filters(status=("recruiting",)))
    assert allowed.dtype == np.bool_
    assert allowed.tolist() == [False, False, True, False, False, False]


@pytest.mark.parametrize(
    ("said", "statuses"),
    [
        ("active", {"RECRUITING", "ENROLLING_BY_INVITATION", "ACTIVE_NOT_RECRUITING"}),
        ("Ongoing", {"RECRUITING", "ENROLLING_BY_INVITATION", "ACTIVE_NOT_RECRUITING"}),
        ("open", {"RECRUITING", "ENROLLING_BY_INVITATION", "AVAILABLE"}),
        ("recruiting", {"RECRUITING"}),
    ],
)
def test_statuses_as_people_say_them(six, said, statuses):
    assert set(spelled(six.store, "status", [said])) == statuses


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("United States of America", ["United States"]),
        ("DE", ["Germany"]),
        ("deu", ["Germany"]),
        ("Ivory Coast", ["Côte d'Ivoire"]),
        ("germany,france", ["Germany", "France"]),
        ("U.K.", ["United Kingdom"]),
        ("germany,atlantis", []),
        ("Korea, Republic of", ["South Korea"]),
    ],
)
def test_countries_as_people_write_them(said, names):
    known = ["Côte d'Ivoire", "France", "Germany", "South Korea", "United Kingdom", "United States"]
    assert countries_named(said, known) == names
