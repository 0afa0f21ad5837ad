"""The changes among the neighbours of a watched study."""

import pytest
from conftest import SIX, WordEncoder, record

from simsearch import Filters, Study
from simsearch.diff.changes import compare
from simsearch.diff.watch import Watch, is_known, watched_change, watched_changes
from simsearch.errors import ArgumentError, FilterError, UnknownStudyError
from simsearch.search import resolve

PILLS, DROPS, MARROW, IRON, KNEE, CHILDREN = SIX
WATCHED = "NCT00000101"  # pills for aplasia; its two nearest are drops and iron pills


@pytest.fixture
def after(build):
    """Build the six and then other records; return the comparison."""

    def _after(records, old=SIX, **options):
        build(old)
        return compare(build(records, allow_shrink=True, **options).index)

    return _after


def changes(both, nct_id=WATCHED, k=2):
    """Return event, NCT ID, rank and why of each change among the neighbours."""
    return [
        (each.event, each.neighbour.study.nct_id, each.neighbour.rank, each.why)
        for each in watched_change(both, nct_id, k).neighbours
    ]


def without(number):
    return [each for each in SIX if each is not SIX[number - 101]]


def changed(number, *args, **fields):
    """Return the six, one of them as another record."""
    new = record(f"NCT00000{number}", *args, **fields)
    return [new if each is SIX[number - 101] else each for each in SIX]


TWIN = record(
    "NCT00000107", "Pills for aplasia", ["Aplasia"], [("DRUG", "Pills")],
    "Adults with aplasia take pills.", status="RECRUITING",
)  # fmt: skip


def test_where_nothing_changed_there_is_nothing_to_tell(after):
    assert not watched_change(after(SIX), WATCHED)


def test_a_new_study_comes_with_its_reason_and_pushes_another_out(after):
    both = after([*SIX, TWIN])
    assert changes(both) == [
        ("new", "NCT00000107", 1, "new in the index"),
        ("left", "NCT00000104", 2, "moved down after NCT00000107 came"),
    ]
    came, _ = watched_change(both, WATCHED, 2).neighbours
    assert came.reason == "same condition: Aplasia"
    assert came.neighbour.similarity == 1


def test_a_study_that_has_gone_leaves_its_place_to_the_next(after):
    event, left = changes(after(without(102)))
    assert event == ("new", "NCT00000103", 1, "moved up after NCT00000102 left")
    assert left == ("left", "NCT00000102", 1, "left the index")


def test_a_neighbour_that_was_merged_says_into_which(after):
    merged = record(
        "NCT00000106", "Knee surgery in children", ["Knee"], [], "Surgery of the knee in children.",
        aliases=["NCT00000102"],
    )  # fmt: skip
    assert ("left", "NCT00000102", 1, "merged into NCT00000106") in changes(
        after([*SIX[:5], merged])
    )


def test_a_neighbour_merged_into_another_neighbour_is_no_new_one(after):
    iron = record(
        "NCT00000104", "Iron pills for anemia", ["Anemia"], [("DIETARY_SUPPLEMENT", "Iron")],
        "Adults with anemia take iron.", aliases=["NCT00000102"],
    )  # fmt: skip
    found = changes(after([PILLS, MARROW, iron, KNEE, CHILDREN]))
    assert "NCT00000104" not in {nct_id for event, nct_id, *_ in found if event == "new"}


def test_a_neighbour_that_goes_on_in_a_new_study_stays_and_says_so(after):
    new = record(
        "NCT00000107", "Drops for aplasia", ["Aplasia"], [("DRUG", "Drops")],
        "Adults with aplasia take drops.", aliases=["NCT00000102"],
    )  # fmt: skip
    assert changes(after([*without(102), new])) == [
        ("changed", "NCT00000107", 1, "NCT00000102 was merged into it")
    ]


def test_a_neighbour_whose_text_changed_comes_or_leaves_by_that(after):
    other = changed(102, "Knee surgery", ["Knee"], [("PROCEDURE", "Surgery")], "Surgery.")
    found = changes(after(other))
    assert found[-1] == (
        "left", "NCT00000102", 1, "its record changed: conditions, interventions, title and 1 more"
    )  # fmt: skip
    back = changes(after(SIX, old=other))
    assert back[0] == ("new", *found[-1][1:])


def test_a_watched_study_whose_text_changed_is_told_and_moves_all(after):
    both = after(changed(101, "Knee surgery", ["Knee"], [("PROCEDURE", "Surgery")], "Surgery."))
    assert watched_change(both, WATCHED).study.kinds == ("conditions", "interventions", "texts")
    found = changes(both)
    assert {why for *_, why in found} == {"the watched study's text changed"}
    assert [event for event, *_ in found] == ["new", "new", "left", "left"]


def test_a_neighbour_that_stays_is_told_if_its_status_changed(after):
    drops = changed(
        102, "Drops for aplasia", ["Aplasia"], [("DRUG", "Drops")],
        "Adults with aplasia take drops.", status="TERMINATED", aliases=["NCT00000901"],
    )  # fmt: skip
    both = after(drops)
    assert changes(both) == [("changed", "NCT00000102", 1, "")]
    (change,) = watched_change(both, WATCHED).neighbours
    assert [(f.name, f.old, f.new) for f in change.fields] == [
        ("status", "COMPLETED", "TERMINATED")
    ]


