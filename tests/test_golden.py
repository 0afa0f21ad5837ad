"""What `simsearch query` prints on the demo index, byte by byte: the files of tests/golden.

Where a difference is meant, `python tests/golden/record.py` records them anew.
"""

from __future__ import annotations

import pytest
from golden.record import COMMANDS, FOLDER, QUESTIONS, printed, recorded


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(each, marks=pytest.mark.model if "--text" in each or "--file" in each else ())
        for each in COMMANDS
    ],
)
def test_a_question_prints_what_was_recorded(monkeypatch, tmp_path, command):
    monkeypatch.chdir(tmp_path)
    assert printed(command) == recorded(COMMANDS[command])[command]


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_file_holds_its_question_in_every_format_and_nothing_else(name):
    assert [*recorded(name)] == [each for each, of in COMMANDS.items() if of == name]


def test_every_file_has_its_question():
    assert {path.stem for path in FOLDER.glob("*.txt")} == {*QUESTIONS}
