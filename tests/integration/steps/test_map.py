"""The step that copies and follows: its parts in the order on which the rest relies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.engine import runner, workers
from lockgate.errors import DatabaseError
from lockgate.steps import filling
from tests.integration.engine.plans import one, rows, sessions, write_plan
from tests.waiting import wait_until

PLAN = """
settings: {lock_timeout: 300ms}
phases:
  - id: copy
    steps:
      - {map: people, into: new.c, key: [id], from: old.p, select: SELECT s.id FROM old.p s}
"""
TABLES = """
CREATE SCHEMA old CREATE TABLE p (id bigint PRIMARY KEY, note text);
CREATE SCHEMA new CREATE TABLE c (id bigint PRIMARY KEY);
INSERT INTO old.p SELECT n, repeat('x', 1500) FROM generate_series(1, 20) AS n
"""


def copy(dsn: str, folder: Path, patch: pytest.MonkeyPatch, **at: Callable[[], object]) -> None:
    """Run the step, and do something at its named points (``map_planned`` is ``map.planned``)."""

    def pass_by(name: str) -> None:
        at.get(name.replace(".", "_"), lambda: None)()

    patch.setattr(filling, "fault", pass_by)
    runner.apply(write_plan(folder, PLAN), sessions(dsn))


def test_the_logs_stand_before_the_source_is_cut(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that comes behind the last block is in no chunk: only the log tells of it."""
    there = "SELECT count(*) FROM new.c WHERE id = 1000"
    with psycopg.connect(dsn, autocommit=True) as app:
        app.execute(TABLES)
        row = "INSERT INTO old.p VALUES (1000, repeat('x', 7000)) RETURNING (ctid::text::point)[0]::int"
        app.execute("ALTER TABLE old.p ALTER note SET STORAGE PLAIN")
        blocks = one(dsn, "SELECT pg_relation_size('old.p') / 8192")
        copy(
            dsn,
            tmp_path,
            monkeypatch,
            map_planned=lambda: app.execute(row),
            map_settled=lambda: wait_until(lambda: one(dsn, there), what="the row has been followed"),
        )
    assert one(dsn, "SELECT (ctid::text::point)[0]::int FROM old.p WHERE id = 1000") == blocks, "behind the last block"
    assert one(dsn, "SELECT count(*) FROM new.c") == 21


def test_when_it_is_done_only_what_the_mapping_reads_is_logged(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as block ranges are open, every update is."""
    open_ones: list[bool] = []
    every = "SELECT every_update FROM lockgate.logs WHERE relid = 'old.p'::regclass"
    with psycopg.connect(dsn, autocommit=True) as app:
        app.execute(TABLES)
        copy(dsn, tmp_path, monkeypatch, map_copied=lambda: open_ones.append(one(dsn, every)))
        assert (open_ones, one(dsn, every)) == ([True], False)
        (log,) = rows(dsn, "SELECT id FROM lockgate.logs WHERE relid = 'old.p'::regclass")[0]
        app.execute("UPDATE old.p SET note = 'y'")
        assert one(dsn, f"SELECT count(*) FROM lockgate.log_{log}_a") == 0


def test_a_long_batch_of_the_applier_is_outwaited(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the target's row until its end; waits that are given up before it may never find the row free."""
    told: list[int] = []
    waits = (
        "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() "
        "AND application_name = 'lockgate:map' AND clock_timestamp() - query_start > interval '1 second'"
    )

    def release(batch: psycopg.Connection[Any]) -> None:
        try:
            told.append(wait_until(lambda: one(dsn, waits), what="one wait that lasts"))
        finally:
            batch.commit()

    with psycopg.connect(dsn) as batch:
        batch.execute(TABLES)
        batch.commit()

        def hold() -> None:
            batch.execute("SELECT FROM lockgate.sync_targets FOR NO KEY UPDATE")
            threading.Thread(target=release, args=(batch,)).start()

        copy(dsn, tmp_path, monkeypatch, map_copied=hold)
    assert told == [1]
    assert one(dsn, "SELECT state FROM lockgate.sync_targets") == "live"


FLAGS = """
CREATE SCHEMA old CREATE TABLE p (id bigint PRIMARY KEY, owner int, main boolean, note text) WITH (fillfactor = 50);
CREATE SCHEMA new CREATE TABLE c (id bigint PRIMARY KEY, owner int, main boolean);
CREATE UNIQUE INDEX one_main ON new.c (owner) WHERE main;
INSERT INTO old.p SELECT n, 1, n = 1, repeat('x', 1500) FROM generate_series(1, 1000) AS n
"""
FLAGGED = """
settings: {workers: 1, chunk_rows: 100, lock_timeout: 300ms}
phases:
  - id: copy
    steps:
      - map: people
        into: new.c
        key: [id]
        from: old.p
        select: SELECT s.id, s.owner, s.main FROM old.p s
"""


def test_a_place_that_moves_while_rows_are_copied_is_waited_for(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flag goes from a row that is copied to one that is not yet: in its index both would have it."""
    done: list[str] = []

    def release(batch: psycopg.Connection[Any]) -> None:
        try:
            wait_until(lambda: one(dsn, "SELECT max(attempts) FROM lockgate.chunks WHERE state = 'pending'"))
        finally:
            batch.commit()

    with psycopg.connect(dsn) as batch, psycopg.connect(dsn, autocommit=True) as app:
        app.execute(FLAGS)

        def move(name: str) -> None:
            if name == "chunk.done" and not done:
                done.append(name)
                batch.execute("SELECT FROM lockgate.sync_targets FOR NO KEY UPDATE")  # no applier tells of it
                threading.Thread(target=release, args=(batch,)).start()
                assert one(dsn, "SELECT max(id) FROM new.c WHERE main") == 1
                with app.transaction():
                    app.execute("UPDATE old.p SET main = false WHERE id = 1")
                    app.execute("UPDATE old.p SET main = true WHERE id = 1000")

        monkeypatch.setattr(workers, "fault", move)
        runner.apply(write_plan(tmp_path, FLAGGED), sessions(dsn))
    assert done
    assert rows(dsn, "SELECT id FROM new.c WHERE main") == [(1000,)]
    assert one(dsn, "SELECT count(*) FROM new.c") == 1000


def test_a_place_that_two_rows_want_is_told(dsn: str, tmp_path: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(FLAGS)
        conn.execute("UPDATE old.p SET main = true WHERE id = 1000")
    with pytest.raises(DatabaseError, match=r"mapping people fails on a row in block \d+ of its source") as caught:
        runner.apply(write_plan(tmp_path, FLAGGED), sessions(dsn))
    assert 'violates unique constraint "one_main"' in str(caught.value.why)
