"""Damage of the same size in any file of an index: the right answer, or one line."""

import errno
import json
import os
import shutil
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import WordEncoder, record
from damaging import change_manifest, generation_of, reseal

from simsearch import build_index, open_index, read_studies
from simsearch.cli.hints import line_of
from simsearch.errors import EncoderError, IndexCorruptError, IndexReadError, SimsearchError
from simsearch.index.directory import index_around
from simsearch.index.opened import opened_index
from simsearch.index.studies import StudyStore
from simsearch.index.verify import verify_generation

N_DAMAGES = 200
HEAD = 256  # bytes at the start of a file, where most of its structure is
WORDS = ("iron", "knee", "pills", "marrow", "anemia", "aplasia", "surgery", "children", "drops")


def records(n=60):
    chance = np.random.default_rng(0)
    return [
        record(
            f"NCT{101 + number:08}", " ".join(chance.choice(WORDS, 4)),
            list(chance.choice(WORDS, 2)), [("DRUG", str(chance.choice(WORDS)))],
            " ".join(chance.choice(WORDS, 9)),
            **({} if number else {"aliases": ["NCT00000901"]}),
        )
        for number in range(n)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The folder of an index of 60 studies."""
    folder = tmp_path_factory.mktemp("sound")
    source = folder / "records.jsonl"
    source.write_text("".join(json.dumps(each) + "\n" for each in records()))
    build_index(read_studies(source), folder / "index", WordEncoder())
    return folder / "index"


@pytest.fixture
def index(sound, tmp_path):
    """A copy of it, to be damaged."""
    shutil.copytree(sound, tmp_path / "index")
    return tmp_path / "index"


FILES = (
    "conditions.npy", "interventions.npy", "lexical-idf.npy", "lexical-posting-rows.npy",
    "lexical-posting-starts.npy", "lexical-posting-weights.npy", "lexical-row-starts.npy",
    "lexical-row-terms.npy", "lexical-row-weights.npy", "lexical-terms.npy", "manifest.json",
    "random-pairs.npy", "studies.sqlite", "text.faiss",
)  # fmt: skip


def damaged(content: bytes, chance: np.random.Generator) -> bytes:
    """Return as many bytes, of which a bit, a byte or some in a row differ."""
    changed = bytearray(content)
    at = int(chance.integers(min(len(content), HEAD) if chance.random() < 0.4 else len(content)))
    kind = chance.integers(5)
    size = min((1, 1, 16, 64, 512)[kind], len(content) - at)
    if kind == 0:
        changed[at] ^= 1 << int(chance.integers(8))
    elif kind == 1:
        changed[at] = int(chance.integers(256))
    else:
        fill = bytes(size) if kind == 3 else b"\xff" * size
        changed[at : at + size] = chance.bytes(size) if kind == 2 else fill
    return bytes(changed)


def answers(path: Path) -> str:
    """Return what an index answers to questions of several kinds, and its facts."""
    with open_index(path) as opened:
        found = [
            opened.related("NCT00000901"),
            opened.related(["NCT00000110", "NCT00000120"], unlike="NCT00000130"),
            opened.related("NCT00000140", fold=True, start_after="2000"),
        ]
    return json.dumps([answer.to_dict() for answer in found])


def outcome(path: Path, expected: str) -> str:
    """Return `right`, `one line` or `other`; any other error than our own is raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return "right" if answers(path) == expected else "other"
        except SimsearchError as error:
            assert "\n" not in str(error)
            return "one line"


@pytest.mark.parametrize("name", FILES)
def test_damage_gives_the_right_answer_or_one_line(index, name):
    expected, chance = answers(index), np.random.default_rng(1)
    path = generation_of(index) / name
    content = path.read_bytes()
    for _ in range(N_DAMAGES):
        path.write_bytes(damaged(content, chance))
        if outcome(index, expected) == "other":
            with pytest.raises(SimsearchError):
                verify_generation(index)


@pytest.mark.parametrize("name", [name for name in FILES if name != "manifest.json"])
def test_damage_that_no_checksum_shows_is_never_a_bare_error(index, name):
    """As in a large file, which is not read whole to open it, or in an index made to do harm."""
    expected, chance = answers(index), np.random.default_rng(2)
    path, manifest = (generation_of(index) / each for each in (name, "manifest.json"))
    content, sealed = path.read_bytes(), manifest.read_bytes()
    found = []
    for _ in range(N_DAMAGES // 2):
        path.write_bytes(damaged(content, chance))
        manifest.write_bytes(sealed)
        reseal(index, name)
        found.append(outcome(index, expected))
    assert "one line" in found


def test_the_manifest_is_compared_with_its_own_checksum(index):
    path = generation_of(index) / "manifest.json"
    path.write_text(path.read_text().replace('"model": "words', '"model": "wards'))
    with pytest.raises(IndexCorruptError, match=r"manifest\.json: does not match its checksum"):
        opened_index(index)


def test_a_manifest_without_a_checksum_is_read_as_before(index):
    expected = answers(index)
    change_manifest(index, lambda manifest: None)
    assert answers(index) == expected


@pytest.mark.parametrize(
    "change",
    [{"mean_terms": -1.0}, {"mean_terms": 1e300}, {"n_fitted": -1}, {"previous": "a\x1b[31m"},
     {"field_coverage": {"text": -1}}, {"built": "2020\n"},
     {"files": {"x": {"bytes": -1, "sha256": ""}}}],
)  # fmt: skip
def test_a_manifest_holds_only_what_a_build_writes(index, change):
    change_manifest(index, lambda manifest: manifest.update(change))
    with pytest.raises(IndexCorruptError, match="impossible"):
        opened_index(index)


@pytest.mark.parametrize("name", ["lexical-row-starts.npy", "lexical-posting-starts.npy"])
@pytest.mark.parametrize("spoil", [np.flip, lambda starts: starts + 1, lambda starts: starts - 1])
def test_starts_must_divide_the_entries(index, name, spoil):
    path = generation_of(index) / name
    np.save(path, spoil(np.load(path)))
    reseal(index, name)
    with pytest.raises(IndexCorruptError, match=f"{name}: it does not divide"):
        opened_index(index)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [("lexical-row-terms.npy", -1, "numbers beyond"), ("lexical-row-terms.npy", 2**30, "numbers"),
     ("lexical-posting-rows.npy", -1, "numbers"), ("lexical-posting-rows.npy", 2**30, "numbers"),
     ("lexical-row-weights.npy", np.nan, "not weights"),
     ("lexical-posting-weights.npy", -0.5, "not weights"),
     ("lexical-idf.npy", np.inf, "not an idf"),
     ("random-pairs.npy", 2.0, "not cosines"), ("text.faiss", 0x7B, "not of unit")],
)  # fmt: skip
def test_a_value_that_a_file_cannot_hold_is_named(index, name, value, what):
    path = generation_of(index) / name
    if name == "text.faiss":
        content = bytearray(path.read_bytes())
        content[-100:] = bytes([value]) * 100
        path.write_bytes(content)
    else:
        array = np.load(path)
        array[...] = value
        np.save(path, array)
    reseal(index, name)
    with pytest.raises(IndexCorruptError, match=f"{name}: it holds .*{what}"):
        for nct_id in ("NCT00000101", "NCT00000160"):
            with open_index(index) as opened:
                opened.related(nct_id)


def test_a_header_of_another_length_does_not_shift_the_values(index):
    path = generation_of(index) / "conditions.npy"
    content = bytearray(path.read_bytes())
    content[8] -= 64
    path.write_bytes(content)
    reseal(index, path.name)
    with pytest.raises(IndexCorruptError, match=r"conditions\.npy: not an array"):
        opened_index(index)


@pytest.mark.parametrize("whole", [True, False], ids=["all rows", "some rows"])
def test_rows_that_are_not_of_unit_length_are_named_by_whoever_reads_them(index, whole):
    path = generation_of(index) / "conditions.npy"
    rows = np.load(path)
    rows[7] *= 1.5
    np.save(path, rows)
    reseal(index, path.name)
    with opened_index(index) as opened:
        assert opened.rows("conditions", np.array([6])).any()
        with pytest.raises(IndexCorruptError, match="unit length"):
            opened.stored("conditions") if whole else opened.rows("conditions", np.array([7]))


# The study store


def changed_store(index: Path, statement: str) -> None:

    path = generation_of(index) / "studies.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
    reseal(index, path.name)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE study SET title = title || char(27) || '[31m' || 'red'",
     "UPDATE study SET title = X'ff00'",
     "UPDATE study SET conditions = '[7]'", "UPDATE study SET conditions = '['",
     "UPDATE study SET enrollment = 'many'"],
)  # fmt: skip
def test_a_study_that_no_build_writes_is_refused(index, statement):
    changed_store(index, statement)
    with opened_index(index) as opened, pytest.raises(IndexCorruptError, match="damaged study"):
        opened.study("NCT00000101")


