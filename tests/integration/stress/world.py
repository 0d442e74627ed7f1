"""A database with mappings that are kept in step by hand: each chunk and each batch happens when the test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.engine.session import Sessions
from lockgate.ledger import chunks, steps, store
from lockgate.mapping import accounting, backfill, changelog, group, install, reconcile, updating, upkeep
from lockgate.mapping.accounting import Accounts
from lockgate.mapping.analysis import compile_mapping
from lockgate.mapping.applier import Applier
from lockgate.mapping.batch import Batch
from lockgate.mapping.compiled import Compiled
from lockgate.mapping.definition import from_step
from lockgate.mapping.group import Group
from lockgate.mapping.reconcile import Reconciled
from lockgate.plan.models import MapStep, TransformStep

PLAN = "stress"
_CAP = 1 << 34
_ENOUGH = 10_000


@dataclass(slots=True)
class Mapped:
    """A mapping at work: its place in the ledger and the step whose chunks copy it."""

    compiled: Compiled
    target_id: int
    step_id: int

    @property
    def name(self) -> str:
        """Name of the mapping."""
        return self.compiled.name


class World:
    """One database, and what Lockgate does in it.

    :param dsn: the superuser's address.
    """

    def __init__(self, dsn: str) -> None:
        self.sessions = Sessions(dsn)
        self.conn = self.sessions.open("world")
        self.mapped: dict[str, Mapped] = {}
        self._appliers: dict[int, Applier] = {}
        self._groups: dict[tuple[int, int], Group] = {}
        self._opened: list[Connection[Any]] = []

    def close(self) -> None:
        """Close all connections."""
        self.forget_appliers()
        for conn in (*self._opened, self.conn):
            conn.close()

    def open(self, purpose: str = "test") -> Connection[Any]:
        """Another connection of the tool; it is closed with the world."""
        conn = self.sessions.open(purpose)
        self._opened.append(conn)
        return conn

    def sql(self, text: str) -> psycopg.Cursor[Any]:
        """Run SQL of the application, or that sets the scene; each call is one transaction."""
        return self.conn.execute(text.encode())

    # --- mappings -------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Make the ledger."""
        store.install(self.conn)

    def map(self, name: str, into: str, key: list[str], source: str, select: str, **more: Any) -> Mapped:
        """Begin a map step: the logs are there and the chunks are planned, none is done."""
        return self.begin(
            MapStep.model_validate({"map": name, "into": into, "key": key, "from": source, "select": select, **more})
        )

    def begin(self, step: MapStep | TransformStep, *, rows_a_chunk: int = 1) -> Mapped:
        """Begin a step: the logs are there and the chunks are planned, none is done."""
        compiled = compile_mapping(self.conn, from_step(step))
        with self.conn.transaction():
            target_id = install.register(self.conn, PLAN, compiled)

        def locked(_relation: Relation, work: Callable[[Connection[Any]], None]) -> None:
            with self.conn.transaction():
                work(self.conn)

        def unlocked(work: Callable[[Connection[Any]], None]) -> None:
            with self.conn.transaction():
                work(self.conn)

        install.prepare(compiled, target_id, _CAP, locked, unlocked)
        row = steps.get_or_create(self.conn, PLAN, "phase", compiled.name, "map")
        with self.conn.transaction():
            chunks.insert(self.conn, row.id, backfill.plan_ranges(self.conn, compiled, rows_a_chunk))
        mapped = self.mapped[compiled.name] = Mapped(compiled, target_id, row.id)
        return mapped

    def targets(self) -> list[int]:
        """Numbers of all targets, in the order of their first mapping."""
        return list(dict.fromkeys(mapped.target_id for mapped in self.mapped.values()))

    def group(self, target_id: int) -> Group:
        """The target as it is now; its epoch moves with whatever changes it."""
        key = (target_id, self._epoch(target_id))
        if key not in self._groups:
            self._groups[key] = group.load(self.conn, target_id)
        return self._groups[key]

    def _epoch(self, target_id: int) -> int:
        row = self.conn.execute("SELECT epoch FROM lockgate.sync_targets WHERE id = %s", (target_id,)).fetchone()
        assert row is not None
        return int(row[0])

    def backfill(self, mapped: Mapped) -> None:
        """Do all chunks that are left."""
        while self.chunk(mapped):
            pass

    def chunk(self, mapped: Mapped) -> bool:
        """Do one chunk; False when none was left."""
        with self.conn.transaction():
            chunk = chunks.claim(self.conn, mapped.step_id)
            if chunk is None:
                return False
            self.run_chunk(self.conn, mapped, chunk)
        return True

    def run_chunk(
        self, conn: Connection[Any], mapped: Mapped, chunk: chunks.Chunk, loaded: Group | None = None
    ) -> None:
        """Do a claimed chunk in the open transaction."""
        loaded = loaded or self.group(mapped.target_id)
        compiled = next(c for c in loaded.compiled if c.name == mapped.name)
        done = backfill.run_chunk(conn, loaded, compiled, chunk)
        chunks.finish(conn, chunk.id, done.read, done.written, "stress", 0.0)

    def go_live(self, *, narrow: bool = True) -> None:
        """All chunks are done: settle each target, and log only what the mappings read."""
        for mapped in self.mapped.values():
            with self.conn.transaction():
                updating.mark_repeated(self.conn, self.group(mapped.target_id), mapped.compiled)
                install.go_live(self.conn, mapped.target_id)
            if narrow and mapped.compiled.definition.sync:
                with self.conn.transaction():
                    changelog.narrow(self.conn, mapped.compiled.driving_relation)

    # --- the applier ----------------------------------------------------------------------------------------

    def applier(self, target_id: int) -> Applier:
        """The applier of a target, loaded again when its epoch moved."""
        epoch = self._epoch(target_id)
        known = self._appliers.get(target_id)
        if known is None or known.epoch != epoch or known.conn.closed:
            if known is not None:
                known.conn.close()
            known = Applier(self.sessions.open("applier"), self.group(target_id), epoch)
            self._appliers[target_id] = known
        return known

    def batch(self, target_id: int) -> Batch:
        """Apply one batch, and repair what no log can tell."""
        applier = self.applier(target_id)
        batch = applier.run()
        if batch.repair:
            for log in changelog.read_by(self.conn, target_id):
                with self.conn.transaction():
                    upkeep.reinstall(self.conn, _CAP, log)
            upkeep.repair(self.conn, applier.group)
        return batch

    def drain(self) -> None:
        """Apply until nothing is left to do in any target."""
        for _ in range(_ENOUGH):
            busy = False
            for target_id in self.targets():
                batch = self.batch(target_id)
                row = self.conn.execute(f"SELECT count(*) FROM lockgate.recheck_{target_id}".encode()).fetchone()
                busy = bool(busy or batch.changes or batch.pending or batch.repair or (row and row[0]))
            if not busy:
                return
        raise AssertionError(f"not idle after {_ENOUGH} rounds")

    def forget_appliers(self) -> None:
        """Close the appliers' connections."""
        for applier in self._appliers.values():
            applier.conn.close()
        self._appliers.clear()

    # --- looking --------------------------------------------------------------------------------------------

    def reconcile(self, target_id: int) -> Reconciled:
        """Compare a target with its mappings, as Lockgate does."""
        with reconcile.one_snapshot(self.conn, loaded := self.group(target_id)):
            return reconcile.reconcile(self.conn, loaded)

    def account(self, mapped: Mapped) -> Accounts:
        """Account for the source rows of a mapping, as Lockgate does."""
        loaded = self.group(mapped.target_id)
        compiled = next(c for c in loaded.compiled if c.name == mapped.name)
        with reconcile.one_snapshot(self.conn, loaded):
            found = reconcile.reconcile(self.conn, loaded)
            return accounting.account(self.conn, loaded, compiled, found)


@contextmanager
def world(dsn: str) -> Iterator[World]:
    """A world with a ledger, closed at the end."""
    made = World(dsn)
    try:
        made.install()
        yield made
    finally:
        made.close()
