"""The list to embed, the page for drafts, and the server for assistants."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys

import pytest
from conftest import SIX, record
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from serving import serving

import simsearch
from simsearch.index.directory import demo_index
from simsearch.web.embed import LABELS

ONE = "NCT03540472"


@pytest.fixture(scope="module")
def site():
    with serving(demo_index()) as found:
        yield found


@pytest.fixture(scope="module")
def expected():
    with simsearch.open_index(demo_index()) as index:
        return index.related(ONE)


def test_a_fragment_and_a_frame_hold_the_list(site, expected):
    for path in (f"/embed/{ONE}?k=5", f"/embed/{ONE}/fragment?k=5"):
        linked = re.findall(r'href="[^"]*/study/(NCT\d+)"', site.get(path).text)
        assert linked == [each.nct_id for each in expected[:5]], path


def test_only_what_is_embedded_may_be_framed_by_other_sites(site):
    framed = site.get(f"/embed/{ONE}").headers
    assert "frame-ancestors *" in framed["content-security-policy"]
    assert "x-frame-options" not in framed
    assert "frame-ancestors 'none'" in site.get(f"/study/{ONE}").headers["content-security-policy"]


def test_a_fragment_is_only_markup_that_a_proxy_may_keep(site):
    found = site.get(f"/embed/{ONE}/fragment")
    assert found.headers["cache-control"].startswith("public")
    assert found.text.lstrip().startswith("<section")
    assert not re.search("<script|<style|<link", found.text)
    assert f'href="//127.0.0.1:{site.port}/study/' in found.text
    other = site.get(f"/embed/{ONE}/fragment", headers={"host": f"localhost:{site.port}"}).text
    assert f'href="//localhost:{site.port}/study/' in other


@pytest.mark.parametrize("lang", LABELS)
def test_the_labels_are_in_the_language_asked_for(site, lang):
    found = site.get(f"/embed/{ONE}?lang={lang}").text
    assert f'<html lang="{lang}"' in found
    assert LABELS[lang]["title"] in found


@pytest.mark.parametrize("query", ["theme=pink", "lang=xx", "links=evil", "k=21", "k=x"])
def test_a_wrong_look_is_refused(site, query):
    assert site.get(f"/embed/{ONE}?{query}").status_code == 400


def test_the_script_to_embed_is_small(site):
    found = site.get("/embed.js")
    assert len(found.content) < 4000
    assert found.headers["cross-origin-resource-policy"] == "cross-origin"


@pytest.mark.model
def test_a_synopsis_and_a_record_give_the_trials_most_like_them(site):
    page = site.post("/draft", data={"title": "Tacrolimus for pure red cell aplasia"})
    assert (page.status_code, page.headers["cache-control"]) == (200, "private, no-cache")
    assert ONE in re.findall(r'<h3><a href="/study/(NCT\d+)">', page.text)[:3]
    draft = record(None, "Tacrolimus for pure red cell aplasia", ["Pure Red Cell Aplasia"])
    for how in (
        {"data": {"synopsis": json.dumps(draft)}},
        {"files": {"record": ("draft.json", json.dumps(draft).encode())}},
    ):
        found = site.post("/draft.json", **how).json()
        assert found["query"]["title"] == "Tacrolimus for pure red cell aplasia"
        assert ONE in [each["nct_id"] for each in found["neighbours"][:3]]


@pytest.mark.parametrize(
    "how",
    [
        {"data": {"title": " "}},
        {"data": {"synopsis": "{}"}},
        {"data": {"synopsis": "<html></html>"}},
        {"files": {"record": ("x.json", b"\x00\xff")}},
        {"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
    ],
)
def test_a_draft_that_is_none_is_refused(site, how):
    found = site.post("/draft.json", **how)
    assert 400 <= found.status_code < 500
    assert found.json()["ok"] is False


def ask(target, *calls):
    """Return the tools of a server, and what it answers to calls."""

    async def asked():
        async with Client(target) as client:
            tools = await client.list_tools()
            return tools, [await client.call_tool(name, given) for name, given in calls]

    return asyncio.run(asked())


def stdio(*words):
    return StdioServerParameters(command=sys.executable, args=["-m", "simsearch", "mcp", *words])


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_an_assistant_gets_small_typed_dated_answers(site, expected, transport):
    target = stdio() if transport == "stdio" else f"{site.address}/mcp"
    tools, found = ask(
        target,
        ("related_studies", {"studies": [ONE]}),
        ("get_study", {"nct_id": ONE}),
        ("compare_studies", {"studies": [ONE], "k": 5}),
        ("whats_new", {"nct_id": ONE}),
    )
    assert [each.name for each in tools.tools] == [
        "related_studies", "get_study", "compare_studies", "whats_new",
    ]  # fmt: skip
    assert len(tools.model_dump_json(by_alias=True, exclude_none=True)) < 8000
    for tool in tools.tools:
        assert tool.annotations.read_only_hint is True
        assert tool.annotations.open_world_hint is False
        assert tool.output_schema
    assert not any(each.is_error for each in found)
    assert all(len(each.content[0].text) < 6000 for each in found)
    assert all(each.structured_content["data_date"] == "2025-05-08" for each in found)
    rows = found[0].structured_content["studies"]
    assert [each["nct_id"] for each in rows] == [each.nct_id for each in expected]
    assert json.loads(found[0].content[0].text) == found[0].structured_content
    assert found[1].structured_content["study"]["title"].startswith("Tacrolimus")


def test_an_assistant_is_told_where_nothing_is_close(site):
    (_, [found]) = ask(
        f"{site.address}/mcp",
        ("related_studies", {"studies": ["NCT00001626"], "phase": ["early 1"]}),
    )
    assert re.match("nothing close|no study|0 of", found.structured_content["closeness"])


def test_an_assistant_is_told_what_is_wrong_and_what_to_do(site):
    (_, [unknown, empty]) = ask(
        f"{site.address}/mcp", ("get_study", {"nct_id": "NCT99999999"}), ("related_studies", {})
    )
    assert unknown.is_error
    assert "NCT99999999 is not in the demo collection" in unknown.content[0].text
    assert empty.is_error


def test_an_assistant_is_told_what_is_new(build, tmp_path):
    build()
    knee = ("Knee surgery", ["Knee"], [("PROCEDURE", "Surgery")], "Surgery of the knee.")
    changed = record("NCT00000105", *knee, updated="2022-05-06", status="RECRUITING")
    new = record("NCT00000107", "Knee surgery in adults", ["Knee"], [], "Surgery of knees.")
    build([*SIX[:4], changed, *SIX[5:], new])
    _, [found] = ask(
        stdio("--index", str(tmp_path / "index")), ("whats_new", {"nct_id": "NCT00000105"})
    )
    told = found.structured_content
    assert any("recruiting" in line.casefold() for line in told["study"])
    assert ("new", "NCT00000107") in [(e["event"], e["nct_id"]) for e in told["neighbours"]]


def test_a_prompt_benchmarks_a_protocol(site):
    async def asked():
        async with Client(f"{site.address}/mcp") as client:
            return await client.get_prompt("benchmark_protocol", {"synopsis": "Iron {for} anemia"})

    said = asyncio.run(asked()).messages[0].content.text
    assert "Iron {for} anemia" in said
    assert "compare_studies" in said


def test_the_lines_for_clients_start_the_server(tmp_path):
    words = [sys.executable, "-m", "simsearch", "mcp", "--config"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    block = re.search(r"^\{.*^\}", done.stdout, re.DOTALL | re.MULTILINE)
    server = json.loads(block[0])["mcpServers"]["simsearch"]
    assert server["args"] == ["mcp"]
