"""The pages in a real browser: what a person does with mouse, keyboard, phone and without script.

Every visit also fails on a console error, or on a request that leaves this machine.
"""

from __future__ import annotations

import pytest
from browser import another_site, browsing, executable
from serving import serving

import simsearch
from simsearch.index.directory import demo_index
from simsearch.study import Study

sync_api = pytest.importorskip("playwright.sync_api")

ONE = "NCT03540472"
OTHER = "NCT00229619"
VIEWS = f"study={ONE}&k=20"
PAGES = {
    "start": "/",
    "study": f"/study/{ONE}",
    "several": f"/related?study={ONE}&study={OTHER}&unlike=NCT00001626",
    "filtered": f"/study/{ONE}?status=COMPLETED&phase=PHASE2&fold=true",
    "nothing": f"/study/{ONE}?min_enrollment=999999",
    "designs": f"/compare?{VIEWS}",
    "timeline": f"/timeline?{VIEWS}",
    "map": f"/map?{VIEWS}",
    "draft": "/draft",
    "api": "/api",
    "error": "/study/NCT0354047Z",
    "embed": f"/embed/{ONE}",
}


@pytest.fixture(scope="module")
def site():
    executable()
    with serving(demo_index()) as found:
        yield found


@pytest.fixture(scope="module")
def browser(site):
    with browsing(site.address) as visit:
        yield visit


@pytest.fixture
def page(browser):
    visited = browser()
    yield visited.page
    visited.page.context.close()
    assert visited.faults == []


def shown(page) -> list[str]:
    """Return the NCT IDs of the list, as a person sees them."""
    return linked(page.locator(".neighbours h3 a"))


def linked(links) -> list[str]:
    """Return the NCT IDs that links lead to."""
    return [links.nth(n).get_attribute("href").rpartition("/")[2] for n in range(links.count())]


def related(*studies, **asked) -> list[str]:
    with simsearch.open_index(demo_index()) as index:
        return [each.nct_id for each in index.related(list(studies), **asked)]


def test_a_search_leads_to_the_study_and_its_related_trials(page):
    page.goto("/")
    page.get_by_label("A trial, several trials, or words").fill("nct 3540472")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/study/{ONE}")
    assert page.get_by_role("heading", level=1).inner_text().startswith("Tacrolimus")
    assert shown(page) == related(ONE)


def test_filters_change_the_list_and_the_address_and_back_undoes_them(page):
    page.goto(f"/study/{ONE}")
    page.get_by_role("checkbox", name="Completed").check()
    page.get_by_role("button", name="Apply").first.click()
    page.wait_for_url("**status=COMPLETED**")
    assert page.url.endswith(f"/study/{ONE}?status=COMPLETED#related")
    sync_api.expect(page.locator("#related-title")).to_be_in_viewport()  # not the page's top
    assert shown(page) == related(ONE, status="completed")
    assert page.get_by_role("checkbox", name="Completed").is_checked()
    page.go_back()
    assert shown(page) == related(ONE)


def test_a_reason_opens_in_full_with_the_words_marked_in_both_texts(page):
    page.goto(f"/study/{ONE}")
    first = page.locator(".neighbour").first
    assert not first.locator(".reason").is_visible()
    first.locator("summary").click()
    assert first.locator(".reason").is_visible()
    texts = first.locator("blockquote")
    assert texts.count() == 2
    assert all(texts.nth(n).locator("mark").count() for n in range(2))


def test_studies_are_kept_and_pushed_away_and_the_address_says_so(page):
    page.goto(f"/study/{ONE}")
    kept = shown(page)[0]
    page.get_by_role("link", name=f"keep {kept}").click()
    page.wait_for_url("**/related?**")
    assert shown(page) == related(ONE, kept)
    pushed = shown(page)[4]
    page.get_by_role("link", name=f"push away {pushed}").click()
    page.wait_for_url("**unlike=**")
    assert shown(page) == related(ONE, kept, unlike=pushed)
    page.get_by_role("link", name=f"Leave out {pushed}").click()
    assert shown(page) == related(ONE, kept)
    page.go_back()
    assert shown(page) == related(ONE, kept, unlike=pushed)


