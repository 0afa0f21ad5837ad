"""The registry's legacy XML: complete, broken, unsafe, and compared with JSON."""

import gzip
import io
import json
import re
import tracemalloc
import zipfile
from xml.sax.saxutils import escape

import msgspec
import pytest
from conftest import SIX, record

from simsearch import Study
from simsearch.errors import SourceError
from simsearch.records import Rejected, json_reader, xml_reader
from simsearch.records.outcomes import NotRecordsError
from simsearch.study import Intervention

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

FULL = (
    DECLARATION
    + r"""<clinical_study rank="7">
  <!-- A comment as the registry writes one -->
  <required_header>
    <download_date>ClinicalTrials.gov processed this data on August 12, 2022</download_date>
    <link_text>Link to the record.</link_text>
    <url>https://clinicaltrials.gov/show/NCT00000102</url>
  </required_header>
  <id_info>
    <org_study_id>NCT00000777</org_study_id>
    <secondary_id>NCT00000901</secondary_id>
    <secondary_id>NCT00000333</secondary_id>
    <nct_id>NCT00000102</nct_id>
    <nct_alias>NCT00000901</nct_alias>
    <nct_alias>NCT00000902</nct_alias>
  </id_info>
  <brief_title>Drops &amp; pills for
    Ménière's</brief_title>
  <acronym>DROP</acronym>
  <official_title>A Trial of Drops</official_title>
  <sponsors>
    <lead_sponsor><agency>A Hospital</agency><agency_class>Other</agency_class></lead_sponsor>
    <collaborator><agency>Another</agency><agency_class>NIH</agency_class></collaborator>
  </sponsors>
  <source>Somebody Else</source>
  <brief_summary>
    <textblock>
      Adults with aplasia take drops, and this sentence is so long that it is wrapped hard by&#xD;
      the registry. They are &gt; 18 &amp;lt; 65.&#xD;
&#xD;
        -  The first item is wrapped too, as it is more than a hundred characters long all in&#xD;
           all.&#xD;
&#xD;
             -  An inner item - with a dash&#xD;
&#xD;
        1.  A numbered item&#xD;
    </textblock>
  </brief_summary>
  <detailed_description><textblock>Nothing that is kept but NCT
      00000555, as in NCT00000102.</textblock></detailed_description>
  <overall_status>Active, not recruiting</overall_status>
  <start_date type="Actual">March 2018</start_date>
  <completion_date type="Anticipated">April 8, 2020</completion_date>
  <primary_completion_date type="Actual">May 2019</primary_completion_date>
  <phase>Phase 1/Phase 2</phase>
  <study_type>Observational [Patient Registry]</study_type>
  <enrollment type="Actual">63</enrollment>
  <condition>Aplasia</condition>
  <condition>Anemia</condition>
  <arm_group><arm_group_label>Drops</arm_group_label></arm_group>
  <intervention>
    <intervention_type>Dietary Supplement</intervention_type>
    <intervention_name>Drops</intervention_name>
    <other_name>Droplets</other_name>
    <other_name>drops</other_name>
  </intervention>
  <intervention>
    <intervention_name>Pills</intervention_name>
  </intervention>
  <intervention>
    <intervention_type>Drug</intervention_type>
    <intervention_name>Iron</intervention_name>
  </intervention>
  <primary_outcome>
    <measure>Hemoglobin, in g/dL</measure><time_frame>1 year</time_frame>
    <description>Not kept.</description>
  </primary_outcome>
  <secondary_outcome><measure>Fever</measure></secondary_outcome>
  <other_outcome><measure>Sleep</measure></other_outcome>
  <eligibility>
    <criteria><textblock>Not in NCT00000444.</textblock></criteria>
    <gender>Both</gender><minimum_age>N/A</minimum_age>
  </eligibility>
  <location>
    <facility><name>A Clinic</name><address><country>Peru</country></address></facility>
  </location>
  <location_countries>
    <country>France</country>
    <country>Korea, Republic of</country>
  </location_countries>
  <removed_countries><country>Poland</country></removed_countries>
  <study_first_posted type="Actual">January 1, 2017</study_first_posted>
  <last_update_posted type="Actual">June 3, 2021</last_update_posted>
  <keyword>blood</keyword>
  <keyword>marrow</keyword>
  <condition_browse>
    <!-- CAUTION: terms are assigned by a machine -->
    <mesh_term>Anemia, Aplastic</mesh_term>
  </condition_browse>
  <intervention_browse><mesh_term>Iron</mesh_term></intervention_browse>
  <clinical_results>
    <baseline><population>All</population></baseline>
    <keyword>of the results</keyword>
  </clinical_results>
</clinical_study>
"""
)


