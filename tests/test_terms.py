"""The lexical signal: terms, weights worked out by hand, lookup without scipy and scikit-learn."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import IndexCorruptError
from simsearch.index.terms import (
    LEXICAL_FILES,
    MAX_TERMS,
    NO_TERMS,
    combined,
    open_lexical_index,
    products,
    read_fit,
    terms_of,
    write_lexical,
)

TEXTS = ["iron pills iron", "iron drops", "knee surgery of the knee", "pills"]


def made(folder, texts):
    return open_lexical_index(folder, len(texts), write_lexical(folder, texts, len(texts)))


def by_name(index, row):
    names = [name.decode() for name in index.terms[row.terms].tolist()]
    return dict(zip(names, row.weights.tolist(), strict=True))


def bm25(texts, which):
    """Weights of one text, worked out from the formula in plain Python."""
    lists = [text.split() for text in texts]
    mean = sum(map(len, lists)) / len(lists)
    words = lists[which]
    weights = {}
    for word in set(words):
        idf = math.log((1 + len(texts)) / (1 + sum(word in each for each in lists)))
        often = words.count(word)
        weights[word] = idf * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * len(words) / mean))
    length = math.sqrt(sum(value**2 for value in weights.values()))
    return {word: value / length for word, value in weights.items()}


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Iron pills", ["iron", "pill"]),
        ("Diabetes, diagnosis; status and mass", ["diabete", "diagnosis", "status", "and", "mass"]),
        ("BMS-986165 20 mg", ["bms986165", "bms", "mg"]),
        ("AMG 706 in COVID 19", ["amg706", "covid19", "amg", "in", "covid"]),
        ("AMG706, AMG-706", ["amg706", "amg706", "amg"]),
        ("ASCO 2007, week 12 of MG 5", ["asco", "week", "of", "mg"]),
        ("double-blind", ["double", "blind"]),
        ("β-Thalassemia ≥ 2", ["thalassemia"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("Haemorrhages, therapies", ["hemorrhage", "therapy"]),
        ("randomised behavioural programme", ["randomized", "behavioral", "program"]),
        ("oedema sulphate centres analysing", ["edema", "sulfate", "center", "analyzing"]),
        ("spinae does course dies hour", ["spinae", "doe", "course", "die", "hour"]),
        ("x" * 50, ["x" * 32]),
        ("é" * 20, ["é" * 16]),
        ("", []),
    ],
)
def test_terms_are_words_in_one_spelling_and_codes_also_in_one(text, terms):
    assert list(terms_of(text)) == terms


@pytest.mark.parametrize("which", range(4))
def test_weights_are_bm25_of_unit_length(tmp_path, which):
    texts = ["iron pill iron", "iron drop", "knee surgery of the knee", "pill"]
    index = made(tmp_path, texts)
    assert by_name(index, index.row(which)) == pytest.approx(bm25(texts, which), abs=1e-3)


def test_a_text_of_the_corpus_is_encoded_as_its_stored_row(tmp_path):
    index = made(tmp_path, TEXTS)
    for number, text in enumerate(TEXTS):
        stored, encoded = by_name(index, index.row(number)), by_name(index, index.encode(text))
        assert encoded == pytest.approx(stored, abs=1e-3)


def test_unknown_words_are_left_out(tmp_path):
    index = made(tmp_path, TEXTS)
    assert by_name(index, index.encode("iron unheard")) == pytest.approx({"iron": 1.0})
    assert not index.encode("unheard of words here zzz aaa 000"[:7])
    assert not index.signal(index.encode("")).any()


def test_the_signal_finds_a_study_that_shares_only_a_rare_name(tmp_path):
    common = [
        f"treatment of adults with disease {'abcdefghijklmnop'[n % 16] * 3}" for n in range(300)
    ]
    texts = [*common, "zolgensma", "treatment of adults with zolgensma and more words of all kinds"]
    index = made(tmp_path, texts)
    signal = index.signal(index.row(300))
    assert np.argsort(-signal)[:2].tolist() == [300, 301]
    assert signal[301] > 0.3
    assert not signal[:300].any()


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.lists(st.sampled_from(["iron", "pill", "knee", "anemia", "marrow"]), max_size=9)
        .map(" ".join),
        min_size=1, max_size=9,
    )
)  # fmt: skip
def test_the_signal_is_the_product_of_rows(tmp_path_factory, texts):
    index = made(tmp_path_factory.mktemp("lexical"), texts)
    rows = [by_name(index, index.row(n)) for n in range(len(texts))]
    for number, row in enumerate(rows):
        expected = [
            sum(value * other.get(name, 0) for name, value in row.items()) for other in rows
        ]
        assert index.signal(index.row(number)) == pytest.approx(expected, abs=1e-6)
        assert sum(value**2 for value in row.values()) == pytest.approx(float(bool(row)), abs=2e-3)
    stored = [index.row(n) for n in range(len(texts))]
    pairs = products(stored, stored)
    assert pairs == pytest.approx(
        np.array([index.signal(index.row(n)) for n in range(len(texts))]), abs=1e-6
    )
    assert products(stored[:1], stored) == pytest.approx(pairs[:1], abs=1e-6)
    assert products(stored, stored[:1]) == pytest.approx(pairs[:, :1], abs=1e-6)
    left, right = np.arange(len(texts)), np.arange(len(texts))[::-1]
    assert index.products(left, right) == pytest.approx(pairs[left, right], abs=1e-6)


def test_a_long_text_keeps_its_heaviest_terms(tmp_path):
    words = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}x" for n in range(MAX_TERMS + 40)]
    rare, common = words[:40], words[40:]
    texts = [" ".join(words), *[" ".join(common)] * 5, "other"]
    index = made(tmp_path, texts)
    kept = by_name(index, index.row(0))
    assert len(kept) == MAX_TERMS
    assert set(rare) <= set(kept)


def test_shared_terms_come_with_what_they_add(tmp_path):
    index = made(tmp_path, TEXTS)
    shared = list(index.shared(index.row(0), 1))
    assert [name for name, _ in shared] == ["iron"]
    assert shared[0][1] == pytest.approx(index.signal(index.row(0))[1])


def test_the_studies_with_a_term_are_found(tmp_path):
    index = made(tmp_path, TEXTS)
    found = {term: index.studies_with(term).tolist() for term in ("iron", "pill", "of", "zzz", "")}
    assert found == {"iron": [0, 1], "pill": [0, 3], "of": [2], "zzz": [], "": []}


def test_of_equal_weights_the_first_terms_are_kept(tmp_path):
    words = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}x" for n in range(MAX_TERMS + 40)]
    index = made(tmp_path, [" ".join(reversed(words)), "other"])
    assert list(by_name(index, index.row(0))) == words[:MAX_TERMS]
    assert list(by_name(index, index.encode(" ".join(reversed(words))))) == words[:MAX_TERMS]


def test_shared_terms_that_add_the_same_come_in_the_order_of_terms(tmp_path):
    index = made(tmp_path, ["pill knee iron", "iron knee pill", "other"])
    assert [name for name, _ in index.shared(index.row(0), 1)] == ["iron", "knee", "pill"]


def test_no_rows_combined_are_the_empty_row():
    assert not combined([])
    assert not NO_TERMS


def test_rows_are_combined_with_their_factors(tmp_path):
    index = made(tmp_path, TEXTS)
    mix = combined([(0.5, index.row(0)), (2.0, index.row(1))])
    expected = 0.5 * index.signal(index.row(0)) + 2 * index.signal(index.row(1))
    assert index.signal(mix) == pytest.approx(expected)


def test_texts_without_a_term_make_an_index_too(tmp_path):
    index = made(tmp_path, ["", "7", "?"])
    assert index.signal(index.encode("iron")).tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", LEXICAL_FILES)
@pytest.mark.parametrize("damage", ["cut", "another kind", "missing", "too long"])
def test_a_damaged_file_is_named(tmp_path, name, damage):
    write_lexical(tmp_path, TEXTS, len(TEXTS))
    path = tmp_path / name
    array = np.load(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:60])
    elif damage == "another kind":
        np.save(path, np.zeros((2, 2)))
    elif damage == "too long" and name not in {"lexical-terms.npy", "lexical-row-terms.npy"}:
        np.save(path, np.concatenate([array, array]))
    else:
        path.unlink()
    with pytest.raises(IndexCorruptError, match=name):
        open_lexical_index(tmp_path, len(TEXTS), 3.0)


def test_looking_up_loads_neither_scipy_nor_scikit_learn(tmp_path):
    write_lexical(tmp_path, TEXTS, len(TEXTS))
    script = (
        "import sys; from pathlib import Path\n"
        "from simsearch.index.terms import open_lexical_index\n"
        "index = open_lexical_index(Path(sys.argv[1]), 4, 2.5)\n"
        "assert index.signal(index.encode('iron')).argmax() in (0, 1)\n"
        "assert not {'sklearn', 'scipy'} & {name.split('.')[0] for name in sys.modules}"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)


def fit_of(folder, texts):
    folder.mkdir()
    return read_fit(folder, write_lexical(folder, texts, len(texts)))


def rows_by_name(folder, texts, kept):
    folder.mkdir()
    index = open_lexical_index(folder, len(texts), write_lexical(folder, texts, len(texts), kept))
    return [by_name(index, index.row(row)) for row in range(len(texts))], index


def test_with_a_kept_fit_rows_of_unchanged_texts_stay_the_same(tmp_path):
    before, _ = rows_by_name(tmp_path / "before", TEXTS, None)
    kept = fit_of(tmp_path / "fit", TEXTS)
    more = [*TEXTS, "iron iron iron", "knee drops marrow"]
    after, index = rows_by_name(tmp_path / "after", more, kept)
    assert after[: len(TEXTS)] == before
    assert set(after[-1]) == {"knee", "drop", "marrow"}  # a new term is weighted by this corpus
    names = [name.decode() for name in index.terms.tolist()]
    assert names == sorted(names)
    idf = dict(zip(names, read_fit(tmp_path / "after", 3.0).idf.tolist(), strict=True))
    assert idf["marrow"] == pytest.approx(math.log(7 / 2))
    assert idf["iron"] == pytest.approx(math.log(5 / 3))


def test_fitted_anew_they_change(tmp_path):
    before, _ = rows_by_name(tmp_path / "before", TEXTS, None)
    after, _ = rows_by_name(tmp_path / "after", [*TEXTS, "iron iron iron"], None)
    assert after[0] != before[0]


def test_a_kept_fit_read_again_gives_the_same_files(tmp_path):
    kept = fit_of(tmp_path / "first", TEXTS)
    (tmp_path / "second").mkdir()
    write_lexical(tmp_path / "second", TEXTS, len(TEXTS), kept)
    for name in LEXICAL_FILES:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_term_too_common_to_count_is_not_new_when_it_grows_rarer(tmp_path):
    texts = ["common iron"] * 101 + ["knee"] * 49
    before, _ = rows_by_name(tmp_path / "before", texts, None)
    assert before[0] == {"iron": 1.0} or "common" not in before[0]
    kept = fit_of(tmp_path / "fit", texts)
    after, _ = rows_by_name(tmp_path / "after", ["iron", *texts[1:]], kept)
    assert after[1:] == before[1:]
