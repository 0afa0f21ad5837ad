"""A review's folder, the studies to screen next, and where the review stands."""

import json
import re
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import SIX, record
from typer.testing import CliRunner

from simsearch.cli.main import app
from simsearch.errors import ArgumentError, NctIdError, ReviewBusyError, ReviewError
from simsearch.index.lock import folder_lock
from simsearch.output.formats import View, write
from simsearch.output.review_chart import gain_curve
from simsearch.review import SUPPLEMENT, folder, stopping
from simsearch.review.folder import begin_review, open_review
from simsearch.review.ranking import pull, scored
from simsearch.review.standing import standing
from simsearch.review.status import screened, status_of
from simsearch.review.upcoming import asked_of, upcoming

PILLS, DROPS, MARROW, IRON, KNEE, KNEE_CHILDREN = (f"NCT0000010{n}" for n in range(1, 7))


@pytest.fixture
def review(tmp_path):
    return begin_review(tmp_path / "rv", {PILLS: "include"}, by="a test", question="Aplasia?")


def ids(found):
    return [each.study.nct_id for each in found.suggestions]


def test_a_review_is_what_its_files_say(review, six):
    review.decide({DROPS: "include", KNEE: "exclude", IRON: "undecided"}, by="Ann")
    again = open_review(review.path)
    assert again.settings == review.settings
    assert again.settings.question == "Aplasia?"
    assert {nct_id: each.decision for nct_id, each in again.current().items()} == {
        PILLS: "include", DROPS: "include", KNEE: "exclude", IRON: "undecided",
    }  # fmt: skip
    assert [each.by for each in again.decisions()] == ["a test", "Ann", "Ann", "Ann"]


def test_a_decision_is_a_line_and_earlier_ones_stay_as_they_are(review):
    before = (review.path / "decisions.jsonl").read_bytes()
    review.decide({PILLS: "exclude"}, by="Ann")
    after = (review.path / "decisions.jsonl").read_bytes()
    assert after.startswith(before)
    assert len(after.splitlines()) == len(before.splitlines()) + 1
    assert review.current()[PILLS].decision == "exclude"


def test_the_same_decision_again_changes_nothing(review):
    before = (review.path / "decisions.jsonl").read_bytes()
    assert review.decide({PILLS: "include"}, by="Bob") == []
    assert (review.path / "decisions.jsonl").read_bytes() == before


def test_next_lists_the_undecided_best_first(review, six):
    assert ids(upcoming(six, review, 3))[0] == DROPS
    review.decide({DROPS: "exclude", MARROW: "undecided"}, by="Ann")
    found = ids(upcoming(six, review, 10))
    assert not {PILLS, DROPS, MARROW} & {*found}
    assert {*found} == {IRON, KNEE, KNEE_CHILDREN}


def test_the_same_folder_gives_the_same_bytes(review, six, tmp_path):
    one, two = (
        "".join(write("next", upcoming(six, open_review(review.path), 4, 0.25), "json", View()))
        for _ in range(2)
    )
    assert one == two


def test_what_is_listed_and_not_decided_comes_again(review, six):
    first = upcoming(six, review, 2)
    review.note_asked(asked_of(first))
    assert ids(upcoming(six, review, 2)) == ids(first)


def test_a_list_of_an_earlier_generation_is_not_continued(review, build):
    from simsearch.index.opened import opened_index
    from simsearch.review.at_hand import at_hand

    with opened_index(build(SIX).index) as index:
        review.note_asked(asked_of(upcoming(index, review, 2)))
        left = at_hand(index, review)
        assert (left.is_new, len(left.upcoming.suggestions)) == (False, 2)
    new = record("NCT00000107", "Pills again", ["Aplasia"], [("DRUG", "Pills")], "Pills.")
    with opened_index(build([*SIX, new]).index) as index:
        assert at_hand(index, review).is_new


