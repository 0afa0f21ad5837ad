"""What a build refuses to publish, and what it lets pass."""

import random

import pytest
from asking import similar_to_study
from conftest import SIX, record

from simsearch.build.guards import measure
from simsearch.errors import EmptyFieldError, GuardError, MovedError, ShrinkError
from simsearch.index.opened import opened_index

WORDS = ["anemia", "aplasia", "marrow", "iron", "drops", "pills", "surgery", "knee", "children"]


def some(n: int, seed: int = 0, first: int = 1, **fields):
    """Return n records, each of words by lot."""
    rng = random.Random(seed)
    return [
        record(
            f"NCT{number:08}", " ".join(rng.choices(WORDS, k=6)), ["Anemia"], [("DRUG", "Iron")],
            " ".join(rng.choices(WORDS, k=12)), **fields,
        )
        for number in range(first, first + n)
    ]  # fmt: skip


def without(field: str, records: list, n: int) -> list:
    """Return the records, the first n without conditions or interventions."""
    module = {"conditions": "conditionsModule", "interventions": "armsInterventionsModule"}[field]
    changed = [{"protocolSection": {**each["protocolSection"], module: {}}} for each in records[:n]]
    return changed + records[n:]


@pytest.fixture
def refused(build, tmp_path):
    """Build records and see them refused, while the earlier index goes on answering."""

    def _refused(records: list, error: type[GuardError], match: str) -> None:
        before = opened_index(tmp_path / "index").generation
        with pytest.raises(error, match=match) as caught:
            build(records)
        assert "\n" not in str(caught.value)
        assert "nothing was published" in str(caught.value)
        assert caught.value.exit_code == 3
        assert opened_index(tmp_path / "index").generation == before
        assert [path.name for path in before.path.parent.iterdir()] == [before.path.name]

    return _refused


def test_more_than_two_percent_lost_is_refused(build, refused):
    build(some(100))
    refused(some(97), ShrinkError, r"lose 3 of its 100 studies.*--allow-shrink")
    assert build(some(98)).n_studies == 98
    assert build(some(50), allow_shrink=True).n_studies == 50


def test_records_of_something_else_are_told_that_a_rebuild_replaces_the_index(build, refused):
    build(some(100))
    said = "a rebuild replaces the index: name all sources together, or give --allow-shrink"
    refused(some(30, first=201), ShrinkError, said)
    refused(some(97), ShrinkError, "published; give --allow-shrink")


def test_a_loss_is_not_made_up_for_by_new_studies(build, refused):
    build(some(100))
    refused(some(150, first=4), ShrinkError, "lose 3 of its 100")


def test_a_damaged_index_before_is_compared_with_by_its_number_of_studies(build, tmp_path):
    report = build(some(100))
    (report.index / "generations" / report.generation / "text.faiss").unlink()
    with pytest.raises(ShrinkError, match="lose 50 of its 100"):
        build(some(50))
    assert build(some(100)).canary.skipped == "the index before is damaged"


@pytest.mark.parametrize("field", ["conditions", "interventions"])
def test_a_field_that_goes_empty_is_refused_with_figures(build, refused, field):
    records = some(400)
    build(without(field, records, 4))
    message = rf"no {field} for 13 studies, 3\.2% where it was 1\.0%.*--allow-empty"
    refused(without(field, records, 13), EmptyFieldError, message)
    assert build(without(field, records, 13), allow_empty=True).empty_fields[field] == 13


def test_texts_that_go_empty_are_refused(build, refused):
    records = some(400)
    build(records)
    bare = [
        {"protocolSection": {"identificationModule": {"nctId": f"NCT{n:08}"}}} for n in range(1, 13)
    ]
    refused(
        bare + records[12:], EmptyFieldError, r"no text for 12 studies, 3\.0% where it was 0\.0%"
    )


def test_two_points_more_are_let_pass(build):
    records = some(400)
    build(without("conditions", records, 4))
    assert build(without("conditions", records, 12)).empty_fields["conditions"] == 12


def test_a_share_may_rise_by_a_few_studies_in_a_small_index(build):
    """One of six is 17 points, and no sign of a broken source."""
    build(SIX)
    assert build(without("conditions", SIX, 5)).empty_fields["conditions"] == 5


def test_a_corpus_of_another_mixture_by_as_many_is_let_pass(build):
    """The share counts, not the number: a corpus twice as large has twice as many empty ones."""
    build(without("interventions", some(300), 100))
    grown = without("interventions", some(300), 100) + without(
        "interventions", some(300, 1, 1000), 100
    )
    assert build(grown).n_studies == 600


def test_an_equal_corpus_keeps_all_and_need_not_be_measured(build):
    build(some(60))
    canary = build(some(60)).canary
    assert (canary.kept_share, canary.skipped) == (1.0, "nothing has changed")


def test_a_corpus_in_which_little_changes_is_published_with_its_figure(build):
    records = some(120)
    build(records)
    changed = [*some(1, seed=9), *records[1:]]
    canary = build(changed).canary
    assert canary.n_studies == 100
    assert 0.9 < canary.kept_share < 1
    assert "100 sample studies keep 9" in str(canary)


def test_neighbours_that_move_are_refused(build, refused):
    build(some(120))
    refused(some(120, seed=1), MovedError, r"100 sample studies would keep \d+% .*--allow-moved")
    assert build(some(120, seed=1), allow_moved=True).canary.kept_share < 0.5


def test_growth_pushes_no_neighbour_aside(build):
    """Twice as many studies of the same kind: half of the ten nearest are new, and not counted."""
    build(some(120))
    canary = build(some(120) + some(120, seed=3, first=1000)).canary
    assert canary.n_studies == 100
    assert canary.kept_share > 0.9


def test_the_share_kept_is_that_of_the_lists_worked_out_by_hand(build, tmp_path):
    """Asked by brute force: the ten nearest among the studies of both, old and new."""

    before = opened_index(build(some(120), keep=2).index)
    now = opened_index(build([*some(30, seed=5), *some(120)[30:110]], allow_shrink=True,
                           allow_moved=True).index)  # fmt: skip
    both = set(before.store.nct_ids()) & set(now.store.nct_ids())

    def ten(index, nct_id):
        found = [each.study.nct_id for each in similar_to_study(index, nct_id, 120)]
        return [each for each in found if each in both][:10]

    shares = [len(set(ten(before, each)) & set(ten(now, each))) / 10 for each in sorted(both)]
    canary = measure(before, now, 1000)
    assert canary.n_studies == len(both) == 110
    assert canary.kept_share == pytest.approx(sum(shares) / len(shares))


def test_the_canary_is_not_checked_when_the_recipe_changes(build, encoder):
    build(some(120))
    encoder.fingerprint = "ten other words"
    canary = build(some(120, seed=1)).canary
    assert canary.skipped == "the recipe changed"
    assert str(canary) == "not checked: the recipe changed"


def test_a_first_build_has_nothing_to_compare_with(build):
    assert build().canary.skipped == "nothing was published before"


def test_the_sample_is_the_same_whatever_comes_beside_it():
    from simsearch.build.guards import _sample

    few, many = [[f"NCT{n:08}" for n in range(end)] for end in (500, 5000)]
    assert [each for each in _sample(many, 1000) if each in set(few)][:50] == _sample(few, 50)
