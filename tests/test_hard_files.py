"""Files as people have them: odd tables, other programs' JSON, retired forms, other registries."""

import csv
import json

import pytest
from conftest import SIX, record
from forms import AACT_TABLES, FORMS, zipped

from simsearch import Study, build_index, read_studies
from simsearch.errors import SourceError
from simsearch.records import Notice, Rejected

CLASSIC = (
    "Rank", "NCT Number", "Title", "Status", "Study Type", "Outcome Measures", "Enrollment",
    "Start Date", "Last Update Posted", "URL",
)  # fmt: skip


@pytest.fixture
def read(tmp_path):
    """Read one file: its studies, what was rejected, and the notices."""

    def _read(content, name="file"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        found = list(read_studies(path))
        return (
            [each for each in found if isinstance(each, Study)],
            [each for each in found if isinstance(each, Rejected)],
            [each.message for each in found if isinstance(each, Notice)],
        )

    return _read


def classic(*rows, delimiter=","):
    return "".join(delimiter.join(row) + "\n" for row in (CLASSIC, *rows))


BAD_QUOTES = (
    '2,"NCT00000102","Drops",Available,"Expanded Access":Treatment IND/Protocol","","null",'
    '"null","May 1, 2018","https://x"\n'
)


def test_the_older_sites_null_is_an_empty_cell(read):
    row = ("1", "NCT00000101", "Pills", "Completed", "", "Iron|Fever", "null", "null",
           '"May 1, 2018"', "u")  # fmt: skip
    (study,), rejected, notices = read(classic(row))
    assert (study.enrollment, study.start_date, study.last_update_date) == (None, "", "2018-05-01")
    assert (rejected, notices) == ([], [])


def test_the_older_sites_bad_quotes_are_read_as_meant(read):
    (study,), rejected, _ = read(classic() + BAD_QUOTES)
    assert (study.nct_id, study.study_type) == ("NCT00000102", "EXPANDED_ACCESS")
    assert rejected == []


@pytest.mark.parametrize(
    "row",
    [
        BAD_QUOTES.replace("NCT00000102", "Drops for all"),
        BAD_QUOTES.replace('"May 1, 2018"', '"in May"'),
        BAD_QUOTES.replace('"null","null"', '"many","null"', 1).replace('","null",', '","x",', 1),
        BAD_QUOTES.replace('"https://x"', '"https://x'),
    ],
    ids=["no NCT ID in its column", "no date", "no number", "a quote left open"],
)
def test_a_guess_that_fits_no_record_is_rejected(read, row):
    row = row.replace('"",', "", 1) if "many" in row else row
    good = ("1", "NCT00000101", "Pills", "", "", "", "", "", "", "u")
    studies, rejected, _ = read(classic(good) + row)
    assert [each.nct_id for each in studies] == ["NCT00000101"]
    assert len(rejected) == 1


def test_the_older_sites_outcome_measures_are_whole(read):
    row = ("1", "NCT00000101", "Pills", "", "", '"Iron, in blood|Fever"', "3", "", "", "u")
    (study,), _, _ = read(classic(row))
    assert study.outcomes == ("Iron, in blood", "Fever")


def test_quotes_in_the_older_sites_file_with_tabs_are_plain_characters(read):
    row = ("1", "NCT00000101", '"Pills" for 5" wounds', "", "", '"Iron', "3", "", "", "u")
    (study,), rejected, _ = read(classic(row, delimiter="\t"))
    assert study.title == '"Pills" for 5" wounds'
    assert study.outcomes == ('"Iron',)
    assert rejected == []


def dated(*dates, delimiter=","):
    lines = [delimiter.join(["NCT Number", "Study Title", "Start Date", "Last Update Posted"])]
    lines += [
        delimiter.join([f"NCT0000010{n}", "x", start, updated])
        for n, (start, updated) in enumerate(dates, start=1)
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("1/31/2024", "2/3/2024", ["2024-01-31", "2024-02-03"]),
        ("31/01/2024", "2/3/2024", ["2024-01-31", "2024-03-02"]),
        ("2/3/2024", "31/01/2024", ["2024-03-02", "2024-01-31"]),
        ("31.01.2024", "2.3.2024", ["2024-01-31", "2024-03-02"]),
        ("1/31/24", "2/3/98", ["2024-01-31", "1998-02-03"]),
        ("1/31/2024 0:00", "2/3/2024 0:00", ["2024-01-31", "2024-02-03"]),
        ("31-01-2024", "2-3-2024", ["2024-01-31", "2024-03-02"]),
        ("2024/1/31", "2024/2/3", ["2024-01-31", "2024-02-03"]),
        ("5/5/2024", "2024-02-03", ["2024-05-05", "2024-02-03"]),
        ("6/2018", "June 2018", ["2018-06", "2018-06"]),
    ],
)
def test_a_column_decides_the_order_of_dates_that_a_spreadsheet_rewrote(
    read, first, second, expected
):
    studies, _, notices = read(dated(("", first), ("", second), delimiter=";"))
    assert [each.last_update_date for each in studies] == expected
    assert notices == []


