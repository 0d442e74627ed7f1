"""Flyway: versioned and repeatable scripts, with CRC-32 checksums, in ``flyway_schema_history``."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.history import looks, place
from lockgate.history.base import Home, Late, Migration, Ran, Row, Script
from lockgate.history.files import HistoryError, Reader
from lockgate.sqlfiles import load
from lockgate.textfile import Source

if TYPE_CHECKING:
    from psycopg import Connection

_FILE = re.compile(r"([VUB])([0-9]+(?:[._][0-9]+)*)(?:__(.*))?\.sql|R__(.*)\.sql", re.DOTALL)
_ENDS = re.compile(r"\r\n|\r|\n")
_PLACEHOLDER = re.compile(r"\$\{[^}\s]+\}")
_SETTING = re.compile(r"^\s*([A-Za-z.]+)\s*=\s*(\S+)\s*$", re.M)
_COLUMNS = (
    "installed_rank",
    "version",
    "description",
    "type",
    "script",
    "checksum",
    "installed_by",
    "installed_on",
    "execution_time",
    "success",
)
_LOCK = 77431708279161  # "Flyway" in ASCII, as a number
_REPEATABLE = "R__"  # before the description: what we know a repeatable by, whose version is NULL in the table
_APPLIED = {"SQL", "SQL_BASELINE"}
_GONE = {"UNDO_SQL", "DELETE"}


@dataclass(frozen=True, slots=True)
class Flyway:
    """A folder of ``V<version>__<description>.sql`` and ``R__<description>.sql``, and of those in folders below it.

    :param table: of the history; None: ``flyway_schema_history`` in the current schema.
    """

    folder: Path
    table: tuple[str, str] | None = None
    name: str = "flyway"
    late: Late = "refused"

    def migrations(self) -> Sequence[Migration]:
        """By the numbers of the versions, then the repeatable ones by description."""
        reader = Reader(self.folder)
        files: dict[str, dict[tuple[int, ...] | str, tuple[Path, str]]] = {"V": {}, "U": {}, "R": {}}
        for file in reader.deep():
            named = _FILE.fullmatch(file.name)
            if named is None or named[1] == "B":
                continue
            kind = named[1] or "R"
            key = _number(named[2]) if named[1] else named[4]
            if key in files[kind]:
                other = files[kind][key][0].name
                reader.wrong(file, f"{other} is {_called(kind, named)} already; each is one file")
            files[kind][key] = (file, (named[2] or "").replace("_", "."))
        for key in files["U"].keys() - files["V"].keys():
            reader.wrong(files["U"][key][0], "there is no file that applies this version")
        versioned = [
            self._migration(reader, *files["V"][key], files["U"].get(key)) for key in sorted(files["V"], key=tuple)
        ]
        repeatable = [self._migration(reader, *files["R"][key], None) for key in sorted(files["R"], key=str)]
        reader.finish()
        return [*versioned, *repeatable]

    def home(self, conn: Connection[Any]) -> Home:
        """``flyway_schema_history`` of the current schema.

        :raises HistoryError: if the database is new and the folder has a baseline migration (``B``).
        """
        home = place.in_current(conn, "flyway_schema_history", self.table)
        if not home.exists:
            self._refuse_baseline(home)
        return home

    def create(self, conn: Connection[Any], home: Home) -> None:
        """As Flyway makes it."""
        from psycopg import sql

        names = {
            "key": sql.Identifier(f"{home.table}_pk"),
            "index": sql.Identifier(f"{home.table}_s_idx"),
        }
        for statement in ("table", "key", "index"):
            text = load("lockgate.history", f"flyway.create_{statement}").decode()
            conn.execute(home.query(text, **names))

    def rows(self, conn: Connection[Any], home: Home, known: Sequence[Migration]) -> Sequence[Row]:
        """The last row of each version or repeatable; a baseline stands for every version up to it.

        :raises HistoryError: also if a migration in Java was applied, whose file is none of SQL.
        """
        place.require_columns(conn, home, self.name, _COLUMNS)
        text = (
            "SELECT version, description, type, script, checksum, installed_on, success FROM {} ORDER BY installed_rank"
        )
        versions = {_number(each.version): each.version for each in known if not each.repeatable}
        found: dict[str, Row] = {}
        for version, description, kind, script, checksum, at, success in conn.execute(home.query(text)):
            if kind == "SCHEMA":
                continue
            number = None if version is None else _number(str(version))
            key = f"{_REPEATABLE}{description}" if number is None else versions.get(number, str(version))
            if kind in _GONE:
                found.pop(key, None)
            elif kind == "BASELINE" and number is not None:
                found |= {each: Row(each, at=at) for passed, each in versions.items() if passed <= number}
            elif kind in _APPLIED:
                state: Any = "applied" if success else "half"
                found[key] = Row(key, script, None if checksum is None else str(checksum), at, state)
            else:
                raise HistoryError(
                    f"Flyway has applied {script}, of type {kind}, which is no SQL file",
                    where=str(home),
                    hint="Run this folder with Flyway itself: Lockgate does not see which such migrations are pending.",
                )
        return list(found.values())

    def begin(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """A row without success: Flyway says that the migration failed, and wants ``repair``."""
        self._insert(conn, home, migration, 0, success=False)

    def applied(self, conn: Connection[Any], home: Home, migration: Migration, ran: Ran) -> None:
        """A row with the next rank; that of ``begin`` goes, as ``repair`` would remove it."""
        failed = "DELETE FROM {} WHERE version IS NOT DISTINCT FROM %s AND description = %s AND NOT success"
        version = None if migration.repeatable else migration.version
        conn.execute(home.query(failed), (version, migration.facts["description"]))
        self._insert(conn, home, migration, round(ran.took.total_seconds() * 1000), success=True)

    def reverted(self, conn: Connection[Any], home: Home, migration: Migration, before: Migration | None) -> None:
        """Its rows go: the free edition of Flyway knows no row that says "undone"."""
        if migration.version.startswith(_REPEATABLE):
            query = home.query("DELETE FROM {} WHERE version IS NULL AND description = %s")
            conn.execute(query, (migration.version.removeprefix(_REPEATABLE),))
        else:
            conn.execute(home.query("DELETE FROM {} WHERE version = %s"), (migration.version,))

    def correct(self, conn: Connection[Any], home: Home, migration: Migration) -> None:
        """The checksum alone, as ``repair`` sets it."""
        assert migration.checksum is not None
        query = home.query("UPDATE {} SET checksum = %s WHERE version = %s")
        conn.execute(query, (int(migration.checksum), migration.version))

    def locks(self, conn: Connection[Any], home: Home) -> Sequence[int]:
        """Of the history's table; Flyway's own may be one of a transaction, which this one excludes as well."""
        return [_LOCK + _java_hash(f'"{home.schema}"."{home.table}"')]

    def _insert(
        self, conn: Connection[Any], home: Home, migration: Migration, milliseconds: int, *, success: bool
    ) -> None:
        values = {
            "version": None if migration.repeatable else migration.version,
            "description": migration.facts["description"],
            "script": migration.facts["script"],
            "checksum": int(migration.checksum or 0),
            "milliseconds": milliseconds,
            "success": success,
        }
        text = load("lockgate.history", "flyway.record").decode()
        conn.execute(home.query(text), values)

    def _migration(self, reader: Reader, file: Path, version: str, undo: tuple[Path, str] | None) -> Migration:
        script, checksum = self._script(reader, file)
        named = _FILE.fullmatch(file.name)
        assert named is not None
        description = (named[3] if named[1] else named[4]) or ""
        words = description.replace("_", " ")
        return Migration(
            version=version or f"{_REPEATABLE}{words}",
            name=file.name.removesuffix(".sql"),
            path=file,
            up=script,
            down=self._script(reader, undo[0])[0] if undo is not None else None,
            reversible=undo is not None,
            checksum=str(checksum),
            repeatable=not version,
            facts={
                "description": words or "<< no description >>",
                "script": file.relative_to(self.folder).as_posix(),
            },
        )

    def _script(self, reader: Reader, file: Path) -> tuple[Script, int]:
        _, source = reader.read(file)
        said = _settings(file)
        if said.get("placeholderReplacement") != "false":
            _refuse_placeholders(reader, source)
        apart = said.get("executeInTransaction") == "false"
        return Script(source, source.text, transaction=not apart, apart=apart), checksum(source.text)

    def _refuse_baseline(self, home: Home) -> None:
        found = looks.names(self.folder, r"B[0-9].*\.sql")
        if found:
            raise HistoryError(
                f"{found[-1]} is a baseline migration, which stands for all before it in a new database",
                where=f"{self.folder}, {home}",
                hint="Let Flyway make the new database; Lockgate applies what comes behind.",
            )


def checksum(text: str) -> int:
    """CRC-32 of the text without its line ends, as a signed number of 32 bits."""
    found = zlib.crc32(_ENDS.sub("", text).encode())
    return found - (1 << 32) if found >= 1 << 31 else found


def _java_hash(text: str) -> int:
    """``String.hashCode`` of Java, over UTF-16."""
    found = 0
    units = text.encode("utf-16-be")
    for index in range(0, len(units), 2):
        found = (found * 31 + int.from_bytes(units[index : index + 2], "big")) & 0xFFFFFFFF
    return found - (1 << 32) if found >= 1 << 31 else found


def _number(version: str) -> tuple[int, ...]:
    """The parts of a version for comparing: ``1``, ``1.0`` and ``01`` are the same."""
    parts = [int(part) for part in re.split(r"[._]", version)]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _called(kind: str, named: re.Match[str]) -> str:
    return f"the repeatable {named[4]}" if kind == "R" else f"{kind} of version {named[2].replace('_', '.')}"


def _settings(file: Path) -> Mapping[str, str]:
    """Of the script's own ``.sql.conf``."""
    beside = file.with_name(f"{file.name}.conf")
    if not beside.is_file():
        return {}
    found = _SETTING.findall(beside.read_text("utf-8", errors="replace"))
    return {name.removeprefix("flyway."): value for name, value in found}


def _refuse_placeholders(reader: Reader, source: Source) -> None:
    for found in _PLACEHOLDER.finditer(source.text):
        what = f"the placeholder {found[0]} is not taken: what runs must be in the file"
        reader.problems.append(source.problem(found.start(), what))


def fits(folder: Path) -> bool:
    """Whether a folder looks like Flyway's: by the names of its scripts, there or in a folder below."""
    return any(_FILE.fullmatch(path.name) and "__" in path.name for path in folder.rglob("*.sql"))
