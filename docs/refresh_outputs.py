"""Write again what the documents show of the program: `python docs/refresh_outputs.py`.

That is the outputs of the examples in README.md and docs/manual.md, the command reference and the
picture of the terminal. Examples whose output is shown are `console` blocks (command lines that
begin with `$ `) and `pycon` blocks (Python that begins with `>>> `). They run against the demo
index, in an empty folder, on a terminal 100 characters wide without colour. tests/test_docs.py
runs the same examples with the functions of this file, and compares.
"""

from __future__ import annotations

import doctest
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "docs/manual.md", "docs/exports.md", "docs/reviews.md",
             "docs/compare.md")  # fmt: skip
"""Documents with examples whose output is shown."""

WIDTH = 100

_BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, the text within, and where that stands in the document."""

    language: str
    text: str
    start: int


def blocks(document: str, *languages: str) -> Iterator[Block]:
    """Yield the fenced blocks of a Markdown document in these languages, in their order."""
    for found in _BLOCK.finditer(document):
        if found[1] in languages:
            yield Block(found[1], found[2], found.start(2))


def commands(block: str) -> list[str]:
    """Return the command lines of a console block, without their prompt."""
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def run_console(block: str, folder: Path) -> str:
    """Return a console block with what its commands print now."""
    return "".join(f"$ {line}\n{on_terminal(line, folder)}" for line in commands(block))


def run_pycon(block: str, folder: Path) -> str:
    """Return a pycon block with what its Python prints now."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        return "".join(_with_outputs(block))
    finally:
        os.chdir(before)


RUNNERS: dict[str, Callable[[str, Path], str]] = {"console": run_console, "pycon": run_pycon}
"""Language → what runs a block of it."""


def refreshed(document: str, folder: Path) -> str:
    """Return a document with the outputs of its examples as they are now."""
    pieces, done = [], 0
    for block in blocks(document, *RUNNERS):
        pieces += [document[done : block.start], RUNNERS[block.language](block.text, folder)]
        done = block.start + len(block.text)
    return "".join([*pieces, document[done:]])


def on_terminal(line: str, folder: Path) -> str:
    """Return what a command line shows on a terminal; `simsearch` is this checkout's.

    Raises:
        AssertionError: the command fails.
    """
    script = f'simsearch() {{ {shlex.quote(sys.executable)} -m simsearch "$@"; }}\n{line}'
    leader, follower = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - lines of our own documents
        ["/bin/bash", "-c", script], cwd=folder, stdout=follower, stderr=follower,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(WIDTH)},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 65536):
            shown += chunk
    except OSError:  # the other end has closed
        pass
    os.close(leader)
    text = shown.decode().replace("\r\n", "\n")
    if process.wait(timeout=300):
        raise AssertionError(f"{line}: {text}")
    return text


def _with_outputs(block: str) -> Iterator[str]:
    """Yield the examples of a pycon block, each with what it prints now."""
    names: dict[str, object] = {}
    for example in doctest.DocTestParser().get_examples(block):
        first, *others = example.source.splitlines()
        yield "".join(f"{mark} {line}".rstrip() + "\n" for mark, line in
                      [(">>>", first), *(("...", line) for line in others)])  # fmt: skip
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(example.source, "<pycon>", "single"), names)  # noqa: S102 - our own examples
        yield printed.getvalue()


def _without_own_index(folder: Path) -> None:
    """Let the demo answer, whatever index the person who runs this has."""
    for name in [name for name in os.environ if name.startswith("SIMSEARCH_")]:
        del os.environ[name]
    os.environ["XDG_DATA_HOME"] = os.environ["XDG_CACHE_HOME"] = str(folder / ".none")


def main() -> None:
    """Rewrite what is shown, and name the files that changed."""
    with tempfile.TemporaryDirectory() as name:
        _without_own_index(Path(name))
        from make_commands import reference
        from make_picture import picture

        shown = {
            each: refreshed((REPOSITORY / each).read_text(encoding="utf-8"), Path(name))
            for each in DOCUMENTS
        }
        shown |= {"docs/commands.md": reference(), "docs/query.svg": picture()}
    for each, text in shown.items():
        path = REPOSITORY / each
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"refreshed {each}")


if __name__ == "__main__":
    main()
