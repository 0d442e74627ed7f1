"""What going back from one schema to an earlier one would destroy: counted before it is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, Cursor, sql
from psycopg.rows import dict_row

from lockgate import sqlfiles
from lockgate.catalog.document import Document

_Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Destroyed:
    """Values that are there now, and will not be.

    :param kind: ``table``: its rows; ``column``: its values that are not NULL; ``enum value``: the rows that have it.
    :param name: as SQL writes it; for a value of an enum its type, the value, and the column.
    """

    kind: str
    name: str
    count: int

    def __str__(self) -> str:
        counted = "value" if self.kind == "column" else "row"
        return f"{self.kind} {self.name}: {self.count} {counted}{'' if self.count == 1 else 's'}"


def destroyed_by(conn: Connection[Any], before: Document, after: Document) -> list[Destroyed]:
    """What is lost when the schema, which is ``after`` now, becomes ``before`` again; reads the tables concerned.

    Only what holds something is told of. A column whose type goes back is not counted: what becomes of its values only
    the statement knows.

    :raises psycopg.Error: if the role may not read all rows of a table; row security must not hide any.
    """
    with conn.transaction(force_rollback=True), conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT pg_catalog.set_config('row_security', 'off', true)")
        lost = [*_tables(cursor, before, after), *_columns(cursor, before, after), *_labels(cursor, before, after)]
    return [item for item in lost if item.count]


def _tables(cursor: Cursor[dict[str, Any]], before: Document, after: Document) -> Iterator[Destroyed]:
    """A table that goes with the one that it is a partition of is counted there."""
    gone = {item.name: item for item in after.objects if item.kind == "table" and item.key not in before.by_key}
    names = [name for name, item in gone.items() if item.properties.get("partition of") not in gone]
    for row in _rows(cursor, "tables", names=names):
        count = sql.SQL("SELECT pg_catalog.count(*) AS count FROM {} {}").format(_only(row), _table(row))
        yield Destroyed("table", row["label"], _one(cursor, count)["count"])


def _columns(cursor: Cursor[dict[str, Any]], before: Document, after: Document) -> Iterator[Destroyed]:
    """Those of partitions are counted with their table; generated ones can be computed again."""
    gone: dict[str, list[str]] = defaultdict(list)
    for item in after.objects:
        table = after.by_key.get(("table", item.table or ""))
        stays = table is not None and table.key in before.by_key and "partition of" not in table.properties
        if item.kind == "column" and stays and item.key not in before.by_key and "generated" not in item.properties:
            gone[str(item.table)].append(item.name)
    for table_row in _rows(cursor, "tables", names=list(gone)):
        columns = _rows(cursor, "columns", table=table_row["label"], names=gone[table_row["label"]])
        counts = sql.SQL("SELECT {} FROM {} {}").format(
            sql.SQL(", ").join(
                sql.SQL("pg_catalog.count({}) AS {}").format(sql.Identifier(row["name"]), sql.Identifier(row["name"]))
                for row in columns
            ),
            _only(table_row),
            _table(table_row),
        )
        found = _one(cursor, counts)
        for row in columns:
            yield Destroyed("column", row["label"], found[row["name"]])


def _labels(cursor: Cursor[dict[str, Any]], before: Document, after: Document) -> Iterator[Destroyed]:
    """Values that an enum gained, in columns that stay."""
    for item in after.objects:
        was = before.by_key.get(item.key)
        if item.kind != "enum" or was is None:
            continue
        gained = [label for label in item.properties["labels"] if label not in was.properties["labels"]]
        for row in _rows(cursor, "holders", name=item.name) if gained else ():
            if ("column", row["label"]) in before.by_key:
                yield from _used(cursor, item.name, gained, row)


def _used(cursor: Cursor[dict[str, Any]], enum: str, labels: list[str], row: dict[str, Any]) -> Iterator[Destroyed]:
    column = sql.Identifier(row["column"])
    has = sql.SQL("l.label = ANY ({}::text[])" if row["is_array"] else "{}::text = l.label").format(column)
    query = sql.SQL(
        "SELECT pg_catalog.quote_literal(l.label) AS label, pg_catalog.count(*) AS count "
        "FROM ONLY {table} JOIN pg_catalog.unnest(%(labels)s::text[]) AS l (label) ON {has} GROUP BY l.label ORDER BY 1"
    ).format(table=_table(row), has=has)
    plain = [label[1:-1].replace("''", "'") for label in labels]
    for found in cursor.execute(query, {"labels": plain}).fetchall():
        yield Destroyed("enum value", f"{enum} {found['label']} in {row['label']}", found["count"])


def _table(row: dict[str, Any]) -> sql.Identifier:
    return sql.Identifier(row["schema"], row["name"])


def _only(row: dict[str, Any]) -> sql.SQL:
    return sql.SQL("" if row["partitioned"] else "ONLY")


def _rows(cursor: Cursor[dict[str, Any]], query: str, **given: Any) -> _Rows:
    return cursor.execute(sqlfiles.load("lockgate.catalog", f"destroyed.{query}"), given).fetchall()


def _one(cursor: Cursor[dict[str, Any]], query: sql.Composed) -> dict[str, Any]:
    return cursor.execute(query).fetchall()[0]
