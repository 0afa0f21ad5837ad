"""Pools for readers: what is in them, what is not, and how what comes back is counted."""

import json
import re

import pytest
from conftest import SIX, record
from judging import TableRanker
from test_evaluate import command, loaded  # noqa: F401 - fixtures

from simsearch.errors import ArgumentError, JudgedSetError
from simsearch.evaluation.agreement import agreements, enlarged
from simsearch.evaluation.corpus import Corpus
from simsearch.evaluation.judged import Qrels
from simsearch.evaluation.pool import (
    Tens,
    check_new_folder,
    pool_of,
    unjudged_pairs,
    unjudged_shares,
    write_pool,
)
from simsearch.evaluation.selection import select_qrels
from simsearch.index.opened import opened_index

IDS = [f"NCT0000010{number}" for number in range(1, 7)]
MANY = [
    record(f"NCT000003{number:02d}", f"Iron {number}", ["Anemia"], [("DRUG", "Iron")])
    for number in range(30)
]
QUERY = "NCT00000300"


@pytest.fixture
def many(build) -> Corpus:
    return Corpus(opened_index(build(MANY).index))


def ranker(first: int, name: str) -> TableRanker:
    """Return a ranker whose ten for row 0 are the rows from `first` on."""
    return TableRanker({0: [float(row >= first) * (30 - row) for row in range(30)]}, name)


def pairs_in(text: str) -> list[str]:
    query, *candidates = re.findall(r"^(NCT\d{8}) \|", text, re.MULTILINE)
    return [f"{query} {each}" for each in candidates]


def test_a_pool_has_the_ten_of_each_ranker_less_what_is_judged(many):
    tens = Tens(many, [ranker(1, "a"), ranker(8, "b")])
    judged = Qrels("q", {QUERY: {"NCT00000302": 3, "NCT00000312": 0, "NCT00000329": 1}})
    found = unjudged_pairs([judged], many, tens)
    assert found == {0: [row for row in range(1, 18) if row not in (2, 12)]}


def test_a_query_whose_ten_are_judged_has_no_page(many):
    judged = Qrels("q", {QUERY: {many.ids[row]: 1 for row in range(1, 11)}})
    assert unjudged_pairs([judged], many, Tens(many, [ranker(1, "a")])) == {}


def test_judgements_of_all_sets_count(many):
    sets = [Qrels("q", {QUERY: {many.ids[row]: 1}}) for row in range(1, 10)]
    assert unjudged_pairs(sets, many, Tens(many, [ranker(1, "a")])) == {0: [10]}


def test_queries_are_drawn_by_lot(many):
    table = TableRanker({row: [1.0] * 30 for row in range(30)})
    judged = Qrels("q", {nct_id: {QUERY: 1} for nct_id in many.ids[5:]})
    drawn = [
        tuple(unjudged_pairs([judged], many, Tens(many, [table]), 4, seed)) for seed in (0, 0, 1)
    ]
    assert len(drawn[0]) == 4
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_share_unjudged_counts_the_ten_of_the_whole_index(many):
    judged = Qrels("q", {QUERY: {"NCT00000302": 3, "NCT00000329": 1}})
    selection = select_qrels(judged, many, complete=True)
    shares = unjudged_shares(selection, Tens(many, [ranker(1, "a"), ranker(8, "b")]))
    assert {name: values.tolist() for name, values in shares.items()} == {"a": [0.9], "b": [1.0]}


def test_every_pair_is_read_once_and_a_share_twice(many):
    pool = pool_of({0: range(1, 16), 20: range(21, 26)}, many, twice=0.25)
    parts = {
        folder: [
            pair for name, text in pool.files.items() if folder in name for pair in pairs_in(text)
        ]
        for folder in ("first/", "second/")
    }
    assert sorted(parts["first/"]) == sorted(
        f"{many.ids[query]} {many.ids[row]}"
        for query, rows in ((0, range(1, 16)), (20, range(21, 26)))
        for row in rows
    )
    assert len(set(parts["second/"])) == 5 == pool.n_twice
    assert set(parts["second/"]) < set(parts["first/"])


def test_the_same_seed_gives_the_same_bytes_and_another_another_order(many):
    first, again, other = (pool_of({0: range(1, 16)}, many, seed=seed).files for seed in (0, 0, 1))
    assert first == again
    assert first["first/q001.txt"] != other["first/q001.txt"]
    assert sorted(pairs_in(first["first/q001.txt"])) == sorted(pairs_in(other["first/q001.txt"]))


