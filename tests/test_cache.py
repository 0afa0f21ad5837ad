"""The cache of vectors: nothing is encoded twice, and no failure of it reaches a build."""

import contextlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import WORDS, WordEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.encode.cache import BATCH, CachedEncoder, cached
from simsearch.encode.space import Space
from simsearch.encode.vector_cache import VectorCache, default_cache
from simsearch.errors import ArgumentError

TEXTS = ["Iron for anemia.", "Knee surgery", "marrow pills marrow", ""]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vectors.sqlite"


def rounded(texts, encoder=None):
    """Return the rows that a build stores, computed without a cache."""
    return (encoder or WordEncoder()).encode(texts).astype(np.float16)


def encode(path, texts, log=print, **attributes):
    """Encode with a cache; return the rows and the texts that the model had to encode."""
    encoder = WordEncoder()
    for name, value in attributes.items():
        setattr(encoder, name, value)
    with cached(encoder, path, log) as opened:
        rows = opened.encode(texts)
        assert (opened.n_found, opened.n_encoded) == (
            len(set(texts)) - len(encoder.encoded),
            len(encoder.encoded),
        )
    return rows, encoder.encoded


def change(path, statement, *values):
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        return database.execute(statement, values).fetchall()


def many(n, seed=0):
    """Return n distinct texts of the ten words."""
    rng = random.Random(seed)
    return [f"{number} {' '.join(rng.choices(WORDS, k=5))}" for number in range(n)]


# Nothing is encoded twice


def test_a_second_run_encodes_nothing_and_returns_the_same_bytes(path):
    first, _ = encode(path, TEXTS)
    second, encoded = encode(path, TEXTS)
    assert encoded == []
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() == rounded(TEXTS).astype(np.float32).tobytes()


def test_only_new_texts_are_encoded(path):
    encode(path, TEXTS[:2])
    rows, encoded = encode(path, TEXTS)
    assert encoded == TEXTS[2:]
    assert np.array_equal(rows, rounded(TEXTS))


def test_an_equal_text_is_encoded_once(path):
    rows, encoded = encode(path, ["knee", "iron", "knee", "knee"])
    assert encoded == ["knee", "iron"]
    assert np.array_equal(rows, rounded(["knee", "iron", "knee", "knee"]))


def test_more_texts_than_one_statement_accepts(path):
    texts = many(1_300)
    encode(path, texts[::2])
    rows, encoded = encode(path, texts)
    assert encoded == texts[1::2]
    assert np.array_equal(rows, rounded(texts))


def test_each_batch_is_committed_when_it_is_encoded(path):
    class Breaking(WordEncoder):
        def encode(self, texts):
            if len(self.encoded) >= 2 * BATCH:
                raise KeyboardInterrupt
            return super().encode(texts)

    texts = many(3 * BATCH)
    with pytest.raises(KeyboardInterrupt), cached(Breaking(), path) as opened:
        opened.encode(texts)
    _, encoded = encode(path, texts)
    assert encoded == texts[2 * BATCH :]


def test_no_text_gives_no_row(path):
    rows, encoded = encode(path, [])
    assert rows.shape == (0, WordEncoder.dimension)
    assert encoded == []


@given(
    st.lists(
        st.lists(st.sampled_from(["", "knee", "Knee", "iron knee", "é", "\ud800"]), min_size=1)
    )
)
@settings(max_examples=40, deadline=None)
def test_rows_are_those_without_a_cache(calls):
    with tempfile.TemporaryDirectory() as folder:
        for texts in calls:
            rows, _ = encode(Path(folder) / "v.sqlite", texts)
            assert rows.dtype == np.float32
            assert np.array_equal(rows, rounded(texts))


