"""The pages of reviews over HTTP: what they show, what they write, and what they refuse."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from xml.etree.ElementTree import fromstring

import httpx
import pytest
from conftest import SIX, record
from hostile import HOSTILE, UNSEEN
from serving import serving
from typer.testing import CliRunner

from simsearch.cli.main import app
from simsearch.index.directory import demo_index
from simsearch.review import SUPPLEMENT
from simsearch.review.folder import begin_review, open_review

ONE, OTHER = "NCT03540472", "NCT00211029"
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def review(tmp_path):
    known = {ONE: "include", OTHER: "include"}
    return begin_review(tmp_path / "prca", known, by="a test", question="Pure red cells?")


@pytest.fixture
def site(review):
    with serving(demo_index(), reviews={"prca": review.path}, decides=True, by="Ann") as found:
        yield found


def listed(page: str) -> list[str]:
    return re.findall(r'<article class="candidate" aria-label="(NCT\d+)">', page)


def token(page: str) -> str:
    return re.search(r'name="token" value="([^"]+)"', page)[1]


def post(site, decision, study="", path="/review/prca", headers=None, **changed):
    """Send what the page's form sends, as a browser does."""
    given = {"token": token(site.get("/review/prca").text), "decision": decision, "study": study}
    how = {"origin": site.address, "sec-fetch-site": "same-origin"} | (headers or {})
    return site.post(path, data=given | changed, headers={k: v for k, v in how.items() if v})


def decided(review) -> list[tuple[str, str, str]]:
    return [(each.study, each.decision, each.by) for each in review.decisions()][2:]


def test_the_page_shows_what_the_command_lists(site, review):
    page = site.get("/review/prca").text
    shown = CliRunner().invoke(app, ["review", "next", str(review.path), "-k", "10", "-f", "ids"])
    assert listed(page) == shown.stdout.split()
    assert "Pure red cells?" in page
    assert SUPPLEMENT in page
    assert "<mark>" in page


def test_looking_writes_nothing(site, review):
    before = {each.name: each.read_bytes() for each in review.path.iterdir() if each.is_file()}
    for path in ("/review/prca", "/review/prca.json", "/feed/prca", f"/review/prca?study={ONE}"):
        assert site.get(path).status_code == 200
        assert site.request("HEAD", path).status_code == 200
    after = {each.name: each.read_bytes() for each in review.path.iterdir() if each.is_file()}
    assert after == before


@pytest.mark.parametrize(
    ("decision", "command"), [("include", "keep"), ("exclude", "drop"), ("undecided", "later")]
)
def test_a_decision_is_written_as_the_command_writes_it(site, review, tmp_path, decision, command):
    first = listed(site.get("/review/prca").text)[0]
    answer = post(site, decision, first)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/review/prca#at-hand"
    same = begin_review(tmp_path / "by-command" / "prca", dict(review_known(review)), by="a test",
                        question="Pure red cells?")  # fmt: skip
    runner = CliRunner()
    for words in (
        ["next", "-k", "10", str(same.path)],
        [command, str(same.path), first, "--by", "Ann"],
    ):
        assert runner.invoke(app, ["review", *words]).exit_code == 0
    for name in ("decisions.jsonl", "asked.jsonl"):
        assert (review.path / name).read_bytes() == (same.path / name).read_bytes()


def review_known(review):
    return [(each.study, each.decision) for each in review.decisions()[:2]]


def test_a_list_stays_until_it_is_decided_and_the_next_has_learned(site, review):
    first = listed(site.get("/review/prca").text)
    for n, study in enumerate(first, start=1):
        post(site, "exclude", study)
        page = site.get("/review/prca").text
        if n < len(first):
            assert listed(page) == first[n:]
    assert not {*listed(page)} & {*first}
    assert len(review.asked()) == 1
    post(site, "exclude", listed(page)[0])
    assert len(review.asked()) == 2
    assert review.asked()[1].n_excluded == len(first)


def test_of_a_long_list_of_the_command_ten_are_at_hand_at_once(site, review):
    words = ["review", "next", str(review.path), "-k", "30", "-f", "ids"]
    long = CliRunner().invoke(app, words).stdout.split()
    assert listed(site.get("/review/prca").text) == long[:10]
    post(site, "exclude", long[0])
    assert listed(site.get("/review/prca").text) == long[1:11]
    assert len(review.asked()) == 1