def test_each_list_is_noted_with_its_data_and_a_decision_knows_its_list(review, six):
    review.note_asked(asked_of(upcoming(six, review, 2)))
    (asked,) = review.asked()
    assert asked.generation == six.facts.generation
    assert asked.n_studies == 6
    assert asked.shown[0] == DROPS
    review.decide({DROPS: "include", KNEE: "exclude"}, by="Ann")
    batches = {each.study: each.batch for each in review.decisions()}
    assert batches == {PILLS: 0, DROPS: 1, KNEE: 0}


def test_a_second_subject_is_served_too(build, tmp_path):
    """One study of the knee among four of aplasia: by the mean alone it would come last."""
    from simsearch.index.opened import opened_index

    records = [
        *(record(f"NCT0000020{n}", f"Pills for aplasia {n}", ["Aplasia"], [("DRUG", "Pills")],
                 "Adults with aplasia take pills.") for n in range(6)),
        record("NCT00000301", "Knee surgery", ["Knee"], [], "Surgery of the knee."),
        record("NCT00000302", "Knee surgery in children", ["Knee"], [], "Surgery of the knee."),
        *(record(f"NCT0000040{n}", "Iron for anemia", ["Anemia"], [("DRUG", "Iron")],
                 "Adults with anemia take iron.") for n in range(3)),
    ]  # fmt: skip
    index = opened_index(build(records).index)
    included = [index.row_of(each) for each in ("NCT00000200", "NCT00000201", "NCT00000301")]
    found = scored(index, included)
    order = [index.store.studies([row])[0].nct_id for row in found.rows.tolist()]
    assert order.index("NCT00000302") < 5
    at = order.index("NCT00000302")
    assert found.nearest[at] == index.row_of("NCT00000301")


def test_a_pull_is_a_mix_of_the_greatest_and_the_mean():
    similar = np.array([[0.8, 0.2], [0.2, 0.2]], dtype=np.float32)
    assert pull(similar) == pytest.approx([0.35 * 0.8 + 0.65 * 0.5, 0.2])


def test_excluded_studies_push_what_is_like_them_down(review, six):
    before = ids(upcoming(six, review, 6))
    review.decide({KNEE: "exclude"}, by="Ann")
    after = ids(upcoming(six, review, 6))
    assert after[-1] == KNEE_CHILDREN
    assert {*after} == {*before} - {KNEE}


def test_candidates_hold_what_scoring_all_brings_up_first(review, six, monkeypatch):
    from simsearch.review import ranking

    rows = [six.row_of(PILLS), six.row_of(KNEE)]
    whole = scored(six, rows)
    monkeypatch.setattr(ranking, "_ALL_PAIRS", 0)
    monkeypatch.setattr(ranking, "_CANDIDATES", 3)
    assert scored(six, rows).rows[:2].tolist() == whole.rows[:2].tolist()


def test_exploration_takes_a_share_from_further_down(review, six):
    plain = ids(upcoming(six, review, 4))
    mixed = upcoming(six, review, 4, explore=0.5)
    assert ids(mixed)[:2] == plain[:2]
    assert [each.explored for each in mixed.suggestions] == [False, False, True, True]
    with pytest.raises(ArgumentError):
        upcoming(six, review, 4, explore=0.9)


def entry(n, title, *numbers):
    """Return a record of aplasia with numbers elsewhere."""
    made = record(f"NCT0000020{n}", title, ["Aplasia"], [("DRUG", "Pills")], f"{title} again.")
    made["protocolSection"]["identificationModule"]["secondaryIdInfos"] = [
        {"id": number} for number in numbers
    ]
    return made


@pytest.fixture
def entries(build, tmp_path):
    """Yield an index and a review: 1 and 3 have one EudraCT number, 2 and 4 name each other."""
    from simsearch.index.opened import opened_index

    made = [
        entry(1, "Pills for aplasia in adults", "2012-003157-29"),
        entry(2, "Pills for aplasia in the old", "NCT00000204"),
        entry(3, "Pills for aplasia in Europe", "2012-003157-29"),
        entry(4, "Pills for aplasia, long term", "NCT00000202", "A-001"),
        entry(5, "Pills for aplasia in the young", "NCT00000204", "A-001"),
    ]
    review = begin_review(tmp_path / "rv", {PILLS: "include"}, by="a test")
    with opened_index(build([*SIX, *made]).index) as index:
        yield index, review


