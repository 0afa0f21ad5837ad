"""Finding the studies of the mirror that have left the registry."""

from __future__ import annotations

from collections.abc import Sequence

from simsearch.callbacks import Log, Progress, no_log, no_progress
from simsearch.errors import RedirectError
from simsearch.files import batches
from simsearch.records.mirror import Mirror
from simsearch.registry.api import IDS_PER_REQUEST, RegistryApi

RECHECKED = 2000
"""How many of the studies unseen for longest an update checks."""


def recheck(
    mirror: Mirror,
    api: RegistryApi,
    nct_ids: Sequence[str],
    progress: Progress = no_progress,
    say: Log = no_log,
) -> tuple[str, ...]:
    """Check that studies of the mirror are still in the registry; bury those that are not.

    A study that the registry redirects endlessly is kept.

    Args:
        mirror: where the studies are.
        api: the registry.
        nct_ids: the studies.
        progress: called after each request.
        say: receives a line about each study that is redirected endlessly.

    Returns:
        The NCT IDs that have left the registry or were merged into another study.

    Raises:
        ApiError: the registry refuses, or does not answer.
        MirrorError: the mirror cannot be written.
    """
    gone: list[str] = []
    n_done = 0
    for batch in batches(nct_ids, IDS_PER_REQUEST):
        found = api.studies(batch, ("NCTId", "LastUpdatePostDate"))
        present = {record.nct_id for record in found} & set(batch)
        mirror.mark_seen(sorted(present))
        absent = sorted(set(batch) - present)
        gone += [each for each in absent if _bury_if_gone(mirror, api, each, say)]
        n_done += len(batch)
        progress("checking", n_done, len(nct_ids), "studies")
    return tuple(gone)


def _bury_if_gone(mirror: Mirror, api: RegistryApi, nct_id: str, say: Log) -> bool:
    """Look up a single study; return whether it is gone, and bury it if it is."""
    try:
        record = api.study(nct_id)
    except RedirectError as error:
        say(f"{error}: skipped")
        mirror.mark_seen([nct_id])  # so that it is not the first to be checked next time
        return False
    if record is None:
        mirror.bury(nct_id)
    elif record.nct_id != nct_id:
        mirror.add([record])
        mirror.bury(nct_id, became=record.nct_id)
    else:
        mirror.mark_seen([nct_id])
        return False
    return True