def test_candidates_are_not_in_the_order_of_ranks_or_ids(many):
    shown = pairs_in(pool_of({0: range(1, 16)}, many).files["first/q001.txt"])
    assert shown not in (sorted(shown), sorted(shown, reverse=True))


def test_a_text_cannot_forge_a_line_or_a_column(build):
    evil = record("NCT00000107", "Iron | pills", ["A\nB"], [], "One.\n\nNCT00000999 | forged\u202e")
    corpus = Corpus(opened_index(build([*SIX, evil]).index))
    page = pool_of({0: [6]}, corpus).files["first/q001.txt"]
    head, query, blank, heading, line, end = page.split("\n")
    assert (head, blank, heading, end) == ("QUERY", "", "CANDIDATES", "")
    assert query.startswith("NCT00000101 | ")
    assert line.count(" | ") == 5
    assert "\u202e" not in page


def test_a_line_has_the_parts_of_a_study(build):
    drugs = [("DRUG", "Iron"), ("", "Rest"), ("DIETARY_SUPPLEMENT", "Kale")]
    built = build([*SIX, record("NCT00000107", "Iron or rest", ["Anemia", "ACD"], drugs, "Why.")])
    page = pool_of({0: [6]}, Corpus(opened_index(built.index))).files["first/q001.txt"]
    line = page.splitlines()[-1]
    given = "Iron (drug); Rest; Kale (dietary supplement)"
    assert line.startswith("NCT00000107 | Iron or rest | ")
    assert line.endswith(f" | Anemia; ACD | {given} | Why.")


def test_a_pool_is_not_written_over_anything(many, tmp_path):
    pool = pool_of({0: [1]}, many)
    write_pool(pool, tmp_path / "new")
    before = (tmp_path / "new" / "guide.md").read_bytes()
    with pytest.raises(ArgumentError, match="a new or an empty folder"):
        write_pool(pool, tmp_path / "new")
    assert (tmp_path / "new" / "guide.md").read_bytes() == before
    (tmp_path / "empty").mkdir()
    write_pool(pool, tmp_path / "empty")
    assert (tmp_path / "empty" / "first" / "q001.txt").is_file()
    with pytest.raises(ArgumentError, match="a new or an empty folder"):
        check_new_folder(tmp_path / "new" / "guide.md")


def test_a_pool_that_cannot_be_written_leaves_nothing(many, tmp_path):
    with pytest.raises(ArgumentError, match="a folder to write"):
        write_pool(pool_of({0: [1]}, many), tmp_path / "none" / "new")
    assert {each.name for each in tmp_path.iterdir()} == {"index", "records.jsonl"}


def reading(name: str, *grades: int) -> Qrels:
    return Qrels(name, {QUERY: dict(zip(IDS, grades, strict=False))})


def test_agreement_of_two_readings_by_hand():
    (found,) = agreements([], [reading("a", 3, 2, 0, 1), reading("b", 3, 1, 0, 0)])
    assert (found.one, found.other, found.n_pairs) == ("a", "b", 4)
    assert (found.equal, found.equal_clear) == (0.5, 0.75)
    # 1 - observed / expected squared distances: (0+1+0+1)/4 over their mean over all 16 crossings
    crossed = sum((a - b) ** 2 for a in (3, 2, 0, 1) for b in (3, 1, 0, 0)) / 16
    assert found.kappa == pytest.approx(1 - 0.5 / crossed)


def test_kappa_counts_the_distance_of_grades_that_nobody_gave():
    (found,) = agreements([], [reading("a", 0, 3, 3, 2), reading("b", 0, 3, 2, 3)])
    crossed = sum((a - b) ** 2 for a in (0, 3, 3, 2) for b in (0, 3, 2, 3)) / 16
    assert found.kappa == pytest.approx(1 - 0.5 / crossed)


def test_kappa_is_unknown_where_all_grades_are_one():
    (found,) = agreements([], [reading("a", 2, 2), reading("b", 2, 2)])
    assert (found.equal, found.kappa) == (1, None)


def test_readings_without_a_pair_in_common_are_not_compared():
    assert agreements([Qrels("s", {IDS[0]: {IDS[1]: 1}})], [reading("a", 3)]) == []


def test_a_set_is_compared_as_well():
    found = agreements([reading("set", 3, 2)], [reading("a", 3), reading("b", 3, 0)])
    assert [(each.one, each.other, each.n_pairs) for each in found] == [
        ("set", "a", 1), ("set", "b", 2), ("a", "b", 1)
    ]  # fmt: skip


