"""Lists that are not ten times the same."""

import numpy as np
import pytest
from asking import asked, study_parts
from conftest import SIX, record

from simsearch import Study
from simsearch.errors import ArgumentError
from simsearch.index.opened import opened_index
from simsearch.search import diversify
from simsearch.search.diversify import _is_double, between
from simsearch.search.nearest import exhaustive, nearest
from simsearch.search.query_parts import study_part
from simsearch.vectors import DEFAULT_WEIGHTS


def varied(index, nct_id, k, **question):
    return list(asked(index, nct_id, k=k, explain=False, **question))


def ids(neighbours):
    return [each.study.nct_id[-3:] for each in neighbours]


def sponsored(nct_id, sponsor, *args, **extra):
    made = record(nct_id, *args, **extra)
    made["protocolSection"]["sponsorCollaboratorsModule"]["leadSponsor"]["name"] = sponsor
    return made


@pytest.fixture
def twins(build):
    """The six, and three studies that are nearly study 101."""
    same = (
        "Pills for aplasia",
        ["Aplasia"],
        [("DRUG", "Pills")],
        "Adults with aplasia take pills.",
    )
    records = [sponsored(f"NCT0000020{n}", f"Sponsor {n % 2}", *same) for n in range(3)]
    return opened_index(build([*SIX, *records]).index)


def test_near_duplicates_are_folded_under_the_best(twins):
    parts = study_parts(twins, ["NCT102"])
    plain = ids(nearest(twins, parts, 9))
    folded = varied(twins, "NCT102", 9, fold=True)
    assert ids(folded)[0] == "101"
    assert [study.nct_id[-3:] for study in folded[0].folded] == ["200", "201", "202"]
    everyone = [*ids(folded), *(study.nct_id[-3:] for each in folded for study in each.folded)]
    assert sorted(everyone) == sorted(plain)
    assert [each.rank for each in folded] == list(range(1, len(folded) + 1))


@pytest.mark.parametrize("number", ["NCT00000201", "NCT00000911"])
def test_a_study_that_names_the_other_is_folded(build, number):
    """Also one that names it by an obsolete number."""
    one = record("NCT00000201", "Knee surgery", ["Knee"], aliases=["NCT00000911"])
    other = record("NCT00000202", "Iron for children with anemia", ["Anemia"])
    other["protocolSection"]["identificationModule"]["secondaryIdInfos"] = [{"id": number}]
    index = opened_index(build([*SIX, one, other]).index)
    folded = varied(index, "NCT106", 8, fold=True)
    under = {each.study.nct_id: [study.nct_id for study in each.folded] for each in folded}
    assert under["NCT00000201"] == ["NCT00000202"]


@pytest.mark.parametrize(
    ("changes", "n_folded"),
    [
        ({}, 1),
        ({"sponsor": "Another"}, 0),
        ({"conditions": ["Knee"]}, 0),
        ({"interventions": [("DRUG", "Zinc")]}, 0),
        ({"title": "Zinc for the elbow", "summary": "Elbow pain of the elderly and zinc."}, 0),
    ],
)
def test_a_sister_trial_is_folded_where_it_is_also_near(build, monkeypatch, changes, n_folded):
    """By less than a near-duplicate needs, and not without a sponsor and both names in common."""
    least = 0.55 if "title" in changes else 0.4  # so few studies make common words rare ones
    monkeypatch.setattr(diversify, "SISTER", least)
    one = [
        "Iron pills for anemia",
        ["Anemia"],
        [("DRUG", "Iron")],
        "Adults of the hospital take iron.",
    ]
    other = [
        "Iron drops for anemia",
        ["Anemia"],
        [("DRUG", "Iron")],
        "Adults take iron drops once.",
    ]
    for place, name in enumerate(("title", "conditions", "interventions", "summary")):
        other[place] = changes.get(name, other[place])
    records = [
        sponsored("NCT00000201", "Maker", *one),
        sponsored("NCT00000202", changes.get("sponsor", "Maker"), *other),
    ]
    for each in records:
        del each["derivedSection"]
    index = opened_index(build([*SIX, *records]).index)
    rows = np.array([index.row_of("NCT201"), index.row_of("NCT202")])
    alike = between(index, rows, rows)[0, 1]
    assert alike < 0.9
    assert (alike >= least) == ("title" not in changes)
    found = varied(index, "NCT106", 8, fold=True)
    assert sum(len(each.folded) for each in found if each.study.sponsor == "Maker") == n_folded


