"""Indexes: invalid, redundant, without use, and missing below a foreign key."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import psycopg
from psycopg import sql

from lockgate.checks.names import query as check_query
from lockgate.checks.names import rows as check_rows
from lockgate.discover import names
from lockgate.discover.finding import Finding, Mend
from lockgate.discover.queries import load
from lockgate.discover.survey import Survey, Table, Unread
from lockgate.safety.database import amount
from lockgate.safety.finding import Severity
from lockgate.safety.probes.asking import reason
from lockgate.safety.records import Index
from lockgate.sql.ddl import dotted, ident

MANY = 1000
"""Rows from which on reading a table for each row that is deleted elsewhere is felt."""
_SMALL_INDEX = 64 * 1024  # bytes; an index that nobody uses and that is no larger costs nothing
_NAME = 63
_LOOKUP_ROWS, _LOOKUP_COLUMNS = 100, 3


def invalid(survey: Survey) -> Iterator[Finding]:
    """Indexes that no query uses."""
    building = {row.oid for row in survey.known("builds")}
    for table, index in _indexes(survey):
        if index.valid or index.oid in building:
            continue
        name = dotted((index.schema, index.name))
        if index.partitioned:
            said = f"Index each partition, and attach those indexes to {name}: it becomes valid with the last one."
        else:
            said = f"DROP INDEX CONCURRENTLY {name}; and build it again, if it is still wanted."
        yield Finding(
            "DB301",
            table.label,
            survey.facts.names_of(table.relation.oid, index.sorted_by),
            f"Index {index.label} is invalid ({amount(index.bytes)}): its build has failed or was given up. Writes "
            "keep it "
            "up and no query uses it.",
            "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid",
            Mend(said),
            subject=index.label,
        )


def redundant(survey: Survey) -> Iterator[Finding]:
    """Indexes all of whose work another one does."""
    by_name = {(index.schema, index.name): (table, index) for table, index in _indexes(survey)}
    schemas = sorted({table.relation.schema for table in survey.tables})
    try:
        with survey.prober.looking():
            found = check_rows(survey.conn, "redundant", schemas=schemas)
    except psycopg.Error as error:
        raise Unread(reason(error)) from None
    for row in found:
        known = by_name.get(tuple(row["name"]))
        if known is None:
            continue
        table, index = known
        how = "repeats" if row["same"] else "is the beginning of"
        yield Finding(
            "DB302",
            table.label,
            survey.facts.names_of(table.relation.oid, index.sorted_by),
            f"Index {index.label} ({amount(index.bytes)}) {how} {'.'.join(row['other'])}, which does all that it does.",
            check_query("redundant").decode().replace("%(schemas)s", survey.text(sql.Literal(schemas))),
            Mend(f"DROP INDEX CONCURRENTLY {dotted((index.schema, index.name))};"),
            subject=index.label,
        )


def unused(survey: Survey, since: str, gone: frozenset[str]) -> Iterator[Finding]:
    """Indexes that no query has used since the counters count.

    :param since: when that is, for people.
    :param gone: labels of those that are to go for another reason.
    """
    used = {row.oid: row.scans or 0 for row in survey.known("index_use")}
    carried = {constraint.rests_on for constraint in survey.facts.constraints}
    for table, index in _indexes(survey):
        needed = index.unique or index.oid in carried or index.replica_identity or index.clustered or index.partitioned
        if needed or not index.valid or index.bytes <= _SMALL_INDEX or used.get(index.oid, 1) or index.label in gone:
            continue
        if table.measured.reads == 0:  # then it says nothing of the index
            continue
        yield Finding(
            "DB303",
            table.label,
            survey.facts.names_of(table.relation.oid, index.sorted_by),
            f"No query has used index {index.label} ({amount(index.bytes)}) since {since}. Replicas count for "
            "themselves.",
            load("index_use").decode(),
            Mend(f"Look at the replicas, too; then DROP INDEX CONCURRENTLY {dotted((index.schema, index.name))};"),
            subject=index.label,
        )


def under_foreign_keys(survey: Survey) -> Iterator[Finding]:
    """Foreign keys whose columns no index of a table with many rows begins with."""
    by_oid = {table.relation.oid: table for table in survey.tables}
    for constraint in survey.facts.constraints:
        table = by_oid.get(constraint.relation)
        if constraint.type != "f" or constraint.parent or table is None or table.rows < MANY:
            continue
        if leads(survey, table, constraint.columns) or is_lookup(survey, constraint.referenced):
            continue
        columns = survey.facts.names_of(table.relation.oid, constraint.columns)
        parent = survey.facts.relations[constraint.referenced].label
        yield Finding(
            "DB304",
            table.label,
            columns,
            f"Foreign key {constraint.name} ({', '.join(columns)}) refers to {parent}, and no index of {table.label} "
            "begins "
            f"with its columns: each delete there, and each update of its key, reads {rows_said(table)} here.",
            f"SELECT indexdef FROM pg_indexes WHERE schemaname = '{table.relation.schema}' AND tablename = "
            f"'{table.name}'",
            index_on(survey, table, columns),
            count=table.rows,
            exact=table.counted,
            basis="the catalog; all rows were counted" if table.counted else "the catalog; the rows are estimated",
            severity=Severity.MEDIUM if table.rows >= 10 * MANY else Severity.LOW,
            subject=constraint.name,
        )


def is_lookup(survey: Survey, oid: int) -> bool:
    """Whether a table lists the few values that a column may have: hardly anything is deleted there."""
    found = next((table for table in survey.tables if table.relation.oid == oid), None)
    if found is None or found.rows > _LOOKUP_ROWS or len(found.columns) > _LOOKUP_COLUMNS:
        return False
    return not any(
        (names.is_key(column.name, found.name) and names.plain(column.name) != "code")
        or column.type_name[:4] in {"time", "date"}
        for column in found.columns
    )


def leads(survey: Survey, table: Table, numbers: tuple[int, ...]) -> bool:
    """Whether an index that finds all rows begins with these columns, in whatever order."""
    for index in survey.facts.indexes_of(table.relation.oid):
        first = index.sorted_by[: len(numbers)]
        fits = index.valid and index.method in {"btree", "hash"} and set(first) == set(numbers)
        if fits and (index.predicate is None or _only_values(survey, table, index, numbers)):
            return True
    return False


def index_on(survey: Survey, table: Table, columns: tuple[str, ...], *, unique: bool = False) -> Mend:
    """The step that indexes columns."""
    name = free_name(survey, table, columns, "key" if unique else "idx")
    listed = ", ".join(map(ident, columns))
    statement = f"CREATE {'UNIQUE ' if unique else ''}INDEX {ident(name)} ON {table.sql} ({listed});"
    return Mend(f"{statement} (the step `index` builds it beside writers)", index=statement)


def free_name(survey: Survey, table: Table, columns: tuple[str, ...], end: str) -> str:
    """A name for an index or constraint that nothing has in the table's schema."""
    stem = "_".join((table.name, *columns))
    taken = {(index.schema, index.name) for index in survey.facts.indexes.values()}
    taken |= {(relation.schema, relation.name) for relation in survey.facts.relations.values()}
    taken |= {(table.relation.schema, each.name) for each in survey.facts.constraints_of(table.relation.oid)}
    for number in count():
        tail = f"_{end}{number or ''}"
        name = stem.encode()[: _NAME - len(tail)].decode(errors="ignore") + tail
        if (table.relation.schema, name) not in taken:
            return name
    raise AssertionError("some number is free")


def rows_said(table: Table) -> str:
    """How many rows, in words."""
    return f"{'' if table.counted else 'about '}{table.rows:,} rows"


def _only_values(survey: Survey, table: Table, index: Index, numbers: tuple[int, ...]) -> bool:
    """Whether a partial index leaves out only rows that refer to nothing."""
    names = survey.facts.names_of(table.relation.oid, numbers)
    allowed = {f"({form} IS NOT NULL)" for name in names for form in (name, f'"{name}"')}
    return index.predicate in allowed


def _indexes(survey: Survey) -> Iterator[tuple[Table, Index]]:
    for table in survey.tables:
        for index in survey.facts.indexes_of(table.relation.oid):
            yield table, index
