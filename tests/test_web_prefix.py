"""The site below a prefix, as behind a proxy that serves other pages too."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from browser import another_site, browsing
from serving import serving

import simsearch
from simsearch.index.directory import demo_index

ONE, OTHER = "NCT03540472", "NCT00229619"
PAGES = (
    "/", "/draft", "/api", f"/study/{ONE}", f"/related?study={ONE}&study={OTHER}", f"/embed/{ONE}",
    f"/compare?study={ONE}", f"/timeline?study={ONE}", f"/map?study={ONE}", "/study/NCT0354047Z",
)  # fmt: skip


@pytest.fixture(scope="module")
def site():
    with serving(demo_index(), root="/trials") as found:
        yield found


class Addresses(HTMLParser):
    """The addresses in a page that lead anywhere on this site."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src", "action", "formaction") and not re.match("https?:|#", value):
                self.found.add(value)


@pytest.mark.parametrize("path", PAGES)
def test_every_address_of_a_page_has_the_prefix_and_leads_somewhere(site, path):
    page = site.get(f"/trials{path}", headers={"accept": "text/html"})
    found = Addresses(page.text).found
    assert found
    assert all(each.startswith("/trials/") for each in found), found
    kinds = {re.sub(r"NCT\d+|\?.*", "", each): each for each in found}
    for each in kinds.values():
        assert site.get(each.partition("#")[0]).status_code in (200, 303), each


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_the_same_where_the_proxy_takes_the_prefix_away(site, path):
    how = {"headers": {"accept": "text/html"}}
    assert site.get(path, **how).text == site.get(f"/trials{path}", **how).text


def test_the_prefix_alone_is_the_start_page(site):
    assert site.get("/trials").text == site.get("/trials/").text
    assert site.get("/trialsx").status_code == 404


@pytest.mark.parametrize("path", ["/study/nct3540472", f"/search?q={ONE}"])
def test_a_redirect_has_the_prefix(site, path):
    found = site.get(f"/trials{path}")
    assert (found.status_code, found.headers["location"]) == (303, f"/trials/study/{ONE}")


def test_the_length_of_a_page_is_that_of_its_text(site):
    head, got = site.request("HEAD", f"/trials/study/{ONE}"), site.get(f"/trials/study/{ONE}")
    assert int(got.headers["content-length"]) == len(got.content)
    assert head.headers["content-length"] == got.headers["content-length"]


def test_programs_are_told_addresses_with_the_prefix(site):
    api = "/trials/api/v1"
    following = site.get(f"{api}/studies/{ONE}/related?k=3").json()["next"]
    assert following.startswith(f"{api}/studies/")
    assert site.get(following).json()["neighbours"][0]["rank"] == 4
    assert site.get(f"{api}/openapi.json").json()["servers"] == [{"url": "/trials"}]
    assert "open /trials/study/" in site.get("/trials/study/NCT0354047Z.json").json()["next_step"]
    too_long = site.get(f"/trials/search?q={'x' * 20_000}").json()
    assert too_long["next_step"].endswith("POST /trials/api/v1/related")
    assert f'href="//127.0.0.1:{site.port}/trials/study/' in site.get(f"/embed/{ONE}/fragment").text


def test_a_person_never_leaves_the_prefix(site):
    with browsing(site.address) as visit:
        page = visit().page
        page.goto("/trials/")
        page.locator("#q").fill("nct 3540472")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/trials/study/{ONE}")
        page.get_by_role("checkbox", name="Completed").check()
        page.get_by_role("button", name="Apply").first.click()
        page.wait_for_url(f"**/trials/study/{ONE}?status=COMPLETED#related")
        page.locator(".act").first.click()
        page.wait_for_url("**/trials/related?**")
        page.get_by_role("navigation", name="Views").get_by_role("link", name="Map").click()
        page.wait_for_url("**/trials/map?**")
        page.locator("svg.picture a").first.click()
        page.wait_for_url("**/trials/study/NCT*")


def test_the_list_is_embedded_from_below_the_prefix(site):
    with simsearch.open_index(demo_index()) as index:
        expected = [each.nct_id for each in index.related(ONE, k=3)]
    body = (
        f'<!doctype html><title>A registry</title><div data-simsearch="{ONE}" data-k="3"></div>'
        f'<script src="{site.address}/trials/embed.js"></script>'
    )
    with another_site(body) as other, browsing(site.address) as visit:
        page = visit(also=other).page
        page.goto("/")
        links = page.frame_locator("[data-simsearch] iframe").locator(".simsearch-list a")
        links.first.wait_for()
        shown = [links.nth(n).get_attribute("href") for n in range(links.count())]
        assert shown == [f"/trials/study/{each}" for each in expected]


@pytest.mark.parametrize(
    "given", ["trials", "/a b", "//evil.example", "/study", "/search", "/../x", "/a//b"]
)
def test_a_prefix_that_is_none_is_refused_in_one_line(given, tmp_path):
    words = [sys.executable, "-m", "simsearch", "serve", "--root-path", given]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "--root-path" in done.stderr
    assert done.stderr.count("\n") == 1
