"""The packaged model: checked, offline, in both precisions."""

import shutil
import socket

import numpy as np
import pytest

from simsearch import load_encoder
from simsearch.encode import encoders
from simsearch.encode import openvino as backends
from simsearch.encode.cache import Space
from simsearch.encode.minilm import FINGERPRINTS
from simsearch.errors import EncoderError

pytestmark = pytest.mark.model

TEXTS = [
    "Tacrolimus for refractory pure red cell aplasia.",
    "Sirolimus for refractory pure red cell aplasia.",
    "Knee surgery in children with a torn ligament, with physiotherapy afterwards.",
]


def test_the_packaged_model_reads_as_its_card_says(minilm):
    assert (minilm.dimension, minilm.max_tokens) == (384, 256)
    rows = minilm.encode(TEXTS)
    assert rows.shape == (3, 384)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert rows[0] @ rows[1] > 0.7
    assert rows[0] @ rows[2] < 0.3


def test_it_agrees_with_sentence_transformers_itself(minilm):
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(encoders.packaged_folder()), device="cpu")
    assert np.allclose(minilm.encode(TEXTS), plain.encode(TEXTS), atol=1e-5)


def test_no_text_gives_no_row(minilm):
    assert minilm.encode([]).shape == (0, 384)
    assert minilm.count_tokens([]).shape == (0,)


def test_tokens_are_counted_beyond_the_models_length(minilm):
    counts = minilm.count_tokens(["iron", "iron " * 1000])
    assert counts.tolist() == [3, 1002]  # [CLS] iron [SEP]


def test_bfloat16_keeps_the_directions(minilm):
    half = load_encoder(precision="bfloat16")
    assert half.precision == "bfloat16"
    assert half.fingerprint == minilm.fingerprint
    assert ((half.encode(TEXTS) * minilm.encode(TEXTS)).sum(axis=1) > 0.999).all()


def test_the_precision_is_found_by_itself():
    assert load_encoder().precision in {"float32", "bfloat16"}


@pytest.mark.parametrize(
    ("has_gpu", "backend", "device"),
    [(True, "torch", "cuda"), (False, "torch", "cpu"), (True, "openvino", "cpu")],
)
def test_a_gpu_is_used_where_torch_has_one(monkeypatch, has_gpu, backend, device):
    """There is none here: what is seen is where the model is asked to go."""
    asked = []

    def load(*_, **options):
        asked.append(options["device"])
        raise RuntimeError("seen")

    monkeypatch.setattr("torch.cuda.is_available", lambda: has_gpu)
    monkeypatch.setattr("sentence_transformers.SentenceTransformer", load)
    with pytest.raises(EncoderError, match="seen"):
        load_encoder(backend=backend)
    assert asked == [device]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_openvino_keeps_the_directions_in_a_space_of_its_own(minilm, precision):
    """The same recipe, so that it can answer a text; rows that never mix with torch's."""
    other = load_encoder(precision=precision, backend="openvino")
    assert other.fingerprint == minilm.fingerprint
    assert other.precision == f"{precision} openvino"
    assert Space.of(other).digest != Space.of(minilm).digest
    assert ((other.encode(TEXTS) * minilm.encode(TEXTS)).sum(axis=1) > 0.9999).all()


def test_openvino_reads_texts_of_any_length(minilm):
    other = load_encoder(precision="float32", backend="openvino")
    texts = ["iron", "iron pills " * 300, TEXTS[2]]
    assert np.allclose(other.encode(texts), minilm.encode(texts), atol=1e-5)


def test_a_missing_backend_says_what_to_install(monkeypatch):
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EncoderError, match=r"pip install 'simsearch\[openvino\]'"):
        load_encoder(backend="openvino")


def test_loading_and_encoding_need_no_network(monkeypatch):
    """Any attempt to look up or connect to a host fails the test."""

    def refused(*args, **kwargs):
        raise AssertionError(f"network: {args}")

    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    assert load_encoder().encode(TEXTS[:1]).shape == (1, 384)


