"""Prisma Migrate: ``prisma migrate deploy``.

Source of the format: prisma-engines, ``schema-engine``; checked against that engine's WebAssembly build.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.history import place
from lockgate.history.base import Home, Late, Migration, Ran, Row, Script
from lockgate.history.files import Reader

if TYPE_CHECKING:
    from psycopg import Connection

_COLUMNS = ("id", "checksum", "finished_at", "migration_name", "logs", "rolled_back_at", "started_at")
_LOCK = 72707369
_PROVIDER = re.compile(r"""^\s*provider\s*=\s*["'](\w+)["']""", re.M)
_DOWNS = ("rollback.sql", "down.sql")

_CREATE = """
CREATE TABLE IF NOT EXISTS {} (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)"""
_ROWS = """
SELECT DISTINCT ON (migration_name) migration_name, checksum, finished_at, logs
FROM {} WHERE rolled_back_at IS NULL
ORDER BY migration_name, finished_at NULLS FIRST, started_at DESC"""
_BEGIN = """
INSERT INTO {table} (id, checksum, migration_name)
SELECT %(id)s::text, %(checksum)s::text, %(name)s::text
WHERE NOT EXISTS (
    SELECT FROM {table} WHERE migration_name = %(name)s::text AND finished_at IS NULL AND rolled_back_at IS NULL)"""
_FINISH = """
UPDATE {} SET checksum = %(checksum)s, finished_at = pg_catalog.clock_timestamp(), logs = NULL,
    applied_steps_count = applied_steps_count + 1
WHERE migration_name = %(name)s AND finished_at IS NULL AND rolled_back_at IS NULL"""
_RECORD = """
INSERT INTO {} (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
VALUES (%(id)s, %(checksum)s, %(name)s, %(began)s, pg_catalog.clock_timestamp(), 1)"""
_CORRECT = """
UPDATE {} SET checksum = %(checksum)s
WHERE migration_name = %(name)s AND finished_at IS NOT NULL AND rolled_back_at IS NULL"""
_REVERT = """
UPDATE {} SET rolled_back_at = pg_catalog.clock_timestamp() WHERE migration_name = %s AND rolled_back_at IS NULL"""


@dataclass(frozen=True, slots=True)
class Prisma:
    """A folder of ``<timestamp>_<name>/migration.sql``.

    Prisma has no down scripts; ``rollback.sql`` or ``down.sql`` beside a migration is what takes it back.

    :param table: of the history; None: ``_prisma_migrations``, where the search_path finds it.
    """

    folder: Path
    table: tuple[str, str] | None = None
    name: str = "prisma"
    late: Late = "applied"

    def migrations(self) -> Sequence[Migration]:
        """By the names of their folders, as the engine compares them."""
        reader = Reader(self.folder)
        _refuse_other_provider(reader)
        found = [_migration(reader, folder) for folder in sorted(reader.folders(), key=lambda each: _order(each.name))]
        reader.finish()
        return found

    def home(self, conn: Connection[Any]) -> Home:
        """``_prisma_migrations``, in the schema of the connection."""
        if self.table is not None:
            return place.find(conn, self.table[1], self.table[0])
        return place.find(conn, "_prisma_migrations")

    def create(self, conn: Connection[Any], home: Home) -> None:
        """As Prisma makes it."""
        conn.execute(home.query(_CREATE))

    def rows(self, conn: Connection[Any], home: Home, known: Sequence[Migration]) -> Sequence[Row]:
        """The latest of each name that was not rolled back; one that did not finish is half done."""
        place.require_columns(conn, home, self.name, _COLUMNS)
        return [
            Row(name, name, checksum, finished, "half" if finished is None else "applied", _first_line(logs))
            for name, checksum, finished, logs in conn.execute(home.query(_ROWS))
        ]

    def begin(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """A row that is not finished: Prisma stops with P3009."""
        conn.execute(home.query(_BEGIN), _values(migration))

    def applied(self, conn: Connection[Any], home: Home, migration: Migration, ran: Ran) -> None:
        """The row, finished."""
        values = {**_values(migration), "began": ran.began}
        if conn.execute(home.query(_FINISH), values).rowcount == 0:
            conn.execute(home.query(_RECORD), values)

    def reverted(self, conn: Connection[Any], home: Home, migration: Migration, before: Migration | None) -> None:
        """The row stays, as rolled back: Prisma calls the migration pending again."""
        conn.execute(home.query(_REVERT), (migration.version,))

    def correct(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """The checksum alone."""
        conn.execute(home.query(_CORRECT), _values(migration))

    def locks(self, conn: Connection[Any], home: Home) -> Sequence[int]:
        """The one key of Prisma's."""
        return (_LOCK,)


def fits(folder: Path) -> bool:
    """Whether a folder has Prisma's lock file, or folders with ``migration.sql`` in them."""
    return (folder / "migration_lock.toml").is_file() or any(folder.glob("*/migration.sql"))


def _migration(reader: Reader, folder: Path) -> Migration:
    file = folder / "migration.sql"
    if not file.is_file():
        reader.wrong(folder, "has no migration.sql in it; Prisma would stop at it with P3015")
        return Migration(folder.name, folder.name, folder, None)
    content, source = reader.read(file)
    down = next((folder / name for name in _DOWNS if (folder / name).is_file()), None)
    back = None if down is None else reader.read(down)[1]
    other_ends = (content.replace(b"\r\n", b"\n"), content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    return Migration(
        version=folder.name,
        name=folder.name,
        path=file,
        up=Script(source, source.text, transaction=False),
        down=None if back is None else Script(back, back.text, transaction=False),
        reversible=back is not None,
        checksum=sha256(content).hexdigest(),
        accepts=frozenset(sha256(text).hexdigest() for text in other_ends),
    )


def _refuse_other_provider(reader: Reader) -> None:
    file = reader.folder / "migration_lock.toml"
    if not file.is_file():
        return
    _, source = reader.read(file)
    found = _PROVIDER.search(source.text)
    if found is not None and found[1] not in {"postgresql", "postgres"}:
        what = f"these migrations are for {found[1]}, not for postgresql"
        reader.problems.append(source.problem(found.start(1), what))


def _values(migration: Migration) -> dict[str, object]:
    return {"id": str(uuid.uuid4()), "checksum": migration.checksum, "name": migration.version}


def _first_line(logs: str | None) -> str | None:
    return logs.strip().split("\n", maxsplit=1)[0] if logs and logs.strip() else None


def _order(name: str) -> tuple[list[tuple[int, str]], str]:
    """As JavaScript's ``localeCompare``: marks before digits before letters, and case last, the small letter first."""
    first = [(0 if not each.isalnum() else 1 if each.isdigit() else 2, _mark(each)) for each in name.casefold()]
    return first, name.swapcase()


def _mark(character: str) -> str:
    """``_`` comes before ``-``, unlike in their codes."""
    return {"_": "\0", "-": "\1"}.get(character, character)
