"""The pages and the API over HTTP: what they show, refuse and never do."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from conftest import SIX, record
from serving import serving

import simsearch
from simsearch.index.directory import demo_index
from simsearch.web import asking, replies, slow_clients
from simsearch.web.serving import Place, listening_sockets
from simsearch.web.settings import MAX_BODY

ONE = "NCT03540472"


@pytest.fixture(scope="module")
def site():
    with serving(demo_index()) as found:
        yield found


def test_the_start_page_says_what_the_index_holds(site):
    page = site.get("/")
    assert page.status_code == 200
    with simsearch.open_index(demo_index()) as index:
        assert f"{len(index):,} studies" in page.text
    assert f"/study/{ONE}" in page.text


def test_a_study_page_shows_the_study_and_the_neighbours_that_the_library_finds(site):
    page = site.get(f"/study/{ONE}").text
    with simsearch.open_index(demo_index()) as index:
        answer = index.related(ONE)
    assert "Tacrolimus Treatment for Refractory PRCA" in page
    linked = re.findall(r'<h3><a href="/study/(NCT\d+)">', page)
    assert linked == [each.nct_id for each in answer]
    assert "not close from here on" in page


def test_a_pages_json_is_the_answer_of_the_library(site):
    found = site.get(f"/study/{ONE}.json?k=3").json()["related"]
    with simsearch.open_index(demo_index()) as index:
        expected = index.related(ONE, k=3).to_dict()
    assert found["neighbours"] == expected["neighbours"]
    assert found["schema"] == expected["schema"]


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("nct3540472", f"/study/{ONE}"),
        (f"https://clinicaltrials.gov/study/{ONE}", f"/study/{ONE}"),
        (f"{ONE}, NCT00229619", f"/related?study={ONE}&study=NCT00229619"),
        ("iron for anemia", "/related?text=iron+for+anemia"),
        ("EudraCT: 2012-003157-29", "/study/2012-003157-29"),
        ("CTRI/2009/091/000090", "/study/CTRI-2009-091-000090"),
        ("", "/"),
    ],
)
def test_what_is_typed_leads_to_the_page_that_answers_it(site, typed, place):
    assert site.get("/search", params={"q": typed}).headers["location"] == place


def test_another_spelling_leads_to_the_page_of_the_study(site):
    found = site.get("/study/nct3540472?k=20")
    assert (found.status_code, found.headers["location"]) == (303, f"/study/{ONE}?k=20")


def test_a_mistyped_number_is_refused_with_the_one_that_is_meant(site):
    found = site.get("/study/NCT0354047Z", headers={"accept": "text/html"})
    assert found.status_code == 400
    assert f"open /study/{ONE}" in found.text


def test_empty_fields_of_a_form_do_not_stay_in_the_address(site):
    found = site.get(f"/study/{ONE}?status=&phase=PHASE2&country=")
    assert found.headers["location"] == f"/study/{ONE}?phase=PHASE2"


def test_filters_show_what_would_remain_and_are_what_the_library_applies(site):
    page = site.get(f"/study/{ONE}?phase=2&status=completed").text
    with simsearch.open_index(demo_index()) as index:
        answer = index.related(ONE, phase="2", status="completed")
        store_counts = index.related(ONE, k=200, phase="2", status="completed")
    assert re.findall(r'<h3><a href="/study/(NCT\d+)">', page) == [e.nct_id for e in answer]
    counted = re.search(
        r'value="COMPLETED" checked> <span>Completed</span> <span class="n">(\d+)', page
    )
    assert int(counted[1]) == len(store_counts)


def test_keeping_and_pushing_away_stand_in_the_address(site):
    found = site.get(f"/related?study={ONE}&study=NCT00229619&unlike=NCT00001626")
    with simsearch.open_index(demo_index()) as index:
        answer = index.related([ONE, "NCT00229619"], unlike=["NCT00001626"])
    assert re.findall(r'<h3><a href="/study/(NCT\d+)">', found.text) == [e.nct_id for e in answer]
    assert f"/related?study={ONE}&amp;study=NCT00229619&amp;study={answer[0].nct_id}" in found.text


@pytest.mark.parametrize("ending", replies.EXPORTS)
def test_a_list_is_exported_in_each_format(site, ending):
    found = site.get(f"/study/{ONE}.{ending}?k=4")
    assert found.status_code == 200
    assert f'filename="related-{ONE}.{ending}"' in found.headers["content-disposition"]
    assert "NCT03364764" in found.text


def test_a_reason_marks_the_words_in_common_in_both_texts(site):
    page = site.get(f"/study/{ONE}").text
    assert page.count("<mark>PRCA</mark>") >= 2


def test_pages_ignore_unknown_parameters_and_the_api_refuses_them(site):
    assert site.get(f"/study/{ONE}?utm_source=mail").status_code == 200
    refused = site.get(f"/api/v1/studies/{ONE}/related?utm_source=mail")
    assert refused.status_code == 400
    assert refused.json()["ok"] is False
    assert "utm_source" in refused.json()["error"]


def test_every_error_has_one_shape(site):
    api = "/api/v1/studies"
    paths = [f"{api}/NCT99999999", f"{api}/x", "/api/v1/nothing", "/x.json",
             f"{api}/{ONE}/related?k=0", f"/study/{ONE}.json?country=Atlantis"]  # fmt: skip
    for path in paths:
        found = site.get(path)
        assert 400 <= found.status_code < 500, path
        shape = found.json()
        assert set(shape) == {"ok", "error", "status", "next_step"}, path
        assert (shape["ok"], shape["status"]) == (False, found.status_code)


def test_no_error_says_where_the_index_lies(site):
    for path in ("/api/v1/studies/NCT99999999", "/api/v1/index", f"/study/{ONE}.json"):
        assert str(demo_index().parent) not in site.get(path).text


def test_the_api_pages_through_the_list(site):
    path, found = f"/api/v1/studies/{ONE}/related?k=3&status=completed", []
    for _ in range(3):
        shown = site.get(path).json()
        found += [each["nct_id"] for each in shown["neighbours"]]
        path = shown["next"]
    with simsearch.open_index(demo_index()) as index:
        assert found == [e.nct_id for e in index.related(ONE, k=9, status="completed")]


def test_the_api_answers_several_studies_words_and_a_draft(site):
    body = {"studies": [ONE], "unlike": ["NCT00001626"], "k": 4}
    found = site.post("/api/v1/related", json=body).json()
    with simsearch.open_index(demo_index()) as index:
        expected = index.related(ONE, unlike="NCT00001626", k=4).to_dict()
    assert found["neighbours"] == expected["neighbours"]
    nothing = site.post("/api/v1/related", json={"k": 4})
    assert (nothing.status_code, nothing.json()["ok"]) == (422, False)


SIGNALS = "'text', 'conditions', 'interventions' or 'lexical'"
WRONG = [
    ({"k": 0}, "k is 0: it must be from 1 to 200"),
    ({"k": "x"}, "k is 'x': it must be a whole number"),
    ({"diverse": 2}, "diverse is 2: it must be from 0 to 1"),
    ({"radius_km": 0}, "radius_km is 0: it must be more than 0 and at most 20,040"),
    ({"min_enrollment": -1}, "min_enrollment is -1: it must be from 0 to 1,000,000,000"),
    ({"weights": {"text": -1}}, "weights.text is -1: it must be from 0 to 100"),
    ({"weights": {"x": 1}}, f"a name in weights is 'x': it must be {SIGNALS}"),
    ({"studies": ONE}, f"studies is '{ONE}': it must be a list of texts"),
    ({"studies": [1]}, "studies[0] is 1: it must be a text"),
    ({"studies": [""]}, "studies[0] is '': it must be a text, not an empty one"),
    ({"studies": [ONE] * 51}, "studies is '51 values': it must be a list of at most 50"),
    ({"start_after": "20200000000"},
     "start_after is '20200000000': it must be a text of at most 10 characters"),
    ({"fold": "maybe"}, "fold is 'maybe': it must be true or false"),
    ({"group_by": "x"}, "group_by is 'x': it must be 'sponsor'"),
    ({"draft": []}, "draft is []: it must be an object"),
    ({"xyz": 1}, "there is no parameter 'xyz'"),
    ([], "the body is not a JSON object"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "sentence"), WRONG)
@pytest.mark.parametrize("path", ["related", "compare"])
def test_a_wrong_body_is_refused_with_the_field_what_it_is_and_what_it_must_be(
    site, path, body, sentence
):
    found = site.post(f"/api/v1/{path}", json=body)
    expected = sentence.replace("to 200", "to 50") if path == "compare" else sentence
    assert (found.status_code, found.json()["error"]) == (400, expected)
    assert found.json()["next_step"]


@pytest.mark.parametrize(("content", "what"), [(b"", "is empty"), (b"{", "is not JSON")])
def test_a_body_that_is_none_is_refused(site, content, what):
    found = site.post("/api/v1/related", content=content,
                      headers={"content-type": "application/json"})  # fmt: skip
    assert (found.status_code, found.json()["error"]) == (400, f"the body {what}")


def test_a_wrong_parameter_of_the_api_is_refused_in_the_same_words(site):
    path = f"/api/v1/studies/{ONE}/related"
    assert site.get(f"{path}?offset=200").json()["error"] == (
        "offset is '200': it must be from 0 to 199"
    )


@pytest.mark.parametrize("number", ["2020-001154-22", "EudraCT 2020-001154-22"])
def test_a_study_is_found_by_its_number_in_another_registry(site, number):
    known = site.get(f"/api/v1/studies/{number}").json()["study"]["nct_id"]
    assert known == "NCT04320615"
    with simsearch.open_index(demo_index()) as index:
        expected = [each.nct_id for each in index.related(known)]
    found = site.get(f"/api/v1/studies/{number}/related").json()["neighbours"]
    assert [each["nct_id"] for each in found] == expected
    posted = site.post("/api/v1/related", json={"studies": [number]}).json()["neighbours"]
    assert [each["nct_id"] for each in posted] == expected


@pytest.mark.model
def test_words_are_taken_as_they_are_where_that_is_asked(site):
    read = site.post("/api/v1/related", json={"text": "completed trials of iron for anemai"}).json()
    assert read["filters"] == {"status": ["completed"]}
    assert any("read as anemia" in each for each in read["notes"])
    body = {"text": "completed trials of iron for anemai", "literal": True}
    literal = site.post("/api/v1/related", json=body).json()
    assert literal["filters"] == {}
    assert not any("read as" in each for each in literal["notes"])
    page = site.get("/related?text=anemai&literal=true").text
    assert "The words are taken as they are" in page
    assert 'name="literal" value="true"' in page


@pytest.mark.model
def test_words_and_a_draft_are_answered_as_the_library_answers_them(site):
    draft = record(None, "Eltrombopag for aplastic anemia", ["Aplastic Anemia"])
    found = site.post("/api/v1/related", json={"draft": draft, "k": 3}).json()
    assert found["ok"], found
    assert found["query"]["kind"] == "draft"
    words = site.post("/api/v1/related", json={"text": "iron for anemia in pregnancy"}).json()
    with simsearch.open_index(demo_index()) as index:
        answer = index.related(text="iron for anemia in pregnancy")
    assert [e["nct_id"] for e in words["neighbours"]] == [e.nct_id for e in answer]


def test_a_tag_holds_for_the_generation_and_the_question(site):
    path = f"/api/v1/studies/{ONE}/related"
    first = site.get(path)
    again = site.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert site.get(f"{path}?k=3").headers["etag"] != first.headers["etag"]
    assert "max-age" in first.headers["cache-control"]
    assert site.get(path).content == first.content


def test_static_files_have_their_hash_in_their_names_and_never_change(site):
    (style,) = re.findall(r'href="(/static/style\.\w+\.css)"', site.get("/").text)
    found = site.get(style)
    assert "immutable" in found.headers["cache-control"]
    assert site.get("/static/style.000000000000.css").status_code == 404
    assert site.get("/static/..%2fapp.py").status_code == 404


PAGES = [
    "/",
    "/draft",
    f"/study/{ONE}",
    f"/related?study={ONE}&study=NCT00229619",
    "/api",
    "/nothing",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_the_headers_that_bound_what_it_may_do(site, path):
    headers = site.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_script_or_style_within_and_loads_nothing_from_elsewhere(site, path):
    page = site.get(path, headers={"accept": "text/html"}).text
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*src=)", page)
    loaded = re.findall(r'(?:src=|<link[^>]*href=)"([^"]*)"', page)
    assert loaded
    assert all(each.startswith("/") and not each.startswith("//") for each in loaded)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_a_request_for_another_host_is_refused(site, host):
    found = site.get("/", headers={"host": host})
    assert found.status_code in (400, 421)


def test_a_name_that_is_allowed_is_answered():
    with serving(demo_index(), hosts=("trials.example.org",)) as site:
        for host in ("trials.example.org", "Trials.Example.ORG:443", "localhost", "10.0.0.5:80"):
            assert site.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "//evil.example/study/nct3540472", "/study//evil.example",
     "/search?q=//evil.example", "/search?q=/\\evil.example", "/study/%2F%2Fevil.example?status="],
)  # fmt: skip
def test_nothing_leads_to_another_site(site, path):
    found = site.get(f"{site.address}{path}")
    place = found.headers.get("location", "/")
    assert place.startswith("/")
    assert not re.match(r"/[/\\]", place)


def test_a_body_that_is_too_large_is_refused(site):
    found = site.post("/api/v1/related", content=b" " * (MAX_BODY + 1))
    assert (found.status_code, found.json()["ok"]) == (413, False)

    def pieces():
        for _ in range(MAX_BODY // 2**16 + 2):
            yield b" " * 2**16

    found = site.post(
        "/api/v1/related", content=pieces(), headers={"content-type": "application/json"}
    )
    assert found.status_code == 413


def test_an_address_and_its_values_are_bounded(site):
    assert site.get("/search?q=" + "x" * 20_000).status_code == 414
    for query in ("k=100000", "status=" + "x" * 500, "&".join(["phase=2"] * 60) + "&phase=3"):
        found = site.get(f"/study/{ONE}?{query}")
        assert found.status_code in (200, 400), query
    many = "&".join(f"study=NCT{n:08d}" for n in range(1, 60))
    assert site.get(f"/related?{many}").status_code == 400


def test_a_client_that_does_not_finish_asking_is_dropped(site, monkeypatch):
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(100) == b""


def test_a_body_that_comes_too_slowly_is_refused():
    with (
        serving(demo_index(), body_seconds=0.2) as site,
        socket.create_connection(("127.0.0.1", site.port), timeout=10) as slow,
    ):
        slow.sendall(
            b"POST /api/v1/related HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")


def test_an_answer_that_takes_too_long_is_given_up():
    with serving(demo_index(), answer_seconds=0.0) as site:
        found = site.get(f"/api/v1/studies/{ONE}/related")
        assert (found.status_code, found.json()["next_step"]) == (503, "try again in a moment")


def test_scripts_of_other_sites_read_the_api_only_if_their_origin_is_allowed():
    asked = {"origin": "https://example.org"}
    with serving(demo_index(), origins=("https://example.org",)) as site:
        path = f"/api/v1/studies/{ONE}/related"
        assert site.get(path, headers=asked).headers["access-control-allow-origin"] == (
            "https://example.org"
        )
        other = site.get(path, headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        assert "access-control-allow-origin" not in site.get("/", headers=asked).headers
        before = site.request(
            "OPTIONS", "/api/v1/related",
            headers=asked | {"access-control-request-method": "POST"},
        )  # fmt: skip
        assert before.status_code == 204
        assert "POST" in before.headers["access-control-allow-methods"]


def test_metrics_count_requests_and_name_the_generation(site):
    site.get("/")
    text = site.get("/metrics").text
    generation = site.get("/readyz").json()["generation"]
    assert re.search(r'simsearch_requests_total\{route="start",status="2xx"\} [1-9]', text)
    assert f'generation="{generation}"' in text
    assert 'simsearch_request_seconds_bucket{le="+Inf"}' in text
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{[^{}]*\})? [0-9.]+", line), line


def test_head_has_the_headers_of_get_and_no_body(site):
    got, head = site.get("/"), site.request("HEAD", "/")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


def test_a_new_generation_is_served_and_the_old_one_is_let_go(build):
    first = build()
    with serving(first.index) as site:
        assert site.get("/study/NCT00000105").status_code == 200
        second = build([*SIX, record("NCT00000107", "More iron", ["Anemia"])])
        for _ in range(400):
            if site.get("/readyz").json()["generation"] == second.generation:
                break
            time.sleep(0.02)
        assert site.get("/study/NCT00000107").status_code == 200
        maps = Path("/proc/self/maps").read_text()
        assert first.generation not in maps
        assert second.generation in maps


def test_parameters_say_the_same_after_a_way_through_an_address():
    asked = asking.Asked(
        studies=("NCT1", "NCT2"), status=("RECRUITING",), k=20, fold=True, diverse=0.7,
        has_results=False, min_enrollment=5, start_after="2010",
    )  # fmt: skip
    assert asking.parsed(asking.pairs_of(asked)) == asked


def test_serve_prints_its_address_answers_and_stops(tmp_path):
    words = [sys.executable, "-m", "simsearch", "serve", "--port", "0", "--workers", "2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        address = process.stdout.readline().strip()
        assert "demo collection" in process.stdout.readline()
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"{address}/study/{ONE}").status_code == 200
        process.terminate()
        assert process.wait(30) == 0


def test_an_address_that_is_taken_is_refused_in_one_line(site, tmp_path):
    words = [sys.executable, "-m", "simsearch", "serve", "--port", str(site.port)]
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "address already in use; name another with --port" in done.stderr


def test_a_missing_extra_is_named_with_the_line_that_installs_it(tmp_path):
    code = (
        "import sys; sys.modules['fastapi'] = None; sys.argv = ['simsearch', 'serve']\n"
        "from simsearch.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert "pip install 'simsearch[web]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_answer_on_a_kept_connection_does_not_wait_to_be_filled_up():
    """Head and body are two writes: without TCP_NODELAY the second waits for the client's word."""

    async def accepted() -> int:
        loop = asyncio.get_running_loop()
        found = loop.create_future()

        class Protocol(asyncio.Protocol):
            def connection_made(self, transport):
                at = transport.get_extra_info("socket")
                found.set_result(at.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        (at,) = listening_sockets(Place("127.0.0.1", 0))
        server = await loop.create_server(Protocol, sock=at)
        async with server:
            _, writer = await asyncio.open_connection("127.0.0.1", at.getsockname()[1])
            try:
                return await found
            finally:
                writer.close()

    assert asyncio.run(accepted())
