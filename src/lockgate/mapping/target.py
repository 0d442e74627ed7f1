"""Whether what a mapping yields fits its target, found before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Column, Relation
from lockgate.errors import MappingRefused, PlanError
from lockgate.mapping.definition import Definition
from lockgate.mapping.privileges import missing
from lockgate.sql.select import Select
from lockgate.sql.tree import quote
from lockgate.suggest import nearest

# The statement is at fault. A lost connection, or a lock that was not had, says nothing about it.
NOT_ACCEPTED = (psycopg.ProgrammingError, psycopg.DataError, psycopg.NotSupportedError)
_SELF_FILLING = ("s", "v")
_INTEGERS = (21, 23, 20)  # smallint, integer, bigint
_STRINGS = (25, 1043)  # text, varchar: what is too long is refused, not cut
_ROUNDED = (1042, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700)  # types whose length or scale changes a value


def check_target(
    conn: Connection[Any],
    definition: Definition,
    target: Relation,
    outputs: Mapping[str, str],
    select: Select,
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """Check names, key, types, defaults and triggers; return the key's columns and the others.

    :param outputs: name -> type of what the SELECT yields.
    :raises PlanError: with the place and what to do.
    """
    own = next((name for name in outputs if name.startswith("lockgate_")), None)
    if own:
        raise PlanError(
            f'a column cannot be called "{own}"',
            where=definition.place("select"),
            why="names that begin with lockgate_ are Lockgate's own",
        )
    columns = {name: _column(definition, target, name, "select") for name in outputs}
    key = tuple(_column(definition, target, name, "key") for name in definition.key)
    missing = [column.name for column in key if column.name not in columns]
    if missing:
        near = nearest(missing[0], outputs)
        raise PlanError(
            f'the SELECT does not yield the key column "{missing[0]}"',
            where=definition.place("key"),
            hint=f"did you mean {near}?" if near else "yield it under that name",
        )
    _check_key(definition, target, key)
    _check_stored_key(conn, definition, key)
    others = tuple(column for column in columns.values() if column not in key)
    _check_generated(definition, key, others)
    _check_triggers(definition, target)
    if definition.updates_only:
        if not others:
            raise PlanError(
                "the transform changes no column", where=definition.place("select"), hint="yield a new value"
            )
    else:
        _check_defaults(definition, target, {column.name for column in (*key, *others)})
    _check_types(conn, definition, target, [*key, *others], select)
    return key, others


def _column(definition: Definition, target: Relation, name: str, part: str) -> Column:
    column = target.column(name)
    if column is None:
        near = nearest(name, [c.name for c in target.columns])
        raise PlanError(
            f'{target.label} has no column "{name}"',
            where=definition.place(part),
            hint=f"did you mean {near}?" if near else "name the outputs of the SELECT after the target's columns",
        )
    return column


def _check_key(definition: Definition, target: Relation, key: tuple[Column, ...]) -> None:
    names = tuple(column.name for column in key)
    listed = ", ".join(quote(name) for name in names)
    if not any(index.identifies(names) for index in target.indexes):
        raise MappingRefused(
            f"{target.label} has no unique index on exactly its key ({', '.join(names)})",
            where=definition.place("key"),
            why="two rows of one key could not be told apart; a partial, deferrable or invalid index does not count",
            hint=f"CREATE UNIQUE INDEX CONCURRENTLY ON {target.sql} ({listed})",
        )
    for column in key:
        if not column.deterministic:
            raise MappingRefused(
                f'key column "{column.name}" of {target.label} has a collation that takes different texts for equal',
                where=definition.place("key"),
                why="the rows of the old model are told apart by what their texts are",
                hint='COLLATE "C" for the column, and lower() or the like in the SELECT',
            )
        if not column.not_null:
            raise MappingRefused(
                f'key column "{column.name}" of {target.label} may be NULL',
                where=definition.place("key"),
                why="a unique index lets any number of NULLs in, so each pass would add a row",
                hint=f"ALTER TABLE {target.sql} ALTER COLUMN {column.sql} SET NOT NULL",
            )


def _check_stored_key(conn: Connection[Any], definition: Definition, key: tuple[Column, ...]) -> None:
    """A key whose value changes when it is stored is not found again: 1.234 in numeric(10,2), 'A' in citext."""
    row = conn.execute("SELECT 'pg_temp.lockgate_probe'::pg_catalog.regclass::oid::bigint").fetchone()
    assert row is not None  # the caller made it
    yielded = catalog.read(conn, int(row[0]))
    for column in key:
        given = yielded.column(column.name)
        assert given is not None
        if not _keeps_its_value(given, column):
            raise PlanError(
                f'key column "{column.name}" is yielded as {given.type} and stored as {column.type}',
                where=definition.place("select"),
                why="a key whose value changes when it is stored could not be found again",
                hint=f"cast it in the SELECT: (...)::{column.type}",
            )


def _keeps_its_value(given: Column, stored: Column) -> bool:
    if given.base_type_oid == stored.base_type_oid:
        return stored.type in (given.type, stored.plain_type) or stored.base_type_oid not in _ROUNDED
    for family in (_INTEGERS, _STRINGS):
        if given.base_type_oid in family and stored.base_type_oid in family:
            return family is _STRINGS or family.index(given.base_type_oid) < family.index(stored.base_type_oid)
    return False


def _check_generated(definition: Definition, key: tuple[Column, ...], others: tuple[Column, ...]) -> None:
    for column in (*key, *others):
        # A key is inserted, which the server lets us do, and never updated, which it would not.
        if column.generated in _SELF_FILLING or (column.identity == "a" and column not in key):
            raise PlanError(
                f'column "{column.name}" is generated by the server and cannot be written',
                where=definition.place("select"),
                hint="leave it out of the SELECT",
            )


def _check_triggers(definition: Definition, target: Relation) -> None:
    unknown = [t for t in target.triggers if t.enabled != "D" and t.name not in definition.acknowledge_triggers]
    if unknown:
        raise MappingRefused(
            f'trigger "{unknown[0].name}" of {target.label} would fire for every row that Lockgate writes',
            where=definition.place("table" if definition.updates_only else "into"),
            why=f"it calls {unknown[0].function}, which may send mail, fill an outbox or change the row",
            hint=f"acknowledge_triggers: [{', '.join(t.name for t in unknown)}]  if that is meant",
        )


def _check_defaults(definition: Definition, target: Relation, yielded: set[str]) -> None:
    given = yielded | set(definition.on_insert)
    for name in definition.on_insert:
        _column(definition, target, name, "on_insert")
        if name in yielded:
            raise PlanError(
                f'column "{name}" is both yielded and set by `on_insert`',
                where=definition.place("on_insert", name),
            )
    for column in target.columns:
        fills_itself = column.has_default or column.identity or column.generated
        if column.not_null and not fills_itself and column.name not in given:
            raise PlanError(
                f'column "{column.name}" of {target.label} is NOT NULL, has no default, and is not yielded',
                where=definition.place("select"),
                hint="yield it, or set it by `on_insert:`",
            )


def _check_types(
    conn: Connection[Any], definition: Definition, target: Relation, columns: list[Column], select: Select
) -> None:
    """Let the server plan (not run) an insert of what the SELECT yields."""
    try:
        _plan_insert(conn, target, columns, select)
    except NOT_ACCEPTED as error:
        _find_misfit(conn, definition, target, columns, select)
        raise PlanError(
            f"what the SELECT yields does not fit {target.label}: {error.diag.message_primary}",
            where=definition.place("select"),
        ) from None
    for name, expression in definition.on_insert.items():
        try:
            with conn.transaction():
                conn.execute(f"EXPLAIN INSERT INTO {target.sql} ({quote(name)}) SELECT ({expression}\n)".encode())
        except NOT_ACCEPTED as error:
            raise PlanError(
                f'`on_insert` of "{name}" is refused by the server: {error.diag.message_primary}',
                where=definition.place("on_insert", name),
            ) from None


def _plan_insert(conn: Connection[Any], target: Relation, columns: Sequence[Column], select: Select) -> None:
    written, yielded = ", ".join(c.sql for c in columns), ", ".join(f"y.{c.sql}" for c in columns)
    with conn.transaction():
        conn.execute(
            f"EXPLAIN INSERT INTO {target.sql} ({written}) OVERRIDING SYSTEM VALUE "
            f"SELECT {yielded} FROM ({select.render()}) AS y".encode()
        )


def _find_misfit(
    conn: Connection[Any], definition: Definition, target: Relation, columns: list[Column], select: Select
) -> None:
    """Say which column it is that the server does not accept: it names none."""
    for column in columns:
        try:
            _plan_insert(conn, target, [column], select)
        except psycopg.errors.InsufficientPrivilege as error:
            raise missing(
                error,
                f"{target.label} cannot be written",
                where=definition.place("table" if definition.updates_only else "into"),
                hint=f"GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON {target.sql} TO the role that runs Lockgate",
            ) from None
        except NOT_ACCEPTED as error:
            raise PlanError(
                f'what the SELECT yields for "{column.name}" does not fit {target.label}: {error.diag.message_primary}',
                where=definition.place("select"),
                hint=f"cast it to {column.type}",
            ) from None
