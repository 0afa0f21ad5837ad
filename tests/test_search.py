"""Neighbours of a study, a draft, a text."""

import gc
import json
import math
from pathlib import Path

import numpy as np
import pytest
from asking import (
    asked,
    similar_to_draft,
    similar_to_studies,
    similar_to_study,
    similar_to_text,
    study_parts,
)
from conftest import SIX, WordEncoder, record
from damaging import reseal
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch import Filters, Study, build_index, read_studies
from simsearch.errors import (
    ArgumentError,
    IndexCorruptError,
    NctIdError,
    NothingToCompareError,
    RecipeError,
    UnknownStudyError,
)
from simsearch.index.opened import opened_index
from simsearch.search.nearest import exhaustive, nearest, ranked
from simsearch.search.query_parts import mixes, read_text, text_part
from simsearch.search.reasons import explain
from simsearch.study import Intervention
from simsearch.vectors import DEFAULT_WEIGHTS, SIGNALS


def weights_by_term(index, row):
    """The stored row of terms as a dictionary."""
    terms = index.lexical.row(row)
    return dict(zip(terms.terms.tolist(), terms.weights.tolist(), strict=True))


def ids(neighbours):
    return [each.study.nct_id for each in neighbours]


def test_neighbours_are_ranked_by_similarity(six):
    found = similar_to_study(six, "NCT00000101")
    assert [each.rank for each in found] == [1, 2, 3, 4, 5]
    assert found[0].study.title == "Drops for aplasia"
    similarities = [each.similarity for each in found]
    assert similarities == sorted(similarities, reverse=True)


def test_the_similarity_is_the_weighted_sum_worked_out_by_hand(six):
    """Study 1 counts (aplasia 3, pills 3, adults 1), study 2 (aplasia 3, drops 3, adults 1)."""
    nearest = similar_to_study(six, "NCT00000101", 1)[0]
    assert nearest.study.nct_id == "NCT00000102"
    text = (3 * 3 + 1 * 1) / (math.sqrt(3 * 3 + 3 * 3 + 1) ** 2)
    dense = {"text": text, "conditions": 1.0, "interventions": 0.0}
    assert nearest.signals == pytest.approx(
        {**dense, "lexical": nearest.signals["lexical"]}, abs=1e-3
    )
    expected = sum(DEFAULT_WEIGHTS[name] * value for name, value in nearest.signals.items())
    assert nearest.similarity == pytest.approx(expected, abs=2e-6)


def test_two_stages_agree_with_scoring_every_study(six):
    for nct_id in six.store.nct_ids():
        row = six.row_of(nct_id)
        query, terms = six.vectors(row), weights_by_term(six, row)
        present = {field: vector.any() for field, vector in query.items()} | {"lexical": True}
        total = sum(DEFAULT_WEIGHTS[field] for field in present if present[field])
        scored = []
        for other in set(range(6)) - {row}:
            rows, its_terms = six.vectors(other), weights_by_term(six, other)
            cosines = {field: rows[field].astype(float) @ query[field] for field in query}
            cosines["lexical"] = sum(value * its_terms.get(n, 0) for n, value in terms.items())
            parts = (
                DEFAULT_WEIGHTS[name] / total * cosines[name] for name in present if present[name]
            )
            scored.append((-round(sum(parts), 6), six.store.nct_ids()[other]))
        found = similar_to_study(six, nct_id)
        assert [(-each.similarity, each.study.nct_id) for each in found] == sorted(scored)
        every = exhaustive(six, study_parts(six, [nct_id]))
        assert [every[six.row_of(each.study.nct_id)] for each in found] == [
            each.similarity for each in found
        ]


@pytest.mark.parametrize(
    "spelling", ["nct102", " NCT00000102 ", "NCT00000901", "https://x.org/study/NCT00000102?a=1"]
)
def test_any_spelling_and_an_alias_ask_for_the_same_study(six, spelling):
    assert six.study(spelling).nct_id == "NCT00000102"
    found = ids(similar_to_study(six, spelling, 100))
    assert found == ids(similar_to_study(six, "NCT00000102", 100))
    assert "NCT00000102" not in found
    assert len(found) == 5


