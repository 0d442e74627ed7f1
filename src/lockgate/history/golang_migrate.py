"""golang-migrate: one row that says the version at which the database is, and whether that is certain."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.history import looks, place
from lockgate.history.base import Home, Late, Migration, Ran, Row, Script
from lockgate.history.files import Reader
from lockgate.textfile import Source

if TYPE_CHECKING:
    from psycopg import Connection

_FILE = re.compile(r"([0-9]+)_(.*)\.(down|up)\.(.*)")
_CREATE = "CREATE TABLE IF NOT EXISTS {} (version bigint not null primary key, dirty boolean not null)"
_NONE = -1  # the version of a database whose first migration was being taken back
_SALT = 1486364155
_LARGEST = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class GolangMigrate:
    """A folder of ``<version>_<name>.up.sql`` and ``.down.sql``.

    :param table: of the history; None: ``schema_migrations`` in the current schema.
    """

    folder: Path
    table: tuple[str, str] | None = None
    name: str = "golang-migrate"
    late: Late = "never"

    def migrations(self) -> Sequence[Migration]:
        """By version; ``1`` and ``001`` are the same. A version may have one direction only."""
        reader = Reader(self.folder)
        files: dict[str, dict[int, Path]] = {"up": {}, "down": {}}
        for file in reader.files():
            named = _FILE.fullmatch(file.name)
            if named is None:
                continue
            version, direction = int(named[1]), named[3]
            if version > _LARGEST:
                reader.wrong(file, f"version {version} is larger than golang-migrate can count")
            elif version in files[direction]:
                other = files[direction][version].name
                reader.wrong(file, f"{other} is the {direction} file of version {version} already")
            else:
                files[direction][version] = file
        ups, downs = files["up"], files["down"]
        found = [_migration(reader, each, ups.get(each), downs.get(each)) for each in sorted(ups.keys() | downs.keys())]
        reader.finish()
        return found

    def home(self, conn: Connection[Any]) -> Home:
        """``schema_migrations`` of the current schema."""
        return place.in_current(conn, "schema_migrations", self.table)

    def create(self, conn: Connection[Any], home: Home) -> None:
        """As golang-migrate makes it."""
        conn.execute(home.query(_CREATE))

    def rows(self, conn: Connection[Any], home: Home, known: Sequence[Migration]) -> Sequence[Row]:
        """Every version up to the table's only row: golang-migrate keeps no more, and takes them as applied."""
        place.require_columns(conn, home, self.name, ("version", "dirty"))
        row = conn.execute(home.query("SELECT version, dirty FROM {} LIMIT 1")).fetchone()
        if row is None:
            return ()
        version, dirty = int(row[0]), bool(row[1])
        found = [Row(each.version) for each in known if int(each.version) < version]
        if dirty:
            found.append(Row(str(version), state="half", why=f"version {version} is dirty"))
        elif version != _NONE:
            found.append(Row(str(version)))
        return found

    def begin(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """Dirty: golang-migrate refuses everything until it is told which version is right."""
        self._set(conn, home, int(migration.version), dirty=True)

    def applied(self, conn: Connection[Any], home: Home, migration: Migration, ran: Ran) -> None:
        """The row says this version."""
        self._set(conn, home, int(migration.version), dirty=False)

    def reverted(self, conn: Connection[Any], home: Home, migration: Migration, before: Migration | None) -> None:
        """The row says the version before, or goes with the first one."""
        self._set(conn, home, None if before is None else int(before.version), dirty=False)

    def locks(self, conn: Connection[Any], home: Home) -> Sequence[int]:
        """Those of a program that was given the database's address, and of one that was given a connection.

        The first takes the address's path for the name of the database, with its slash.
        """
        row = conn.execute("SELECT pg_catalog.current_database()").fetchone()
        assert row is not None
        return [_key(f"/{row[0]}", home), _key(str(row[0]), home)]

    def _set(self, conn: Connection[Any], home: Home, version: int | None, *, dirty: bool) -> None:
        conn.execute(home.query("TRUNCATE {}"))
        if version is not None:
            query = home.query("INSERT INTO {} (version, dirty) VALUES (%s, %s)")
            conn.execute(query, (version, dirty))


def _key(database: str, home: Home) -> int:
    return zlib.crc32("\0".join((home.schema, home.table, database)).encode()) * _SALT % (1 << 32)


def _migration(reader: Reader, version: int, up: Path | None, down: Path | None) -> Migration:
    file = up or down
    assert file is not None
    name = re.sub(r"\.(down|up)\..*$", "", file.name)
    forth = _script(reader, up) if up is not None else Script(Source(str(file), ""), "")  # it only sets the version
    back = _script(reader, down) if down is not None else None
    return Migration(str(version), name, file, forth, back, reversible=back is not None)


def _script(reader: Reader, file: Path) -> Script:
    _, source = reader.read(file)
    return Script(source, source.text, transaction=False)


def may(folder: Path) -> bool:
    """Whether a folder's names may be golang-migrate's: pairs of .up.sql and .down.sql without another tool's marks."""
    named = looks.names(folder, r"[0-9]+_.*\.(?:up|down)\.sql")
    return bool(named) and not looks.marked(folder, r"--\s*(?:\+goose|migrate:)")


def fits(folder: Path) -> bool:
    """Whether a folder is most likely golang-migrate's: such names in a Go project."""
    return may(folder) and looks.below(folder, "go.mod")
