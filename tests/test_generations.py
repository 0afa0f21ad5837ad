"""Generations listed, verified, rolled back, pruned; faults at every write of publishing."""

import errno
import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest
from asking import similar_to_study
from conftest import SIX, WordEncoder, record
from typer.testing import CliRunner

from simsearch import build_index, read_studies
from simsearch.build.guards import Canary
from simsearch.cli.main import app
from simsearch.encode.fields import TEXT_VERSION
from simsearch.errors import (
    ArgumentError,
    ForeignFolderError,
    GenerationError,
    GenerationNameError,
    IndexCorruptError,
    IndexNotFoundError,
    IndexReadError,
    PublishError,
    SourceError,
    VerificationError,
)
from simsearch.index import opened
from simsearch.index.directory import demo_index, open_generation, pointed, verify_checksums
from simsearch.index.generations import (
    generation_names,
    list_generations,
    new_generation,
    prune,
    roll_back,
)
from simsearch.index.manifest import FORMAT, Manifest, Recipe, sha256_of
from simsearch.index.opened import opened_index
from simsearch.index.terms import TERMS_VERSION
from simsearch.index.verify import verify_generation
from simsearch.output.formats import View, write
from simsearch.output.reports import Listing


@pytest.fixture
def three(build):
    """An index of three generations, and their names in the order of the builds."""
    reports = [build(keep=3) for _ in range(3)]
    return reports[0].index, [report.generation for report in reports]


def spoil(index: Path, name: str, file: str = "conditions.npy") -> None:
    """Change one byte of a file of a generation."""
    path = index / "generations" / name / file
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


def test_a_build_keeps_as_many_generations_as_it_is_asked_to(three, build):
    index, names = three
    assert set(generation_names(index)) == set(names)
    latest = build(keep=1).generation
    assert generation_names(index) == [latest]


def test_the_list_says_which_is_current_and_what_is_in_each(three):
    index, names = three
    listed = {each.name: each for each in list_generations(index)}
    assert set(listed) == set(names)
    assert [name for name, each in listed.items() if each.current] == [names[-1]]
    assert all(each.manifest.n_studies == 6 for each in listed.values())
    assert listed[names[0]].bytes == open_generation(index, names[0]).bytes
    assert listed[names[0]].problem == ""


def test_the_list_names_what_is_wrong_with_a_damaged_generation(three):
    index, names = three
    (index / "generations" / names[0] / "text.faiss").unlink()
    listed = {each.name: each for each in list_generations(index)}
    assert listed[names[0]].manifest is None
    assert "text.faiss" in listed[names[0]].problem


def test_rolling_back_goes_back_one_build_at_a_time(three):
    index, names = three
    reader = opened_index(index)
    assert roll_back(index) == names[1]
    assert pointed(index) == names[1]
    assert roll_back(index) == names[0]
    assert reader.generation.manifest.generation == names[2]
    with pytest.raises(GenerationError, match=f"no generation before.*{names[2]}"):
        roll_back(index)
    assert roll_back(index, names[2]) == names[2]


def test_a_generation_that_is_not_there_is_refused_and_the_others_are_named(three):
    index, names = three
    for wrong in ("20200101T000000Z-abcdef", "../generations", "."):
        with pytest.raises(GenerationNameError, match=names[0]):
            roll_back(index, wrong)
    assert pointed(index) == names[2]


def test_rolling_back_to_a_damaged_generation_is_refused(three):
    index, names = three
    spoil(index, names[1])
    with pytest.raises(IndexCorruptError, match=f"{names[1]}/conditions.npy.*checksum"):
        roll_back(index)
    assert pointed(index) == names[2]


def test_rolling_back_mends_a_damaged_pointer(three):
    index, names = three
    (index / "CURRENT").write_text("nothing\n")
    assert roll_back(index, names[1]) == names[1]
    assert opened_index(index).n_studies == 6


def test_after_rolling_back_a_build_keeps_what_was_rolled_back_to(three, build):
    index, names = three
    roll_back(index)
    report = build(keep=2)
    assert opened_index(index).generation.manifest.previous == names[1]
    assert set(generation_names(index)) == {report.generation, names[1]}
    assert roll_back(index) == names[1]