def test_a_neighbour_that_stays_is_not_told_if_only_its_size_changed(after):
    drops = changed(
        102, "Drops for aplasia", ["Aplasia"], [("DRUG", "Drops")],
        "Adults with aplasia take drops.", enrollment=31, aliases=["NCT00000901"],
    )  # fmt: skip
    both = after(drops)
    assert both.counts["changed"] == 1
    assert not watched_change(both, WATCHED)


def test_of_a_study_that_is_new_all_neighbours_are(after):
    both = after([*SIX, TWIN])
    found = watched_change(both, "NCT00000107", 2)
    assert found.study.event == "added"
    assert [(each.event, each.neighbour.rank, each.why) for each in found.neighbours] == [
        ("new", rank, "the watched study is new") for rank in (1, 2)
    ]


def test_of_a_study_that_has_gone_no_neighbours_are_compared(after):
    found = watched_change(after(without(101)), WATCHED)
    assert (found.study.event, found.neighbours) == ("gone", ())


def test_a_watched_study_that_was_merged_says_into_which(after):
    both = after(changed(101, "Pills for aplasia", aliases=["NCT00000102"]))
    found = watched_change(both, "NCT00000102")
    assert (found.study.event, found.study.became) == ("gone", WATCHED)
    assert found.neighbours == ()


def test_an_obsolete_number_in_both_stands_for_its_study(after):
    both = after([*SIX, TWIN])
    assert watched_change(both, "NCT00000901") == watched_change(both, "NCT00000102")


def test_a_study_without_a_text_has_no_neighbours_to_compare(after):
    found = watched_change(after(changed(101), allow_moved=True), WATCHED)
    assert found.study.event == "changed"
    assert found.neighbours == ()


def test_another_recipe_moves_all_but_what_came_and_went(build):
    build()

    class Other(WordEncoder):
        fingerprint = "other"

        def encode(self, texts):
            return super().encode([text.replace("aplasia", "knee") for text in texts])

    from simsearch import build_index, read_studies

    report = build([*SIX, TWIN])
    records = report.index.parent / "records.jsonl"
    report = build_index(read_studies(records), report.index, Other())
    with compare(report.index) as both:
        assert {why for *_, why in changes(both, "NCT00000105", 4)} == {"the recipe changed"}


def test_a_study_in_neither_is_not_known_and_refused(after):
    both = after(SIX)
    assert is_known(both, WATCHED)
    assert not is_known(both, "NCT00000999")
    with pytest.raises(UnknownStudyError):
        watched_change(both, "NCT00000999")


def test_a_number_of_neighbours_out_of_range_is_refused(after):
    with pytest.raises(ArgumentError, match="k is 0"):
        watched_change(after(SIX), WATCHED, 0)


@pytest.fixture
def words(monkeypatch):
    """Let texts be encoded by the encoder of these tests, which no package holds."""
    monkeypatch.setattr(resolve, "builder_of", lambda _: WordEncoder())


def events(both, **watch) -> list[tuple[str, str, str]]:
    """Return event, NCT ID and why of each change among the neighbours of what is watched."""
    return [
        (each.event, each.neighbour.study.nct_id, each.why)
        for change in watched_changes(both, Watch(**watch))
        for each in change.neighbours
    ]


@pytest.mark.usefixtures("words")
def test_a_text_is_watched(after):
    both = after([*SIX, TWIN])
    (change,) = watched_changes(both, Watch(texts=("pills aplasia",), k=2))
    assert (change.name, change.text) == ("pills aplasia", "pills aplasia")
    assert not change.study
    came = change.neighbours[0]
    assert (came.event, came.neighbour.study.nct_id) == ("new", "NCT00000107")
    assert came.why == "new in the index"
    assert came.reason


@pytest.mark.usefixtures("words")
def test_a_draft_is_watched(after):
    draft = Study(nct_id="", title="Pills for aplasia", conditions=("Aplasia",))
    both = after([*SIX, TWIN], old=SIX[1:])
    (change,) = watched_changes(both, Watch(drafts=(draft,), k=1))
    assert change.name == "draft"
    assert [(each.event, each.neighbour.study.nct_id) for each in change.neighbours] == [
        ("new", WATCHED), ("left", "NCT00000102"),
    ]  # fmt: skip


def test_a_study_that_comes_to_pass_the_filters_is_new(after):
    both = after(changed(102, "Drops for aplasia", ["Aplasia"], [("DRUG", "Drops")],
                         "Adults with aplasia take drops.", status="RECRUITING",
                         aliases=["NCT00000901"]))  # fmt: skip
    recruiting = Filters(status="recruiting")
    assert events(both, nct_ids=(WATCHED,), filters=recruiting) == [
        ("new", "NCT00000102", "passes the filters now: status changed")
    ]
    completed = Filters(status="completed")
    left = ("left", "NCT00000102", "no longer passes the filters: status changed")
    assert left in events(both, nct_ids=(WATCHED,), filters=completed)


def test_a_value_that_no_study_can_have_is_refused(after):
    with pytest.raises(FilterError, match="moon"):
        watched_changes(after(SIX), Watch(nct_ids=(WATCHED,), filters=Filters(status="moon")))


def test_a_study_of_neither_generation_is_said_and_others_are_watched(after):
    said: list[str] = []
    found = watched_changes(after(SIX), Watch(nct_ids=("NCT00000999", WATCHED)), say=said.append)
    assert [each.name for each in found] == [WATCHED]
    assert said == ["NCT00000999 is in neither generation: skipped"]
    with pytest.raises(UnknownStudyError):
        watched_changes(after(SIX), Watch(nct_ids=("NCT00000999",)))
