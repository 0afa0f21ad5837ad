"""What the processes of one server have answered, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence, Sequence
from multiprocessing import get_context
from typing import cast

from simsearch.index.directory import IndexFacts

ROUTES = (
    "start", "study", "related", "why", "compare", "timeline", "map", "draft", "review", "feed",
    "api", "embed", "mcp", "static", "health", "other",
)  # fmt: skip
_STATUSES = ("2xx", "3xx", "4xx", "5xx")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the latencies that are counted, in seconds."""

_N_COUNTS = len(ROUTES) * len(_STATUSES)
_SLOT = _N_COUNTS + len(BUCKETS) + 1 + 3  # counts, latencies, their sum, hits, misses, reloads

Shared = MutableSequence[float]
"""Memory that the processes share: a slot of numbers for each."""


def shared_memory(n_processes: int) -> Shared:
    """Return memory for the metrics of so many processes."""
    return cast("Shared", get_context("spawn").RawArray("d", _SLOT * n_processes))


class Metrics:
    """Counts what one process answers, and sums what all of them have.

    Args:
        shared: memory of all processes.
        process: the number of this one.
    """

    def __init__(self, shared: Shared | None = None, process: int = 0) -> None:
        self._shared = shared_memory(1) if shared is None else shared
        self._start = process * _SLOT

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        known = ROUTES.index(route) if route in ROUTES else len(ROUTES) - 1
        kind = min(max(status // 100 - 2, 0), 3)
        self._add(known * len(_STATUSES) + kind)
        place = next((at for at, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        self._add(_N_COUNTS + place) if place < len(BUCKETS) else None
        self._add(_N_COUNTS + len(BUCKETS), seconds)

    def looked_up(self, *, hit: bool) -> None:
        """Count a look into the cache of answers."""
        self._add(_SLOT - 3 + (not hit))

    def reloaded(self) -> None:
        """Count a change to a new generation."""
        self._add(_SLOT - 1)

    def text(self, facts: IndexFacts) -> str:
        """Return the metrics in the text format of Prometheus."""
        return "".join(f"{line}\n" for line in self._lines(facts))

    def _add(self, place: int, value: float = 1) -> None:
        self._shared[self._start + place] += value

    def _sums(self) -> Sequence[float]:
        slots = len(self._shared) // _SLOT
        return [
            sum(self._shared[slot * _SLOT + place] for slot in range(slots))
            for place in range(_SLOT)
        ]

    def _lines(self, facts: IndexFacts) -> Iterator[str]:
        sums = self._sums()
        yield "# HELP simsearch_requests_total Requests answered, by kind of page and status."
        yield "# TYPE simsearch_requests_total counter"
        for at, route in enumerate(ROUTES):
            for of, status in enumerate(_STATUSES):
                n = sums[at * len(_STATUSES) + of]
                if n:
                    labels = f'route="{route}",status="{status}"'
                    yield f"simsearch_requests_total{{{labels}}} {n:.0f}"
        total = sum(sums[:_N_COUNTS])
        yield "# HELP simsearch_request_seconds How long answers took."
        yield "# TYPE simsearch_request_seconds histogram"
        so_far = 0.0
        for bound, n in zip(BUCKETS, sums[_N_COUNTS:], strict=False):
            so_far += n
            yield f'simsearch_request_seconds_bucket{{le="{bound:g}"}} {so_far:.0f}'
        yield f'simsearch_request_seconds_bucket{{le="+Inf"}} {total:.0f}'
        yield f"simsearch_request_seconds_sum {sums[_N_COUNTS + len(BUCKETS)]:.6f}"
        yield f"simsearch_request_seconds_count {total:.0f}"
        yield "# HELP simsearch_cache_lookups_total Looks into the cache of answers."
        yield "# TYPE simsearch_cache_lookups_total counter"
        for at, found in enumerate(("hit", "miss")):
            yield f'simsearch_cache_lookups_total{{found="{found}"}} {sums[_SLOT - 3 + at]:.0f}'
        yield "# HELP simsearch_reloads_total Changes to a new generation, of all processes."
        yield "# TYPE simsearch_reloads_total counter"
        yield f"simsearch_reloads_total {sums[_SLOT - 1]:.0f}"
        yield "# HELP simsearch_index_studies Studies of the generation that answers."
        yield "# TYPE simsearch_index_studies gauge"
        labels = f'generation="{facts.generation}",records_date="{facts.records_date}"'
        yield f"simsearch_index_studies{{{labels}}} {facts.n_studies}"
