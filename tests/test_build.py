"""Records → published index: what is in it, what is counted, what is refused."""

import json

import numpy as np
import pytest
from asking import similar_to_study
from conftest import SIX, WordEncoder, record
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch import build_index, read_studies
from simsearch.cli.hints import line_of
from simsearch.errors import PublishError, RejectedRecordsError, SourceError, VerificationError
from simsearch.index.manifest import sha256_of
from simsearch.index.opened import opened_index
from simsearch.index.terms import LEXICAL_FILES
from simsearch.index.verify import verify_generation, verify_index


def neighbours(index, nct_id="NCT00000101", k=5):
    return [(each.study.nct_id, each.similarity) for each in similar_to_study(index, nct_id, k)]


def test_the_report_counts_what_happened(build, encoder):
    trimmed = {"protocolSection": {"identificationModule": {"nctId": "NCT00000107"}}}
    report = build([*SIX, SIX[0], record(None, "No ID"), trimmed], allow_rejects=True)
    assert (report.n_records, report.n_studies, report.n_duplicates) == (9, 7, 1)
    assert report.n_rejected == 1
    assert report.reject_reasons == {"the record has no NCT ID": 1}
    assert report.rejected_examples[0].place.endswith("line 8")
    assert report.empty_fields == {"text": 1, "conditions": 1, "interventions": 2}
    # six whole texts; conditions: Aplasia, Aplasia; Anemia, Anemia, Knee; five interventions
    assert (report.n_texts, report.n_encoded, report.n_reused) == (17, 15, 2)
    assert sorted(encoder.encoded) == sorted(set(encoder.encoded))
    assert report.n_truncated == 1  # the third text has 13 words, and 12 is the limit
    assert report.records_date == "2021-05-06"
    assert report.bytes == sum(
        path.stat().st_size
        for path in (report.index / "generations" / report.generation).iterdir()
        if path.name != "manifest.json"
    )
    stages = ["reading", "storing", "encoding", "weighing", "writing", "publishing"]
    assert list(report.seconds) == stages


def test_the_manifest_records_recipe_sources_and_versions(build, encoder):
    manifest = opened_index(build().index).generation.manifest
    assert manifest.n_studies == 6
    assert manifest.field_coverage == {"text": 6, "conditions": 6, "interventions": 5}
    assert manifest.recipe.fingerprint == encoder.fingerprint
    assert manifest.sources[0].name.endswith("records.jsonl")
    assert len(manifest.sources[0].sha256) == 64
    assert {"python", "numpy", "faiss-cpu", "simsearch"} <= set(manifest.versions)
    assert set(manifest.files) == {
        "conditions.npy", "interventions.npy", "studies.sqlite", "text.faiss", "random-pairs.npy",
        "profile-starts.npy", "profile-terms.npy", "profile-traits.npy", "profile-means.npy",
        "random-pairs-learned.npy",
        "synonyms.json", *LEXICAL_FILES,
    }  # fmt: skip


def test_rows_are_unit_or_zero_and_in_the_order_of_ids(six):
    assert six.store.nct_ids() == sorted(six.store.nct_ids())
    for field in ("text", "conditions", "interventions"):
        rows = six.rows(field, np.arange(6)).astype(np.float64)
        assert np.linalg.norm(rows, axis=1) == pytest.approx(
            rows.any(axis=1).astype(float), abs=1e-3
        )
    assert not six.rows("interventions", np.array([5])).any()


@settings(deadline=None, max_examples=15)
@given(st.permutations(range(6)))
def test_the_order_of_the_records_makes_no_difference(tmp_path_factory, order):
    built = []
    for each in (range(6), order):
        folder = tmp_path_factory.mktemp("build")
        path = folder / "r.jsonl"
        path.write_text("".join(json.dumps(SIX[n]) + "\n" for n in each))
        report = build_index(read_studies(path), folder / "index", WordEncoder())
        files = report.index / "generations" / report.generation
        built.append({p.name: p.read_bytes() for p in files.iterdir() if p.name != "manifest.json"})
    assert built[0] == built[1]


@pytest.mark.parametrize("reverse", [False, True])
def test_the_newest_record_of_an_id_wins(build, reverse):
    old = record("NCT00000101", "Iron pills", updated="2019-01-01")
    new = record("NCT00000101", "Marrow pills", updated="2022-01-01")
    report = build([new, old] if reverse else [old, new])
    assert report.n_duplicates == 1
    assert opened_index(report.index).study("NCT00000101").title == "Marrow pills"


@pytest.mark.parametrize("reverse", [False, True])
def test_of_two_records_of_one_day_the_later_download_then_the_richer_wins(build, reverse):
    poor = record("NCT00000101", "Iron pills")
    rich = record("NCT00000101", "Iron pills", ["Anemia"], summary="For adults.")
    report = build([poor, rich][:: -1 if reverse else 1])
    assert opened_index(report.index).study("NCT00000101").conditions == ("Anemia",)
    poor["derivedSection"]["miscInfoModule"] = {"versionHolder": "2025-12-09"}
    report = build([poor, rich][:: -1 if reverse else 1])
    assert opened_index(report.index).study("NCT00000101").conditions == ()


