"""The facts of a study: kept whole, merged from several records, never more than was registered."""

import sqlite3

import msgspec
import pytest
from conftest import record
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch import read_studies
from simsearch.build.merged_facts import merged_facts
from simsearch.errors import IndexCorruptError
from simsearch.facts import Arm, Facts, Organization, Outcome, Site, age_in_years
from simsearch.index.directory import open_generation
from simsearch.index.facts_blobs import dictionary_of, kept_facts
from simsearch.index.opened import opened_index
from simsearch.index.studies import StudyStore
from simsearch.index.study_tables import NO_LIMIT
from simsearch.index.study_writer import write_store
from simsearch.output.reports import report_facts
from simsearch.study import Intervention, Study

ID = "NCT00000102"
text = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
lines = st.lists(text, max_size=3).map("\n".join)
place = st.builds(Site, text, text, text, latitude=st.none() | st.floats(-90, 90))
facts_made = st.builds(
    Facts,
    why_stopped=text,
    description=lines,
    criteria=lines,
    masking=text,
    who_masked=st.lists(text, max_size=2).map(tuple),
    patient_registry=st.none() | st.booleans(),
    arms=st.lists(st.builds(Arm, text, text, text), max_size=2).map(tuple),
    n_arms=st.none() | st.integers(0, 99),
    primary_outcomes=st.lists(st.builds(Outcome, text, text, text), max_size=2).map(tuple),
    sites=st.lists(place, max_size=2).map(tuple),
    collaborators=st.lists(st.builds(Organization, text), max_size=2).map(tuple),
)
WHOLE = Facts(
    criteria="Inclusion:\n* adults", description="Long.", sex="ALL", masking="DOUBLE",
    minimum_age="6 Months", maximum_age="65 Years", healthy_volunteers=False, allocation="NA",
    arms=(Arm("A", "EXPERIMENTAL"), Arm("B", "PLACEBO_COMPARATOR")),
    sites=(Site("France", "A Hospital", "Lyon"),), sponsor_class="INDUSTRY",
)  # fmt: skip


def stored(folder, *several, **options):
    """Return a store of studies that have these facts."""
    path = folder / "s.sqlite"
    studies = [Study(nct_id=f"NCT{n:08}", facts=facts) for n, facts in enumerate(several, 1)]
    write_store(path, studies, **options)
    return StudyStore(path)


# In the index


@settings(deadline=None, max_examples=40)
@given(st.lists(st.none() | facts_made, min_size=1, max_size=3))
def test_facts_come_back_as_they_were(tmp_path_factory, several):
    store = stored(tmp_path_factory.mktemp("store"), *several)
    expected = [None if each == Facts() else each for each in several]
    assert store.facts(range(len(several))) == expected


def test_facts_come_in_the_order_asked_for_and_with_a_dictionary(tmp_path):
    several = [msgspec.structs.replace(WHOLE, why_stopped=f"Reason {n}") for n in range(700)]
    dictionary = dictionary_of(several, "full")
    store = stored(tmp_path, *several, dictionary=dictionary)
    assert store.facts([5, 699, 5]) == [several[5], several[699], several[5]]
    assert store.facts([]) == []
    assert store.facts(range(700)) == several


@pytest.mark.parametrize("details", ["none", "brief", "full"])
def test_what_is_kept(tmp_path, details):
    (facts,) = stored(tmp_path, WHOLE, details=details).facts([0])
    brief = msgspec.structs.replace(WHOLE, description="", criteria="")
    assert facts == {"none": None, "brief": brief, "full": WHOLE}[details]


def test_filters_select_by_facts_that_are_not_kept(tmp_path):
    store = stored(tmp_path, WHOLE, Facts(sex="MALE"), details="none")
    assert list(store.rows_of("masking", ["DOUBLE"])) == [0]
    assert list(store.rows_of("healthy_volunteers", ["no"])) == [0]
    assert list(store.rows_of("facility", ["A Hospital"])) == [0]


