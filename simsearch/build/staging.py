"""Studies between reading and indexing: on disk, one for each NCT ID, obsolete numbers merged."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import msgspec

from simsearch.build.merged_facts import merged_facts
from simsearch.facts import Facts
from simsearch.study import Study

_SAMPLES = 2000  # studies whose facts a dictionary is made from

_decode = msgspec.json.Decoder(Study).decode
_decode_facts = msgspec.json.Decoder(Facts).decode


class Staging:
    """The studies read so far, on disk: the newest record of each NCT ID.

    Args:
        path: the SQLite file, which must not exist.
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.executescript(
            """
            PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
            CREATE TABLE study (
                nct_id TEXT PRIMARY KEY, precedence TEXT, dated TEXT, body BLOB
            ) WITHOUT ROWID;
            CREATE TABLE facts (nct_id TEXT, precedence TEXT, body BLOB);
            CREATE UNIQUE INDEX facts_of_record ON facts (nct_id, precedence);
            CREATE TABLE alias (alias TEXT, nct_id TEXT);
            CREATE INDEX alias_nct_id ON alias (nct_id);
            BEGIN;
            """
        )
        self.dropped: set[str] = set()
        """NCT IDs of the studies that `merge_aliases` removed."""

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def n_studies(self) -> int:
        """How many studies there are."""
        return int(self._database.execute("SELECT count(*) FROM study").fetchone()[0])

    def add(self, study: Study) -> None:
        """Keep a study unless there is a newer record of the same NCT ID.

        The newer record has the later last update, then the later data version, then more
        content; finally its bytes decide, so that the order of the records never does.
        """
        facts = msgspec.json.encode(study.facts) if study.facts else b""
        body = msgspec.json.encode(msgspec.structs.replace(study, facts=None))
        precedence = "|".join(
            (
                study.last_update_date.ljust(10),
                study.data_version.ljust(10),
                f"{len(body) + len(facts):012}",
                hashlib.sha256(body + facts).hexdigest(),
            )
        )
        if facts:
            self._database.execute(
                "INSERT OR IGNORE INTO facts VALUES (?, ?, ?)", (study.nct_id, precedence, facts)
            )
        kept = self._database.execute(
            "INSERT INTO study VALUES (?, ?, ?, ?) ON CONFLICT (nct_id) DO UPDATE SET "
            "precedence = excluded.precedence, dated = excluded.dated, body = excluded.body "
            "WHERE excluded.precedence > precedence",
            (study.nct_id, precedence, max(study.last_update_date, study.data_version), body),
        ).rowcount
        if kept:  # the aliases are those of the record that is kept
            self._database.execute("DELETE FROM alias WHERE nct_id = ?", (study.nct_id,))
            for alias in study.aliases:
                self._database.execute("INSERT INTO alias VALUES (?, ?)", (alias, study.nct_id))

    def merge_aliases(self) -> dict[str, str]:
        """Remove each study whose NCT ID is an obsolete number of another study here.

        If studies list each other in a circle, the one with the newest record remains.

        Returns:
            Obsolete number → NCT ID of the study that remains, for the NCT IDs of the removed
            studies and their own obsolete numbers.
        """
        listed = self._database.execute(
            "SELECT old.nct_id, new.nct_id FROM alias "
            "JOIN study AS old ON old.nct_id = alias.alias "
            "JOIN study AS new ON new.nct_id = alias.nct_id ORDER BY new.precedence"
        )
        became = dict(listed)  # the newest study, if several list the same number
        survivors = {old: self._survivor(old, became) for old in became}
        self.dropped = {old for old, new in survivors.items() if old != new}
        numbers = {}
        for old in sorted(self.dropped):
            numbers[old] = survivors[old]
            for (alias,) in self._database.execute(
                "SELECT alias FROM alias WHERE nct_id = ?", (old,)
            ):
                numbers.setdefault(alias, survivors[old])
        self._database.executemany(
            "DELETE FROM study WHERE nct_id = ?", [(old,) for old in self.dropped]
        )
        return {old: new for old, new in numbers.items() if old != new}

    def _survivor(self, old: str, became: Mapping[str, str]) -> str:
        """Follow obsolete numbers to the last study, or to the newest record of a circle."""
        path = [old]
        while (new := became.get(path[-1])) and new not in path:
            path.append(new)
        if not new:
            return path[-1]
        circle = path[path.index(new) :]
        marks = ", ".join("?" * len(circle))
        (newest,) = self._database.execute(
            f"SELECT nct_id FROM study WHERE nct_id IN ({marks}) ORDER BY precedence DESC LIMIT 1",
            circle,
        ).fetchone()
        return str(newest)

    def nct_ids(self) -> set[str]:
        """Return the NCT IDs of all studies and of those merged into them."""
        found = self._database.execute("SELECT nct_id FROM study")
        return {nct_id for (nct_id,) in found} | self.dropped

    def studies(self, *, with_facts: bool = False) -> Iterator[Study]:
        """Yield the studies in the order of their NCT IDs.

        Args:
            with_facts: with `facts`, of all records of a study (see `merged_facts`).
        """
        for nct_id, body in self._database.execute(
            "SELECT nct_id, body FROM study ORDER BY nct_id"
        ):
            study = _decode(body)
            yield self._with_facts(nct_id, study) if with_facts else study

    def sample_of_facts(self) -> Iterator[Facts]:
        """Yield the facts of some studies, spread evenly over the NCT IDs."""
        step = max(1, self.n_studies // _SAMPLES)
        found = self._database.execute("SELECT nct_id, body FROM study ORDER BY nct_id")
        for nct_id, body in islice(found, 0, None, step):
            if facts := self._with_facts(nct_id, _decode(body)).facts:
                yield facts

    def _with_facts(self, nct_id: str, study: Study) -> Study:
        found = self._database.execute(
            "SELECT body FROM facts WHERE nct_id = ? ORDER BY precedence DESC", (nct_id,)
        )
        records = [_decode_facts(body) for (body,) in found]
        if not records:
            return study
        return msgspec.structs.replace(study, facts=merged_facts(records, study))

    def records_date(self) -> str:
        """Return the latest date in the records, ISO, or an empty string."""
        return str(self._database.execute("SELECT max(dated) FROM study").fetchone()[0] or "")
