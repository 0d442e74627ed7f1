"""The backfill: block ranges of the driving relation, each one transaction, in the order of the target's key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Leaf
from lockgate.ledger.chunks import Chunk, ChunkRange
from lockgate.mapping.compiled import Compiled, equal_as_held, names
from lockgate.mapping.group import Group
from lockgate.mapping.manners import behave
from lockgate.sql.tree import quote


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


def _yields(compiled: Compiled, leaf: Leaf, low: int, high: int, extra: Sequence[tuple[str, str]] = ()) -> str:
    alias = f'"{compiled.driving.alias.replace(chr(34), chr(34) * 2)}"'
    replace = {compiled.driving.index: f"ONLY {leaf.sql}"}
    where = [f"{alias}.ctid >= '({low},0)'::tid", f"{alias}.ctid < '({high},0)'::tid"]
    return compiled.yields(extra=extra, replace=replace, where=where)


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
        f"again AS (INSERT INTO {group.recheck} ({key}, lockgate_fence) "
        f"SELECT {names(compiled.key, 'w')}, '0'::xid8 FROM w "
        f"WHERE (SELECT count(*) FROM made) < (SELECT count(*) FROM w) "
        f"AND NOT EXISTS (SELECT FROM made AS m WHERE {equal_as_held(compiled.key, 'm', 'w')})) "
        "SELECT (SELECT count(*) FROM y), (SELECT count(*) FROM made)"
    )


def update_chunk(group: Group, compiled: Compiled, leaf: Leaf, low: int, high: int) -> str:
    """The statement of one chunk of a transform; it yields rows read and rows written.

    A row that the application changes while the chunk waits for it is left alone, for what was read of it is old:
    its place is another one then. It is looked at again, as are keys that the chunk yields twice.
    """
    key, evaluation = names(compiled.key), group.evaluation
    own = _changes_own_row(compiled)
    found, repeated = (_own_rows if own else _other_rows)(group, compiled, leaf, low, high)
    # Rows that are changed where they were read are looked for there, and not in all of the table for each chunk.
    within = f" AND t.ctid >= '({low},0)'::tid AND t.ctid < '({high},0)'::tid" if own else ""
    changed = (
        f"UPDATE {compiled.target.sql} AS t SET {', '.join(f'{c.sql} = v.{c.sql}' for c in evaluation.shown)} FROM v "
        f"WHERE {equal_as_held(compiled.key, 't', 'v')} AND t.ctid = v.lockgate_place{within} "
        f"RETURNING {names(compiled.outputs, 't')}"
    )
    kept = evaluation.keep_values(
        f"SELECT {names(compiled.key, 'v')}, {', '.join(f'v.lockgate_o{c.number}' for c in compiled.columns)}, "
        f"{names(compiled.columns, 'c')} FROM v JOIN changed AS c ON {equal_as_held(compiled.key, 'c', 'v')}"
    )
    left_alone = (
        f"SELECT {names(compiled.key, 'v')} FROM v WHERE (SELECT count(*) FROM changed) < (SELECT count(*) FROM v) "
        f"AND NOT EXISTS (SELECT FROM changed AS c WHERE {equal_as_held(compiled.key, 'c', 'v')})"
    )
    again = " UNION ALL ".join([*repeated, left_alone])
    return (
        f"WITH {found}, changed AS ({changed}), {f'kept AS ({kept}), ' if compiled.definition.keep_before else ''}"
        f"again AS (INSERT INTO {group.recheck} ({key}, lockgate_fence) SELECT {names(compiled.key, 'a')}, '0'::xid8 "
        f"FROM ({again}) AS a) SELECT (SELECT count(*) FROM y), (SELECT count(*) FROM changed)"
    )


def _changes_own_row(compiled: Compiled) -> bool:
    """Whether each driving row yields one row at most, and that changes the driving row itself."""
    relation = compiled.driving_relation
    plain = compiled.select.plain_outputs
    itself = relation.kind == "r" and relation.oid == compiled.target.oid
    own_key = all(plain.get(c.name) == (compiled.driving.alias, c.name) for c in compiled.key)
    return itself and own_key and not compiled.fan_out


def _own_rows(group: Group, compiled: Compiled, leaf: Leaf, low: int, high: int) -> tuple[str, list[str]]:
    """What is to be changed, as ``v``, with places and old values: they come with the row, and no key comes twice."""
    alias = quote(compiled.driving.alias)
    extra = [(f"{alias}.{c.sql}", f"lockgate_o{c.number}") for c in compiled.columns]
    extra.append((f"{alias}.ctid", "lockgate_place"))
    old = ", ".join(f"y.lockgate_o{c.number}::{c.plain_type}" for c in compiled.columns)
    new = ", ".join(f"y.{c.sql}::{c.plain_type}" for c in compiled.columns)
    return (
        f"y AS MATERIALIZED ({_yields(compiled, leaf, low, high, extra)}), v AS MATERIALIZED (SELECT * FROM y "
        f"WHERE {compiled.not_null('y')} AND pg_catalog.record_image_ne(ROW({old}), ROW({new})))"
    ), []


def _other_rows(group: Group, compiled: Compiled, leaf: Leaf, low: int, high: int) -> tuple[str, list[str]]:
    """What is to be changed, as ``v``, looked up by its key; and a query of the keys that come twice."""
    key = names(compiled.key, "y")
    held = ", ".join(f"t.{c.sql} AS lockgate_o{c.number}" for c in compiled.columns)
    return (
        f"y AS MATERIALIZED ({_yields(compiled, leaf, low, high)}), "
        f"w AS MATERIALIZED (SELECT DISTINCT ON ({key}) y.* FROM y "
        f"WHERE {compiled.not_null('y')} ORDER BY {key}, {compiled.order('y')}), "
        f"v AS MATERIALIZED (SELECT {names(compiled.outputs, 'w')}, t.ctid AS lockgate_place, {held} "
        f"FROM w JOIN {compiled.target.sql} AS t ON {equal_as_held(compiled.key, 't', 'w')} "
        f"WHERE {group.evaluation.differs('t', 'w')})"
    ), [f"SELECT {key} FROM y WHERE {compiled.not_null('y')} GROUP BY {key} HAVING count(*) > 1"]


def mark_repeated(conn: Connection[Any], group: Group, compiled: Compiled) -> int:
    """Have the rows of a transform looked at again that several chunks may have changed; return how many.

    An insert finds a key that is already there, an update does not notice that it is the second.
    """
    if not compiled.definition.updates_only or _changes_own_row(compiled):
        return 0
    key = names(compiled.key, "y")
    return conn.execute(
        f"INSERT INTO {group.recheck} ({names(compiled.key)}, lockgate_fence) SELECT {key}, '0'::xid8 "
        f"FROM {compiled.keyed(compiled.select.render(), 'y')} "
        f"GROUP BY {key} HAVING count(*) > 1".encode()
    ).rowcount
