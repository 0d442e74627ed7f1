"""dbmate: both directions of a migration in one file, versions without checksums in ``schema_migrations``."""

from __future__ import annotations

import re
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

_FILE = re.compile(r"([0-9]+).*\.sql")
# Go's \s, which is narrower than Python's.
_SPACE = r"[\t\n\f\r ]"
_UP = re.compile(rf"^--{_SPACE}*migrate:up({_SPACE}*$|{_SPACE}+[^\t\n\f\r ]+)", re.M)
_DOWN = re.compile(rf"^--{_SPACE}*migrate:down({_SPACE}*$|{_SPACE}+[^\t\n\f\r ]+)$", re.M)
_NOTHING = re.compile(r"(?:[^\S\n]*(?:--[^\n]*)?(?:\n|\Z))*")
_CREATE = "CREATE TABLE IF NOT EXISTS {} (version varchar PRIMARY KEY)"


@dataclass(frozen=True, slots=True)
class Dbmate:
    """A folder of ``<version>_<name>.sql`` with ``-- migrate:up`` and ``-- migrate:down``.

    :param table: of the history; None: ``schema_migrations`` in the current schema.
    """

    folder: Path
    table: tuple[str, str] | None = None
    name: str = "dbmate"
    late: Late = "applied"

    def migrations(self) -> Sequence[Migration]:
        """By the names of the files, which is not always by number; a version is text: ``1`` and ``01`` are two."""
        reader = Reader(self.folder)
        found: dict[str, Migration] = {}
        for file in reader.files():
            named = _FILE.fullmatch(file.name)
            if named is None:
                continue
            version = named[1]
            if version in found:
                reader.twice(file, found[version].path, version)
                continue
            _, source = reader.read(file)
            up, down = _blocks(reader, source)
            found[version] = Migration(
                version, file.name.removesuffix(".sql"), file, up, down, reversible=down is not None
            )
        reader.finish()
        return list(found.values())

    def home(self, conn: Connection[Any]) -> Home:
        """``schema_migrations`` of the current schema."""
        return place.in_current(conn, "schema_migrations", self.table)

    def create(self, conn: Connection[Any], home: Home) -> None:
        """As dbmate makes it."""
        conn.execute(home.query(_CREATE))

    def rows(self, conn: Connection[Any], home: Home, known: Sequence[Migration]) -> Sequence[Row]:
        """A row for each that is applied; there is nothing else in it."""
        place.require_columns(conn, home, self.name, ("version",))
        return [Row(str(row[0])) for row in conn.execute(home.query("SELECT version FROM {}"))]

    def begin(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """dbmate has no word for it."""

    def applied(self, conn: Connection[Any], home: Home, migration: Migration, ran: Ran) -> None:
        """The version's row."""
        conn.execute(home.query("INSERT INTO {} (version) VALUES (%s)"), (migration.version,))

    def reverted(self, conn: Connection[Any], home: Home, migration: Migration, before: Migration | None) -> None:
        """Its row goes."""
        conn.execute(home.query("DELETE FROM {} WHERE version = %s"), (migration.version,))

    def locks(self, conn: Connection[Any], home: Home) -> Sequence[int]:
        """dbmate takes none."""
        return ()


def _blocks(reader: Reader, source: Source) -> tuple[Script | None, Script | None]:
    """Both directions, as dbmate cuts them; each begins with its mark."""
    text = source.text
    up, down = _UP.search(text), _DOWN.search(text)
    if up is None or down is None:
        missing = "up" if up is None else "down"
        reader.problems.append(source.problem(0, f"has no `-- migrate:{missing}` block, which dbmate wants"))
        return None, None
    if down.start() < up.start():
        reader.problems.append(source.problem(down.start(), "`-- migrate:up` must come before `-- migrate:down`"))
        return None, None
    before = _NOTHING.match(text)
    assert before is not None, "it matches the empty text too"
    if before.end() < up.start():
        reader.problems.append(source.problem(before.end(), "stands before `-- migrate:up`, where dbmate takes no SQL"))
        return None, None
    return _block(source, up.start(), down.start()), _block(source, down.start(), len(text))


def _block(source: Source, start: int, end: int) -> Script:
    text = source.text[start:end]
    options = text.partition("\n")[0].split()
    return Script(source, text, start, transaction="transaction:false" not in options)


def fits(folder: Path) -> bool:
    """Whether a folder looks like dbmate's: its mark is in the files."""
    return bool(looks.names(folder, _FILE.pattern)) and looks.marked(folder, r"--\s*migrate:up\b")
