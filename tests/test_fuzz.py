"""Damaged sources of every form give a result or one of our own errors, never a crash.

Longer runs: tests/fuzz/fuzz_readers.py.
"""

import pytest
from forms import FORMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsearch import Study, read_studies
from simsearch.errors import SimsearchError


@pytest.mark.parametrize("form", FORMS)
def test_the_seeds_can_be_read(tmp_path, form):
    path = tmp_path / "r"
    path.write_bytes(FORMS[form])
    assert any(isinstance(outcome, Study) for outcome in read_studies(path))


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(FORMS)),
    st.lists(
        st.tuples(st.integers(0, 5000), st.integers(0, 40), st.binary(max_size=20)),
        min_size=1, max_size=4,
    ),
)  # fmt: skip
def test_damage_gives_a_result_or_our_own_error(tmp_path_factory, form, changes):
    """Each change replaces some bytes at a position with others; an error is one line."""
    content = FORMS[form]
    for at, length, new in changes:
        start = at % (len(content) + 1)
        content = content[:start] + new + content[start + length :]
    path = tmp_path_factory.mktemp("fuzz") / "r"
    path.write_bytes(content)
    try:
        for outcome in read_studies(path):
            assert isinstance(outcome, Study) or "\n" not in str(outcome)
    except SimsearchError as error:
        assert "\n" not in str(error)
