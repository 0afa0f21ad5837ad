"""AACT's pipe-delimited tables, generated the way its export does, with all its pitfalls."""

import calendar
import gzip
import io
import itertools
import json
import random
import re
import sqlite3
import zipfile
from collections.abc import Iterator

import msgspec
import pytest
from conftest import SIX, record
from hypothesis import given
from hypothesis import strategies as st

from simsearch.errors import SourceError
from simsearch.records import Notice, Rejected, aact_reader
from simsearch.records.aact_reader import read_archive
from simsearch.records.aact_tables import (
    cells_of,
    recognises_archive,
    refusal,
)
from simsearch.records.registry import study_from_record
from simsearch.records.registry_parts import Record
from simsearch.study import Intervention, Study

ID, OTHER_ID = "NCT00000101", "NCT00000102"


def cell(value) -> str:
    """Return a value as AACT exports it: as PostgreSQL's CSV, then changed by AACT."""
    text = "" if value is None else str(value)
    if re.search(r'[|"\r\n]', text):
        text = '"' + text.replace('"', '""') + '"'
    return re.sub(r"\n\s?", "~", text.replace('""', ""))


def table(*rows: dict, end: str = "\n") -> bytes:
    """Return a table of rows that have the same columns."""
    lines = ["|".join(rows[0]), *("|".join(map(cell, row.values())) for row in rows)]
    return "".join(line + end for line in lines).encode()


def study_row(nct_id=ID, title="Pills for aplasia", **columns) -> dict:
    return {"nct_id": nct_id, "brief_title": title, **columns}


def archive(tables: dict[str, bytes], folder: str = "") -> zipfile.ZipFile:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in tables.items():
            written.writestr(f"{folder}{name}.txt", content)
    return zipfile.ZipFile(buffer)


def read(tables: dict[str, bytes], folder: str = ""):
    """Return the studies, the rejected rows, and the notices except that about missing tables."""
    outcomes = list(read_archive(archive(tables, folder), "PLACE"))
    notices = [each for each in outcomes if isinstance(each, Notice)]
    return (
        [each for each in outcomes if isinstance(each, Study)],
        [each for each in outcomes if isinstance(each, Rejected)],
        [each for each in notices if "are left empty" not in each.message],
    )


def read_one(tables: dict[str, bytes]) -> Study:
    """Return the only study of tables without errors."""
    (study,), rejected, notices = read(tables)
    assert rejected == notices == []
    return study


def with_table(name: str, *rows: dict, **studies_columns) -> Study:
    """Return the study of a row of studies.txt and one further table."""
    return read_one({"studies": table(study_row(**studies_columns)), name: table(*rows)})


def tables_of(records: list[dict], rng: random.Random | None = None) -> dict[str, bytes]:
    """Return records in API v2 layout as AACT's tables, with shuffled rows."""
    rows: dict[str, list[dict]] = {}
    for each in records:
        modules = each["protocolSection"]
        nct_id = modules["identificationModule"]["nctId"]
        parts = (_own_rows(modules, each), _list_rows(modules), _derived_rows(each))
        for name, columns in itertools.chain(*parts):
            others, labels = columns.pop("other_names", ()), columns.pop("arms", ())
            number = {} if name == "studies" else {"id": 8 + len(rows.get(name, ()))}
            rows.setdefault(name, []).append({**number, "nct_id": nct_id, **columns})
            for label in labels:
                group = next(row for row in rows["design_groups"]
                             if (row["nct_id"], row["title"]) == (nct_id, label))  # fmt: skip
                joined = rows.setdefault("design_group_interventions", [])
                joined.append({"id": 8 + len(joined), "nct_id": nct_id,
                               "design_group_id": group["id"],
                               "intervention_id": number["id"]})  # fmt: skip
            for other in others:
                named = rows.setdefault("intervention_other_names", [])
                named.append({"id": 8 + len(named), "nct_id": nct_id,
                              "intervention_id": number["id"], "name": other})  # fmt: skip
    for added in rows.values():
        (rng or random.Random(0)).shuffle(added)
    return {name: table(*added) for name, added in rows.items()}


