"""The site's table of studies, as the site writes it and as spreadsheets save it."""

import csv
import io
import json

import msgspec
import pytest
from conftest import record
from hypothesis import given
from hypothesis import strategies as st

from simsearch import Study, read_studies
from simsearch.errors import SourceError
from simsearch.records import Rejected, csv_reader, csv_rows, json_reader
from simsearch.records.outcomes import NotRecordsError
from simsearch.records.text import clean_text
from simsearch.study import Intervention

COLUMNS = (
    "NCT Number", "Study Title", "Study URL", "Acronym", "Study Status", "Brief Summary",
    "Study Results", "Conditions", "Interventions", "Primary Outcome Measures",
    "Secondary Outcome Measures", "Other Outcome Measures", "Sponsor", "Collaborators", "Sex",
    "Age", "Phases", "Enrollment", "Funder Type", "Study Type", "Study Design", "Other IDs",
    "Start Date", "Primary Completion Date", "Completion Date", "First Posted",
    "Results First Posted", "Last Update Posted", "Locations", "Study Documents",
)  # fmt: skip
CLASSIC_COLUMNS = (
    "Rank", "NCT Number", "Title", "Acronym", "Status", "Study Results", "Conditions",
    "Interventions", "Outcome Measures", "Sponsor/Collaborators", "Gender", "Age", "Phases",
    "Enrollment", "Funded Bys", "Study Type", "Study Designs", "Other IDs", "Start Date",
    "Primary Completion Date", "Completion Date", "First Posted", "Results First Posted",
    "Last Update Posted", "Locations", "Study Documents", "URL",
)  # fmt: skip
DROPS = {
    "NCT Number": "NCT00000102", "Study Title": "Drops for aplasia", "Acronym": "DROP-IT",
    "Study URL": "https://clinicaltrials.gov/study/NCT00000102", "Study Status": "RECRUITING",
    "Brief Summary": "Adults \\> 18 take drops.\n\n* \\[daily\\]", "Study Results": "YES",
    "Conditions": "Aplasia|Anemia", "Interventions": "DRUG: Drops: weak|DEVICE: Spoon",
    "Sponsor": "A Hospital", "Collaborators": "A School|B School", "Phases": "PHASE1|PHASE2",
    "Enrollment": "30", "Study Type": "INTERVENTIONAL", "Other IDs": "NCT00000999|D-1",
    "Start Date": "2019-06", "Completion Date": "2020-02-29", "Last Update Posted": "2020-03-01",
    "Primary Outcome Measures": "Hemoglobin, In blood, by cells, 1 year|Relapse, 2 years",
    "Secondary Outcome Measures": "Relapse, 5 years|Fever", "Other Outcome Measures": "Sleep",
    "Locations": "Ward, Lyon, 69001, France|Clinic, Seoul, Korea, Republic of",
}  # fmt: skip


