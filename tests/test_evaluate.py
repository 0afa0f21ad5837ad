"""`simsearch evaluate`: its output in every format, saved runs, and what it refuses."""

import csv
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import REPOSITORY, WordEncoder, record
from judging import ABSENT, APLASIA

from simsearch.cli import evaluate as evaluate_command
from simsearch.cli.main import main
from simsearch.encode.encoders import PLAIN_MODEL
from simsearch.encode.vector_cache import VectorCache
from simsearch.evaluation.baselines import BASELINES
from simsearch.evaluation.comparison import Comparison, system_names


@pytest.fixture
def loaded(encoder, monkeypatch) -> list[str]:
    """The names of the models that the command loads; each is the word-counting encoder."""
    names: list[str] = []

    def load_encoder(name: str) -> WordEncoder:
        names.append(name)
        return encoder

    monkeypatch.setattr(evaluate_command, "load_encoder", load_encoder)
    return names


@pytest.fixture
def command(build, loaded, tmp_path, monkeypatch, capsys):
    """Run the command on the six studies; return its stdout, or its stderr if it fails."""
    folder = build().index
    (tmp_path / "groups.tsv").write_text("".join(f"A\t{each}\n" for each in (*APLASIA, ABSENT)))
    (tmp_path / "qrels.txt").write_text(
        "NCT00000101 0 NCT00000102 1\nNCT00000101 0 NCT00000105 0\nNCT00000105 0 NCT00000200 1\n"
    )

    def _run(*words: str, exit_code: int = 0) -> str:
        named = [str(tmp_path / word) if "." in word else word for word in words]
        argv = ["simsearch", "evaluate", "--index", str(folder), *named]
        monkeypatch.setattr(sys, "argv", argv)
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        shown = capsys.readouterr()
        assert (caught.value.code or 0) == exit_code, shown.err
        return shown.err if exit_code else shown.out

    return _run


def test_the_command_prints_all_systems_with_ceiling_and_chance(command):
    shown = command("--groups", "groups.tsv")
    for name in (*system_names(), "ceiling", "random order"):
        assert f"\n{name} " in shown
    assert "3 queries of 1 groups used; left out: 1 not in the index" in shown
    assert "times the nDCG@10 of the best baseline" in shown
    assert "Without judgements: the top 5 of 6 of 6 studies" in shown


def test_whole_corpus_and_judged_candidates_have_separate_tables(command):
    words = ("--groups", "groups.tsv", "--qrels", "qrels.txt", "--no-baselines", "--sample", "0")
    tables = command(*words).split("System  ")[1:]
    assert len(tables) == 3
    assert ["nDCG@10" in each for each in tables] == [True, False, False]
    assert ["nDCG@5" in each for each in tables] == [False, True, True]


def test_json_has_the_values_of_every_query(command):
    words = ("--groups", "groups.tsv", "--system", "bm25", "--system", "simsearch", "-f", "json")
    (judged,) = json.loads(command(*words, "-q"))["judged_sets"]
    assert [each["name"] for each in judged["systems"]] == ["bm25", "simsearch"]
    per_query = [each["values"]["bm25"]["MRR"] for each in judged["queries"]]
    assert judged["systems"][0]["measures"]["MRR"]["mean"] == pytest.approx(np.mean(per_query))
    assert {each["query"] for each in judged["queries"]} == set(APLASIA)


