"""Cleaning of registry text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.records.text import clean_text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (r"Age \> 18 and \<65 \[years\]", "Age > 18 and <65 [years]"),
        (r"less than \&lt;30% of β-cells", "less than <30% of β-cells"),
        (r"8\. The eighth\~ item", "8. The eighth~ item"),
        ("two\r\n\r\nparagraphs\u00a0and\ttabs", "two paragraphs and tabs"),
        ("zero\u200bwidth, bell\x07 and \ufffd", "zerowidth, bell and"),
        ("iron\x07pills\x0b\x1ffor\x90children \x1b\x1b", "iron pills for children"),
        ("n\0u\0l\0", "nul"),
        ("TNF-\uf061 \uf0b3 2 \uf06dg, NF-\uf06bB\uf0ff", "TNF-α ≥ 2 μg, NF-κB"),
        ("Ménière, naïve, ≥ 2 µg", "Ménière, naïve, ≥ 2 µg"),
    ],
)
def test_markup_text_reads_as_written(raw, clean):
    assert clean_text(raw, markup=True) == clean


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Alzheimer&Amp;Amp;#39;s Disease", "Alzheimer's Disease"),
        ("37 &degrees;C and 37 &deg;C", "37 &degrees;C and 37 °C"),
        ("&amp;amp;amp;amp;lt; 5", "< 5"),
        ("R&amp;D at &#x41;T&T; &unknown;", "R&D at AT&T; &unknown;"),
        (r"a back\-slash stays", r"a back\-slash stays"),
    ],
)
def test_plain_text_has_entities_and_no_markdown(raw, clean):
    assert clean_text(raw) == clean


@pytest.mark.parametrize(
    "filler",
    [None, "", "  ", "Not Provided", "[Not Provided]", "N/A", "none", "[Redacted]",
     "[Trial of device that is not approved or cleared by the U.S. FDA]"],
)  # fmt: skip
def test_fillers_are_removed(filler):
    assert clean_text(filler) == ""


def test_a_filler_within_a_sentence_stays():
    assert clean_text("None of them was not provided") == "None of them was not provided"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Co"])))
def test_cleaning_plain_text_keeps_every_letter(text):
    letters = [c for c in __import__("unicodedata").normalize("NFC", text) if c.isalpha()]
    if "&" not in text and clean_text(text):
        assert [c for c in clean_text(text) if c.isalpha()] == letters


pieces = st.lists(
    st.text(max_size=5)
    | st.sampled_from(["&", "amp;", "&lt;", "#39;", "\\", "\u200b", "  ", "&Amp;"])
).map("".join)


@given(pieces, st.booleans())
def test_cleaning_clean_text_changes_nothing(text, markup):
    """Only the first pass resolves Markdown; the reader knows which fields have it."""
    once = clean_text(text, markup=markup)
    assert clean_text(once) == once


@given(st.text())
def test_cleaning_never_lengthens_except_by_normalisation(text):
    """Only Unicode normalisation can lengthen a text."""
    import unicodedata

    assert len(clean_text(text, markup=True)) <= len(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize("markup", [True, False])
def test_a_text_of_megabytes_is_cut(markup):
    assert clean_text("iron " * 8_000_000, markup=markup) == ("iron " * 20_000).strip()
    assert clean_text("x" * 99_999) == "x" * 99_999
