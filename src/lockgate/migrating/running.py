"""Running one migration, up or down: all of it with its history in one transaction, or piece by piece.

A file whose statements may all be in one transaction is applied together with its line in the tool's history and in
the ledger: a kill leaves all or nothing. Of another one, each piece commits with its digest in the ledger; the tool's
history says meanwhile that it is half done, where the tool has a word for that, and the next run goes on behind the
last piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from lockgate.engine import recording
from lockgate.engine.context import Working
from lockgate.engine.faults import fault
from lockgate.engine.leftover import Backend
from lockgate.engine.strong import Seat
from lockgate.errors import Interrupted, PlanChanged, UsageError
from lockgate.history.base import Home, Migration, Ran, Script, Tool
from lockgate.ledger import chain, migrations
from lockgate.ledger.migrations import By, Direction, Key, MigrationRow
from lockgate.mapping.renaming import refuse_rename
from lockgate.migrating.pieces import Piece, pieces
from lockgate.script.alone import Standalone
from lockgate.script.running import execute, strong_lock
from lockgate.script.statements import changes_session, strong


@dataclass(frozen=True, slots=True)
class Files:
    """A tool's folder and its history in this database, for one run.

    :param run_id: of the ledger's run; None at the command line.
    """

    ctx: Working
    tool: Tool
    home: Home
    by: By
    run_id: int | None
    seat: Seat

    def key(self, migration: Migration) -> Key:
        """The migration's key in the ledger."""
        return Key(str(self.home), migration.version)


def apply(files: Files, migration: Migration) -> None:
    """Apply one migration, or what a kill left of it.

    :raises PlanChanged: if what is done of it was changed.
    :raises LockgateError: with the place of the statement that failed.
    """
    if migration.up is None:
        raise UsageError(f"{migration.name} has nothing that applies it", where=str(migration.path))
    _Running(files, migration, "up", migration.up, None).run()


def revert(files: Files, migration: Migration, before: Migration | None) -> None:
    """Take one migration back, or what a kill left of that.

    :param before: the newest migration that stays applied.
    :raises UsageError: if it has nothing that takes it back.
    """
    if migration.down is None:
        raise UsageError(
            f"{migration.name} has nothing that takes it back",
            where=str(migration.path),
            hint="Write its down script, or an `undo` into the phase.",
        )
    _Running(files, migration, "down", migration.down, before).run()


def forget(files: Files, migration: Migration, before: Migration | None) -> None:
    """Take a migration out of the history, whose effect something else takes back."""
    with files.ctx.sessions.open("migrate") as conn, files.ctx.fenced(conn):
        files.tool.reverted(conn, files.home, migration, before)
        migrations.begin(
            conn,
            files.key(migration),
            files.by,
            tool=files.tool.name,
            name=migration.name,
            direction="down",
            script=None,
        )
        migrations.end(conn, files.key(migration))
        tell(files, conn, migration, "down", 0, timedelta(0))


