"""Standing care of partitions: made ahead of time, retired into the archive; no row is lost, and no insert fails."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lockgate.engine.clock import FakeClock, ForwardedClock, SystemClock
from lockgate.errors import LeaseHeld, PlanError
from lockgate.ledger import install, lease
from lockgate.report.collect import collect
from lockgate.tending import Tended, look, tend
from tests.integration.engine.plans import act, one, rows, sessions, write_plan
from tests.killing import call, every_point
from tests.waiting import wait_until

TABLE = 'core."Mess""ages ä"'
PLAN = """
settings: {lock_timeout: 300ms, lock_retries: 20}
partitions:
  - {table: 'core."Mess""ages ä"', interval: month, ahead: 2, keep: 2, name: "Mess\\"ages YYYY_MM", hold: 20s}
phases: []
"""
# The clock of the tests begins with the year 2026.
SETUP = """
CREATE SCHEMA core;
CREATE TABLE core.clients (id int PRIMARY KEY);
INSERT INTO core.clients SELECT generate_series(1, 9);
CREATE TABLE core."Mess""ages ä" (
    id bigint GENERATED ALWAYS AS IDENTITY, "At ä" timestamptz NOT NULL,
    client int REFERENCES core.clients ON DELETE CASCADE, body text,
    "Len" int GENERATED ALWAYS AS (length(body)) STORED, PRIMARY KEY (id, "At ä")) PARTITION BY RANGE ("At ä");
CREATE INDEX ON core."Mess""ages ä" (client);
CREATE TABLE core."Old" PARTITION OF core."Mess""ages ä"
    FOR VALUES FROM ('2025-09-01 00:00+00') TO ('2025-11-01 00:00+00');
CREATE TABLE core."Mess""ages 2025_11" PARTITION OF core."Mess""ages ä"
    FOR VALUES FROM ('2025-11-01 00:00+00') TO ('2025-12-01 00:00+00') WITH (fillfactor = 80);
CREATE TABLE core."Mess""ages 2025_12" PARTITION OF core."Mess""ages ä"
    FOR VALUES FROM ('2025-12-01 00:00+00') TO ('2026-01-01 00:00+00');
CREATE TABLE core."Mess""ages 2024_01" (looks text);
INSERT INTO core."Mess""ages ä" ("At ä", client, body)
SELECT timestamptz '2025-09-01 00:00+00' + make_interval(days => n), 1 + n % 9, 'm' || n FROM generate_series(0, 119) n;
"""
DEFAULT = """
CREATE TABLE core."rest ä" PARTITION OF core."Mess""ages ä" DEFAULT;
CREATE TABLE core.audit (op text);
CREATE FUNCTION core.note() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO core.audit VALUES (TG_OP); RETURN NULL; END';
CREATE TRIGGER "note ä" AFTER INSERT OR DELETE OR UPDATE ON core."Mess""ages ä"
    FOR EACH ROW EXECUTE FUNCTION core.note();
ALTER TABLE core."Mess""ages ä" ENABLE ALWAYS TRIGGER "note ä";
ALTER TABLE ONLY core."rest ä" ENABLE ALWAYS TRIGGER "note ä";
INSERT INTO core."Mess""ages ä" ("At ä", client, body) VALUES
    ('2026-01-05 00:00+00', 1, 'now'), ('2026-02-28 23:59+00', 2, 'soon'), ('2026-03-31 00:00+00', 3, 'later'),
    ('2031-01-01 00:00+00', 4, 'far'), ('infinity', 5, 'ever'), ('0044-03-15 BC', 6, 'long ago');
"""


@pytest.fixture(params=[False, True], ids=["no default", "default"])
def cared(request: pytest.FixtureRequest, dsn: str) -> str:
    act(dsn, SETUP, *([DEFAULT] if request.param else []))
    return dsn


def run(dsn: str, folder: Path, clock: Any = None, text: str = PLAN) -> Tended:
    loaded = write_plan(folder, text)
    [found], _ = tend(loaded, sessions(dsn, loaded.plan.settings), clock=clock or FakeClock())
    return found


def at(dsn: str, folder: str, days: int) -> None:
    """Called in a process of its own."""
    clock = ForwardedClock(SystemClock())
    clock.passed = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days) - datetime.now(UTC)
    loaded = write_plan(Path(folder), PLAN)
    tend(loaded, sessions(dsn, loaded.plan.settings), clock=clock)


def forwarded(days: float) -> ForwardedClock:
    clock = ForwardedClock(SystemClock())
    clock.passed = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days) - datetime.now(UTC)
    return clock


def parts(dsn: str) -> list[str]:
    found = rows(
        dsn,
        "SELECT c.relname || ': ' || pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i "
        f"JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '{TABLE}'::regclass ORDER BY 1",
    )
    return [str(row[0]) for row in found]


def names(dsn: str) -> list[str]:
    return [part.partition(":")[0] for part in parts(dsn)]


def everything(dsn: str) -> list[tuple[Any, ...]]:
    """What the table and the archive hold together."""
    kept = (
        rows(dsn, "SELECT to_schema, name FROM lockgate.archived")
        if one(dsn, "SELECT to_regclass('lockgate.archived')")
        else []
    )
    held = rows(dsn, f'SELECT id, "At ä"::text, body FROM {TABLE}')
    for schema, name in kept:
        quoted = '"' + name.replace('"', '""') + '"'
        held += rows(dsn, f'SELECT id, "At ä"::text, body FROM {schema}.{quoted}')
    return sorted(held)


def test_partitions_are_made_and_retired_and_a_second_run_changes_nothing(cared: str, tmp_path: Path) -> None:
    before = everything(cared)
    has_default = one(cared, "SELECT to_regclass('core.audit') IS NOT NULL")
    audited = one(cared, "SELECT count(*) FROM core.audit") if has_default else 0
    found = run(cared, tmp_path)
    assert list(found.made.values()) == ([1, 1, 1] if has_default else [0, 0, 0])
    assert found.retired == ["core.Old"]
    assert found.troubles == []
    assert names(cared) == [
        'Mess"ages 2025_11', 'Mess"ages 2025_12', 'Mess"ages 2026_01', 'Mess"ages 2026_02', 'Mess"ages 2026_03',
        *(["rest ä"] if has_default else []),
    ]  # fmt: skip
    assert everything(cared) == before
    if has_default:
        assert one(cared, "SELECT count(*) FROM core.audit") == audited  # nothing has changed, so nothing is told
        assert rows(cared, 'SELECT body FROM core."rest ä" ORDER BY 1') == [("ever",), ("far",), ("long ago",)]
        assert (found.in_default, found.fails_from) == (3, None)
        trigger = "SELECT DISTINCT tgenabled FROM pg_trigger WHERE tgname = 'note ä'"
        assert rows(cared, f"{trigger} AND tgrelid = 'core.\"rest ä\"'::regclass") == [("A",)]
    else:
        assert (found.in_default, found.fails_from) == (0, datetime(2026, 4, 1, tzinfo=UTC))
    state, seen = parts(cared), look(write_plan(tmp_path, PLAN), sessions(cared), FakeClock())
    again = run(cared, tmp_path)
    assert not again.changed
    assert not seen[0].changed
    assert parts(cared) == state
    assert one(cared, 'SELECT count(*) FROM core."Mess""ages 2024_01"') == 0  # it only looks like a partition


def test_what_is_in_the_archive_is_measured_and_read_only(cared: str, tmp_path: Path) -> None:
    run(cared, tmp_path)
    assert rows(cared, "SELECT plan, phase, row_count, to_schema FROM lockgate.archived") == [
        ("shop", "partitions", 61, "archive")
    ]
    until = one(cared, "SELECT retain_until::text FROM lockgate.archived")
    with psycopg.connect(cared) as conn:
        (kept,) = collect(conn, "shop").in_archive
        assert kept.rows == 61
        assert kept.retain_until[:10] == until[:10]
    with psycopg.connect(cared) as conn, pytest.raises(psycopg.DatabaseError, match="archived and read-only"):
        conn.execute('DELETE FROM archive."Old"')
    # No foreign key is left that would refuse it, or take rows along.
    act(cared, "DELETE FROM core.clients WHERE id = 1")
    assert one(cared, 'SELECT count(*) FROM archive."Old" WHERE client = 1') > 0
    assert one(cared, f"SELECT count(*) FROM {TABLE} WHERE client = 1") == 0


def test_a_new_partition_is_like_the_others(cared: str, tmp_path: Path) -> None:
    run(cared, tmp_path)
    act(cared, f"INSERT INTO {TABLE} (\"At ä\", client, body) VALUES ('2026-01-31 23:59:59+00', 7, 'last')")
    part = 'core."Mess""ages 2026_01"'
    assert one(cared, f"SELECT \"Len\" FROM {part} WHERE body = 'last'") == 4
    shape = (
        "SELECT (SELECT count(*) FROM pg_index WHERE indrelid = c.oid AND indisvalid), (SELECT count(*) FROM "
        "pg_constraint WHERE conrelid = c.oid AND contype IN ('p', 'f', 'c')) FROM pg_class c "
        "WHERE c.oid = '{}'::regclass"
    )
    assert rows(cared, shape.format(part)) == rows(cared, shape.format('core."Mess""ages 2025_12"'))
    with psycopg.connect(cared) as conn, pytest.raises(psycopg.errors.ForeignKeyViolation):
        conn.execute(f"INSERT INTO {TABLE} (\"At ä\", client) VALUES ('2026-02-01 00:00+00', 77)".encode())


def test_months_roll_over_under_the_applications_hands(cared: str, tmp_path: Path) -> None:
    """Months pass; the application writes of the present all the while, and its every insert succeeds."""
    run(cared, tmp_path)
    moment, stop, written, failures = [datetime(2026, 1, 15, tzinfo=UTC)], threading.Event(), [0], list[str]()

    def write() -> None:
        with psycopg.connect(cared, autocommit=True) as conn:
            while not stop.is_set():
                try:
                    conn.execute(
                        f'INSERT INTO {TABLE} ("At ä", client, body) VALUES (%s, %s, %s)'.encode(),
                        (moment[0], 1 + written[0] % 9, "w"),
                    )
                    written[0] += 1
                except psycopg.Error as error:
                    failures.append(str(error))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for month in range(1, 5):
            begun = written[0]
            moment[0] += timedelta(days=30)
            wait_until(lambda begun=begun: written[0] > begun or failures)  # type: ignore[misc]
            assert run(cared, tmp_path, forwarded(15 + 30 * month)).troubles == []
    finally:
        stop.set()
        thread.join()
    assert failures == []
    held = [body for _, _, body in everything(cared)]
    assert held.count("w") == written[0]
    assert len(names(cared)) == 5 + ("rest ä" in names(cared))


@pytest.mark.one_server
@pytest.mark.parametrize("default", [False, True], ids=["no default", "default"])
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next_one(dsn: str, tmp_path: Path, default: bool) -> None:
    act(dsn, SETUP, *([DEFAULT] if default else []))
    before = everything(dsn)
    ended = call("tests.integration.partitioning.test_tending:at", dsn, str(tmp_path / "p"), 0, log=tmp_path / "log")
    assert ended.code == 0, ended.err
    points = [point for point in every_point(ended.points, 1) if point.startswith("partitions.")]
    assert len(points) >= 6
    for number, point in enumerate(points):
        # Each time another month goes.
        days = 31 * (number + 1)
        died = call("tests.integration.partitioning.test_tending:at", dsn, str(tmp_path / "p"), days, fault=point)
        if died.killed:
            assert one(dsn, "SELECT count(*) FROM lockgate.retiring") <= 1
        found = run(dsn, tmp_path / "p", forwarded(days))
        assert found.troubles == []
        assert one(dsn, "SELECT count(*) FROM lockgate.retiring") == 0
        assert everything(dsn) == before
    assert not run(dsn, tmp_path / "p", forwarded(31 * len(points))).changed


def test_a_detach_that_somebody_began_is_finished(dsn: str, tmp_path: Path) -> None:
    act(dsn, SETUP)
    run(dsn, tmp_path)
    with psycopg.connect(dsn) as reader, psycopg.connect(dsn, autocommit=True) as conn:
        reader.execute(f"SELECT count(*) FROM {TABLE}".encode())
        conn.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            conn.execute(f'ALTER TABLE {TABLE} DETACH PARTITION core."Mess""ages 2025_12" CONCURRENTLY'.encode())
    assert one(dsn, "SELECT count(*) FROM pg_inherits WHERE inhdetachpending") == 1
    found = run(dsn, tmp_path)
    assert found.finished == ['core.Mess"ages 2025_12']
    assert one(dsn, "SELECT count(*) FROM pg_inherits WHERE inhdetachpending") == 0
    assert one(dsn, 'SELECT count(*) FROM core."Mess""ages 2025_12"') == 29  # and it is where it was


def test_rows_that_others_refer_to_stay_in_the_default_partition(dsn: str, tmp_path: Path) -> None:
    """To move a row is to remove it, for a foreign key: with ON DELETE CASCADE what refers to it would be lost."""
    act(dsn, SETUP, DEFAULT)
    act(
        dsn,
        'CREATE TABLE core.stars (m bigint, "at" timestamptz, '
        f'FOREIGN KEY (m, "at") REFERENCES {TABLE} ON DELETE CASCADE)',
        f"INSERT INTO core.stars SELECT id, \"At ä\" FROM {TABLE} WHERE body IN ('now', 'far')",
    )
    before = everything(dsn)
    found = run(dsn, tmp_path)
    assert found.made == {}
    assert [("stay where they are" in trouble, "stars" in trouble) for trouble in found.troubles] == [(True, True)] * 3
    assert one(dsn, "SELECT count(*) FROM core.stars") == 2
    assert everything(dsn) == before


@pytest.mark.one_server
def test_bounds_of_other_times_are_told_and_nothing_overlaps(dsn: str, tmp_path: Path) -> None:
    act(dsn, SETUP)
    act(
        dsn,
        f"CREATE TABLE core.odd PARTITION OF {TABLE} "
        "FOR VALUES FROM ('2026-01-31 21:00+00') TO ('2026-02-28 21:00+00')",
    )
    found = run(dsn, tmp_path)
    assert list(found.made) == ['core.Mess"ages 2026_03']
    assert [trouble[:44] for trouble in found.troubles] == [
        "2026-01-01 to 2026-02-01 is covered in part,",
        "2026-02-01 to 2026-03-01 is covered in part,",
    ]


@pytest.mark.one_server
def test_a_name_that_is_taken_holds_up_no_other_partition(dsn: str, tmp_path: Path) -> None:
    act(dsn, SETUP, 'CREATE TABLE core."Mess""ages 2026_02" ()')
    found = run(dsn, tmp_path)
    assert list(found.made) == ['core.Mess"ages 2026_01', 'core.Mess"ages 2026_03']
    assert found.troubles == ['Mess"ages 2026_02 was not made: something else is called core.Mess"ages 2026_02']
    assert found.fails_from == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.one_server
def test_two_at_once_do_no_harm(dsn: str, tmp_path: Path) -> None:
    act(dsn, SETUP)
    loaded = write_plan(tmp_path, PLAN)
    with psycopg.connect(dsn, autocommit=True) as conn:
        install(conn)
        held = lease.acquire(conn, "somebody else", timedelta(seconds=60))
        with sessions(dsn).open("heartbeat"), pytest.raises(LeaseHeld):
            tend(loaded, sessions(dsn))
        lease.release(conn, held)
    assert len(names(dsn)) == 3


def test_the_owner_of_the_table_may_do_it(dsn: str, tmp_path: Path) -> None:
    act(dsn, SETUP, DEFAULT)
    role, word = f"care_{token_hex(4)}", token_hex(8)
    act(
        dsn,
        f"CREATE ROLE {role} LOGIN PASSWORD '{word}'",
        f"DO $$BEGIN EXECUTE 'GRANT CREATE ON DATABASE ' || current_database() || ' TO {role}'; END$$",
        f"ALTER SCHEMA core OWNER TO {role}",
        f"ALTER TABLE core.clients OWNER TO {role}; ALTER TABLE core.audit OWNER TO {role}",
        f"DO $$DECLARE t regclass; BEGIN FOR t IN SELECT relid FROM pg_partition_tree('{TABLE}') LOOP "
        f"EXECUTE format('ALTER TABLE %s OWNER TO {role}', t); END LOOP; END$$",
    )
    found = run(make_conninfo(dsn, user=role, password=word), tmp_path)
    assert (len(found.made), found.retired, found.troubles) == (3, ["core.Old"], [])


@pytest.mark.one_server
def test_what_is_no_such_table_is_refused_with_its_place(dsn: str, tmp_path: Path) -> None:
    act(
        dsn,
        "CREATE SCHEMA core; CREATE TABLE core.plain (id int); CREATE TABLE core.listed (k int) PARTITION BY LIST (k)",
    )
    for table, why in (
        ("core.plain", "is not partitioned"),
        ("core.listed", "by range of one"),
        ("core.plane", "did you mean"),
    ):
        text = PLAN.replace('\'core."Mess""ages ä"\'', table)
        with pytest.raises(PlanError, match=why) as caught:
            run(dsn, tmp_path, text=text)
        assert str(caught.value.where).startswith("plan.yaml:5:")
