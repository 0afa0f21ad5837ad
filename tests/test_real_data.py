"""The same promises on real registry records, with the real model."""

import collections
import gzip
import json
import random
import re

import numpy as np
import pytest
from asking import similar_to_study, similar_to_text

from simsearch import Study, build_index, load_encoder, read_studies
from simsearch.encode.fields import FIELDS
from simsearch.index.opened import opened_index
from simsearch.search import nearest as search
from simsearch.search.query_parts import study_part
from simsearch.search.second_stage import similarities
from simsearch.vectors import DEFAULT_WEIGHTS

pytestmark = pytest.mark.real_data

SAMPLE_EVERY = 20  # studies-full holds 46,289: about 2,600 of them are encoded here
SUBJECT = re.compile("cell aplasia|aplastic anemia|marrow failure|tacrolimus", re.IGNORECASE)


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


@pytest.fixture(scope="module")
def sample(shared, tmp_path_factory, encoder):
    """An index of every twentieth full record, and of all of marrow failure and of tacrolimus."""
    records = tmp_path_factory.mktemp("sample") / "records.jsonl"
    with gzip.open(shared / "studies-full.jsonl.gz", "rt") as lines, records.open("w") as chosen:
        for n, line in enumerate(lines):
            if n % SAMPLE_EVERY == 0 or SUBJECT.search(line):
                chosen.write(line)
    folder = records.parent / "index"
    build_index(read_studies(records), folder, encoder)
    return opened_index(folder)


def test_every_record_in_api_layout_is_read(shared):
    for name, n_studies in (
        ("studies-full.jsonl.gz", 46_289), ("studies-brief.jsonl.gz", 89_070),
        ("raw/api-v2-studies.jsonl.gz", 461), ("raw/ctg-studies.json", 100),
        ("raw/ctg-studies.json.zip", 100),
    ):  # fmt: skip
        outcomes = collections.Counter(type(each) for each in read_studies(shared / name))
        assert outcomes == {Study: n_studies}, name


def test_the_same_study_in_two_forms_is_the_same(shared):
    """The array and the zip hold some of the studies that the JSON Lines hold."""
    forms = [
        {each.nct_id: each for each in read_studies(shared / "raw" / name)}
        for name in ("api-v2-studies.jsonl.gz", "ctg-studies.json", "ctg-studies.json.zip")
    ]
    pairs = 0
    for first, second in ((0, 1), (0, 2), (1, 2)):
        for nct_id in forms[first].keys() & forms[second].keys():
            one, other = forms[first][nct_id], forms[second][nct_id]
            if (one.last_update_date, one.data_version) == (
                other.last_update_date, other.data_version
            ):  # fmt: skip
                pairs += 1
                assert one == other
    assert pairs >= 1


def test_clean_text_has_no_escapes_entities_or_controls_left(shared):
    for study in read_studies(shared / "raw/api-v2-studies.jsonl.gz"):
        for text in (study.title, study.summary, *study.conditions, study.sponsor):
            assert "\\>" not in text
            assert "&lt;" not in text
            assert text == " ".join(text.split())


def test_faiss_equals_numpy_on_ids_and_values(sample):
    rows = sample.text.rows(np.arange(sample.n_studies)).astype(np.float32)
    for row in random.Random(0).sample(range(sample.n_studies), 1000):
        numbers, values = sample.text.nearest(rows[row], 10)
        brute = rows @ rows[row]
        assert values == pytest.approx(np.sort(brute)[::-1][:10], abs=1e-5)
        assert brute[numbers] == pytest.approx(values, abs=1e-5)
        assert len(set(numbers.tolist())) == 10


