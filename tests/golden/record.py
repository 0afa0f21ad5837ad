"""Record what `simsearch query` prints on the demo index: `python tests/golden/record.py`.

Run by hand, after a change that is meant; read the difference before you commit it. A file holds
a question, and under each command line its output. tests/test_golden.py compares; it never writes.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

from simsearch.cli import main as cli

FOLDER = Path(__file__).parent
FORMATS = ("table", "json", "jsonl", "csv", "markdown", "ids")
ROUNDED = ("table", "markdown", "ids")
"""Formats with no more than three decimals: the vectors of words differ in the seventh decimal
from one processor to another."""

ONE, TWO, THREE = "NCT03540472", "NCT00229619", "NCT00001626"
QUESTIONS = {
    "study": f"{ONE} -k 5",
    "explained": f"{ONE} -k 3 --explain",
    "several": f"{TWO} {THREE} -k 2",
    "unlike": f"{TWO} --not {THREE} -k 2",
    "filters": f"{ONE} --status completed --country 'United States' -k 2",
    "quiet": f"{ONE} --phase 2 --start-after 2005 --min-enrollment 20 -k 2 --quiet",
    "more-filters": f"{ONE} --sponsor national --study-type interventional "
    "--intervention-type drug -k 2",
    "no-neighbours": f"{ONE} --phase 4 --min-enrollment 1000000",
    "folded": f"{ONE} -k 3 --fold",
    "diverse": f"{ONE} -k 3 --diverse",
    "grouped": f"{ONE} -k 3 --group-by sponsor",
    "other-sponsors": f"{TWO} -k 2 --hide-same-sponsor",
    "weights": f"{ONE} -k 2 -w lexical=0.9,text=.1",
    "text": "--text 'eltrombopag for aplastic anemia in children' -k 3",
    "draft": "--file draft.json -k 3",
    "study-and-text": f"{TWO} --text 'in children' -k 3",
}
"""Name of the file → the question."""

COMMANDS = {
    f"$ simsearch query {words} --format {format_}": name
    for name, words in QUESTIONS.items()
    for format_ in (ROUNDED if re.search("--text|--file", words) else FORMATS)
}
"""Command line → the file that holds its output."""

_DRAFT = {
    "protocolSection": {
        "identificationModule": {"briefTitle": "Eltrombopag in children with aplastic anemia"},
        "descriptionModule": {
            "briefSummary": "Children who cannot be transplanted take eltrombopag."
        },
        "conditionsModule": {"conditions": ["Aplastic Anemia"], "keywords": ["children"]},
        "armsInterventionsModule": {"interventions": [{"type": "DRUG", "name": "Eltrombopag"}]},
    }
}


def printed(command: str) -> str:
    """Return what a command line prints, without the folder of the index on this machine.

    The current folder and the user's own must hold no index, so that the demo answers.
    """
    Path("draft.json").write_text(json.dumps(_DRAFT), encoding="utf-8")
    words, out = shlex.split(command.removeprefix("$ ")), io.StringIO()
    before, sys.argv = sys.argv, words
    try:
        with contextlib.redirect_stdout(out):
            cli.main()
    except SystemExit as done:
        assert not done.code, command
    finally:
        sys.argv = before
    return re.sub(r'("path": ")[^"]*"', r'\1…"', out.getvalue())


def recorded(name: str) -> dict[str, str]:
    """Return command line → output, as a file has them."""
    text = (FOLDER / f"{name}.txt").read_bytes().decode()
    parts = re.split(r"^(\$ simsearch query .*)\n", text, flags=re.MULTILINE)
    assert parts[0] == ""
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def record() -> None:
    """Write all files anew."""
    texts = dict.fromkeys(QUESTIONS, "")
    for command, name in COMMANDS.items():
        texts[name] += f"{command}\n{printed(command)}"
    for path in FOLDER.glob("*.txt"):
        path.unlink()
    for name, text in texts.items():
        (FOLDER / f"{name}.txt").write_bytes(text.encode())
    print(f"{len(COMMANDS)} outputs of {len(texts)} questions")


if __name__ == "__main__":
    for variable in [each for each in os.environ if each.startswith("SIMSEARCH_")]:
        del os.environ[variable]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.environ["XDG_DATA_HOME"] = folder
        record()
