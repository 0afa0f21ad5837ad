"""Vectors of texts that were encoded before, in one SQLite file that all builds share.

A vector is kept by its space (all that fixes it: model, length, arithmetic) and the hash
of its text. It is a cache: whatever becomes of the file costs time, never a build or a
right vector, for each row carries a checksum.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt
import platformdirs

from simsearch.callbacks import Log, no_log
from simsearch.encode.cache_file import CacheFile
from simsearch.encode.encoders import Encoder
from simsearch.errors import ArgumentError, CacheError, ForeignCacheError

BATCH = 256
"""Texts encoded between two commits: what a killed build has to encode again at most."""

Part = tuple[npt.NDArray[np.int64], npt.NDArray[np.floating]]
"""Numbers of some texts, (n,), and their rows, (n, dimension)."""

# Dates are apart from the vectors: to write one must not write a vector beside it.
# AUTOINCREMENT: no number is given twice, so a date never goes to another entry.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS space (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT UNIQUE NOT NULL,
    model TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    max_tokens INTEGER NOT NULL,
    precision TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    space INTEGER NOT NULL,
    key BLOB NOT NULL,           -- of the text: 16 bytes of its SHA-256
    used TEXT NOT NULL,          -- when it was last asked for, UTC, ISO date
    UNIQUE (space, key)
);
CREATE TABLE IF NOT EXISTS vector (
    id INTEGER PRIMARY KEY,      -- of the entry
    checksum INTEGER NOT NULL,
    row BLOB NOT NULL            -- 16-bit floats, little-endian
);
"""
# 128 bits: among a billion texts any two share a key with a chance of 1 in 10^21.
_KEY_BYTES = 16
# SQLite takes a few hundred variables in one statement everywhere.
_MAX_VARIABLES = 500
_MAX_USED = 50_000  # dates written at once
_OVERHEAD = 120  # bytes that an entry takes beside its vector
_MAX_SLACK = 1.5  # size of the file, over what it is filled with, that pruning leaves alone
_PORTION = 10_000  # entries pruned in one transaction: its journal is all the disk needed


class Space(msgspec.Struct, frozen=True):
    """All that fixes the vector of a text; vectors of different spaces never meet."""

    model: str
    fingerprint: str
    dimension: int
    max_tokens: int
    precision: str

    @classmethod
    def of(cls, encoder: Encoder) -> Self:
        """Return the space that an encoder's rows lie in."""
        return cls(
            encoder.name,
            encoder.fingerprint,
            encoder.dimension,
            encoder.max_tokens,
            encoder.precision,
        )

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that name this space, whatever the model is called."""
        fixed = (self.fingerprint, self.dimension, self.max_tokens, self.precision)
        return hashlib.sha256(msgspec.json.encode(fixed)).hexdigest()[:16]


class SpaceFacts(msgspec.Struct, frozen=True):
    """What the cache holds of one space; `last_used` is an ISO date, or empty."""

    digest: str
    model: str
    dimension: int
    max_tokens: int
    precision: str
    n_vectors: int
    bytes: int
    last_used: str


class Pruned(msgspec.Struct, frozen=True):
    """What a pruning dropped, and the size of the file before and after, in bytes."""

    n_vectors: int
    n_spaces: int
    bytes_before: int
    bytes_after: int


def default_cache() -> Path:
    """Return the cache in the user's cache folder, where it is by default."""
    return platformdirs.user_cache_path("simsearch", appauthor=False) / "vectors.sqlite"