def _own_rows(modules: dict, each: dict) -> Iterator[tuple[str, dict]]:
    """Yield the rows of tables with one row per study."""
    identification = modules["identificationModule"]
    status, design = modules.get("statusModule", {}), modules.get("designModule", {})
    start = status.get("startDateStruct", {}).get("date", "")
    primary = status.get("primaryCompletionDateStruct", {})
    completion = status.get("completionDateStruct", {}).get("date", "")
    yield (
        "studies",
        {
            "results_first_posted_date": _date_of(status, "resultsFirstPost"),
            "study_first_posted_date": _date_of(status, "studyFirstPost"),
            "why_stopped": status.get("whyStopped"),
            "start_date_type": status.get("startDateStruct", {}).get("type"),
            "primary_completion_month_year": primary.get("date", ""),
            "primary_completion_date": _last_day(primary.get("date", "")),
            "primary_completion_date_type": primary.get("type"),
            "completion_date_type": status.get("completionDateStruct", {}).get("type"),
            "enrollment_type": design.get("enrollmentInfo", {}).get("type"),
            "patient_registry": _t_or_f(design.get("patientRegistry")),
            "last_update_posted_date": status.get("lastUpdatePostDateStruct", {}).get("date"),
            "start_month_year": start,
            "start_date": _last_day(start),
            "completion_month_year": completion,
            "completion_date": _last_day(completion),
            "study_type": design.get("studyType"),
            "brief_title": identification.get("briefTitle"),
            "official_title": identification.get("officialTitle"),
            "acronym": identification.get("acronym"),
            "overall_status": status.get("overallStatus"),
            "last_known_status": status.get("lastKnownStatus"),
            "phase": "/".join(design.get("phases", ())),
            "enrollment": design.get("enrollmentInfo", {}).get("count"),
            "source": "An organisation that is not the sponsor",
        },
    )
    info = design.get("designInfo", {})
    masked = info.get("maskingInfo", {}).get("whoMasked", ())
    yield (
        "designs",
        {
            "allocation": info.get("allocation"),
            "intervention_model": info.get("interventionModel"),
            "observational_model": info.get("observationalModel"),
            "primary_purpose": info.get("primaryPurpose"),
            "time_perspective": info.get("timePerspective"),
            "masking": info.get("maskingInfo", {}).get("masking"),
            "subject_masked": _t_or_f("PARTICIPANT" in masked or None),
            "caregiver_masked": _t_or_f("CARE_PROVIDER" in masked or None),
            "investigator_masked": _t_or_f("INVESTIGATOR" in masked or None),
            "outcomes_assessor_masked": _t_or_f("OUTCOMES_ASSESSOR" in masked or None),
        },
    )
    description = modules.get("descriptionModule", {})
    yield "brief_summaries", {"description": description.get("briefSummary")}
    yield "detailed_descriptions", {"description": description.get("detailedDescription")}
    eligibility = modules.get("eligibilityModule", {})
    yield (
        "eligibilities",
        {
            "gender": eligibility.get("sex"),
            "minimum_age": eligibility.get("minimumAge"),
            "maximum_age": eligibility.get("maximumAge"),
            "healthy_volunteers": _t_or_f(eligibility.get("healthyVolunteers")),
            "population": eligibility.get("studyPopulation"),
            "sampling_method": eligibility.get("samplingMethod"),
            "criteria": eligibility.get("eligibilityCriteria"),
        },
    )


def _date_of(status: dict, event: str) -> str | None:
    return status.get(f"{event}DateStruct", {}).get("date")


def _t_or_f(value: bool | None) -> str | None:
    return None if value is None else str(value)[0].lower()


