"""What an update brings for a review, as text, JSON, RIS and as a feed."""

import json
from xml.etree.ElementTree import fromstring

import pytest
import rispy
from conftest import SIX, record

from simsearch.diff.changes import compare
from simsearch.diff.watch import watched_change
from simsearch.output.diff import Bulletin
from simsearch.output.formats import View, write
from simsearch.review import SUPPLEMENT
from simsearch.review.folder import begin_review
from simsearch.review.news import review_news

ATOM = {"a": "http://www.w3.org/2005/Atom"}
TITLE = "Pills & <drops> for aplasia\x1b[31m"


@pytest.fixture
def both(build, tmp_path):
    build(SIX)
    ended = record("NCT00000101", "Pills for aplasia", ["Aplasia"], [("DRUG", "Pills")],
                   "Adults with aplasia take pills.", status="TERMINATED")  # fmt: skip
    new = record("NCT00000107", TITLE, ["Aplasia"], [("DRUG", "Pills")],
                 "Adults with aplasia take pills.")  # fmt: skip
    far = record("NCT00000108", "Knee surgery again", ["Knee"], [], "Surgery of the knee.")
    build([ended, *SIX[1:], new, far], allow_moved=True)
    with compare(tmp_path / "index") as opened:
        yield opened


@pytest.fixture
def news(both, tmp_path, monkeypatch):
    monkeypatch.setattr("simsearch.review.news.closeness", lambda _: 60.0)
    review = begin_review(tmp_path / "rv", {"NCT00000101": "include"}, by="a test")
    return review_news(both, review)


def written(news, form, **shown):
    return "".join(write("news", news, form, View(**shown)))


def test_news_are_new_studies_that_are_close_and_changes_in_included_ones(news):
    assert [each.study.nct_id for each in news.added] == ["NCT00000107"]
    assert [change.study.nct_id for change in news.changed] == ["NCT00000101"]
    assert news.n_looked_at == 2
    assert bool(news)


def test_a_decided_study_is_no_news(both, tmp_path, monkeypatch):
    monkeypatch.setattr("simsearch.review.news.closeness", lambda _: 0.0)
    decisions = {"NCT00000101": "include", "NCT00000107": "exclude"}
    found = review_news(both, begin_review(tmp_path / "rv", decisions, by="a test"))
    assert [each.study.nct_id for each in found.added] == ["NCT00000108"]


def test_text_says_what_is_new_and_what_it_rests_on(news):
    text = written(news, "table")
    assert "New and close: 1\n\nNCT00000107  Pills & <drops> for aplasia" in text
    assert "most like NCT00000101" in text
    assert "status: Completed → Terminated" in text
    assert SUPPLEMENT in text
    assert "\x1b" not in text


def test_quiet_text_is_empty_where_nothing_is_new(both, tmp_path):
    decisions = {"NCT00000104": "include", "NCT00000107": "exclude", "NCT00000108": "exclude"}
    found = review_news(both, begin_review(tmp_path / "rv", decisions, by="a test"))
    assert not found
    assert written(found, "table", quiet=True) == ""
    assert "Nothing new." in written(found, "table")


def test_json_has_both_generations(news, both):
    shape = json.loads(written(news, "json"))
    assert shape["added"][0]["nct_id"] == "NCT00000107"
    assert shape["changed"][0]["what"] == "status: Completed → Terminated"
    assert shape["old"]["generation"] == both.old.facts.generation
    assert shape["index"]["generation"] == both.new.facts.generation


def test_ris_has_the_new_studies(news):
    (entry,) = rispy.loads(written(news, "ris"))
    assert entry["accession_number"] == "NCT00000107"


def test_the_feed_is_atom_that_a_reader_takes(news, both):
    root = fromstring(written(news, "atom"))
    assert root.tag == "{http://www.w3.org/2005/Atom}feed"
    assert root.findtext("a:updated", namespaces=ATOM) == both.new.facts.built
    entries = root.findall("a:entry", ATOM)
    titles = [each.findtext("a:title", namespaces=ATOM) for each in entries]
    assert titles[0].startswith("NCT00000107: Pills & <drops> for aplasia")
    assert titles[1] == "NCT00000101 changed: Pills for aplasia"
    ids = [each.findtext("a:id", namespaces=ATOM) for each in (root, *entries)]
    assert len({*ids}) == 3
    assert all(each.startswith("urn:uuid:") for each in ids)
    assert root.findtext("a:subtitle", namespaces=ATOM) == SUPPLEMENT
    for element in (root, *entries):
        for name in ("id", "title", "updated"):
            assert element.findtext(f"a:{name}", namespaces=ATOM)


def test_the_same_news_give_the_same_feed(news):
    assert written(news, "atom") == written(news, "atom")


def test_a_diff_is_a_feed_too(both):
    bulletin = Bulletin(both, (watched_change(both, "NCT00000101", 3),), 3)
    root = fromstring("".join(write("diff", bulletin, "atom", View())))
    (entry,) = root.findall("a:entry", ATOM)
    assert entry.findtext("a:title", namespaces=ATOM).startswith("NCT00000107: Pills & <drops>")
    link = entry.find("a:link", ATOM)
    assert link.get("href") == "https://clinicaltrials.gov/study/NCT00000107"
