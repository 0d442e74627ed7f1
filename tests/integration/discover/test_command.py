"""``lockgate discover`` as a process."""

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
from tests.integration.discover.looking import analyze

Conn = psycopg.Connection[Any]


def discover(dsn: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": dsn}
    command = [sys.executable, "-m", "lockgate", "discover", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)


@pytest.fixture
def people(conn: Conn) -> Conn:
    """99 people, one of them twice, and their telephones."""
    conn.execute("CREATE TABLE people (id int PRIMARY KEY, email text, created_at timestamptz NOT NULL DEFAULT now())")
    conn.execute("INSERT INTO people SELECT n, 'of' || greatest(n, 2) || '@b.example' FROM generate_series(1, 99) n")
    conn.execute("CREATE TABLE phones (id int PRIMARY KEY, people_id int NOT NULL REFERENCES people, phone text)")
    conn.execute("INSERT INTO phones SELECT n, 1 + n % 90, '1' || n FROM generate_series(1, 2000) n")
    analyze(conn)
    return conn


def test_it_is_told_for_people_for_programs_and_as_a_page(people: Conn, dsn: str) -> None:
    before = document.read(people).digest
    text = discover(dsn)
    assert text.returncode == 1, text.stderr
    assert "public.people (email): high DB201 duplicates" in text.stdout
    assert "1 row of public.people is too many" in text.stdout
    assert "2 findings: 1 high, 1 low" in text.stdout
    told = json.loads(discover(dsn, "--format", "json", "--fail-on", "never").stdout)
    assert [(each["code"], each["exact"], each["count"]) for each in told["findings"]] == [
        ("DB201", True, 1),
        ("DB304", True, 2000),
    ]
    assert told["findings"][0]["steps"]["dedupe"] == {
        "table": "public.people", "by": ["email"], "keep": ["created_at", "id"],
    }  # fmt: skip
    assert [(each["table"], each["rows"], each["values"]) for each in told["tables"]] == [
        ("public.people", 99, {"email": 99}),
        ("public.phones", 2000, {"phone": 2000}),
    ]
    page = discover(dsn, "--format", "markdown", "--fail-on", "never")
    assert page.returncode == 0
    assert "### DB201 duplicates: public.people (email)" in page.stdout
    assert "| public.phones | 2,000 |" in page.stdout
    assert document.read(people).digest == before


@pytest.mark.one_server
def test_a_limit_that_is_no_time_is_refused(dsn: str) -> None:
    done = discover(dsn, "--limit", "soon")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.one_server
def test_a_folder_of_code_that_is_not_there_is_refused(dsn: str, tmp_path: Path) -> None:
    done = discover(dsn, "--code", tmp_path / "none")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
