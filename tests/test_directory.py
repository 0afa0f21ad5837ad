"""Where an index is looked for, and what is refused there: pointer, manifest, damaged files."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from conftest import SIX, WordEncoder
from damaging import change_manifest, reseal

from simsearch import build_index, read_studies
from simsearch.cli.hints import line_of
from simsearch.errors import (
    ForeignFolderError,
    IndexBusyError,
    IndexCorruptError,
    IndexNotFoundError,
    PublishError,
    RecipeError,
)
from simsearch.index import directory as st
from simsearch.index.generations import new_generation
from simsearch.index.manifest import Recipe
from simsearch.index.opened import opened_index


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    """A data folder of the user's own, empty."""
    folder = tmp_path / "user"
    monkeypatch.setattr(st.platformdirs, "user_data_path", lambda *_, **__: folder)
    return folder / "index"


def published(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / ".simsearch").touch()
    (path / "CURRENT").touch()
    return path


def test_an_index_is_looked_for_in_order(tmp_path, user_folder):
    here = tmp_path / "here"
    assert st.find_index(None, here) == st.demo_index()
    published(user_folder)
    assert st.find_index(None, here) == user_folder
    published(here / "index")
    assert st.find_index(None, here) == here / "index"
    given = published(tmp_path / "given")
    assert st.find_index(given, here) == given


def test_a_folder_given_without_an_index_is_refused(tmp_path):
    with pytest.raises(IndexNotFoundError, match="elsewhere does not hold an index") as caught:
        st.find_index(tmp_path / "elsewhere", tmp_path)
    assert "simsearch rebuild" in line_of(caught.value)


def test_a_folder_named_index_with_something_else_is_passed_over(tmp_path, user_folder):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "page.html").touch()
    assert st.find_index(None, tmp_path) == st.demo_index()
    assert st.find_target(None, tmp_path) == user_folder


def test_a_build_goes_where_a_query_would_look_first(tmp_path, user_folder):
    assert st.find_target(None, tmp_path) == user_folder
    published(tmp_path / "index")
    assert st.find_target(None, tmp_path) == tmp_path / "index"
    assert st.find_target(tmp_path / "given", tmp_path) == tmp_path / "given"


def test_the_demo_is_never_written_over(tmp_path):
    """Neither where it is installed nor as a copy of it, such as in a checkout."""
    import shutil

    shutil.copytree(st.demo_index(), tmp_path / "copy")
    for path in (st.demo_index(), tmp_path / "copy"):
        with pytest.raises(ForeignFolderError, match="demo index"):
            st.find_target(path, tmp_path)


@pytest.mark.parametrize("look", ["is_file", "iterdir"])
def test_a_folder_that_may_not_be_read_is_refused_in_a_line(tmp_path, monkeypatch, look):
    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, look, refused)
        with pytest.raises(ForeignFolderError, match=r"denied\)$") as caught:
            st.find_target(tmp_path, tmp_path)
    assert caught.value.path == tmp_path
    assert "denied): name another folder" in line_of(caught.value)


