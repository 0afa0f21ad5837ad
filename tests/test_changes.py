"""The studies that differ between two generations."""

import shutil
from types import SimpleNamespace

import msgspec
import pytest
from conftest import SIX, WordEncoder, record
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch import build_index, read_studies
from simsearch.cli.hints import line_of
from simsearch.diff.changes import Comparison, compare
from simsearch.diff.fields import KINDS, changed_fields
from simsearch.errors import GenerationNameError, IndexNotFoundError, NoEarlierGenerationError
from simsearch.facts import Arm, Facts, Outcome, Site
from simsearch.index import studies as store_module
from simsearch.index.studies import StudyStore
from simsearch.index.study_tables import COMPARED
from simsearch.index.study_writer import write_store
from simsearch.records import Gone
from simsearch.study import Study

IRON = SIX[3]


@pytest.fixture
def compared(tmp_path):
    """Compare two lists of studies."""

    def _compared(old, new, gone=(), survivors=()):
        for folder in ("old", "new"):
            (tmp_path / folder).mkdir()
        write_store(tmp_path / "old" / "s", old)
        write_store(tmp_path / "new" / "s", new, gone, dict(survivors))
        before, after = (
            SimpleNamespace(store=StudyStore(tmp_path / name / "s")) for name in ("old", "new")
        )
        return Comparison(before, after)

    return _compared


def study(number, **fields):
    return Study(nct_id=f"NCT{number:08}", **fields)


def test_every_field_of_a_study_that_is_compared_is_of_one_kind():
    named = [name for names in KINDS.values() for name in names]
    assert len(named) == len(set(named))
    assert {name for name in named if name not in Facts.__struct_fields__} == set(COMPARED)
    assert set(COMPARED) == set(Study.__struct_fields__) - {"nct_id", "data_version", "facts"}


def test_studies_come_in_the_order_of_nct_ids_with_what_became_of_them(compared):
    old = [study(1), study(2, status="RECRUITING"), study(4), study(5)]
    new = [study(2, status="COMPLETED"), study(3), study(5)]
    found = [(each.study.nct_id, each.event) for each in compared(old, new).studies()]
    assert found == [
        ("NCT00000001", "gone"), ("NCT00000002", "changed"), ("NCT00000003", "added"),
        ("NCT00000004", "gone"),
    ]  # fmt: skip


def test_a_changed_study_is_as_it_is_now_with_each_field_as_it_was(compared):
    old = study(1, status="RECRUITING", enrollment=30, phases=("PHASE1",), summary="Old")
    new = study(1, status="COMPLETED", enrollment=30, phases=("PHASE2",), summary="New")
    (change,) = compared([old], [new]).studies()
    assert change.study == new
    assert [(field.name, field.old, field.new) for field in change.fields] == [
        ("status", "RECRUITING", "COMPLETED"), ("phases", ("PHASE1",), ("PHASE2",)),
        ("summary", "Old", "New"),
    ]  # fmt: skip
    assert change.kinds == ("status", "design", "texts")


def test_counts_are_known_at_once_and_kinds_after_the_studies(compared):
    old = [study(1), study(2, status="RECRUITING"), study(3)]
    new = [study(2, status="COMPLETED"), study(3, has_results=True), study(4), study(5)]
    both = compared(old, new)
    assert both.counts == {"added": 2, "changed": 2, "gone": 1}
    for _ in range(2):  # counted anew each time
        list(both.studies())
        assert both.kinds == {"status": 1, "results": 1}


def test_the_same_studies_differ_in_nothing(compared):
    both = compared([study(1), study(2)], [study(1), study(2)])
    assert not both
    assert list(both.studies()) == []


def test_another_download_of_the_same_record_is_no_change(compared):
    assert not compared(
        [study(1, data_version="2026-11-23")], [study(1, data_version="2026-11-24")]
    )


def test_an_update_of_parts_that_are_not_kept_is_of_the_kind_other(compared):
    old, new = study(1, last_update_date="2026-11-01"), study(1, last_update_date="2026-11-20")
    (change,) = compared([old], [new]).studies()
    assert change.kinds == ("other",)


def test_the_date_of_the_update_is_not_told_beside_what_was_updated():
    old = study(1, last_update_date="2026-11-01", acronym="ONE")
    new = study(1, last_update_date="2026-11-20", acronym="TWO")
    assert [field.name for field in changed_fields(old, new)] == ["acronym"]


