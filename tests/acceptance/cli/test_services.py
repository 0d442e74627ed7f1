"""Commands that run for a while: live control, clean ends by signal, and going on after a kill."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from tests.acceptance.cli.processes import running
from tests.acceptance.shop import Shop
from tests.waiting import wait_until

pytestmark = pytest.mark.one_server

ORDERS = 65_000
TUNED = ("tune", "{plan}", "--workers", "2", "--chunk-rows", "20000")


@pytest.fixture
def slow(shop: Shop) -> Shop:
    """The shop before its last phase, whose many orders go in small chunks: there is time to step in."""
    plan = shop.plan / "plan.yaml"
    plan.write_text(plan.read_text().replace("    before:\n      - approval: {by: 1}\n", ""))
    shop.sql(
        "INSERT INTO old.orders (customer_id, total, status) "
        f"SELECT 1 + n % 1000, n, 'paid' FROM generate_series(1, {ORDERS - 5000}) AS n"
    )
    shop.run("apply", "{plan}", "--to", "subscribers")
    shop.run("tune", "{plan}", "--chunk-rows", "100")
    return shop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sync_applies_until_it_is_told_to_end(shop: Shop, number: signal.Signals) -> None:
    shop.run("apply", "{plan}", "--to", "subscribers")
    with running(shop, "sync", "{plan}", "--every", "1") as sync:
        sync.await_words("applies the changes of plan shop, until Ctrl-C or SIGTERM")
        shop.sql("INSERT INTO old.customers (name, email) VALUES ('New', 'new@example.com')")
        count = "SELECT count(*) FROM shop.subscribers WHERE email = 'new@example.com'"
        wait_until(lambda: shop.sql(count) == [(1,)])
        sync.await_words("shop.subscribers: live, 0 changes wait")
        sync.signal(number)
        assert sync.end() == 0
        assert f"{number.name}: stopping after this batch" in sync.said
        assert sync.said.endswith("stopped\n")


def test_sync_is_missed_when_nobody_runs_it(shop: Shop) -> None:
    shop.run("apply", "{plan}", "--to", "subscribers")
    shop.sql("INSERT INTO old.customers (name, email) VALUES ('New', 'new@example.com')")
    shop.sql("UPDATE lockgate.sync_targets SET last_applied_at = now() - interval '1 minute'")
    status = shop.run("status", "{plan}", code=1).stdout
    assert "ALARM: shop.subscribers: nobody applies its changes for 6" in status
    assert "; 1 wait\n  Do: Run `lockgate sync` as a service for as long as no apply runs." in status
    assert shop.object("status", "{plan}", code=1)["alarms"]
    found = shop.run("doctor", "{plan}", code=1).stdout
    assert "fail  sync:      shop.subscribers: nobody applies its changes" in found


def test_apply_is_paused_tuned_resumed_and_watched(slow: Shop) -> None:
    with running(slow, "apply", "{plan}") as apply:
        apply.await_words("chunk 0 of")
        assert "Plan shop is paused." in slow.run("pause", "{plan}", "--reason", "sale until noon").stdout
        apply.await_words("waiting: paused: sale until noon (released by: lockgate resume)")
        status = slow.run("status", "{plan}").stdout
        assert re.search(r"running +orders +map\n +chunk \d+ of \d+", status)
        assert "Asked by postgres: paused, 100 rows a chunk" in status
        assert "Waiting: paused by postgres: sale until noon\n  Do: `lockgate resume`" in status
        assert "Runner: apply of shop by" in status
        busy = slow.run("apply", "{plan}", code=8).stderr
        assert "Another runner holds the lease: apply of shop by" in busy
        looked = slow.run("watch", "{plan}", "--count", "2", "--interval", "0.1").stdout
        assert looked.count("Plan shop in database") == 2
        assert "workers 2, rows a chunk 20000" in slow.run(*TUNED).stdout
        slow.run("resume", "{plan}")
        assert apply.end() == 0
        assert "going on" in apply.said
        assert "3 of 3 phases are done." in apply.said
    assert slow.sql("SELECT count(*) FROM shop.orders") == [(ORDERS,)]
    events = [event["text"] for event in slow.object("report", "{plan}")["events"]]
    assert "postgres paused the plan: sale until noon" in events
    assert "postgres set workers to 2 and set rows a chunk to 20000" in events


def test_ctrl_c_stops_cleanly_and_apply_goes_on(slow: Shop) -> None:
    with running(slow, "apply", "{plan}") as apply:
        apply.await_words("chunk 0 of")
        apply.signal(signal.SIGINT)
        assert apply.end() == 130
        assert "SIGINT: stopping after the present chunk; once more to stop at once" in apply.said
        assert "Run the same command again to go on." in apply.said
    status = slow.run("status", "{plan}").stdout
    assert "phase orders is running, and no runner is at work\n  Do: `lockgate apply`" in status
    slow.run(*TUNED)
    assert "3 of 3 phases are done." in slow.run("apply", "{plan}").stdout


def test_a_killed_apply_is_followed_by_another(slow: Shop) -> None:
    with running(slow, "apply", "{plan}") as apply:
        apply.await_words("chunk 0 of")
        apply.signal(signal.SIGKILL)
        apply.end()
    slow.run(*TUNED)
    assert "3 of 3 phases are done." in slow.run("apply", "{plan}").stdout
    assert slow.sql("SELECT count(*) FROM shop.orders") == [(ORDERS,)]


def test_a_worker_from_outside_helps_and_ends_cleanly(slow: Shop) -> None:
    with running(slow, "work", "{plan}") as work, running(slow, "apply", "{plan}") as apply:
        work.await_words("works on mapping orders")
        wait_until(lambda: len(slow.sql("SELECT DISTINCT worker FROM lockgate.chunks WHERE state = 'done'")) > 2, 60)
        slow.run(*TUNED)
        assert apply.end() == 0
        work.signal(signal.SIGTERM)
        assert work.end() == 0
        assert work.said.endswith("stopped\n")
    assert slow.sql("SELECT count(*) FROM shop.orders") == [(ORDERS,)]


def test_watch_ends_after_its_count(shop: Shop) -> None:
    shop.run("apply", "{plan}", "--to", "model")
    looked = shop.run("watch", "{plan}", "--interval", "0.1", "--count", "3").stdout
    assert looked.count("1 of 3 phases done") == 3


def test_a_reader_that_leaves_is_no_traceback() -> None:
    command = [sys.executable, "-m", "lockgate", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1
