"""`lockgate partitions`, as cron runs it."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.shop import Shop

pytestmark = pytest.mark.one_server

PLAN = """\
plan: housekeeping
phases: []
partitions:
  - {table: old.messages, interval: month, ahead: 2, keep: 1, name: messages_YYYY_MM}
"""
SETUP = """
CREATE TABLE old.messages (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE old.long_ago PARTITION OF old.messages FOR VALUES FROM ('2001-01-01 00:00+00') TO ('2002-01-01 00:00+00');
"""


def test_cron_is_told_what_was_done_and_what_is_wrong(shop: Shop, tmp_path: Path) -> None:
    plan = tmp_path / "housekeeping"
    plan.mkdir()
    (plan / "plan.yaml").write_text(PLAN)
    with psycopg.connect(shop.dsn, autocommit=True) as conn:
        conn.execute(SETUP)
        told = shop.run("partitions", str(plan), "--dry-run").stdout
        assert "would be made" in told
        assert "old.long_ago would be retired" in told
        assert conn.execute("SELECT to_regnamespace('lockgate')").fetchone() == (None,)
        result = json.loads(shop.run("partitions", str(plan), "--format", "json").stdout.splitlines()[-1])
        [table] = result["tables"]
        assert (len(table["made"]), table["retired"], table["changed"]) == (3, ["old.long_ago"], True)
        again = shop.run("partitions", str(plan)).stdout
        assert "old.messages: nothing to do; all partitions are as declared" in again
        assert "inserts fail from 20" in again
        conn.execute("DROP TABLE old.messages_" + max(table["made"]).rpartition("messages_")[2])
        conn.execute(f"CREATE VIEW {max(table['made'])} AS SELECT 1")
        assert "something else is called" in shop.run("partitions", str(plan), code=1).stdout
    (plan / "plan.yaml").write_text(PLAN.partition("partitions:")[0])
    assert "must not be empty" in shop.run("partitions", str(plan), code=2).stderr
