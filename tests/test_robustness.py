"""Situations that once ended in a traceback, a lost build or a silent loss."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from asking import similar_to_study, written
from conftest import REPOSITORY, SIX, WordEncoder, record
from registry_server import Registry, serving

from simsearch import build_index, read_studies
from simsearch.cli import main as cli
from simsearch.errors import (
    ApiError,
    FetchError,
    IndexCorruptError,
    IndexNotFoundError,
    IndexReadError,
    MirrorError,
    PublishError,
    SourceError,
)
from simsearch.index.opened import opened_index
from simsearch.records.mirror import Mirror
from simsearch.registry.api import RegistryApi
from simsearch.registry.fetch import fetch, update
from simsearch.registry.scope import Scope
from simsearch.search.answer import Answer
from simsearch.search.filters import NO_FILTERS
from simsearch.search.neighbour import Reason
from simsearch.search.question import Query

HERE = Path(__file__).parent


def test_a_source_whose_name_is_no_text_is_read_to_the_end(tmp_path, write):
    records = write()
    odd = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(odd)).mkdir()
    records.rename(os.fsdecode(odd + b"/r\xff.jsonl"))
    for source in (os.fsdecode(odd), os.fsdecode(odd + b"/r\xff.jsonl")):
        report = build_index(read_studies(source), tmp_path / "index", WordEncoder())
        assert report.n_studies == 6
        assert "\ufffd" in opened_index(report.index).generation.manifest.sources[0].name


def test_a_member_named_outside_of_its_zip_is_read_and_written_nowhere(tmp_path):
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../six.json", json.dumps(SIX))
    assert len(list(read_studies(path))) == 6
    assert not (tmp_path.parent / "six.json").exists()


def test_a_linked_folder_is_left_out_with_a_note(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.json").write_text(json.dumps(SIX[0]))
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "real")
    notice, study = read_studies(tmp_path / "real")
    assert "left out" in notice.message
    assert study.nct_id == "NCT00000101"


def test_a_build_whose_log_no_one_reads_goes_on(monkeypatch, write, tmp_path):
    from simsearch.cli import progress

    class Full(io.StringIO):
        def write(self, _text):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    build_index(read_studies(write()), tmp_path / "index", WordEncoder(),
                progress=progress._LogProgress(progress.log))  # fmt: skip
    assert opened_index(tmp_path / "index").n_studies == 6


def test_a_pointer_that_cannot_be_switched_leaves_no_generation_behind(build):
    report = build()
    (report.index / "CURRENT.part").mkdir()
    with pytest.raises(PublishError):
        build()
    assert [each.name for each in (report.index / "generations").iterdir()] == [report.generation]
    assert opened_index(report.index).n_studies == 6


def test_a_name_too_long_for_an_index_holds_none():
    with pytest.raises(IndexNotFoundError):
        opened_index("x" * 300)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="users are another thing there")
def test_an_index_without_permission_is_named(build):
    index = build().index
    (index / "generations").chmod(0o000)
    was_root = os.geteuid() == 0
    try:
        if was_root:
            os.seteuid(65534)
        with pytest.raises(IndexReadError):
            opened_index(index)
    finally:
        if was_root:
            os.seteuid(0)
        (index / "generations").chmod(0o755)


GONE_FOLDER = "mkdir $XDG_DATA_HOME; cd $XDG_DATA_HOME; rmdir $XDG_DATA_HOME; PYTHONSAFEPATH=1 "


def command(line: str, **options):
    return subprocess.run(
        ["sh", "-c", line.replace("simsearch", f"{sys.executable} -m simsearch")],
        capture_output=True, text=True, check=False, timeout=300, cwd=HERE, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("simsearch query --file - <&-", 1, "standard input: is closed"),
        ("simsearch rebuild - -i $XDG_DATA_HOME/i -q <&-", 1, "standard input: "),
        ("simsearch query NCT03540472 >&-", 1, "standard output is closed"),
        ("simsearch query NCT03540472 >/dev/full", 1, "cannot write the answer: No space left"),
        ("simsearch --help >/dev/full", 1, "cannot write the answer: No space left"),
        ("simsearch query --help >/dev/full", 1, "cannot write the answer: No space left"),
        ("simsearch index >/dev/full", 1, "cannot write the answer: No space left"),
        ("simsearch --version >/dev/full", 1, "cannot write the answer: No space left"),
        ("simsearch query NCT07000001 --online", 1, "no request can be sent"),
        ("simsearch query --text x --model ''", 1, "the name of the model is empty"),
        ("simsearch fetch --all --since '' --dry-run", 2, "is not a date"),
        ("simsearch query \"$(printf 'caf\\351')\"", 2, "is not UTF-8"),
        (GONE_FOLDER + "simsearch query NCT03540472 -f ids -k 1", 0, ""),
    ],
)  # fmt: skip
def test_odd_surroundings_give_one_line(line, code, said):
    environment = {**os.environ, "SIMSEARCH_API": "http://127.0.0.1:abc", "PYTHONUNBUFFERED": ""}
    done = command(line, env=environment)
    if "rebuild" in line:  # the model is loaded before the records are read
        assert said in done.stderr
        return
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == (1 if code else 0)


def test_closed_stderr_never_leads_errors_into_the_data():
    done = command("simsearch query NCT07000001 2>&-")
    assert (done.returncode, done.stdout) == (1, "")


@pytest.fixture
def registry():
    with serving(Registry(json.loads(json.dumps(SIX)))) as served:
        yield served


@pytest.fixture
def client(registry):
    with RegistryApi("t", base_url=registry.url, pause_seconds=0, backoff_seconds=0.001) as opened:
        yield opened


@pytest.mark.parametrize("stamp", ["garbage", ""])
def test_a_time_that_is_none_is_refused_before_it_is_kept(registry, client, tmp_path, stamp):
    registry.timestamp = stamp
    with Mirror(tmp_path / "m.sqlite") as mirror:
        with pytest.raises(ApiError, match="as a time"):
            fetch(mirror, client, Scope())
        assert mirror.scopes() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"totalCount": 6', b'"totalCount": 9223372036854775808'),
        (b"NCT00000103", b"NCT000001\xff3"),
    ],
)
def test_garbage_in_a_page_is_an_error_of_ours_or_costs_one_record(
    registry, client, tmp_path, old, new
):
    answer = registry.answer

    def garbled(path, query):
        status, headers, body = answer(path, query)
        return status, headers, body.replace(old, new)

    registry.answer = garbled
    with Mirror(tmp_path / "m.sqlite") as mirror:
        try:
            assert fetch(mirror, client, Scope(), since="2000-01-01").n_broken == 1
        except (ApiError, FetchError) as error:
            assert "\n" not in str(error)


def test_empty_pages_with_ever_new_tokens_end(registry, client, tmp_path):
    pages = iter(range(10**6))

    def empty(path, _query):
        if path == "/version":
            return 200, {}, json.dumps({"dataTimestamp": registry.timestamp}).encode()
        shape = {"studies": [], "nextPageToken": str(next(pages)), "totalCount": 0}
        return 200, {}, json.dumps(shape).encode()

    registry.answer = empty
    with Mirror(tmp_path / "m.sqlite") as mirror:
        assert fetch(mirror, client, Scope(), since="2000-01-01").n_received == 0
    assert next(pages) < 10


def test_a_mirror_with_a_date_that_is_none_is_named(client, tmp_path):
    with Mirror(tmp_path / "m.sqlite") as mirror:
        mirror.finish("{}", "garbage")
        with pytest.raises(MirrorError, match="is damaged"):
            update(mirror, client)


@pytest.mark.parametrize(
    "change",
    [{"files": {}}, {"n_studies": 0}, {"n_studies": 10**30},
     {"files": {"../../etc/passwd": {"bytes": 1, "sha256": ""}}},
     {"files": {"a\0b": {"bytes": 1, "sha256": ""}}}],
)  # fmt: skip
def test_a_manifest_that_cannot_be_is_refused(build, change):
    report = build()
    path = report.index / "generations" / report.generation / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(IndexCorruptError):
        opened_index(report.index)


@pytest.mark.parametrize("dimension", [0, 10**12, 10**30])
def test_a_dimension_that_cannot_be_is_refused(build, dimension):
    report = build()
    path = report.index / "generations" / report.generation / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["recipe"]["dimension"] = dimension
    path.write_text(json.dumps(manifest))
    with pytest.raises(IndexCorruptError):
        opened_index(report.index)


@pytest.mark.parametrize("head", [b"((((", b"PK\x03\x04", b"{'shape': (-1,)}"])
def test_an_array_with_another_head_is_named(build, head):
    report = build()
    path = report.index / "generations" / report.generation / "conditions.npy"
    content = bytearray(path.read_bytes())
    at = 10 if head.startswith((b"(", b"{")) else 0
    content[at : at + len(head)] = head
    path.write_bytes(content)
    with pytest.raises(IndexCorruptError, match=r"conditions\.npy"):
        opened_index(report.index)


REASON = Reason("same\x1b[31m condition", ("Iron\x1b[31m",), (), {}, {}, {})


def test_titles_cannot_colour_a_terminal(build):
    odd = json.loads(json.dumps(SIX[0]).replace("NCT00000101", "NCT00000107"))
    odd["protocolSection"]["identificationModule"]["briefTitle"] = "Pills :bomb: [red]for\x1b[31m"
    index = opened_index(build([*SIX, odd]).index)
    found = similar_to_study(index, "NCT00000101", 3)
    found = [msgspec.structs.replace(each, reason=REASON) for each in found]
    query = Query(texts=("a\x1b[31m\nb",))
    text = written(Answer(query, found, index.facts, weights={}, filters=NO_FILTERS), "table")
    assert "\x1b" not in text
    assert ":bomb: [red]for" in text


def test_a_drawn_out_text_is_shown_short(six, encoder):
    query = Query(texts=("iron " * 3000,))
    text = written(Answer(query, [], six.facts, weights={}, filters=NO_FILTERS), "table")
    assert len(text.splitlines()[0]) < 400
    assert np.isfinite(encoder.encode(["iron"])).all()


def test_a_missing_source_is_an_error_before_anything_else():
    with pytest.raises(SourceError, match="no such file"):
        read_studies("nowhere")


INTERRUPTED = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["simsearch", "query", "NCT03540472"]
from simsearch.cli import start
start()
"""


