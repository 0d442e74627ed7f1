"""The applier of one target: turns what was logged into keys, and makes the target equal to its mappings for them.

One batch is one REPEATABLE READ transaction whose first statement takes the target's row in the ledger: it
fences out an applier whose turn is over, and two of them can never work at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel

from lockgate.engine.faults import fault
from lockgate.errors import LeaseLost
from lockgate.mapping import changelog, poison
from lockgate.mapping.batch import Batch, Seen, State
from lockgate.mapping.compiled import names
from lockgate.mapping.group import Group, fingerprint
from lockgate.mapping.images import Window
from lockgate.mapping.intake import Intake
from lockgate.mapping.manners import behave

_NEVER = 2**31


@dataclass(slots=True)
class Applier:
    """Applies one target's logs over one connection.

    :param conn: an autocommit connection of its own; temporary tables live in it.
    :param epoch: the fencing number under which this applier may work.
    """

    conn: Connection[Any]
    group: Group
    epoch: int
    _ready: bool = field(default=False, init=False)
    _taken: str | None = field(default=None, init=False)
    _intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self._intake = Intake(self.conn, self.group)

    def run(self) -> Batch:
        """Apply one batch.

        :raises LeaseLost: if another applier has taken over.
        :raises psycopg.Error: for a lost conflict (the caller tries again) or a lost connection.
        """
        self._prepare()
        with self._transaction():
            state = self._begin()
            batch = Batch(repair=state.repair, backfill=state.state == "backfill")
            self._notice(state, batch)
            seen = self._intake.look(state)
            if seen.anything or state.poison:
                self._apply(state, seen, batch)
            seconds = self._end(state, batch)
            if seen.backlog:
                self._intake.pace(seconds)
            fault("applier.commit")
        self._taken = state.now
        return batch

    def _apply(self, state: State, seen: Seen, batch: Batch) -> None:
        batch.own = seen.born
        self._intake.take_new(state, seen, batch)
        if seen.backlog:
            self._intake.take_backlog(batch)
        changed = self._intake.keep_within(state, batch)
        if seen.due or state.poison:
            self._intake.take_recheck(state, batch)
        fault("applier.candidates")
        low, high = self._intake.numbers(self.group.evaluation.candidates)
        batch.keys = high - low
        if not batch.keys:
            return
        self._evaluate(low, high, state, batch)
        if batch.backfill:
            self._fence(state, *changed)

    def idle(self) -> bool:
        """Whether a batch would find nothing to do; cheap, and takes nothing."""
        if self._taken is None:
            return False
        window = Window(self._taken)
        checks = [f"EXISTS ({window.rows(log, '1')})" for log in self._intake.logs()]
        checks.append(
            f"EXISTS (SELECT FROM {self.group.recheck} "
            "WHERE lockgate_fence <= pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()))"
        )
        checks.append(f"EXISTS (SELECT FROM lockgate.backlog WHERE target_id = {self.group.target_id})")
        row = self._execute(f"SELECT {' OR '.join(checks)}").fetchone()
        return row is not None and not row[0]

    # --- one transaction ------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        if not self._ready:
            # What says `prepare` is planned once, for it is the same in every batch; nothing else is.
            self.conn.prepare_threshold = _NEVER
            with self.conn.transaction():
                self._intake.create_tables()
        self._ready = True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.conn.isolation_level = IsolationLevel.REPEATABLE_READ
        try:
            with self.conn.transaction():
                yield
        except BaseException:
            self._intake.forget_tables()
            raise
        finally:
            self.conn.isolation_level = None

    def _begin(self) -> State:
        # The first statement takes the snapshot and the turn at once: an older snapshot could resurrect a key.
        row = self.conn.execute(
            "UPDATE lockgate.sync_targets SET batch = batch + 1 WHERE id = %s AND epoch = %s "
            "RETURNING snapshot::text, state, fingerprint, repair, pg_catalog.pg_current_snapshot()::text, "
            "EXISTS (SELECT FROM lockgate.poison p WHERE p.target_id = sync_targets.id), "
            "pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::bigint, "
            "pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint",
            (self.group.target_id, self.epoch),
            prepare=True,
        ).fetchone()
        if row is None:
            raise LeaseLost(f"another applier works for {self.group.name}", why=f"epoch {self.epoch} is over")
        behave(self.conn, self.group.writer)
        return State(
            snapshot=row[0],
            state=row[1],
            fingerprint=row[2],
            repair=row[3],
            now=row[4],
            poison=row[5],
            xmin=row[6],
            xmax=row[7],
        )

    def _notice(self, state: State, batch: Batch) -> None:
        """Look for what no log tells."""
        read, written = fingerprint(self.conn, self.group)
        blind = changelog.tampered(self.conn, self.group.log_ids)
        batch.unseen = any(blind.values())
        batch.repair = batch.repair or bool(blind)
        if state.fingerprint is not None:
            before = state.fingerprint.split()
            batch.unseen = batch.unseen or before[1:] != [written]
            batch.repair = batch.repair or batch.unseen or before[:1] != [read]
        state.fingerprint = f"{read} {written}"

    def _end(self, state: State, batch: Batch) -> float:
        """Note what was done; return how many seconds it took by the server's clock."""
        row = self.conn.execute(
            "UPDATE lockgate.sync_targets SET snapshot = %s, fingerprint = %s, repair = %s, unseen = unseen OR %s, "
            "changes_applied = changes_applied + %s, rows_written = rows_written + %s, "
            "last_applied_at = pg_catalog.clock_timestamp() WHERE id = %s "
            "RETURNING extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.now())::float8",
            (
                state.now,
                state.fingerprint,
                batch.repair,
                batch.unseen,
                batch.changes,
                batch.written,
                self.group.target_id,
            ),
            prepare=True,
        ).fetchone()
        return float(row[0]) if row else 0.0

    def _fence(self, state: State, low: int, high: int) -> None:
        """A chunk that is under way may have read an old row: look at what changed again when it has ended.

        A key that is looked at again needs no new fence: what chunks may have read of it ended before the old one.
        """
        key = names(self.group.evaluation.key)
        self._execute(
            f"INSERT INTO {self.group.recheck} ({key}, lockgate_fence) "
            f"SELECT DISTINCT {key}, '{state.xmax}'::xid8 FROM {self.group.evaluation.active(low, high)} AS c"
        )

    # --- making the target equal ----------------------------------------------------------------------------

    def _evaluate(self, low: int, high: int, state: State, batch: Batch) -> None:
        """Make the target equal for the keys with these numbers; what is refused is tried again while others succeed.

        A flag that moves from one row to another is refused as long as the first row still has it. Rows that
        exchange a unique value are refused whatever the order: they are taken out and put back together.
        """
        evaluation = self.group.evaluation
        everything = self._intake.known(evaluation.candidates, high - low)
        refused = [(low, high)]
        errors: dict[int, psycopg.Error] = {}

        def make(first: int, last: int) -> None:
            active = evaluation.active(first, last) if (first, last) != (low, high) else everything
            self._make_equal(active, evaluation.update_changed, batch)
            if state.poison:
                poison.forget(self.conn, self.group.target_id, evaluation, active)

        while refused:
            before = len(errors)
            errors = {}
            for first, last in refused:
                poison.split(self.conn, first, last, make, errors.__setitem__)
            refused = [(number, number + 1) for number in errors] if not before or len(errors) < before else []
        occupied = [number for number, error in errors.items() if poison.is_occupied(error)]
        exchanged = set(occupied) if len(occupied) > 1 and self._exchange(occupied, batch) else set()
        for number, error in errors.items():
            if number not in exchanged:
                self._bad_key(number, error)
        if errors or state.poison:
            batch.poisoned = self._count_poison()

    def _exchange(self, numbers: list[int], batch: Batch) -> bool:
        """Take rows out that stand in each other's way and put them back as they should be; whether that was possible.

        Not where the rows of other tables would go with them.
        """
        evaluation = self.group.evaluation
        if evaluation.updates_only or self._rows_depend_on_target():
            return False
        try:
            with self.conn.transaction():
                self._make_equal(evaluation.chosen(numbers), evaluation.replace_changed, batch)
        except psycopg.Error as error:
            if not poison.is_refusal(error):
                raise
            return False
        return True

    def _rows_depend_on_target(self) -> bool:
        row = self.conn.execute(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = %s "
            "AND confdeltype IN ('c', 'n', 'd'))",
            (self.group.evaluation.target.oid,),
        ).fetchone()
        return bool(row and row[0])

    def _make_equal(self, active: str, change: Callable[[str], str], batch: Batch) -> None:
        evaluation = self.group.evaluation
        self._execute(f"DELETE FROM {evaluation.want}")
        want = self._intake.known(evaluation.want, self._fill_want(active))
        deleted = updated = inserted = 0
        if not evaluation.updates_only:
            if batch.own:
                self._execute(evaluation.list_conflicts(want))
                self._execute(evaluation.forget_born(want))
                self._execute(evaluation.forget_replaced())
            deleted = self._execute(evaluation.delete_stale(active, want)).rowcount
        if evaluation.keeps_before:
            self._execute(evaluation.keep_before(want))
        if evaluation.shown:
            updated = self._execute(change(want)).rowcount
        if not evaluation.updates_only:
            inserted = self._execute(evaluation.insert_absent(want)).rowcount
        batch.deleted += deleted
        batch.updated += updated
        batch.inserted += inserted

    def _fill_want(self, active: str) -> int:
        """Evaluate keys; return how many rows they should have.

        A look-up by a key that is computed fails on rows which the SELECT leaves out. Then all of it is evaluated.
        """
        evaluation = self.group.evaluation
        if not any(mapping.computes_key for mapping in evaluation.compiled):
            return self._execute(evaluation.fill_want(active)).rowcount
        try:
            with self.conn.transaction():
                return self._execute(evaluation.fill_want(active)).rowcount
        except psycopg.DataError:
            return self._execute(evaluation.fill_want(active, apart=True)).rowcount

    def _bad_key(self, number: int, error: psycopg.Error) -> None:
        poison.keep_key(self.conn, self.group.target_id, self.group.evaluation, number, error)

    # --- small things ---------------------------------------------------------------------------------------

    def _execute(self, statement: str) -> psycopg.Cursor[Any]:
        return self.conn.execute(statement.encode())

    def _count_poison(self) -> int:
        row = self.conn.execute(
            "SELECT count(*) FROM lockgate.poison WHERE target_id = %s", (self.group.target_id,)
        ).fetchone()
        return int(row[0]) if row else 0