def test_a_first_build_that_fails_leaves_no_index_and_a_folder_that_can_be_built_in(
    tmp_path, write
):
    from simsearch.errors import IndexNotFoundError, SourceError

    with pytest.raises(SourceError):
        build_index(read_studies(write([])), tmp_path / "new", WordEncoder())
    with pytest.raises(IndexNotFoundError):
        opened_index(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert build_index(read_studies(write()), tmp_path / "new", WordEncoder()).n_studies == 6


def test_a_folder_of_something_else_is_never_written_to(build, tmp_path, write):
    (tmp_path / "index").mkdir()
    thesis = tmp_path / "index" / "thesis.tex"
    thesis.write_text("dear to me")
    with pytest.raises(ForeignFolderError, match="holds other files"):
        build()
    assert list((tmp_path / "index").iterdir()) == [thesis]
    with pytest.raises(ForeignFolderError, match="is not a folder"):
        build_index(read_studies(write()), thesis, WordEncoder())


def test_the_generation_before_stays_and_older_ones_go(build):
    names = [build().generation for _ in range(4)]
    index = build().index
    kept = {path.name for path in (index / "generations").iterdir()}
    assert kept == {names[-1], opened_index(index).generation.manifest.generation}
    assert opened_index(index).generation.manifest.previous == names[-1]


def test_what_a_killed_build_left_is_cleared_away(build):
    index = build().index
    leftover = index / "generations" / ".building-20200101T000000Z-abcdef"
    leftover.mkdir()
    (leftover / "text.faiss").touch()
    build()
    assert not leftover.exists()


def test_an_open_index_stays_usable_when_a_new_one_is_published(build):
    reader = opened_index(build().index)
    build(SIX[:4], allow_shrink=True)
    assert reader.n_studies == 6
    assert reader.study("NCT00000106").title == "Knee surgery in children"
    assert opened_index(reader.path).n_studies == 4


def test_a_second_build_is_refused_with_the_process_that_builds(build, tmp_path, write):
    index = build().index
    with new_generation(index), pytest.raises(IndexBusyError, match=f"process {os.getpid()}"):
        build_index(read_studies(write()), index, WordEncoder())
    build()


def spoil(index: Path, name: str) -> Path:
    """Return the path of a file of the index's current generation."""
    return index / "generations" / (index / "CURRENT").read_text().strip() / name


ALL_FILES = ("studies.sqlite", "text.faiss", "conditions.npy", "interventions.npy")


@pytest.mark.parametrize("name", [*ALL_FILES, "manifest.json"])
def test_a_missing_file_is_named(build, name):
    index = build().index
    spoil(index, name).unlink()
    with pytest.raises(IndexCorruptError, match=f"{name}: .*build the index again$") as caught:
        opened_index(index)
    assert str(caught.value).count(name) == 1
    assert "simsearch rebuild" in line_of(caught.value)


@pytest.mark.parametrize("name", [*ALL_FILES, "manifest.json"])
def test_a_cut_file_is_named(build, name):
    index = build().index
    path = spoil(index, name)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(IndexCorruptError, match=name):
        opened_index(index)


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_foreign_file_of_the_same_size_is_named(build, name):
    index = build().index
    path = spoil(index, name)
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(IndexCorruptError, match=name):
        opened_index(index)


@pytest.mark.parametrize("name", ALL_FILES)
def test_one_changed_byte_is_found_by_the_checksums(build, name):
    index = build().index
    path = spoil(index, name)
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(IndexCorruptError, match=f"{name}.*checksum"):
        st.verify_checksums(st.open_generation(index))


@pytest.mark.parametrize("text", ["", "../../etc\n", "20200101T000000Z-abcdef\n", "\xff\n", "/"])
def test_a_damaged_pointer_is_named_and_a_rebuild_mends_it(build, text):
    index = build().index
    (index / "CURRENT").write_bytes(text.encode("latin-1"))
    with pytest.raises(IndexCorruptError, match="CURRENT"):
        opened_index(index)
    build()
    assert opened_index(index).n_studies == 6


def test_an_index_of_another_format_is_refused_in_words(build):
    index = build().index
    change_manifest(index, lambda m: m.update(format=99, files="other things"))
    with pytest.raises(RecipeError, match="format is 99 where 4 is needed"):
        opened_index(index)


def test_an_index_of_another_text_version_is_refused_in_words(build):
    index = build().index
    change_manifest(index, lambda m: m["recipe"].update(text_version=0))
    with pytest.raises(RecipeError, match="text version is 0"):
        opened_index(index)


@pytest.mark.parametrize("wrong", [{"n_studies": 5}, {"n_studies": 7}])
def test_parts_that_disagree_are_refused(build, wrong):
    index = build().index
    change_manifest(index, lambda m: m.update(wrong))
    with pytest.raises(IndexCorruptError, match="6"):
        opened_index(index)


def test_the_manifest_of_another_generation_is_refused(build):
    index = build().index
    change_manifest(index, lambda m: m.update(generation="20200101T000000Z-abcdef"))
    with pytest.raises(IndexCorruptError, match="is of generation"):
        opened_index(index)


def test_a_file_more_in_the_folder_does_no_harm(build):
    index = build().index
    spoil(index, ".DS_Store").touch()
    assert opened_index(index).n_studies == 6


def test_the_recipe_is_named_by_what_fixes_the_vectors():
    recipe = Recipe(1, 1, "minilm", "f00", 384, 256)
    same = msgspec.structs.replace(recipe, model="/models/minilm")
    other = msgspec.structs.replace(recipe, max_tokens=128)
    words = msgspec.structs.replace(recipe, terms_version=2)
    assert recipe.digest == same.digest
    assert len({recipe.digest, other.digest, words.digest}) == 3


def test_what_failed_switches_left_is_cleared_away(build):
    """A full disk that fills up with generations would never have room again."""
    report = build()
    for n in range(3):
        (report.index / "generations" / f"20200101T00000{n}Z-abcdef").mkdir()
    build()
    assert len(list((report.index / "generations").iterdir())) == 2


def test_killed_before_the_first_generation_the_folder_is_still_ours(build, tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / ".simsearch").touch()
    assert build().n_studies == 6


def test_a_store_whose_lists_are_damaged_is_named(build):
    index = build().index
    path = spoil(index, "studies.sqlite")
    path.write_bytes(path.read_bytes().replace(b'["Aplasia"]', b'["Aplasia",'))
    reseal(index, path.name)
    with pytest.raises(IndexCorruptError, match="damaged study store"):
        opened_index(index).study("NCT00000101")


LIMITED = """
import resource, signal, sys
sys.path.insert(0, {tests!r})
from conftest import WordEncoder
from simsearch import build_index, read_studies
from simsearch.errors import PublishError
reader = read_studies({records!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    build_index(reader, {index!r}, WordEncoder())
except PublishError as error:
    print(error)
    sys.exit(1)
"""


@pytest.mark.parametrize("limit", [0, 40, 300, 1000, 5000, 12_000])
def test_a_disk_that_takes_no_more_leaves_the_earlier_index(build, write, limit):
    """A limit on the size of files refuses writes as a full disk does, wherever it strikes."""
    index = build().index
    before = opened_index(index).generation.manifest.generation
    script = LIMITED.format(
        tests=str(Path(__file__).parent), records=str(write()), index=str(index), limit=limit
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 1, run.stderr
    assert "untouched" in run.stdout
    assert run.stdout.count("\n") == 1
    assert opened_index(index).generation.manifest.generation == before


@pytest.mark.skipif(os.name == "nt", reason="folders have other permissions there")
def test_a_folder_that_cannot_be_made_is_named(tmp_path, write):
    (tmp_path / "file").touch()
    with pytest.raises(PublishError, match="cannot write"):
        build_index(read_studies(write()), tmp_path / "file" / "index", WordEncoder())


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="users are another thing there")
def test_a_folder_without_permission_is_named_and_the_index_intact(build, write, monkeypatch):
    report = build()
    reader = read_studies(write())
    monkeypatch.setattr(reader, "check", lambda: None)  # root's files, which another may not read
    folder = report.index
    folder.chmod(0o555)
    is_root = os.geteuid() == 0  # permissions do not bind it
    try:
        if is_root:
            os.seteuid(65534)
        with pytest.raises(PublishError, match=r"cannot write .*ermission denied.*untouched"):
            build_index(reader, folder, WordEncoder())
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)
    assert opened_index(folder).generation.manifest.generation == report.generation