def test_a_study_under_its_obsolete_number_is_merged_into_the_one_it_became(build):
    report = build([*SIX, record("NCT00000901", "Drops for aplasia", updated="2023-01-01")])
    assert report.n_studies == 6
    assert report.n_duplicates == 1
    assert any("NCT00000901" in note.place for note in report.notices)
    index = opened_index(report.index)
    assert index.study("NCT00000901").nct_id == "NCT00000102"
    assert "NCT00000102" not in dict(neighbours(index, "NCT00000901"))


def test_of_two_studies_that_list_each_other_the_newer_remains(build):
    first = record("NCT00000201", "Iron", aliases=["NCT00000202"], updated="2020-01-01")
    second = record("NCT00000202", "Iron", aliases=["NCT00000201"], updated="2021-01-01")
    assert opened_index(build([first, second]).index).store.nct_ids() == ["NCT00000202"]


def test_a_chain_of_obsolete_numbers_leads_to_the_last_study(build):
    first = record("NCT00000201", "Iron", aliases=["NCT00000200"])
    second = record("NCT00000202", "Iron", aliases=["NCT00000201"])
    third = record("NCT00000203", "Iron", aliases=["NCT00000202"])
    index = opened_index(build([*SIX, first, second, third]).index)
    assert index.store.nct_ids()[-1] == "NCT00000203"
    assert index.n_studies == 7
    for number in ("NCT200", "NCT201", "NCT202", "NCT203"):
        assert index.study(number).nct_id == "NCT00000203"


def test_of_a_circle_the_newest_remains(build):
    circle = [
        record(f"NCT0000020{n}", "Iron", aliases=[f"NCT0000020{n % 3 + 1}"], updated=f"202{n}-01")
        for n in (1, 2, 3)
    ]
    index = opened_index(build([*SIX, *circle]).index)
    assert index.store.nct_ids()[6:] == ["NCT00000203"]
    assert index.study("NCT00000201").nct_id == "NCT00000203"


def test_an_obsolete_number_of_two_studies_leads_to_the_newer_as_reported(build):
    old = record("NCT00000201", "Iron")
    first = record("NCT00000202", "Iron", aliases=["NCT00000201"], updated="2020-01-01")
    second = record("NCT00000203", "Iron", aliases=["NCT00000201"], updated="2021-01-01")
    report = build([old, first, second])
    assert "obsolete number of NCT00000203" in report.notices[0].message
    assert opened_index(report.index).study("NCT00000201").nct_id == "NCT00000203"


def test_aliases_of_an_older_record_of_a_study_do_not_count(build):
    old = record("NCT00000201", "Iron", aliases=["NCT00000202"], updated="2019-01-01")
    new = record("NCT00000201", "Iron", updated="2022-01-01")
    other = record("NCT00000202", "Marrow")
    for order in ([old, new, other], [new, old, other]):
        index = opened_index(build(order).index)
        assert index.store.nct_ids() == ["NCT00000201", "NCT00000202"]


def test_reasons_are_counted_by_kind_and_few_notices_are_shown(build):
    bad = [record(f"NCT 0{'0' * n}", "x") for n in range(30)]
    merged = [record(f"NCT{n:08}", "Iron", aliases=[f"NCT{n + 5000:08}"]) for n in range(300, 340)]
    old = [record(f"NCT{n + 5000:08}", "Iron") for n in range(300, 340)]
    report = build([*SIX, *merged, *old, *bad], allow_rejects=True)
    assert len(report.reject_reasons) == 1
    assert len(report.notices) == 5
    assert report.n_notices == 40


def test_a_reason_keeps_a_number_that_belongs_to_a_name(build):
    report = build([*SIX, {"nctId": "NCT00000107"}, {"rank": 2}], allow_rejects=True)
    assert report.reject_reasons == {"not a study record in API v2 layout": 2}


def test_impossible_enrollments_are_unknown(build):
    odd = [record(f"NCT0000020{n}", "Iron", enrollment=count)
           for n, count in enumerate((-1, 2**62, 2**63, 10**30))]  # fmt: skip
    report = build([*SIX, *odd], allow_rejects=True)
    index = opened_index(report.index)
    assert index.study("NCT201").enrollment is None


def test_more_than_one_percent_rejected_publishes_nothing(build, tmp_path):
    records = [record(f"NCT{n:08}", "Iron pills") for n in range(1, 100)]
    with pytest.raises(RejectedRecordsError, match=r"2 of 101 records.*line 100") as caught:
        build([*records, record(None, "a"), record(None, "b")])
    assert "--allow-rejects" in line_of(caught.value)
    assert not (tmp_path / "index" / "CURRENT").exists()
    assert build([*records, record(None, "a")]).n_rejected == 1  # 1 of 100 is not more
    assert build([*records, *[record(None, "a")] * 30], allow_rejects=True).n_rejected == 30