def test_a_new_list_is_made_when_asked_for(site, review):
    first = listed(site.get("/review/prca").text)
    post(site, "exclude", first[0])
    post(site, "renew")
    page = site.get("/review/prca").text
    assert len(listed(page)) == len(first)
    assert listed(page) == list(review.asked()[-1].shown)


def test_undo_is_a_newer_decision_and_shows_the_study_again(site, review):
    first = listed(site.get("/review/prca").text)[0]
    post(site, "include", first)
    answer = post(site, "undo", first)
    assert answer.headers["location"] == f"/review/prca?study={first}#at-hand"
    assert decided(review) == [(first, "include", "Ann"), (first, "undecided", "Ann")]
    assert "Decide again" in site.get(answer.headers["location"]).text
    post(site, "exclude", first)
    post(site, "undo", first)
    assert review.current()[first].decision == "undecided"
    assert len(decided(review)) == 4


def test_progress_is_shown_as_a_curve_and_a_table(site, review):
    for study in listed(site.get("/review/prca").text)[:3]:
        post(site, "include", study)
    page = site.get("/review/prca").text
    assert "3 kept of 3 screened" in page
    assert "<td>3</td><td>3</td>" in page
    assert "in a row without one to keep, 50 needed (SAFE, 2024)" in page
    assert "slope ratio" in page


def test_json_has_the_same(site, review):
    post(site, "include", listed(site.get("/review/prca").text)[0])
    answer = site.get("/review/prca.json")
    shape = answer.json()
    assert [each["nct_id"] for each in shape["next"]] == listed(site.get("/review/prca").text)
    assert (shape["n_included"], shape["n_kept"]) == (3, 1)
    assert shape["decisions"][0]["by"] == "Ann"
    assert str(review.path.parent) not in answer.text
    assert shape["index"]["path"] == demo_index().name


def test_nothing_of_a_review_is_kept_by_a_cache_or_read_by_another_site(review):
    with serving(demo_index(), reviews={"prca": review.path}, decides=True, origins=("*",)) as site:
        for path in ("/review/prca", "/review/prca.json", "/feed/prca"):
            answer = site.get(path, headers={"origin": "https://example.org"})
            assert answer.headers["cache-control"] == "no-store"
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "changed"),
    [
        ({"sec-fetch-site": "cross-site"}, {}),
        ({"sec-fetch-site": "same-site"}, {}),
        ({"sec-fetch-site": "none"}, {}),
        ({"origin": "https://evil.example"}, {}),
        ({"origin": "null"}, {}),
        ({"origin": "http://127.0.0.1:1"}, {}),
        ({}, {"token": "wrong"}),
        ({}, {"token": ""}),
        ({}, {"token": "größer"}),
        ({"x-forwarded-for": "10.0.0.7"}, {}),
        ({"via": "1.1 proxy"}, {}),
        ({"origin": "", "sec-fetch-site": ""}, {"token": ""}),
    ],
)
def test_a_decision_from_anywhere_else_is_refused(site, review, headers, changed):
    answer = post(site, "include", "NCT00210951", headers=headers, **changed)
    assert answer.status_code == 403
    assert decided(review) == []
    assert review.asked() == []


def test_a_program_without_a_browsers_headers_needs_the_token(site, review):
    headers = {"origin": "", "sec-fetch-site": ""}
    assert post(site, "include", "NCT00210951", headers=headers).status_code == 303
    assert decided(review) == [("NCT00210951", "include", "Ann")]


def test_for_another_name_or_behind_a_proxy_a_review_is_read_only(review):
    how = {"reviews": {"prca": review.path}, "decides": True, "hosts": ("trials.example.org",)}
    with serving(demo_index(), **how) as site:
        for headers in ({"host": "trials.example.org"}, {"host": "10.0.0.1"}, {"via": "1.1 p"}):
            page = site.get("/review/prca", headers=headers).text
            assert "Read-only here" in page
            assert "<button" not in page.partition("<main")[2]
            assert "token" not in page