def test_two_stages_agree_with_scoring_every_study(sample, monkeypatch):
    """All candidates are within the first stage's reach; a figure for more is in the README."""
    monkeypatch.setattr(search, "FEW", 0)  # a sample this small would be scored whole
    ids = sample.store.nct_ids()
    agreed = 0
    rows = {field: sample.rows(field, np.arange(len(ids))).astype(float) for field in FIELDS}
    asked = random.Random(1).sample(range(len(ids)), 200)
    for row in asked:
        query = sample.vectors(row)
        present = [field for field in FIELDS if query[field].any()]
        total = sum(DEFAULT_WEIGHTS[name] for name in (*present, "lexical"))
        scores = sum(
            DEFAULT_WEIGHTS[field] / total * (rows[field] @ query[field].astype(float))
            for field in present
        )
        scores += (
            DEFAULT_WEIGHTS["lexical"] / total * sample.lexical.signal(sample.lexical.row(row))
        )
        scores = scores.clip(max=1).round(6)
        scores[row] = -9
        best = [ids[n] for n in np.lexsort((np.arange(len(ids)), -scores))[:10]]
        found = search.nearest(sample, [study_part(sample, row)], 10, ranking="linear")
        agreed += [each.study.nct_id for each in found] == best
    assert agreed >= 198


def test_the_learned_ranking_of_candidates_agrees_with_scoring_every_study(sample, monkeypatch):
    """Exhaustive means here: the learned similarity of every study of the index."""
    monkeypatch.setattr(search, "FEW", 0)
    rows = np.flatnonzero(sample.has_text)
    shares = []
    for row in random.Random(2).sample(rows.tolist(), 100):
        part = study_part(sample, row)
        others = rows[rows != row]
        every = search.rounded(similarities(sample, [part], others, hold_nearest=False))
        best = others[np.lexsort((others, -every))[:10]]
        found = search.ranked(sample, [part], 10).rows
        shares.append(np.isin(best, found).mean())
    assert np.mean(shares) >= 0.995


def test_the_order_of_records_and_a_second_run_change_no_byte(shared, tmp_path, encoder):
    records = json.loads((shared / "raw/ctg-studies.json").read_text(encoding="utf-8"))[:60]
    built = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(records))
        report = build_index(read_studies(path), tmp_path / name, encoder)
        files = report.index / "generations" / report.generation
        built.append({p.name: p.read_bytes() for p in files.iterdir() if p.name != "manifest.json"})
        random.Random(2).shuffle(records)
    assert built[0] == built[1]


def test_the_studies_next_to_nct03540472_are_of_its_disease(sample):
    """Tacrolimus in transplants of kidneys is near by its words, and is not what is asked."""
    found = [each.study for each in similar_to_study(sample, "NCT03540472")]
    assert [study.nct_id for study in found[:2]] == ["NCT00229619", "NCT00001962"]
    disease = re.compile("aplasia|aplastic|marrow failure|blackfan|cytopenia", re.IGNORECASE)
    for study in found:
        words = [study.title, *study.conditions, *study.condition_mesh, study.summary]
        assert disease.search(" ".join(words)), study.title


def test_words_find_their_subject(sample, encoder):
    found = similar_to_text(sample, "knee replacement surgery in osteoarthritis", encoder, 5)
    titles = " ".join(each.study.title for each in found).lower()
    assert titles.count("knee") >= 3


def test_the_neighbours_of_refractory_red_cell_aplasia_are_of_its_field(sample):
    """The studies of red-cell aplasia come first, and drugs for something else do not displace."""
    found = similar_to_study(sample, "NCT03540472", 10)
    subjects = [
        " ".join((each.title, each.study.summary, *each.study.conditions)) for each in found
    ]
    aplasia = re.compile("red[- ]?(blood )?cell aplasia|PRCA", re.IGNORECASE)
    field = re.compile(
        "aplasia|aplastic|marrow failure|blackfan|fanconi|cytopeni|pancytop|hemolytic",
        re.IGNORECASE,
    )
    assert all(aplasia.search(each) for each in subjects[:2]), subjects[:2]
    assert [each.nct_id for each in found[:2]] == ["NCT00229619", "NCT00001962"]
    assert all(field.search(each) for each in subjects), subjects