def test_studies_without_any_text_are_kept_and_never_neighbours(build):
    withheld = record(
        "NCT00000107",
        "[Trial of device that is not approved or cleared by the U.S. FDA]",
        status="WITHHELD",
    )
    withheld["protocolSection"]["conditionsModule"] = {}
    index = opened_index(build([*SIX, withheld]).index)
    assert index.study("NCT00000107").status == "WITHHELD"
    assert len(neighbours(index, k=100)) == 5


def test_records_without_a_single_text_are_refused(build):
    bare = {"protocolSection": {"identificationModule": {"nctId": "NCT00000107"}}}
    with pytest.raises(SourceError, match="no study has a text"):
        build([bare])


def test_a_second_build_writes_the_same_files(build):
    first, second = build(), build()
    assert first.generation != second.generation
    files = [
        {
            path.name: path.read_bytes()
            for path in (report.index / "generations" / report.generation).iterdir()
            if path.name != "manifest.json"
        }
        for report in (first, second)
    ]
    assert files[0] == files[1]


def test_progress_comes_for_each_stage_and_reaches_the_end(build):
    seen = {}
    build(
        progress=lambda stage, done, total, unit: seen.setdefault(stage, []).append((done, total))
    )
    assert list(seen) == ["reading", "storing", "encoding", "weighing", "profiling"]
    for counts in seen.values():
        assert counts == sorted(counts)
        assert counts[-1][0] == counts[-1][1]


class _BadEncoder(WordEncoder):
    def __init__(self, spoil):
        super().__init__()
        self._spoil = spoil

    def encode(self, texts):
        return self._spoil(super().encode(texts))


@pytest.mark.parametrize(
    "spoil",
    [lambda rows: rows * 2, lambda rows: np.where(rows > 0, np.nan, rows)],
    ids=["long rows", "not a number"],
)
def test_an_index_that_fails_its_check_is_not_published(build, tmp_path, write, spoil):
    before = build().generation
    with pytest.raises(VerificationError, match="fails its check of the text vectors"):
        build_index(read_studies(write()), tmp_path / "index", _BadEncoder(spoil))
    assert opened_index(tmp_path / "index").generation.manifest.generation == before


def test_verify_accepts_a_good_index(six):
    verify_index(six)


class _FullDisk(WordEncoder):
    def encode(self, texts):
        raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_the_current_index(build, tmp_path, write):
    before = build().generation
    with pytest.raises(PublishError, match=r"No space left on device.*untouched"):
        build_index(read_studies(write()), tmp_path / "index", _FullDisk())
    assert opened_index(tmp_path / "index").generation.manifest.generation == before
    assert [path.name for path in (tmp_path / "index" / "generations").iterdir()] == [before]


def grown(n):
    more = (record(f"NCT{300 + k:08}", f"Iron pills {k}", ["Anemia"]) for k in range(n))
    return [*SIX, *more]


def test_a_kept_fit_is_that_of_the_generation_it_was_fitted_in(build):
    first = build(grown(100))
    assert first.fitted == first.generation
    second = build(grown(101), keep_fit=True)
    assert second.fitted == first.generation
    manifest = opened_index(build(grown(102), keep_fit=True).index).generation.manifest
    assert (manifest.fitted, manifest.n_fitted) == (first.generation, 106)
    assert build(grown(102)).fitted != first.generation


def test_terms_are_fitted_again_when_the_corpus_has_grown(build):
    first = build(grown(100))
    drifted = build(grown(106), keep_fit=True, allow_moved=True)  # from 106 studies to 112
    assert drifted.fitted == drifted.generation != first.generation


def test_with_a_kept_fit_the_rows_of_unchanged_studies_stay(build):
    build(grown(100))
    index = opened_index(build(grown(103), keep_fit=True).index)
    anew = opened_index(build(grown(100), allow_shrink=True).index)
    names = [each.lexical.terms[each.lexical.row(2).terms].tolist() for each in (index, anew)]
    assert names[0] == names[1]
    assert index.lexical.row(2).weights.tolist() == anew.lexical.row(2).weights.tolist()


def spoiled(index, name, spoil):
    """Change an array of the current generation, and its checksum in the manifest."""
    generation = opened_index(index).generation
    path = generation.path / name
    array = np.load(path)
    np.save(path, spoil(array))
    manifest = json.loads((generation.path / "manifest.json").read_text())
    manifest.pop("checksum")
    manifest["files"][name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    (generation.path / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("name", "what"),
    [("conditions.npy", "other studies"), ("lexical-row-terms.npy", "another text")],
)
def test_rows_of_other_studies_are_detected(build, name, what):
    index = build().index
    verify_generation(index)
    spoiled(index, name, lambda array: np.roll(array, 1, axis=0))
    with pytest.raises(VerificationError, match=what):
        verify_generation(index)


def test_postings_that_lead_elsewhere_are_detected(build):
    index = build().index
    spoiled(index, "lexical-posting-rows.npy", lambda array: (array + 1) % 6)
    with pytest.raises(VerificationError, match="not found by its own"):
        verify_generation(index)
