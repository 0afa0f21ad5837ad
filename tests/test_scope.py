"""The windows of a fetch, and its plan."""

import datetime as dt
import itertools

from simsearch.registry.scope import Scope, plan, windows


def test_windows_cover_every_date_once():
    ranges = windows(Scope())
    assert ranges[0][0] == "MIN"
    assert ranges[-1][1] == "MAX"
    for (_, last), (first, _) in itertools.pairwise(ranges):
        assert dt.date.fromisoformat(last) + dt.timedelta(days=1) == dt.date.fromisoformat(first)
    assert windows(Scope(condition="x")) == [("MIN", "MAX")]
    assert windows(Scope(), "2026-01-01") == [("2026-01-01", "MAX")]


def test_the_plan_lists_the_requests():
    text = plan(Scope(condition="anemia"), "2026-01-01", [])
    assert "query.cond=anemia" in text
    assert "RANGE[2026-01-01,MAX]" in text
    assert "450 studies by NCT ID, in 3 requests" in plan(Scope(), "", ["NCT00000101"] * 450)