def documents(text, *, draft=False):
    content = text if isinstance(text, bytes) else text.encode()
    return list(xml_reader.read(io.BufferedReader(io.BytesIO(content)), "here", draft=draft))


def one(text, **options):
    (outcome,) = documents(text, **options)
    return outcome


def small(nct_id="NCT00000102", inner=""):
    """Return a document with an NCT ID and `inner`."""
    return f"<clinical_study><id_info><nct_id>{nct_id}</nct_id></id_info>{inner}</clinical_study>"


def summary(text):
    inner = f"<brief_summary><textblock>{text}</textblock></brief_summary>"
    return one(small(inner=inner)).summary


def test_every_field_that_is_kept():
    assert bare(one(FULL)) == Study(
        nct_id="NCT00000102",
        aliases=("NCT00000901", "NCT00000902"),
        title="Drops & pills for Ménière's",
        official_title="A Trial of Drops",
        acronym="DROP",
        summary="Adults with aplasia take drops, and this sentence is so long that it is wrapped "
        "hard by the registry. They are > 18 < 65. * The first item is wrapped too, as it is more "
        "than a hundred characters long all in all. * An inner item - with a dash 1. A numbered "
        "item",
        conditions=("Aplasia", "Anemia"),
        keywords=("blood", "marrow"),
        interventions=(
            Intervention("Drops", "DIETARY_SUPPLEMENT", ("Droplets",)),
            Intervention("Pills"),
            Intervention("Iron", "DRUG"),
        ),
        condition_mesh=("Anemia, Aplastic",),
        intervention_mesh=("Iron",),
        status="ACTIVE_NOT_RECRUITING",
        study_type="OBSERVATIONAL",
        phases=("PHASE1", "PHASE2"),
        sponsor="A Hospital",
        countries=("France", "South Korea"),
        start_date="2018-03",
        completion_date="2020-04-08",
        last_update_date="2021-06-03",
        outcomes=("Hemoglobin, in g/dL", "Fever"),
        mentions=("NCT00000333", "NCT00000444", "NCT00000555", "NCT00000777"),
        enrollment=63,
        has_results=True,
        data_version="2022-08-12",
    )


def test_a_study_with_only_an_nct_id_has_no_results():
    assert one(small()) == Study(nct_id="NCT00000102", has_results=False)


def test_line_ends_do_not_matter():
    assert one(FULL.replace("\n", "\r\n")) == one(FULL)


def test_a_record_of_2016_has_another_name_for_its_last_update():
    old = """<study_design>Masking: Open Label</study_design><gender>Both</gender>
      <firstreceived_date>May 1, 2009</firstreceived_date>
      <lastchanged_date>April 13, 2016</lastchanged_date>"""
    assert one(small(inner=old)).last_update_date == "2016-04-13"


def test_the_posted_update_wins_over_the_older_name():
    both = """<lastchanged_date>May 1, 2016</lastchanged_date>
      <last_update_posted>May 2, 2016</last_update_posted>"""
    assert one(small(inner=both)).last_update_date == "2016-05-02"


