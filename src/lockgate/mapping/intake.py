"""Taking changes in: from the logs, their backlog and the keys to look at again, to candidate keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog.relations import Column
from lockgate.mapping import poison
from lockgate.mapping.changelog import SEGMENTS, ChangeLog
from lockgate.mapping.compiled import equal, names
from lockgate.mapping.group import Group
from lockgate.mapping.images import Images, Window

BATCH = 20_000
# A backlog is taken in pieces of this many heap blocks, some ten thousand changes.
PIECE_BLOCKS = 256
# From this many rows on, a statement over a temporary table is worth the statistics.
_MANY = 1_000


@dataclass(slots=True)
class Batch:
    """What one batch did.

    :param changes: logged rows that were taken in.
    :param pending: whether there is more to do at once: a backlog, or keys to look at again.
    :param backfill: whether chunks of the target are still open.
    :param repair: whether something happened that no log can tell, so that the whole target must be compared.
    """

    changes: int = 0
    keys: int = 0
    deleted: int = 0
    updated: int = 0
    inserted: int = 0
    poisoned: int = 0
    pending: bool = False
    repair: bool = False
    backfill: bool = False

    @property
    def written(self) -> int:
        """Rows of the target that were changed."""
        return self.deleted + self.updated + self.inserted


@dataclass(slots=True)
class State:
    """What a batch found when it began: its snapshot, and the one before, up to which everything was taken in."""

    snapshot: str
    state: str
    fingerprint: str | None
    repair: bool
    poison: bool
    now: str
    xmin: int
    xmax: int


@dataclass(slots=True)
class Intake:
    """Fills the candidates of one target, in temporary tables of one connection."""

    conn: Connection[Any]
    group: Group

    def create_tables(self) -> None:
        """Make the temporary tables, once a session."""
        for statement in self.group.evaluation.create_tables():
            self._execute(statement)
        for images in self.group.images.values():
            for statement in images.create_tables():
                self._execute(statement)

    def take_new(self, state: State, batch: Batch) -> None:
        """Take in what became visible since the last batch; too much of it becomes a backlog."""
        window = Window(state.snapshot)
        small: list[Images] = []
        for images in self.group.images.values():
            count, truncated = self._look(images.log, window, f" LIMIT {BATCH + 1}")
            batch.repair = batch.repair or truncated
            if count > BATCH:
                self._postpone(images.log, state)
                batch.pending = True
            elif count:
                self._execute(images.fill(images.table, window))
                self._execute(images.fill(images.others, window))
                batch.changes += count
                small.append(images)
        united = frozenset(images.log.id for images in small)
        for images in small:
            self._candidates(images, united)
        if self.group.touched is not None:
            self._take_touched(self.group.touched, window, batch)

    def _look(self, log: ChangeLog, window: Window, limit: str = "") -> tuple[int, bool]:
        rows = window.rows(log, "op")
        row = self._execute(
            f"SELECT count(*), coalesce(bool_or(op = 'T'), false) FROM (SELECT op FROM ({rows}) AS r{limit}) AS s"
        ).fetchone()
        assert row is not None
        return int(row[0]), bool(row[1])

    def _postpone(self, log: ChangeLog, state: State) -> None:
        """Too many changes for one batch: remember where they are, so that fresh ones need not wait for them."""
        for segment in SEGMENTS:
            self._execute(
                "INSERT INTO lockgate.backlog (target_id, log_id, segment, next, until, since, taken) "
                f"SELECT {self.group.target_id}, {log.id}, '{segment}', min((ctid::text::point)[0])::bigint, "
                f"max((ctid::text::point)[0])::bigint + 1, '{state.snapshot}', '{state.now}' "
                f"FROM {log.table(segment)} WHERE {Window(state.snapshot).condition()} HAVING count(*) > 0"
            )

    def take_backlog(self, batch: Batch) -> None:
        """Take in one piece of what was too much."""
        row = self.conn.execute(
            "SELECT id, log_id, segment::text, next, until, since::text, taken::text FROM lockgate.backlog "
            "WHERE target_id = %s ORDER BY id LIMIT 1",
            (self.group.target_id,),
        ).fetchone()
        if row is None:
            return
        number, log_id, segment, low, until, since, taken = row
        high = min(low + PIECE_BLOCKS, until)
        images = self.group.images[log_id]
        window = Window(since, taken, (segment, low, high))
        _, truncated = self._look(images.log, window)  # all of it: a TRUNCATE may be anywhere
        batch.repair = batch.repair or truncated
        for other in self.group.images.values():
            self._execute(f"DELETE FROM {other.table}")
            self._execute(f"DELETE FROM {other.others}")
        batch.changes += self._execute(images.fill(images.table, window)).rowcount
        # The other relations as they were at any time since: what a fresh batch took in meanwhile, too.
        united = set()
        for other in self.group.images.values():
            if other is not images or self._self_joined(images):
                filled = self._execute(other.fill(other.others, Window(since))).rowcount
                united.update([other.log.id] if filled else [])
        self._candidates(images, frozenset(united))
        if high >= until:
            self.conn.execute("DELETE FROM lockgate.backlog WHERE id = %s", (number,))
        else:
            self.conn.execute("UPDATE lockgate.backlog SET next = %s WHERE id = %s", (high, number))
        batch.pending = True

    def _self_joined(self, images: Images) -> bool:
        oid = images.base.relation.oid
        return any(len(b.occurrences) > 1 for m in self.group.compiled for b in m.bases if b.relation.oid == oid)

    def _candidates(self, images: Images, united: frozenset[int]) -> None:
        low, high = self.numbers(images.table)
        if low < high:
            self.count_on(images.table, high - low)
            for other in united:
                self.count_on(self.group.images[other].others, high - low)
            poison.split(self.conn, low, high, lambda a, b: self._add_candidates(images, united, a, b), self._bad_image)

    def _add_candidates(self, images: Images, united: frozenset[int], low: int, high: int) -> None:
        statement = self.group.candidates.insert(images.log.id, united, low, high)
        if statement:
            self._execute(statement)

    def _bad_image(self, number: int, error: psycopg.Error) -> None:
        poison.keep(self.conn, self.group.target_id, f"jsonb_build_object('logged change', {number})", error)

    def _take_touched(self, log: ChangeLog, window: Window, batch: Batch) -> None:
        """The application's own writes to the target: their keys are looked at, and new rows are born."""
        emptied = self._execute(f"SELECT FROM ({window.rows(log, 'op')}) AS r WHERE op = 'T' LIMIT 1").rowcount
        batch.repair = batch.repair or emptied > 0
        count = self._add_touched(log, window)
        batch.changes += count
        if not count or self.group.evaluation.updates_only:
            return
        key, born = self.group.evaluation.key, self.group.evaluation.born
        old, new = _images_of(key)
        listed = names(key)
        rows = window.rows(log, f"id, op, {old}, {new}")
        conflict = f"ON CONFLICT ({listed}) DO NOTHING"
        target = self.group.evaluation.target.sql
        # An insert makes a key born; that it is yielded as well is found when it is evaluated.
        self._execute(
            f"INSERT INTO {born} ({listed}) SELECT {new} FROM ({rows}) AS r WHERE op = 'I' OR (op = 'U' "
            f"AND pg_catalog.record_image_ne(ROW({old}), ROW({new}))) {conflict}"
        )
        gone = f"NOT EXISTS (SELECT FROM {target} AS t WHERE {equal(key, 't', 'b')})"
        self._execute(
            f"DELETE FROM {born} AS b USING {self.group.evaluation.candidates} AS c "
            f"WHERE {equal(key, 'b', 'c')} AND {gone}"
        )

    def _add_touched(self, log: ChangeLog, window: Window) -> int:
        old, new = _images_of(self.group.evaluation.key)
        rows = window.rows(log, f"op, {old}, {new}")
        return self._execute(
            f"INSERT INTO {self.group.evaluation.candidates} ({names(self.group.evaluation.key)}) "
            f"SELECT {old} FROM ({rows}) AS r WHERE op IN ('U', 'D') "
            f"UNION SELECT {new} FROM ({rows}) AS r WHERE op IN ('U', 'I')"
        ).rowcount

    def take_recheck(self, state: State, batch: Batch) -> None:
        """Take the keys whose second look is due, and those that were refused and may be tried again."""
        key = names(self.group.evaluation.key)
        taken = self._execute(
            f"WITH due AS (SELECT ctid FROM {self.group.recheck} WHERE fence <= '{state.xmin}'::xid8 LIMIT {BATCH}), "
            f"gone AS (DELETE FROM {self.group.recheck} r USING due WHERE r.ctid = due.ctid RETURNING r.*) "
            f"INSERT INTO {self.group.evaluation.candidates} ({key}) SELECT DISTINCT {key} FROM gone"
        ).rowcount
        batch.pending = batch.pending or taken > 0
        if state.poison:
            poison.retry(self.conn, self.group.target_id, self.group.evaluation)

    def collect_pending(self) -> None:
        """Fill the candidates with every key that changes visible in the open transaction may still touch.

        Nothing is applied; the caller's snapshot is used, which must be the only one of its transaction.
        """
        self.create_tables()
        row = self.conn.execute(
            "SELECT snapshot::text FROM lockgate.sync_targets WHERE id = %s", (self.group.target_id,)
        ).fetchone()
        assert row is not None
        fresh = Window(row[0])
        waiting = self.conn.execute(
            "SELECT log_id, since::text, taken::text, segment::text, next, until FROM lockgate.backlog "
            "WHERE target_id = %s ORDER BY id",
            (self.group.target_id,),
        ).fetchall()
        # What a backlog may join with is as old as the backlog, and partly taken in by now.
        oldest = Window(waiting[0][1]) if waiting else fresh
        for log_id, images in self.group.images.items():
            places = [
                Window(since, taken, (segment, low, until))
                for log, since, taken, segment, low, until in waiting
                if log == log_id
            ]
            for window in (fresh, *places):
                self._execute(images.fill(images.table, window))
            self._execute(images.fill(images.others, oldest))
        united = frozenset(self.group.images)
        for images in self.group.images.values():
            self._candidates(images, united)
        if self.group.touched is not None:
            self._add_touched(self.group.touched, fresh)  # the rest of the caller's transaction goes over whole tables

    def count_on(self, table: str, rows: int) -> None:
        """Tell the planner what a temporary table holds, where a wrong guess would be dear.

        It takes every new table for small, and compares a few rows with a few in a nested loop.
        """
        if rows >= _MANY:
            self._execute(f"ANALYZE {table}")

    def numbers(self, table: str) -> tuple[int, int]:
        """The first number of a temporary table's rows, and the one after the last; (0, 0) without any."""
        row = self._execute(f"SELECT min(lockgate_n), max(lockgate_n) + 1 FROM {table}").fetchone()
        return (int(row[0]), int(row[1])) if row and row[0] is not None else (0, 0)

    def _execute(self, statement: str) -> psycopg.Cursor[Any]:
        return self.conn.execute(statement.encode())


def _images_of(key: Sequence[Column]) -> tuple[str, str]:
    return ", ".join(f"o{c.number}" for c in key), ", ".join(f"n{c.number}" for c in key)
