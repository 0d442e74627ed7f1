"""Legal holds on archived tables: while one stands, nothing of the table is erased, dropped or taken out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from lockgate.archive.dropping import Archived
from lockgate.archive.queries import load
from lockgate.errors import CheckFailed, GateRefused


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that stands.

    :param archived: the number of the table's stay in the archive.
    :param from_schema: where the table was before; ``to_schema`` is the archive.
    """

    id: int
    plan: str
    archived: int
    from_schema: str
    name: str
    to_schema: str
    because: str
    held_by: str
    held_at: datetime

    @property
    def label(self) -> str:
        """The name that the table had, for people."""
        return f"{self.from_schema}.{self.name}"

    def __str__(self) -> str:
        """The hold, for people."""
        return f"hold {self.id} by {self.held_by} since {self.held_at:%Y-%m-%d %H:%M:%S} UTC: {self.because}"


def stand(conn: Connection[Any], *, plan: str | None = None, archived: int | None = None) -> list[Hold]:
    """The holds that stand, the oldest first: of a plan, on one table, or all."""
    given = {"plan": plan, "archived": archived}
    return conn.cursor(row_factory=class_row(Hold)).execute(load("holds.stand"), given).fetchall()


def words(label: str, found: list[Hold]) -> str:
    """In a sentence, that a table is held, why, by whom and since when."""
    return f"{label} is under legal hold: {'; '.join(str(hold) for hold in found)}"


def refuse(conn: Connection[Any], table: Archived, where: str) -> None:
    """Look whether a table is held. Nobody can put a hold on it before the open transaction ends.

    :raises GateRefused: if it is.
    :raises CheckFailed: if somebody dropped it or took it out just now.
    """
    _lock(conn, table)
    if found := stand(conn, archived=table.id):
        raise GateRefused(words(table.was.label, found), where=where, hint=release_hint(table.was.label))


def release_hint(label: str) -> str:
    """What lets it go on."""
    return f"When the reason is gone: `lockgate archive release {label} --reason ...`, then run this again."


def place(conn: Connection[Any], table: Archived, because: str, by: str, at: datetime) -> Hold:
    """Put a hold on a table, in the open transaction.

    :raises CheckFailed: if somebody dropped it or took it out just now.
    """
    _lock(conn, table)
    given = {"archived": table.id, "because": because, "by": by, "at": at}
    made = conn.cursor(row_factory=class_row(Hold)).execute(load("holds.place"), given).fetchone()
    assert made is not None
    return made


def release(conn: Connection[Any], hold: Hold, because: str, by: str, at: datetime) -> None:
    """Take a hold from a table, in the open transaction.

    :raises CheckFailed: if somebody released it just now.
    """
    given = {"id": hold.id, "because": because, "by": by, "at": at}
    if conn.execute(load("holds.release"), given).rowcount != 1:
        raise CheckFailed(f"Hold {hold.id} on {hold.label} was released by somebody else just now")


def _lock(conn: Connection[Any], table: Archived) -> None:
    if conn.execute(load("holds.lock"), {"archived": table.id}).fetchone() is None:
        raise CheckFailed(f"{table.was.label} was dropped, or taken out of the archive, just now")