@pytest.mark.parametrize(
    ("statement", "ask"),
    [
        ("UPDATE study SET nct_id = X'ff' WHERE row = 3", lambda store: store.nct_ids()),
        ("UPDATE facet SET value = X'ff'", lambda store: store.values_of("status")),
        (
            "UPDATE has_facet SET row = row + 1000",
            lambda store: store.rows_of("status", ["COMPLETED"]),
        ),
        ("UPDATE alias SET row = 1000", lambda store: store.row_of("NCT00000901")),
        ("UPDATE alias SET row = 'x'", lambda store: store.row_of("NCT00000901")),
        ("INSERT INTO gone VALUES ('N', X'ff', 'x')", lambda store: store.gone("N")),
    ],
    ids=["IDs", "values", "rows", "alias", "alias of words", "gone"],
)
def test_whatever_the_store_is_asked_for_is_checked(index, statement, ask):
    changed_store(index, statement)
    store = StudyStore(generation_of(index) / "studies.sqlite")
    try:
        with pytest.raises(IndexCorruptError, match="damaged study store"):
            ask(store)
    finally:
        store.close()


# Where an index lies, and whose it is


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_an_index_in_a_folder_whose_name_is_no_text_is_built_and_opened(tmp_path, sound):
    expected = json.loads(answers(sound))
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    source = tmp_path / "records.jsonl"
    source.write_text("".join(json.dumps(each) + "\n" for each in records()))
    build_index(read_studies(source), odd / "index", WordEncoder())
    found = json.loads(answers(odd / "index"))
    assert [each["neighbours"] for each in found] == [each["neighbours"] for each in expected]
    assert "\ufffd" in found[0]["index"]["path"]


