"""The commands that talk to the registry: fetch, update, query --online."""

import json
import sys

import pytest
from conftest import WordEncoder, record
from registry_server import IDS, RECORDS, a_day_passes

from simsearch.records.mirror import Mirror


def run_cli(monkeypatch, capsys, *args):
    from simsearch.cli import asking, building
    from simsearch.cli import main as cli

    for module, name in ((asking, "builder_of"), (building, "load_encoder")):
        monkeypatch.setattr(module, name, lambda *_, **__: WordEncoder())
    monkeypatch.setattr(sys, "argv", ["simsearch", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    out, err = capsys.readouterr()
    return caught.value.code or 0, out, err


def test_the_commands_fetch_update_rebuild_and_online(registry, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMSEARCH_API", registry.url)
    monkeypatch.setenv("SIMSEARCH_MIRROR", str(tmp_path / "mirror.sqlite"))
    monkeypatch.setenv("SIMSEARCH_INDEX", str(tmp_path / "mine"))

    def run(*args):
        return run_cli(monkeypatch, capsys, *args)

    assert run("rebuild")[0] == 2  # neither records nor a mirror
    code, out, err = run("fetch", "--all", "-v")
    assert code == 0
    assert "Received  6 studies, registry data of 2026-03-25T09:00:05" in out
    assert "Mirror    6 studies in" in out
    assert "200 http://127.0.0.1" in err
    assert "fetching 6 of 6 studies (100%)" in err
    code, out, _ = run("rebuild")
    assert code == 0
    assert "6 studies" in out
    registry.records["NCT00000107"] = record("NCT00000107", "Marrow", updated="2026-03-26")
    registry.timestamp = "2026-03-27T09:00:05"
    registry.vanish(IDS[0])
    code, _, err = run("update")
    assert (code, f"not found in the registry: 1 ({IDS[0]}); kept" in err) == (0, True)
    with Mirror(tmp_path / "mirror.sqlite") as mirror:
        a_day_passes(mirror)
    code, out, _ = run("update", "--allow-shrink")
    assert code == 0
    assert "Gone      1 (NCT00000101)" in out
    assert "Published   6 studies" in out
    code, _, err = run("query", IDS[0])
    assert (code, "has left the registry" in err) == (1, True)
    registry.records["NCT00000200"] = record("NCT00000200", "Marrow")
    code, _, err = run("query", "NCT200")
    assert (code, "--online" in err) == (1, True)
    code, out, _ = run("query", "NCT200", "--online", "-f", "ids", "-k", "2")
    assert code == 0
    assert out.split()[0] == "NCT00000107"
    code, out, _ = run("query", "NCT107", "--not", "NCT200", "--online", "-f", "json")
    assert code == 0
    assert [each["nct_id"] for each in json.loads(out)["query"]["unlike"]] == ["NCT00000200"]
    code, _, err = run("query", "NCT200", "--not", "NCT00000200", "--online")
    assert (code, "--not 'NCT00000200'" in err) == (2, True)
    code, _, err = run("query", "NCT999", "--online")
    assert (code, "not in the registry" in err) == (1, True)
    (tmp_path / "ids.txt").write_text("NCT200\nNCT00000999\n")
    code, out, _ = run("fetch", "--ids", "ids.txt")
    assert "Not found  1 (NCT00000999)" in out
    assert "7 studies" in out


def test_a_study_counts_once_whichever_number_or_file_names_it(
    registry, write, tmp_path, monkeypatch, capsys
):
    def run(*args):
        return run_cli(monkeypatch, capsys, "query", *args, "--index", tmp_path / "i", "-f", "json")

    def shown(*args):
        code, out, err = run(*args)
        assert code == 0, err
        answer = json.loads(out)
        studies = [(each["nct_id"], each["title"]) for each in answer["query"]["studies"]]
        return studies, [each["similarity"] for each in answer["neighbours"]]

    monkeypatch.setenv("SIMSEARCH_API", registry.url)
    run_cli(monkeypatch, capsys, "rebuild", write(RECORDS), "-i", tmp_path / "i", "-q")
    registry.records["NCT00000200"] = record("NCT00000200", "Marrow and iron")
    registry.merged["NCT00000902"] = "NCT00000200"
    alone = shown(IDS[0], "NCT200", "--online")
    assert shown(IDS[0], "NCT200", "NCT902", "--online") == alone
    assert shown(IDS[0], "NCT902", "NCT200", "--online") == alone

    draft = tmp_path / "d.json"
    for number, aliases in ((IDS[0], []), ("NCT00000200", []), ("NCT00000300", [IDS[0]])):
        draft.write_text(json.dumps(record(number, "Marrow", aliases=aliases)))
        alone = shown("--file", draft)
        assert alone[0] == [(number, "Marrow")]
        assert shown(*aliases, number, "--file", draft) == alone
    draft.write_text(json.dumps(record("NCT00000200", "Marrow")))
    for number in ("NCT200", "NCT902"):
        code, _, err = run("--file", draft, "--not", number, "--online")
        assert (code, "--not 'NCT00000200': it must be another" in err) == (2, True)


def test_an_unreachable_registry_is_an_error_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SIMSEARCH_API", "http://127.0.0.1:9/api/v2")
    code, out, err = run_cli(
        monkeypatch, capsys, "fetch", "--all", "--mirror", tmp_path / "m.sqlite", "-q"
    )
    assert (code, out) == (75, "")
    assert err.count("\n") == 1
    assert "no answer" in err


@pytest.mark.parametrize("address", ["foo", "ftp://127.0.0.1/api", "http:///api", "//127.0.0.1"])
def test_an_invalid_address_is_refused_at_once(monkeypatch, capsys, tmp_path, address):
    monkeypatch.setenv("SIMSEARCH_API", address)
    words = ("fetch", "--all", "--mirror", tmp_path / "m.sqlite", "-q")
    code, out, err = run_cli(monkeypatch, capsys, *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert f"simsearch: SIMSEARCH_API {address!r}: it must be an address like https://" in err


def test_an_address_is_shown_without_its_password(monkeypatch, capsys, tmp_path):
    for address, code in (
        ("http://me:s3cret@127.0.0.1:9/api/v2", 75),
        ("ftp://me:s3cret@127.0.0.1/api", 2),
        ("me:s3cret@127.0.0.1", 2),
        ("http://me:s3cret@127.0.0.1:x/api", 1),
    ):
        monkeypatch.setenv("SIMSEARCH_API", address)
        words = ("fetch", "--all", "--mirror", tmp_path / "m.sqlite", "-v")
        found, out, err = run_cli(monkeypatch, capsys, *words)
        assert (found, out) == (code, "")
        assert "127.0.0.1" in err
        assert "s3cret" not in err


def test_an_update_that_is_not_believed_publishes_nothing(registry, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SIMSEARCH_API", registry.url)
    monkeypatch.setenv("SIMSEARCH_MIRROR", str(tmp_path / "mirror.sqlite"))
    monkeypatch.setenv("SIMSEARCH_INDEX", str(tmp_path / "mine"))
    for words in (("fetch", "--all"), ("rebuild",)):
        assert run_cli(monkeypatch, capsys, *words)[0] == 0
    registry.answers = lambda path, query: (
        (200, {}, b'{"studies": []}') if "filter.ids" in query
        else (404, {}, b"not found") if path.startswith("/studies/") else None
    )  # fmt: skip
    code, out, err = run_cli(monkeypatch, capsys, "update", "--json-summary", "-q")
    assert (code, err.count("\n")) == (75, 1)
    assert "lacks at least 4 of 6 studies checked, more than 3%" in err
    assert "if this lasts, --recheck 0 updates without the check" in err
    assert json.loads(out)["exit_code"] == 75
    assert run_cli(monkeypatch, capsys, "update", "--recheck", "0")[0] == 0
    assert len(list((tmp_path / "mine" / "generations").iterdir())) == 2


def test_an_update_reports_studies_that_are_back(registry, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SIMSEARCH_API", registry.url)
    monkeypatch.setenv("SIMSEARCH_MIRROR", str(tmp_path / "mirror.sqlite"))
    monkeypatch.setenv("SIMSEARCH_INDEX", str(tmp_path / "mine"))
    assert run_cli(monkeypatch, capsys, "fetch", "--all")[0] == 0
    with Mirror(tmp_path / "mirror.sqlite") as mirror:
        mirror.bury(IDS[0])
    code, out, err = run_cli(monkeypatch, capsys, "update", "--json-summary")
    assert code == 0
    assert f"back in the registry: 1 ({IDS[0]})" in err
    summary = json.loads(out)
    assert (summary["fetch"]["returned"], summary["fetch"]["missing"]) == ([IDS[0]], [])
    assert summary["build"]["n_studies"] == 6
