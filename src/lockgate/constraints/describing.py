"""The statements that add constraints to tables that are not partitioned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from lockgate.constraints import state
from lockgate.constraints.wanted import Kind, Wanted, dropped, not_null, proved
from lockgate.indexing.state import look_for
from lockgate.script.located import Located


def statements(every: Sequence[Wanted], conn: Connection[Any] | None = None) -> list[Located]:
    """As they are run, one after the other: what one reading of a table proves comes first. Nothing is written.

    :param conn: tells which columns of a primary key may hold a NULL; None: as if none might.
    """
    tables: dict[str, list[Wanted]] = {}
    for each in every:
        if each.kind.checked:
            tables.setdefault(each.table, []).append(each)
        elif each.kind is Kind.PRIMARY_KEY and conn is not None:
            tables.setdefault(each.table, []).extend(_nullable(conn, each))
    found = [item for together in tables.values() for item in _checked(together)]
    for each in every:
        match each.kind:
            case Kind.FOREIGN_KEY:
                found += [each.added_unproved(), proved([each])]
            case Kind.UNIQUE | Kind.PRIMARY_KEY:
                found += [each.index().built(), each.added_on_index()]
            case Kind.EXCLUDE:
                found.append(each.added())
    return found


def _checked(every: Sequence[Wanted]) -> list[Located]:
    """:param every: CHECKs and NOT NULLs of one table."""
    checks = [each for each in every if each.kind is Kind.CHECK]
    nulls = list({each.name: each for each in every if each.kind is Kind.NOT_NULL}.values())
    stand_ins = [each.standing_in(f"{each.name}_not_null") for each in nulls]
    return [
        *(each.added_unproved() for each in (*checks, *stand_ins)),
        *([proved([*checks, *stand_ins])] if every else ()),
        *(each.added() for each in nulls),
        *(dropped(Kind.CHECK, each.table, each.name, each.where) for each in stand_ins),
    ]


def _nullable(conn: Connection[Any], wanted: Wanted) -> list[Wanted]:
    """What a primary key needs before, of columns that may hold a NULL."""
    table = look_for(conn, wanted.table)
    if table is None:
        return []
    found = []
    for column in wanted.columns:
        known = state.evidence(conn, Kind.NOT_NULL, table.sql, column)
        if known is not None and not known.result["not_null"]:
            found.append(not_null(wanted.table, column, wanted.where))
    return found
