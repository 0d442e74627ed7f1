"""Files, histories and plans; what is ignored; what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UsageError
from lockgate.lint import formats
from lockgate.lint.run import Outcome, chosen, lint
from lockgate.lint.sources import find
from lockgate.safety.finding import Severity
from lockgate.steps.online import statements_at
from tests.unit.safety.cases import CLEAN, FOUND, SCHEMA

Write = dict[str, str]


def linted(
    folder: Path, files: Write, *names: str, major: int = 18, wrapped: bool = False, codes: str = "", tool: str = ""
) -> Outcome:
    """What is said of files, or of the whole folder if none is named."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    paths = [folder / name for name in names] or [folder]
    return lint(
        find(paths, statements_at, wrapped=wrapped, tool=tool or None), major=major, wanted=chosen(codes.split(), ())
    )


def told(outcome: Outcome) -> list[str]:
    """Line, column and code of each finding."""
    return [f"{':'.join(finding.where.rsplit(':', 2)[1:])} {finding.code}" for finding in outcome.findings]


def test_an_ignored_finding_is_left_out(tmp_path: Path) -> None:
    text = (
        "-- lockgate: ignore LG101, LG901 because the table has ten rows\n"
        "CREATE INDEX ON t (a);\n"
        "CREATE INDEX ON t (b); -- lockgate: ignore LG101 because this, too\n"
        "CREATE INDEX ON t (c);\n"
    )
    outcome = linted(tmp_path, {"a.sql": text}, "a.sql")
    assert told(outcome) == ["4:1 LG101"]
    assert outcome.ignored == 3


@pytest.mark.parametrize(
    ("comment", "wanted"),
    [
        ("-- lockgate: ignore LG101", ["1:1 LG002", "2:1 LG101"]),
        ("-- lockgate: ignore LG101 because", ["1:1 LG002", "2:1 LG101"]),
        ("-- lockgate: ignore because I say so", ["1:1 LG002", "2:1 LG101"]),
        ("-- lockgate: ignore LG102 because of this", ["1:1 LG003", "2:1 LG101"]),
        ("-- lockgate: ignore LG999 because of this", ["1:1 LG003", "2:1 LG101"]),
        ("SELECT '-- lockgate: ignore LG101 because of this';", ["2:1 LG101"]),
        ("-- LOCKGATE: Ignore lg101 because of this", []),
    ],
)
def test_an_ignore_needs_a_reason_and_a_finding(tmp_path: Path, comment: str, wanted: list[str]) -> None:
    outcome = linted(tmp_path, {"a.sql": f"{comment}\nCREATE INDEX ON t (a);\n"}, "a.sql", codes="LG0 LG10")
    assert told(outcome) == wanted


def test_what_is_no_sql_is_located_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    text = "\\set x 1\nSELECT 1;\nselec 'geheim';\nCOPY t FROM stdin;\n1\tit's; a\n\\.\nDROP TABLE é;\n"
    outcome = linted(tmp_path, {"a.sql": text}, "a.sql", codes="LG0 LG602")
    assert told(outcome) == ["3:1 LG001", "7:1 LG602"]
    assert "geheim" not in str(outcome.findings)


def test_a_file_that_is_not_text_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_bytes(b"SELECT '\xff'")
    assert told(lint(find([tmp_path / "a.sql"], statements_at))) == ["1:9 LG001"]


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        find([tmp_path / "none.sql"], statements_at)


def test_a_history_is_one_text_after_the_other(tmp_path: Path) -> None:
    files = {
        "migrations/0001_a.up.sql": "CREATE TABLE t (id bigint PRIMARY KEY, v varchar(5)); CREATE INDEX ON t (v);",
        "migrations/0001_a.down.sql": "DROP TABLE t;",
        "migrations/0002_b.up.sql": "ALTER TABLE t ALTER COLUMN v TYPE varchar(9); CREATE INDEX CONCURRENTLY ON t (v);",
        "migrations/0002_b.down.sql": "SELECT 1;",
    }
    (loose,) = linted(tmp_path, files).skipped
    assert "sqlx or golang-migrate" in loose
    outcome = linted(tmp_path, files, "migrations", codes="LG1 LG3 LG6 LG911", tool="sqlx")
    lines = [
        f"{Path(finding.where.rsplit(':', 2)[0]).name} {finding.code} {finding.severity}"
        for finding in outcome.findings
    ]
    assert "0001_a.down.sql LG602 low" in lines
    assert "0002_b.up.sql LG303 low" in lines
    assert "0002_b.down.sql LG911 medium" in lines
    assert not any("LG301" in line or "LG101" in line for line in lines)


def test_marks_in_a_loose_file_say_how_it_runs(tmp_path: Path) -> None:
    up = "-- migrate:up\nCREATE TABLE n (id bigint);\nCREATE INDEX CONCURRENTLY ON t (a);\n"
    text = f"{up}-- migrate:down\nDROP TABLE n;\n"
    outcome = linted(tmp_path, {"x.sql": text}, "x.sql", codes="LG103 LG602")
    assert [(line, str(f.severity)) for line, f in zip(told(outcome), outcome.findings, strict=True)] == [
        ("3:1 LG103", "high"),
        ("5:1 LG602", "low"),
    ]
    free = text.replace("migrate:up", "migrate:up transaction:false")
    assert told(linted(tmp_path, {"x.sql": free}, "x.sql", codes="LG103")) == []
    goose = "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY ON t (a);\n"
    assert told(linted(tmp_path, {"x.sql": goose}, "x.sql", codes="LG103")) == []


