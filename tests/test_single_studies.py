"""Studies fetched by NCT ID."""

import json

import pytest
from conftest import record
from registry_server import IDS, mirrored

from simsearch.errors import ApiError, FetchError, NoAnswerError
from simsearch.registry.fetch import fetch
from simsearch.registry.recheck import recheck
from simsearch.registry.scope import Scope
from simsearch.registry.single_studies import fetch_ids, study_online

ALL = Scope()


def test_single_studies_by_id_with_an_obsolete_and_an_unknown_one(mirror, client, registry):
    registry.merged["NCT00000901"] = IDS[1]
    report = fetch_ids(mirror, client, [IDS[4], "NCT00000901", "NCT00000999"])
    assert mirrored(mirror) == [IDS[1], IDS[4]]
    assert report.not_found == ("NCT00000999",)


def test_if_one_id_makes_the_api_refuse_all_each_is_looked_up_by_itself(mirror, client, registry):
    fetch(mirror, client, ALL)
    del registry.records[IDS[0]]
    registry.offence = IDS[0]
    assert recheck(mirror, client, IDS).missing == (IDS[0],)
    assert fetch_ids(mirror, client, IDS).not_found == (IDS[0],)


def test_a_merged_study_is_requested_with_the_fields_that_are_read(mirror, client, registry):
    registry.merged["NCT00000901"] = IDS[1]
    fetch_ids(mirror, client, ["NCT00000901"])
    assert all("fields" in query for path, query in registry.requests if path != "/version")


def test_one_study_online(client, registry):
    registry.merged["NCT00000901"] = IDS[1]
    assert study_online(client, "nct101").title == "Iron pills 1"
    assert study_online(client, "NCT901").nct_id == IDS[1]
    with pytest.raises(ApiError, match=r"NCT00000999: is not in the registry$"):
        study_online(client, "NCT999")


def test_one_study_for_every_id_is_no_answer(mirror, client, registry):
    """Neither online nor into the mirror: it is not the study asked about."""
    body = json.dumps(registry.records[IDS[0]]).encode()
    registry.answers = lambda path, query: (
        (200, {}, b'{"studies": [%s]}' % body)
        if path == "/studies"
        else (200, {}, body) if path.startswith("/studies/") else None
    )  # fmt: skip
    with pytest.raises(NoAnswerError, match=f"{IDS[1]}: answered with another study, {IDS[0]}$"):
        study_online(client, IDS[1])
    with pytest.raises(FetchError, match="answered with another study"):
        fetch_ids(mirror, client, [IDS[1]])
    assert mirrored(mirror) == []


def test_a_study_that_lists_the_obsolete_id_may_answer_for_it(client, registry):
    """As the registry does where it does not redirect."""
    registry.records["NCT00000200"] = record("NCT00000200", "Iron", aliases=["NCT00000902"])
    body = json.dumps(registry.records["NCT00000200"]).encode()
    registry.answers = lambda path, _: (200, {}, body) if path.endswith("902") else None
    assert study_online(client, "NCT00000902").nct_id == "NCT00000200"
