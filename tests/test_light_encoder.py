"""The packaged models without torch: the same rows, the same fingerprints, the same checks."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from asking import similar_to_text

from simsearch import load_encoder
from simsearch.encode import encoders
from simsearch.encode import minilm as light_encoder
from simsearch.encode.minilm import FINGERPRINTS, LightEncoder, load_query_encoder
from simsearch.errors import EncoderError
from simsearch.index.opened import opened_index

pytestmark = pytest.mark.model

TEXTS = [
    "Tacrolimus for refractory pure red cell aplasia.",
    "iron",
    "",
    "  Étude  of\tβ-blockers\nin «naïve» patients (≥ 18 years)\u200b; 10 µg/kg\x00",
    "重症再生不良性貧血 🩸 " * 3,
    "anti-TNFα " * 300,  # longer than the model reads
    "supercalifragilisticexpialidocious" * 10,  # no word of the vocabulary
    "word " * 254,  # with the marks of start and end exactly as long as it reads
    "word " * 255,
]


@pytest.fixture(scope="module", params=sorted(FINGERPRINTS))
def both(request):
    """A packaged model by sentence-transformers, and without."""
    return load_encoder(request.param, "float32"), LightEncoder(request.param)


def test_its_rows_are_those_of_sentence_transformers(both):
    full, light = both
    rows = light.encode(TEXTS)
    assert (rows.dtype, rows.shape) == (np.float32, (len(TEXTS), 384))
    assert np.abs(rows - full.encode(TEXTS)).max() < 1e-6


def test_it_is_the_same_model(both):
    full, light = both
    assert (light.name, light.dimension, light.max_tokens) == (
        full.name, full.dimension, full.max_tokens,
    )  # fmt: skip
    assert light.fingerprint == full.fingerprint
    assert light.count_tokens(TEXTS).tolist() == full.count_tokens(TEXTS).tolist()


def test_no_text_gives_no_row():
    light = LightEncoder("minilm")
    assert light.encode([]).shape == (0, 384)
    assert light.count_tokens([]).shape == (0,)


def test_the_packaged_model_is_loaded_without_torch():
    loaded = load_query_encoder("minilm-trials", FINGERPRINTS["minilm-trials"])
    assert isinstance(loaded, LightEncoder)
    assert loaded.name == "minilm-trials"


@pytest.mark.parametrize(
    ("model", "fingerprint"), [("minilm", "of another"), ("./a-folder", FINGERPRINTS["minilm"])]
)
def test_any_other_is_loaded_as_it_was_for_the_build(monkeypatch, model, fingerprint):
    monkeypatch.setattr(light_encoder, "load_encoder", lambda name: f"full {name}")
    assert load_query_encoder(model, fingerprint) == f"full {model}"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_bytes(file.read_bytes() + b" "), "not the published one"),
        (lambda file: file.unlink(), "its tokenizer is missing"),
    ],
)
def test_another_tokenizer_is_refused(tmp_path, monkeypatch, spoil, message):
    folder = tmp_path / "model"
    shutil.copytree(encoders.packaged_folder(), folder)
    spoil(folder / "tokenizer.json")
    monkeypatch.setattr(light_encoder, "packaged_folder", lambda: folder)
    with pytest.raises(EncoderError, match=message) as caught:
        LightEncoder("minilm")
    assert "\n" not in str(caught.value)


def test_texts_are_encoded_one_at_a_time(monkeypatch):
    """The limit of threads is the whole process's: two that overlap would leave it at one."""
    running, together = [], []

    def row(_, tokens):
        running.append(tokens)
        time.sleep(0.05)
        together.append(len(running))
        running.pop()
        return np.ones(384)

    monkeypatch.setattr(LightEncoder, "_row", row)
    light = LightEncoder("minilm")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(light.encode, [["iron"]] * 4))
    assert together == [1] * 4


def test_a_text_is_encoded_by_the_model_that_built_the_index():
    index = opened_index(Path(__file__).parents[1] / "index" / "demo")
    text = "eltrombopag for aplastic anemia in children"
    found = similar_to_text(index, text)
    assert "Eltrombopag" in found[0].study.title
    with_full = similar_to_text(index, text, load_encoder(precision="float32"))
    assert [each.study.nct_id for each in found] == [each.study.nct_id for each in with_full]
