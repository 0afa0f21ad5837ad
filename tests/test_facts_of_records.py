"""The facts of real records equal what a parser written here, with other libraries, reads.

Of XML by `xml.etree`'s tree, of the API v2 by `json`: nothing of `simsearch.records` but the
studies to judge. Numbers elsewhere have tests of their own; here each must be one of the record.
"""

from __future__ import annotations

import gzip
import html.entities
import io
import json
import random
import re
import unicodedata
import zipfile
from datetime import datetime
from xml.etree import ElementTree as ET

import msgspec
import pytest

from simsearch import Study, read_studies
from simsearch.facts import Facts
from simsearch.index.facts_blobs import dictionary_of
from simsearch.index.study_writer import write_store
from simsearch.records import xml_reader

EMPTY = Facts()
WORDS = {
    "N/A": "NA", "Anticipated": "ESTIMATED", "Estimate": "ESTIMATED", "Both": "ALL",
    "U.S. Fed": "FED", "Subject": "PARTICIPANT", "Caregiver": "CARE_PROVIDER",
    "None (Open Label)": "NONE", "Open Label": "NONE",
}  # fmt: skip
COUNTRIES = {
    "Korea, Republic of": "South Korea", "Russian Federation": "Russia",
    "Turkey (Türkiye)": "Turkey", "Türkiye": "Turkey",
    "Iran, Islamic Republic of": "Iran", "Viet Nam": "Vietnam", "Czech Republic": "Czechia",
    "Former Serbia and Montenegro": "Serbia", "Moldova, Republic of": "Moldova",
    "Macedonia, The Former Yugoslav Republic of": "North Macedonia", "Swaziland": "Eswatini",
    "Syrian Arab Republic": "Syria", "Côte D'Ivoire": "Côte d'Ivoire",
    "Congo, The Democratic Republic of the": "Democratic Republic of the Congo",
    "The Democratic Republic of the Congo": "Democratic Republic of the Congo",
    "The Gambia": "Gambia", "Lao People's Democratic Republic": "Laos",
    "Libyan Arab Jamahiriya": "Libya", "Palestinian Territory, occupied": "Palestinian Territories",
    "Palestinian Territories, Occupied": "Palestinian Territories",
    "Bolivia, Plurinational State of": "Bolivia", "Brunei Darussalam": "Brunei",
    "Tanzania, United Republic of": "Tanzania",
}  # fmt: skip
ORDER = ("PARTICIPANT", "CARE_PROVIDER", "INVESTIGATOR", "OUTCOMES_ASSESSOR")
SYMBOLS = str.maketrans({0xF06B: "κ", 0xF061: "α", 0xF0B3: "≥", 0xF0A3: "≤", 0xF06D: "μ",
                         0xF0B0: "°", 0xF0B1: "±", 0xF062: "β", 0xF067: "γ"})  # fmt: skip
FILLERS = {"not provided", "[not provided]", "n/a", "none", "[redacted]"}


def plain(text, *, keep_fillers=False):
    """Return a text without entities, in single blanks."""
    text, before = (text or "").translate(SYMBOLS), None
    while text != before:
        before, text = text, re.sub(r"&(#[0-9]+|\w+);", entity, text)
    text = re.sub("[\u200b\u2060\ufeff\ufffd\ue000-\uf8ff]", "", text)
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return "" if text.lower() in FILLERS and not keep_fillers else text


def entity(found):
    """Return the character of a whole entity; `&gte;` is none."""
    known = found[1][0] == "#" or f"{found[1]};" in html.entities.html5
    return html.unescape(found[0]) if known else found[0]


def word(text):
    text = (text or "").strip()
    return WORDS.get(text) or re.sub("[^A-Z0-9]+", "_", text.upper().removesuffix(" ASSIGNMENT"))


def day(text):
    """Return `April 8, 2020` or `March 2018` in ISO form."""
    for shape, iso in (("%B %d, %Y", "%Y-%m-%d"), ("%B %Y", "%Y-%m")):
        try:
            return datetime.strptime(text or "", shape).strftime(iso)  # noqa: DTZ007 - a day
        except ValueError:
            continue
    return text or ""


# XML


def textblock(text, *, as_lines=False):
    paragraphs = re.split(r"\n\s*\n", (text or "").replace("\r", "").strip("\n"))
    marked = [re.sub(r"^\s*-  (?=\S)", "* ", each) for each in paragraphs]
    cleaned = [plain(each, keep_fillers=True) for each in marked]
    joined = ("\n" if as_lines else " ").join(filter(None, cleaned))
    return "" if joined.lower() in FILLERS and len(cleaned) == 1 and not as_lines else joined


