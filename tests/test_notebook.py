"""The library as a notebook user has it: `index.related(...)` and the `Answer` that it returns.

The index itself, and what is refused, are in test_index.py.
"""

from __future__ import annotations

import csv
import io
import json
import pickle
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import SIX, WordEncoder, record
from msgspec.structs import replace

import simsearch
from simsearch import Answer, Filters, Index, Study, read_studies
from simsearch.cli import main as cli

ONE, TWO, THREE, FOUR, FIVE, SIXTH = (f"NCT0000010{number}" for number in range(1, 7))
IRON = Study(nct_id="", title="Iron for anemia", conditions=("Anemia",))


@pytest.fixture
def index(build: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Index:
    """The six studies as `open_index` opens them; words are encoded by counting them."""
    for place in ("search.resolve", "cli.asking"):
        monkeypatch.setattr(f"simsearch.{place}.builder_of", lambda _: WordEncoder())
    monkeypatch.chdir(tmp_path)
    build()
    return simsearch.open_index()


def ids(answer: Answer) -> list[str]:
    return [each.nct_id for each in answer]


def values(answer: Answer) -> dict[str, Any]:
    return answer.to_dict()


# One verb


@pytest.mark.parametrize(
    "spelling",
    [ONE, "nct00000101", " NCT 101 ", "nct-101", "https://clinicaltrials.gov/study/NCT00000101"],
)
def test_a_study_is_asked_about_by_any_spelling_of_its_id(index, spelling):
    answer = index.related(spelling)
    assert values(answer) == values(index.related([ONE]))
    assert ids(answer)[0] == TWO
    assert ONE not in ids(answer)
    assert answer.query.studies == (replace(index.study(ONE), facts=None),)


def test_an_obsolete_number_leads_to_its_study_and_is_noted(index):
    answer = index.related("NCT00000901")
    assert answer.query.studies[0].nct_id == TWO
    assert answer.notes == (f"NCT00000901 is an obsolete number of {TWO}",)


def test_several_studies_are_a_list_a_tuple_or_a_set(index):
    answer = index.related([ONE, FOUR])
    assert sorted(ids(answer)) == [TWO, THREE, FIVE, SIXTH]
    assert values(index.related((ONE, FOUR))) == values(answer)
    assert values(index.related({ONE, FOUR})) == values(answer)
    assert values(index.related([ONE, "nct 101", FOUR])) == values(answer)


def test_words_and_drafts_are_asked_about_by_keyword(index):
    assert ids(index.related(text="knee surgery", k=1)) == [FIVE]
    assert ids(index.related(draft=IRON, k=1)) == [FOUR]
    mixed = index.related(ONE, text="iron", draft=IRON)
    assert mixed.query.kind == "several"
    assert ids(mixed)[0] == FOUR


def test_what_is_to_be_unlike_is_left_out_and_moved_away_from(index):
    plain, away = index.related(ONE), index.related(ONE, unlike=THREE)
    assert values(index.related(ONE, unlike=[THREE])) == values(away)
    assert THREE not in ids(away)
    lost = {each.nct_id: each.signals["away"] for each in away}
    assert lost[TWO] < 0
    before = {each.nct_id: each.similarity for each in plain}
    assert away[0].similarity < before[away[0].nct_id]


def test_everything_but_the_studies_is_given_by_name(index):
    with pytest.raises(TypeError, match="positional"):
        index.related(ONE, FOUR)


# Filters

VARIED = [
    *SIX,
    record("NCT00000107", "Iron pills for anemia in adults", ["Anemia"], [("DRUG", "Iron")],
           "Adults take iron.", status="RECRUITING", phases=["PHASE3"], enrollment=400,
           start="2022-01-05"),
]  # fmt: skip
OF_FILTERS = {
    "status": ("recruiting", [THREE, "NCT00000107"]),
    "phase": ("3", ["NCT00000107"]),
    "study_type": ("interventional", [TWO, THREE, FOUR, FIVE, SIXTH, "NCT00000107"]),
    "intervention_type": ("dietary supplement", [FOUR]),
    "country": ("france", [TWO, THREE, FOUR, FIVE, SIXTH, "NCT00000107"]),
    "sponsor": ("hosp", [TWO, THREE, FOUR, FIVE, SIXTH, "NCT00000107"]),
    "start_after": ("2022", ["NCT00000107"]),
    "start_before": ("2021-12-31", [TWO, THREE, FOUR, FIVE, SIXTH]),
    "min_enrollment": (400, ["NCT00000107"]),
    "has_results": (False, [TWO, THREE, FOUR, FIVE, SIXTH, "NCT00000107"]),
}


@pytest.mark.parametrize("name", OF_FILTERS)
def test_each_filter_is_a_keyword(build, name):
    value, passing = OF_FILTERS[name]
    with simsearch.open_index(build(VARIED).index) as index:
        answer = index.related(ONE, **{name: value})
        assert sorted(ids(answer)) == passing
        assert answer.filters == Filters(**{name: value})
        if isinstance(getattr(answer.filters, name), tuple):
            for listed in ([value], (value,), {value}):
                assert values(index.related(ONE, **{name: listed})) == values(answer)


def test_of_several_values_any_will_do_and_all_filters_must(index):
    assert sorted(ids(index.related(ONE, intervention_type=["drug", "procedure"]))) == [
        TWO, THREE, FIVE,
    ]  # fmt: skip
    both = index.related(ONE, intervention_type=["drug", "procedure"], status="recruiting")
    assert ids(both) == [THREE]
    assert ids(index.related(ONE, has_results=True, k=3)) == []


def test_one_value_may_be_a_plain_string_in_filters_too():
    assert Filters(sponsor="Pfizer") == Filters(sponsor=("Pfizer",)) == Filters(sponsor=["Pfizer"])
    assert Filters(sponsor="Pfizer") != Filters(sponsor=tuple("Pfizer"))
    assert not Filters(status=[])


# How it is answered


def test_the_number_of_neighbours_and_their_weights(index):
    assert len(index.related(ONE)) == 5
    assert ids(index.related(ONE, k=2)) == ids(index.related(ONE))[:2]
    of_words = index.related(ONE, weights={"lexical": 1})
    assert [each.similarity for each in of_words] == [each.signals["lexical"] for each in of_words]
    assert of_words.weights == {"lexical": 1}


def test_variety_is_folded_grouped_or_diverse(index):
    grouped = index.related(ONE, group_by="sponsor")
    assert [study.nct_id for study in grouped[0].folded] == ids(index.related(ONE))[1:]
    assert len(grouped) == 1
    folded = index.related(FIVE, fold=True)
    assert {ONE, TWO, THREE, FOUR, SIXTH} == {*ids(folded), *(
        study.nct_id for each in folded for study in each.folded
    )}  # fmt: skip
    assert ids(index.related(ONE, diverse=1)) == ids(index.related(ONE))
    assert ids(index.related(ONE, diverse=0)) != ids(index.related(ONE))
    assert ids(index.related(ONE, hide_same_sponsor=True)) == []


def test_reasons_are_left_out_where_they_are_not_wanted(index):
    plain, explained = index.related(ONE, explain=False), index.related(ONE)
    assert [each.reason for each in plain] == [None] * 5
    assert all(each.reason.line for each in explained)
    assert ids(plain) == ids(explained)


# An answer


def test_an_answer_is_a_sequence(index):
    answer = index.related(ONE, k=4)
    assert len(answer) == 4
    assert list(answer) == [answer[0], answer[1], answer[2], answer[3]]
    assert answer[-1] == answer[3]
    assert list(answer[1:3]) == [answer[1], answer[2]]
    assert list(reversed(answer)) == list(answer)[::-1]
    assert answer[2] in answer
    assert ONE not in answer
    assert answer.index(answer[2]) == 2
    with pytest.raises(IndexError):
        answer[4]
    assert not index.related(ONE, has_results=True)


def test_a_neighbour_says_who_it_is_how_near_and_why(index):
    first = index.related(ONE)[0]
    assert (first.rank, first.nct_id, first.title) == (1, TWO, "Drops for aplasia")
    assert first.study == replace(index.study(TWO), facts=None)
    assert 0 < first.similarity < 1
    assert 0 <= first.percentile <= 100
    assert first.reason.line == "same condition: Aplasia"


def test_an_answer_is_shown_in_a_line_a_neighbour(index):
    answer = index.related(ONE, k=2)
    assert repr(answer).splitlines() == [
        f"Studies most like {ONE} Pills for aplasia:",
        f"  1  {TWO}  {answer[0].similarity:.3f}  Drops for aplasia",
        f"  2  {answer[1].nct_id}  {answer[1].similarity:.3f}  {answer[1].title}",
        answer.facts.line,
    ]
    assert str(answer) == repr(answer)
    assert answer.facts.line.startswith("Index: index, 6 studies, records to 2021-05-06, built 20")
    assert repr(index.related(text="knee", unlike=ONE)).startswith(
        f"Studies most like “knee”, unlike {ONE}:\n"
    )


class Page(HTMLParser):
    """The tags, links and texts of a piece of HTML; each tag that opens must close in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: dict[str, str | None] = {}
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.append(tag)
        if tag == "a":
            self.links[dict(attrs)["href"] or ""] = dict(attrs).get("rel")
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if {"td", "th"} & {*self.open}:
            self.rows[-1][-1] += data


def test_a_notebook_shows_a_table_with_links_reasons_and_the_date(index):
    answer = index.related(ONE)
    page = Page(answer._repr_html_())
    heading, *rows = page.rows
    assert heading == ["#", "NCT ID", "Title", "Status", "Similarity", "Percentile", "Why"]
    for each, row in zip(answer, rows, strict=True):
        assert row[:5] == [
            str(each.rank),
            each.nct_id,
            each.title,
            row[3],
            f"{each.similarity:.3f}",
        ]
        assert row[6] == each.reason.line
    assert [row[3] for row in rows if row[1] == THREE] == ["Recruiting"]
    assert list(page.links) == [each.study.url for each in answer]
    assert set(page.links.values()) == {"noopener"}
    assert page.texts[0] == f"Studies most like {ONE} Pills for aplasia"
    assert page.texts[-1] == answer.facts.line


def test_a_notebook_shows_an_answer_without_reasons_and_one_without_neighbours(index):
    assert [row[6] for row in Page(index.related(ONE, explain=False)._repr_html_()).rows[1:]] == (
        [""] * 5
    )
    assert len(Page(index.related(ONE, has_results=True)._repr_html_()).rows) == 1


def test_a_hostile_title_is_text_in_a_notebook(build, monkeypatch):
    monkeypatch.setattr("simsearch.search.resolve.builder_of", lambda _: WordEncoder())
    hostile = "<script>alert('aplasia')</script> & \"pills\" <img src=x onerror=alert(1)>"
    records = [*SIX, record("NCT00000107", hostile, [hostile], [("DRUG", hostile)], "Aplasia.")]
    with simsearch.open_index(build(records).index) as index:
        for answer in (
            index.related(ONE),
            index.related("NCT00000107"),
            index.related(text=f"aplasia {hostile}"),
            index.related(draft=Study(nct_id="", title=hostile, conditions=(hostile,))),
        ):
            page = Page(answer._repr_html_())
            assert hostile in "".join(page.texts)
            assert not {"script", "img"} & {*page.tags}


QUESTIONS: dict[str, tuple[str, Any]] = {
    "a study": (ONE, lambda index: index.related(ONE)),
    "several": (f"{ONE} {FOUR} --not {FIVE} -k 2",
                lambda index: index.related([ONE, FOUR], unlike=FIVE, k=2)),
    "words": ("--text iron", lambda index: index.related(text="iron")),
    "a draft": ("--file draft.jsonl",
                lambda index: index.related(draft=next(iter(read_studies("draft.jsonl"))))),
    "filters": (f"{ONE} --status recruiting --phase 1/2 --start-after 2010 --no-results",
                lambda index: index.related(ONE, status="recruiting", phase="1/2",
                                            start_after="2010", has_results=False)),
    "more filters": (f"{ONE} --min-enrollment 5 --country France --sponsor hosp",
                     lambda index: index.related(ONE, min_enrollment=5, country="France",
                                                 sponsor=["hosp"])),
    "weights": (f"{ONE} -w text=0.5,lexical=0",
                lambda index: index.related(ONE, weights={"text": 0.5, "conditions": 0.1,
                                                          "interventions": 0.0, "lexical": 0.0})),
    "variety": (f"{ONE} --fold --diverse 0.4 --group-by sponsor",
                lambda index: index.related(ONE, fold=True, diverse=0.4, group_by="sponsor")),
    "another sponsor": (f"{ONE} --hide-same-sponsor",
                        lambda index: index.related(ONE, hide_same_sponsor=True)),
}  # fmt: skip


def printed(monkeypatch: Any, capsys: Any, words: str) -> str:
    """Return what `simsearch query` prints."""
    monkeypatch.setattr(sys, "argv", ["simsearch", "query", *words.split()])
    with pytest.raises(SystemExit):
        cli.main()
    return capsys.readouterr().out


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_is_the_one_that_the_command_prints(index, monkeypatch, capsys, name):
    words, ask = QUESTIONS[name]
    Path("draft.jsonl").write_text(json.dumps(record(ONE, "Iron for anemia", ["Anemia"])))
    answer = ask(index)
    shape = json.loads(json.dumps(answer.to_dict()))
    assert json.loads(printed(monkeypatch, capsys, f"{words} --format json")) == shape
    rows = list(csv.DictReader(io.StringIO(printed(monkeypatch, capsys, f"{words} --format csv"))))
    frame = answer.to_pandas()
    assert [*frame.columns] == [*(rows[0] if rows else frame.columns)]
    table = list(csv.DictReader(io.StringIO(frame.to_csv(index=False))))
    assert table == rows


def test_an_answer_as_plain_values_is_the_whole_json_shape(index, monkeypatch, capsys):
    answer = index.related(ONE, status="completed")
    assert json.loads(printed(monkeypatch, capsys, f"{ONE} --status completed --format json")) == (
        answer.to_dict()
    )


def test_a_data_frame_has_numbers_as_numbers_and_one_row_a_neighbour(index):
    pandas = pytest.importorskip("pandas")
    answer = index.related(ONE)
    frame = answer.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["nct_id"].tolist() == ids(answer)
    assert frame["similarity"].tolist() == [each.similarity for each in answer]
    assert frame["rank"].tolist() == [1, 2, 3, 4, 5]
    assert frame["enrollment"].tolist() == [30] * 5
    assert frame["reason"].tolist() == [each.reason.line for each in answer]
    assert frame["countries"].tolist() == ["France"] * 5
    empty = index.related(ONE, has_results=True).to_pandas()
    assert (len(empty), [*empty.columns]) == (0, [*frame.columns])


def test_an_answer_outlives_the_index(index):
    answer = index.related(ONE)
    before = (repr(answer), answer._repr_html_(), answer.to_dict(), answer[0].reason.line)
    index.close()
    assert (repr(answer), answer._repr_html_(), answer.to_dict(), answer[0].reason.line) == before
    assert answer.to_pandas()["nct_id"].tolist() == ids(answer)
    assert pickle.loads(pickle.dumps(answer)).to_dict() == before[2]


def test_a_notebook_shows_folded_studies_and_says_when_there_is_none(build):
    twin = record("NCT00000107", "Pills for aplasia", ["Aplasia"], [("DRUG", "Pills")],
                  "Adults with aplasia take pills.")  # fmt: skip
    with simsearch.open_index(build([*SIX, twin]).index) as index:
        answer = index.related("NCT00000104", fold=True)
        (folded,) = [study for each in answer for study in each.folded]
        assert f"and {folded.nct_id}  Pills for aplasia" in repr(answer)
        assert f'and <a href="{folded.url}"' in answer._repr_html_()
        none = index.related("NCT00000105", status="withdrawn")
    assert "No study passes the filters." in repr(none)
    assert "No study passes the filters." in none._repr_html_()
