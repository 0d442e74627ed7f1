"""The service that applies, where what it works at goes away or something unforeseen happens."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from lockgate.engine import applying as module
from lockgate.engine.applying import applying, serve
from lockgate.engine.clock import SystemClock
from lockgate.errors import PlanError
from lockgate.ledger import lease, runs
from lockgate.mapping import removal, upkeep
from lockgate.mapping.changelog import ChangeLog
from tests.integration.mapping.harness import PLAN, Bench, Mapped, Step
from tests.waiting import wait_until

STEP: Step = {"key": ["id"], "select": "SELECT s.id, s.v FROM old.p s", "from_": "old.p"}


def two_targets(bench: Bench) -> tuple[Mapped, Mapped]:
    """Two live targets of one relation."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, v text)",
        "CREATE TABLE new.a (id int PRIMARY KEY, v text)",
        "CREATE TABLE new.b (id int PRIMARY KEY, v text)",
    )
    return tuple(bench.map(map=name, into=f"new.{name}", **STEP) for name in ("a", "b"))  # type: ignore[return-value]


def follows(bench: Bench) -> bool:
    """Whether the second target holds what was written to the old model."""
    return bench.rows("SELECT id FROM new.b") == [(1,)]


@pytest.mark.parametrize("last", [True, False], ids=["its last mapping", "the target itself"])
def test_a_target_that_goes_as_it_is_taken_does_not_stop_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, last: bool
) -> None:
    """A rollback takes a mapping out between the service's look and its reading of it."""
    first, _ = two_targets(bench)
    gone: list[int] = []

    def hook(point: str) -> None:
        if point == "sync.taken" and not gone:
            gone.append(first.target_id)
            loaded = first.load()
            with bench.conn.transaction():
                removal.forget_mapping(bench.conn, loaded.plan, loaded.target_id, "a")
                if not last:
                    removal.drop_target(bench.conn, first.target_id)

    monkeypatch.setattr(module, "fault", hook)
    told: list[str] = []
    with applying(bench.sessions, PLAN, SystemClock(), told.append):
        wait_until(lambda: gone, what="the target to be taken")
        bench.sql("INSERT INTO old.p VALUES (1, 'x')")
        wait_until(lambda: follows(bench), what="the other target to follow")
    assert told == []


def test_another_table_of_the_name_is_followed(bench: Bench) -> None:
    """Tables are swapped by renaming: the plan speaks of the name."""
    two_targets(bench)
    bench.sql("INSERT INTO old.p VALUES (7, 'before')")
    swap = "ALTER TABLE old.p RENAME TO p_before; ALTER TABLE old.q RENAME TO p"
    with applying(bench.sessions, PLAN, SystemClock(), lambda line: None):
        wait_until(lambda: bench.rows("SELECT id FROM new.b") == [(7,)], what="the first table to be followed")
        bench.sql(f"BEGIN; CREATE TABLE old.q (LIKE old.p INCLUDING ALL); {swap}; COMMIT")
        bench.sql("INSERT INTO old.p VALUES (1, 'x')")
        wait_until(lambda: follows(bench), what="the second table to be followed")
        bench.sql("DELETE FROM old.p", "INSERT INTO old.p VALUES (2, 'y')")
        wait_until(lambda: bench.rows("SELECT id FROM new.a") == [(2,)], what="its changes to be followed")


def test_a_column_that_is_read_as_part_of_the_whole_row_is_followed(bench: Bench) -> None:
    """It is added later; its log grows with the table."""
    bench.sql("CREATE TABLE old.p (id int PRIMARY KEY, v text)", "CREATE TABLE new.a (id int PRIMARY KEY, v text)")
    select = "SELECT s.id, CASE WHEN s IS NOT NULL THEN 'full' ELSE 'gaps' END AS v FROM old.p s"
    mapped = bench.map(map="a", into="new.a", key=["id"], from_="old.p", select=select)
    bench.sql("ALTER TABLE old.p ADD w int", "INSERT INTO old.p VALUES (1, 'x', NULL)")
    with applying(bench.sessions, PLAN, SystemClock(), lambda line: None):
        wait_until(lambda: bench.rows("SELECT * FROM new.a") == [(1, "gaps")], what="the row to arrive")
        bench.sql("UPDATE old.p SET w = 1")
        wait_until(lambda: bench.rows("SELECT * FROM new.a") == [(1, "full")], what="the column to be followed")
    mapped.assert_agrees()


