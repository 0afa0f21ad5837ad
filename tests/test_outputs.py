"""`-o/--output` and `-f/--format`, alike in every command: where a result goes, and as what."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import record

from simsearch.cli import main as cli
from simsearch.output.formats import ENDINGS, FORMATS

WITH_OUTPUT = (
    "query NCT101",
    "show NCT101",
    "compare NCT101 --no-groups",
    "related NCT101",
    "info",
    "diff",
    "evaluate",
    "index list",
)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, build):
    """Run a command in a folder with an index; return exit code, out and err."""
    build()
    build()
    monkeypatch.chdir(tmp_path)

    def _run(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["simsearch", *line.split()])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return (caught.value.code or 0, *capsys.readouterr())

    return _run


def declared(command: Any, context: Any, name: str = "") -> dict[str, set[str]]:
    """Return command → all that can be written for its options."""
    if not hasattr(command, "list_commands"):
        return {name: {opt for each in command.get_params(context) for opt in each.opts}}
    found: dict[str, set[str]] = {}
    for each in command.list_commands(context):
        inner = command.get_command(context, each)
        place = typer.Context(inner, info_name=each, parent=context)
        found |= declared(inner, place, f"{name} {each}".strip())
    return found


def test_output_and_format_go_together_in_every_command_and_mean_the_same():
    root = typer.main.get_command(cli.app)
    for name, options in declared(root, typer.Context(root, info_name="simsearch")).items():
        file, form = {"-o", "--output"}, {"-f", "--format"}
        assert options & form in (set(), form), name
        assert options & file in (set(), file, {"--output"}), name
        assert not options & form or options & file, name


@pytest.mark.parametrize(
    ("ending", "begins"),
    [
        (".json", "{\n"),
        (".jsonl", '{"'),
        (".csv", "rank,"),
        (".md", "Studies most like"),
        (".txt", "NCT00000101"),
    ],
)
def test_the_ending_of_the_file_decides_the_format(run, tmp_path, ending, begins):
    assert run(f"query NCT101 -o answer{ending}") == (0, "", "")
    assert (tmp_path / f"answer{ending}").read_text().startswith(begins)


def test_a_format_may_be_named_for_a_file_with_another_ending(run, tmp_path):
    assert run("query NCT101 -k 1 -o next.list -f ids")[:2] == (0, "")
    assert (tmp_path / "next.list").read_text() == "NCT00000102\n"


def test_a_file_holds_what_standard_output_would_in_a_pipe(run, tmp_path):
    for command, ending in (("query NCT101", "csv"), ("info", "json"), ("index list", "json")):
        printed = run(f"{command} -f {ending}")[1]
        assert run(f"{command} -o x.{ending}")[:2] == (0, "")
        assert (tmp_path / f"x.{ending}").read_text() == printed
    with (tmp_path / "x.csv").open() as file:
        assert next(csv.DictReader(file))["nct_id"] == "NCT00000102"
    assert run("query NCT101 -f csv -o -")[1] == (tmp_path / "x.csv").read_text()


@pytest.mark.parametrize("command", WITH_OUTPUT)
def test_the_old_form_is_refused_with_the_new_one(run, command):
    form = "jsonl" if command.startswith("related") else "json"
    code, out, err = run(f"{command} -o {form}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"give -f {form}, or -o FILE.{form}" in err


def test_the_old_short_name_of_a_draft_is_refused_with_the_new_one(run, tmp_path):
    (tmp_path / "draft.json").write_text(json.dumps(record(None, "Iron", ["Anemia"])))
    code, out, err = run("query -f draft.json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--file gives the record of a draft" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-o answer.xls", "its ending names no format of this command"),
        ("-o answer", "its ending names no format of this command"),
        ("-o answer.json -f csv", "name two formats"),
        ("-o no/answer.json", "is not a folder"),
        ("-o .", "is a folder"),
        ("-o index/answer.json", "lies in the index"),
        ("--file draft.json -o draft.json", "--file reads this file"),
        ("--exclude seen.csv -o seen.csv", "--exclude reads this file"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_done(
    run, tmp_path, words, said
):
    draft = json.dumps(record(None, "Iron for anemia", ["Anemia"]))
    (tmp_path / "draft.json").write_text(draft)
    (tmp_path / "seen.csv").write_text("nct_id\nNCT00000102\n")
    code, out, err = run(f"query NCT101 {words}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert (tmp_path / "draft.json").read_text() == draft
    assert sorted(each.name for each in tmp_path.glob("*.*")) == [
        "draft.json", "records.jsonl", "seen.csv",
    ]  # fmt: skip


def test_a_full_disk_leaves_the_file_as_it_was(run, monkeypatch, tmp_path):
    target = tmp_path / "answer.csv"
    target.write_text("rank\n")

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    code, out, err = run("query NCT101 -o answer.csv")
    assert (code, out) == (1, "")
    assert "cannot write answer.csv: No space left on device" in err
    assert target.read_text() == "rank\n"


def test_every_ending_says_a_format_that_exists():
    assert set(ENDINGS.values()) <= {*FORMATS, "parquet"}


def test_a_format_that_is_a_kind_of_csv_is_written_into_a_csv(run):
    assert run("query NCT101 -k 1 -f asreview -o screen.csv")[0] == 0
    assert Path("screen.csv").read_text().startswith("title,abstract,authors,keywords,url,doi,")
    code, _, err = run("query NCT101 -k 1 -o asreview")
    assert code == 2
    assert "give -f asreview, or -o FILE.csv" in err
