"""Asking a question about rows: a sample first where the table is large, then all rows as far as time allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import psycopg
from psycopg import Connection, sql

from lockgate.safety.facts import Facts
from lockgate.safety.records import Relation

Rows = tuple[tuple[str | None, ...], ...]

EXAMPLES = 5
_LARGE = 64 * 1024**2  # bytes above which a sample is taken first
_SAMPLED = 16 * 1024**2  # bytes that a sample is about as large as
_SEED = 1
_LEAST_PER_CENT = 0.0001


class Looked(StrEnum):
    """How a question was answered."""

    EXACT = "exact"
    SAMPLED = "sampled"
    NOT = "not looked"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question came to.

    :param found: how many of the rows that were looked at are such; ``at_least`` where counting ended there.
    :param rows: how many were looked at; 0 where nobody counted.
    :param of: how many there are, by the server's estimate; None if it is not known.
    :param examples: the keys of some, as texts, where they were asked for: they may be personal data.
    :param why: why it was not looked at, or not at all rows.
    """

    looked: Looked
    found: int = 0
    rows: int = 0
    of: int | None = None
    at_least: bool = False
    examples: Rows = ()
    why: str = ""

    @property
    def none(self) -> bool:
        """Whether it is proved that there are none."""
        return self.looked is Looked.EXACT and not self.found

    @property
    def count(self) -> str:
        """How many, in words."""
        more = "at least " if self.at_least or self.looked is Looked.SAMPLED else ""
        return f"{more}{self.found:,} row{'' if self.found == 1 else 's'}"

    def __str__(self) -> str:
        match self.looked:
            case Looked.EXACT:
                return "exact"
            case Looked.SAMPLED:
                whole = f" of about {self.of:,}" if self.of is not None else ""
                return f"sampled {self.rows:,}{whole} rows"
            case Looked.NOT:
                return f"not looked: {self.why}"


@dataclass(frozen=True, slots=True)
class Probe:
    """A question.

    :param relation: whose rows it asks for, of which a sample may be taken; ``others`` are read besides.
    :param count: the query that counts, given what stands in FROM: how many were looked at, and how many are such.
    :param examples: the query for the keys of some.
    :param columns: which columns of ``relation`` it reads; none: any.
    """

    relation: Relation
    count: Callable[[sql.Composable], sql.Composed]
    examples: Callable[[sql.Composable], sql.Composed]
    columns: tuple[str, ...] = ()
    others: tuple[Relation, ...] = ()
    alias: str = ""
    samples: bool = True


