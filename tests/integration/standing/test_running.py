"""Runs of standing checks on a real server."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import psycopg
import pytest

from lockgate.engine.clock import Clock, FakeClock, SystemClock
from lockgate.engine.context import Silent
from lockgate.engine.phases import PhaseState
from lockgate.engine.retry import Policy
from lockgate.engine.strong import StrongLock
from lockgate.errors import LeaseLost, LedgerError, UsageError
from lockgate.ledger import audit, chain, phases, standing
from lockgate.ledger.standing import Trend
from lockgate.plan.load import LoadedPlan
from lockgate.standing import running
from lockgate.standing.running import Run
from tests.integration.engine.plans import QUICK, Told, sessions, write_plan
from tests.waiting import wait_until

HEAD = """\
phases:
  - id: first
    steps: [{sql: SELECT 1}]
  - id: second
    steps: [{sql: SELECT 1}]
settings: {lock_timeout: 200ms}
standing:
"""
START = FakeClock().now()


class Bench:
    """A plan's standing checks, run as cron would, with time that passes when it is told to."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn, self.folder, self.clock = dsn, folder, FakeClock()
        self.stop = threading.Event()

    def plan(self, checks: str, more: str = "") -> LoadedPlan:
        text = f"{HEAD}{indent(dedent(more), '  ')}  checks:\n{indent(dedent(checks), '    ')}"
        return write_plan(self.folder / "plan", text)

    def run(self, loaded: LoadedPlan, *, only: tuple[str, ...] = (), last: int = 5, clock: Clock | None = None) -> Run:
        return running.run(
            loaded,
            sessions(self.dsn, loaded.plan.settings),
            only=only,
            last=last,
            clock=clock or self.clock,
            progress=Silent(),
            stop=self.stop,
        )

    def sql(self, *statements: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def values(self, query: str) -> list[Any]:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            return [row[0] for row in conn.execute(query.encode())]

    def phase(self, name: str, state: PhaseState) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            phases.set(conn, "shop", name, state.value)

    def events(self) -> list[str]:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            assert audit.verify(conn) == []
            return [str(entry.payload["what"]) for entry in chain.entries(conn, "shop", ["event"])]


@pytest.fixture
def bench(dsn: str, tmp_path: Path) -> Bench:
    made = Bench(dsn, tmp_path)
    made.sql("CREATE TABLE public.t (v numeric)")
    return made


ONE = """\
- id: storage
  check: {query: SELECT max(v) FROM public.t, at_most: 0.05, title: errors}
"""


def only(run: Run) -> Trend:
    [trend] = run.trends
    return trend


def outcomes(run: Run) -> list[str]:
    return [result.outcome for result in only(run).results]


def test_each_result_is_kept_with_its_value_time_and_query(bench: Bench) -> None:
    loaded = bench.plan(ONE)
    bench.sql("INSERT INTO public.t VALUES (0.01)")
    bench.run(loaded)
    bench.clock.advance(timedelta(minutes=5))
    bench.sql("UPDATE public.t SET v = 0.25")
    run = bench.run(loaded)
    trend = only(run)
    assert [(one.at - START, one.outcome, one.value, one.found) for one in trend.results] == [
        (timedelta(minutes=5), "fails", 0.25, "errors: 0.25, and it must be at most 0.05"),
        (timedelta(), "holds", 0.01, "errors: 0.01"),
    ]
    assert trend.change == pytest.approx(0.24)
    assert trend.check.query == "SELECT max(v) FROM public.t"
    assert trend.check.asks == "errors"
    assert (run.database, run.at) == (psycopg.conninfo.conninfo_to_dict(bench.dsn)["dbname"], bench.clock.now())
    assert bench.values("SELECT count(*) FROM lockgate.standing_checks") == [1]


def test_the_time_that_a_check_takes_is_kept(bench: Bench) -> None:
    loaded = bench.plan("- {id: slow, check: {query: 'SELECT 1 FROM pg_sleep(0.05)', equals: 1}}")
    [result] = only(bench.run(loaded, clock=SystemClock())).results
    assert result.seconds >= 0.05


def test_an_alert_takes_its_failures_and_only_changes_are_in_the_chain(bench: Bench) -> None:
    loaded = bench.plan(ONE + "  alert: {fails: 2, of: 3}\n")
    bench.sql("INSERT INTO public.t VALUES (1)")
    first = bench.run(loaded)
    assert (only(first).state, bench.events()) == ("fails", [])
    assert only(first).check.failing_since == START
    bench.clock.advance(timedelta(hours=1))
    second = bench.run(loaded)
    assert only(second).state == "alert"
    raised = "standing check storage is an alert: errors: 1, and it must be at most 0.05"
    assert bench.events() == [raised]
    assert (only(second).check.failing_since, only(second).check.alert_since) == (START, START + timedelta(hours=1))
    bench.sql("UPDATE public.t SET v = 0")
    third = bench.run(loaded)
    assert (only(third).state, only(third).check.failing_since) == ("alert", None)
    assert only(third).check.alert_since == START + timedelta(hours=1)
    assert only(bench.run(loaded)).state == "holds"
    assert bench.events() == [raised, "standing check storage is no alert any more: errors: 0"]


def test_what_cannot_be_asked_is_unknown_and_says_nothing_of_the_alert(bench: Bench) -> None:
    loaded = bench.plan(ONE + "  alert: {fails: 2}\n- {id: other, check: {query: SELECT 1, equals: 1}}\n")
    bench.sql("INSERT INTO public.t VALUES (1)")
    bench.run(loaded)
    bench.sql("ALTER TABLE public.t RENAME v TO w")
    run = bench.run(loaded)
    assert [trend.state for trend in run.trends] == ["unknown", "holds"]
    assert run.unknown == ["storage"]
    storage = run.trends[0]
    assert storage.last is not None
    assert storage.last.value is None
    assert 'column "v" does not exist' in storage.last.found
    assert storage.check.failing_since == START
    assert storage.check.query == "SELECT max(v) FROM public.t"
    bench.sql("ALTER TABLE public.t RENAME w TO v")
    assert bench.run(loaded).trends[0].state == "alert"


@pytest.mark.parametrize(
    ("check", "outcome", "value", "found"),
    [
        (
            "{query: SELECT max(v) FROM public.t, at_most: 1, title: q}",
            "fails",
            None,
            "q: NULL, and it must be at most 1",
        ),
        ("{query: SELECT max(v) FROM public.t, equals: null, title: q}", "holds", None, "q: NULL"),
        ("{query: SELECT 1 FROM public.t, empty: true, title: q}", "holds", 0, "q: 0 rows"),
        ("{query: SELECT true, equals: true, title: q}", "holds", 1, "q: True"),
        ("{query: \"SELECT 'NaN'::float8\", at_most: 1, title: q}", "fails", float("nan"), None),
        ("{query: \"SELECT 'Infinity'::float8\", at_least: 1, title: q}", "holds", float("inf"), None),
        (
            '{query: "SELECT who FROM public.people", equals: Bo, title: q}',
            "fails",
            None,
            "q: (a value; --show-values shows it)",
        ),
        (
            "{query: SELECT born FROM public.people, equals: 1, title: q}",
            "fails",
            None,
            "q: (a value; --show-values shows it)",
        ),
        ('{query: SELECT "Größe" FROM odd."Ta""b le", at_least: 3, title: q}', "holds", 3, "q: 3"),
        ("{objects: {tables: [public.t, public.absent]}}", "fails", 1, "table public.absent is not there"),
        ("{explain: SELECT * FROM public.t, no_seq_scan: [public.t]}", "fails", None, None),
    ],
)
def test_each_kind_has_its_number_and_no_row_shows(
    bench: Bench, check: str, outcome: str, value: float | None, found: str | None
) -> None:
    bench.sql(
        "CREATE TABLE public.people AS SELECT 'Ann Example' AS who, DATE '1970-01-02' AS born",
        'CREATE SCHEMA odd; CREATE TABLE odd."Ta""b le" AS SELECT 3 AS "Größe"',
    )
    [result] = only(bench.run(bench.plan(f"- id: c\n  check: {check}\n"))).results
    assert result.outcome == outcome
    assert result.value == pytest.approx(value, nan_ok=True)
    assert found is None or result.found.startswith(found)
    assert "Ann" not in str(
        bench.values(
            "SELECT r.found || c.query || c.asks FROM lockgate.standing_results r "
            "JOIN lockgate.standing_checks c ON c.id = r.check_id"
        )
    )


# --- time, locks and writing ------------------------------------------------------------------------------


def test_a_query_that_takes_too_long_is_stopped_and_the_others_are_made(bench: Bench) -> None:
    loaded = bench.plan(
        """\
        - {id: slow, within: 200ms, check: {query: SELECT 1 FROM pg_sleep(60), equals: 1}}
        - {id: other, check: {query: SELECT 1, equals: 1}}
        """
    )
    run = bench.run(loaded, clock=SystemClock())
    slow, other = run.trends
    assert slow.last is not None
    assert (slow.last.outcome, slow.last.found) == ("unknown", "It did not end within 200ms, so it was stopped")
    assert run.made["slow"].hint == "Make the query cheaper, or give it more time: `within`."
    assert other.state == "holds"
    assert bench.values(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> "
        "pg_backend_pid() AND datname = current_database() AND state = 'active'"
    ) == [0]


def test_the_server_itself_ends_a_statement_that_takes_too_long(bench: Bench) -> None:
    told = "{query: \"SELECT current_setting('statement_timeout')\", equals: 200ms}"
    assert outcomes(bench.run(bench.plan(f"- {{id: limit, within: 200ms, check: {told}}}\n"))) == ["holds"]


def test_many_short_statements_have_one_time_together(bench: Bench) -> None:
    loaded = bench.plan(
        "- {id: slow, within: 300ms, check: {explain: SELECT 1 FROM pg_sleep(0.1), at_most: 1m, runs: 100}}\n"
    )
    [result] = only(bench.run(loaded, clock=SystemClock())).results
    assert (result.outcome, result.found) == ("unknown", "It did not end within 300ms, so it was stopped")
    assert result.seconds < 9


def test_a_lock_is_waited_for_no_longer_than_the_settings_say(bench: Bench) -> None:
    loaded = bench.plan(ONE)
    with psycopg.connect(bench.dsn) as other:
        other.execute("LOCK TABLE public.t")
        [result] = only(bench.run(loaded, clock=SystemClock())).results
        other.execute("INSERT INTO public.t VALUES (0)")
    assert result.outcome == "unknown"
    assert "lock timeout" in result.found
    assert outcomes(bench.run(loaded)) == ["holds", "unknown"]


def test_a_check_cannot_write(bench: Bench) -> None:
    bench.sql("CREATE FUNCTION public.w() RETURNS int LANGUAGE sql AS 'INSERT INTO public.t VALUES (1) RETURNING 1'")
    loaded = bench.plan(
        """\
        - {id: query, check: {query: SELECT public.w(), equals: 1}}
        - {id: call, check: {objects: {calls: {public.w(): 1}}}}
        """
    )
    query, call = bench.run(loaded).trends
    assert query.last is not None
    assert call.last is not None
    assert (query.last.outcome, call.last.outcome) == ("unknown", "fails")
    assert "read-only transaction" in query.last.found
    assert "read-only transaction" in call.last.found
    assert bench.values("SELECT count(*) FROM public.t") == [0]


def test_a_check_gives_way_to_a_runner_that_needs_a_lock_and_is_made_again(bench: Bench) -> None:
    loaded = bench.plan(
        """\
        - id: long
          within: 20m
          check:
            query: |
              SELECT count(*) FROM public.t, LATERAL (
                SELECT CASE WHEN to_regclass('public.go') IS NULL THEN pg_sleep(600) END) AS waits
            equals: 1
        """
    )
    bench.sql("INSERT INTO public.t VALUES (1)")
    runs: list[Run] = []
    thread = threading.Thread(target=lambda: runs.append(bench.run(loaded, clock=SystemClock())), daemon=True)
    thread.start()
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    wait_until(lambda: bench.values(asleep) == [1], what="the check is at work")
    ours = sessions(bench.dsn, QUICK)
    lock = StrongLock(
        sessions=ours,
        policy=Policy(10),
        clock=SystemClock(),
        progress=Told(),
        stop=threading.Event(),
        purpose="test",
        where="plan.yaml:1:1",
        relations=["public.t"],
    )

    def alter(conn: psycopg.Connection[Any]) -> None:
        with conn.transaction():
            conn.execute("ALTER TABLE public.t ADD COLUMN more int")
            conn.execute("CREATE TABLE public.go ()")

    try:
        lock.do(alter)
        thread.join(30)
    finally:
        bench.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'lockgate:standing' AND datname = current_database()"
        )
        thread.join()
    assert outcomes(runs[0]) == ["holds"]