def test_ages_are_known_where_facts_are_not_kept(tmp_path):
    ages = stored(tmp_path, WHOLE, Facts(sex="MALE"), details="none").traits({}, [0, 1])
    assert (ages[0].minimum_age, ages[0].maximum_age) == (0.5, 65)
    assert (ages[1].minimum_age, ages[1].maximum_age) == (0, NO_LIMIT)


def changed(path, body):
    with sqlite3.connect(path) as database:
        database.execute("UPDATE facts SET body = ?", (body,))
    database.close()
    return StudyStore(path)


@pytest.mark.parametrize("body", [b"", b"junk", "a text", 7, b"\x28\xb5\x2f\xfd" + b"\xff" * 20])
def test_a_damaged_blob_is_damage(tmp_path, body):
    stored(tmp_path, WHOLE).close()
    with pytest.raises(IndexCorruptError):
        changed(tmp_path / "s.sqlite", body).facts([0])


def test_one_changed_byte_anywhere_is_damage(tmp_path):
    stored(tmp_path, WHOLE).close()
    with sqlite3.connect(tmp_path / "s.sqlite") as database:
        ((body,),) = database.execute("SELECT body FROM facts").fetchall()
    database.close()
    for at in range(0, len(body), 7):
        broken = bytearray(body)
        broken[at] ^= 0x10
        store = changed(tmp_path / "s.sqlite", bytes(broken))
        with pytest.raises(IndexCorruptError):
            store.facts([0])


@pytest.mark.parametrize(
    "facts",
    [
        Facts(why_stopped="a\x1b[31mb"),
        Facts(why_stopped="a\nb"),
        Facts(criteria="a\tb"),
        Facts(arms=(Arm("A", interventions=("a\x9bb",)),)),
        Facts(sites=(Site(city="a\x00b"),)),
    ],
)
def test_control_characters_are_damage(tmp_path, facts):
    with pytest.raises(IndexCorruptError, match="control characters"):
        stored(tmp_path, facts).facts([0])


def test_nothing_but_long_texts_is_nothing_in_brief():
    assert kept_facts(Facts(criteria="Adults"), "brief") is None
    assert kept_facts(None, "full") is None


def test_a_built_index_gives_the_facts_of_a_study(build):
    with opened_index(build().index) as index:
        study = index.study("NCT00000101")
        assert study.facts == index.study_facts([index.row_of("NCT00000101")])[0]
        assert [site.country for site in study.facts.sites] == ["France"]
        assert index.generation.manifest.details == "full"
        assert index.generation.manifest.n_facts == index.n_studies


@pytest.mark.parametrize(
    ("given", "kept"),
    [(["brief", None], "brief"), (["none", None, None], "none"), (["brief", "full", None], "full"),
     ([None], "full"), ([None, "none"], "none")],
)  # fmt: skip
def test_the_level_of_details_stays_until_another_is_given(build, given, kept):
    report = [build(details=each) for each in given][-1]
    assert open_generation(report.index).manifest.details == kept
    told = dict(report_facts(report)).get("Details")
    stayed = given[-1] is None and kept != "full"
    assert told == (f"{kept}, as in the generation before; --details full keeps everything"
                    if stayed else None)  # fmt: skip


# Ages


@pytest.mark.parametrize(
    ("registered", "years"),
    [("18 Years", 18), ("1 Year", 1), ("6 Months", 0.5), ("52 Weeks", 364 / 365.25),
     ("1 Day", 1 / 365.25), ("36 Hours", 1.5 / 365.25), ("120 Minutes", 1 / 12 / 365.25),
     ("", None), ("N/A", None), ("eighteen", None), ("-3 Years", None), ("99999 Years", None)],
)  # fmt: skip
def test_ages_in_years(registered, years):
    assert age_in_years(registered) == (None if years is None else pytest.approx(years))


# Several records of a study


def test_a_newer_record_without_facts_keeps_those_of_the_older():
    newest = Facts(sites=(Site("Spain"),), primary_completion_date="2021")
    merged = merged_facts([newest, WHOLE], Study(nct_id=ID))
    assert merged == msgspec.structs.replace(WHOLE, primary_completion_date="2021")


