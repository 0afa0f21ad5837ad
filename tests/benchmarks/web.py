"""How many answers a second the web app gives, over loopback: `python tests/benchmarks/web.py`.

It starts `simsearch serve` on an index, asks with so many connections, and prints rates, latencies
and memory. Clients and server share the machine's cores. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

import simsearch


class Client:
    """One connection that is kept open; reads answers by their length, as cheaply as it can."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def get(self, path: str) -> tuple[int, bytes]:
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return int(head[9:12]), await self._reader.readexactly(int(length or 0))


Found = list[tuple[float, int]]
"""The latency, in seconds, and the status of each answer."""


async def load(port: int, paths: Iterator[str], connections: int, seconds: float) -> Found:
    """Ask for paths with some connections for some time."""
    found: Found = []
    until = time.perf_counter() + seconds

    async def one() -> None:
        async with Client(port) as client:
            for path in paths:
                began = time.perf_counter()
                if began >= until:
                    return
                status, _ = await client.get(path)
                found.append((time.perf_counter() - began, status))

    await asyncio.gather(*(one() for _ in range(connections)))
    return found


def told(name: str, found: Found, wall: float, server: float, client: float) -> None:
    """Print a rate, latencies, and the processor time of an answer.

    Where others use the machine too, the rate says little: the processor time is what counts, and
    on cores of one's own the rate is the cores divided by it.
    """
    times = np.array([time for time, _ in found]) * 1000
    failed = sum(status >= 400 for _, status in found)
    p50, p99 = np.percentile(times, [50, 99])
    n = len(found)
    print(
        f"{name:38} {n / wall:7,.0f}/s  p50 {p50:6.1f}  p99 {p99:6.1f} ms  failed {failed}  "
        f"processor {1000 * server / n:5.2f} + {1000 * client / n:4.2f} ms: "
        f"{(os.cpu_count() or 1) * n / (server + client):6,.0f}/s at most"
    )


def processor(pid: int) -> float:
    """Return the seconds of processor time that processes have had."""
    ticks = 0
    for each in tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return a process and those that it started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in listed for each in tree(int(child)))]


def memory(pid: int) -> str:
    """Return what the processes hold by themselves, and what they share with the index's files."""
    own = shared = 0
    for each in tree(pid):
        lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
        own += sizes["Anonymous"]
        shared = max(shared, sizes["Pss"] - sizes["Pss_Anon"])
    return f"{own / 1000:,.0f} MB own, {shared / 1000:,.0f} MB of files"


def generations(pid: int) -> set[str]:
    """Return the generations whose files the processes hold."""
    found = set()
    for each in tree(pid):
        for line in Path(f"/proc/{each}/maps").read_text().splitlines():
            if "/generations/" in line:
                found.add(line.partition("/generations/")[2].partition("/")[0])
    return found


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", required=True)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--many", type=int, default=0, help="so many repeated requests for memory")
    return parser.parse_args()


class Run:
    """A server under load."""

    def __init__(self, given: argparse.Namespace, server: subprocess.Popen[str]) -> None:
        self._given = given
        self._pid = server.pid
        assert server.stdout
        self._port = int(server.stdout.readline().rpartition(":")[2])

    def __call__(self, name: str, paths: Iterator[str]) -> int:
        given, began = self._given, time.perf_counter()
        server, client = processor(self._pid), time.process_time()
        found = asyncio.run(load(self._port, paths, given.connections, given.seconds))
        spent = processor(self._pid) - server, time.process_time() - client
        told(name, found, time.perf_counter() - began, *spent)
        return len(found)


def measured(run: Run, ids: list[str], many: int, pid: int) -> None:
    fresh = iter(ids)
    some = ids[-20:]

    def asked(kind: str) -> Iterator[str]:
        for nct_id in fresh:
            yield kind.format(nct_id)

    def repeated(kind: str) -> Iterator[str]:
        while True:
            yield kind.format(random.choice(some))

    lists, page = "/api/v1/studies/{}/related", "/study/{}"
    run("(warm)", asked(lists))
    run("related lists with reasons, uncached", asked(lists))
    run("study pages with lists, uncached", asked(page))
    run("(warm)", repeated(lists))
    run("related lists, repeated", repeated(lists))
    run("study pages, repeated", repeated(page))
    print(f"memory: {memory(pid)}")
    done = 0
    while done < many:
        done += run("related lists, repeated", repeated(lists))
    print(f"memory after {done:,} more requests: {memory(pid)}")
    print(f"generations held: {len(generations(pid))}")


def main() -> None:
    given = parsed()
    with simsearch.open_index(given.index) as index:
        ids = index._opened.store.nct_ids()
    random.Random(7).shuffle(ids)
    words = [sys.executable, "-m", "simsearch", "serve", "--index", given.index, "--port", "0",
             "--workers", str(given.workers)]  # fmt: skip
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            run = Run(given, server)
            print(
                f"{len(ids):,} studies, {given.workers} processes, {given.connections} clients, "
                f"{os.cpu_count()} cores shared with the client; load {os.getloadavg()[0]:.1f}"
            )
            measured(run, ids, given.many, server.pid)
        finally:
            server.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    main()