def test_entries_of_one_trial_are_folded(entries):
    found = upcoming(*entries, 20)
    trials = {frozenset({each.study.nct_id, *(one.nct_id for one in each.twins)})
              for each in found.suggestions}  # fmt: skip
    assert {"NCT00000201", "NCT00000203"} in trials
    assert {"NCT00000202", "NCT00000204"} in trials


def test_a_number_of_the_sponsors_own_or_named_by_one_alone_folds_nothing(entries):
    assert "NCT00000205" in ids(upcoming(*entries, 20))


@pytest.mark.parametrize("decision", ["include", "exclude", "undecided"])
def test_an_entry_of_a_decided_trial_is_marked(entries, decision):
    index, review = entries
    review.decide({"NCT00000203": decision, "NCT00000202": decision}, by="Ann")
    found = {
        each.study.nct_id: each.decided_twin for each in upcoming(index, review, 20).suggestions
    }
    twin = found["NCT00000201"]
    assert (twin.study.nct_id, twin.decision) == ("NCT00000203", decision)
    assert twin.reason == "same registration: EudraCT 2012-003157-29"
    assert found["NCT00000204"].study.nct_id == "NCT00000202"
    assert found["NCT00000205"] is None


def test_the_list_says_of_which_decided_trial_a_study_may_be_an_entry(entries):
    index, review = entries
    review.decide({"NCT00000203": "exclude"}, by="Ann")
    text = "".join(write("next", upcoming(index, review, 20), "table", View(width=200)))
    assert "perhaps one trial with NCT00000203 (excluded): same registration: EudraCT" in text


def test_the_decision_on_a_merged_study_follows_it(build, tmp_path):
    from simsearch.index.opened import opened_index

    build(SIX)
    review = begin_review(tmp_path / "rv", {PILLS: "include", KNEE: "include"}, by="a test")
    merged = [
        record(DROPS, "Drops for aplasia", ["Aplasia"], [("DRUG", "Drops")], aliases=[PILLS]),
        *SIX[2:4], SIX[5],
    ]  # fmt: skip
    index = opened_index(build(merged, allow_shrink=True, allow_moved=True).index)
    now = standing(index, review.current())
    assert now.included == (index.row_of(DROPS),)
    assert now.missing == (KNEE,)
    assert f"{PILLS} was merged into {DROPS}: its decision follows" in now.notes
    assert f"{KNEE} is not in this index: its decision, include, is kept" in now.notes
    assert DROPS not in ids(upcoming(index, review, 6))


def test_two_decisions_on_what_is_one_study_now_are_told(review, six):
    review.decide({"NCT00000901": "exclude", DROPS: "include"}, by="Ann")
    now = standing(six, review.current())
    assert six.row_of(DROPS) in now.included + now.excluded
    assert any("are one study now" in note for note in now.notes)


def test_a_review_without_an_included_study_in_the_index_says_so(tmp_path, six):
    review = begin_review(tmp_path / "x", {"NCT09999999": "include"}, by="a test")
    with pytest.raises(ReviewError, match="no included study that is in this index"):
        upcoming(six, review)