def test_after_rolling_back_the_guards_compare_with_the_current_generation(build):
    first = build(SIX, keep=3)
    build(SIX[:3], allow_shrink=True, keep=3)
    roll_back(first.index)
    with pytest.raises(Exception, match="lose 2 of its 6"):
        build(SIX[:4])


def test_pruning_removes_the_oldest_and_never_the_current_one(three):
    index, names = three
    assert prune(index, 2) == [names[0]]
    roll_back(index)
    assert pointed(index) == names[1]
    assert prune(index, 1) == [names[2]]
    assert generation_names(index) == [names[1]]
    assert opened_index(index).n_studies == 6


def test_pruning_keeps_at_least_one(three):
    index, _ = three
    with pytest.raises(ArgumentError, match="keep is 0"):
        prune(index, 0)


def test_nothing_is_pruned_where_the_current_generation_is_not_known(three):
    index, names = three
    (index / "CURRENT").write_text("nothing\n")
    with pytest.raises(IndexCorruptError, match="CURRENT"):
        prune(index, 1)
    assert set(generation_names(index)) == set(names)


def test_the_demo_is_neither_rolled_back_nor_pruned(tmp_path):
    shutil.copytree(demo_index(), tmp_path / "copy")
    for act in (roll_back, lambda index: prune(index, 1)):
        with pytest.raises(ForeignFolderError, match="demo index"):
            act(tmp_path / "copy")


def test_a_folder_without_an_index_is_named(tmp_path):
    for act in (list_generations, roll_back, lambda index: prune(index, 1), verify_generation):
        with pytest.raises(IndexNotFoundError):
            act(tmp_path)


def test_opening_while_the_generation_is_replaced_takes_the_new_one(build, monkeypatch):
    """Between reading the pointer and the files, a build may publish and prune."""
    old = build()
    published = []

    def late(index, name):
        if not published:
            published.append(build(keep=1).generation)
        return open_generation(index, name)

    monkeypatch.setattr(opened, "open_generation", late)
    index = opened_index(old.index)
    assert index.generation.manifest.generation == published[0] != old.generation


# Verification


def test_every_generation_can_be_verified(three):
    index, names = three
    spoil(index, names[0])
    assert verify_generation(index).manifest.generation == names[2]
    assert verify_generation(index, names[1]).manifest.generation == names[1]
    with pytest.raises(IndexCorruptError, match="checksum"):
        verify_generation(index, names[0])


def resealed(index: Path, file: str, change) -> None:
    """Change a file of the current generation, and its checksum with it."""
    folder = index / "generations" / pointed(index)
    change(folder / file)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.pop("checksum")
    manifest["files"][file] = {
        "bytes": (folder / file).stat().st_size, "sha256": sha256_of(folder / file),
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))


def swap_rows(path: Path) -> None:
    rows = np.load(path)
    np.save(path, rows[::-1])


def blank_first_row(path: Path) -> None:
    rows = np.load(path)
    rows[0] = 0
    np.save(path, rows)


def test_vectors_of_other_studies_are_found(build):
    """NCT00000106 has no intervention: reversed, the first study would have none."""
    index = build().index
    resealed(index, "interventions.npy", swap_rows)
    with pytest.raises(VerificationError, match="NCT00000101 has a text and no vector"):
        verify_generation(index)


def test_fewer_vectors_than_the_manifest_says_are_found(build):
    index = build().index
    resealed(index, "conditions.npy", blank_first_row)
    with pytest.raises(VerificationError, match=r"conditions vectors: 5 where .* says 6"):
        verify_generation(index)


def test_a_study_without_text_has_no_vector_and_is_in_order(build):
    bare = {"protocolSection": {"identificationModule": {"nctId": "NCT00000107"}}}
    index = build([*SIX, bare]).index
    assert verify_generation(index).manifest.field_coverage["text"] == 6


# The commands


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMSEARCH_INDEX", str(tmp_path / "index"))

    def _run(*words: str):
        return CliRunner().invoke(app, ["index", *words])

    return _run


