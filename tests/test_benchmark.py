"""The benchmark: every figure with its n, nothing made of too few, odd values named."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.design.benchmark import benchmark, described
from simsearch.design.rows import Design


def design(number: int, **fields: object) -> Design:
    return Design(nct_id=f"NCT{number:08d}", title="", study_type="INTERVENTIONAL", **fields)


def enrolled(*counts: int, kind: str = "ACTUAL") -> list[Design]:
    return [design(n, enrollment=count, enrollment_type=kind) for n, count in enumerate(counts, 1)]


def test_quartiles_are_the_standard_librarys():
    values = [12, 20, 33, 47, 60, 61, 200]
    measure = benchmark(enrolled(*values)).measure("enrollment, actual")
    expected = statistics.quantiles(values, n=4, method="inclusive")
    assert [measure.lower, measure.median, measure.upper] == pytest.approx(expected)
    assert (measure.least, measure.greatest, measure.n) == (12, 200, 7)


@given(st.lists(st.integers(1, 10**6), min_size=3, max_size=40))
def test_quartiles_are_in_order_and_within_the_values(values):
    it = benchmark(enrolled(*values)).measure("enrollment, actual")
    assert min(values) == it.least <= it.lower <= it.median <= it.upper <= it.greatest
    assert it.greatest == max(values)


def test_two_studies_give_no_quartiles_but_are_counted_and_named():
    measure = benchmark(enrolled(10, 20)).measure("enrollment, actual")
    assert (measure.n, measure.median, measure.lower) == (2, None, None)
    assert [nct_id for nct_id, _ in measure.values] == ["NCT00000001", "NCT00000002"]


def test_actual_and_planned_enrollment_are_apart():
    bench = benchmark([*enrolled(10, 20, 30), *enrolled(100, 200, 300, kind="ESTIMATED")])
    assert bench.measure("enrollment, actual").median == 20
    assert bench.measure("enrollment, planned").median == 200


def test_ten_studies_without_an_enrollment_are_counted_as_such():
    bench = benchmark([*enrolled(10, 20, 30), *(design(n) for n in range(50, 60))])
    measure = bench.measure("enrollment, actual")
    assert (measure.n, measure.n_missing, measure.median) == (3, 10, 20)


def test_durations_below_zero_are_named_and_not_counted():
    months = [-3.0, 6.0, 12.0, 24.0]
    designs = [design(n, months_to_primary=value) for n, value in enumerate(months, 1)]
    measure = benchmark(designs).measure("months to primary completion")
    assert (measure.n, measure.median, measure.least) == (3, 12, 6)
    assert measure.left_out == ("NCT00000001",)
    assert measure.why_left_out == "below zero, as registered"


def test_a_withdrawn_study_of_nobody_does_not_lower_the_enrollment():
    measure = benchmark(enrolled(0, 10, 20, 30)).measure("enrollment, actual")
    assert (measure.n, measure.median, measure.left_out) == (3, 20, ("NCT00000001",))


def test_a_million_participants_move_no_median():
    assert benchmark(enrolled(10, 20, 30, 10**6)).measure("enrollment, actual").median == 25


@pytest.mark.parametrize(
    ("value", "place"),
    [(5, "below all"), (12, "below"), (30, "within"), (48, "above"), (60, "above all")],
)
def test_the_query_has_its_place_in_the_distribution(value, place):
    asked = design(99, enrollment=value, enrollment_type="ESTIMATED")
    measure = benchmark(enrolled(10, 20, 30, 40, 50), [asked]).measure("enrollment, actual")
    (standing,) = measure.standings
    assert (standing.place, standing.value, standing.planned) == (place, value, True)


def test_the_query_has_no_place_among_two():
    measure = benchmark(enrolled(10, 20), enrolled(15)).measure("enrollment, actual")
    assert measure.standings[0].place is None


def test_a_share_is_of_those_that_say_and_has_no_percentage_below_three():
    designs = [
        design(1, allocation="RANDOMIZED", masking="DOUBLE"),
        design(2, allocation="NON_RANDOMIZED", masking="NONE"),
        design(3, allocation="RANDOMIZED"),
        design(4),
    ]
    bench = benchmark(designs)
    randomised, masked = bench.share("randomised"), bench.share("masked")
    assert (randomised.count, randomised.n, randomised.n_missing) == (2, 3, 1)
    assert randomised.percent == pytest.approx(66.7)
    assert (masked.count, masked.n, masked.percent) == (1, 2, None)


def test_stopped_early_is_of_those_that_ended_and_says_why():
    designs = [
        design(1, status="TERMINATED", why_stopped="no funds"),
        design(2, status="COMPLETED"),
        design(3, status="RECRUITING"),
    ]
    bench = benchmark(designs)
    share = bench.share("stopped early, of those that ended")
    assert (share.count, share.n, share.n_missing) == (1, 2, 1)
    assert [(each.nct_id, each.why) for each in bench.stopped] == [("NCT00000001", "no funds")]


def test_no_age_limit_is_not_an_unknown_one():
    designs = [
        design(1, has_eligibility=True),
        design(2, has_eligibility=True, maximum_age="75 Years"),
    ]
    share = benchmark([*designs, design(3)]).share("no upper age limit")
    assert (share.count, share.n, share.n_missing) == (1, 2, 1)


def test_a_study_without_an_age_limit_is_not_missing_one():
    designs = [design(1, has_eligibility=True), design(2)]
    measure = benchmark(designs).measure("maximum age")
    assert (measure.n, measure.n_missing) == (0, 1)


def test_what_is_summed_up_is_described_in_words():
    designs = [design(1, phases=("PHASE2",)), design(2, phases=("PHASE2", "PHASE3"))]
    assert described(designs, "close") == "close trials, phases 2 to 3"
    assert described([design(1, phases=("NA",))], "close") == "close trial"
    mixed = [design(1), Design(nct_id="NCT2", title="", study_type="OBSERVATIONAL")]
    assert described(mixed) == "studies"


def test_nothing_gives_an_empty_benchmark():
    bench = benchmark([])
    assert bench.n == 0
    assert all(each.median is None for each in bench.measures)
    assert all(each.percent is None for each in bench.shares)
