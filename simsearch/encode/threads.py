"""Limits on the threads of numerical libraries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_one_at_a_time = Lock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Restrict numpy's matrix products to the calling thread; only one thread enters at a time.

    The limit applies to the whole process, and the previous one is restored at the end: two
    threads whose limits overlapped would leave it at one.
    """
    from threadpoolctl import threadpool_limits

    with _one_at_a_time, threadpool_limits(1, user_api="blas"):
        yield
