"""Take the facts of the demo collection's studies from registry records.

    python index/collect_demo.py RECORDS... < index/demo.jsonl > new.jsonl

Standard input names the studies: one JSON object a line with `nctId`, the `summary` written for
this collection and, if wanted, `criteria` and `whyStopped` in words of its own (or a line of an
earlier demo.jsonl). Standard output gets them as API v2 records, with the facts as registered
and the texts as given. The first
record of a study gives its fields; what a page shows beyond them (design, arms, outcomes,
ages, sites, numbers) comes from the first record that is complete, of the same date.

The registry's own sentences are never copied: no descriptions, no criteria, no reasons for
stopping, and of outcomes only those with a short name.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from simsearch.facts import Facts, Outcome
from simsearch.records import read_studies
from simsearch.study import Study

LONGEST_MEASURE = 150  # longer ones are sentences


def main(sources: list[str]) -> None:
    """Read the wanted studies from standard input, their facts from `sources`."""
    texts = dict(_wanted(line) for line in sys.stdin if line.strip())
    records: dict[str, dict[str, Any]] = {}
    dates, detailed = {}, set()
    for outcome in read_studies(*sources):
        if not isinstance(outcome, Study) or outcome.nct_id not in texts:
            continue
        nct_id = outcome.nct_id
        records.setdefault(nct_id, _record(outcome, texts[nct_id]["summary"]))
        dated = dates.setdefault(nct_id, outcome.last_update_date)
        facts = outcome.facts
        if facts and facts.sex and dated == outcome.last_update_date and nct_id not in detailed:
            detailed.add(nct_id)
            section = records[nct_id]["protocolSection"]
            countries = [each["country"] for each in _locations(section)]
            for module, parts in _known(_facts(outcome, facts)).items():
                section[module] = section.get(module, {}) | parts
            _locations(section).sort(key=lambda site: _place(site.get("country"), countries))
    for nct_id in sorted(texts):
        if nct_id not in records:
            print(f"{nct_id} is not in these records", file=sys.stderr)
            continue
        _add_texts(records[nct_id]["protocolSection"], texts[nct_id])
        print(json.dumps(records[nct_id], ensure_ascii=False))


def _locations(section: dict[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = section.get("contactsLocationsModule", {}).get("locations", [])
    return found


def _place(country: str | None, countries: list[str]) -> int:
    """Return the place of a country: sites stand in the order of the record's countries."""
    return countries.index(country) if country in countries else len(countries)


def _wanted(line: str) -> tuple[str, dict[str, str]]:
    """Return the NCT ID of a line and the texts of this collection's own."""
    entry = json.loads(line)
    if "protocolSection" not in entry:
        return entry["nctId"], entry
    section = entry["protocolSection"]
    return section["identificationModule"]["nctId"], {
        "summary": section["descriptionModule"]["briefSummary"],
        "criteria": section.get("eligibilityModule", {}).get("eligibilityCriteria", ""),
        "whyStopped": section["statusModule"].get("whyStopped", ""),
    }


def _add_texts(section: dict[str, Any], texts: dict[str, str]) -> None:
    """Put the criteria and the reason for stopping into a record, if they are given."""
    if texts.get("criteria"):
        section.setdefault("eligibilityModule", {})["eligibilityCriteria"] = texts["criteria"]
    if texts.get("whyStopped"):
        section["statusModule"]["whyStopped"] = texts["whyStopped"]


def _record(study: Study, summary: str) -> dict[str, Any]:
    """Return the facts of a study in API v2 layout; what is not known is left out."""
    section = {
        "identificationModule": {"nctId": study.nct_id, "briefTitle": study.title},
        "statusModule": {
            "overallStatus": study.status,
            "startDateStruct": {"date": study.start_date},
            "lastUpdatePostDateStruct": {"date": study.last_update_date},
        },
        "sponsorCollaboratorsModule": {"leadSponsor": {"name": study.sponsor}},
        "descriptionModule": {"briefSummary": summary},
        "conditionsModule": {"conditions": list(study.conditions)},
        "designModule": {
            "studyType": study.study_type,
            "phases": list(study.phases),
            "enrollmentInfo": {"count": study.enrollment},
        },
        "armsInterventionsModule": {
            "interventions": [
                {"type": each.type, "name": each.name} for each in study.interventions
            ]
        },
        "contactsLocationsModule": {
            "locations": [{"country": country} for country in study.countries]
        },
    }
    return {"protocolSection": _known(section)}


