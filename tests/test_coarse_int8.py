"""Approximate cosines of many texts in 8-bit integers, and as floats where those are faster."""

import os
import subprocess
import sys

import numpy as np
import pytest
from test_batch_search import few_are_enough, many  # noqa: F401 - a fixture

from simsearch.index.opened import opened_index
from simsearch.related import coarse_int8
from simsearch.related.coarse_int8 import CoarseTexts, floats
from simsearch.related.run import related

NEAREST = """
import numpy as np
from simsearch.related.coarse_int8 import CoarseTexts, floats

signs = np.random.default_rng(0).choice([-1, 1], (600, 64))
stored = (signs / 8).astype(np.float16)  # all entries are as great as the greatest
texts = CoarseTexts(stored, np.arange(600), 20, in_integers={in_integers})
near = texts.nearest(floats(stored[:40]))
true = (floats(stored[:40]) @ floats(stored).T)[near.at, near.columns]
assert true.max() == 1
print(np.abs(near.cosine - true).max() <= near.within < 0.05)
"""


@pytest.mark.parametrize("isa", ["DEFAULT", "AVX2"])
@pytest.mark.parametrize("in_integers", [True, False, None])
def test_cosines_are_as_near_as_said_also_without_vnni(isa, in_integers):
    """On a processor without VNNI, products of large entries saturate."""
    done = subprocess.run(
        [sys.executable, "-c", NEAREST.format(in_integers=in_integers)],
        capture_output=True, text=True, check=True,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa},
    )  # fmt: skip
    assert done.stdout == "True\n"


def test_both_ways_find_the_same_pairs_where_integers_are_exact():
    if coarse_int8.greatest_exact_entry(384) != 127:
        pytest.skip("this processor saturates products of 8-bit integers: the scales differ")
    rows = np.random.default_rng(1).normal(size=(3000, 384))
    stored = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    one, other = (
        CoarseTexts(stored, np.arange(3000), 50, in_integers=each).nearest(floats(stored[:100]))
        for each in (True, False)
    )
    assert (one.at == other.at).all()
    assert (one.columns == other.columns).all()
    np.testing.assert_allclose(one.cosine, other.cosine, rtol=1e-6)


@pytest.mark.usefixtures("few_are_enough")
def test_lists_are_the_same_whichever_is_faster_here(monkeypatch, build, tmp_path):
    written = []
    with opened_index(build(many(700)).index) as index:
        for in_integers in (True, False):
            monkeypatch.setattr(
                coarse_int8, "integers_are_faster", lambda _, each=in_integers: each
            )
            related(index, tmp_path / "x.jsonl", 10, force=True)
            written.append((tmp_path / "x.jsonl").read_bytes())
    assert written[0] == written[1]
    assert written[0].count(b"\n") > 5000
