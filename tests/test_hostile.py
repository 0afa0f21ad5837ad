"""A study whose every text is an attack: it is text on every face, and nothing runs."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from browser import browsing
from conftest import SIX
from hostile import HOSTILE, NEAR, ONE, OTHER, TITLE
from mcp import Client
from serving import serving

from simsearch import build_index, read_studies

pytestmark = pytest.mark.model

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
PAGES = (
    "/",
    f"/study/{ONE}",
    f"/study/{OTHER}",
    f"/related?study={ONE}&study={OTHER}",
    f"/related?study={OTHER}&unlike={ONE}",
    f"/compare?study={ONE}",
    f"/compare?study={OTHER}",
    f"/timeline?study={ONE}",
    f"/timeline?study={OTHER}",
    f"/map?study={ONE}",
    f"/map?study={OTHER}",
    f"/embed/{ONE}",
    f"/embed/{OTHER}",
    f"/embed/{OTHER}/fragment?lang=de",
)


@pytest.fixture(scope="module")
def index(tmp_path_factory, minilm):
    folder = tmp_path_factory.mktemp("hostile")
    source = folder / "records.jsonl"
    source.write_text("".join(f"{json.dumps(each)}\n" for each in [*SIX, HOSTILE, NEAR]))
    build_index(read_studies(source), folder / "index", minilm)
    return folder / "index"


@pytest.fixture(scope="module")
def site(index):
    with serving(index) as found:
        yield found


DRAFT = {
    "protocolSection": HOSTILE["protocolSection"] | {"identificationModule": {"briefTitle": TITLE}}
}


class Markup(HTMLParser):
    """What a page is made of: its elements with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def assert_harmless(page: str, where: str) -> None:
    """Assert that a page has no element, attribute or address that a record gave it."""
    assert not UNSEEN.search(page), where
    assert "<b>bold" not in page, where
    for tag, attributes in Markup(page).elements:
        assert tag not in {"img", "iframe", "object", "embed", "style", "base"}, (where, tag)
        assert tag != "script" or attributes["src"].startswith("/static/"), (where, attributes)
        assert not any(name.startswith("on") for name in attributes), (where, attributes)
        for name in ("href", "src", "action", "formaction"):
            value = attributes.get(name) or "/"
            assert value.startswith(("/", "#", "https://clinicaltrials.gov")), (where, value)


@pytest.mark.parametrize("path", PAGES)
def test_what_a_record_says_is_text_on_a_page(site, path):
    found = site.get(path)
    assert found.status_code == 200
    assert_harmless(found.text, path)
    text = Markup(found.text).text
    assert "49" not in re.findall(r"marrow ([^.<]*)\.", text)
    if path not in ("/", f"/embed/{ONE}"):
        assert "<script>alert(" in text


def test_every_text_of_the_record_is_on_its_page(site):
    text = Markup(site.get(f"/study/{ONE}").text).text
    for name in ("official", "condition", "drug", "summary", "description", "keyword", "armed",
                 "named", "drug described", "other name", "primary", "secondary", "other", "frame",
                 "outcome described", "inclusion", "exclusion", "population", "facility", "city",
                 "state", "sponsor", "collaborator", "why", "cited", "number"):  # fmt: skip
        assert f"{name} aplasia <script>" in text, name


def test_what_a_draft_says_is_text(site):
    fields = {"title": TITLE, "conditions": "<b>x</b>", "synopsis": "x </textarea><script>alert(1)"}
    for how in (
        {"data": fields},
        {"data": {"synopsis": json.dumps(DRAFT)}},
        {"files": {"record": ("<script>.json", json.dumps(DRAFT).encode())}},
    ):
        found = site.post("/draft", **how)
        assert found.status_code == 200
        assert_harmless(found.text, str(how)[:40])


@pytest.mark.parametrize("view", ["timeline", "map"])
@pytest.mark.parametrize("study", [ONE, OTHER])
def test_what_a_record_says_is_text_in_a_picture(site, view, study):
    svg = site.get(f"/{view}.svg?study={study}").text
    assert not UNSEEN.search(svg)
    for each in ET.fromstring(svg).iter():
        assert each.tag.rpartition("}")[2] in {
            "svg", "title", "desc", "a", "g", "text", "line", "rect", "circle", "path",
        }  # fmt: skip
        assert not any(name.startswith("on") for name in each.attrib)
        assert re.match(
            r"(/|https://clinicaltrials.gov/)study/NCT\d{8}$",
            each.get("href", "/study/NCT00000000"),
        )