@pytest.mark.parametrize("name", ["CSV", "RIS", "ASReview", "NCT IDs"])
def test_the_list_is_saved_as_a_file(page, name):
    page.goto(f"/study/{ONE}?status=COMPLETED")
    with page.expect_download() as download:
        page.get_by_role("link", name=name, exact=True).click()
    text = download.value.path().read_text()
    assert all(nct_id in text for nct_id in related(ONE, status="completed"))


@pytest.mark.parametrize("view", ["Timeline", "Map"])
def test_a_view_shows_the_same_trials_and_leads_to_them(page, view):
    page.goto(f"/study/{ONE}")
    page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
    page.wait_for_url(f"**/{view.lower()}?**")
    links = page.locator("svg.picture a")
    assert set(linked(links)) == {ONE, *related(ONE, k=20)}
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as SVG").click()
    assert download.value.path().read_text().startswith("<svg")
    links.nth(3).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/study/NCT*")


@pytest.mark.model
def test_a_synopsis_is_answered(page):
    page.goto("/draft")
    page.get_by_label("Title").fill("Tacrolimus for pure red cell aplasia")
    page.get_by_role("button", name="Find the 20 nearest").click()
    page.wait_for_selector(".neighbours")
    assert ONE in shown(page)[:3]
    assert "nothing of it was stored" in page.locator(".id").inner_text()


def test_everything_works_without_script(browser, site):
    visited = browser(java_script_enabled=False)
    page = visited.page
    page.goto("/")
    page.locator("#q").fill(ONE)
    page.get_by_role("button", name="Find").click()
    assert shown(page) == related(ONE)
    page.get_by_role("checkbox", name="Completed").check()
    page.get_by_role("button", name="Apply").first.click()
    assert page.url == f"{site.address}/study/{ONE}?status=COMPLETED#related"
    assert shown(page) == related(ONE, status="completed")
    page.locator(".neighbour summary").first.click()
    assert page.locator(".reason").first.is_visible()


def test_everything_works_by_keyboard_alone(page):
    page.goto("/")
    page.keyboard.type(ONE)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/study/{ONE}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    reached = set()
    for _ in range(90):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "[document.activeElement.tagName, document.activeElement.name,"
                " document.activeElement.innerText].filter(Boolean).join(' ').trim()"
            )
        )
        if page.evaluate("document.activeElement.matches('.why > summary')"):
            page.keyboard.press("Enter")
            assert page.locator(".reason").first.is_visible()
            break
    assert any(each.startswith("A CSV") for each in reached)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_phone(browser, name, width):
    visited = browser(viewport={"width": width, "height": 800})
    visited.page.goto(PAGES[name])
    wide = visited.page.evaluate("document.documentElement.scrollWidth")
    visited.page.context.close()
    visited.faults = [each for each in visited.faults if "status of 400" not in each]
    assert wide <= width


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("look", ["light", "dark"])
def test_axe_finds_no_violation(browser, name, look):
    from axe_playwright_python.sync_playwright import Axe

    visited = browser(color_scheme=look)
    visited.page.goto(PAGES[name])
    for each in visited.page.locator("details").all():
        each.evaluate("each => { each.open = true }")
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = Axe().run(visited.page, options=rules)
    told = [(each["id"], [node["html"][:200] for node in each["nodes"][:2]])
            for each in found.response["violations"]]  # fmt: skip
    visited.page.context.close()
    visited.faults = [each for each in visited.faults if "status of 400" not in each]
    assert told == []


def test_a_printed_page_has_the_list_and_no_controls(page):
    page.goto(f"/study/{ONE}")
    page.emulate_media(media="print")
    assert page.locator(".neighbour").first.is_visible()
    assert not page.locator(".filters").is_visible()
    assert not page.locator("header .find").is_visible()


HOST_PAGE = """<!doctype html><html lang="en"><head><title>A registry</title></head>
<body style="color: rgb(10, 20, 30)"><h1>A trial</h1>
<div data-simsearch="NCT03540472" data-k="4" data-theme="inherit" data-lang="de"></div>
<script src="{address}/embed.js"></script></body></html>"""


