"""Six hand-written studies, an encoder that counts words, and a small index of both."""

from __future__ import annotations

import gzip
import json
import os
import pty
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simsearch import build_index, read_studies
from simsearch.build.report import BuildReport
from simsearch.index.opened import OpenedIndex, opened_index
from simsearch.records.mirror import Mirror
from simsearch.vectors import unit_rows

REPOSITORY = Path(__file__).parent.parent
SHARED = REPOSITORY.parent / "shared" / "data"

WORDS = [
    "anemia", "aplasia", "marrow", "iron", "drops", "pills", "surgery", "knee", "children",
    "adults",
]  # fmt: skip


class WordEncoder:
    """Counts ten words: a vector that a reader can work out in the head.

    A text with none of them is the unit row of an eleventh dimension, for none may be zero.
    """

    name = "words"
    fingerprint = "ten words"
    dimension = len(WORDS) + 1
    max_tokens = 12
    precision = "float32"

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def count_tokens(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([len(text.split()) for text in texts], dtype=np.int64)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.encoded += texts
        plain = [text.lower().replace(".", " ").replace(";", " ").split() for text in texts]
        counts = [[words.count(word) for word in WORDS] for words in plain]
        return unit_rows([[*row, not any(row)] for row in counts])


def record(
    nct_id: str | None,
    title: str = "",
    conditions: Iterable[str] = (),
    interventions: Iterable[tuple[str, str]] = (),
    summary: str = "",
    **extra: Any,
) -> dict[str, Any]:
    """Return a record in API v2 layout; `extra` names further fields of a study."""
    status = {
        "overallStatus": extra.get("status", "COMPLETED"),
        "lastUpdatePostDateStruct": {"date": extra.get("updated", "2020-01-01")},
        "startDateStruct": {"date": extra.get("start", "2019-06")},
    }
    identification: dict[str, Any] = {"briefTitle": title}
    if nct_id is not None:
        identification["nctId"] = nct_id
    if "aliases" in extra:
        identification["nctIdAliases"] = extra["aliases"]
    return {
        "protocolSection": {
            "identificationModule": identification,
            "statusModule": status,
            "sponsorCollaboratorsModule": {"leadSponsor": {"name": "A Hospital", "class": "OTHER"}},
            "descriptionModule": {"briefSummary": summary},
            "conditionsModule": {"conditions": list(conditions), "keywords": ["blood"]},
            "designModule": {
                "studyType": "INTERVENTIONAL",
                "phases": extra.get("phases", ["PHASE2"]),
                "enrollmentInfo": {"count": extra.get("enrollment", 30)},
            },
            "armsInterventionsModule": {
                "interventions": [{"type": kind, "name": name} for kind, name in interventions]
            },
            "contactsLocationsModule": {"locations": [{"country": "France", "city": "Lyon"}]},
        },
        "derivedSection": {
            "conditionBrowseModule": {"meshes": [{"id": "D000740", "term": "Anemia"}]}
        },
        "hasResults": False,
    }


def run_on_terminal(words: Sequence[str], cwd: Path, **environment: str) -> str:
    """Run a command with stdout and stderr on a pseudo-terminal; return what it showed."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        words, cwd=cwd, stdout=follower, stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 65536):
            shown += chunk
    except OSError:  # the other end has closed
        pass
    os.close(leader)
    assert process.wait(timeout=120) == 0, shown.decode()
    return shown.decode().replace("\r\n", "\n")


SIX = [
    record("NCT00000101", "Pills for aplasia", ["Aplasia"], [("DRUG", "Pills")],
           "Adults with aplasia take pills."),
    record("NCT00000102", "Drops for aplasia", ["Aplasia"], [("DRUG", "Drops")],
           "Adults with aplasia take drops.", aliases=["NCT00000901"]),
    record("NCT00000103", "Marrow for aplasia in children", ["Aplasia", "Anemia"],
           [("PROCEDURE", "Marrow")], "Children with aplasia get marrow.", status="RECRUITING",
           phases=["PHASE1", "PHASE2"]),
    record("NCT00000104", "Iron pills for anemia", ["Anemia"], [("DIETARY_SUPPLEMENT", "Iron")],
           "Adults with anemia take iron."),
    record("NCT00000105", "Knee surgery", ["Knee"], [("PROCEDURE", "Surgery")],
           "Surgery of the knee.", updated="2021-05-06"),
    record("NCT00000106", "Knee surgery in children", ["Knee"], [],
           "Surgery of the knee in children."),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_index_of_the_users_own(monkeypatch, tmp_path):
    """Whoever runs the tests may have an index; no test may answer from it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SIMSEARCH_INDEX", raising=False)
    for name in ("MODEL", "MIRROR", "API", "PRECISION", "CACHE", "BACKEND", "ENGINE", "SCHEDULER"):
        monkeypatch.delenv(f"SIMSEARCH_{name}", raising=False)


@pytest.fixture
def encoder() -> WordEncoder:
    return WordEncoder()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write records as JSON Lines, gzip-compressed where the name says so."""

    def _write(records: Iterable[dict[str, Any]] = SIX, name: str = "records.jsonl") -> Path:
        path = tmp_path / name
        text = "".join(json.dumps(each) + "\n" for each in records).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return path

    return _write


@pytest.fixture
def build(
    tmp_path: Path, encoder: WordEncoder, write: Callable[..., Path]
) -> Callable[..., BuildReport]:
    """Build an index of records (the six by default) in `tmp_path/index`."""

    def _build(records: Iterable[dict[str, Any]] = SIX, **options: Any) -> BuildReport:
        return build_index(read_studies(write(records)), tmp_path / "index", encoder, **options)

    return _build


@pytest.fixture
def six(build: Callable[..., BuildReport]) -> OpenedIndex:
    """An opened index of the six studies."""
    return opened_index(build().index)


@pytest.fixture
def registry() -> Iterator[Any]:
    """A server of the registry's API that has six studies, on this machine."""
    from registry_server import serving, six_studies  # which imports this file

    with serving(six_studies()) as served:
        yield served


@pytest.fixture
def client(registry: Any) -> Iterator[Any]:
    """What asks that server."""
    from registry_server import client_of

    with client_of(registry) as opened:
        yield opened


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    """An empty mirror."""
    with Mirror(tmp_path / "mirror.sqlite") as opened:
        yield opened


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real registry data; tests that need it skip where it is missing."""
    if not (SHARED / "studies-full.jsonl.gz").is_file():
        pytest.skip("needs the registry data in ../shared/data, which is not here")
    return SHARED


@pytest.fixture(scope="session")
def minilm() -> Any:
    """The packaged model in float32, loaded once."""
    from simsearch import load_encoder

    return load_encoder(precision="float32")
