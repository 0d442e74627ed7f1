"""Chunk workers: threads of a runner, or of `lockgate work` in other processes and on other hosts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection

from lockgate.engine import sqlerrors
from lockgate.engine.clock import Clock
from lockgate.engine.crew import Crew, name_of
from lockgate.engine.faults import fault
from lockgate.engine.governor import Governor
from lockgate.engine.retry import Policy, lost_connection, passing
from lockgate.engine.session import Sessions
from lockgate.engine.sweeping import Sweeper
from lockgate.engine.underway import Underway
from lockgate.errors import ConnectionFailed
from lockgate.ledger import chunks, lease
from lockgate.ledger.chunks import Chunk
from lockgate.mapping import backfill, group, status
from lockgate.mapping.group import Group
from lockgate.mapping.poison import is_occupied, is_refusal

if TYPE_CHECKING:
    from lockgate.engine.context import Progress

_PATIENCE = Policy(retries=60, base=0.05, cap=2.0)
_CANCELED = "57014"
_POLL = 0.05
_MOVES = 5
_LAG = 60.0  # seconds


@dataclass(slots=True)
class Task:
    """The chunks of one step.

    :param mapping: the name of the mapping; ``epoch`` is the runner's lease, None for a worker from outside.
    """

    step_id: int
    target_id: int
    mapping: str
    epoch: int | None
    where: str


@dataclass(slots=True)
class _Worker:
    """One worker: a connection of its own, chunk after chunk until none is left."""

    sessions: Sessions
    task: Task
    clock: Clock
    governor: Governor
    stop: threading.Event
    name: str
    retired: Callable[[], bool]
    written: Callable[[int, int], None]
    underway: Underway
    _conn: Connection[Any] | None = None
    _group: Group | None = None
    _chunk: Chunk | None = None
    _last: int = 0
    _failures: int = 0
    _tries: dict[tuple[int, int], int] = field(default_factory=dict)

    def run(self) -> None:
        """:raises LockgateError: if a row is refused, or trying again does not help."""
        try:
            while not self.retired() and self.governor.permit(self.stop):
                if not self._next():
                    return
        finally:
            self._close()

    def _next(self) -> bool:
        """Do a chunk; False when none is left."""
        self._chunk = None
        try:
            conn = self._connection()
            if not self._do(conn):
                if not chunks.pending(conn, self.task.step_id):
                    return False
                self.clock.wait(self.stop, _POLL)  # others work on what is left, and may yet fail
            self._failures = 0
        except (psycopg.Error, ConnectionFailed) as error:
            self._meet(error)
        return True

    def _do(self, conn: Connection[Any]) -> bool:
        """Claim a chunk, do it and mark it done in one transaction; False when none is free."""
        started = self.clock.monotonic()
        loaded = self._loaded(conn)
        compiled = next(mapping for mapping in loaded.compiled if mapping.name == self.task.mapping)
        meet = partial(self.underway.take, self.name) if self.governor.workers() > 1 else None
        with self.underway.releasing(self.name), conn.transaction():
            if self.task.epoch is not None:
                lease.assert_held(conn, self.task.epoch)
            # A statement of its own: the transaction's id must be older than the snapshot that reads the rows.
            chunk = chunks.claim(conn, self.task.step_id, self._last)
            if chunk is None:
                return False
            self._chunk = chunk
            fault("chunk.claimed")
            chunk, rows = self._fitted(conn, chunk)
            done = backfill.run_chunk(conn, loaded, compiled, chunk, meet)
            chunks.finish(conn, chunk.id, done.read, done.written, self.name, self.clock.monotonic() - started)
            fault("chunk.commit")
        fault("chunk.done")
        self._last = chunk.id
        seconds = self.clock.monotonic() - started
        self.written(done.read, done.written)
        self.governor.after_chunk(rows, seconds, self.stop)
        return True

    def _fitted(self, conn: Connection[Any], chunk: Chunk) -> tuple[Chunk, int]:
        """The chunk, cut down to the size that the pace asks for, and about how many source rows it has."""
        row = conn.execute(
            "SELECT greatest(reltuples, 1)::float8 / greatest(relpages, 1) FROM pg_catalog.pg_class WHERE oid = %s",
            (chunk.leaf,),
        ).fetchone()
        density = max(float(row[0]) if row else 1.0, 0.01)
        wanted = max(1, round(self.governor.chunk_rows() / density))
        if chunk.hi - chunk.lo > wanted * 3 // 2:
            chunk = chunks.carve(conn, chunk, wanted)
        return chunk, max(1, round((chunk.hi - chunk.lo) * density))

    def _meet(self, error: psycopg.Error | ConnectionFailed) -> None:
        """Halve what took too long or is refused, wait for what passes, and give up on the rest."""
        self._failures += 1
        if isinstance(error, ConnectionFailed) or lost_connection(error):
            self._close()
            if self._failures > _PATIENCE.retries:
                raise error
        else:
            if self._chunk is not None and (error.sqlstate == _CANCELED or is_refusal(error)):
                self._halve(self._chunk, error)
                return
            if not passing(error) or self._failures > _PATIENCE.retries:
                raise error
        self.clock.wait(self.stop, _PATIENCE.pause(min(self._failures, 10)))

    def _halve(self, chunk: Chunk, error: psycopg.Error) -> None:
        conn = self._connection()
        chunks.failed(conn, chunk.id)
        if not chunks.split(conn, chunk.id) and not self._passes(conn, chunk, error):
            whole = next(m.select.whole for m in self._loaded(conn).compiled if m.name == self.task.mapping)
            at = ", which is copied whole, fails" if whole else f" fails on a row in block {chunk.lo} of its source"
            raise sqlerrors.explain(error, self.task.where, f"mapping {self.task.mapping}{at}") from error

    def _passes(self, conn: Connection[Any], chunk: Chunk, error: psycopg.Error) -> bool:
        """Whether to try a chunk again that cannot be halved.

        A place in a unique index that has moved from a row to another one since the first was copied is free once
        the applier has told so. As it may move again meanwhile, that is waited for some times.
        """
        place = (chunk.leaf, chunk.lo)
        self._tries[place] = self._tries.get(place, 0) + 1
        if not is_occupied(error) or self._tries[place] > _MOVES:
            return False
        (moment,) = conn.execute("SELECT pg_catalog.clock_timestamp()").fetchall()[0]
        until = self.clock.monotonic() + _LAG
        while status.behind(conn, self.task.target_id, moment):
            if self.clock.monotonic() > until or self.clock.wait(self.stop, _POLL):
                break
        return True

    def _loaded(self, conn: Connection[Any]) -> Group:
        if self._group is None:
            self._group = group.load(conn, self.task.target_id)
        return self._group

    def _connection(self) -> Connection[Any]:
        if self._conn is None or self._conn.closed:
            limit = self.sessions.settings.statement_timeout
            self._conn = self.sessions.open("worker", statement_timeout=limit)
        return self._conn

    def _close(self) -> None:
        if self._conn is not None:
            self._conn.close()
        self._conn = None


def crew(
    sessions: Sessions,
    task: Task,
    clock: Clock,
    governor: Governor,
    progress: Progress,
    stop: threading.Event,
    sweeper: Sweeper | None = None,
) -> Crew:
    """The workers of one process for one task.

    :param sweeper: gives the space of changed rows back; None where rows are only added.
    """
    underway = Underway()

    def hire(crew: Crew, number: int) -> _Worker:
        return _Worker(
            sessions=sessions,
            task=task,
            clock=clock,
            governor=governor,
            stop=stop,
            name=name_of(number),
            retired=partial(crew.retired, number),
            written=crew.count,
            underway=underway,
        )

    return Crew(sessions, task.step_id, clock, governor, progress, stop, hire, sweeper)


def work(sessions: Sessions, plan: str, clock: Clock, stop: threading.Event, on_event: Callable[[str], None]) -> None:
    """`lockgate work`: help with every backfill of a plan that is under way, until told to stop.

    :raises LockgateError: why it cannot go on.
    """
    from lockgate.engine.context import Silent

    progress = Silent()
    with Governor(sessions, plan, clock, progress, sessions.settings) as governor:
        while not stop.is_set():
            with sessions.open("work") as conn:
                task = _open_task(conn, plan)
            if task is None:
                clock.wait(stop, 0.5)
                continue
            on_event(f"works on mapping {task.mapping}")
            crew(sessions, task, clock, governor, progress, stop).run()
            on_event(f"no chunk of mapping {task.mapping} is free any more")
            clock.wait(stop, 0.5)


def _open_task(conn: Connection[Any], plan: str) -> Task | None:
    row = conn.execute(
        "SELECT s.id, m.target_id, m.name FROM lockgate.steps s "
        "JOIN lockgate.mappings m ON m.plan = s.plan AND m.name = s.step "
        "WHERE s.plan = %s AND s.state = 'running' "
        "AND EXISTS (SELECT FROM lockgate.chunks c WHERE c.step_id = s.id AND c.state = 'pending') "
        "ORDER BY s.id LIMIT 1",
        (plan,),
    ).fetchone()
    return Task(int(row[0]), int(row[1]), str(row[2]), None, f"mapping {row[2]}") if row else None
