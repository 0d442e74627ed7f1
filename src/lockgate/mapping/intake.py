"""Taking changes in: from the logs, their backlog and the keys to look at again, to candidate keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog.relations import Column
from lockgate.mapping import poison
from lockgate.mapping.batch import Batch, Seen, State
from lockgate.mapping.changelog import SEGMENTS, ChangeLog
from lockgate.mapping.compiled import equal, names
from lockgate.mapping.group import Group
from lockgate.mapping.images import Images, Window

BATCH = 20_000
# A backlog is taken in pieces of so many heap blocks; this is the first one, some ten thousand changes.
PIECE_BLOCKS = 256
# Pieces grow by as much, for each may read whole relations, unless a fresh change would wait too long for one.
GROWTH = 16
_FAST, _SLOW = 0.3, 1.0  # seconds
# Of what is too much for one batch, this share of a batch is taken in at once: what the newest transactions did.
_FRESH = 4
# From this many rows on, a statement over a temporary table is worth statistics.
_MANY = 1_000
# Keys that one batch evaluates.
KEYS = 50_000


@dataclass(slots=True)
class Intake:
    """Fills the candidates of one target, in temporary tables of one connection."""

    conn: Connection[Any]
    group: Group
    _blocks: int = field(default=0, init=False)
    _made: set[str] = field(default_factory=set, init=False)
    # How many statements have added candidates since they were made unique: one alone adds each key once.
    _added: int = field(default=0, init=False)

    def pace(self, seconds: float) -> None:
        """Take more of the backlog at once, or less, after a piece took so long."""
        if seconds < _FAST:
            self._blocks = min(self._blocks * 2, PIECE_BLOCKS * GROWTH)
        elif seconds > _SLOW:
            self._blocks = max(self._blocks // 2, PIECE_BLOCKS // GROWTH, 1)

    def create_tables(self) -> None:
        """Make the temporary tables of keys and rows, once a session."""
        for statement in self.group.evaluation.create_tables():
            self._execute(statement)

    def forget_tables(self) -> None:
        """A transaction was rolled back, and with it what it had made."""
        self._made.clear()

    def _fill(self, images: Images, table: str, window: Window) -> int:
        """Copy images into a table, which is made when it is needed first: every commit has to empty each of them."""
        if table not in self._made:
            self._execute(images.create(table))
            self._made.add(table)
        return self._execute(images.fill(table, window)).rowcount

    def look(self, state: State) -> Seen:
        """See by one statement whether there is anything to take in."""
        self._added = 0
        window = Window(state.snapshot)
        logs = self.logs()
        counts = [
            f"(SELECT ARRAY[count(*), count(*) FILTER (WHERE op = 'T')] FROM (SELECT op FROM "
            f"({window.rows(log, 'op')}) AS r LIMIT {BATCH + 1}) AS l)"
            for log in logs
        ]
        due = f"EXISTS (SELECT FROM {self.group.recheck} WHERE lockgate_fence <= '{state.xmin}'::xid8)"
        backlog = f"EXISTS (SELECT FROM lockgate.backlog WHERE target_id = {self.group.target_id})"
        born = (
            f"EXISTS (SELECT FROM {self.group.evaluation.born})" if not self.group.evaluation.updates_only else "false"
        )
        row = self._execute(f"SELECT {', '.join([due, backlog, born, *counts])}").fetchone()
        assert row is not None
        changes = {log.id: (int(n), bool(t)) for log, (n, t) in zip(logs, row[3:], strict=True)}
        return Seen(row[0], row[1], row[2], changes)

    def logs(self) -> list[ChangeLog]:
        """All logs of the target: those of its base relations, and that of the application's own writes to it."""
        touched = self.group.touched
        return [images.log for images in self.group.images.values()] + ([touched] if touched is not None else [])

    def take_new(self, state: State, seen: Seen, batch: Batch) -> None:
        """Take in what became visible since the last batch; too much of it becomes a backlog.

        A small change that became visible together with a bulk update does not wait behind it: it is taken in here
        and with the backlog once more, which alone meets all that was seen with it.
        """
        window = Window(state.snapshot)
        small: list[Images] = []
        for log_id, images in self.group.images.items():
            count, truncated = seen.changes[log_id]
            batch.repair = batch.repair or truncated
            if count > BATCH:
                self._postpone(images.log, state)
                batch.pending = True
                newest = self._execute(window.newest(images.log, BATCH // _FRESH)).fetchall()
                fresh = Window(state.snapshot, transactions=tuple(int(xid) for (xid,) in newest))
                if newest and self._fill(images, images.table, fresh):
                    small.append(images)
            elif count:
                self._fill(images, images.table, window)
                batch.changes += count
                small.append(images)
        united = {images.log.id: images.table for images in small}
        for images in small:
            self._candidates(images, united, batch)
        touched = self.group.touched
        if touched is not None and seen.changes[touched.id][0]:
            batch.repair = batch.repair or seen.changes[touched.id][1]
            self._take_touched(touched, window, batch)

    def _postpone(self, log: ChangeLog, state: State) -> None:
        """Too many changes for one batch: remember where they are, so that later ones need not wait for them."""
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
        self._blocks = self._blocks or PIECE_BLOCKS
        high = min(low + self._blocks, until)
        images = self.group.images[log_id]
        window = Window(since, taken, (segment, low, high))
        # All of the piece is looked at: a TRUNCATE may stand anywhere in it.
        row = self._execute(
            f"SELECT count(*), count(*) FILTER (WHERE op = 'T') FROM ({window.rows(images.log, 'op')}) AS r"
        ).fetchone()
        assert row is not None
        batch.changes += int(row[0])
        batch.repair = batch.repair or row[1] > 0
        if images.table in self._made:
            self._execute(f"DELETE FROM {images.table}")
        self._fill(images, images.table, window)
        # The other relations as they were at any time since: what a fresh batch took in meanwhile, too.
        united = {}
        for other_id in self.group.candidates.meets(log_id):
            other = self.group.images[other_id]
            if rows := self._fill(other, other.others, Window(since)):
                self._measure(other.others, rows)
                united[other_id] = other.others
        self._candidates(images, united, batch)
        if high >= until:
            self.conn.execute("DELETE FROM lockgate.backlog WHERE id = %s", (number,))
        else:
            self.conn.execute("UPDATE lockgate.backlog SET next = %s WHERE id = %s", (high, number))
        batch.pending = True

    def _candidates(self, images: Images, united: Mapping[int, str], batch: Batch) -> None:
        low, high = self.numbers(images.table)
        if low == high:
            return

        everything = images.shaped(self.known(images.table, high - low))

        def add(first: int, last: int) -> None:
            active = images.active(first, last) if (first, last) != (low, high) else everything
            statement = self.group.candidates.insert(images.log.id, united, active)
            if statement:
                self._add(statement)

        def add_joined(number: int, _: psycopg.Error) -> None:
            # A row that its join leaves out may have no key that can be computed; nor may fail with it what another
            # query tells of it.
            for statement in self.group.candidates.each(images.log.id, united, images.active(number, number + 1)):
                try:
                    with self.conn.transaction():
                        self._add(statement)
                except psycopg.Error as error:
                    if not poison.is_refusal(error):
                        raise
                    batch.repair = True  # which keys it may touch cannot be told

        poison.split(self.conn, low, high, add, add_joined)

    def _take_touched(self, log: ChangeLog, window: Window, batch: Batch) -> None:
        """The application's own writes to the target: their keys are looked at, and new rows are born."""
        count = self._add_touched(log, window)
        batch.changes += count
        batch.own = batch.own or count > 0
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
        evaluation, listed = self.group.evaluation, names(self.group.evaluation.key)
        count = self._execute(
            f"INSERT INTO {evaluation.own} ({listed}) SELECT {old} FROM ({rows}) AS r WHERE op IN ('U', 'D') "
            f"UNION SELECT {new} FROM ({rows}) AS r WHERE op IN ('U', 'I')"
        ).rowcount
        self._add(f"INSERT INTO {evaluation.candidates} ({listed}) SELECT {listed} FROM {evaluation.own}")
        return count

    def take_recheck(self, state: State, batch: Batch) -> None:
        """Take the keys whose second look is due, and those that were refused and may be tried again."""
        key = names(self.group.evaluation.key)
        taken = self._add(
            f"WITH due AS (SELECT ctid FROM {self.group.recheck} "
            f"WHERE lockgate_fence <= '{state.xmin}'::xid8 LIMIT {BATCH}), "
            f"gone AS (DELETE FROM {self.group.recheck} r USING due WHERE r.ctid = due.ctid RETURNING r.*) "
            f"INSERT INTO {self.group.evaluation.candidates} ({key}) SELECT DISTINCT {key} FROM gone"
        )
        batch.pending = batch.pending or taken > 0
        if state.poison:
            poison.retry(self.conn, self.group.target_id, self.group.evaluation)
            self._added += 2  # they are told apart by their texts: 1.0 and 1.00 are one key
        self._keep_once()

    def keep_within(self, state: State, batch: Batch) -> tuple[int, int]:
        """Leave each key once, and no more than a batch should have; return the numbers of those that stay.

        One changed row may touch any number of keys; those that are too many wait for later batches, so that
        fresh changes need not wait for them.
        """
        evaluation = self.group.evaluation
        low, high = self.numbers(evaluation.candidates)
        if low == high:
            return low, high
        self._keep_once()
        limit = low + KEYS
        if high > limit:
            fences = ["0", str(state.xmax)] if batch.backfill else ["0"]
            for statement in evaluation.put_off(self.group.recheck, limit, fences):
                self._execute(statement)
            batch.pending = True
        return low, min(high, limit)

    def _add(self, statement: str) -> int:
        """Add candidates, none of them twice; return how many."""
        rows = self._execute(statement).rowcount
        self._added += rows > 0
        return rows

    def _keep_once(self) -> None:
        if self._added > 1:
            self._execute(self.group.evaluation.keep_once())
        self._added = min(self._added, 1)

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
                self._fill(images, images.table, window)
            self._measure(images.others, self._fill(images, images.others, oldest))
        united = {log_id: images.others for log_id, images in self.group.images.items()}
        for images in self.group.images.values():
            self._candidates(images, united, Batch())
        if self.group.touched is not None:
            self._add_touched(self.group.touched, fresh)  # the rest of the caller's transaction goes over whole tables

    def known(self, table: str, rows: int) -> str:
        """A temporary table of so many rows as a relation of which the planner knows how many they are.

        It takes every new table for ten blocks, and a wrong guess is dear. Few rows are told by LIMIT; of many it
        should know more, and a small sample costs little.
        """
        if rows < _MANY:
            return f"(SELECT * FROM {table} LIMIT {rows})"
        self._measure(table, rows)
        return table

    def _measure(self, table: str, rows: int) -> None:
        """Have the planner know of many rows: taken for few, they are read again for each row they are joined to."""
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
