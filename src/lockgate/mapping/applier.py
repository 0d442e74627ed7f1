"""The applier of one target: turns what was logged into keys, and makes the target equal to its mappings for them.

One batch is one REPEATABLE READ transaction whose first statement takes the target's row in the ledger: it
fences out an applier whose turn is over, and two of them can never work at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel

from lockgate.catalog.relations import Column
from lockgate.engine.faults import fault
from lockgate.errors import LeaseLost
from lockgate.mapping import poison
from lockgate.mapping.changelog import SEGMENTS, ChangeLog
from lockgate.mapping.compiled import equal, names
from lockgate.mapping.group import Group, fingerprint
from lockgate.mapping.images import Images, Window

BATCH = 20_000
# A backlog is taken in pieces of this many heap blocks, some ten thousand changes.
_PIECE_BLOCKS = 256
# Below this many keys, lookups by index are sure to beat a scan, whatever the planner guesses of a new table.
_FEW = 500


@dataclass(slots=True)
class Batch:
    """What one batch did.

    :param changes: logged rows that were taken in.
    :param pending: whether there is more to do at once: a backlog, or keys to look at again.
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

    @property
    def written(self) -> int:
        """Rows of the target that were changed."""
        return self.deleted + self.updated + self.inserted


@dataclass(slots=True)
class _State:
    snapshot: str
    state: str
    fingerprint: str | None
    repair: bool
    poison: bool
    now: str
    xmin: int
    xmax: int