class Prober:
    """Asks questions of one database.

    :param conn: an autocommit connection; each question is a read-only transaction of its own.
    :param limit: how long one query may take.
    :param examples: whether to bring keys of rows as examples.
    """

    def __init__(self, conn: Connection[Any], facts: Facts, limit: timedelta, *, examples: bool = False) -> None:
        self.conn = conn
        self.facts = facts
        self.limit = limit
        self.examples = examples

    def ask(self, probe: Probe) -> Answer:
        """Answer a question; what stands in the way is said in the answer."""
        refusal = self.refusal([probe.relation, *probe.others], probe.columns)
        if refusal:
            return Answer(Looked.NOT, why=refusal)
        estimate = self.facts.rows_of(probe.relation)
        of = None if estimate is None else round(estimate)
        sampled = self._sampled(probe, of)
        try:
            rows, found, examples = self._run(probe, source(probe.relation, probe.alias), self.limit)
        except psycopg.Error as error:
            return sampled or Answer(Looked.NOT, why=reason(error))
        return Answer(Looked.EXACT, found, rows, of, examples=examples)

    def refusal(self, relations: Sequence[Relation], columns: Sequence[str] = ()) -> str:
        """Why the role cannot read tables; empty if it can."""
        for relation in relations:
            if relation.kind == "f":
                return f"{relation.label} is a foreign table"
            names = list(columns) if relation is relations[0] else []
            row = self.conn.execute(
                "SELECT pg_catalog.has_table_privilege(%(oid)s::oid, 'SELECT') OR ((SELECT pg_catalog.bool_and("
                "pg_catalog.has_column_privilege(%(oid)s::oid, name, 'SELECT')) "
                "FROM pg_catalog.unnest(%(names)s::text[]) AS c (name)) IS TRUE), current_user, "
                "pg_catalog.has_schema_privilege(%(schema)s, 'USAGE')",
                {"oid": relation.oid, "names": names, "schema": relation.schema},
            ).fetchone()
            if row is not None and not (row[0] and row[2]):
                return f"role {row[1]} may not read {relation.label}"
        return ""

    @contextmanager
    def looking(self, limit: timedelta | None = None) -> Iterator[None]:
        """A read-only transaction on one moment, whose queries may take so long each."""
        milliseconds = max(1, round((limit or self.limit).total_seconds() * 1000))
        with self.conn.transaction(force_rollback=True):
            self.conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            self.conn.execute(
                "SELECT pg_catalog.set_config('statement_timeout', %s, true), "
                "pg_catalog.set_config('row_security', 'off', true)",
                (f"{milliseconds}ms",),
            )
            yield

    def _sampled(self, probe: Probe, of: int | None) -> Answer | None:
        size = self.facts.bytes_of(probe.relation)
        if size < _LARGE or not probe.samples:
            return None
        share = max(_LEAST_PER_CENT, 100 * _SAMPLED / size)
        try:
            rows, found, examples = self._run(probe, source(probe.relation, probe.alias, share), self.limit / 2)
        except psycopg.Error:
            return None
        why = "there was no time for all rows"
        return Answer(Looked.SAMPLED, found, rows, of, examples=examples, why=why)

    def _run(self, probe: Probe, rows: sql.Composable, limit: timedelta) -> tuple[int, int, Rows]:
        examples: Rows = ()
        with self.looking(limit):
            counted = self.conn.execute(probe.count(rows)).fetchone()
            assert counted is not None
            if counted[1] and self.examples:
                examples = tuple(tuple(row) for row in self.conn.execute(probe.examples(rows)).fetchall())
        return int(counted[0]), int(counted[1]), examples


def source(relation: Relation, alias: str = "", per_cent: float | None = None) -> sql.Composed:
    """What stands in FROM: a table with its partitions, or a sample of it.

    A table that others inherit from stands for itself, as it does for its constraints.
    """
    parts: list[sql.Composable] = [sql.SQL("ONLY ")] if relation.kind == "r" else []
    parts.append(sql.Identifier(relation.schema, relation.name))
    if alias:
        parts += [sql.SQL(" AS "), sql.Identifier(alias)]
    if per_cent is not None:
        parts.append(sql.SQL(" TABLESAMPLE SYSTEM ({}) REPEATABLE ({})").format(per_cent, _SEED))
    return sql.Composed(parts)


def key(facts: Facts, relation: Relation, alias: str = "") -> sql.Composed:
    """What names a row, as a list of texts: its primary key, else a unique one, else where it stands."""
    indexes = facts.indexes_of(relation.oid)
    ranked = sorted(indexes, key=lambda index: not index.primary)
    for index in ranked:
        columns = [facts.numbered(relation.oid, number) for number in index.sorted_by]
        known = [column for column in columns if column is not None and column.not_null]
        if index.identifies_rows and len(known) == len(columns):
            return _texts([column.name for column in known], alias)
    if relation.kind == "p":
        place = sql.SQL("{}::regclass::text, ").format(_named("tableoid", alias))
        return sql.Composed([place, _texts(["ctid"], alias)])
    return _texts(["ctid"], alias)


def _texts(names: Sequence[str], alias: str) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{}::text").format(_named(name, alias)) for name in names)


def _named(name: str, alias: str) -> sql.Identifier:
    return sql.Identifier(alias, name) if alias else sql.Identifier(name)


def reason(error: psycopg.Error) -> str:
    """Why a query failed, in a few words without any value of a row."""
    match error:
        case psycopg.errors.QueryCanceled():
            return "timed out"
        case psycopg.errors.LockNotAvailable():
            return "somebody holds a lock on the table"
        case psycopg.errors.InsufficientPrivilege():
            return "the role may not read all of its rows"
    return f"the query failed with SQLSTATE {error.sqlstate or 'unknown'}"
