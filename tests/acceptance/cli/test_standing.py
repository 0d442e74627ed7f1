"""`lockgate standing`, as cron runs it, and what others are told by it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.acceptance.cli.processes import running
from tests.acceptance.shop import Shop
from tests.unit.standing.test_prometheus import of, parse
from tests.waiting import wait_until
from tests.webhooks import Hook, listening

SECRET = "s3cr3t-t0ken"
STANDING = """
standing:
  webhook: {to: SHOP_WEBHOOK, within: 2s}
  checks:
    - id: subscribers
      check: {reconcile: subscribers}
    - id: duplicates
      check:
        query: SELECT email FROM old.customers GROUP BY email HAVING count(*) > 1000
        empty: true
        title: addresses that a thousand customers share
    - id: storage
      from: model
      check: {query: SELECT share FROM public.errors, at_most: 0.05, title: share of errors}
      alert: {fails: 2}
"""


@pytest.fixture
def watched(shop: Shop) -> Shop:
    file = shop.plan / "plan.yaml"
    file.write_text(file.read_text() + STANDING)
    shop.sql("CREATE TABLE public.errors AS SELECT 0.01 AS share")
    return shop


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    with listening(Hook()) as it:
        monkeypatch.setenv("SHOP_WEBHOOK", it.address(f"/{SECRET}"))
        yield it


def test_a_story_from_the_first_run_to_an_alert_and_out_of_it(watched: Shop, hook: Hook, tmp_path: Path) -> None:
    metrics = tmp_path / "shop.prom"
    words = ("standing", "{plan}", "--prometheus", str(metrics))
    nothing = watched.run("standing", "{plan}", code=9)
    assert "There is no ledger in this database" in nothing.stderr
    watched.run("apply", "{plan}", "--to", "model")
    first = watched.run(*words).stdout
    assert "holds    storage: share of errors: 0.01" in first
    assert "idle     subscribers\n           Not made: it holds from phase subscribers on, which is not done" in first
    assert "2 of 3 standing checks hold, 1 not to hold now." in first
    watched.run("apply", "{plan}", "--to", "subscribers")
    watched.sql("UPDATE public.errors SET share = 0.25")
    failing = watched.run(*words)
    assert "holds    subscribers: " in failing.stdout
    assert "fails    storage: share of errors: 0.25, and it must be at most 0.05" in failing.stdout
    assert "1 of the last 2 runs failed" in failing.stdout
    assert "Before: 0.01 (now +0.24)" in failing.stdout
    assert hook.taken == []
    alert = watched.run(*words, code=1)
    assert "ALERT    storage: share of errors: 0.25" in alert.stdout
    assert f"Told http://127.0.0.1:{hook.port}." in alert.stdout
    assert of(parse(metrics.read_text()), "storage")["alert"] == "1"
    assert [one["text"].rpartition(": ")[2] for one in hook.taken] == ["storage ALERT"]
    events = watched.events(*words, code=1)
    assert [(one["id"], one["state"]) for one in events[:-1]] == [
        ("subscribers", "holds"),
        ("duplicates", "holds"),
        ("storage", "alert"),
    ]
    assert [result["value"] for result in events[2]["results"]] == [0.25, 0.25, 0.25, 0.01]
    assert events[2]["change"] == 0
    assert (events[-1]["exit_code"], events[-1]["alerts"], events[-1]["webhook"]) == (1, ["storage"], None)
    _is_told_elsewhere(watched)
    watched.sql("UPDATE public.errors SET share = 0.02")
    assert "holds    storage" in watched.run(*words).stdout
    assert [one["text"].rpartition(": ")[2] for one in hook.taken] == ["storage ALERT", "storage is well again"]
    shown = watched.run("standing", "{plan}", "--show", "--last", "2").stdout
    assert "Before: 0.25 (now -0.23)" in shown
    everything = failing.output + alert.output + json.dumps(events) + watched.run("report", "{plan}").stdout
    assert SECRET not in everything
    assert watched.sql("SELECT count(*) FROM lockgate.chain WHERE payload::text LIKE '%s3cr3t%'") == [(0,)]


def _is_told_elsewhere(watched: Shop) -> None:
    """In `status`, which it is an alarm for, and in the report."""
    status = watched.run("status", "{plan}", code=1).stdout
    assert "Standing check storage is an ALERT: it fails since 20" in status
    assert "Standing check subscribers holds, last made 20" in status
    found = watched.object("status", "{plan}", code=1)
    assert "standing check storage: share of errors: 0.25, and it must be at most 0.05" in found["alarms"]
    report = watched.run("report", "{plan}").stdout
    assert "## Standing checks" in report
    assert "| storage | share of errors | **alert** | 20" in report
    assert "| 0.25, 0.25, 0.25, 0.01 |" in report
    assert "standing check storage is an alert: share of errors: 0.25" in report


def test_a_webhook_that_fails_hides_nothing_and_is_told_the_next_time(watched: Shop, hook: Hook) -> None:
    watched.run("apply", "{plan}", "--to", "model")
    watched.sql("UPDATE public.errors SET share = 0.25")
    watched.run("standing", "{plan}")
    hook.status = 500
    failed = watched.run("standing", "{plan}", code=1)
    told = (
        f"Warning: The webhook http://127.0.0.1:{hook.port} was not told: it answered 500; the next run tells it again"
    )
    assert told in failed.stderr
    assert SECRET not in failed.output
    hook.status, hook.silent = 200, True
    assert "no answer within 2" in watched.run("standing", "{plan}", code=1).stderr
    hook.silent = False
    assert "Warning" not in watched.run("standing", "{plan}", code=1).stderr
    assert [one["checks"][-1]["changed"] for one in hook.taken] == [True, True, True]
    watched.run("standing", "{plan}", code=1)
    assert len(hook.taken) == 3


def test_what_could_not_be_made_has_a_code_of_its_own_and_an_alert_goes_before(watched: Shop) -> None:
    watched.run("apply", "{plan}", "--to", "model")
    watched.sql("ALTER TABLE public.errors RENAME TO gone")
    unknown = watched.run("standing", "{plan}", code=9).stdout
    assert 'UNKNOWN  storage: The query failed: relation "public.errors" does not exist (SQLSTATE 42P01)' in unknown
    assert "1 could not be made" in unknown
    assert watched.run("standing", "{plan}", "--show", code=9)
    watched.sql("INSERT INTO old.customers (name, email) SELECT 'n', 'same@example.com' FROM generate_series(1, 1001)")
    alert = watched.run("standing", "{plan}", code=1)
    assert (
        "ALERT    duplicates: addresses that a thousand customers share: 1 row, and there must be none" in alert.stdout
    )
    assert "same@example.com" not in alert.output
    assert "SHOP_WEBHOOK is not set" in alert.stderr


def test_metrics_that_cannot_be_written_are_told(watched: Shop, tmp_path: Path) -> None:
    watched.run("apply", "{plan}", "--to", "model")
    failed = watched.run("standing", "{plan}", "--prometheus", str(tmp_path / "absent" / "x.prom"), code=9)
    assert "Warning: The metrics cannot be written: " in failed.stderr
    assert watched.sql("SELECT count(*) FROM lockgate.standing_results") == [(2,)]


def test_two_runs_of_cron_at_once(watched: Shop) -> None:
    watched.run("apply", "{plan}", "--to", "model")
    with psycopg.connect(watched.dsn) as other:
        other.execute("LOCK TABLE lockgate.standing_results")  # so that the first is kept from its end
        with running(watched, "standing", "{plan}") as first:
            held = "SELECT count(*) FROM lockgate.standing_runs WHERE holder IS NOT NULL"
            wait_until(lambda: watched.sql(held) == [(1,)], what="the first run")
            second = watched.run("standing", "{plan}", "--format", "json")
            assert json.loads(second.stdout)["busy"].startswith("Another run makes these checks now: by ")
            assert "Nothing is to be done" in watched.run("standing", "{plan}").stdout
            other.rollback()
            assert first.end() == 0
            assert "2 of 3 standing checks hold" in first.said


def test_one_that_is_told_to_stop_gives_way_to_the_next(watched: Shop) -> None:
    watched.run("apply", "{plan}", "--to", "model")
    with psycopg.connect(watched.dsn) as other:
        other.execute("LOCK TABLE lockgate.standing_results")
        with running(watched, "standing", "{plan}") as first:
            held = "SELECT count(*) FROM lockgate.standing_runs WHERE holder IS NOT NULL"
            wait_until(lambda: watched.sql(held) == [(1,)], what="the run")
            first.signal(signal.SIGTERM)
            first.await_words("stopping after the present check")
            other.rollback()
            assert first.end() == 130
    watched.run("standing", "{plan}")


@pytest.fixture
def reader(watched: Shop) -> Iterator[str]:
    """A role that may read the application's tables, and nothing else."""
    name = f"watch_{watched.dsn.rsplit('lockgate_test_')[1][:12]}"
    watched.sql(f"CREATE ROLE {name} LOGIN")
    watched.sql(f"GRANT USAGE ON SCHEMA old TO {name}; GRANT SELECT ON public.errors, old.customers TO {name}")
    yield name
    watched.sql(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_a_role_that_only_reads_needs_what_grants_prints(watched: Shop, reader: str) -> None:
    watched.run("apply", "{plan}", "--to", "model")
    ours = Shop(make_conninfo(watched.dsn, user=reader), watched.plan)
    refused = ours.run("standing", "{plan}", code=9)
    assert "may not use it" in refused.stderr
    watched.sql(
        watched.run("grants", "--standing", reader).stdout.partition(f'-- "{reader}" makes')[2].partition("\n")[2]
    )
    assert "2 of 3 standing checks hold" in ours.run("standing", "{plan}").stdout
    watched.sql("UPDATE public.errors SET share = 1")
    ours.run("standing", "{plan}")
    assert "ALERT    storage" in ours.run("standing", "{plan}", code=1).stdout
    assert watched.run("verify", "{plan}", "--ledger").stdout.startswith("The ledger's chain is sound")
    for forbidden in (
        "DELETE FROM lockgate.chain",
        "UPDATE lockgate.phases SET state = 'done'",
        "SELECT * FROM old.orders",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ours.sql(forbidden)
    watched.sql(f"REVOKE SELECT ON public.errors FROM {reader}")
    denied = ours.run("standing", "{plan}", code=1).stdout
    assert "UNKNOWN  storage: The role may not do this: permission denied for table errors" in denied
    assert "GRANT SELECT" in denied


def test_thresholds_may_change_without_a_new_approval(watched: Shop) -> None:
    watched.run("apply", "{plan}", "--to", "subscribers")
    watched.run("approve", "orders", "--by", "Ana", "--plan", "{plan}", "--yes")
    file = watched.plan / "plan.yaml"
    file.write_text(file.read_text().replace("at_most: 0.05", "at_most: 0.5"))
    watched.run("apply", "{plan}")
    assert "holds    storage" in watched.run("standing", "{plan}").stdout


def test_what_is_no_check_and_what_has_none(shop: Shop) -> None:
    refused = shop.run("standing", "{plan}", code=2)
    assert "The plan has no standing checks" in refused.stderr
    unreachable = Shop("postgresql://nobody@127.0.0.1:1/none", shop.plan)
    (shop.plan / "plan.yaml").write_text((shop.plan / "plan.yaml").read_text() + STANDING)
    assert "Connection refused" in unreachable.run("standing", "{plan}", code=9).stderr
    assert "no standing check storag" in shop.run("standing", "{plan}", "--only", "storag", code=2).stderr
