"""Running migrations that are programs, by their tool, under our lease and with our ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection, errors

from lockgate.engine import sqlerrors
from lockgate.engine.faults import fault
from lockgate.engine.retry import passing
from lockgate.errors import Interrupted
from lockgate.history.base import Migration, Program
from lockgate.history.files import MigrationFailed
from lockgate.ledger import migrations
from lockgate.ledger.migrations import Direction
from lockgate.migrating.running import Files, tell
from lockgate.script.running import strong_lock

# Something is there already, or what it needs is not.
_ELSEWHERE = (
    errors.DuplicateTable,
    errors.DuplicateColumn,
    errors.DuplicateObject,
    errors.DuplicateFunction,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedObject,
)


def perform(files: Files, wanted: Sequence[Migration], direction: Direction) -> None:
    """Run them in this order; each is done, with its line in the ledger, or not at all.

    A lock that is not had is tried again, as everywhere. What a migration commits on the way (Alembic's
    ``autocommit_block``) is its author's affair: it is run anew from its beginning.

    :raises LockgateError: with file and line of what failed.
    :raises Interrupted: if the run was told to stop; what was done stays.
    """
    if wanted:
        strong_lock(files.ctx, str(wanted[0].path), ()).do(_Performing(files, wanted, direction).attempt)


class _Performing:
    def __init__(self, files: Files, wanted: Sequence[Migration], direction: Direction) -> None:
        self._files = files
        self._left = list(wanted)
        self._direction: Direction = direction
        self._began: datetime | None = None

    def attempt(self, conn: Connection[Any]) -> None:
        """Run what is left, on a connection that the tool closes."""
        files = self._files
        assert isinstance(files.tool, Program)
        with files.ctx.sessions.open("migrate") as looking:
            there = {row.version for row in files.tool.rows(looking, files.home, files.tool.migrations())}
            self._left = [each for each in self._left if (each.version in there) != (self._direction == "up")]
            self._began = files.ctx.clock.of(looking)
        try:
            files.tool.perform(
                conn,
                files.home,
                list(self._left),
                up=self._direction == "up",
                note=lambda migration: self._note(conn, migration),
                stop=files.ctx.stop.is_set,
            )
        except MigrationFailed as error:
            if error.cause is None:
                raise
            if passing(error.cause):
                raise error.cause from error
            explained = sqlerrors.explain(error.cause, error.where or "", "A migration failed")
            if isinstance(error.cause, _ELSEWHERE):
                explained.hint = (
                    "The database may not be where its history says: `lockgate history adopt "
                    f"{files.tool.folder}` compares it with each migration, and changes nothing."
                )
            raise explained from error
        if files.ctx.stop.is_set() and self._left:
            raise Interrupted(f"Stopped before {self._left[0].name}", where=str(self._left[0].path))

    def _note(self, conn: Connection[Any], migration: Migration) -> None:
        files = self._files
        assert self._began is not None
        with files.ctx.fenced(conn):
            migrations.begin(
                conn,
                files.key(migration),
                files.by,
                tool=files.tool.name,
                name=migration.name,
                direction=self._direction,
                script=None,
            )
            migrations.end(conn, files.key(migration))
            now = files.ctx.clock.of(conn)
            tell(files, conn, migration, self._direction, None, now - self._began)
        self._began = now
        self._left.remove(migration)
        files.ctx.progress.event(f"{migration.name}: {'applied' if self._direction == 'up' else 'taken back'}")
        fault("migrate.commit")
