"""Records as they really occur in the registry: withheld, partial, obsolete, mistyped.

The numbers are those of the checklist in the registry's reference that this project keeps.
"""

import gzip
import io
import json
import sys
import zipfile
from pathlib import Path

import pytest
from asking import similar_to_study
from conftest import SIX, record

from simsearch import Study, read_studies
from simsearch.errors import JudgedSetError, NothingToCompareError, SourceError
from simsearch.evaluation.judged import read_judged
from simsearch.index.opened import opened_index
from simsearch.records import Rejected, read_draft, read_ids
from simsearch.records.vocabulary import country, date, phases, status, study_type

WITHHELD_TITLE = "[Trial of device that is not approved or cleared by the U.S. FDA]"


@pytest.fixture
def read(tmp_path):
    """Read records given as objects; return the outcomes."""

    def _read(*records):
        path = tmp_path / "r.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in records))
        return list(read_studies(path))

    return _read


def test_1_a_withheld_study_is_kept_and_never_matched(build, read):
    withheld = {
        "protocolSection": {
            "identificationModule": {"nctId": "NCT00000107", "briefTitle": WITHHELD_TITLE,
                                     "officialTitle": WITHHELD_TITLE},
            "statusModule": {"overallStatus": "WITHHELD"},
            "sponsorCollaboratorsModule": {"leadSponsor": {"name": "[Redacted]"}},
        }
    }  # fmt: skip
    other = json.loads(json.dumps(withheld).replace("NCT00000107", "NCT00000108"))
    (study,) = read(withheld)
    assert (study.title, study.official_title, study.sponsor) == ("", "", "")
    index = opened_index(build([*SIX, withheld, other]).index)
    assert index.study("NCT107").status == "WITHHELD"
    with pytest.raises(NothingToCompareError, match="status WITHHELD"):
        similar_to_study(index, "NCT107")
    for nct_id in index.store.nct_ids()[:6]:
        found = {each.study.nct_id for each in similar_to_study(index, nct_id, 10)}
        assert not found & {"NCT00000107", "NCT00000108"}


def test_2_a_study_without_summary_conditions_or_interventions_is_compared_by_its_title(build):
    identification = {"nctId": "NCT00000107", "briefTitle": "Knee surgery"}
    bare = {"protocolSection": {"identificationModule": identification}}
    index = opened_index(build([*SIX, bare]).index)
    found = similar_to_study(index, "NCT107", 1)[0]
    assert found.study.nct_id == "NCT00000105"
    assert set(found.signals) == {"text", "lexical"}


@pytest.mark.parametrize(
    ("written", "read_as"), [("NCT 123", "NCT00000123"), (" nct00000123 ", "NCT00000123")]
)
def test_3_a_mistyped_id_is_corrected(read, written, read_as):
    assert read(record(written, "x"))[0].nct_id == read_as


def test_3_an_impossible_id_costs_only_its_record(read):
    outcomes = read(SIX[0], record("NCT00000000", "x"), record("EudraCT 2012", "y"), SIX[1])
    assert [type(each) for each in outcomes] == [Study, Rejected, Rejected, Study]


def test_6_an_intervention_without_a_type_has_none(read):
    trimmed = record("NCT00000107", "x")
    trimmed["protocolSection"]["armsInterventionsModule"] = {"interventions": [{"name": "Pills"}]}
    assert read(trimmed)[0].interventions[0].type == ""


@pytest.mark.parametrize(
    ("written", "kept"),
    [("2018", "2018"), ("2018-06", "2018-06"), ("2018-06-10", "2018-06-10"),
     ("June 2018", "2018-06"), ("June 5, 2018", "2018-06-05"), ("soon", ""), ("2018-6-1", ""),
     ("2018-13-01", ""), ("February 31, 2018", ""), ("0000", "")],
)  # fmt: skip
def test_7_a_partial_date_stays_as_precise_as_it_is(written, kept):
    assert date(written) == kept


@pytest.mark.parametrize(
    "written", ["Phase 1/Phase 2", "PHASE1/PHASE2", "PHASE1|PHASE2", "Phase 1|Phase 2"]
)
def test_8_two_phases_in_every_spelling(written):
    assert phases(written) == ("PHASE1", "PHASE2")