def of_xml(root):
    def t(path, part=root):
        return part.findtext(path) or ""

    masking, _, masked = t("study_design_info/masking").partition(" (")
    who = {word(each.strip(") ")) for each in masked.split(",")} if masking != "None" else set()
    volunteers = t("eligibility/healthy_volunteers")
    arms = [
        {"label": plain(t("arm_group_label", arm)), "type": word(t("arm_group_type", arm)),
         "description": textblock(t("description", arm)),
         "interventions": given(root, plain(t("arm_group_label", arm)))}
        for arm in root.findall("arm_group")
    ]  # fmt: skip
    n_arms = t("number_of_arms") or t("number_of_groups")
    return {
        "why_stopped": plain(t("why_stopped")),
        **{f"{name}_date_type": word(typed(root, f"{name}_date"))
           for name in ("start", "primary_completion", "completion")},
        "primary_completion_date": day(t("primary_completion_date")),
        "first_posted_date": day(t("study_first_posted")),
        "results_first_posted_date": day(t("results_first_posted")),
        "enrollment_type": word(typed(root, "enrollment")),
        "description": textblock(t("detailed_description/textblock"), as_lines=True),
        **{name: word(t(f"study_design_info/{name}"))
           for name in ("allocation", "intervention_model", "primary_purpose",
                        "observational_model", "time_perspective")},
        "masking": word(masking),
        "who_masked": [each for each in ORDER if each in who],
        "patient_registry": True if "Registry" in t("study_type") else None,
        "arms": arms,
        "n_arms": int(n_arms) if n_arms and not arms else None,
        "intervention_descriptions": descriptions(root),
        **{f"{kind}_outcomes": [
            {"measure": plain(t("measure", each)), "time_frame": plain(t("time_frame", each)),
             "description": textblock(t("description", each))}
            for each in root.findall(f"{kind}_outcome")]
           for kind in ("primary", "secondary", "other")},
        "criteria": textblock(t("eligibility/criteria/textblock"), as_lines=True),
        "minimum_age": plain(t("eligibility/minimum_age")),
        "maximum_age": plain(t("eligibility/maximum_age")),
        "sex": word(t("eligibility/gender")),
        "healthy_volunteers": {"Accepts Healthy Volunteers": True, "No": False}.get(volunteers),
        "study_population": textblock(t("eligibility/study_pop/textblock")),
        "sampling_method": word(t("eligibility/sampling_method")),
        "sponsor_class": word(t("sponsors/lead_sponsor/agency_class")),
        "collaborators": [
            {"name": plain(t("agency", each)), "kind": word(t("agency_class", each))}
            for each in root.findall("sponsors/collaborator")],
        "sites": [site_of_xml(each) for each in root.findall("location")],
        "references": [
            {"citation": plain(t("citation", each)), "pmid": plain(t("PMID", each)), "type": kind}
            for path, kind in (("reference", ""), ("results_reference", "RESULT"))
            for each in root.findall(path)],
    }  # fmt: skip


def typed(root, path):
    element = root.find(path)
    return "" if element is None else element.get("type", "")


def given(root, label):
    found = [
        plain(each.findtext("intervention_name"))
        for each in root.findall("intervention")
        if label in {plain(other.text) for other in each.findall("arm_group_label")}
    ]
    return list(dict.fromkeys(found))


def descriptions(root):
    found = {}
    for each in root.findall("intervention"):
        key = plain(each.findtext("intervention_name")), each.findtext("intervention_type")
        found.setdefault(key, []).append(textblock(each.findtext("description")))
    texts = [" ".join(dict.fromkeys(filter(None, each))) for each in found.values()]
    return texts if any(texts) else []


def site_of_xml(location):
    def t(path):
        return plain(location.findtext(path))

    country = t("facility/address/country")
    return {
        "country": COUNTRIES.get(country, country), "facility": t("facility/name"),
        **{name: t(f"facility/address/{name}") for name in ("city", "state", "zip")},
        "status": word(t("status")), "latitude": None, "longitude": None,
    }  # fmt: skip


# API v2


def unescaped(text):
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text or "")


def markup(text):
    return plain(unescaped(text))


def paragraphs(text):
    return "\n".join(filter(None, (plain(unescaped(each), keep_fillers=True)
                                   for each in (text or "").split("\n"))))  # fmt: skip


