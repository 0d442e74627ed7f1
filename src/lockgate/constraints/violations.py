"""Rows that constraints do not allow: counted before anything is added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

from psycopg import Connection, sql

from lockgate.constraints.state import Placed
from lockgate.constraints.wanted import Kind, Wanted
from lockgate.errors import DatabaseError
from lockgate.safety import snapshot
from lockgate.safety.facts import Facts
from lockgate.safety.probes import keys, rows
from lockgate.safety.probes.asking import Answer, Looked, Probe, Prober, source
from lockgate.safety.records import Relation
from lockgate.sql import ddl
from lockgate.sql.tree import strings

_LIMIT = timedelta(hours=1)


class _Found(NamedTuple):
    """Rows that stand against a constraint.

    :param examples: the query for some of them.
    """

    wanted: Wanted
    what: str
    examples: str


class Violations:
    """Looks for rows in the way of constraints.

    :param conn: an autocommit connection.
    :param every: the constraints of the step: a foreign key may refer to a primary key among them.
    """

    def __init__(self, conn: Connection[Any], every: Sequence[Placed]) -> None:
        self._facts = snapshot.read(conn)
        self._prober = Prober(conn, self._facts, _LIMIT)
        self._every = every

    def refuse(self, every: Sequence[Placed], before: Callable[[Wanted], None]) -> None:
        """Look for rows in the way of any of these.

        :param before: is told which constraint is looked at next, and may raise.
        :raises DatabaseError: if there are such rows, with each constraint that they stand against; where they cannot
            be counted, PostgreSQL finds them later.
        """
        found = list[_Found]()
        for each in self._suspects(every, before):
            before(each.wanted)
            found += self._found(each)
        if found:
            why = {_WHY[each.wanted.kind] for each in found}
            raise DatabaseError(
                "; ".join(each.what for each in found),
                where=found[0].wanted.where,
                why=why.pop() if len(why) == 1 else _SEVERAL,
                hint=f"These are some: {'; '.join(each.examples for each in found)}",
            )

    def _suspects(self, every: Sequence[Placed], before: Callable[[Wanted], None]) -> list[Placed]:
        """Without the CHECKs and NOT NULLs of tables where one question for all of these finds no row."""
        tables: dict[int, list[Placed]] = {}
        for each in every:
            if each.wanted.kind.checked:
                tables.setdefault(each.table.oid, []).append(each)
        sound = set[int]()
        for oid, together in tables.items():
            if len(together) > 1:
                before(together[0].wanted)
                probe = self._probe(*together)
                if probe is not None and self._ask(probe).none:
                    sound.add(oid)
        return [each for each in every if not (each.wanted.kind.checked and each.table.oid in sound)]

    def _found(self, each: Placed) -> list[_Found]:
        probe = self._probe(each)
        if probe is None:
            return []
        answer = self._ask(probe)
        if answer.looked is Looked.NOT or not answer.found:
            return []
        what = f"{answer.count} of {each.table.sql} stand against the {each.wanted.title}"
        examples = probe.examples(source(probe.relation, probe.alias)).as_string(self._prober.conn)
        return [_Found(each.wanted, what, examples)]

    def _ask(self, probe: Probe) -> Answer:
        return self._prober.ask(replace(probe, samples=False))

    def _probe(self, each: Placed, *more: Placed) -> Probe | None:
        """:param more: CHECKs and NOT NULLs of the same table, as the first one is; a row may stand against any."""
        relation = self._facts.relation(each.table.schema, each.table.name)
        if relation is None:
            return None
        wanted = each.wanted
        match wanted.kind:
            case Kind.CHECK | Kind.NOT_NULL:
                return _checked(self._facts, relation, [wanted, *(other.wanted for other in more)])
            case Kind.UNIQUE | Kind.PRIMARY_KEY:
                columns = [sql.Identifier(name) for name in wanted.columns]
                return keys.duplicates(relation, columns, nulls_distinct=not wanted.node.nulls_not_distinct)
            case Kind.FOREIGN_KEY:
                return self._orphans(wanted, relation)
            case Kind.EXCLUDE:
                return None

    def _orphans(self, wanted: Wanted, relation: Relation) -> Probe | None:
        parent = _parent(self._facts, wanted)
        referenced = self._referenced(wanted, parent) if parent else ()
        if parent is None or len(referenced) != len(wanted.columns):
            return None
        full = wanted.node.fk_matchtype == "f"
        return keys.orphans(self._facts, relation, wanted.columns, parent, referenced, match_full=full, total=False)

    def _referenced(self, wanted: Wanted, parent: Relation) -> Sequence[str]:
        """The columns that it refers to; without names those of the primary key, there or asked for."""
        named = strings(wanted.node.pk_attrs)
        if named:
            return named
        key = self._facts.primary_key(parent.oid)
        if key is not None:
            return self._facts.names_of(parent.oid, key.sorted_by)
        asked = (each for each in self._every if each.wanted.kind is Kind.PRIMARY_KEY)
        return next((each.wanted.columns for each in asked if each.table.oid == parent.oid), ())


_WHY = {
    Kind.CHECK: "They do not fulfil its condition. Each later UPDATE of one of them would fail.",
    Kind.FOREIGN_KEY: "They refer to rows that are not there. Each later UPDATE of these columns would fail.",
    Kind.UNIQUE: "They share their key with another row.",
    Kind.PRIMARY_KEY: "They share their key with another row.",
    Kind.NOT_NULL: "They hold a NULL. Each later UPDATE of one of them would fail.",
}
_SEVERAL = "Each later UPDATE of one of them would fail; for a foreign key, of its columns."


def _checked(facts: Facts, relation: Relation, every: Sequence[Wanted]) -> Probe:
    conditions = [
        rows.null(each.columns)
        if each.kind is Kind.NOT_NULL
        else rows.refused(ddl.expression(each.node.raw_expr, values=True))
        for each in every
    ]
    known = all(each.kind is Kind.NOT_NULL for each in every)
    columns = [name for each in every if known for name in each.columns]
    return rows.matching(facts, relation, sql.SQL(" OR ").join(conditions), columns)


def _parent(facts: Facts, wanted: Wanted) -> Relation | None:
    node = wanted.node.pktable
    schemas = (node.schemaname,) if node.schemaname else facts.search_path
    found = (facts.relation(schema, node.relname) for schema in schemas)
    return next((each for each in found if each is not None), None)