def test_8_not_applicable_is_a_phase_and_missing_is_none(read):
    assert phases("N/A") == phases("NA") == phases("Not Applicable") == ("NA",)
    assert phases("") == ()
    assert phases("Phase 0") == phases("Early Phase 1") == ("EARLY_PHASE1",)
    observational = record("NCT00000107", "x", phases=[])
    observational["protocolSection"]["designModule"]["studyType"] = "OBSERVATIONAL"
    (study,) = read(observational)
    assert (study.phases, study.study_type) == ((), "OBSERVATIONAL")


def test_9_unknown_status_is_one_word():
    assert status("Unknown status") == status("UNKNOWN") == "UNKNOWN"
    assert status("Active, not recruiting") == "ACTIVE_NOT_RECRUITING"
    assert status("Something new") == "SOMETHING_NEW"


@pytest.mark.parametrize(("count", "kept"), [(99_999_999, None), (10_000_000, 10_000_000), (0, 0)])
def test_10_the_enrollment_sentinel_is_unknown_and_other_counts_are_real(read, count, kept):
    assert read(record("NCT00000107", "x", enrollment=count))[0].enrollment == kept


def test_16_many_conditions_are_kept(build):
    many = record("NCT00000107", "Iron", [f"Anemia {n}" for n in range(136)])
    many["protocolSection"]["conditionsModule"]["keywords"] = [f"k {n}" for n in range(489)]
    many["protocolSection"]["contactsLocationsModule"]["locations"] *= 1412
    study = opened_index(build([*SIX, many]).index).study("NCT107")
    assert (len(study.conditions), len(study.keywords), study.countries) == (136, 489, ("France",))


def test_17_a_removed_country_is_not_a_location(read):
    removed = record("NCT00000107", "x")
    removed["derivedSection"]["miscInfoModule"] = {"removedCountries": ["Poland"]}
    assert read(removed)[0].countries == ("France",)


@pytest.mark.parametrize(
    ("old", "new"),
    [("Korea, Republic of", "South Korea"), ("Turkey (Türkiye)", "Turkey"),
     ("Czech Republic", "Czechia"), ("France", "France"), ("Atlantis", "Atlantis")],
)  # fmt: skip
def test_18_a_renamed_country_has_one_name(old, new):
    assert country(old) == new


def test_20_an_nct_id_among_secondary_ids_is_a_mention_and_not_an_alias(read):
    linked = record("NCT00000107", "x")
    linked["protocolSection"]["identificationModule"]["secondaryIdInfos"] = [
        {"id": "NCT00000101", "type": "REGISTRY"}
    ]
    (study,) = read(linked)
    assert (study.aliases, study.mentions) == ((), ("NCT00000101",))


def test_an_expanded_access_record_is_a_study(read):
    expanded = record("NCT00000107", "Access to pills", status="AVAILABLE", phases=[])
    expanded["protocolSection"]["designModule"] = {"studyType": "EXPANDED_ACCESS"}
    (study,) = read(expanded)
    assert (study.study_type, study.status, study.phases) == ("EXPANDED_ACCESS", "AVAILABLE", ())
    assert study_type("Expanded Access:Intermediate-size Population") == "EXPANDED_ACCESS"


def test_null_is_absent(read):
    section = dict.fromkeys(("statusModule", "designModule", "conditionsModule"))
    (study,) = read({"protocolSection": {
        "identificationModule": {"nctId": "NCT00000107", "briefTitle": "x", "acronym": None},
        **section}, "derivedSection": None, "hasResults": None})  # fmt: skip
    assert study == Study(nct_id="NCT00000107", title="x")


# Files that are no records, and streams that never end