def test_an_equal_twin_is_a_neighbour_and_the_query_is_not(build):
    twin = json.loads(json.dumps(SIX[0]).replace("NCT00000101", "NCT00000100"))
    index = opened_index(build([*SIX, twin]).index)
    found = similar_to_study(index, "NCT00000101", 3)
    assert found[0].study.nct_id == "NCT00000100"
    assert found[0].similarity == pytest.approx(1, abs=1e-3)
    assert found[0].similarity <= 1
    assert "NCT00000101" not in ids(found)


def test_no_signal_is_more_than_a_cosine_can_be(build):
    """Rows of 16 bits are not quite of length 1: this one is longer, and so its square."""
    same = ("Knee", ["Anemia knee knee knee iron iron iron"], [("DRUG", "Pills")])
    records = [record(f"NCT0000020{n}", *same) for n in range(2)]
    index = opened_index(build([*SIX, *records]).index)
    (row,) = index.rows("conditions", np.array([index.row_of("NCT200")])).astype(float)
    assert row @ row > 1 + 1e-4
    (twin,) = similar_to_study(index, "NCT200", 1)
    assert twin.signals["conditions"] == 1
    assert max(twin.signals.values()) <= 1


def test_ties_go_by_nct_id(build):
    equal = [record(f"NCT{n:08}", "Iron pills", ["Anemia"]) for n in (9, 3, 7, 1, 5)]
    index = opened_index(build([*SIX, *equal]).index)
    assert ids(similar_to_study(index, "NCT5", 4)) == [f"NCT{n:08}" for n in (1, 3, 7, 9)]


def test_a_repeated_query_gives_the_same_bytes(six):
    import msgspec

    answers = {msgspec.json.encode(similar_to_study(six, "NCT00000103")) for _ in range(5)}
    assert len(answers) == 1


def test_an_unknown_id_says_what_this_index_holds(six):
    with pytest.raises(
        UnknownStudyError,
        match=rf"NCT00000999 is not in the index {six.path} \(6 studies, records to 2021-05-06\)$",
    ):
        similar_to_study(six, "NCT999")


@pytest.mark.parametrize(
    ("typed", "close"),
    [("NTC00000102", "NCT00000102"), ("NCTO0000103", "NCT00000103"),
     ("NCT900000104", "NCT00000104"), ("NCT000001044", "NCT00000104"), ("00000105", "NCT00000105"),
     ("105", "NCT00000105"), ("hello 5", "")],
)  # fmt: skip
def test_a_malformed_id_names_a_close_one_of_the_index(six, typed, close):
    with pytest.raises(NctIdError) as caught:
        six.study(typed)
    assert caught.value.close == close
    assert (f"did you mean {close}?" in str(caught.value)) == bool(close)


@pytest.mark.parametrize("k", [0, -1, 10_001, 1_000_000])
def test_k_out_of_range_is_refused(six, k):
    with pytest.raises(ArgumentError, match=f"k is {k}"):
        similar_to_study(six, "NCT00000101", k)


def test_a_study_without_text_says_so(build):
    withheld = {"protocolSection": {"identificationModule": {"nctId": "NCT00000107"},
                                    "statusModule": {"overallStatus": "WITHHELD"}}}  # fmt: skip
    index = opened_index(build([*SIX, withheld]).index)
    with pytest.raises(NothingToCompareError, match=r"NCT00000107.*status WITHHELD"):
        similar_to_study(index, "NCT00000107")


def test_weights_steer_the_ranking(six):
    by_condition = similar_to_study(six, "NCT00000104", 1, {"conditions": 1})
    by_intervention = similar_to_study(six, "NCT00000101", 1, {"interventions": 1})
    assert by_condition[0].study.nct_id == "NCT00000103"
    assert by_intervention[0].similarity == 0
    by_words = similar_to_study(six, "NCT00000105", 1, {"lexical": 1})
    assert by_words[0].study.nct_id == "NCT00000106"
    with pytest.raises(ArgumentError, match="weight title"):
        similar_to_study(six, "NCT00000101", 1, {"title": 1})


