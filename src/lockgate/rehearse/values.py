"""Generated values: the SQL expression that yields a column's value for row ``g.i``, the same each time."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from lockgate.rehearse import shapes
from lockgate.rehearse.source import TEXTS, ColumnShape, TableShape, choices

_INTEGERS = {"int2", "int4", "int8", "oid"}
_NUMBERS = {"numeric", "float4", "float8"}
_LONGEST = 2000
_TEXT_DISTINCT = 8
_ALL = 0.9999


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


def true(column: ColumnShape) -> float:
    """How often a flag is true: a part of 1; 0 for what is no flag."""
    return dict(column.common).get("t", 0.0) if column.base == "bool" else 0.0


def expression(table: TableShape, column: ColumnShape, rows: int) -> sql.Composable | None:
    """The column's value in row ``g.i``; None if nothing is known to make of its type.

    :param rows: how many the table will have.
    """
    seed = table.oid * 1000 + column.number
    unique = any(column.number in one for one in table.uniques)
    distinct = rows if (column.number,) in table.uniques or _differ(column) else _distinct(column, rows)
    number = sql.SQL("(g.i - 1)") if distinct >= rows else picked(seed, distinct)
    choice = choices(table.checks, column.number)
    value: sql.Composable | None
    if choice or (column.common and not unique):
        value = _chosen(column, choice, seed, distinct)
    else:
        value = _value(column, number, seed, distinct, unique=unique)
    if value is None:
        return sql.SQL("NULL") if column.nullable else None
    return or_null(sql.SQL("({})::{}").format(value, sql.SQL(column.type)), column, seed)


def _differ(column: ColumnShape) -> bool:
    """Whether no value came twice in the planner's sample, NULLs aside."""
    return column.distinct is not None and (column.nulls or 0.0) - column.distinct > _ALL


def _distinct(column: ColumnShape, rows: int) -> int:
    if column.distinct is None or column.distinct == 0:
        return rows
    return max(1, min(rows, round(column.distinct if column.distinct > 0 else -column.distinct * rows)))


def _chosen(column: ColumnShape, choice: Sequence[str], seed: int, distinct: int) -> sql.Composed:
    """One of the values that the schema names, as often as the source has it."""
    if not column.common:
        listed = sql.SQL(", ").join(map(sql.Literal, choice))
        return sql.SQL("(ARRAY[{}])[1 + {}]").format(listed, picked(seed, min(distinct, len(choice))))
    cases = [(part, sql.Literal(value)) for value, part in column.common]
    return shapes.by_part(picked(seed, shapes.PARTS), cases)


def _value(
    column: ColumnShape, number: sql.Composable, seed: int, distinct: int, *, unique: bool
) -> sql.Composable | None:
    if column.is_array:
        return sql.SQL("'{{}}'").format()
    if column.kind == "e":
        return _one_of_enum(column, number)
    if column.kind == "r":
        return sql.SQL("'empty'")
    if column.base in TEXTS:
        return _text(column, number, seed, unique=unique)
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


def _text(column: ColumnShape, number: sql.Composable, seed: int, *, unique: bool) -> sql.Composable:
    if column.shapes:
        return shapes.text(column.shapes, number, seed)
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