class VectorCache:
    """An opened cache; several processes may share its file.

    Args:
        path: the file; made if it is missing.
        log: called with a notice where a damaged file is set aside.

    Raises:
        ForeignCacheError: the file is something else; it is left alone.
        CacheError: the file cannot be opened or made.
    """

    def __init__(self, path: Path, log: Log = no_log) -> None:
        self.log = log
        self._file = CacheFile(path, _SCHEMA, log, is_at_home=path == default_cache())
        self._used: set[int] = set()
        """Entries whose date of use is still to be written."""
        self._file.guarded(self._file.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write when rows were last used, and close the file."""
        self._write_used()
        self._file.close()

    def get(
        self, space: Space, texts: Sequence[str]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float16]]:
        """Look up the vectors of texts.

        Returns:
            (n,) bool, whether a text is here; (n, dimension) float16, its row, zeros
            where it is not.

        Raises:
            CacheError: the file cannot be read.
        """
        keys = [_key(text) for text in texts]
        distinct = list(dict.fromkeys(keys))
        kept: dict[bytes, bytes] = {}
        for at in range(0, len(distinct), _MAX_VARIABLES):
            kept |= self._file.guarded(self._find, space, distinct[at : at + _MAX_VARIABLES])
        if len(self._used) > _MAX_USED:
            self._write_used()
        found = np.array([key in kept for key in keys], dtype=np.bool_)
        rows = np.zeros((len(keys), space.dimension), dtype=np.float16)
        packed = b"".join(kept[key] for key in keys if key in kept)
        rows[found] = np.frombuffer(packed, dtype="<f2").reshape(-1, space.dimension)
        return found, rows

    def put(self, space: Space, texts: Sequence[str], rows: npt.NDArray[np.floating]) -> None:
        """Keep the vectors of texts, all or none; rows that are not finite are left out.

        Args:
            space: where the rows lie.
            texts: n texts.
            rows: (n, dimension), any float, rounded to 16 bits.

        Raises:
            ArgumentError: the rows are not as many or as long as they must be.
            CacheError: the file cannot be written.
        """
        expected = (len(texts), space.dimension)
        if rows.shape != expected:
            raise ArgumentError("rows", rows.shape, f"of shape {expected}")
        rounded = rows.astype("<f2")
        entries = {
            _key(text): row.tobytes()
            for text, row, keep in zip(
                texts, rounded, np.isfinite(rounded).all(axis=1).tolist(), strict=True
            )
            if keep
        }
        self._file.guarded(self._keep, space, entries)

    def facts(self) -> tuple[SpaceFacts, ...]:
        """Return what is here of each space, the last used first.

        Raises:
            CacheError: the file cannot be read.
        """
        return self._file.guarded(self._read_facts)

    def prune(
        self, keep_spaces: Collection[str] | None = None, older_than_days: int | None = None
    ) -> Pruned:
        """Drop vectors that are not needed any more, and give their room back to the disk.

        Entries go by the portion, and so do whole free pages: little disk is needed, and
        other processes hardly wait. Only a file of many half-full pages is written anew.

        Args:
            keep_spaces: digests of the spaces to keep; None keeps all.
            older_than_days: drop what was not used for more days; None keeps all.

        Raises:
            ArgumentError: the number of days is negative.
            CacheError: the file cannot be written.
        """
        if older_than_days is not None and older_than_days < 0:
            raise ArgumentError("older_than_days", older_than_days, "0 or more")
        self._write_used()
        condition, values = _unneeded(keep_spaces, older_than_days)
        before = self._file.size
        n_vectors, last = 0, 0
        while portion := self._file.guarded(self._drop_portion, last, condition, values):
            last, n_dropped = portion
            n_vectors += n_dropped
        n_spaces = self._file.guarded(self._drop_empty_spaces)
        filled = sum(each.bytes + _OVERHEAD * each.n_vectors for each in self.facts())
        self._file.guarded(self._file.shrink, int(_MAX_SLACK * filled))
        return Pruned(n_vectors, n_spaces, before, self._file.size)

    def _find(self, space: Space, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return key → packed row of those that are here, whole."""
        marks = ", ".join("?" * len(keys))
        found = self._file.database().execute(
            "SELECT entry.id, key, used < ?, checksum, row FROM entry JOIN vector USING (id) "
            f"WHERE space = (SELECT id FROM space WHERE digest = ?) AND key IN ({marks})",
            (_days_ago(0), space.digest, *keys),
        )
        kept = {}
        for number, key, is_due, checksum, row in found.fetchall():
            if checksum == _checksum(space, key, row) and len(row) == 2 * space.dimension:
                kept[key] = row
                if is_due:
                    self._used.add(number)
        return kept

    def _keep(self, space: Space, entries: dict[bytes, bytes]) -> None:
        today = _days_ago(0)
        with self._file.transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO space (digest, model, dimension, max_tokens, precision) "
                "VALUES (?, ?, ?, ?, ?)",
                (space.digest, space.model, space.dimension, space.max_tokens, space.precision),
            )
            ((number,),) = database.execute(
                "SELECT id FROM space WHERE digest = ?", (space.digest,)
            ).fetchall()
            database.executemany(
                "INSERT INTO entry (space, key, used) VALUES (?, ?, ?) "
                "ON CONFLICT (space, key) DO UPDATE SET used = excluded.used",
                [(number, key, today) for key in entries],
            )
            database.executemany(
                "INSERT OR REPLACE INTO vector "
                "SELECT id, ?, ? FROM entry WHERE space = ? AND key = ?",
                [(_checksum(space, key, row), row, number, key) for key, row in entries.items()],
            )

    def _write_used(self) -> None:
        """Write that rows were used today: once a day each, and many at once.

        A date that is not written, because the disk refuses or the process is killed,
        costs at most that an unneeded pruning encodes a text again.
        """
        if self._used:
            with suppress(CacheError):
                self._file.guarded(self._update_used, sorted(self._used))
        self._used.clear()

    def _update_used(self, numbers: Sequence[int]) -> None:
        today = _days_ago(0)
        with self._file.transaction() as database:
            database.executemany(
                "UPDATE entry SET used = ? WHERE id = ?", [(today, number) for number in numbers]
            )

    def _read_facts(self) -> tuple[SpaceFacts, ...]:
        found = self._file.database().execute(
            "SELECT digest, model, dimension, max_tokens, precision, count(entry.id), "
            "count(entry.id) * dimension * 2, coalesce(max(used), '') AS last "
            "FROM space LEFT JOIN entry ON entry.space = space.id "
            "GROUP BY space.id ORDER BY last DESC, digest"
        )
        return tuple(SpaceFacts(*row) for row in found.fetchall())

    def _drop_portion(
        self, after: int, condition: str, values: Sequence[object]
    ) -> tuple[int, int] | None:
        """Drop what meets a condition among the entries that follow one.

        Returns:
            The last entry looked at and how many were dropped; None where no entry follows.
        """
        with self._file.transaction() as database:
            ((last,),) = database.execute(
                "SELECT max(id) FROM (SELECT id FROM entry WHERE id > ? ORDER BY id LIMIT ?)",
                (after, _PORTION),
            ).fetchall()
            if last is None:
                return None
            doomed = f"id > ? AND id <= ? AND ({condition})"
            database.execute(
                f"DELETE FROM vector WHERE id IN (SELECT id FROM entry WHERE {doomed})",
                (after, last, *values),
            )
            dropped = database.execute(
                f"DELETE FROM entry WHERE {doomed}", (after, last, *values)
            ).rowcount
            return last, dropped

    def _drop_empty_spaces(self) -> int:
        with self._file.transaction() as database:
            return database.execute(
                "DELETE FROM space WHERE NOT EXISTS "
                "(SELECT 1 FROM entry WHERE entry.space = space.id)"
            ).rowcount


