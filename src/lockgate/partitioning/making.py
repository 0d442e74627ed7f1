"""A new partition of a table that is in use: made beside it, and attached under a lock that is held for a moment."""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

from lockgate.errors import CheckFailed
from lockgate.partitioning.calendar import literal
from lockgate.partitioning.deciding import Wanted
from lockgate.partitioning.family import Family, Part
from lockgate.partitioning.queries import load
from lockgate.replacing import shape
from lockgate.replacing.shape import rows

_BOUNDS = sql.Identifier("lockgate_bounds")
_FIRES = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


def make(conn: Connection[Any], family: Family, wanted: Wanted) -> int:
    """Make a partition and attach it, in the open transaction; how many rows of the default partition moved into it.

    Locks the table against other changes of its shape only, and a default partition against everybody. A foreign key
    of the table is made for the partition, too, which keeps writers of the other table waiting.

    :raises CheckFailed: if rows would have to move, and others refer to them: nothing is changed.
    """
    part = sql.Identifier(family.schema, wanted.name)
    lower, upper = (sql.SQL(literal(day, family.type)) for day in (wanted.period.start, wanted.period.end))
    column = sql.Identifier(family.column)
    inside = sql.SQL("{0} >= {1} AND {0} < {2}").format(column, lower, upper)
    conn.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING IDENTITY)").format(part, family.named()))
    # The server then knows without reading the rows that all of them belong there.
    conn.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} CHECK ({} IS NOT NULL AND {})").format(part, _BOUNDS, column, inside)
    )
    shape.own(conn, sql.SQL("TABLE"), part, family.owner)
    plain = [each for each in family.ranges if each.kind == "r"]
    if plain:
        known = rows(conn, "table", plain[-1].oid)[0]
        shape.store(conn, part, known)
    conn.execute(sql.SQL("LOCK TABLE ONLY {} IN SHARE UPDATE EXCLUSIVE MODE").format(family.named()))
    moved = 0
    if family.default is not None:
        conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(family.default.named()))
        moved = _move(conn, family, family.default, part, inside)
    conn.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            family.named(), part, lower, upper
        )
    )
    conn.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(part, _BOUNDS))
    return moved


def _move(conn: Connection[Any], family: Family, default: Part, part: sql.Identifier, inside: sql.Composed) -> int:
    """Move the rows that belong into a partition out of the default one; no trigger tells of it, for nothing changes.

    :raises CheckFailed: if other rows refer to them.
    """
    row = conn.execute(sql.SQL("SELECT count(*) FROM {} WHERE {}").format(default.named(), inside)).fetchone()
    count = int(row[0]) if row else 0
    if not count:
        return 0
    referred = conn.execute(load("making.referred"), {"oids": [family.oid, default.oid]}).fetchone()
    if referred is not None:
        raise CheckFailed(
            f"{count} rows of {default.label} belong into a partition of their own and stay where they are",
            why=f"Foreign key {referred[0]} refers to the table: to take a row out is to remove it, for those that "
            "refer to it.",
            hint="Drop that key for a moment, run `lockgate partitions`, and make it again.",
        )
    columns = sql.SQL(", ").join(
        sql.Identifier(name) for (name,) in conn.execute(load("making.columns"), {"oid": family.oid}).fetchall()
    )
    fires = conn.execute(load("making.triggers"), {"oid": default.oid}).fetchall()
    for name, _ in fires:
        conn.execute(sql.SQL("ALTER TABLE ONLY {} DISABLE TRIGGER {}").format(default.named(), sql.Identifier(name)))
    moved = conn.execute(
        sql.SQL("WITH gone AS (DELETE FROM {} WHERE {} RETURNING {}) INSERT INTO {} ({}) SELECT {} FROM gone").format(
            default.named(), inside, columns, part, columns, columns
        )
    ).rowcount
    if moved != count:
        raise CheckFailed(f"{moved} rows of {count} left {default.label}: a rule or a policy is in the way")
    for name, enabled in fires:
        fire = sql.SQL("ALTER TABLE ONLY {} {} TRIGGER {}")
        conn.execute(fire.format(default.named(), sql.SQL(_FIRES[enabled]), sql.Identifier(name)))
    return moved


def strays(conn: Connection[Any], family: Family, interval: str) -> tuple[list[Any], int]:
    """The periods that rows of the default partition are of, and how many rows there are, whatever their time."""
    if family.default is None or family.default.kind == "f":
        return [], 0
    zone = sql.SQL(" AT TIME ZONE 'UTC'" if family.type == "timestamp with time zone" else "")
    found = conn.execute(
        sql.SQL(
            "SELECT CASE WHEN {0} >= '0001-01-02' AND {0} < '9998-01-01' "
            "THEN pg_catalog.date_trunc({1}, ({0}{2})::timestamp)::date END AS day, count(*) FROM {3} GROUP BY 1"
        ).format(sql.Identifier(family.column), sql.Literal(interval), zone, family.default.named())
    ).fetchall()
    return [day for day, _ in found if day is not None], sum(int(count) for _, count in found)
