"""After an update only the lists that can have changed are computed, with the same result."""

from __future__ import annotations

import base64
import json
import random
import shutil
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import record
from test_batch_search import few_are_enough, many  # noqa: F401 - a fixture
from test_related import lists_of

from simsearch import Filters
from simsearch.errors import RelatedFileError
from simsearch.index.opened import opened_index
from simsearch.related.files import COLUMNS, METADATA
from simsearch.related.run import related


@pytest.fixture(autouse=True)
def frozen_lexical_fit(monkeypatch):
    """Weights of terms that do not depend on other studies, as a kept fit has them."""
    monkeypatch.setattr("simsearch.index.terms._ALWAYS_KEPT", 10**9)
    monkeypatch.setattr("simsearch.index.terms._idf", lambda n_with, _: np.ones(len(n_with)))
    monkeypatch.setattr("simsearch.lexical._bm25", lambda often, *_: often.astype(np.float64))


def changed(records: list[dict], rng: random.Random, n: int) -> list[dict]:
    """Some records gone, some new, some with the text of others."""
    fresh = many(2 * n, seed=rng.randrange(10**6))
    found = [dict(each) for each in records]
    for _ in range(n // 3):
        del found[rng.randrange(len(found))]
        nct_id = f"NCT{rng.randrange(10**7, 10**8):08}"
        found.append(with_id(rng.choice(fresh), nct_id))
        at = rng.randrange(len(found))
        found[at] = with_id(rng.choice(fresh), id_of(found[at]))
    return found


def id_of(each: dict) -> str:
    return each["protocolSection"]["identificationModule"]["nctId"]


def with_id(each: dict, nct_id: str) -> dict:
    section = each["protocolSection"]
    identification = {**section["identificationModule"], "nctId": nct_id}
    return {**each, "protocolSection": {**section, "identificationModule": identification}}


def assert_update_equals_full_run(build, tmp_path, before, after, **options):
    folder = build(before, allow_rejects=True).index
    related(opened_index(folder), tmp_path / "kept.parquet", 5, **options)
    build(after, allow_rejects=True, allow_shrink=True)
    index = opened_index(folder)
    report = related(index, tmp_path / "kept.parquet", 5, **options)
    related(index, tmp_path / "full.parquet", 5, **options)
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "kept.parquet"), pd.read_parquet(tmp_path / "full.parquet")
    )
    return report


@pytest.mark.parametrize("seed", range(4))
def test_all_scored(build, tmp_path, seed):
    rng = random.Random(seed)
    before = many(250, seed)
    report = assert_update_equals_full_run(build, tmp_path, before, changed(before, rng, 6))
    assert report.n_kept > 50


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("few_are_enough")
def test_candidates(build, tmp_path, seed):
    rng = random.Random(seed)
    before = many(400, seed)
    report = assert_update_equals_full_run(build, tmp_path, before, changed(before, rng, 9))
    assert report.n_computed < report.n_lists


@pytest.mark.parametrize("seed", range(2))
def test_filters(build, tmp_path, seed):
    rng = random.Random(seed)
    before = many(250, seed)
    after = changed(before, rng, 3)
    for at in (7, 11):  # passes the filter now, with the same text, or no longer
        section = after[at]["protocolSection"]
        was = section["statusModule"]["overallStatus"]
        now = "COMPLETED" if was == "RECRUITING" else "RECRUITING"
        status = {**section["statusModule"], "overallStatus": now}
        after[at] = {"protocolSection": {**section, "statusModule": status}}
    recruiting = Filters(status=("recruiting",))
    report = assert_update_equals_full_run(build, tmp_path, before, after, filters=recruiting)
    assert report.n_kept > 50


def test_nothing_is_computed_where_nothing_has_changed(build, tmp_path):
    folder = build(many(100)).index
    related(opened_index(folder), tmp_path / "x.parquet", 5)
    report = related(opened_index(folder), tmp_path / "x.parquet", 5)
    assert (report.n_computed, report.n_kept) == (0, report.n_lists)


def test_another_k_is_a_full_run_and_says_so(six, tmp_path):
    related(six, tmp_path / "x.parquet", 2)
    report = related(six, tmp_path / "x.parquet", 3)
    assert report.n_kept == 0
    assert "other k" in report.note


def test_a_generation_that_is_gone_is_a_full_run_and_says_so(build, tmp_path):
    folder = build().index
    related(opened_index(folder), tmp_path / "x.parquet", 2)
    old = opened_index(folder).generation.path
    build([*many(3), record("NCT00000500", "anemia")], allow_shrink=True)
    shutil.rmtree(old)
    report = related(opened_index(folder), tmp_path / "x.parquet", 2)
    assert "not kept" in report.note


