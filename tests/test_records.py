"""Sources of every form, and everything that can be wrong with them."""

import datetime as dt
import gzip
import io
import json
import re
import runpy
import sys
import zipfile

import msgspec
import pytest
from conftest import REPOSITORY, SIX, record
from forms import LINES, zipped

from simsearch import Study, read_studies
from simsearch.errors import SourceError
from simsearch.records import Notice, Rejected, read_draft, read_ids, vocabulary
from simsearch.study import Intervention

IDS = [f"NCT0000010{n}" for n in range(1, 7)]


def split(*sources):
    """Return the NCT IDs read, the rejected records and the notices."""
    outcomes = list(read_studies(*sources))
    return (
        [each.nct_id for each in outcomes if isinstance(each, Study)],
        [each for each in outcomes if isinstance(each, Rejected)],
        [each for each in outcomes if isinstance(each, Notice)],
    )


ONE_FILE_EACH = {
    f"{nct_id}.json": json.dumps(each).encode() for nct_id, each in zip(IDS, SIX, strict=True)
}

FORMS = {
    "json lines": LINES,
    "json lines without a last line end": LINES.rstrip(),
    "json lines with blank lines, CRLF and a byte order mark": b"\xef\xbb\xbf\r\n"
    + LINES.replace(b"\n", b"\r\n\r\n"),
    "array, minified": json.dumps(SIX).encode(),
    "array, a study a line as the site writes it": b"[\n"
    + b",\n".join(json.dumps(each).encode() for each in SIX)
    + b"\n]",
    "array, indented": json.dumps(SIX, indent=4).encode(),
    "search page": json.dumps({"totalCount": 6, "studies": SIX}).encode(),
    "search page, a study a line": b'{"studies": [\n'
    + b",\n".join(json.dumps(each).encode() for each in SIX)
    + b"\n]}",
    "search page, indented": json.dumps({"studies": SIX}, indent=2).encode(),
    "search pages, one a line": json.dumps({"studies": SIX[:2]}).encode()
    + b"\n"
    + json.dumps({"studies": SIX[2:]}).encode(),
    "zip, one study a file": zipped(ONE_FILE_EACH),
    "zip of indented files in folders": zipped(
        {
            f"NCT0000xxxx/{name}": json.dumps(json.loads(text), indent=2).encode()
            for name, text in ONE_FILE_EACH.items()
        }
    ),
    "gzip within gzip": gzip.compress(gzip.compress(LINES)),
    "zip of a gzip of lines": zipped({"all.jsonl.gz": gzip.compress(LINES)}),
}


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_studies_whatever_the_file_name(tmp_path, form, compress):
    path = tmp_path / "records.dat"
    path.write_bytes(gzip.compress(FORMS[form]) if compress else FORMS[form])
    assert split(path) == (IDS, [], [])


def test_one_study_in_one_file(tmp_path):
    path = tmp_path / "study"
    for text in (json.dumps(SIX[0]), json.dumps(SIX[0], indent=1)):
        path.write_text(text)
        assert split(path) == (IDS[:1], [], [])


def test_a_folder_is_read_with_its_subfolders_and_all_forms(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.jsonl.gz").write_bytes(gzip.compress(LINES))
    (tmp_path / "a.json").write_text(json.dumps(record("NCT00000107", "One more")))
    (tmp_path / ".hidden.json").write_text(json.dumps(record("NCT00000108", "Hidden")))
    ids, rejected, notices = split(tmp_path)
    assert (ids, rejected, notices) == (["NCT00000107", *IDS], [], [])


def test_several_sources_follow_each_other(tmp_path):
    for n in range(2):
        (tmp_path / str(n)).write_text(json.dumps(SIX[n]))
    assert split(tmp_path / "1", tmp_path / "0")[0] == [IDS[1], IDS[0]]


@pytest.mark.parametrize("form", ["json lines", "zip, one study a file"])
def test_a_pipe_is_read_like_standard_input(tmp_path, form):
    import os
    import threading

    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(FORMS[form]))
    writer.start()
    assert split(path) == (IDS, [], [])
    writer.join()


def test_broken_links_in_a_folder_are_left_out_with_a_notice(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(SIX[0]))
    (tmp_path / "b.json").symlink_to(tmp_path / "nowhere")
    ids, rejected, (notice,) = split(tmp_path)
    assert (ids, rejected) == (IDS[:1], [])
    assert notice.place.endswith("b.json")


def test_a_name_too_long_for_the_system_is_a_source_error():
    with pytest.raises(SourceError, match="name too long"):
        read_studies("x" * 300)


