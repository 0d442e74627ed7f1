"""Numbers that are nearly used up, or that will be given out twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import sql

from lockgate.discover.finding import Finding, Mend
from lockgate.discover.survey import Survey, Table, Unread
from lockgate.safety.finding import Severity
from lockgate.safety.probes.asking import Looked, source
from lockgate.safety.probes.numbers import numbers
from lockgate.safety.records import Column
from lockgate.sql.ddl import dotted

_NEAR = 0.7
_VERY_NEAR = 0.9
_LIMITS = {"int2": 2**15 - 1, "int4": 2**31 - 1}


def found(survey: Survey, members: frozenset[int]) -> Iterator[Finding]:
    """Sequences first, then keys whose numbers come from elsewhere."""
    by_oid = {table.relation.oid: table for table in survey.tables}
    told: set[tuple[int, int]] = set()
    for row in survey.known("sequences"):
        table = by_oid.get(row.owner)
        if row.oid in members:
            continue
        if not row.readable:
            survey.skip(f"sequence {row.schema}.{row.name}", "the role may not read it")
            continue
        column = survey.facts.numbered(row.owner, row.number) if table is not None else None
        if table is not None and column is not None:
            told.add((table.relation.oid, column.number))
            yield from _behind(survey, row, table, column)
        yield from _near_end(survey, row, table, column)
    for table in survey.tables:
        yield from _key(survey, table, told)


def _near_end(survey: Survey, row: Any, table: Table | None, column: Column | None) -> Iterator[Finding]:
    if row.cycles or row.last is None or row.step < 0:
        return
    type_limit = _LIMITS.get(_type(survey, column), row.largest) if column is not None else row.largest
    limit = min(row.largest, type_limit)
    used = row.last / limit
    if used < _NEAR:
        return
    name = dotted((row.schema, row.name))
    holder = f", which fills {table.label}.{column.name}," if table is not None and column is not None else ""
    whose = "the column's type" if limit < row.largest else "its end"
    yield Finding(
        "DB601",
        table.label if table is not None else f"{row.schema}.{row.name}",
        (column.name,) if column is not None else (),
        f"Sequence {row.schema}.{row.name}{holder} has given out {row.last:,} of {limit:,}, which is {whose}: "
        f"{used:.0%} "
        "are used.",
        f"SELECT last_value FROM {name}",
        Mend(
            "Give the column and all that refers to it type bigint (a new column, filled by a transform, and a "
            "cutover)."
        ),
        count=row.last,
        of=limit,
        severity=Severity.HIGH if used >= _VERY_NEAR else Severity.MEDIUM,
        subject=f"{row.schema}.{row.name}",
    )


def _behind(survey: Survey, row: Any, table: Table, column: Column) -> Iterator[Finding]:
    if row.step < 0 or row.cycles or not _first_of_index(survey, table, column):
        return
    query = sql.SQL("SELECT max({})::bigint FROM {}").format(sql.Identifier(column.name), source(table.relation))
    try:
        [(largest,)] = survey.ask(query, [table.relation], [column.name])
    except Unread as error:
        survey.skip(f"the largest {column.name} of {table.label}", error.why)
        return
    last = row.last if row.last is not None else row.smallest - 1
    if largest is None or largest <= last or largest > row.largest:
        return
    name = dotted((row.schema, row.name))
    yield Finding(
        "DB602",
        table.label,
        (column.name,),
        f"Sequence {row.schema}.{row.name} has come to {last:,}, and {table.label}.{column.name} to {largest:,}: "
        "inserts fail "
        "at numbers that are taken.",
        survey.text(query),
        Mend(f"SELECT setval('{name}', (SELECT max({column.name}) FROM {table.sql}));"),
        count=largest - last,
        basis="the catalog and the largest key",
        subject=f"{row.schema}.{row.name}",
    )


def _key(survey: Survey, table: Table, told: set[tuple[int, int]]) -> Iterator[Finding]:
    """A primary key of few bytes whose numbers no sequence of its own gives out."""
    index = survey.facts.primary_key(table.relation.oid)
    if table.unread or index is None or len(index.sorted_by) != 1 or (table.relation.oid, index.sorted_by[0]) in told:
        return
    column = survey.facts.numbered(table.relation.oid, index.sorted_by[0])
    if column is None or _type(survey, column) not in _LIMITS:
        return
    come = numbers(survey.prober, table.relation, column)
    if come.looked is not Looked.EXACT or come.used is None or come.used < _NEAR:
        return
    yield Finding(
        "DB601",
        table.label,
        (column.name,),
        f"The key {column.name} of {table.label} has come to {come.largest:,} of {come.limit:,}: {come.used:.0%} of "
        "what its "
        "type holds are used.",
        f"SELECT max({dotted((column.name,))}) FROM {table.sql}",
        Mend(
            "Give the column and all that refers to it type bigint (a new column, filled by a transform, and a "
            "cutover)."
        ),
        count=come.largest,
        of=come.limit,
        basis="the largest key",
        severity=Severity.HIGH if come.used >= _VERY_NEAR else Severity.MEDIUM,
    )


def _first_of_index(survey: Survey, table: Table, column: Column) -> bool:
    """Whether its largest value is found at once."""
    indexes = survey.facts.indexes_of(table.relation.oid)
    return any(
        index.valid and index.method == "btree" and index.predicate is None and index.sorted_by[:1] == (column.number,)
        for index in indexes
    )


def _type(survey: Survey, column: Column | None) -> str:
    known = survey.facts.types.get(survey.facts.base_type(column.type)) if column is not None else None
    return known.name if known is not None else ""