def test_a_lexical_fit_of_its_own_is_a_full_run_and_says_so(build, tmp_path, monkeypatch):
    before = many(150)
    folder = build(before).index
    related(opened_index(folder), tmp_path / "x.parquet", 2)
    monkeypatch.setattr("simsearch.lexical._bm25", lambda often, *_: 1 / (1.0 + often))
    build(before, allow_moved=True)
    report = related(opened_index(folder), tmp_path / "x.parquet", 2)
    assert report.n_kept == 0
    assert "have changed" in report.note


def test_since_names_an_earlier_result(six, tmp_path):
    related(six, tmp_path / "x.parquet", 2)
    report = related(six, tmp_path / "y.csv", 2, since=tmp_path / "x.parquet")
    assert report.n_kept == 6


def test_since_that_is_no_result(six, tmp_path):
    with pytest.raises(RelatedFileError, match="no earlier result"):
        related(six, tmp_path / "y.csv", 2, since=tmp_path / "x.parquet")


def other_room(room: bytes) -> dict:
    return {"room": base64.b64encode(room).decode()}


def rewritten(path: Path, metadata: bytes | None = None, **columns: list) -> None:
    """Write a result again with other metadata, or other values in a column."""
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, [values])
    if metadata is not None:
        table = table.replace_schema_metadata({METADATA: metadata})
    pq.write_table(table, path)


@pytest.mark.parametrize(
    "metadata",
    [b"", b"{", b"[]", b"\xff", b'{"schema": "simsearch.related/1"}', b"[" * 5000],
)
def test_metadata_that_are_none_of_ours(six, tmp_path, metadata):
    """The file is something else: it is neither used nor replaced."""
    related(six, tmp_path / "x.parquet", 2)
    rewritten(tmp_path / "x.parquet", metadata)
    with pytest.raises(RelatedFileError, match="give --force"):
        related(six, tmp_path / "x.parquet", 2)
    with pytest.raises(RelatedFileError, match="no earlier result"):
        related(six, tmp_path / "y.csv", 2, since=tmp_path / "x.parquet")
    report = related(six, tmp_path / "x.parquet", 2, force=True)
    assert report.n_computed == 6


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"room": ""}, "is damaged"),
        (other_room(b"no zlib"), "is damaged"),
        (other_room(zlib.compress(bytes(5))), "does not fit"),
    ],
)
def test_a_room_that_is_damaged_is_a_full_run_or_an_error_where_it_was_named(
    six, tmp_path, changes, reason
):
    path = tmp_path / "x.parquet"
    related(six, path, 2)
    whole = lists_of(path)
    found = json.loads(pq.read_schema(path).metadata[METADATA])
    rewritten(path, json.dumps({**found, **changes}).encode())
    with pytest.raises(RelatedFileError, match=reason):
        related(six, tmp_path / "y.csv", 2, since=path)
    report = related(six, path, 2)
    assert (report.n_computed, report.n_kept) == (6, 0)
    assert reason in report.note
    assert lists_of(path) == whole


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("nct_id", ["NCT00000777"] * 12, "does not fit"),
        ("neighbour_id", ["NCT00000777"] * 12, "does not fit"),
        ("nct_id", ["N\u00e9"] * 12, "is damaged"),
        ("nct_id", pa.array([None] * 12, pa.string()), "does not fit"),
        ("nct_id", [7] * 12, "other columns"),
        ("rank", pa.array([3] * 12, pa.int32()), "does not fit"),
        ("rank", pa.array([0] * 12, pa.int32()), "does not fit"),
        ("similarity", [np.nan] * 12, "does not fit"),
        ("similarity", ["much"] * 12, "other columns"),
    ],
)
def test_columns_that_are_damaged_are_a_full_run_or_an_error_where_it_was_named(
    six, tmp_path, column, values, reason
):
    path = tmp_path / "x.parquet"
    related(six, path, 2)
    rewritten(path, **{column: values})
    with pytest.raises(RelatedFileError, match=reason):
        related(six, tmp_path / "y.csv", 2, since=path)
    report = related(six, path, 2)
    assert (report.n_computed, report.n_kept) == (6, 0)
    assert reason in report.note


def test_a_changed_byte_of_a_column_is_noticed(six, tmp_path):
    path = tmp_path / "x.parquet"
    related(six, path, 2)
    column = pq.ParquetFile(path).metadata.row_group(0).column(COLUMNS.index("similarity"))
    body = bytearray(path.read_bytes())
    body[column.dictionary_page_offset + column.total_compressed_size - 1] ^= 1
    path.write_bytes(body)
    report = related(six, path, 2)
    assert report.n_computed == 6
    assert "is damaged" in report.note
