"""Whatever Lockgate does to old tables, a gate that asks whether they are used takes it for nobody else's."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.acceptance.cli.processes import running
from tests.acceptance.shop import Shop
from tests.waiting import wait_until

PLAN = """\
plan: retiring
phases:
  - id: setup
    steps: [{sql: SELECT 1}]
  - id: retire
    before: [{unused: {tables: [old.*, shop.*], for: 300d, allow: [old.customers_id_seq, old.orders_id_seq]}}]
    steps: [{sql: SELECT 1}]
"""


@pytest.fixture
def retiring(shop: Shop, tmp_path: Path) -> Path:
    """Another plan, which watches all tables of the shop that are there from here on."""
    plan = tmp_path / "retiring"
    plan.mkdir()
    (plan / "plan.yaml").write_text(PLAN)
    shop.run("apply", str(plan), "--to", "setup")
    return plan


def counted(shop: Shop, plan: Path) -> dict[str, tuple[int, int, set[str]]]:
    """Of each table that is sampled: what the server counts, what of it is Lockgate's own, and what that was for."""
    told = json.loads(shop.run("sample", str(plan), "--format", "json").stdout)
    names = ("seq_scan", "idx_scan", "n_tup_ins", "n_tup_upd", "n_tup_del")
    return {
        f"{one['schema_name']}.{one['table_name']}": (
            sum(one[name] for name in names),
            sum(sum(counts.values()) for counts in one["own"].values()),
            set(one["own"]),
        )
        for one in told["samples"]
    }


def foreign(shop: Shop, plan: Path, first: dict[str, tuple[int, int, set[str]]]) -> dict[str, int]:
    """What others than Lockgate have done since then."""
    done = {name: of[0] - of[1] - first[name][0] + first[name][1] for name, of in counted(shop, plan).items()}
    return {name: count for name, count in done.items() if count}


def test_a_whole_migration_and_its_backups_are_nobody_elses_use(shop: Shop, retiring: Path, tmp_path: Path) -> None:
    first = counted(shop, retiring)
    shop.run("plan", "{plan}")
    shop.finish()
    shop.run("verify", "{plan}")
    shop.run("status", "{plan}")
    shop.run("doctor", "{plan}", code=None)
    shop.run("backup", "{plan}", "--to", str(tmp_path / "all"), "--on", shop.dsn)
    shop.run("backup", "{plan}", "--to", str(tmp_path / "some"), "--tables", "old.cust*", "--no-prove")
    shop.run("report", "{plan}")
    last = counted(shop, retiring)
    assert {name: last[name][0] - last[name][1] for name in first} == {n: of[0] - of[1] for n, of in first.items()}
    assert {"pg_dump", "backup", "measure", "reconcile"} < last["old.orders"][2] | last["old.customers"][2]
    shop.run("rollback", "{plan}", "--to", "model", "--yes")
    assert {name: count for name, count in foreign(shop, retiring, last).items() if name in first} == {}
    refused = shop.run("apply", str(retiring), code=5).stderr
    assert "cannot be told before" in refused


def test_a_sync_is_nobody_elses_use_and_a_kill_of_it_is_none(shop: Shop, retiring: Path) -> None:
    shop.run("apply", "{plan}", "--to", "subscribers")
    first = counted(shop, retiring)

    def written() -> int:
        return int(shop.sql("SELECT sum(rows_written) FROM lockgate.sync_targets")[0][0])

    for ended in (signal.SIGTERM, signal.SIGKILL):
        before = written()
        with running(shop, "sync", "{plan}", "--every", "1") as sync:
            sync.await_words("applies the changes of plan shop, until Ctrl-C or SIGTERM")
            shop.sql(f"INSERT INTO old.customers (name, email) VALUES ('New', '{ended.name}@example.com')")
            wait_until(lambda before=before: written() > before)  # type: ignore[misc]
            sync.signal(ended)
            sync.end()
    assert foreign(shop, retiring, first) == {"old.customers": 2}
    told = json.loads(shop.run("sample", str(retiring), "--format", "json").stdout)["samples"]
    assert all(one["own"]["applier"] for one in told if one["table_name"] in ("customers", "subscribers"))
