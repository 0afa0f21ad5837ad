"""What an evaluation ranks, leaves out and averages; its rankers, slices and report."""

import csv
import json
import os
from concurrent.futures import ThreadPoolExecutor

import ir_measures
import numpy as np
import pytest
import typer
from asking import similar_to_study
from conftest import SIX, WordEncoder, record
from ir_measures import RR, Qrel, R, nDCG
from typer.testing import CliRunner

from simsearch import read_studies
from simsearch.cli import evaluate as evaluate_cli
from simsearch.errors import ArgumentError, JudgedSetError, RecipeError
from simsearch.evaluation.baselines import BASELINES, baseline
from simsearch.evaluation.comparison import Comparison, judged_records, needs_encoder, system_names
from simsearch.evaluation.judged import Groups, Qrels
from simsearch.evaluation.label_free import neighbourhoods, skewness
from simsearch.evaluation.rankers import OURS, Corpus, OurRanker, Similarities, our_systems
from simsearch.evaluation.scoring import (
    CANDIDATES_MISSING,
    FEW_CANDIDATES,
    FEW_MEMBERS,
    NO_TEXT,
    NOT_INDEXED,
    NOTHING_RELEVANT,
    NOTHING_RELEVANT_HERE,
    evaluate,
    select_groups,
    select_qrels,
    trec_run,
)
from simsearch.evaluation.slices import areas_of, decade_of, slices
from simsearch.index.opened import opened_index
from simsearch.study import Study
from simsearch.vectors import DEFAULT_WEIGHTS

APLASIA = ("NCT00000101", "NCT00000102", "NCT00000103")
KNEE = ("NCT00000105", "NCT00000106")
ABSENT = "NCT00000999"


class TableRanker:
    """Similarities written down: row → its scores of all rows."""

    name = "table"
    is_baseline = False

    def __init__(self, scores: dict[int, list[float]]) -> None:
        self._scores = scores

    def prepare(self, rows: np.ndarray) -> None:
        pass

    def scores(self, row: int, rows: np.ndarray) -> np.ndarray:
        return np.array(self._scores[row], dtype=float)[rows]


@pytest.fixture
def corpus(six) -> Corpus:
    return Corpus(six)


def studies(write, records, name="extra.jsonl") -> list[Study]:
    return [each for each in read_studies(write(records, name)) if isinstance(each, Study)]


def values(selection, corpus, ranker) -> dict[str, list[float]]:
    """Return measure → the value of each case."""
    found = evaluate(selection, corpus, [ranker])
    names = [measure.name for measure in selection.measures]
    return dict(zip(names, found.values[ranker.name].T.tolist(), strict=True))


# What is selected


def test_each_member_of_a_group_is_a_query_for_the_others(corpus):
    selection = select_groups(Groups("g", {"A": APLASIA}), corpus)
    assert [(case.query, set(case.grades)) for case in selection.cases] == [
        ("NCT00000101", {1, 2}), ("NCT00000102", {0, 2}), ("NCT00000103", {0, 1}),
    ]  # fmt: skip


def test_members_that_cannot_be_asked_about_are_counted_with_the_reason(build):
    corpus = Corpus(opened_index(build([*SIX, record("NCT00000107")]).index))
    groups = {"A": (*APLASIA, ABSENT, "NCT00000107"), "B": ("NCT00000105", ABSENT), "C": (ABSENT,)}
    selection = select_groups(Groups("g", groups), corpus)
    assert [case.query for case in selection.cases] == list(APLASIA)
    assert selection.left_out == {NOT_INDEXED: 3, NO_TEXT: 1, FEW_MEMBERS: 1}


def test_a_member_by_an_obsolete_number_is_known_and_counts_once(corpus):
    named = ("NCT00000101", "NCT00000901", "NCT00000102")
    selection = select_groups(Groups("g", {"A": named}), corpus)
    assert [case.query for case in selection.cases] == ["NCT00000101", "NCT00000102"]


