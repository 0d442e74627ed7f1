"""Rows that a constraint does not allow: counted before it is added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from psycopg import Connection, sql

from lockgate.constraints.wanted import Kind, Wanted
from lockgate.errors import DatabaseError
from lockgate.indexing.state import Table
from lockgate.safety import snapshot
from lockgate.safety.facts import Facts
from lockgate.safety.probes import keys, rows
from lockgate.safety.probes.asking import Looked, Probe, Prober, source
from lockgate.safety.records import Relation
from lockgate.sql import ddl
from lockgate.sql.tree import strings

_LIMIT = timedelta(hours=1)


class Violations:
    """Looks for rows in the way of constraints.

    :param conn: an autocommit connection.
    """

    def __init__(self, conn: Connection[Any]) -> None:
        self._facts = snapshot.read(conn)
        self._prober = Prober(conn, self._facts, _LIMIT)

    def refuse(self, wanted: Wanted, table: Table) -> None:
        """:raises DatabaseError: if there are such rows; where they cannot be counted, PostgreSQL finds them later."""
        probe = _probe(self._facts, wanted, table)
        if probe is None:
            return
        answer = self._prober.ask(replace(probe, samples=False))
        if answer.looked is Looked.NOT or not answer.found:
            return
        examples = probe.examples(source(probe.relation, probe.alias)).as_string(self._prober.conn)
        raise DatabaseError(
            f"{answer.count} of {table.sql} stand against the {wanted.title}",
            where=wanted.where,
            why=_WHY[wanted.kind],
            hint=f"These are some: {examples}",
        )


_WHY = {
    Kind.CHECK: "They do not fulfil its condition. Each later UPDATE of one of them would fail.",
    Kind.FOREIGN_KEY: "They refer to rows that are not there. Each later UPDATE of these columns would fail.",
    Kind.UNIQUE: "They share their key with another row.",
    Kind.PRIMARY_KEY: "They share their key with another row.",
    Kind.NOT_NULL: "They hold a NULL. Each later UPDATE of one of them would fail.",
}


def _probe(facts: Facts, wanted: Wanted, table: Table) -> Probe | None:
    relation = facts.relation(table.schema, table.name)
    if relation is None:
        return None
    match wanted.kind:
        case Kind.CHECK:
            return rows.violating(facts, relation, ddl.expression(wanted.node.raw_expr, values=True))
        case Kind.NOT_NULL:
            return rows.nulls(facts, relation, wanted.columns)
        case Kind.UNIQUE | Kind.PRIMARY_KEY:
            columns = [sql.Identifier(name) for name in wanted.columns]
            return keys.duplicates(relation, columns, nulls_distinct=not wanted.node.nulls_not_distinct)
        case Kind.FOREIGN_KEY:
            return _orphans(facts, wanted, relation)
        case Kind.EXCLUDE:
            return None


def _orphans(facts: Facts, wanted: Wanted, relation: Relation) -> Probe | None:
    parent = _parent(facts, wanted)
    referenced = _referenced(facts, wanted, parent) if parent else ()
    if parent is None or len(referenced) != len(wanted.columns):
        return None
    full = wanted.node.fk_matchtype == "f"
    return keys.orphans(facts, relation, wanted.columns, parent, referenced, match_full=full)


def _parent(facts: Facts, wanted: Wanted) -> Relation | None:
    node = wanted.node.pktable
    schemas = (node.schemaname,) if node.schemaname else facts.search_path
    found = (facts.relation(schema, node.relname) for schema in schemas)
    return next((each for each in found if each is not None), None)


def _referenced(facts: Facts, wanted: Wanted, parent: Relation) -> Sequence[str]:
    """The columns that it refers to; without names those of the primary key."""
    named = strings(wanted.node.pk_attrs)
    key = facts.primary_key(parent.oid)
    return named or (facts.names_of(parent.oid, key.sorted_by) if key else ())
