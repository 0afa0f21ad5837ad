"""The packaged model without torch: the same rows, the same fingerprint, the same checks."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from asking import similar_to_text
from test_encoders import package  # noqa: F401 - a fixture
from threadpoolctl import threadpool_info

from simsearch import load_encoder
from simsearch.encode.encoders import packaged_folder
from simsearch.encode.minilm import FINGERPRINT, MiniLM, load_query_encoder
from simsearch.encode.threads import one_blas_thread
from simsearch.errors import EncoderError
from simsearch.index.opened import opened_index

pytestmark = pytest.mark.model

TEXTS = [
    "Tacrolimus for refractory pure red cell aplasia.",
    "iron",
    "",
    "  Étude  of\tβ-blockers\nin «naïve» patients (≥ 18 years)\u200b; 10 µg/kg\x00",
    "重症再生不良性貧血 🩸 " * 3,
    "anti-TNFα " * 300,  # cut off
    "supercalifragilisticexpialidocious" * 10,  # not a word of the vocabulary
    "word " * 254,  # with [CLS] and [SEP] exactly the number of tokens that the model encodes
    "word " * 255,
]


def test_its_rows_are_those_of_sentence_transformers(minilm):
    rows = MiniLM().encode(TEXTS)
    assert (rows.dtype, rows.shape) == (np.float32, (len(TEXTS), 384))
    assert np.abs(rows - minilm.encode(TEXTS)).max() < 1e-6


def test_it_is_the_same_model(minilm):
    light = MiniLM()
    for name in ("name", "fingerprint", "dimension", "max_tokens", "precision"):
        assert getattr(light, name) == getattr(minilm, name)
    assert light.count_tokens(TEXTS).tolist() == minilm.count_tokens(TEXTS).tolist()


def test_no_text_gives_no_row():
    light = MiniLM()
    assert light.encode([]).shape == (0, 384)
    assert light.count_tokens([]).shape == (0,)


def test_the_packaged_model_is_loaded_without_torch():
    assert isinstance(load_query_encoder("minilm", FINGERPRINT), MiniLM)


def test_of_another_fingerprint_it_is_loaded_as_for_a_build():
    assert not isinstance(load_query_encoder("minilm", "of another"), MiniLM)


def test_any_other_model_is_loaded_as_for_a_build(tmp_path):
    folder = tmp_path / "model"
    folder.symlink_to(packaged_folder())
    loaded = load_query_encoder(str(folder), FINGERPRINT)
    assert not isinstance(loaded, MiniLM)
    assert (loaded.name, loaded.fingerprint) == (str(folder), FINGERPRINT)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_bytes(file.read_bytes() + b" "), "not the published one"),
        (lambda file: file.unlink(), "its tokenizer cannot be read"),
    ],
)
def test_another_tokenizer_is_refused(package, spoil, message):  # noqa: F811
    (package.model / "model.safetensors").symlink_to(package.real / "model.safetensors")
    shutil.copy(package.real / "tokenizer.json", package.model)
    spoil(package.model / "tokenizer.json")
    with pytest.raises(EncoderError, match=message) as caught:
        MiniLM()
    assert "\n" not in str(caught.value)


def test_texts_are_encoded_by_one_thread_at_a_time():
    """The limit applies to the whole process: two that overlap would leave it at one."""
    running, together = [], []

    class Watched(list):
        def __iter__(self):
            running.append(self)
            time.sleep(0.05)
            together.append(len(running))
            yield from super().__iter__()
            running.pop()

    light = MiniLM()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(light.encode, [Watched(["iron"]) for _ in range(4)]))
    assert together == [1] * 4


def test_the_limit_of_threads_is_lifted_afterwards():
    def limits():
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    before = limits()
    with one_blas_thread():
        assert limits() == {1}
    assert limits() == before


def test_a_text_is_encoded_by_the_model_that_built_the_index():
    index = opened_index(Path(__file__).parents[1] / "index" / "demo")
    text = "eltrombopag for aplastic anemia in children"
    found = similar_to_text(index, text)
    assert "Eltrombopag" in found[0].study.title
    with_full = similar_to_text(index, text, load_encoder(precision="float32"))
    assert [each.study.nct_id for each in found] == [each.study.nct_id for each in with_full]
