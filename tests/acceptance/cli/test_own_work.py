"""Whatever Lockgate does to old tables, a gate that asks whether they are used takes it for nobody else's."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.shop import Shop

PLAN = """\
plan: retiring
phases:
  - id: setup
    steps: [{{sql: SELECT 1}}]
  - id: measure
    before: [{{unused: {{tables: [old.*], for: 300d, allow: [{allow}]}}}}]
    steps: [{{sql: SELECT 1}}]
"""


def counted(shop: Shop, plan: Path) -> dict[str, tuple[int, int, set[str]]]:
    """Of each table that is sampled: what the server counts, what of it is Lockgate's own, and what that was for."""
    told = json.loads(shop.run("sample", str(plan), "--format", "json").stdout)
    names = ("seq_scan", "idx_scan", "n_tup_ins", "n_tup_upd", "n_tup_del")
    return {
        one["table_name"]: (
            sum(one[name] for name in names),
            sum(sum(counts.values()) for counts in one["own"].values()),
            set(one["own"]),
        )
        for one in told["samples"]
    }


def test_a_whole_migration_and_its_backups_are_nobody_elses_use(shop: Shop, tmp_path: Path) -> None:
    plan = tmp_path / "retiring"
    plan.mkdir()
    (plan / "plan.yaml").write_text(PLAN.format(allow=""))
    shop.run("apply", str(plan), "--to", "setup")
    first = counted(shop, plan)
    shop.run("plan", "{plan}")
    shop.finish()
    shop.run("verify", "{plan}")
    shop.run("status", "{plan}")
    shop.run("doctor", code=None)
    shop.run("backup", "{plan}", "--to", str(tmp_path / "all"))
    shop.run("backup", "{plan}", "--to", str(tmp_path / "some"), "--tables", "old.cust*", "--no-prove")
    shop.run("report", "{plan}")
    shop.run("rollback", "{plan}", "--to", "subscribers", "--yes", code=None)
    last = counted(shop, plan)
    for name, (counts, own, purposes) in last.items():
        assert counts - first[name][0] == own - first[name][1] > 0, (name, first, last)
        assert {"pg_dump", "backup"} < purposes
    refused = shop.run("apply", str(plan), code=None)
    assert refused.exit_code in (3, 5), refused.output
    assert "scans between" not in refused.stderr