@pytest.mark.parametrize("form", ["json lines", "zip, one study a file"])
def test_standard_input(monkeypatch, form):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FORMS[form])))
    reader = read_studies("-")
    assert [each.nct_id for each in reader] == IDS
    assert reader.source_files[0].name == "standard input"
    assert reader.bytes_read == reader.bytes_total == len(FORMS[form])


def test_a_source_is_described_by_size_and_digest(tmp_path):
    import hashlib

    path = tmp_path / "r.jsonl"
    path.write_bytes(LINES)
    reader = read_studies(path)
    list(reader)
    (source,) = reader.source_files
    assert (source.files, source.bytes) == (1, len(LINES))
    assert source.sha256 == hashlib.sha256(LINES).hexdigest()


def test_bytes_read_grow_to_the_total(tmp_path):
    path = tmp_path / "r.zip"
    path.write_bytes(FORMS["zip, one study a file"])
    reader = read_studies(path)
    seen = [reader.bytes_read for _ in reader]
    assert seen == sorted(seen)
    assert seen[0] < reader.bytes_read == reader.bytes_total == path.stat().st_size


def test_every_field_that_is_kept(tmp_path):
    full = record("nct102", " Drops &amp; pills ", ["Aplasia", "Aplasia", "N/A"],
                  [("DRUG", "Drops"), ("", "Pills"), ("DRUG", " ")], r"Age \> 18.",
                  aliases=["NCT00000901", "NCT00000102", "x"], enrollment=99999999)  # fmt: skip
    full["somethingNew"] = {"a": [1]}
    full["protocolSection"]["identificationModule"]["acronym"] = None
    full["derivedSection"]["miscInfoModule"] = {"versionHolder": "2025-12-09"}
    path = tmp_path / "r"
    path.write_text(json.dumps(full))
    (study,) = read_studies(path)
    assert msgspec.structs.replace(study, facts=None) == Study(
        nct_id="NCT00000102",
        aliases=("NCT00000901",),
        title="Drops & pills",
        summary="Age > 18.",
        conditions=("Aplasia",),
        keywords=("blood",),
        interventions=(Intervention("Drops", "DRUG"), Intervention("Pills")),
        condition_mesh=("Anemia",),
        status="COMPLETED",
        study_type="INTERVENTIONAL",
        phases=("PHASE2",),
        sponsor="A Hospital",
        countries=("France",),
        start_date="2019-06",
        last_update_date="2020-01-01",
        enrollment=None,
        has_results=False,
        data_version="2025-12-09",
    )


def protocol(tmp_path, *interventions, **modules):
    """Return the study of a record with these interventions and modules."""
    made = record("NCT00000102", "x", aliases=["NCT00000901"])
    made["protocolSection"]["armsInterventionsModule"]["interventions"] = list(interventions)
    for name, module in modules.items():
        made["protocolSection"].setdefault(name, {}).update(module)
    path = tmp_path / "r"
    path.write_text(json.dumps(made))
    (study,) = read_studies(path)
    return study


def test_other_names_are_clean_and_differ_in_more_than_case(tmp_path):
    names = ["DROPS", " Droplets ", "droplets", "N/A", "B &amp; C"]
    study = protocol(tmp_path, {"type": "DRUG", "name": "Drops", "otherNames": names})
    assert study.interventions == (Intervention("Drops", "DRUG", ("Droplets", "B & C")),)


def test_an_intervention_named_twice_is_one_with_all_its_other_names(tmp_path):
    study = protocol(
        tmp_path,
        {"type": "DRUG", "name": "Drops", "otherNames": ["A", "B"]},
        {"type": "DEVICE", "name": "Drops"},
        {"type": "DRUG", "name": "Drops", "otherNames": ["b", "C"]},
    )
    assert study.interventions == (
        Intervention("Drops", "DRUG", ("A", "B", "C")), Intervention("Drops", "DEVICE")
    )  # fmt: skip


def test_outcomes_are_primary_before_secondary_without_repeats(tmp_path):
    module = {
        "secondaryOutcomes": [{"measure": "Fever"}, {"measure": "Relapse", "timeFrame": "1 year"}],
        "primaryOutcomes": [{"measure": " Relapse &gt; 2 "}, {"measure": "Relapse"}, {}],
        "otherOutcomes": [{"measure": "Sleep"}],
    }
    study = protocol(tmp_path, outcomesModule=module)
    assert study.outcomes == ("Relapse > 2", "Relapse", "Fever")


def test_of_many_outcomes_the_first_thirty_are_kept(tmp_path):
    many = [{"measure": f"Measure {n // 2}"} for n in range(200)]
    study = protocol(tmp_path, outcomesModule={"primaryOutcomes": many})
    assert study.outcomes == tuple(f"Measure {n}" for n in range(30))


