"""The partition step: a plain table becomes a partitioned one under the application's hands, and a plain one again."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from lockgate.engine.fingerprint import fingerprint
from tests.integration.engine.plans import one, rows
from tests.integration.steps.cutovers import act, apply, rollback
from tests.integration.steps.partitioned import MESSAGES, SETUP, Application, plan


@pytest.fixture
def filled(dsn: str) -> str:
    act(dsn, SETUP)
    return dsn


def schema(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return fingerprint(conn).digest


def content(dsn: str, table: str = MESSAGES) -> list[tuple[object, ...]]:
    return rows(dsn, f"SELECT * FROM {table} ORDER BY id")


def test_everything_that_hangs_on_the_table_moves_and_comes_back(filled: str, tmp_path: Path) -> None:
    before, held = schema(filled), content(filled)
    loaded = plan(tmp_path)
    apply(filled, loaded, "split")
    assert content(filled) == held
    assert one(filled, f"SELECT relkind::text FROM pg_class WHERE oid = '{MESSAGES}'::regclass") == "p"
    rollback(filled, loaded, "@start")
    assert schema(filled) == before
    assert content(filled) == held


def test_nothing_is_lost_and_nothing_fails_while_the_application_writes(filled: str, tmp_path: Path) -> None:
    before = schema(filled)
    loaded = plan(tmp_path)
    application = Application(filled)
    with application.writing():
        apply(filled, loaded, "split")
    assert application.failures == []
    with application.writing():
        rollback(filled, loaded, "@start")
    assert application.failures == []
    assert schema(filled) == before