def test_a_field_that_the_query_lacks_counts_for_nothing(six):
    """Study 6 names no intervention: its weight moves to text and conditions."""
    nearest = similar_to_study(six, "NCT00000106", 1)[0]
    assert set(nearest.signals) == {"text", "conditions", "lexical"}
    left = {name: DEFAULT_WEIGHTS[name] for name in nearest.signals}
    expected = sum(left[name] * value for name, value in nearest.signals.items())
    assert nearest.similarity == pytest.approx(expected / sum(left.values()), abs=2e-6)


def test_words_find_the_studies_that_say_them(six, encoder):
    found = similar_to_text(six, "knee surgery", encoder, 2)
    assert ids(found) == ["NCT00000105", "NCT00000106"]
    assert set(found[0].signals) == {"text", "conditions", "lexical"}


@pytest.mark.parametrize("text", ["", "   ", "?!", "NCT00000102"])
def test_a_text_without_words_is_refused(six, encoder, text):
    with pytest.raises(NothingToCompareError, match="has nothing to compare"):
        similar_to_text(six, text, encoder)


def test_a_draft_with_the_words_of_a_study_finds_it_first(six, encoder):
    draft = Study(nct_id="", title="Pills for aplasia", conditions=("Aplasia",),
                  interventions=(Intervention("Pills"),))  # fmt: skip
    found = similar_to_draft(six, draft, encoder)
    assert found[0].study.nct_id == "NCT00000101"
    assert len(found) == 6


@pytest.mark.parametrize("own", [{"nct_id": "NCT00000101"},
                                 {"nct_id": "", "aliases": ("NCT00000101",)}])  # fmt: skip
def test_a_draft_is_not_its_own_neighbour(six, encoder, own):
    draft = Study(title="Pills for aplasia", **own)
    assert "NCT00000101" not in ids(similar_to_draft(six, draft, encoder))


def test_none_of_a_drafts_own_numbers_is_its_neighbour(six, encoder):
    draft = Study(nct_id="", aliases=("NCT00000101", "NCT00000102"), title="Pills for aplasia")
    found = ids(similar_to_draft(six, draft, encoder))
    assert not {"NCT00000101", "NCT00000102"} & set(found)


def test_other_weights_are_scored_over_every_study(build, monkeypatch):
    """Also studies that the whole text would never retrieve."""
    from simsearch.search import nearest as search

    monkeypatch.setattr(search, "_MIN_CANDIDATES", 1)
    monkeypatch.setattr(search, "_CANDIDATES_PER_K", 1)
    far = record("NCT00000201", "Knee surgery children knee surgery", ["Aplasia"])
    index = opened_index(build([*SIX, far]).index)
    found = similar_to_study(index, "NCT00000101", 2, {"conditions": 1})
    assert ids(found) == ["NCT00000102", "NCT00000201"]


def test_an_obsolete_number_says_what_it_became(six):
    assert asked(six, "NCT901").notes == ("NCT00000901 is an obsolete number of NCT00000102",)
    assert asked(six, "NCT102").notes == ()


def test_an_empty_draft_is_refused(six, encoder):
    with pytest.raises(NothingToCompareError, match="the draft has nothing"):
        similar_to_draft(six, Study(nct_id="NCT00000101", status="RECRUITING"), encoder)


def test_a_text_is_never_encoded_by_another_model(six):
    class Other(WordEncoder):
        name = "other"
        fingerprint = "other words"

    with pytest.raises(RecipeError, match="model is 'other' where 'words' is needed"):
        similar_to_text(six, "knee", Other())


words = st.lists(st.sampled_from(["anemia", "aplasia", "marrow", "iron", "knee"]), max_size=4)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(words, words), min_size=2, max_size=12), st.integers(1, 15))
def test_properties_of_any_answer(tmp_path_factory, studies, k):
    folder = tmp_path_factory.mktemp("any")
    path = folder / "r.jsonl"
    path.write_text("".join(
        json.dumps(record(f"NCT{n:08}", " ".join(title), conditions)) + "\n"
        for n, (title, conditions) in enumerate(studies, start=1)
    ))  # fmt: skip
    if not any(title or conditions for title, conditions in studies):
        return
    index = opened_index(build_index(read_studies(path), folder / "index", WordEncoder()).index)
    for n, (title, conditions) in enumerate(studies, start=1):
        if not (title or conditions):
            continue
        found = similar_to_study(index, f"NCT{n}", k)
        others = sum(bool(t or c) for t, c in studies) - 1
        assert len(found) == min(k, others)
        assert f"NCT{n:08}" not in ids(found)
        assert len(set(ids(found))) == len(found)
        keys = [(-each.similarity, each.study.nct_id) for each in found]
        assert keys == sorted(keys)
        assert all(-1 <= each.similarity <= 1 and np.isfinite(each.similarity) for each in found)


