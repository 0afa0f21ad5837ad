"""The demo collection and the index that ships with the package."""

import json
import re
import subprocess
import sys
import zipfile

import pytest
from asking import similar_to_study
from conftest import REPOSITORY
from msgspec.structs import replace

from simsearch import Study, build_index, read_studies
from simsearch.index.directory import demo_index, verify_checksums
from simsearch.index.opened import opened_index
from simsearch.index.verify import verify_index

RECORDS = REPOSITORY / "index" / "demo.jsonl"
FACTS = (
    "title", "status", "phases", "study_type", "conditions", "interventions", "sponsor",
    "countries", "start_date", "last_update_date", "enrollment",
)  # fmt: skip
NAMED = {"NCT03540472", "NCT00977691", "NCT03206086", "NCT06300723", "NCT03364764"}


@pytest.fixture(scope="module")
def demo():
    return opened_index(demo_index())


@pytest.fixture(scope="module")
def studies():
    return list(read_studies(RECORDS))


def test_it_holds_over_200_studies_of_blood_disease(studies):
    assert len(studies) >= 200
    assert all(isinstance(study, Study) for study in studies)
    assert {study.nct_id for study in studies} >= NAMED
    text = " ".join(f"{s.title} {'; '.join(s.conditions)}".lower() for s in studies)
    for disease in ("aplastic anemia", "pure red cell aplasia", "fanconi", "blackfan", "sickle",
                    "thalassemia", "iron deficiency", "renal", "chemotherapy", "hemolytic",
                    "immune thrombocytopenia", "myelodysplastic"):  # fmt: skip
        assert disease in text, disease


def test_summaries_are_short(studies):
    for study in studies:
        assert 40 <= len(study.summary) <= 500, study.nct_id
        assert len(re.findall(r"[.?](?= [A-Z]|$)", study.summary)) <= 4, study.nct_id


def test_the_index_is_whole_and_small(demo):
    verify_checksums(demo.generation)
    verify_index(demo)
    assert demo.generation.bytes < 4_000_000
    assert "/" not in demo.generation.manifest.sources[0].name.removeprefix("index/")


def test_the_index_is_made_from_the_records(demo, studies):
    assert demo.store.nct_ids() == sorted(study.nct_id for study in studies)
    for study in studies:
        assert demo.study(study.nct_id) == study


def test_the_first_query_finds_the_same_teams_trial_in_the_same_disease(demo):
    found = [each.study for each in similar_to_study(demo, "NCT03540472", 4)]
    assert found[0].nct_id == "NCT03364764"  # sirolimus for refractory pure red cell aplasia
    assert all(re.search("red.cell aplasia|PRCA", study.title, re.IGNORECASE) for study in found)


@pytest.mark.model
def test_building_it_again_finds_the_same_neighbours(demo, minilm, tmp_path):
    again = opened_index(build_index(read_studies(RECORDS), tmp_path / "index", minilm).index)
    for nct_id in demo.store.nct_ids():
        before, after = (similar_to_study(index, nct_id, 10) for index in (demo, again))
        assert [each.similarity for each in after] == pytest.approx(
            [each.similarity for each in before], abs=2e-3
        )
        # Equal but for neighbours that lie closer together than another processor's rounding.
        for old, new in zip(before, after, strict=True):
            assert old.study == new.study or abs(old.similarity - new.similarity) < 2e-3


def test_no_summary_repeats_the_registrys_sentences(studies, shared):
    """No run of eight words of a summary stands in the registered one."""
    ours = {study.nct_id: study.summary for study in studies}

    def runs(text):
        words = re.findall(r"\w+", text.lower())
        return {tuple(words[n : n + 8]) for n in range(len(words) - 7)}

    sources = (shared / "studies-full.jsonl.gz", shared / "studies-brief.jsonl.gz")
    checked = 0
    for study in read_studies(*sources):
        if study.nct_id in ours:
            checked += 1
            assert not runs(ours[study.nct_id]) & runs(study.summary), study.nct_id
    assert checked >= len(ours)


def test_facts_are_as_registered(studies, shared):
    ours = {study.nct_id: study for study in studies}
    complete = {nct_id for nct_id, study in ours.items() if study.facts and study.facts.criteria}
    assert len(complete) == 18
    for name in ("studies-full.jsonl.gz", "raw/complete-xml.zip"):
        for registered in read_studies(shared / name):
            study = ours.get(registered.nct_id)
            if not study or (study.nct_id in complete) != name.endswith("zip"):
                continue
            for fact in FACTS:
                mine, theirs = getattr(study, fact), getattr(registered, fact)
                if fact == "interventions" and study.nct_id in complete:
                    theirs = tuple(replace(each, other_names=()) for each in theirs)
                assert mine == theirs, (study.nct_id, fact)


def test_the_wheel_carries_the_demo_index_and_the_types(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q",
         "-w", str(tmp_path), str(REPOSITORY)],
        check=True, timeout=300,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        manifest = next(name for name in names if name.endswith("manifest.json"))
        files = json.loads(archive.read(manifest))["files"]
    folder = manifest.removesuffix("manifest.json")
    assert {folder + name for name in files} <= names
    assert "simsearch/demo_index/CURRENT" in names
    assert "simsearch/py.typed" in names
    assert not any(name.startswith(("tests/", "index/")) for name in names)
