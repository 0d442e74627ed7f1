"""What is not rows: made entry by entry, each in a savepoint, so that what cannot be is told and does no harm."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection, errors

from lockgate import sqlfiles
from lockgate.backup.contents import COMPANIONS, Entry
from lockgate.backup.feeding import refused
from lockgate.backup.selection import NotRestored
from lockgate.engine.sqlerrors import message
from lockgate.errors import DatabaseError, LockgateError
from lockgate.sql.split import split
from lockgate.sql.tree import quote

# Without one of these a table is not what it was, whatever else is; all others can be made later by hand.
_VITAL = {
    "TABLE", "TABLE ATTACH", "SEQUENCE", "SEQUENCE OWNED BY", "DEFAULT", "CONSTRAINT", "CHECK CONSTRAINT", "INDEX",
    "INDEX ATTACH",
}  # fmt: skip
_THERE = (
    errors.DuplicateTable, errors.DuplicateObject, errors.DuplicateFunction, errors.DuplicateSchema,
    errors.DuplicateAlias, errors.UniqueViolation,
)  # fmt: skip

_RELATIONS = {"TABLE", "SEQUENCE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"}
_FUNCTION = re.compile(r"ALTER (?:FUNCTION|PROCEDURE|AGGREGATE) (.*) OWNER TO ", re.S)
# They say something of two things, one of which may be there and have it.
_ADDED_TO = {"FK CONSTRAINT", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA"}


@dataclass(slots=True)
class Maker:
    """Makes entries in the open transaction.

    :param needed: numbers of those that are taken as they are where they are there.
    :param there: numbers of those that were there.
    :param missing: what could not be made.
    """

    conn: Connection[Any]
    needed: frozenset[int]
    there: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    missing: list[NotRestored] = field(default_factory=list)
    _untold: list[str] = field(default_factory=list)
    _settings: str = ""
    _grantees: list[str] | None = None

    def make(self, entries: Iterable[Entry]) -> None:
        """Make them one after the other.

        :raises DatabaseError: for one without which the tables would not be what they were, or that is there already.
        """
        for entry in entries:
            if entry.type in COMPANIONS:
                if not entry.needs & (self.there | self.failed):
                    self._tell_of(entry)
            elif entry.makes_nothing and entry.id in self.needed:
                self.there.add(entry.id)
            else:
                self._place(entry)
                self._make(entry)

    def _make(self, entry: Entry) -> None:
        error = self._run(entry.sql)
        if error is None:
            self._bare(entry)
            self._give(entry)
        elif isinstance(error, _THERE) and entry.id in self.needed:
            self.there.add(entry.id)
        elif isinstance(error, _THERE) and entry.type not in _ADDED_TO:
            raise already_there(self.conn, [f"{entry.label}: {message(error)}"]) from error
        elif entry.id in self.needed:
            self.failed.add(entry.id)  # it may be there all the same; what needs it will tell
            self._untold.append(f"{entry.label}: {message(error)}")
        elif entry.type in _VITAL or isinstance(error, errors.OutOfMemory):
            failure = refused(error, entry.label)
            failure.why = "\n".join([failure.why or "", *self._untold])
            raise failure from error
        else:
            self.failed.add(entry.id)
            self.missing.append(NotRestored(entry.label, message(error), entry.sql))

    def _bare(self, entry: Entry) -> None:
        """Take back what default privileges have granted: the backup says what was granted, and to whom."""
        if self._grantees is None:
            rows = self.conn.execute(sqlfiles.load("lockgate.backup", "default_grants")).fetchall()
            self._grantees = [str(row[0]) for row in rows]
        function = _FUNCTION.match(entry.owner_sql)
        if entry.type in _RELATIONS:
            kind = "SEQUENCE" if entry.type == "SEQUENCE" else "TABLE"
            thing, grantees = f"{kind} {quote(entry.schema)}.{quote(entry.name)}", self._grantees
        elif function:  # everybody may call it unless the backup says otherwise
            thing, grantees = f"ROUTINE {function[1]}", [name for name in self._grantees if name != "PUBLIC"]
        else:
            return
        if grantees:
            self._run(f"REVOKE ALL ON {thing} FROM {', '.join(grantees)}")

    def _give(self, entry: Entry) -> None:
        error = self._run(entry.owner_sql) if entry.owner_sql else None
        if error is not None:
            self.missing.append(NotRestored(f"owner {entry.owner} of {entry.label}", message(error), entry.owner_sql))

    def _tell_of(self, entry: Entry) -> None:
        """Grants and comments; of the grants of one thing to several roles, those that can be."""
        error = self._run(entry.sql)
        if error is None:
            return
        for statement in _statements(entry.sql):
            error = self._run(statement)
            if error is not None:
                self.missing.append(NotRestored(entry.label, message(error), f"{statement};"))

    def _place(self, entry: Entry) -> None:
        """Have the next table made where it was; where there is no such place, where the database puts tables."""
        if entry.settings == self._settings:
            return
        self._settings = entry.settings
        for line in entry.settings.splitlines():
            error = self._run(line.replace("SET ", "SET LOCAL ", 1))
            if error is not None:
                self.missing.append(NotRestored(f"place of {entry.label}", message(error), line))
                self._run(f"SET LOCAL {line.split()[1]} TO DEFAULT")

    def _run(self, sql: str) -> psycopg.Error | None:
        """What the server refuses; then nothing of it is done."""
        try:
            with self.conn.transaction():
                self.conn.execute(sql.encode("utf-8", "surrogateescape"))
        except psycopg.Error as error:
            if self.conn.closed or self.conn.broken:
                raise
            return error
        return None


def already_there(conn: Connection[Any], things: Sequence[str]) -> DatabaseError:
    """The refusal to overwrite."""
    return DatabaseError(
        "What is to be restored is there already; nothing is overwritten, and nothing was changed",
        where=f"database {conn.info.dbname}",
        why="\n".join(things),
        hint="Rename it or drop it first, restore something else, or restore into another database.",
    )


def _statements(sql: str) -> list[str]:
    try:
        return [statement.text for statement in split(sql)]
    except LockgateError:  # the words of a newer server
        return [sql]