def _list_rows(modules: dict) -> Iterator[tuple[str, dict]]:
    """Yield the rows of tables with any number of rows per study."""
    yield from _number_rows(modules["identificationModule"])
    for kind in ("other", "secondary", "primary"):
        for outcome in modules.get("outcomesModule", {}).get(f"{kind}Outcomes", ()):
            yield "design_outcomes", {"outcome_type": kind, "measure": outcome.get("measure"),
                                      "time_frame": outcome.get("timeFrame"),
                                      "description": outcome.get("description")}  # fmt: skip
    for name in ("conditions", "keywords"):
        for text in modules.get("conditionsModule", {}).get(name, ()):
            yield name, {"name": text, "downcase_name": text.lower()}
    arms = modules.get("armsInterventionsModule", {})
    for arm in arms.get("armGroups", ()):
        yield "design_groups", {"group_type": arm.get("type"), "title": arm.get("label"),
                                "description": arm.get("description")}  # fmt: skip
    for item in arms.get("interventions", ()):
        yield "interventions", {"intervention_type": item.get("type"), "name": item.get("name"),
                                "description": item.get("description"),
                                "arms": item.get("armGroupLabels", ()),
                                "other_names": item.get("otherNames", ())}  # fmt: skip
    for cited in modules.get("referencesModule", {}).get("references", ()):
        yield "study_references", {"pmid": cited.get("pmid"), "citation": cited.get("citation"),
                                   "reference_type": cited.get("type")}  # fmt: skip
    for site in modules.get("contactsLocationsModule", {}).get("locations", ()):
        point = site.get("geoPoint", {})
        cells = {each: site.get(each) for each in ("status", "city", "state", "zip", "country")}
        yield "facilities", {"name": site.get("facility"), **cells,
                             "latitude": point.get("lat"),
                             "longitude": point.get("lon")}  # fmt: skip
    sponsors = modules.get("sponsorCollaboratorsModule", {})
    roles = [("collaborator", each) for each in sponsors.get("collaborators", ())]
    roles.append(("lead", sponsors.get("leadSponsor", {})))
    for role, sponsor in roles:
        yield "sponsors", {"lead_or_collaborator": role, "name": sponsor.get("name"),
                           "agency_class": sponsor.get("class")}  # fmt: skip


def _number_rows(identification: dict) -> Iterator[tuple[str, dict]]:
    own = identification.get("orgStudyIdInfo", {})
    rows = [("nct_alias", {"id": alias}) for alias in identification.get("nctIdAliases", ())]
    rows += [("org_study_id", own)]
    rows += [("secondary_id", other) for other in identification.get("secondaryIdInfos", ())]
    for source, each in rows:
        yield "id_information", {"id_source": source, "id_value": each.get("id"),
                                 "id_type": each.get("type"),
                                 "id_type_description": each.get("domain")}  # fmt: skip


def _derived_rows(each: dict) -> Iterator[tuple[str, dict]]:
    places = each["protocolSection"].get("contactsLocationsModule", {}).get("locations", ())
    derived = each.get("derivedSection", {})
    for country in dict.fromkeys(place.get("country") for place in places):
        yield "countries", {"name": country, "removed": "f"}
    for country in derived.get("miscInfoModule", {}).get("removedCountries", ()):
        yield "countries", {"name": country, "removed": "t"}
    for kind, listed in itertools.product(("condition", "intervention"), ("meshes", "ancestors")):
        mesh_type = "mesh-list" if listed == "meshes" else "mesh-ancestor"
        for mesh in derived.get(f"{kind}BrowseModule", {}).get(listed, ()):
            yield f"browse_{kind}s", {"mesh_term": mesh["term"], "mesh_type": mesh_type}


def _last_day(date: str) -> str:
    """Return a partial date with the day that AACT makes up."""
    if len(date) == len("2018"):
        return f"{date}-12-31"
    if len(date) == len("2018-06"):
        year, month = map(int, date.split("-"))
        return f"{date}-{calendar.monthrange(year, month)[1]}"
    return date


def from_json(each: dict) -> Study:
    return study_from_record(msgspec.convert(each, Record))


# Recognising


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["studies.txt", "conditions.txt", "designs.txt"], True),
        (["export/", "export/studies.txt", "export/conditions.txt"], True),
        (["Studies.TXT", "Keywords.TXT"], True),
        (["studies.txt", "elsewhere/conditions.txt"], False),
        (["conditions.txt", "keywords.txt"], False),
        (["studies.txt", "readme.txt"], False),
        (["studies.csv", "conditions.csv"], False),
        (["NCT00000102.json"], False),
        ([], False),
    ],
)
def test_an_archive_is_recognised_by_its_members(names, expected):
    assert recognises_archive(names) is expected


def test_the_database_dump_is_refused_with_what_to_download_instead():
    reason = refusal(["schema.pdf", "postgres_data.dmp", "data_dictionary.xlsx"])
    assert "PostgreSQL dump" in reason
    assert "pipe-delimited" in reason
    assert "\n" not in reason


def test_other_archives_are_not_refused():
    assert refusal(["studies.txt", "conditions.txt"]) == ""


# The same study in both forms

