"""Old tables retired for good, from the archive to the refusal of a way back, as a user does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.shop import Shop
from tests.waiting import wait_until

pytestmark = pytest.mark.one_server  # backups are proven on a throw-away server of one version

PLAN = """\
plan: retiring
phases:
  - id: archive
    steps:
      - {archive: [old.customers, old.orders], retain: 90d}
  - id: drop
    before:
      - unused: {tables: [archive.customers, archive.orders], for: 1s, allow: [old.readable]}
      - backup: {within: 1h}
      - backup: {within: 1h, tables: [archive.customers, archive.orders]}
    steps:
      - drop: [old.customers, archive.orders]
        with: [view old.readable]
"""


def test_from_the_archive_to_the_report(shop: Shop, tmp_path: Path) -> None:
    folder, backups = tmp_path / "retiring", tmp_path / "backups"
    folder.mkdir()
    (folder / "plan.yaml").write_text(PLAN)
    plan = str(folder)
    shop.sql("CREATE VIEW old.readable AS SELECT id FROM old.customers")
    [(customers, orders)] = shop.sql("SELECT (SELECT count(*) FROM old.customers), (SELECT count(*) FROM old.orders)")
    shop.run("apply", plan, "--to", "archive")
    shop.run("backup", plan, "--to", str(backups / "whole"))
    alone = ("--tables", "archive.customers", "--tables", "archive.orders")
    shop.run("backup", plan, "--to", str(backups / "alone"), *alone)
    shop.run("sample", plan)

    def asked() -> bool:
        """Whether only the retention is in the way: the second without a use has passed."""
        told = shop.run("apply", plan, code=5).stderr
        return "cannot be told before" not in told and "old.customers must be kept until" in told

    wait_until(asked)
    assert shop.sql("SELECT FROM lockgate.dropped") == []
    shop.sql("UPDATE lockgate.archived SET retain_until = clock_timestamp()")
    shown = " ".join(shop.run("plan", plan).stdout.split())
    assert "before it: DROP VIEW old.readable" in shown
    assert "is dropped for good, no way back but a backup" in shown
    shop.run("apply", plan)
    assert shop.sql("SELECT name, row_count FROM lockgate.dropped ORDER BY id") == [
        ("customers", customers),
        ("orders", orders),
    ]
    report = shop.run("report", plan).stdout
    assert "## Removed for good" in report
    assert f"| old.customers | {customers:,} |" in report
    refused = shop.run("rollback", plan, "--yes", code=1).stderr
    assert "it dropped 2 tables for good" in " ".join(refused.split())
    [made] = (backups / "alone").iterdir()
    assert f"lockgate restore {made} --table archive.customers" in " ".join(refused.split())
    shop.run("verify", plan, "--ledger")
    assert "The ledger has the only log of tables" in shop.run("uninstall", "--yes", code=1).stderr
