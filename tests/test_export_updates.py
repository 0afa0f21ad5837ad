"""A later generation: only what can have changed is computed, and nothing is missed."""

import random
import zlib

import numpy as np
import pytest
from conftest import record
from postgres_server import contents, database, rows, run, server  # noqa: F401 - fixtures

from simsearch import build_index, read_studies
from simsearch.errors import ExportError
from simsearch.export import lists as export_lists
from simsearch.export.postgres import export_postgres
from simsearch.export.rows import generation_of
from simsearch.index.opened import opened_index
from simsearch.related import batch_search, coarse_int8
from simsearch.related.batch_search import BatchSearch
from simsearch.related.pair_features import Pairs, pair_similarities
from simsearch.search import nearest as search
from simsearch.search.features import asked
from simsearch.search.query_parts import study_part
from simsearch.search.second_stage import packaged_net, similarities
from simsearch.vectors import unit_rows

SUBJECTS = [[f"{subject}{n}" for n in range(12)] for subject in ("anemia", "knee", "heart", "skin")]
COMMON = [f"word{n}" for n in range(80)]


class SumEncoder:
    """The sum of a fixed random vector for each word; the net of the package ranks with it."""

    name = "sums"
    dimension = 24
    max_tokens = 512
    precision = "float32"

    def __init__(self, fingerprint=""):
        self.fingerprint = fingerprint or packaged_net().encoder

    def count_tokens(self, texts):
        return np.array([len(text.split()) for text in texts], dtype=np.int64)

    def encode(self, texts):
        return unit_rows([sum(map(self._of_word, text.split())) for text in texts])

    def _of_word(self, word):
        seed = zlib.crc32(word.strip(".;").lower().encode())
        return np.random.default_rng(seed).normal(size=self.dimension)


def study(rng, number):
    subject = rng.choice(SUBJECTS)
    words = rng.choices(subject, k=rng.randint(2, 8)) + rng.choices(COMMON, k=rng.randint(2, 9))
    return record(
        f"NCT{number:08}",
        " ".join(words[:4]),
        rng.choices(subject[:4], k=rng.randint(0, 2)),
        [("DRUG", word) for word in rng.choices(subject[4:8], k=rng.randint(0, 2))],
        " ".join(words),
        status=rng.choice(["RECRUITING", "COMPLETED"]),
    )


def many(n=500, seed=0):
    rng = random.Random(seed)
    return {number: study(rng, number) for number in range(1, n + 1)}


def changed(records, seed):
    """The records with some new, some gone, some of another text, some of another status."""
    rng = random.Random(seed)
    found = dict(records)
    chosen = rng.sample(sorted(found), 12)
    for number in chosen[:3]:
        del found[number]
    for number in chosen[3:6]:
        found[number] = study(rng, number)
    for number in chosen[6:9]:
        found[number] = found[number] | {"derivedSection": {}}
        found[number]["protocolSection"] = found[number]["protocolSection"] | {
            "statusModule": {"overallStatus": "SUSPENDED"}
        }
    for number in chosen[9:12]:  # very like another one
        summary = found[number]["protocolSection"]["descriptionModule"]["briefSummary"]
        found[number + 10_000] = record(f"NCT{number + 10_000:08}", summary, [], [], summary)
    return found


@pytest.fixture
def few_are_enough(monkeypatch):
    """Retrieve candidates in an index of some hundred studies, as in one of many thousand."""
    monkeypatch.setattr(search, "FEW", 50)
    monkeypatch.setattr(batch_search, "FEW", 50)
    monkeypatch.setattr(search, "_MIN_CANDIDATES", 24)
    monkeypatch.setattr(search, "_CANDIDATES_PER_K", 3)
    monkeypatch.setattr(coarse_int8, "CHUNK", 100)
    monkeypatch.setattr(export_lists, "SPARE", 8)


@pytest.fixture
def built(tmp_path, write, few_are_enough):
    """Build a generation of records with the fit of the first one, and open it."""

    def _built(records, encoder=None, **options):
        options = {"allow_shrink": True, "allow_moved": True, "keep_fit": True} | options
        report = build_index(
            read_studies(write(records.values())),
            tmp_path / "index",
            encoder or SumEncoder(),
            **options,
        )
        return opened_index(report.index)

    return _built


