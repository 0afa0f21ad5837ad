"""Neighbours that share an intervention or a condition with the query study."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import WordEncoder, record

from simsearch import Filters, Study, build_index, open_index, read_studies
from simsearch.errors import ArgumentError, NothingToCompareError
from simsearch.index.opened import opened_index
from simsearch.related.run import related
from simsearch.search.answer import ask
from simsearch.search.question import Question
from simsearch.search.sharing import Sharing, rows_sharing
from simsearch.study import Intervention


def trial(number: int, drugs: dict[str, list[str]], conditions: list[str], **more: Any) -> dict:
    """Return a record; `drugs` maps names to other names, `mesh` lists MeSH interventions."""
    found = record(f"NCT{number:08}", more.get("title", "A trial in adults"), conditions)
    found["protocolSection"]["armsInterventionsModule"]["interventions"] = [
        {"type": "DRUG", "name": name, "otherNames": others} for name, others in drugs.items()
    ]
    found["derivedSection"] = {
        module: {"meshes": [{"id": "D1", "term": term} for term in more.get(key, [])]}
        for key, module in (
            ("mesh", "interventionBrowseModule"), ("diseases", "conditionBrowseModule"),
        )
    }  # fmt: skip
    return found


TRIALS = [
    trial(1, {"Tacrolimus": []}, ["Pure red cell aplasia"]),
    trial(2, {"Tacrolimus 1 MG Oral Capsules": []}, ["Kidney transplant"]),
    trial(3, {"Prograf": ["FK506", "tacrolimus"]}, ["Liver transplant"]),
    trial(4, {"FK-506": []}, ["Eczema"]),
    trial(5, {"Advagraf": [], "Placebo": []}, ["Psoriasis"], mesh=["Tacrolimus"]),
    trial(6, {"Cyclosporine and tacrolimus": []}, ["Aplasia, Pure Red Cell"]),
    trial(7, {"Placebo": []}, ["Pure Red-Cell Aplasia (PRCA)"]),
    trial(8, {"Sirolimus": [], "Placebo": []}, ["PRCA"]),
    trial(9, {"Sulphasalazine": []}, ["Haemophilia"], title="Adults with haemophilia"),
    trial(10, {"Sulfasalazine": []}, ["Hemophilias"]),
    trial(11, {}, ["Hepatitis C"], diseases=["Hepatitis A"]),
    trial(12, {}, ["Hepatitis A"]),
    trial(13, {}, ["Healthy"]),
    trial(14, {}, ["Healthy"]),
]


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trials")
    lines = "".join(json.dumps(each) + "\n" for each in TRIALS)
    (folder / "records.jsonl").write_text(lines)
    build_index(read_studies(folder / "records.jsonl"), folder / "index", WordEncoder())
    with opened_index(folder / "index") as index:
        yield index


def sharing_with(index, number: int, kind: str, **options: Any) -> set[int]:
    return numbers(index, number, Filters(**{f"same_{kind}": True}, **options))


def numbers(index, number: int, filters: Filters) -> set[int]:
    question = Question(studies=(f"NCT{number:08}",), filters=filters, k=50, explain=False)
    return {int(each.nct_id[3:]) for each in ask(index, question)}


@pytest.mark.parametrize(
    ("number", "others"),
    [
        (1, {2, 3, 5, 6}),  # the dose, a synonym, a MeSH term, one of two
        (4, {3}),  # a code in another spelling
        (9, {10}),  # British and American
        (8, set()),  # placebo is no intervention in common
    ],
)
def test_interventions_are_shared_by_name_other_name_and_mesh(trials, number, others):
    assert sharing_with(trials, number, "intervention") == others


@pytest.mark.parametrize(
    ("number", "others"),
    [
        (1, {6, 7}),  # another order of words, and a name with its initials
        (7, {1, 6, 8}),
        (9, {10}),
        (11, set()),  # the registry guesses hepatitis A
    ],
)
def test_conditions_are_shared_by_name_and_by_mesh_that_the_record_supports(trials, number, others):
    assert sharing_with(trials, number, "condition") == others


def test_both_together_and_with_other_filters(trials):
    both = Filters(same_intervention=True, same_condition=True)
    assert numbers(trials, 1, both) == {6}
    assert sharing_with(trials, 1, "intervention", exclude="NCT00000003") == {2, 5, 6}


@pytest.mark.parametrize(("number", "kind"), [(7, "intervention"), (13, "condition")])
def test_a_query_without_one_says_so(trials, number, kind):
    with pytest.raises(NothingToCompareError, match=f"no study in it registers an? {kind}"):
        sharing_with(trials, number, kind)


def test_a_text_alone_registers_nothing(trials):
    question = Question(texts=("iron",), filters=Filters(same_intervention=True))
    with pytest.raises(NothingToCompareError, match="registers an intervention"):
        ask(trials, question, load_encoder=WordEncoder)


def test_a_draft_shares_as_a_study_does(trials):
    draft = Study(nct_id="", title="A draft", interventions=(Intervention("sirolimus tablets"),))
    question = Question(drafts=(draft,), filters=Filters(same_intervention=True))
    answer = ask(trials, question, load_encoder=WordEncoder)
    assert [each.nct_id for each in answer] == ["NCT00000008"]


def test_the_library_takes_it_as_a_filter(trials):
    with open_index(trials.path) as index:
        found = index.related("NCT00000004", same_intervention=True)
        assert [each.nct_id for each in found] == ["NCT00000003"]
        with pytest.raises(ArgumentError, match="same_condition"):
            index.related("NCT00000004", same_condition="yes")


def test_folded_answers_share_too(trials):
    question = Question(
        studies=("NCT00000001",), filters=Filters(same_intervention=True), fold=True
    )
    found = ask(trials, question)
    listed = {each.nct_id for one in found for each in (one, *one.folded)}
    assert listed == {f"NCT{number:08}" for number in (2, 3, 5, 6)}


@pytest.mark.parametrize("kind", ["intervention", "condition"])
def test_lists_of_all_studies_share_as_single_answers_do(trials, tmp_path, kind):
    filters = Filters(**{f"same_{kind}": True})
    related(trials, tmp_path / "x.jsonl", 10, filters=filters)
    lines = map(json.loads, (tmp_path / "x.jsonl").read_text().splitlines())
    found = {(each["nct_id"], each["neighbour_id"]) for each in lines}
    expected = set()
    sharing = Sharing(trials, filters)
    for row, nct_id in enumerate(trials.store.nct_ids()):
        try:
            near = ask(trials, Question(studies=(nct_id,), filters=filters))
        except NothingToCompareError:
            assert not sharing.rows(row).size
            continue
        expected |= {(nct_id, each.nct_id) for each in near}
    assert found == expected
    assert found


def test_thirteen_trials_of_one_drug_are_found_where_similarity_finds_one(shared_index):
    """NCT00862641 of regadenoson: one of its ten neighbours has it, 13 more studies register it."""
    with_drug = {
        nct_id
        for nct_id, text in zip(
            shared_index.store.nct_ids(),
            shared_index.store.columns(("interventions",)),
            strict=True,
        )
        if "regadenoson" in text.casefold()
    } - {"NCT00862641"}
    assert len(with_drug) >= 13
    study = shared_index.study("NCT00862641")
    rows = rows_sharing(shared_index, [study], Filters(same_intervention=True))
    assert with_drug <= {each.nct_id for each in shared_index.store.studies(rows.tolist())}


@pytest.fixture(scope="module")
def shared_index(shared, tmp_path_factory):
    """An index of the real records that say regadenoson, and some that do not."""
    import gzip

    folder = tmp_path_factory.mktemp("regadenoson")
    with gzip.open(shared / "studies-full.jsonl.gz", "rt") as file:
        lines = [line for n, line in enumerate(file) if "egadenoson" in line or n % 500 == 0]
    (folder / "records.jsonl").write_text("".join(lines))
    build_index(read_studies(folder / "records.jsonl"), folder / "index", WordEncoder())
    with opened_index(folder / "index") as index:
        yield index