def test_a_folder_is_a_model_too(minilm, tmp_path):
    """The fingerprint is of what fixes the vectors, not of where the files lie."""
    folder = shutil.copytree(encoders.packaged_folder(), tmp_path / "model")
    assert load_encoder(str(folder), "float32").fingerprint == minilm.fingerprint
    config = folder / "sentence_bert_config.json"
    config.write_text(config.read_text().replace("256", "128"))
    shorter = load_encoder(str(folder), "float32")
    assert shorter.max_tokens == 128
    assert shorter.fingerprint != minilm.fingerprint


def test_its_fingerprint_is_the_same_under_each_release_of_sentence_transformers(
    minilm, monkeypatch
):
    """Release 5.4 names no inputs and outputs in the settings of a layer, 6.2 does."""
    normalize = type(minilm._model[-1])
    monkeypatch.setattr(normalize, "get_config_dict", lambda _: {})
    assert encoders._fingerprint(minilm._model) == FINGERPRINTS["minilm"]
    named = {"module_input_name": "sentence_embedding", "module_output_name": "another"}
    monkeypatch.setattr(normalize, "get_config_dict", lambda _: named)
    assert encoders._fingerprint(minilm._model) == FINGERPRINTS["minilm"]


def test_changed_weights_are_refused(monkeypatch):
    monkeypatch.setattr(encoders, "_MINILM_SHA256", "0" * 64)
    with pytest.raises(EncoderError, match=r"minilm: .* is not the published file"):
        load_encoder()


@pytest.mark.parametrize("model", ["./nowhere", "/nowhere/at/all", "a/b/c"])
def test_a_folder_that_is_not_there_is_named(model):
    with pytest.raises(EncoderError, match="no such folder"):
        load_encoder(model)


def test_a_folder_of_something_else_is_named_in_one_line(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(EncoderError, match="cannot be loaded") as caught:
        load_encoder(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def adapted():
    return load_encoder("minilm-trials", "float32")


def test_the_adapter_is_merged_into_the_published_weights(minilm, adapted):
    """Of one matrix by hand: W + alpha / rank · B · A."""
    from safetensors.numpy import load_file

    name = "encoder.layer.3.attention.self.query"
    factors = load_file(encoders.ADAPTER / "adapter_model.safetensors")
    up, down = (
        factors[f"base_model.model.{name}.lora_{side}.weight"].astype(np.float64) for side in "BA"
    )
    before, after = (
        encoder._model[0].auto_model.get_submodule(name).weight.detach().numpy()
        for encoder in (minilm, adapted)
    )
    assert np.allclose(after - before, 2 * up @ down, atol=1e-6)
    assert np.abs(after - before).max() > 1e-3


def test_the_adapted_model_is_another_one(minilm, adapted):
    assert adapted.name == "minilm-trials"
    assert adapted.fingerprint != minilm.fingerprint
    assert (adapted.dimension, adapted.max_tokens) == (384, 256)
    cosines = (adapted.encode(TEXTS) * minilm.encode(TEXTS)).sum(axis=1)
    assert ((cosines > 0.5) & (cosines < 0.999)).all()
    rows = adapted.encode(TEXTS)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]


def test_its_fingerprint_is_of_the_files_and_the_same_everywhere(adapted):
    assert load_encoder("minilm-trials", "bfloat16").fingerprint == adapted.fingerprint


def test_another_adapter_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "adapter"
    shutil.copytree(encoders.ADAPTER, folder)
    content = bytearray((folder / "adapter_model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "adapter_model.safetensors").write_bytes(content)
    monkeypatch.setattr(encoders, "ADAPTER", folder)
    with pytest.raises(EncoderError, match="minilm-trials: its adapter is not this version's"):
        load_encoder("minilm-trials")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(EncoderError, match="its adapter is missing"):
        load_encoder("minilm-trials")


def test_the_model_card_names_the_file_that_is_checked():
    card = (encoders.ADAPTER / "README.md").read_text(encoding="utf-8")
    assert encoders._ADAPTER_SHA256 in card
