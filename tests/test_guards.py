"""What a build refuses to publish, and what it accepts."""

import random

import pytest
from asking import similar_to_study
from conftest import SIX, record

from simsearch.build.guards import canary_sample, measure
from simsearch.cli.hints import line_of
from simsearch.errors import EmptyFieldError, GuardError, MovedError, ShrinkError
from simsearch.index.opened import opened_index

WORDS = ["anemia", "aplasia", "marrow", "iron", "drops", "pills", "surgery", "knee", "children"]


def some(n: int, seed: int = 0, first: int = 1, **fields):
    """Return n records of random words."""
    rng = random.Random(seed)
    return [
        record(
            f"NCT{number:08}", " ".join(rng.choices(WORDS, k=6)), ["Anemia"], [("DRUG", "Iron")],
            " ".join(rng.choices(WORDS, k=12)), **fields,
        )
        for number in range(first, first + n)
    ]  # fmt: skip


def without(field: str, records: list, n: int) -> list:
    """Return the records, with conditions or interventions removed from the first n."""
    module = {"conditions": "conditionsModule", "interventions": "armsInterventionsModule"}[field]
    changed = [{"protocolSection": {**each["protocolSection"], module: {}}} for each in records[:n]]
    return changed + records[n:]


@pytest.fixture
def refused(build, tmp_path):
    """Check that a build is refused, and that the current index stays as it is.

    The regular expression must match the error, and the line that the command prints of it the
    option that publishes all the same.
    """

    def _refused(records: list, error: type[GuardError], match: str) -> str:
        before = opened_index(tmp_path / "index").generation
        with pytest.raises(error, match=match) as caught:
            build(records)
        assert "\n" not in str(caught.value)
        assert "nothing was published" in str(caught.value)
        assert caught.value.exit_code == 3
        assert opened_index(tmp_path / "index").generation == before
        assert [path.name for path in before.path.parent.iterdir()] == [before.path.name]
        line = line_of(caught.value)
        assert f"give --{caught.value.allowed_by.replace('_', '-')} if that is intended" in line
        return line

    return _refused


def test_more_than_two_percent_lost_is_refused(build, refused):
    build(some(100))
    assert "--allow-shrink" in refused(some(97), ShrinkError, "lose 3 of its 100 studies")
    assert build(some(98)).n_studies == 98
    assert build(some(50), allow_shrink=True).n_studies == 50


def test_if_most_studies_are_lost_the_error_says_that_a_rebuild_replaces_the_index(build, refused):
    build(some(100))
    replaces = "a rebuild replaces the index: name all sources together"
    refused(some(30, first=201), ShrinkError, replaces)
    assert "rebuild" not in refused(some(97), ShrinkError, "nothing was published$")


def test_new_studies_do_not_make_up_for_lost_ones(build, refused):
    build(some(100))
    refused(some(150, first=4), ShrinkError, "lose 3 of its 100")


def test_of_a_damaged_previous_index_the_number_of_studies_is_compared(build, tmp_path):
    report = build(some(100))
    (report.index / "generations" / report.generation / "text.faiss").unlink()
    with pytest.raises(ShrinkError, match="lose 50 of its 100"):
        build(some(50))
    assert build(some(100)).canary.skipped == "the previous index is damaged"


@pytest.mark.parametrize("field", ["conditions", "interventions"])
def test_a_field_that_becomes_empty_is_refused_with_figures(build, refused, field):
    records = some(400)
    build(without(field, records, 4))
    message = rf"no {field} for 13 studies, 3\.2% where it was 1\.0%"
    assert "--allow-empty" in refused(without(field, records, 13), EmptyFieldError, message)
    assert build(without(field, records, 13), allow_empty=True).empty_fields[field] == 13


def test_texts_that_become_empty_are_refused(build, refused):
    records = some(400)
    build(records)
    bare = [
        {"protocolSection": {"identificationModule": {"nctId": f"NCT{n:08}"}}} for n in range(1, 13)
    ]
    refused(
        bare + records[12:], EmptyFieldError, r"no text for 12 studies, 3\.0% where it was 0\.0%"
    )


def test_two_points_more_are_accepted(build):
    records = some(400)
    build(without("conditions", records, 4))
    assert build(without("conditions", records, 12)).empty_fields["conditions"] == 12


def test_a_share_may_rise_by_a_few_studies_in_a_small_index(build):
    """One of six is 17 points, but no sign of a broken source."""
    build(SIX)
    assert build(without("conditions", SIX, 5)).empty_fields["conditions"] == 5


def test_a_larger_corpus_may_have_more_studies_without_a_field(build):
    """The share counts, not the number: twice the corpus has twice as many of them."""
    build(without("interventions", some(300), 100))
    grown = without("interventions", some(300), 100) + without(
        "interventions", some(300, 1, 1000), 100
    )
    assert build(grown).n_studies == 600


def test_an_unchanged_corpus_keeps_all_neighbours_and_is_not_measured(build):
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
    line = refused(some(120, seed=1), MovedError, r"100 sample studies would keep \d+% ")
    assert "--allow-moved" in line
    assert build(some(120, seed=1), allow_moved=True).canary.kept_share < 0.5


def test_growth_displaces_no_neighbour(build):
    """Twice as many studies of the same kind: half of the ten nearest are new, and ignored."""
    build(some(120))
    canary = build(some(120) + some(120, seed=3, first=1000)).canary
    assert canary.n_studies == 100
    assert canary.kept_share > 0.9


def test_the_share_kept_is_that_of_an_exhaustive_computation(build):
    """The ten nearest among the studies of both indexes, of every study."""
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


def test_the_sample_hardly_changes_when_studies_are_added():
    few, many = [[f"NCT{n:08}" for n in range(end)] for end in (500, 5000)]
    of_both = [each for each in canary_sample(many, 1000) if each in set(few)]
    assert of_both[:50] == canary_sample(few, 50)
