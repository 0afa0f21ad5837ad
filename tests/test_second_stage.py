"""The learned ranking: the net, what it reads of a pair, and the order that users get."""

import hashlib

import msgspec
import numpy as np
import pytest
from asking import study_parts

from simsearch import open_index
from simsearch.errors import ArgumentError
from simsearch.evaluation.corpus import Corpus
from simsearch.index.opened import opened_index
from simsearch.index.profiles import profile_of
from simsearch.related.batch_search import BatchSearch
from simsearch.search.features import FEATURES, asked, features
from simsearch.search.nearest import nearest, ranked
from simsearch.search.query_parts import study_part
from simsearch.search.second_stage import (
    LEAST_CHANCE,
    NET_FILE,
    Net,
    is_served,
    packaged_net,
    scores,
    similarities,
)  # fmt: skip
from simsearch.vectors import DEFAULT_WEIGHTS


@pytest.fixture(scope="module")
def demo():
    with opened_index(None) as index:
        yield index


def table(index, row, rows):
    part = study_part(index, row)
    words = index.lexical.signal(part.terms)
    return features(index, asked(index, part, words), rows, words[rows])


def test_the_net_is_what_its_fingerprint_says():
    net = msgspec.json.decode(NET_FILE.read_bytes(), type=Net)
    names = ("mean", "scale", "missing", "hidden", "bias", "out", "offset")
    fixed = [net.encoder, net.features, [(name, getattr(net, name)) for name in names]]
    digest = hashlib.sha256(msgspec.json.encode(fixed)).hexdigest()
    assert net.fingerprint == digest[:16]
    assert net.features == FEATURES


def test_the_net_computes_what_its_numbers_say():
    """One pair by plain Python, with a feature that is missing and one far out."""
    net = msgspec.json.decode(NET_FILE.read_bytes(), type=Net)
    pair = list(net.mean)
    pair[0] += 100 * net.scale[0]
    gone = FEATURES.index(net.missing[0])
    pair[gone] = float("nan")
    inputs = [4.0, *[0.0] * (len(pair) - 1), 1.0, *[0.0] * (len(net.missing) - 1)]
    hidden = [
        np.tanh(sum(x * row[unit] for x, row in zip(inputs, net.hidden, strict=True)) + bias)
        for unit, bias in enumerate(net.bias)
    ]
    expected = sum(x * weight for x, weight in zip(hidden, net.out, strict=True)) + net.offset
    (found,) = scores(np.array([pair]), packaged_net())
    assert found == pytest.approx(expected, abs=1e-9)


def test_features_are_those_of_the_records(demo):
    row, other = (demo.row_of(each) for each in ("NCT03540472", "NCT00229619"))
    (pair,) = table(demo, row, np.array([other]))
    named = dict(zip(FEATURES, pair.tolist(), strict=True))
    one, two = (demo.rows("text", np.array([each]))[0].astype(float) for each in (row, other))
    assert named["text"] == pytest.approx(one @ two)
    assert named["phases apart"] == 2  # 4 and 2
    assert named["same study type"] == named["a drug is asked about"] == 1
    assert named["same sponsor"] == named["an observation is asked about"] == 0
    assert named["words of interventions"] == 0
    assert 0 < named["words of conditions"] <= 1


def test_what_a_record_lacks_is_no_number(demo):
    rows = np.flatnonzero(demo.has_text)
    for row in rows.tolist():
        if not demo.vectors(row)["interventions"].any():
            found = table(demo, row, rows[:5])
            assert np.isnan(found[:, FEATURES.index("interventions")]).all()
            assert np.isnan(found[:, FEATURES.index("words of interventions")]).all()
            return
    pytest.fail("every study of the demo has interventions")


def test_features_do_not_depend_on_the_other_candidates(demo):
    row = demo.row_of("NCT03540472")
    rows = np.setdiff1d(np.flatnonzero(demo.has_text), [row])
    whole = table(demo, row, rows)
    assert np.array_equal(table(demo, row, rows[40:41]), whole[40:41], equal_nan=True)