@pytest.mark.parametrize(
    "module",
    ["simsearch.cli.main", "typer", "simsearch.cli.query", "numpy._core.multiarray", "faiss",
     "simsearch.output.answer"],
)  # fmt: skip
def test_ctrl_c_prints_nothing_whatever_is_being_loaded(module):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(module=module)],
        capture_output=True, text=True, check=False, cwd=REPOSITORY,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("query NCT101 -k moon", "--top-k: it must be a whole number"),
        ("query NCT101 -k 0", "--top-k: it must be at least 1"),
        ("query NCT101 --min-percentile 101", "--min-percentile: it must be at most 100"),
        ("query NCT101 --diverse=moon", "--diverse: it must be a number"),
        ("query NCT101 --group-by moon", "--group-by: 'moon' is not known: it must be 'sponsor'"),
        ("rebuild x --engine moon", "--engine: 'moon' is not known: it must be one of 'local'"),
        ("evaluate --save x.trec --groups g --save-system moon", "--save-system 'moon': it must"),
        (
            "show moon",
            "'moon' is not an NCT ID: an NCT ID is NCT and eight digits, like NCT03540472\n",
        ),
        ("export postgres ", "ADDRESS: it is empty: give one like postgresql://"),
        ("query ", "'' is not an NCT ID: an NCT ID is NCT and eight digits"),
        ("query NCT03540472 --index ", "--index: it is empty: name a file or a folder"),
        ("query NCT00000000", "'NCT00000000' is not an NCT ID: no study has the number 0"),
    ],
)
def test_wrong_usage_is_said_in_words_of_our_own(words, line, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g").write_text("a\tNCT00000101\na\tNCT00000102\n")
    monkeypatch.setattr(sys, "argv", ["simsearch", *words.split(" ")])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    said = capsys.readouterr().err
    assert (caught.value.code, said.count("\n")) == (2, 1)
    assert said.startswith(f"simsearch: {line}")


@pytest.mark.parametrize("option", ["--has-results", "--no-results"])
def test_a_filter_on_a_field_that_no_record_has_is_named_as_it_was_typed(
    option, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "argv", ["simsearch", "query", "NCT03540472", option])
    with pytest.raises(SystemExit):
        cli.main()
    said = capsys.readouterr().err
    assert said == f"simsearch: {option}: no study in this index has this field; remove {option}\n"


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\x1b"])
def test_no_mark_that_turns_a_text_round_comes_out_of_a_record(build, mark):
    (study,) = read_one(build, f"Iron{mark} for anemia")
    assert study.title.split() == ["Iron", "for", "anemia"]


def read_one(build, title: str) -> list:
    report = build([record("NCT00000101", title, ["Anemia"])])
    with opened_index(report.index) as index:
        return [index.study("NCT00000101")]


def test_the_server_for_assistants_needs_its_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["simsearch", "mcp"])
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("simsearch: standard input or output is closed")