FULL = record("NCT00000107", "Marrow | iron &amp; drops", ["Aplasia", "Anemia | iron"],
              [("PROCEDURE", "Marrow"), ("DRUG", "Drops"), ("DRUG", "Iron")],
              "Adults \\> 18 years:\n\n* take pills\n  * or drops\n* have about \\~5 mg iron.",
              aliases=["NCT00000903", "NCT00000902"], phases=["PHASE1", "PHASE2"],
              start="2019-02", updated="2021-05-06", enrollment=0)  # fmt: skip
FULL["protocolSection"]["identificationModule"] |= {"acronym": "MID", "officialTitle": "Marrow"}
FULL["protocolSection"]["statusModule"]["completionDateStruct"] = {"date": "2021-03-04"}
FULL["derivedSection"] |= {
    "interventionBrowseModule": {
        "meshes": [{"term": "Iron"}],
        "ancestors": [{"term": "Metals"}],
    },
    "miscInfoModule": {"removedCountries": ["Poland"]},
}
FULL["protocolSection"]["sponsorCollaboratorsModule"]["collaborators"] = [{"name": "Another"}]
FULL["hasResults"] = True
FULL["protocolSection"]["statusModule"] |= {
    "whyStopped": "No money | no time",
    "primaryCompletionDateStruct": {"date": "2020-02", "type": "ACTUAL"},
    "studyFirstPostDateStruct": {"date": "2019-01-02"},
    "resultsFirstPostDateStruct": {"date": "2022-02-03"},
}
FULL["protocolSection"]["designModule"] |= {
    "patientRegistry": False,
    "designInfo": {
        "allocation": "NON_RANDOMIZED", "interventionModel": "PARALLEL",
        "primaryPurpose": "TREATMENT",
        "maskingInfo": {"masking": "DOUBLE", "whoMasked": ["INVESTIGATOR", "PARTICIPANT"]},
    },
}  # fmt: skip
FULL["protocolSection"]["armsInterventionsModule"] |= {
    "armGroups": [
        {"label": "Marrow", "type": "EXPERIMENTAL", "description": "Marrow \\> 1\n* g"},
        {"label": "None", "type": "NO_INTERVENTION"},
    ],
}
FULL["protocolSection"]["armsInterventionsModule"]["interventions"][1] |= {
    "description": "Each day", "armGroupLabels": ["Marrow"]
}  # fmt: skip
FULL["protocolSection"]["contactsLocationsModule"]["locations"] = [
    {"facility": "A | B", "city": "Lyon", "country": "France", "status": "RECRUITING",
     "geoPoint": {"lat": 45.74846, "lon": 4.84671}},
]  # fmt: skip
FULL["protocolSection"]["referencesModule"] = {
    "references": [{"pmid": "1", "type": "RESULT", "citation": "Marrow. 2020."}]
}
FULL["protocolSection"]["armsInterventionsModule"]["interventions"][1]["otherNames"] = [
    "Droplets", "DROPS", "d-1 | d-2"
]  # fmt: skip
FULL["protocolSection"]["outcomesModule"] = {
    "primaryOutcomes": [{"measure": "Hemoglobin ~ 9 g/dL"}, {"measure": "Relapse"}],
    "secondaryOutcomes": [{"measure": "Relapse"}, {"measure": "Fever | chills"}],
    "otherOutcomes": [{"measure": "Sleep"}],
}
FULL["protocolSection"]["identificationModule"] |= {
    "orgStudyIdInfo": {"id": "M-107"},
    "secondaryIdInfos": [{"id": "NCT00000105"}, {"id": "D-1"}, {"id": "NCT00000902"}],
}
FULL["protocolSection"]["descriptionModule"]["detailedDescription"] = "It goes on\nNCT\n00000103."
FULL["protocolSection"]["eligibilityModule"] = {
    "eligibilityCriteria": "Inclusion:\n\n* Not in NCT104999.\n  * 1 \\> 2",
    "sex": "FEMALE", "minimumAge": "6 Months", "healthyVolunteers": False,
}  # fmt: skip


