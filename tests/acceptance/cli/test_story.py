"""A plan from the first look to the way back, as its user sees it."""

from __future__ import annotations

import re

from tests.acceptance.shop import Shop


def test_from_the_first_look_to_the_last_phase(shop: Shop) -> None:
    first = shop.run("status", "{plan}").stdout
    assert "Plan shop in database" in first
    assert "0 of 3 phases done" in first
    assert "Ledger: none yet; `lockgate apply` makes it" in first

    looked = shop.run("plan", "{plan}").stdout
    assert "model: The new tables (pending, next)" in looked
    assert "CREATE SCHEMA shop" in looked
    assert "known when the steps before it are done" in looked
    assert "Nothing was touched." in looked
    assert shop.sql("SELECT to_regnamespace('lockgate'), to_regnamespace('shop')") == [(None, None)]

    said = shop.run("apply", "{plan}", "--to", "subscribers").stdout
    assert "phase subscribers: done" in said
    assert "This run finished model, subscribers." in said
    assert "2 of 3 phases are done." in said
    assert re.search(r"subscribers +1,000 +940 +30 +30 +0 +0", said)

    waits = shop.run("apply", "{plan}", code=4)
    assert "Phase orders may not start: phase orders needs 1 approval and has 0" in waits.stderr
    assert "`lockgate approve orders`" in waits.stderr
    status = shop.run("status", "{plan}").stdout
    assert "Waiting: phase orders needs 1 approval and has 0\n  Do: Approve with `lockgate approve orders`." in status

    approved = shop.run("approve", "orders", "--by", "Ana", "--plan", "{plan}", "--yes").stdout
    assert "orders_of_a_customer (measure)" in approved
    assert "Approved by Ana" in approved
    assert "1 of 1." in approved

    assert "3 of 3 phases are done." in shop.run("apply", "{plan}").stdout
    assert "There was nothing to do." in shop.run("apply", "{plan}").stdout
    assert shop.run("verify", "{plan}").stdout.endswith("5 of 5 checks hold.\n")
    assert "Nothing is left to do." in shop.run("plan", "{plan}").stdout
    sound = shop.run("verify", "{plan}", "--ledger").stdout
    assert "chain is sound" in sound
    assert "goes on from" in sound
    assert (shop.plan / "plan.lock.json").exists()


def test_the_way_back_says_first_what_it_loses(shop: Shop) -> None:
    shop.run("apply", "{plan}", "--to", "subscribers")
    shop.sql("INSERT INTO shop.subscribers VALUES ('born@new.example', 1, true, now())")
    refused = shop.run("rollback", "{plan}", "--to", "model", "--yes", code=1)
    assert "These rows would be lost:\n  shop.subscribers  1  born in the new model" in refused.stdout
    assert "--lose-rows" in refused.stderr
    assert shop.sql("SELECT count(*) FROM shop.subscribers") == [(941,)]
    unasked = shop.run("rollback", "{plan}", "--to", "model", "--lose-rows", code=2)
    assert "Nobody is there to ask" in unasked.stderr
    back = shop.run("rollback", "{plan}", "--to", "@start", "--lose-rows", "--yes").stdout
    assert "This run took back subscribers, model." in back
    assert shop.sql("SELECT to_regnamespace('shop')") == [(None,)]
    assert "There is nothing to take back." in shop.run("rollback", "{plan}").stdout
    assert "0 of 3 phases done" in shop.run("status", "{plan}").stdout


def test_the_way_back_needs_no_select(shop: Shop) -> None:
    """A mapping whose source is gone says what cannot be told any more, and is taken back all the same."""
    shop.run("apply", "{plan}", "--to", "subscribers")
    (table,) = shop.sql("SELECT label FROM lockgate.logs WHERE writer = '' ORDER BY id LIMIT 1")[0]
    shop.sql(f"DROP TABLE {table} CASCADE")
    refused = shop.run("rollback", "{plan}", "--yes", code=1)
    assert "Going back would lose 940 rows" in refused.stderr
    assert f'nobody can tell whether the old model has them, too: there is no table "{table}"' in refused.stderr
    assert f'Mend what a mapping needs (there is no table "{table}")' in refused.stderr
    assert "This run took back subscribers." in shop.run("rollback", "{plan}", "--lose-rows", "--yes").stdout
    assert shop.sql("SELECT count(*) FROM shop.subscribers") == [(0,)]
    assert shop.sql("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'lockgate%'") == [(0,)]