# --- when -------------------------------------------------------------------------------------------------


def test_a_check_holds_from_a_phase_on_and_its_alert_is_over_when_that_is_undone(bench: Bench) -> None:
    loaded = bench.plan(ONE + "  from: first\n")
    bench.sql("INSERT INTO public.t VALUES (1)")
    run = bench.run(loaded)
    assert (only(run).state, run.idle) == ("idle", {"storage": "holds from phase first on, which is not done"})
    bench.phase("first", PhaseState.DONE)
    bench.phase("second", PhaseState.RUNNING)
    assert only(bench.run(loaded)).state == "alert"
    bench.phase("first", PhaseState.UNDOING)
    trend = only(bench.run(loaded))
    assert (trend.state, trend.check.alert_since, trend.check.failing_since) == ("idle", None, None)
    assert bench.events()[-1].startswith("standing check storage is no alert any more: it holds from phase first on")
    bench.phase("first", PhaseState.DONE)
    assert only(bench.run(bench.plan(ONE + "  until: second\n"))).state == "idle"


def test_what_is_not_due_is_left_alone_unless_it_is_asked_for(bench: Bench) -> None:
    loaded = bench.plan(ONE + "  every: 1h\n- {id: often, check: {query: SELECT 1, equals: 1}}\n")
    bench.run(loaded)
    bench.clock.advance(timedelta(minutes=30))
    run = bench.run(loaded)
    assert (list(run.made), run.idle) == (["often"], {"storage": "is not due"})
    assert run.trends[0].state == "fails" or run.trends[0].state == "alert"  # NULL is not at most 0.05
    run = bench.run(loaded, only=("storage",))
    assert (list(run.made), run.idle) == (["storage"], {"often": "was not asked for"})
    bench.clock.advance(timedelta(hours=1))
    assert list(bench.run(loaded).made) == ["storage", "often"]


