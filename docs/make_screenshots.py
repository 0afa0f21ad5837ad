"""Take the pictures of the pages: `python docs/make_screenshots.py`. It needs Chromium.

They are of the demo collection, which comes with the package: no record of the registry is in them
that is not in it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from simsearch.index.directory import demo_index
from simsearch.index.opened import opened_index
from simsearch.review.at_hand import at_hand, decide_at_hand
from simsearch.review.folder import Verdict, begin_review

FOLDER = Path(__file__).parent
ONE = "NCT03540472"
SHOTS = {
    # name: path, width, height, colour scheme, what to scroll to, what to open
    "page-study.png": (f"/study/{ONE}", 1120, 820, "light", "", ""),
    "page-related.png": (f"/study/{ONE}", 1120, 900, "light", "#related", ".why summary"),
    "page-designs-dark.png": ("/compare?study=NCT00982007", 1120, 900, "dark", "", ""),
    "page-map.png": (f"/map?study={ONE}&k=20", 1120, 900, "light", "", ""),
    "page-review.png": ("/review/prca", 1120, 900, "light", "", ""),
    "page-phone.png": (f"/study/{ONE}", 390, 800, "dark", "#related", ""),
}
DECIDED: dict[int, Verdict] = {
    0: "include", 2: "include", 3: "include", 5: "undecided", 9: "include",
}  # fmt: skip
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def begun(folder: Path) -> Path:
    """Return a review of the demo collection in which something was decided."""
    known = dict.fromkeys((ONE, "NCT00211029"), "include")
    question = "Treatment of pure red cell aplasia?"
    review = begin_review(folder / "prca", known, question=question, by="the start of the review")
    with opened_index(demo_index()) as index:
        for n in range(23):
            study = at_hand(index, review).upcoming.suggestions[0].study.nct_id
            decide_at_hand(index, review, study, DECIDED.get(n, "exclude"), "Ann")
    return review.path


def main() -> None:
    """Start the server, take the pictures, and stop it."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    words = [sys.executable, "-m", "simsearch", "serve", "--port", "0"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(  # noqa: S603 - our own command
            [*words, "--review", str(begun(Path(folder)))],
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
        ) as server,
        sync_playwright() as playwright,
    ):
        address = server.stdout.readline().strip() if server.stdout else ""
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        for name, (path, width, height, scheme, place, opened) in SHOTS.items():
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page = context.new_page()
            page.goto(address + path)
            if opened:
                page.locator(opened).first.click()
            if place:
                page.evaluate(
                    "place => { const at = document.querySelector(place);"
                    " scrollTo({ top: at.offsetTop - 8, behavior: 'instant' }) }",
                    place,
                )
            page.screenshot(path=FOLDER / name)
            context.close()
        browser.close()
        server.terminate()


if __name__ == "__main__":
    main()