def test_where_it_is_not_served_on_loopback_a_review_is_read_only(review):
    with serving(demo_index(), reviews={"prca": review.path}) as site:
        page = site.get("/review/prca").text
        assert "Read-only here" in page
        assert listed(page)
        form = {"token": "x", "decision": "include", "study": ONE}
        answer = site.post("/review/prca", data=form, headers={"accept": "application/json"})
        assert answer.status_code == 403
        assert answer.json()["error"] == "reviews are read-only here"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"decision": "include", "study": "NCT0354047Z"}, 400),
        ({"decision": "include", "study": ""}, 400),
        ({"decision": "burn", "study": ONE}, 400),
        ({"decision": "", "study": ONE}, 400),
    ],
)
def test_a_form_that_is_none_of_ours_decides_nothing(site, review, form, status):
    assert post(site, **form).status_code == status
    assert decided(review) == []


@pytest.mark.parametrize("path", ["/review/other", "/review/other.json", "/feed/other",
                                  "/review/%2e%2e%2fprca"])  # fmt: skip
def test_only_the_reviews_that_were_named_are_shown(site, path):
    assert site.get(path).status_code == 404
    assert post(site, "include", ONE, path="/review/other").status_code in (403, 404)


def test_a_folder_that_is_damaged_or_gone_is_an_error_without_its_place(site, review):
    lines = review.path / "decisions.jsonl"
    lines.write_text(lines.read_text() + "{half\n")
    answer = site.get("/review/prca.json")
    assert answer.status_code == 503
    assert "decisions.jsonl line 3" in answer.json()["error"]
    assert str(review.path.parent) not in answer.text


def test_texts_of_records_and_people_are_shown_and_never_run(build, tmp_path):
    index = build([*SIX, HOSTILE]).index
    known = {"NCT00000101": "include"}
    name = "a <b> & 'c'"
    review = begin_review(tmp_path / name, known, by="<i>Ann</i>", question="<script>x</script>")
    with serving(index, reviews={name: review.path}, decides=True, by="<u>Bob</u>") as site:
        path = site.get("/").text.partition('href="/review/')[2].partition('"')[0]
        page = site.get(f"/review/{path}").text
        form = {"token": token(page), "decision": "include", "study": "NCT00000301"}
        assert site.post(f"/review/{path}", data=form).status_code == 303
        page = site.get(f"/review/{path}").text
        tags = (
            "<script>x",
            "<script>alert",
            "<i>Ann",
            "<u>Bob",
            "<b> &",
            "<img src=x",
            "<svg onload",
        )
        for evil in (*tags, "<b>bold", "</textarea>", *UNSEEN.replace("[31m", "")):
            assert evil not in page
        assert "&lt;u&gt;Bob&lt;/u&gt;" in page
        json.loads(site.get(f"/review/{path}.json").text)
        fromstring(site.get(f"/feed/{path}").text)


def test_the_feed_is_the_news_of_the_command(build, tmp_path):
    build(SIX)
    ended = record("NCT00000101", "Pills for aplasia", ["Aplasia"], [("DRUG", "Pills")],
                   "Adults with aplasia take pills.", status="TERMINATED")  # fmt: skip
    index = build([ended, *SIX[1:]], allow_moved=True).index
    review = begin_review(tmp_path / "rv", {"NCT00000101": "include"}, by="a test")
    with serving(index, reviews={"rv": review.path}) as site:
        answer = site.get("/feed/rv")
        again = site.get("/feed/rv")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    shown = CliRunner().invoke(
        app, ["review", "news", str(review.path), "-i", str(index), "-f", "atom"]
    )
    assert answer.text == again.text == shown.stdout
    assert "Completed → Terminated" in answer.text


def test_the_feed_of_an_index_of_one_generation_is_empty(site):
    root = fromstring(site.get("/feed/prca").text)
    assert root.tag == f"{ATOM}feed"
    assert root.findall(f"{ATOM}entry") == []