@pytest.mark.parametrize(
    ("text", "phases"),
    [("N/A", ("NA",)), ("Phase 0", ("EARLY_PHASE1",)), ("Early Phase 1", ("EARLY_PHASE1",)),
     ("Phase 2/Phase 3", ("PHASE2", "PHASE3")), ("", ())],
)  # fmt: skip
def test_phases(text, phases):
    assert one(small(inner=f"<phase>{text}</phase>")).phases == phases


@pytest.mark.parametrize(
    ("text", "count"),
    [("63", 63), (" 63\n", 63), ("0", 0), ("10000000", 10_000_000), ("99999999", None),
     ("", None), ("many", None), ("-3", None), ("9" * 5000, None)],
)  # fmt: skip
def test_enrollment(text, count):
    assert one(small(inner=f"<enrollment>{text}</enrollment>")).enrollment == count


def test_an_unknown_status_is_that_of_the_api():
    inner = "<overall_status>Unknown status</overall_status>"
    assert one(small(inner=inner)).status == "UNKNOWN"


@pytest.mark.parametrize("sentence", ["", "processed today", "processed this data on 12.8.2022"])
def test_an_invalid_download_date_is_left_out(sentence):
    inner = f"<required_header><download_date>{sentence}</download_date></required_header>"
    assert one(small(inner=inner)).data_version == ""


def test_an_empty_results_element_counts_as_results():
    assert one(small(inner="<clinical_results/>")).has_results is True


def test_removed_countries_do_not_count():
    inner = "<removed_countries><country>Poland</country></removed_countries>"
    assert one(small(inner=inner)).countries == ()


def test_a_withheld_study_is_read_without_its_placeholders():
    title = "[Trial of device that is not approved or cleared by the U.S. FDA]"
    inner = f"""<brief_title>{title}</brief_title><official_title>{title}</official_title>
      <sponsors><lead_sponsor><agency>[Redacted]</agency></lead_sponsor></sponsors>
      <overall_status>Withheld</overall_status><study_type>N/A</study_type>
      <last_update_posted type="Actual">June 3, 2021</last_update_posted>"""
    assert one(small(inner=inner)) == Study(
        nct_id="NCT00000102", status="WITHHELD", last_update_date="2021-06-03", has_results=False
    )


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("\n    -  one\n\n    -  two\n  ", "* one * two"),
        ("Some:\n\n    -  one\n       and more", "Some: * one and more"),
        ("\n  - a single blank\n", "- a single blank"),
        ("a range\n  -  not after a blank line", "a range - not after a blank line"),
        ("from 3 -  5", "from 3 - 5"),
    ],
)
def test_list_items_are_marked_as_in_the_api(text, clean):
    assert summary(text) == clean


@pytest.mark.parametrize("text", [r"a\*b", r"c:\[x]", "5\\", r"two \\ of them"])
def test_backslashes_are_not_markdown_escapes(text):
    assert summary(text) == text


STATUS = {"COMPLETED": "Completed", "RECRUITING": "Recruiting"}
PHASE = {"PHASE1": "Phase 1", "PHASE2": "Phase 2"}


