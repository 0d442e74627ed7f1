"""The room that a table takes, and, by a sample of its rows, the room that it would take if it were written anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from lockgate.catalog.relations import Relation
from lockgate.replacing.queries import load
from lockgate.safety.database import amount

_BLOCKS = 2_000
"""How many blocks are read for the sample, about."""
_HEAD, _POINTER, _ENTRY = 24, 4, 8
"""Bytes of a row's head, of the place on its page that points to it, and of an index entry's head."""
_OUTSIDE, _REFERENCE = 2_000, 18
"""A value of more bytes is stored outside of the row, and referred to in so many."""
_PIECE, _PIECES, _PLACE = 1_996, 4, 27
"""Bytes of a piece of such a value, how many of them a block holds, and the bytes of a piece's entry in their index."""


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes on disk.

    :param rows: of the table itself, without what is stored outside of its rows, which is ``toast``.
    """

    rows: int
    indexes: int
    toast: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.rows + self.indexes + self.toast

    @staticmethod
    def of(sizes: dict[str, int]) -> Room:
        """What ``sizes`` told."""
        return Room(sizes["rows"], sizes["indexes"], sizes["toast"])

    def __str__(self) -> str:
        parts = (f"rows {amount(self.rows)}", f"indexes {amount(self.indexes)}", f"TOAST {amount(self.toast)}")
        return f"{amount(self.total)} ({', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Anew:
    """What a table would take if it were written anew, by a sample.

    :param key: bytes of a second index of its key.
    """

    room: Room
    key: int


SIZES = load("room.sizes")
"""The query of ``sizes``."""


def sizes(conn: Connection[Any], oid: int) -> dict[str, int]:
    """The bytes that a table takes now: ``rows``, ``indexes``, ``toast`` and ``total``."""
    (row,) = _rows(conn, "sizes", oid)
    return {key: int(value) for key, value in row.items()}


def anew(conn: Connection[Any], table: Relation, key: Sequence[str]) -> Anew:
    """Estimate what a table would take if it were written anew. Reads a few thousand of its blocks.

    An index of expressions, of a part of the rows, or that is no B-tree is taken to stay as large as it is.

    :param key: the columns of its key.
    """
    (known,) = _rows(conn, "blocks", table.oid)
    block, blocks = int(known["block"]), int(known["blocks"])
    if not blocks:
        return Anew(Room(0, 0, 0), 0)
    share = min(100.0, 100.0 * _BLOCKS / blocks)
    columns = _rows(conn, "columns", table.oid)
    widths, pieces, rows = _sample(conn, table, columns, share)
    scale = 100.0 / share
    count = rows * scale
    row = _aligned(_HEAD + sum(widths.values())) + _POINTER
    heap = count * row / (known["fill"] / 100)
    indexes = 0.0
    for each in _rows(conn, "indexes", table.oid):
        fresh = _index(count, [widths[name] for name in each["columns"]], each["fill"], block)
        indexes += min(fresh, each["bytes"]) if each["is_plain"] else each["bytes"]
    twice = _index(count, [widths[name] for name in key], 90, block)
    return Anew(
        Room(_whole(heap, block), round(indexes), _whole(pieces * scale * (block / _PIECES + _PLACE), block)),
        round(twice),
    )


def _sample(
    conn: Connection[Any], table: Relation, columns: Iterable[dict[str, Any]], share: float
) -> tuple[dict[str, float], float, int]:
    """The mean bytes of each column within a row, the pieces that all have outside, and the number of rows."""
    names = [str(each["name"]) for each in columns]
    sizes = [sql.SQL("pg_catalog.pg_column_size(o.{})").format(sql.Identifier(name)) for name in names]
    out = [size if each["goes_out"] else sql.SQL("NULL::int") for size, each in zip(sizes, columns, strict=True)]
    inside = [
        sql.SQL("avg(CASE WHEN {0} > {1} THEN {2} ELSE coalesce({3}, 0) END)::float8").format(
            each, sql.Literal(_OUTSIDE), sql.Literal(_REFERENCE), size
        )
        for each, size in zip(out, sizes, strict=True)
    ]
    beyond = [
        sql.SQL("coalesce(sum(ceil({0} / {2}.0)) FILTER (WHERE {0} > {1}), 0)").format(
            each, sql.Literal(_OUTSIDE), sql.Literal(_PIECE)
        )
        for each in out
    ]
    total = sql.SQL(" + ").join([sql.SQL("0"), *beyond])
    query = sql.SQL("SELECT {} FROM {} AS o TABLESAMPLE SYSTEM ({}) REPEATABLE (1)").format(
        sql.SQL(", ").join([sql.SQL("count(*)"), total, *inside]),
        sql.Identifier(table.schema, table.name),
        sql.Literal(share),
    )
    row = conn.execute(query).fetchone()
    assert row is not None
    return {name: float(value or 0) for name, value in zip(names, row[2:], strict=True)}, float(row[1]), int(row[0])


def _index(count: float, widths: Sequence[float], fill: int, block: int) -> int:
    """A B-tree that is built over so many rows at once."""
    return _whole(count * (_aligned(_ENTRY + sum(widths)) + _POINTER) / (fill / 100), block) + block


def _aligned(size: float) -> float:
    """As rows lie on a page: each begins at a multiple of eight bytes."""
    return size + 8 - (size % 8 or 8)


def _whole(size: float, block: int) -> int:
    return int(-(-size // block)) * block


def _rows(conn: Connection[Any], query: str, oid: int) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load(f"room.{query}"), {"oid": oid}).fetchall()