def test_a_program_reads_the_same(shop: Shop) -> None:
    events = shop.events("apply", "{plan}", "--to", "subscribers")
    assert {event["event"] for event in events} == {"message", "progress", "result"}
    assert events[-1]["phases"] == ["model", "subscribers"]
    assert (events[-1]["phases_done"], events[-1]["phases_planned"], events[-1]["exit_code"]) == (2, 3, 0)

    refused = shop.events("apply", "{plan}", code=4)
    assert refused[-1]["error"]["kind"] == "AwaitingApproval"
    assert refused[-1]["error"]["exit_code"] == 4

    status = shop.object("status", "{plan}")
    assert (status["phases_done"], status["alarms"]) == (2, [])
    assert status["waiting"] == [
        {"reason": "phase orders needs 1 approval and has 0", "release": "Approve with `lockgate approve orders`."}
    ]
    assert [sync["target"] for sync in status["sync"]] == ["shop.subscribers"]

    preview = shop.object("plan", "{plan}")
    assert [phase["state"] for phase in preview["phases"]] == ["done", "done", "pending"]
    assert preview["phases"][2]["gates"][0]["open"] is False
    assert preview["pending"] == 1
    assert shop.run("plan", "{plan}", "--exit-code", code=10)

    checks = shop.events("verify", "{plan}")
    assert checks[-1] == {"event": "result", "checks": 4, "passed": 4, "recorded": False}
    assert shop.object("report", "{plan}")["phases_done"] == 2


def test_a_changed_plan_stops(shop: Shop) -> None:
    shop.run("apply", "{plan}", "--to", "model")
    file = shop.plan / "sql" / "new_model.sql"
    file.write_text(file.read_text().replace("added_at timestamptz NOT NULL", "added_at timestamptz"))
    said = shop.run("apply", "{plan}", code=6).stderr
    assert "sql/new_model.sql:1:1" in said or "new_model" in said
    assert shop.run("plan", "{plan}", code=6)


def test_what_does_not_hold_any_more_is_found(shop: Shop) -> None:
    shop.run("apply", "{plan}", "--to", "subscribers")
    shop.sql(
        "DROP INDEX shop.orders_customer_id; UPDATE shop.subscribers SET email = upper(email) WHERE customer_id = 70"
    )
    found = shop.run("verify", "{plan}", "--record", code=1).stdout
    assert "FAILED  subscribers: addresses are in lower case: 1, and it must be 0" in found
    assert "Where: plan.yaml:" in found
    recorded = shop.object("report", "{plan}")["events"]
    assert any("asked again: addresses are in lower case: does not hold" in event["text"] for event in recorded)


def test_uninstall_takes_its_own_and_nothing_else(shop: Shop) -> None:
    shop.run("apply", "{plan}", "--to", "subscribers")
    refused = shop.run("uninstall", "--yes", code=1)
    assert "Sync is live: shop.subscribers" in refused.stderr
    assert "8 triggers on your tables" in shop.run("uninstall", "--yes", "--force").stdout
    assert shop.sql("SELECT count(*) FROM shop.subscribers") == [(940,)]
    assert shop.sql("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'lockgate%'") == [(0,)]
    assert "There was nothing of Lockgate" in shop.run("uninstall", "--yes").stdout


def test_a_mapping_that_was_taken_back_is_filled_again(shop: Shop) -> None:
    for _ in range(2):
        assert "subscribers: 940 rows written" in shop.run("apply", "{plan}", "--to", "subscribers").stdout
        assert shop.sql("SELECT count(*) FROM shop.subscribers") == [(940,)]
        shop.run("rollback", "{plan}", "--yes")
        assert shop.sql("SELECT count(*) FROM shop.subscribers") == [(0,)]
