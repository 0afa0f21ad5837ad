"""Kill `simsearch rebuild` and `simsearch update` at random moments, and check that nothing breaks.

    python tests/benchmarks/kills.py RECORDS [--kills 50] [--studies 300] [--seed 0]

RECORDS are real registry records (JSON Lines, API v2). Each run is the real command with the real
model, in a process forked from this one, which has imported the libraries already. After each
SIGKILL the current index is verified completely and queried; the next run continues with the cache
that is there. A run that is not killed must produce the same files and neighbours as one that was
never disturbed, and a kill may cost the encoding of 512 texts at most.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path

from sentence_transformers import SentenceTransformer  # imported once, for all runs
from spine import machine

from simsearch import open_index
from simsearch.cli.main import main as simsearch
from simsearch.encode.cache import BATCH
from simsearch.index.directory import open_generation, pointed
from simsearch.index.generations import generation_names
from simsearch.index.verify import verify_generation

sys.path.insert(0, str(Path(__file__).parents[1]))
from registry_server import Registry, nct_id, serving

ASKED = 10
BEFORE, AFTER = "2026-03-25T09:00:05", "2026-04-02T09:00:05"


class State:
    """The files of a run, and a copy of their initial state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "now"
        self.start = folder / "start"
        self.counts = folder / "counts"
        self.log = folder / "log"
        self.start.mkdir(parents=True)
        self.reset()

    def reset(self) -> None:
        """Restore the initial state."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.start, self.folder)
        self.counts.write_bytes(b"")

    @property
    def n_encoded(self) -> int:
        """How many texts all runs since then have started to encode."""
        return sum(map(int, self.counts.read_text().split()))

    def run(self, words: list[str], seconds: float | None = None) -> tuple[bool, float]:
        """Run a command and kill it after so many seconds.

        Returns:
            Whether it ended by itself, and how many seconds it ran.
        """
        began = time.monotonic()
        process = os.fork()
        if not process:
            self._become(words)
        ended = 0
        while not ended and (seconds is None or time.monotonic() - began < seconds):
            ended, status = os.waitpid(process, os.WNOHANG)
            time.sleep(0.002)
        if not ended:
            os.kill(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise SystemExit(f"{' '.join(words)} failed:\n{self.log.read_text()}")
        return os.WIFEXITED(status), time.monotonic() - began

    def _become(self, words: list[str]) -> None:
        """Run the command in this process, and count the texts that it encodes."""
        output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        encode = SentenceTransformer.encode

        def counted(model, texts, **options):
            with self.counts.open("a") as file:
                file.write(f"{len(texts)}\n")
            return encode(model, texts, **options)

        SentenceTransformer.encode = counted
        sys.argv = ["simsearch", *words]
        try:
            simsearch()
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 1)
        except BaseException:  # noqa: BLE001 - a forked process must not go on as this one
            import traceback

            traceback.print_exc()
            os._exit(1)


def verified(index: Path, ids: list[str]) -> list:
    """Verify an index; return the neighbours of some studies, an empty list for missing ones.

    This takes a process of its own: one that has searched with several threads cannot be forked.
    """
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        with os.fdopen(writing, "w") as pipe:
            try:
                verify_generation(index)
                json.dump(_answers(index, ids), pipe)
            except BaseException as error:  # noqa: BLE001 - as above
                json.dump(repr(error), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found = json.load(pipe)
    os.waitpid(process, 0)
    if isinstance(found, str):
        raise SystemExit(found)
    return found


def _answers(index: Path, ids: list[str]) -> list:
    with open_index(index) as opened:
        return [
            [(each.nct_id, each.similarity) for each in opened.related(nct_id, explain=False)]
            if nct_id in opened
            else []
            for nct_id in ids
        ]


def endure(what: str, state: State, words: list[str], ids: list[str], options) -> None:
    """Kill a command again and again; fail if anything is not as it must be."""
    rng = random.Random(options.seed)
    index = state.folder / "index"
    old, old_answers = pointed(index), verified(index, ids)
    _, seconds = state.run(words)
    n_undisturbed = state.n_encoded
    whole, whole_answers = open_generation(index).manifest.files, verified(index, ids)
    assert pointed(index) != old
    assert whole_answers != old_answers
    found: Counter[str] = Counter()
    most = in_a_row = 0
    began = time.monotonic()
    state.reset()
    while found["kills"] < options.kills or in_a_row:
        is_last = found["kills"] >= options.kills
        ended, _ = state.run(words, None if is_last else rng.uniform(0, seconds))
        answered = verified(index, ids)
        if not ended:
            found["kills"] += 1
            print(f"{what}: {found['kills']} kills", end="\r", file=sys.stderr)
            in_a_row += 1
            is_old = pointed(index) == old
            found["the old index is current" if is_old else "the new index is current"] += 1
            assert answered == (old_answers if is_old else whole_answers)
            if is_old:
                continue
        else:
            found["runs completed"] += 1
            assert open_generation(index).manifest.files == whole
            assert len(generation_names(index)) == 2
            assert not [each for each in (index / "generations").iterdir() if each.name[0] == "."]
        assert answered == whole_answers
        again = state.n_encoded - n_undisturbed
        assert again <= 2 * BATCH * in_a_row  # two pieces may be half done
        most = max(most, again)
        found["texts encoded again"] += max(0, again)
        in_a_row = 0
        state.reset()
    print(
        f"{what}: {seconds:.1f} s undisturbed, {n_undisturbed:,} texts; "
        + ", ".join(f"{name} {n:,}" for name, n in found.items())
        + f" (at most {most:,} until a run completed); {time.monotonic() - began:.0f} s in all"
    )


def revised(records: list[dict], rng: random.Random) -> list[dict]:
    """Return a copy of the records in which one in ten has a shorter summary and a later date."""
    changed = []
    for each in records:
        now = json.loads(json.dumps(each))
        section = now["protocolSection"]
        if rng.random() < 0.1:
            words = section.get("descriptionModule", {}).get("briefSummary", "").split()
            section["descriptionModule"] = {"briefSummary": " ".join(words[::2])}
            section["statusModule"]["lastUpdatePostDateStruct"] = {"date": "2026-04-01"}
        changed.append(now)
    return changed


def rebuilds(folder: Path, old: list[dict], new: list[dict], ids: list[str], options) -> None:
    """Kill rebuilds that start with an empty cache."""
    state = State(folder)
    for name, records in (("old", old), ("new", new)):
        text = "".join(json.dumps(each) + "\n" for each in records)
        (folder / f"{name}.jsonl").write_text(text)
    target = ["--index", str(state.folder / "index"), "--quiet", "--allow-moved"]
    state.run(["rebuild", str(folder / "old.jsonl"), *target, "--no-cache"])
    keep(state)
    cache = ["--cache", str(state.folder / "cache.sqlite")]
    endure("rebuild", state, ["rebuild", str(folder / "new.jsonl"), *target, *cache], ids, options)


def updates(folder: Path, old: list[dict], new: list[dict], ids: list[str], options) -> None:
    """Kill updates from a local registry that has changed since the first fetch."""
    state = State(folder)
    ThreadingHTTPServer.handle_error = lambda *_: None  # the client was killed
    with serving(Registry(old)) as registry:
        registry.timestamp = BEFORE
        mirror = ["--mirror", str(state.folder / "mirror.sqlite"), "--quiet"]
        build = ["--index", str(state.folder / "index"), "--allow-moved",
                 "--cache", str(state.folder / "cache.sqlite"), *mirror]  # fmt: skip
        api = ["--api", registry.url]
        state.run(["fetch", "--all", *mirror, *api])
        state.run(["rebuild", *build])
        keep(state)
        registry.records = {nct_id(each): each for each in new}
        registry.timestamp = AFTER
        endure("update", state, ["update", *build, *api], ids, options)


def keep(state: State) -> None:
    """Make the present state the initial one."""
    shutil.rmtree(state.start)
    state.folder.rename(state.start)
    state.reset()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["rebuild", "update"])
    options = parser.parse_args()
    print(f"{machine()}, seed {options.seed}")
    opened: Callable = gzip.open if options.records.suffix == ".gz" else Path.open
    with opened(options.records, "rb") as lines:
        records = [json.loads(line) for line, _ in zip(lines, range(options.studies), strict=False)]
    n_old = len(records) * 95 // 100
    old, new = records[:n_old], revised(records, random.Random(options.seed))
    ids = [nct_id(each) for each in random.Random(options.seed).sample(records, ASKED)]
    with tempfile.TemporaryDirectory(prefix="simsearch-kills-") as folder:
        if options.only != "update":
            rebuilds(Path(folder, "rebuild"), old, new, ids, options)
        if options.only != "rebuild":
            updates(Path(folder, "update"), old, new, ids, options)


if __name__ == "__main__":
    main()
