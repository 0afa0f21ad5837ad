"""Each distinct text once, block by block, its rows on disk; and how much disk that takes."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import SIX, WordEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch import Study, read_studies
from simsearch.build import disk_space as room
from simsearch.build import distinct_texts as encoding
from simsearch.build.distinct_texts import TextNumbers, encode_texts
from simsearch.callbacks import no_progress
from simsearch.encode.fields import FIELDS
from simsearch.errors import NoRoomError

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


@settings(deadline=None)
@given(st.lists(st.sampled_from(["iron", "knee iron", "marrow", "pills of iron"]), min_size=1))
def test_rows_stand_in_the_order_of_the_texts(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("rows") / "rows"
    encoder = WordEncoder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_BLOCK", 3)
        patch.setattr(encoding, "_CHUNK", 2)
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


def test_texts_that_are_read_in_part_are_counted(tmp_path):
    texts = ["iron " * 12, "iron " * 13, "x"]
    encoded = encode_texts(texts, 3, WordEncoder(), tmp_path / "rows", no_progress)
    assert encoded.n_truncated == 1


def test_a_build_that_the_disk_cannot_hold_does_not_begin(build, monkeypatch, tmp_path):
    before = build().generation
    free = SimpleNamespace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(NoRoomError, match=r"takes up to .* GB .* are free: make room") as caught:
        build()
    assert caught.value.free == 10_000
    assert [path.name for path in (tmp_path / "index" / "generations").iterdir()] == [before]


def test_room_is_asked_for_as_many_studies_as_there_were(build, tmp_path):
    assert room.expected_bytes(tmp_path / "none", 1234, 10) == 1234
    six = room.expected_bytes(build().index, 0, 10)
    assert six == 6 * room._STAGED_BYTES + room.bytes_to_write(6, 10)


def test_a_build_takes_no_more_disk_than_it_asks_for(build, monkeypatch, tmp_path):
    """Records as long as real ones are on average; the rows of a real encoder are longer."""
    used = []
    build(SIX)
    read = list(read_studies(tmp_path / "records.jsonl"))
    real = encode_texts

    def watched(*args):
        done = real(*args)
        folder = args[3].parent
        used.append(sum(path.stat().st_size for path in folder.iterdir()))
        return done

    monkeypatch.setattr("simsearch.build.build.encode_texts", watched)
    many = [
        {**SIX[0], "protocolSection": {
            **SIX[0]["protocolSection"],
            "identificationModule": {"nctId": f"NCT{n:08}", "briefTitle": f"Iron {n}"},
            "descriptionModule": {"briefSummary": "Adults take iron pills. " * 50},
        }}
        for n in range(1, 400)
    ]  # fmt: skip
    build(many, allow_shrink=True, allow_moved=True)
    assert len(read) == 6
    asked = 399 * room._STAGED_BYTES + room.bytes_to_write(399, WordEncoder.dimension)
    assert 0 < used[0] < asked