@pytest.mark.parametrize("name", ["CURRENT", "manifest.json", "studies.sqlite", "generations"])
def test_a_missing_permission_is_not_mistaken_for_damage(index, monkeypatch, name):
    real = {each: getattr(Path, each) for each in ("stat", "open", "read_bytes", "read_text")}

    def refusing(each):
        def act(self, *words, **options):
            if self.name == name or (name == "generations" and name in self.parts):
                raise PermissionError(errno.EACCES, "Permission denied")
            return real[each](self, *words, **options)

        return act

    with monkeypatch.context() as patched:
        for each in real:
            if (name, each) != ("CURRENT", "stat"):
                patched.setattr(Path, each, refusing(each))
        with pytest.raises(IndexReadError, match=r"no permission to read it$") as caught:
            opened_index(index)
    assert "rebuild" not in line_of(caught.value)


def test_the_index_that_a_path_lies_in_is_found(index, tmp_path):
    for path in (index / "x.csv", generation_of(index) / "x.csv", index / "new" / "x.csv"):
        assert index_around(path) == index
    assert index_around(tmp_path / "x.csv") is None
    assert index_around(index) is None


@pytest.mark.parametrize("name", ["someone/model", "someone-else", "../model", "https://x.test/m"])
def test_a_model_that_an_index_names_is_not_downloaded(index, name):
    change_manifest(index, lambda manifest: manifest["recipe"].update(model=name))
    with open_index(index) as opened, pytest.raises(EncoderError, match="not on this machine"):
        opened.related(text="iron pills")


@pytest.mark.parametrize("text", ['["\\u001b[31mred"]', '["\\u202eder"]', '["two\\nlines"]'])
def test_no_escape_in_a_list_of_a_crafted_store_reaches_a_terminal(build, tmp_path, text):
    """The manifest can be made to fit: checksums stop accidents only."""
    folder = build().index
    name = (folder / "CURRENT").read_text().strip()
    with closing(sqlite3.connect(folder / "generations" / name / "studies.sqlite")) as database:
        database.execute("UPDATE study SET conditions = ? WHERE row = 1", (text,))
        database.commit()
    store = StudyStore(folder / "generations" / name / "studies.sqlite")
    with pytest.raises(IndexCorruptError, match="control characters in a list"):
        store.studies([1])
    store.close()