def facts_changed(compared, old, new):
    """Return field → old, new of a study with these facts whose record was updated."""
    before, after = (
        study(1, last_update_date=date, facts=facts)
        for date, facts in (("2026-11-01", old), ("2026-11-20", new))
    )
    (change,) = compared([before], [after]).studies()
    return change.kinds, {field.name: (field.old, field.new) for field in change.fields}


def test_facts_of_a_changed_study_are_compared_too(compared):
    old = Facts(masking="NONE", arms=(Arm("Pills"),), criteria="Adults")
    new = Facts(
        masking="DOUBLE", arms=(Arm("Pills"), Arm("Placebo")), criteria="Adults\nNo iron",
        primary_outcomes=(Outcome("Relapse", "1 year"),),
    )  # fmt: skip
    kinds, fields = facts_changed(compared, old, new)
    assert kinds == ("design", "outcomes", "arms", "eligibility")
    assert fields == {
        "masking": ("NONE", "DOUBLE"),
        "primary_outcomes": ((), (Outcome("Relapse", "1 year"),)),
        "arms": (old.arms, new.arms),
        "criteria": ("Adults", "Adults\nNo iron"),
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, Facts(masking="DOUBLE")),
        (Facts(masking="DOUBLE"), None),
        (Facts(criteria="Adults", sex="ALL"), Facts(sex="ALL")),
        (
            Facts(sites=(Site("France", "A", latitude=1.0), Site("Italy", "B"))),
            Facts(sites=(Site("Italy", "B", zip="2"), Site("France", "A", latitude=1.5))),
        ),
    ],
    ids=["none before", "none now", "criteria not kept", "sites in another order"],
)
def test_facts_that_one_index_does_not_keep_have_not_changed(compared, old, new):
    kinds, fields = facts_changed(compared, old, new)
    assert kinds == ("other",)
    assert list(fields) == ["last_update_date"]


def test_a_study_that_was_merged_says_into_which(compared):
    old = [study(1), study(2)]
    new = [study(2, aliases=("NCT00000001",))]
    gone, survivor = compared(old, new).studies()
    assert (gone.event, gone.became) == ("gone", "NCT00000002")
    assert survivor.kinds == ("numbers",)


def test_a_study_that_left_the_registry_says_when(compared):
    left = Gone("NCT00000001", "2026-11-20", "")
    (change,) = compared([study(1), study(2)], [study(2)], [left]).studies()
    assert (change.since, change.became) == ("2026-11-20", "")


def test_large_stores_are_compared_block_by_block(compared, monkeypatch):
    monkeypatch.setattr(store_module, "_BLOCK", 3)
    old = [study(n) for n in range(1, 20)]
    new = [study(n, title="x" if n % 5 == 0 else "") for n in range(4, 25)]
    found = [(int(each.study.nct_id[3:]), each.event) for each in compared(old, new).studies()]
    assert found == [
        *((n, "gone") for n in (1, 2, 3)), *((n, "changed") for n in (5, 10, 15)),
        *((n, "added") for n in range(20, 25)),
    ]  # fmt: skip


corpora = st.dictionaries(
    st.integers(1, 30), st.sampled_from(["", "a", "b"]), min_size=1, max_size=12
)  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(corpora, corpora)
def test_the_difference_is_that_of_the_two_sets(tmp_path_factory, old, new):
    folder = tmp_path_factory.mktemp("stores")
    for name, corpus in (("old", old), ("new", new)):
        write_store(folder / name, [study(n, title=corpus[n]) for n in sorted(corpus)])
    before, after = (SimpleNamespace(store=StudyStore(folder / name)) for name in ("old", "new"))
    found = {int(e.study.nct_id[3:]): e.event for e in Comparison(before, after).studies()}
    both = old.keys() & new.keys()
    assert found == {
        **dict.fromkeys(old.keys() - both, "gone"),
        **dict.fromkeys(new.keys() - both, "added"),
        **{n: "changed" for n in both if old[n] != new[n]},
    }


def test_without_names_the_generation_before_is_compared_with_the_one_that_answers(build):
    first = build()
    second = build([*SIX, record("NCT00000107", "Iron drops", ["Anemia"])])
    with compare(second.index) as both:
        assert both.old.generation.manifest.generation == first.generation
        assert both.new.generation.manifest.generation == second.generation
        assert both.counts == {"added": 1, "changed": 0, "gone": 0}


