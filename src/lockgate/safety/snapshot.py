"""Reading what a database is, in one read-only look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import starmap
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from lockgate import sqlfiles
from lockgate.safety.facts import Facts
from lockgate.safety.records import Column, Constraint, Function, Grants, Index, Relation, Trigger, Type, Use

_SCHEMAS_ARE_PUBLISHED = 150_000
_SETTINGS = {
    "search_path": "pg_catalog",
    "quote_all_identifiers": "off",
    "jit": "off",
    "enable_partitionwise_join": "off",
}


def read(conn: Connection[Any]) -> Facts:
    """What the database is now.

    All queries see one moment. Nothing is written; the strongest lock is ACCESS SHARE.

    :param conn: an autocommit connection with the search_path of the application.
    :raises psycopg.errors.LockNotAvailable: if a table is locked for longer than the session waits.
    """
    with conn.transaction(force_rollback=True), conn.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        path = _path(cursor)
        version, utc = next(_rows(cursor, "server"))
        for name, value in _SETTINGS.items():
            cursor.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
        return _facts(cursor, version, utc, path)


def _facts(cursor: Cursor[tuple[Any, ...]], version: int, utc: bool, path: tuple[str, ...]) -> Facts:
    published = {row[0] for row in _rows(cursor, "published_schemas")} if version >= _SCHEMAS_ARE_PUBLISHED else set()
    columns: dict[int, list[Column]] = defaultdict(list)
    for row in _rows(cursor, "columns"):
        columns[row[0]].append(Column(*row))
    return Facts(
        version=version,
        utc=utc,
        search_path=path,
        relations={relation.oid: relation for relation in _relations(cursor, published)},
        columns={oid: tuple(found) for oid, found in columns.items()},
        indexes={row[0]: Index(*_frozen(row)) for row in _rows(cursor, "indexes")},
        constraints=tuple(Constraint(*_frozen(row)) for row in _rows(cursor, "constraints")),
        types={row[0]: _type(row) for row in _rows(cursor, "types")},
        casts={(row[0], row[1]): (row[2], row[3]) for row in _rows(cursor, "casts")},
        equals=frozenset((row[0], row[1]) for row in _rows(cursor, "equals")),
        functions={row[0]: _function(row) for row in _rows(cursor, "functions")},
        uses=tuple(starmap(Use, _rows(cursor, "uses"))),
        triggers=tuple(starmap(Trigger, _rows(cursor, "triggers"))),
        grants={row[0]: Grants(*_frozen(row)) for row in _rows(cursor, "grants")},
        extensions=frozenset(row[0] for row in _rows(cursor, "extensions")),
        default_opclasses={(row[0], row[1]): row[2] for row in _rows(cursor, "opclasses")},
    )


def _path(cursor: Cursor[tuple[Any, ...]]) -> tuple[str, ...]:
    row = cursor.execute("SELECT pg_catalog.current_schemas(false)").fetchone()
    return tuple(row[0]) if row else ()


def _relations(cursor: Cursor[tuple[Any, ...]], published: set[int]) -> Iterator[Relation]:
    place = Relation.__dataclass_fields__.keys()
    flag = list(place).index("published")
    for row in _rows(cursor, "relations"):
        values = list(row)
        values[flag] = values[flag] or row[0] in published
        yield Relation(*values)


def _function(row: tuple[Any, ...]) -> Function:
    values = list(row)
    values[-3:] = [row[-3] or "", row[-2], tuple(row[-1] or ())]
    return Function(*values)


def _type(row: tuple[Any, ...]) -> Type:
    values = list(row)
    values[-1] = tuple(row[-1] or ())
    return Type(*values)


def _frozen(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)


def _rows(cursor: Cursor[tuple[Any, ...]], query: str) -> Iterator[tuple[Any, ...]]:
    yield from cursor.execute(sqlfiles.load("lockgate.safety", f"snapshot.{query}")).fetchall()