@given(st.lists(st.text(max_size=4), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_texts_of_any_characters_keep_their_own_rows(texts):
    class CharacterEncoder(WordEncoder):
        def encode(self, texts):
            sums = [sum(map(ord, text)) % 1009 for text in texts]
            return np.array([[total / 1009] * self.dimension for total in sums], dtype=np.float32)

    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            with cached(CharacterEncoder(), Path(folder) / "v.sqlite") as opened:
                rows = opened.encode(texts)
            assert np.array_equal(rows, rounded(texts, CharacterEncoder()))


# Spaces


@pytest.mark.parametrize(
    "other", [{"fingerprint": "ten other words"}, {"max_tokens": 13}, {"precision": "bfloat16"}]
)
def test_another_space_shares_nothing(path, other):
    encode(path, TEXTS)
    _, encoded = encode(path, TEXTS, **other)
    assert encoded == TEXTS
    assert encode(path, TEXTS)[1] == encode(path, TEXTS, **other)[1] == []


def test_rows_of_another_length_are_another_space(path):
    with VectorCache(path) as cache:
        short, long = (Space("m", "f", dimension, 12, "float32") for dimension in (2, 3))
        cache.put(short, ["knee"], np.ones((1, 2)))
        assert not cache.get(long, ["knee"])[0].any()


def test_a_model_by_another_name_is_the_same_space(path):
    encode(path, TEXTS)
    assert encode(path, TEXTS, name="./words")[1] == []


# What is stored


def test_found_rows_are_in_the_order_of_their_texts(path):
    space = Space("m", "f", 2, 12, "float32")
    with VectorCache(path) as cache:
        cache.put(space, ["a", "b"], np.array([[0.6, 0.8], [1, 0]]))
        found, rows = cache.get(space, ["x", "b", "a", "b"])
    assert found.tolist() == [False, True, True, True]
    assert rows.tolist() == np.array([[0, 0], [1, 0], [0.6, 0.8], [1, 0]], np.float16).tolist()


def test_a_row_that_is_not_finite_is_not_stored(path):
    space = Space("m", "f", 2, 12, "float32")
    with VectorCache(path) as cache:
        cache.put(space, ["a", "b"], np.array([[np.nan, 1], [1, 0]]))
        assert cache.get(space, ["a", "b"])[0].tolist() == [False, True]


def test_rows_of_a_wrong_shape_are_refused(path):
    with VectorCache(path) as cache, pytest.raises(ArgumentError, match=r"\(1, 2\)"):
        cache.put(Space("m", "f", 2, 12, "float32"), ["a"], np.ones((1, 3)))


def test_the_protocol_of_an_encoder_is_passed_on(encoder):
    wrapped = CachedEncoder(encoder, None)
    for name in ("name", "fingerprint", "dimension", "max_tokens", "precision"):
        assert getattr(wrapped, name) == getattr(encoder, name)
    assert wrapped.count_tokens(["a b", ""]).tolist() == [2, 0]


def test_the_default_is_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "simsearch" / "vectors.sqlite"


# Facts and pruning


def test_facts_count_vectors_and_bytes_by_space(path):
    encode(path, TEXTS)
    encode(path, TEXTS[:1], precision="bfloat16")
    change(path, "UPDATE entry SET used = '2020-02-03' WHERE space = 1")
    with VectorCache(path) as cache:
        newer, older = cache.facts()
    assert (newer.precision, newer.n_vectors, newer.bytes) == (
        "bfloat16",
        1,
        2 * WordEncoder.dimension,
    )
    assert (older.precision, older.n_vectors, older.bytes) == (
        "float32",
        4,
        8 * WordEncoder.dimension,
    )
    assert (older.model, older.dimension, older.max_tokens) == ("words", WordEncoder.dimension, 12)
    assert older.last_used == "2020-02-03"
    assert newer.last_used == time.strftime("%Y-%m-%d", time.gmtime())
    assert newer.digest != older.digest


def test_pruning_removes_a_space_of_which_nothing_was_used(path):
    """As after a change of model: 0 days keep what the rebuild has used today."""
    encode(path, TEXTS)
    encode(path, TEXTS[:3], precision="bfloat16")
    change(path, "UPDATE entry SET used = date('now', '-1 day') WHERE space = 2")
    with VectorCache(path) as cache:
        pruned = cache.prune(older_than_days=0)
        assert (pruned.n_vectors, pruned.n_spaces) == (3, 1)
        assert [each.digest for each in cache.facts()] == [Space.of(WordEncoder()).digest]
    assert encode(path, TEXTS)[1] == []


def test_pruning_removes_what_was_not_used_lately(path, monkeypatch):
    monkeypatch.setattr("simsearch.encode.vector_cache._PORTION", 7)
    texts = many(100)
    encode(path, texts)
    change(path, "UPDATE entry SET used = date('now', '-11 days') WHERE id % 3 = 0")
    change(path, "UPDATE entry SET used = date('now', '-10 days') WHERE id % 3 = 1")
    with VectorCache(path) as cache:
        assert cache.prune(older_than_days=10).n_vectors == 33
    _, encoded = encode(path, texts)
    assert encoded == texts[2::3]
    assert change(path, "SELECT count(*) FROM vector") == [(100,)]


def test_a_negative_age_is_refused(path):
    with VectorCache(path) as cache, pytest.raises(ArgumentError, match="older_than_days"):
        cache.prune(older_than_days=-1)


def test_pruning_returns_space_to_the_disk(path, monkeypatch):
    monkeypatch.setattr("simsearch.encode.cache_file._PAGES", 5)
    encode(path, many(3_000))
    change(path, "UPDATE entry SET used = '2020-02-03'")
    size = path.stat().st_size
    with VectorCache(path) as cache:
        pruned = cache.prune(older_than_days=10)
    assert pruned.bytes_before == size
    assert pruned.bytes_after == path.stat().st_size < size / 5


@pytest.mark.parametrize("n_free, is_smaller", [(10**9, True), (10**5, False)])
def test_the_file_is_rewritten_if_the_disk_has_space_for_a_copy(
    path, monkeypatch, n_free, is_smaller
):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=n_free))
    texts = many(3_000)
    encode(path, texts)
    size = path.stat().st_size
    change(path, "UPDATE entry SET used = '2020-02-03' WHERE id % 2")
    with VectorCache(path) as cache:
        assert cache.prune(older_than_days=10).n_vectors == 1_500
    assert (path.stat().st_size < 0.7 * size) is is_smaller
    assert encode(path, texts[1::2])[1] == []