class _Running:
    def __init__(
        self, files: Files, migration: Migration, direction: Direction, script: Script, before: Migration | None
    ) -> None:
        self._files = files
        self._ctx = files.ctx
        self._migration = migration
        self._direction: Direction = direction
        self._script = script
        self._before = before
        self._key = files.key(migration)
        self._pieces = pieces(script)

    def run(self) -> None:
        self._refuse_renames()
        if len(self._pieces) == 1 and not self._pieces[0].alone:
            self._at_once(self._pieces[0])
        else:
            self._piecewise()
        if any(changes_session(item.statement) for piece in self._pieces for item in piece.items):
            self._files.seat.close()  # the next file begins as if it were the first

    def _refuse_renames(self) -> None:
        renames = [item for piece in self._pieces for item in piece.items if item.statement.kind == "RenameStmt"]
        if renames:
            with self._ctx.sessions.open("migrate", plan_sql=True) as conn:
                for item in renames:
                    refuse_rename(conn, item.statement.text, item.where)

    def _at_once(self, piece: Piece) -> None:
        def work(conn: Connection[Any]) -> None:
            with self._ctx.fenced(conn):
                row = migrations.find(conn, self._key)
                if row is not None and self._is_mine(row) and row.state == "done" and self._in_history(conn):
                    return  # its COMMIT had succeeded although the connection was lost
                began = self._begin(conn)
                self._execute(conn, piece)
                self._finish(conn, began)
                fault("migrate.commit")

        self._locked(piece, work)

    def _piecewise(self) -> None:
        done, began = self._resume()
        count = len(self._pieces)
        for number in range(done, count):
            piece = self._pieces[number]
            if self._ctx.stop.is_set():
                raise Interrupted(f"Stopped before part {number + 1} of {count}", where=self._where(piece))
            if piece.alone:
                Standalone(self._ctx, piece.items[0], _Marks(self._key, piece)).run()
            else:
                self._transact(piece, number)
            fault("migrate.piece")
        with self._ctx.sessions.open("migrate") as conn, self._ctx.fenced(conn):
            self._finish(conn, began)
            fault("migrate.commit")

    def _transact(self, piece: Piece, number: int) -> None:
        def work(conn: Connection[Any]) -> None:
            with self._ctx.fenced(conn):
                row = migrations.find(conn, self._key)
                assert row is not None, "it was begun"
                if len(row.digests) > number:
                    return  # its COMMIT had succeeded although the connection was lost
                self._execute(conn, piece)
                migrations.advance(conn, self._key, piece.digest)
                fault("migrate.advance")

        self._locked(piece, work)

    def _resume(self) -> tuple[int, datetime]:
        """How many pieces are done, and when the first one began."""
        with self._ctx.sessions.open("migrate") as conn, self._ctx.fenced(conn):
            row = migrations.find(conn, self._key)
            if row is not None and self._is_mine(row) and row.state == "running":
                self._refuse_changed(row)
                return len(row.digests), row.started_at
            began = self._begin(conn)
            if self._direction == "up":
                self._files.tool.begin(conn, self._files.home, self._migration)
        fault("migrate.begun")
        return 0, began

    def _begin(self, conn: Connection[Any]) -> datetime:
        migrations.begin(
            conn,
            self._key,
            self._files.by,
            tool=self._files.tool.name,
            name=self._migration.name,
            direction=self._direction,
            script=self._script.text,
        )
        return self._ctx.clock.of(conn)

    def _finish(self, conn: Connection[Any], began: datetime) -> None:
        took = self._ctx.clock.of(conn) - began
        if self._direction == "up":
            self._files.tool.applied(conn, self._files.home, self._migration, Ran(began, took))
        else:
            self._files.tool.reverted(conn, self._files.home, self._migration, self._before)
        migrations.end(conn, self._key)
        statements = sum(len(piece.items) for piece in self._pieces)
        tell(self._files, conn, self._migration, self._direction, statements, took)

    def _execute(self, conn: Connection[Any], piece: Piece) -> None:
        for item in piece.items:
            execute(conn, item)
            fault("migrate.statement")
        recording.own_role(conn)

    def _locked(self, piece: Piece, work: Any) -> None:
        relations = [name for item in piece.items for name in strong(item.shape.locks)]
        strong_lock(self._ctx, self._where(piece), relations, self._files.seat).do(work)

    def _where(self, piece: Piece) -> str:
        return piece.items[0].where if piece.items else self._script.at()

    def _is_mine(self, row: MigrationRow) -> bool:
        return row.direction == self._direction

    def _in_history(self, conn: Connection[Any]) -> bool:
        known: Sequence[Migration] = self._files.tool.migrations()
        there = {row.version for row in self._files.tool.rows(conn, self._files.home, known)}
        return (self._migration.version in there) == (self._direction == "up")

    def _refuse_changed(self, row: MigrationRow) -> None:
        for number, digest in enumerate(row.digests):
            if number >= len(self._pieces) or self._pieces[number].digest != digest:
                where = self._where(self._pieces[min(number, len(self._pieces) - 1)])
                raise PlanChanged(
                    f"Part {number + 1} of {self._migration.name} was done and then changed",
                    where=where,
                    why="The run that did it was interrupted before the rest of the file.",
                    hint="Put it back, finish the file, and add what is new as a further migration.",
                )


@dataclass(frozen=True, slots=True)
class _Marks:
    """A statement that stands alone, in the migration's row."""

    key: Key
    piece: Piece

    def runner(self, conn: Connection[Any]) -> Backend | None:
        row = migrations.find(conn, self.key)
        if row is None or row.runner_pid is None or row.runner_since is None:
            return None
        return Backend(row.runner_pid, row.runner_since)

    def begun(self, conn: Connection[Any], runner: Backend | None) -> None:
        pid, since = (runner.pid, runner.since) if runner is not None else (None, None)
        migrations.runner(conn, self.key, pid, since)

    def done(self, conn: Connection[Any], how: str) -> None:
        migrations.advance(conn, self.key, self.piece.digest)


def tell(
    files: Files,
    conn: Connection[Any],
    migration: Migration,
    direction: Direction,
    statements: int | None,
    took: timedelta,
    *,
    adopted: bool = False,
) -> None:
    """Append to the chain that a migration ran, in the open transaction.

    :param statements: how many there were; None where only the tool's own program knows.
    :param adopted: whether it was only recorded: what it makes was there already.
    """
    chain.append(
        conn,
        kind="event",
        plan=files.by.plan,
        phase=files.by.phase,
        step=files.by.step,
        payload={
            "migration": migration.version,
            "name": migration.name,
            "tool": files.tool.name,
            "history": str(files.home),
            "direction": direction,
            "checksum": migration.checksum,
            "statements": statements,
            "seconds": round(took.total_seconds(), 6),
            **({"adopted": True} if adopted else {}),
        },
        run_id=files.run_id,
    )
