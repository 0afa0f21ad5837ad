"""Values that are computed once and then remembered, for threads that ask at the same time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

_MOST = 128  # values kept

Value = TypeVar("Value")


class Remembered:
    """The last few values; threads may share it."""

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, Future[Any]] = OrderedDict()
        self._lock = Lock()

    def forget(self) -> None:
        """Let go of all values."""
        with self._lock:
            self._values.clear()

    def value(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return the value of `compute`, called once for each key that is still remembered.

        A thread that asks for a value in the making waits for it.

        Raises:
            Exception: what `compute` raises; the next call tries again.
        """
        with self._lock:
            remembered: Future[Value] | None = self._values.get(key)
            future: Future[Value] = remembered or Future()
            self._values[key] = future
            self._values.move_to_end(key)
            while len(self._values) > _MOST:
                self._values.popitem(last=False)
        if not remembered:
            try:
                future.set_result(compute())
            except BaseException as error:
                with self._lock:
                    self._values.pop(key, None)
                future.set_exception(error)
                raise
        return future.result()