def test_use_is_dated_at_most_once_a_day(path):
    encode(path, TEXTS)
    change(path, "UPDATE entry SET used = '2020-02-03'")
    encode(path, TEXTS[:2])
    used = [date for (date,) in change(path, "SELECT used FROM entry ORDER BY id")]
    assert used[2:] == ["2020-02-03"] * 2
    assert used[0] == used[1] > "2026"
    before = path.read_bytes()
    encode(path, TEXTS[:2])
    assert path.read_bytes() == before


def test_dates_are_written_during_a_long_run(path, monkeypatch):
    monkeypatch.setattr("simsearch.encode.vector_cache._MAX_USED", 2)
    encode(path, TEXTS)
    change(path, "UPDATE entry SET used = '2020-02-03'")
    with VectorCache(path) as cache:
        cache.get(Space.of(WordEncoder()), TEXTS)
        assert change(path, "SELECT count(*) FROM entry WHERE used > '2026'") == [(4,)]


# Kills and several processes

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from conftest import WordEncoder
from test_cache import many
from simsearch.encode.cache import cached

class Printing(WordEncoder):
    def encode(self, texts):
        rows = super().encode(texts)
        print(*texts, sep=";", flush=True)
        return rows

first, last = map(int, sys.argv[3:])
notices = []
with cached(Printing(), Path(sys.argv[2]), notices.append) as e:
    for at in range(first, last, 400):
        e.encode(many(last)[at : at + 400])
sys.exit(bool(notices))
"""


def start(path, first, last):
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            SCRIPT,
            str(Path(__file__).parent),
            str(path),
            str(first),
            str(last),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_at_any_moment_at_most_a_batch_is_encoded_again(path):
    rng = random.Random(3)
    n_texts, kills = 6_000, 5
    counts = Counter()
    for _ in range(kills):
        process = start(path, 0, n_texts)
        lines = [process.stdout.readline() for _ in range(rng.randint(1, 3))]
        time.sleep(rng.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
        for line in lines:
            if line.endswith("\n"):  # a line is printed before its texts are committed
                counts.update(line.strip().split(";"))
    texts = many(n_texts)
    rows, encoded = encode(path, texts)
    counts.update(encoded)
    assert set(counts) == set(texts)
    assert counts.total() - n_texts <= kills * BATCH
    assert len(encoded) < n_texts - BATCH  # the killed runs made progress
    assert np.array_equal(rows, rounded(texts))
    assert change(path, "PRAGMA integrity_check") == [("ok",)]


def test_two_processes_write_at_once(path):
    running = [start(path, 0, 6_000), start(path, 2_000, 6_000)]
    for process in running:
        process.communicate()
        assert process.returncode == 0
    rows, encoded = encode(path, many(6_000))
    assert encoded == []
    assert np.array_equal(rows, rounded(many(6_000)))
    assert change(path, "PRAGMA integrity_check") == [("ok",)]
    assert change(path, "SELECT count(*) FROM vector") == [(6_000,)]
