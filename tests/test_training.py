"""The pairs that the adapter learns from."""

import sys

import pytest
from conftest import REPOSITORY

from simsearch import Study
from simsearch.study import Intervention


@pytest.fixture
def pairs(monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / "training"))
    import pairs

    yield pairs
    del sys.modules["pairs"]


def study(number, condition, name, summary="A summary that says it."):
    return Study(
        nct_id=f"NCT{number:08}", title=f"Title {number}", conditions=(condition,), summary=summary,
        interventions=(Intervention(name, "DRUG"),),
    )  # fmt: skip


STUDIES = [
    study(1, "Anemia", "Iron"), study(2, "anemia", "Iron 20 mg"), study(3, "Knee", "Surgery"),
    study(4, "Anemia", "Placebo", "It follows NCT00000001."),
]  # fmt: skip


def test_every_study_with_two_texts_is_paired_with_itself(pairs):
    made = list(pairs.make_pairs(STUDIES, {}, seed=1))
    for number in (1, 2, 3, 4):
        assert any(f"Title {number}" in pair.anchor + pair.positive for pair in made)
    assert all(pair.anchor and pair.positive for pair in made)


def test_a_twin_has_the_same_condition_and_intervention(pairs, monkeypatch):
    monkeypatch.setattr(pairs, "TWINS", 1.0)
    twins = [
        pair for pair in pairs.make_pairs(STUDIES, {}, seed=1) if "Title" in pair.anchor[:5]
        and "Title" in pair.positive[:5]
        and pair.anchor[:7] != pair.positive[:7]
    ]  # fmt: skip
    assert {(pair.anchor[:7], pair.positive[:7]) for pair in twins} == {
        ("Title 1", "Title 2"), ("Title 2", "Title 1")
    }  # fmt: skip


def test_no_name_of_a_study_is_learnt(pairs):
    for pair in pairs.make_pairs(STUDIES, {"NCT00000003": ("", "See NCT00000001")}, seed=2):
        assert "NCT0" not in pair.anchor + pair.positive


def test_the_same_seed_gives_the_same_pairs(pairs):
    first, again, other = (list(pairs.make_pairs(STUDIES * 9, {}, seed)) for seed in (1, 1, 2))
    assert first == again != other