def test_a_study_is_the_same_from_json_and_from_tables():
    study = read_one(tables_of([FULL]))
    assert study == from_json(FULL)
    assert study.summary == "Adults > 18 years: * take pills * or drops * have about ~5 mg iron."
    assert study.outcomes == ("Hemoglobin ~ 9 g/dL", "Relapse", "Fever | chills")
    assert study.mentions == ("NCT00000103", "NCT00000105", "NCT00104999")
    assert study.facts.criteria == "Inclusion:\n* Not in NCT104999.\n* 1 > 2"
    assert study.facts.arms[0].interventions == ("Drops",)
    assert study.interventions[1] == Intervention("Drops", "DRUG", ("Droplets", "d-1 | d-2"))


@pytest.mark.parametrize("seed", range(3))
def test_rows_and_tables_may_come_in_any_order(seed):
    rng = random.Random(seed)
    tables = list(tables_of([*SIX, FULL], rng).items())
    rng.shuffle(tables)
    studies, rejected, notices = read(dict(tables))
    assert studies == [from_json(each) for each in (*SIX, FULL)]
    assert rejected == notices == []


def test_real_records_are_the_same_from_json_and_from_tables(shared):
    with gzip.open(shared / "raw" / "api-v2-studies.jsonl.gz", "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    by_id = {from_json(each).nct_id: each for each in records}
    studies, rejected, _ = read(tables_of(list(by_id.values())))
    assert len(studies) > 400
    assert studies == [_as_tables_can_say_it(from_json(by_id[each])) for each in sorted(by_id)]
    assert rejected == []


def _as_tables_can_say_it(study: Study) -> Study:
    """Return a study without what the form loses: quotes, date of the data, unknown results."""
    text = msgspec.json.encode(study).replace(rb"\"", b"").replace(b"  ", b" ")
    plain = msgspec.json.decode(text, type=Study)
    has_results = bool(plain.facts and plain.facts.results_first_posted_date)
    return msgspec.structs.replace(plain, data_version="", has_results=has_results)


# Text


@given(st.lists(st.text('ab|"~\r é'), min_size=2, max_size=5))
def test_cells_are_read_as_written_except_for_their_quotes(texts):
    line = "|".join(map(cell, texts)).encode()
    assert cells_of(line, len(texts)) == [text.replace('"', "") for text in texts]


def test_a_title_keeps_bars_and_tildes_and_loses_quotes():
    study = with_table("conditions", {"nct_id": ID, "name": 'the "a|b~c" gene'},
                       title='"Pills" | ~5 mg "daily"')  # fmt: skip
    assert study.title == "Pills | ~5 mg daily"
    assert study.conditions == ("the a|b~c gene",)


@pytest.mark.parametrize(
    ("written", "summary"),
    [
        ("Take pills.\n\nTake drops.", "Take pills. Take drops."),
        ("Take:\n* pills\n  * drops", "Take: * pills * drops"),
        ("Take pills.\r\n\r\nTake drops.", "Take pills. Take drops."),
        ("About \\~5 mg, \\<10\\% of\nit", "About ~5 mg, <10% of it"),
        ("A backslash \\\\\n\nthen a line", "A backslash \\ then a line"),
        ("Take pills.\n", "Take pills."),
        ("", ""),
    ],
)
def test_line_breaks_and_escapes_of_a_summary(written, summary):
    row = {"id": 1, "nct_id": ID, "description": written}
    assert with_table("brief_summaries", row).summary == summary


def test_rows_may_end_with_crlf_and_be_separated_by_blank_lines():
    tables = {
        "studies": b"\xef\xbb\xbf" + table(study_row(), study_row(OTHER_ID), end="\r\n\r\n"),
        "conditions": table({"nct_id": ID, "name": "Aplasia"}, end="\r\n"),
    }
    studies, rejected, notices = read(tables)
    assert [(each.nct_id, each.conditions) for each in studies] == [(ID, ("Aplasia",)),
                                                                    (OTHER_ID, ())]  # fmt: skip
    assert rejected == notices == []


def test_an_unbalanced_quote_does_no_harm():
    content = (
        'nct_id|brief_title|acronym\n'
        f'{ID}|"Pills for aplasia|PILL\n'
        f'{OTHER_ID}|Drops of 5" and more|DROP\n'
    ).encode()  # fmt: skip
    studies, rejected, _ = read({"studies": content})
    assert [(each.title, each.acronym) for each in studies] == [
        ("Pills for aplasia", "PILL"), ('Drops of 5" and more', "DROP")
    ]  # fmt: skip
    assert rejected == []


# Vocabulary and fields

OLD = study_row(overall_status="Active, not recruiting", phase="Phase 1/Phase 2",
                study_type="Observational [Patient Registry]", start_month_year="June 2018",
                start_date="2018-06-30", last_update_posted_date="2018-07-01")  # fmt: skip
NEW = OLD | {"overall_status": "ACTIVE_NOT_RECRUITING", "phase": "PHASE1/PHASE2",
             "study_type": "OBSERVATIONAL", "patient_registry": "t",
             "start_month_year": "2018-06"}  # fmt: skip


def test_the_old_vocabulary_and_the_new_give_the_same_study():
    kinds = ("Dietary Supplement", "DIETARY_SUPPLEMENT")
    old, new = (
        read_one({
            "studies": table(row),
            "interventions": table({"nct_id": ID, "intervention_type": kind, "name": "Iron"}),
        })
        for row, kind in zip((OLD, NEW), kinds, strict=True)
    )  # fmt: skip
    assert old == new
    assert (new.status, new.phases) == ("ACTIVE_NOT_RECRUITING", ("PHASE1", "PHASE2"))
    assert (new.study_type, new.start_date) == ("OBSERVATIONAL", "2018-06")
    assert new.interventions == (Intervention("Iron", "DIETARY_SUPPLEMENT"),)


@pytest.mark.parametrize("event", ["start", "completion"])
@pytest.mark.parametrize(
    ("date", "month_year", "expected"),
    [
        ("2018-06-30", "2018-06", "2018-06"),
        ("2018-06-30", "June 2018", "2018-06"),
        ("2018-12-31", "2018", "2018"),
        ("2018-06-10", "2018-06-10", "2018-06-10"),
        ("2018-06-10", "June 10, 2018", "2018-06-10"),
        ("2018-06-10", "", "2018-06-10"),
        ("2018-06-10", "unknown", "2018-06-10"),
        ("", "2018-06", "2018-06"),
        ("", "", ""),
    ],
)
def test_a_date_is_as_precise_as_registered(event, date, month_year, expected):
    row = study_row(**{f"{event}_date": date, f"{event}_month_year": month_year})
    assert getattr(read_one({"studies": table(row)}), f"{event}_date") == expected


def test_a_date_without_the_registered_one_is_kept():
    row = study_row(start_date="2018-06-30")
    assert read_one({"studies": table(row)}).start_date == "2018-06-30"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"results_first_posted_date": "2020-02-03"}, True),
        ({"results_first_posted_date": ""}, False),
        ({}, None),
    ],
)
def test_results_are_known_from_the_date_of_their_posting(columns, expected):
    assert read_one({"studies": table(study_row(**columns))}).has_results is expected


