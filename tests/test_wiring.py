"""Every option and argument of every command reaches the library, as it was given.

Each row of the table in wiring.py runs a command in-process, its calls of the library recorded,
and names the call and the argument where the value must arrive. What has no row fails
`test_nothing_on_the_command_line_is_without_a_row`.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import SIX, WordEncoder, record
from typer.core import TyperArgument
from wiring import REST, ROWS, Row

from simsearch import SimsearchError, Study, build_index, read_studies
from simsearch.cli import main as cli
from simsearch.encode.vector_cache import Pruned, VectorCache
from simsearch.evaluation.pool import Pool
from simsearch.index.generations import generation_names
from simsearch.registry.reports import FetchReport
from simsearch.review.folder import begin_review


class ReachedError(SimsearchError):
    """Ends a command at a call of the library that would take too long here."""


def stop(*_: Any, **__: Any) -> Any:
    raise ReachedError("the library")


class NoStudies(tuple):
    """Records of which there are none, from any source."""

    __slots__ = ()

    def check(self) -> None:
        """Find nothing wrong."""


REAL = None
FETCHED = FetchReport(n_received=1, n_mirrored=1, data_timestamp="2026-11-01T09:00:05")
LIBRARY: dict[str, Any] = {
    "build.build.build_index": stop,
    "diff.changes.compare": REAL,
    "diff.watch.watched_changes": REAL,
    "encode.cache.cached": lambda encoder, *_: nullcontext(encoder),
    "encode.dask.spread_over_dask": lambda encoder, *_: nullcontext(encoder),
    "encode.encoders.load_encoder": lambda *_: WordEncoder(),
    "encode.minilm.load_query_encoder": lambda *_: WordEncoder(),
    "encode.vector_cache.VectorCache.prune": lambda *_: Pruned(0, 0, 0, 0),
    "encode.vector_cache.VectorCache": REAL,
    "evaluation.comparison.Comparison.pool": lambda *_: Pool({}, 1, 1, 0),
    "evaluation.comparison.Comparison.run": lambda *_: None,
    "evaluation.comparison.Comparison.trec_run": lambda *_: [],
    "evaluation.comparison.Comparison": REAL,
    "evaluation.comparison.judged_records": lambda *_: [],
    "evaluation.judged.read_groups": REAL,
    "evaluation.leave_one_out.leave_one_out": stop,
    "evaluation.pool.write_pool": lambda *_: None,
    "evaluation.judged.read_qrels": REAL,
    "evaluation.side_by_side.side_by_side": stop,
    "export.opensearch.export_opensearch": stop,
    "export.parquet.export_parquet": stop,
    "export.postgres.export_postgres": stop,
    "export.psql_files.export_psql_files": stop,
    "files.written_whole": REAL,
    "index.generations.list_generations": REAL,
    "index.generations.prune": lambda *_, **__: [],
    "index.generations.roll_back": lambda path, *_, **__: generation_names(path)[0],
    "index.lock.wait_until_free": REAL,
    "index.opened.opened_index": REAL,
    "index.verify.verify_generation": REAL,
    "output.formats.write": lambda *_: (),
    "records.mirror.Mirror": REAL,
    "records.mirror.is_empty": lambda *_: False,
    "records.read_draft": REAL,
    "records.read_studies": lambda *_: NoStudies(),
    "registry.api.RegistryApi": lambda *_, **__: nullcontext(),
    "registry.fetch.fetch": lambda *_, **__: FETCHED,
    "registry.fetch.update": lambda *_, **__: FETCHED,
    "registry.scope.plan": lambda *_: "",
    "registry.single_studies.fetch_ids": lambda *_, **__: FETCHED,
    "registry.single_studies.study_online": lambda _, nct_id: Study(
        nct_id=nct_id, title="Iron for anemia"
    ),
    "related.run.related": stop,
    "review.folder.begin_review": lambda *_, **__: None,
    "review.folder.open_review": REAL,
    "review.folder.Review.decide": lambda *_, **__: [],
    "review.imports.read_decisions": REAL,
    "review.news.review_news": REAL,
    "review.upcoming.upcoming": REAL,
    "search.answer.ask": REAL,
    "search.compare.compare": REAL,
    "search.show.show": REAL,
    "web.mcp.client_config": REAL,
    "web.mcp_stdio.serve_stdio": stop,
    "web.serving.serve": stop,
}
"""What the commands call of the library → what is called in its place, once that is recorded."""


class World:
    """A folder with an index of two generations, another like it, and a file of each kind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.without: dict[tuple[str, str], dict[str, Any]] = {}
        """Command and words → what was seen, where several rows need it."""
        later = record("NCT00000101", "Iron pills for aplasia", ["Aplasia"], [("DRUG", "Pills")])
        for records in (SIX, [later, *SIX[1:]]):
            lines = "".join(json.dumps(each) + "\n" for each in records)
            (folder / "records.jsonl").write_text(lines)
            source = read_studies(folder / "records.jsonl")
            new = build_index(source, folder / "index", WordEncoder()).generation
        shutil.copytree(folder / "index", folder / "other")
        first, second = generation_names(folder / "index")  # in the order of their names
        self._names = {"old": first if new == second else second, "first": first, "second": second}
        (folder / "draft.json").write_text(json.dumps(record(None, "Iron for anemia", ["Anemia"])))
        (folder / "ids.txt").write_text("NCT101\nNCT104\n")
        for name in ("groups.tsv", "more.tsv"):
            (folder / name).write_text("a\tNCT00000101\na\tNCT00000102\n")
        (folder / "qrels.tsv").write_text("NCT00000101\tNCT00000102\t1\n")
        VectorCache(folder / "vectors.sqlite").close()
        (folder / "decided.csv").write_text("nct_id,decision\nNCT00000102,exclude\n")
        begin_review(folder / "rv", {"NCT00000104": "include"}, by="a test")

    def named(self, value: Any) -> Any:
        """Return a value, or a list of them, with the names of the generations in its place."""
        if isinstance(value, list):
            return [self.named(each) for each in value]
        return value.format(**self._names) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def run(monkeypatch: Any, capsys: Any, world: World) -> Any:
    """Run a command in-process, in the folder of the world; return exit code, out and err."""
    monkeypatch.chdir(world.folder)
    monkeypatch.setenv("COLUMNS", "100")

    def _run(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["simsearch", *shlex.split(world.named(line))])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return (caught.value.code or 0, *capsys.readouterr())

    return _run