def test_a_folder_of_a_later_version_is_refused(review):
    path = review.path / "review.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ReviewError, match=r"later version of simsearch \(format 2, here 1\)"):
        open_review(review.path)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("review.json", "{", "damaged review.json"),
        ("decisions.jsonl", '{"study": "NCT00000101"}\n', "decisions.jsonl line 1"),
        ("asked.jsonl", "x\n", "asked.jsonl line 1"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(review, name, text, reason):
    (review.path / name).write_text(text)
    with pytest.raises(ReviewError, match=reason):
        found = open_review(review.path)
        found.decisions()
        found.asked()


def test_a_new_review_needs_an_empty_folder(review, tmp_path):
    with pytest.raises(ReviewError, match="holds a review already"):
        begin_review(review.path, {PILLS: "include"}, by="a test")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("x")
    with pytest.raises(ReviewError, match="is not empty"):
        begin_review(tmp_path / "other", {PILLS: "include"}, by="a test")
    with pytest.raises(ReviewError, match="not a review's folder"):
        open_review(tmp_path / "other")


def test_processes_that_write_at_once_lose_no_decision(review):
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from simsearch.review.folder import open_review
        review = open_review(Path(sys.argv[1]))
        for n in range(int(sys.argv[2]), int(sys.argv[2]) + 10):
            review.decide({f"NCT{n:08d}": "exclude"}, by="a process")
    """)

    def run(start):
        words = [sys.executable, "-c", code, str(review.path), str(start)]
        return subprocess.run(words, check=True, capture_output=True)

    with ThreadPoolExecutor(3) as several:
        list(several.map(run, (1000, 2000, 3000)))
    assert len(review.current()) == 31


def test_a_folder_that_is_being_written_for_long_is_busy(review, monkeypatch):
    monkeypatch.setattr(folder, "_WAIT", 0.05)
    with folder_lock(review.path, 0), pytest.raises(ReviewBusyError) as caught:
        review.decide({DROPS: "include"}, by="Ann")
    assert caught.value.exit_code == 75


def test_status_counts_what_lists_brought(review, six):
    review.note_asked(asked_of(upcoming(six, review, 6)))
    review.decide({DROPS: "include", KNEE: "exclude", IRON: "undecided"}, by="Ann")
    status = status_of(six, review)
    assert (status.n_known, status.n_known_included) == (1, 1)
    assert (status.n_screened, status.n_kept) == (2, 1)
    assert (status.n_included, status.n_excluded, status.n_undecided) == (2, 1, 1)
    assert status.curve == (1,)
    assert status.lists == "1 list, of records to 2021-05-06"


def test_a_study_decided_twice_stands_where_it_was_decided_first(review, six):
    review.note_asked(asked_of(upcoming(six, review, 6)))
    review.decide({DROPS: "exclude"}, by="Ann")
    review.decide({KNEE: "exclude"}, by="Ann")
    review.decide({DROPS: "include"}, by="Ann")
    assert screened(review.decisions()) == [True, False]


def test_a_run_of_fifty_meets_the_rule():
    assert not stopping.run_rule([True, *[False] * 49]).met
    assert stopping.run_rule([True, *[False] * 50]).met


def test_a_knee_is_as_sharp_as_its_slopes():
    """10 relevant among the first 10, then none of 2,000: 1 against 1 of 2,000."""
    rule = stopping.knee_rule([True] * 10 + [False] * 2000)
    assert rule.value == pytest.approx(2000)
    assert (rule.bound, rule.met) == (146, True)
    assert not stopping.knee_rule([True] * 10 + [False] * 100).met
    assert not stopping.knee_rule([]).met


@pytest.mark.parametrize(("k", "n"), [(0, 100), (3, 100), (50, 100), (100, 100), (1, 7)])
def test_the_interval_of_a_share_is_clopper_and_pearsons(k, n):
    from scipy.stats import binomtest

    expected = binomtest(k, n).proportion_ci(0.95, "exact")
    assert stopping.clopper_pearson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_what_may_be_left_is_an_interval_and_no_promise():
    left = stopping.left([True] * 5 + [False] * 200)
    assert (left.n, left.most) == (50, 4)  # 1 - .025 ** (1 / 50) is .071
    assert "may be relevant" in left.line
    assert stopping.left([True] * 5).line == "unknown before 20 studies are screened"


@pytest.fixture
def cli(tmp_path, build, monkeypatch):
    build(SIX)
    monkeypatch.chdir(tmp_path)

    def run(*words):
        return CliRunner().invoke(app, ["review", *words], catch_exceptions=False)

    return run


def test_the_command_from_included_to_status(cli, tmp_path):
    (tmp_path / "included.txt").write_text("NCT101\nnct00000104\n")
    done = cli("new", "rv", "--included", "included.txt", "--excluded", "NCT105")
    assert done.exit_code == 0
    assert "Included  2" in done.output
    assert SUPPLEMENT in cli("next", "rv", "-k", "3").output
    assert cli("keep", "rv", "NCT102", "--by", "Ann").output.startswith("Decided  1\n")
    cli("drop", "rv", "NCT106")
    cli("later", "rv", "NCT103")
    shown = json.loads(cli("status", "rv", "-f", "json").output)
    assert (shown["n_included"], shown["n_excluded"], shown["n_undecided"]) == (3, 2, 1)
    assert shown["supplement"] == SUPPLEMENT
    assert cli("next", "rv", "-f", "ids").output == ""


def test_a_user_without_a_login_name_decides_too(cli, tmp_path, monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 4711")

    cli("new", "rv", "--included", "NCT101")
    monkeypatch.setattr("getpass.getuser", nameless)
    assert cli("keep", "rv", "NCT102").exit_code == 0
    assert open_review(tmp_path / "rv").decisions()[-1].by == "unknown"


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown", "ids", "ris", "asreview"])
def test_the_list_in_every_format(cli, form):
    cli("new", "rv", "--included", "NCT101")
    output = cli("next", "rv", "-k", "2", "-f", form).output
    assert "NCT00000102" in output
    assert "NCT00000105" not in output
    if form in {"table", "json", "markdown", "ris", "asreview"}:
        assert "supplements a search of the registry" in output


def test_a_mistyped_number_decides_nothing(cli, tmp_path):
    cli("new", "rv", "--included", "NCT101")
    before = (tmp_path / "rv" / "decisions.jsonl").read_bytes()
    with pytest.raises(NctIdError):
        cli("keep", "rv", "NCT102", "NCT0000010Z")
    assert (tmp_path / "rv" / "decisions.jsonl").read_bytes() == before


def test_one_study_cannot_be_included_and_excluded(cli, tmp_path):
    with pytest.raises(ArgumentError):
        cli("new", "rv", "--included", "NCT101", "--excluded", "NCT00000101")
    assert not (tmp_path / "rv").exists()


def test_of_many_excluded_studies_those_most_like_the_included_push(review, six, monkeypatch):
    from simsearch.review import ranking

    monkeypatch.setattr(ranking, "MAX_EXCLUDED", 1)
    included, far, near = ([six.row_of(each)] for each in (PILLS, KNEE, DROPS))
    both, only_near = (
        scored(six, included, excluded).scores.max() for excluded in (far + near, near)
    )
    assert both == only_near
    assert scored(six, included, far).scores.max() != only_near


def test_what_is_typed_or_comes_with_a_folder_steers_no_terminal(tmp_path):
    review = begin_review(
        tmp_path / "r", {"NCT00000101": "include"}, question="iron\x1b[31m?", by="A\x1b]0;x\nB"
    )
    assert review.settings.question == "iron [31m?"
    assert review.decisions()[0].by == "A ]0;x B"
    settings = tmp_path / "r" / "review.json"
    settings.write_text(settings.read_text().replace("iron", "\\u009biron"))
    assert open_review(tmp_path / "r").settings.question == "iron [31m?"


def test_a_damaged_line_is_named_with_what_to_do(review):
    with (review.path / "decisions.jsonl").open("a") as file:
        file.write("garbage\n")
    with pytest.raises(ReviewError, match=r"decisions.jsonl line 2: .*; mend it or delete it"):
        review.decisions()


def test_the_curve_goes_through_what_was_kept_of_each_ten():
    svg = gain_curve((3, 1, 0), 25, 10)
    dots = re.findall(r'<circle[^>]*cx="([^"]+)" cy="([^"]+)"', svg)
    (x1, y1), (x2, y2), (x3, y3) = ((float(x), float(y)) for x, y in dots)
    assert (x3 - x2) / (x2 - x1) == pytest.approx(0.5, abs=0.01)
    assert y1 > y2 == y3
    assert "4 kept of 25 screened" in svg
    assert gain_curve((), 0, 10) == ""
