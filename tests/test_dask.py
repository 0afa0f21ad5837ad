"""Encoding with a real scheduler and real workers, some of which are killed while they encode."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from conftest import WORDS, WordEncoder
from distributed import Client

from simsearch.encode.cache import BATCH, CachedEncoder, cached
from simsearch.encode.dask import DaskEncoder, spread_over_dask
from simsearch.encode.space import Space
from simsearch.encode.vector_cache import VectorCache
from simsearch.errors import EngineError

TESTS = Path(__file__).parent
TEXTS = [" ".join(WORDS[place] for place in range(10) if n >> place & 1) for n in range(1, 1024)]
N_PIECES = -(-len(TEXTS) // BATCH)


class SlowEncoder(WordEncoder):
    """Slow enough for a worker to be killed while it encodes."""

    def encode(self, texts):
        time.sleep(0.5)
        return super().encode(texts)


class OtherEncoder(WordEncoder):
    fingerprint = "ten other words"


def missing_encoder() -> WordEncoder:
    raise EngineError("here", "the model is missing")


class Cluster:
    """A scheduler and its workers, each in its own process, on the loopback interface."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.workers: list[subprocess.Popen] = []
        file = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(file),
        )  # fmt: skip
        for _ in range(600):
            if file.exists() and file.stat().st_size:
                break
            time.sleep(0.1)
        self.address = msgspec.json.decode(file.read_bytes())["address"]

    def add_worker(self) -> None:
        self.workers.append(
            self._start("worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                        "--local-directory", str(self._folder))
        )  # fmt: skip

    def wait_for_workers(self) -> None:
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers), timeout=60)

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def _start(self, *words: str) -> subprocess.Popen:
        path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *words], stdout=log, stderr=log,
                env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    started = Cluster(tmp_path)
    yield started
    started.stop()


def spread(cluster, load=WordEncoder, encoder=None):
    return spread_over_dask(encoder or WordEncoder(), cluster.address, (load, ()), lambda _: None)


def test_a_killed_worker_costs_only_its_pieces(cluster, tmp_path):
    """The result equals the local one bit for bit, and all of it is in the cache."""
    cluster.add_worker()
    cluster.add_worker()
    cluster.wait_for_workers()
    encoder = WordEncoder()
    with spread(cluster, SlowEncoder) as spread_encoder, VectorCache(tmp_path / "cache") as cache:
        parts = []
        for numbers, part in spread_encoder.encode_parts(TEXTS):
            if not parts:
                cluster.workers[0].send_signal(signal.SIGKILL)
            parts.append((numbers, part))
        assert cluster.workers[0].wait() == -signal.SIGKILL
        assert sorted(len(numbers) for numbers, _ in parts) == [BATCH - 1] + [BATCH] * 3
        rows = np.zeros((len(TEXTS), WordEncoder.dimension), dtype=np.float32)
        for numbers, part in parts:
            rows[numbers] = part
        assert rows.tobytes() == encoder.encode(TEXTS).tobytes()
        assert CachedEncoder(spread_encoder, cache).encode(TEXTS).shape == rows.shape
    assert encoder.encoded == TEXTS  # by the assertion above: the driver encoded nothing itself


def test_a_driver_that_was_stopped_continues_from_its_cache(cluster, tmp_path):
    """Pieces that had arrived are kept: only the others are encoded again."""
    cluster.add_worker()
    file = tmp_path / "cache"

    class Stopped(BaseException):
        pass

    class Stopping:
        def __init__(self, inner):
            self._inner = inner

        def __getattr__(self, name):
            return getattr(self._inner, name)

        def encode_parts(self, texts):
            for n, part in enumerate(self._inner.encode_parts(texts)):
                if n == N_PIECES - 1:
                    raise Stopped
                yield part

    with spread(cluster) as encoder:
        with pytest.raises(Stopped), cached(Stopping(encoder), file) as first:
            first.encode(TEXTS)
        with cached(encoder, file) as second:
            rows = second.encode(TEXTS)
            assert (second.n_found, second.n_encoded) == (BATCH * 3 - 1, BATCH)
    with cached(WordEncoder(), None) as local:
        assert rows.tobytes() == local.encode(TEXTS).tobytes()


def test_enough_texts_for_all_workers_are_encoded_at_once(cluster):
    cluster.add_worker()
    with spread(cluster) as encoder:
        assert CachedEncoder(encoder, None).n_at_once == encoder.n_at_once == 8 * BATCH
        assert Space.of(encoder) == Space.of(WordEncoder())
        assert encoder.encode([]).shape == (0, WordEncoder.dimension)
        assert encoder.count_tokens(["iron pills"]).tolist() == [2]


def test_a_worker_with_another_model_is_named(cluster):
    cluster.add_worker()
    message = r"dask tcp://127.*: the worker's model words has fingerprint ten other wo, the driver"
    with pytest.raises(EngineError, match=message), spread(cluster, OtherEncoder):
        pass


def test_a_worker_without_the_model_is_named(cluster):
    cluster.add_worker()
    with pytest.raises(EngineError, match="the model is missing"), spread(cluster, missing_encoder):
        pass


def test_a_worker_that_joins_late_is_checked_too(cluster):
    cluster.add_worker()
    with Client(cluster.address, set_as_default=False) as client:
        encoder = DaskEncoder(WordEncoder(), client, (OtherEncoder, ()))  # no worker is checked yet
        with pytest.raises(EngineError, match="the worker's model words has fingerprint"):
            encoder.encode(TEXTS)


def test_the_loss_of_all_workers_is_reported(cluster, monkeypatch):
    cluster.add_worker()
    monkeypatch.setattr("simsearch.encode.dask._IDLE_SECONDS", 2)
    monkeypatch.setattr("simsearch.encode.dask._CHECK_SECONDS", 1)
    with spread(cluster, SlowEncoder) as encoder:
        cluster.workers[0].kill()
        with pytest.raises(EngineError, match="all workers are lost: start new ones"):
            encoder.encode(TEXTS)


def test_the_loss_of_the_scheduler_is_reported(cluster):
    cluster.add_worker()
    with spread(cluster, SlowEncoder) as encoder:
        parts = encoder.encode_parts(TEXTS)
        next(parts)
        cluster.scheduler.kill()
        with pytest.raises(EngineError, match="the scheduler is lost"):
            list(parts)


def test_a_scheduler_without_workers_is_reported(cluster, monkeypatch):
    monkeypatch.setattr("simsearch.encode.dask._CONNECT_SECONDS", 1)
    with pytest.raises(EngineError, match="no response from it or any worker"), spread(cluster):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "nonsense://x", "", "a:b"])
def test_a_scheduler_that_does_not_exist_is_named(address, monkeypatch):
    monkeypatch.setattr("simsearch.encode.dask._CONNECT_SECONDS", 1)
    load = (WordEncoder, ())
    with (
        pytest.raises(EngineError) as caught,
        spread_over_dask(WordEncoder(), address, load, print),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    spreading = spread_over_dask(WordEncoder(), "tcp://x:1", (WordEncoder, ()), print)
    with pytest.raises(EngineError, match=r"pip install 'simsearch\[dask\]'"), spreading:
        pass