def test_a_pair_keeps_the_grade_of_the_set_then_of_the_first_reading():
    (found,) = enlarged([reading("set", 3)], [reading("a", 0, 1), reading("b", 2, 2, 2)])
    assert found.name == "set and 2 more judgements"
    assert found.grades == {QUERY: dict(zip(IDS, (3, 1, 2), strict=False))}


def test_a_reading_that_adds_nothing_leaves_the_set_as_it_is():
    judged = reading("set", 3)
    assert enlarged([judged], [reading("a", 0)]) == [judged]


@pytest.mark.parametrize(
    ("judged", "read", "said"),
    [
        (reading("set", 3), reading("a", 3, 4), "gives NCT00000102 grade 4"),
        (reading("set", 3), Qrels("a", {IDS[0]: {IDS[1]: 1}}), "query of no --qrels"),
        (reading("set", 7), reading("a", 0, 1), "gives NCT00000101 grade 7"),
    ],
)
def test_judgements_that_do_not_fit_are_refused(judged, read, said):
    with pytest.raises(JudgedSetError, match=said):
        enlarged([judged], [read])


@pytest.fixture
def graded(command, tmp_path):  # noqa: F811
    """A graded pool of one query with two of its five others judged."""
    (tmp_path / "graded.tsv").write_text(
        "NCT00000101\tNCT00000102\t3\nNCT00000101\tNCT00000105\t0\n"
    )
    return command


QUIET = ("--qrels", "graded.tsv", "--sample", "0", "--system", "simsearch", "-q")


def test_from_a_pool_to_a_larger_set(graded, tmp_path):
    assert graded("--qrels", "graded.tsv", "--pool", "pool.d", "--rankers", "simsearch,bm25") == ""
    pool = tmp_path / "pool.d"
    (page,) = (pool / "first").iterdir()
    pairs = pairs_in(page.read_text())
    assert sorted(pairs) == [f"NCT00000101 NCT0000010{number}" for number in (3, 4, 6)]
    shown = "".join(each.read_text() for each in pool.rglob("*.*"))
    assert not re.search(r"simsearch|bm25|rank \d", shown)
    for name, which in (("first", pairs), ("second", pairs[:2])):
        (tmp_path / f"{name}.tsv").write_text(
            "".join("{}\t{}\t{}\n".format(*each.split(), 2) for each in which)
        )
    back = ("--judged", "first.tsv", "--judged", "second.tsv")
    before, after = (json.loads(graded(*QUIET, *more, "-f", "json")) for more in ((), back))
    assert before["judged_sets"][0]["systems"][0]["unjudged"] == pytest.approx(3 / 5)
    assert after["judged_sets"][0]["systems"][0]["unjudged"] == 0
    assert after["judged_sets"][0]["name"] == "graded.tsv and 3 more judgements"
    assert after["agreements"] == [
        {"one": "first.tsv", "other": "second.tsv", "n_pairs": 2, "equal": 1.0,
         "equal_clear": 1.0, "kappa": None},
    ]  # fmt: skip
    assert "Two readings of the same pairs" in graded(*QUIET, *back)


def test_the_table_and_the_csv_have_the_share_unjudged(graded):
    assert re.search(r"P@10 +unjudged", graded(*QUIET))
    assert "simsearch,unjudged,0.600000" in graded(*QUIET, "-f", "csv")


def test_a_set_of_another_kind_has_no_share_unjudged(command):  # noqa: F811
    words = ("--qrels", "qrels.txt", "--sample", "0", "--no-baselines", "-q")
    assert "unjudged" not in command(*words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pool", "p.d", "--groups", "groups.tsv"), "--pool goes with --qrels"),
        (("--judged", "qrels.txt"), "--judged goes with --qrels"),
        (("--seed", "3", "--qrels", "qrels.txt"), "go with --pool"),
        (("--pool", "p.d", "--qrels", "qrels.txt", "--system", "bm25"), "--system does not go"),
        (("--pool", "p.d", "--qrels", "qrels.txt", "--rankers", "x"), "it must be one of"),
        (("--pool", "groups.tsv", "--qrels", "qrels.txt"), "a new or an empty folder"),
    ],
)
def test_options_that_do_not_fit_are_refused(command, tmp_path, words, said):  # noqa: F811
    assert said in command(*words, exit_code=2)
    assert not (tmp_path / "p.d").exists()
