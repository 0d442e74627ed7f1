"""The tables of the ledger in which a step keeps what it took away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog.relations import Column
from lockgate.deduping.definition import Alike, Reference
from lockgate.deduping.queries import load


@dataclass(frozen=True, slots=True)
class Places:
    """Their names.

    :param step: id of the step's row in the ledger.
    """

    step: int

    @property
    def removed(self) -> str:
        """The rows, whole, each with the key of the row that stayed: ``lockgate_s1``, ``lockgate_s2``, ...

        A row of the same key is there twice if the application wrote it anew and that was like another one, too.
        """
        return f"lockgate.removed_{self.step}"

    @property
    def alike(self) -> str:
        """The keys of rows that were found alike, by groups; only while the step runs."""
        return f"lockgate.alike_{self.step}"

    def repointed(self, reference: int) -> str:
        """What referred to them: the key of each row (``k``), what it referred to (``o``) and refers to now (``n``)."""
        return f"lockgate.repointed_{self.step}_{reference}"


def create(conn: Connection[Any], places: Places, alike: Alike) -> None:
    """Make the tables, in the open transaction."""
    stayed = "".join(f", lockgate_s{i} {c.plain_type} NOT NULL" for i, c in enumerate(alike.key, 1))
    _execute(
        conn,
        f"CREATE TABLE {places.removed} (LIKE {alike.table.sql}, lockgate_batch bigint NOT NULL, "
        f"lockgate_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(), "
        f"lockgate_reason text NOT NULL{stayed}, PRIMARY KEY ({_names(alike.key)}, lockgate_batch))",
    )
    _execute(conn, f"CREATE INDEX ON {places.removed} (lockgate_batch)")
    for number, reference in enumerate(alike.references):
        _execute(conn, f"CREATE TABLE {places.repointed(number)} (lockgate_batch bigint NOT NULL, {_kept(reference)})")
        _execute(conn, f"CREATE INDEX ON {places.repointed(number)} (lockgate_batch)")
        # A publication may have all tables, and these have no key of their own.
        _execute(conn, f"ALTER TABLE {places.repointed(number)} REPLICA IDENTITY FULL")


def drop(conn: Connection[Any], places: Places, references: int) -> None:
    """Drop the tables, in the open transaction; those that are gone already are none."""
    for name in (places.removed, places.alike, *map(places.repointed, range(references))):
        _execute(conn, f"DROP TABLE IF EXISTS {name}")


def holding_rows(conn: Connection[Any]) -> list[str]:
    """The tables that hold removed rows, of any plan."""
    names = [str(row[0]) for row in conn.execute(load("places.removed"))]
    return [name for name in names if conn.execute(f"SELECT FROM {name} LIMIT 1".encode()).rowcount]


def _kept(reference: Reference) -> str:
    return ", ".join(
        f"lockgate_{letter}{i} {column.plain_type}"
        for letter, columns in (("k", reference.key), ("o", reference.columns), ("n", reference.columns))
        for i, column in enumerate(columns, 1)
    )


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(column.sql for column in columns)


def _execute(conn: Connection[Any], statement: str) -> None:
    conn.execute(statement.encode())