def of_json(study):
    section = study["protocolSection"]
    status = section.get("statusModule", {})
    design = section.get("designModule", {})
    info = design.get("designInfo", {})
    eligibility = section.get("eligibilityModule", {})
    sponsors = section.get("sponsorCollaboratorsModule", {})
    interventions = section.get("armsInterventionsModule", {}).get("interventions", [])
    texts = {}
    for each in interventions:
        key = plain(each["name"]), each.get("type")
        texts.setdefault(key, []).append(markup(each.get("description")))
    texts = [" ".join(dict.fromkeys(filter(None, each))) for each in texts.values()]
    return {
        "why_stopped": plain(status.get("whyStopped")),
        "start_date_type": status.get("startDateStruct", {}).get("type", ""),
        "primary_completion_date": status.get("primaryCompletionDateStruct", {}).get("date", ""),
        "primary_completion_date_type":
            status.get("primaryCompletionDateStruct", {}).get("type", ""),
        "completion_date_type": status.get("completionDateStruct", {}).get("type", ""),
        "first_posted_date": status.get("studyFirstPostDateStruct", {}).get("date", ""),
        "results_first_posted_date": status.get("resultsFirstPostDateStruct", {}).get("date", ""),
        "enrollment_type": design.get("enrollmentInfo", {}).get("type", ""),
        "description": paragraphs(section.get("descriptionModule", {}).get("detailedDescription")),
        "allocation": info.get("allocation", ""),
        "intervention_model": info.get("interventionModel", ""),
        "primary_purpose": info.get("primaryPurpose", ""),
        "observational_model": info.get("observationalModel", ""),
        "time_perspective": info.get("timePerspective", ""),
        "masking": info.get("maskingInfo", {}).get("masking", ""),
        "who_masked": [each for each in ORDER
                       if each in info.get("maskingInfo", {}).get("whoMasked", ())],
        "patient_registry": design.get("patientRegistry"),
        "arms": [arm_of_json(arm, interventions)
                 for arm in section.get("armsInterventionsModule", {}).get("armGroups", ())],
        "n_arms": None,
        "intervention_descriptions": texts if any(texts) else [],
        **{f"{kind}_outcomes": [
            {"measure": plain(each.get("measure")), "time_frame": plain(each.get("timeFrame")),
             "description": markup(each.get("description"))}
            for each in section.get("outcomesModule", {}).get(f"{kind}Outcomes", ())]
           for kind in ("primary", "secondary", "other")},
        "criteria": paragraphs(eligibility.get("eligibilityCriteria")),
        "minimum_age": eligibility.get("minimumAge", ""),
        "maximum_age": eligibility.get("maximumAge", ""),
        "sex": eligibility.get("sex", ""),
        "healthy_volunteers": eligibility.get("healthyVolunteers"),
        "study_population": markup(eligibility.get("studyPopulation")),
        "sampling_method": eligibility.get("samplingMethod", ""),
        "sponsor_class": sponsors.get("leadSponsor", {}).get("class", ""),
        "collaborators": [{"name": plain(each["name"]), "kind": each.get("class", "")}
                          for each in sponsors.get("collaborators", ())],
        "sites": [site_of_json(each) for each in
                  section.get("contactsLocationsModule", {}).get("locations", ())],
        "references": [
            {"citation": plain(each.get("citation")), "pmid": each.get("pmid", ""),
             "type": each.get("type", "")}
            for each in section.get("referencesModule", {}).get("references", ())],
    }  # fmt: skip


def arm_of_json(arm, interventions):
    names = [plain(each["name"]) for each in interventions
             if arm["label"] in each.get("armGroupLabels", ())]  # fmt: skip
    return {"label": plain(arm["label"]), "type": arm.get("type", ""),
            "description": markup(arm.get("description")),
            "interventions": list(dict.fromkeys(names))}  # fmt: skip


def site_of_json(location):
    country = location.get("country", "")
    point = location.get("geoPoint", {})
    return {
        "country": COUNTRIES.get(country, country),
        **{name: plain(location.get(name)) for name in ("facility", "city", "state", "zip")},
        "status": location.get("status", ""),
        "latitude": point.get("lat"), "longitude": point.get("lon"),
    }  # fmt: skip


# Comparing


def differing(facts, expected):
    """Return field → ours and theirs, where they differ; absent parts are their defaults."""
    ours = msgspec.structs.asdict(facts or EMPTY)
    found = {}
    for name, theirs in expected.items():
        own = ours[name]
        if isinstance(own, tuple):
            own = [msgspec.structs.asdict(each) if hasattr(each, "__struct_fields__") else each
                   for each in own]  # fmt: skip
            own = json.loads(json.dumps(own))
        if own != theirs:
            found[name] = (own, theirs)
    return found


