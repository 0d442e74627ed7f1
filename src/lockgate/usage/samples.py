"""The server's counters of tables: read, kept, and read again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from lockgate.ledger.transactions import joined
from lockgate.usage.queries import load


@dataclass(frozen=True, slots=True)
class Sample:
    """What the server had counted of a table at a time.

    :param stats_reset: when counting began anew; by hand, or because the server crashed.
    :param started_at: when the server was started.
    :param sampled_at: by the database's clock.
    """

    relid: int
    schema_name: str
    table_name: str
    seq_scan: int
    idx_scan: int
    n_tup_ins: int
    n_tup_upd: int
    n_tup_del: int
    last_seq_scan: datetime | None
    last_idx_scan: datetime | None
    stats_reset: datetime | None
    started_at: datetime
    sampled_at: datetime

    @property
    def label(self) -> str:
        """``schema.name``, for people."""
        return f"{self.schema_name}.{self.table_name}"

    @property
    def last_scan(self) -> datetime | None:
        """When it was last read, as far as the server tells (from PostgreSQL 16 on)."""
        return max((at for at in (self.last_seq_scan, self.last_idx_scan) if at), default=None)


def read(conn: Connection[Any], oids: Collection[int], at: datetime) -> list[Sample]:
    """What the server has counted of these tables now; one query for all of them."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load("counters"), {"oids": list(oids)}).fetchall()
    return [Sample(**row, sampled_at=at) for row in rows]


def keep(conn: Connection[Any], plan: str, samples: Sequence[Sample]) -> None:
    """Keep samples in the ledger, all or none."""
    with joined(conn), conn.cursor() as cursor:
        cursor.executemany(load("keep"), [{"plan": plan, **asdict(sample)} for sample in samples])


def kept(conn: Connection[Any], plan: str, schema: str, name: str, since: datetime) -> list[Sample]:
    """The samples of a table from ``since`` on, and the last one before; none where there is no ledger."""
    there = conn.execute("SELECT pg_catalog.to_regclass('lockgate.usage_samples') IS NOT NULL").fetchone()
    if not there or not there[0]:
        return []
    given = {"plan": plan, "schema": schema, "name": name, "since": since}
    with conn.cursor(row_factory=dict_row) as cursor:
        return [Sample(**row) for row in cursor.execute(load("kept"), given)]