def test_qrels_with_all_candidates_stand_apart_from_those_with_some(corpus):
    qrels = Qrels("q", {
        "NCT00000101": {"NCT00000102": 1, "NCT00000105": 0},
        "NCT00000102": {"NCT00000101": 1, "NCT00000105": 0, ABSENT: 1},
        "NCT00000103": {"NCT00000101": 0, "NCT00000105": 0, ABSENT: 1},
        "NCT00000104": {"NCT00000101": 1, ABSENT: 0},
        "NCT00000105": {"NCT00000106": 0},
        ABSENT: {"NCT00000106": 1},
    })  # fmt: skip
    complete = select_qrels(qrels, corpus, complete=True)
    assert [case.query for case in complete.cases] == ["NCT00000101"]
    assert complete.left_out == {CANDIDATES_MISSING: 3, NOTHING_RELEVANT: 1, NOT_INDEXED: 1}
    some = select_qrels(qrels, corpus, complete=False)
    assert [case.query for case in some.cases] == ["NCT00000101", "NCT00000102"]
    assert some.left_out == {
        NOTHING_RELEVANT_HERE: 1, FEW_CANDIDATES: 1, NOTHING_RELEVANT: 1, NOT_INDEXED: 1,
    }  # fmt: skip


def test_a_query_among_its_own_candidates_is_not_ranked(corpus):
    judged = {"NCT00000101": 1, "NCT00000102": 1, "NCT00000105": 0}
    (case,) = select_qrels(Qrels("q", {"NCT00000101": judged}), corpus, complete=True).cases
    assert case.candidates == (1, 4)


# What is measured


def test_the_query_study_takes_no_place_in_its_ranking(corpus):
    selection = select_groups(Groups("g", {"A": KNEE}), corpus)
    table = TableRanker({4: [0, 0, 0, 0, 9, 1], 5: [0, 0, 0, 0, 1, 9]})
    assert values(selection, corpus, table)["MRR"] == [1, 1]


def test_ties_go_by_nct_id(corpus):
    selection = select_groups(Groups("g", {"A": ("NCT00000103", "NCT00000104")}), corpus)
    table = TableRanker({2: [5, 5, 5, 5, 5, 5], 3: [5, 5, 5, 5, 5, 5]})
    assert values(selection, corpus, table)["MRR"] == [1 / 3, 1 / 3]


def test_ties_among_candidates_go_by_nct_id_wherever_a_study_comes_from(six, write):
    """NCT00000100 is not in the index, and comes before those that are."""
    corpus = Corpus(six, studies(write, [record("NCT00000100", "Iron pills")]))
    qrels = Qrels("q", {"NCT00000105": {"NCT00000101": 0, "NCT00000100": 1}})
    selection = select_qrels(qrels, corpus, complete=True)
    assert values(selection, corpus, TableRanker({4: [5] * 7}))["P@1"] == [1]


