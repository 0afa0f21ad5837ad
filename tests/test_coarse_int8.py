"""Approximate cosines of many texts in 8-bit integers."""

import os
import subprocess
import sys

import pytest

NEAREST = """
import numpy as np
from simsearch.related.coarse_int8 import CoarseTexts, floats

signs = np.random.default_rng(0).choice([-1, 1], (600, 64))
stored = (signs / 8).astype(np.float16)  # all entries are as great as the greatest
near = CoarseTexts(stored, np.arange(600), 20).nearest(floats(stored[:40]))
true = (floats(stored[:40]) @ floats(stored).T)[near.at, near.columns]
assert true.max() == 1
print(np.abs(near.cosine - true).max() <= near.within < 0.05)
"""


@pytest.mark.parametrize("isa", ["DEFAULT", "AVX2"])
def test_cosines_are_as_near_as_said_also_without_vnni(isa):
    """On a processor without VNNI, products of large entries saturate."""
    done = subprocess.run(
        [sys.executable, "-c", NEAREST], capture_output=True, text=True, check=True,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa},
    )  # fmt: skip
    assert done.stdout == "True\n"