def test_a_check_that_is_worded_anew_begins_anew_and_its_alert_stands_till_then(bench: Bench) -> None:
    bench.sql("INSERT INTO public.t VALUES (1)")
    bench.run(bench.plan(ONE))
    bench.clock.advance(timedelta(hours=1))
    same = bench.run(bench.plan(ONE + "  alert: {fails: 1, of: 2}\n"))
    assert outcomes(same) == ["fails", "fails"]
    run = bench.run(bench.plan(ONE.replace("0.05", "0.5") + "  every: 1h\n"))
    assert outcomes(run) == ["fails"]
    assert only(run).check.alert_since == START
    assert len(bench.events()) == 1
    assert outcomes(bench.run(bench.plan(ONE.replace("0.05", "2")))) == ["holds"]
    assert len(bench.events()) == 2


def test_a_check_that_is_taken_out_is_told_no_more(bench: Bench) -> None:
    bench.run(bench.plan(ONE))
    run = bench.run(bench.plan("- {id: other, check: {query: SELECT 1, equals: 1}}\n"))
    assert [trend.check.name for trend in run.trends] == ["other"]
    bench.clock.advance(timedelta(days=91))
    bench.run(bench.plan("- {id: other, check: {query: SELECT 1, equals: 1}}\n"))
    assert bench.values("SELECT name FROM lockgate.standing_checks") == ["other"]


