"""The backfill: block ranges of the driving relation, each one transaction, in the order of the target's key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Leaf
from lockgate.ledger.chunks import Chunk, ChunkRange
from lockgate.mapping.compiled import Compiled
from lockgate.mapping.group import Group
from lockgate.mapping.inserting import Meet, insert_chunk
from lockgate.mapping.manners import behave
from lockgate.mapping.part import Part
from lockgate.mapping.updating import update_chunk


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
    if compiled.select.whole:
        return [ChunkRange(compiled.driving_relation.oid, 0, 1)]  # one block is never cut further
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
    if compiled.select.whole:
        return {}  # its one chunk speaks of no blocks
    oids = [leaf.oid for leaf in catalog.leaves(conn, compiled.driving_relation.oid)]
    rows = conn.execute(
        "SELECT o.oid::text, pg_catalog.pg_relation_filenode(o.oid)::bigint FROM unnest(%s::oid[]) AS o(oid)", (oids,)
    ).fetchall()
    return {oid: int(node or 0) for oid, node in rows}


def run_chunk(
    conn: Connection[Any], group: Group, compiled: Compiled, chunk: Chunk, meet: Meet | None = None
) -> Written:
    """Do one claimed chunk in the open READ COMMITTED transaction.

    Keys that exist already, from another chunk, another mapping or the application, are left alone and
    looked at again by the applier, which knows who wins.

    :param meet: what other chunks of this process are inserting, if there are any.
    :raises psycopg.Error: among others, if the SELECT or the target refuses a row.
    """
    behave(conn, group.writer)
    if compiled.select.whole:
        return Written(*insert_chunk(conn, group, compiled, compiled.yields(), None))
    leaf = _locked_leaf(conn, compiled, chunk.leaf)
    if leaf is None:
        return Written(0, 0)
    part = Part(leaf, (chunk.lo, 0), (chunk.hi, 0))
    if compiled.definition.updates_only:
        return Written(*update_chunk(conn, group, compiled, part))
    return Written(*insert_chunk(conn, group, compiled, part.yields(compiled), meet if compiled.winner else None))


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
