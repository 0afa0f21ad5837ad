"""The pairs that the adapter learns from, and what is kept of what it learnt."""

import sys

import numpy as np
import pytest
import torch
from conftest import REPOSITORY

from simsearch import Study
from simsearch.study import Intervention


@pytest.fixture
def pairs(monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / "training"))
    import pairs

    yield pairs
    del sys.modules["pairs"]


@pytest.fixture
def train_adapter(pairs):
    import train_adapter

    yield train_adapter
    del sys.modules["train_adapter"]


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


def test_a_change_is_kept_in_its_best_approximation_of_low_rank(train_adapter):
    name = "encoder.layer.0.output.dense.weight"
    change = torch.from_numpy(np.random.default_rng(1).normal(size=(6, 9)))
    strengths = np.linalg.svd(change.numpy(), compute_uv=False)
    for rank in (2, 6):
        kept = train_adapter.factors({name: change}, rank)
        down = kept["base_model.model.encoder.layer.0.output.dense.lora_A.weight"]
        up = kept["base_model.model.encoder.layer.0.output.dense.lora_B.weight"]
        assert down.shape == (rank, 9)
        assert up.shape == (6, rank)
        lost = np.linalg.norm((up.double() @ down.double() - change).numpy())
        assert lost == pytest.approx(np.linalg.norm(strengths[rank:]), abs=0.01)


def test_every_matrix_of_a_layer_is_trained_and_nothing_else(train_adapter, minilm):
    names = [name for name, _ in minilm._model[0].auto_model.named_parameters()]
    chosen = [name for name in names if train_adapter.MATRICES.fullmatch(name)]
    assert len(chosen) == 6 * 6  # query, key, value, and three dense ones of each layer
    assert not [name for name in chosen if "embeddings" in name or "pooler" in name]