class CachedEncoder:
    """An encoder that looks up what it encoded before; the rest it encodes and keeps.

    Its rows are rounded to 16-bit floats, as the cache and an index keep them, so that a
    row is the same whether it was found or encoded. A cache that fails is done without.

    Args:
        encoder: encodes what is not found.
        cache: an opened cache, or None to go without.
    """

    def __init__(self, encoder: Encoder, cache: VectorCache | None) -> None:
        self._encoder = encoder
        self._readable = cache
        self._writable = cache
        self._space = Space.of(encoder)
        self.n_found = 0
        """How many texts, the distinct ones of each call, were in the cache."""
        self.n_encoded = 0
        """How many were encoded."""

    @property
    def name(self) -> str:
        """The name or folder of the model."""
        return self._space.model

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that fixes the vectors, arithmetic apart."""
        return self._space.fingerprint

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self._space.dimension

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text are read."""
        return self._space.max_tokens

    @property
    def precision(self) -> str:
        """Arithmetic used."""
        return self._space.precision

    @property
    def n_at_once(self) -> int:
        """How many texts the encoder likes to be given at once."""
        return int(getattr(self._encoder, "n_at_once", BATCH))

    def count_tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return (n,) the number of tokens of each whole text."""
        return self._encoder.count_tokens(texts)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (n, dimension) float32 unit rows, rounded to 16-bit floats."""
        number_of = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        distinct = list(number_of)
        found, rows = self._look_up(distinct)
        missing = np.flatnonzero(~found)
        texts_missing = [distinct[number] for number in missing]
        for places, part in _parts(self._encoder, texts_missing):
            rounded = part.astype(np.float16)
            self._keep([texts_missing[place] for place in places], rounded)
            rows[missing[places]] = rounded
        self.n_found += len(distinct) - len(missing)
        return rows[[number_of[text] for text in texts]].astype(np.float32)

    def _look_up(
        self, texts: Sequence[str]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float16]]:
        if self._readable is not None:
            try:
                return self._readable.get(self._space, texts)
            except CacheError as error:
                self._readable.log(f"nothing is looked up any more: {error}")
                self._readable = None
        shape = (len(texts), self.dimension)
        return np.zeros(len(texts), dtype=np.bool_), np.zeros(shape, dtype=np.float16)

    def _keep(self, texts: Sequence[str], rows: npt.NDArray[np.float16]) -> None:
        self.n_encoded += len(texts)
        if self._writable is not None:
            try:
                self._writable.put(self._space, texts, rows)
            except CacheError as error:
                self._writable.log(f"nothing is kept any more: {error}")
                self._writable = None


