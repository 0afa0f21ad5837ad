"""An `Index`: open it, share it, close it; and what `related` refuses, in one clear line."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import SIX, WordEncoder, record

import simsearch
from simsearch import Filters, Index, Study
from simsearch.errors import (
    ArgumentError,
    FilterError,
    IndexClosedError,
    NctIdError,
    NothingToCompareError,
    UnknownStudyError,
)
from simsearch.index.generations import generation_names

ONE, TWO, THREE, FOUR, FIVE, SIXTH = (f"NCT0000010{number}" for number in range(1, 7))
IRON = Study(nct_id="", title="Iron for anemia", conditions=("Anemia",))


@pytest.fixture
def index(build: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Index:
    """The six studies as `open_index` opens them; words are encoded by counting them."""
    monkeypatch.setattr("simsearch.search.resolve.builder_of", lambda _: WordEncoder())
    monkeypatch.chdir(tmp_path)
    build()
    return simsearch.open_index()


def ids(answer: simsearch.Answer) -> list[str]:
    return [each.nct_id for each in answer]


def values(answer: simsearch.Answer) -> dict[str, Any]:
    return answer.to_dict()


def test_an_index_has_a_length_and_holds_studies(index):
    assert len(index) == 6
    for held in (ONE, "nct 101", "https://clinicaltrials.gov/study/NCT00000101", "NCT00000901"):
        assert held in index
    for other in ("NCT00000999", "aplasia", "", f"{ONE} {TWO}", None, 101, index):
        assert other not in index


def test_an_index_is_shown_in_one_short_line(index):
    assert repr(index) == "<index index: 6 studies>"
    index.close()
    assert repr(index) == "<index index: 6 studies, closed>"


def test_an_index_says_what_dates_it(index):
    assert index.facts.n_studies == 6
    assert index.facts.records_date == "2021-05-06"
    assert index.facts == index.related(ONE).facts


def test_an_index_closes_at_the_end_of_a_block(index):
    with index as same:
        assert same is index
        assert ONE in same
    with pytest.raises(IndexClosedError):
        index.related(ONE)
    index.close()  # once more does no harm


@pytest.mark.parametrize(
    "ask",
    [
        lambda index: index.related(ONE),
        lambda index: index.related("moon"),
        lambda index: index.related([ONE, FOUR], unlike=FIVE, fold=True, status="recruiting"),
        lambda index: index.related(text="iron"),
        lambda index: index.related(draft=IRON),
        lambda index: index.study(ONE),
        lambda index: ONE in index,
    ],
)
def test_a_closed_index_says_so_whatever_it_is_asked(index, ask):
    index.close()
    with pytest.raises(IndexClosedError, match=r"^the index index is closed: open it again$"):
        ask(index)


def test_an_index_is_not_pickled_and_says_what_to_do(index):
    with pytest.raises(TypeError, match="cannot be pickled: pass its path"):
        pickle.dumps(index)


def asked(index: Index, number: int) -> dict[str, Any]:
    """Ask one of twenty questions of every kind."""
    nct_id = (ONE, TWO, THREE, FOUR, FIVE)[number % 5]
    kind = (number // 5) % 4
    if kind == 0:
        return values(index.related(nct_id))
    if kind == 1:
        return values(index.related(nct_id, fold=True, diverse=0.5, group_by="sponsor"))
    if kind == 2:
        return values(index.related(nct_id, text="iron", status=["completed", "recruiting"]))
    return values(index.related([nct_id, SIXTH], unlike="NCT00000901" if number % 5 != 1 else ()))


def test_threads_that_share_an_index_get_the_answers_of_one(index):
    alone = [asked(index, number) for number in range(20)]
    barrier = threading.Barrier(16)

    def start() -> None:
        barrier.wait(timeout=30)

    with ThreadPoolExecutor(16, initializer=start) as pool:
        together = list(pool.map(lambda number: asked(index, number), range(200)))
    assert together == [alone[number % 20] for number in range(200)]


def test_an_open_index_keeps_its_generation_when_another_is_published(index, build):
    before = values(index.related(ONE))
    replaced = [record(ONE, "Iron pills for aplasia", ["Anemia"]), *SIX[1:]]
    published = build(replaced, keep=1, allow_empty=True, allow_moved=True).generation
    assert generation_names(Path("index")) == [published]  # its own is no longer on the disk
    assert values(index.related(ONE)) == before
    assert ids(index.related(text="knee surgery", phase="2"))[:2] == [FIVE, SIXTH]
    assert index.study(ONE).title == "Pills for aplasia"
    with ThreadPoolExecutor(1) as pool:  # a thread that has not asked before
        assert pool.submit(lambda: values(index.related(ONE))).result() == before
    with simsearch.open_index() as reopened:
        assert reopened.facts.generation == published
        assert reopened.study(ONE).title == "Iron pills for aplasia"


# What a Python user gets wrong

WRONG: dict[str, tuple[type[Exception], str, dict[str, Any]]] = {
    "studies of a number": (ArgumentError, "studies is 5: it must be an NCT ID", {"studies": 5}),
    "studies of None": (ArgumentError, "studies is None: it must be", {"studies": None}),
    "studies of numbers": (ArgumentError, r"studies is \[101\]: it must be", {"studies": [101]}),
    "studies of a dict": (ArgumentError, "studies is {.*}: it must be", {"studies": {ONE: 1}}),
    "nothing": (NothingToCompareError, "names no study, text or draft", {"studies": ()}),
    "two studies in a string": (NctIdError, "names 2 studies", {"studies": f"{ONE}, {TWO}"}),
    "no ID": (NctIdError, "'iron' is not an NCT ID", {"studies": "iron"}),
    "an unknown ID": (UnknownStudyError, "NCT00000999 is not in the index", {"studies": "NCT999"}),
    "text of a number": (ArgumentError, "text is 5: it must be words", {"text": 5}),
    "text of numbers": (ArgumentError, r"text is \[5\]: it must", {"text": [5]}),
    "a long value": (ArgumentError, r"^studies is \{.{99}…: it must", {"studies": {"x" * 500: 1}}),
    "empty text": (NothingToCompareError, "the text has nothing to compare", {"text": ""}),
    "draft of words": (ArgumentError, "draft is 'x': it must be a Study", {"draft": "x"}),
    "draft of a dict": (ArgumentError, "draft is {.*}: it must be a Study", {"draft": {"a": 1}}),
    "unlike of a number": (ArgumentError, "unlike is 5: it must be an NCT ID", {"unlike": 5}),
    "unlike of itself": (ArgumentError, f"unlike is '{ONE}': it must be another", {"unlike": ONE}),
    "k of a string": (ArgumentError, "k is '5': it must be a whole number", {"k": "5"}),
    "k of a bool": (ArgumentError, "k is True: it must be a whole number", {"k": True}),
    "k of a float": (ArgumentError, "k is 5.0: it must be a whole number", {"k": 5.0}),
    "k of zero": (ArgumentError, "k is 0: it must be from 1 to 10,000", {"k": 0}),
    "k of too many": (ArgumentError, "k is 500: it must be from 1 to 200 with fold",
                      {"k": 500, "fold": True}),
    "diverse beyond 1": (ArgumentError, "diverse is 2: it must be from 0 to 1", {"diverse": 2}),
    "group by the moon": (ArgumentError, "group_by is 'moon': it must be", {"group_by": "moon"}),
    "an unknown signal": (ArgumentError, "weight title is 1: it must be one of text, conditions",
                          {"weights": {"title": 1}}),
    "a weight of words": (ArgumentError, "weight text is '1': it must be a number",
                          {"weights": {"text": "1"}}),
    "a negative weight": (ArgumentError, "weight text is -1: it must", {"weights": {"text": -1}}),
    "no weight": (ArgumentError, "weights is {}: it must be positive", {"weights": {}}),
    "an unknown filter": (TypeError, "'colour'", {"colour": "red"}),
    "a list of filters": (TypeError, "'filters'", {"filters": Filters(status="recruiting")}),
    "status of a number": (ArgumentError, "status is 5: it must be a text, or a list",
                           {"status": 5}),
    "status of a dict": (ArgumentError, "status is {'a': 1}: it must be", {"status": {"a": 1}}),
    "status of numbers": (ArgumentError, r"status is \[5\]: it must be a text", {"status": [5]}),
    "status of nonsense": (FilterError, "status 'moon' is not known: the values are RECRUITING",
                           {"status": "moon"}),
    "phase of a number": (ArgumentError, "phase is 2: it must be a text", {"phase": 2}),
    "sponsor of a dict": (ArgumentError, "sponsor is {}: it must be a text", {"sponsor": {}}),
    "date of a number": (ArgumentError, "start_after is 2020: it must be a date like 2020",
                         {"start_after": 2020}),
    "date of words": (ArgumentError, "start_before is 'soon': it must be a date",
                      {"start_before": "soon"}),
    "enrollment of words": (ArgumentError, "min_enrollment is '30': it must be a whole number",
                            {"min_enrollment": "30"}),
    "enrollment below 0": (ArgumentError, "min_enrollment is -1: it must be 0 or more",
                           {"min_enrollment": -1}),
    "diverse of words": (ArgumentError, "diverse is 'x': it must be", {"diverse": "x"}),
    "diverse of a bool": (ArgumentError, "diverse is True: it must be", {"diverse": True}),
    "weights of None": (ArgumentError, "weights is None: it must be", {"weights": None}),
    "weights of a number": (ArgumentError, "weights is 5: it must be", {"weights": 5}),
    "weights of words": (ArgumentError, "weights is 'text': it must be", {"weights": "text"}),
    "group by a list": (ArgumentError, r"group_by is \['sponsor'\]: it must be",
                        {"group_by": ["sponsor"]}),
    "fold of words": (ArgumentError, "fold is 'no': it must be", {"fold": "no"}),
    "explain of words": (ArgumentError, "explain is 'no': it must be", {"explain": "no"}),
    "hiding of words": (ArgumentError, "hide_same_sponsor is 'no': it must be",
                        {"hide_same_sponsor": "no"}),
    "results of words": (ArgumentError, "has_results is 'yes': it must be True, False or None",
                         {"has_results": "yes"}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "message", "question"),
    [
        *(pytest.param(*each, id=name) for name, each in WRONG.items()),
    ],
)
def test_what_is_wrong_is_refused_in_one_line_that_names_it(index, kind, message, question):
    alone = {"studies", "text", "draft"} & {*question}
    with pytest.raises(kind, match=message) as caught:
        index.related(**question if alone else {"studies": ONE, **question})
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value)  # options are the command's


@pytest.mark.parametrize("wrong", [{"status": 5}, {"status": {"a": 1}}, {"min_enrollment": "30"}])
def test_filters_refuse_what_they_cannot_mean(wrong):
    (name,) = wrong
    with pytest.raises(ArgumentError, match=f"^{name} is "):
        Filters(**wrong)


def test_a_folder_without_an_index_is_refused(tmp_path):
    with pytest.raises(simsearch.SimsearchError, match="does not hold an index"):
        simsearch.open_index(tmp_path / "nowhere")
    assert len(simsearch.open_index()) == 261  # nothing here: the demo