@pytest.fixture
def recorded(monkeypatch: Any, run: Any) -> Any:
    """Run a command, its calls of the library recorded; return call → its arguments each time.

    Also its `out`, `err` and `exit` code, and the line of JSON that it printed, as `summary`.
    """

    def _recorded(line: str) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        with monkeypatch.context() as patch:
            for name, fake in LIBRARY.items():
                record_calls(patch, name, fake, seen)
            seen["exit"], seen["out"], seen["err"] = run(line)
        if seen["out"].startswith("{"):
            seen["summary"] = [json.loads(seen["out"])]
        return seen

    return _recorded


def record_calls(patch: Any, name: str, fake: Any, seen: dict[str, Any]) -> None:
    """Record the calls of a function or method of the library, wherever the commands have it."""
    commands = [importlib.import_module(f"simsearch.cli.{each}") for each in cli.COMMANDS]
    commands += [each for key, each in sys.modules.items() if key.startswith("simsearch.cli.")]
    *path, last = name.split(".")
    kind = path.pop() if path[-1][0].isupper() else ""
    holder: Any = importlib.import_module(".".join(["simsearch", *path]))
    holder = getattr(holder, kind) if kind else holder
    original = getattr(holder, last)
    signature = inspect.signature(original)

    def call(*values: Any, **named: Any) -> Any:
        bound = signature.bind(*values, **named)
        bound.apply_defaults()
        seen.setdefault(f"{kind}.{last}".strip("."), []).append(bound.arguments)
        return (fake or original)(*values, **named)

    patch.setattr(holder, last, call)
    for module in commands:
        for attribute, value in list(vars(module).items()):
            if value is original:
                patch.setattr(module, attribute, call)


def arrived(seen: dict[str, Any], reaches: str) -> Any:
    """Return the value at a place: see `Row.reaches`."""
    call, _, place = reaches.partition(" ")
    if not place:
        return seen[call]
    calls = seen.get(call.rstrip("*"), [])
    if place == "#":
        return len(calls)
    name, *inner = place.split(".")
    values = []
    for arguments in calls:
        value = arguments[name]
        for each in inner:
            is_place = each.isdigit() and len(value) > int(each)
            value = value[int(each)] if is_place else getattr(value, each, "it has no such part")
        values.append(value)
    if call.endswith("*"):
        return values
    return values[-1] if values else "no such call"


@pytest.mark.parametrize(
    ("row", "name"), ROWS, ids=[f"{row.command} {name} {row.value}" for row, name in ROWS]
)
def test_each_value_arrives_as_it_was_given(recorded, monkeypatch, world, row: Row, name: str):
    rest = REST.get(row.command, "") if row.rest is None else row.rest
    line, value = f"{row.command} {rest}", row.value.replace("{name}", name)
    if (row.command, rest) not in world.without:
        world.without[row.command, rest] = recorded(line)
    if name.startswith("SIMSEARCH_"):
        monkeypatch.setenv(name, value)
    else:
        line += f" {name if name.startswith('-') else ''} {value}"
    seen = recorded(line)
    found, expected = arrived(seen, row.reaches), world.named(row.expected)
    assert (found, type(found)) == (expected, type(expected)), seen["err"]
    assert arrived(world.without[row.command, rest], row.reaches) != expected


def commands(
    command: Any = None, context: Any = None, name: str = ""
) -> Iterator[tuple[str, Any, list[Any]]]:
    """Yield the name of each command, the command, and its arguments and options."""
    command = command or typer.main.get_command(cli.app)
    context = context or typer.Context(command, info_name="simsearch")
    if not hasattr(command, "list_commands"):
        yield name, command, [each for each in command.get_params(context) if each.name != "help"]
        return
    for each in command.list_commands(context):
        inner = command.get_command(context, each)
        place = typer.Context(inner, info_name=each, parent=context)
        yield from commands(inner, place, f"{name} {each}".strip())


