"""Tables that were dropped for good: the log of them, which outlives the archive."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from lockgate.ledger.queries import load


@dataclass(frozen=True, slots=True)
class DroppedRow:
    """One table that is gone.

    :param from_schema: where it was before it was archived; ``to_schema`` is the archive.
    :param content: of its rows when it was archived or rows of it were erased last, and when it was dropped.
    :param definition: SQL that makes it anew, without its rows.
    :param dependents: what was dropped before it: ``kind``, ``name``, ``statement`` and ``definition`` of each.
    :param backups: that hold its rows: ``id``, ``folder``, ``host``, ``snapshot_at``, and whether ``archive_only``.
    :param database_bytes: of the database, before.
    :param purpose: what rows of people were kept for, on the legal ``basis``.
    :param erased_rows: that were erased while it was in the archive.
    """

    plan: str
    phase: str
    step: str
    relid: int
    from_schema: str
    name: str
    to_schema: str
    row_count: int
    bytes: int
    content: str
    measured_by: str
    definition: str
    dependents: list[dict[str, Any]]
    backups: list[dict[str, Any]]
    database_bytes: int
    purpose: str | None
    basis: str | None
    erased_rows: int
    archived_at: datetime
    retain_until: datetime
    dropped_at: datetime

    @property
    def label(self) -> str:
        """The name that it had, for people."""
        return f"{self.from_schema}.{self.name}"

    @property
    def archived(self) -> str:
        """The name under which backups hold it."""
        return f"{self.to_schema}.{self.name}"


def keep(conn: Connection[Any], row: DroppedRow) -> None:
    """Write into the log that a table is gone, in the transaction that drops it."""
    conn.execute(
        load("dropped.keep"), {**asdict(row), "dependents": Jsonb(row.dependents), "backups": Jsonb(row.backups)}
    )


def labels(conn: Connection[Any]) -> list[str]:
    """The names that all dropped tables had, of any plan."""
    return [str(row[0]) for row in conn.execute(load("dropped.labels"))]


def of_plan(conn: Connection[Any], plan: str) -> list[DroppedRow]:
    """All that a plan has dropped, in this order; none where the ledger is older than this log."""
    if not conn.cursor(row_factory=scalar_row).execute(load("dropped.there")).fetchone():
        return []
    return conn.cursor(row_factory=class_row(DroppedRow)).execute(load("dropped.of_plan"), {"plan": plan}).fetchall()
