"""Exports as files: OpenSearch, checked against its documented formats, and Parquet."""

import json
import re
import subprocess

import duckdb
import pyarrow.parquet as pq
import pytest

from simsearch.errors import ArgumentError, ExportError
from simsearch.export import opensearch
from simsearch.export.opensearch import export_opensearch
from simsearch.export.parquet import export_parquet
from simsearch.index.opened import opened_index
from simsearch.search.answer import ask
from simsearch.search.question import Question


@pytest.fixture(scope="module")
def demo():
    with opened_index() as opened:
        yield opened


@pytest.fixture(scope="module")
def files(demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "opensearch"
    export_opensearch(demo, folder)
    return folder


@pytest.fixture(scope="module")
def parquet(demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "parquet"
    export_parquet(demo, folder)
    return folder


# OpenSearch: what its documentation lets a mapping and a bulk request hold

DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
OF_TYPE = {
    "keyword": lambda value: all(isinstance(each, str) for each in as_list(value)),
    "text": lambda value: all(isinstance(each, str) for each in as_list(value)),
    "date": DATE.fullmatch,
    "long": lambda value: isinstance(value, int),
    "integer": lambda value: isinstance(value, int),
    "float": lambda value: isinstance(value, float | int),
    "boolean": lambda value: isinstance(value, bool),
    "geo_point": lambda value: all(
        -90 <= each["lat"] <= 90 and -180 <= each["lon"] <= 180 for each in as_list(value)
    ),
    "rank_features": lambda value: all(
        isinstance(name, str) and "." not in name and weight > 0 for name, weight in value.items()
    ),
}
PARAMETERS = {
    "knn_vector": {"type", "dimension", "method"}, "date": {"type", "format"},
    "text": {"type", "index"}, "object": {"type", "properties"},
}  # fmt: skip


def as_list(value):
    return value if isinstance(value, list) else [value]


def check_mapping(fields):
    for name, field in fields.items():
        assert set(field) <= PARAMETERS.get(field["type"], {"type"}), name
        if field["type"] == "knn_vector":
            assert 1 <= field["dimension"] <= 16_000
            method = field["method"]
            assert method["name"] in {"hnsw", "ivf"}
            assert method["engine"] in {"faiss", "lucene"}
            assert method["space_type"] in {"l2", "innerproduct", "cosinesimil"}
        elif field["type"] == "object":
            check_mapping(field["properties"])
        else:
            assert field["type"] in OF_TYPE


def check_document(document, fields):
    """Check a document against a mapping whose `dynamic` is strict."""
    for name, value in document.items():
        field = fields[name]
        if field["type"] == "knn_vector":
            assert len(value) == field["dimension"]
            assert all(isinstance(each, float) for each in value)
            assert sum(each * each for each in value) == pytest.approx(1, abs=0.01)
        elif field["type"] == "object":
            for each in as_list(value):
                check_document(each, field["properties"])
        else:
            assert OF_TYPE[field["type"]](value), (name, value)


def documents(folder):
    for piece in sorted(folder.glob("bulk-*.ndjson")):
        lines = piece.read_text().splitlines()
        assert piece.read_bytes().endswith(b"\n")
        assert len(lines) % 2 == 0
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            yield json.loads(action), json.loads(document)


def test_the_mapping_and_every_document_are_as_documented(files, demo):
    mapping = json.loads((files / "mapping.json").read_text())
    assert set(mapping) == {"settings", "mappings"}
    assert mapping["settings"]["index"]["knn"] is True
    fields = mapping["mappings"]["properties"]
    check_mapping(fields)
    seen = []
    for action, document in documents(files):
        assert set(action) == {"index"}
        assert set(action["index"]) == {"_index", "_id"}
        assert action["index"]["_id"] == document["nct_id"]
        check_document(document, fields)
        seen.append(document["nct_id"])
    assert seen == demo.store.nct_ids()


def test_the_alias_moves_to_the_index_of_the_documents(files):
    names = {action["index"]["_index"] for action, _ in documents(files)}
    (name,) = names
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name)
    actions = json.loads((files / "alias.json").read_text())["actions"]
    assert actions[-1] == {"add": {"index": name, "alias": "simsearch"}}
    assert f"/{name}" in (files / "load.sh").read_text()


def test_related_lists_are_those_of_a_query(files, demo):
    for _, document in list(documents(files))[::40]:
        answer = ask(demo, Question(studies=document["nct_id"]))
        found = [(e["nct_id"], e["similarity"], e["reason"]) for e in document["related"]]
        assert found == [(e.nct_id, e.similarity, e.reason.line) for e in answer]


def test_pieces_are_small_enough_for_a_request(demo, tmp_path, monkeypatch):
    monkeypatch.setattr(opensearch, "_PIECE_BYTES", 200_000)
    export_opensearch(demo, tmp_path / "out", reasons=False)
    pieces = sorted((tmp_path / "out").glob("bulk-*.ndjson"))
    assert len(pieces) > 5
    assert all(piece.stat().st_size < 300_000 for piece in pieces)
    assert len(list(documents(tmp_path / "out"))) == demo.n_studies


def test_the_script_is_one_that_bash_reads(files):
    subprocess.run(["bash", "-n", files / "load.sh"], check=True)


@pytest.mark.parametrize("name", ["Simsearch", "a/b", "", "-a", 'a"b', "a" * 101])
def test_an_alias_that_opensearch_refuses_is_refused(demo, tmp_path, name):
    with pytest.raises(ArgumentError, match="small letters"):
        export_opensearch(demo, tmp_path / "out", name=name)


# Parquet


def test_the_tables_answer_as_a_query_does(parquet, demo):
    answer = ask(demo, Question(studies="NCT03540472"))
    found = duckdb.sql(
        f"SELECT neighbour_id, similarity, reason, s.title FROM '{parquet}/related.parquet' r "
        f"JOIN '{parquet}/studies.parquet' s ON s.nct_id = neighbour_id "
        "WHERE r.nct_id = 'NCT03540472' ORDER BY rank"
    ).fetchall()
    assert found == [(e.nct_id, e.similarity, e.reason.line, e.title) for e in answer]


def test_what_a_record_lacks_is_null(parquet):
    empty = duckdb.sql(f"SELECT count(*) FROM '{parquet}/studies.parquet' WHERE status = ''")
    assert empty.fetchall() == [(0,)]


def test_vectors_and_terms_give_the_similarity(parquet, demo):
    study = "NCT03540472"
    found = duckdb.sql(
        f"""
        WITH e AS (
                 SELECT nct_id, text::FLOAT[384] AS text, conditions::FLOAT[384] AS conditions,
                        terms, term_weights
                 FROM '{parquet}/embeddings.parquet'),
             q AS (SELECT * FROM e WHERE nct_id = '{study}'),
             t AS (SELECT nct_id, unnest(terms) AS term, unnest(term_weights) AS weight FROM e),
             lexical AS (
                 SELECT o.nct_id, sum(o.weight * m.weight) AS cosine
                 FROM t o JOIN t m ON m.term = o.term AND m.nct_id = '{study}' GROUP BY 1)
        SELECT e.nct_id, round(.35 * array_inner_product(e.text, q.text)
            + .10 * coalesce(array_inner_product(e.conditions, q.conditions), 0)
            + .55 * coalesce(cosine, 0), 4) AS similarity
        FROM q, e LEFT JOIN lexical ON lexical.nct_id = e.nct_id
        WHERE e.nct_id <> '{study}' ORDER BY similarity DESC, 1 LIMIT 5
        """
    ).fetchall()
    answer = ask(demo, Question(studies=study, k=5, explain=False, ranking="linear"))
    assert [nct_id for nct_id, _ in found] == [each.nct_id for each in answer]
    assert [value for _, value in found] == pytest.approx(
        [each.similarity for each in answer], abs=1e-3
    )


def test_the_metadata_says_which_index_it_is(parquet, demo):
    metadata = json.loads(pq.read_schema(parquet / "related.parquet").metadata[b"simsearch"])
    assert metadata["generation"] == demo.generation.manifest.generation
    assert metadata["k"] == 10


# The folder


def test_the_same_export_has_the_same_bytes(demo, parquet, tmp_path):
    export_parquet(demo, tmp_path / "again")
    for file in sorted(parquet.iterdir()):
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_a_folder_of_something_else_is_left_alone(demo, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(ExportError, match="something other than an export"):
        export_parquet(demo, tmp_path / "mine")
    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_an_earlier_export_is_replaced_only_when_the_next_is_whole(demo, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    export_parquet(demo, folder, k=2)
    before = (folder / "related.parquet").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(ExportError, match="No space left"):
        patched.setattr(pq.ParquetWriter, "write_table", full)
        export_parquet(demo, folder, k=3)
    assert (folder / "related.parquet").read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
    export_parquet(demo, folder, k=3)
    assert duckdb.sql(f"SELECT max(rank) FROM '{folder}/related.parquet'").fetchall() == [(3,)]


def test_a_run_killed_while_folders_change_places_loses_nothing(demo, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    export_parquet(demo, folder, k=2)
    before = (folder / "related.parquet").read_bytes()
    folder.rename(tmp_path / ".out.old")  # killed: the new folder has not come

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(ExportError, match="No space left"):
        patched.setattr(pq.ParquetWriter, "write_table", full)
        export_parquet(demo, folder, k=3)
    assert (folder / "related.parquet").read_bytes() == before


def test_a_file_and_a_missing_folder_are_refused(demo, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="it is a file"):
        export_parquet(demo, tmp_path / "file")
    with pytest.raises(ExportError, match="nowhere is not a folder"):
        export_parquet(demo, tmp_path / "nowhere" / "out")


def test_an_export_of_another_kind_is_not_replaced(demo, tmp_path):
    export_parquet(demo, tmp_path / "out", k=1)
    before = sorted(each.name for each in (tmp_path / "out").iterdir())
    with pytest.raises(ExportError, match="something other than an export to opensearch"):
        export_opensearch(demo, tmp_path / "out", k=1)
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == before
