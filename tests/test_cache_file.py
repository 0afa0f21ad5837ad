"""A cache that is damaged, foreign, locked, read-only or on a full disk harms no build."""

import contextlib
import random
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from conftest import WordEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cache import SCRIPT, TEXTS, change, encode, many, rounded

from simsearch.encode.cache import cached
from simsearch.encode.vector_cache import VectorCache, default_cache
from simsearch.errors import CacheError, ForeignCacheError
from simsearch.records.mirror import Mirror

MARK = slice(68, 72)  # the bytes of the header that mark a cache


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vectors.sqlite"


@pytest.fixture
def notices():
    return []


@pytest.fixture
def connect_with(monkeypatch):
    """Have every connection to an SQLite file start with a statement."""
    connect = sqlite3.connect

    def _connect_with(statement):
        def connected(*args, **options):
            database = connect(*args, **options)
            database.execute(statement)
            return database

        monkeypatch.setattr(sqlite3, "connect", connected)

    yield _connect_with
    monkeypatch.undo()


def overwrite(path, at, content):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def drop_a_table(path):
    change(path, "DROP TABLE vector")


DAMAGES = {
    "half of it": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "an odd length": lambda path: path.write_bytes(path.read_bytes()[:5_001]),
    "its header alone": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "noise behind the header": lambda path: overwrite(path, 100, random.Random(1).randbytes(9_000)),
    "zeros behind the header": lambda path: overwrite(path, 100, bytes(9_000)),
    "the start is noise": lambda path: overwrite(path, 0, random.Random(1).randbytes(60)),
    "a table is missing": drop_a_table,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_set_aside_and_a_new_one_started(path, damage, notices):
    texts = many(800)
    encode(path, texts)
    damage(path)
    damaged = path.read_bytes()
    rows, encoded = encode(path, texts, notices.append)
    assert np.array_equal(rows, rounded(texts))
    assert encoded == texts
    (aside,) = path.parent.glob("vectors.sqlite.damaged-*")
    assert aside.read_bytes() == damaged
    (notice,) = notices
    assert aside.name in notice
    assert encode(path, texts, notices.append)[1] == []
    assert len(notices) == 1


def test_a_file_damaged_during_a_run_is_set_aside(path, notices):
    texts = many(800)
    with cached(WordEncoder(), path, notices.append) as opened:
        opened.encode(texts)
        overwrite(path, 8_192, random.Random(1).randbytes(path.stat().st_size - 8_192))
        with contextlib.closing(sqlite3.connect(path)) as other:  # to invalidate cached pages
            other.execute("PRAGMA user_version = 1")
        assert np.array_equal(opened.encode(texts), rounded(texts))
    assert len(notices) == 1
    assert encode(path, texts)[1] == []


def test_only_the_last_damaged_file_is_kept(path):
    path.with_name("vectors.sqlite.damaged-20200203T040506Z").touch()
    encode(path, TEXTS)
    overwrite(path, 100, bytes(9_000))
    encode(path, TEXTS)
    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.stat().st_size > 9_000


def test_a_killed_commit_is_rolled_back_and_is_not_damage(path, tmp_path):
    """The file is copied during a commit: half of its pages are new."""
    texts = many(2_000)
    encode(path, texts)
    copy = tmp_path / "copy.sqlite"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA cache_size = 1")
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE vector SET row = zeroblob(400)")
        for end in ("", "-journal"):
            copy.with_name(copy.name + end).write_bytes(
                path.with_name(path.name + end).read_bytes()
            )
    assert copy.read_bytes() != path.read_bytes()
    rows, encoded = encode(copy, texts)
    assert encoded == []
    assert np.array_equal(rows, rounded(texts))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vector SET row = zeroblob(20) WHERE id = 2",
        "UPDATE vector SET row = zeroblob(19) WHERE id = 2",
        "UPDATE vector SET row = 'knee' WHERE id = 2",
        "UPDATE vector SET row = (SELECT row FROM vector WHERE id = 1) WHERE id = 2",
        "UPDATE vector SET checksum = 7 WHERE id = 2",
        "DELETE FROM vector WHERE id = 2",
    ],
)
def test_a_changed_row_is_encoded_again(path, statement):
    encode(path, TEXTS)
    change(path, statement)
    rows, encoded = encode(path, TEXTS)
    assert encoded == TEXTS[1:2]
    assert np.array_equal(rows, rounded(TEXTS))
    assert encode(path, TEXTS)[1] == []


def test_a_row_that_strays_into_another_space_is_encoded_again(path):
    encode(path, TEXTS[:1])
    encode(path, TEXTS[:1], precision="bfloat16")
    change(path, "DELETE FROM entry WHERE space = 1")
    change(path, "UPDATE entry SET space = 1")
    assert encode(path, TEXTS[:1])[1] == TEXTS[:1]


@given(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40)), min_size=1))
@settings(max_examples=40, deadline=None)
def test_whatever_is_overwritten_the_rows_are_right(changes):
    texts = many(60)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.sqlite"
        encode(path, texts)
        mark = path.read_bytes()[MARK]
        for where, content in changes:
            overwrite(path, int(where * (path.stat().st_size - 1)), content)
        overwrite(path, MARK.start, mark)
        encoder = WordEncoder()
        with cached(encoder, path) as opened:
            assert np.array_equal(opened.encode(texts), rounded(texts))
        with contextlib.suppress(CacheError), VectorCache(path) as cache:
            cache.facts()
            cache.prune(older_than_days=0)


def make_text(path):
    path.write_text("my thesis " * 1_000)