def test_the_list_is_embedded_in_a_page_of_another_site(site, browser):
    body = HOST_PAGE.replace("{address}", site.address)
    with another_site(body) as other:
        page = browser(also=other).page
        page.goto("/")
        frame = page.frame_locator("[data-simsearch] iframe")
        links = frame.locator(".simsearch-list a")
        links.first.wait_for()
        assert linked(links) == related(ONE, k=4)
        assert frame.locator("h1").inner_text() == "Ähnliche Studien"
        page.wait_for_function("document.querySelector('iframe').style.height != '24rem'")
        color = "getComputedStyle(document.body).color"
        page.wait_for_timeout(200)
        assert page.frames[1].evaluate(color) == "rgb(10, 20, 30)"
        links.first.click()
        page.wait_for_url(f"{site.address}/study/*")


def test_no_page_but_the_embedded_one_can_be_framed_by_another_site(site, browser):
    body = f"<!doctype html><title>x</title><iframe src='{site.address}/study/{ONE}'></iframe>"
    with another_site(body) as other:
        visited = browser(also=other)
        visited.page.goto("/")
        visited.page.wait_for_timeout(300)
        assert any("frame-ancestors" in each or "X-Frame" in each for each in visited.faults)
        visited.faults.clear()


@pytest.mark.model
def test_the_list_of_a_draft_is_filtered_grown_and_saved_like_that_of_a_study(page):
    draft = {"title": "Tacrolimus for pure red cell aplasia", "conditions": "Pure Red Cell Aplasia"}
    study = Study(nct_id="", title=draft["title"], conditions=(draft["conditions"],))
    page.goto("/draft")
    page.get_by_label("Title").fill(draft["title"])
    page.get_by_label("Conditions").fill(draft["conditions"])
    page.get_by_role("button", name="Find the 20 nearest").click()
    page.wait_for_selector(".neighbours")
    assert shown(page) == related(draft=study, k=20)
    page.get_by_role("checkbox", name="Completed").check()
    page.get_by_label("Started from").fill("2000")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Clear all")
    filtered = {"status": "completed", "start_after": "2000"}
    assert shown(page) == related(draft=study, k=20, **filtered)
    with page.expect_download() as download:
        page.get_by_role("button", name="NCT IDs", exact=True).click()
    assert download.value.suggested_filename == "related-draft.txt"
    assert download.value.path().read_text().split() == related(draft=study, k=20, **filtered)
    page.get_by_role("button", name="Show 50").click()
    page.locator(".neighbours h3").nth(20).wait_for()
    assert shown(page) == related(draft=study, k=50, **filtered)
    kept = shown(page)[1]
    page.get_by_role("button", name=f"keep {kept}").click()
    page.wait_for_selector(".asked")
    assert shown(page) == related(kept, draft=study, k=50, **filtered)
    page.locator(".neighbours h3 a").first.click()
    page.wait_for_url("**/study/NCT*")
    page.go_back()
    assert shown(page) == related(kept, draft=study, k=50, **filtered)
    page.get_by_role("button", name=f"Leave out {kept}").click()
    page.wait_for_selector(".asked", state="detached")
    page.get_by_role("button", name="Clear all").click()
    page.wait_for_selector("text=Clear all", state="detached")
    assert shown(page) == related(draft=study, k=20)


@pytest.mark.model
@pytest.mark.parametrize("width", [320, 1200])
def test_axe_finds_no_violation_on_the_answer_to_a_draft(browser, width):
    from axe_playwright_python.sync_playwright import Axe

    visited = browser(viewport={"width": width, "height": 800})
    visited.page.goto("/draft")
    visited.page.get_by_label("Title").fill("Tacrolimus for pure red cell aplasia")
    visited.page.get_by_role("button", name="Find the 20 nearest").click()
    visited.page.wait_for_selector(".neighbours")
    visited.page.get_by_role("button", name="keep NCT").first.click()
    visited.page.wait_for_selector(".asked")
    assert visited.page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(visited.page)
    visited.page.context.close()
    assert [each["id"] for each in found.response["violations"]] == []
