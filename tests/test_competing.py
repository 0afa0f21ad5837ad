"""Trials that compete for the same participants, and filters by place.

Distances were worked out beside it with the coordinates below: Boston to Cambridge 4.2 km,
Boston to Paris (France) 5,530 km.
"""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest
from asking import asked, written
from conftest import SIX

import simsearch
from simsearch.cli import main as cli
from simsearch.errors import (
    ArgumentError,
    FilterError,
    NothingToCompareError,
    SimsearchError,
    UnknownFieldError,
)
from simsearch.facts import Facts, Site
from simsearch.index.opened import opened_index
from simsearch.search.answer import ask
from simsearch.search.filters import Filters
from simsearch.search.question import Question
from simsearch.study import Study

BOSTON = {"city": "Boston", "state": "Massachusetts", "country": "United States",
          "geoPoint": {"lat": 42.35843, "lon": -71.05977}}  # fmt: skip
CAMBRIDGE = {"city": "Cambridge", "state": "Massachusetts", "country": "United States",
             "geoPoint": {"lat": 42.3751, "lon": -71.10561}}  # fmt: skip
PARIS = {"city": "Paris", "country": "France", "geoPoint": {"lat": 48.85341, "lon": 2.3488}}
PARIS_TEXAS = {"city": "Paris", "state": "Texas", "country": "United States"}
LONDON = {"city": "London", "state": "Ontario", "country": "Canada"}
SAO_PAULO = {"city": "São Paulo", "country": "Brazil"}


def trial(number, status, *sites, condition="Aplasia"):
    return {
        "protocolSection": {
            "identificationModule": {
                "nctId": f"NCT00000{number}", "briefTitle": f"{condition} in trial {number}",
            },
            "statusModule": {"overallStatus": status},
            "conditionsModule": {"conditions": [condition]},
            "contactsLocationsModule": {"locations": list(sites)},
        }
    }  # fmt: skip


TRIALS = [
    trial(101, "RECRUITING", {"facility": "General Hospital", **BOSTON}, PARIS),
    trial(102, "RECRUITING", {"facility": "General Hospital", **BOSTON}),
    trial(103, "NOT_YET_RECRUITING", {"facility": "The Clinic", **CAMBRIDGE}),
    trial(104, "COMPLETED", {"facility": "General Hospital", **BOSTON}),
    trial(105, "RECRUITING", BOSTON, condition="Knee"),
    trial(106, "RECRUITING", LONDON, SAO_PAULO),
    trial(107, "ENROLLING_BY_INVITATION", {"facility": "A Clinic", **PARIS_TEXAS}),
    trial(108, "RECRUITING", {"country": "France"}),
    trial(109, "RECRUITING"),
]


@pytest.fixture
def index(build):
    return opened_index(build(TRIALS).index)


def found(index, *studies, **question):
    """Return the neighbours' numbers, and places in common in a line."""
    answer = asked(index, *(studies or ("NCT00000101",)), **question)
    return {int(each.nct_id[-3:]): each.places.line if each.places else None for each in answer}


def near(*names, **others):
    return {"filters": Filters(near=names, **others)}


def test_competing_trials_recruit_for_the_same_condition_in_a_country_of_the_query(index):
    assert found(index, competing=True) == {
        102: "sites in common: General Hospital, Boston",
        103: "countries in common: United States",
        107: "countries in common: United States",
        108: "countries in common: France",
    }


def test_competing_trials_at_a_place_that_is_named_have_their_sites_there(index):
    assert found(index, competing=True, **near("Boston, MA")) == {
        102: "sites there: General Hospital, Boston",
    }
    assert found(index, competing=True, **near("Canada")) == {106: "cities there: London, Ontario"}
    assert set(found(index, competing=True, filters=Filters(country="Canada"))) == {106}


@pytest.mark.parametrize(
    ("radius", "numbers"), [(4.0, {102}), (4.4, {102, 103}), (5000.0, {102, 103})]
)
def test_a_radius_is_measured_from_the_place_or_from_the_querys_cities(index, radius, numbers):
    assert set(found(index, competing=True, **near("Boston", radius_km=radius))) == numbers
    assert set(found(index, competing=True, filters=Filters(radius_km=radius))) == numbers