def test_dates_whose_order_nothing_decides_are_counted_and_left_out(read):
    studies, _, (notice,) = read(dated(("1/31/2024", "2/3/2024"), ("", "4/5/2024")))
    assert [each.last_update_date for each in studies] == ["", ""]
    assert studies[0].start_date == "2024-01-31"
    assert notice == (
        "2 dates were not understood in the column Last Update Posted (first: '2/3/2024' in row "
        "1): write 2024-01-31"
    )


def test_a_column_that_contradicts_itself_gives_only_its_certain_dates(read):
    dates = [("", "1/31/2024"), ("", "31/1/2024"), ("", "2/3/2024")]
    studies, _, (notice,) = read(dated(*dates))
    assert [each.last_update_date for each in studies] == ["2024-01-31", "2024-01-31", ""]
    assert notice.startswith("1 date was not understood")


def test_a_date_in_other_words_is_counted(read):
    (study,), _, (notice,) = read(dated(("", "demnächst")))
    assert study.last_update_date == ""
    assert "'demnächst' in row 1" in notice


@pytest.mark.parametrize("above", ["sep=;\n", "sep=;\r\n", "Search of May 2024\n\n"])
def test_lines_above_the_header_are_skipped(read, above):
    (study,), rejected, notices = read(above + dated(("", ""), delimiter=";"))
    assert study.nct_id == "NCT00000101"
    assert rejected == []
    assert notices == ([] if above.startswith("sep") else ["left out: 2 lines above the header"])


