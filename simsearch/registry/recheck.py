"""Finding the studies of the mirror that have left the registry, and those that are back.

A registry can answer "no such study" for a moment about studies that it has: a failing search
server, a cache, a proxy. So nothing is removed on one answer:

- If more than a few of the studies checked, and more than 3 % of them, are missing, the whole
  check is not believed and changes nothing.
- A study is buried only when two checks, a day apart, find the same.
- The studies of tombstones are looked up again, and return if the registry has them.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.errors import DoubtfulAnswersError, RedirectError
from simsearch.files import batches
from simsearch.records.mirror import Mirror, MirroredRecord, Missing
from simsearch.registry.api import IDS_PER_REQUEST, RegistryApi
from simsearch.registry.record_fields import FIELDS

RECHECKED = 2000
"""How many of the studies unseen for longest an update checks."""

A_FEW = 3
"""So many missing studies are always believed, ..."""
MOST_MISSING = 0.03
"""... and beyond that, this share of the studies checked."""

# Nightly runs start at slightly different times, so two of them can be less than a day apart.
_A_DAY = dt.timedelta(hours=20)


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found (NCT IDs): `gone` are buried, `missing` wait for a second check."""

    gone: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def to_recheck(mirror: Mirror, n: int) -> list[str]:
    """Return the `n` studies to check next: those missing so far, then those unseen for longest."""
    missing = [each.nct_id for each in mirror.missing()]
    return list(dict.fromkeys([*missing, *mirror.oldest_checked(n)]))[:n]


def recheck(
    mirror: Mirror,
    api: RegistryApi,
    nct_ids: Sequence[str],
    progress: Progress = no_progress,
    say: Log = no_log,
) -> Checked:
    """Check that studies of the mirror are still in the registry.

    A study that the registry redirects endlessly is kept.

    Args:
        mirror: where the studies are.
        api: the registry.
        nct_ids: the studies.
        progress: called after each request.
        say: receives a line about each study that is redirected endlessly.

    Raises:
        DoubtfulAnswersError: too many studies are missing to be believed; none was buried or noted.
        ApiError: the registry refuses, does not answer, or answers with another study.
        MirrorError: the mirror cannot be written.
    """
    absent: dict[str, MirroredRecord | None] = {}
    n_done = 0
    for batch in batches(nct_ids, IDS_PER_REQUEST):
        found = api.studies(batch, ("NCTId", "LastUpdatePostDate"))
        present = {record.nct_id for record in found}
        mirror.mark_seen(sorted(present))
        for nct_id in sorted(set(batch) - present):
            try:
                record = api.study(nct_id)
            except RedirectError as error:
                say(f"{error}: skipped")
                mirror.mark_seen([nct_id])  # so that it is not the first to be checked next time
                continue
            if record and record.nct_id == nct_id:
                mirror.mark_seen([nct_id])
            else:
                absent[nct_id] = record
                _refuse_if_incredible(absent, len(nct_ids))
        n_done += len(batch)
        progress("checking", n_done, len(nct_ids), "studies")
    return _noted(mirror, absent)


def _refuse_if_incredible(absent: Mapping[str, MirroredRecord | None], n_checked: int) -> None:
    """Refuse to believe that so many studies have gone, or were merged into one.

    Args:
        absent: each missing study with the one that it was merged into, if any.
        n_checked: how many studies are being checked.
    """
    doubt = "the answers are not believed, and no study was removed"
    if len(absent) > max(A_FEW, MOST_MISSING * n_checked):
        raise DoubtfulAnswersError(
            f"the registry lacks at least {len(absent):,} of {n_checked:,} studies checked, "
            f"more than {MOST_MISSING:.0%}: {doubt}", 0,
        )  # fmt: skip
    unlisted = Counter(
        record.nct_id
        for nct_id, record in absent.items()
        if record and nct_id not in record.aliases
    )
    for target, n in unlisted.most_common(1):
        if n >= A_FEW:
            raise DoubtfulAnswersError(
                f"the registry answers with {target} for {n} studies, "
                f"although {target} does not list them: {doubt}", 0,
            )  # fmt: skip


def _noted(mirror: Mirror, absent: Mapping[str, MirroredRecord | None]) -> Checked:
    """Bury the studies that were missing a day ago, too; note the others as missing."""
    gone, waiting = [], []
    for nct_id, record in absent.items():
        missing = mirror.mark_missing(nct_id, record.nct_id if record else "")
        if not _is_a_day_old(missing):
            waiting.append(nct_id)
            continue
        if record:
            mirror.add([record])
        mirror.bury(nct_id, missing.became, missing.since)
        gone.append(nct_id)
    return Checked(gone=tuple(gone), missing=tuple(waiting))


def _is_a_day_old(missing: Missing) -> bool:
    try:
        since = dt.datetime.fromisoformat(missing.since)
    except ValueError:
        return False
    since = since.replace(tzinfo=since.tzinfo or dt.UTC)
    return dt.datetime.now(dt.UTC) - since >= _A_DAY


def revive(
    mirror: Mirror, api: RegistryApi, n: int = RECHECKED, progress: Progress = no_progress
) -> tuple[str, ...]:
    """Look up the studies of tombstones again; those that the registry has return to the mirror.

    Args:
        mirror: where the tombstones are.
        api: the registry.
        n: how many to look up, those looked up the longest ago first; more, as long as each
            request brings some back. 0 looks up none.
        progress: called after each request.

    Returns:
        The NCT IDs of the studies that are back.

    Raises:
        ApiError: the registry refuses, or does not answer.
        MirrorError: the mirror cannot be written.
    """
    tombstones = mirror.oldest_tombstones() if n else []
    back: list[str] = []
    n_done = 0
    for batch in batches(tombstones, IDS_PER_REQUEST):
        found = api.studies(batch, FIELDS)
        mirror.add(found)
        returned = {record.nct_id for record in found}
        mirror.mark_absent(sorted(set(batch) - returned))
        back += sorted(returned)
        n_done += len(batch)
        progress("looking again", n_done, len(tombstones), "studies that had gone")
        if n_done >= n and not returned:
            break
    return tuple(back)
