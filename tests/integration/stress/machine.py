"""Runs a scenario act by act, in one thread, and looks at what comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.pq import TransactionStatus

from lockgate.ledger import chunks
from lockgate.mapping import applier as applier_module
from lockgate.mapping import changelog, intake, manners, upkeep
from lockgate.plan.models import MapStep
from tests.integration.stress.acts import Act, Batch, Check, Chunk, Commit, Kill, Register, Rotate, Truncate, Write
from tests.integration.stress.oracle import differences
from tests.integration.stress.scenario import Scenario
from tests.integration.stress.strategies import WRITERS
from tests.integration.stress.values import BORN, pick, pick_not_null, quoted
from tests.integration.stress.world import Mapped, World

RESET = """
DO $$ DECLARE item text; BEGIN
    DROP SCHEMA IF EXISTS "Old", new, shadow CASCADE;
    FOR item IN SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'lockgate'::regnamespace AND proname LIKE 'log\\_%'
        LOOP EXECUTE 'DROP FUNCTION ' || item || ' CASCADE'; END LOOP;
    FOR item IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'lockgate'::regnamespace AND relkind = 'r'
        AND relname ~ '^(log|recheck|born|before)_[0-9]' LOOP EXECUTE 'DROP TABLE ' || item; END LOOP;
    FOR item IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'lockgate'::regnamespace AND relkind = 'S'
        AND relname ~ '^log_[0-9]' LOOP EXECUTE 'DROP SEQUENCE ' || item; END LOOP;
    DELETE FROM lockgate.mappings; DELETE FROM lockgate.sync_targets; DELETE FROM lockgate.logs;
    DELETE FROM lockgate.quarantine; DELETE FROM lockgate.chunks; DELETE FROM lockgate.steps;
    CREATE SCHEMA "Old"; CREATE SCHEMA new; CREATE SCHEMA shadow;