def _parts(encoder: Encoder, texts: Sequence[str]) -> Iterator[Part]:
    """Yield the rows of texts part by part, as the encoder has them ready."""
    if hasattr(encoder, "encode_parts"):
        yield from encoder.encode_parts(texts)
        return
    for at in range(0, len(texts), BATCH):
        part = texts[at : at + BATCH]
        yield np.arange(at, at + len(part)), encoder.encode(part)


@contextmanager
def cached(encoder: Encoder, path: Path | None, log: Log = no_log) -> Iterator[CachedEncoder]:
    """Give the encoder its cache; where that cannot be opened, a notice and no cache.

    Args:
        encoder: encodes what is not found.
        path: the file, or None to go without.
        log: called with notices.

    Raises:
        ForeignCacheError: the file is something else, which a person must mend.
    """
    if path is None:
        yield CachedEncoder(encoder, None)
        return
    try:
        cache = VectorCache(path, log)
    except ForeignCacheError:
        raise
    except CacheError as error:
        log(f"nothing is cached: {error}")
        yield CachedEncoder(encoder, None)
        return
    with cache:
        yield CachedEncoder(encoder, cache)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_KEY_BYTES]


def _checksum(space: Space, key: bytes, row: object) -> int:
    """Return the CRC-32 that ties a row to its text and space; -1 for what is no row."""
    if not isinstance(row, bytes):
        return -1
    return zlib.crc32(row, zlib.crc32(key, zlib.crc32(space.digest.encode())))


def _unneeded(
    keep_spaces: Collection[str] | None, older_than_days: int | None
) -> tuple[str, list[str]]:
    """Return the SQL condition of the entries to drop, and its values."""
    conditions: list[str] = []
    values: list[str] = []
    if keep_spaces is not None:
        conditions.append("space NOT IN (SELECT id FROM space WHERE instr(?, digest))")
        values.append(" ".join(keep_spaces))
    if older_than_days is not None:
        conditions.append("used < ?")
        values.append(_days_ago(older_than_days))
    return " OR ".join(conditions) or "0", values


def _days_ago(days: int) -> str:
    """Return a date before today, UTC, as ISO date."""
    today = dt.datetime.now(dt.UTC).date()
    return dt.date.fromordinal(max(1, today.toordinal() - days)).isoformat()