def test_a_draft_has_the_profile_of_its_record(demo):
    row = demo.row_of("NCT00229619")
    (study,) = demo.store.studies([row])
    stored, made = demo.profiles.row(row), profile_of(study, demo.lexical)
    assert [each.tolist() for each in stored.terms] == [each.tolist() for each in made.terms]
    assert stored.traits.tolist() == made.traits.tolist()


def test_likely_ones_come_first_then_the_weighted_sum_decides(demo):
    part = study_parts(demo, ["NCT03540472"])
    found = nearest(demo, part, 50)
    linear = {each.nct_id: each.similarity for each in nearest(demo, part, 242, ranking="linear")}
    values = [each.similarity for each in found]
    assert values == sorted(values, reverse=True)
    n_likely = sum(value >= LEAST_CHANCE for value in values)
    assert 0 < n_likely < 50
    for each in found[n_likely:]:
        assert each.similarity == pytest.approx(LEAST_CHANCE * linear[each.nct_id], abs=2e-6)


def test_percentiles_fall_with_the_similarity(demo):
    found = nearest(demo, study_parts(demo, ["NCT00229619"]), 60)
    percentiles = [each.percentile for each in found]
    assert percentiles == sorted(percentiles, reverse=True)
    assert percentiles[0] > 95


def test_filters_change_no_similarity():
    with open_index() as index:
        every = {e.nct_id: e.similarity for e in index.related("NCT03540472", k=200)}
        some = index.related("NCT03540472", k=20, status="completed")
        assert len(some) == 20
        assert all(each.similarity == every[each.nct_id] for each in some)


def test_several_studies_have_the_mean_of_their_likeness_where_that_is_likely(demo):
    ids = ["NCT03540472", "NCT03364764"]
    both = {e.nct_id: e.similarity for e in nearest(demo, study_parts(demo, ids), 3)}
    each = [
        {e.nct_id: e.similarity for e in nearest(demo, study_parts(demo, [one]), 20)} for one in ids
    ]
    best = next(iter(both))
    assert both[best] >= LEAST_CHANCE
    assert both[best] == pytest.approx(np.mean([of[best] for of in each]), abs=2e-6)


@pytest.mark.parametrize(
    "how", [{"weights": {"text": 1.0}}, {"ranking": "linear"}, {"unlike": "NCT00001626"}]
)
def test_what_the_net_cannot_answer_is_the_weighted_sum(how):
    with open_index() as index:
        answer = index.related("NCT03540472", k=5, **how)
        assert answer.ranking == "linear"
        assert answer.close_percentile == 99
        assert index.related("NCT03540472", k=5).ranking == "learned"


def test_close_is_a_chance_of_one_half():
    with open_index() as index:
        answer = index.related("NCT03540472", k=30)
    assert answer.n_close == sum(each.similarity >= 0.5 for each in answer) > 0


def test_an_unknown_ranking_is_refused():
    with open_index() as index, pytest.raises(ArgumentError, match="'learned' or 'linear'"):
        index.related("NCT03540472", ranking="best")


def test_an_index_of_another_encoder_is_ranked_by_the_weighted_sum(six):
    parts = study_parts(six, ["NCT101"])
    assert not is_served(six, parts, DEFAULT_WEIGHTS)
    assert not ranked(six, parts, 3).is_learned


def test_lists_are_those_of_single_queries(demo):
    search = BatchSearch(demo, 10)
    assert search.ranking == "learned"
    lists = search.lists(search.listed[:40])
    for place, row in enumerate(search.listed[:40].tolist()):
        alone = ranked(demo, [study_part(demo, row)], 10)
        assert lists.rows[place].tolist() == alone.rows.tolist()
        assert lists.parts[place].tolist() == np.rint(alone.similarity * 1e6).tolist()


def test_the_same_pair_has_the_same_similarity_every_time(demo):
    part = study_part(demo, demo.row_of("NCT00001626"))
    rows = Corpus(demo).searchable
    one, other = (similarities(demo, [part], rows, hold_nearest=False) for _ in range(2))
    assert np.array_equal(one, other)