def test_the_best_of_each_sponsor_stands_for_it(twins):
    grouped = varied(twins, "NCT102", 9, group_by="sponsor")
    sponsors = [each.study.sponsor for each in grouped]
    assert sorted(sponsors) == ["A Hospital", "Sponsor 0", "Sponsor 1"]
    assert {len(each.folded) for each in grouped} == {0, 1, 4}


def test_k_come_back_whenever_there_are_k_to_choose(build, monkeypatch):
    """The first sixty neighbours are near-duplicates of one another."""
    same = [record(f"NCT000003{n:02}", "Pills for aplasia", ["Aplasia"]) for n in range(60)]
    index = opened_index(build([*SIX, *same]).index)
    found = varied(index, "NCT101", 4, fold=True)
    assert len(found) == 4
    assert max(len(each.folded) for each in found) >= 59


def test_studies_are_compared_with_those_that_stand_for_themselves_and_no_others(
    build, monkeypatch
):
    """Sixty near-duplicates, looked at eight at once."""
    same = [record(f"NCT000003{n:02}", "Pills for aplasia", ["Aplasia"]) for n in range(60)]
    index = opened_index(build([*SIX, *same]).index)
    expected = varied(index, "NCT101", 4, fold=True)
    compared = []

    def counted(index, rows, others):
        compared.append((len(rows), len(others)))
        return between(index, rows, others)

    monkeypatch.setattr(diversify, "_BLOCK", 8)
    monkeypatch.setattr(diversify, "between", counted)
    assert varied(index, "NCT101", 4, fold=True) == expected
    assert max(n_others for _, n_others in compared) == 8
    assert max(n_rows for n_rows, _ in compared) <= 8 + 6


def test_diversity_chooses_what_is_unlike_the_chosen(twins):
    parts = study_parts(twins, ["NCT102"])
    plain = varied(twins, "NCT102", 3, diverse=1.0)
    diverse = varied(twins, "NCT102", 3, diverse=0.3)
    assert ids(plain) == ids(nearest(twins, parts, 3))
    assert ids(diverse)[0] == ids(plain)[0]
    assert not {"200", "201", "202"} & set(ids(diverse)[1:])


def test_maximal_marginal_relevance_by_its_formula(twins):
    parts = study_parts(twins, ["NCT102"])
    pool = nearest(twins, parts, 9)
    rows = np.array([twins.row_of(each.study.nct_id) for each in pool])
    alike = between(twins, rows, rows)
    chosen = [0]
    while len(chosen) < 5:
        left = [n for n in range(len(pool)) if n not in chosen]
        gains = {n: 0.6 * pool[n].similarity - 0.4 * max(alike[n][m] for m in chosen) for n in left}
        chosen.append(max(left, key=lambda n: (round(gains[n], 12), -n)))
    found = varied(twins, "NCT102", 5, diverse=0.6)
    assert ids(found) == [pool[n].study.nct_id[-3:] for n in chosen]


def test_similarity_among_neighbours_is_that_of_the_search(twins):
    """For studies that have every field it is what a query gives."""
    rows = np.array([twins.row_of(nct_id) for nct_id in ("NCT101", "NCT103", "NCT200")])
    alike = between(twins, rows, rows)
    assert np.diag(alike) == pytest.approx([1, 1, 1], abs=2e-3)
    every = exhaustive(twins, [study_part(twins, int(rows[0]))], DEFAULT_WEIGHTS)
    assert alike[0] == pytest.approx(every[rows], abs=2e-3)


@pytest.mark.parametrize("diverse", [-0.1, 1.1, float("nan")])
def test_a_lambda_out_of_range_is_refused(six, diverse):
    with pytest.raises(ArgumentError, match="diverse"):
        varied(six, "NCT101", 3, diverse=diverse)


def test_no_neighbours_stay_none(build):
    index = opened_index(build(SIX[:1]).index)
    for each in ({"diverse": 0.5}, {"fold": True}, {"group_by": "sponsor"}):
        assert varied(index, "NCT101", 3, **each) == []


@pytest.mark.parametrize(
    ("sponsors", "similarity", "expected"),
    [
        (("A", "A"), 0.9, True),
        (("A", ""), 0.9, True),
        (("A", "B"), 0.94, False),  # two groups that write like protocols
        (("A", "B"), 0.95, True),
        (("A", "A"), 0.89, False),
    ],
)
def test_studies_of_two_sponsors_are_doubles_only_when_all_but_the_same(
    sponsors, similarity, expected
):
    one, other = (
        Study(nct_id=f"NCT0000000{n}", sponsor=sponsor) for n, sponsor in enumerate(sponsors)
    )
    assert _is_double(one, other, similarity) == expected
