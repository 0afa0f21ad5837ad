"""The command `simsearch diff`: what it prints, where, and how it exits."""

import csv
import io
import json
import sys

import pytest
from conftest import REPOSITORY, SIX, WordEncoder, record
from designs import detailed

from simsearch.cli import main as cli
from simsearch.cli import progress
from simsearch.diff.fields import KINDS, FieldChange
from simsearch.facts import Arm, Outcome, Site
from simsearch.output.diff_phrases import phrases
from simsearch.search import resolve
from simsearch.study import Intervention

WATCHED = "NCT00000101"
LONG = "A very long title of a study that goes on and on, " * 6
NEW = [
    SIX[0],
    record(
        "NCT00000102", "Drops for aplasia", ["Aplasia"], [("DRUG", "Drops")],
        "Adults with aplasia take drops.", status="TERMINATED", enrollment=1200,
        aliases=["NCT00000901"],
    ),
    record(
        "NCT00000103", "Marrow for aplasia in children", ["Aplasia"], [("PROCEDURE", "Marrow")],
        "Children with aplasia get marrow.", status="RECRUITING", phases=["PHASE1", "PHASE2"],
    ),
    *SIX[3:5],
    record(
        "NCT00000107", f"Pills | [bold]twice[/bold] {LONG}", ["Aplasia"], [("DRUG", "Pills")],
        "Adults with aplasia take pills.", status="RECRUITING", aliases=["NCT00000106"],
    ),
]  # fmt: skip


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command in-process; return code, out, err."""
    monkeypatch.chdir(tmp_path)

    def _run(*args):
        monkeypatch.setattr(sys, "argv", ["simsearch", "diff", *map(str, args)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        return caught.value.code or 0, out, err

    return _run


@pytest.fixture
def two(build):
    """An index of two generations: the six, then one added, two changed, one merged."""
    build()
    return build(NEW, allow_shrink=True)


@pytest.fixture
def same(build):
    """An index of two generations of the same studies."""
    build()
    return build()


def test_the_table_tells_added_changed_and_gone(run, two):
    code, out, err = run()
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("From 20")
    assert lines[0].endswith("(6 studies, records to 2021-05-06)")
    assert lines[2] == "Studies: 1 added, 2 changed, 1 gone."
    assert "Changed: 2 (status 1, enrollment 1, conditions 1)" in lines
    assert "              Completed → Terminated · enrollment 30 → 1,200" in lines
    assert "              conditions - Anemia" in lines
    assert lines[lines.index("Gone: 1") + 1 :] == [
        "  NCT00000106 Knee surgery in children", "              merged into NCT00000107"
    ]  # fmt: skip


def test_the_table_fits_a_mail_and_cuts_nothing(run, two):
    _, out, _ = run()
    assert max(map(len, out.splitlines())) <= 80
    assert "[bold]twice[/bold]" in out
    assert LONG.strip() in " ".join(out.split())


def test_a_status_stands_before_other_changes_and_the_limit_counts_what_is_left(run, two):
    _, out, _ = run("--limit", 1)
    assert "Changed: 2 " in out
    assert "NCT00000102" in out
    assert "NCT00000103" not in out
    assert out.count("and 1 more") == 1


def test_nothing_changed_is_said_in_one_line(run, same):
    code, out, err = run()
    assert (code, err) == (0, "")
    assert " ".join(out.split()) == out.strip().replace("\n", " ")
    assert out.startswith(f"Nothing changed since {same.generation[:4]}")
    assert "6 studies" in out


@pytest.mark.parametrize("format_", ["table", "markdown", "jsonl", "ids"])
@pytest.mark.parametrize("watch", [(), ("--watch", WATCHED)])
def test_quiet_prints_nothing_where_nothing_changed(run, same, format_, watch):
    assert run("--quiet", "--format", format_, *watch) == (0, "", "")


def test_quiet_prints_nothing_where_nothing_changed_for_the_watched(run, two):
    assert run("--quiet", "--watch", "NCT00000104", "-k", 1) == (0, "", "")


def test_quiet_prints_the_lists_alone(run, two):
    _, out, _ = run("--quiet")
    assert out.startswith("Changed: 2")
    assert "records to" not in out


@pytest.mark.parametrize(
    ("watch", "code"), [((), 4), (("--watch", WATCHED), 4), (("-w", "NCT00000104", "-k", "1"), 0)]
)
def test_the_exit_code_says_on_request_whether_something_changed(run, two, watch, code):
    assert run(*watch)[0] == 0
    assert run("--exit-code", *watch)[0] == code


def test_the_exit_code_of_the_same_is_0(run, same):
    assert run("--exit-code")[0] == 0


def test_watched_studies_alone_are_told_of(run, two):
    code, out, err = run("--watch", WATCHED, "-k", 2)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "Watched: 1, with their 2 nearest; something changed for 1." in lines
    assert "NCT00000101  Pills for aplasia" in lines
    new = lines.index("New among its 2 nearest")
    assert lines[new + 1].startswith("1. NCT00000107 Pills | [bold]twice[/bold]")
    assert "Recruiting · phase 2 · new in the index" in out
    assert "same condition: Aplasia" in out
    left = lines.index("No longer among them")
    assert lines[left + 1 : left + 3] == [
        "2. NCT00000104 Iron pills for anemia",
        "               moved down after NCT00000107 came",
    ]
    changed = lines.index("Still among them, but changed")
    assert "Completed → Terminated · enrollment 30 → 1,200" in lines[changed + 2]
    assert "NCT00000106" not in out


def test_a_watched_study_that_came_or_went_says_so(run, two):
    _, out, _ = run("-w", "NCT00000106", "-w", "NCT00000107", "-k", 1)
    gone, came = out.split("\nNCT00000107")
    assert "  no longer in the index\n  merged into NCT00000107\n" in gone
    assert "  new in the index\n  Recruiting · phase 2 · Aplasia\n" in came


def test_a_watch_list_is_a_file_of_ids_each_told_once(run, two, tmp_path):
    (tmp_path / "mine.txt").write_text("# mine\nNCT00000102\n\nnct00000901\n")
    _, out, _ = run("--watch-list", "mine.txt", "--watch", "NCT102", "--format", "json")
    (watched,) = json.loads(out)["watched"]
    assert (watched["nct_id"], watched["event"]) == ("NCT00000102", "changed")


def test_a_watched_study_in_neither_is_named_and_the_rest_goes_on(run, two):
    code, out, err = run("-w", "NCT00000999", "-w", "NCT00000998", "-w", WATCHED, "--quiet")
    assert code == 0
    assert "NCT00000107" in out
    assert [line.split()[1] for line in err.splitlines()] == ["NCT00000999", "NCT00000998"]


def test_no_watched_study_at_all_is_an_error(run, two):
    code, out, err = run("-w", "NCT00000999")
    assert (code, out) == (1, "")
    assert "simsearch: NCT00000999 is not in the index index (6 studies" in err.splitlines()[-1]


@pytest.mark.parametrize("option", ["--watch", "--watch-list"])
def test_what_is_no_id_is_refused_before_anything_is_read(run, two, option, tmp_path):
    (tmp_path / "words").write_text("two words\n")
    code, out, err = run(option, "words")
    assert (code, out, err.count("\n")) == (2 if option == "--watch" else 1, "", 1)
    assert "NCT ID" in err


def test_the_only_generation_says_what_makes_a_second(run, build):
    build()
    code, out, err = run()
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "the next rebuild makes one" in err


def test_the_demo_collection_has_no_second_generation_and_will_have_none(run):
    code, out, err = run()
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "it is the demo collection, which never changes; build an index of your own" in err
    assert "the next rebuild" not in err


def test_an_unknown_generation_is_refused_with_those_that_are_there(run, two):
    code, _, err = run("1999")
    assert (code, err.count("\n")) == (1, 1)
    assert two.generation in err


def test_json_holds_every_study_with_old_and_new_values(run, two):
    _, out, _ = run("--format", "json")
    found = json.loads(out)
    assert found["schema"] == "simsearch.diff/1"
    assert found["counts"] == {"added": 1, "changed": 2, "gone": 1}
    assert found["kinds"] == {"status": 1, "enrollment": 1, "conditions": 1}
    assert found["new"]["generation"] == two.generation
    assert (found["same_recipe"], found["k"], found["watched"]) == (True, 0, [])
    drops, _, gone, added = found["studies"]
    assert drops["fields"] == {
        "status": {"old": "COMPLETED", "new": "TERMINATED"},
        "enrollment": {"old": 30, "new": 1200},
    }
    assert (gone["event"], gone["became"]) == ("gone", "NCT00000107")
    assert (added["event"], added["conditions"]) == ("added", ["Aplasia"])


def test_json_of_the_same_is_whole(run, same):
    _, out, _ = run("--format", "json", "--quiet")
    found = json.loads(out)
    assert (found["studies"], found["kinds"]) == ([], {})


def test_json_of_a_watch_holds_its_neighbours(run, two):
    _, out, _ = run("-w", WATCHED, "-k", 2, "--format", "json")
    found = json.loads(out)
    assert found["studies"] == []
    assert found["counts"]["changed"] == 2
    (watched,) = found["watched"]
    events = [(each["event"], each["nct_id"], each["rank"]) for each in watched["neighbours"]]
    assert events == [
        ("new", "NCT00000107", 1), ("left", "NCT00000104", 2), ("changed", "NCT00000102", 2)
    ]  # fmt: skip


def test_json_lines_are_a_study_or_a_neighbour_each(run, two):
    _, out, _ = run("--format", "jsonl")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events == ["changed", "changed", "gone", "added"]
    _, out, _ = run("--format", "jsonl", "-w", WATCHED, "-w", "NCT00000103", "-k", 2)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["event"], line.get("query")) for line in lines[:4]] == [
        ("neighbour_new", WATCHED), ("neighbour_left", WATCHED), ("neighbour_changed", WATCHED),
        ("changed", None),
    ]  # fmt: skip
    assert {line["generation"] for line in lines} == {two.generation}


def test_csv_has_a_row_a_changed_field(run, two):
    _, out, _ = run("--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(r["event"], r["nct_id"], r["field"], r["old"], r["new"]) for r in rows] == [
        ("changed", "NCT00000102", "status", "COMPLETED", "TERMINATED"),
        ("changed", "NCT00000102", "enrollment", "30", "1200"),
        ("changed", "NCT00000103", "conditions", "Aplasia|Anemia", "Aplasia"),
        ("gone", "NCT00000106", "", "", ""),
        ("added", "NCT00000107", "", "", ""),
    ]


def test_ids_are_those_that_are_new_or_changed(run, two):
    assert run("--format", "ids")[1].split() == ["NCT00000102", "NCT00000103", "NCT00000107"]
    assert run("--format", "ids", "-w", WATCHED, "-w", "NCT00000102", "-k", 2)[1].split() == [
        "NCT00000107"
    ]


def test_markdown_is_tables_with_links(run, two):
    _, out, _ = run("--format", "markdown")
    lines = out.splitlines()
    assert "### Added: 1" in lines
    (added,) = [line for line in lines if line.startswith("|  | [NCT00000107](https://")]
    assert r"Pills \| \[bold\]twice" in added
    _, out, _ = run("--format", "markdown", "-w", WATCHED, "-k", 2)
    assert "## [NCT00000101](https://clinicaltrials.gov/study/NCT00000101) Pills for aplasia" in out
    assert "| 1 | [NCT00000107]" in out


def test_a_query_by_the_command_loads_no_model(two):
    import subprocess

    code = (
        "import sys; sys.argv[1:] = ['diff', '-i', 'index', '-w', 'NCT101', '-q']\n"
        "from simsearch.cli import main as cli\n"
        "try: cli.main()\nexcept SystemExit as end: assert not end.code\n"
        "print(sorted({'torch', 'transformers', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=two.index.parent, capture_output=True, text=True,
        check=True, timeout=120,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": ""},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_stage_is_shown_once_it_lasts_and_then_to_its_end(monkeypatch):
    clock = iter([0.0, 1.0, 2.5, 3.0, 3.0, 9.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    shown = []
    report = progress.patient(lambda *told: shown.append(told[:2]))
    for done in (0, 1, 2, 3):
        report("long", done, 3, "studies")
    for done in (0, 3):  # over when it would be shown
        report("short", done, 3, "studies")
    assert shown == [("long", 2), ("long", 3)]


@pytest.mark.parametrize(
    ("field", "phrase"),
    [
        (("status", "RECRUITING", ""), "Recruiting → –"),
        (("has_results", False, True), "results posted"),
        (("has_results", True, False), "no results posted"),
        (("completion_date", "", "2027-03"), "completion – → 2027-03"),
        (("enrollment", None, 0), "enrollment – → 0"),
        (("phases", ("PHASE1",), ("PHASE1", "PHASE2")), "phase 1 → 1/2"),
        (("title", "Old", "New"), "title was “Old”"),
        (("conditions", ("A", "B"), ("B", "C")), "conditions + C, - A"),
        (("countries", (), ("A", "B", "C", "D")), "countries + A, + B, + C, and 1 more"),
        (("conditions", ("A", "B"), ("B", "A")), "changed conditions"),
        (("interventions", (Intervention("A"),), ()), "interventions - A"),
        (("official_title", "Old", "New"), "changed official title"),
        (("masking", "NONE", "DOUBLE"), "masking open label → double-blind"),
        (("primary_completion_date", "2026-01", "2027-03"), "primary completion 2026-01 → 2027-03"),
        (("enrollment_type", "ESTIMATED", "ACTUAL"), "enrollment planned → actual"),
        (("minimum_age", "18 Years", ""), "minimum age 18 years → –"),
        (("healthy_volunteers", False, True), "healthy volunteers no → yes"),
        (("why_stopped", "", "Slow accrual"), "why stopped: Slow accrual"),
        (("arms", (Arm("A"), Arm("B")), (Arm("A"),)), "arms - B"),
        (("arms", (Arm("A"),), (Arm("A", "OTHER"),)), "changed arms"),
        (
            ("primary_outcomes", (Outcome("Pain"),), (Outcome("Sleep"),)),
            "primary outcomes + Sleep, - Pain",
        ),
        (
            ("secondary_outcomes", (Outcome("A"),), (Outcome("A"), Outcome("B"), Outcome("B"))),
            "secondary outcomes: 2 added",
        ),
        (
            ("criteria", "a\nb\nc", "a\n b\nd\ne"),
            "criteria: 2 lines added, 1 line removed",
        ),
        (("criteria", "a\nb", "b\na"), "changed criteria"),
        (
            ("sites", (Site("Italy", status="RECRUITING"), Site("Spain", status="RECRUITING")),
             (Site("Italy", status="COMPLETED"), Site("Peru"), Site("Peru"))),
            "sites 2 → 3: 2 added, 1 removed, 1 ended recruiting",
        ),
        (
            ("sites", (Site("Italy"), Site("Spain")),
             (Site("Italy", status="RECRUITING"), Site("Spain"))),
            "sites: 1 began recruiting",
        ),
        (("last_update_date", "2026-01", "2026-02"), "updated in other parts 2026-01 → 2026-02"),
    ],
)  # fmt: skip
def test_a_change_is_told_in_a_few_words(field, phrase):
    assert phrases([FieldChange(*field)]) == [phrase]


def test_long_fields_are_named_together_and_the_last_known_status_goes_without_saying():
    changed = [
        FieldChange("status", "RECRUITING", "UNKNOWN"),
        FieldChange("last_known_status", "", "RECRUITING"),
        FieldChange("summary", "a", "b"), FieldChange("outcomes", (), ("c",)),
    ]  # fmt: skip
    assert phrases(changed) == ["Recruiting → Unknown", "changed summary, outcomes"]


def test_outcomes_are_told_once():
    changed = [
        FieldChange("primary_outcomes", (Outcome("Pain"),), (Outcome("Sleep"),)),
        FieldChange("outcomes", ("Pain",), ("Sleep",)),
    ]
    assert phrases(changed) == ["primary outcomes + Sleep, - Pain"]


@pytest.fixture
def redesigned(build):
    """An index of two generations: a trial became open to women only, with another outcome."""
    old, new = (detailed(201, "Pills for aplasia", updated=day) for day in ("2021-01", "2021-02"))
    section = new["protocolSection"]
    section["eligibilityModule"]["sex"] = "FEMALE"
    section["outcomesModule"]["primaryOutcomes"] = [{"measure": "Relapse", "timeFrame": "1 year"}]
    build([*SIX, old])
    return build([*SIX, new])


@pytest.mark.parametrize("format_", ["table", "markdown", "atom", "ris"])
def test_a_changed_design_is_told_in_every_format_for_people(run, redesigned, format_):
    _, out, _ = run("-f", format_)
    assert "sex all → female" in " ".join(out.split())
    assert "primary outcomes + Relapse, -" in " ".join(out.split())


def test_json_and_csv_hold_the_facts_that_changed(run, redesigned):
    (study,) = json.loads(run("-f", "json")[1])["studies"]
    assert study["kinds"] == ["outcomes", "eligibility", "texts"]
    assert study["fields"]["sex"] == {"old": "ALL", "new": "FEMALE"}
    assert study["fields"]["primary_outcomes"]["new"] == [
        {"measure": "Relapse", "time_frame": "1 year"}
    ]
    rows = {row["field"]: row["new"] for row in csv.DictReader(io.StringIO(run("-f", "csv")[1]))}
    assert (rows["sex"], rows["primary_outcomes"]) == ("FEMALE", "Relapse")


def test_a_watched_study_says_which_of_its_facts_changed(run, redesigned):
    assert "sex all → female" in run("--watch", "NCT201")[1]


def test_the_document_names_every_kind_and_field():
    document = (REPOSITORY / "docs" / "diff.md").read_text(encoding="utf-8")
    for kind, names in KINDS.items():
        assert f"| `{kind}` | {', '.join(f'`{name}`' for name in names)}" in document


def test_the_document_names_every_field(run, two):
    document = (REPOSITORY / "docs" / "diff.md").read_text(encoding="utf-8")
    answers = (REPOSITORY / "docs" / "json.md").read_text(encoding="utf-8")
    whole = json.loads(run("--format", "json")[1])
    watched = json.loads(run("--format", "json", "-w", WATCHED)[1])["watched"][0]
    lines = [json.loads(line) for line in run("--format", "jsonl", "-w", WATCHED)[1].splitlines()]
    header = run("--format", "csv")[1].splitlines()[0].split(",")
    names = {*whole, *whole["studies"][0], *watched["neighbours"][0], *lines[0]}
    assert {n for n in names if f"`{n}`" not in document and f"`{n}`" not in answers} == set()
    assert ", ".join(header) in document.replace("\n", " ")


def test_a_text_is_watched_by_its_words(run, two, monkeypatch):
    monkeypatch.setattr(resolve, "builder_of", lambda _: WordEncoder())
    words = ("--watch-text", "pills aplasia", "-k", "2")
    code, out, _ = run(*words, "-f", "json")
    (watched,) = json.loads(out)["watched"]
    assert (code, watched["text"], watched["nct_id"]) == (0, "pills aplasia", "")
    assert [each["event"] for each in watched["neighbours"]] == ["new", "left"]
    assert "\npills aplasia\n" in run(*words)[1]
    rows = list(csv.DictReader(io.StringIO(run(*words, "-f", "csv")[1])))
    assert {each["query"] for each in rows} == {"pills aplasia"}
    assert "## pills aplasia" in run(*words, "-f", "markdown")[1]


def test_filters_choose_among_the_neighbours_of_what_is_watched(run, two):
    out = run("--watch", WATCHED, "--status", "recruiting", "-f", "json")[1]
    (watched,) = json.loads(out)["watched"]
    assert {each["nct_id"] for each in watched["neighbours"]} == {"NCT00000107"}
    code, out, err = run("--status", "recruiting")
    assert (code, out) == (2, "")
    assert "give --watch as well" in err
