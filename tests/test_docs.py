"""What the documents say is what the program does."""

import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from itertools import takewhile
from pathlib import Path
from types import ModuleType

import pytest
import typer
from conftest import REPOSITORY

import simsearch
from simsearch.cli.command import Command
from simsearch.cli.main import app, main
from simsearch.index.directory import demo_index

FOLDER = REPOSITORY / "docs"
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *FOLDER.glob("*.md")])


@cache
def script(name: str) -> ModuleType:
    """Return a script of the docs folder, as a module."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a document in these languages."""
    return [block.text for block in script("refresh_outputs").blocks(text_of(path), *languages)]


OPERATORS = re.compile(r"(?:&&|\|\|?|;|\d?>>?|<)(?:\s|$)|\s{2,}")
PROGRAM = re.compile(r"(?:^(?:\$ )?|&& |\| |; |/)simsearch (?=[\w-])")


def command_lines(text: str) -> list[str]:
    """Return what stands behind `simsearch` in each command line in a text of a shell."""
    lines = (line.rstrip("\\") for line in text.splitlines())
    return [
        OPERATORS.split(rest)[0].strip()
        for line in lines
        for rest in PROGRAM.split(line.partition("  #")[0])[1:]
    ]


def run_in_process(line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["simsearch", *shlex.split(line, comments=True)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("name", script("refresh_outputs").DOCUMENTS)
def test_outputs_shown_are_what_the_examples_print(name, tmp_path):
    module = script("refresh_outputs")
    shown = list(module.blocks(text_of(REPOSITORY / name), *module.RUNNERS))
    assert shown
    for block in shown:
        printed = module.RUNNERS[block.language](block.text, tmp_path)
        assert printed == block.text, "run docs/refresh_outputs.py"


def test_the_picture_is_what_the_command_prints():
    drawn = (FOLDER / "query.svg").read_text(encoding="utf-8")
    assert drawn == script("make_picture").picture(), "run docs/refresh_outputs.py"


@pytest.mark.model
@pytest.mark.parametrize("name", ["README.md", "docs/manual.md"])
def test_the_other_questions_of_a_document_are_answered(name, tmp_path, monkeypatch, capsys):
    (draft,) = blocks(FOLDER / "forms.md", "json")
    (tmp_path / "draft.json").write_text(draft, encoding="utf-8")
    (tmp_path / "screened.csv").write_text("nct_id,decision\nNCT00001962,no\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    lines = [
        line
        for block in blocks(REPOSITORY / name, "sh")
        for line in command_lines(block)
        if line.startswith(("query", "info")) and "--online" not in line
    ]
    assert len(lines) >= 2
    for line in lines:
        assert run_in_process(line, monkeypatch) == 0, capsys.readouterr().err
        written = [Path(word) for word in line.split() if word == "related.csv"]
        printed = capsys.readouterr().out + "".join(each.read_text() for each in written)
        assert printed, line
        assert "No study passes" not in printed, line


def test_python_of_the_documents_runs():
    for path in DOCUMENTS:
        for code in blocks(path, "python"):
            if path.name != "related.md":  # it needs a file: see below
                exec(compile(code, path.name, "exec"), {})


def test_the_list_of_every_study_is_read_as_its_document_says(tmp_path, monkeypatch, capsys):
    duckdb = pytest.importorskip("duckdb")
    path = FOLDER / "related.md"
    monkeypatch.chdir(tmp_path)
    (line,) = command_lines(blocks(path, "sh")[0])
    assert run_in_process(line, monkeypatch) == 0
    (code,), (statement,) = blocks(path, "python"), blocks(path, "sql")
    capsys.readouterr()
    exec(compile(code, path.name, "exec"), {})
    assert capsys.readouterr().out == "10\n"
    assert duckdb.sql(statement).fetchall()


def lines_in_blocks() -> list[tuple[str, str]]:
    """Return every command line in a block of a document."""
    return sorted(
        {
            (path.name, line)
            for path in DOCUMENTS
            for block in blocks(path, "", "sh", "console", "ini")
            for line in command_lines(block)
        }
    )


@pytest.mark.parametrize(("document", "line"), lines_in_blocks())
def test_a_command_line_in_a_document_is_understood(document, line, monkeypatch, capsys):
    """The program's own parser takes it; nothing is run."""
    monkeypatch.setattr(Command, "invoke", lambda command, context: None)
    assert run_in_process(line, monkeypatch) == 0, f"{document}: {capsys.readouterr().err}"


def commands(command=None, name: str = "simsearch"):
    """Yield each command with its whole name."""
    command = command or typer.main.get_command(app)
    yield name, command
    if hasattr(command, "list_commands"):
        context = typer.Context(command, info_name=name)
        for each in command.list_commands(context):
            yield from commands(command.get_command(context, each), f"{name} {each}")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_options_in_running_text_exist(path):
    """A command that is named need not be complete, but it and its options must be there."""
    known = dict(commands())
    everywhere = {option for each in known.values() for option in options_of(each)}
    outside = re.sub(r"^```.*?^```$", "", text_of(path), flags=re.DOTALL | re.MULTILINE)
    for span in re.findall(r"`([^`]+)`", outside):
        line = " ".join(span.split())
        if line.startswith("simsearch ") and not line.startswith("simsearch COMMAND"):
            names = [each for each in known if f"{line} ".startswith(f"{each} ")]
            name = max(names, key=len)
            assert name != "simsearch" or line.startswith("simsearch -"), line
            offered = options_of(known[name])
        elif line.startswith("--"):
            offered = everywhere
        else:
            continue
        for word in re.findall(r"(?<=\s)--?[a-z][a-z-]*", f" {line}"):
            assert word in offered, f"{path.name}: {line}"


def options_of(command) -> set[str]:
    return {
        option
        for each in command.params
        for option in (*each.opts, *each.secondary_opts)
        if option.startswith("-")
    } | {"-h", "--help"}


def test_the_command_reference_is_the_one_generated():
    assert text_of(FOLDER / "commands.md") == script("make_commands").reference()


def test_the_command_reference_has_every_command_option_and_example():
    sections = re.split(r"^#+ `(.+?)`$", text_of(FOLDER / "commands.md"), flags=re.MULTILINE)
    section = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert set(section) == {name for name, _ in commands()}
    for name, command in commands():
        for parameter in command.params:
            if not getattr(parameter, "hidden", False) and parameter.name != "help":
                for written in parameter.opts if parameter.opts[0].startswith("-") else ():
                    assert re.search(rf"{written}\b", section[name]), f"{name}: {written}"
    for path in (Path(simsearch.__file__).parent / "cli").glob("*.py"):
        examples = re.findall(r'(?:EXAMPLES = |examples=)"""\n(.*?)\n"""', text_of(path), re.DOTALL)
        for each in examples:
            assert f"```console\n{each}\n```" in text_of(FOLDER / "commands.md"), path.name


def test_the_json_document_describes_every_field():
    with simsearch.open_index(demo_index()) as index:
        answer = index.related("NCT03540472", k=1).to_dict()
    neighbour = answer["neighbours"][0]
    names = {*answer, *neighbour, *neighbour["reason"], *answer["query"], *answer["index"]}
    document = text_of(FOLDER / "json.md")
    first_cells = re.findall(r"^\| ([^|]+) \|", document, flags=re.MULTILINE)
    described = set(re.findall(r"`(\w+)`", "\n".join(first_cells)))
    in_passing = {
        "rank",
        "reason",
        "kind",
        "text",
        "studies",
        "unlike",
    }  # in the row of what has them
    assert names - described == in_passing
    assert {name for name in in_passing if f"`{name}`" not in document} == set()


def anchors(path: Path) -> set[str]:
    """Return the anchors of the headings of a document, as code hosts make them."""
    outside = re.sub(r"^```.*?^```$", "", text_of(path), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", outside, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)]+)\)", text_of(path)):
        if "://" not in target:
            name, _, anchor = target.partition("#")
            place = path.parent / name if name else path
            assert place.exists(), target
            assert not anchor or anchor in anchors(place), target


def test_every_document_can_be_reached_from_the_readme():
    seen, ahead = set(), [REPOSITORY / "README.md"]
    while ahead:
        path = ahead.pop().resolve()
        if path.suffix == ".md" and path not in seen:
            seen.add(path)
            targets = re.findall(r"\]\(([^)#]+)[^)]*\)", text_of(path))
            ahead += [path.parent / each for each in targets if "://" not in each]
    assert seen >= set(DOCUMENTS)


def test_the_readme_is_a_front_door():
    lines = text_of(REPOSITORY / "README.md").splitlines()
    assert len(lines) <= 170
    with simsearch.open_index(demo_index()) as index:
        assert f"a demo collection of {len(index)} trials (blood diseases, COVID-19)" in "\n".join(
            lines
        )


def ci_commands() -> list[str]:
    """Return what .ci/run does once its environment is there."""
    lines = text_of(REPOSITORY / ".ci" / "run").splitlines()
    return list(
        takewhile(bool, lines[lines.index("pip install -q -c constraints.txt -e '.[dev]'") :])
    )


def test_ci_runs_the_readmes_test_command():
    readme = text_of(REPOSITORY / "README.md").splitlines()
    (command,) = [line for line in readme if line.endswith("&& python -m pytest")]
    assert ci_commands()[-1] == command


def test_a_public_runner_runs_what_ci_runs():
    workflow = text_of(REPOSITORY / ".github" / "workflows" / "tests.yml")
    for command in ci_commands():
        for part in command.split(" && "):
            assert re.search(rf"run: {re.escape(part)}$", workflow, re.MULTILINE), part


@pytest.mark.skipif(
    not (REPOSITORY / ".git").exists(), reason="needs the git checkout, to know what is committed"
)
def test_no_path_of_a_machine_and_no_registry_host_is_committed():
    listed = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=True, cwd=REPOSITORY
    ).stdout.split()
    for name in filter(lambda name: (REPOSITORY / name).is_file(), listed):
        content = (REPOSITORY / name).read_bytes()
        for unwanted in (b"/" + b"work/", b"/" + b"root/", b"pypi" + b".org"):
            assert unwanted not in content, name