@pytest.mark.parametrize("row", [0, 3])
def test_damaged_vectors_are_named_not_ranked(build, row):
    """A NaN in the query's own row, or in a neighbour's."""
    report = build()
    path = report.index / "generations" / report.generation / "conditions.npy"
    rows = np.load(path, mmap_mode="r+")
    rows[row] = np.nan
    rows.flush()
    reseal(report.index, path.name)
    with (
        opened_index(report.index) as index,
        pytest.raises(IndexCorruptError, match="not numbers"),
    ):
        similar_to_study(index, "NCT00000101")


def test_several_studies_are_met_on_average(six):
    both = similar_to_studies(six, ["NCT101", "NCT105", "NCT00000105"], 10)
    assert not {"NCT00000101", "NCT00000105"} & set(ids(both))
    one, other = (exhaustive(six, study_parts(six, [nct_id])) for nct_id in ("NCT101", "NCT105"))
    for each in both:
        row = six.row_of(each.study.nct_id)
        assert each.similarity == pytest.approx((one[row] + other[row]) / 2, abs=2e-6)


def test_away_from_a_study_takes_half_its_similarity_off(six):
    found = similar_to_studies(six, ["NCT101"], 10, unlike=["NCT102"])
    assert not {"NCT00000101", "NCT00000102"} & set(ids(found))
    near, away = (exhaustive(six, study_parts(six, [n])) for n in ("NCT101", "NCT102"))
    for each in found:
        row = six.row_of(each.study.nct_id)
        assert each.similarity == pytest.approx(near[row] - 0.5 * away[row], abs=2e-6)
        assert each.signals["away"] == pytest.approx(-0.5 * away[row], abs=2e-6)
    parts = [*study_parts(six, ["NCT101"]), *study_parts(six, ["NCT102"], away=True)]
    (reason,) = explain(six, parts, [six.study("NCT101")], found[:1], DEFAULT_WEIGHTS)
    assert reason.shares["away"] < 0
    assert sum(reason.shares.values()) == pytest.approx(100, abs=0.3)


def test_away_alone_is_no_query(six):
    with pytest.raises(NothingToCompareError, match="names no study, text or draft"):
        similar_to_studies(six, [], unlike=["NCT102"])


def test_a_study_and_a_text_together_steer_the_answer(six, encoder):
    parts = [*study_parts(six, ["NCT101"]), text_part(six, read_text(six, "knee surgery"), encoder)]
    found = ids(nearest(six, parts, 5))
    assert found.index("NCT00000105") < ids(similar_to_study(six, "NCT101")).index("NCT00000105")


def test_a_rare_name_alone_brings_a_study_up(build, monkeypatch):
    """The encoder knows no such word: only the terms can find it."""
    from simsearch.search import nearest as search

    monkeypatch.setattr(search, "_MIN_CANDIDATES", 2)
    monkeypatch.setattr(search, "_CANDIDATES_PER_K", 1)
    monkeypatch.setattr(search, "FEW", 0)
    crowd = [record(f"NCT000003{n:02}", "Pills for aplasia", ["Aplasia"]) for n in range(30)]
    rare = [record("NCT00000201", "Zolgensma pills for aplasia", ["Aplasia"]),
            record("NCT00000202", "Zolgensma of the knee", ["Knee"])]  # fmt: skip
    index = opened_index(build([*SIX, *crowd, *rare]).index)
    found = ranked(index, study_parts(index, ["NCT201"]), 2)
    parts = study_parts(index, ["NCT201"])
    near = mixes(parts, DEFAULT_WEIGHTS)[0]
    candidates, _ = search._candidates(index, near, 1, DEFAULT_WEIGHTS, None, exact=False)
    assert index.row_of("NCT202") in candidates
    assert len(found.rows) == 2