def test_old_results_go_but_for_the_newest(bench: Bench) -> None:
    loaded = bench.plan(ONE, "keep: 1d\n")
    bench.run(loaded)
    bench.sql(
        "INSERT INTO lockgate.standing_results (check_id, at, outcome, value, seconds, found) "
        "SELECT id, '2026-01-01', 'holds', g, 0, '' FROM lockgate.standing_checks, generate_series(1, 150) g"
    )
    bench.run(loaded)
    assert bench.values("SELECT count(*) FROM lockgate.standing_results") == [152]
    bench.clock.advance(timedelta(days=2))
    bench.run(loaded)
    kept = bench.values("SELECT value FROM lockgate.standing_results ORDER BY id")
    assert (len(kept), kept[0]) == (standing.NEWEST, 53)


# --- one run at a time ------------------------------------------------------------------------------------


def test_a_second_run_says_so_and_does_nothing(bench: Bench) -> None:
    loaded = bench.plan(ONE)
    with psycopg.connect(bench.dsn, autocommit=True) as conn:
        epoch = standing.take(conn, "shop", "by Ana on here, process 7", timedelta(minutes=1))
        run = bench.run(loaded)
        assert run.busy is not None
        assert run.busy.what == "Another run makes these checks now: by Ana on here, process 7"
        assert (run.trends, bench.values("SELECT count(*) FROM lockgate.standing_results")) == ([], [0])
        assert standing.take(conn, "another plan", "Bo", timedelta(minutes=1)) > 0
        standing.release(conn, "shop", epoch)
        assert bench.run(loaded).busy is None


