"""Supabase's command line: versions with the statements that ran, in ``supabase_migrations.schema_migrations``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.history import looks, place
from lockgate.history.base import Home, Late, Migration, Ran, Row, Script
from lockgate.history.files import Reader

if TYPE_CHECKING:
    from psycopg import Connection

_FILE = re.compile(r"([0-9]+)_(.*)\.sql")
_COLUMNS = ("version", "statements", "name")
_SKIPPED_BEFORE = 20211209000000  # an <earlier number>_init.sql that leads the folder is the tool's own, and not run
_CREATE = (
    "CREATE SCHEMA IF NOT EXISTS {schema}",
    "CREATE TABLE {table} (version text NOT NULL PRIMARY KEY)",
    "ALTER TABLE {table} ADD COLUMN statements text[]",
    "ALTER TABLE {table} ADD COLUMN name text",
)
# What can hold a semicolon that ends no statement, by Supabase's rules: they are not quite PostgreSQL's.
_QUOTED = re.compile(r"'(?:[^']|'')*(?:'|\Z)|\"[^\"]*(?:\"|\Z)|--[^\n]*|\\.|\$(\w*)\$.*?(?:\$\1\$|\Z)", re.DOTALL)
_ATOMIC = re.compile(r"\bBEGIN\s+ATOMIC\b.*?(?:\bEND\b|\Z)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Supabase:
    """A folder ``supabase/migrations`` of ``<version>_<name>.sql``.

    :param table: of the history; None: ``supabase_migrations.schema_migrations``.
    """

    folder: Path
    table: tuple[str, str] | None = None
    name: str = "supabase"
    late: Late = "refused"

    def migrations(self) -> Sequence[Migration]:
        """By the names of the files."""
        reader = Reader(self.folder)
        found: dict[str, Migration] = {}
        first = True
        for file in reader.files():
            named = _FILE.fullmatch(file.name)
            skipped = first and named is not None and named[2] == "init" and int(named[1]) < _SKIPPED_BEFORE
            first = False
            if named is None or skipped:
                continue
            version = named[1]
            if version in found:
                reader.twice(file, found[version].path, version)
                continue
            _, source = reader.read(file)
            script = Script(source, source.text)
            name = file.name.removesuffix(".sql")
            found[version] = Migration(version, name, file, script, facts={"name": named[2]})
        reader.finish()
        return list(found.values())

    def home(self, conn: Connection[Any]) -> Home:
        """``supabase_migrations.schema_migrations``, whatever the search_path says."""
        schema, table = self.table or ("supabase_migrations", "schema_migrations")
        return place.find(conn, table, schema)

    def create(self, conn: Connection[Any], home: Home) -> None:
        """Schema and table, with the columns in the order in which Supabase adds them."""
        from psycopg import sql

        for statement in _CREATE:
            conn.execute(home.query(statement, schema=sql.Identifier(home.schema)))

    def rows(self, conn: Connection[Any], home: Home, known: Sequence[Migration]) -> Sequence[Row]:
        """A row for each that is applied. Its statements are a record: Supabase compares them with nothing."""
        place.require_columns(conn, home, self.name, _COLUMNS)
        query = home.query("SELECT version, name FROM {}")
        return [Row(version, f"{version}_{name}" if name else "") for version, name in conn.execute(query)]

    def begin(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """Supabase has no word for it."""

    def applied(self, conn: Connection[Any], home: Home, migration: Migration, ran: Ran) -> None:
        """The row, with the statements."""
        assert migration.up is not None
        values = (migration.version, migration.facts["name"], list(statements(migration.up.text)))
        query = home.query("INSERT INTO {} (version, name, statements) VALUES (%s, %s, %s)")
        conn.execute(query, values)

    def reverted(self, conn: Connection[Any], home: Home, migration: Migration, before: Migration | None) -> None:
        """Its row goes, as ``migration repair --status reverted`` removes it."""
        conn.execute(home.query("DELETE FROM {} WHERE version = %s"), (migration.version,))

    def locks(self, conn: Connection[Any], home: Home) -> Sequence[int]:
        """Supabase takes none."""
        return ()


def statements(text: str) -> Iterator[str]:
    """A file in statements as Supabase keeps them: with their comments, without semicolon and space at the end."""
    start, at, depth = 0, 0, 0
    while at < len(text):
        skipped = _skipped(text, at)
        if skipped > at:
            at = skipped
            continue
        depth += (text[at] == "(") - (text[at] == ")" and depth > 0)
        at += 1
        if text[at - 1] == ";" and not depth:
            yield from _trimmed(text[start:at])
            start = at
    yield from _trimmed(text[start:])


def _trimmed(text: str) -> Iterator[str]:
    trimmed = text.rstrip(";").strip()
    if trimmed:
        yield trimmed


def _skipped(text: str, at: int) -> int:
    """Where what begins at a character ends, if it is something in which a semicolon ends no statement."""
    if text.startswith("/*", at):
        return _comment_end(text, at)
    for pattern in (_QUOTED, _ATOMIC):
        found = pattern.match(text, at)
        if found is not None:
            return found.end()
    return at


def _comment_end(text: str, at: int) -> int:
    depth = 0
    for mark in re.finditer(r"/\*|\*/", text[at:]):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return at + mark.end()
    return len(text)


def fits(folder: Path) -> bool:
    """Whether a folder is Supabase's: numbered files in ``migrations`` beside its ``config.toml``."""
    real = folder.resolve()
    beside = (real.parent / "config.toml").is_file() or real.parent.name == "supabase"
    return beside and bool(looks.names(folder, _FILE.pattern))
