"""One look at a database: its catalog, a way to ask for its rows within the time, and what could not be looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import Connection, sql

from lockgate.discover.queries import rows as known
from lockgate.safety.facts import Facts
from lockgate.safety.probes.asking import EXAMPLES, Prober, Rows, key, reason, source
from lockgate.safety.records import Column, Relation
from lockgate.sql.ddl import dotted

_SHARE = 4  # one query may take so small a part of the time that is left
_LEAST = 2.0  # seconds that a query may take in any case, as long as that much is left
_SORTING = "64MB"  # what a query that groups all rows may keep in memory


Query = sql.SQL | sql.Composed


class Unread(Exception):
    """What was asked could not be looked at.

    :param why: in a few words.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Measured:
    """Sizes (in bytes) and counters of a table with its partitions, as the server has them.

    :param held: whether somebody holds it so that nobody can read it.
    :param fillfactor: of the table, or the lowest of its partitions.
    :param analyzed: when last; empty if the server does not know of it.
    :param updated: rows that were ever updated or deleted; ``modified`` those that were changed since ``analyzed``.
    :param described: whether the planner has figures of its columns that the role may see.
    """

    held: bool
    heap: int
    indexes: int
    toast: int
    fillfactor: int
    analyzed: str
    described: bool
    modified: int
    dead: int
    updated: int
    reads: int
    writes: int


@dataclass(slots=True)
class Table:
    """A table that is looked at, a partitioned one as a whole.

    :ivar rows: how many there are: exact if ``counted``, else estimated.
    :ivar values: of columns that may be NULL, how many rows have a value; of those only that were counted in all rows.
    :ivar unread: why its rows cannot be looked at; empty if they can.
    """

    relation: Relation
    columns: tuple[Column, ...]
    measured: Measured
    rows: int = 0
    counted: bool = False
    unread: str = ""
    values: dict[str, int] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """``schema.name``, for people."""
        return self.relation.label

    @property
    def name(self) -> str:
        """Its name without the schema."""
        return self.relation.name

    @property
    def sql(self) -> str:
        """Its name as SQL writes it."""
        return dotted((self.relation.schema, self.relation.name))


@dataclass(slots=True)
class Survey:
    """What all looks share.

    :ivar clock: seconds that go on only.
    :ivar until: when the time is up.
    :ivar skipped: what was not looked at, for people.
    :ivar parents: the tables with a primary key of one column, and that, by the last word of their names; None until
        they are asked for.
    """

    conn: Connection[Any]
    facts: Facts
    prober: Prober
    clock: Callable[[], float]
    until: float
    examples: bool
    tables: list[Table] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    parents: dict[str, list[tuple[Table, Column]]] | None = None

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.until - self.clock())

    def known(self, name: str, **values: Any) -> list[Any]:
        """The rows of a query of ``known.sql``.

        :raises Unread: when the server refuses it.
        :raises psycopg.Error: when the connection is lost.
        """
        try:
            with self.prober.looking(self._limit()):
                return known(self.conn, name, **values)
        except psycopg.Error as error:
            raise self._unread(error) from None

    def ask(
        self, query: Query, relations: Sequence[Relation] = (), columns: Sequence[str] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows of a query, which is a read-only transaction of its own.

        :param relations: that it reads; ``columns`` of the first one.
        :raises Unread: when the role may not, or the time is up.
        :raises psycopg.Error: when the connection is lost.
        """
        limit = self._limit()
        try:
            refusal = self.prober.refusal(relations, columns)
            if refusal:
                raise Unread(refusal)
            with self.prober.looking(limit):
                self.conn.execute("SELECT pg_catalog.set_config('work_mem', %s, true)", (_SORTING,))
                return list(self.conn.execute(query).fetchall())
        except psycopg.Error as error:
            raise self._unread(error) from None

    def _unread(self, error: psycopg.Error) -> Exception:
        """What to raise of it: that something was not looked at, unless nothing can be looked at any more."""
        return error if self.conn.closed else Unread(reason(error))

    def keys(self, table: Table, condition: sql.Composable, columns: Sequence[str] = ()) -> Rows:
        """The keys of some rows that a condition holds for, where examples are wanted."""
        named = key(self.facts, table.relation)
        query = sql.SQL("SELECT {} FROM {} WHERE {} LIMIT {}").format(
            named, source(table.relation), condition, EXAMPLES
        )
        return self.shown(query, table, columns)

    def shown(self, query: Query, table: Table, columns: Sequence[str] = ()) -> Rows:
        """What a query for examples yields, where they are wanted and can be had."""
        if not self.examples:
            return ()
        try:
            return tuple(tuple(row) for row in self.ask(query, [table.relation], columns))
        except Unread:
            return ()

    def text(self, query: sql.Composable) -> str:
        """A query as one runs it again."""
        return query.as_string(self.conn)

    def skip(self, what: str, why: str) -> None:
        """Say that something was not looked at."""
        said = f"{what}: {why}"
        if said not in self.skipped:
            self.skipped.append(said)

    def _limit(self) -> timedelta:
        """:raises Unread: when the time is up."""
        left = self.left
        if left <= 0.01:
            raise Unread("the time was up")
        return timedelta(seconds=min(left, max(_LEAST, left / _SHARE)))
