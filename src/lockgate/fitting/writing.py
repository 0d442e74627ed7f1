"""Writing normal forms to rows that still are what they were when they were read, and keeping the values of before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog.relations import Column
from lockgate.fitting.definition import Fitting
from lockgate.fitting.rows import Change
from lockgate.ledger.normalisations import Normalisation
from lockgate.mapping.poison import is_refusal

Refused = Callable[[Change, psycopg.Error], None]


def write(
    conn: Connection[Any], fitting: Fitting, of: Normalisation, leaf: str, changes: Sequence[Change], refused: Refused
) -> int:
    """Change rows of a table in the open READ COMMITTED transaction; how many values were written.

    A row is left alone if it is not where it was, or holds other values than were read: it is found by a later pass.
    With each value that is written goes a row of what was there before.

    :param leaf: the table that holds the rows, quoted.
    :param refused: told of each row that the table does not take, by itself.
    """
    if not changes:
        return 0
    try:
        with conn.transaction():
            # A deferred constraint would refuse all of the transaction when it ends, and nobody knew which row.
            conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
            return conn.execute(_statement(fitting, of, leaf), _parameters(fitting, changes)).rowcount
    except psycopg.Error as error:
        if not is_refusal(error):
            raise
        if len(changes) == 1:
            refused(changes[0], error)
            return 0
    middle = len(changes) // 2
    return sum(write(conn, fitting, of, leaf, half, refused) for half in (changes[:middle], changes[middle:]))


def _statement(fitting: Fitting, of: Normalisation, leaf: str) -> bytes:
    parts = range(len(fitting.parts))
    arrays = ["%(tid)s::text[]::tid[]"]
    columns = ["tid"]
    same = []
    for n in parts:
        part = fitting.parts[n]
        arrays += [f"%(h{n})s::text[]", f"%(w{n})s::text[]"]
        columns += [f"h{n}", f"w{n}"]
        same.append(_same(_sql(part.column), f"h{n}"))
        if not part.itself:
            arrays.append(f"%(s{n})s::text[]")
            columns.append(f"s{n}")
            same.append(_same(_sql(part.source), f"s{n}"))
    sets = ", ".join(f"{_sql(p.column)} = v.w{n}::{p.column.plain_type}" for n, p in enumerate(fitting.parts))
    key = ", ".join(f"t.{_sql(column)} AS k{n}" for n, column in enumerate(fitting.key, 1))
    kept = ", ".join(f"v.h{n}, t.{_sql(p.column)}::text AS n{n}" for n, p in enumerate(fitting.parts))
    names = ", ".join(f"k{n}" for n in range(1, len(fitting.key) + 1))
    lines = ", ".join(f"({p.column.number}::smallint, u.h{n}, u.n{n})" for n, p in enumerate(fitting.parts))
    changed = "" if len(fitting.parts) == 1 else "WHERE l.old IS DISTINCT FROM l.new"
    return (
        f"WITH u AS (UPDATE ONLY {_doubled(leaf)} AS t SET {sets} "
        f"FROM unnest({', '.join(arrays)}) AS v ({', '.join(columns)}) "
        f"WHERE t.ctid = v.tid AND {' AND '.join(same)} RETURNING {key}, {kept}) "
        f"INSERT INTO {of.kept} ({names}, number, old, new) SELECT {names}, l.* FROM u "
        f"CROSS JOIN LATERAL (VALUES {lines}) AS l (number, old, new) {changed}"
    ).encode()


def _sql(column: Column) -> str:
    return _doubled(column.sql)


def _doubled(name: str) -> str:
    """For a statement with parameters, in which the driver takes a single ``%`` for one."""
    return name.replace("%", "%%")


def _same(column: str, held: str) -> str:
    # By bytes: a column may have a collation, or a type, that takes different texts for equal.
    return f't.{column}::text COLLATE "C" IS NOT DISTINCT FROM v.{held} COLLATE "C"'


def _parameters(fitting: Fitting, changes: Sequence[Change]) -> dict[str, list[str | None]]:
    found: dict[str, list[str | None]] = {"tid": [change.tid for change in changes]}
    for n, part in enumerate(fitting.parts):
        found[f"h{n}"] = [change.held[2 * n + 1] for change in changes]
        found[f"w{n}"] = [change.wanted[n] for change in changes]
        if not part.itself:
            found[f"s{n}"] = [change.held[2 * n] for change in changes]
    return found
