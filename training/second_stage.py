"""Teach the net of the learned ranking: `python training/second_stage.py LABELS INDEX`.

LABELS is a folder with `graded-train.tsv` (query, study, grade from 0 to 3); INDEX holds all its
studies, built with the packaged encoder. The net is written to simsearch/search/second_stage.json.
The same files on the same machine give the same bytes. docs/second-stage.md is its card.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from simsearch.index.opened import OpenedIndex, opened_index
from simsearch.search.features import FEATURES, asked, features
from simsearch.search.nearest import ranked
from simsearch.search.query_parts import study_part
from simsearch.search.second_stage import NET_FILE, Net

SCHEMA = "simsearch.second-stage/1"
SETTINGS: dict[str, Any] = {
    "hidden units": 16, "nets": 4, "epochs": 25, "learning rate": 5e-3, "weight decay": 0.2,
    "dropout": 0.1, "pools a step": 16, "folds of the calibration": 4, "seed": 0,
    "unjudged candidates below place 150 as grade 0": 10, "random studies as grade 0": 10,
}  # fmt: skip
CLEARLY_RELATED = 2
LIMIT = 4.0  # as the net's
RARE = 0.02  # a feature that is missing, or there, in fewer pairs has no input for that

Floats = npt.NDArray[np.float64]


class Pool(msgspec.Struct, frozen=True):
    """The judged candidates of a query study, then further studies taken for grade 0."""

    table: Floats
    """(n, n_features)."""
    grades: Floats
    """(n,)."""
    n_judged: int


def read_grades(path: Path, index: OpenedIndex) -> dict[int, dict[int, int]]:
    """Return row of a query study → row of a candidate → grade, in the order of NCT IDs."""
    found: dict[int, dict[int, int]] = {}
    with path.open(encoding="utf-8") as lines:
        rows = [row for row in csv.reader(lines, delimiter="\t") if row[-1].isdigit()]
    for query, study, grade in sorted(map(tuple, rows)):
        if query != study:
            found.setdefault(index.row_of(query), {})[index.row_of(study)] = int(grade)
    return found


def pool_of(
    index: OpenedIndex, row: int, grades: dict[int, int], chance: np.random.Generator
) -> Pool:
    """Return the pool of one query study."""
    part = study_part(index, row)
    words = index.lexical.signal(part.terms)
    query = asked(index, part, words)
    far = ranked(index, [part], 400, ranking="linear").rows[150:]
    far = far[~np.isin(far, list(grades))]
    far = chance.choice(far, min(10, len(far)), replace=False)
    others = np.flatnonzero(index.has_text)
    others = chance.choice(others[~np.isin(others, [row, *grades, *far])], 10, replace=False)
    rows = np.array([*grades, *far, *others], dtype=np.int64)
    table = features(index, query, rows, words[rows])
    judged = np.array([*grades.values(), *[0] * (len(far) + len(others))], dtype=np.float64)
    return Pool(table, judged, len(grades))


class Taught:
    """A mean of nets, with the scales of their inputs."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        whole = np.concatenate([pool.table for pool in pools])
        self.mean = np.nanmean(whole, axis=0)
        self.scale = np.nanstd(whole, axis=0) + 1e-4
        gone = np.isnan(whole).mean(axis=0)
        self.missing = np.flatnonzero((gone > RARE) & (gone < 1 - RARE))
        inputs = [self._inputs(pool.table) for pool in pools]
        gains = [2.0**pool.grades - 1 for pool in pools]
        n = max(map(len, gains))
        self._x = torch.zeros(len(pools), n, inputs[0].shape[1])
        self._gain = torch.zeros(len(pools), n)
        self._is_there = torch.zeros(len(pools), n)
        for place, (x, gain) in enumerate(zip(inputs, gains, strict=True)):
            self._x[place, : len(x)] = torch.from_numpy(x)
            self._gain[place, : len(x)] = torch.from_numpy(gain / gain.sum())
            self._is_there[place, : len(x)] = 1
        self.nets = [self._net(number) for number in range(SETTINGS["nets"])]

    def _inputs(self, table: Floats) -> npt.NDArray[np.float32]:
        inputs = np.clip((table - self.mean) / self.scale, -LIMIT, LIMIT)
        gone = np.isnan(inputs)
        inputs[gone] = 0
        return np.concatenate([inputs, gone[:, self.missing]], axis=1).astype(np.float32)

    def _net(self, seed: int) -> torch.nn.Sequential:
        """Teach one net: listwise, the softmax over a pool against 2^grade - 1."""
        torch.manual_seed(SETTINGS["seed"] * 100 + seed)
        units, step = SETTINGS["hidden units"], SETTINGS["pools a step"]
        net = torch.nn.Sequential(
            torch.nn.Linear(self._x.shape[2], units), torch.nn.Tanh(),
            torch.nn.Dropout(SETTINGS["dropout"]), torch.nn.Linear(units, 1),
        )  # fmt: skip
        rate, decay = SETTINGS["learning rate"], SETTINGS["weight decay"]
        optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)
        steps = SETTINGS["epochs"] * -(-len(self._x) // step)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(SETTINGS["epochs"]):
            for some in torch.randperm(len(self._x)).split(step):
                logits = net(self._x[some]).squeeze(-1) - 1e9 * (1 - self._is_there[some])
                loss = -(self._gain[some] * torch.log_softmax(logits, 1)).sum(1).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        return net.eval()

    def scores(self, table: Floats) -> Floats:
        """Return (n,) the mean of the nets."""
        with torch.inference_mode():
            x = torch.from_numpy(self._inputs(table))
            found = torch.stack([net(x).squeeze(-1) for net in self.nets]).mean(0)
        return found.numpy().astype(np.float64)


def calibration(pools: Sequence[Pool]) -> tuple[float, float]:
    """Return slope and offset of the log odds of a clearly related pair, out of fold.

    Platt's logistic regression of what each fold's net says of the judged pairs left out.
    """
    order = np.random.default_rng(SETTINGS["seed"]).permutation(len(pools))
    folds = SETTINGS["folds of the calibration"]
    said, is_related = [], []
    for fold in range(folds):
        left_out = set(order[fold::folds].tolist())
        net = Taught([pool for at, pool in enumerate(pools) if at not in left_out])
        for at in sorted(left_out):
            judged = slice(pools[at].n_judged)
            said.append(net.scores(pools[at].table[judged]))
            is_related.append(pools[at].grades[judged] >= CLEARLY_RELATED)
    x, y = np.concatenate(said), np.concatenate(is_related)
    slope, offset = 1.0, 0.0
    for _ in range(50):  # Newton
        p = 1 / (1 + np.exp(-(slope * x + offset)))
        weight = p * (1 - p)
        gradient = np.array([((p - y) * x).sum(), (p - y).sum()])
        hessian = np.array(
            [[(weight * x * x).sum(), (weight * x).sum()], [(weight * x).sum(), weight.sum()]]
        )
        slope, offset = np.array([slope, offset]) - np.linalg.solve(hessian, gradient)
    return float(slope), float(offset)


def packed(taught: Taught, slope: float, offset: float, encoder: str, read: Any) -> Net:
    """Return the mean of the nets as one net, calibrated, with seven digits a number."""
    first = [net[0] for net in taught.nets]
    last = [net[3] for net in taught.nets]
    n = len(taught.nets)
    hidden = np.concatenate([layer.weight.detach().numpy().T for layer in first], axis=1)
    bias = np.concatenate([layer.bias.detach().numpy() for layer in first])
    out = np.concatenate([layer.weight.detach().numpy()[0] for layer in last]) * slope / n
    constant = sum(float(layer.bias.detach()[0]) for layer in last) / n
    numbers: dict[str, Any] = {
        "mean": _short(taught.mean), "scale": _short(taught.scale),
        "missing": tuple(FEATURES[place] for place in taught.missing),
        "hidden": tuple(map(_short, hidden)), "bias": _short(bias), "out": _short(out),
        "offset": _short([slope * constant + offset])[0],
    }  # fmt: skip
    fixed = msgspec.json.encode([encoder, FEATURES, list(numbers.items())])
    return Net(
        schema=SCHEMA, fingerprint=hashlib.sha256(fixed).hexdigest()[:16], encoder=encoder,
        features=FEATURES, recipe={**SETTINGS, "read": read}, **numbers,
    )  # fmt: skip


def _short(values: npt.ArrayLike) -> tuple[float, ...]:
    return tuple(float(f"{value:.7g}") for value in np.asarray(values, dtype=np.float64))


def main(labels: Path, folder: Path) -> None:
    """Teach the net and write it."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    path = labels / "graded-train.tsv"
    with opened_index(folder) as index:
        manifest = index.generation.manifest
        grades = read_grades(path, index)
        chance = np.random.default_rng(SETTINGS["seed"])
        pools = [pool_of(index, row, grades[row], chance) for row in sorted(grades)]
    pools = [pool for pool in pools if pool.grades.any()]
    read = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest(), "queries": len(pools),
        "pairs": sum(pool.n_judged for pool in pools), "studies of the index": manifest.n_studies,
        "records to": manifest.records_date,
    }  # fmt: skip
    net = packed(Taught(pools), *calibration(pools), manifest.recipe.fingerprint, read)
    NET_FILE.write_bytes(msgspec.json.format(msgspec.json.encode(net), indent=0) + b"\n")
    print(f"{NET_FILE.name}: {net.fingerprint}, {NET_FILE.stat().st_size:,} bytes, {read}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
