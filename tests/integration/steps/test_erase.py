"""Erasing one person's rows from archived tables, and legal holds: exactly those rows, or nothing."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.conninfo import make_conninfo

from lockgate import erasure
from lockgate.backup import record
from lockgate.engine import runner
from lockgate.engine.context import Silent
from lockgate.engine.strong import StrongLock
from lockgate.erasure import Erased, Wanted
from lockgate.errors import (
    CheckFailed,
    LeaseHeld,
    LockNotAcquired,
    PlanError,
    UsageError,
)
from lockgate.ledger import audit
from tests.integration.backup.shop import back_up
from tests.integration.engine.plans import QUICK, Told, act, one, rows, sessions, write_plan
from tests.killing import call

PLAN = """
plan: people
settings: {lock_timeout: 200ms, lock_retries: 2}
phases:
  - id: retire
    steps:
      - archive: ['core."Pe%ople"', core.phones, core.colours]
        retain: 90d
        purpose: bookkeeping of the last ten years
        basis: Art. 6(1)(c) GDPR
"""
PEOPLE = 'archive."Pe%ople"'
SETUP = """
CREATE SCHEMA core;
CREATE TABLE core."Pe%ople" (id int PRIMARY KEY, "pers%on" text, doc json);
CREATE TABLE core.phones (person int REFERENCES core."Pe%ople" ON DELETE CASCADE, "pers%on" text, phone text);
CREATE TABLE core.colours (name text);
CREATE TABLE core.seen (what text);
CREATE FUNCTION core.tell() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO core.seen VALUES (OLD.phone); RETURN OLD; END';
CREATE TRIGGER tell AFTER DELETE ON core.phones FOR EACH ROW EXECUTE FUNCTION core.tell();
CREATE TRIGGER idle AFTER DELETE ON core.phones FOR EACH ROW EXECUTE FUNCTION core.tell();
ALTER TABLE core.phones DISABLE TRIGGER idle;
INSERT INTO core."Pe%ople" VALUES (1, 'ana', '{}'), (2, 'bob', NULL), (3, NULL, '[]');
INSERT INTO core.phones VALUES (1, 'ana', '1'), (1, 'ana', '1'), (2, 'bob', NULL), (NULL, NULL, '4');
"""
WANTED = Wanted("people", (), "pers%on", "ana", "request 7", "Ana Souza")
CONTENT = "SELECT name, row_count, content FROM lockgate.archived ORDER BY id"


@pytest.fixture
def filled(dsn: str, tmp_path: Path) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(SETUP.encode())
    runner.apply(write_plan(tmp_path, PLAN), sessions(dsn, QUICK))
    return dsn


def erase(dsn: str, wanted: Wanted = WANTED) -> Erased:
    return erasure.erase(sessions(dsn, QUICK), wanted, progress=Silent(), stop=threading.Event())


def untouched(dsn: str) -> bool:
    counts = f"SELECT (SELECT count(*) FROM {PEOPLE}), (SELECT count(*) FROM archive.phones)"
    return rows(dsn, counts) == [(3, 4)] and rows(dsn, "SELECT FROM lockgate.erased") == []


def read_only(dsn: str) -> bool:
    for table in (PEOPLE, "archive.phones"):
        with psycopg.connect(dsn) as conn, pytest.raises(errors.ObjectNotInPrerequisiteState):
            conn.execute(f"DELETE FROM {table}".encode())
    return True


def test_one_persons_rows_go_from_all_tables_and_nothing_else(filled: str) -> None:
    before = {name: (count, content) for name, count, content in rows(filled, CONTENT)}
    done = erase(filled)
    assert [(part.label, part.rows, part.left) for part in done.parts] == [
        ("core.phones", 2, 2),
        ("core.Pe%ople", 1, 2),
    ]
    assert done.without == ("core.colours",)
    assert rows(filled, f"SELECT id FROM {PEOPLE} ORDER BY 1") == [(2,), (3,)]
    assert rows(filled, "SELECT phone FROM archive.phones ORDER BY 1") == [("4",), (None,)]
    assert rows(filled, "SELECT FROM core.seen") == []
    states = "SELECT tgname, tgenabled::text FROM pg_trigger WHERE tgrelid = 'archive.phones'::regclass "
    assert rows(filled, states + "AND NOT tgisinternal ORDER BY 1") == [
        ("idle", "D"), ("lockgate_archived", "A"), ("tell", "O"),
    ]  # fmt: skip
    assert read_only(filled)
    after = {name: (count, content) for name, count, content in rows(filled, CONTENT)}
    assert (after["phones"][0], after["Pe%ople"][0]) == (2, 2)
    assert after["colours"] == before["colours"]
    log = "SELECT name, by_column, rows, rows_before, content_before, rows_after, content_after, because, erased_by"
    assert rows(filled, f"{log} FROM lockgate.erased ORDER BY id") == [
        (name, "pers%on", gone, before[name][0], before[name][1], *after[name], "request 7", "Ana Souza")
        for name, gone in (("phones", 2), ("Pe%ople", 1))
    ]
    assert one(filled, "SELECT count(DISTINCT request) FROM lockgate.erased") == 1
    with psycopg.connect(filled) as conn:
        assert audit.verify(conn) == []


def test_the_value_stands_nowhere(filled: str) -> None:
    act(filled, f"ALTER TABLE {PEOPLE} DISABLE TRIGGER lockgate_archived",
        f"""UPDATE {PEOPLE} SET "pers%on" = 'secret-4711' WHERE id = 3""",
        f"ALTER TABLE {PEOPLE} ENABLE ALWAYS TRIGGER lockgate_archived")  # fmt: skip
    put_right(filled)
    erase(filled, replace(WANTED, value="secret-4711"))
    for table in one(filled, "SELECT array_agg(tablename::text) FROM pg_tables WHERE schemaname = 'lockgate'"):
        assert not rows(filled, f"SELECT FROM lockgate.{table} t WHERE t::text LIKE '%secret-4711%'")
    said = rows(filled, "SELECT payload->>'query' FROM lockgate.chain WHERE payload->>'name' LIKE 'erased:%'")
    assert len(said) == 1


def put_right(dsn: str) -> None:
    """Take what the table holds now as measured."""
    from lockgate.archive.tables import find, measure

    with psycopg.connect(dsn, autocommit=True) as conn:
        now = measure(conn, find(conn, ("archive", "Pe%ople"), "here"))
        conn.execute("UPDATE lockgate.archived SET content = %s WHERE name = 'Pe%%ople'", (now.content,))


def test_materialized_views_that_still_hold_the_rows_are_named(filled: str) -> None:
    act(
        filled,
        f"CREATE VIEW core.names AS SELECT id FROM {PEOPLE}",
        'CREATE MATERIALIZED VIEW core."Old %names" AS SELECT * FROM core.names',
        "CREATE MATERIALIZED VIEW core.others AS SELECT * FROM archive.colours",
    )
    assert erasure.look(sessions(filled), WANTED).copies == ('core."Old %names"',)
    assert erase(filled).copies == ('core."Old %names"',)
    assert erase(filled).copies == (), "nobody's rows"


def test_a_dry_run_changes_nothing(filled: str) -> None:
    found = erasure.look(sessions(filled, QUICK), WANTED)
    assert (found.rows, found.at, found.without) == (3, None, ("core.colours",))
    assert untouched(filled)


def test_nobody_of_that_name_is_no_erasure(filled: str) -> None:
    done = erase(filled, replace(WANTED, value="nobody"))
    assert (done.rows, done.at) == (0, None)
    assert untouched(filled)


def test_twice_erases_once(filled: str) -> None:
    assert erase(filled).rows == 3
    assert erase(filled).rows == 0
    assert one(filled, "SELECT count(*) FROM lockgate.erased") == 2


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tables": ("core.phone",)}, "This plan has not archived core.phone; did you mean `core.phones`?"),
        ({"tables": ("phones",)}, "phones is no name of a table"),
        ({"tables": ("core.phones",), "column": "pers"}, "core.phones has no column pers"),
        ({"column": "entity"}, "No table that plan people has in the archive has a column entity"),
        ({"column": "doc"}, "Values of this column of core.Pe%ople cannot be compared"),
        ({"column": "id", "value": "secret"}, "The value is none of the column's type in core.Pe%ople"),
    ],
)
def test_what_cannot_be_is_refused(filled: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        erase(filled, replace(WANTED, **change))
    assert caught.value.what.startswith(message)
    assert "secret" not in str(caught.value)
    assert untouched(filled)


@pytest.mark.parametrize("name", ["tables", "beside"])
def test_rows_of_the_same_person_that_refer_and_were_not_meant_are_refused(filled: str, name: str) -> None:
    """The key cascades: they would go unseen."""
    wanted = replace(WANTED, tables=('core."Pe%ople"',))
    if name == "tables":  # one of the phones does not have the value
        act(filled, "ALTER TABLE archive.phones DISABLE TRIGGER lockgate_archived",
            """UPDATE archive.phones SET "pers%on" = 'x' WHERE ctid = '(0,1)'""",
            "ALTER TABLE archive.phones ENABLE ALWAYS TRIGGER lockgate_archived",
            "UPDATE lockgate.archived a SET content = 'sums:0:0' WHERE name = 'phones'")  # fmt: skip
        with psycopg.connect(filled, autocommit=True) as conn:
            from lockgate.archive.tables import find, measure

            now = measure(conn, find(conn, ("archive", "phones"), "here"))
            conn.execute("UPDATE lockgate.archived SET content = %s WHERE name = 'phones'", (now.content,))
        wanted = WANTED
        with pytest.raises(CheckFailed, match=r"Other rows of core\.phones would go"):
            erase(filled, wanted)
    else:
        with pytest.raises(PlanError, match=r"Rows of archive\.phones would go or change with those of core\.Pe%ople"):
            erase(filled, wanted)
    assert untouched(filled)
    assert read_only(filled)


def test_by_their_own_columns_those_that_refer_first(filled: str) -> None:
    assert erase(filled, replace(WANTED, tables=("core.phones",), column="person", value="1")).rows == 2
    assert erase(filled, replace(WANTED, tables=('core."Pe%ople"',), column="id", value="1")).rows == 1
    assert read_only(filled)


@pytest.mark.parametrize("action", ["NO ACTION DEFERRABLE INITIALLY DEFERRED", "CASCADE"])
def test_a_live_table_that_refers(filled: str, action: str) -> None:
    act(
        filled,
        f"CREATE TABLE core.live (id int REFERENCES {PEOPLE} ON DELETE {action}); INSERT INTO core.live VALUES (1)",
    )
    with pytest.raises(PlanError, match=r"Rows of core\.live (refer|would go)"):
        erase(filled)
    assert untouched(filled)


def test_a_rule_is_refused(filled: str) -> None:
    act(filled, "CREATE RULE keep AS ON DELETE TO archive.phones DO ALSO INSERT INTO core.seen VALUES (OLD.phone)")
    with pytest.raises(PlanError, match=r"core\.phones has a rule for DELETE: keep"):
        erase(filled)
    assert untouched(filled)


def test_damage_that_was_there_before_is_not_covered_up(filled: str) -> None:
    act(filled, "ALTER TABLE archive.phones DISABLE TRIGGER lockgate_archived",
        "UPDATE archive.phones SET phone = '9' WHERE phone = '4'",
        "ALTER TABLE archive.phones ENABLE ALWAYS TRIGGER lockgate_archived")  # fmt: skip
    with pytest.raises(CheckFailed, match=r"core\.phones changed since it was archived"):
        erase(filled)
    assert untouched(filled)


def test_nobody_else_gets_in_while_it_lasts(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def others(point: str) -> None:
        if point == "erase.deleted":
            with (
                psycopg.connect(filled, options="-c lock_timeout=50ms") as conn,
                pytest.raises(errors.LockNotAvailable),
            ):
                conn.execute("INSERT INTO archive.phones (phone) VALUES ('9')")
            with psycopg.connect(filled) as conn:
                said.append(str(conn.execute("SELECT count(*) FROM archive.phones").fetchone()))

    monkeypatch.setattr(erasure, "fault", others)
    erase(filled)
    assert said == ["(4,)", "(4,)"]


def test_a_reader_who_stays_is_named(filled: str) -> None:
    with psycopg.connect(filled) as conn:
        conn.execute("LOCK TABLE archive.phones IN ROW EXCLUSIVE MODE")
        with pytest.raises(LockNotAcquired, match=str(conn.info.backend_pid)):
            erase(filled)
    assert untouched(filled)


def test_not_beside_a_runner(filled: str) -> None:
    from lockgate.engine.leasing import holding

    with (
        holding(sessions(filled, QUICK), "apply", progress=Silent(), stop=threading.Event()),
        pytest.raises(LeaseHeld),
    ):
        erase(filled)
    assert untouched(filled)


def erase_there(dsn: str) -> None:
    erase(dsn)


@pytest.mark.one_server
def test_a_kill_before_the_commit_leaves_all_as_it_was(filled: str, tmp_path: Path) -> None:
    target = "tests.integration.steps.test_erase:erase_there"
    for point in ("erase.deleted:1", "erase.deleted:2", "erase.commit:1"):
        assert call(target, filled, fault=point).killed
        assert untouched(filled)
        assert read_only(filled)
    assert call(target, filled).code == 0
    assert one(filled, "SELECT sum(rows) FROM lockgate.erased") == 3


def test_a_commit_whose_answer_was_lost_is_not_done_twice(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = [True]
    do = StrongLock.do

    def twice(self: StrongLock, work: Any) -> Any:
        if lost.pop():
            do(self, work)
        return do(self, work)

    monkeypatch.setattr(StrongLock, "do", twice)
    assert erase(filled).rows == 3
    assert one(filled, "SELECT sum(rows) FROM lockgate.erased") == 3


def test_rollback_says_that_rows_are_gone(filled: str, tmp_path: Path) -> None:
    erase(filled)
    told = Told()
    runner.rollback(write_plan(tmp_path, PLAN), sessions(filled, QUICK), progress=told)
    said = "erased while they were in the archive, and gone: 1 row of core.Pe%ople, 2 rows of core.phones"
    assert any(f"3 tables put back; {said}" in line for line in told.events), told.events
    assert one(filled, "SELECT count(*) FROM core.phones") == 2
    runner.apply(write_plan(tmp_path, PLAN), sessions(filled, QUICK))
    assert rows(filled, "SELECT sum(erased_rows) FROM archive.size_report") == [(0,)]


def test_what_answers_at_the_old_names_goes_on_without_the_rows(dsn: str, tmp_path: Path) -> None:
    """Views of the archived rows, and of the new model: an erasure is none of the application's deletes."""
    act(dsn, SETUP, 'CREATE TABLE core.people AS SELECT id, "pers%on" FROM core."Pe%ople"')
    views = """
        tombstone: true
        views:
          'core."Pe%ople"':
            select: SELECT id, "pers%on", NULL::json AS doc FROM core.people
            delete: DELETE FROM core.people WHERE id = OLD.id
            rights: owner
"""
    loaded = write_plan(tmp_path, PLAN.rstrip() + views)
    runner.apply(loaded, sessions(dsn, QUICK))
    assert erase(dsn).rows == 3
    assert rows(dsn, "SELECT phone FROM core.phones ORDER BY 1") == [("4",), (None,)]
    assert rows(dsn, 'SELECT id FROM archive."Pe%ople" ORDER BY 1') == [(2,), (3,)]
    assert one(dsn, 'SELECT count(*) FROM core."Pe%ople"') == 3
    assert rows(dsn, "SELECT FROM core.seen") == []
    with psycopg.connect(dsn) as conn, pytest.raises(errors.ObjectNotInPrerequisiteState):
        conn.execute("DELETE FROM core.phones")
    act(dsn, 'DELETE FROM core."Pe%ople" WHERE id = 1')
    runner.rollback(loaded, sessions(dsn, QUICK))
    assert rows(dsn, 'SELECT id FROM core."Pe%ople" ORDER BY 1') == [(2,), (3,)]


