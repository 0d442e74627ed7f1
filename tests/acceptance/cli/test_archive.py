"""A person who asks to be forgotten, a court that asks to keep, and a provider's snapshot, as a user does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.acceptance.shop import Shop
from tests.copies import template_copy

pytestmark = pytest.mark.one_server

PLAN = """\
plan: retiring
phases:
  - id: archive
    steps:
      - archive: [old.customers, old.orders]
        retain: 90d
        purpose: claims of customers
        basis: Art. 17(3)(e) GDPR
  - id: change
    before:
      - backup: {within: 1h}
    steps: [{sql: SELECT 1}]
"""


def write(folder: Path) -> str:
    folder.mkdir()
    (folder / "plan.yaml").write_text(PLAN)
    return str(folder)


def test_erase_hold_and_release(shop: Shop, tmp_path: Path) -> None:
    plan = write(tmp_path / "retiring")
    shop.run("apply", plan, "--to", "archive")
    [(customer, orders)] = shop.sql(
        "SELECT customer_id, count(*) FROM archive.orders GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
    )
    by = ("--where-column", "customer_id", "--value", str(customer), "--reason", "request 7", "--plan", plan)
    [dry] = shop.events("archive", "erase", "--all", *by, "--dry-run")
    assert (dry["rows"], dry["dry_run"], dry["without"]) == (orders, True, ["old.customers"])
    assert f"{orders} row" in shop.run("archive", "erase", "old.orders", *by, "--dry-run").stdout
    assert "Give --yes" in shop.run("archive", "erase", "old.orders", *by, code=2).stderr
    assert "not said which tables" in shop.run("archive", "erase", *by, code=2).stderr

    shop.run("archive", "hold", "--all", "--reason", "case 12", "--by", "Ana Souza", "--plan", plan)
    assert "Legal hold 2: old.orders, by Ana Souza since" in shop.run("status", plan).stdout
    assert [held["table"] for held in shop.object("status", plan)["holds"]] == ["old.customers", "old.orders"]
    refused = shop.run("archive", "erase", "old.orders", *by, "--yes", code=3).stderr
    assert "old.orders is under legal hold: hold 2 by Ana Souza since" in " ".join(refused.split())
    assert "under legal hold" in shop.run("rollback", plan, "--yes", code=1).stderr
    shop.run("archive", "release", "--number", "2", "--reason", "closed", "--plan", plan)

    done = shop.events("archive", "erase", "old.orders", *by, "--by", "Bob", "--yes")[-1]
    assert (done["rows"], done["dry_run"]) == (orders, False)
    assert shop.sql(f"SELECT FROM archive.orders WHERE customer_id = {customer}") == []
    assert shop.run("archive", "erase", "old.orders", *by, "--yes").stdout.endswith("nothing was changed.\n")
    report = shop.run("report", plan).stdout
    assert f"old.orders: {orders} rows erased by column customer_id, " in report
    assert "| claims of customers | Art. 17(3)(e) GDPR |" in report
    [table] = [each for each in shop.object("report", plan)["in_archive"] if each["table"] == "old.orders"]
    assert (table["erased_rows"], table["held"]) == (orders, [])
    shop.run("verify", plan, "--ledger")


def test_a_snapshot_opens_the_gate(shop: Shop, tmp_path: Path) -> None:
    plan = write(tmp_path / "retiring")
    shop.run("apply", plan, "--to", "archive")
    assert "there is no backup" in shop.run("apply", plan, code=3).stderr
    shop.run("snapshot", "mark", plan)
    shop.sql("CREATE TABLE old.later (); DROP TABLE old.later")
    with template_copy(shop.dsn) as copy:
        parts = conninfo_to_dict(copy)
        address = f"postgresql://{parts['user']}:s3cret@/{parts['dbname']}?host={parts['host']}"
        told = shop.run("snapshot", "prove", plan, "--at", address)
        assert shop.run("snapshot", "prove", plan, "--at", shop.dsn, code=1).stderr.startswith("Error")
        [event] = [e for e in shop.events("snapshot", "prove", plan, "--at", address) if e["event"] == "result"]
    assert "s3cret" not in told.output + json.dumps(event)
    assert (event["kind"], event["written_meanwhile"]) == ("copy", [])
    opened = " ".join(shop.run("apply", plan).output.split())
    assert "backup 2 of the whole database is 0:0" in opened
    assert f"old at most, {len(event['compared'])} tables equal to the database's; it was at" in opened
    report = shop.run("report", plan).stdout
    assert f"a copy: {len(event['compared'])} tables equal" in report
    assert "s3cret" not in report