END $$
"""
# What the application may meet by itself: unique violations, and locks that other writers hold.
_OWN_ERRORS = ("23505", "55P03", "40001")
_SHORT = "15ms"


class _KilledError(Exception):
    """The applier is gone before its commit."""


class Machine:
    """What a scenario is run on; one database for all examples, emptied for each.

    :param app: name of a role without any right on schema ``lockgate``.
    """

    def __init__(self, dsn: str, app: str) -> None:
        self.world = World(dsn)
        self.world.sql("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext")
        self.world.install()
        self.app = app
        self.writers = [self._writer(dsn) for _ in range(WRITERS)]
        self.workers = [self.world.open("worker") for _ in range(2)]
        self.looker = psycopg.connect(dsn, autocommit=True, prepare_threshold=None)
        self.looker.execute("SET search_path = pg_catalog, ext")
        self.looker.execute("SET TimeZone = 'UTC'")

    def _writer(self, dsn: str) -> Connection[Any]:
        conn = psycopg.connect(dsn, autocommit=True, prepare_threshold=None)
        conn.execute("SET search_path = pg_catalog")
        conn.execute(f"SET lock_timeout = '{_SHORT}'".encode())
        conn.execute(f"SET SESSION AUTHORIZATION {quoted(self.app)}".encode())
        return conn

    def close(self) -> None:
        """Close all connections."""
        for conn in (*self.writers, self.looker):
            conn.close()
        self.world.close()

    def run(self, scenario: Scenario) -> None:
        """Run a scenario to its end and assert that everything agrees."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(intake, "BATCH", scenario.batch)
            patch.setattr(intake, "PIECE_BLOCKS", 1)
            patch.setattr(intake, "GROWTH", 1)
            patch.setattr(intake, "KEYS", max(scenario.batch // 2, 2))
            patch.setattr(upkeep, "ROTATE_BYTES", 0)
            patch.setattr(manners, "LOCK_TIMEOUT_MS", 15)
            _Run(self, scenario, patch).run()


class _Run:
    def __init__(self, machine: Machine, scenario: Scenario, patch: pytest.MonkeyPatch) -> None:
        self.machine = machine
        self.world = machine.world
        self.scenario = scenario
        self.patch = patch
        self.waiting = scenario.mappings()
        self.begun: list[Mapped] = []
        self.claimed: dict[int, tuple[Mapped, chunks.Chunk]] = {}
        self.nested = False

    def run(self) -> None:
        self._reset()
        try:
            self._build()
            for _ in range(self.scenario.early):
                self._register()
            for act in self.scenario.acts:
                self._do(act)
            self._finish()
        finally:
            for conn in (*self.machine.writers, *self.machine.workers):
                conn.rollback()

    # --- the beginning --------------------------------------------------------------------------------------

    def _reset(self) -> None:
        self.world.mapped.clear()
        self.world.forget_appliers()
        self.world.sql(RESET)

    def _build(self) -> None:
        statements = []
        for table, rows in zip(self.scenario.tables, self.scenario.rows, strict=True):
            statements.append(table.create())
            statements += [f"{table.insert(seeds)} ON CONFLICT DO NOTHING" for seeds in rows]
        for target in self.scenario.targets:
            statements += target.create()
        role = quoted(self.machine.app)
        statements.append(f'GRANT USAGE ON SCHEMA "Old", new, ext TO {role}')
        statements.append(f'GRANT ALL ON ALL TABLES IN SCHEMA "Old", new TO {role}')
        self.world.sql("; ".join(statements))

    def _register(self) -> None:
        if not self.waiting:
            return
        for writer in self.machine.writers:
            writer.commit()
        for worker in list(self.claimed):
            self._end_chunk(worker, "commit")
        target, mapping = self.waiting.pop(0)
        self.begun.append(self.world.begin(MapStep.model_validate(mapping.step(target.sql))))

    # --- acts -----------------------------------------------------------------------------------------------

    def _do(self, act: Act) -> None:
        match act:
            case Write():
                self._write(act)
            case Commit():
                conn = self.machine.writers[act.writer]
                conn.commit() if act.how == "commit" else conn.rollback()
            case Truncate():
                self._truncate(act)
            case Batch():
                self._batch(act)
            case Kill():
                self._kill(act)
            case Chunk():
                self._chunk(act)
            case Check():
                self._check()
            case Rotate():
                for log in changelog.everything(self.world.conn):
                    upkeep.tidy(self.world.conn, log)
            case Register():
                self._register()

    def _write(self, act: Write) -> None:
        conn = self.machine.writers[act.writer]
        text = self._target_statement(act) if act.target else self._base_statement(act)
        try:
            if conn.info.transaction_status == TransactionStatus.IDLE:
                conn.execute("BEGIN")
            if act.savepoint:
                with conn.transaction():
                    conn.execute(text.encode())
            else:
                conn.execute(text.encode())
        except psycopg.Error as error:
            if error.sqlstate not in _OWN_ERRORS:
                raise
            if not act.savepoint:
                conn.rollback()
        if act.commit:
            conn.commit()

    def _base_statement(self, act: Write) -> str:
        table, seeds = self.scenario.tables[act.table], act.seeds
        if act.kind == "insert":
            return table.insert(seeds)
        columns = table.columns()
        keys = [name for name, _ in table.key_columns()]
        by = (keys[0], "j", "s", keys[0])[seeds[0] % 4]
        where = f"{table.column(by)} IS NOT DISTINCT FROM {pick(columns[by], seeds[1])}"
        if seeds[0] % 16 == 15:
            where = "true"
        if act.kind == "delete":
            return f"DELETE FROM {table.sql} WHERE {where}"
        changed = {"same": ["z"], "move": ["j", *keys]}.get(act.kind)
        if changed is None:
            free = [name for name in columns if name not in (*keys, "z")]
            changed = [free[seeds[2] % len(free)], free[seeds[3] % len(free)]]
        sets = [
            f"{table.column(name)} = "
            + (pick_not_null if name in keys and table.keyed != "none" else pick)(columns[name], seeds[4 + place])
            for place, name in enumerate(dict.fromkeys(changed))
        ]
        return f"UPDATE {table.sql} SET {', '.join(sets)} WHERE {where}"

    def _target_statement(self, act: Write) -> str:
        target, seeds = self.scenario.targets[act.table], act.seeds
        first = target.mappings[0]

        def key(offset: int) -> list[str]:
            born = seeds[offset] % 3 == 0
            return [
                f"{BORN[output.type]}::{output.type}" if born else pick_not_null(output.type, seeds[offset + place])
                for place, output in enumerate(first.key)
            ]

        values = [pick(output.type, seeds[7 + place]) for place, output in enumerate(first.values)]
        if act.kind == "insert":
            listed = ", ".join([*target.key, *target.values, "own"])
            row = ", ".join([*key(1), *values, f"'{seeds[9]}'"])
            return (
                f"INSERT INTO {target.sql} ({listed}) VALUES ({row}){' ON CONFLICT DO NOTHING' if seeds[0] % 2 else ''}"
            )
        # By the text of the key, which needs no operator of another schema.
        where = " AND ".join(
            f"{name}::text = ({value})::text" for name, value in zip(target.key[:2], key(1)[:2], strict=True)
        )
        if act.kind == "delete":
            return f"DELETE FROM {target.sql} WHERE {where}"
        sets = [f"own = '{seeds[9]}'"]
        if act.kind == "move":
            sets += [f"{name} = {value}" for name, value in zip(target.key, key(4), strict=True)]
        elif seeds[0] % 2:
            sets += [f"{name} = {value}" for name, value in zip(target.values, values, strict=True)]
        return f"UPDATE {target.sql} SET {', '.join(sets)} WHERE {where}"

    def _truncate(self, act: Truncate) -> None:
        table = self.scenario.tables[act.table]
        conn = self.machine.writers[0]
        conn.commit()
        try:
            conn.execute(f"TRUNCATE {table.sql}".encode())
        except psycopg.Error as error:
            if error.sqlstate not in _OWN_ERRORS:
                raise

    # --- Lockgate's side ------------------------------------------------------------------------------------

    def _target_id(self, number: int) -> int | None:
        targets = self.world.targets()
        return targets[number] if number < len(targets) else None

    def _batch(self, act: Batch) -> None:
        target_id = self._target_id(act.target)
        if target_id is None:
            return
        with self._between(self.world.applier(target_id).conn, act.between):
            try:
                self.world.batch(target_id)
            except psycopg.Error as error:
                if error.sqlstate not in ("55P03", "40001"):
                    raise

    def _kill(self, act: Kill) -> None:
        target_id = self._target_id(act.target)
        if target_id is None:
            return

        def die(name: str) -> None:
            if name == "applier.commit":
                raise _KilledError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(applier_module, "fault", die)
            try:
                self.world.batch(target_id)
            except _KilledError:
                pass
            except psycopg.Error as error:
                if error.sqlstate not in ("55P03", "40001"):
                    raise
        self.world.sql(f"UPDATE lockgate.sync_targets SET epoch = epoch + 1 WHERE id = {target_id}")

    def _chunk(self, act: Chunk) -> None:
        if act.how in ("commit", "rollback") and act.worker in self.claimed:
            self._end_chunk(act.worker, act.how)
            return
        if act.worker not in self.claimed:
            self._claim(act)
        if act.worker in self.claimed and act.how != "claim":
            with self._between(self.machine.workers[act.worker], act.between):
                self._end_chunk(act.worker, act.how)

    def _claim(self, act: Chunk) -> None:
        mapped = self.begun[act.mapping % len(self.begun)]
        conn = self.machine.workers[act.worker]
        conn.execute("BEGIN")
        chunk = chunks.claim(conn, mapped.step_id)
        if chunk is None:
            conn.rollback()
        else:
            self.claimed[act.worker] = (mapped, chunk)

    def _end_chunk(self, worker: int, how: str) -> None:
        mapped, chunk = self.claimed[worker]
        conn = self.machine.workers[worker]
        try:
            if how != "rollback" and chunk.attempts >= 0:
                self.world.run_chunk(conn, mapped, chunk)
        except psycopg.Error as error:
            if error.sqlstate not in ("55P03", "40001"):
                raise
            how = "rollback"
        if how == "read":
            # Done but not committed: what happens now, it does not see.
            self.claimed[worker] = (mapped, chunks.Chunk(chunk.id, chunk.step_id, chunk.leaf, chunk.lo, chunk.hi, -1))
            return
        conn.commit() if how == "commit" else conn.rollback()
        del self.claimed[worker]

    @contextmanager
    def _between(self, conn: Connection[Any], between: tuple[tuple[int, Write | Commit], ...]) -> Iterator[None]:
        """Do acts before certain statements of a connection."""
        execute = conn.execute
        count = 0

        def counting(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            for _, act in [item for item in between if item[0] == count]:
                self._do(act)
            return execute(*args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(conn, "execute", counting)
            yield

    def _check(self) -> None:
        """Nothing is wrong but what is visibly pending, unless something happened that no log tells."""
        for target_id in self.world.targets():
            if self._to_be_repaired(target_id) or self._has_open_chunks(target_id):
                continue
            found = self.world.reconcile(target_id)
            assert found.agrees, f"while changes are pending: {found}"

    def _to_be_repaired(self, target_id: int) -> bool:
        group = self.world.group(target_id)
        logs = upkeep.logs_of(self.world.conn, group)
        truncated = " OR ".join(
            f"EXISTS (SELECT FROM {log.table(segment)} WHERE op = 'T')"
            for log in logs
            for segment in changelog.SEGMENTS
        )
        row = self.world.sql(
            f"SELECT repair OR {truncated} FROM lockgate.sync_targets WHERE id = {target_id}"
        ).fetchone()
        return bool(row and row[0])

    def _has_open_chunks(self, target_id: int) -> bool:
        steps = [mapped.step_id for mapped in self.begun if mapped.target_id == target_id]
        return any(chunks.pending(self.world.conn, step) for step in steps)

    # --- the end --------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        for worker in list(self.claimed):
            self._end_chunk(worker, "commit")
        while self.waiting:
            self._register()
        for writer in self.machine.writers:
            writer.commit()
        for mapped in self.begun:
            self.world.backfill(mapped)
        self.world.go_live()
        self.world.drain()
        self._assert_agreement("at the end of the backfill")
        # The same acts once more, now that no block ranges are open and only what is read is logged.
        for act in self.scenario.acts:
            self._do(act)
        for writer in self.machine.writers:
            writer.commit()
        self.world.drain()
        self._assert_agreement("at the end")

    def _assert_agreement(self, when: str) -> None:
        refused = self.world.sql("SELECT key, error FROM lockgate.poison").fetchall()
        assert not refused, f"{when}: refused keys {refused}"
        for target in self.scenario.targets:
            found = differences(self.machine.looker, target)
            assert not found, f"{when}: " + "; ".join(found)
        for target_id in self.world.targets():
            found_by_lockgate = self.world.reconcile(target_id)
            assert found_by_lockgate.agrees, f"{when}: {found_by_lockgate}"
            assert not found_by_lockgate.pending, f"{when}: {found_by_lockgate}"
        for mapped in self.begun:
            self._assert_accounts(mapped, when)

    def _assert_accounts(self, mapped: Mapped, when: str) -> None:
        accounts = self.world.account(mapped)
        assert accounts.adds_up, f"{when}: {accounts}"
        mapping = next(m for _, m in self.scenario.mappings() if m.name == mapped.name)
        count = self.machine.looker.execute(f"SELECT count(*) FROM {mapping.driving.table.sql}".encode()).fetchone()
        assert count is not None
        assert accounts.source_rows == count[0], f"{when}: {accounts}"


Machines = Callable[[], Machine]
