"""The six hand-written studies in every form, as bytes: seeds for fuzzing."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

from conftest import SIX

LINES = "".join(json.dumps(each) + "\n" for each in SIX).encode()

CSV = (
    b"NCT Number,Study Title,Study Status,Brief Summary,Conditions,Interventions,Sponsor,Phases,"
    b"Enrollment,Study Type,Start Date,Last Update Posted,Primary Outcome Measures,Other IDs,"
    b"Locations\r\n"
    b'NCT00000101,"Pills, for ""aplasia""",COMPLETED,"Adults\n\nwith \\> aplasia",Aplasia|Anemia,'
    b'"DRUG: Pills|DEVICE: A | B",A Hospital,PHASE1|PHASE2,30,INTERVENTIONAL,2019-06,2020-01-01,'
    b'"Iron, In blood, 1 year|Fever, 1 day",A-1|NCT00000105,'
    b'"A Hospital, Seoul, Korea, Republic of"\r\n'
    b"NCT00000102,Drops,WITHHELD,,,,[Redacted],,,,,2020-01-01,,,\r\n"
)

XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<clinical_study rank="1">
  <id_info><org_study_id>x</org_study_id><nct_id>NCT00000101</nct_id>
    <nct_alias>NCT00000901</nct_alias></id_info>
  <brief_title>Pills &amp; drops</brief_title>
  <sponsors><lead_sponsor><agency>A Hospital</agency></lead_sponsor></sponsors>
  <brief_summary><textblock>
      Adults with aplasia

        -  take pills,

        -  or drops
  </textblock></brief_summary>
  <overall_status>Active, not recruiting</overall_status>
  <start_date>March 2018</start_date><phase>Phase 1/Phase 2</phase>
  <study_type>Interventional</study_type><enrollment type="Actual">30</enrollment>
  <condition>Aplasia</condition>
  <intervention><intervention_type>Drug</intervention_type>
    <intervention_name>Pills</intervention_name><other_name>P-1</other_name></intervention>
  <primary_outcome><measure>Iron</measure></primary_outcome>
  <eligibility><criteria><textblock>Not in NCT00000105</textblock></criteria></eligibility>
  <location_countries><country>France</country></location_countries>
  <lastchanged_date>January 1, 2020</lastchanged_date>
</clinical_study>
"""

AACT_TABLES = {
    "studies.txt": b"nct_id|brief_title|overall_status|phase|enrollment|start_date|"
    b"start_month_year|last_update_posted_date\n"
    b"NCT00000101|Pills for aplasia|COMPLETED|PHASE1/PHASE2|30|2019-06-30|2019-06|2020-01-01\n"
    b'NCT00000102|"Drops | pills"|Withheld||||\n',
    "brief_summaries.txt": b'id|nct_id|description\n1|NCT00000101|"Adults~* with | aplasia \\~"\n',
    "conditions.txt": b"id|nct_id|name|downcase_name\n2|NCT00000101|Aplasia|aplasia\n",
    "interventions.txt": b"id|nct_id|intervention_type|name\n3|NCT00000101|DRUG|Pills\n",
    "intervention_other_names.txt": b"id|nct_id|intervention_id|name\n1|NCT00000101|3|P-1\n",
    "design_outcomes.txt": b"id|nct_id|outcome_type|measure\n6|NCT00000101|primary|Iron\n",
    "eligibilities.txt": b'id|nct_id|criteria\n7|NCT00000101|"~* Not in NCT00000105"\n',
    "id_information.txt": b"id|nct_id|id_source|id_value\n8|NCT00000101|secondary_id|NCT00000103\n",
    "countries.txt": b"id|nct_id|name|removed\n4|NCT00000101|France|f\n",
    "sponsors.txt": b"id|nct_id|lead_or_collaborator|name\n5|NCT00000101|lead|A Hospital\n",
}


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


FORMS = {
    "json lines": LINES,
    "json array": json.dumps(SIX).encode(),
    "json page": json.dumps({"studies": SIX, "nextPageToken": "x"}, indent=1).encode(),
    "one study": json.dumps(SIX[0], indent=2).encode(),
    "csv": CSV,
    "xml": XML,
    "xml of several": b"<search_results>" + XML.partition(b"?>\n")[2] * 2 + b"</search_results>",
    "aact": zipped(AACT_TABLES),
    "zip": zipped({"a.json": json.dumps(SIX[0]).encode(), "b.xml": XML, "c.csv": CSV}),
    "gzip": gzip.compress(LINES),
}
