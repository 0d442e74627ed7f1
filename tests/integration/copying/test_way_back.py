"""Taking a copy back: what was written here since is in the other database afterwards, or was said to be lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.engine import runner
from lockgate.engine.undoing import BEGINNING
from lockgate.errors import RollbackRefused
from tests.integration.copying.conftest import VARIABLE
from tests.integration.copying.test_copy import FILLED, PLAN, SHOP, apply, execute, load, same
from tests.integration.engine.plans import QUICK, Told, one, rows, sessions

BACK = PLAN + f"        back: {VARIABLE}\n"
SWITCH = """
  - id: switch
    steps: [{copy: last, again: old}]
"""
WRITTEN_HERE = """
UPDATE companies SET settings = '{"here": true}' WHERE id = 2;
DELETE FROM bookings WHERE client BETWEEN 10 AND 20;
INSERT INTO companies (title) VALUES ('born here');
INSERT INTO clients (company, phone) VALUES (21, 'born here');
INSERT INTO bookings VALUES (3001, '2027-01-01', 'born here'), (9, '2027-01-01', 'born here');
UPDATE clients SET invited_by = 3001 WHERE id = 2;
"""
COUNTS = "SELECT (SELECT count(*) FROM companies), (SELECT count(*) FROM clients), (SELECT count(*) FROM bookings)"


@pytest.fixture
def shop(dsn: str, old: str) -> tuple[str, str]:
    execute(dsn, SHOP)
    execute(old, SHOP + FILLED)
    return dsn, old


def rollback(dsn: str, folder: Path, text: str, *, to: str | None = None, lose_rows: bool = False) -> list[str]:
    told = Told()
    runner.rollback(load(folder, text), sessions(dsn, QUICK), to=to, lose_rows=lose_rows, progress=told)
    return told.events


def test_before_anything_was_written_here_all_copied_rows_go(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    execute(dsn, "INSERT INTO companies (title) OVERRIDING SYSTEM VALUE VALUES ('before')")
    execute(old, "DELETE FROM bookings; DELETE FROM clients; DELETE FROM companies WHERE id = 1")
    execute(
        old, "INSERT INTO clients (company, phone, invited_by) SELECT 2, n::text, 3000 + n FROM generate_series(1, 9) n"
    )
    apply(dsn, tmp_path)
    rollback(dsn, tmp_path, PLAN)
    assert rows(dsn, COUNTS) == [(1, 0, 0)]
    assert one(dsn, "SELECT count(*) FROM lockgate.copies") == 0
    apply(dsn, tmp_path)
    assert rows(dsn, COUNTS) == [(20, 9, 0)]


def test_what_was_written_here_is_counted_and_not_lost_unasked(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    apply(dsn, tmp_path, PLAN + SWITCH)
    execute(dsn, WRITTEN_HERE)
    deleted = 5000 + 2 - one(dsn, "SELECT count(*) FROM bookings")
    for to in (None, BEGINNING):
        with pytest.raises(RollbackRefused) as refused:
            rollback(dsn, tmp_path, PLAN + SWITCH, to=to)
        why = str(refused.value)
        assert "public.companies: 2 rows, written here since the copy began" in why
        assert "public.clients: 2 rows, written here since the copy began" in why
        assert "public.bookings: 2 rows, written here since the copy began" in why
        assert deleted > 2, "else deletions cannot be told from changes"
        assert f"public.bookings: {deleted - 2} rows, copied, and deleted here since" in why
    before = rows(old, COUNTS)
    rollback(dsn, tmp_path, PLAN + SWITCH, to=BEGINNING, lose_rows=True)
    assert rows(dsn, COUNTS) == [(0, 0, 0)]
    assert rows(old, COUNTS) == before


def test_what_was_written_here_goes_to_the_other_database(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    apply(dsn, tmp_path, BACK + SWITCH)
    execute(dsn, WRITTEN_HERE)
    wanted = {
        table: rows(dsn, f"SELECT t::text FROM {table} t ORDER BY 1") for table in ("companies", "clients", "bookings")
    }
    told = rollback(dsn, tmp_path, BACK + SWITCH)
    for table, found in wanted.items():
        assert rows(old, f"SELECT t::text FROM {table} t ORDER BY 1") == found, table
    assert any("6 rows taken to the other database" in event for event in told), told
    # The rows here follow the other database again.
    same(dsn, old)
    execute(old, "UPDATE companies SET title = 'later' WHERE title = 'born here'")
    execute(old, "INSERT INTO companies (title) VALUES ('not taken twice')")
    apply(dsn, tmp_path, BACK + SWITCH)
    same(dsn, old)
    rollback(dsn, tmp_path, BACK + SWITCH, to=BEGINNING)
    assert rows(dsn, COUNTS) == [(0, 0, 0)]


def test_the_whole_way_back_at_once(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    apply(dsn, tmp_path, BACK + SWITCH)
    execute(dsn, WRITTEN_HERE)
    wanted = rows(dsn, "SELECT t::text FROM bookings t ORDER BY 1")
    rollback(dsn, tmp_path, BACK + SWITCH, to=BEGINNING)
    assert rows(old, "SELECT t::text FROM bookings t ORDER BY 1") == wanted
    assert rows(dsn, COUNTS) == [(0, 0, 0)]


def test_an_other_database_that_was_written_too_is_left_alone(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    apply(dsn, tmp_path, BACK + SWITCH)
    execute(dsn, WRITTEN_HERE)
    execute(old, "UPDATE bookings SET what = 'there' WHERE client = 100")
    before = rows(old, "SELECT t::text FROM bookings t ORDER BY 1")
    with pytest.raises(RollbackRefused, match="would lose") as refused:
        rollback(dsn, tmp_path, BACK + SWITCH)
    assert "The other database was written since both agreed" in str(refused.value)
    assert "public.bookings had 5000 rows when both agreed" in str(refused.value)
    assert rows(old, "SELECT t::text FROM bookings t ORDER BY 1") == before
    rollback(dsn, tmp_path, BACK + SWITCH, lose_rows=True)
    apply(dsn, tmp_path, BACK + SWITCH)
    same(dsn, old)


def test_rows_that_were_here_before_are_not_taken_there(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    execute(dsn, "INSERT INTO clients (id, company, phone) SELECT 7000, 1, NULL WHERE false")
    execute(dsn, "INSERT INTO companies (id, title) OVERRIDING SYSTEM VALUE VALUES (900, 'before')")
    apply(dsn, tmp_path, BACK)
    execute(dsn, "UPDATE companies SET title = 'changed here' WHERE id = 1")
    rollback(dsn, tmp_path, BACK)
    assert one(old, "SELECT count(*) FROM companies WHERE title IN ('before', 'changed here')") == 1
    assert rows(dsn, "SELECT id FROM companies") == [(900,)]


def test_verify_tells_what_was_written_here_from_a_fault(shop: tuple[str, str], tmp_path: Path) -> None:
    from lockgate.verification import verify

    dsn, old = shop
    apply(dsn, tmp_path)
    execute(dsn, WRITTEN_HERE)

    def verified() -> tuple[bool, str]:
        import threading

        from lockgate.engine.clock import SystemClock

        found = next(
            iter(
                verify(
                    load(tmp_path),
                    sessions(dsn),
                    only=None,
                    progress=Told(),
                    clock=SystemClock(),
                    stop=threading.Event(),
                )
            )
        )
        assert found.result is not None
        return found.passed, found.result.what

    passed, what = verified()
    assert passed
    assert "public.companies: 20 rows, 1 changed and 0 deleted here since both agreed, 1 born here" in what
    execute(old, "UPDATE companies SET title = 'there' WHERE id = 7")
    passed, what = verified()
    assert not passed
    assert "1 different, 1 written here and different" in what


MESSAGES = "CREATE TABLE messages (id bigint{}, at timestamptz NOT NULL, what text{})"
LONGER = MESSAGES.format("", ", PRIMARY KEY (id, at)")
PARTITIONED = f"{LONGER} PARTITION BY RANGE (at); CREATE TABLE messages_all PARTITION OF messages DEFAULT"
OF_MESSAGES = f"""
phases:
  - id: load
    steps:
      - copy: old
        from: {VARIABLE}
        back: {VARIABLE}
        tables: [public.messages]
