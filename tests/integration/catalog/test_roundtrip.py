"""Up, down and up again: what is left behind, and what going down destroys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from psycopg import Connection

from lockgate.catalog.destroyed import Destroyed
from lockgate.catalog.roundtrip import RoundTrip, round_trip

BEFORE = """
CREATE SCHEMA s;
CREATE TYPE s.mood AS ENUM ('sad');
CREATE TABLE s.t (id int, m s.mood, ms s.mood[]);
CREATE TABLE s.p (at date) PARTITION BY RANGE (at);
"""
UP = """
CREATE TYPE s.kind AS ENUM ('person');
CREATE TABLE s."New ""T"" x" (id int PRIMARY KEY, k s.kind);
CREATE TABLE s.q (x int) PARTITION BY LIST (x);
CREATE TABLE s.q1 PARTITION OF s.q FOR VALUES IN (1);
CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
ALTER TABLE s.t ADD "Col x" text, ADD none int, ADD g int GENERATED ALWAYS AS (id + 1) STORED;
"""
DOWN = """
ALTER TABLE s.t DROP "Col x", DROP none, DROP g;
DROP TABLE s.p1, s.q, s."New ""T"" x";
DROP TYPE s.kind;
"""
FILL = """
INSERT INTO s."New ""T"" x" VALUES (1, 'person'), (2, NULL);
INSERT INTO s.q VALUES (1);
INSERT INTO s.p VALUES ('2026-01-05');
INSERT INTO s.t (id, "Col x") VALUES (1, 'a'), (2, NULL);
"""


def run(
    conn: Connection[Any], up: str, down: str, fill: str = "", before_down: Any = lambda destroyed: None
) -> RoundTrip:
    filled = iter([fill])

    def upwards() -> None:
        conn.execute(up.encode())
        conn.execute(next(filled, "").encode())

    return round_trip(conn, upwards, lambda: conn.execute(down.encode()), before_down=before_down)


def test_a_change_that_can_be_taken_back(conn: Connection[Any]) -> None:
    conn.execute(BEFORE)
    trip = run(conn, UP, DOWN)
    assert (trip.left, trip.unlike, trip.destroyed, trip.whole) == ([], [], (), True)
    assert trip.up.digest != trip.before.digest


def test_what_going_down_destroys_is_said_before(conn: Connection[Any]) -> None:
    conn.execute(BEFORE)
    told: list[str] = []

    def listen(destroyed: Sequence[Destroyed]) -> None:
        assert conn.execute("SELECT count(*) FROM s.q").fetchone() == (1,), "it is all there still"
        told.extend(str(item) for item in destroyed)

    trip = run(conn, UP, DOWN, FILL, listen)
    assert told == [
        'table s."New ""T"" x": 2 rows',
        "table s.p1: 1 row",
        "table s.q: 1 row",
        'column s.t."Col x": 1 value',
    ]
    assert trip.whole


def test_who_listens_may_stop_it(conn: Connection[Any]) -> None:
    conn.execute(BEFORE)

    def refuse(destroyed: Sequence[Destroyed]) -> None:
        raise RuntimeError(f"{len(destroyed)} are lost")

    with pytest.raises(RuntimeError, match="4 are lost"):
        run(conn, UP, DOWN, FILL, refuse)
    assert conn.execute("SELECT count(*) FROM s.q").fetchone() == (1,)


def test_what_is_left_behind_is_named(conn: Connection[Any]) -> None:
    conn.execute(BEFORE)
    conn.execute("CREATE INDEX there ON s.t (id); COMMENT ON COLUMN s.t.id IS 'x'")
    trip = run(
        conn,
        "CREATE TYPE s.kind_2 AS ENUM ('a'); ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'ok'; DROP INDEX s.there;"
        "ALTER TABLE s.t DROP id",
        "ALTER TABLE s.t ADD id int; ALTER TYPE s.kind_2 RENAME TO kind_3; CREATE INDEX there ON s.t (id)",
    )
    assert [str(line) for line in trip.left] == [
        "comment table column s.t.id: is missing",
        "enum s.kind_3: should not be there",
        "enum s.mood: labels 'sad', 'ok', expected 'sad'",
        "table s.t: column order m, ms, id, expected id, m, ms",
    ]
    assert [line.note for line in trip.left] == [False, False, False, True]
    assert [str(line) for line in trip.unlike] == ["enum s.kind_3: should not be there"]
    assert not trip.whole


def test_values_of_an_enum_that_are_in_use(conn: Connection[Any]) -> None:
    conn.execute(BEFORE)
    conn.execute("CREATE DOMAIN s.dom AS s.mood; ALTER TABLE s.t ADD d s.dom")
    trip = run(
        conn,
        "ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'it''s'; ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'free'",
        "SELECT 1",
        "INSERT INTO s.t (m, ms, d) VALUES ('it''s', NULL, 'sad'), (NULL, '{\"it''s\",sad}', 'it''s')",
    )
    assert [str(item) for item in trip.destroyed] == [
        "enum value s.mood 'it''s' in s.t.d: 1 row",
        "enum value s.mood 'it''s' in s.t.m: 1 row",
        "enum value s.mood 'it''s' in s.t.ms: 1 row",
    ]


def test_rows_that_row_security_hides_count(conn: Connection[Any]) -> None:
    conn.execute(BEFORE)
    conn.execute("CREATE ROLE lockgate_hidden NOLOGIN")
    try:
        with conn.transaction(force_rollback=True):
            conn.execute("GRANT ALL ON SCHEMA s TO lockgate_hidden; SET LOCAL ROLE lockgate_hidden")
            up = (
                "CREATE TABLE s.r (id int); INSERT INTO s.r VALUES (1); ALTER TABLE s.r ENABLE ROW LEVEL SECURITY;"
                "ALTER TABLE s.r FORCE ROW LEVEL SECURITY; CREATE POLICY none ON s.r USING (false)"
            )
            with pytest.raises(Exception, match="would be affected by row-level security"):
                run(conn, up, "DROP TABLE s.r")
    finally:
        conn.execute("DROP ROLE lockgate_hidden")
