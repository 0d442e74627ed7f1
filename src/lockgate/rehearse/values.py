"""Generated values: the SQL expression that yields a column's value for row ``g.i``, the same each time."""

from __future__ import annotations

import re

from psycopg import sql

from lockgate.rehearse.source import ColumnShape, TableShape

_INTEGERS = {"int2", "int4", "int8", "oid"}
_NUMBERS = {"numeric", "float4", "float8"}
_TEXTS = {"text", "varchar", "bpchar", "name", "citext"}
_LONGEST = 2000
_TEXT_DISTINCT = 8
# Canonical: CHECK ((state = ANY (ARRAY['new'::text, 'paid'::text])))
_ONE_OF = re.compile(r"= ANY \(+ARRAY\[(?P<list>.*?)\]", re.S)
_LITERAL = re.compile(r"'((?:[^']|'')*)'::")


def picked(seed: int, among: int) -> sql.Composed:
    """A number from 0 to below ``among`` that looks like chance, for row ``g.i``."""
    return sql.SQL("pg_catalog.abs(pg_catalog.hashint8extended(g.i, {}) % {})").format(
        sql.Literal(seed), sql.Literal(max(1, among))
    )


def or_null(value: sql.Composable, column: ColumnShape, seed: int) -> sql.Composable:
    """The value, or NULL as often as the source has it."""
    if not (column.nullable and column.nulls):
        return value
    often = sql.Literal(round(column.nulls * 10_000))
    return sql.SQL("CASE WHEN {} >= {} THEN {} END").format(picked(seed + 7, 10_000), often, value)


def expression(table: TableShape, column: ColumnShape, rows: int) -> sql.Composable | None:
    """The column's value in row ``g.i``; None if nothing is known to make of its type.

    :param rows: how many the table will have.
    """
    seed = table.oid * 1000 + column.number
    unique = any(column.number in one for one in table.uniques)
    distinct = rows if (column.number,) in table.uniques else _distinct(column, rows)
    number = sql.SQL("(g.i - 1)") if distinct >= rows and unique else picked(seed, distinct)
    choice = _choices(table, column)
    if choice:
        value: sql.Composable | None = sql.SQL("(ARRAY[{}])[1 + {}]").format(
            sql.SQL(", ").join(map(sql.Literal, choice)), picked(seed, min(distinct, len(choice)))
        )
    else:
        value = _value(column, number, distinct, unique=unique)
    if value is None:
        return sql.SQL("NULL") if column.nullable else None
    return or_null(sql.SQL("({})::{}").format(value, sql.SQL(column.type)), column, seed)


def _distinct(column: ColumnShape, rows: int) -> int:
    if column.distinct is None or column.distinct == 0:
        return rows
    return max(1, min(rows, round(column.distinct if column.distinct > 0 else -column.distinct * rows)))


def _choices(table: TableShape, column: ColumnShape) -> list[str]:
    """The texts that a check constraint of this column alone lists: they are the schema's, not a row's."""
    for columns, definition in table.checks:
        found = _ONE_OF.search(definition) if columns == (column.number,) else None
        if found and (texts := _LITERAL.findall(found["list"])):
            return [text.replace("''", "'") for text in texts]
    return []


def _value(column: ColumnShape, number: sql.Composable, distinct: int, *, unique: bool) -> sql.Composable | None:
    if column.is_array:
        return sql.SQL("'{{}}'").format()
    if column.kind == "e":
        return _one_of_enum(column, number)
    if column.kind == "r":
        return sql.SQL("'empty'")
    if column.base in _TEXTS:
        return _text(column, number, unique=unique)
    if column.low is not None and "infinity" not in f"{column.low}{column.high}".lower():
        return _between(column, number, distinct, unique=unique)
    return _other(column.base, number)


def _between(column: ColumnShape, number: sql.Composable, distinct: int, *, unique: bool) -> sql.Composable:
    """A number or a date from the lower bound to the higher one."""
    if column.base in _INTEGERS:
        text = "trunc({low}::numeric + {n} * greatest({least}, ({high}::numeric - {low}::numeric) / {d}))"
    elif column.base in _NUMBERS:
        text = "{low}::numeric + ({high}::numeric - {low}::numeric) * {n} / {d}"
    elif column.base == "date":
        text = (
            "{low}::date + {n}::int"
            if unique
            else "{low}::date + trunc(({high}::date - {low}::date) * {n}::float8 / {d})::int"
        )
    else:
        text = "{low}::{type} + ({high}::{type} - {low}::{type}) * ({n}::float8 / {d})"
    return sql.SQL(text).format(
        low=sql.Literal(column.low),
        high=sql.Literal(column.high),
        n=number,
        d=sql.Literal(distinct),
        least=sql.Literal(1 if unique else 0),
        type=sql.SQL(column.base),
    )


def _text(column: ColumnShape, number: sql.Composable, *, unique: bool) -> sql.Composable:
    width = min(max(1, column.width or _TEXT_DISTINCT), _LONGEST)
    if unique:
        width = max(width, _TEXT_DISTINCT)
    if column.typmod > 0 and column.base in {"varchar", "bpchar"}:
        width = min(width, column.typmod - 4)
    return sql.SQL("pg_catalog.rpad(pg_catalog.to_hex({n}), {w}, pg_catalog.md5(({n})::text))").format(
        n=number, w=sql.Literal(width)
    )


def _one_of_enum(column: ColumnShape, number: sql.Composable) -> sql.Composable:
    of = sql.SQL("pg_catalog.enum_range(NULL::{})").format(sql.SQL(column.type))
    return sql.SQL("({of})[1 + {n} % pg_catalog.cardinality({of})]").format(of=of, n=number)


def _other(base: str, number: sql.Composable) -> sql.Composable | None:
    made = {
        **dict.fromkeys(_INTEGERS | _NUMBERS, "1 + {}"),
        **dict.fromkeys(("timestamp", "timestamptz"), "timestamp '2020-01-01' + {} * interval '1 minute'"),
        "date": "date '2020-01-01' + ({})::int",
        "bool": "{} % 2 = 1",
        "uuid": "pg_catalog.md5(({})::text)",
        "bytea": "pg_catalog.decode(pg_catalog.md5(({})::text), 'hex')",
        "json": "pg_catalog.json_build_object('n', {})",
        "jsonb": "pg_catalog.jsonb_build_object('n', {})",
        "interval": "({}) * interval '1 minute'",
        "time": "time '00:00' + ({}) * interval '1 second'",
        "timetz": "time '00:00' + ({}) * interval '1 second'",
        "inet": "inet '10.0.0.0' + ({})",
        "cidr": "inet '10.0.0.0' + ({})",
        "money": "({})::numeric",
        "tsvector": "'n' || ({})",
        "xml": "'<n>' || ({}) || '</n>'",
    }.get(base)
    return sql.SQL(made).format(number) if made else None
