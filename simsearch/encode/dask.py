"""Encoding on several machines: pieces of texts are sent to the workers of a Dask scheduler.

The engine is `dask.distributed`; this module is an `Encoder` in front of it. The cache stays with
the driver, which stores each piece as it arrives. If a worker is lost, others repeat the pieces it
was encoding; if the driver is killed, the next run continues from its cache.

A worker process loads the model once. It is refused unless its vectors are in the same space as
the driver's own: the same weights, length and precision.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simsearch.callbacks import Log
from simsearch.encode.batches import BATCH, Part
from simsearch.encode.encoders import Encoder
from simsearch.encode.space import Space
from simsearch.errors import EngineError, EngineLostError, SimsearchError, one_line
from simsearch.files import batches

if TYPE_CHECKING:
    from distributed import Client, Future

Load = tuple[Callable[..., Encoder], tuple[str, ...]]
"""How a worker loads the encoder: a function that it can import, and its arguments."""

_CONNECT_SECONDS = 10  # until the scheduler must respond, and the first worker be there
_IDLE_SECONDS = 60  # without any worker, until a build gives up
_CHECK_SECONDS = 5  # between two checks that there are workers
_PIECES = 8  # per thread and call of `encode`: few threads are idle while the last ones finish

_one_at_a_time = threading.Lock()


class DaskEncoder:
    """An encoder whose texts are encoded by the workers of a Dask scheduler.

    Args:
        encoder: the driver's own, which counts tokens and whose space the workers must share.
        client: connected to the scheduler.
        load: how a worker loads the same encoder.
    """

    def __init__(self, encoder: Encoder, client: Client, load: Load) -> None:
        self._encoder = encoder
        self._client = client
        self._load = load
        self._space = Space.of(encoder)
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.dimension = encoder.dimension
        self.max_tokens = encoder.max_tokens
        self.precision = encoder.precision

    @property
    def n_at_once(self) -> int:
        """How many texts to pass to `encode` at once, to keep all workers busy."""
        return max(1, _n_threads(self._client)) * _PIECES * BATCH

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return (n_texts,) the number of tokens of each text before it is cut off."""
        return self._encoder.count_tokens(texts)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (n_texts, dimension) float32 unit rows.

        Raises:
            EngineError: as `encode_parts`.
        """
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for numbers, part in self.encode_parts(texts):
            rows[numbers] = part
        return rows

    def encode_parts(self, texts: Sequence[str]) -> Iterator[Part]:
        """Yield the positions and rows of pieces of the texts, in the order of their completion.

        The pieces are the batches in which one machine would encode the texts, so a row does not
        depend on the number of workers.

        Raises:
            EngineError: the scheduler or all workers are lost, or a worker cannot encode.
        """
        pieces = list(batches(range(len(texts)), BATCH))
        finished: SimpleQueue[Future[Any]] = SimpleQueue()
        waiting: dict[Future[Any], list[int]] = {}
        with _engine_errors(_address(self._client)):
            try:
                # The last texts are the longest: they are started first, so as not to end last.
                for piece in reversed(pieces):
                    future = self._submit([texts[number] for number in piece])
                    future.add_done_callback(finished.put)
                    waiting[future] = piece
                while waiting:
                    future = _next_finished(self._client, finished)
                    rows = future.result()
                    yield np.array(waiting.pop(future), dtype=np.int64), rows
            finally:
                self._client.cancel(list(waiting))

    def _submit(self, texts: list[str]) -> Future[Any]:
        # A unique key: Dask would give equal keys of two drivers the same result.
        return self._client.submit(
            _encode, self._load, self._space, _version(), texts, key=f"encode-{uuid.uuid4().hex}"
        )


@contextmanager
def spread_over_dask(encoder: Encoder, address: str, load: Load, log: Log) -> Iterator[DaskEncoder]:
    """Connect to a scheduler, check its workers, and provide an encoder that uses them.

    Args:
        encoder: the driver's own.
        address: of the scheduler, for example `tcp://10.0.0.5:8786`.
        load: how a worker loads the same encoder.
        log: called with a line that states the number of workers.

    Raises:
        EngineError: distributed is not installed, the scheduler does not respond or has no
            worker, or a worker has another version of simsearch or another model.
    """
    if importlib.util.find_spec("distributed") is None:
        raise EngineError(address, "distributed is not installed: pip install 'simsearch[dask]'")
    with _quiet():
        with _engine_errors(address):
            client = _connected(address)
        try:
            with _engine_errors(address):
                client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
                _check_workers(client, Space.of(encoder), load)
                n_workers = len(client.nthreads())
                log(f"{n_workers} workers of {address}, {_n_threads(client)} threads in all")
            yield DaskEncoder(encoder, client, load)
        finally:
            client.close(timeout=1)


def _connected(address: str) -> Client:
    """Return a client of a scheduler; close it at once if it cannot connect.

    If that were left to the garbage collector, it might happen while another client holds the lock
    that closing waits for.
    """
    from distributed import Client

    client = Client.__new__(Client)
    try:
        client.__init__(address, timeout=_CONNECT_SECONDS, set_as_default=False)  # type: ignore[misc]
    except BaseException:
        with suppress(Exception):  # there may be nothing to close yet
            client.close(timeout=1)
        raise
    return client


def _check_workers(client: Client, space: Space, load: Load) -> None:
    """Have each worker load the model.

    Raises:
        EngineError: a worker cannot be used; it names the first one and the reason.
    """
    answers = client.run(_problem, load, space, _version(), on_error="return")
    for worker, answer in sorted(answers.items()):
        if isinstance(answer, ModuleNotFoundError):
            raise EngineError(worker, f"the worker lacks a package ({answer}): install simsearch")
        if isinstance(answer, BaseException):
            raise EngineError(worker, f"the worker cannot load the model: {answer!r}")
        if answer:
            raise EngineError(worker, answer)


def _problem(load: Load, space: Space, version: str) -> str:
    """Return why this worker cannot be used, or an empty string. It runs on the worker."""
    if version != _version():
        return f"the worker has simsearch {_version()}, the driver {version}: install the same"
    try:
        found = Space.of(_loaded(*load))
    except SimsearchError as error:
        return str(error)
    return _difference(found, space)


def _difference(found: Space, space: Space) -> str:
    if found.digest == space.digest:
        return ""
    for name in ("fingerprint", "dimension", "max_tokens", "precision"):
        theirs, ours = getattr(found, name), getattr(space, name)
        if theirs != ours:
            differs = f"{name} {str(theirs)[:12]}, the driver's has {str(ours)[:12]}"
            return f"the worker's model {found.model} has {differs}: give it the same model"
    return ""


def _encode(load: Load, space: Space, version: str, texts: list[str]) -> npt.NDArray[np.float32]:
    """Encode texts on this worker, which is checked first, for it may have joined late."""
    if problem := _problem(load, space, version):
        raise RuntimeError(problem)
    encoder = _loaded(*load)
    with _one_at_a_time:  # the model uses all threads of the process
        return encoder.encode(texts)


def _loaded(function: Callable[..., Encoder], arguments: tuple[str, ...]) -> Encoder:
    """Return the encoder of this process, loaded once."""
    with _one_at_a_time:
        return _load_once(function, arguments)


@lru_cache(maxsize=1)
def _load_once(function: Callable[..., Encoder], arguments: tuple[str, ...]) -> Encoder:
    return function(*arguments)


def _next_finished(client: Client, finished: SimpleQueue[Future[Any]]) -> Future[Any]:
    """Wait until a piece is finished.

    Raises:
        EngineLostError: there has been no worker for a while.
    """
    seen = time.monotonic()
    while time.monotonic() - seen < _IDLE_SECONDS:
        with suppress(Empty):
            return finished.get(timeout=_CHECK_SECONDS)
        if client.nthreads():
            seen = time.monotonic()
    raise EngineLostError(
        _address(client), "all workers are lost: start new ones and run again to continue"
    )


@contextmanager
def _engine_errors(address: str) -> Iterator[None]:
    """Turn the exceptions of the engine into an `EngineError`."""
    try:
        yield
    except SimsearchError:
        raise
    except (TimeoutError, OSError) as error:
        reason = "no response from it or any worker: start `dask scheduler` and `dask worker`"
        raise EngineLostError(address, reason) from error
    except CancelledError as error:
        raise EngineLostError(address, "the scheduler is lost: run again to continue") from error
    except Exception as error:  # raised by the engine or on a worker
        raise EngineError(address, one_line(str(error) or repr(error))) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the engine's log of lost connections: they are reported as errors."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _version() -> str:
    return importlib.metadata.version("simsearch")


def _n_threads(client: Client) -> int:
    return sum(client.nthreads().values())


def _address(client: Client) -> str:
    return str(client.scheduler.address if client.scheduler else "the scheduler")