def make_database(path):
    change(path, "CREATE TABLE vector (row)")


def make_mirror(path):
    Mirror(path).close()


@pytest.mark.parametrize("make", [make_text, make_database, make_mirror])
def test_a_file_of_another_program_is_refused_and_not_touched(path, make, encoder):
    make(path)
    before = path.read_bytes()
    with pytest.raises(ForeignCacheError, match="is not a simsearch cache") as caught:
        VectorCache(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ForeignCacheError), cached(encoder, path):
        pass
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ForeignCacheError, match="is not a file"):
        VectorCache(tmp_path)


def test_at_the_default_path_noise_is_set_aside(monkeypatch, tmp_path, notices):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    default_cache().parent.mkdir()
    default_cache().write_bytes(bytes(5_000))
    encode(default_cache(), TEXTS, notices.append)
    assert len(notices) == 1
    assert encode(default_cache(), TEXTS)[1] == []


def test_a_file_of_another_version_is_neither_used_nor_touched(path, notices):
    encode(path, TEXTS)
    change(path, "PRAGMA user_version = 2")
    before = path.read_bytes()
    _, encoded = encode(path, TEXTS, notices.append)
    assert encoded == TEXTS
    assert "another version" in notices[0]
    assert path.read_bytes() == before


def test_without_a_writable_folder_there_is_no_cache(tmp_path, notices):
    (tmp_path / "file").touch()
    rows, encoded = encode(tmp_path / "file" / "v.sqlite", TEXTS, notices.append)
    assert encoded == TEXTS
    assert np.array_equal(rows, rounded(TEXTS))
    (notice,) = notices
    assert notice.startswith("continuing without a cache: ")


def test_a_read_only_file_is_read(path, connect_with, notices):
    encode(path, TEXTS[:2])
    change(path, "UPDATE entry SET used = '2020-02-03'")
    connect_with("PRAGMA query_only = 1")
    rows, encoded = encode(path, TEXTS, notices.append)
    assert encoded == TEXTS[2:]
    assert np.array_equal(rows, rounded(TEXTS))
    (notice,) = notices
    assert notice.startswith("the cache is no longer written: ")


def test_on_a_full_disk_it_is_read_and_the_rest_encoded(path, connect_with, notices):
    texts = many(2_000)
    encode(path, texts[:500])
    connect_with("PRAGMA max_page_count = 1")  # it may not grow beyond its present pages
    with cached(WordEncoder(), path, notices.append) as opened:
        assert np.array_equal(opened.encode(texts), rounded(texts))
        opened.encode(texts[:500])
        assert (opened.n_found, opened.n_encoded) == (1_000, 1_500)
    (notice,) = notices
    assert "full" in notice
    assert change(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_write_that_the_system_refuses_loses_nothing(path):
    """A limit on the size of files makes the system itself refuse, during a commit."""
    encode(path, many(1_000))
    limit = path.stat().st_size + 30_000
    limited = f"import resource as r; r.setrlimit(r.RLIMIT_FSIZE, ({limit}, {limit}))\n{SCRIPT}"
    process = subprocess.run(
        [sys.executable, "-c", limited, str(Path(__file__).parent), str(path), "0", "9000"],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert process.returncode == 1  # there were notices
    assert change(path, "PRAGMA integrity_check") == [("ok",)]
    kept = change(path, "SELECT count(*) FROM vector")[0][0]
    assert kept >= 1_000
    assert len(encode(path, many(9_000))[1]) == 9_000 - kept


def test_a_file_that_stays_locked_is_not_used(path, monkeypatch, notices):
    monkeypatch.setattr("simsearch.encode.cache_file._WAIT", 0)
    encode(path, TEXTS)
    with cached(WordEncoder(), path, notices.append) as opened:
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert np.array_equal(opened.encode(TEXTS), rounded(TEXTS))
        assert opened.n_encoded == 4
    assert [notice.split(":")[0] for notice in notices] == [
        "the cache is no longer read",
        "the cache is no longer written",
    ]


def test_a_file_that_another_process_is_creating_is_not_foreign(path, monkeypatch):
    """A check of the mark before, and of the tables after, would find tables without a mark."""
    connect = sqlite3.connect
    rivals = []

    class Watched(sqlite3.Connection):
        def execute(self, statement, *values):
            if "user_version" in statement and not rivals:
                rivals.append(connect(path, timeout=0))
                with contextlib.suppress(sqlite3.OperationalError):  # it has to wait
                    rivals[0].executescript("BEGIN IMMEDIATE; CREATE TABLE vector (row); COMMIT;")
                rivals[0].close()
            return super().execute(statement, *values)

    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Watched, **k))
    VectorCache(path).close()
    assert rivals


def test_a_file_deleted_during_a_run_is_created_again(path, notices):
    with cached(WordEncoder(), path, notices.append) as opened:
        opened.encode(TEXTS[:2])
        path.unlink()
        opened.encode(TEXTS[2:])
    assert encode(path, TEXTS)[1] == TEXTS[:2]
    assert notices == []


def test_a_file_that_another_process_set_aside_is_not_written_to(path, tmp_path, notices):
    """Writing to the old file with the journal of the new one would damage both."""
    encode(path, TEXTS[:1])
    with cached(WordEncoder(), path, notices.append) as opened:
        path.rename(tmp_path / "aside")
        encode(path, TEXTS[1:2])
        opened.encode(TEXTS[2:])
    assert change(tmp_path / "aside", "SELECT count(*) FROM entry") == [(1,)]
    assert change(path, "SELECT count(*) FROM entry") == [(3,)]