def test_aacts_tables_in_a_folder_are_read_like_the_zip(tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    for name, content in AACT_TABLES.items():
        (folder / name).write_bytes(content)
    (folder / "schema.txt").write_text("not a table\n")
    (tmp_path / "aact.zip").write_bytes(FORMS["aact"])
    of_zip, of_folder = ([*read_studies(tmp_path / each)] for each in ("aact.zip", "tables"))
    assert [each for each in of_folder if isinstance(each, Study)] == [
        each for each in of_zip if isinstance(each, Study)
    ]
    assert sum(isinstance(each, Study) for each in of_folder) == 1
    assert [each.reason for each in of_folder if isinstance(each, Rejected)] == [
        each.reason for each in of_zip if isinstance(each, Rejected)
    ]
    reader = read_studies(tmp_path / "tables")
    list(reader)
    assert reader.bytes_read == reader.bytes_total
    assert reader.source_files[0].files == len(AACT_TABLES) + 1


V1 = {
    "Study": {
        "ProtocolSection": {
            "IdentificationModule": {
                "NCTId": "NCT00000101",
                "NCTIdAliasList": {"NCTIdAlias": ["NCT00000901"]},
                "OrgStudyIdInfo": {"OrgStudyId": "A-1"},
                "SecondaryIdInfoList": {
                    "SecondaryIdInfo": [{"SecondaryId": "NCT00000103", "SecondaryIdType": "Other"}]
                },
                "BriefTitle": "Pills for aplasia",
                "OfficialTitle": "A Trial of Pills",
                "Acronym": "PIT",
            },
            "StatusModule": {
                "OverallStatus": "Active, not recruiting",
                "StartDateStruct": {"StartDate": "July 2001", "StartDateType": "Actual"},
                "CompletionDateStruct": {"CompletionDate": "September 13, 2003"},
                "LastUpdatePostDateStruct": {
                    "LastUpdatePostDate": "May 6, 2020",
                    "LastUpdatePostDateType": "Actual",
                },
            },
            "SponsorCollaboratorsModule": {
                "LeadSponsor": {"LeadSponsorName": "A Hospital", "LeadSponsorClass": "OTHER"}
            },
            "DescriptionModule": {"BriefSummary": "Adults take pills."},
            "ConditionsModule": {
                "ConditionList": {"Condition": ["Aplasia", "Anemia"]},
                "KeywordList": {"Keyword": ["blood"]},
            },
            "DesignModule": {
                "StudyType": "Interventional",
                "PhaseList": {"Phase": ["Phase 1", "Phase 2"]},
                "EnrollmentInfo": {"EnrollmentCount": "63", "EnrollmentType": "Actual"},
            },
            "ArmsInterventionsModule": {
                "InterventionList": {
                    "Intervention": [
                        {
                            "InterventionType": "Dietary Supplement",
                            "InterventionName": "Pills",
                            "InterventionOtherNameList": {"InterventionOtherName": ["P-1"]},
                        }
                    ]
                }
            },
            "OutcomesModule": {
                "PrimaryOutcomeList": {"PrimaryOutcome": [{"PrimaryOutcomeMeasure": "Iron"}]},
                "SecondaryOutcomeList": {
                    "SecondaryOutcome": [{"SecondaryOutcomeMeasure": "Fever"}]
                },
            },
            "ContactsLocationsModule": {
                "LocationList": {"Location": [{"LocationCountry": "Korea, Republic of"}]}
            },
        },
        "DerivedSection": {
            "MiscInfoModule": {"VersionHolder": "October 18, 2023"},
            "ConditionBrowseModule": {
                "ConditionMeshList": {
                    "ConditionMesh": [{"ConditionMeshId": "D000740", "ConditionMeshTerm": "Anemia"}]
                }
            },
        },
    }
}


def in_v2(**changes):
    """Return the record of V1 in the layout of API v2."""
    same = record("NCT00000101", "Pills for aplasia", ["Aplasia", "Anemia"],
                  [("DIETARY_SUPPLEMENT", "Pills")], "Adults take pills.", updated="2020-05-06",
                  status="ACTIVE_NOT_RECRUITING", start="2001-07", phases=["PHASE1", "PHASE2"],
                  enrollment=63, aliases=["NCT00000901"])  # fmt: skip
    protocol = same["protocolSection"]
    protocol["identificationModule"] |= {
        "officialTitle": "A Trial of Pills", "acronym": "PIT",
        "orgStudyIdInfo": {"id": "A-1"}, "secondaryIdInfos": [{"id": "NCT00000103"}],
    }  # fmt: skip
    protocol["statusModule"]["completionDateStruct"] = {"date": "2003-09-13"}
    protocol["armsInterventionsModule"]["interventions"][0]["otherNames"] = ["P-1"]
    protocol["outcomesModule"] = {
        "primaryOutcomes": [{"measure": "Iron"}], "secondaryOutcomes": [{"measure": "Fever"}],
    }  # fmt: skip
    protocol["contactsLocationsModule"] = {"locations": [{"country": "South Korea"}]}
    same["derivedSection"]["miscInfoModule"] = {"versionHolder": "2023-10-18"}
    return same


@pytest.mark.parametrize(
    "document",
    [
        {"FullStudiesResponse": {"APIVrs": "1.01.05", "FullStudies": [{"Rank": 1, **V1}]}},
        {"FullStudy": {"Rank": 1, **V1}},
        [{"FullStudy": {"Rank": 1, **V1}}],
    ],
    ids=["page", "file", "array"],
)
def test_a_record_of_the_retired_api_v1_is_the_same_study(read, document):
    (expected,), _, _ = read(json.dumps(in_v2()), "v2")
    (study,), rejected, (notice,) = read(json.dumps(document))
    for field in Study.__struct_fields__:
        if field != "facts":
            assert getattr(study, field) == getattr(expected, field), field
    assert rejected == []
    assert notice.startswith("1 study in the layout of the API v1, which the registry retired")


def test_every_study_of_a_page_of_api_v1_counts(read):
    other = json.loads(json.dumps(V1).replace("NCT00000101", "NCT00000102"))
    bad = json.loads(json.dumps(V1).replace("NCT00000101", "NCT00000000"))
    page = {"FullStudiesResponse": {"FullStudies": [V1, other, bad]}}
    studies, (rejected,), _ = read(json.dumps(page))
    assert [each.nct_id for each in studies] == ["NCT00000101", "NCT00000102"]
    assert rejected.nct_id == "NCT00000000"


def test_an_answer_of_chosen_fields_of_api_v1_is_read(read):
    fields = {"Rank": 1, "NCTId": ["NCT00000101"], "BriefTitle": ["Pills"],
              "Condition": ["Aplasia", "Anemia"], "InterventionName": ["Pills", "Spoon"],
              "InterventionType": ["Drug", "Device"], "EnrollmentCount": ["63"],
              "StartDate": ["July 2001"], "Acronym": []}  # fmt: skip
    page = {"StudyFieldsResponse": {"StudyFields": [fields]}}
    (study,), _, _ = read(json.dumps(page))
    assert (study.title, study.conditions) == ("Pills", ("Aplasia", "Anemia"))
    assert [(each.name, each.type) for each in study.interventions] == [
        ("Pills", "DRUG"), ("Spoon", "DEVICE")
    ]  # fmt: skip
    assert (study.enrollment, study.start_date, study.acronym) == (63, "2001-07", "")


def boxed(value):
    """Return a value as jsonlite writes it: every text or number an array of one."""
    if isinstance(value, dict):
        return {name: boxed(each) for name, each in value.items()}
    if isinstance(value, list):
        return [boxed(each) if isinstance(each, dict) else each for each in value]
    return [value]


SHAPES = {
    "boxed by jsonlite": json.dumps([boxed(each) for each in SIX]),
    "boxed by jsonlite, lines": "\n".join(json.dumps(boxed(each)) for each in SIX),
    "pages in an array": json.dumps([{"studies": SIX[:4], "nextPageToken": "x"},
                                     {"studies": SIX[4:]}]),
    "wrapped": "\n".join(json.dumps({"study": each}) for each in SIX),
    "wrapped, in an array": json.dumps([{"study": each} for each in SIX]),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_records_as_other_programs_write_them(read, shape):
    expected, _, _ = read(FORMS["json lines"], "six")
    studies, rejected, _ = read(SHAPES[shape])
    assert studies == expected
    assert rejected == []


def test_a_data_frame_written_by_its_columns(read):
    frame = {
        "protocolSection": {
            "identificationModule": {
                "nctId": ["NCT00000101", "NCT00000102"],
                "briefTitle": ["Pills", "Drops"],
                "acronym": ["PIT", None],
            },
            "conditionsModule": {"conditions": [["Aplasia", "Anemia"], ["Knee"]]},
            "contactsLocationsModule": {"locations": [{"country": ["France", "Peru"]}, {}]},
        }
    }
    first, second = read(json.dumps(frame))[0]
    assert (first.title, first.conditions, first.acronym) == ("Pills", ("Aplasia", "Anemia"), "PIT")
    assert (second.title, second.conditions, second.acronym) == ("Drops", ("Knee",), "")
    assert (first.countries, second.countries) == (("France", "Peru"), ())


@pytest.mark.parametrize(
    ("written", "expected"),
    [("NaN", None), ('"1,200"', 1200), ("30.0", 30), ("null", None), ('"about 30"', None),
     ("-Infinity", None), ("[30]", 30)],
)  # fmt: skip
@pytest.mark.parametrize("shape", ["line", "array", "page"])
def test_an_odd_enrollment_costs_the_number_and_not_the_record(read, written, expected, shape):
    one = json.dumps(record("NCT00000101", "A: NaN, or so", enrollment="HERE"))
    if written == "[30]":
        one = json.dumps(boxed(json.loads(one))).replace('["HERE"]', '"HERE"')
    one = one.replace('"HERE"', written)
    text = {"line": one, "array": f"[{one}]", "page": f'{{"studies": [{one}]}}'}[shape]
    (study,), rejected, _ = read(text)
    assert (study.title, study.enrollment) == ("A: NaN, or so", expected)
    assert rejected == []


def test_nan_is_found_wherever_an_array_is_cut_into_pieces(read):
    """A piece of the stream may end within the word."""
    records = [
        json.dumps(record(f"NCT{n:08d}", "x" * (n * 37 % 300), enrollment="HERE"))
        for n in range(1, 1000)
    ]
    text = "[" + ",\n".join(records).replace('"HERE"', "NaN") + "]"
    studies, rejected, _ = read(text)
    assert len(studies) == 999
    assert rejected == []


EXCEL = zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"})
TABLE = dated(("", ""))
FOREIGN = {
    "UTF-16": (TABLE.encode("utf-16"), "UTF-16 text: save it as UTF-8"),
    "UTF-16 without a mark": (TABLE.encode("utf-16-le"), "UTF-16 text: save it as UTF-8"),
    "an Excel workbook": (EXCEL, "an Excel workbook: save the sheet as CSV UTF-8"),
    "an old Excel workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "old Excel"),
    "an OpenDocument file": (
        zipped({"mimetype": b"x", "content.xml": b"<a/>"}), "OpenDocument file: save the sheet"
    ),
    "other column names": (
        b"nct_id,brief_title,phase\nNCT00000101,x,2\n",
        "the columns nct_id, brief_title, phase: the site's table has NCT Number and Study Title",
    ),
    "one table of AACT": (AACT_TABLES["studies.txt"], "one table of AACT"),
    "another table of AACT": (AACT_TABLES["conditions.txt"], "one table of AACT"),
    "ICTRP, XML": (
        (b"<?xml version='1.0'?><Trials_downloaded_from_ICTRP><Trial/>"
        b"</Trials_downloaded_from_ICTRP>"),
        "WHO's ICTRP: simsearch reads records of ClinicalTrials.gov",
    ),
    "ICTRP, CSV": (b"TrialID,Last_Refreshed_on,Public_title\nNCT00000101,,x\n", "WHO's ICTRP"),
    "EUCTR": (
        b"Summary\r\nEudraCT Number: 2012-003157-29\r\nSponsor's Protocol Code: X\r\n",
        "EU Clinical Trials Register",
    ),
    "CTIS, JSON": (b'{"data": [{"ctNumber": "2022-500137-26-00"}]}', r"\(CTIS\)"),
    "CTIS, CSV": (b'"Trial number";"Trial title"\n"2022-500137-26-00";"x"\n', r"\(CTIS\)"),
    "ISRCTN, XML": (
        (b'<allTrials totalCount="1" xmlns="http://www.67bricks.com/isrctn"><fullTrial/>'
        b"</allTrials>"),
        "ISRCTN registry",
    ),
    "ISRCTN, CSV": (b"ISRCTN,Title,Condition\nISRCTN12345678,x,y\n", "ISRCTN registry"),
}  # fmt: skip


@pytest.mark.parametrize("case", FOREIGN)
def test_what_is_no_record_is_named_for_what_it_is(read, case):
    content, reason = FOREIGN[case]
    with pytest.raises(SourceError, match=reason):
        read(content)


@pytest.mark.parametrize("case", FOREIGN)
def test_beside_records_it_is_left_out_with_the_same_words(tmp_path, case):
    content, reason = FOREIGN[case]
    (tmp_path / "a.jsonl").write_bytes(FORMS["json lines"])
    (tmp_path / "b").write_bytes(content)
    (notice,) = (each for each in read_studies(tmp_path) if isinstance(each, Notice))
    assert notice.place.endswith("b")
    assert pytest.RaisesExc(SourceError, match=reason).matches(SourceError("b", notice.message))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (('{"related": "NCT00000555", "protocolSection": {"identificationModule": {"nctId": '
         '"NCT00000109", "briefTitle": 5}}}'), "NCT00000109"),
        ('{"protocolSection": {"descriptionModule": {"briefSummary": "See NCT00000555"}}}', ""),
        (("<clinical_study><org>NCT00000555</org><id_info><nct_id>NCT00000109</nct_id>"
         "</id_info><broken></clinical_study>"), "NCT00000109"),
        ("NCT Number,Study Title,Acronym\n,After NCT00000555,\n", ""),
        ("Acronym,NCT Number,Study Title\nNCT00000555,NCT00000000,x\n", "NCT00000000"),
    ],
    ids=["JSON", "JSON without its own", "XML", "CSV", "CSV, another column"],
)  # fmt: skip
def test_the_number_of_a_reject_is_the_records_own(tmp_path, content, expected):
    (tmp_path / "a.jsonl").write_bytes(FORMS["json lines"])
    (tmp_path / "b").write_text(content)
    (rejected,) = (each for each in read_studies(tmp_path) if isinstance(each, Rejected))
    assert rejected.nct_id == expected