def is_of_record(number, raw):
    bare = re.sub(r"[\W_]", "", number).upper().removeprefix("JPRN").removeprefix("EUCT")
    digits = re.sub("[^0-9]", "", bare)
    return digits in re.sub("[^0-9]", "", raw) or bare in re.sub(r"[\W_]", "", raw).upper()


def test_facts_of_1000_random_studies_as_xml(shared):
    """Of every field; and 1,000 studies are kept in few bytes."""
    with zipfile.ZipFile(shared / "raw" / "complete-xml.zip") as archive:
        names = random.Random(15).sample(sorted(archive.namelist()), 1000)
        bodies = {name: archive.read(name) for name in names}
    wrong, n_fields = {}, 0
    for study, root in read_both(bodies):
        expected = of_xml(root)
        n_fields += sum(bool(each) for each in expected.values())
        if found := differing(study.facts, expected):
            wrong[study.nct_id] = found
        raw = " ".join(each.text or "" for each in root.find("id_info"))
        for number in study.facts.other_numbers:
            assert is_of_record(number.number, raw), (study.nct_id, number)
    assert wrong == {}
    assert n_fields > 10_000


def read_both(bodies):
    """Yield the study that we read of each document, and its tree."""
    for name, body in bodies.items():
        (study,) = xml_reader.read(io.BufferedReader(io.BytesIO(body)), name)
        yield study, ET.fromstring(body)


def api_records(shared):
    with gzip.open(shared / "raw" / "api-v2-studies.jsonl.gz", "rt", encoding="utf-8") as file:
        return {each["protocolSection"]["identificationModule"]["nctId"]: each
                for each in map(json.loads, file)}  # fmt: skip


def test_facts_of_the_api_v2(shared):
    records = api_records(shared)
    studies = [each for each in read_studies(shared / "raw" / "api-v2-studies.jsonl.gz")
               if isinstance(each, Study)]  # fmt: skip
    newest = {each.nct_id: each for each in studies}
    wrong = {
        nct_id: found
        for nct_id, each in newest.items()
        if (found := differing(each.facts, of_json(records[nct_id])))
    }
    assert len(newest) > 450
    assert wrong == {}


def test_a_study_of_the_same_day_is_the_same_from_xml_and_the_api(shared):
    """XML has no coordinates, nor the type and order of all references."""
    records = api_records(shared)
    with zipfile.ZipFile(shared / "raw" / "complete-xml.zip") as archive:
        both = {name: archive.read(name) for name in archive.namelist() if name[-15:-4] in records}
    found = read_studies(shared / "raw" / "api-v2-studies.jsonl.gz")
    as_json = {each.nct_id: each for each in found if isinstance(each, Study)}
    n = 0
    for study, _ in read_both(both):
        other = as_json[study.nct_id]
        if study.last_update_date == other.last_update_date:
            n += 1
            assert bare(study.facts) == bare(other.facts)
    assert n == 2


def bare(facts):
    sites = tuple(msgspec.structs.replace(each, latitude=None, longitude=None)
                  for each in facts.sites)  # fmt: skip
    cited = [
        msgspec.structs.replace(each, type="")
        for each in facts.references
        if each.type != "DERIVED"  # the registry finds these later
    ]
    in_order = tuple(sorted(cited, key=lambda each: each.citation))
    return msgspec.structs.replace(facts, sites=sites, references=in_order)


@pytest.mark.parametrize(("details", "most"), [("brief", 1600), ("full", 4000)])
def test_the_store_grows_by_few_bytes_a_study(shared, tmp_path, details, most):
    with zipfile.ZipFile(shared / "raw" / "complete-xml.zip") as archive:
        names = random.Random(15).sample(sorted(archive.namelist()), 1000)
        bodies = {name: archive.read(name) for name in sorted(names)}
    studies = [study for study, _ in read_both(bodies)]
    bare_studies = [msgspec.structs.replace(each, facts=None) for each in studies]
    dictionary = dictionary_of((each.facts for each in studies), details)
    write_store(tmp_path / "before", bare_studies, details="none")
    write_store(tmp_path / "after", studies, details=details, dictionary=dictionary)
    before, after = ((tmp_path / name).stat().st_size for name in ("before", "after"))
    assert after - before - len(dictionary) < most * len(studies)