def test_studies_named_anywhere_in_the_record_are_mentions_except_itself(tmp_path):
    study = protocol(
        tmp_path,
        identificationModule={
            "briefTitle": "After NCT00000201",
            "officialTitle": "An extension of NCT202202",
            "orgStudyIdInfo": {"id": "NCT00000203"},
            "secondaryIdInfos": [{"id": "NCT00000204", "type": "REGISTRY"}, {"id": "NCT00000901"}],
        },
        descriptionModule={
            "briefSummary": "See NCT 00000205 and NCT00000201.",
            "detailedDescription": "This study, NCT00000102, follows (NCT00000206).",
        },
        eligibilityModule={"eligibilityCriteria": "* Took part in NCT00000200/NCT00000207"},
    )
    assert study.mentions == (
        "NCT00000200", "NCT00000201", "NCT00000203", "NCT00000204", "NCT00000205", "NCT00000206",
        "NCT00000207", "NCT00202202",
    )  # fmt: skip


def test_a_trimmed_record_is_a_study(tmp_path):
    path = tmp_path / "r"
    path.write_text('{"protocolSection": {"identificationModule": {"nctId": "NCT00000102"}}}')
    assert list(read_studies(path)) == [Study(nct_id="NCT00000102")]


BAD_LINES = {
    "broken JSON": (b'{"protocolSection": {"identificationModule"', "broken JSON"),
    "not UTF-8": b'{"protocolSection": "\xff"}',
    "no protocolSection": (b'{"FullStudy": {}}', "API v2 layout"),
    "no NCT ID": (json.dumps(record(None, "No ID")).encode(), "no NCT ID"),
    "a malformed NCT ID": (json.dumps(record("NCT00000000", "Zero")).encode(), "NCT00000000"),
    "a number for a title": (json.dumps(record("NCT00000109", 5)).encode(), "briefTitle"),
    "a text for conditions": (
        json.dumps(record("NCT00000109", "x")).replace('"conditions": []', '"conditions": "a"'),
        "conditions",
    ),
}


@pytest.mark.parametrize("case", BAD_LINES)
@pytest.mark.parametrize("at", [0, 3])
def test_a_bad_line_is_rejected_with_place_and_reason_and_the_rest_read(tmp_path, case, at):
    bad, reason = BAD_LINES[case] if isinstance(BAD_LINES[case], tuple) else (BAD_LINES[case], "")
    lines = LINES.splitlines()
    lines.insert(at, bad.encode() if isinstance(bad, str) else bad)
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"\n".join(lines))
    ids, (rejected,), notices = split(path)
    assert ids == IDS
    assert rejected.place == f"{path} line {at + 1}"
    assert reason in rejected.reason
    assert rejected.nct_id == ("NCT00000109" if b"NCT00000109" in lines[at] else rejected.nct_id)
    assert notices == []


def test_bad_items_of_an_array_are_rejected(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps([SIX[0], 5, record(None, "No ID"), SIX[1]]))
    ids, rejected, _ = split(path)
    assert ids == IDS[:2]
    assert [each.place.removeprefix(str(path)) for each in rejected] == [" record 2", " record 3"]


def test_only_the_bad_members_of_a_zip_are_lost(tmp_path):
    content = zipped({"a.json": json.dumps(SIX[0]).encode(), "NCT1.json": b"{broken",
                      "Contents.txt": b"Read me", "__MACOSX/._a.json": b"junk",
                      "empty.json": b"", "page.html": b"<html>"})  # fmt: skip
    path = tmp_path / "r.zip"
    path.write_bytes(content)
    ids, rejected, notices = split(path)
    assert ids == IDS[:1]
    assert [each.place for each in rejected] == [f"{path}!NCT1.json"]
    assert [each.place.rpartition("!")[2] for each in notices] == [
        "Contents.txt", "empty.json", "page.html"
    ]  # fmt: skip


def test_a_member_with_a_wrong_checksum_is_rejected(tmp_path):
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, text in ONE_FILE_EACH.items():
            archive.writestr(name, text)
    path.write_bytes(path.read_bytes().replace(b"Iron pills for anemia", b"Iron pixls for anemia"))
    ids, (rejected,), _ = split(path)
    assert ids == [*IDS[:3], *IDS[4:]]
    assert "cannot be unpacked" in rejected.reason


def test_a_page_of_a_longer_search_result_gives_a_notice(tmp_path):
    path = tmp_path / "page.json"
    path.write_text(json.dumps({"studies": SIX, "nextPageToken": "abc"}))
    ids, _, (notice,) = split(path)
    assert ids == IDS
    assert "pages after it" in notice.message


def test_a_name_cannot_break_the_line_or_colour_the_terminal(tmp_path):
    path = tmp_path / "r.zip"
    path.write_bytes(zipped({"a\n\x1b[31mb.json": b"{broken", "c.json": LINES}))
    ids, (rejected,), _ = split(path)
    assert ids == IDS
    assert str(rejected).isprintable()


