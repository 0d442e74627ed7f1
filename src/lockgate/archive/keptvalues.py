"""What steps keep of the values of an archived table: it goes with the rows that are erased."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from psycopg import Connection, sql

from lockgate.archive.dropping import Archived
from lockgate.archive.erasing import Rows
from lockgate.catalog import relations
from lockgate.catalog.relations import Column
from lockgate.errors import PlanError
from lockgate.ledger import normalisations
from lockgate.ledger.normalisations import Normalisation
from lockgate.plan.values import split_name


def erase(conn: Connection[Any], table: Archived, rows: Rows) -> int:
    """Erase what normalisations kept of these rows, before they go: values of before, and unfit ones; how many.

    :raises PlanError: if the columns that tell whose they are were dropped.
    """
    found = normalisations.of_tables(conn, [table.now.oid])
    return sum(sum(_erase(conn, of, table, rows, _key(conn, of, table))) for of in found)


def _key(conn: Connection[Any], of: Normalisation, table: Archived) -> list[Column]:
    relation = relations.read(conn, table.now.oid)
    if len(relation.present(of.key)) < len(of.key):
        raise PlanError(
            f"What {of.name} kept of {table.was.label} cannot be told apart by person",
            where=table.now.label,
            why="Columns of the key by which it was kept were dropped.",
            hint=f"TRUNCATE {of.kept}; DELETE FROM lockgate.quarantine WHERE mapping = '{of.name}'; "
            "then run this again.",
        )
    return [relation.by_number(number) for number in of.key]


def _erase(conn: Connection[Any], of: Normalisation, table: Archived, rows: Rows, key: list[Column]) -> Iterator[int]:
    columns = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(sql.Identifier(column.name), sql.Identifier(f"k{n}"))
        for n, column in enumerate(key, 1)
    )
    # The operator is the catalog's own word, quoted where it needs it.
    same = sql.SQL(" AND ").join(
        sql.SQL("l.{name} {equals} p.{name}").format(
            name=sql.Identifier(f"k{n}"), equals=sql.SQL(cast("Any", column.equals))
        )
        for n, column in enumerate(key, 1)
    )
    theirs = sql.SQL("(SELECT {} FROM ONLY {} WHERE {}) AS p").format(columns, table.now.named(), rows)
    kept = sql.Identifier("lockgate", of.kept.removeprefix("lockgate."))
    yield conn.execute(sql.SQL("DELETE FROM {} AS l USING {} WHERE {}").format(kept, theirs, same)).rowcount
    source = sql.SQL(", ").join(
        sql.SQL("{}, p.{}::text").format(sql.Literal(_as_kept(name)), sql.Identifier(f"k{n}"))
        for n, name in enumerate(of.definition["key"], 1)
    )
    yield conn.execute(
        sql.SQL(
            "DELETE FROM lockgate.quarantine AS q USING {} WHERE q.plan = {} AND q.mapping = {} "
            "AND q.source = pg_catalog.jsonb_build_object({})"
        ).format(theirs, sql.Literal(of.plan), sql.Literal(of.name), source)
    ).rowcount


def _as_kept(name: str) -> str:
    """The name of a column as quarantine holds it: as the catalog did when it was written."""
    parts = split_name(name)
    assert parts is not None, "the plan's model let no other name through"
    return parts[0]
