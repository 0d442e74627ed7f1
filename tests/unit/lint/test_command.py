"""The command: exit codes, and what it does not import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lockgate.cli.commands.lint import command
from lockgate.errors import UsageError


def run(*args: str) -> Result:
    return CliRunner().invoke(command, args, standalone_mode=False)


@pytest.mark.parametrize(
    ("text", "limit", "code"),
    [
        ("DROP TABLE t", "high", 1),
        ("DROP TABLE t", "never", 0),
        ("CREATE TABLE n (x json)", "high", 0),
        ("CREATE TABLE n (x json)", "medium", 1),
        ("CREATE TABLE n (x money)", "medium", 0),
        ("CREATE TABLE n (x money)", "low", 1),
        ("SELECT 1", "low", 0),
        ("selec 1", "high", 1),
    ],
)
def test_exit_codes(tmp_path: Path, text: str, limit: str, code: int) -> None:
    (tmp_path / "a.sql").write_text(text)
    assert run(str(tmp_path / "a.sql"), "--fail-on", limit).return_value == code


def test_rules_are_told() -> None:
    assert "LG101" in run("--rules").output
    assert "CREATE INDEX takes a SHARE lock" in run("--explain", "lg101").output
    assert json.loads(run("--explain", "LG101", "--format", "json").output)["name"] == "blocking-index-build"
    assert isinstance(run("--explain", "LG999").exception, UsageError)
    assert isinstance(run("--select", "LG8888").exception, UsageError)


def test_text_names_place_hazard_and_advice(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("CREATE INDEX i ON t (a)")
    output = run(str(tmp_path), "--select", "LG101").output
    assert f"{tmp_path}/a.sql:1:1: high LG101 blocking-index-build" in output
    assert "Do: CREATE INDEX CONCURRENTLY i ON t" in output
    assert "Not looked at: " in output
    assert "1 finding in 1 statement of 1 file: 1 high." in output


def test_loose_files_need_neither_driver_nor_models(tmp_path: Path) -> None:
    file = tmp_path / "a.sql"
    file.write_text("ALTER TABLE t ADD COLUMN password text DEFAULT 'postgresql://x:y@z' NOT NULL; DROP TABLE t;")
    program = (
        "import sys\nfrom lockgate.cli.main import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, "lint", str(file)], capture_output=True, text=True, check=False
    )
    assert "LG602" in ran.stdout
    heavy = (
        "psycopg",
        "pydantic",
        "rich",
        "ruamel",
        "jinja2",
        "lockgate.plan",
        "lockgate.engine",
        "lockgate.history",
    )
    assert [name for name in ran.stderr.split() if name.startswith(heavy)] == []