@pytest.mark.parametrize(
    "path",
    [f"/study/{OTHER}.csv", f"/study/{OTHER}.asreview.csv", f"/study/{ONE}.csv",
     f"/study/{ONE}.asreview.csv", f"/compare.csv?study={OTHER}", f"/compare.csv?study={ONE}"],
)  # fmt: skip
def test_no_cell_of_a_csv_is_a_formula_and_no_row_has_more_cells(site, path):
    header, *rows = csv.reader(io.StringIO(site.get(path).text, newline=""))
    assert rows
    assert any("<script>" in cell for row in rows for cell in row) or path == f"/study/{ONE}.csv"
    for row in rows:
        assert len(row) == len(header)
        for cell in row:
            begins = re.match(r"[=+@\t\r-]", UNSEEN.sub("", cell).lstrip())
            assert not begins or re.fullmatch(r"-?[0-9.]+", cell), cell[:60]


@pytest.mark.parametrize("study", [ONE, OTHER])
def test_no_text_of_a_record_begins_a_line_of_a_ris_file(site, study):
    lines = site.get(f"/study/{study}.ris").text.split("\n")
    n = len(site.get(f"/study/{study}.json").json()["related"]["neighbours"])
    tags = [each[:2] for each in lines if each]
    assert all(re.match(r"[A-Z][A-Z0-9]  - ", each) for each in lines if each)
    assert (tags.count("TY"), tags.count("ER"), tags.count("TI")) == (n, n, n)
    assert not any(UNSEEN.search(each) for each in lines)


def test_no_text_of_a_record_begins_an_entry_of_a_bibtex_file(site):
    text = site.get(f"/study/{OTHER}.bib").text
    n = len(site.get(f"/study/{OTHER}.json").json()["related"]["neighbours"])
    assert len(re.findall(r"^@", text, re.MULTILINE)) == n
    assert text.count("{") == text.count("}")


def test_lists_for_programs_hold_what_the_record_says_and_no_line_more(site):
    n = len(site.get(f"/study/{OTHER}.json").json()["related"]["neighbours"])
    rows = [json.loads(each) for each in site.get(f"/study/{OTHER}.jsonl").text.split("\n") if each]
    assert len(rows) == n
    assert all(re.fullmatch(r"NCT\d{8}", each)
               for each in site.get(f"/study/{OTHER}.txt").text.split())  # fmt: skip
    found = site.get(f"/study/{ONE}.json")
    assert found.headers["content-type"] == "application/json"
    assert found.json()["study"]["title"].startswith("<script>")
    assert site.get(f"/api/v1/studies/{ONE}").json()["study"]["title"].startswith("<script>")


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("get_study", {"nct_id": ONE, "full": True}),
        ("related_studies", {"studies": [OTHER]}),
        ("compare_studies", {"studies": [ONE, OTHER]}),
        ("whats_new", {"nct_id": ONE}),
    ],
)
def test_texts_of_records_cannot_hide_in_an_assistants_answer(site, tool, given):
    async def asked():
        async with Client(f"{site.address}/mcp") as client:
            return await client.call_tool(tool, given)

    found = asyncio.run(asked())
    assert not found.is_error
    text = found.content[0].text
    assert all(each.isprintable() for each in text)
    assert not re.search(r"\\u[0-9a-f]{4}|\\[nrtbf]", text)
    assert not UNSEEN.search(json.dumps(found.structured_content, ensure_ascii=False))


def test_nothing_of_a_record_runs_in_a_browser(site):
    """A console error, a policy that has to stop something, or a foreign request fails it too."""
    with browsing(site.address) as visit:
        page = visit().page
        said: list[str] = []
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        for path in (*PAGES, f"/timeline.svg?study={ONE}"):
            if ".svg" in path:
                page.set_content(site.get(path).text)
            else:
                page.goto(path)
                for each in page.locator("details").all():
                    each.evaluate("each => { each.open = true }")
            page.wait_for_timeout(50)
        assert said == []