def names(report, *, previous=None):
    """Rename the generations of an index to 20200101…-aaaaaa, 20200102…-bbbbbb, oldest first."""
    folder = report.index / "generations"
    new = ["20200101T000000Z-aaaaaa", "20200102T000000Z-bbbbbb", "20200102T120000Z-cccccc"]
    there = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for path, name in zip(there, new, strict=False):
        manifest = msgspec.json.decode((path / "manifest.json").read_bytes())
        manifest |= {"generation": name, "previous": previous or "", "checksum": ""}
        (path / "manifest.json").write_bytes(msgspec.json.encode(manifest))
        path.rename(folder / name)
    (report.index / "CURRENT").write_text(new[len(there) - 1] + "\n")
    return new[: len(there)]


def compared_names(*args):
    with compare(*args) as both:
        return [index.generation.manifest.generation for index in (both.old, both.new)]


@pytest.mark.parametrize(
    "start",
    ["20200101T000000Z-aaaaaa", "20200101", "2020-01-01", "20200101t00", "2020-01-01 00:00"],
)
def test_a_generation_is_named_by_the_start_of_its_name(build, start):
    build()
    report = build()
    there = names(report)
    assert compared_names(report.index, start) == there


def test_both_generations_can_be_named_in_either_order(build):
    build()
    report = build()
    first, second = names(report)
    assert compared_names(report.index, second, first) == [second, first]


def test_another_index_is_named_by_its_folder(build, tmp_path):
    report = build()
    other = build_index(read_studies(tmp_path / "records.jsonl"), tmp_path / "other", WordEncoder())
    assert compared_names(report.index, str(other.index)) == [other.generation, report.generation]


def test_a_name_that_is_none_is_refused_with_those_that_are_there(build):
    build()
    report = build()
    there = names(report)
    with pytest.raises(GenerationNameError, match="'2019' matches no generation") as caught:
        compare(report.index, "2019")
    assert sorted(caught.value.there) == there
    assert all(name in str(caught.value) for name in there)


def test_a_start_of_several_names_is_refused_with_them(build):
    build()
    report = build()
    first, second = names(report)
    with pytest.raises(GenerationNameError, match=r"matches 2 generations: .*give more") as caught:
        compare(report.index, "202001")
    assert sorted(caught.value.meant) == [first, second]


@pytest.mark.parametrize("name", ["-", "../generations", " "])
def test_a_name_without_a_letter_of_one_means_none(build, name):
    report = build()
    with pytest.raises(GenerationNameError, match="matches no generation"):
        compare(report.index, name)


def test_the_only_generation_has_none_to_be_compared_with(build):
    report = build()
    with pytest.raises(NoEarlierGenerationError, match="no generation before") as caught:
        compare(report.index)
    assert (caught.value.name, caught.value.there) == (report.generation, [])
    assert "the next rebuild makes one" in line_of(caught.value)


def test_the_first_generation_answers_again_and_the_later_ones_are_offered(build):
    build()
    report = build()
    first, second = names(report)
    (report.index / "CURRENT").write_text(first + "\n")
    with pytest.raises(NoEarlierGenerationError, match=f"no generation before {first}") as caught:
        compare(report.index)
    assert caught.value.there == [second]
    assert f"give one of {second} as OLD" in line_of(caught.value)
    assert compared_names(report.index, second) == [second, first]


def test_where_the_generation_before_was_removed_the_newest_older_one_is_taken(build):
    build()
    report = build()
    there = names(report, previous="20191231T000000Z-ffffff")
    assert compared_names(report.index) == there


def test_a_folder_without_an_index_is_refused(tmp_path):
    with pytest.raises(IndexNotFoundError):
        compare(tmp_path / "nothing")


def test_another_encoder_is_another_recipe(build, tmp_path):
    class Other(WordEncoder):
        fingerprint = "ten other words"

    report = build()
    shutil.copytree(report.index, tmp_path / "old")
    other = build_index(read_studies(tmp_path / "records.jsonl"), report.index, Other())
    with compare(other.index, str(tmp_path / "old")) as both:
        assert not both.same_recipe
        assert not both
    with compare(tmp_path / "old", str(tmp_path / "old")) as both:
        assert both.same_recipe
