"""Rights that anybody has, and row security that does not do what it seems to."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.discover.finding import Finding, Mend
from lockgate.discover.queries import load
from lockgate.discover.survey import Survey
from lockgate.sql.ddl import ident

_ROW_SECURITY = "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = '{}'::regclass"


def found(survey: Survey, members: frozenset[int]) -> Iterator[Finding]:
    """All of it.

    :param members: oids of what extensions brought.
    """
    by_oid = {table.relation.oid: table for table in survey.tables}
    for row in survey.known("public_writes"):
        table = by_oid.get(row.oid)
        if table is None or (table.relation.row_security and table.relation.policies):
            continue
        rights = ", ".join(row.privileges)
        yield Finding(
            "DB801",
            table.label,
            (),
            f"PUBLIC has {rights} on {table.label}: every role that may connect can change its rows.",
            load("public_writes").decode(),
            Mend(f"Grant it to those who need it; then REVOKE {rights} ON {table.sql} FROM PUBLIC;"),
        )
    for table in survey.tables:
        relation = table.relation
        if relation.row_security and not relation.policies:
            yield Finding(
                "DB802",
                table.label,
                (),
                f"Row security is on for {table.label} and it has no policy: whoever is neither its owner nor may "
                "bypass it "
                "sees no row and can write none.",
                _ROW_SECURITY.format(table.sql),
                Mend("Make the policies that were meant, or switch it off."),
            )
        if relation.policies and not relation.row_security:
            number = f"{relation.policies} polic{'y' if relation.policies == 1 else 'ies'}"
            yield Finding(
                "DB803",
                table.label,
                (),
                f"{table.label} has {number} and row security is off: every row is seen by whoever may read the table.",
                _ROW_SECURITY.format(table.sql),
                Mend(f"Try them on a copy; then ALTER TABLE {table.sql} ENABLE ROW LEVEL SECURITY;"),
            )
    for row in survey.known("definers"):
        if row.oid not in members:
            kind = "PROCEDURE" if row.kind == "p" else "FUNCTION"
            yield Finding(
                "DB804",
                row.name,
                (),
                f"{kind.capitalize()} {row.name} runs with the rights of its owner and does not set search_path: "
                "whoever "
                "calls it can put his own objects in front of those that it means.",
                load("definers").decode(),
                Mend(f"ALTER {kind} {row.name} SET search_path = pg_catalog, the schemas that it needs, pg_temp;"),
            )
    for row in survey.known("public_creates"):
        yield Finding(
            "DB805",
            row.schema,
            (),
            f"PUBLIC may create objects in schema {row.schema}: every role can put a table or function there that "
            "others "
            "then use for the one that they mean.",
            load("public_creates").decode(),
            Mend(f"REVOKE CREATE ON SCHEMA {ident(row.schema)} FROM PUBLIC;"),
        )