def test_the_view_of_sizes_says_what_for_and_what_was_erased(filled: str) -> None:
    erase(filled)
    query = "SELECT table_name, rows, purpose, basis, erased_rows FROM archive.size_report ORDER BY 1"
    said = ("bookkeeping of the last ten years", "Art. 6(1)(c) GDPR")
    assert rows(filled, query) == [("Pe%ople", 2, *said, 1), ("colours", 0, *said, 0), ("phones", 2, *said, 2)]


def test_backups_that_may_still_hold_the_rows_are_named(filled: str, tmp_path: Path) -> None:
    for name, patterns in (("whole", ()), ("colours", ("archive.colours",))):
        record.keep(sessions(filled), "people", back_up(filled, tmp_path / name, *patterns))
    done = erase(filled)
    assert [(each.id, each.kind, each.tables) for each in done.backups] == [
        (1, "files", ("archive.Pe%ople", "archive.phones"))
    ]
    record.keep(sessions(filled), "people", back_up(filled, tmp_path / "later"))
    assert [each.id for each in erase(filled, replace(WANTED, value="bob")).backups] == [3, 1]


def test_the_ledgers_log_cannot_be_changed(filled: str) -> None:
    erase(filled)
    with psycopg.connect(filled) as conn, pytest.raises(errors.InsufficientPrivilege):
        conn.execute("DELETE FROM lockgate.erased")


def test_an_owner_who_is_no_superuser(filled: str) -> None:
    """Who archives a table owns it; that is enough."""
    name = f"eraser_{secrets.token_hex(4)}"
    with psycopg.connect(filled, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {name} LOGIN".encode())
        try:
            for schema in ("archive", "lockgate"):
                conn.execute(f"ALTER SCHEMA {schema} OWNER TO {name}".encode())
                for (table,) in conn.execute(
                    "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname = %s", (schema,)
                ).fetchall():
                    conn.execute(f"ALTER TABLE {table} OWNER TO {name}".encode())
            conn.execute(f"ALTER FUNCTION lockgate.refuse_archived() OWNER TO {name}".encode())
            conn.execute(f"GRANT USAGE ON SCHEMA core TO {name}".encode())
            assert erase(make_conninfo(filled, options=f"-c role={name}")).rows == 3
        finally:
            conn.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}".encode())
