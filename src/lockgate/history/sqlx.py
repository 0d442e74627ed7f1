"""sqlx: ``sqlx migrate`` and ``sqlx::migrate!``.

Source of the format: the crate's ``sqlx-core/src/migrate`` and ``sqlx-postgres/src/migrate.rs``.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha384
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.history import looks, place
from lockgate.history.base import Home, Late, Migration, Ran, Row, Script
from lockgate.history.files import Pairs, Reader, other_ends
from lockgate.textfile import Source

if TYPE_CHECKING:
    from psycopg import Connection

_VERSION = re.compile(r"[+-]?[0-9]+")
_NO_TRANSACTION = "-- no-transaction"
_COLUMNS = ("version", "description", "installed_on", "success", "checksum", "execution_time")
_LOCK = 0x3D32AD9E

_CREATE = """
CREATE TABLE IF NOT EXISTS {} (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
)"""
_RECORD = """
INSERT INTO {} (version, description, success, checksum, execution_time)
VALUES (%(version)s, %(description)s, %(success)s, %(checksum)s, %(time)s)
ON CONFLICT (version) DO UPDATE SET success = EXCLUDED.success, execution_time = EXCLUDED.execution_time,
    checksum = EXCLUDED.checksum, description = EXCLUDED.description"""


@dataclass(frozen=True, slots=True)
class Sqlx:
    """A folder of ``<version>_<description>.sql``, or ``.up.sql`` and ``.down.sql``.

    :param table: of the history; None: ``_sqlx_migrations``, where the search_path finds it.
    """

    folder: Path
    table: tuple[str, str] | None = None
    name: str = "sqlx"
    late: Late = "applied"

    def migrations(self) -> Sequence[Migration]:
        """By version; a file whose name the tool ignores is left out."""
        reader = Reader(self.folder)
        pairs = Pairs[str](reader)
        for file in reader.files():
            head, underscore, rest = file.name.partition("_")
            if not underscore or not rest.endswith(".sql"):
                continue
            if not _VERSION.fullmatch(head):
                reader.wrong(file, f"`{head}` is no number, which sqlx wants before the first underscore")
                continue
            if rest.endswith(".down.sql"):
                pairs.down(int(head), file)
            else:
                pairs.up(int(head), file, rest)
        found = [_migration(reader, *pair) for pair in pairs.all()]
        reader.finish()
        return found

    def home(self, conn: Connection[Any]) -> Home:
        """``_sqlx_migrations``, by the search_path."""
        if self.table is not None:
            return place.find(conn, self.table[1], self.table[0])
        return place.find(conn, "_sqlx_migrations")

    def create(self, conn: Connection[Any], home: Home) -> None:
        """As sqlx makes it."""
        conn.execute(home.query(_CREATE))

    def rows(self, conn: Connection[Any], home: Home, known: Sequence[Migration]) -> Sequence[Row]:
        """A row without success is one that a run which was not transactional did not finish."""
        place.require_columns(conn, home, self.name, _COLUMNS)
        query = home.query("SELECT version, description, installed_on, success, checksum FROM {}")
        return [
            Row(str(version), description, bytes(checksum).hex(), at, "applied" if success else "half")
            for version, description, at, success, checksum in conn.execute(query)
        ]

    def begin(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """A row without success: sqlx says "partially applied; fix and remove row" and stops."""
        self._record(conn, home, migration, success=False, nanoseconds=-1)

    def applied(self, conn: Connection[Any], home: Home, migration: Migration, ran: Ran) -> None:
        """The row, with the time in nanoseconds."""
        nanoseconds = round(ran.took.total_seconds() * 1_000_000_000)
        self._record(conn, home, migration, success=True, nanoseconds=nanoseconds)

    def reverted(self, conn: Connection[Any], home: Home, migration: Migration, before: Migration | None) -> None:
        """Its row goes."""
        conn.execute(home.query("DELETE FROM {} WHERE version = %s"), (int(migration.version),))

    def correct(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """The checksum alone."""
        assert migration.checksum is not None
        values = (bytes.fromhex(migration.checksum), int(migration.version))
        conn.execute(home.query("UPDATE {} SET checksum = %s WHERE version = %s"), values)

    def locks(self, conn: Connection[Any], home: Home) -> Sequence[int]:
        """Of the database. The library takes it; the command line of some versions does not."""
        row = conn.execute("SELECT pg_catalog.current_database()").fetchone()
        assert row is not None
        return [_LOCK * zlib.crc32(str(row[0]).encode())]

    def _record(
        self, conn: Connection[Any], home: Home, migration: Migration, *, success: bool, nanoseconds: int
    ) -> None:
        assert migration.checksum is not None
        values = {
            "version": int(migration.version),
            "description": migration.facts["description"],
            "success": success,
            "checksum": bytes.fromhex(migration.checksum),
            "time": nanoseconds,
        }
        conn.execute(home.query(_RECORD), values)


def _migration(reader: Reader, version: int, file: Path, rest: str, down: Path | None) -> Migration:
    suffix = ".up.sql" if rest.endswith(".up.sql") else ".sql"
    description = rest
    while description.endswith(suffix):
        description = description.removesuffix(suffix)
    content, source = reader.read(file)
    back = _down(reader, down)
    return Migration(
        version=str(version),
        name=file.name.removesuffix(suffix),
        path=file,
        up=_script(source, content),
        down=back,
        reversible=back is not None,
        checksum=sha384(content).hexdigest(),
        other_ends=frozenset(sha384(each).hexdigest() for each in other_ends(content)),
        facts={"description": description.replace("_", " ")},
    )


def _down(reader: Reader, file: Path | None) -> Script | None:
    if file is None:
        return None
    content, source = reader.read(file)
    return _script(source, content)


def _script(source: Source, content: bytes) -> Script:
    """A file that wants no transaction is run statement by statement, each of which holds no other's locks."""
    apart = content.startswith(_NO_TRANSACTION.encode())
    return Script(source, source.text, transaction=not apart, apart=apart)


def may(folder: Path) -> bool:
    """Whether a folder's names may be sqlx's: numbered .sql files without another tool's marks."""
    return bool(looks.names(folder, r"[0-9]+_.+\.sql")) and not looks.marked(folder, r"--\s*(?:\+goose|migrate:)")


def fits(folder: Path) -> bool:
    """Whether a folder is most likely sqlx's: such names in a Rust project."""
    return may(folder) and looks.below(folder, "Cargo.toml") and folder.resolve().parent.name != "supabase"
