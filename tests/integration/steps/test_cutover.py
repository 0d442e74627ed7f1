"""The cutover step: nothing is lost on the way to the new model, nor on the way back."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from types import ModuleType
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lockgate.catalog import document
from lockgate.cutover import draining
from lockgate.doctor.examination import examine
from lockgate.engine import losing
from lockgate.engine.applying import applying
from lockgate.engine.clock import SystemClock
from lockgate.engine.uninstall import uninstall
from lockgate.errors import CheckFailed, LockgateError, LockNotAcquired, PlanError, RollbackRefused
from lockgate.mapping import changelog, upkeep
from lockgate.plan.load import LoadedPlan
from lockgate.steps import cutback, handover
from tests.copies import EMPTY
from tests.integration.engine.plans import Told, act, one, rows, sessions
from tests.integration.steps.cutovers import (
    BACK,
    PLAN,
    SETUP,
    WITH_BACK,
    WITHOUT_BACK,
    Application,
    apply,
    known,
    plan,
    rollback,
)
from tests.killing import Due, call
from tests.waiting import wait_until

CUSTOMER = 'core."Cust""omer ä"'
LONG = "hold: 30s\n        switch:"
TRIGGERS = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname ~ '^lockgate_(closed|stale)'"


@pytest.fixture
def filled(dsn: str) -> str:
    act(dsn, SETUP)
    return dsn


def schema(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return document.read(conn, passing=False).digest


def refused(dsn: str, statement: str, settings: str = "") -> str:
    """What the server says to a superuser who writes."""
    with psycopg.connect(dsn, options=settings) as conn, pytest.raises(psycopg.DatabaseError) as caught:
        conn.execute(statement.encode())
    assert caught.value.sqlstate == "LG001"
    return str(caught.value)


def targets(dsn: str) -> dict[str, str]:
    return dict(rows(dsn, "SELECT name, state FROM lockgate.sync_targets"))


def test_nobody_writes_the_old_model_any_more_and_everybody_reads_it(filled: str, tmp_path: Path) -> None:
    apply(filled, plan(tmp_path), "handover")
    assert one(filled, "SELECT model FROM core.settings") == "new"
    for statement in (
        f"INSERT INTO {CUSTOMER} (name) VALUES ('late')",
        f"UPDATE {CUSTOMER} SET name = 'late' WHERE id = 1",
        "DELETE FROM core.emails WHERE id = 1",
        # Of a row that refers to nothing nobody can say that it goes with another one.
        f"DELETE FROM {CUSTOMER} WHERE place IS NULL",
        f"TRUNCATE {CUSTOMER}, core.emails",
    ):
        for settings in ("", "-c session_replication_role=replica"):
            assert "is refused: the application writes the new model now" in refused(filled, statement, settings)
    act(filled, f"UPDATE {CUSTOMER} SET name = 'late' WHERE false")
    assert len(known(filled, "old")) == 100


def test_an_application_role_without_rights_on_the_ledger_is_told_the_same(filled: str, tmp_path: Path) -> None:
    apply(filled, plan(tmp_path), "handover")
    role = f"cutover_{token_hex(4)}"
    with psycopg.connect(filled) as conn:
        conn.execute(
            f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA core TO {role}; GRANT ALL ON core.emails TO {role}".encode()
        )
        conn.execute(f"SET LOCAL ROLE {role}".encode())
        with pytest.raises(psycopg.DatabaseError, match="the application writes the new model now"):
            conn.execute("DELETE FROM core.emails")


def test_a_row_goes_with_one_of_a_table_that_stays_open(filled: str, tmp_path: Path) -> None:
    apply(filled, plan(tmp_path), "handover")
    act(filled, "DELETE FROM core.places WHERE id = 3")
    assert one(filled, f"SELECT count(*) FROM {CUSTOMER} WHERE place = 3 OR id % 6 = 3") == 0
    assert known(filled, "old") == known(filled, "new")


def test_what_the_application_does_then_is_there_after_going_back(filled: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path)
    before = schema(filled)
    apply(filled, loaded, "setup")
    middle = schema(filled)
    raw = rows(filled, "SELECT id, email FROM core.emails WHERE customer NOT IN (1, 4) ORDER BY id")
    apply(filled, loaded, "handover")
    act(
        filled,
        "UPDATE core.people SET name = 'changed' WHERE id = 1",
        "DELETE FROM core.contacts WHERE person = 1",
        "DELETE FROM core.people WHERE id = 4",
        "INSERT INTO core.people VALUES (5000, 'made', 1)",
        "INSERT INTO core.contacts VALUES (5000, 'n@x'), (1, 'more@x')",
    )
    wanted = known(filled, "new")
    rollback(filled, loaded)
    assert one(filled, "SELECT model FROM core.settings") == "old"
    assert known(filled, "old") == known(filled, "new") == wanted
    assert wanted[1] == ("changed", ["more@x"])
    assert 4 not in wanted
    # What was merged, rejected or written otherwise in the new model is as it was.
    kept = "SELECT id, email FROM core.emails WHERE customer NOT IN (1, 4, 5000) ORDER BY id"
    assert rows(filled, kept) == raw
    assert rows(filled, TRIGGERS) == []
    assert schema(filled) == middle
    act(filled, f"INSERT INTO {CUSTOMER} (id, name) VALUES (6000, 'old again')")
    apply(filled, loaded, "handover")
    assert known(filled, "new")[6000] == ("old again", [])
    rollback(filled, loaded, "@start")
    assert schema(filled) == before


@pytest.mark.parametrize("closed", [False, True])
def test_nothing_is_lost_while_the_application_writes(filled: str, tmp_path: Path, closed: bool) -> None:
    loaded = plan(tmp_path)
    application = Application(filled)
    apply(filled, loaded, "setup")
    for _ in range(1 if closed else 2):
        with application.writing():
            done = application.writes
            wait_until(lambda done=done: application.writes > done + 100)  # type: ignore[misc]
            apply(filled, loaded, None if closed else "handover")
            done = application.writes
            wait_until(lambda done=done: application.writes > done + 200)  # type: ignore[misc]
            rollback(filled, loaded, "setup")
            done = application.writes
            wait_until(lambda done=done: application.writes > done + 100)  # type: ignore[misc]
        assert application.failures == []
        old = known(filled, "old")
        assert {person: old.get(person) for person in application.people} == application.people
        apply(filled, loaded, "handover")
        new = known(filled, "new")
        assert {person: new.get(person) for person in application.people} == application.people
        assert new == old
        rollback(filled, loaded, "setup")


class Before:
    """Has a run wait right before it locks the tables, once."""

    def __init__(self, patch: pytest.MonkeyPatch, module: ModuleType) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        real = module.hold_writers

        def held(*given: Any) -> None:
            self.reached.set()
            assert self.go.wait(60)
            real(*given)

        patch.setattr(module, "hold_writers", held)


def test_a_writer_that_waits_for_the_lock_lands_nowhere(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has looked which model is the one before that changed."""
    loaded = plan(tmp_path, WITH_BACK.replace("lock_timeout: 300ms", "lock_timeout: 10s").replace("switch:", LONG))
    apply(filled, loaded, "setup")
    before = Before(monkeypatch, handover)
    with psycopg.connect(filled) as holder, ThreadPoolExecutor(2) as pool:
        over = pool.submit(apply, filled, loaded, "handover")
        assert before.reached.wait(60)
        holder.execute("UPDATE core.emails SET email = 'Held@X' WHERE id = 1")
        before.go.set()
        wait_until(lambda: _waiting(filled, "LOCK TABLE core.emails%"))
        late = pool.submit(refused, filled, f"INSERT INTO {CUSTOMER} (id, name) VALUES (7000, 'late')")
        wait_until(lambda: _waiting(filled, "INSERT INTO core.%"))
        holder.commit()
        over.result()
        late.result()
    assert 7000 not in known(filled, "old")
    assert "held@x" in known(filled, "new")[2][1]
    # And in the other direction.
    before = Before(monkeypatch, cutback)
    with psycopg.connect(filled) as holder, ThreadPoolExecutor(2) as pool:
        back = pool.submit(rollback, filled, loaded)
        assert before.reached.wait(60)
        holder.execute("INSERT INTO core.contacts VALUES (5, 'held@x')")
        before.go.set()
        wait_until(lambda: _waiting(filled, "LOCK TABLE core.contacts%"))
        late = pool.submit(refused, filled, "INSERT INTO core.people VALUES (7001, 'late')")
        wait_until(lambda: _waiting(filled, "INSERT INTO core.people%"))
        holder.commit()
        back.result()
        assert "the application writes the old model again" in late.result()
    assert 7001 not in known(filled, "new")
    assert "held@x" in known(filled, "old")[5][1]
    act(filled, "INSERT INTO core.people VALUES (7002, 'born')")