@pytest.mark.parametrize(
    ("written", "expected"), [("63", 63), ("0", 0), ("", None), ("many", None), ("99999999", None)]
)
def test_enrollment(written, expected):
    assert read_one({"studies": table(study_row(enrollment=written))}).enrollment == expected


def test_removed_countries_are_not_locations():
    rows = [
        {"id": n, "nct_id": ID, "name": name, "removed": removed}
        for n, (name, removed) in enumerate(
            [("France", "f"), ("Poland", "t"), ("Spain", ""), ("Norway", "true")]
        )
    ]
    assert with_table("countries", *rows).countries == ("France", "Spain")


def test_countries_of_a_table_without_the_column_removed():
    assert with_table("countries", {"nct_id": ID, "name": "France"}).countries == ("France",)


@pytest.mark.parametrize("column", ["id_source", "id_type"])
def test_aliases_are_only_the_obsolete_ids(column):
    rows = [
        {"id": n, "nct_id": ID, column: kind, "id_value": value}
        for n, (kind, value) in enumerate(
            [("org_study_id", "NCT00000905"), ("nct_alias", "NCT00000904"), ("nct_alias", ""),
             ("secondary_id", ""), ("nct_alias", "NCT00000903")]
        )
    ]  # fmt: skip
    assert with_table("id_information", *rows).aliases == ("NCT00000904", "NCT00000903")


def test_other_names_without_their_intervention_or_its_id_are_left_out():
    others = table({"id": 1, "nct_id": ID, "intervention_id": 9, "name": "Droplets"})
    for columns in ({"id": 8}, {}):
        drops = table({**columns, "nct_id": ID, "intervention_type": "DRUG", "name": "Drops"})
        study = read_one({"studies": table(study_row()), "interventions": drops,
                          "intervention_other_names": others})  # fmt: skip
        assert study.interventions == (Intervention("Drops", "DRUG"),)


