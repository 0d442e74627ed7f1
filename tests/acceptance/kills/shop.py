"""The database that is migrated while processes are killed, and what must be true of it afterwards."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lockgate.engine.applying import applying
from lockgate.engine.clock import SystemClock
from lockgate.engine.session import Sessions
from lockgate.ledger import chain
from tests.acceptance.kills.processes import Lockgate
from tests.acceptance.kills.writer import ROLE, Writer, read_tables
from tests.waiting import wait_until

FIXTURE = Path(__file__).parent / "fixtures" / "shop"
PLAN = "shop"
WORKERS = 2
DIFFERENCES = (FIXTURE / "differences.sql").read_text()
OBJECTS = (FIXTURE / "objects.sql").read_text()
CHUNKS = (FIXTURE / "chunks.sql").read_text()


class Factory:
    """Makes a shop for each round, from one template on one server."""

    def __init__(self, server: str, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._template = f"lockgate_shop_{secrets.token_hex(4)}"
        with self._admin() as admin:
            with contextlib.suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
                admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(ROLE)))
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(self._template)))
        with psycopg.connect(_in_database(server, self._template), autocommit=True) as conn:
            conn.execute((FIXTURE / "legacy.sql").read_bytes())

    @contextmanager
    def opened(self) -> Iterator[Factory]:
        """Removes the template at the end."""
        try:
            yield self
        finally:
            self._drop(self._template)

    @contextmanager
    def shop(self) -> Iterator[Shop]:
        """A shop of its own."""
        name = f"lockgate_shop_{secrets.token_hex(6)}"
        with self._admin() as admin:
            make = "CREATE DATABASE {} TEMPLATE {}"
            admin.execute(sql.SQL(make).format(sql.Identifier(name), sql.Identifier(self._template)))
        folder = self._folder / name
        shutil.copytree(FIXTURE, folder)
        shop = Shop(_in_database(self._server, name), folder)
        try:
            yield shop
        finally:
            shop.end_processes()
            self._drop(name)
            shutil.rmtree(folder)

    def _admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._server, autocommit=True)

    def _drop(self, name: str) -> None:
        with self._admin() as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@dataclass
class Shop:
    """One database and its plan.

    :param kills: for messages: where each process was killed.
    """

    dsn: str
    folder: Path
    kills: list[str] = field(default_factory=list)
    _started: list[Lockgate] = field(default_factory=list)

    # --- processes ------------------------------------------------------------------------------------------

    def start(self, command: str, *more: str, dsn: str | None = None, **how: Any) -> Lockgate:
        """Start a command of Lockgate on this shop; see :class:`Lockgate` for ``how``."""
        folder = self.folder / "processes" / str(len(self._started))
        process = Lockgate(folder, command, str(self.folder), "-d", dsn or self.dsn, *more, **how)
        self._started.append(process)
        return process

    def run(self, command: str, *more: str, **how: Any) -> Lockgate:
        """Run a command to its end, or to its death at a fault point."""
        process = self.start(command, *more, **how)
        process.wait()
        if process.killed:
            self.kills.append(f"{command} at {process.points[-1] if process.points else 'its start'}")
        return process

    def finish(self, command: str = "apply", *more: str) -> Lockgate:
        """Run a command that nobody kills, and that must succeed."""
        process = self.run(command, *more)
        assert process.code == 0, self.told(f"{command} ended with {process.code}:\n{process.said}")
        return process

    def end_processes(self) -> None:
        """Leave nothing running."""
        for process in self._started:
            process.kill()

    def told(self, what: str, found: object = None) -> str:
        """A message with the history that led to it."""
        shown = "" if found is None else f": {str(found)[:2000]}"
        return f"{what}{shown}\nafter {len(self.kills)} kills: {', '.join(self.kills)}"

    def none(self, found: Sized, what: str) -> None:
        """:raises AssertionError: showing what was found."""
        assert not found, self.told(what, found)

    # --- looking --------------------------------------------------------------------------------------------

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn, autocommit=True, prepare_threshold=None)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.connect() as conn:
            return conn.execute(query.encode(), values or None).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        """The one value of a query; None without a row."""
        found = self.rows(query, *values)
        return found[0][0] if found else None

    def chunks_done(self) -> dict[int, tuple[Any, ...]]:
        """Each chunk that is done, with when and by whom."""
        if self.one("SELECT to_regclass('lockgate.chunks')") is None:
            return {}
        query = "SELECT id, step_id, lo, hi, done_at, worker, attempts FROM lockgate.chunks WHERE state = 'done'"
        return {row[0]: row[1:] for row in self.rows(query)}

    # --- what must be true ----------------------------------------------------------------------------------

    def check_migrated(self, writer: Writer | None = None, *, times: int | None = 1) -> None:
        """Everything that must be true once a plain ``apply`` has finished, whatever was killed before.

        :param times: how often each step was done, with a rollback between; None for a step that may have been
            done or not before each.
        """
        if writer is not None:
            self.none(writer.errors, "the application had errors")
        self.check_followed()
        with self.connect() as conn:
            if writer is not None:
                self.none(writer.differences(read_tables(conn)), "acknowledged writes are not there")
            tally = conn.execute("SELECT what, times FROM new.tally WHERE times <> 1").fetchall()
            self.none(tally, "a statement was not done exactly once")
            self.none(conn.execute(CHUNKS.encode()).fetchall(), "chunks are not as they must be")
            self._check_objects(conn)
            self._check_ledger(conn, times)

    def check_followed(self) -> None:
        """The new model becomes what the old one says, without ever having been compared as a whole."""
        told: list[str] = []
        with applying(Sessions(self.dsn), PLAN, SystemClock(), told.append), self.connect() as conn:

            def wrong() -> list[Any]:
                return conn.execute(DIFFERENCES.encode()).fetchall()

            with contextlib.suppress(AssertionError):
                wait_until(lambda: not wrong() and not self._pending(conn), 120)
            self.none(wrong(), "the new model is not what the old one says")
            assert not self._pending(conn), self.told("something is never applied")
        self.none(told, "what was lost was found by comparing")
        said = [line for process in self._started for line in process.said.splitlines()]
        lost = [line for line in said if "no log tells" in line or "switched off" in line]
        self.none(lost, "what was lost was found by comparing")

    def _pending(self, conn: psycopg.Connection[Any]) -> bool:
        targets = conn.execute("SELECT id, state FROM lockgate.sync_targets").fetchall()
        assert {state for _, state in targets} <= {"live"}, self.told(f"targets are {targets}")
        tables = ["lockgate.backlog", "lockgate.poison", *(f"lockgate.recheck_{number}" for number, _ in targets)]
        return any(conn.execute(f"SELECT 1 FROM {table} LIMIT 1".encode()).fetchone() for table in tables)

    def _check_objects(self, conn: psycopg.Connection[Any]) -> None:
        wrong = conn.execute(OBJECTS.encode()).fetchall()
        self.none(wrong, "objects are left over, or missing")

    def _check_ledger(self, conn: psycopg.Connection[Any], times: int | None) -> None:
        self.none(chain.verify(conn), "the chain is broken")
        states = {row[0] for row in conn.execute("SELECT state FROM lockgate.phases")}
        states |= {row[0] for row in conn.execute("SELECT state FROM lockgate.steps WHERE step !~ '^undo:'")}
        assert states == {"done"}, self.told("not everything is done")
        assert conn.execute("SELECT holder FROM lockgate.lease").fetchone() == (None,), self.told("the lease is held")
        (open_runs,) = conn.execute("SELECT count(*) FROM lockgate.runs WHERE ended_at IS NULL").fetchone() or (0,)
        assert open_runs <= len(self.kills), self.told(f"{open_runs} runs have no end")
        if times is not None:
            steps = conn.execute(
                "SELECT phase, step, count(*) FROM lockgate.chain WHERE kind = 'step' AND payload ->> 'state' = 'done' "
                "AND step !~ '^undo:' GROUP BY 1, 2 HAVING count(*) <> %s",
                (times,),
            ).fetchall()
            self.none(steps, "steps were not done as often as they must be")


def _in_database(server: str, name: str) -> str:
    if server.startswith(("postgres://", "postgresql://")):
        return urlsplit(server)._replace(path=f"/{name}").geturl()
    return make_conninfo(server, dbname=name)