@dataclass(slots=True)
class Applier:
    """Applies one target's logs over one connection.

    :param conn: an autocommit connection of its own; temporary tables live in it.
    :param epoch: the fencing number under which this applier may work.
    """

    conn: Connection[Any]
    group: Group
    epoch: int
    _ready: bool = field(default=False)
    _taken: str | None = field(default=None)

    def run(self) -> Batch:
        """Apply one batch.

        :raises LeaseLost: if another applier has taken over.
        :raises psycopg.Error: for a lost conflict (the caller tries again) or a lost connection.
        """
        self._prepare()
        with self._transaction():
            state = self._begin()
            batch = Batch(repair=state.repair)
            self._notice(state, batch)
            self._take_new(state, batch)
            self._take_backlog(batch)
            self._take_recheck(state, batch)
            fault("applier.candidates")
            batch.keys = self._count(self.group.evaluation.candidates)
            if batch.keys:
                self._tune(batch.keys)
                self._evaluate(1, self._next_number(), batch)
                if state.state == "backfill":
                    self._fence(state)
            self._end(state, batch)
            fault("applier.commit")
        self._taken = state.now
        return batch

    def idle(self) -> bool:
        """Whether a batch would find nothing to do; cheap, and takes nothing."""
        if self._taken is None:
            return False
        window = Window(self._taken)
        logs = [images.log for images in self.group.images.values()]
        logs += [self.group.touched] if self.group.touched is not None else []
        checks = [f"EXISTS ({window.rows(log, '1')})" for log in logs]
        checks.append(
            f"EXISTS (SELECT FROM {self.group.recheck} "
            "WHERE fence <= pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()))"
        )
        checks.append(f"EXISTS (SELECT FROM lockgate.backlog WHERE target_id = {self.group.target_id})")
        row = self._execute(f"SELECT {' OR '.join(checks)}").fetchone()
        return row is not None and not row[0]

    def collect_pending(self) -> None:
        """Fill the candidates with every key that changes visible in the open transaction may still touch.

        Nothing is applied; the caller's snapshot is used, which must be the only one of its transaction.
        """
        self._create_tables()
        row = self.conn.execute(
            "SELECT snapshot::text FROM lockgate.sync_targets WHERE id = %s", (self.group.target_id,)
        ).fetchone()
        assert row is not None
        windows = [Window(row[0])]
        windows += [
            Window(since, taken, (segment, low, until))
            for since, taken, segment, low, until in self.conn.execute(
                "SELECT since::text, taken::text, segment::text, next, until FROM lockgate.backlog "
                "WHERE target_id = %s",
                (self.group.target_id,),
            ).fetchall()
        ]
        for images in self.group.images.values():
            for window in windows:
                self._execute(images.fill(images.table, window))
                self._execute(images.fill(images.others, window))
        united = frozenset(self.group.images)
        for images in self.group.images.values():
            self._candidates(images, united)
        if self.group.touched is not None:
            self._add_touched(self.group.touched, Window(row[0]))

    # --- one transaction ------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        if not self._ready:
            with self.conn.transaction():
                self._create_tables()
        self._ready = True

    def _create_tables(self) -> None:
        for statement in self.group.evaluation.create_tables():
            self._execute(statement)
        for images in self.group.images.values():
            for statement in images.create_tables():
                self._execute(statement)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.conn.isolation_level = IsolationLevel.REPEATABLE_READ
        try:
            with self.conn.transaction():
                yield
        finally:
            self.conn.isolation_level = None

    def _begin(self) -> _State:
        # The first statement takes the snapshot and the turn at once: an older snapshot could resurrect a key.
        row = self.conn.execute(
            "UPDATE lockgate.sync_targets SET batch = batch + 1 WHERE id = %s AND epoch = %s "
            "RETURNING snapshot::text, state, fingerprint, repair, pg_catalog.pg_current_snapshot()::text, "
            "EXISTS (SELECT FROM lockgate.poison p WHERE p.target_id = sync_targets.id), "
            "pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::bigint, "
            "pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint",
            (self.group.target_id, self.epoch),
        ).fetchone()
        if row is None:
            raise LeaseLost(f"another applier works for {self.group.name}", why=f"epoch {self.epoch} is over")
        # Lockgate must lose a conflict, never the application: its waits end before the server looks for deadlocks.
        self.conn.execute(
            "SELECT pg_catalog.set_config('lock_timeout', '700ms', true), "
            "pg_catalog.set_config('synchronous_commit', 'off', true), "
            "pg_catalog.set_config('lockgate.writer', %s, true)",
            (self.group.writer,),
        )
        return _State(
            snapshot=row[0],
            state=row[1],
            fingerprint=row[2],
            repair=row[3],
            now=row[4],
            poison=row[5],
            xmin=row[6],
            xmax=row[7],
        )

    def _notice(self, state: _State, batch: Batch) -> None:
        present = fingerprint(self.conn, self.group)
        if present != state.fingerprint:
            batch.repair = batch.repair or state.fingerprint is not None
            state.fingerprint = present

    def _end(self, state: _State, batch: Batch) -> None:
        self.conn.execute(
            "UPDATE lockgate.sync_targets SET snapshot = %s, fingerprint = %s, repair = %s, "
            "changes_applied = changes_applied + %s, rows_written = rows_written + %s, "
            "last_applied_at = pg_catalog.clock_timestamp() WHERE id = %s",
            (state.now, state.fingerprint, batch.repair, batch.changes, batch.written, self.group.target_id),
        )

    # --- what changed ---------------------------------------------------------------------------------------

    def _take_new(self, state: _State, batch: Batch) -> None:
        window = Window(state.snapshot)
        small: list[Images] = []
        for images in self.group.images.values():
            count, truncated = self._look(images.log, window)
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

    def _look(self, log: ChangeLog, window: Window) -> tuple[int, bool]:
        rows = window.rows(log, "op")
        row = self._execute(
            "SELECT count(*), coalesce(bool_or(op = 'T'), false) "
            f"FROM (SELECT op FROM ({rows}) AS r LIMIT {BATCH + 1}) AS s"
        ).fetchone()
        assert row is not None
        return int(row[0]), bool(row[1])

    def _postpone(self, log: ChangeLog, state: _State) -> None:
        """Too many changes for one batch: remember where they are, so that fresh ones need not wait for them."""
        for segment in SEGMENTS:
            self._execute(
                "INSERT INTO lockgate.backlog (target_id, log_id, segment, next, until, since, taken) "
                f"SELECT {self.group.target_id}, {log.id}, '{segment}', min((ctid::text::point)[0])::bigint, "
                f"max((ctid::text::point)[0])::bigint + 1, '{state.snapshot}', '{state.now}' "
                f"FROM {log.table(segment)} WHERE {Window(state.snapshot).condition()} HAVING count(*) > 0"
            )

    def _take_backlog(self, batch: Batch) -> None:
        row = self.conn.execute(
            "SELECT id, log_id, segment::text, next, until, since::text, taken::text FROM lockgate.backlog "
            "WHERE target_id = %s ORDER BY id LIMIT 1",
            (self.group.target_id,),
        ).fetchone()
        if row is None:
            return
        number, log_id, segment, low, until, since, taken = row
        high = min(low + _PIECE_BLOCKS, until)
        images = self.group.images[log_id]
        window = Window(since, taken, (segment, low, high))
        _, truncated = self._look(images.log, window)
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
        low, high = self._range(images.table)
        if low < high:
            self._tune(high - low)
            poison.split(self.conn, low, high, lambda a, b: self._add_candidates(images, united, a, b), self._bad_image)

    def _add_candidates(self, images: Images, united: frozenset[int], low: int, high: int) -> None:
        statement = self.group.candidates.insert(images.log.id, united, low, high)
        if statement:
            self._execute(statement)

    def _bad_image(self, number: int, error: psycopg.Error) -> None:
        poison.keep(self.conn, self.group.target_id, f"jsonb_build_object('logged change', {number})", error)

    def _take_touched(self, log: ChangeLog, window: Window, batch: Batch) -> None:
        """The application's own writes to the target: their keys are looked at, and new rows are born."""
        count = self._add_touched(log, window)
        if not count:
            return
        batch.changes += count
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

    def _take_recheck(self, state: _State, batch: Batch) -> None:
        key = names(self.group.evaluation.key)
        taken = self._execute(
            f"WITH due AS (SELECT ctid FROM {self.group.recheck} WHERE fence <= '{state.xmin}'::xid8 LIMIT {BATCH}), "
            f"gone AS (DELETE FROM {self.group.recheck} r USING due WHERE r.ctid = due.ctid RETURNING r.*) "
            f"INSERT INTO {self.group.evaluation.candidates} ({key}) SELECT DISTINCT {key} FROM gone"
        ).rowcount
        batch.pending = batch.pending or taken > 0
        if state.poison:
            poison.retry(self.conn, self.group.target_id, self.group.evaluation)

    def _fence(self, state: _State) -> None:
        """A chunk that is under way may have read an old row: look at these keys again when it has ended."""
        key = names(self.group.evaluation.key)
        self._execute(
            f"INSERT INTO {self.group.recheck} ({key}, fence) "
            f"SELECT DISTINCT {key}, '{state.xmax}'::xid8 FROM {self.group.evaluation.candidates}"
        )

    # --- making the target equal ----------------------------------------------------------------------------

    def _evaluate(self, low: int, high: int, batch: Batch) -> None:
        """Make the target equal for the keys with these numbers; what is refused is tried again while others succeed.

        A flag that moves from one row to another is refused as long as the first row still has it.
        """
        refused = [(low, high)]
        errors: dict[int, psycopg.Error] = {}
        while refused:
            before = len(errors)
            errors = {}
            for first, last in refused:
                poison.split(self.conn, first, last, lambda a, b: self._make_equal(a, b, batch), errors.__setitem__)
            refused = [(number, number + 1) for number in errors] if not before or len(errors) < before else []
        for number, error in errors.items():
            self._bad_key(number, error)
        batch.poisoned = self._count_poison()

    def _make_equal(self, low: int, high: int, batch: Batch) -> None:
        evaluation = self.group.evaluation
        active = evaluation.active(low, high)
        self._execute(f"DELETE FROM {evaluation.want}")
        self._execute(evaluation.fill_want(active))
        deleted = updated = inserted = 0
        if not evaluation.updates_only:
            self._execute(evaluation.forget_born(active))
            deleted = self._execute(evaluation.delete_stale(active)).rowcount
        if evaluation.keeps_before:
            self._execute(evaluation.keep_before(evaluation.want))
        if evaluation.columns:
            updated = self._execute(evaluation.update_changed()).rowcount
        if not evaluation.updates_only:
            inserted = self._execute(evaluation.insert_absent()).rowcount
        poison.forget(self.conn, self.group.target_id, evaluation, active)
        batch.deleted += deleted
        batch.updated += updated
        batch.inserted += inserted

    def _bad_key(self, number: int, error: psycopg.Error) -> None:
        poison.keep_key(self.conn, self.group.target_id, self.group.evaluation, number, error)

    # --- small things ---------------------------------------------------------------------------------------

    def _execute(self, statement: str) -> psycopg.Cursor[Any]:
        return self.conn.execute(statement.encode())

    def _count(self, table: str) -> int:
        row = self._execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0

    def _count_poison(self) -> int:
        row = self.conn.execute(
            "SELECT count(*) FROM lockgate.poison WHERE target_id = %s", (self.group.target_id,)
        ).fetchone()
        return int(row[0]) if row else 0

    def _range(self, table: str) -> tuple[int, int]:
        row = self._execute(f"SELECT min(lockgate_n), max(lockgate_n) + 1 FROM {table}").fetchone()
        return (int(row[0]), int(row[1])) if row and row[0] is not None else (0, 0)

    def _next_number(self) -> int:
        return self._range(self.group.evaluation.candidates)[1]

    def _tune(self, keys: int) -> None:
        value = "off" if keys < _FEW else "on"
        self.conn.execute(
            "SELECT pg_catalog.set_config('enable_hashjoin', %s, true), "
            "pg_catalog.set_config('enable_mergejoin', %s, true)",
            (value, value),
        )


def _images_of(key: Sequence[Column]) -> tuple[str, str]:
    return ", ".join(f"o{c.number}" for c in key), ", ".join(f"n{c.number}" for c in key)