def test_the_page_and_the_command_lose_no_decision_of_each_other(site, review):
    by_page = listed(site.get("/review/prca").text)[:6]
    by_command = ["NCT00001626", "NCT00378326", "NCT00004143", "NCT00195624"]
    forms = token(site.get("/review/prca").text)

    def keep(nct_id):
        words = ["review", "keep", str(review.path), nct_id, "--by", "Bob"]
        done = subprocess.run([sys.executable, "-m", "simsearch", *words], check=False)
        return done.returncode

    def page(nct_id):
        form = {"token": forms, "decision": "exclude", "study": nct_id}
        return httpx.post(f"{site.address}/review/prca", data=form, trust_env=False, timeout=60)

    with ThreadPoolExecutor(4) as pool:
        codes = pool.map(keep, by_command)
        answers = pool.map(page, by_page)
        assert {*codes} == {0}
        assert {each.status_code for each in answers} == {303}
    now = {nct_id: each.decision for nct_id, each in review.current().items()}
    assert now | dict.fromkeys(by_page, "exclude") | dict.fromkeys(by_command, "include") == now


SERVE = [sys.executable, "-m", "simsearch", "serve", "--port", "0", "--review"]


def test_a_server_that_is_killed_leaves_the_folder_whole(review):
    process = subprocess.Popen([*SERVE, str(review.path)], stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip()
        assert process.stdout.readline().strip() == f"{address}/review/prca"
        page = httpx.get(f"{address}/review/prca", trust_env=False, timeout=60).text
        answered = []

        def decide():
            for study in listed(page):
                form = {"token": token(page), "decision": "include", "study": study}
                try:
                    httpx.post(f"{address}/review/prca", data=form, trust_env=False, timeout=60)
                except httpx.HTTPError:
                    return
                answered.append(study)

        deciding = threading.Thread(target=decide)
        deciding.start()
        deadline = time.monotonic() + 60
        while len(answered) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        deciding.join(60)
    finally:
        process.kill()
        process.communicate()
    kept = open_review(review.path).current()
    assert len(answered) >= 3
    assert {*answered} <= kept.keys()
    assert len(kept) <= len(answered) + 3
    review.decide({"NCT00001626": "include"}, by="after")
    assert "NCT00001626" in open_review(review.path).current()


def test_two_reviews_of_one_name_or_a_folder_that_is_none_are_refused(tmp_path):
    for place in ("a", "b"):
        begin_review(tmp_path / place / "rv", {ONE: "include"}, by="a test")
    runner = CliRunner()
    words = ["serve", "--review", str(tmp_path / "a/rv"), "--review", str(tmp_path / "b/rv")]
    found = runner.invoke(app, words)
    assert found.exit_code != 0
    none = runner.invoke(app, ["serve", "--review", str(tmp_path)])
    assert "not a review's folder" in str(none.exception)


@pytest.mark.parametrize(
    ("how", "decides"),
    [
        ("--host 127.0.0.1", True),
        ("--host ::1", True),
        ("--host localhost", True),
        ("--host 0.0.0.0", False),
        ("--host 10.1.1.7", False),
        ("--allow-host trials.example.org", False),
        ("--root-path /trials/", False),
    ],
)
def test_decisions_are_made_only_where_this_machine_alone_is_answered(
    review, monkeypatch, how, decides
):
    told = []

    def serve(_index, _place, settings, *, ready, **_how):
        told.append(settings.decides)
        ready("http://host", "Index: one")

    monkeypatch.setattr("simsearch.web.serving.serve", serve)
    shown = CliRunner().invoke(app, ["serve", "--review", str(review.path), *how.split()])
    assert told == [decides]
    assert "/review/prca" in shown.stdout
    assert ("read-only" in shown.stdout) is not decides


def test_below_a_prefix_the_page_and_its_decisions_work_too(review):
    how = {"reviews": {"prca": review.path}, "decides": True, "by": "Ann", "root": "/trials"}
    with serving(demo_index(), **how) as site:
        page = site.get("/trials/review/prca").text
        assert 'action="/trials/review/prca"' in page
        form = {"token": token(page), "decision": "include", "study": listed(page)[0]}
        answer = site.post("/trials/review/prca", data=form, headers={"origin": site.address})
    assert answer.headers["location"] == "/trials/review/prca#at-hand"
    assert len(decided(review)) == 1
