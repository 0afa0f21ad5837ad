"""Records in API v2 layout in which a value has a wrong type."""

import json

import pytest
from conftest import SIX
from designs import detailed

from simsearch import Study, read_studies
from simsearch.output.reports import report_facts
from simsearch.records import LeftOut, Rejected, read_draft
from simsearch.records.mirror import Mirror, MirroredRecord

WHOLE = detailed(201, "Pills for aplasia", why="slow accrual")


def changed(path, value):
    """Return the record with another value at a path within its protocolSection."""
    record = json.loads(json.dumps(WHOLE))
    *steps, last = path.split(".")
    part = record["protocolSection"]
    for step in steps:
        part = part[int(step)] if step.isdecimal() else part[step]
    part[int(last) if last.isdecimal() else last] = value
    return record


SHAPES = {
    "lines": lambda records: "".join(json.dumps(each) + "\n" for each in records),
    "array": json.dumps,
    "page": lambda records: json.dumps({"studies": records}),
    "indented": lambda records: "\n".join(json.dumps(each, indent=1) for each in records),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_fact_of_a_wrong_type_is_left_out_and_the_study_kept(tmp_path, shape):
    odd = changed("eligibilityModule.healthyVolunteers", "maybe")
    (tmp_path / "r.json").write_text(SHAPES[shape]([odd] if shape == "indented" else [odd, SIX[0]]))
    outcomes = list(read_studies(tmp_path / "r.json"))
    study = outcomes[0]
    assert (study.nct_id, study.title) == ("NCT00000201", "Pills for aplasia")
    assert (study.facts.healthy_volunteers, study.facts.sex) == (None, "ALL")
    (left_out,) = [each for each in outcomes if isinstance(each, LeftOut)]
    assert left_out.fact == "eligibilityModule.healthyVolunteers"
    assert "NCT00000201: eligibilityModule.healthyVolunteers left out: Expected" in str(left_out)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("statusModule.whyStopped", 5),
        ("eligibilityModule", "18 years or more"),
        ("armsInterventionsModule.armGroups", {"label": "Pills"}),
        ("armsInterventionsModule.armGroups.1.label", 2),
        ("designModule.designInfo.maskingInfo.whoMasked.0", 1),
        ("contactsLocationsModule.locations.0.status", []),
        ("outcomesModule.primaryOutcomes.0.timeFrame", 6),
        ("referencesModule", ["a citation"]),
    ],
)
def test_any_fact_can_be_left_out(write, path, value):
    first, left_out = read_studies(write([changed(path, value)]))
    assert isinstance(first, Study)
    assert left_out.fact == ".".join(step for step in path.split(".") if not step.isdecimal())


def test_several_facts_of_one_record_are_left_out(write):
    odd = changed("eligibilityModule.sex", 1)
    odd["protocolSection"]["statusModule"]["whyStopped"] = False
    study, *left_out = read_studies(write([odd]))
    assert study.facts.masking == "DOUBLE"
    assert {each.fact for each in left_out} == {"eligibilityModule.sex", "statusModule.whyStopped"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("identificationModule.briefTitle", 5),
        ("conditionsModule.conditions", "Aplasia"),
        ("contactsLocationsModule.locations.0.country", 1),
        ("armsInterventionsModule.interventions.0.name", 1),
        ("statusModule.overallStatus", 1),
    ],
)
def test_what_a_search_needs_must_have_its_type(write, path, value):
    odd = changed(path, value)
    _, rejected = read_studies(write([SIX[0], odd]))
    assert isinstance(rejected, Rejected)
    assert path.rsplit(".", 1)[1] in rejected.reason


def test_a_record_of_a_mirror_keeps_its_study_too(mirror: Mirror, tmp_path):
    odd = changed("eligibilityModule.sex", 1)
    mirror.add([MirroredRecord("NCT00000201", "2020-01-01", json.dumps(odd).encode())])
    mirror.close()
    study, left_out = read_studies(mirror.path)
    assert (study.nct_id, left_out.fact) == ("NCT00000201", "eligibilityModule.sex")


def test_a_draft_keeps_its_text(tmp_path):
    (tmp_path / "d.json").write_text(json.dumps(changed("eligibilityModule.sex", 1)))
    assert read_draft(tmp_path / "d.json").title == "Pills for aplasia"


def test_the_report_of_a_build_counts_them(build):
    report = build([*SIX, changed("eligibilityModule.sex", 1)])
    assert (report.n_studies, report.n_rejected) == (7, 0)
    assert report.left_out == {"eligibilityModule.sex": 1}
    lines = [value for name, value in report_facts(report) if name in {"Left out", ""}]
    assert lines[0] == "1 (eligibilityModule.sex 1)"
    assert "NCT00000201: eligibilityModule.sex left out" in lines[1]


def test_a_build_without_such_facts_says_nothing_of_them(build):
    assert "Left out" not in dict(report_facts(build()))