def test_a_study_without_text_is_never_ranked(build):
    corpus = Corpus(opened_index(build([*SIX, record("NCT00000001")]).index))
    assert corpus.ids[0] == "NCT00000001"
    selection = select_groups(Groups("g", {"A": KNEE}), corpus)
    table = TableRanker({5: [9, 0, 0, 0, 0, 0, 1], 6: [9, 0, 0, 0, 0, 1, 0]})
    found = evaluate(selection, corpus, [table])
    assert found.values["table"][:, 3].tolist() == [1, 1]
    chance_of_five = np.mean([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert found.chance[:, 3] == pytest.approx([chance_of_five] * 2)


def test_each_group_weighs_the_same(corpus):
    """Three queries answered at once, two not among the first: the mean of 1 and 1/5."""
    selection = select_groups(Groups("g", {"A": APLASIA, "B": KNEE}), corpus)
    near = [9, 9, 9, 5, 0, 0]
    table = TableRanker(dict.fromkeys(range(6), near))
    found = evaluate(selection, corpus, [table])
    assert found.estimates(found.values["table"])[3].mean == pytest.approx((1 + 1 / 5) / 2)


def test_a_study_in_two_groups_has_different_relevant_studies_in_each(corpus):
    groups = {"A": ("NCT00000101", "NCT00000102"), "B": ("NCT00000101", "NCT00000106")}
    table = TableRanker({row: [6, 5, 4, 3, 2, 1] for row in range(6)})
    found = values(select_groups(Groups("g", groups), corpus), corpus, table)
    assert found["MRR"] == [1, 1, 1 / 5, 1]


def test_a_saved_run_of_groups_has_the_values_of_the_table(corpus):
    """trec_eval reads the run; its many ties must keep our order."""
    random = np.random.default_rng(3)
    table = TableRanker({row: random.integers(0, 3, 6).tolist() for row in range(6)})
    selection = select_groups(Groups("g", {"A": APLASIA, "B": KNEE}), corpus)
    found = evaluate(selection, corpus, [table])
    qrels = [
        Qrel(case.query, corpus.ids[row], 1) for case in selection.cases for row in case.grades
    ]
    run = ir_measures.read_trec_run("".join(trec_run(selection, corpus, table)))
    by_query = {case.query: place for place, case in enumerate(selection.cases)}
    columns = {"nDCG@10": 0, "R@10": 1, "RR": 3}
    compared = list(ir_measures.iter_calc([nDCG @ 10, R @ 10, RR], qrels, run))
    assert len(compared) == 3 * 5
    for each in compared:
        ours = found.values["table"][by_query[each.query_id], columns[str(each.measure)]]
        assert ours == pytest.approx(each.value)


def test_a_difference_is_that_of_the_same_queries(corpus):
    selection = select_groups(Groups("g", {"A": APLASIA, "B": KNEE}), corpus)
    better = TableRanker({row: [9, 9, 9, 0, 5, 5] for row in range(6)})
    worse = TableRanker({row: [9, 9, 9, 5, 0, 0] for row in range(6)})
    worse.name = "worse"
    found = evaluate(selection, corpus, [better, worse])
    difference = found.difference("worse", "table")[3]
    assert difference.mean == pytest.approx((0 + (1 / 5 - 1 / 4)) / 2)
    assert difference.low <= difference.mean <= difference.high


# Our ranking


def test_exhaustive_similarities_are_those_of_the_indexs_answer(corpus, six):
    for row, nct_id in enumerate(corpus.ids):
        rows = np.delete(np.arange(6), row)
        found = Similarities(corpus).between(row, rows, DEFAULT_WEIGHTS)
        answer = {each.study.nct_id: each.similarity for each in similar_to_study(six, nct_id)}
        assert [answer[corpus.ids[each]] for each in rows] == pytest.approx(found.tolist())


def test_a_study_outside_the_index_is_as_similar_as_one_inside(build, write, encoder):
    """The sixth study, indexed and not; 16-bit rows differ from 32-bit ones a little.

    By the encoded fields: how rare a term is depends on the studies that the index holds.
    """
    dense = {**DEFAULT_WEIGHTS, "lexical": 0.0}
    whole = Corpus(opened_index(build().index))
    inside = Similarities(whole).between(5, np.arange(5), dense)
    without = Corpus(opened_index(build(SIX[:5], allow_shrink=True).index), studies(write, SIX[5:]))
    similarities = Similarities(without, encoder)
    assert without.row_of("NCT00000106") == 5
    outside = similarities.between(5, np.arange(5), dense)
    assert outside == pytest.approx(inside, abs=2e-3)
    back = [similarities.between(row, np.array([5]), dense)[0] for row in range(4)]
    forth = [Similarities(whole).between(row, np.array([5]), dense)[0] for row in range(4)]
    assert back == pytest.approx(forth, abs=2e-3)


def test_another_encoder_is_refused_for_studies_outside_the_index(six, write):
    other = WordEncoder()
    other.fingerprint = "other words"
    corpus = Corpus(six, studies(write, [record("NCT00000200", "Iron")]))
    with pytest.raises(RecipeError):
        Similarities(corpus, other).between(6, np.arange(6), DEFAULT_WEIGHTS)


def test_a_query_that_lacks_the_only_signal_ranks_nothing(corpus):
    (name,) = set(DEFAULT_WEIGHTS) & {"interventions"}
    ranker = OurRanker("only", Similarities(corpus), {name: 1.0})
    assert ranker.scores(5, np.arange(5)).tolist() == [0] * 5  # the sixth has no intervention
    assert ranker.scores(0, np.arange(5)).any()


def test_each_signal_is_ranked_alone_and_left_out():
    systems = our_systems(DEFAULT_WEIGHTS)
    assert next(iter(systems)) == OURS
    for name in DEFAULT_WEIGHTS:
        assert systems[f"only-{name}"] == {name: 1}
        if DEFAULT_WEIGHTS[name]:
            assert systems[f"without-{name}"] == {**DEFAULT_WEIGHTS, name: 0}
    assert "default-weights" not in systems
    assert "default-weights" in our_systems({**DEFAULT_WEIGHTS, "text": 0.2})


# Baselines


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_puts_the_like_before_the_unlike(corpus, encoder, name):
    ranker = baseline(name, corpus, encoder)
    ranker.prepare(np.arange(6))
    scores = ranker.scores(4, np.arange(6))
    assert np.argsort(-scores, kind="stable")[:2].tolist() == [4, 5]
    assert ranker.is_baseline


def test_tf_idf_is_the_cosine_worked_out_by_hand(build):
    """Words of one study each weigh the more; one word in common of two."""
    records = [record("NCT00000101", "Iron pills"), record("NCT00000102", "Iron drops")]
    corpus = Corpus(opened_index(build(records).index))
    rare = np.log(3 / 2) + 1  # scikit-learn's idf of a word in one of two texts; of both: 1
    score = baseline("tfidf", corpus, None).scores(0, np.array([1]))[0]
    assert score == pytest.approx(1 / (1 + rare**2))


def test_bm25_is_lucenes_formula(build):
    """Texts of two words: the length norm is 1, and only the word in common scores."""
    records = [record("NCT00000101", "Iron pills"), record("NCT00000102", "Iron drops")]
    corpus = Corpus(opened_index(build(records).index))
    idf = np.log(1 + (2 - 2 + 0.5) / (2 + 0.5))
    score = baseline("bm25", corpus, None).scores(0, np.array([1]))[0]
    assert score == pytest.approx(idf * 1 / (1 + 1.5), rel=1e-5)


def test_a_baseline_encodes_each_distinct_text_once_and_only_those_asked_for(build, encoder):
    corpus = Corpus(opened_index(build([*SIX, record("NCT00000107", "Knee surgery")]).index))
    encoder.encoded.clear()
    ranker = baseline("encoder-title", corpus, encoder)
    ranker.prepare(np.array([4, 5, 6]))
    ranker.scores(4, np.array([5, 6]))
    assert sorted(encoder.encoded) == ["Knee surgery", "Knee surgery in children"]


# Slices


def test_query_studies_are_sliced_by_what_they_lack_and_when_they_began(corpus):
    selection = select_groups(Groups("g", {"A": KNEE, "B": ("NCT00000101", "NCT00000106")}), corpus)
    found = slices(corpus, selection.cases)
    assert found["query without interventions"].tolist() == [False, True, False, True]
    assert "query without conditions" not in found
    assert found["start: 2010s"].all()


def test_query_studies_are_sliced_by_the_sponsor_of_their_relevant_ones(build):
    records = [record(f"NCT0000010{n}", "Aplasia") for n in range(4)]
    for each, sponsor in zip(records, ["A", "B", "A", ""], strict=True):
        module = each["protocolSection"]["sponsorCollaboratorsModule"]
        module["leadSponsor"]["name"] = sponsor
    corpus = Corpus(opened_index(build(records).index))
    members = tuple(corpus.ids)
    found = slices(corpus, select_groups(Groups("g", {"A": members}), corpus).cases)
    shared = "sponsor: one relevant study shares it"
    assert found[shared].tolist() == [True, False, True, False]
    assert found["sponsor: no relevant study shares it"].tolist() == [False, True, False, False]
    assert found["sponsor: unknown"].tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("terms", "areas"),
    [
        (("Breast Neoplasms",), ["neoplasms"]),
        (("HIV Infections", "Anemia"), ["infections", "blood and immune"]),
        (("Broken Heart",), ["cardiovascular"]),
        (("Hiccup",), ["other"]),
        ((), ["other"]),
    ],
)
def test_areas_go_by_the_words_of_mesh_terms(terms, areas):
    assert areas_of(Study(nct_id="NCT00000101", condition_mesh=terms)) == areas


def test_areas_go_by_conditions_where_a_record_has_no_mesh_terms():
    assert areas_of(Study(nct_id="NCT00000101", conditions=("Psoriasis",))) == ["skin"]


def test_a_decade_is_that_of_the_start():
    assert decade_of(Study(nct_id="NCT00000101", start_date="2009-12")) == "2000s"
    assert decade_of(Study(nct_id="NCT00000101")) == "unknown"


# Without judgements


def test_skewness_is_the_third_standardised_moment():
    """Mean 1, deviations -1, -1, -1, 3: the third moment 6 over 3 to the power of 1.5."""
    assert skewness(np.array([0, 0, 0, 4])) == pytest.approx(6 / 3**1.5)
    assert skewness(np.array([2, 2])) == 0


def test_a_small_index_agrees_with_itself_and_has_no_hub(corpus):
    """Each of six studies is among the five others of every study."""
    found = neighbourhoods(corpus, Similarities(corpus), DEFAULT_WEIGHTS, n_queries=100)
    assert (found.n_queries, found.k) == (6, 5)
    assert (found.agreement, found.n_disagreeing) == (1, 0)
    assert (found.skewness, found.nobody_share, found.largest_hub) == (0, 0, 5)


def test_disagreement_of_the_two_stages_shows(corpus, monkeypatch):
    monkeypatch.setattr("simsearch.evaluation.label_free.similar_to_study", lambda *_: [])
    found = neighbourhoods(corpus, Similarities(corpus), DEFAULT_WEIGHTS, n_queries=2)
    assert (found.agreement, found.n_disagreeing) == (0, 2)


def test_neighbours_that_repeat_the_query_study_are_counted(build):
    """Two of four studies say the same: one in three neighbours of each of the two."""
    twin = ("Iron pills for anemia", ["Anemia"], [("DRUG", "Iron")], "Adults take iron.")
    records = [record("NCT00000101", *twin), record("NCT00000102", *twin), *SIX[4:]]
    corpus = Corpus(opened_index(build(records).index))
    found = neighbourhoods(corpus, Similarities(corpus), DEFAULT_WEIGHTS, n_queries=4)
    assert found.near_duplicate_share == pytest.approx(2 / 12)


def test_only_studies_with_a_signal_that_weighs_are_sampled(corpus):
    """One of the six has no interventions."""
    alone = {**dict.fromkeys(DEFAULT_WEIGHTS, 0.0), "interventions": 1.0}
    found = neighbourhoods(corpus, Similarities(corpus), alone, n_queries=100)
    assert (found.n_queries, found.n_studies) == (5, 6)


def test_a_sample_by_a_signal_that_no_study_has_is_refused(build):
    alone = {**dict.fromkeys(DEFAULT_WEIGHTS, 0.0), "interventions": 1.0}
    corpus = Corpus(opened_index(build([SIX[5], record("NCT00000107", "Knees")]).index))
    with pytest.raises(ArgumentError, match="positive for a field that a study has"):
        neighbourhoods(corpus, Similarities(corpus), alone, n_queries=100)


# A whole run


def test_only_systems_that_encode_need_an_encoder():
    assert needs_encoder(system_names())
    assert not needs_encoder(system_names(baselines=False))
    assert not needs_encoder(["tfidf", "bm25"])


def test_an_unknown_system_is_refused_with_those_known(six):
    with pytest.raises(ArgumentError, match="one of simsearch, only-text"):
        Comparison(six, ["bm26"])
    with pytest.raises(ArgumentError, match="one of simsearch, only-text"):
        Comparison(six, ["bm25"]).trec_run(Groups("g", {}), "bm26")


def test_groups_rank_the_index_alone_and_qrels_the_records_too(six, write, encoder):
    extra = studies(write, [record("NCT00000100", "Knee surgery in adults")])
    comparison = Comparison(six, system_names(), encoder=encoder, plain=encoder)
    groups = Groups("g", {"A": KNEE, "B": ("NCT00000100", "NCT00000105")})
    qrels = Qrels("q", {"NCT00000100": {"NCT00000105": 1, "NCT00000104": 0}})
    report = comparison.run([groups], [qrels], extra)
    grouped, complete, some = (evaluation for evaluation, _ in report.evaluations)
    assert grouped.selection.left_out == {NOT_INDEXED: 1, FEW_MEMBERS: 1}
    assert [case.query for case in complete.selection.cases] == ["NCT00000100"]
    for system in ("simsearch", "tfidf", "bm25", "encoder-title"):
        assert complete.values[system].tolist() == some.values[system].tolist()
        assert complete.values[system][0, 0] == 1  # the knee comes before the iron


def test_only_judged_records_that_the_index_lacks_are_taken(six, write):
    path = write([*SIX, record("NCT00000100", "Iron"), record("NCT00000200", "Iron")], "more.jsonl")
    qrels = Qrels("q", {"NCT00000100": {"NCT00000101": 1}})
    assert [each.nct_id for each in judged_records([path], [qrels], six)] == ["NCT00000100"]


# The command


@pytest.fixture
def command(build, encoder, tmp_path, monkeypatch):
    """Run the command on the six studies; return its result."""
    monkeypatch.setattr(evaluate_cli, "load_encoder", lambda *_: encoder)
    folder = build().index
    (tmp_path / "groups.tsv").write_text("".join(f"A\t{each}\n" for each in (*APLASIA, ABSENT)))
    (tmp_path / "qrels.txt").write_text(
        "NCT00000101 0 NCT00000102 1\nNCT00000101 0 NCT00000105 0\nNCT00000105 0 NCT00000200 1\n"
    )
    app = typer.Typer()
    app.command()(evaluate_cli.evaluate)

    def _run(*words: str, exit_code: int = 0):
        named = [str(tmp_path / word) if "." in word else word for word in words]
        done = CliRunner().invoke(app, ["--index", str(folder), *named])
        assert done.exit_code == exit_code, done.output
        return done

    return _run


def test_the_command_prints_all_systems_with_ceiling_and_chance(command):
    shown = command("--groups", "groups.tsv").stdout
    for name in (*system_names(), "ceiling", "random order"):
        assert f"\n{name} " in shown
    assert "3 queries of 1 groups used; left out: 1 not in the index" in shown
    assert "times the nDCG@10 of the best baseline" in shown
    assert "Without judgements: the top 5 of 6 of 6 studies" in shown


def test_whole_corpus_and_judged_candidates_stand_in_tables_of_their_own(command):
    words = ("--groups", "groups.tsv", "--qrels", "qrels.txt", "--no-baselines", "--sample", "0")
    tables = command(*words).stdout.split("System  ")[1:]
    assert len(tables) == 3
    assert ["nDCG@10" in each for each in tables] == [True, False, False]
    assert ["nDCG@5" in each for each in tables] == [False, True, True]


def test_json_holds_every_querys_values(command):
    words = ("--groups", "groups.tsv", "--system", "bm25", "--system", "simsearch", "-o", "json")
    (judged,) = json.loads(command(*words, "-q").stdout)["judged_sets"]
    assert [each["name"] for each in judged["systems"]] == ["bm25", "simsearch"]
    per_query = [each["values"]["bm25"]["MRR"] for each in judged["queries"]]
    assert judged["systems"][0]["measures"]["MRR"]["mean"] == pytest.approx(np.mean(per_query))
    assert {each["query"] for each in judged["queries"]} == set(APLASIA)


def test_csv_has_a_line_for_each_measure_of_each_system(command):
    words = ("--groups", "groups.tsv", "--system", "tfidf", "--sample", "0", "-o", "csv", "-q")
    lines = list(csv.DictReader(command(*words).stdout.splitlines()))
    whole = [(each["system"], each["measure"]) for each in lines if not each["slice"]]
    assert len(whole) == len(set(whole)) == 3 * 4
    assert {each["n_queries"] for each in lines if not each["slice"]} == {"3"}


def test_markdown_is_a_table(command):
    words = ("--groups", "groups.tsv", "--system", "tfidf", "--sample", "0", "-o", "markdown", "-q")
    shown = command(*words).stdout
    assert "| System | nDCG@10 | R@10 | R@100 | MRR |" in shown
    assert "| random order | " in shown


def test_records_bring_judged_studies_that_the_index_lacks(command, write):
    write([record("NCT00000200", "Knee surgery")], "more.jsonl")
    words = ("--qrels", "qrels.txt", "--no-baselines", "--sample", "0", "--records", "more.jsonl")
    assert "1 neither" not in command(*words).stdout
    assert "left out: 1 no relevant candidate here" in command(*words[:-2]).stdout


def test_a_run_is_saved_as_trec_writes_it(command, tmp_path):
    words = ("--groups", "groups.tsv", "--sample", "0", "--save", "run.trec")
    command(*words, "--save-system", "tfidf", "--system", "simsearch")
    lines = [line.split() for line in (tmp_path / "run.trec").read_text().splitlines()]
    assert len(lines) == 3 * 5
    assert [len(line) for line in lines] == [6] * 15
    assert {(line[1], line[5]) for line in lines} == {("Q0", "tfidf")}


def test_a_run_replaces_a_run_and_nothing_else(command, tmp_path):
    words = ("--groups", "groups.tsv", "--sample", "0", "--no-baselines", "--save")
    command(*words, "run.trec")
    run = (tmp_path / "run.trec").read_text()
    command(*words, "run.trec")
    assert (tmp_path / "run.trec").read_text() == run
    groups = (tmp_path / "groups.tsv").read_text()
    done = command(*words, "groups.tsv", exit_code=1)
    assert "a TREC run to replace" in str(done.exception)
    assert (tmp_path / "groups.tsv").read_text() == groups


def test_a_run_that_breaks_off_leaves_the_one_before(command, tmp_path, monkeypatch):
    before = "NCT00000101 Q0 NCT00000102 1 0.5 simsearch\n"
    (tmp_path / "run.trec").write_text(before)

    def broken(*_):
        yield before
        raise KeyboardInterrupt

    monkeypatch.setattr("simsearch.evaluation.comparison.trec_run", broken)
    words = ("--groups", "groups.tsv", "--sample", "0", "--no-baselines", "--save", "run.trec")
    command(*words, exit_code=130)
    assert (tmp_path / "run.trec").read_text() == before
    assert not (tmp_path / "run.trec.part").exists()


def test_a_run_goes_to_a_pipe_and_through_a_link(command, tmp_path):
    words = ("--groups", "groups.tsv", "--sample", "0", "--no-baselines", "--save")
    (tmp_path / "link.trec").symlink_to(tmp_path / "run.trec")
    command(*words, "link.trec")
    assert (tmp_path / "link.trec").is_symlink()
    assert (tmp_path / "run.trec").read_text().count("\n") == 15
    os.mkfifo(tmp_path / "pipe.trec")
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit((tmp_path / "pipe.trec").read_text)
        command(*words, "pipe.trec")
        assert read.result(timeout=60).count("\n") == 15


def test_weights_are_named_one_by_one_or_together(command):
    words = ("--groups", "groups.tsv", "--no-baselines", "--sample", "0")
    together = command(*words, "--weight", "text=1,conditions=0").stdout
    assert together == command(*words, "--weight", "text=1", "--weight", "conditions=0").stdout
    assert "default-weights" in together
    assert "without-conditions" not in together


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--records", "more.jsonl"), "--records goes with --qrels"),
        (("--groups", "groups.tsv", "--qrels", "qrels.txt", "--save", "r.trec"), "one judged set"),
    ],
)
def test_options_that_do_not_go_together_are_refused(command, words, said):
    assert said in " ".join(command(*words, exit_code=2).stderr.replace("│", " ").split())


@pytest.mark.parametrize("weight", ["words=1", "text=-1", "text=nan"])
def test_a_wrong_weight_is_refused(command, weight):
    assert isinstance(command("--weight", weight, exit_code=1).exception, ArgumentError)


def test_a_judged_set_without_a_usable_query_says_so_beside_another(command, tmp_path):
    (tmp_path / "far.tsv").write_text(f"A\t{ABSENT}\n")
    words = ("--groups", "far.tsv", "--groups", "groups.tsv", "--sample", "0", "--no-baselines")
    shown = command(*words).stdout
    assert "0 queries of 0 groups used; left out: 1 not in the index" in shown
    assert "No query can be used." in shown


@pytest.mark.parametrize("more", [(), ("--save", "run.trec")])
def test_judged_sets_without_any_usable_query_are_an_error(command, tmp_path, more):
    (tmp_path / "far.tsv").write_text(f"A\t{ABSENT}\n")
    done = command("--groups", "far.tsv", "--no-baselines", *more, exit_code=1)
    assert isinstance(done.exception, JudgedSetError)
    assert "far.tsv: no query can be used (1 not in the index)" in str(done.exception)
    assert not (tmp_path / "run.trec").exists()