def _waiting(dsn: str, statement: str) -> bool:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND replace(query, '\"', '') LIKE '{}'"
    )
    return bool(one(dsn, query.format(statement)))


def test_writers_are_held_no_longer_than_the_plan_says(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last changes never arrive, for somebody holds a table of the new model."""
    text = WITH_BACK.replace("lock_retries: 20", "lock_retries: 1").replace("switch:", "hold: 400ms\n        switch:")
    loaded = plan(tmp_path, text)
    apply(filled, loaded, "setup")
    before = Before(monkeypatch, handover)
    told = Told()
    held: list[float] = []
    with psycopg.connect(filled) as holder, ThreadPoolExecutor(1) as pool:
        over = pool.submit(apply, filled, loaded, "handover", told)
        assert before.reached.wait(60)
        act(filled, "UPDATE core.emails SET email = 'Late@X' WHERE id = 1")
        holder.execute("LOCK TABLE core.contacts IN SHARE MODE")
        before.go.set()
        # It gives up the tables, and waits without them.
        while not any("nobody is held up" in reason for reason, _ in told.waits):
            begun = time.monotonic()
            act(filled, "UPDATE core.emails SET email = 'Later@X' WHERE id = 2")
            held.append(time.monotonic() - begun)
        assert one(filled, "SELECT model FROM core.settings") == "old"
        assert rows(filled, TRIGGERS) == []
        holder.rollback()
        over.result()
    assert 0.2 < max(held) < 5
    assert "later@x" in known(filled, "new")[3][1]
    assert known(filled, "old") == known(filled, "new")


def test_who_holds_the_old_tables_is_named(filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = plan(tmp_path, WITH_BACK.replace("lock_retries: 20", "lock_retries: 1"))
    apply(filled, loaded, "setup")
    before = Before(monkeypatch, handover)
    with psycopg.connect(filled, application_name="somebody") as holder, ThreadPoolExecutor(1) as pool:
        over = pool.submit(apply, filled, loaded, "handover")
        assert before.reached.wait(60)
        holder.execute("UPDATE core.emails SET email = 'Held@X' WHERE id = 1")
        before.go.set()
        with pytest.raises(LockNotAcquired) as caught:
            over.result()
        assert "somebody" in str(caught.value.why)
    assert one(filled, "SELECT model FROM core.settings") == "old"
    assert rows(filled, TRIGGERS) == []


def test_a_prepared_transaction_blocks_and_is_named(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = plan(tmp_path, WITH_BACK.replace("lock_retries: 20", "lock_retries: 1"))
    apply(filled, loaded, "setup")
    before = Before(monkeypatch, handover)
    name = f"cutover-{token_hex(4)}"
    with ThreadPoolExecutor(1) as pool:
        over = pool.submit(apply, filled, loaded, "handover")
        assert before.reached.wait(60)
        with psycopg.connect(filled, autocommit=True) as conn:
            conn.execute("BEGIN")
            conn.execute("UPDATE core.emails SET email = 'Held@X' WHERE id = 1")
            conn.execute(f"PREPARE TRANSACTION '{name}'".encode())
            try:
                before.go.set()
                with pytest.raises(LockNotAcquired) as caught:
                    over.result()
            finally:
                conn.execute(f"COMMIT PREPARED '{name}'".encode())
    assert name in str(caught.value.why)
    apply(filled, loaded, "handover")
    assert "held@x" in known(filled, "new")[2][1]


# --- what is refused ---------------------------------------------------------------------------------------------


def test_models_that_do_not_agree_are_not_cut_over(filled: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path)
    apply(filled, loaded, "setup")
    with psycopg.connect(filled) as conn:
        # As if an applier had been wrong: nothing tells that this row is not what it should be.
        writer = one(filled, "SELECT id::text FROM lockgate.sync_targets WHERE name = 'core.people'")
        conn.execute("SELECT set_config('lockgate.writer', %s, true)", (writer,))
        conn.execute("UPDATE core.people SET name = 'wrong' WHERE id = 1")
    told = Told()
    with pytest.raises(CheckFailed) as caught:
        apply(filled, loaded, "handover", told)
    assert "1 different" in caught.value.what
    assert one(filled, "SELECT model FROM core.settings") == "old"
    assert rows(filled, TRIGGERS) == []


def test_a_way_back_that_changes_what_nobody_changed_is_refused(filled: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path, WITH_BACK.replace("coalesce(o.email, c.value) AS email", "c.value AS email"))
    with pytest.raises(CheckFailed) as caught:
        apply(filled, loaded, "handover")
    changed = one(filled, "SELECT count(*) FROM core.emails WHERE email <> lower(email)")
    assert caught.value.what == f"The way back would change {changed} rows of core.emails that nobody has changed"
    assert str(caught.value.where).startswith("plan.yaml:48:")
    assert one(filled, "SELECT count(*) FROM core.emails WHERE email <> lower(email)") == changed
    assert one(filled, "SELECT model FROM core.settings") == "old"


def test_a_key_that_a_table_refuses_is_not_left_behind(filled: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path)
    apply(filled, loaded, "setup")
    act(
        filled,
        "ALTER TABLE core.contacts ADD CHECK (value <> 'bad@x')",
        "UPDATE core.emails SET email = 'Bad@x' WHERE id = 1",
    )
    with pytest.raises(CheckFailed, match=r"keys that the target refuses: 1|Tables refuse rows that they should have"):
        apply(filled, loaded, "handover")
    assert one(filled, "SELECT model FROM core.settings") == "old"


def test_going_back_is_refused_when_the_old_model_refuses_a_row(filled: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path)
    apply(filled, loaded, "handover")
    act(filled, f"ALTER TABLE {CUSTOMER} ADD CHECK (name <> 'new')", "INSERT INTO core.people VALUES (5000, 'new', 1)")
    with pytest.raises(LockgateError) as caught:
        rollback(filled, loaded)
    assert "refuse" in str(caught.value)
    assert one(filled, "SELECT model FROM core.settings") == "new"
    refused(filled, "DELETE FROM core.emails")
    rollback(filled, loaded, lose_rows=True)
    assert one(filled, "SELECT model FROM core.settings") == "old"


def test_without_a_way_back_it_is_said_what_would_be_lost(filled: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path, WITHOUT_BACK)
    apply(filled, loaded)
    wanted = known(filled, "old")
    act(
        filled,
        "UPDATE core.people SET name = 'changed' WHERE id = 1",
        "DELETE FROM core.people WHERE id = 4",
        "INSERT INTO core.people VALUES (5000, 'made', 1)",
        "INSERT INTO core.contacts VALUES (5000, 'n@x')",
    )
    with pytest.raises(RollbackRefused) as caught:
        rollback(filled, loaded)
    assert caught.value.why == (
        "core.people: 1 rows, made since the cutover; core.people: 1 rows, changed since the cutover; "
        "core.people: 1 rows, removed since the cutover: they would come back; "
        "core.contacts: 1 rows, made since the cutover"
    )
    assert one(filled, "SELECT model FROM core.settings") == "new"
    rollback(filled, loaded, lose_rows=True)
    assert known(filled, "old") == wanted
    new = known(filled, "new")
    assert new.pop(5000) == ("made", ["n@x"])  # what only the new model has is not destroyed there
    assert new == wanted


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("core.emails]", "core.gone]", 'there is no table "core.gone"'),
        (
            "core.emails]",
            "core.emails, core.email_origins]",
            "core.email_origins cannot be closed: core.email_origins fills it",
        ),
        ("""['core."Cust""omer ä"', core.emails]""", "[core.emails]", "core.contacts also reads core.people"),
        ("into: core.emails", "into: core.stray", "core.stray is not among the tables that are closed"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_done(
    filled: str, tmp_path: Path, old: str, new: str, what: str
) -> None:
    act(filled, "CREATE TABLE core.stray (id bigint PRIMARY KEY, customer bigint, email text)")
    loaded = plan(tmp_path, PLAN.replace("{back}", BACK.replace(old, new)).replace(old, new))
    apply(filled, loaded, "setup")
    before = schema(filled)
    with pytest.raises(PlanError) as caught:
        apply(filled, loaded, "handover")
    assert what in str(caught.value)
    assert str(caught.value.where).startswith("plan.yaml:")
    assert schema(filled) == before
    assert "waiting" not in targets(filled).values()


def test_a_table_that_stays_open_must_be_said(filled: str, tmp_path: Path) -> None:
    text = WITHOUT_BACK.replace("""['core."Cust""omer ä"', core.emails]""", "[core.emails]").replace(
        "JOIN core.people p ON p.id = e.customer", """JOIN core."Cust""omer ä" p ON p.id = e.customer"""
    )
    loaded = plan(tmp_path, text)
    with pytest.raises(PlanError) as caught:
        apply(filled, loaded)
    assert 'also reads core.Cust"omer ä, which stays open' in caught.value.what
    loaded = plan(
        tmp_path, text.replace("        switch:", """        stays_open: ['core."Cust""omer ä"']\n        switch:""")
    )
    apply(filled, loaded)
    act(filled, f"INSERT INTO {CUSTOMER} (id, name) VALUES (6000, 'open')")
    assert targets(filled)["core.people"] == "live"
    wait_until(lambda: apply(filled, loaded) and True)


def test_a_foreign_key_that_would_change_rows_of_a_closed_table_is_refused(filled: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path)
    apply(filled, loaded, "setup")
    act(filled, "ALTER TABLE core.emails ADD place int CONSTRAINT to_place REFERENCES core.places ON DELETE SET NULL")
    with pytest.raises(PlanError) as caught:
        apply(filled, loaded, "handover")
    assert 'its foreign key "to_place" would refuse changes in core.places' in caught.value.what


def test_the_other_half_of_the_switch_is_asked_for(filled: str, tmp_path: Path) -> None:
    text = "\n".join(line for line in WITH_BACK.splitlines() if "switch_back" not in line)
    with pytest.raises(PlanError, match="`switch` without its other half"):
        apply(filled, plan(tmp_path, text))


def test_lockgate_does_not_leave_while_the_old_model_is_closed(filled: str, tmp_path: Path) -> None:
    apply(filled, plan(tmp_path))
    with pytest.raises(LockgateError, match=r"Tables are closed: core.Cust.omer ä, core.emails"):
        uninstall(sessions(filled))
    refused(filled, "DELETE FROM core.emails")
    uninstall(sessions(filled), force=True)
    act(filled, "DELETE FROM core.emails")


# --- kills -------------------------------------------------------------------------------------------------------


def run_apply(dsn: str, folder: str) -> None:
    apply(dsn, plan(Path(folder)))


def run_rollback(dsn: str, folder: str) -> None:
    rollback(dsn, plan(Path(folder)), "setup")


HERE = "tests.integration.steps.test_cutover"
# Where something is half done; the other points lie between two of these.
THERE = ("prepared", "compared", "locked", "commit", "over", "log", "settled")
BACK_AGAIN = ("locked", "commit", "over", "forgotten", "trigger", "settled")


@pytest.mark.one_server
@pytest.mark.sampled
@pytest.mark.slow
def test_a_kill_at_any_point_is_followed_by_a_run_that_finishes(filled: str, tmp_path: Path, due: Due) -> None:
    apply(filled, plan(tmp_path), "setup")
    middle = schema(filled)
    there = call(f"{HERE}:run_apply", filled, str(tmp_path), log=tmp_path / "there")
    back = call(f"{HERE}:run_rollback", filled, str(tmp_path), log=tmp_path / "back")
    assert (there.code, back.code) == (0, 0), there.err + back.err
    for point in due(["close.closed", *(f"cutover.{name}" for name in THERE)]):
        assert point in there.points
        assert call(f"{HERE}:run_apply", filled, str(tmp_path), fault=point).killed, point
        takes_over(filled)
        run_apply(filled, str(tmp_path))
        assert one(filled, "SELECT model FROM core.settings") == "new", point
        act(filled, "INSERT INTO core.people VALUES (5000, 'made', 1)")
        assert set(targets(filled).values()) == {"cut_over", "closed"}, point
        run_rollback(filled, str(tmp_path))
        assert known(filled, "old").pop(5000) == ("made", []), point
        assert known(filled, "old") == known(filled, "new"), point
        act(filled, f"DELETE FROM {CUSTOMER} WHERE id = 5000")
    for point in due(["close.opened", *(f"cutback.{name}" for name in BACK_AGAIN)]):
        assert point in back.points
        run_apply(filled, str(tmp_path))
        act(filled, "INSERT INTO core.people VALUES (5000, 'made', 1)")
        assert call(f"{HERE}:run_rollback", filled, str(tmp_path), fault=point).killed, point
        takes_over(filled)
        run_rollback(filled, str(tmp_path))
        assert known(filled, "old").pop(5000) == ("made", []), point
        assert known(filled, "old") == known(filled, "new"), point
        assert rows(filled, TRIGGERS) == [], point
        assert schema(filled) == middle, point
        act(filled, f"DELETE FROM {CUSTOMER} WHERE id = 5000")


def takes_over(dsn: str) -> None:
    """The lease of the dead run is over, as it is after a while."""
    act(dsn, "UPDATE lockgate.lease SET expires_at = now() - interval '1 second'")


def test_a_publication_of_all_tables_is_no_hindrance(filled: str, tmp_path: Path) -> None:
    """The server refuses to remove rows of a published table that has no replica identity: also of ours."""
    loaded = plan(tmp_path)
    act(filled, "ALTER TABLE core.settings REPLICA IDENTITY FULL", "CREATE PUBLICATION everything FOR ALL TABLES")
    apply(filled, loaded)
    act(filled, "INSERT INTO core.people VALUES (5000, 'made', 1)", "DELETE FROM core.people WHERE id = 4")
    rollback(filled, loaded, "setup")
    assert known(filled, "old").pop(5000) == ("made", [])
    assert known(filled, "old") == known(filled, "new")
    rollback(filled, loaded, "@start")
    keyless = (
        "SELECT relname FROM pg_class c WHERE relnamespace = 'lockgate'::regnamespace AND relkind = 'r' "
        "AND relreplident = 'd' AND relname !~ '^log_' "
        "AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"
    )
    assert rows(filled, keyless) == []


@pytest.mark.parametrize("template", [EMPTY])  # the ledger is to be the role's own
def test_an_ordinary_owner_hands_over_and_back(filled: str, tmp_path: Path) -> None:
    role = f"cutover_{token_hex(4)}"
    with psycopg.connect(filled, autocommit=True) as conn:
        database = conn.info.dbname
        conn.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT CREATE ON DATABASE {database} TO {role}".encode())
        conn.execute(f"ALTER SCHEMA core OWNER TO {role}".encode())
        for table in ("core.settings", "core.places", CUSTOMER, "core.emails"):
            conn.execute(f"ALTER TABLE {table} OWNER TO {role}".encode())
    owner = make_conninfo(filled, user=role, password="x")
    try:
        loaded = plan(tmp_path)
        apply(owner, loaded)
        assert "the application writes the new model now" in refused(owner, "DELETE FROM core.emails")
        act(owner, "INSERT INTO core.people VALUES (5000, 'made', 1)")
        rollback(owner, loaded, "setup")
        assert known(owner, "old").pop(5000) == ("made", [])
        uninstall(sessions(owner), force=True)
    finally:
        act(filled, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_partitions_are_closed_and_opened_with_their_table(filled: str, tmp_path: Path) -> None:
    act(
        filled,
        "ALTER TABLE core.emails RENAME TO emails_of_before",
        "CREATE TABLE core.emails (id bigint PRIMARY KEY, customer bigint, email text) PARTITION BY RANGE (id)",
        "CREATE TABLE core.emails_low PARTITION OF core.emails FOR VALUES FROM (MINVALUE) TO (100)",
        "CREATE TABLE core.emails_high PARTITION OF core.emails FOR VALUES FROM (100) TO (MAXVALUE)",
        "INSERT INTO core.emails SELECT * FROM core.emails_of_before",
        "DROP TABLE core.emails_of_before",
    )
    loaded = plan(tmp_path)
    apply(filled, loaded, "handover")
    for statement in (
        "INSERT INTO core.emails VALUES (1000, 1, 'late@x')",
        "UPDATE core.emails_low SET email = 'late@x'",
        "DELETE FROM core.emails_high",
        "TRUNCATE core.emails_high",
        "TRUNCATE core.emails",
    ):
        for settings in ("", "-c session_replication_role=replica"):
            refused(filled, statement, settings)
    act(filled, "DELETE FROM core.contacts WHERE person = 1", "INSERT INTO core.contacts VALUES (1, 'more@x')")
    wanted = known(filled, "new")
    rollback(filled, loaded)
    assert known(filled, "old") == known(filled, "new") == wanted
    assert rows(filled, TRIGGERS) == []
    act(filled, "TRUNCATE core.emails_high", "DELETE FROM core.emails_low")


def test_the_doctor_says_that_the_old_model_is_closed_and_when_it_is_not(filled: str, tmp_path: Path) -> None:
    def found(check: str) -> list[tuple[str, str]]:
        return [(each.verdict.value, each.what) for each in examine(sessions(filled), "shop") if each.area == check]

    apply(filled, plan(tmp_path))
    act(filled, "DROP TABLE core.email_origins")
    assert found("closed") == [("ok", 'the old model is closed: core.Cust"omer ä, core.emails')]
    assert [verdict for verdict, _ in found("triggers")] == ["ok"]
    assert ("ok", "core.people: the application owns it since the cutover") in found("sync")
    assert {verdict for verdict, _ in found("sync")} == {"ok"}
    act(filled, "ALTER TABLE core.emails DISABLE TRIGGER lockgate_closed_1")
    assert [verdict for verdict, _ in found("closed")] == ["fail"]


# --- what a hostile reviewer found -------------------------------------------------------------------------------


def test_a_table_that_refers_to_a_closed_one_must_be_said(filled: str, tmp_path: Path) -> None:
    act(
        filled, f"CREATE TABLE core.orders (id int PRIMARY KEY, customer bigint CONSTRAINT whose REFERENCES {CUSTOMER})"
    )
    loaded = plan(tmp_path)
    with pytest.raises(PlanError, match=r'core.orders refers to Cust"omer ä by foreign key "whose", and stays open'):
        apply(filled, loaded)
    apply(
        filled, plan(tmp_path, WITH_BACK.replace("switch:", "stays_open: [core.orders]\n        switch:")), "handover"
    )


def test_a_key_that_would_refuse_deletes_in_an_open_table_is_refused(filled: str, tmp_path: Path) -> None:
    act(filled, "CREATE TABLE core.kinds (id int PRIMARY KEY)")
    act(filled, "ALTER TABLE core.emails ADD kind int CONSTRAINT of_kind REFERENCES core.kinds")
    with pytest.raises(PlanError, match=r'its foreign key "of_kind" would refuse changes in core.kinds'):
        apply(filled, plan(tmp_path))


def test_a_table_named_twice_is_refused_at_once(filled: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path, WITH_BACK.replace("core.emails]", "core.emails, 'core.\"emails\"']"))
    with pytest.raises(PlanError, match=r"core.emails is named twice"):
        apply(filled, loaded)


def test_sequences_go_on_behind_what_the_other_model_made(filled: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path, WITH_BACK.replace("id bigint PRIMARY KEY, name", "id bigserial PRIMARY KEY, name"))
    apply(filled, loaded, "handover")
    act(filled, "INSERT INTO core.people (name) VALUES ('by the new model')")
    assert known(filled, "new")[101] == ("by the new model", [])
    rollback(filled, loaded)
    act(filled, f"INSERT INTO {CUSTOMER} (name) VALUES ('by the old model')")
    assert known(filled, "old")[102] == ("by the old model", [])


def test_what_is_written_after_the_count_is_not_lost_either(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = plan(tmp_path, WITHOUT_BACK)
    apply(filled, loaded)
    before = Before(monkeypatch, cutback)
    with ThreadPoolExecutor(1) as pool:
        back = pool.submit(rollback, filled, loaded)
        assert before.reached.wait(60)
        act(filled, "UPDATE core.people SET name = 'late' WHERE id = 1")
        before.go.set()
        with pytest.raises(RollbackRefused, match="Going back would lose 1 rows"):
            back.result()
    assert one(filled, "SELECT model FROM core.settings") == "new"
    assert known(filled, "new")[1][0] == "late"


def test_a_switch_that_takes_too_long_lets_writers_go_on(filled: str, tmp_path: Path) -> None:
    text = WITH_BACK.replace("switch: UPDATE", "hold: 500ms\n        switch: SELECT pg_sleep(30); UPDATE")
    with pytest.raises(LockgateError) as caught:
        apply(filled, plan(tmp_path, text))
    assert "raise `hold`" in str(caught.value)
    act(filled, "DELETE FROM core.emails WHERE id = 1")


def test_rows_go_with_others_right_after_the_way_back_too(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = plan(tmp_path)
    apply(filled, loaded, "handover")
    reached, go = threading.Event(), threading.Event()

    def await_stragglers(*_: Any) -> None:
        reached.set()
        assert go.wait(60)

    monkeypatch.setattr(cutback, "_await_stragglers", await_stragglers)
    with ThreadPoolExecutor(1) as pool:
        back = pool.submit(rollback, filled, loaded)
        assert reached.wait(60)
        act(filled, "DELETE FROM core.places WHERE id = 3", "INSERT INTO core.people VALUES (7002, 'born')")
        go.set()
        back.result()
    assert 7002 in known(filled, "new")


def test_an_old_table_that_is_gone_or_renamed_is_said_before_anything_is_taken_back(
    filled: str, tmp_path: Path
) -> None:
    loaded = plan(tmp_path)
    apply(filled, loaded, "handover")
    act(filled, "ALTER TABLE core.emails RENAME TO mails")
    with pytest.raises(RollbackRefused, match=r"core.emails is called core.mails"):
        rollback(filled, loaded)
    act(filled, "ALTER TABLE core.mails RENAME TO emails")
    rollback(filled, loaded)
    apply(filled, loaded)
    act(filled, "DROP TABLE core.emails")
    for lose_rows in (False, True):
        with pytest.raises(RollbackRefused, match=r"core.emails was dropped"):
            rollback(filled, loaded, lose_rows=lose_rows)
    apply(filled, loaded)


def test_a_way_back_that_is_not_open_vouches_for_nothing(filled: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path)
    apply(filled, loaded, "handover")
    act(
        filled,
        "UPDATE lockgate.sync_targets SET state = 'closed' WHERE name = 'core.emails'",
        "UPDATE core.people SET name = 'new' WHERE id = 1",
        "INSERT INTO core.contacts VALUES (1, 'new@x')",
    )
    with pytest.raises(RollbackRefused, match="Going back would lose"):
        rollback(filled, loaded)
    assert one(filled, "SELECT model FROM core.settings") == "new"


def test_what_the_way_back_does_not_bring_is_told_afterwards(filled: str, tmp_path: Path) -> None:
    """The old model's change is logged for the new one, too; nobody will apply it, so it excuses nothing."""
    forgetful = WITH_BACK.replace("p.id, p.name, p.place", "p.id, replace(p.name, 'N', 'M') AS name, p.place")
    judged = "  - id: judged\n    steps: [{sql: SELECT 1}]\n    after: [{reconcile: people}]\n  - id: after\n"
    loaded = plan(tmp_path, forgetful.replace("  - id: after\n", judged))
    apply(filled, loaded, "handover")
    act(filled, "UPDATE core.people SET name = 'N1', place = 2 WHERE id = 1")
    with (
        sessions(filled).open("test") as conn,
        applying(sessions(filled), loaded.plan.plan, SystemClock(), print),
    ):
        back = [row[0] for row in conn.execute("SELECT target_id FROM lockgate.cutover_targets WHERE back").fetchall()]
        wait_until(lambda: not draining.pending(conn, back))
    assert rows(filled, 'SELECT name, place FROM core."Cust""omer ä" WHERE id = 1') == [("M1", 2)]
    with pytest.raises(CheckFailed, match="1 different"):
        apply(filled, loaded, "judged")


def test_a_log_that_is_dropped_while_it_is_looked_at_is_no_trouble(filled: str, tmp_path: Path) -> None:
    """As `close` does beside the service."""
    apply(filled, plan(tmp_path), "setup")
    with psycopg.connect(filled) as dropping, sessions(filled).open("sync") as looking, ThreadPoolExecutor(1) as pool:
        log = changelog.everything(looking)[0]
        looking.execute("SET lock_timeout = 0")
        dropping.execute(f"DROP TABLE {log.table('a')}, {log.table('b')}".encode())
        tidied = pool.submit(upkeep.tidy, looking, log)
        wait_until(lambda: _waiting(filled, "SELECT pg_catalog.pg_relation_size%"))
        dropping.commit()
        with contextlib.suppress(psycopg.errors.UndefinedTable):  # the other segment's name is looked up afterwards
            assert not tidied.result()


def test_what_the_way_back_makes_one_of_is_said(filled: str, tmp_path: Path) -> None:
    """A contact comes again whose first row the old model's application has used for something else."""
    loaded = plan(tmp_path)
    new = "INSERT INTO core.contacts VALUES (5, 'n@x')"
    apply(filled, loaded, "handover")
    act(filled, new)
    rollback(filled, loaded)
    act(filled, "UPDATE core.emails SET email = 'other@x' WHERE email = 'n@x'")
    apply(filled, loaded, "handover")
    assert _not_known(filled, loaded) == []
    act(filled, new)
    assert _not_known(filled, loaded) == [
        "1 rows that the way back yields for core.emails, and whose keys others have by `winner`"
    ]


def _not_known(dsn: str, loaded: LoadedPlan) -> list[str]:
    found = losing.foresee(sessions(dsn, loaded.plan.settings), loaded, loaded.plan.phases[1:2])
    return [text for text in found.unknown if "way back" in text]
