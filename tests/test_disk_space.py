"""How much disk a build needs: estimated, checked before it starts, and never exceeded."""

import shutil
from types import SimpleNamespace

import pytest
from conftest import SIX, WordEncoder

from simsearch.build.disk_space import bytes_to_write, expected_bytes
from simsearch.errors import NoRoomError


def test_a_build_that_does_not_fit_on_the_disk_does_not_start(build, monkeypatch, tmp_path):
    before = build().generation
    free = SimpleNamespace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(NoRoomError, match=r"needs up to .* GB .* is free") as caught:
        build()
    assert caught.value.free == 10_000
    assert caught.value.needed > 10_000
    assert [path.name for path in (tmp_path / "index" / "generations").iterdir()] == [before]


def test_the_estimate_assumes_as_many_studies_as_are_published(build, tmp_path):
    assert expected_bytes(tmp_path / "none", 1234, 10) == 1234
    rows = 2 * 3 * 10 * 2  # of the distinct texts and of the fields: three texts, ten 16-bit floats
    rows += 10  # the whole texts once more, in 8 bits
    assert bytes_to_write(6, 10) == 6 * (5200 + rows)
    assert expected_bytes(build().index, 0, 10) == 6 * (12_000 + 5200 + rows)


def test_a_build_uses_no_more_disk_than_was_estimated(build, tmp_path):
    """Records as long as real ones are on average; the rows of a real encoder are longer."""
    build()
    generations = tmp_path / "index" / "generations"
    used = {}

    def watched(stage, *_):
        (folder,) = generations.glob(".building-*")
        size = sum(path.stat().st_size for path in folder.iterdir())
        used[stage] = max(size, used.get(stage, 0))

    many = [
        {**SIX[0], "protocolSection": {
            **SIX[0]["protocolSection"],
            "identificationModule": {"nctId": f"NCT{n:08}", "briefTitle": f"Iron {n}"},
            "descriptionModule": {"briefSummary": "Adults take iron pills. " * 50},
        }}
        for n in range(1, 400)
    ]  # fmt: skip
    report = build(many, allow_shrink=True, allow_moved=True, progress=watched)
    estimated = expected_bytes(report.index, 0, WordEncoder.dimension)
    assert estimated > bytes_to_write(399, WordEncoder.dimension)
    assert list(used) == ["reading", "storing", "encoding", "weighing", "profiling"]
    assert 0 < used["reading"] <= used["storing"] <= used["encoding"] <= max(used.values())
    assert max(used.values()) < estimated