@pytest.fixture
def by_site(build):
    """Recruiting trials of which some sites no longer recruit."""
    closed, still, unsaid = {"status": "COMPLETED"}, {"status": "RECRUITING"}, {}
    return opened_index(
        build([
            trial(101, "RECRUITING", {"facility": "General Hospital", **BOSTON}, PARIS),
            trial(102, "RECRUITING", {**BOSTON, **closed}, {**CAMBRIDGE, **closed}, SAO_PAULO),
            trial(103, "RECRUITING", {**BOSTON, **closed}, {**PARIS, **still}),
            trial(104, "RECRUITING", {**BOSTON, **unsaid}, {**PARIS, **closed}),
            trial(105, "NOT_YET_RECRUITING", {**BOSTON, "status": "NOT_YET_RECRUITING"}),
            trial(106, "COMPLETED", {**BOSTON, **closed}),
        ]).index
    )  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({}, {103, 104, 105}),
        ({"near": "Boston"}, {104, 105}),
        ({"near": "Boston", "radius_km": 5000.0}, {104, 105}),
        ({"city": "Boston"}, {104, 105}),
        ({"state": "MA"}, {104, 105}),
        ({"country": "France"}, {103}),
        ({"near": "France"}, {103}),
        ({"country": "Brazil"}, {102}),
        ({"status": "recruiting"}, {103, 104}),
        ({"status": "completed"}, {106}),
    ],
)
def test_a_trial_competes_only_where_a_site_takes_participants(by_site, filters, numbers):
    assert set(found(by_site, competing=True, filters=Filters(**filters))) == numbers


def test_places_in_common_are_those_that_take_participants(by_site):
    lines = found(by_site, competing=True)
    assert lines[103] == "cities in common: Paris"
    assert lines[104] == "cities in common: Boston, Massachusetts"


def test_a_note_counts_the_trials_that_recruit_elsewhere(by_site):
    answer = asked(by_site, "NCT00000101", competing=True, **near("Boston"))
    assert "left out: 2 trials recruit, but no longer at a site there" in answer.notes
    assert not asked(by_site, "NCT00000101", competing=True, **near("Brazil")).notes


def test_without_competing_the_status_of_a_site_does_not_count(by_site):
    assert set(found(by_site, **near("Boston"))) == {102, 103, 104, 105, 106}


def test_an_index_without_details_goes_by_the_status_of_the_trial(build):
    trials = [
        trial(101, "RECRUITING", BOSTON),
        trial(102, "RECRUITING", {**BOSTON, "status": "COMPLETED"}),
    ]
    bare = opened_index(build(trials, details="none").index)
    assert set(found(bare, competing=True)) == {102}


def test_a_status_that_is_asked_for_stays(index):
    filters = Filters(status="completed")
    assert found(index, competing=True, filters=filters) == {
        104: "sites in common: General Hospital, Boston"
    }


def test_without_a_country_of_the_query_a_note_says_that_none_was_compared(index):
    answer = asked(index, "NCT00000109", competing=True)
    assert {each.nct_id[-3:] for each in answer} == {"101", "102", "103", "106", "107", "108"}
    assert "the query names no country, so trials of any country compete with it" in answer.notes


def test_a_draft_competes_by_its_sites_and_words_compete_with_nothing(index, encoder):
    sites = (Site(country="United States", city="Boston", state="Massachusetts"),)
    draft = Study(nct_id="", title="Aplasia", conditions=("Aplasia",), facts=Facts(sites=sites))
    answer = ask(index, Question(drafts=(draft,), competing=True), load_encoder=lambda: encoder)
    lines = {each.nct_id[-3:]: each.places.line for each in answer}
    assert lines["102"] == "cities in common: Boston, Massachusetts"
    assert set(lines) == {"101", "102", "103", "107"}
    with pytest.raises(NothingToCompareError, match="trials compete with a study or a draft"):
        ask(index, Question(texts=("aplasia",), competing=True), load_encoder=lambda: encoder)


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"city": "boston"}, {102, 104, 105}),
        ({"city": ["Boston", "SAO PAULO"]}, {102, 104, 105, 106}),
        ({"state": "MA"}, {102, 103, 104, 105}),
        ({"state": "texas"}, {107}),
        ({"facility": "clinic"}, {103, 107}),
        ({"facility": "gen hosp"}, {102, 104}),
        ({"near": "Paris"}, {107}),
        ({"near": "Paris, France"}, set()),
        ({"near": "France"}, {108}),
        ({"near": "London, Canada"}, {106}),
        ({"near": "usa"}, {102, 103, 104, 105, 107}),
        ({"near": "Massachusetts, United States"}, {102, 103, 104, 105}),
        ({"near": ["Texas", "Ontario"]}, {106, 107}),
        ({"city": "Boston", "or_unknown": True}, {102, 104, 105, 109}),
    ],
)
def test_places_are_understood_as_people_write_them(index, filters, numbers):
    assert set(found(index, filters=Filters(**filters))) == numbers