def test_a_complete_newer_record_is_left_as_it_is():
    newest = msgspec.structs.replace(WHOLE, collaborators=(), arms=(), masking="NONE")
    assert merged_facts([newest, WHOLE], Study(nct_id=ID)) == newest


def test_a_study_that_goes_on_has_not_stopped():
    older = msgspec.structs.replace(WHOLE, why_stopped="No money")
    going_on = merged_facts([Facts(), older], Study(nct_id=ID, status="RECRUITING"))
    assert going_on.why_stopped == ""
    stopped = merged_facts([Facts(), older], Study(nct_id=ID, status="TERMINATED"))
    assert stopped.why_stopped == "No money"


def test_descriptions_are_those_of_the_interventions_or_none():
    older = msgspec.structs.replace(WHOLE, intervention_descriptions=("a", "b"))
    one = Study(nct_id=ID, interventions=(Intervention("Drops"),))
    assert merged_facts([Facts(), older], one).intervention_descriptions == ()


# Hostile and odd records


def read(tmp_path, changes):
    """Return the facts of a record with other modules."""
    each = record(ID, "Drops", ["Aplasia"], [("DRUG", "Drops"), ("DRUG", "Iron: pure")], "Text.")
    for module, parts in changes.items():
        each["protocolSection"].setdefault(module, {}).update(parts)
    (tmp_path / "r.json").write_bytes(msgspec.json.encode(each))
    (study,) = read_studies(tmp_path / "r.json")
    assert isinstance(study, Study), study
    return study


def test_dates_that_run_backwards_are_kept_as_registered(tmp_path):
    study = read(tmp_path, {"statusModule": {
        "startDateStruct": {"date": "2020-05", "type": "ACTUAL"},
        "primaryCompletionDateStruct": {"date": "2019-01", "type": "ESTIMATED"},
    }})  # fmt: skip
    assert (study.start_date, study.facts.primary_completion_date) == ("2020-05", "2019-01")
    assert (study.facts.start_date_type, study.facts.primary_completion_date_type) == (
        "ACTUAL", "ESTIMATED"
    )  # fmt: skip


def test_a_million_participants(tmp_path):
    study = read(tmp_path, {"designModule": {"enrollmentInfo": {"count": 10**6}}})
    assert study.enrollment == 1_000_000


def test_arms_name_what_they_are_given_by_either_way(tmp_path):
    arms = [{"label": "A", "type": "EXPERIMENTAL",
             "interventionNames": ["Drug: Drops", "Drug: Iron: pure"]},
            {"label": "B", "type": "A_NEW_TYPE"}]  # fmt: skip
    study = read(tmp_path, {"armsInterventionsModule": {"armGroups": arms}})
    assert study.facts.arms == (
        Arm("A", "EXPERIMENTAL", interventions=("Drops", "Iron: pure")), Arm("B", "A_NEW_TYPE")
    )  # fmt: skip


def test_controls_and_markup_in_facts_are_cleaned(tmp_path):
    study = read(tmp_path, {
        "statusModule": {"whyStopped": "No\x1b[31m money &amp;\u200b time"},
        "eligibilityModule": {
            "eligibilityCriteria": "Inclusion\r\n\r\n* Age \\> 18\n  * \\[none\\]\n\nNone",
        },
        "contactsLocationsModule": {"locations": [
            {"city": "Lyon\t", "geoPoint": {"lat": 1e6, "lon": 2}}, {"zip": "1"},
        ]},
    })  # fmt: skip
    assert study.facts.why_stopped == "No [31m money & time"
    assert study.facts.criteria == "Inclusion\n* Age > 18\n* [none]\nNone"
    assert study.facts.sites == (Site(city="Lyon"),)


def test_a_record_without_facts_has_none(tmp_path):
    (tmp_path / "r.json").write_text(
        '{"protocolSection": {"identificationModule": {"nctId": "NCT00000102"}}}'
    )
    (study,) = read_studies(tmp_path / "r.json")
    assert study.facts is None
