"""An opened generation: closed, remembered, pickled, shared by threads, replaced by a new one."""

import copy
import pickle
import shutil
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import numpy as np
import pytest
from asking import asked
from conftest import WORDS, WordEncoder, record

from simsearch import Filters, open_index
from simsearch.encode.fields import FIELDS
from simsearch.errors import IndexClosedError, NctIdError, UnknownStudyError
from simsearch.index.opened import OpenedIndex, opened_index
from simsearch.search.answer import ask
from simsearch.search.question import Question
from simsearch.study import Study

N_THREADS = 16

Questions = dict[str, Callable[[OpenedIndex], Any]]

PARTS: Questions = {
    "store": lambda index: index.store,
    "text": lambda index: index.text,
    "lexical": lambda index: index.lexical,
    "pairs": lambda index: index.pairs,
    "has_text": lambda index: index.has_text,
    "locate": lambda index: index.locate("NCT00000101"),
    "locate another": lambda index: index.locate("not an ID"),
    "lacks": lambda index: index.lacks("NCT00000999"),
    "row_of": lambda index: index.row_of("NCT00000101"),
    "holds": lambda index: index.holds("NCT00000101"),
    "study": lambda index: index.study("NCT00000101"),
    "vectors": lambda index: index.vectors(0),
    "remember": lambda index: index.remember("key", list),
    **{
        f"{kind} of {field}": lambda index, kind=kind, field=field: (
            index.stored(field) if kind == "stored" else index.rows(field, np.array([0]))
        )
        for kind in ("rows", "stored")
        for field in FIELDS
    },
}
"""What an opened index can be asked for."""

DRAFT = Study(nct_id="", title="Iron drops for children", conditions=("Anemia",))

QUESTIONS: Questions = {
    "study": lambda index: asked(index, "NCT00000101", k=7),
    "obsolete": lambda index: asked(index, "NCT00000901"),
    "several": lambda index: asked(index, "NCT00000103", "NCT00000105", unlike=["NCT00000108"]),
    "filtered": lambda index: asked(index, "NCT00000104", filters=Filters(status="recruiting")),
    "dated": lambda index: asked(index, "NCT00000104", filters=Filters(start_after="2019-06")),
    "weighted": lambda index: asked(index, "NCT00000106", weights={"conditions": 1.0}),
    "folded": lambda index: asked(index, "NCT00000107", fold=True),
    "diverse": lambda index: asked(index, "NCT00000102", diverse=0.5),
    "words": lambda index: ask(index, Question(texts=("iron pills",)), load_encoder=WordEncoder),
    "draft": lambda index: ask(index, Question(drafts=(DRAFT,)), load_encoder=WordEncoder),
    "unexplained": lambda index: asked(index, "NCT00000102", explain=False),
}
"""Questions of every kind to an index of `many`."""


def many(n: int = 120) -> list[dict[str, Any]]:
    """Return records of studies of random words, the second of which has an obsolete number."""
    chance = np.random.default_rng(0)
    return [
        record(
            f"NCT{101 + number:08}",
            " ".join(chance.choice(WORDS, 4)),
            list(chance.choice(WORDS, 2)),
            [("DRUG", str(chance.choice(WORDS)))],
            " ".join(chance.choice(WORDS, 9)),
            status=str(chance.choice(["RECRUITING", "COMPLETED"])),
            **({"aliases": ["NCT00000901"]} if number == 1 else {}),
        )
        for number in range(n)
    ]


@pytest.fixture
def folder(build) -> Path:
    return build(many()).index


def answers(index: OpenedIndex) -> dict[str, dict[str, Any]]:
    return {name: question(index).to_dict() for name, question in QUESTIONS.items()}


def without_facts(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {**answer, "index": None} for name, answer in found.items()}


# Closed


@pytest.mark.parametrize("name", PARTS)
def test_a_closed_index_says_so_whatever_it_is_asked_for(six, name):
    six.close()
    with pytest.raises(IndexClosedError, match=f"the index {six.path} is closed") as caught:
        PARTS[name](six)
    assert caught.value.path == six.path


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_closed_index_answers_no_question(six, name):
    six.close()
    with pytest.raises(IndexClosedError):
        QUESTIONS[name](six)


def test_a_closed_index_says_which_it_is_and_can_be_closed_again(six):
    with six as index:
        facts = index.facts
        assert repr(index) == f"<index {six.path}: 6 studies>"
    six.close()
    assert six.facts == facts
    assert six.n_studies == 6
    assert repr(six) == f"<index {six.path}: 6 studies, closed>"


def test_what_was_taken_from_an_index_outlives_it_but_the_studies(six):
    store, text, lexical = six.store, six.text, six.lexical
    vector = six.vectors(0)["text"]
    six.close()
    assert text.nearest(vector, 1)[0].tolist() == [0]
    assert lexical.signal(lexical.row(0)).argmax() == 0
    with pytest.raises(IndexClosedError, match=r"studies\.sqlite is closed"):
        store.nct_ids()


def test_the_public_index_closes_too(folder):
    with open_index(folder) as index:
        assert "NCT00000101" in index
    for question in (
        lambda: index.related("NCT00000101"),
        lambda: index.study("NCT00000101"),
        lambda: "NCT00000101" in index,
    ):
        with pytest.raises(IndexClosedError):
            question()


# Looked up


def test_a_study_is_found_by_any_spelling_and_by_an_obsolete_number(six):
    assert {six.row_of(text) for text in ("NCT00000102", "nct 102", "NCT00000901")} == {1}
    assert six.locate("NCT901") == ("NCT00000901", 1)
    assert six.locate("NCT999") == ("NCT00000999", None)
    assert six.holds("NCT102")
    assert not six.holds("NCT999")