def test_loose_files_may_run_in_a_transaction(tmp_path: Path) -> None:
    files = {"x.sql": "CREATE INDEX CONCURRENTLY ON t (a)"}
    assert told(linted(tmp_path, files, "x.sql", wrapped=True, codes="LG103")) == ["1:1 LG103"]
    assert told(linted(tmp_path, files, "x.sql", codes="LG103")) == []


PLAN = """\
plan: shop
phases:
  - id: one
    steps:
      - sql: |
          ALTER TABLE t
            ADD COLUMN x serial
      - sql: more.sql
        outside_transaction: true
"""


def test_the_sql_of_a_plan_is_found_at_its_place(tmp_path: Path) -> None:
    files = {"plan.yaml": PLAN, "more.sql": "\nCREATE INDEX ON t (a)\n"}
    outcome = linted(tmp_path, files, codes="LG1 LG2 LG90")
    assert [finding.where for finding in outcome.findings] == [f"{tmp_path}/plan.yaml:7:24", f"{tmp_path}/more.sql:2:1"]
    assert [finding.code for finding in outcome.findings] == ["LG202", "LG101"]


def test_steps_that_write_their_sql_anew_are_linted_as_they_run(tmp_path: Path) -> None:
    plan = """plan: p
phases:
  - id: a
    steps:
      - index: CREATE INDEX i ON t (a)
      - constraint: |
          ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);
          ALTER TABLE t ADD CONSTRAINT d CHECK (a IN (1, NULL)), ALTER a SET NOT NULL;
"""
    found = linted(tmp_path, {"plan.yaml": plan}).findings
    assert [finding.where for finding in found if finding.severity in {Severity.HIGH, Severity.MEDIUM}] == [
        f"{tmp_path}/plan.yaml:8:11"
    ]
    assert found[0].code == "LG407"


def test_a_step_of_a_plan_runs_in_a_transaction_unless_it_says_otherwise(tmp_path: Path) -> None:
    concurrently = "CREATE INDEX CONCURRENTLY ON t (a)"
    assert told(linted(tmp_path, {"plan.yaml": PLAN, "more.sql": concurrently}, codes="LG103")) == []
    inside = PLAN.replace("outside_transaction: true", "outside_transaction: false")
    codes = [f.code for f in linted(tmp_path, {"plan.yaml": inside, "more.sql": concurrently}, codes="LG103").findings]
    assert codes == ["LG103"]


def test_formats_hold_each_finding(tmp_path: Path) -> None:
    outcome = linted(tmp_path, {"a,b.sql": 'DROP TABLE "x<y&z";\nCREATE TABLE n (x json);\n', "c.sql": "SELECT 1"})
    codes = [finding.code for finding in outcome.findings]
    assert "LG602" in codes
    found = formats.as_object(outcome)["findings"]
    assert [each["code"] for each in found] == codes
    sarif = json.loads(formats.as_sarif(outcome))["runs"][0]
    assert [each["ruleId"] for each in sarif["results"]] == codes
    assert all(sarif["tool"]["driver"]["rules"][each["ruleIndex"]]["id"] == each["ruleId"] for each in sarif["results"])
    github = formats.as_github(outcome).splitlines()
    assert len(github) == len(codes)
    assert "a%2Cb.sql,line=1" in github[0]
    junit = ElementTree.fromstring(formats.as_junit(outcome, Severity.HIGH))
    assert len(junit.findall(".//testcase")) == len(codes) + 1
    assert len(junit.findall(".//failure")) == outcome.count(Severity.HIGH)


def test_failing_is_by_severity(tmp_path: Path) -> None:
    outcome = linted(tmp_path, {"a.sql": "CREATE TABLE n (x json)"}, "a.sql")
    assert outcome.fails(Severity.MEDIUM)
    assert outcome.fails(Severity.LOW)
    assert not outcome.fails(Severity.HIGH)
    assert not outcome.fails(None)


TEXTS = [case.sql for case in (*FOUND, *CLEAN)] + [part + ";" for part in SCHEMA.split(";\n")]


@given(st.lists(st.sampled_from(TEXTS), max_size=8), st.booleans(), st.sampled_from([14, 15, 18]))
def test_nothing_that_parses_makes_it_fail(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], wrapped: bool, major: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    outcome = linted(folder, {"any.sql": "\n;\n".join(parts)}, "any.sql", major=major, wrapped=wrapped)
    assert "LG001" not in {finding.code for finding in outcome.findings}


@given(st.text(alphabet="SELECT 'x$;\n-/*()\\é\"", max_size=40) | st.text(max_size=30))
def test_whatever_is_no_sql_has_a_place(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "no.sql"
    path.write_bytes(text.encode(errors="surrogatepass"))
    for finding in lint(find([path], statements_at)).findings:
        file, line, column = finding.where.rsplit(":", 2)
        assert (file, int(line) > 0, int(column) > 0) == (str(path), True, True)