BROKEN = {
    "its table is gone": ("DROP TABLE new.a", "CREATE TABLE new.a (id int PRIMARY KEY, v text)"),
    "its key is not unique any more": (
        "ALTER TABLE new.a DROP CONSTRAINT a_pkey",
        "ALTER TABLE new.a ADD PRIMARY KEY (id)",
    ),
    "a column is gone": ("ALTER TABLE new.a DROP COLUMN v CASCADE", "ALTER TABLE new.a ADD COLUMN v text"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_target_that_does_not_fit_any_more_holds_up_no_other(bench: Bench, what: str) -> None:
    """It is said, in the status as well, and is right again when it fits again."""
    two_targets(bench)
    breaks, mends = BROKEN[what]
    told: list[str] = []
    trouble = "SELECT trouble FROM lockgate.sync_targets WHERE name = 'new.a'"
    with applying(bench.sessions, PLAN, SystemClock(), told.append):
        bench.sql(breaks)
        bench.sql("INSERT INTO old.p VALUES (1, 'x')")
        wait_until(lambda: follows(bench), what="the other target to follow")
        wait_until(lambda: bench.one(trouble), what="the trouble to be noted")
        assert "new.a: its changes cannot be applied" in told[0]
        bench.sql(mends)
        wait_until(lambda: bench.rows("SELECT * FROM new.a") == [(1, "x")], what="it to be right again")
        wait_until(lambda: bench.one(trouble) is None, what="the trouble to be over")


def test_a_log_whose_table_is_gone_holds_up_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is to be rotated, and there is nothing any more that could be read for that."""
    two_targets(bench)
    bench.sql("CREATE TABLE old.q (id int PRIMARY KEY, v text)", "CREATE TABLE new.q (id int PRIMARY KEY, v text)")
    bench.map(map="q", into="new.q", key=["id"], from_="old.q", select="SELECT s.id, s.v FROM old.q s")
    tidied: list[str] = []

    def tidy(_: object, log: ChangeLog) -> bool:
        if log.label == "old.q":
            tidied.append(log.label)
            raise PlanError("the table was dropped")
        return False

    monkeypatch.setattr(upkeep, "tidy", tidy)
    told: list[str] = []
    with applying(bench.sessions, PLAN, SystemClock(), told.append):
        wait_until(lambda: tidied, what="the log to be tidied")
        bench.sql("INSERT INTO old.p VALUES (1, 'x')")
        wait_until(lambda: follows(bench), what="the other targets to follow")
    assert told[0].startswith("new.q: its changes cannot be applied: the table was dropped")


def test_what_nobody_foresaw_is_said_and_raised(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that dies in silence would leave nobody to apply."""
    two_targets(bench)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(upkeep, "tidy", fail)
    told: list[str] = []
    with pytest.raises(ZeroDivisionError), applying(bench.sessions, PLAN, SystemClock(), told.append):
        wait_until(lambda: told, what="the service to stop")
    assert told == ["sync stopped: ZeroDivisionError('unforeseen')"]


class Rounds(SystemClock):
    """A clock on which a service makes three rounds, and ends."""

    def __init__(self) -> None:
        self.left = 3

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.left -= 1
        if not self.left:
            event.set()
        return super().wait(event, 0)


def test_a_service_stands_by_while_a_runner_of_its_plan_is_alive_however_slow_it_is(bench: Bench) -> None:
    """Taking from each other what neither gets round to applying, two services would never be through."""
    two_targets(bench)

    def taken() -> bool:
        """Whether a service takes the targets, which nobody applied for long."""
        bench.sql("UPDATE lockgate.sync_targets SET last_applied_at = now() - interval '1 minute'")
        before = bench.rows("SELECT epoch FROM lockgate.sync_targets ORDER BY id")
        serve(bench.sessions, PLAN, Rounds(), threading.Event(), lambda line: None)
        return bench.rows("SELECT epoch FROM lockgate.sync_targets ORDER BY id") != before

    held = lease.acquire(bench.conn, "apply", timedelta(minutes=10))
    other = runs.start(bench.conn, plan="another", digest="", command="apply")
    assert taken(), "the runner is another plan's"
    runs.finish(bench.conn, other, "done")
    run = runs.start(bench.conn, plan=PLAN, digest="", command="apply")
    assert not taken()
    bench.sql("UPDATE lockgate.lease SET expires_at = now()")
    assert taken(), "the runner was killed"
    lease.heartbeat(bench.conn, held)
    assert not taken()
    runs.finish(bench.conn, run, "done")
    assert taken(), "the run has ended"
