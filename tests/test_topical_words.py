"""Words in common that say what studies are about, and words that any study has."""

import numpy as np
import pytest
from asking import asked
from conftest import record

from simsearch.index.opened import opened_index
from simsearch.search.stop_words import STATES_OF_DISEASE
from simsearch.search.topical_words import topical_in


@pytest.fixture
def mixed(build):
    """Ten studies of anemia and ten of the knee; *zeta* is of the knee only, *omega* of both."""
    subjects = (("anemia", "iron pills"), ("knee", "surgery"))
    records = [
        record(
            f"NCT000005{number:02}",
            f"{what} and {how}" + (" zeta" if what == "knee" else ""),
            summary=f"About {what}. Refractory." + (" Omega too." if number % 4 < 2 else ""),
        )
        for number in range(20)
        for what, how in [subjects[number % 2]]
    ]
    return opened_index(build(records).index)


def test_a_word_of_one_subject_is_topical_and_a_word_of_all_subjects_is_not(mixed):
    assert topical_in(mixed)("zeta")
    assert not topical_in(mixed)("omega")


def test_what_is_computed_is_the_mean_cosine_against_that_of_random_pairs(mixed, monkeypatch):
    from simsearch.search import topical_words

    rows = mixed.lexical.studies_with("omega")
    vectors = mixed.rows("text", rows).astype(float)
    cosines = vectors @ vectors.T
    among_them = cosines[np.triu_indices(len(rows), 1)].mean()
    at_random = mixed.pairs[:, 0].astype(float).mean()
    expected = (among_them - at_random) / (1 - at_random)
    for least, topical in ((expected - 0.02, True), (expected + 0.02, False)):
        monkeypatch.setattr(topical_words, "LEAST_COHERENCE", least)
        assert topical_in(mixed)("omega") == topical


def test_a_word_of_few_studies_or_none_is_not_judged(mixed):
    assert len(mixed.lexical.studies_with("absent")) == 0
    assert topical_in(mixed)("absent")


def test_reasons_leave_out_words_that_are_about_nothing(mixed):
    answer = asked(mixed, "NCT00000500", k=19)
    words = {word for neighbour in answer for word in neighbour.reason.terms}
    assert "iron" in words
    assert not words & {"omega", *STATES_OF_DISEASE}
