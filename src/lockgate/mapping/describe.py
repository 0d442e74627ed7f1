"""What a mapping would do, in lines for people."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.mapping.compiled import Compiled
from lockgate.mapping.statements import desired, evaluated


def describe(conn: Connection[Any], compiled: Compiled) -> list[str]:
    """Locks, rows and the SQL that is derived, for ``lockgate plan``."""
    source = compiled.driving_relation
    key = ", ".join(compiled.driving_key) or "none; rows are told apart by their place"
    rows = f"about {source.estimated_rows:,.0f} source rows (estimated)"
    lines = [f"fills {compiled.target.label} from {source.label}: {rows}"]
    if compiled.select.whole:
        lines += [
            "copied whole, by one statement in one transaction: this SELECT cannot be read in pieces",
            "the rows that it yields are accounted for, not those that it reads",
        ]
    else:
        lines.append(f"source rows are accounted for by their key ({key})")
    if compiled.definition.sync:
        for base in compiled.bases:
            columns = ", ".join(column.name for column in base.columns)
            lines.append(f"logs changes of {base.relation.label} ({columns}): SHARE ROW EXCLUSIVE, for an instant")
        lines.append("then follows every write, without a lock on the application's tables")
    else:
        lines.append("no sync: later writes to the source do not reach the target")
    if compiled.fan_out and not compiled.select.whole:
        lines.append("one source row may yield several rows")
    lines.append("rows of the target, by key: " + desired([compiled]))
    lines += _lookups(conn, compiled)
    return lines


def _lookups(conn: Connection[Any], compiled: Compiled) -> list[str]:
    """Whether looking up single keys is served by indexes: each applied change needs it."""
    if not compiled.definition.sync:
        return []
    with conn.transaction(force_rollback=True):
        key = ", ".join(f"{column.sql} {column.plain_type}" for column in compiled.key)
        conn.execute(f"CREATE TEMPORARY TABLE lockgate_keys (lockgate_n bigint, {key})".encode())
        conn.execute("SET LOCAL enable_seqscan = off")
        rows = conn.execute(f"EXPLAIN {evaluated([compiled], 'pg_temp.lockgate_keys')}".encode()).fetchall()
    scanned = sorted({line.split(" on ")[1].split()[0] for (line,) in rows if "Seq Scan on " in line})
    scanned = [name for name in scanned if name != "lockgate_keys"]
    return [
        f"WARNING: no index serves the look-up of single keys in {name}; sync would read all of it" for name in scanned
    ]