FAILURES = {
    "missing": (None, "no such file"),
    "empty": (b"", "empty"),
    "blank": (b" \n ", "empty"),
    "text": (b"Dear colleague,", "no study records"),
    "a csv of its header alone": (b"NCT Number,Study Title\n", "no usable study"),
    "html": (b"<!doctype html>", "XML or HTML"),
    "another object": (b'{"name": "package", "version": 1}', "API v2 layout"),
    "an empty array": (b"[]", "no usable study"),
    "an empty page": (b'{"studies": []}', "no usable study"),
    "only a record without NCT ID": (json.dumps(record(None, "x")).encode(), "no NCT ID"),
    "a zip of something else": (zipped({"notes.txt": b"hello"}), "notes.txt"),
    "an empty zip": (zipped({}), "no usable study"),
    "a cut zip": (FORMS["zip, one study a file"][:-30], "to its end"),
    "a cut gzip": (gzip.compress(LINES)[:-20], "to its end"),
    "a damaged gzip": (b"\x1f\x8b" + LINES, "to its end"),
    "JSON nested beyond measure": (b"[" * 200_000, "broken JSON"),
    "an array with a byte that is no UTF-8": (
        json.dumps(SIX).encode().replace(b"Iron", b"Ir\xe0n", 1), "after record 3"
    ),
    "a cut array": (json.dumps(SIX).encode()[:-40], "broken JSON after record 5"),
    "an array broken in the middle": (
        json.dumps(SIX).replace("Iron pills", 'Iron "pills').encode(), "after record 3"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
def test_a_source_that_cannot_be_read_to_its_end_gives_the_reason_in_one_line(tmp_path, case):
    content, reason = FAILURES[case]
    path = tmp_path / "source"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=reason) as caught:
        list(read_studies(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="folder is empty"):
        read_studies(tmp_path)


def test_a_draft_needs_no_nct_id(tmp_path):
    path = tmp_path / "draft.json"
    path.write_text(json.dumps(record(None, "A new trial"), indent=2))
    assert read_draft(path).title == "A new trial"
    assert read_draft(path).nct_id == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [(LINES.decode(), "contains 6 records"), ("{}", "not a usable study record")],
)
def test_a_draft_is_one_study_record(tmp_path, text, reason):
    path = tmp_path / "draft.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=reason):
        read_draft(path)


@pytest.mark.parametrize("text", ['{"title": "x"}', '[{"title": "x"}]', "A trial in children"])
def test_the_error_about_a_draft_that_is_not_a_record_points_to_an_example(tmp_path, text):
    path = tmp_path / "draft"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"; docs/forms\.md shows a draft$") as caught:
        read_draft(path)
    assert "--" not in caught.value.reason
    with pytest.raises(SourceError) as caught:
        list(read_studies(path))
    assert "docs/forms.md" not in caught.value.reason


def test_the_draft_in_the_documentation_can_be_read(tmp_path):
    document = (REPOSITORY / "docs" / "forms.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```json\n(.*?)```", document, re.DOTALL)
    path = tmp_path / "draft.json"
    path.write_text(text)
    draft = read_draft(path)
    assert all((draft.title, draft.summary, draft.conditions, draft.interventions))


def test_lone_surrogates_do_not_stop_a_build(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('[{"protocolSection": {"identificationModule": '
                    '{"nctId": "NCT00000102", "briefTitle": "a\\ud800b"}}}]')  # fmt: skip
    (study,) = read_studies(path)
    study.title.encode()


def test_months_are_read_whatever_the_language_of_the_system(monkeypatch):
    class Elsewhere(dt.date):
        def strftime(self, _):
            return f"{self.month}. Monat"

    with monkeypatch.context() as patched:
        patched.setattr(dt, "date", Elsewhere)
        read = runpy.run_path(vocabulary.__file__)["date"]
        dates = [read("March 2018"), read("May 3, 2018"), read("december 2020"), read("Mai 2018")]
    assert dates == ["2018-03", "2018-05-03", "2020-12", ""]


def test_a_file_of_nct_ids(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("# mine\nNCT101\n\nhttps://clinicaltrials.gov/study/NCT00000102\nnct101\n")
    assert read_ids(path) == IDS[:2]
    path.write_text("NCT101\nfoo\n")
    with pytest.raises(SourceError, match=r"ids.txt line 2: 'foo' is not an NCT ID"):
        read_ids(path)
    path.write_text("# none\n")
    with pytest.raises(SourceError, match="names no study"):
        read_ids(path)
    with pytest.raises(SourceError, match="No such file"):
        read_ids(tmp_path / "nowhere")