@pytest.mark.parametrize("typed", ["amg 706", "AMG 706", "AMG706", "amg-706"])
def test_a_code_is_found_however_it_is_typed(build, encoder, typed):
    studies = [record(f"NCT000003{n:02}", f"AMG {300 + n} pills", ["Knee"]) for n in range(12)]
    studies.append(record("NCT00000201", "AMG 706 pills", ["Knee"]))
    index = opened_index(build([*SIX, *studies]).index)
    assert similar_to_text(index, typed, encoder, 1)[0].study.nct_id == "NCT00000201"


def test_a_name_of_another_study_is_no_term(build):
    named = record("NCT00000201", "Iron", summary="It follows NCT00000105 and (NCT00000106).")
    index = opened_index(build([*SIX, named]).index)
    terms = index.lexical._arrays["terms"].tolist()
    assert not [term for term in terms if b"nct" in term]


def test_the_percentile_is_the_share_of_less_similar_random_pairs(six):
    found = similar_to_study(six, "NCT101", 10)
    pairs = np.load(six.generation.path / "random-pairs.npy").astype(float)
    weights = [DEFAULT_WEIGHTS[name] for name in SIGNALS]
    similarity = (pairs @ np.array(weights)).round(6)
    for each in found:
        expected = 100 * (similarity < each.similarity).mean()
        assert each.percentile == pytest.approx(expected, abs=0.01)
    assert [each.percentile for each in found] == sorted(
        (each.percentile for each in found), reverse=True
    )


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_answers_are_the_same_for_any_number_of_threads(six, threads):
    import faiss

    before = faiss.omp_get_max_threads()
    expected = similar_to_study(six, "NCT103")
    faiss.omp_set_num_threads(threads)
    try:
        assert similar_to_study(six, "NCT103") == expected
    finally:
        faiss.omp_set_num_threads(before)


def test_what_goes_wrong_beside_is_raised_where_the_answer_is_waited_for(six, monkeypatch):
    from simsearch.search import nearest as search

    def broken(*_):
        raise IndexCorruptError(six.path, "torn")

    monkeypatch.setattr(search, "FEW", 0)
    monkeypatch.setattr(search, "candidate_depth", lambda _: 2)
    monkeypatch.setattr(six.text, "nearest", broken)
    with pytest.raises(IndexCorruptError, match="torn"):
        similar_to_study(six, "NCT101", 2)


def held(path):
    """Return the names of the files in a folder that this process holds open or mapped."""
    own = Path("/proc/self")
    opened = [str(each.readlink()) for each in (own / "fd").iterdir() if each.is_symlink()]
    mapped = [line.split()[-1] for line in (own / "maps").read_text().splitlines()]
    return {Path(name).name for name in (*opened, *mapped) if name.startswith(str(path))}


needs_proc = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux' /proc")


@needs_proc
def test_a_closed_index_holds_no_file(six):
    """At once, also while somebody has the index: nothing waits for the garbage collector."""
    similar_to_study(six, "NCT00000101", filters=Filters(status=("completed",)))
    assert {"studies.sqlite", "text.faiss", "conditions.npy"} <= held(six.generation.path)
    six.close()
    assert not held(six.generation.path)
    six.close()


@needs_proc
def test_the_vectors_are_freed_with_the_index(build):
    """A connection of Python's sqlite3 that is not closed waits for the garbage collector."""
    path = build().index
    gc.disable()
    try:
        index = opened_index(path)
        similar_to_study(index, "NCT00000101")
        del index
        assert held(path) <= {"studies.sqlite"}
    finally:
        gc.enable()


def test_stored_rows_outlive_their_index(six):
    rows = six.stored("text")
    expected = rows.tolist()
    six.close()
    assert rows.tolist() == expected


@needs_proc
@pytest.mark.parametrize("file", ["studies.sqlite", "random-pairs.npy"])
def test_an_index_that_cannot_be_opened_holds_no_file(build, file):
    path = build().index
    damaged = next((path / "generations").iterdir()) / file
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    with pytest.raises(IndexCorruptError) as caught:
        opened_index(path)
    assert "studies.sqlite" not in held(path), caught  # which has all that was opened
