"""A plain table, and a partitioned one that is like it: made empty, under a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from lockgate.partitioning.calendar import Period, literal
from lockgate.partitioning.queries import load

LONGEST = 63
"""Bytes of a name that the server keeps."""


@dataclass(frozen=True, slots=True)
class Copied:
    """An index of the table, and the one that takes its name, by their numbers."""

    old: int
    new: int
    name: str

    @property
    def aside(self) -> str:
        """What the index of the table of before is called while the other has its name."""
        return f"lockgate_before_{self.old}"

    @property
    def staged(self) -> str:
        """What the new index is called until it has the name."""
        return staged(self.old)


def staged(index: int) -> str:
    """What the index that takes the place of another one is called until then."""
    return f"lockgate_staged_{index}"


def suffixed(name: str, suffix: str) -> str:
    """A name with something behind it, cut so that the server keeps all of it."""
    room = LONGEST - len(suffix.encode())
    return name.encode()[:room].decode(errors="ignore") + suffix


def rows(conn: Connection[Any], query: str, oid: int, **given: Any) -> list[dict[str, Any]]:
    """Ask one of the queries of ``shape.sql`` about a relation."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load(f"shape.{query}"), {"oid": oid, **given}).fetchall()


def make(
    conn: Connection[Any],
    old: int,
    source: sql.Identifier,
    schema: str,
    name: str,
    column: str,
    primary_key: Sequence[str],
) -> tuple[int, list[Copied]]:
    """Make a partitioned table like another one, in the open transaction; its number, and its indexes.

    It has columns, defaults, checks, indexes, comments, grants, policies and owner of the other. It has no sequences,
    triggers and foreign keys: these it gets with the name.
    """
    known, target = rows(conn, "table", old)[0], sql.Identifier(schema, name)
    conn.execute(
        sql.SQL(
            "CREATE TABLE {} (LIKE {} INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY) PARTITION BY RANGE ({})"
        ).format(target, source, sql.Identifier(column))
    )
    new = number_of(conn, target)
    indexes = [
        _index(conn, each, schema, target, primary_key) for each in rows(conn, "indexes", old) if each["is_valid"]
    ]
    if known["identity"] in ("f", "n"):
        replica = sql.SQL("FULL" if known["identity"] == "f" else "NOTHING")
        conn.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY {}").format(target, replica))
    comment(conn, sql.SQL("TABLE {}").format(target), known["comment"])
    for policy in rows(conn, "policies", old, on=target.as_string(conn)):
        conn.execute(policy["statement"].encode())
        comment(conn, sql.SQL("POLICY {} ON {}").format(sql.Identifier(policy["name"]), target), policy["comment"])
    for wanted, clause in ((known["secured"], "ENABLE"), (known["forced"], "FORCE")):
        if wanted:
            conn.execute(sql.SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(target, sql.SQL(clause)))
    own(conn, sql.SQL("TABLE"), target, known["owner"])
    grant(conn, old, new, "TABLE", target.as_string(conn))
    return new, indexes


def add(
    conn: Connection[Any], old: int, target: sql.Identifier, part: sql.Identifier, period: Period | None, type_: str
) -> None:
    """Give a table that nobody uses yet a partition, in the open transaction; without a period the default one."""
    known = rows(conn, "table", old)[0]
    bounds: sql.Composable = sql.SQL("DEFAULT")
    if period is not None:
        lower, upper = literal(period.start, type_), literal(period.end, type_)
        bounds = sql.SQL("FOR VALUES FROM ({}) TO ({})").format(sql.SQL(lower), sql.SQL(upper))
    conn.execute(sql.SQL("CREATE TABLE {} PARTITION OF {} {}").format(part, target, bounds))
    store(conn, part, known["options"], known["identity"])
    own(conn, sql.SQL("TABLE"), part, known["owner"])


def store(conn: Connection[Any], part: sql.Identifier, options: Sequence[str] | None, identity: str) -> None:
    """Give a partition the storage parameters and the replica identity of another table."""
    for name, _, value in (option.partition("=") for option in options or ()):
        conn.execute(sql.SQL("ALTER TABLE {} SET ({} = {})").format(part, sql.Identifier(name), sql.Literal(value)))
    if identity in ("f", "n"):
        replica = sql.SQL("FULL" if identity == "f" else "NOTHING")
        conn.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY {}").format(part, replica))


def own(conn: Connection[Any], kind: sql.SQL, name: sql.Identifier, owner: str) -> None:
    """Give something to a role, unless it is its own already."""
    row = conn.execute("SELECT current_user = %s", (owner,)).fetchone()
    if not (row and row[0]):
        conn.execute(sql.SQL("ALTER {} {} OWNER TO {}").format(kind, name, sql.Identifier(owner)))


def grant(conn: Connection[Any], source: int, target: int, kind: str, on: str) -> None:
    """Give everybody the rights on one relation that they have on another, and no others.

    :param on: the name of the target in SQL.
    """
    for query, oid in (("granted", target), ("grants", source)):
        for (statement,) in conn.execute(load(f"shape.{query}"), {"oid": oid, "kind": kind, "on": on}).fetchall():
            conn.execute(statement.encode())


def span(conn: Connection[Any], source: sql.Identifier, column: str, type_: str) -> tuple[date | None, date | None]:
    """The first and the last day, in UTC, of the rows whose times the calendar knows; None without rows."""
    zone = sql.SQL(" AT TIME ZONE 'UTC'" if type_ == "timestamp with time zone" else "")
    name = sql.Identifier(column)
    row = conn.execute(
        sql.SQL(
            "SELECT (min({0}){1})::date, (max({0}){1})::date FROM {2} WHERE {0} >= '0001-01-02' AND {0} < '9999-01-01'"
        ).format(name, zone, source)
    ).fetchone()
    return (row[0], row[1]) if row else (None, None)


def comment(conn: Connection[Any], on: sql.Composable, text: str | None) -> None:
    """Say something about an object, if there is something to say."""
    if text is not None:
        conn.execute(sql.SQL("COMMENT ON {} IS {}").format(on, sql.Literal(text)))


def number_of(conn: Connection[Any], name: sql.Identifier) -> int:
    """The oid of a relation that is there."""
    row = conn.execute("SELECT %s::pg_catalog.regclass::oid::bigint", (name.as_string(conn),)).fetchone()
    assert row is not None
    return int(row[0])


def _index(
    conn: Connection[Any], each: dict[str, Any], schema: str, target: sql.Identifier, primary_key: Sequence[str]
) -> Copied:
    name = sql.Identifier(staged(each["oid"]))
    if each["constraint"] is not None:
        definition = each["definition"]
        if each["is_primary"] and set(primary_key) != set(each["columns"]):
            columns = sql.SQL(", ").join(map(sql.Identifier, primary_key))
            definition = sql.SQL("PRIMARY KEY ({})").format(columns).as_string(conn)
        statement = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(target, name, sql.SQL(definition))
    else:
        unique = sql.SQL("UNIQUE " if each["is_unique"] else "")
        statement = sql.SQL("CREATE {}INDEX {} ON {}{}").format(unique, name, target, sql.SQL(each["rest"]))
    conn.execute(statement)
    placed = sql.Identifier(schema, staged(each["oid"]))
    comment(conn, sql.SQL("INDEX {}").format(placed), each["comment"])
    comment(conn, sql.SQL("CONSTRAINT {} ON {}").format(name, target), each["constraint_comment"])
    return Copied(each["oid"], number_of(conn, placed), each["name"])
