"""What the documents say is what the program does."""

import re
import shlex
import subprocess
import sys

import pytest
from conftest import REPOSITORY, run_on_terminal

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)


def run(line: str) -> str:
    """Run a command line of the README, on a terminal 100 wide without colour."""
    words = shlex.split(line)
    assert words[0] == "simsearch"
    return run_on_terminal(
        [sys.executable, "-m", "simsearch", *words[1:]],
        cwd=REPOSITORY / "docs", NO_COLOR="1", COLUMNS="100",
    )  # fmt: skip


def shown() -> list[tuple[str, str]]:
    """Return the README's commands that stand with their output."""
    found = []
    for block in BLOCKS:
        command, _, output = block.partition("\n")
        if output.strip() and command.startswith("$ simsearch query NCT"):
            found.append((command.removeprefix("$ "), output))
    return found


def test_output_in_the_readme_is_what_the_command_prints():
    assert shown()
    for command, output in shown():
        assert run(command) == output


@pytest.mark.model
def test_the_other_queries_of_the_readme_run():
    lines = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
             for line in block.splitlines()]  # fmt: skip
    queries = [
        line.split("|")[0].split(" > ")[0].partition("  #")[0]
        for line in lines
        if line.startswith(("simsearch query", "simsearch info"))
        and not re.search("draft|--online", line)
    ]  # fmt: skip
    assert len(queries) >= 4
    for query in queries:
        assert run(query)


def test_python_in_the_readme_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert "NCT03364764" in capsys.readouterr().out


def test_ci_runs_the_readmes_test_command():
    (command,) = [line for line in README.splitlines() if line.endswith("&& python -m pytest")]
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert script[-1] == command


def test_the_command_reference_is_the_one_generated():
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "docs" / "make_commands.py")],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    reference = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    assert done.stdout == reference, "run docs/make_commands.py > docs/commands.md"


def test_the_json_document_names_every_field():
    import json

    answer = json.loads(run("simsearch query NCT03540472 -k 1 -o json"))
    document = (REPOSITORY / "docs" / "json.md").read_text(encoding="utf-8")
    names = {*answer, *answer["query"], *answer["neighbours"][0], *answer["index"]}
    assert {name for name in names if f"`{name}`" not in document} == set()


def test_links_between_documents_lead_somewhere():
    for path in [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"


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