def test_the_document_names_every_field_of_the_json_and_every_baseline(command):
    report = json.loads(command("--groups", "groups.tsv", "-f", "json", "-q"))
    (judged,) = report["judged_sets"]
    (system, *_), (one_slice, *_), (query, *_) = (
        judged[name] for name in ("systems", "slices", "queries")
    )
    names = {*report, *judged, *system, *one_slice, *query, *system["measures"]["MRR"], *BASELINES}
    document = (REPOSITORY / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert {name for name in names if f"`{name}`" not in document} == set()


def test_csv_has_a_line_for_each_measure_of_each_system(command):
    words = ("--groups", "groups.tsv", "--system", "tfidf", "--sample", "0", "-f", "csv", "-q")
    lines = list(csv.DictReader(command(*words).splitlines()))
    whole = [(each["system"], each["measure"]) for each in lines if not each["slice"]]
    assert len(whole) == len(set(whole)) == 3 * 4
    assert {each["n_queries"] for each in lines if not each["slice"]} == {"3"}


def test_markdown_is_a_table(command):
    words = ("--groups", "groups.tsv", "--system", "tfidf", "--sample", "0", "-f", "markdown", "-q")
    shown = command(*words)
    assert "| System | nDCG@10 | R@10 | R@100 | MRR |" in shown
    assert "| random order | " in shown


def test_records_supply_judged_studies_that_the_index_lacks(command, write):
    write([record("NCT00000200", "Knee surgery")], "more.jsonl")
    words = ("--qrels", "qrels.txt", "--no-baselines", "--sample", "0", "--records", "more.jsonl")
    assert "1 neither" not in command(*words)
    assert "left out: 1 no relevant candidate here" in command(*words[:-2])


def test_only_what_is_encoded_loads_a_model(command, loaded, write):
    command("--groups", "groups.tsv", "--no-baselines", "--sample", "0")
    assert loaded == []
    command("--groups", "groups.tsv", "--no-baselines", "--sample", "0", "--save", "run.trec",
            "--save-system", "encoder-title")  # fmt: skip
    assert loaded == [PLAIN_MODEL]
    write([record("NCT00000200", "Knee surgery")], "more.jsonl")
    words = ("--qrels", "qrels.txt", "--no-baselines", "--records", "more.jsonl")
    command(*words)
    command(*words, "--model", "elsewhere")
    assert loaded[1:] == ["words", "elsewhere"]


def test_vectors_are_cached_unless_that_is_declined(command, tmp_path):
    words = ("--groups", "groups.tsv", "--system", "encoder-title", "--sample", "0", "--cache")
    command(*words, "cache.sqlite", "--no-cache")
    assert not (tmp_path / "cache.sqlite").exists()
    command(*words, "cache.sqlite")
    with VectorCache(tmp_path / "cache.sqlite") as cache:
        assert [each.n_vectors for each in cache.facts()] == [6]


def test_a_sample_is_of_that_many_studies(command):
    shown = command("--sample", "4", "-f", "json")
    assert json.loads(shown)["without_judgements"]["n_queries"] == 4
    assert "give --groups, --qrels or a --sample above 0" in command("--sample", "0", exit_code=2)


def test_a_run_is_saved_in_the_format_of_trec(command, tmp_path):
    words = ("--groups", "groups.tsv", "--sample", "0", "--save", "run.trec")
    command(*words, "--save-system", "tfidf", "--system", "simsearch")
    lines = [line.split() for line in (tmp_path / "run.trec").read_text().splitlines()]
    assert len(lines) == 3 * 5
    assert [len(line) for line in lines] == [6] * 15
    assert {(line[1], line[5]) for line in lines} == {("Q0", "tfidf")}


def test_a_run_replaces_only_another_run(command, tmp_path):
    words = ("--groups", "groups.tsv", "--sample", "0", "--no-baselines", "--save")
    command(*words, "run.trec")
    run = (tmp_path / "run.trec").read_text()
    command(*words, "run.trec")
    assert (tmp_path / "run.trec").read_text() == run
    groups = (tmp_path / "groups.tsv").read_text()
    refused = command(*words, "groups.tsv", exit_code=2)
    assert "it must be a new file, or a TREC run to replace" in refused
    assert (tmp_path / "groups.tsv").read_text() == groups


def test_an_interrupted_run_leaves_the_previous_one(command, tmp_path, monkeypatch):
    before = "NCT00000101 Q0 NCT00000102 1 0.5 simsearch\n"
    (tmp_path / "run.trec").write_text(before)

    def broken(*_):
        yield before
        raise KeyboardInterrupt

    monkeypatch.setattr(Comparison, "trec_run", broken)
    words = ("--groups", "groups.tsv", "--sample", "0", "--no-baselines", "--save", "run.trec")
    command(*words, exit_code=130)
    assert (tmp_path / "run.trec").read_text() == before
    assert not (tmp_path / "run.trec.part").exists()


def test_a_run_can_be_written_to_a_pipe_and_through_a_link(command, tmp_path):
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


def test_weights_are_given_one_by_one_or_together(command):
    words = ("--groups", "groups.tsv", "--no-baselines", "--sample", "0")
    together = command(*words, "--weight", "text=1,conditions=0")
    assert together == command(*words, "--weight", "text=1", "--weight", "conditions=0")
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
    assert said in command(*words, exit_code=2)


@pytest.mark.parametrize("weight", ["words=1", "text=-1", "text=nan"])
def test_a_wrong_weight_is_refused(command, weight):
    assert "--weight" in command("--weight", weight, exit_code=2)


def test_a_judged_set_without_a_usable_query_is_reported_beside_another(command, tmp_path):
    (tmp_path / "far.tsv").write_text(f"A\t{ABSENT}\n")
    words = ("--groups", "far.tsv", "--groups", "groups.tsv", "--sample", "0", "--no-baselines")
    shown = command(*words)
    assert "0 queries of 0 groups used; left out: 1 not in the index" in shown
    assert "No query can be used." in shown


@pytest.mark.parametrize("more", [(), ("--save", "run.trec")])
def test_judged_sets_without_any_usable_query_are_an_error(command, tmp_path, more):
    (tmp_path / "far.tsv").write_text(f"A\t{ABSENT}\n")
    refused = command("--groups", "far.tsv", "--no-baselines", *more, exit_code=1)
    assert "far.tsv: no query can be used (1 not in the index)" in refused
    assert not (tmp_path / "run.trec").exists()


@pytest.mark.parametrize(
    ("option", "file", "message"),
    [
        ("--groups", "qrels.txt", "holds qrels, not groups; give it with --qrels"),
        ("--qrels", "groups.tsv", "holds groups, not qrels; give it with --groups"),
    ],
)
def test_a_judged_set_of_the_other_kind_is_refused_with_its_option(command, option, file, message):
    assert f"{file}: {message}\n" in command(option, file, exit_code=1)


def test_a_run_in_a_folder_that_is_not_there_is_refused(command):
    words = ("--groups", "groups.tsv", "--no-baselines", "--save", "none/run.trec")
    assert "it must be a file to write (No such file" in command(*words, exit_code=2)
