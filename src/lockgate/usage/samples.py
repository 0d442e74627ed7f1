"""The server's counters of tables: read, kept, and read again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row, scalar_row
from psycopg.types.json import Jsonb

from lockgate.ledger.transactions import joined
from lockgate.usage.own import uncounted
from lockgate.usage.queries import load

PRIMARY = "primary"
COUNTERS = ("seq_scan", "idx_scan", "n_tup_ins", "n_tup_upd", "n_tup_del")


@dataclass(slots=True)  # not frozen, which takes twice the time to make: there may be thousands
class Sample:
    """What the server had counted of a table at a time.

    :param node: which server counted: the primary, or a replica by its name.
    :param stats_reset: when counting began anew; by hand, or because the server crashed.
    :param started_at: when the server was started.
    :param sampled_at: by the database's clock.
    :param read_at: the same, by the server's own clock if that is another one.
    :param own: what is known to be Lockgate's own: by what it was for, the counters' names and how much. The server may
        not have counted all of it yet.
    :param own_counted: how much of it the server is known to have counted.
    :param gaps: sessions of Lockgate that may have done more since the sample before.
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
    read_at: datetime | None = None
    own: dict[str, dict[str, int]] = field(default_factory=dict)
    own_counted: dict[str, int] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    node: str = PRIMARY

    @property
    def settled(self) -> bool:
        """Whether the server is known to have counted all of Lockgate's own work."""
        return all(self.least(name) == self.most(name) for name in COUNTERS)

    def least(self, counter: str) -> int:
        """How much of it others did, at least."""
        return int(getattr(self, counter)) - sum(counts.get(counter, 0) for counts in self.own.values())

    def most(self, counter: str) -> int:
        """How much of it others did, at most."""
        return int(getattr(self, counter)) - self.own_counted.get(counter, 0)

    @property
    def label(self) -> str:
        """``schema.name``, for people."""
        return f"{self.schema_name}.{self.table_name}"

    @property
    def last_scan(self) -> datetime | None:
        """When it was last read, as far as the server tells (from PostgreSQL 16 on)."""
        return max((at for at in (self.last_seq_scan, self.last_idx_scan) if at), default=None)


def read(conn: Connection[Any], plan: str, oids: Collection[int], at: datetime, node: str = PRIMARY) -> list[Sample]:
    """What the server has counted of these tables now, and what of it was Lockgate's own.

    What is known to be counted is asked before the counters, and what was done is asked after them: what Lockgate does
    in between is not taken for somebody else's, nor does it hide anything. On a replica Lockgate reads no table.

    :param conn: to the node.
    """
    gaps: list[str] = []
    with uncounted(conn), conn.cursor(row_factory=dict_row) as cursor:
        accounted = node == PRIMARY and _there(conn)
        counted = cursor.execute(load("own.counted")).fetchall() if accounted else []
        rows = conn.execute(load("counters.of_tables"), {"oids": list(oids)}).fetchall()
        server = cursor.execute(load("counters.of_server")).fetchone()
        assert server is not None  # it is one row
        done = cursor.execute(load("own.all")).fetchall() if accounted else []
        if accounted:
            gaps = conn.cursor(row_factory=scalar_row).execute(load("own.gaps"), {"plan": plan}).fetchall()
    sure = {own["relid"]: _counts(own) for own in counted}
    ours: dict[int, dict[str, dict[str, int]]] = {}
    for own in done:
        ours.setdefault(own["relid"], {})[own["purpose"]] = _counts(own)
    reset, started, now = server["stats_reset"], server["started_at"], server["read_at"]
    # By their order, which is the query's, too.
    return [
        Sample(*(*row, reset, started, at, now, ours.get(row[0], {}), sure.get(row[0], {}), gaps, node)) for row in rows
    ]


def watch(conn: Connection[Any], oids: Collection[int]) -> None:
    """Have Lockgate's sessions count what they do to these tables; before the first sample of them is read."""
    with joined(conn):
        conn.execute(load("own.forget"))
        conn.execute(load("own.watch"), {"oids": list(oids)})


def keep(conn: Connection[Any], plan: str, samples: Sequence[Sample]) -> None:
    """Keep samples in the ledger, all or none, and put together what sessions that have ended had counted."""
    with joined(conn), conn.cursor() as cursor:
        cursor.executemany(load("keep"), [_row(plan, sample) for sample in samples])
        cursor.execute(load("own.note_gaps"))
        cursor.execute(load("own.fold"))


def thin(conn: Connection[Any], plan: str, now: datetime) -> int:
    """Forget samples that tell nothing, older than a day and not the first of their hour; how many were forgotten."""
    return conn.execute(load("thin.idle"), {"plan": plan, "now": now}).rowcount


def first_of_hour(conn: Connection[Any], plan: str, taken: Sequence[Sample]) -> bool:
    """Whether no sample is kept of the hour of these."""
    given = {"plan": plan, "at": min((sample.sampled_at for sample in taken), default=None)}
    row = conn.execute(load("thin.begun"), given).fetchone()
    return bool(row and row[0])


def _row(plan: str, sample: Sample) -> dict[str, Any]:
    row = asdict(sample)
    return {
        **row,
        "plan": plan,
        "settled": sample.settled,
        **{name: Jsonb(row[name]) for name in ("own", "own_counted", "gaps")},
    }


def _counts(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in COUNTERS if row[name]}


def kept(
    conn: Connection[Any], plan: str, schema: str, name: str, since: datetime, node: str = PRIMARY
) -> list[Sample]:
    """The samples of a table from ``since`` on, and those before that the first difference needs.

    None where there is no ledger.
    """
    if not _there(conn):
        return []
    given = {"plan": plan, "schema": schema, "name": name, "since": since, "node": node}
    with conn.cursor(row_factory=dict_row) as cursor:
        return [Sample(**row) for row in cursor.execute(load("kept"), given)]


def _there(conn: Connection[Any]) -> bool:
    row = conn.execute(load("own.there")).fetchone()
    return bool(row and row[0])