def test_the_list_is_printed_as_table_and_as_json(three, command):
    _, names = three
    table = command("list").stdout.splitlines()
    assert len(table) == 4
    [answering] = [line for line in table if line.startswith("*")]
    assert answering.split()[1] == names[2]
    found = json.loads(command("list", "--format", "json").stdout)
    assert found["schema"] == "simsearch.generations/1"
    assert {each["name"]: each["current"] for each in found["generations"]} == {
        names[0]: False, names[1]: False, names[2]: True,
    }  # fmt: skip


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("width", [20, 45, 60, 80, 100, None])
def test_the_list_never_cuts_a_name_however_narrow_the_terminal(three, width, damaged):
    index, names = three
    if damaged:
        (index / "generations" / names[0] / "manifest.json").write_text("?")
    listing = Listing(index, list_generations(index))
    table = "".join(write("generations", listing, "table", View(width=width)))
    lines = table.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("*")] == [names[2]]
    for name in names:
        assert name in table
    assert max(map(len, lines)) <= max(width or 1000, 45 if damaged else 26)
    assert ("Built" in lines[0]) == (width not in {20, 45, 60, 80})
    assert "Studies" in lines[0] or damaged or width == 20


def test_verify_all_goes_on_past_a_damaged_generation(three, command):
    index, names = three
    spoil(index, names[1])
    done = command("verify", "--all")
    assert done.exit_code == 1
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "  damaged: " in lines[names[1]]
    assert "  complete: 6 studies, 19 files" in lines[names[0]]
    assert "  complete: 6 studies, 19 files" in lines[names[2]]
    assert isinstance(done.exception, IndexCorruptError)
    assert command("verify", "--quiet").output == ""


def test_verify_of_an_unknown_generation_is_refused(three, command):
    assert isinstance(command("verify", "nonsense").exception, GenerationNameError)
    assert command("verify", "--all", three[1][0]).exit_code == 2


def test_rollback_prints_what_is_current_now_and_prune_what_was_removed(three, command):
    _, names = three
    done = command("rollback")
    assert f"Current  {names[1]}: 6 studies, records to 2021-05-06, built" in done.stdout
    assert command("prune", "--keep", "2").stdout.split()[1] == names[2]
    assert command("prune", "--keep", "5").stdout.split() == ["Removed", "none"]


# Faults

# Every write of the publishing step goes through one of these.
WRITES = (
    (os, "fsync"), (os, "rename"), (os, "replace"), (os, "mkdir"), (os, "unlink"), (os, "rmdir"),
    (os, "open"), (io, "open"),
)  # fmt: skip


class Faults:
    """Lets the n-th write fail, or all from then on."""

    def __init__(self, monkeypatch, number: int, code: int, *, for_good: bool) -> None:
        self.n_writes = 0
        self._number, self._code, self._for_good = number, code, for_good
        for module, name in WRITES:
            monkeypatch.setattr(module, name, self._faulty(getattr(module, name)))

    def _faulty(self, real):
        def write(*words, **options):
            self.n_writes += 1
            if self.n_writes == self._number or (self._for_good and self.n_writes > self._number):
                raise OSError(self._code, os.strerror(self._code))
            return real(*words, **options)

        return write


def publish(index: Path, text: str, keep: int = 2) -> str:
    """Publish a generation of two small files; return its name."""
    with new_generation(index, keep=keep) as draft:
        (draft.path / "one").write_text(text)
        (draft.path / "two").write_text(text * 2)
        draft.seal(
            Manifest(
                format=FORMAT, generation=draft.name, previous=draft.previous, built="",
                records_date="", n_studies=1, field_coverage={}, mean_terms=1.0,
                recipe=Recipe(TEXT_VERSION, TERMS_VERSION, "", "", 10, 10),
                precision="", sources=(), versions={}, details="full",
            )
        )  # fmt: skip
        draft.publish()
        return draft.name


def text_of(index: Path) -> str:
    """Return what the current generation holds, once its checksums are right."""
    generation = open_generation(index)
    verify_checksums(generation)
    return (generation.path / "one").read_text()


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_fault_at_any_write_of_publishing_leaves_a_whole_index(tmp_path, code, for_good):
    index = tmp_path / "index"
    publish(index, "oldest")
    publish(index, "old")
    refused = 0
    for number in range(1, 1000):
        with pytest.MonkeyPatch.context() as patched:
            faults = Faults(patched, number, code, for_good=for_good)
            try:
                publish(index, "new")
                published = True
            except PublishError as error:
                published = False
                refused += 1
                assert "\n" not in str(error)
                assert os.strerror(code) in str(error)
        if not for_good:  # a lasting fault cannot always be undone: either is whole
            assert text_of(index) == ("new" if published else "old")
        assert text_of(index) in {"new", "old"}
        if faults.n_writes < number:
            break
        publish(index, "old")
        assert text_of(index) == "old"
        assert len(list((index / "generations").iterdir())) == 2
    assert published
    assert refused > 15  # five syncs, two renames, three opens, … each of them