def as_xml(study):
    """Return a record in API v2 layout as XML, as the older site would have written it."""
    protocol = study["protocolSection"]
    identification = protocol["identificationModule"]
    status = protocol["statusModule"]
    design = protocol["designModule"]

    def tags(tag, texts):
        return "".join(f"  <{tag}>{escape(text)}</{tag}>\n" for text in texts)

    def indented(text):
        lines = text.replace("* ", "  -  ").split("\n")
        return "&#xD;\n".join(f"      {escape(line)}" for line in lines)

    interventions = "".join(
        f"<intervention><intervention_type>{each['type'].replace('_', ' ').title()}"
        f"</intervention_type><intervention_name>{escape(each['name'])}</intervention_name>"
        "</intervention>\n"
        for each in protocol["armsInterventionsModule"]["interventions"]
    )
    meshes = study["derivedSection"]["conditionBrowseModule"]["meshes"]
    return f"""<clinical_study>
  <id_info>
    {tags("nct_id", [identification["nctId"]])}
    {tags("nct_alias", identification.get("nctIdAliases", []))}
  </id_info>
  {tags("brief_title", [identification["briefTitle"]])}
  <sponsors><lead_sponsor><agency>A Hospital</agency></lead_sponsor></sponsors>
  <brief_summary>
    <textblock>
{indented(protocol["descriptionModule"]["briefSummary"])}
    </textblock>
  </brief_summary>
  {tags("overall_status", [STATUS[status["overallStatus"]]])}
  <start_date>June 2019</start_date>
  {tags("phase", ["/".join(PHASE[each] for each in design["phases"])])}
  <study_type>Interventional</study_type>
  {tags("enrollment", [str(design["enrollmentInfo"]["count"])])}
  {tags("condition", protocol["conditionsModule"]["conditions"])}
  {interventions}
  <location_countries><country>France</country></location_countries>
  {tags("last_update_posted", [status["lastUpdatePostDateStruct"]["date"]])}
  {tags("keyword", protocol["conditionsModule"]["keywords"])}
  <condition_browse>{tags("mesh_term", [each["term"] for each in meshes])}</condition_browse>
</clinical_study>"""


def from_json(study):
    text = json.dumps(study).encode()
    (outcome,) = json_reader.read(io.BufferedReader(io.BytesIO(text)), "here")
    return bare(outcome)


def bare(study):
    """Return a study without facts, which have tests of their own."""
    return msgspec.structs.replace(study, facts=None)


LISTS = record("NCT00000107", "Iron & more", ["Anemia"], [("DIETARY_SUPPLEMENT", "Iron > 5 mg")],
               "Groups:\n\n* adults, 5 < age\n\n* children\n\nEnd.")  # fmt: skip


@pytest.mark.parametrize("study", [*SIX, LISTS], ids=lambda each: str(from_json(each).nct_id))
def test_a_study_as_xml_is_the_study_as_json(study):
    assert bare(one(as_xml(study))) == from_json(study)


def test_several_studies_in_one_root_are_read_in_order():
    text = (
        DECLARATION
        + '<search_results count="6"><query>blood</query>\n'
        + "\n".join(map(as_xml, SIX))
        + "</search_results>"
    )
    assert list(map(bare, documents(text))) == [from_json(each) for each in SIX]


def test_a_bad_study_among_several_is_rejected_with_its_number():
    text = f"<search_results>{small('NCT00000101')}{small('x')}{small()}</search_results>"
    first, second, third = documents(text)
    assert (first.nct_id, third.nct_id) == ("NCT00000101", "NCT00000102")
    assert second.place == "here study 2"
    assert second.reason.startswith("'x' is not an NCT ID")


class Endless(io.RawIOBase):
    """A root element with `n` studies of 50,000 bytes each, generated as they are read."""

    def __init__(self, n):
        self.made = 0
        self._parts = self._make(n)
        self._rest = b""

    def _make(self, n):
        yield b"<search_results>"
        for number in range(1, n + 1):
            self.made = number
            inner = "<detailed_description><textblock>"
            inner += "word " * 10_000 + "</textblock></detailed_description>"
            yield small(f"NCT{number:08d}", inner).encode()
        yield b"</search_results>"

    def readable(self):
        return True

    def readinto(self, buffer):
        self._rest = self._rest or next(self._parts, b"")
        piece, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def test_studies_within_one_root_are_yielded_as_they_are_read():
    source = Endless(100)
    first = next(xml_reader.read(io.BufferedReader(source), "here"))
    assert first.nct_id == "NCT00000001"
    assert source.made < 10


