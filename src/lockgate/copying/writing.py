"""Writing rows of the other database into tables here, in one transaction: only absent ones, and the copy's own."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import psycopg
from psycopg import Connection, sql

from lockgate.copying.comparing import Key, key_matches, row_hash
from lockgate.copying.order import ForeignKey, Order, Unit, foreign_keys
from lockgate.copying.pairs import Pair
from lockgate.engine.faults import fault
from lockgate.ledger.copies import Owner
from lockgate.mapping.compiled import equal, names
from lockgate.sql.tree import quote

_AT_ONCE = 1 << 17
_REFERRING = b"""
SELECT DISTINCT conrelid::bigint FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = ANY (%s)
"""
Feeds = Mapping[int, Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Written:
    """:param waiting: rows that refer to rows which are not here yet: a later pass copies them."""

    read: int = 0
    written: int = 0
    waiting: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(self.read + other.read, self.written + other.written, self.waiting + other.waiting)


def put(here: Connection[Any], copy: Owner, order: Order, unit: Unit, feeds: Feeds, *, silent: bool) -> Written:
    """Write the rows that ``feeds`` has for each table of a unit, in the open transaction.

    :param silent: whether triggers must not fire.
    """
    if unit.circle:
        here.execute("SET CONSTRAINTS ALL DEFERRED")
    read = 0
    for pair in unit.pairs:
        read += _stage(here, pair, feeds[pair.table.oid])
    waiting = _leave_out(here, order, unit)
    written = 0
    with silenced(here, [pair.table.oid for pair in unit.pairs], silent):
        for pair in unit.pairs:
            copy.wrote(here, pair.table.oid)
            # A row may come to refer to one that is new; else what leaves a unique value makes place for who takes it.
            refers_to_itself = any(key.parent == key.child for key in order.of(pair))
            for work in (_insert, _update) if refers_to_itself else (_update, _insert):
                written += work(here, copy, pair)
    fault("copy.written")
    return Written(read, written, waiting)


def put_directly(here: Connection[Any], copy: Owner, pair: Pair, blocks: Iterable[bytes], *, silent: bool) -> Written:
    """Write rows none of which may be there yet, and whose parents are; else the server refuses all of them."""
    copy.wrote(here, pair.table.oid)
    with silenced(here, [pair.table.oid], silent):
        count = _copy(here, pair, pair.table.sql, blocks)
    fault("copy.written")
    return Written(count, count)


def remove(
    here: Connection[Any], copy: Owner, unit: Unit, gone: Mapping[int, Sequence[tuple[Key, int]]], *, silent: bool
) -> int:
    """Remove rows of the copy's own, by the oid of their table, which are still as they were seen.

    One that a row refers to which stays is left: nothing goes along by ON DELETE CASCADE.
    """
    for pair in unit.pairs:
        _stage_gone(here, copy, pair, gone.get(pair.table.oid, ()))
    _keep_referred(here, unit)
    if unit.circle:
        here.execute("SET CONSTRAINTS ALL DEFERRED")
    removed = 0
    with silenced(here, [pair.table.oid for pair in unit.pairs], silent):
        for pair in reversed(unit.pairs):
            query = f"DELETE FROM {pair.here} AS t USING {_gone(pair)} AS g WHERE {_same_key(pair, 't', 'g')}"
            removed += here.execute(query.encode()).rowcount
    fault("copy.removed")
    return removed


# --- into the tables --------------------------------------------------------------------------------------------------


def _stage(here: Connection[Any], pair: Pair, blocks: Iterable[bytes]) -> int:
    columns = names([held.column for held in pair.columns])
    here.execute(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {_staged_name(pair)} ON COMMIT DELETE ROWS "
        f"AS SELECT {columns} FROM {pair.table.sql} WITH NO DATA".encode()
    )
    here.execute(f"TRUNCATE {_staged(pair)}".encode())
    return _copy(here, pair, _staged(pair), blocks)


def _copy(here: Connection[Any], pair: Pair, table: str, blocks: Iterable[bytes]) -> int:
    columns = names([held.column for held in pair.columns])
    form = "binary" if pair.binary else "text"
    with here.cursor() as cursor:
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT {form})".encode()) as into:
            for block in blocks:
                into.write(block)
        return cursor.rowcount


@contextmanager
def reading(there: Connection[Any], queries: Mapping[Pair, str]) -> Iterator[dict[int, Iterator[bytes]]]:
    """The rows of a query for each table, by its oid here, as COPY takes them here.

    The first rows of the first query have come when the block begins.
    """
    made = {pair.table.oid: _read(there, pair, query) for pair, query in queries.items()}
    try:
        first, *others = made.items()
        yield {first[0]: chain(list(islice(first[1], 1)), first[1]), **dict(others)}
    finally:
        for blocks in made.values():
            with contextlib.suppress(psycopg.Error):
                blocks.close()


def _read(there: Connection[Any], pair: Pair, query: str) -> Generator[bytes, None, None]:
    form = "binary" if pair.binary else "text"
    block, size = [], 0
    with there.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT {form})".encode()) as out:
        for piece in out:
            block.append(bytes(piece))
            size += len(piece)
            if size > _AT_ONCE:
                yield b"".join(block)
                block, size = [], 0
                fault("copy.read")
    if block:
        yield b"".join(block)


def by_key(there: Connection[Any], pair: Pair, keys: Sequence[Key]) -> str:
    """The query for the rows of some keys there."""
    return pair.query(from_keys(there, pair, keys).removeprefix("FROM "))


def from_keys(there: Connection[Any], pair: Pair, keys: Sequence[Key]) -> str:
    """The FROM clause that yields the rows of some keys there, as ``s``."""
    values = ", ".join(
        f"{sql.Literal([key[n] for key in keys]).as_string(there)}::text[]" for n in range(len(pair.key))
    )
    same = " AND ".join(
        f"{held.there('s')} = k.v{n}::{held.cast}" if held.cast else f"s.{held.theirs} = k.v{n}::{held.their_type}"
        for n, held in enumerate(pair.key)
    )
    return f"FROM {pair.theirs} AS s JOIN unnest({values}) AS k ({_numbered(pair)}) ON {same}"


def _insert(here: Connection[Any], copy: Owner, pair: Pair) -> int:
    columns = [held.column for held in pair.columns]
    key = [held.column for held in pair.key]
    unique = [held.column for held in pair.unique]
    query = (
        f"INSERT INTO {pair.table.sql} ({names(columns)}) OVERRIDING SYSTEM VALUE "
        f"SELECT {names(columns, 'g')} FROM {_staged(pair)} AS g "
        f"WHERE NOT EXISTS (SELECT FROM {pair.here} AS t WHERE {_same_key(pair, 't', 'g')}) "
        f"ORDER BY {names(key, 'g')} ON CONFLICT ({names(unique)}) DO NOTHING"
    )
    return here.execute(query.encode()).rowcount


def _update(here: Connection[Any], copy: Owner, pair: Pair) -> int:
    keys = {held.column.number for held in pair.key}
    # Of a key only what its type does not tell apart can differ: 1.0 and 1.00.
    changing = [
        held.column
        for held in pair.columns
        if held.column.identity != "a" and (held.column.number not in keys or not held.column.exact_hash)
    ]
    if not changing:
        return 0
    sides = (f"ROW({names([held.column for held in pair.columns], side)})" for side in ("t", "g"))
    query = (
        f"UPDATE {pair.here} AS t SET {', '.join(f'{c.sql} = g.{c.sql}' for c in changing)} "
        f"FROM {_staged(pair)} AS g WHERE {_same_key(pair, 't', 'g')} AND {copy.own('t', pair.table.oid)} "
        f"AND pg_catalog.record_image_ne({', '.join(sides)})"
    )
    return here.execute(query.encode()).rowcount


def _leave_out(here: Connection[Any], order: Order, unit: Unit) -> int:
    """Take out of what was staged the rows whose parents are neither here nor staged beside them."""
    staged = {pair.table.oid: pair for pair in unit.pairs}
    waiting, before = 0, -1
    while waiting != before:
        before = waiting
        for pair in unit.pairs:
            for key in order.of(pair):
                if not _has(pair, [own for _, _, own in key.pairs]):
                    continue
                waiting += here.execute(_orphans(pair, key, staged.get(key.parent)).encode()).rowcount
    return waiting


def _orphans(pair: Pair, key: ForeignKey, beside: Pair | None) -> str:
    missing = [f"NOT EXISTS (SELECT FROM {key.parent_sql} AS p WHERE {key.matches('p', 'g')})"]
    if beside is not None and _has(beside, [theirs for theirs, _, _ in key.pairs]):
        missing.append(f"NOT EXISTS (SELECT FROM {_staged(beside)} AS p WHERE {key.matches('p', 'g')})")
    return f"DELETE FROM {_staged(pair)} AS g WHERE {key.refers('g')} AND {' AND '.join(missing)}"


def _has(pair: Pair, columns: Sequence[str]) -> bool:
    return set(columns) <= {held.column.sql for held in pair.columns}


# --- out of them ------------------------------------------------------------------------------------------------------


def _stage_gone(here: Connection[Any], copy: Owner, pair: Pair, gone: Sequence[tuple[Key, int]]) -> None:
    key = [held.column for held in pair.key]
    here.execute(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {_gone_name(pair)} ON COMMIT DELETE ROWS "
        f"AS SELECT {names(key)} FROM {pair.table.sql} WITH NO DATA".encode()
    )
    here.execute(f"TRUNCATE {_gone(pair)}".encode())
    if not gone:
        return
    columns = [[one[0][n] for one in gone] for n in range(len(pair.key))]
    values = ", ".join(f"{sql.Literal(column).as_string(here)}::text[]" for column in columns)
    hashes = f"'{{{','.join(str(value) for _, value in gone)}}}'::bigint[]"
    here.execute(
        f"INSERT INTO {_gone(pair)} SELECT {names(key, 't')} FROM {pair.here} AS t "
        f"JOIN unnest({values}, {hashes}) AS k ({_numbered(pair)}, h) ON {key_matches(pair, 't', 'k')} "
        f"WHERE {copy.own('t', pair.table.oid)} AND {row_hash(pair, 't')} = k.h FOR UPDATE OF t".encode()
    )


def _keep_referred(here: Connection[Any], unit: Unit) -> None:
    oids = {pair.table.oid: pair for pair in unit.pairs}
    referring = [int(row[0]) for row in here.execute(_REFERRING, (list(oids),))]
    keys = [key for key in foreign_keys(here, referring) if key.parent in oids]
    kept = True
    while kept:
        kept = False
        for key in keys:
            pair, child = oids[key.parent], oids.get(key.child)
            stays = "true"
            if child is not None:
                stays = f"NOT EXISTS (SELECT FROM {_gone(child)} AS o WHERE {_same_key(child, 'c', 'o')})"
            refers = f"SELECT FROM {_table(here, key.child)} AS c WHERE {key.matches('t', 'c')} AND {stays}"
            query = (
                f"DELETE FROM {_gone(pair)} AS g USING {pair.here} AS t WHERE {_same_key(pair, 't', 'g')} "
                f"AND EXISTS ({refers})"
            )
            kept = here.execute(query.encode()).rowcount > 0 or kept


def _table(here: Connection[Any], oid: int) -> str:
    row = here.execute(
        "SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname) FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s",
        (oid,),
    ).fetchone()
    assert row is not None
    return str(row[0])


# --- triggers, and small things ---------------------------------------------------------------------------------------


@contextmanager
def silenced(here: Connection[Any], oids: Sequence[int], silent: bool) -> Iterator[None]:
    """The tables' triggers do not fire in the block, those of foreign keys do. Others wait for its end."""
    found = triggers(here, oids) if silent else []
    for table, name, _ in found:
        here.execute(f"ALTER TABLE ONLY {table} DISABLE TRIGGER {quote(name)}".encode())
    yield
    if found:
        # What is still to be looked at of deferred keys would keep the table from being altered.
        here.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table, name, enabled in found:
        always = "ALWAYS " if enabled == "A" else ""
        here.execute(f"ALTER TABLE ONLY {table} ENABLE {always}TRIGGER {quote(name)}".encode())