COMMANDS = {name: (command, parameters) for name, command, parameters in commands()}


def names(parameter: Any) -> list[str]:
    """Return all that a person can write for an option or argument."""
    if isinstance(parameter, TyperArgument):
        return [parameter.metavar]
    return [*parameter.opts, *parameter.secondary_opts]


def test_nothing_on_the_command_line_is_without_a_row():
    declared = {
        (command, name)
        for command, (_, parameters) in COMMANDS.items()
        for each in parameters
        for name in [*names(each), *([each.envvar] if each.envvar else [])]
    }
    in_rows = {(row.command, name) for row, name in ROWS}
    assert declared - in_rows == set()
    assert in_rows - declared == {("query", "SIMSEARCH_API")}  # read with --online, no option


NUMBERS = ["moon", "-1"]
WRONG = {
    "N": [*NUMBERS, "1.5"],
    "DAYS": [*NUMBERS, "1.5"],
    "[SECONDS]": [*NUMBERS, "nan"],
    "[LAMBDA]": [*NUMBERS, "1.5", "nan"],
    "SIGNAL=NUMBER": ["lexical", "lexical=", "title=1", "text=-1", "text=nan", "text=0,lexical=x"],
    "DATE": ["soon", "2010-13", ""],
    **{
        name: ["moon"]
        for name in (
            "STATUS", "PHASE", "TYPE", "COUNTRY", "NAME", "FORMAT", "sponsor",
            "auto|float32|bfloat16", "torch|openvino", "local|dask",
        )
    },
}  # fmt: skip
"""The name of a value in the help → values of another kind. Of paths and IDs see test_cli.py."""

REPORTED: dict[tuple[str, str], str] = {}
"""Command and option whose error does not name it yet → why."""
VALUES = [
    pytest.param(
        *(name, each.opts[0], value),
        marks=pytest.mark.xfail(reason=REPORTED[name, each.opts[0]], strict=True)
        if (name, each.opts[0]) in REPORTED
        else (),
    )
    for name, (_, parameters) in COMMANDS.items()
    for each in parameters
    for value in WRONG.get(each.metavar, ())
]


@pytest.mark.parametrize(("command", "option", "value"), VALUES)
def test_a_wrong_value_exits_2_with_one_line_that_names_the_option(
    run, monkeypatch, command, option, value
):
    monkeypatch.setattr("simsearch.cli.evaluate.load_encoder", lambda *_: WordEncoder())
    rest = REST.get(command, "")
    rest += " --save run.trec" if option == "--save-system" else ""
    code, out, err = run(f"{command} {rest} {option}={value}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("simsearch: ")
    assert option in err


WITH_VALUE = [
    (name, option)
    for name, (_, parameters) in COMMANDS.items()
    for each in parameters
    if each.metavar and not isinstance(each, TyperArgument) and not each.metavar.startswith("[")
    for option in each.opts
]


@pytest.mark.parametrize(("command", "option"), WITH_VALUE)
def test_a_missing_value_exits_2_with_one_line_that_names_the_option(run, command, option):
    code, out, err = run(f"{command} {option}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"'{option}' requires an argument" in err


def examples(command: Any) -> list[str]:
    """Return the command lines in the help of a command."""
    _, _, found = inspect.cleandoc(command.help).partition("Examples:\n")
    return found.splitlines()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_option_and_keeps_each_example_on_its_line(run, name):
    command, parameters = COMMANDS[name]
    code, out, err = run(f"{name} --help")
    assert (code, err) == (0, "")
    assert "<" not in out  # a Python type
    lines = [line.strip(" │") for line in out.splitlines()]
    assert max(map(len, out.splitlines())) <= 100
    for each in parameters:
        for one in [] if each.hidden else names(each):
            assert any(re.search(rf"(^|\s){re.escape(one)}(\s|$)", line) for line in lines), one
    assert examples(command)
    for line in examples(command):
        assert line in lines
    assert run(f"{name} -h") == (code, out, err)


EXAMPLES = [
    part.strip()
    for command, _ in COMMANDS.values()
    for line in examples(command)
    for part in re.split(r"&&|\||>", line)
    if part.strip().startswith("simsearch ")
]


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_is_understood(monkeypatch, line):
    """By the parser of the program: nothing is run."""
    words: list[str] = []
    monkeypatch.setattr(sys, "argv", shlex.split(line))
    monkeypatch.setattr(cli, "app", lambda given, **_: words.extend(given))
    with pytest.raises(SystemExit):
        cli.main()
    name = next(each for each in COMMANDS if f"{' '.join(words)} ".startswith(f"{each} "))
    command, _ = COMMANDS[name]
    assert command.make_context(name, words[len(name.split()) :]).params


def test_the_examples_in_the_code_are_those_of_the_help():
    for name, (command, _) in COMMANDS.items():
        module = importlib.import_module(f"simsearch.cli.{name.split()[0]}")
        if " " not in name:
            assert module.EXAMPLES.strip().splitlines() == examples(command)