def test_the_number_of_a_reject_of_aact_is_the_records_own(tmp_path):
    tables = {**AACT_TABLES, "studies.txt": b"brief_title|nct_id\nx|NCT00000101\n"
              b"After NCT00000555|NCT00000109|too many\n"}  # fmt: skip
    (tmp_path / "a.zip").write_bytes(zipped(tables))
    (rejected,) = (each for each in read_studies(tmp_path / "a.zip") if isinstance(each, Rejected))
    assert rejected.nct_id == "NCT00000109"


@pytest.mark.parametrize("content", [EXCEL, b"Dear colleague", b"NCT Number,Study Title\n"])
def test_a_source_without_records_leaves_no_folder(tmp_path, encoder, content):
    path = tmp_path / "source"
    path.write_bytes(content)
    with pytest.raises(SourceError):
        build_index(read_studies(path), tmp_path / "index", encoder)
    assert not (tmp_path / "index").exists()


def test_the_command_refuses_a_source_before_the_model_is_loaded(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from simsearch.cli import building
    from simsearch.cli.main import app

    def loaded(*_):
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(building, "load_encoder", loaded)
    path = tmp_path / "book.xlsx"
    path.write_bytes(EXCEL)
    done = CliRunner().invoke(app, ["rebuild", str(path), "--index", str(tmp_path / "index")])
    assert done.exit_code == 1
    assert "an Excel workbook" in str(done.exception) + done.output
    assert not (tmp_path / "index").exists()


def test_every_study_of_a_real_download_with_null_and_bad_quotes(shared):
    path = shared / "raw" / "hard" / "classic-null-cells.csv"
    found = list(read_studies(path))
    assert len(found) == 1000
    studies = {each.nct_id: each for each in found if isinstance(each, Study)}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(studies) == len(rows) == 1000
    for row in rows:
        study = studies[row["NCT Number"]]
        expected = None if row["Enrollment"] == "null" else int(row["Enrollment"])
        assert study.enrollment == expected
        assert bool(study.last_update_date) == (row["Last Update Posted"] != "null")
        assert study.title
    assert studies["NCT03153462"].study_type == "EXPANDED_ACCESS"


def test_every_study_of_a_real_download_with_tabs(shared):
    path = shared / "raw" / "hard" / "classic.tsv"
    found = list(read_studies(path))
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    at = {name: n for n, name in enumerate(rows[0])}
    assert [each.nct_id for each in found] == [row[at["NCT Number"]] for row in rows[1:]]
    for study, row in zip(found, rows[1:], strict=True):
        measures = {each for each in row[at["Outcome Measures"]].split("|") if each}
        assert len(study.outcomes) == min(30, len(measures))
