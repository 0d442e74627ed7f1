"""How far the numbers of a key have come."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from lockgate.safety.probes.asking import Looked, Prober, reason
from lockgate.safety.records import Column, Relation

_LARGEST = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}


@dataclass(frozen=True, slots=True)
class Numbers:
    """The largest value of a column, and what its sequence has given out.

    :param largest: None for an empty table.
    :param last: what the sequence gave last; None without one, or if it never gave any.
    :param limit: the largest value that the type holds; None for a type without one.
    """

    looked: Looked
    largest: int | None = None
    last: int | None = None
    limit: int | None = None
    why: str = ""

    @property
    def behind(self) -> bool:
        """Whether the sequence will give out numbers that are taken."""
        return self.looked is Looked.EXACT and self.largest is not None and self.largest > (self.last or 0)

    @property
    def used(self) -> float | None:
        """How much of the type's numbers is used up, from 0 to 1."""
        if self.limit is None or self.looked is not Looked.EXACT:
            return None
        return max(self.largest or 0, self.last or 0) / self.limit


def numbers(prober: Prober, relation: Relation, column: Column, sequence: Relation | None = None) -> Numbers:
    """How far a column of whole numbers has come. Fast where an index begins with it; else it reads the table."""
    refusal = prober.refusal([relation], [column.name])
    if refusal:
        return Numbers(Looked.NOT, why=refusal)
    known = prober.facts.types.get(prober.facts.base_type(column.type))
    query = sql.SQL("SELECT max({})::bigint, {} FROM {}").format(
        sql.Identifier(column.name),
        sql.SQL("pg_catalog.pg_sequence_last_value({}::oid)").format(sequence.oid) if sequence else sql.SQL("NULL"),
        sql.Identifier(relation.schema, relation.name),
    )
    try:
        with prober.looking():
            row = prober.conn.execute(query).fetchone()
    except psycopg.Error as error:
        return Numbers(Looked.NOT, why=reason(error))
    assert row is not None
    return Numbers(Looked.EXACT, row[0], row[1], _LARGEST.get(known.name) if known else None)
