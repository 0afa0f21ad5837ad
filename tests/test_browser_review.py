"""The page of a review in a real browser: buttons, keys, no script, a phone, axe."""

from __future__ import annotations

import shutil

import pytest
from browser import browsing, executable
from serving import serving

from simsearch.index.directory import demo_index
from simsearch.review.folder import begin_review, open_review

KNOWN = {"NCT03540472": "include", "NCT00211029": "include"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reviews") / "prca"


@pytest.fixture(autouse=True)
def review(folder):
    """Begin the review anew for each test; the site reads the folder each time."""
    shutil.rmtree(folder, ignore_errors=True)
    return begin_review(folder, KNOWN, by="a test", question="Pure red cells?")


@pytest.fixture(scope="module")
def browser(folder):
    executable()
    with (
        serving(demo_index(), reviews={"prca": folder}, decides=True, by="Ann") as site,
        browsing(site.address) as visit,
    ):
        yield visit


@pytest.fixture
def page(browser):
    visited = browser()
    visited.page.goto("/review/prca")
    yield visited.page
    visited.page.context.close()
    assert visited.faults == []


def listed(page) -> list[str]:
    cards = page.locator(".candidates .candidate")
    return [cards.nth(n).get_attribute("aria-label") for n in range(cards.count())]


def decided(review) -> dict[str, str]:
    current = open_review(review.path).current()
    return {nct_id: each.decision for nct_id, each in current.items() if nct_id not in KNOWN}


def press(page, key) -> None:
    """Press a key that decides, and wait until the page has come again."""
    with page.expect_navigation():
        page.keyboard.press(key)


@pytest.mark.parametrize(
    ("name", "decision"), [("Keep", "include"), ("Drop", "exclude"), ("Later", "undecided")]
)
def test_a_button_decides_its_study(page, review, name, decision):
    second = listed(page)[1]
    page.get_by_role("button", name=f"{name} {second}").click()
    page.wait_for_url("**#at-hand")
    assert decided(review) == {second: decision}
    assert second not in listed(page)


@pytest.mark.parametrize(
    ("key", "decision"), [("k", "include"), ("d", "exclude"), ("L", "undecided")]
)
def test_a_key_decides_the_current_study(page, review, key, decision):
    first, second = listed(page)[:2]
    press(page, key)
    assert decided(review) == {first: decision}
    assert listed(page)[0] == second


def test_keys_go_to_the_next_study_and_back(page, review):
    first, second, third = listed(page)[:3]
    page.keyboard.press("n")
    page.keyboard.press("n")
    page.keyboard.press("p")
    current = page.locator(".candidate.current")
    assert current.get_attribute("aria-label") == second
    assert current.locator(".text").is_visible()
    press(page, "d")
    assert decided(review) == {second: "exclude"}
    assert listed(page)[:2] == [first, third]


def test_a_key_undoes_the_last_decision_and_shows_its_study_again(page, review):
    first = listed(page)[0]
    press(page, "k")
    press(page, "u")
    again = page.locator(".candidate.again")
    assert first in again.inner_text()
    assert decided(review) == {first: "undecided"}
    press(page, "d")
    assert decided(review) == {first: "exclude"}


def test_keys_are_shown_and_can_be_switched_off_for_good(page, review):
    box = page.get_by_role("checkbox", name="Keys")
    assert page.locator(".keys").is_visible()
    assert "keep" in page.locator(".keys").inner_text()
    box.uncheck()
    page.keyboard.press("k")
    page.keyboard.press("d")
    page.reload()
    assert not page.get_by_role("checkbox", name="Keys").is_checked()
    assert not page.locator("button kbd").first.is_visible()
    for key in ("k", "d", "l", "u", "/"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    assert decided(review) == {}
    page.get_by_role("checkbox", name="Keys").check()
    press(page, "k")
    assert len(decided(review)) == 1


def test_no_key_is_taken_from_a_person_who_types_or_from_the_browser(page, review):
    page.get_by_role("searchbox").click()
    page.keyboard.type("kidney dulk")
    assert page.get_by_role("searchbox").input_value() == "kidney dulk"
    page.get_by_role("heading", level=1).click()
    for key in ("Control+k", "Alt+k", "Meta+k"):
        page.keyboard.press(key)
    assert decided(review) == {}


def test_a_key_that_is_held_decides_once(page, review):
    page.evaluate(
        "for (const repeat of [false, true, true]) document.body.dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'k', repeat, bubbles: true}))"
    )
    page.wait_for_url("**#at-hand")
    assert len(decided(review)) == 1


def test_every_decision_can_be_made_by_tab_and_enter(page, review):
    page.get_by_role("checkbox", name="Keys").uncheck()
    first = listed(page)[0]
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText || ''").startswith("Drop"):
            break
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert decided(review) == {first: "exclude"}


def test_a_whole_list_is_screened_without_script(browser, review):
    page = browser(java_script_enabled=False).page
    page.goto("/review/prca")
    assert not page.locator(".keys").is_visible()
    studies = listed(page)
    for n, study in enumerate(studies):
        page.get_by_role("button", name=f"{'Drop' if n % 2 else 'Keep'} {study}").click()
    assert decided(review) == {
        study: "exclude" if n % 2 else "include" for n, study in enumerate(studies)
    }
    page.get_by_role("button", name="Undo").click()
    page.locator(".again").get_by_role("button", name="Keep").click()
    assert decided(review)[studies[-1]] == "include"
    assert listed(page)
    assert page.locator("svg.picture").is_visible()


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_phone(browser, review, width):
    review.decide({"NCT00210951": "include"}, by="Ann")
    page = browser(viewport={"width": width, "height": 800}).page
    page.goto("/review/prca?study=NCT00210951")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("look", ["light", "dark"])
def test_axe_finds_no_violation(browser, look):
    from axe_playwright_python.sync_playwright import Axe

    page = browser(color_scheme=look).page
    page.goto("/review/prca")
    for key in ("k", "d", "l"):
        press(page, key)
    page.goto("/review/prca?study=NCT00210951#at-hand")
    for each in page.locator("details").all():
        each.evaluate("each => { each.open = true }")
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = Axe().run(page, options=rules)
    told = [(each["id"], [node["html"][:200] for node in each["nodes"][:2]])
            for each in found.response["violations"]]  # fmt: skip
    assert told == []


def test_a_printed_page_has_the_list_and_no_controls(page):
    page.emulate_media(media="print")
    assert page.locator(".candidate").first.is_visible()
    assert not page.locator(".decide").first.is_visible()
    assert not page.locator(".keys").is_visible()