def test_outcomes_of_either_vocabulary_are_primary_before_secondary():
    rows = [
        {"id": n, "nct_id": ID, "outcome_type": kind, "measure": f"{kind} {n}"}
        for n, kind in enumerate(["Secondary", "primary", "Primary", "other", "secondary", ""])
    ]
    assert with_table("design_outcomes", *rows).outcomes == (
        "primary 1", "Primary 2", "Secondary 0", "secondary 4"
    )  # fmt: skip


def test_lists_are_in_the_order_of_their_ids():
    rows = [{"id": n, "nct_id": ID, "name": f"word {n}"} for n in (10, 9, 100, 1)]
    assert with_table("keywords", *rows).keywords == ("word 1", "word 9", "word 10", "word 100")


def test_lists_without_ids_are_in_the_order_of_their_rows():
    rows = [{"nct_id": ID, "name": f"word {n}"} for n in (10, 9, 100, 1)]
    assert with_table("keywords", *rows).keywords == ("word 10", "word 9", "word 100", "word 1")


@pytest.mark.parametrize("kind", ["condition", "intervention"])
def test_ancestors_are_not_mesh_terms_of_the_study(kind):
    rows = [
        {"id": 1, "nct_id": ID, "mesh_term": "Anemia", "mesh_type": "mesh-list"},
        {"id": 2, "nct_id": ID, "mesh_term": "Disease", "mesh_type": "mesh-ancestor"},
    ]
    assert getattr(with_table(f"browse_{kind}s", *rows), f"{kind}_mesh") == ("Anemia",)


def test_mesh_terms_of_a_table_before_ancestors_were_added():
    study = with_table("browse_conditions", {"id": 1, "nct_id": ID, "mesh_term": "Anemia"})
    assert study.condition_mesh == ("Anemia",)


def test_the_sponsor_is_the_lead():
    rows = [
        {"id": 1, "nct_id": ID, "lead_or_collaborator": "collaborator", "name": "Another"},
        {"id": 2, "nct_id": ID, "lead_or_collaborator": "lead", "name": "A Hospital"},
    ]
    assert with_table("sponsors", *rows).sponsor == "A Hospital"


# Tables and columns that differ


def test_unknown_tables_and_columns_are_ignored():
    tables = {
        "links": b"anything",
        "studies": table({"new_column": "x", **study_row(), "newer": "y|z"}),
        "conditions": table({"id": 1, "extra": "|", "name": "Aplasia", "nct_id": ID}),
    }
    assert read_one(tables) == Study(nct_id=ID, title="Pills for aplasia", conditions=("Aplasia",))


def test_the_fields_of_missing_tables_are_empty_and_a_notice_names_them():
    tables = {"studies": table(study_row()), "conditions": table({"nct_id": ID, "name": "Aplasia"})}
    notice, study = read_archive(archive(tables), "PLACE")
    assert isinstance(notice, Notice)
    assert "keywords.txt" in notice.message
    assert "conditions.txt" not in notice.message.replace("browse_conditions.txt", "")
    assert (study.keywords, study.summary, study.countries) == ((), "", ())


@pytest.mark.parametrize("lost", ["nct_id", "brief_title"])
def test_a_studies_table_without_a_needed_column_is_refused(lost):
    row = study_row()
    del row[lost]
    with pytest.raises(SourceError, match=f"PLACE!studies.txt: .*no column {lost}"):
        read({"studies": table(row), "conditions": b""})


def test_an_empty_studies_table_is_refused():
    with pytest.raises(SourceError, match="nct_id or brief_title"):
        read({"studies": b"", "conditions": b""})


@pytest.mark.parametrize("content", [b"", b"id|nct_id|title\n1|NCT00000101|Aplasia\n"])
def test_another_table_without_a_needed_column_is_left_out_with_a_notice(content):
    (study,), rejected, (notice,) = read({"studies": table(study_row()), "conditions": content})
    assert study.conditions == ()
    assert rejected == []
    assert notice.place == "PLACE!conditions.txt"
    assert "name" in notice.message