@pytest.mark.parametrize(
    ("filters", "error", "says"),
    [
        ({"near": "Bostn"}, FilterError, "did you mean 'Boston, Massachusetts, United States'"),
        ({"near": "Paris, Ontario"}, FilterError, "near 'Paris, Ontario' is not known"),
        ({"near": " , "}, FilterError, "is not known"),
        ({"city": "Bostn"}, FilterError, "did you mean 'Boston'"),
        ({"state": "Txas"}, FilterError, "did you mean 'Texas'"),
        ({"facility": "nowhere"}, FilterError, "facility 'nowhere' is not known"),
        ({"radius_km": 5}, ArgumentError, "given together with a place to be near"),
        ({"near": "London", "radius_km": 5}, ArgumentError, "coordinates of London, Ontario"),
    ],
)
def test_a_place_that_is_none_is_refused_with_the_nearest(index, filters, error, says):
    with pytest.raises(error, match=says):
        asked(index, "NCT00000101", filters=Filters(**filters))


@pytest.mark.parametrize("radius", [0, -1, 20_041, "5", True, float("nan")])
def test_a_radius_is_a_number_of_kilometres(radius):
    with pytest.raises(ArgumentError, match="radius_km"):
        Filters(near="Boston", radius_km=radius)


def test_records_without_places_say_so(build):
    bare = [
        {**each, "protocolSection": {**each["protocolSection"], "contactsLocationsModule": {}}}
        for each in SIX
    ]
    index = opened_index(build(bare).index)
    with pytest.raises(UnknownFieldError):
        asked(index, "NCT00000101", filters=Filters(city="Lyon"))
    with pytest.raises(SimsearchError):
        asked(index, "NCT00000101", filters=Filters(near="Lyon"))


def test_places_are_in_json_csv_and_the_notebook(index):
    answer = asked(index, "NCT00000101", competing=True, k=1)
    (neighbour,) = json.loads(written(answer, "json"))["neighbours"]
    assert neighbour["places"] == {
        "countries": ["United States"],
        "cities": ["Boston, Massachusetts"],
        "facilities": ["General Hospital, Boston"],
    }
    (row,) = csv.DictReader(io.StringIO(written(answer, "csv")))
    assert row["places"] == "sites in common: General Hospital, Boston"
    plain = asked(index, "NCT00000101", k=1)
    assert json.loads(written(plain, "json"))["neighbours"][0]["places"] is None


def test_in_python_and_at_the_command_line(build, monkeypatch, capsys, tmp_path):
    with simsearch.open_index(build(TRIALS).index) as index:
        answer = index.related("NCT00000101", competing=True, near="Boston", radius_km=10)
        assert [each.nct_id for each in answer] == ["NCT00000102", "NCT00000103"]
    monkeypatch.chdir(tmp_path)

    def run(line):
        monkeypatch.setattr(sys, "argv", ["simsearch", *line])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return (caught.value.code or 0, *capsys.readouterr())

    line = ["query", "NCT101", "--competing", "--near", "Boston", "--radius", "10", "-f", "ids"]
    assert run(line) == (
        0,
        "NCT00000102\nNCT00000103\n",
        "simsearch: left out because their records do not say: place 1 of 9 studies\n",
    )
    code, out, _ = run(["related", "NCT101", "--city", "Boston", "-k", "5"])
    assert code == 0
    assert [json.loads(each)["neighbour_id"] for each in out.splitlines()] == [
        "NCT00000102", "NCT00000104", "NCT00000105"
    ]  # fmt: skip
    code, _, err = run(["query", "NCT101", "--radius", "10"])
    assert code == 2
    assert "--radius 10.0: it must be given together with a place to be near" in err


def test_the_web_page_and_the_api_have_them_too(build):
    from serving import serving

    numbered = json.loads(json.dumps(TRIALS[1]))
    identification = numbered["protocolSection"]["identificationModule"]
    identification["secondaryIdInfos"] = [{"id": "CTRI/2009/091/000090"}]
    index = build([TRIALS[0], numbered, *TRIALS[2:]]).index
    with serving(index) as site:
        path = "/study/NCT00000101"
        asked_for = "competing=true&near=Boston&radius_km=10"
        page = site.get(f"{path}?{asked_for}").text
        assert "sites there: General Hospital, Boston" in page
        assert "NCT00000104" not in page
        assert 'value="Boston"' in page
        found = site.get(f"{path}.json?{asked_for}").json()["related"]["neighbours"]
        assert [each["nct_id"] for each in found] == ["NCT00000102", "NCT00000103"]
        assert found[0]["places"]["facilities"] == ["General Hospital, Boston"]
        api = site.get(f"/api/v1/studies/NCT00000101/related?{asked_for}")
        assert api.json()["neighbours"] == found
        moved = site.get("/study/CTRI-2009-091-000090")
        assert moved.headers["location"] == "/study/NCT00000102"
