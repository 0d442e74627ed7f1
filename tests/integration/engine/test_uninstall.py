from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.uninstall import Removed, uninstall
from lockgate.errors import LockgateError, LockNotAcquired
from tests.integration.engine.plans import QUICK, one, rows, sessions, write_plan

PLAN = "phases: [{id: a, steps: [{sql: CREATE TABLE t (x int)}]}]"
TRIGGER = """
CREATE FUNCTION lockgate.log_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER lockgate_log AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION lockgate.log_it();
"""
LIVE = (
    "INSERT INTO lockgate.sync_targets (plan, name, relid, state, snapshot)"
    " VALUES ('shop', 'public.t', 't'::regclass, 'live', pg_current_snapshot())"
)


@pytest.fixture
def used(dsn: str, tmp_path: Path) -> str:
    runner.apply(write_plan(tmp_path, PLAN), sessions(dsn))
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(TRIGGER)
    return dsn


def test_takes_everything_out_and_leaves_the_tables(used: str) -> None:
    assert uninstall(sessions(used)) == Removed(True, ("public.t.lockgate_log",))
    assert one(used, "SELECT to_regnamespace('lockgate')") is None
    assert rows(used, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == []
    assert one(used, "SELECT to_regclass('t')") == "t"
    assert uninstall(sessions(used)) == Removed(False)


def test_refuses_while_sync_is_live_unless_forced(used: str) -> None:
    with psycopg.connect(used, autocommit=True) as conn:
        conn.execute(LIVE)
    with pytest.raises(LockgateError, match="Sync is live: public"):
        uninstall(sessions(used))
    assert one(used, "SELECT to_regnamespace('lockgate')") == "lockgate"
    assert uninstall(sessions(used), force=True).ledger


def test_does_not_hold_a_busy_table_up(used: str) -> None:
    with psycopg.connect(used) as busy:
        busy.execute("SELECT * FROM t")
        with pytest.raises(LockNotAcquired) as caught:
            uninstall(sessions(used, QUICK))
        assert caught.value.where == "table public.t"
    assert one(used, "SELECT holder FROM lockgate.lease") is None
    assert uninstall(sessions(used)).ledger