def test_memory_does_not_grow_with_the_number_of_studies():
    tracemalloc.start()
    try:
        n = sum(1 for _ in xml_reader.read(io.BufferedReader(Endless(100)), "here"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n == 100
    assert peak < 2_000_000  # of 5,000,000 bytes read


BOMB = (
    DECLARATION
    + '<!DOCTYPE clinical_study [<!ENTITY a "ha">'
    + "".join(
        f'<!ENTITY {name} "{f"&{previous};" * 10}">'
        for previous, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    + "]>"
    + small(inner="<brief_title>&j;</brief_title>")
)


def external(address):
    return f'<!DOCTYPE x [<!ENTITY secret SYSTEM "{address}">]>' + small(
        inner="<brief_title>&secret;</brief_title>"
    )


UNSAFE = {
    "an entity bomb": BOMB,
    "an entity at an address": external("http://example.org/secret"),
    "a document type at an address": '<!DOCTYPE clinical_study SYSTEM "http://example.org/dtd">'
    + small(),
    "a parameter entity": '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://example.org/p"> %p;]>'
    + small(),
}


@pytest.mark.parametrize("case", UNSAFE)
def test_unsafe_xml_is_recognised_and_rejected_unread(case):
    assert xml_reader.recognises(UNSAFE[case].encode())
    rejected = one(UNSAFE[case])
    assert (rejected.place, rejected.nct_id) == ("here", "NCT00000102")
    assert "declares a document type or entities" in rejected.reason


BROKEN = {
    "cut short": FULL[: FULL.index("<overall_status>")],
    "cut within a tag": FULL[: FULL.index("verall_status>")],
    "tags crossed": FULL.replace("</acronym>", "</acronim>"),
    "broken before the NCT ID": FULL.replace("<id_info>", "<id_info"),
    "an ampersand alone": FULL.replace("&amp; pills", "& pills"),
    "an entity of HTML": FULL.replace("&amp; pills", "&nbsp; pills"),
    "something behind the end": FULL + "<more/>",
    "two documents in one": FULL + FULL.removeprefix(DECLARATION),
    "not in its encoding": FULL.encode("latin-1"),
    "an unheard-of encoding": FULL.replace("UTF-8", "UTF-88"),
    "an encoding that cannot be read": FULL.replace("UTF-8", "Shift_JIS"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_xml_is_one_rejected_record_with_reason_and_nct_id(case):
    rejected = one(BROKEN[case])
    assert (rejected.place, rejected.nct_id) == ("here", "NCT00000102")
    assert rejected.reason.startswith("broken XML: ")
    assert "\n" not in rejected.reason


def test_broken_xml_without_an_nct_id_has_none():
    assert one("<clinical_study><brief_title>x</clinical_study>").nct_id == ""


@pytest.mark.parametrize("rest", [small("NCT00000102", "<a>") + "</search_results>", ""])
def test_a_broken_collection_is_an_error_that_names_its_last_study(rest):
    """How many studies are lost is unknown, so this is an error, as for a JSON array."""
    text = f"<search_results>{small('NCT00000101')}{rest}".encode()
    outcomes = xml_reader.read(io.BufferedReader(io.BytesIO(text)), "here")
    assert next(outcomes).nct_id == "NCT00000101"
    with pytest.raises(SourceError, match="after study 1; the rest is lost"):
        next(outcomes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<clinical_study><brief_title>x</brief_title></clinical_study>", "has no NCT ID"),
        (small(" "), "has no NCT ID"),
        (small("NCT00000000"), "NCT00000000"),
    ],
)
def test_a_record_without_an_nct_id_is_rejected(text, reason):
    rejected = one(text)
    assert isinstance(rejected, Rejected)
    assert reason in rejected.reason


def test_an_nct_id_may_be_in_any_spelling():
    assert one(small("\n nct 102 ")).nct_id == "NCT00000102"


def test_a_draft_needs_no_nct_id():
    text = "<clinical_study><brief_title>A new trial</brief_title></clinical_study>"
    assert one(text, draft=True) == Study(nct_id="", title="A new trial", has_results=False)


def test_a_document_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(xml_reader, "MAX_DOCUMENT_BYTES", 1000)
    with pytest.raises(NotRecordsError, match="one XML document of over 1,000 bytes"):
        documents(small(inner="<keyword>blood</keyword>" * 100))


def test_the_length_of_many_studies_does_not_count(monkeypatch):
    monkeypatch.setattr(xml_reader, "MAX_DOCUMENT_BYTES", 200_000)
    assert sum(1 for _ in xml_reader.read(io.BufferedReader(Endless(20)), "here")) == 20


def test_elements_nested_too_deeply_are_refused():
    with pytest.raises(NotRecordsError, match="nested over 64 deep"):
        documents("<clinical_study>" + "<a>" * 100)


def test_xml_without_a_study_is_refused():
    with pytest.raises(NotRecordsError, match="without a clinical_study"):
        documents("<search_results><query>x</query></search_results>")


@pytest.mark.parametrize(
    "head",
    [
        "<clinical_study>",
        '<clinical_study rank="1">',
        DECLARATION + "<clinical_study>",
        DECLARATION + "<!-- <html> --> <!-- two -->\n<?x y?><clinical_study\n>",
        "<!DOCTYPE clinical_study>\n<clinical_study>",
        '<search_results count="2">',
        "<studies><clinical_study>",
    ],
)
def test_study_records_are_recognised(head):
    assert xml_reader.recognises(head.encode())


@pytest.mark.parametrize(
    "head",
    [
        "",
        "{}",
        "clinical_study",
        "<!doctype html><html>",
        "<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'><clinical_study>",
        "<!-- a page --><html><clinical_study>",
        DECLARATION + "<!-- <clinical_study> --><article>",
        "<PubmedArticleSet><PubmedArticle>",
        "<clinical_study_listing>",
        "<!-- a comment without end <clinical_study>",
    ],
)
def test_anything_else_is_not_recognised(head):
    assert not xml_reader.recognises(head.encode())


@pytest.fixture(scope="module")
def legacy(shared):
    """The outcomes of the 300 real files."""
    outcomes = []
    with zipfile.ZipFile(shared / "raw" / "legacy-xml.zip") as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert xml_reader.recognises(content.lstrip()[:4096])
            outcomes += documents(content)
    return outcomes


def test_all_real_files_are_read(legacy):
    assert len(legacy) == 300
    assert all(isinstance(each, Study) for each in legacy)


def test_real_studies_agree_with_the_same_version_as_json(legacy, shared):
    """The JSON was compiled from several snapshots, with `- ` before list items.

    It has only primary outcomes, no other names, no texts except the summary, and lists the
    aliases among the secondary IDs.
    """
    studies = {each.nct_id: each for each in legacy}
    n_compared = 0
    different = set()
    with gzip.open(shared / "studies-full.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            nct_id = re.search(r'"nctId": ?"(NCT[0-9]{8})"', line)
            if not nct_id or nct_id[1] not in studies:
                continue
            ours, theirs = bare(studies[nct_id[1]]), from_json(json.loads(line))
            if ours.last_update_date != theirs.last_update_date:
                continue
            n_compared += 1
            dashed = re.sub(r"(^| )\* ", r"\1- ", ours.summary)
            ours = msgspec.structs.replace(
                ours, summary=dashed, outcomes=ours.outcomes[: len(theirs.outcomes)],
                interventions=tuple(Intervention(each.name, each.type)
                                    for each in ours.interventions),
                mentions=tuple(sorted({*ours.mentions, *ours.aliases} & {*theirs.mentions})),
            )  # fmt: skip
            different |= {
                (nct_id[1], field)
                for field in Study.__struct_fields__
                if (getattr(theirs, field) or getattr(theirs, field) == 0)
                and getattr(ours, field) != getattr(theirs, field)
            }
    assert n_compared == 298
    assert different == {
        ("NCT00003600", "keywords"),  # the XML has none
        ("NCT00004982", "intervention_mesh"),  # likewise
        ("NCT00132769", "intervention_mesh"),  # likewise
        ("NCT00494195", "interventions"),  # "Genetic: " is part of the name in the XML
        ("NCT04342156", "enrollment"),  # withdrawn: 0 in the XML, the planned number in the JSON
    }