def test_a_fault_at_any_write_of_rolling_back_leaves_a_whole_index(three):
    index, names = three
    for number in range(1, 1000):
        with pytest.MonkeyPatch.context() as patched:
            faults = Faults(patched, number, errno.EIO, for_good=False)
            try:
                roll_back(index, names[0])
                failed = False
            except (PublishError, IndexCorruptError):
                failed = True
        if faults.n_writes < number:
            break
        assert pointed(index) == (names[2] if failed else names[0])
        assert opened_index(index).n_studies == 6
        roll_back(index, names[2])
    assert number > 15


def test_a_fault_at_any_write_of_pruning_leaves_the_current_generation(tmp_path):
    index = tmp_path / "index"
    for number in range(1, 1000):
        for text in ("oldest", "old", "new"):
            publish(index, text, keep=3)
        with pytest.MonkeyPatch.context() as patched:
            faults = Faults(patched, number, errno.EACCES, for_good=False)
            try:
                prune(index, 1)
                failed = False
            except (PublishError, IndexReadError):
                failed = True
        if faults.n_writes < number:
            break
        assert text_of(index) == "new"
        assert len(generation_names(index)) == 1 or failed
    assert number > 5


def test_a_build_after_a_fault_at_any_write_equals_an_undisturbed_one(build, tmp_path, encoder):
    changed = [record("NCT00000101", "Iron for the knee", ["Knee"]), *SIX[1:]]
    index = build().index
    asked = similar_to_study(opened_index(index), "NCT00000101")
    records = tmp_path / "changed.jsonl"
    records.write_text("".join(json.dumps(each) + "\n" for each in changed))
    options = {"allow_moved": True}
    whole = build_index(read_studies(records), tmp_path / "whole", WordEncoder(), **options)
    for number in range(1, 1000):
        before = pointed(index)
        reader = read_studies(records)
        with pytest.MonkeyPatch.context() as patched:
            faults = Faults(patched, number, errno.ENOSPC, for_good=False)
            try:
                report = build_index(reader, index, WordEncoder(), **options)
            except (PublishError, SourceError, IndexCorruptError) as error:
                assert "\n" not in str(error)
                assert similar_to_study(opened_index(index), "NCT00000101") == asked
                report = None
        if faults.n_writes < number:
            break
        if report is None:
            report = build_index(reader, index, WordEncoder(), **options)
        files = open_generation(index).manifest.files
        assert files == open_generation(whole.index).manifest.files
        roll_back(index, before)
        assert similar_to_study(opened_index(index), "NCT00000101") == asked
    assert number > 20


@pytest.fixture
def small_disk(tmp_path):
    """A disk of two megabytes; needs the right to mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("needs the right to mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_disk_that_is_really_full_leaves_the_earlier_index(
    small_disk, write, encoder, monkeypatch
):
    monkeypatch.setattr("simsearch.build.build.check_room", lambda *_: None)  # it would not begin
    index = small_disk / "index"
    build_index(read_studies(write()), index, encoder)
    asked = similar_to_study(opened_index(index), "NCT00000101")
    filler = small_disk / "filler"
    refused = 0
    for room in (0, 4096, 20_000, 60_000, 100_000, 140_000):
        filler.write_bytes(b"")
        free = os.statvfs(small_disk)
        filler.write_bytes(b"x" * max(0, free.f_bavail * free.f_frsize - room))
        try:
            build_index(read_studies(write()), index, encoder)
        except PublishError:
            refused += 1
        assert similar_to_study(opened_index(index), "NCT00000101") == asked
        verify_generation(index)
    assert refused >= 2
    filler.unlink()
    assert build_index(read_studies(write()), index, encoder).canary == Canary(
        0, 1.0, "nothing has changed"
    )


def test_the_list_has_the_manifest_as_it_was_written(build):
    index = build().index
    [listed] = list_generations(index)
    assert msgspec.json.encode(listed.manifest) == msgspec.json.encode(
        open_generation(index).manifest
    )
