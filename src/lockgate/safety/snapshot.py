"""Reading what a database is, in one read-only look."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import starmap
from operator import attrgetter
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from lockgate import sqlfiles
from lockgate.safety.facts import Columns, Facts
from lockgate.safety.records import Constraint, Function, Grants, Index, Relation, Trigger, Type, Use

_SCHEMAS_ARE_PUBLISHED = _NULLS_MAY_BE_ALIKE = 150_000
_MAY_NOT_BE_ENFORCED = 180_000
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
    with conn.transaction(force_rollback=True), conn.cursor(binary=True, row_factory=tuple_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        path = _path(cursor)
        [(version, utc)] = _rows(cursor, "server")
        for name, value in _SETTINGS.items():
            cursor.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
        return _facts(cursor, version, utc, path)


def _facts(cursor: Cursor[tuple[Any, ...]], version: int, utc: bool, path: tuple[str, ...]) -> Facts:
    published = _oids(cursor, "published_schemas") if version >= _SCHEMAS_ARE_PUBLISHED else set()
    alike = _oids(cursor, "nulls_not_distinct") if version >= _NULLS_MAY_BE_ALIKE else set()
    unenforced = _oids(cursor, "not_enforced") if version >= _MAY_NOT_BE_ENFORCED else set()
    return Facts(
        version=version,
        utc=utc,
        search_path=path,
        relations=_relations(cursor, published),
        columns=Columns(_rows(cursor, "columns")),
        indexes={index.oid: index for index in _indexes(cursor, alike)},
        constraints=tuple(_constraints(cursor, unenforced)),
        types={row[0]: _type(row) for row in _rows(cursor, "types")},
        casts={(row[0], row[1]): (row[2], row[3]) for row in _rows(cursor, "casts")},
        equals=frozenset((row[0], row[1]) for row in _rows(cursor, "equals")),
        functions={row[0]: _function(row) for row in _rows(cursor, "functions")},
        uses=tuple(starmap(Use, _rows(cursor, "uses"))),
        triggers=tuple(starmap(Trigger, _rows(cursor, "triggers"))),
        grants={row[0]: Grants(row[0], tuple(row[1]), tuple(row[2])) for row in _rows(cursor, "grants")},
        extensions=frozenset(row[0] for row in _rows(cursor, "extensions")),
        default_opclasses={(row[0], row[1]): row[2] for row in _rows(cursor, "opclasses")},
    )


def _path(cursor: Cursor[tuple[Any, ...]]) -> tuple[str, ...]:
    row = cursor.execute("SELECT pg_catalog.current_schemas(false)").fetchone()
    return tuple(row[0]) if row else ()


def _relations(cursor: Cursor[tuple[Any, ...]], published: set[int]) -> dict[int, Relation]:
    found = {row[0]: Relation._make(row) for row in _rows(cursor, "relations")}
    found.update({oid: found[oid]._replace(published=True) for oid in published & found.keys()})
    return found


def _indexes(cursor: Cursor[tuple[Any, ...]], alike: set[int]) -> Iterable[Index]:
    return sorted((_index(row, row[0] in alike) for row in _rows(cursor, "indexes")), key=attrgetter("name"))


def _index(row: tuple[Any, ...], nulls_alike: bool) -> Index:
    keys, count, opclasses, collations, options = row[9:14]
    numbers = (_numbers(keys), count, _numbers(opclasses), _numbers(collations), _numbers(options))
    return Index._make((*row[:9], nulls_alike, *numbers, *row[14:]))


# Most tables have the same few: 1, 1 2, and zeros.
@lru_cache(maxsize=4096)
def _numbers(vector: str) -> tuple[int, ...]:
    return tuple(map(int, vector.split()))


def _constraints(cursor: Cursor[tuple[Any, ...]], unenforced: set[int]) -> Iterable[Constraint]:
    rows = _rows(cursor, "constraints")
    return sorted((_constraint(row, row[0] not in unenforced) for row in rows), key=attrgetter("name"))


def _constraint(row: tuple[Any, ...], enforced: bool) -> Constraint:
    return Constraint._make((*row[:6], enforced, tuple(row[6] or ()), row[7], tuple(row[8] or ()), *row[9:]))


def _function(row: tuple[Any, ...]) -> Function:
    values = list(row)
    values[-3:] = [row[-3] or "", row[-2], tuple(row[-1] or ())]
    return Function(*values)


def _type(row: tuple[Any, ...]) -> Type:
    values = list(row)
    values[-1] = tuple(row[-1] or ())
    return Type(*values)


def _oids(cursor: Cursor[tuple[Any, ...]], query: str) -> set[int]:
    return {row[0] for row in _rows(cursor, query)}


def _rows(cursor: Cursor[tuple[Any, ...]], query: str) -> list[tuple[Any, ...]]:
    return cursor.execute(sqlfiles.load("lockgate.safety", f"snapshot.{query}")).fetchall()
