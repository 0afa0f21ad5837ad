"""Encoding past one machine: pieces of texts spread over the workers of a Dask scheduler.

`dask.distributed` is the engine; this is an `Encoder` in front of it. The cache stays with
the driver and takes each piece as it arrives, so that a lost worker costs the pieces it was
encoding, which others take over, and a killed driver goes on from its cache.

A worker loads the model once a process, and encodes for this build only what lies in the
same space as the driver's own vectors: the same weights, length and arithmetic.
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
from simsearch.encode.cache import BATCH, Part, Space
from simsearch.encode.encoders import Encoder
from simsearch.errors import EngineError, EngineLostError, SimsearchError, one_line

if TYPE_CHECKING:
    from distributed import Client, Future

Load = tuple[Callable[..., Encoder], tuple[str, ...]]
"""How a worker loads the encoder: a function that it can import, and what to call it with."""

_ANSWER_SECONDS = 10  # the scheduler's time to answer, and the first worker's to appear
_IDLE_SECONDS = 60  # without any worker, before a build gives up
_LOOK_SECONDS = 5  # between two looks at whether any worker is left
_PIECES = 8  # a thread, encoded at once: the last ones leave little of it idle

_one_at_a_time = threading.Lock()


class DaskEncoder:
    """An encoder whose work is done by the workers of a Dask scheduler.

    Args:
        encoder: the driver's own, which counts tokens and says which space is meant.
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
        """How many texts keep all workers busy."""
        return max(1, _n_threads(self._client)) * _PIECES * BATCH

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return (n,) the number of tokens of each whole text."""
        return self._encoder.count_tokens(texts)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (n, dimension) float32 unit rows.

        Raises:
            EngineError: as `encode_parts`.
        """
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for numbers, part in self.encode_parts(texts):
            rows[numbers] = part
        return rows

    def encode_parts(self, texts: Sequence[str]) -> Iterator[Part]:
        """Yield (numbers, rows) of pieces of texts as they arrive.

        The pieces are those that are encoded together on one machine too, so that a row does
        not depend on how many workers there are.

        Raises:
            EngineError: the scheduler or all workers are lost, or a worker cannot encode.
        """
        pieces = [range(at, min(at + BATCH, len(texts))) for at in range(0, len(texts), BATCH)]
        finished: SimpleQueue[Future[Any]] = SimpleQueue()
        waiting: dict[Future[Any], range] = {}
        with _engine_errors(_address(self._client)):
            try:
                # The last texts are the longest: begun first, they keep nobody waiting at the end.
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
        # A name of its own: equal texts of another driver are none of this one's.
        return self._client.submit(
            _encode, self._load, self._space, _version(), texts, key=f"encode-{uuid.uuid4().hex}"
        )


@contextmanager
def spread_over_dask(encoder: Encoder, address: str, load: Load, log: Log) -> Iterator[DaskEncoder]:
    """Connect to a scheduler, see that its workers can do the work, and give the encoder.

    Args:
        encoder: the driver's own.
        address: of the scheduler, like `tcp://10.0.0.5:8786`.
        load: how a worker loads the same encoder.
        log: called with how many workers there are.

    Raises:
        EngineError: the package is missing, the scheduler does not answer, it has no
            worker, or one of them has another version or model.
    """
    if importlib.util.find_spec("distributed") is None:
        raise EngineError(address, "its package is missing: pip install 'simsearch[dask]'")
    with _quiet():
        with _engine_errors(address):
            client = _connected(address)
        try:
            with _engine_errors(address):
                client.wait_for_workers(1, timeout=_ANSWER_SECONDS)
                _check_workers(client, Space.of(encoder), load)
                n_workers = len(client.nthreads())
                log(f"{n_workers} workers of {address}, {_n_threads(client)} threads in all")
            yield DaskEncoder(encoder, client, load)
        finally:
            client.close(timeout=1)


def _connected(address: str) -> Client:
    """Return a client of a scheduler; one that fails to connect is closed at once.

    Left to the garbage collector it may be closed while another client holds the lock that
    its closing waits for.
    """
    from distributed import Client

    client = Client.__new__(Client)
    try:
        client.__init__(address, timeout=_ANSWER_SECONDS, set_as_default=False)  # type: ignore[misc]
    except BaseException:
        with suppress(Exception):  # it may have failed before there was anything to close
            client.close(timeout=1)
        raise
    return client


def _check_workers(client: Client, space: Space, load: Load) -> None:
    """Have each worker load the model; the first that cannot serve is named."""
    answers = client.run(_problem, load, space, _version(), on_error="return")
    for worker, answer in sorted(answers.items()):
        if isinstance(answer, ModuleNotFoundError):
            raise EngineError(worker, f"the worker lacks a package ({answer}): install simsearch")
        if isinstance(answer, BaseException):
            raise EngineError(worker, f"the worker cannot load the model: {answer!r}")
        if answer:
            raise EngineError(worker, answer)


def _problem(load: Load, space: Space, version: str) -> str:
    """Say, on a worker, why it cannot serve; empty where it can."""
    if version != _version():
        return f"the worker has simsearch {_version()}, this is {version}: install the same"
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
            what = f"{name} {str(theirs)[:12]}, here it is {str(ours)[:12]}"
            return f"the worker's model {found.model} has {what}: give it the same model"
    return ""


def _encode(load: Load, space: Space, version: str, texts: list[str]) -> npt.NDArray[np.float32]:
    """Encode, on a worker; one that joined late is checked like the first ones."""
    if problem := _problem(load, space, version):
        raise RuntimeError(problem)
    encoder = _loaded(*load)
    with _one_at_a_time:  # the model has the process's threads to itself
        return encoder.encode(texts)


def _loaded(function: Callable[..., Encoder], arguments: tuple[str, ...]) -> Encoder:
    """Return the process's encoder, loaded once."""
    with _one_at_a_time:
        return _load_once(function, arguments)


@lru_cache(maxsize=1)
def _load_once(function: Callable[..., Encoder], arguments: tuple[str, ...]) -> Encoder:
    return function(*arguments)


def _next_finished(client: Client, finished: SimpleQueue[Future[Any]]) -> Future[Any]:
    """Wait for a piece to be finished.

    Raises:
        EngineError: no worker has been there for a while.
    """
    seen = time.monotonic()
    while time.monotonic() - seen < _IDLE_SECONDS:
        with suppress(Empty):
            return finished.get(timeout=_LOOK_SECONDS)
        if client.nthreads():
            seen = time.monotonic()
    raise EngineLostError(
        _address(client), "all workers are gone: start some, and the build goes on from its cache"
    )


@contextmanager
def _engine_errors(address: str) -> Iterator[None]:
    """Turn what the engine raises into an `EngineError`."""
    try:
        yield
    except SimsearchError:
        raise
    except (TimeoutError, OSError) as error:
        reason = "it does not answer, or no worker does: start `dask scheduler` and `dask worker`"
        raise EngineLostError(address, reason) from error
    except CancelledError as error:
        raise EngineLostError(address, "the scheduler is lost: run again to go on") from error
    except Exception as error:  # what a worker raised, or the engine did
        raise EngineError(address, one_line(str(error) or repr(error))) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the engine's own log of lost connections off the terminal; ours are the errors."""
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
