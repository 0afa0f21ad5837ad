"""A generation that is published while people ask: it is taken up soon, and nobody is refused."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx
from conftest import SIX, record
from serving import serving

from simsearch.web.current import CurrentIndex

N_CLIENTS, PATIENCE = 4, 60.0
NEW = record("NCT00000107", "More iron for anemia", ["Anemia"], [("DRUG", "Iron")], "Iron.")
PATHS = (
    "/study/NCT00000104", "/api/v1/studies/NCT00000104/related", "/compare?study=NCT00000104",
    "/study/NCT00000101.csv", "/",
)  # fmt: skip


def test_a_generation_published_under_load_is_taken_up_with_no_failed_request(build):
    first = build()
    seen: list[int] = []
    done = threading.Event()

    def ask(address: str, number: int) -> None:
        with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
            at = number
            while not done.is_set():
                seen.append(client.get(f"{PATHS[at % len(PATHS)]}").status_code)
                at += 1

    with serving(first.index) as site:
        askers = [
            threading.Thread(target=ask, args=(site.address, number)) for number in range(N_CLIENTS)
        ]
        for each in askers:
            each.start()
        second = build([*SIX, NEW])
        published = time.monotonic()
        while site.get("/readyz").json()["generation"] != second.generation:
            assert time.monotonic() < published + PATIENCE
            time.sleep(0.02)
        n_before = len(seen)
        found = site.get("/api/v1/studies/NCT00000104/related").json()
        while len(seen) < n_before + 2 * N_CLIENTS * len(PATHS):
            time.sleep(0.02)
        done.set()
        for each in askers:
            each.join(30)
        assert set(seen) == {200}
        assert found["index"]["generation"] == second.generation
        assert "NCT00000107" in [each["nct_id"] for each in found["neighbours"]]
        held = [*Path("/proc/self/fd").iterdir()]
        names = [str(each.readlink()) for each in held if each.is_symlink()]
        assert not any(first.generation in each for each in names)
        assert first.generation not in Path("/proc/self/maps").read_text()


def test_a_generation_that_cannot_be_opened_is_logged_once_and_the_one_before_answers(
    build, caplog
):
    first = build()
    current = CurrentIndex(first.index)
    try:
        second = build([*SIX, NEW])
        (first.index / "generations" / second.generation / "manifest.json").write_text("{")
        with caplog.at_level("WARNING", "simsearch.web"):
            assert [current.refresh() for _ in range(3)] == [False] * 3
        assert len(caplog.records) == 1
        assert current.generation == first.generation
    finally:
        current.close()
