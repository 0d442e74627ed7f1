"""Installing, upgrading and removing the ledger, by several at once and by roles with few rights."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection, errors, sql
from psycopg.conninfo import make_conninfo

from lockgate.errors import LeaseHeld, LedgerError, PrivilegeMissing
from lockgate.ledger import (
    chain,
    chunks,
    control,
    grants,
    install,
    lease,
    phases,
    require,
    runs,
    size,
    steps,
    store,
    uninstall,
    version,
)
from lockgate.ledger.schemafiles import SchemaFile, ordered, shipped
from tests.integration.ledger.conftest import TTL, Connect
from tests.waiting import wait_until

LATEST = shipped()[-1].number


def plus(*named: tuple[str, str]) -> tuple[SchemaFile, ...]:
    """The shipped files and further ones."""
    return (*shipped(), *ordered(named))


def test_install_is_done_once(conn: Connection[Any]) -> None:
    assert version(conn) is None
    assert install(conn) == LATEST
    assert (version(conn), require(conn)) == (LATEST, LATEST)
    before = conn.execute("SELECT * FROM lockgate.meta").fetchall()
    assert install(conn) == LATEST
    assert conn.execute("SELECT * FROM lockgate.meta").fetchall() == before
    assert [(entry.number, entry.sha256) for entry in store.applied(conn)] == [(f.number, f.sha256) for f in shipped()]
    assert store.faults(conn) == []


def test_install_is_one_transaction(conn: Connection[Any]) -> None:
    with pytest.raises(errors.DivisionByZero):
        install(conn, plus(("900_broken.sql", "CREATE TABLE lockgate.x (); SELECT 1/0")))
    assert version(conn) is None
    assert conn.execute("SELECT to_regnamespace('lockgate')").fetchone() == (None,)


def test_an_administrator_is_himself_again_after_an_install(conn: Connection[Any], role: str) -> None:
    run(conn, "CREATE SCHEMA lockgate AUTHORIZATION {}", role)
    with conn.transaction():
        install(conn)
        assert conn.execute("SELECT current_user").fetchone() == (conn.info.user,)


def test_install_in_the_callers_transaction_is_undone_with_it(conn: Connection[Any]) -> None:
    with conn.transaction(force_rollback=True):
        install(conn)
    assert version(conn) is None


def test_several_install_at_once(connect: Connect, conn: Connection[Any]) -> None:
    conns = [connect() for _ in range(5)]
    results: list[object] = []

    def run(mine: Connection[Any]) -> None:
        try:
            results.append(install(mine))
        except psycopg.Error as error:
            results.append(error)

    threads = [threading.Thread(target=run, args=(mine,)) for mine in conns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [LATEST] * 5
    assert len(store.applied(conn)) == len(shipped())


def test_a_short_lock_timeout_is_not_for_waiting_for_who_installs(connect: Connect, conn: Connection[Any]) -> None:
    hasty = connect()
    hasty.execute("SET lock_timeout = '1ms'")
    waits = "SELECT FROM pg_locks WHERE pid = %s AND NOT granted"
    with conn.transaction():
        install(conn)
        thread = threading.Thread(target=install, args=(hasty,))
        thread.start()
        looking = connect()
        wait_until(lambda: looking.execute(waits, (hasty.info.backend_pid,)).fetchone() is not None)
        # Longer than its own patience: then it is still there.
        looking.execute("SELECT pg_sleep(0.05)")
        assert looking.execute(waits, (hasty.info.backend_pid,)).fetchone() is not None
    thread.join()
    assert hasty.execute("SHOW lock_timeout").fetchone() == ("1ms",)
    assert require(hasty) == LATEST


def test_who_installs_for_ever_is_not_waited_for(
    connect: Connect, conn: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_PATIENCE", "10ms")
    with conn.transaction():
        install(conn)
        with pytest.raises(LedgerError, match="Another process makes, upgrades or removes the ledger"):
            install(connect())


def test_an_older_ledger_is_upgraded_in_place_and_keeps_its_rows(ledger: Connection[Any]) -> None:
    chain.append(ledger, kind="event", plan="p", payload={})
    more = plus(("900_more.sql", "CREATE TABLE lockgate.more (n int); INSERT INTO lockgate.more VALUES (1)"))
    assert install(ledger, more) == 900
    assert install(ledger, more) == 900
    assert ledger.execute("SELECT * FROM lockgate.more").fetchall() == [(1,)]
    assert len(chain.entries(ledger, "p")) == 1


def test_a_file_with_a_lower_number_may_come_later(ledger: Connection[Any]) -> None:
    high = ("900_high.sql", "CREATE TABLE lockgate.high ()")
    install(ledger, plus(high))
    install(ledger, plus(("800_low.sql", "CREATE TABLE lockgate.low ()"), high))
    assert version(ledger) == 900
    assert [entry.number for entry in store.applied(ledger)][-2:] == [800, 900]


def test_a_newer_ledger_says_to_upgrade_lockgate(ledger: Connection[Any]) -> None:
    install(ledger, plus(("900_future.sql", "CREATE TABLE lockgate.future ()")))
    for work in (install, require):
        with pytest.raises(LedgerError, match="newer than this Lockgate") as caught:
            work(ledger)
        assert "900_future" in str(caught.value.why)
        assert "Upgrade lockgate" in str(caught.value.hint)
    assert version(ledger) == 900


def test_an_absent_ledger_says_what_makes_one(conn: Connection[Any]) -> None:
    with pytest.raises(LedgerError, match="no ledger in this database") as caught:
        require(conn)
    assert "lockgate apply" in str(caught.value.hint)


def test_an_older_ledger_is_not_worked_with(ledger: Connection[Any]) -> None:
    ledger.execute("DELETE FROM lockgate.meta WHERE number = %s", (LATEST,))
    with pytest.raises(LedgerError, match=f"older than this Lockgate: {LATEST:03} is missing") as caught:
        require(ledger)
    assert "lockgate apply" in str(caught.value.hint)


def test_a_changed_schema_file_and_missing_guards_are_reported(ledger: Connection[Any]) -> None:
    ledger.execute("UPDATE lockgate.meta SET sha256 = 'other' WHERE number = 1")
    ledger.execute("ALTER TABLE lockgate.chain DISABLE TRIGGER chain_append_only")
    ledger.execute("DROP TRIGGER chain_head_stays ON lockgate.chain_head")
    ledger.execute("ALTER TABLE lockgate.chain_head ENABLE TRIGGER chain_head_forward")
    assert store.faults(ledger) == [
        "Schema file 001_ledger was applied in another form than this Lockgate has.",
        "Trigger chain_append_only, which guards lockgate.chain, does not fire always.",
        "Trigger chain_head_forward, which guards lockgate.chain_head, does not fire always.",
        "Trigger chain_head_stays, which guards lockgate.chain_head, is missing.",
    ]


def test_a_schema_that_is_something_else_is_left_alone(conn: Connection[Any]) -> None:
    conn.execute("CREATE SCHEMA lockgate CREATE TABLE doors (n int)")
    for work in (install, uninstall):
        with pytest.raises(LedgerError, match="not Lockgate's ledger"):
            work(conn)
    assert version(conn) is None


def test_uninstall_takes_its_triggers_on_other_tables_along(ledger: Connection[Any]) -> None:
    ledger.execute("CREATE TABLE public.t (n int)")
    ledger.execute("CREATE TRIGGER t BEFORE DELETE ON public.t FOR EACH ROW EXECUTE FUNCTION lockgate.refuse_change()")
    assert uninstall(ledger)
    assert not uninstall(ledger)
    assert version(ledger) is None
    assert ledger.execute("SELECT count(*) FROM pg_trigger WHERE tgname = 't'").fetchone() == (0,)
    assert install(ledger) == LATEST


def test_uninstall_waits_for_no_runner_but_refuses(ledger: Connection[Any]) -> None:
    held = lease.acquire(ledger, "apply", TTL)
    with pytest.raises(LeaseHeld, match="A runner is at work: apply on "):
        uninstall(ledger)
    lease.release(ledger, held)
    assert uninstall(ledger)


def test_size_counts_every_table(ledger: Connection[Any]) -> None:
    ledger.execute("CREATE TABLE lockgate.extra (n int)")
    sizes = size(ledger)
    assert sizes["extra"] == 0
    assert {"chain", "chain_head", "chunks", "control", "lease", "meta", "phases", "runs", "steps"} < sizes.keys()
    before = sizes["chunks"]
    step = steps.get_or_create(ledger, "p", "f", "s", "map")
    chunks.insert(ledger, step.id, (chunks.ChunkRange(1, n, n + 1) for n in range(1000)))
    assert size(ledger)["chunks"] > before + 50_000


# Roles.


@pytest.fixture
def role(dsn: str, conn: Connection[Any]) -> Iterator[str]:
    """A role that may log in and nothing else; the password is its name."""
    row = conn.execute("SELECT 'role_' || substr(current_database(), 15)").fetchone()
    assert row is not None
    name = str(row[0])
    conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(name)))
    yield name
    conn.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(name)))
    conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def as_role(dsn: str, role: str) -> Connection[Any]:
    return psycopg.connect(make_conninfo(dsn, user=role, password=role), autocommit=True, prepare_threshold=None)


def run(conn: Connection[Any], statement: str, *names: str) -> None:
    conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def use_everything(conn: Connection[Any]) -> None:
    run_id = runs.start(conn, plan="p", digest="d", command="apply")
    mine = lease.acquire(conn, "apply", TTL)
    phases.set(conn, "p", "one", "running")
    step = steps.get_or_create(conn, "p", "one", "s", "map")
    chunks.insert(conn, step.id, [chunks.ChunkRange(1, 0, 4)])
    with conn.transaction():
        lease.assert_held(conn, mine.epoch)
        chunk = chunks.claim(conn, step.id)
        assert chunk is not None
        assert chunks.split(conn, chunk.id)
        chunks.finish(conn, chunk.id, 1, 1, "w", 0.1)
        steps.set_state(conn, step.id, "running", detail={"x": chunks.digest(conn, step.id)})
        chain.append(conn, kind="step", plan="p", payload={}, run_id=run_id)
    control.set(conn, "p", paused=True)
    chunks.clear(conn, step.id)
    lease.heartbeat(conn, mine)
    lease.release(conn, mine)
    runs.finish(conn, run_id, "done")
    assert chain.verify(conn, chain.head(conn)) == []
    assert store.faults(conn) == []
    assert size(conn)


def test_a_role_with_nothing_but_create_on_the_database(dsn: str, conn: Connection[Any], role: str) -> None:
    run(conn, "GRANT CREATE ON DATABASE {} TO {}", conn.info.dbname, role)
    with as_role(dsn, role) as mine:
        assert install(mine) == LATEST
        use_everything(mine)
        install(mine, plus(("900_more.sql", "CREATE TABLE lockgate.more (n int)")))
        assert uninstall(mine)


def test_the_missing_grant_is_named(dsn: str, conn: Connection[Any], role: str) -> None:
    with as_role(dsn, role) as mine:
        with pytest.raises(PrivilegeMissing) as caught:
            install(mine)
        assert version(mine) is None
    hint = str(caught.value.hint)
    assert hint == f'As the database\'s owner: GRANT CREATE ON DATABASE "{conn.info.dbname}" TO "{role}";'
    conn.execute(hint.partition(": ")[2].encode())
    with as_role(dsn, role) as mine:
        assert install(mine) == LATEST


def test_the_ledger_of_somebody_else(dsn: str, ledger: Connection[Any], role: str) -> None:
    with as_role(dsn, role) as mine:
        for work in (install, require, version, uninstall):
            with pytest.raises(PrivilegeMissing, match=f"belongs to role postgres, and {role} may not use it"):
                work(mine)
        run(ledger, "GRANT USAGE ON SCHEMA lockgate TO {}", role)
        with pytest.raises(PrivilegeMissing):
            version(mine)
        run(ledger, "GRANT SELECT ON lockgate.meta TO {}", role)
        assert version(mine) == LATEST


def test_nobody_but_the_owner_reads_it_whatever_the_defaults_grant(dsn: str, conn: Connection[Any], role: str) -> None:
    run(conn, "ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO {}, PUBLIC", role)
    run(conn, "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {}, PUBLIC", role)
    run(conn, "ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO {}, PUBLIC", role)
    more = plus(("900_more.sql", "CREATE TABLE lockgate.secret (id bigint GENERATED ALWAYS AS IDENTITY)"))
    install(conn)
    install(conn, more)
    assert granted(conn) == []
    with as_role(dsn, role) as mine, pytest.raises(errors.InsufficientPrivilege):
        mine.execute("SELECT * FROM lockgate.secret")


def test_what_the_administrator_granted_survives_an_upgrade(conn: Connection[Any], role: str) -> None:
    install(conn)
    run(conn, "GRANT USAGE ON SCHEMA lockgate TO {}", role)
    run(conn, "GRANT SELECT ON lockgate.chain TO {}", role)
    install(conn, plus(("900_more.sql", "CREATE TABLE lockgate.more (n int)")))
    assert granted(conn) == ["chain", "lockgate"]


def granted(conn: Connection[Any]) -> list[str]:
    """The objects on which somebody else than their owner has a right."""
    rows = conn.execute(
        "SELECT DISTINCT relname::text FROM pg_class c, aclexplode(relacl) a"
        " WHERE relnamespace = 'lockgate'::regnamespace AND a.grantee <> relowner UNION"
        " SELECT nspname FROM pg_namespace, aclexplode(nspacl) a WHERE nspname = 'lockgate' AND a.grantee <> nspowner"
        " ORDER BY 1"
    )
    return [name for (name,) in rows]


def test_the_grants_suffice_and_an_administrator_may_install(dsn: str, conn: Connection[Any], role: str) -> None:
    run(conn, "CREATE ROLE {}", f"app_{role}")
    try:
        text = grants([f"app_{role}"], role).encode()
        conn.execute(text)
        assert install(conn) == LATEST
        run(conn, "GRANT ALL ON ALL TABLES IN SCHEMA lockgate TO {}", f"app_{role}")
        conn.execute(text)
        owners = conn.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'lockgate'::regnamespace"
        )
        assert owners.fetchall() == [(role,)]
        assert granted(conn) == []
        with as_role(dsn, role) as mine:
            use_everything(mine)
            install(mine, plus(("900_more.sql", "CREATE TABLE lockgate.more (n int)")))
    finally:
        run(conn, "DROP ROLE {}", f"app_{role}")
