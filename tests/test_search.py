"""Neighbours of a study, a draft, a text."""

import json
import math

import numpy as np
import pytest
from conftest import SIX, WordEncoder, record
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch import (
    Study,
    build_index,
    open_index,
    read_studies,
    similar_to_draft,
    similar_to_study,
    similar_to_text,
)
from simsearch.errors import (
    ArgumentError,
    IndexCorruptError,
    NctIdError,
    NothingToCompareError,
    RecipeError,
    UnknownStudyError,
)
from simsearch.study import Intervention
from simsearch.vectors import DEFAULT_WEIGHTS


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
    assert nearest.signals == pytest.approx(
        {"text": text, "conditions": 1.0, "interventions": 0.0}, abs=1e-3
    )
    assert nearest.similarity == pytest.approx(0.75 * text + 0.15, abs=1e-3)


def test_two_stages_agree_with_scoring_every_study(six):
    for nct_id in six.store.nct_ids():
        row = six.row_of(nct_id)
        query = six.vectors(row)
        present = {field: vector.any() for field, vector in query.items()}
        total = sum(DEFAULT_WEIGHTS[field] for field in present if present[field])
        scored = []
        for other in set(range(6)) - {row}:
            rows = six.vectors(other)
            parts = (
                DEFAULT_WEIGHTS[field] / total * (rows[field].astype(float) @ query[field])
                for field in present
                if present[field]
            )
            scored.append((-round(sum(parts), 6), six.store.nct_ids()[other]))
        found = similar_to_study(six, nct_id)
        assert [(-each.similarity, each.study.nct_id) for each in found] == sorted(scored)


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
    index = open_index(build([*SIX, twin]).index)
    found = similar_to_study(index, "NCT00000101", 3)
    assert found[0].study.nct_id == "NCT00000100"
    assert found[0].similarity == pytest.approx(1, abs=1e-3)
    assert found[0].similarity <= 1
    assert "NCT00000101" not in ids(found)


def test_ties_go_by_nct_id(build):
    equal = [record(f"NCT{n:08}", "Iron pills", ["Anemia"]) for n in (9, 3, 7, 1, 5)]
    index = open_index(build([*SIX, *equal]).index)
    assert ids(similar_to_study(index, "NCT5", 4)) == [f"NCT{n:08}" for n in (1, 3, 7, 9)]


def test_a_repeated_query_gives_the_same_bytes(six):
    import msgspec

    answers = {msgspec.json.encode(similar_to_study(six, "NCT00000103")) for _ in range(5)}
    assert len(answers) == 1


def test_an_unknown_id_says_what_this_index_holds_and_what_to_do(six):
    with pytest.raises(
        UnknownStudyError, match=r"NCT00000999 is not in .*6 studies, records to 2021-05-06.*--file"
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
    index = open_index(build([*SIX, withheld]).index)
    with pytest.raises(NothingToCompareError, match=r"NCT00000107.*status WITHHELD"):
        similar_to_study(index, "NCT00000107")


def test_weights_steer_the_ranking(six):
    by_condition = similar_to_study(six, "NCT00000104", 1, {"conditions": 1})
    by_intervention = similar_to_study(six, "NCT00000101", 1, {"interventions": 1})
    assert by_condition[0].study.nct_id == "NCT00000103"
    assert by_intervention[0].similarity == 0
    with pytest.raises(ArgumentError, match="weight lexical"):
        similar_to_study(six, "NCT00000101", 1, {"lexical": 1})


def test_a_field_that_the_query_lacks_counts_for_nothing(six):
    """Study 6 names no intervention: its weight moves to text and conditions."""
    nearest = similar_to_study(six, "NCT00000106", 1)[0]
    assert set(nearest.signals) == {"text", "conditions"}
    expected = (0.75 * nearest.signals["text"] + 0.15 * nearest.signals["conditions"]) / 0.9
    assert nearest.similarity == pytest.approx(expected, abs=2e-6)


def test_words_find_the_studies_that_say_them(six, encoder):
    found = similar_to_text(six, "knee surgery", encoder, 2)
    assert ids(found) == ["NCT00000105", "NCT00000106"]
    assert set(found[0].signals) == {"text"}
    assert found[0].similarity == found[0].signals["text"]


@pytest.mark.parametrize("text", ["", "   ", "?!", "NCT00000102"])
def test_a_text_without_words_is_refused(six, encoder, text):
    with pytest.raises(NothingToCompareError, match="holds no word"):
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
    from simsearch import search

    monkeypatch.setattr(search, "_MIN_CANDIDATES", 1)
    monkeypatch.setattr(search, "_CANDIDATES_PER_K", 1)
    far = record("NCT00000201", "Knee surgery children knee surgery", ["Aplasia"])
    index = open_index(build([*SIX, far]).index)
    found = similar_to_study(index, "NCT00000101", 2, {"conditions": 1})
    assert ids(found) == ["NCT00000102", "NCT00000201"]


def test_an_obsolete_number_says_what_it_became(six):
    assert six.merged("NCT901") == "NCT00000901 is an obsolete number of NCT00000102"
    assert six.merged("NCT102") == ""


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
    index = open_index(build_index(read_studies(path), folder / "index", WordEncoder()).index)
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
    with (
        open_index(report.index) as index,
        pytest.raises(IndexCorruptError, match="no numbers"),
    ):
        similar_to_study(index, "NCT00000101")
