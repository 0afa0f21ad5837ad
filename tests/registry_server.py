"""A registry served on loopback, which behaves like the API v2 and simulates its failures."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

from conftest import record

from simsearch.records.mirror import Mirror
from simsearch.registry.api import RegistryApi

DATES = ("2003-05-01", "2012-01-31", "2019-12-31", "2020-01-01", "2024-02-29", "2026-03-24")
RECORDS = [
    record(f"NCT0000010{n}", f"Iron pills {n}", ["Anemia" if n % 2 else "Knee"], updated=date)
    for n, date in enumerate(DATES, start=1)
]
IDS = [f"NCT0000010{n}" for n in range(1, 7)]
"""The NCT IDs of `RECORDS`."""

JSON = "application/json"
SLOW_SECONDS = 0.5


class Registry:
    """Studies by NCT ID, obsolete NCT IDs (`merged`), and faults to simulate.

    Each request takes one of `faults`, or else what `trouble()` returns: a status code, (status,
    headers), "html", "cut" (half the body), "torn" (the connection ends within the body), "drop"
    (it ends before the answer), "slow", or None for a normal answer. `answers(path, query)`
    may return (status, headers, body) in its place. Bodies arrive with `drip_seconds` between any
    two bytes.
    """

    def __init__(self, records: list[dict]) -> None:
        self.records = {nct_id(each): each for each in records}
        self.merged: dict[str, str] = {}
        self.timestamp = "2026-03-25T09:00:05"
        self.faults: deque = deque()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.agents: set[str] = set()
        self.authorizations: set[str] = set()
        self.drip_seconds = 0.0
        self.url = ""
        self.hide_from_pages: set[str] = set()
        self.tokens_outlive_refresh = False
        self.by_date = False
        self.offence = ""
        self.trouble: Callable[[], object] = lambda: None
        self.after_page: Callable[[], None] = lambda: None
        self.answers: Callable[[str, dict], tuple | None] = lambda *_: None

    def vanish(self, *nct_ids: str, into: str = "") -> None:
        """Let studies leave the registry, or be merged into another."""
        for each in nct_ids:
            del self.records[each]
            if into:
                self.merged[each] = into

    def faulty(self, fault: Any, path: str, query: dict[str, str]) -> tuple[int, dict, bytes]:
        """Return the answer to a request, with a fault."""
        if fault == "slow":
            time.sleep(SLOW_SECONDS)
        if fault in (None, "cut", "torn", "slow"):
            status, headers, body = self.answer(path, query)
            return status, headers, body[: len(body) // 2] if fault == "cut" else body
        self.requests.append((path, query))
        if fault == "html":
            return 200, {}, b"<html>maintenance</html>"
        status, headers = fault if isinstance(fault, tuple) else (fault, {})
        return status, headers, b"try later"

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        self.requests.append((path, query))
        if (own := self.answers(path, query)) is not None:
            return own
        if path == "/version":
            return (
                200,
                {},
                json.dumps({"apiVersion": "2.0.5", "dataTimestamp": self.timestamp}).encode(),
            )
        if path == "/studies":
            return self._page(query)
        asked = path.removeprefix("/studies/")
        if asked in self.merged:
            return 301, {"Location": f"/api/v2/studies/{self.merged[asked]}"}, b""
        if asked in self.records:
            return 200, {}, json.dumps(self.records[asked]).encode()
        return 404, {}, f"NCT number {asked} not found".encode()

    def _page(self, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        unknown = set(query) - {
            "query.cond", "query.intr", "query.term", "filter.advanced", "filter.ids", "fields",
            "pageSize", "pageToken", "countTotal",
        }  # fmt: skip
        if self.offence and self.offence in query.get("filter.ids", ""):
            return 400, {}, b"incorrect format of filter.ids"
        if unknown:
            return 400, {}, f"unknown parameter {unknown}".encode()
        found = [each for key, each in sorted(self.records.items()) if matches(each, query)]
        if self.by_date:
            found.sort(key=lambda each: each["protocolSection"]["statusModule"][
                "lastUpdatePostDateStruct"]["date"])  # fmt: skip
        size = int(query.get("pageSize", 10))
        start = 0
        if "pageToken" in query:
            stamp, _, offset = query["pageToken"].partition("|")
            if stamp != self.timestamp and not self.tokens_outlive_refresh:
                return 400, {}, b"incorrect format of pageToken"
            start = int(offset)
        page = found[start : start + size]
        shape: dict = {
            "studies": [each for each in page if nct_id(each) not in self.hide_from_pages]
        }
        if query.get("countTotal") == "true" and "pageToken" not in query:
            shape["totalCount"] = len(found)
        if len(page) == size:  # even if nothing follows
            shape["nextPageToken"] = f"{self.timestamp}|{start + size}"
        answer = json.dumps(shape).encode()
        if query.get("pageSize") != "1":
            self.after_page()
        return 200, {}, answer


def nct_id(record: dict) -> str:
    return record["protocolSection"]["identificationModule"].get("nctId", "")


def matches(record: dict, query: dict[str, str]) -> bool:
    section = record["protocolSection"]
    if "filter.ids" in query and nct_id(record) not in query["filter.ids"].split(","):
        return False
    conditions = " ".join(section["conditionsModule"].get("conditions", ())).lower()
    if query.get("query.cond", "").lower() not in conditions:
        return False
    ranged = re.fullmatch(
        r"AREA\[LastUpdatePostDate\]RANGE\[(.+),(.+)\]", query.get("filter.advanced", "")
    )
    if not ranged:
        return "filter.advanced" not in query
    updated = section["statusModule"]["lastUpdatePostDateStruct"]["date"]
    first, last = ranged.groups()
    return (first == "MIN" or first <= updated) and (last == "MAX" or updated <= last)


def six_studies() -> Registry:
    """Return a registry of `RECORDS`, which a test may change."""
    return Registry(json.loads(json.dumps(RECORDS)))


@contextmanager
def client_of(registry: Registry) -> Iterator[RegistryApi]:
    """Give a client of the registry without pauses, with two studies a page; `lines` is its log."""
    lines: list[str] = []
    with RegistryApi(
        "simsearch-test", base_url=registry.url, pause_seconds=0, backoff_seconds=0.01,
        page_size=2, log=lines.append,
    ) as client:  # fmt: skip
        client.lines = lines
        yield client


def a_day_passes(mirror: Mirror) -> None:
    """Let the studies that were found missing have been so since a day earlier."""
    with sqlite3.connect(mirror.path) as database:
        database.execute("UPDATE missing SET since = datetime(since, '-1 day')")
    database.close()


def mirrored(mirror: Mirror) -> list[str]:
    """Return the NCT IDs of the records in a mirror, in order."""
    return [nct_id(json.loads(body)) for body in mirror.records()]


def write(file: BinaryIO, body: bytes, drip_seconds: float) -> None:
    """Write a body, with a pause after each byte if `drip_seconds` says so."""
    if not drip_seconds:
        file.write(body)
        return
    with suppress(OSError):  # the client gives up
        for n in range(len(body)):
            file.write(body[n : n + 1])
            file.flush()
            time.sleep(drip_seconds)


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    """Serve the registry on a free port of loopback; its `url` is the API's base."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet per answer

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            path = parts.path.removeprefix("/api/v2")
            registry.agents.add(self.headers["User-Agent"])
            if "Authorization" in self.headers:
                registry.authorizations.add(self.headers["Authorization"])
            fault = registry.faults.popleft() if registry.faults else registry.trouble()
            status, headers, body = registry.faulty(fault, path, query)
            if fault in ("drop", "torn") or registry.drip_seconds:
                self.close_connection = True
            if fault == "drop":
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", JSON)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if fault == "torn":
                body = body[: len(body) // 2]
            write(self.wfile, body, registry.drip_seconds)

        def log_message(self, *_args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    registry.url = f"http://127.0.0.1:{server.server_port}/api/v2"
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
