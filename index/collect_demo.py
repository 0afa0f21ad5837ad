"""Take the facts of the demo collection's studies from registry records.

    python index/collect_demo.py RECORDS... < index/demo.jsonl > new.jsonl

Standard input names the studies: one JSON object a line with `nctId` and the summary
written for this collection (or a line of an earlier demo.jsonl). Standard output gets
them as API v2 records, with the facts as registered and the summary as given: the
registry's own sentences are never copied.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from simsearch.records import read_studies
from simsearch.study import Study


def main(sources: list[str]) -> None:
    """Read the wanted studies from standard input, their facts from `sources`."""
    summaries = dict(_wanted(line) for line in sys.stdin if line.strip())
    records = {}
    for outcome in read_studies(*sources):
        if isinstance(outcome, Study) and outcome.nct_id in summaries:
            records.setdefault(outcome.nct_id, _record(outcome, summaries[outcome.nct_id]))
    for nct_id in sorted(summaries):
        if nct_id not in records:
            print(f"{nct_id} is not in these records", file=sys.stderr)
            continue
        print(json.dumps(records[nct_id], ensure_ascii=False))


def _wanted(line: str) -> tuple[str, str]:
    entry = json.loads(line)
    if "protocolSection" in entry:
        section = entry["protocolSection"]
        nct_id = section["identificationModule"]["nctId"]
        return nct_id, section["descriptionModule"]["briefSummary"]
    return entry["nctId"], entry["summary"]


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
