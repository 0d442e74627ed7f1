"""A mapping driven by hand: each chunk and each batch runs when the test says so, in the test's own order.

Nothing here waits or sleeps. What interleaves does so by transactions that are open on several connections, or at
the named points of a batch (``Bench.at``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, TypeVar

import psycopg
import pytest
from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Relation
from lockgate.engine.session import Sessions
from lockgate.ledger import chunks, steps
from lockgate.mapping import accounting, applier, backfill, changelog, group, install, reconcile, updating, upkeep
from lockgate.mapping.accounting import Accounts
from lockgate.mapping.analysis import compile_mapping
from lockgate.mapping.applier import Applier
from lockgate.mapping.backfill import Written
from lockgate.mapping.batch import Batch
from lockgate.mapping.compiled import Compiled
from lockgate.mapping.definition import Definition, from_step
from lockgate.mapping.group import Group
from lockgate.mapping.inserting import Meet
from lockgate.mapping.reconcile import Reconciled
from lockgate.plan.models import MapStep, TransformStep
from tests.waiting import wait_until

PLAN = "shop"
_CAP = 1 << 30
_ROUNDS = 200

Rows = list[tuple[Any, ...]]
Step = dict[str, Any]
T = TypeVar("T")


def place(*path: str | int, offset: int | None = None) -> str:
    """Where a part of a step stands: ``select`` or ``select@17``."""
    inner = ".".join(str(part) for part in path)
    return inner if offset is None else f"{inner}@{offset}"


def definition(**step: Any) -> Definition:
    """A mapping as a plan says it; ``from_`` stands for ``from``, and left out parts get their defaults.

    Without a ``winner`` any row may keep a key, so that the driving key decides; ``winner=[]`` says nothing of it.
    """
    step["from"] = step.pop("from_")
    if "DISTINCT ON" not in step["select"]:
        step.setdefault("winner", ["0"])
    model = TransformStep if "transform" in step else MapStep
    return from_step(model.model_validate(step), place)


@dataclass(slots=True)
class Bench:
    """One database with a ledger, the tool's connection and the application's.

    :param conn: the tool's connection.
    :param app: the application's connection, a superuser's unless the test says otherwise.
    """

    dsn: str
    stack: ExitStack
    patch: pytest.MonkeyPatch
    sessions: Sessions = field(init=False)
    conn: Connection[Any] = field(init=False)
    app: Connection[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.dsn)
        self.conn = self.tool()
        self.app = self.connect()
        self.app.execute("CREATE SCHEMA old; CREATE SCHEMA new")

    def tool(self) -> Connection[Any]:
        """Another connection of the tool, with its pinned settings."""
        return self.stack.enter_context(self.sessions.open("test"))

    def connect(self, role: str | None = None) -> Connection[Any]:
        """Another connection of the application."""
        conn = psycopg.connect(self.dsn, autocommit=True, prepare_threshold=None)
        self.stack.enter_context(conn)
        if role:
            conn.execute(f"SET ROLE {role}".encode())
        return conn

    def others_end(self) -> None:
        """Wait until every transaction of the server has ended that is open now, those of other tests as well."""
        begun = self.one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        oldest = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
        wait_until(lambda: self.one(oldest) >= begun, 60, what="older transactions to end")

    def role(self) -> str:
        """A role of the test's own, without any right; it is dropped at the end."""
        name = f"lockgate_test_{token_hex(6)}"
        self.app.execute(f"CREATE ROLE {name}".encode())
        self.stack.callback(lambda: self.sql(f"DROP OWNED BY {name}", f"DROP ROLE {name}"))
        return name

    @property
    def version(self) -> int:
        """The server's major version."""
        return self.conn.info.server_version // 10_000

    def sql(self, *statements: str) -> None:
        """Run what the application does, each statement a transaction."""
        for statement in statements:
            self.app.execute(statement.encode())

    def rows(self, query: str) -> Rows:
        """The rows of a query, as the application sees them."""
        return self.app.execute(query.encode()).fetchall()

    def one(self, query: str) -> Any:
        """The one value of a query."""
        found = self.rows(query)
        assert len(found) == 1, found
        return found[0][0]

    @contextmanager
    def blocked(self, conn: Connection[Any], work: Callable[[], T]) -> Iterator[Future[T]]:
        """Have a thread do ``work`` on ``conn``; the block begins when it waits for a lock, and must end that wait."""
        pid = conn.info.backend_pid
        waits = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND wait_event_type = 'Lock'"
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            wait_until(lambda: future.done() or self.one(waits), what="the work waits for a lock")
            try:
                assert not future.done(), f"it did not wait: {future.exception() or future.result()}"
                yield future
            except BaseException:
                conn.cancel_safe(timeout=5)
                raise

    def compile(self, **step: Any) -> Compiled:
        """Only check a mapping against the database."""
        return compile_mapping(self.conn, definition(**step))

    def define(self, *, cap: int = _CAP, chunk_rows: int = 1, plan: str = PLAN, **step: Any) -> Mapped:
        """Register a mapping, install its logs and plan its chunks; nothing is copied yet.

        :param chunk_rows: about so many rows a chunk; the default makes each chunk one block.
        """
        defined = definition(**step)
        compiled = compile_mapping(self.conn, defined)
        with self.conn.transaction():
            target_id = install.register(self.conn, plan, compiled)
        install.prepare(compiled, target_id, cap, self._locked, self._unlocked)
        with self.conn.transaction():
            kind = "transform" if defined.updates_only else "map"
            step_id = steps.get_or_create(self.conn, plan, "setup", defined.name, kind).id
            chunks.insert(self.conn, step_id, backfill.plan_ranges(self.conn, compiled, chunk_rows))
        return Mapped(self, target_id, step_id, defined.name)

    def map(self, **step: Any) -> Mapped:
        """Define a mapping, run its backfill to the end and let it settle."""
        mapped = self.define(**step)
        mapped.backfill()
        mapped.drain()
        return mapped

    def _locked(self, relation: Relation, work: Callable[[Connection[Any]], None]) -> None:
        with self.conn.transaction():
            work(self.conn)

    def listen(self, conn: Connection[Any]) -> list[str]:
        """The statements that are sent over a connection of the tool from now on."""
        sent: list[str] = []
        execute = conn.execute

        def note(query: bytes | str, *values: object, **more: object) -> object:
            sent.append(query if isinstance(query, str) else query.decode())
            return execute(query, *values, **more)  # type: ignore[call-overload]

        self.patch.setattr(conn, "execute", note)
        return sent

    def _unlocked(self, work: Callable[[Connection[Any]], None]) -> None:
        with self.conn.transaction():
            work(self.conn)

    def at(self, point: str, work: Callable[[], object]) -> None:
        """Do ``work`` once, when a batch passes the named point ``point``, in the middle of its transaction."""
        passed: list[str] = []

        def hook(name: str) -> None:
            if name == point and not passed:
                passed.append(name)
                work()

        self.patch.setattr(applier, "fault", hook)


