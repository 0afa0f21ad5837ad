"""Single studies of the registry by NCT ID: into the mirror, or for one question."""

from __future__ import annotations

from collections.abc import Sequence

from simsearch.callbacks import Log, no_log
from simsearch.errors import ApiError, RedirectError
from simsearch.files import batches
from simsearch.records import read_record
from simsearch.records.mirror import Mirror
from simsearch.registry.api import IDS_PER_REQUEST, RegistryApi
from simsearch.registry.record_fields import FIELDS
from simsearch.registry.reports import FetchReport, interrupted
from simsearch.study import Study, parse_nct_id


def fetch_ids(
    mirror: Mirror, api: RegistryApi, nct_ids: Sequence[str], say: Log = no_log
) -> FetchReport:
    """Fetch single studies into the mirror; an obsolete NCT ID leads to the study it became.

    Args:
        mirror: where they go.
        api: the registry.
        nct_ids: the studies, as canonical NCT IDs.
        say: receives a line about each study that the registry redirects endlessly; such studies
            are skipped.

    Returns:
        The report; `not_found` are the NCT IDs that the registry does not have.

    Raises:
        FetchError: the registry does not answer; `FetchRefusedError` if it refuses.
        MirrorError: the mirror cannot be written.
    """
    not_found = []
    n_received = 0
    try:
        timestamp = api.data_timestamp()
        for batch in batches(nct_ids, IDS_PER_REQUEST):
            records = api.studies(batch, FIELDS)
            mirror.add(records)
            n_received += len(records)
            for nct_id in sorted(set(batch) - {record.nct_id for record in records}):
                try:
                    record = api.study(nct_id)
                except RedirectError as error:
                    say(f"{error}: skipped")
                    continue
                if record is None:
                    not_found.append(nct_id)
                else:
                    mirror.add([record])
                    n_received += 1
    except ApiError as error:
        raise interrupted(error, n_received) from error
    return FetchReport(
        n_received=n_received,
        n_mirrored=mirror.n_records,
        data_timestamp=timestamp,
        not_found=tuple(not_found),
    )


def study_online(api: RegistryApi, nct_id: str) -> Study:
    """Return a study as the registry has it now.

    Args:
        api: the registry.
        nct_id: in any spelling; an obsolete one leads to the study it became.

    Raises:
        NctIdError: the text is not an NCT ID.
        ApiError: the registry does not answer, or does not have the study.
    """
    canonical = parse_nct_id(nct_id)
    record = api.study(canonical)
    if record is None:
        raise ApiError(canonical, "is not in the registry")
    return read_record(record.body, canonical)