@pytest.mark.parametrize("seed", range(2))
def test_an_update_gives_the_tables_of_a_load(built, database, seed):  # noqa: F811
    records = many()
    export_postgres(built(records), database, k=5)
    for step in range(2):
        records = changed(records, 10 * seed + step)
        later = built(records)
        report = export_postgres(later, database, k=5)
        assert report.kind == "differences"
        assert report.n_computed < later.n_studies / 2
        export_postgres(later, database, name="anew", k=5)
        assert said(database) == said(database, "anew")


def test_an_update_gives_the_tables_of_a_load_where_the_ranking_is_linear(built, database):  # noqa: F811
    encoder = SumEncoder("sums that no net knows")
    records = many()
    export_postgres(built(records, encoder), database, k=5)
    later = built(changed(records, 0), encoder)
    report = export_postgres(later, database, k=5)
    assert report.kind == "differences"
    export_postgres(later, database, name="anew", k=5)
    assert said(database) == said(database, "anew")


def said(address, schema="simsearch"):
    """All that an export holds, but for reasons: which words they name drifts with all studies."""
    found = contents(address, schema)
    found["related"] = rows(
        address,
        "SELECT nct_id, rank, neighbour_id, similarity, percentile, mutual "
        f"FROM {schema}.related ORDER BY 1, 2",
    )
    return found


def test_an_update_of_the_status_computes_the_lists_that_show_it(built, database):  # noqa: F811
    records = many()
    export_postgres(built(records), database, k=5)
    name, other = "NCT00000007", dict(records)
    protocol = other[7]["protocolSection"]
    status = {"statusModule": {"overallStatus": "SUSPENDED"}}
    other[7] = other[7] | {"protocolSection": protocol | status}
    report = export_postgres(built(other), database, k=5)
    showing = rows(database, "SELECT nct_id FROM simsearch.related WHERE neighbour_id = %s", [name])
    assert report.n_lists == len(showing) + 1
    assert report.n_computed < 100


def test_tables_that_no_export_wrote_are_named(built, database):  # noqa: F811
    export_postgres(built(many(60)), database, k=5)
    spoiled = "UPDATE simsearch.row_digest SET nct_id = 'NCT1' WHERE nct_id = 'NCT00000001'"
    run(database, spoiled)
    with pytest.raises(ExportError, match="simsearch holds what no export wrote: drop the schema"):
        export_postgres(built(many(61)), database, k=5)


def test_another_fit_computes_all_lists(built, database):  # noqa: F811
    records = many(300)
    before = built(records)
    export_postgres(before, database, k=5)
    later = built(changed(records, 1), keep_fit=False)
    assert (
        generation_of(later, 5, with_reasons=True).fit
        != generation_of(before, 5, with_reasons=True).fit
    )
    report = export_postgres(later, database, k=5)
    assert report.kind == "differences"
    assert report.n_computed == len(BatchSearch(later, 5).listed)
    export_postgres(later, database, name="anew", k=5)
    assert said(database) == said(database, "anew")


def test_similarities_of_pairs_are_those_of_queries(built):
    index = built(many(300))
    matrix = index.lexical.matrix()
    chance = np.random.default_rng(2)
    for row in chance.choice(300, 30, replace=False).tolist():
        part = study_part(index, row)
        others = np.setdiff1d(chance.choice(300, 40), [row])
        scale = asked(index, part, index.lexical.signal(part.terms))
        pairs = Pairs(
            np.full(len(others), row), others, np.full(len(others), scale.tenth_text),
            np.full(len(others), scale.tenth_words),
        )  # fmt: skip
        expected = similarities(index, [part], others, hold_nearest=False)
        assert pair_similarities(index, pairs, matrix) == pytest.approx(expected, abs=1e-6)


def test_a_kept_fit_keeps_means_and_scale(built):
    before = built(many(300))
    later = built(changed(many(300), 3))
    assert later.profiles.means.tolist() == before.profiles.means.tolist()
    assert later.learned_pairs.tolist() == before.learned_pairs.tolist()