def test_tables_may_lie_in_a_folder_beside_files_that_systems_leave():
    (study,), _, _ = read(
        {
            "__MACOSX/2024/._studies": b"junk",
            "2024/studies": table(study_row()),
            "2024/conditions": table({"nct_id": ID, "name": "Aplasia"}),
            "older/keywords": table({"nct_id": ID, "name": "old"}),
        }
    )
    assert (study.conditions, study.keywords) == (("Aplasia",), ())


# What cannot be read

BAD_ROWS = {
    "too few cells": (
        b"NCT00000109|Pills",
        "differs from the header's: 2 instead of 3",
        "NCT00000109",
    ),
    "too many cells": (b"NCT00000109|Pi|lls|P", "4 instead of 3", "NCT00000109"),
    "a cell of quotes over a bar": (b'NCT00000109|"Pills|P"', "2 instead of 3", "NCT00000109"),
    "not UTF-8": (b"NCT00000109|Pills \xff|P", "utf-8", "NCT00000109"),
    "no NCT ID": (b"|Pills|P", "no NCT ID", ""),
    "a malformed NCT ID": (b"NCT00000000|Pills|P", "is not an NCT ID", "NCT00000000"),
    "a lone CR": (b'NCT00000109|"Pills"|P\rP', "new-line", "NCT00000109"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_of_studies_is_rejected_with_its_place_and_the_rest_read(case):
    bad, reason, nct_id = BAD_ROWS[case]
    rows = [study_row(acronym="P"), study_row(OTHER_ID, acronym="P")]
    lines = table(*rows).splitlines()
    lines.insert(2, bad)
    studies, (rejected,), notices = read({"studies": b"\n".join(lines), "keywords": b"nct_id|name"})
    assert [each.nct_id for each in studies] == [ID, OTHER_ID]
    assert rejected.place == "PLACE!studies.txt row 3"
    assert rejected.nct_id == nct_id
    assert reason in rejected.reason
    assert notices == []


def test_bad_rows_of_another_table_are_counted_and_lose_no_study():
    good = table({"id": 1, "nct_id": ID, "name": "Aplasia"})
    tables = {"studies": table(study_row()), "conditions": good + b"2|x\n3||Iron\n4|b|c|d\n"}
    (study,), rejected, (notice,) = read(tables)
    assert study.conditions == ("Aplasia",)
    assert rejected == []
    assert notice.message.startswith("3 of its rows")
    assert "PLACE!conditions.txt row 3: the number of cells differs" in notice.message


def test_rows_of_missing_studies_are_counted():
    rows = [{"id": n, "nct_id": f"NCT0000020{n // 2}", "name": "x"} for n in range(6)]
    (study,), _, (notice,) = read({"studies": table(study_row()), "keywords": table(*rows)})
    assert study.keywords == ()
    assert notice.message.startswith("3 NCT IDs")


def test_a_study_in_two_rows_is_read_twice_so_that_the_build_can_choose():
    rows = [study_row(title=title) for title in ("Old", "New")]
    tables = {"studies": table(*rows), "keywords": table({"nct_id": ID, "name": "iron"})}
    studies, _, _ = read(tables)
    assert [(each.title, each.keywords) for each in studies] == [
        ("Old", ("iron",)), ("New", ("iron",))
    ]  # fmt: skip


def test_a_damaged_table_is_an_error_that_names_it():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as written:
        written.writestr("studies.txt", table(study_row()))
        written.writestr("keywords.txt", table({"nct_id": ID, "name": "anemia"}))
    damaged = io.BytesIO(buffer.getvalue().replace(b"anemia", b"anaemi"))
    with pytest.raises(SourceError, match=r"PLACE!keywords.txt: cannot be unpacked"):
        list(read_archive(zipfile.ZipFile(damaged), "PLACE"))


def test_a_full_disk_is_an_error_that_says_what_to_do(monkeypatch):
    full = aact_reader._SCRATCH + "PRAGMA temp.max_page_count = 2;"
    monkeypatch.setattr(aact_reader, "_SCRATCH", full)
    rows = [study_row(f"NCT{n:08d}", "Pills " * 50) for n in range(1, 50)]
    with pytest.raises(SourceError, match=r"full.*SQLITE_TMPDIR") as caught:
        read({"studies": table(*rows), "keywords": b"nct_id|name\n"})
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert "\n" not in str(caught.value)
