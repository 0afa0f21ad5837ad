"""Texts encoded by one-thread workers: the same batches, the same bytes, for any number of them."""

import threading
import time

import numpy as np
import pytest

from simsearch.encode.batches import BATCH, Workers

TEXTS = ["x" * (n * 7 % 300 + 1) for n in range(3 * BATCH + 40)]


class Recorder:
    """A worker that notes its batches, and gives the length of each text as its row."""

    def __init__(self, seconds=0.0):
        self.batches = []
        self.threads = set()
        self.seconds = seconds

    def __call__(self):
        def encode(texts, prefix):
            time.sleep(self.seconds)
            self.threads.add(threading.get_ident())
            self.batches.append(tuple(texts))
            return np.array([[len(prefix + text)] for text in texts], dtype=np.float32)

        return encode


def run(n_threads, recorder, prefix=""):
    rows = np.zeros((len(TEXTS), 1))
    for places, part in Workers(n_threads, recorder).encode_parts(TEXTS, prefix):
        rows[places] = part
    return rows


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_each_text_gets_its_row(n_threads):
    rows = run(n_threads, Recorder(), "no: ")
    assert rows[:, 0].tolist() == [len(text) + 4 for text in TEXTS]


def test_the_batches_are_the_same_for_any_number_of_threads():
    """Sixteen texts of similar length each, made of the texts of one piece."""
    found = []
    for n_threads in (1, 2, 5):
        recorder = Recorder()
        run(n_threads, recorder)
        found.append(sorted(recorder.batches))
    assert found[0] == found[1] == found[2]
    assert max(map(len, found[0])) == 16
    pieces = [set(TEXTS[at : at + BATCH]) for at in range(0, len(TEXTS), BATCH)]
    assert all(any(set(batch) <= piece for piece in pieces) for batch in found[0])


def test_all_threads_work():
    recorder = Recorder(seconds=0.01)
    run(3, recorder)
    assert len(recorder.threads) == 3


def test_pieces_are_whole_and_each_comes_once():
    parts = list(Workers(2, Recorder()).encode_parts(TEXTS, ""))
    pieces = sorted(places.tolist() for places, _ in parts)
    assert pieces == [
        list(range(at, min(at + BATCH, len(TEXTS)))) for at in range(0, len(TEXTS), BATCH)
    ]


def test_no_texts_make_no_parts():
    assert list(Workers(2, Recorder()).encode_parts([], "")) == []


def test_an_error_in_a_thread_ends_the_encoding():
    def worker():
        def encode(texts, prefix):
            raise MemoryError("too long")

        return encode

    with pytest.raises(MemoryError, match="too long"):
        list(Workers(2, worker).encode_parts(TEXTS, ""))


def test_no_batch_begins_after_the_caller_stopped():
    recorder = Recorder(seconds=0.01)
    parts = Workers(2, recorder).encode_parts(TEXTS, "")
    next(parts)
    parts.close()
    n = len(recorder.batches)
    time.sleep(0.1)
    assert len(recorder.batches) == n < 52


def test_torch_has_its_threads_again_afterwards():
    import torch

    during = []

    def worker():
        def encode(texts, prefix):
            during.append(torch.get_num_threads())
            return np.zeros((len(texts), 1), dtype=np.float32)

        return encode

    before = torch.get_num_threads()
    list(Workers(2, worker).encode_parts(TEXTS, ""))
    assert set(during) == {1}
    assert torch.get_num_threads() == before


@pytest.mark.model
def test_the_bytes_of_the_model_do_not_depend_on_the_number_of_threads(monkeypatch):
    from simsearch import load_encoder

    texts = ["Iron for anemia " * (n % 9) + str(n) for n in range(300)]
    found = []
    for n_threads in (1, 3):
        monkeypatch.setattr("simsearch.encode.encoders._n_threads", lambda n=n_threads: n)
        encoder = load_encoder()
        assert encoder.n_at_once == (BATCH if n_threads == 1 else 2 * BATCH * n_threads)
        found.append(encoder.encode(texts).tobytes())
    assert found[0] == found[1]
