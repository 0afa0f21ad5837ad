"""Which NCT ID of an index a mistyped one means: one reading, or none is offered."""

import pytest
from asking import asked

from simsearch.errors import NctIdError
from simsearch.index.mistyped import meant

HERE = ["NCT00137046", "NCT01370460", "NCT01370466", "NCT03540472", "NCT07000001"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("NCT0137046O", "NCT01370460"),
        ("NCTO1370460", "NCT01370460"),
        ("NCT0l37046O", "NCT01370460"),
        ("NCT0137 0460", "NCT01370460"),
        ("NCT01370.460", "NCT01370460"),
        ("NCT013704b0", "NCT01370460"),
        ("1370460", "NCT01370460"),
        ("NCT035404722", "NCT03540472"),
        ("NTC03540472", "NCT03540472"),
        ("NCT0700001x", "NCT07000001"),
        ("NCT0137046x", ""),  # two are as near
        ("iron", ""),
        ("", ""),
        ("NCT", ""),
    ],
)
def test_one_reading_is_offered_and_several_are_not(typed, expected):
    assert meant(typed, HERE) == expected


@pytest.mark.parametrize("typed", ["NCT0000010O", "NCT0000 0101", "NCT00000.101", "NCT000001o1"])
def test_a_mistyped_id_never_answers_for_another_study(six, typed):
    """Up to eight digits before a slip were once read as the short number of another study."""
    with pytest.raises(NctIdError):
        asked(six, typed)
    with pytest.raises(NctIdError):
        asked(six, "NCT00000101", unlike=typed)
