"""The command: what it prints, where, and how it exits."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import SIX, WordEncoder, record, run_on_terminal

import simsearch
from simsearch.cli import asking as asking_module
from simsearch.cli import building as building_module
from simsearch.cli import info as info_module
from simsearch.cli import main as cli
from simsearch.cli import related as related_module
from simsearch.index import directory as storage_module

HERE = Path(__file__).parent  # a folder without an index of its own


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command in-process with the word-counting encoder; return code, out, err."""
    for module, name in ((asking_module, "builder_of"), (building_module, "load_encoder")):
        monkeypatch.setattr(module, name, lambda *_, **__: WordEncoder())
    monkeypatch.setattr(
        storage_module.platformdirs, "user_data_path", lambda *_, **__: tmp_path / "user"
    )
    monkeypatch.delenv("SIMSEARCH_INDEX", raising=False)
    monkeypatch.chdir(tmp_path)

    def _run(*args):
        monkeypatch.setattr(sys, "argv", ["simsearch", *map(str, args)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        return caught.value.code or 0, out, err

    return _run


def one_line(err: str) -> bool:
    return err.startswith("simsearch: ") and err.count("\n") == 1


def test_rebuild_then_query_from_the_users_folder(run, write, tmp_path):
    code, out, err = run("rebuild", write())
    assert code == 0
    assert re.search(r"Published +6 studies, records to 2021-05-06", out)
    assert str(tmp_path / "user" / "index") in out.replace("\n", "")
    assert "encoding 15 texts" in err
    code, out, err = run("query", "NCT00000101", "-k", "2")
    assert (code, err) == (0, "")
    assert "Drops for aplasia" in out
    assert "6 studies" in out


def test_the_report_says_all_that_was_counted(run, write):
    _, out, _ = run("rebuild", write([*SIX, record(None, "x"), SIX[0]]), "--allow-rejects")
    for piece in (
        r"Read +8 records",
        r"Rejected +1 \(the record has no NCT ID 1\)",
        r"line 7: the record has no NCT ID",
        r"Duplicates +1",
        r"Texts +17: 15 encoded, 2 reused",
        r"Truncated +1 texts of over 12 tokens",
        r"Empty +text 0, conditions 0, interventions 1",
        r"Time +.*reading",
        r"Size +\d",
        r"Where +",
    ):
        assert re.search(piece, out), piece


def test_an_index_named_by_option_or_environment(run, write, tmp_path, monkeypatch):
    run("rebuild", write(), "--index", tmp_path / "mine", "--quiet")
    assert "6 studies" in run("query", "NCT101", "--index", tmp_path / "mine")[1]
    monkeypatch.setenv("SIMSEARCH_INDEX", str(tmp_path / "mine"))
    assert "6 studies" in run("query", "NCT101")[1]


def test_an_index_in_the_current_folder(run, write, tmp_path):
    run("rebuild", write(), "--index", "index")
    assert (tmp_path / "index" / "CURRENT").is_file()
    assert json.loads(run("query", "NCT101", "-f", "json")[1])["index"]["path"].endswith("index")
    run("rebuild", write(SIX[:3]), "--allow-shrink")  # goes where the query looked
    assert json.loads(run("info", "-f", "json")[1])["n_studies"] == 3


def test_without_any_index_the_demo_answers_and_says_so(run):
    code, out, err = run("query", "NCT03540472")
    assert (code, err) == (0, "")
    assert "demo collection" in out
    assert out.endswith("  simsearch fetch --all && simsearch rebuild\n")


def test_an_unknown_study_is_told_with_what_this_command_and_this_index_can_do(
    run, write, tmp_path
):
    whole = "for the whole registry, simsearch fetch --all && simsearch rebuild"
    asked = "NCT99999999 is not in the demo collection (261 studies, records to 2025-05-08)"
    code, _, err = run("query", "NCT99999999")
    assert (code, err) == (
        1, f"simsearch: {asked}: {whole}; or ask with --online or --file RECORD\n"
    )  # fmt: skip
    code, _, err = run("related", "NCT99999999")
    assert (code, err) == (1, f"simsearch: {asked}: {whole}\n")
    run("rebuild", write(), "-q")
    _, _, err = run("related", "NCT99999999")
    assert f"is not in the index {tmp_path / 'user' / 'index'} (6 studies" in err
    assert err.endswith("): rebuild from records that contain it\n")


def test_quiet_rebuild_prints_nothing(run, write):
    assert run("rebuild", write(), "--quiet") == (0, "", "")


def test_free_text_and_drafts(run, write, tmp_path):
    run("rebuild", write(), "-q")
    code, out, _ = run("query", "--text", "knee surgery", "-f", "ids", "-k", 1)
    assert (code, out) == (0, "NCT00000105\n")
    draft = tmp_path / "draft.json"
    draft.write_text(json.dumps(record(None, "Iron for anemia", ["Anemia"]), indent=2))
    code, out, _ = run("query", "--file", draft)
    assert code == 0
    assert out.splitlines()[0] == "Draft  Iron for anemia"
    assert "NCT00000104" in out.splitlines()[5]


@pytest.mark.parametrize("format_", ["table", "json", "jsonl", "csv", "markdown", "ids"])
def test_every_format_is_written_without_colour_to_a_pipe(run, write, format_):
    run("rebuild", write(), "-q")
    code, out, err = run("query", "NCT101", "--format", format_)
    assert (code, err) == (0, "")
    assert out.endswith("\n")
    assert "\x1b" not in out
    for nct_id in ("NCT00000102", "NCT00000106"):
        assert nct_id in out
    if format_ == "csv":
        assert len(list(csv.reader(io.StringIO(out)))) == 6


@pytest.mark.parametrize(
    ("format_", "said"),
    [("table", "weighted sum made of: text"), ("csv", "weighted_sum_made_of\n"),
     ("markdown", "<br>weighted sum made of: text")],
)  # fmt: skip
def test_explain_is_heard_in_every_format_that_says_less(run, write, format_, said):
    run("rebuild", write(), "-q")
    code, out, err = run("query", "NCT101", "--explain", "-f", format_)
    assert (code, err) == (0, "")
    assert said in out
    assert said not in run("query", "NCT101", "-f", format_)[1]


def test_info_says_what_the_index_holds(run, write):
    run("rebuild", write(), "-q")
    code, out, _ = run("info")
    assert code == 0
    for piece in (r"Studies +6", r"Records to +2021-05-06", r"Recipe +[0-9a-f]{8}: words",
                  r"interventions 5 \(83.3%\)", r"Size +\d"):  # fmt: skip
        assert re.search(piece, out), piece
    shape = json.loads(run("info", "--format", "json")[1])
    assert shape["schema"] == "simsearch.info/1"
    assert shape["manifest"]["n_studies"] == 6


def test_version_and_help(run):
    assert run("--version") == (0, f"simsearch {simsearch.__version__}\n", "")
    for command in ("query", "rebuild", "fetch", "update", "info"):
        code, out, _ = run(command, "--help")
        assert code == 0
        assert f"simsearch {command}" in out  # an example
    code, out, err = run()
    assert (code, err) == (2, "")
    assert "rebuild" in out


def test_completion_is_offered(run, monkeypatch):
    """Also where the tests have no shell above them."""
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    code, out, _ = run("--show-completion", "bash")
    assert code == 0
    assert "_SIMSEARCH_COMPLETE" in out


WRONG_USAGE = {
    "k of zero": ("query", "NCT101", "-k", "0"),
    "k of a million": ("query", "NCT101", "-k", "1000000"),
    "k of words": ("query", "NCT101", "-k", "ten"),
    "nothing asked": ("query",),
    "an empty file": ("query", "--file", ""),
    "empty records": ("rebuild", ""),
    "unlike alone": ("query", "--not", "NCT101"),
    "grouped by what is not there": ("query", "NCT101", "--group-by", "moon"),
    "as diverse as words": ("query", "NCT101", "--diverse", "0,5"),
    "another format": ("query", "NCT101", "--format", "xlsx"),
    "another option": ("query", "NCT101", "--top", "5"),
    "neither records nor a mirror": ("rebuild",),
    "nothing to fetch": ("fetch",),
    "two things to fetch": ("fetch", "--all", "--condition", "anemia"),
    "a date of another form": ("fetch", "--all", "--since", "May 2020"),
    "another command": ("search", "NCT101"),
    "another precision": ("rebuild", "x", "--precision", "int8"),
}


@pytest.mark.parametrize("case", WRONG_USAGE)
def test_wrong_usage_exits_2_with_one_line_that_points_to_the_help(run, case):
    code, out, err = run(*WRONG_USAGE[case])
    assert (code, out) == (2, "")
    assert one_line(err)
    assert "--help" in err
    assert "Value error" not in err


def test_wrong_values_exit_2_with_one_line_that_names_the_option(run, write):
    run("rebuild", write(), "-q")
    nothing = ("-w", "text=0,conditions=0,interventions=0,lexical=0")
    bad = {
        ("NTC00000102",): "'NTC00000102' is neither an NCT ID nor a number of a study here",
        ("NCT101", "--weight", "lexical"): "--weight 'lexical': it must be like lexical=0.5",
        ("NCT101", "--weight", "title=1"): "--weight 'title=1': it must be of text, conditions,",
        ("NCT101", "--weight", "text=-1"): "--weight text=-1.0: it must be a number of 0 or more",
        ("NCT101", *nothing): "--weight text=0,conditions=0,interventions=0,lexical=0: it must be",
        ("NCT101", "--status", "recruitin"): "did you mean 'RECRUITING'?",
        ("NCT101", "--country", "Frence"): "did you mean 'France'?",
        ("NCT101", "--start-after", "2010-13"): "--start-after '2010-13': it must be a date like",
        ("NCT101", "--start-before", ""): "--start-before '': it must be a date like",
        ("NCT101", "--start-before", "soon"): "--start-before 'soon': it must be a date like",
        ("NCT101", "--min-enrollment", "-1"): "--min-enrollment -1: it must be 0 or more",
    }  # fmt: skip
    alone = {
        ("aplastic anemia",): "use --text",
        ("NCT101", "--diverse", "2"): "--diverse 2.0: it must be from 0 to 1",
        ("NCT101", "--fold", "-k", "500"): "--top-k 500: it must be from 1 to 200",
        ("NCT101", "--not", "NCT101"): "--not 'NCT00000101': it must be another study",
        ("NCT101", "--not", "NTC102"): "'NTC102' is neither an NCT ID nor a number of a study here",
    }
    for command, cases in (("query", bad | alone), ("related", bad)):
        for args, message in cases.items():
            code, out, err = run(command, *args)
            assert (code, out, one_line(err)) == (2, "", True), args
            assert message in err, args


def test_errors_exit_1_with_one_line(run, write, tmp_path):
    run("rebuild", write(), "-q")
    (tmp_path / "empty.json").touch()
    (tmp_path / "notes.txt").write_text("hello")
    bad = {
        ("query", "NCT00000999"): "or ask with --online or --file RECORD",
        ("show", "NCT00000999"): "rebuild from records that contain it; or ask with --online",
        ("query", "NCT101", "--index", "nowhere"): "nowhere does not hold an index",
        ("query", "--file", "nowhere.json"): "no such file",
        ("query", "--file", "empty.json"): "empty",
        ("rebuild", "nowhere.json"): "no such file",
        ("rebuild", "empty.json"): "empty",
        ("rebuild", "notes.txt"): "no study records",
        ("rebuild", write(), "--index", tmp_path / "notes.txt"): "is not a folder",
        ("rebuild", write(), "--index", tmp_path): "holds other files",
        ("info", "--index", "nowhere"): "does not hold an index",
    }
    for args, message in bad.items():
        code, out, err = run(*args)
        assert (code, out) == (1, ""), args
        log, _, error = err.rstrip("\n").rpartition("\n")
        assert message in error, args
        assert all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in log.splitlines()), args
    assert json.loads(run("info", "-f", "json")[1])["n_studies"] == 6  # nothing lost


@pytest.mark.parametrize(
    "words",
    [("related", "iron"), ("diff", "--watch", "iron"), ("query", "NCT101", "--not", "iron")],
)
def test_words_are_sent_to_text_only_where_it_is_an_option(run, write, words):
    run("rebuild", write(), "-q")
    code, _, err = run(*words)
    assert (code, "'iron' is not an NCT ID" in err, "--text" in err) == (2, True, False)


def test_a_bug_keeps_its_traceback(run, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(info_module, "opened_index", broken)
    monkeypatch.setattr(sys, "argv", ["simsearch", "info"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def command(*args, **options):
    """Run the command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "simsearch", *args],
        capture_output=True, text=True, check=False, timeout=120, cwd=HERE, **options,
    )  # fmt: skip


def answered_with(folder, *words):
    """Run the command as a process of its own; return its output and the libraries it loaded."""
    script = (
        "import sys; from simsearch.cli.main import main\n"
        f"sys.argv = ['simsearch', *{words!r}]\n"
        "try: main()\n"
        "except SystemExit as done: assert not done.code\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=folder
    )
    return done.stdout, set(done.stderr.split())


def test_a_query_by_id_loads_no_model():
    _, loaded = answered_with(HERE, "query", "NCT03540472")
    assert "faiss" in loaded
    heavy = {"torch", "transformers", "sentence_transformers", "sklearn", "scipy", "ijson",
             "httpx", "tenacity", "defusedxml"}  # fmt: skip
    assert not loaded & heavy


@pytest.mark.model
@pytest.mark.parametrize("asked", [["--text", "iron for anemia"], ["--file", "draft.json"]])
def test_a_query_with_words_waits_for_no_torch(asked, tmp_path):
    draft = record(None, "Iron for anemia", ["Anemia"])
    (tmp_path / "draft.json").write_text(json.dumps(draft))
    out, loaded = answered_with(tmp_path, "query", *asked, "-f", "ids")
    assert "tokenizers" in loaded
    assert not loaded & {"torch", "transformers", "sentence_transformers", "sklearn"}
    assert len(out.split()) == 10


def test_a_terminal_without_unicode_still_gets_an_answer():
    done = command("query", "NCT03540472", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "NCT03364764" in done.stdout


@pytest.mark.parametrize(
    ("asked", "expected"),
    [({}, "é".encode()), ({"PYTHONIOENCODING": "latin-1"}, "é".encode("latin-1"))],
)
def test_an_answer_in_a_pipe_is_utf_8_unless_another_encoding_is_asked_for(asked, expected):
    """Also where the locale has another: here ASCII."""
    code = (
        "from simsearch.cli import main as cli\n"
        "from simsearch.cli.terminal import print_text\n"
        "cli.app = lambda *_, **__: print_text('\\xe9')\n"
        "cli.main()"
    )
    environment = {name: each for name, each in os.environ.items() if name != "PYTHONIOENCODING"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=HERE,
        env={**environment, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", **asked},
    )  # fmt: skip
    assert done.stdout == expected


def test_the_library_and_the_command_give_the_same_answer():
    index = simsearch.open_index(storage_module.demo_index())
    found = [each.nct_id for each in index.related("NCT03540472")]
    done = command("query", "NCT03540472", "-f", "ids", "--index", str(storage_module.demo_index()))
    assert done.stdout.split() == found


def on_a_terminal(code: str) -> str:
    """Run Python code on a terminal 100 wide; return what it showed."""
    words = [sys.executable, "-c", textwrap.dedent(code)]
    return run_on_terminal(words, cwd=HERE, COLUMNS="100")


def test_a_terminal_sees_colour_and_keeps_its_width():
    shown = on_a_terminal("""
        import sys
        from simsearch.cli.main import main
        sys.argv = ["simsearch", "query", "NCT03540472"]
        main()
    """)
    assert "\x1b[36m" in shown or "\x1b]8" in shown
    plain = re.sub(r"\x1b\][^\x1b]*\x1b\\|\x1b\[[0-9;]*m", "", shown)
    assert max(map(len, plain.splitlines())) <= 100
    assert "NCT03364764   Sirolimus Treatment for" in plain


def test_a_terminal_sees_a_bar_with_rate_and_time_left(write, tmp_path):
    shown = on_a_terminal(f"""
        import time
        from conftest import WordEncoder
        from simsearch import build_index, read_studies
        from simsearch.cli.progress import progress_on_stderr

        class Slow(WordEncoder):
            def encode(self, texts):
                time.sleep(0.3)
                return super().encode(texts)

        import simsearch.build.distinct_texts
        simsearch.build.distinct_texts._CHUNK = 3
        with progress_on_stderr(quiet=False) as progress:
            build_index(read_studies({str(write())!r}), {str(tmp_path / "index")!r}, Slow(),
                        progress=progress)
    """)
    assert "Encoding" in shown
    assert re.search(r"\d+ of 15 texts +\d+ texts/s +\d.* left", shown)
    assert "━" in shown


def test_log_lines_have_time_amounts_rate_and_time_left():
    from simsearch.cli import progress

    lines = []
    log = progress._LogProgress(lines.append)
    log("encoding", 0, 400, "texts")
    log._started -= 20
    log._last -= 20
    log("encoding", 100, 400, "texts")
    log("encoding", 101, 400, "texts")  # too soon for another line
    log("encoding", 400, 400, "texts")
    assert lines[0] == "encoding 400 texts"
    assert lines[1] == "encoding 100 of 400 texts (25%), 5 texts/s, 1 min 0 s left"
    assert lines[2] == "encoding 400 of 400 texts (100%), 20 texts/s"
    assert len(lines) == 3


def test_diverse_may_stand_anywhere_without_its_value(run, write):
    run("rebuild", write(), "-q")
    expected = run("query", "NCT101", "--diverse", "0.7", "-f", "ids")
    orders = ("--diverse NCT101", "NCT101 --diverse", "--diverse -k 10 NCT101",
              "NCT101 --diverse --quiet", "NCT101 --diverse=0.7")  # fmt: skip
    for words in map(str.split, orders):
        assert run("query", *words, "-f", "ids") == expected


def test_several_studies_a_text_and_one_to_keep_away_from(run, write):
    run("rebuild", write(), "-q")
    code, out, _ = run(
        "query", "NCT101", "NCT104", "--text", "iron", "--not", "NCT106", "-f", "json"
    )
    assert code == 0
    answer = json.loads(out)
    assert answer["query"]["kind"] == "several"
    found = [each["nct_id"] for each in answer["neighbours"]]
    assert sorted(found) == ["NCT00000102", "NCT00000103", "NCT00000105"]
    assert all(each["signals"]["away"] <= 0 for each in answer["neighbours"])
    code, _, err = run("query", "NCT101", "--not", "NCT101")
    assert code == 2
    assert "another study than those asked about" in err


def test_filters_weights_and_variety_reach_the_answer(run, write):
    run("rebuild", write(), "-q")
    assert run("query", "NCT101", "--status", "recruiting", "-f", "ids")[1] == "NCT00000103\n"
    assert "No study passes the filters." in run("query", "NCT101", "--phase", "4")[1]
    by_words = json.loads(run("query", "NCT105", "-w", "lexical=1,text=0", "-w", "conditions=0",
                              "-w", "interventions=0", "-f", "json")[1])  # fmt: skip
    assert by_words["weights"] == {"text": 0, "conditions": 0, "interventions": 0, "lexical": 1}
    assert by_words["neighbours"][0]["nct_id"] == "NCT00000106"
    code, out, _ = run("query", "NCT101", "--group-by", "sponsor")
    assert code == 0
    assert "with 4 more: " in out
    code, out, err = run("query", "NCT101", "--hide-same-sponsor")
    assert "No study passes the filters." in out
    code, _, err = run("query", "--text", "iron", "--hide-same-sponsor")
    assert code == 0
    assert "the query has no sponsor, so none is hidden" in err
    code, _, err = run("query", "NCT101", "--fold", "-k", "500")
    assert code == 2
    assert "from 1 to 200" in err


def test_the_lists_of_all_studies_do_not_flood_a_terminal(run, write, monkeypatch):
    run("rebuild", write(), "-q")
    assert run("related", "--all", "-k", "2")[1].count("\n") == 12
    monkeypatch.setattr(related_module, "terminal", lambda: (80, True))
    code, out, err = run("related", "--all", "-k", "2")
    assert (code, out, one_line(err)) == (2, "", True)
    assert "--all prints 2 lines a study: give -o FILE, or pipe it" in err
    assert run("related", "NCT101", "-k", "2")[1].count("\n") == 2


def test_explain_says_more(run, write):
    run("rebuild", write(), "-q")
    short, long = (run("query", "NCT101", *more)[1] for more in ((), ("--explain",)))
    assert "weighted sum made of" in long
    assert "weighted sum made of" not in short


def test_a_second_build_encodes_nothing_and_the_cache_is_shown_and_pruned(run, write):
    assert "15 encoded" in run("rebuild", write())[1]
    assert "0 encoded, 15 from the cache" in run("rebuild", write())[1]
    code, out, _ = run("cache", "info")
    assert code == 0
    assert re.search(r"[0-9a-f]{16} +15 of words", out)
    assert run("cache", "prune")[0] == 2
    assert "Dropped  0 vectors" in run("cache", "prune", "--older-than", "1")[1]
    assert "15 encoded" in run("rebuild", write(), "--no-cache")[1]


@pytest.mark.parametrize("words", [("info",), ("prune", "--older-than", "1")])
def test_before_any_build_the_cache_is_told_to_be_none_yet(run, words, tmp_path):
    path = tmp_path / "vectors.sqlite"
    said = f"Cache  none yet: the next build creates {path}\n"
    assert run("cache", *words, "--cache", path) == (0, said, "")
    assert not path.exists()


def test_the_summary_is_one_line_of_json(run, write):
    code, out, _ = run("rebuild", write(), "--json-summary", "--no-cache")
    (line,) = out.splitlines()
    summary = json.loads(line)
    assert (code, summary["exit_code"], summary["command"]) == (0, 0, "rebuild")
    assert summary["schema"] == "simsearch.summary/1"
    assert summary["build"]["n_studies"] == 6
    assert summary["build"]["reject_reasons"] == {}


def test_a_run_that_fails_has_a_summary_too(run, write):
    assert run("rebuild", write(), "--no-cache", "-q")[0] == 0
    code, out, err = run("rebuild", write(SIX[:3], "few.jsonl"), "--no-cache", "--json-summary")
    summary = json.loads(out)
    assert (code, summary["exit_code"], summary["error"]) == (3, 3, "ShrinkError")
    assert err.splitlines()[-1] == f"simsearch: {summary['message']}"
    assert "build" not in summary


def test_too_many_rejected_records_end_as_every_guard_that_refuses(run, write):
    code, out, err = run("rebuild", write([*SIX, record(None, "x")]), "--no-cache")
    assert (code, out) == (3, "")
    assert "give --allow-rejects" in err.splitlines()[-1]


def test_a_log_has_a_first_and_a_last_line(run, write):
    _, _, err = run("rebuild", write(), "--no-cache")
    lines = err.splitlines()
    assert re.fullmatch(r"20.*Z simsearch .* builds .* from .*records.jsonl", lines[0])
    assert re.fullmatch(r"20.*Z published 6 studies as generation 20.*", lines[-1])