def test_a_study_that_is_not_there_is_refused_and_a_slip_is_corrected(six):
    with pytest.raises(UnknownStudyError):
        six.study("NCT00000999")
    with pytest.raises(NctIdError, match=r"did you mean NCT00000102\?$"):
        six.holds("NTC00000102")


def test_rows_are_those_of_the_files(six):
    for field in FIELDS:
        rows = six.stored(field)
        assert rows.shape == (6, six.text.dimension)
        assert np.array_equal(six.rows(field, np.array([4, 1])), rows[[4, 1]])
        assert np.array_equal(six.vectors(4)[field], rows[4].astype(np.float32))


# Remembered


class Value:
    """Something that a weak reference can watch."""


def test_what_is_remembered_is_computed_once(six):
    calls = []

    def compute() -> Value:
        calls.append(1)
        return Value()

    first = six.remember("key", compute)
    assert six.remember("key", compute) is first
    assert six.remember(("another", 1), compute) is not first
    assert len(calls) == 2


def test_threads_that_ask_at_once_compute_once(six):
    calls, barrier = [], Barrier(N_THREADS)

    def compute() -> Value:
        calls.append(1)
        time.sleep(0.05)
        return Value()

    def ask_for_it(_: int) -> Value:
        barrier.wait()
        return six.remember("key", compute)

    with ThreadPoolExecutor(N_THREADS) as pool:
        found = set(pool.map(ask_for_it, range(N_THREADS)))
    assert len(found) == len(calls) == 1


def test_few_values_are_kept_those_used_last(six):
    first = six.remember("first", Value)
    kept = weakref.WeakSet()
    for number in range(1000):
        kept.add(six.remember(number, Value))
        assert six.remember("first", Value) is first
    assert 10 < len(kept) < 200
    assert six.remember(999, Value) in kept
    n_kept = len(kept)
    kept.add(six.remember(0, Value))  # was dropped long ago
    assert len(kept) == n_kept


def test_closing_frees_what_was_remembered(six):
    value = weakref.ref(six.remember("key", Value))
    assert value()
    six.close()
    assert not value()


def test_an_error_is_not_remembered_but_reaches_all_who_wait(six):
    started, go_on, waiting = Event(), Event(), Event()

    def fails() -> Value:
        started.set()
        assert go_on.wait(10)
        raise ZeroDivisionError

    def waits() -> Value:
        waiting.set()
        return six.remember("key", Value)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(six.remember, "key", fails)
        assert started.wait(10)
        other = pool.submit(waits)
        assert waiting.wait(10)
        time.sleep(0.05)
        go_on.set()
        assert isinstance(one.exception(), ZeroDivisionError)
        assert isinstance(other.exception(), ZeroDivisionError)
    assert six.remember("key", Value)


# Passed on


def test_an_open_index_cannot_be_pickled_and_says_what_to_do(six):
    for index in (six, open_index(six.path)):
        for act in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="cannot be pickled: pass its path"):
                act(index)


# Shared


def test_threads_that_share_an_index_get_the_answers_that_each_gets_alone(folder):
    expected = answers(opened_index(folder))
    shared, barrier = opened_index(folder), Barrier(N_THREADS)

    def ask_all(thread: int) -> dict[str, dict[str, Any]]:
        names = list(QUESTIONS)
        order = np.random.default_rng(thread).permutation(len(names))
        barrier.wait()
        return {names[at]: QUESTIONS[names[at]](shared).to_dict() for at in order}

    with ThreadPoolExecutor(N_THREADS) as pool:
        found = list(pool.map(ask_all, range(N_THREADS)))
    assert found == [expected] * N_THREADS


def test_threads_that_search_the_same_vectors_find_the_same(folder):
    """An index of so few studies scores all of them; one of many searches with FAISS first."""
    index, barrier = opened_index(folder), Barrier(N_THREADS)
    queries = [index.vectors(row)["text"] for row in range(index.n_studies)]
    allowed = np.arange(index.n_studies) % 3 > 0

    def found(query: np.ndarray) -> list[list[float]]:
        lists = [index.text.nearest(query, 9), index.text.nearest(query, 9, allowed)]
        return [array.tolist() for pair in lists for array in pair]

    expected = list(map(found, queries))

    def found_by_all(_: int) -> list[list[list[float]]]:
        barrier.wait()
        return list(map(found, queries))

    with ThreadPoolExecutor(N_THREADS) as pool:
        assert list(pool.map(found_by_all, range(N_THREADS))) == [expected] * N_THREADS


def test_threads_go_on_with_their_generation_while_new_ones_are_published(folder, build, tmp_path):
    shutil.copytree(folder, tmp_path / "as it was")
    expected = without_facts(answers(opened_index(tmp_path / "as it was")))
    reader, published = opened_index(folder), Event()
    facts = reader.facts

    def ask_until_all_is_replaced(_: int) -> bool:
        went_well = True
        while went_well and not published.is_set():
            went_well = without_facts(answers(reader)) == expected
        return went_well and without_facts(answers(reader)) == expected

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask_until_all_is_replaced, thread) for thread in range(4)]
        try:
            for n in (110, 100):
                build(many(n), keep=1, allow_shrink=True, allow_moved=True)
        finally:
            published.set()
        assert all(each.result() for each in asking)
    assert not reader.generation.path.exists()
    assert reader.facts == facts
    assert opened_index(folder).n_studies == 100