SETTINGS = {
    "setup.cfg": "[metadata]\nname = iron\n",
    "pyproject.toml": '[[tool.poetry.source]]\nname = "iron"\n',
    "notes.txt": "[1] Smith et al., Iron pills, 2020\n",
    "list.json": '[{name: "iron"}]',
    "numbers.json": "[1, 2",
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
def test_a_foreign_file_that_begins_with_a_bracket_is_left_out_with_a_note(tmp_path, name, packed):
    study = json.dumps(record("NCT00000101", "Iron"))
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / "a.json").write_text(f"[{study}]")
    (folder / name).write_text(SETTINGS[name])
    source = folder
    if packed:
        source = tmp_path / "records.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in folder.iterdir():
                archive.write(path, path.name)
    found = list(read_studies(source))
    assert [each.nct_id for each in found if isinstance(each, Study)] == ["NCT00000101"]
    (notice,) = [each for each in found if not isinstance(each, Study)]
    assert notice.message.startswith("left out: ")
    assert name in notice.place


@pytest.mark.parametrize("n_whole", [0, 1])
def test_an_array_of_studies_that_breaks_off_still_stops_a_build(tmp_path, n_whole):
    study = json.dumps(record("NCT00000101", "Iron"))
    (tmp_path / "a.json").write_text("[" + f"{study}," * n_whole + study[:-20])
    with pytest.raises(SourceError, match="the rest is lost"):
        list(read_studies(tmp_path))


@pytest.mark.parametrize("junk", [b"junk" * 50, b"\n", b"\0\0x"])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_junk_after_gzip_is_left_out_with_a_note(tmp_path, junk, end):
    path = tmp_path / "records.jsonl.gz"
    text = json.dumps(record("NCT00000101", "Iron")).encode() + end
    path.write_bytes(gzip.compress(text) + junk)
    study, notice = read_studies(path)
    assert study.nct_id == "NCT00000101"
    assert notice.message == "left out: the bytes after the compressed data"


def test_members_of_gzip_and_the_zeros_after_them_are_read(tmp_path):
    path = tmp_path / "records.jsonl.gz"
    lines = [json.dumps(record(f"NCT{n:08}", "Iron")).encode() + b"\n" for n in (1, 2, 3)]
    path.write_bytes(b"".join(map(gzip.compress, lines)) + b"\0" * 512)
    assert [study.nct_id for study in read_studies(path)] == [f"NCT{n:08}" for n in (1, 2, 3)]


READERS = {
    "draft": read_draft,
    "IDs": read_ids,
    "judged": lambda path: read_judged(Path(path)),
    "records": lambda path: list(read_studies(path)),
}


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="has no such device")
@pytest.mark.parametrize("name", READERS)
def test_a_device_that_never_ends_is_refused(name):
    with pytest.raises((SourceError, JudgedSetError), match=r"^/dev/zero.* (longer than|no study)"):
        READERS[name]("/dev/zero")


def test_a_draft_on_standard_input_that_never_ends_is_refused(monkeypatch, tmp_path):
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            text = b'{"protocolSection": {}}\n' * (len(buffer) // 24 + 1)
            buffer[:] = text[: len(buffer)]
            return len(buffer)

    class Input:
        buffer = io.BufferedReader(Endless())

    monkeypatch.setattr(sys, "stdin", Input)
    with pytest.raises(SourceError, match=r"standard input: is longer than 268,435,456 bytes"):
        read_draft("-")


def test_a_folder_is_not_walked_for_a_draft(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(record("NCT00000101", "Iron")))
    with pytest.raises(SourceError, match=r"is a folder: name the file of one record$"):
        read_draft(tmp_path)


@pytest.mark.parametrize(("n", "said"), [(2, "2"), (100, "100"), (101, "more than 100")])
def test_of_many_records_no_more_are_read_than_a_person_needs(tmp_path, n, said):
    path = tmp_path / "records.jsonl"
    path.write_text((json.dumps(record("NCT00000101", "Iron")) + "\n") * n)
    with pytest.raises(SourceError, match=f"contains {said} records instead of one"):
        read_draft(path)


def test_a_list_with_a_byte_order_mark_and_one_of_bytes(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_bytes(b"\xef\xbb\xbfNCT00000101\n")
    assert read_ids(path) == ["NCT00000101"]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SourceError, match="is not UTF-8 text"):
        read_ids(path)
