"""A plain folder of numbered SQL files that no tool has run so far: Lockgate keeps a history of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.history import looks, place, supabase
from lockgate.history.base import Home, Late, Migration, Ran, Row, Script
from lockgate.history.files import Pairs, Reader

if TYPE_CHECKING:
    from psycopg import Connection

_FILE = re.compile(r"([0-9]+)[_.-](.+?)(\.up|\.down|\.rollback|_down|_rollback)?\.sql")
_FORTH = {None, ".up"}
_COLUMNS = ("version", "name", "checksum", "applied_at", "milliseconds", "done")
_CREATE = """
CREATE TABLE {} (
    version text PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    milliseconds bigint NOT NULL,
    done boolean NOT NULL
)"""
_RECORD = """
INSERT INTO {} (version, name, checksum, milliseconds, done)
VALUES (%(version)s, %(name)s, %(checksum)s, %(milliseconds)s, %(done)s)
ON CONFLICT (version) DO UPDATE SET name = EXCLUDED.name, checksum = EXCLUDED.checksum,
    applied_at = EXCLUDED.applied_at, milliseconds = EXCLUDED.milliseconds, done = EXCLUDED.done"""


@dataclass(frozen=True, slots=True)
class Timestamped:
    """A folder of ``<number>_<name>.sql``; beside one, ``.down.sql`` or ``.rollback.sql`` takes it back.

    :param table: of the history; None: ``lockgate_migrations``, where the search_path finds it.
    """

    folder: Path
    table: tuple[str, str] | None = None
    name: str = "timestamped"
    late: Late = "applied"

    def migrations(self) -> Sequence[Migration]:
        """By number; ``1`` and ``001`` are the same."""
        reader = Reader(self.folder)
        pairs = Pairs[str](reader, "number")
        for file in reader.files():
            named = _FILE.fullmatch(file.name)
            if named is None:
                if file.suffix == ".sql":
                    reader.wrong(file, "begins with no number, so that its place in the order is not known")
                continue
            if named[3] in _FORTH:
                pairs.up(int(named[1]), file, named[1])
            else:
                pairs.down(int(named[1]), file)
        found = [_migration(reader, file, number, down) for _, file, number, down in pairs.all()]
        reader.finish()
        return found

    def home(self, conn: Connection[Any]) -> Home:
        """``lockgate_migrations``, by the search_path."""
        if self.table is not None:
            return place.find(conn, self.table[1], self.table[0])
        return place.find(conn, "lockgate_migrations")

    def create(self, conn: Connection[Any], home: Home) -> None:
        """A table in the application's schema, so that a dump of it takes it along."""
        conn.execute(home.query(_CREATE))

    def rows(self, conn: Connection[Any], home: Home, known: Sequence[Migration]) -> Sequence[Row]:
        """A row for each; one that is not done was begun in parts, and not ended."""
        place.require_columns(conn, home, "Lockgate", _COLUMNS)
        query = home.query("SELECT version, name, checksum, applied_at, done FROM {}")
        return [
            Row(version, name, checksum, at, "applied" if done else "half")
            for version, name, checksum, at, done in conn.execute(query)
        ]

    def begin(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """A row that is not done."""
        self._record(conn, home, migration, 0, done=False)

    def applied(self, conn: Connection[Any], home: Home, migration: Migration, ran: Ran) -> None:
        """The row."""
        self._record(conn, home, migration, round(ran.took.total_seconds() * 1000), done=True)

    def reverted(self, conn: Connection[Any], home: Home, migration: Migration, before: Migration | None) -> None:
        """Its row goes."""
        conn.execute(home.query("DELETE FROM {} WHERE version = %s"), (migration.version,))

    def correct(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """The checksum alone."""
        query = home.query("UPDATE {} SET checksum = %s WHERE version = %s")
        conn.execute(query, (migration.checksum, migration.version))

    def locks(self, conn: Connection[Any], home: Home) -> Sequence[int]:
        """None: nobody but Lockgate writes it, under its own lease."""
        return ()

    def _record(
        self, conn: Connection[Any], home: Home, migration: Migration, milliseconds: int, *, done: bool
    ) -> None:
        values = {
            "version": migration.version,
            "name": migration.name,
            "checksum": migration.checksum,
            "milliseconds": milliseconds,
            "done": done,
        }
        conn.execute(home.query(_RECORD), values)


def _migration(reader: Reader, file: Path, number: str, down: Path | None) -> Migration:
    _, source = reader.read(file)
    back = reader.read(down)[1] if down is not None else None
    return Migration(
        version=number,
        name=file.name.removesuffix(".sql").removesuffix(".up"),
        path=file,
        up=Script(source, source.text),
        down=Script(back, back.text) if back is not None else None,
        reversible=back is not None,
        checksum=sha256(source.text.replace("\r\n", "\n").encode()).hexdigest(),
    )


def may(folder: Path) -> bool:
    """Whether all the .sql files of a folder are numbered, and none bears another tool's mark."""
    every = looks.names(folder, r".*\.sql")
    numbered = looks.names(folder, _FILE.pattern)
    return bool(every) and every == numbered and not looks.marked(folder, r"--\s*(?:\+goose|migrate:)")


def fits(folder: Path) -> bool:
    """Whether nothing but the files themselves is there: no tool's names, marks, or project around it."""
    if not may(folder) or looks.names(folder, r".*\.up\.sql"):
        return False
    return not supabase.fits(folder) and not looks.below(folder, "Cargo.toml", "flyway.toml", "flyway.conf")