def test_a_run_that_is_dead_gives_way_and_one_that_slept_writes_nothing(bench: Bench) -> None:
    loaded = bench.plan(ONE)
    with psycopg.connect(bench.dsn, autocommit=True) as conn:
        old = standing.take(conn, "shop", "Ana", timedelta(minutes=1))
        conn.execute("UPDATE lockgate.standing_runs SET expires_at = clock_timestamp()")
        assert bench.run(loaded).busy is None
        new = standing.take(conn, "shop", "Bo", timedelta(minutes=1))
        assert new > old
        with pytest.raises(LeaseLost, match="Another run has taken over"):
            standing.extend(conn, "shop", old, timedelta(minutes=1))
        standing.release(conn, "shop", old)
        assert bench.run(loaded).busy is not None


def test_a_run_whose_lease_was_taken_keeps_no_result(bench: Bench) -> None:
    bench.sql(
        "CREATE FUNCTION public.steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.holder IS NOT NULL AND NEW.expires_at > OLD.expires_at + interval '1 min' THEN "
        "NEW.epoch := OLD.epoch + 1; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER steal BEFORE UPDATE ON lockgate.standing_runs FOR EACH ROW EXECUTE FUNCTION public.steal()",
    )
    with pytest.raises(LeaseLost):
        bench.run(bench.plan(ONE))
    assert bench.values("SELECT count(*) FROM lockgate.standing_results") == [0]


def test_a_run_that_is_stopped_keeps_what_it_has_and_gives_the_lease_back(bench: Bench) -> None:
    bench.stop.set()
    loaded = bench.plan(ONE)
    assert bench.run(loaded).made == {}
    bench.stop.clear()
    assert list(bench.run(loaded).made) == ["storage"]


# --- what cannot be run -----------------------------------------------------------------------------------


def test_a_name_that_is_none_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no standing check storag; did you mean `storage`"):
        bench.run(bench.plan(ONE), only=("storag",))


def test_a_ledger_that_was_copied_is_not_written(bench: Bench) -> None:
    bench.sql("UPDATE lockgate.home SET database = 'elsewhere'")
    with pytest.raises(LedgerError, match="was not written here"):
        bench.run(bench.plan(ONE))


def test_a_plan_without_checks_is_refused(bench: Bench) -> None:
    loaded = bench.plan(ONE)
    with pytest.raises(UsageError, match="has no standing checks"):
        bench.run(replace(loaded, plan=loaded.plan.model_copy(update={"standing": None})))