_TRIGGERS = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), t.tgname, t.tgenabled::text
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND pn.nspname <> 'lockgate'
  AND (t.tgrelid = ANY (%(oids)s) OR EXISTS (
      SELECT FROM pg_catalog.pg_partition_ancestors(t.tgrelid) AS a (oid) WHERE a.oid = ANY (%(oids)s)))
ORDER BY 1, 2
"""


def triggers(here: Connection[Any], oids: Sequence[int]) -> list[tuple[str, str, str]]:
    """Quoted table, name and mode of each trigger that would fire; the ledger's own are not among them."""
    return [(str(a), str(b), str(c)) for a, b, c in here.execute(_TRIGGERS, {"oids": list(oids)})]


def _same_key(pair: Pair, left: str, right: str) -> str:
    return equal([held.column for held in pair.key], left, right)


def _numbered(pair: Pair) -> str:
    return ", ".join(f"v{n}" for n in range(len(pair.key)))


def _staged_name(pair: Pair) -> str:
    return f"lockgate_copy_{pair.table.oid}"


def _staged(pair: Pair) -> str:
    return f"pg_temp.{_staged_name(pair)}"


def _gone_name(pair: Pair) -> str:
    return f"lockgate_gone_{pair.table.oid}"


def _gone(pair: Pair) -> str:
    return f"pg_temp.{_gone_name(pair)}"
