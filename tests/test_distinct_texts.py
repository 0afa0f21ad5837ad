"""Each distinct text is encoded once, block by block, and its row is written to disk."""

import numpy as np
import pytest
from conftest import WordEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch import Study
from simsearch.build.distinct_texts import TextNumbers, encode_texts
from simsearch.callbacks import no_progress
from simsearch.encode.fields import FIELDS

titles = st.lists(st.sampled_from(["", "Iron", "Iron pills", "Knee", "Marrow drops"]), max_size=9)


def corpus(names):
    return [
        Study(nct_id=f"NCT{n:08}", title=name, conditions=(name,) if name else ())
        for n, name in enumerate(names, start=1)
    ]


def numbered(studies):
    texts = TextNumbers(len(studies))
    assert list(texts.numbered(studies)) == studies
    return texts


@given(titles)
def test_numbers_lead_back_to_the_texts(names):
    studies = corpus(names)
    texts = numbered(studies)
    distinct = list(texts.distinct(studies))
    assert len(distinct) == len(set(distinct)) == texts.n_distinct
    for row, study in enumerate(studies):
        for column, text_of in enumerate(FIELDS.values()):
            number = texts.numbers[row, column]
            assert (distinct[number] if number >= 0 else "") == text_of(study)


def test_coverage_counts_the_studies_that_have_a_text():
    texts = numbered(corpus(["Iron", "", "Knee"]))
    assert texts.coverage() == {"text": 2, "conditions": 2, "interventions": 0}
    assert texts.n_texts == 4


@settings(deadline=None)
@given(st.lists(st.sampled_from(["iron", "knee iron", "marrow", "pills of iron"]), min_size=1))
def test_rows_are_in_the_order_of_the_texts(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("rows") / "rows"
    encoder = WordEncoder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simsearch.build.distinct_texts._BLOCK", 3)
        patch.setattr("simsearch.build.distinct_texts._CHUNK", 2)
        encoded = encode_texts(texts, len(texts), encoder, path, no_progress)
    assert np.array_equal(encoded.rows, WordEncoder().encode(texts).astype(np.float16))


def test_an_encoder_gets_as_many_texts_at_once_as_it_asks_for(tmp_path):
    sizes = []

    class Wide(WordEncoder):
        n_at_once = 4

        def encode(self, texts):
            sizes.append(len(texts))
            return super().encode(texts)

    encode_texts(["iron"] * 10, 10, Wide(), tmp_path / "rows", no_progress)
    assert sorted(sizes) == [2, 4, 4]


def test_texts_that_are_cut_off_are_counted(tmp_path):
    texts = ["iron " * 12, "iron " * 13, "x"]
    encoded = encode_texts(texts, 3, WordEncoder(), tmp_path / "rows", no_progress)
    assert encoded.n_truncated == 1
