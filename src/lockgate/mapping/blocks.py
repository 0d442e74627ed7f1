"""The table of a target in pieces: what is done to it row by row is done to some blocks at a time."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.catalog.relations import Relation
from lockgate.mapping.part import between

_BLOCKS = 2_000


def place(block: int) -> str:
    """The condition that a row, ``t``, is in the piece that begins with a block."""
    return between("t", (block, 0), (block + _BLOCKS, 0))


def following(conn: Connection[Any], target: Relation, block: int) -> int | None:
    """The first block of the next piece; None at the end of the largest of its tables."""
    row = conn.execute(
        "SELECT coalesce(max(pg_catalog.pg_relation_size(oid) / pg_catalog.current_setting('block_size')::bigint), 0) "
        "FROM unnest(%s::oid[]) AS leaf (oid)",
        ([leaf.oid for leaf in target.leaves],),
    ).fetchone()
    return block + _BLOCKS if row and block + _BLOCKS < row[0] else None