"""


def test_a_longer_key_here_than_there_has_a_way_back(dsn: str, old: str, tmp_path: Path) -> None:
    execute(dsn, PARTITIONED)
    execute(old, MESSAGES.format(" PRIMARY KEY", ""))
    execute(
        old,
        "INSERT INTO messages SELECT n, '2026-01-01'::timestamptz + n * interval '1 h' FROM generate_series(1, 9) n",
    )
    apply(dsn, tmp_path, OF_MESSAGES)
    execute(dsn, "UPDATE messages SET at = at + interval '1 year' WHERE id = 3; DELETE FROM messages WHERE id = 4")
    execute(
        dsn, "UPDATE messages SET what = 'here' WHERE id = 5; INSERT INTO messages VALUES (10, '2026-03-01', 'born')"
    )
    wanted = rows(dsn, "SELECT * FROM messages ORDER BY id")
    rollback(dsn, tmp_path, OF_MESSAGES)
    assert rows(old, "SELECT * FROM messages ORDER BY id") == wanted
    assert one(dsn, "SELECT count(*) FROM messages") == 0


def test_rows_that_the_shorter_key_there_cannot_hold_both_of_are_not_lost(dsn: str, old: str, tmp_path: Path) -> None:
    execute(dsn, PARTITIONED)
    execute(old, MESSAGES.format(" PRIMARY KEY", "") + "; INSERT INTO messages VALUES (1, '2026-01-01')")
    apply(dsn, tmp_path, OF_MESSAGES)
    execute(dsn, "INSERT INTO messages VALUES (1, '2026-02-01', 'the same id')")
    with pytest.raises(RollbackRefused, match="would not be what this one is"):
        rollback(dsn, tmp_path, OF_MESSAGES)
    assert one(dsn, "SELECT count(*) FROM messages") == 2
    assert one(old, "SELECT count(*) FROM messages") == 1


def test_a_key_that_nothing_there_keeps_unique_is_told_before_anything_is_taken_back(
    dsn: str, old: str, tmp_path: Path
) -> None:
    execute(dsn, PARTITIONED)
    execute(old, MESSAGES.format("", "") + "; INSERT INTO messages VALUES (1, '2026-01-01')")
    apply(dsn, tmp_path, OF_MESSAGES)
    execute(dsn, "INSERT INTO messages VALUES (2, '2026-02-01', 'born')")
    with pytest.raises(RollbackRefused, match="would lose") as refused:
        rollback(dsn, tmp_path, OF_MESSAGES)
    assert "No unique index of public.messages is on id, at" in str(refused.value)
    assert one(dsn, "SELECT count(*) FROM messages") == 2
