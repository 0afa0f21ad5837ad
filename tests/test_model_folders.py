"""Models from folders: each published shape, its prefixes, and folders that lack something."""

import json
import shutil

import numpy as np
import pytest
from conftest import SIX
from model_folders import by_hand, make_model, write

from simsearch import build_index, load_encoder, open_index, read_studies
from simsearch.encode.encoders import encode_words
from simsearch.encode.fields import whole_text
from simsearch.errors import EncoderError, RecipeError

pytestmark = pytest.mark.model

TEXTS = ["iron pills", "knee surgery in children .", "aplasia"]
LONG = "iron pills knee " * 30


def loaded(folder):
    return load_encoder(str(folder), "float32")


def same(rows, expected):
    return np.allclose(rows, expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("dimension", [24, 768])
def test_a_folder_of_sentence_transformers_pools_as_its_files_say(tmp_path, pooling, dimension):
    """BGE has cls; GTE, PubMedBERT and MiniLM have mean."""
    folder = make_model(tmp_path / "m", dimension=dimension, pooling=pooling)
    encoder = loaded(folder)
    assert (encoder.dimension, encoder.max_tokens) == (dimension, 32)
    assert same(encoder.encode([*TEXTS, LONG]), by_hand(folder, [*TEXTS, LONG], pooling))
    assert same(encode_words(encoder, TEXTS), encoder.encode(TEXTS))


def test_one_prefix_is_that_of_texts_and_words(tmp_path):
    """As E5 wants it for texts of one kind."""
    folder = make_model(tmp_path / "m", pooling="mean", prefix="query: ")
    expected = by_hand(folder, [f"query: {text}" for text in TEXTS], "mean")
    assert same(loaded(folder).encode(TEXTS), expected)
    assert same(encode_words(loaded(folder), TEXTS), expected)


def test_words_may_have_a_prefix_of_their_own(tmp_path):
    """As E5 wants it for questions."""
    folder = make_model(tmp_path / "m", pooling="mean", prefix="passage: ", query_prefix="query: ")
    encoder = loaded(folder)
    for rows, prefix in (
        (encoder.encode(TEXTS), "passage"),
        (encode_words(encoder, TEXTS), "query"),
    ):
        assert same(rows, by_hand(folder, [f"{prefix}: {text}" for text in TEXTS], "mean"))


def test_tokens_are_counted_with_the_prefix(tmp_path):
    folder = make_model(tmp_path / "m", pooling="mean", prefix="query: ")
    assert loaded(folder).count_tokens(["iron pills"]).tolist() == [
        6
    ]  # [CLS] query : iron pills [SEP]


@pytest.mark.parametrize(
    ("prompts", "default", "texts", "words"),
    [
        ({"query": "query: ", "document": "passage: "}, None, "passage: ", "query: "),
        ({"query": "query: ", "passage": "passage: "}, "query", "query: ", "query: "),
        ({"query": "", "document": ""}, None, "", ""),
        ({"query": "query: "}, None, "", "query: "),
    ],
)
def test_prefixes_are_those_of_the_models_own_file(tmp_path, prompts, default, texts, words):
    folder = make_model(tmp_path / "m", pooling="cls", prompts=prompts, default_prompt=default)
    encoder = loaded(folder)
    assert same(encoder.encode(TEXTS), by_hand(folder, [texts + each for each in TEXTS], "cls"))
    asked = by_hand(folder, [words + each for each in TEXTS], "cls")
    assert same(encode_words(encoder, TEXTS), asked)


def test_our_file_beats_the_models_own(tmp_path):
    folder = make_model(tmp_path / "m", pooling="cls", prompts={"query": "passage: "}, prefix="")
    assert same(encode_words(loaded(folder), TEXTS), by_hand(folder, TEXTS, "cls"))


@pytest.fixture
def pair(tmp_path):
    """Two plain BERTs, as MedCPT: one for articles, one for questions, no file about pooling."""
    asking, articles = (make_model(tmp_path / name, seed=n) for n, name in enumerate("qa"))
    write(asking / "simsearch.json", {"pooling": "cls"})
    write(articles / "simsearch.json", {"pooling": "cls", "query_model": "../q", "max_tokens": 16})
    return articles


def test_a_plain_folder_pools_as_our_file_says(pair):
    encoder = loaded(pair)
    assert encoder.max_tokens == 16
    assert same(encoder.encode([*TEXTS, LONG]), by_hand(pair, [*TEXTS, LONG], "cls", 16))


def test_a_second_model_encodes_words(pair):
    assert same(encode_words(loaded(pair), TEXTS), by_hand(pair.parent / "q", TEXTS, "cls"))


def test_an_index_of_such_a_model_answers_words_by_its_query_model(pair, tmp_path, write):
    """The cosine that an answer shows is the one by hand, but for 16-bit products."""
    reader = read_studies(write(SIX))
    report = build_index(reader, tmp_path / "index", loaded(pair))
    with open_index(report.index) as index:
        (first, *_) = index.related(text="iron pills", k=6)
        study = index.show(first.nct_id).study
    (asked,) = by_hand(pair.parent / "q", ["iron pills"], "cls")
    (otherwise,) = by_hand(pair, ["iron pills"], "cls")
    (stored,) = by_hand(pair, [whole_text(study)], "cls", 16)
    assert first.signals["text"] == pytest.approx(float(asked @ stored), abs=0.01)
    assert abs((otherwise - asked) @ stored) > 0.1


def test_an_index_refuses_its_model_with_another_prefix(tmp_path, write):
    folder = make_model(tmp_path / "m", pooling="mean", prefix="query: ")
    report = build_index(read_studies(write(SIX)), tmp_path / "index", loaded(folder))
    (folder / "simsearch.json").unlink()
    with open_index(report.index) as index, pytest.raises(RecipeError, match="built the index"):
        index.related(text="iron pills")


def test_the_fingerprint_is_of_all_that_determines_vectors(tmp_path):
    folder = make_model(tmp_path / "m", pooling="mean")
    plain = loaded(folder).fingerprint
    assert loaded(shutil.copytree(folder, tmp_path / "elsewhere")).fingerprint == plain
    found = {plain}
    for settings in (
        {"prefix": "query: "}, {"query_prefix": "query: "}, {"max_tokens": 16},
    ):  # fmt: skip
        write(folder / "simsearch.json", settings)
        found.add(loaded(folder).fingerprint)
    assert len(found) == 4


def test_a_pooler_that_no_file_has_is_no_matter(tmp_path):
    """Libraries fill it with random weights, which no pooling uses."""
    folder = make_model(tmp_path / "m", pooling="mean")
    expected = loaded(folder).encode(TEXTS)
    without(folder, "pooler.")
    assert loaded(folder).encode(TEXTS).tobytes() == expected.tobytes()
    assert loaded(folder).fingerprint == loaded(folder).fingerprint


def without(folder, part):
    """Remove weights whose names have a part."""
    from safetensors.numpy import load_file, save_file

    kept = {k: v for k, v in load_file(folder / "model.safetensors").items() if part not in k}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def cut_short(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def set_in(name, **values):
    def change(folder):
        path = folder / name
        known = json.loads(path.read_text()) if path.is_file() else {}
        write(path, known | values)

    return change


def remove(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove("config.json"), "the folder has no config.json"),
        (remove("vocab.txt", "tokenizer.json"), "has no tokenizer.json and no vocabulary"),
        (remove("model.safetensors"), "cannot be loaded: Error no file named model.safetensors"),
        (remove("1_Pooling/config.json"), r"the folder has no 1_Pooling/config.json \(Pooling\)"),
        (remove("modules.json"), r'says how to pool its token vectors: write \{"pooling": "cls"\}'),
        (cut_short, "cannot be loaded: .*incomplete"),
        (lambda folder: without(folder, "attention"), r"lacks 10 of its weights, such as encoder"),
        (set_in("config.json", hidden_size=48), "other sizes than its config.json says"),
        (set_in("1_Pooling/config.json", word_embedding_dimension=48),
         "its vectors have 24 numbers, its files say 48"),
        (lambda folder: (folder / "modules.json").write_text("{"), "modules.json cannot be read"),
        (lambda folder: (folder / "simsearch.json").write_text("{"), "its simsearch.json cannot"),
        (set_in("simsearch.json", prefixes="query: "), "unknown field `prefixes`"),
        (set_in("simsearch.json", pooling="cls"), "modules.json says the pooling: remove it"),
        (set_in("simsearch.json", max_tokens=33), "max_tokens .* is 33: give 8 to 32"),
        (set_in("simsearch.json", query_model="nowhere"), "its query_model, nowhere, is no folder"),
        (set_in("simsearch.json", query_model="."), "has a query_model itself"),
    ],
)  # fmt: skip
def test_a_folder_that_lacks_something_says_so_in_one_line(tmp_path, change, message):
    folder = make_model(tmp_path / "m", pooling="mean")
    change(folder)
    with pytest.raises(EncoderError, match=message) as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)


def test_a_query_model_of_another_dimension_is_refused(pair):
    shutil.rmtree(pair.parent / "q")
    make_model(pair.parent / "q", dimension=32)
    write(pair.parent / "q" / "simsearch.json", {"pooling": "cls"})
    with pytest.raises(EncoderError, match="its vectors have 24 numbers, its query_model's 32"):
        loaded(pair)