def table(*rows, columns=COLUMNS, **options):
    """Return rows, each a dict by column name, as the site writes them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", **options)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def study(n, **cells):
    return {"NCT Number": f"NCT0000010{n}", "Study Title": f"Study {n}", **cells}


def outcomes(content, **options):
    stream = io.BufferedReader(io.BytesIO(content))
    return list(csv_reader.read(stream, "t.csv", **options))


def bare(found):
    """Return studies without facts, which have tests of their own."""
    return [msgspec.structs.replace(each, facts=None) for each in found]


def ids(content):
    """Return the NCT IDs read, and the rejected rows."""
    found = outcomes(content)
    return (
        [each.nct_id for each in found if isinstance(each, Study)],
        [each for each in found if isinstance(each, Rejected)],
    )


def read_one(**cells):
    """Return the study of one row with these cells."""
    (found,) = outcomes(table({**DROPS, **cells}))
    assert isinstance(found, Study), found
    return found


HEADS = {
    "as the site writes it": (",".join(COLUMNS).encode() + b"\r\n", True),
    "of the older site": (",".join(CLASSIC_COLUMNS).encode(), True),
    "two columns in the other order": (b"Study Title,NCT Number\n", True),
    "quoted": (b'"Acronym","NCT Number","Study Title"\n', True),
    "semicolons": (b"NCT Number;Study Title\n", True),
    "tabs": (b"NCT Number\tStudy Title\n", True),
    "cut after the needed names": (b'NCT Number,Study Title,"Study St', True),
    "no title": (b"NCT Number,Acronym\nNCT00000101,Title\n", False),
    "below a caption": (b"Downloaded today\nNCT Number,Study Title\n", True),
    "below the line of a spreadsheet": (b"sep=;\r\nNCT Number;Study Title\r\n", True),
    "far below": (b"x\n" * 10 + b"NCT Number,Study Title\n", False),
    "the database's table": (b"nct_id|brief_title\n", False),
    "another table": (b"review_id,nct_id\n", False),
    "a sentence": (b"The NCT Number and the Study Title are needed.\n", False),
    "JSON": (b'{"NCT Number": 1, "Study Title": 2}', False),
    "bytes": (bytes(range(256)) * 16, False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize("case", HEADS)
def test_a_header_is_recognised_by_two_names_in_any_order(case):
    head, expected = HEADS[case]
    assert csv_reader.recognises(head) is expected


def test_every_column_that_is_kept():
    assert bare(outcomes(table(DROPS))) == [
        Study(
            nct_id="NCT00000102",
            title="Drops for aplasia",
            acronym="DROP-IT",
            summary="Adults > 18 take drops. * [daily]",
            conditions=("Aplasia", "Anemia"),
            interventions=(Intervention("Drops: weak", "DRUG"), Intervention("Spoon", "DEVICE")),
            status="RECRUITING",
            study_type="INTERVENTIONAL",
            phases=("PHASE1", "PHASE2"),
            sponsor="A Hospital",
            countries=("France", "South Korea"),
            start_date="2019-06",
            completion_date="2020-02-29",
            last_update_date="2020-03-01",
            outcomes=("Hemoglobin", "Relapse", "Fever"),
            mentions=("NCT00000999",),
            enrollment=30,
            has_results=True,
        )
    ]


def test_the_older_sites_table_gives_the_same_study():
    classic = {
        **DROPS, "Rank": "1", "Title": DROPS["Study Title"], "Status": "Recruiting",
        "Study Results": "Has Results", "Interventions": "Drug: Drops: weak|Device: Spoon",
        "Sponsor/Collaborators": "A Hospital|A School|B School", "Phases": "Phase 1|Phase 2",
        "Study Type": "Interventional", "Start Date": "June 2019",
        "Completion Date": "February 29, 2020", "Last Update Posted": "March 1, 2020",
    }  # fmt: skip
    new = table({**DROPS, "Brief Summary": "", "Primary Outcome Measures": "",
                 "Secondary Outcome Measures": ""})  # fmt: skip
    assert bare(outcomes(table(classic, columns=CLASSIC_COLUMNS))) == bare(outcomes(new))


def test_a_study_is_the_same_from_json_and_from_a_row():
    """They differ only in the fields that no column has."""
    body = json.dumps(
        record("NCT00000102", "Drops &amp; pills", ["Aplasia", "Anemia"],
               [("DIETARY_SUPPLEMENT", "Iron"), ("DRUG", "Pills")], "Adults \\> 18.\n\n* a\n* b",
               status="ACTIVE_NOT_RECRUITING", phases=["PHASE2", "PHASE3"])
    ).encode()  # fmt: skip
    row = {
        "NCT Number": "NCT00000102", "Study Title": "Drops &amp; pills",
        "Study Status": "ACTIVE_NOT_RECRUITING", "Brief Summary": "Adults \\> 18.\n\n* a\n* b",
        "Study Results": "NO", "Conditions": "Aplasia|Anemia", "Sponsor": "A Hospital",
        "Interventions": "DIETARY_SUPPLEMENT: Iron|DRUG: Pills", "Phases": "PHASE2|PHASE3",
        "Enrollment": "30", "Study Type": "INTERVENTIONAL", "Start Date": "2019-06",
        "Last Update Posted": "2020-01-01", "Locations": "Lyon, France",
    }  # fmt: skip
    (as_json,) = json_reader.read(io.BufferedReader(io.BytesIO(body)), "t.json")
    (as_row,) = outcomes(table(row))
    differing = {
        name for name in Study.__struct_fields__ if getattr(as_json, name) != getattr(as_row, name)
    }
    assert differing == {"keywords", "condition_mesh", "facts"}


def test_the_field_of_a_missing_column_is_empty():
    columns = ("NCT Number", "Study Title", "Conditions")
    assert outcomes(table(DROPS, columns=columns)) == [
        Study(nct_id="NCT00000102", title="Drops for aplasia", conditions=("Aplasia", "Anemia"))
    ]


def test_the_order_of_columns_and_further_columns_do_not_matter():
    columns = ("My notes", *reversed(COLUMNS))
    assert outcomes(table({**DROPS, "My notes": "x"}, columns=columns)) == outcomes(table(DROPS))


@pytest.mark.parametrize(
    "options",
    [{"delimiter": ";"}, {"delimiter": "\t"}, {"quoting": csv.QUOTE_ALL}, {"lineterminator": "\n"}],
    ids=["semicolons", "tabs", "all quoted", "LF"],
)
def test_how_a_program_writes_a_table_does_not_matter(options):
    assert outcomes(table(DROPS, DROPS, **options)) == outcomes(table(DROPS)) * 2


def test_a_byte_order_mark_is_not_part_of_the_first_name():
    assert outcomes(b"\xef\xbb\xbf" + table(DROPS, quoting=csv.QUOTE_ALL)) == outcomes(table(DROPS))


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_text_is_read_as_utf8_or_as_a_spreadsheet_saves_it(encoding):
    content = table(
        study(1), study(2, Sponsor="Hôpital “Genève”"), study(3, Sponsor="Klinik Überall")
    )
    content = content.decode().encode(encoding)
    assert [each.sponsor for each in outcomes(content)] == [
        "", "Hôpital “Genève”", "Klinik Überall"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "damaged", "name"), [("é".encode(), b"\xc3", "UTF-8"), (b"\xe9", b"\x81", "CP1252")]
)
def test_a_row_with_damaged_text_is_rejected(first, damaged, name):
    content = table(study(1, Sponsor="<1>"), study(2, Sponsor="<2>"), study(3))
    content = content.replace(b"<1>", first).replace(b"<2>", damaged)
    read, (rejected,) = ids(content)
    assert read == ["NCT00000101", "NCT00000103"]
    assert (rejected.nct_id, rejected.reason) == ("NCT00000102", f"not {name} text (line 3)")


def test_a_bar_within_the_name_of_an_intervention_does_not_split_it():
    found = read_one(Interventions="DEVICE: Kit (A | B: new)|DRUG: Pills|drops|OTHER: Rest")
    assert found.interventions == (
        Intervention("Kit (A | B: new)", "DEVICE"),
        Intervention("Pills|drops", "DRUG"),
        Intervention("Rest", "OTHER"),
    )


def test_an_intervention_without_a_type_is_kept():
    found = read_one(Interventions="Ratio 1: 2|DRUG: Pills")
    assert found.interventions == (Intervention("Ratio 1: 2"), Intervention("Pills", "DRUG"))


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_line_ends_within_a_cell_do_not_end_the_row(line_end):
    paragraphs = f'He said "no".{line_end}{line_end}NCT00000999, "x";{line_end}* end'
    content = table(study(1, **{"Brief Summary": paragraphs}), study(2))
    first, second = outcomes(content)
    assert first.summary == 'He said "no". NCT00000999, "x"; * end'
    assert second.nct_id == "NCT00000102"


def test_a_long_cell_is_read_whole_and_the_csv_module_keeps_its_limit():
    before = csv.field_size_limit(1_000)
    try:
        places = "|".join(f"Ward {n}, Lyon, 69001, France" for n in range(2_000))
        summary = "word " * 8_000
        assert len(places) > 40_000
        content = table(study(1, Locations=places, **{"Brief Summary": summary}), study(2))
        rows = csv_reader.read(io.BufferedReader(io.BytesIO(content)), "t.csv")
        first = next(rows)
        assert csv.field_size_limit() == 1_000
        assert (first.countries, first.summary) == (("France",), summary.strip())
    finally:
        csv.field_size_limit(before)


def test_a_withheld_study_is_read_with_the_few_fields_it_has():
    row = {
        "NCT Number": "NCT00000103", "Study Status": "WITHHELD", "Study Results": "NO",
        "Study Title": "[Trial of device that is not approved or cleared by the U.S. FDA]",
        "Sponsor": "[Redacted]", "Other IDs": "X-1", "First Posted": "2025-04-01",
        "Last Update Posted": "2025-04-02",
    }  # fmt: skip
    assert bare(outcomes(table(row))) == [
        Study(
            nct_id="NCT00000103",
            status="WITHHELD",
            has_results=False,
            last_update_date="2025-04-02",
        )
    ]


@pytest.mark.parametrize(
    ("location", "country"),
    [
        ("Ward, Lyon, 69001, France", "France"),
        ("Lyon, France", "France"),
        ("France", "France"),
        ("Ward 3, Seoul, 03080, Korea, Republic of", "South Korea"),
        ("Centre, Kermanshah, Iran, Kermanshah, Iran, Islamic Republic of", "Iran"),
        ("Skopje, Macedonia, The Former Yugoslav Republic of", "North Macedonia"),
        ("Unit, Pyongyang, Korea, Democratic People's Republic of", "North Korea"),
        ("Ward, Taipei, Taiwan", "Taiwan"),
        ("Republic of Korea Ward, Seoul, South Korea", "South Korea"),
        ("Clinic, Izmir, 35100, Turkey (Türkiye)", "Turkey"),
    ],
)
def test_the_country_stands_at_the_end_of_a_location(location, country):
    assert read_one(Locations=location).countries == (country,)


def test_countries_are_in_the_order_of_locations_without_repeats():
    places = "A, Lyon, France|B, Seoul, Korea, Republic of|C, Nice, France"
    assert read_one(Locations=places).countries == ("France", "South Korea")


@pytest.mark.parametrize(
    ("cell", "count"),
    [("0", 0), ("10000000", 10_000_000), (" 30 ", 30), ("30.0", 30),
     ("", None), ("99999999", None)],
)  # fmt: skip
def test_enrollment_is_a_number_or_unknown(cell, count):
    assert read_one(Enrollment=cell).enrollment == count


@pytest.mark.parametrize("cell", ["many", "-1", "3.5", "NO"])
def test_a_row_whose_enrollment_is_not_a_number_is_rejected(cell):
    (rejected,) = outcomes(table({**DROPS, "Enrollment": cell}))
    assert rejected.nct_id == "NCT00000102"
    assert repr(cell) in rejected.reason


@pytest.mark.parametrize(
    ("cell", "has_results"),
    [("YES", True), ("NO", False), ("Has Results", True), ("No Results Available", False),
     ("", None), ("?", None)],
)  # fmt: skip
def test_posted_results_are_known_only_if_the_cell_has_a_known_value(cell, has_results):
    assert read_one(**{"Study Results": cell}).has_results is has_results


@pytest.mark.parametrize("cell", ["NA", "EARLY_PHASE1", ""])
def test_one_phase_or_none(cell):
    assert read_one(Phases=cell).phases == ((cell,) if cell else ())


ROWS = {
    "too few cells": (b"NCT00000109,x\r\n", "header's: 2 instead of 3", "NCT00000109"),
    "too many cells": (b"NCT00000109,x,,\r\n", "header's: 4 instead of 3", "NCT00000109"),
    "no NCT ID": (b",A study,\r\n", "the record has no NCT ID", ""),
    "a malformed NCT ID": (b"NCT00000000,A study,\r\n", "is not an NCT ID", "NCT00000000"),
    "NUL within the NCT ID": (b"NCT000\x0000109,A study,\r\n", "is not an NCT ID", "NCT000"),
    "a tail of NUL": (b"\x00" * 512 + b"\r\n", "header's: 1 instead of 3", ""),
    "text after a quote": (b'NCT00000109,"A" study\r\n', "cannot be separated", "NCT00000109"),
    "only another study's number": (b",A study\tafter NCT00000555,\r\n", "has no NCT ID", ""),
    "a lone CR": (b"NCT00000109,A\rstudy,\r\n", "cannot be separated", "NCT00000109"),
    "a quote left open": (b'NCT00000109,"A study,\r\n', "", "NCT00000109"),
}  # fmt: skip


@pytest.mark.parametrize("case", ROWS)
@pytest.mark.parametrize("at", [1, 3, 4], ids=["first", "middle", "last"])
def test_a_bad_row_is_rejected_with_place_and_reason_and_the_rest_read(case, at):
    bad, reason, nct_id = ROWS[case]
    columns = ("NCT Number", "Study Title", "Conditions")
    good = table(*(study(n, Conditions='"A"') for n in (1, 2, 3)), columns=columns)
    lines = good.splitlines(keepends=True)
    read, (rejected,) = ids(b"".join([*lines[:at], bad, *lines[at:]]))
    assert read == ["NCT00000101", "NCT00000102", "NCT00000103"]
    assert (rejected.place, rejected.nct_id) == (f"t.csv row {at}", nct_id)
    assert reason in rejected.reason
    assert f"(line {at + 1})" in rejected.reason


def test_the_reason_of_a_bad_row_names_all_its_lines():
    _, (rejected,) = ids(
        table(study(1), study(2, **{"Brief Summary": "a\nb\nc", "Enrollment": "x"}))
    )
    assert rejected.place == "t.csv row 2"
    assert rejected.reason.endswith("(lines 3 to 5)")


def test_a_quote_that_is_never_closed_costs_only_its_own_row():
    lines = table(*(study(n) for n in range(1, 9))).splitlines(keepends=True)
    lines[4] = lines[4].replace(b"Study 4", b'"Study 4')
    read, (rejected,) = ids(b"".join(lines))
    assert read == [f"NCT0000010{n}" for n in (1, 2, 3, 5, 6, 7, 8)]
    assert rejected.nct_id == "NCT00000104"
    assert "not closed by the end of the file" in rejected.reason
    assert rejected.reason.endswith("(line 5)")


def test_a_quote_that_would_swallow_a_large_file_is_found_early():
    long = {"Brief Summary": "word " * 10_000}
    content = table(*(study(n % 10, **long) for n in range(1, 100)))
    read, (rejected,) = ids(content.replace(b"Study 1,", b'"Study 1,', 1))
    assert len(read) == 98
    assert "a cell of over 4,194,304 characters" in rejected.reason


def test_every_line_of_a_broken_row_is_reported():
    """Its later lines belong to no other row, but are not dropped silently."""
    content = table(study(1, **{"Brief Summary": 'one\ntwo\n"three"'}), study(2))
    read, rejected = ids(content.replace(b'"one', b'"one"', 1))
    assert read == ["NCT00000102"]
    assert [each.reason[-8:] for each in rejected] == ["(line 2)", "(line 3)", "(line 4)"]


def test_a_file_cut_within_a_cell_names_the_row_that_was_cut():
    content = table(study(1), study(2, **{"Brief Summary": "Adults, and children"}))
    read, (rejected,) = ids(content[: content.index(b"and children")])
    assert read == ["NCT00000101"]
    assert rejected.nct_id == "NCT00000102"


def test_nul_characters_are_dropped():
    assert read_one(**{"Study Title": "Dr\x00ops"}).title == "Drops"


def test_blank_rows_do_not_count():
    content = table(study(1), {}, {"Acronym": " "}, study(2, Enrollment="x"))
    read, (rejected,) = ids(content.replace(b"\r\n", b"\r\n\r\n"))
    assert read == ["NCT00000101"]
    assert rejected.place == "t.csv row 2"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_concatenated_pages_are_one_table(mark):
    read, (rejected,) = ids(table(study(1)) + mark + table(study(2), study(3, Enrollment="x")))
    assert read == ["NCT00000101", "NCT00000102"]
    assert rejected.place == "t.csv row 3"


def test_a_second_header_names_the_columns_after_it():
    other = table(study(2, Acronym="B"), columns=("Acronym", "Study Title", "NCT Number"))
    first, second = outcomes(table(study(1, Acronym="A")) + other)
    assert (first.acronym, second.acronym, second.nct_id) == ("A", "B", "NCT00000102")


def test_a_draft_needs_no_nct_id():
    (found,) = outcomes(table({"Study Title": "A new trial"}), draft=True)
    assert found == Study(nct_id="", title="A new trial")


def test_a_header_alone_has_no_rows():
    assert outcomes(table()) == []


def test_another_table_is_refused():
    with pytest.raises(NotRecordsError, match="NCT Number"):
        outcomes(b"a,b\n1,2\n")


def test_a_line_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(csv_rows, "MAX_DOCUMENT_BYTES", 2_000)
    with pytest.raises(SourceError, match="line of over 2,000 bytes"):
        outcomes(table(study(1), study(2, Acronym="x" * 3_000)))


@given(
    titles=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=5
    ),
    delimiter=st.sampled_from(",;\t"),
)
def test_any_cell_is_read_as_written(titles, delimiter):
    """Written by the csv module, quoted throughout as RFC 4180 allows."""
    rows = [study(n, **{"Study Title": title}) for n, title in enumerate(titles)]
    columns = ("NCT Number", "Study Title")
    content = table(*rows, columns=columns, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    found = outcomes(content.replace(b"NCT00000100", b"NCT00000110"))
    assert [each.title for each in found] == [clean_text(title) for title in titles]


def test_every_row_of_a_real_download_is_read(shared):
    found = list(read_studies(shared / "raw" / "ctg-studies-a.csv"))
    assert {type(each) for each in found} == {Study}
    assert len({each.nct_id for each in found}) == len(found) == 279
    assert all(each.title and each.summary and each.conditions for each in found)
    assert sum(each.has_results for each in found) == 5


@pytest.mark.real_data
def test_a_real_row_gives_the_same_study_as_json(shared):
    """`studies-full` has all 279, two of them older, and cut some countries at their comma.

    It lacks their acronyms, completion dates and results, and an address in one summary.
    """
    rows = {each.nct_id: each for each in read_studies(shared / "raw" / "ctg-studies-a.csv")}
    pairs = [
        (rows[each.nct_id], each)
        for each in read_studies(shared / "studies-full.jsonl.gz")
        if each.nct_id in rows
    ]
    same = [(row, full) for row, full in pairs if row.last_update_date == full.last_update_date]
    assert (len(pairs), len(same)) == (279, 277)
    for name in ("title", "conditions", "interventions", "status", "study_type", "phases",
                 "sponsor", "enrollment"):  # fmt: skip
        assert [getattr(row, name) for row, _ in same] == [getattr(full, name) for _, full in same]
    for row, full in same:  # the JSON has only primary outcomes
        assert not full.outcomes or row.outcomes[0] == full.outcomes[0].partition(", ")[0]
        assert {*full.mentions} <= {*row.mentions}
    assert sum(row.summary != full.summary for row, full in same) == 1
    assert sum(row.start_date != full.start_date for row, full in same) == 1
    cut = {"South Korea": "Republic of", "Moldova": "Republic of"}
    for row, full in same:
        kept = tuple(dict.fromkeys(cut.get(name, name) for name in row.countries))
        assert full.countries in (row.countries, kept)
