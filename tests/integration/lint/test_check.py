"""``lockgate check`` as a process, on a database that somebody works on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.catalog import document

Conn = psycopg.Connection[Any]


def check(dsn: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": dsn}
    command = [sys.executable, "-m", "lockgate", "check", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)


def test_a_file_is_checked_beside_an_open_writer_and_nothing_is_touched(conn: Conn, dsn: str, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, note text)")
    conn.execute("INSERT INTO t VALUES (1, NULL), (2, 'of a person')")
    file = tmp_path / "next.sql"
    file.write_text("ALTER TABLE t ALTER note SET NOT NULL;\nALTER TABLE gone DROP x;\n")
    before = document.read(conn).digest
    with psycopg.connect(dsn) as writer:
        writer.execute("UPDATE t SET note = 'other'")
        done = check(dsn, file, "--format", "json")
    assert done.returncode == 1, done.stderr
    found = {finding["code"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert found["LG425"]["what"] == "This fails: 1 row of public.t have no value in note."
    assert (found["LG425"]["tier"], found["LG425"]["severity"]) == ("data", "high")
    assert "of a person" not in done.stdout
    assert document.read(conn).digest == before


@pytest.mark.one_server
def test_what_a_history_has_applied_is_not_looked_at(conn: Conn, dsn: str, tmp_path: Path) -> None:
    """And what is pending is looked at in its order."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "V1__first.sql").write_text("CREATE TABLE t (id int, note text);\nDROP TABLE IF EXISTS elsewhere;\n")
    words = [sys.executable, "-m", "lockgate", "history", "apply", str(folder), "--tool", "flyway", "--database", dsn]
    subprocess.run(words, check=True, capture_output=True)
    (folder / "V2__second.sql").write_text("ALTER TABLE t ADD PRIMARY KEY (id);\n")
    conn.execute("INSERT INTO t VALUES (1), (1)")
    done = check(dsn, folder, "--format", "json")
    codes = [finding["code"] for finding in json.loads(done.stdout)["findings"]]
    assert "LG421" in codes
    assert "LG602" not in codes


@pytest.mark.one_server
def test_phases_that_are_done_are_not_looked_at(conn: Conn, dsn: str, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(
        "plan: small\nphases:\n"
        "- id: one\n  steps:\n  - sql: CREATE TABLE public.t (id int, note text)\n"
        "- id: two\n  steps:\n  - sql: ALTER TABLE public.t ALTER note SET NOT NULL\n"
    )
    words = [sys.executable, "-m", "lockgate", "apply", str(tmp_path), "--to", "one", "--database", dsn]
    subprocess.run(words, check=True, capture_output=True)
    conn.execute("INSERT INTO t VALUES (1, NULL)")
    done = check(dsn, tmp_path, "--format", "json")
    found = json.loads(done.stdout)["findings"]
    assert "LG425" in [finding["code"] for finding in found]
    assert {finding["line"] for finding in found} == {8}
