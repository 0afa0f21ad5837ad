"""Judged sets in every layout, and files that are refused."""

from pathlib import Path

import pytest

from simsearch.errors import JudgedSetError
from simsearch.evaluation.judged import Groups, Qrels, read_groups, read_judged, read_qrels


@pytest.fixture
def file(tmp_path):
    def _file(text: str) -> Path:
        path = tmp_path / "judged.txt"
        path.write_text(text, encoding="utf-8")
        return path

    return _file


GROUPS = Groups("judged.txt", {"R1": ("NCT00000101", "NCT00000102"), "R2": ("NCT00000103",)})
QRELS = Qrels("judged.txt", {"NCT00000101": {"NCT00000102": 1, "NCT00000103": 0}})


@pytest.mark.parametrize("separator", ["\t", ",", "  ", ", "])
@pytest.mark.parametrize("header", ["", "review_id{}nct_id\n"])
def test_groups_are_read(file, separator, header):
    lines = ["R1{}NCT00000101", "R1{}NCT00000102", "R2{}NCT00000103"]
    text = header + "\n".join(lines) + "\n"
    assert read_judged(file(text.replace("{}", separator))) == GROUPS


@pytest.mark.parametrize("separator", ["\t", ",", " "])
@pytest.mark.parametrize("header", ["", "query_id{}study_id{}grade\n"])
def test_qrels_are_read(file, separator, header):
    text = header + "NCT00000101{}NCT00000102{}1\nNCT00000101{}NCT00000103{}0"
    assert read_judged(file(text.replace("{}", separator))) == QRELS


def test_the_four_columns_of_trec_are_read(file):
    assert read_judged(file("NCT00000101 0 NCT00000102 1\nNCT00000101 0 NCT00000103 0")) == QRELS


def test_ids_are_read_in_any_spelling(file):
    assert read_qrels(file("nct00000101,NCT 00000102,1\nNCT00000101, nct00000103 ,0")) == QRELS


def test_the_highest_and_the_lowest_grade_are_read(file):
    text = "NCT00000101 NCT00000102 1000000\nNCT00000101 NCT00000103 -1000000"
    assert read_qrels(file(text)).grades == {
        "NCT00000101": {"NCT00000102": 1_000_000, "NCT00000103": -1_000_000}
    }


def test_a_group_name_may_hold_blanks_and_commas(file):
    assert read_groups(file('"Iron, in pills",NCT00000101')).members == {
        "Iron, in pills": ("NCT00000101",)
    }


def test_blank_lines_comments_and_a_byte_order_mark_are_skipped(file):
    text = "\ufeff# judged by hand\n\nR1\tNCT00000101\n\nR1\tNCT00000102\nR2\tNCT00000103\n\n"
    assert read_judged(file(text)) == GROUPS


def test_a_repeated_judgement_counts_once(file):
    assert read_judged(file("R1 NCT00000101\nR1 nct00000101")).members == {"R1": ("NCT00000101",)}
    twice = "NCT00000101 NCT00000102 1\n" * 2
    assert read_judged(file(twice)).grades == {"NCT00000101": {"NCT00000102": 1}}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 0, "has no judgements"),
        ("review_id\tnct_id\n", 0, "has no judgements"),
        ("R1\n", 1, "has 1 column: "),
        ("a,b,c,d,1\n", 1, "has 5 columns"),
        ("R1 NCT00000101\nR1 NCT00000102 1\n", 2, "has 3 columns where the first line has 2"),
        ("R1 NTC00000101\n", 1, "'NTC00000101' is not an NCT ID"),
        ("review_id nct_id\nR1 none\n", 2, "'none' is not an NCT ID"),
        ("R1 NCT00000101\nR1 NCT0000010\n", 2, "'NCT0000010' has 7 of the 8 digits of an NCT ID"),
        ("NCT00000101 NCT102 1\n", 1, "'NCT102' has 3 of the 8 digits of an NCT ID"),
        (",NCT00000101\n", 1, "has no group"),
        ("NCT00000101 NCT00000102 high\n", 1, "grade 'high' is not a whole number"),
        (f"NCT00000101 NCT00000102 1\nNCT00000101 NCT00000103 1{'0' * 400}\n", 2,
         "grade '1000.*…' is not a whole number from -1,000,000 to 1,000,000"),
        ("NCT00000101 NCT00000102 -1000001\n", 1, "grade '-1000001' is not a whole number from"),
        (f"R1,NCT00000101\n{'R' * 131_073},NCT00000102\n", 2, "field larger than field limit"),
        ("NCT00000101 NCT00000102 1\nNCT00000101 NCT00000102 0\n", 2,
         "gives NCT00000102 grade 0 for NCT00000101, and an earlier line gives 1"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_line(file, text, line, reason):
    with pytest.raises(JudgedSetError, match=reason) as caught:
        read_judged(file(text))
    assert caught.value.line == line
    assert "judged.txt" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_the_other_kind_is_refused(file):
    with pytest.raises(JudgedSetError, match=r"holds qrels, not groups$"):
        read_groups(file("NCT00000101 NCT00000102 1"))
    with pytest.raises(JudgedSetError, match=r"holds groups, not qrels$"):
        read_qrels(file("R1 NCT00000101"))


def test_a_missing_file_and_a_binary_file_are_refused(tmp_path):
    with pytest.raises(JudgedSetError, match="No such file"):
        read_judged(tmp_path / "none.tsv")
    (tmp_path / "bytes").write_bytes(b"R1\t\xff\xfe")
    with pytest.raises(JudgedSetError, match="is not UTF-8 text"):
        read_judged(tmp_path / "bytes")
