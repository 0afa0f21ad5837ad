"""The API against its own OpenAPI (schemathesis), and a flood of nonsense without a failure."""

from __future__ import annotations

import os
import random
import string
import urllib.parse

import pytest
from serving import serving

from simsearch.index.directory import demo_index
from simsearch.web.asking import ABOUT, FILTERS, HOW

ONE = "NCT03540472"
N_FUZZED = int(os.environ.get("SIMSEARCH_FUZZED", "1500"))
"""How many requests of nonsense: 10,000 by `SIMSEARCH_FUZZED=10000`."""


@pytest.fixture(scope="module")
def site():
    with serving(demo_index()) as found:
        yield found


def test_the_openapi_is_one_and_names_every_answer(site):
    description = site.get("/api/v1/openapi.json").json()
    assert description["openapi"].startswith("3.")
    assert set(description["paths"]) == {
        "/api/v1/index", "/api/v1/studies/{nct_id}", "/api/v1/studies/{nct_id}/related",
        "/api/v1/related", "/api/v1/compare",
    }  # fmt: skip
    for operations in description["paths"].values():
        for operation in operations.values():
            assert {"200", "400", "404"} <= set(operation["responses"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_api_answers_as_its_openapi_says(site):
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings

    schema = schemathesis.openapi.from_url(f"{site.address}/api/v1/openapi.json")
    checks = [
        schemathesis.checks.not_a_server_error,
        schemathesis.specs.openapi.checks.status_code_conformance,
        schemathesis.specs.openapi.checks.content_type_conformance,
        schemathesis.specs.openapi.checks.response_schema_conformance,
    ]
    asked = []
    for result in schema.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=25, deadline=None, database=None, derandomize=True,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def probe(case):
            case.call_and_validate(base_url=site.address, checks=checks)

        probe()
        asked.append(operation.path)
    assert len(asked) == 5


def nonsense(random_: random.Random) -> str:
    """Return a text that no parser expects."""
    letters = string.printable + "\x00\u202e\ud7ff\U0001f9ec%/\\'\"<>{}"
    kinds = [
        lambda: "".join(random_.choices(letters, k=random_.randint(0, 40))),
        lambda: random_.choice([ONE, "nct3540472", "NCT00000000", "NCT", "1e999", "-1", "nan"]),
        lambda: str(random_.choice([0, -1, 10**30, 2**63, 0.1, True, None])),
        lambda: random_.choice(["../../etc/passwd", "%00", "//evil.example", "{{7*7}}", "a" * 300]),
        lambda: random_.choice(["RECRUITING", "phase 2", "2020-13", "2020", "France", "drug"]),
    ]
    return random_.choice(kinds)()


def test_nonsense_is_refused_and_never_fails(site):
    random_ = random.Random(20261128)
    paths = ["/", "/search", "/study/{}", "/study/{}.json", "/study/{}.csv", "/related",
             "/related.{}", "/related.json", "/compare", "/timeline", "/map.svg", "/embed/{}",
             "/embed/{}/fragment", "/api/v1/studies/{}", "/api/v1/studies/{}/related",
             "/static/{}", "/draft", "/{}", "/api/v1/{}"]  # fmt: skip
    names = [*ABOUT, *FILTERS, *HOW, "q", "theme", "lang", "offset", "x\u202e"]
    failed = []
    for _ in range(N_FUZZED):
        path = random_.choice(paths)
        if "{}" in path:
            text = random_.choice([ONE, nonsense(random_)])
            path = path.format(urllib.parse.quote(text.encode("utf-8", "ignore"), safe=""))
        if random_.random() < 0.15:
            body = random_.choice([b"", b"{", b"[]", b"null", b'{"studies": "x"}', b"\xff\xfe",
                                   b'{"k": 1e999}', nonsense(random_).encode("utf-8", "ignore"),
                                   b'{"text": ' + b'"a ' * 1 + b'"}', b"[" * 5000])  # fmt: skip
            where = random_.choice(
                [
                    "/api/v1/related",
                    "/api/v1/compare",
                    "/draft",
                    "/draft.json",
                    "/draft.csv",
                    "/draft.x",
                    "/mcp",
                ]
            )
            kind = random_.choice(["application/json", "text/plain", "multipart/form-data", ""])
            found = site.post(where, content=body, headers={"content-type": kind})
        else:
            query = [
                (random_.choice(names), nonsense(random_).encode("utf-8", "ignore"))
                for _ in range(random_.randint(0, 5))
            ]
            found = site.get(path, params=query)
        if found.status_code >= 500 or "Traceback" in found.text:
            failed.append((found.status_code, str(found.url)[:300], found.text[:200]))
    assert failed == []
    assert site.get("/readyz").status_code == 200