@dataclass(slots=True)
class Mapped:
    """One mapping and the target that it feeds."""

    bench: Bench
    target_id: int
    step_id: int
    name: str
    _applier: Applier | None = None

    # --- the backfill ---------------------------------------------------------------------------------------

    @contextmanager
    def open_chunk(self) -> Iterator[Written]:
        """The next chunk, done on a connection of its own; it commits at the end of the block."""
        with self.bench.sessions.open("chunk") as conn, conn.transaction():
            done = self.chunk_on(conn)
            assert done is not None, "no chunk is left"
            yield done

    def chunk(self, conn: Connection[Any] | None = None) -> Written | None:
        """Run the next chunk to its end; None when none is left."""
        conn = conn or self.bench.conn
        with conn.transaction():
            return self.chunk_on(conn)

    def chunk_on(self, conn: Connection[Any], meet: Meet | None = None) -> Written | None:
        """Claim and do the next chunk in the open transaction of ``conn``."""
        chunk = chunks.claim(conn, self.step_id)
        if chunk is None:
            return None
        loaded = self.load()
        done = backfill.run_chunk(conn, loaded, self.compiled(loaded), chunk, meet)
        chunks.finish(conn, chunk.id, done.read, done.written, "test", 0.0)
        return done

    def chunks_left(self) -> int:
        """How many chunks are still to be done."""
        made = chunks.progress(self.bench.conn, self.step_id)
        return made.total - made.done

    def backfill(self) -> int:
        """Run all chunks that are left and go live; return the rows written."""
        written = 0
        while (done := self.chunk()) is not None:
            written += done.written
        self.go_live()
        return written

    def go_live(self) -> None:
        """What comes after the last chunk."""
        loaded = self.load()
        with self.bench.conn.transaction():
            updating.mark_repeated(self.bench.conn, loaded, self.compiled(loaded))
            install.go_live(self.bench.conn, self.target_id)
        relation = self.compiled(loaded).driving_relation
        with self.bench.conn.transaction():
            changelog.narrow(self.bench.conn, catalog.read(self.bench.conn, relation.oid))

    # --- the applier ----------------------------------------------------------------------------------------

    def load(self) -> Group:
        """The target as the ledger and the catalog know it now."""
        return group.load(self.bench.conn, self.target_id)

    def compiled(self, loaded: Group) -> Compiled:
        """This mapping of the target."""
        return next(mapping for mapping in loaded.compiled if mapping.name == self.name)

    def epoch(self) -> int:
        """The number under which the target may be worked at present."""
        return int(self._one("SELECT epoch FROM lockgate.sync_targets WHERE id = %s", self.target_id))

    def new_applier(self) -> Applier:
        """An applier on a connection of its own; it takes over from the one before."""
        row = self.bench.conn.execute(
            "UPDATE lockgate.sync_targets SET epoch = epoch + 1 WHERE id = %s RETURNING epoch", (self.target_id,)
        ).fetchone()
        assert row is not None
        conn = self.bench.tool()
        return Applier(conn, group.load(conn, self.target_id), int(row[0]))

    def applier(self) -> Applier:
        """The applier, renewed when the target was changed under it."""
        if self._applier is None or self._applier.epoch != self.epoch():
            self._applier = self.new_applier()
        return self._applier

    def batch(self) -> Batch:
        """Apply one batch."""
        return self.applier().run()

    def drain(self) -> list[Batch]:
        """Apply batch after batch, and repair where one asks for it, until there is nothing left to do."""
        done: list[Batch] = []
        while len(done) < _ROUNDS:
            done.append(self.batch())
            if done[-1].repair:
                self.repair()
            elif not (done[-1].changes or done[-1].pending):
                if not self.rechecks():
                    return done
                self.bench.others_end()
        raise AssertionError(f"not quiet after {_ROUNDS} batches; the last: {done[-1]}")

    def repair(self) -> int:
        """Put the logs back and compare everything, as the service does after a batch that asks for it."""
        applier = self.applier()
        for log in changelog.read_by(applier.conn, self.target_id):
            with applier.conn.transaction():
                upkeep.reinstall(applier.conn, _CAP, log)
        return upkeep.repair(applier.conn, applier.group)

    # --- looking --------------------------------------------------------------------------------------------

    def compare(self) -> Reconciled:
        """Reconcile, in one snapshot."""
        loaded = self.load()
        with reconcile.one_snapshot(self.bench.conn, loaded):
            return reconcile.reconcile(self.bench.conn, loaded)

    def account(self) -> Accounts:
        """Account for every source row, in one snapshot with the comparison."""
        loaded = self.load()
        with reconcile.one_snapshot(self.bench.conn, loaded):
            found = reconcile.reconcile(self.bench.conn, loaded)
            return accounting.account(self.bench.conn, loaded, self.compiled(loaded), found)

    def assert_agrees(self) -> None:
        """Both sides agree, with nothing pending, by a comparison that knows nothing of the logs."""
        found = self.compare()
        assert (found.missing, found.different, found.extra, found.pending) == (0, 0, 0, 0), found

    def log_of(self, relation: str, writer: str = "") -> int:
        """The number of the log of a relation."""
        return int(
            self._one("SELECT id FROM lockgate.logs WHERE relid = %s::regclass AND writer = %s", relation, writer)
        )

    def logged(self, relation: str, writer: str = "") -> str:
        """What the log of a relation holds, as one letter a row, in order."""
        log = self.log_of(relation, writer)
        rows = self.bench.rows(
            f"SELECT op::text FROM (SELECT id, op FROM lockgate.log_{log}_a "
            f"UNION ALL SELECT id, op FROM lockgate.log_{log}_b) AS l ORDER BY id"
        )
        return "".join(op for (op,) in rows)

    def rechecks(self) -> int:
        """How many keys wait for a second look."""
        return int(self._one(f"SELECT count(*) FROM lockgate.recheck_{self.target_id}"))

    def poison(self) -> Rows:
        """The keys that the target refuses, each with its SQLSTATE."""
        return self.bench.rows(
            f"SELECT key, sqlstate FROM lockgate.poison WHERE target_id = {self.target_id} ORDER BY id"
        )

    def make_retry_due(self) -> None:
        """Let the time pass after which refused keys are tried again."""
        self.bench.conn.execute("UPDATE lockgate.poison SET last_at = last_at - interval '1 day'")

    def let_no_retry_be_due(self) -> None:
        """However slow the machine is."""
        self.bench.conn.execute("UPDATE lockgate.poison SET last_at = last_at + interval '1 day'")

    def born(self) -> int:
        """How many keys the application made in the new model."""
        return int(self._one(f"SELECT count(*) FROM lockgate.born_{self.target_id}"))

    def _one(self, query: str, *values: Any) -> Any:
        row = self.bench.conn.execute(query.encode(), values or None).fetchone()
        assert row is not None
        return row[0]
