"""The backfill: block ranges of the driving relation, each one transaction, in the order of the target's key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Leaf
from lockgate.ledger.chunks import Chunk, ChunkRange
from lockgate.mapping.compiled import Compiled, equal, names
from lockgate.mapping.group import Group
from lockgate.mapping.manners import behave


@dataclass(frozen=True, slots=True)
class Written:
    """What one chunk did.

    :param read: rows that the mapping yielded.
    :param written: rows of the target that were made or changed.
    """

    read: int
    written: int


def plan_ranges(conn: Connection[Any], compiled: Compiled, rows: int) -> list[ChunkRange]:
    """Cut the driving relation into block ranges of about ``rows`` rows.

    Rows that are added behind the last block while the backfill runs are in the log.
    """
    leaves = catalog.leaves(conn, compiled.driving_relation.oid)
    return [piece for leaf in leaves for piece in _ranges(conn, leaf, rows)]


def _ranges(conn: Connection[Any], leaf: Leaf, rows: int) -> Iterator[ChunkRange]:
    row = conn.execute(
        "SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint, "
        "c.reltuples::float8, c.relpages::float8 FROM pg_catalog.pg_class c WHERE c.oid = %s",
        (leaf.oid,),
    ).fetchone()
    assert row is not None
    blocks, tuples, pages = int(row[0]), row[1], row[2]
    # A table that was never analyzed has no density: assume rows of a hundred bytes.
    density = tuples / pages if pages > 0 and tuples > 0 else 80.0
    step = max(1, round(rows / max(density, 0.01)))
    for low in range(0, blocks, step):
        yield ChunkRange(leaf.oid, low, min(low + step, blocks))


def file_nodes(conn: Connection[Any], compiled: Compiled) -> dict[str, int]:
    """The file of each leaf there is now: a rewrite (VACUUM FULL, CLUSTER, TRUNCATE) gives it another one."""
    oids = [leaf.oid for leaf in catalog.leaves(conn, compiled.driving_relation.oid)]
    rows = conn.execute(
        "SELECT o.oid::text, pg_catalog.pg_relation_filenode(o.oid)::bigint FROM unnest(%s::oid[]) AS o(oid)", (oids,)
    ).fetchall()
    return {oid: int(node or 0) for oid, node in rows}


def run_chunk(conn: Connection[Any], group: Group, compiled: Compiled, chunk: Chunk) -> Written:
    """Do one claimed chunk in the open READ COMMITTED transaction.

    Keys that exist already, from another chunk, another mapping or the application, are left alone and
    looked at again by the applier, which knows who wins.

    :raises psycopg.Error: among others, if the SELECT or the target refuses a row.
    """
    behave(conn, group.writer)
    leaf = _locked_leaf(conn, compiled, chunk.leaf)
    if leaf is None:
        return Written(0, 0)
    conn.execute("SELECT pg_catalog.set_config('work_mem', '64MB', true)")
    statement = update_chunk if compiled.definition.updates_only else insert_chunk
    row = conn.execute(statement(group, compiled, leaf, chunk.lo, chunk.hi).encode()).fetchone()
    assert row is not None
    return Written(int(row[0]), int(row[1]))


def _locked_leaf(conn: Connection[Any], compiled: Compiled, oid: int) -> Leaf | None:
    """The leaf, kept in its place until the transaction ends; None if it is no part of the driving relation any more.

    The rows of a partition that was detached are not yielded; nothing would ever remove what a chunk made of them.
    """
    relation = compiled.driving_relation
    if relation.kind != "p":
        return relation.leaves[0]
    leaf = _leaf(conn, relation.oid, oid)
    if leaf is None:
        return None
    conn.execute(f"LOCK TABLE ONLY {relation.sql}, ONLY {leaf.sql} IN ACCESS SHARE MODE".encode())
    return _leaf(conn, relation.oid, oid)


def _leaf(conn: Connection[Any], relation: int, oid: int) -> Leaf | None:
    return next((leaf for leaf in catalog.leaves(conn, relation) if leaf.oid == oid), None)


def _yields(compiled: Compiled, leaf: Leaf, low: int, high: int) -> str:
    alias = f'"{compiled.driving.alias.replace(chr(34), chr(34) * 2)}"'
    replace = {compiled.driving.index: f"ONLY {leaf.sql}"}
    where = [f"{alias}.ctid >= '({low},0)'::tid", f"{alias}.ctid < '({high},0)'::tid"]
    return compiled.yields(replace=replace, where=where)


def insert_chunk(group: Group, compiled: Compiled, leaf: Leaf, low: int, high: int) -> str:
    """The statement of one chunk of a map; it yields rows read and rows written."""
    key = names(compiled.key)
    columns, values = group.evaluation.insert_lists("w")
    return (
        f"WITH y AS MATERIALIZED ({_yields(compiled, leaf, low, high)}), "
        f"w AS MATERIALIZED (SELECT DISTINCT ON ({names(compiled.key, 'y')}) y.* FROM y "
        f"WHERE {compiled.not_null('y')} ORDER BY {names(compiled.key, 'y')}, {compiled.order('y')}), "
        f"made AS (INSERT INTO {compiled.target.sql} ({columns}) SELECT {values} FROM w "
        f"ORDER BY {names(compiled.key, 'w')} ON CONFLICT ({key}) DO NOTHING RETURNING {key}), "
        f"again AS (INSERT INTO {group.recheck} ({key}, fence) SELECT {names(compiled.key, 'w')}, '0'::xid8 FROM w "
        f"WHERE (SELECT count(*) FROM made) < (SELECT count(*) FROM w) "
        f"AND NOT EXISTS (SELECT FROM made AS m WHERE {equal(compiled.key, 'm', 'w')})) "
        "SELECT (SELECT count(*) FROM y), (SELECT count(*) FROM made)"
    )


def update_chunk(group: Group, compiled: Compiled, leaf: Leaf, low: int, high: int) -> str:
    """The statement of one chunk of a transform; it yields rows read and rows written."""
    key, target = names(compiled.key), compiled.target.sql
    yielded = (
        f"WITH y AS MATERIALIZED ({_yields(compiled, leaf, low, high)}), "
        f"w AS MATERIALIZED (SELECT DISTINCT ON ({names(compiled.key, 'y')}) y.* FROM y "
        f"WHERE {compiled.not_null('y')} ORDER BY {names(compiled.key, 'y')}, {compiled.order('y')}), "
    )
    changed = (
        f"changed AS (UPDATE {target} AS t SET {', '.join(f'{c.sql} = w.{c.sql}' for c in compiled.columns)} FROM w "
        f"WHERE {equal(compiled.key, 't', 'w')} AND {group.evaluation.differs('t', 'w')} RETURNING 1), "
    )
    kept = f"kept AS ({group.evaluation.keep_before('w')}), " if compiled.definition.keep_before else ""
    return (
        f"{yielded}{changed}{kept}"
        f"again AS (INSERT INTO {group.recheck} ({key}, fence) SELECT {names(compiled.key, 'y')}, '0'::xid8 FROM y "
        f"WHERE {compiled.not_null('y')} GROUP BY {names(compiled.key, 'y')} HAVING count(*) > 1) "
        "SELECT (SELECT count(*) FROM y), (SELECT count(*) FROM changed)"
    )


def mark_repeated(conn: Connection[Any], group: Group, compiled: Compiled) -> int:
    """Have the rows of a transform looked at again that several chunks may have changed; return how many.

    An insert finds a key that is already there, an update does not notice that it is the second.
    """
    once = compiled.driving_relation.oid == compiled.target.oid and not compiled.fan_out
    if not compiled.definition.updates_only or once:
        return 0
    key = names(compiled.key, "y")
    return conn.execute(
        f"INSERT INTO {group.recheck} ({names(compiled.key)}, fence) SELECT {key}, '0'::xid8 "
        f"FROM ({compiled.select.render()}) AS y WHERE {compiled.not_null('y')} "
        f"GROUP BY {key} HAVING count(*) > 1".encode()
    ).rowcount