def _facts(study: Study, facts: Facts) -> dict[str, dict[str, Any]]:
    """Return what is shown and compared, by module; the interventions are those of the record."""
    labels = {
        each.name: [arm.label for arm in facts.arms if each.name in arm.interventions]
        for each in study.interventions
    }
    return {
        "identificationModule": {
            "secondaryIdInfos": [{"id": each.number} for each in facts.other_numbers]
        },
        "statusModule": {
            "startDateStruct": {"date": study.start_date, "type": facts.start_date_type},
            "primaryCompletionDateStruct": {
                "date": facts.primary_completion_date, "type": facts.primary_completion_date_type
            },
            "completionDateStruct": {
                "date": study.completion_date, "type": facts.completion_date_type
            },
            "studyFirstPostDateStruct": {"date": facts.first_posted_date},
            "resultsFirstPostDateStruct": {"date": facts.results_first_posted_date},
        },
        "sponsorCollaboratorsModule": {
            "leadSponsor": {"name": study.sponsor, "class": facts.sponsor_class},
            "collaborators": [
                {"name": each.name, "class": each.kind} for each in facts.collaborators
            ],
        },
        "designModule": {
            "patientRegistry": facts.patient_registry,
            "designInfo": _design(facts),
            "enrollmentInfo": {"count": study.enrollment, "type": facts.enrollment_type},
        },
        "armsInterventionsModule": {
            "armGroups": [{"label": arm.label, "type": arm.type} for arm in facts.arms],
            "interventions": [
                {"type": each.type, "name": each.name, "armGroupLabels": labels[each.name]}
                for each in study.interventions
            ],
        },
        "outcomesModule": {
            "primaryOutcomes": _outcomes(facts.primary_outcomes),
            "secondaryOutcomes": _outcomes(facts.secondary_outcomes),
        },
        "eligibilityModule": {
            "healthyVolunteers": facts.healthy_volunteers, "sex": facts.sex,
            "minimumAge": facts.minimum_age, "maximumAge": facts.maximum_age,
            "samplingMethod": facts.sampling_method,
        },
        "contactsLocationsModule": {
            "locations": [
                {"facility": each.facility, "status": each.status, "city": each.city,
                 "state": each.state, "zip": each.zip, "country": each.country}
                for each in facts.sites
            ]
        },
        "referencesModule": {
            "references": [
                {"pmid": each.pmid, "type": each.type} for each in facts.references if each.pmid
            ]
        },
    }  # fmt: skip


def _design(facts: Facts) -> dict[str, Any]:
    return {
        "allocation": facts.allocation,
        "interventionModel": facts.intervention_model,
        "primaryPurpose": facts.primary_purpose,
        "observationalModel": facts.observational_model,
        "timePerspective": facts.time_perspective,
        "maskingInfo": {"masking": facts.masking, "whoMasked": list(facts.who_masked)},
    }


def _outcomes(outcomes: tuple[Outcome, ...]) -> list[dict[str, str]]:
    return [
        {"measure": each.measure, "timeFrame": each.time_frame}
        for each in outcomes
        if len(each.measure) <= LONGEST_MEASURE and len(each.time_frame) <= LONGEST_MEASURE
    ]


def _known(value: Any) -> Any:
    """Return a copy without empty texts, lists and objects, as API v2 leaves them out."""
    if isinstance(value, dict):
        parts = {name: _known(part) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part not in ("", None, [], {})}
    if isinstance(value, list):
        return [_known(part) for part in value]
    return value


if __name__ == "__main__":
    main(sys.argv[1:])
