"""Legal holds on archived tables: while one stands, nothing of the table is erased, dropped or taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from lockgate.archive.dropping import Archived
from lockgate.archive.queries import load
from lockgate.errors import CheckFailed, GateRefused

RELEASE = "When the reason is gone, release it with `lockgate archive release`, then run this again."


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that stands.

    :param archived: the number of the table's stay in the archive.
    :param phase: that put it there; None of a table that somebody dropped.
    :param from_schema: where the table was before; ``to_schema`` is the archive.
    """

    id: int
    plan: str
    phase: str | None
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


def words(found: Sequence[Hold]) -> str:
    """In a sentence, which tables are held, why, by whom and since when."""
    labels = list(dict.fromkeys(hold.label for hold in found))
    said = "; ".join(str(hold) if len(labels) == 1 else f"{hold.label}, {hold}" for hold in found)
    return f"{', '.join(labels)} {'is' if len(labels) == 1 else 'are'} under legal hold: {said}"


def refuse(conn: Connection[Any], archived: int, label: str, where: str) -> None:
    """Look whether a table is held. Nobody can put a hold on it before the open transaction ends.

    :raises GateRefused: if it is.
    :raises CheckFailed: if somebody dropped it or took it out just now.
    """
    _lock(conn, archived, label)
    if found := stand(conn, archived=archived):
        raise GateRefused(words(found), where=where, hint=RELEASE)


def place(conn: Connection[Any], table: Archived, because: str, by: str, at: datetime) -> Hold:
    """Put a hold on a table, in the open transaction.

    :raises CheckFailed: if somebody dropped it or took it out just now.
    """
    _lock(conn, table.id, table.was.label)
    row = conn.execute(load("holds.place"), {"archived": table.id, "because": because, "by": by, "at": at}).fetchone()
    assert row is not None
    return next(hold for hold in stand(conn, archived=table.id) if hold.id == row[0])


def release(conn: Connection[Any], hold: Hold, because: str, by: str, at: datetime) -> None:
    """Take a hold from a table, in the open transaction.

    :raises CheckFailed: if somebody released it just now.
    """
    given = {"id": hold.id, "because": because, "by": by, "at": at}
    if conn.execute(load("holds.release"), given).rowcount != 1:
        raise CheckFailed(f"Hold {hold.id} on {hold.label} was released by somebody else just now")


def _lock(conn: Connection[Any], archived: int, label: str) -> None:
    if conn.execute(load("holds.lock"), {"archived": archived}).fetchone() is None:
        raise CheckFailed(f"{label} was dropped, or taken out of the archive, just now")
