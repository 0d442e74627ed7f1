"""A table, and another one that is like it: what both need, beside columns, when the other is made empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from lockgate.replacing.queries import load

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


def tune(conn: Connection[Any], old: int, target: sql.Identifier) -> None:
    """Tell ANALYZE of a table's columns what it is told of another's, in the open transaction."""
    for each in rows(conn, "tuning", old):
        conn.execute(sql.SQL("ALTER TABLE {} {}").format(target, sql.SQL(each["change"])))


def extend(conn: Connection[Any], old: int, target: sql.Identifier) -> tuple[Copied, ...]:
    """Give a table the extended statistics of another one, in the open transaction."""
    made = []
    for each in rows(conn, "statistics", old):
        name = sql.Identifier(each["schema"], staged(each["oid"]))
        conn.execute(sql.SQL("CREATE STATISTICS {}{} FROM {}").format(name, sql.SQL(each["body"]), target))
        if each["target"] >= 0:
            conn.execute(sql.SQL("ALTER STATISTICS {} SET STATISTICS {}").format(name, sql.Literal(each["target"])))
        comment(conn, sql.SQL("STATISTICS {}").format(name), each["comment"])
        own(conn, sql.SQL("STATISTICS"), name, each["owner"])
        row = conn.execute(
            "SELECT e.oid::bigint FROM pg_catalog.pg_statistic_ext e JOIN pg_catalog.pg_namespace n "
            "ON n.oid = e.stxnamespace WHERE n.nspname = %s AND e.stxname = %s",
            (each["schema"], staged(each["oid"])),
        ).fetchone()
        assert row is not None
        made.append(Copied(each["oid"], int(row[0]), each["name"]))
    return tuple(made)


def unlike(conn: Connection[Any], old: int, new: int, *, stored: bool) -> list[str]:
    """In what two tables differ that must be alike: a line of each of the two for what is not the same.

    :param stored: whether their rows are to be stored in the same way, too.
    """
    faces = [{row["line"] for row in rows(conn, "face", oid, stored=stored)} for oid in (old, new)]
    return sorted(faces[0] ^ faces[1])


def unpaired(conn: Connection[Any], old: int, indexes: Sequence[Copied]) -> list[dict[str, Any]]:
    """The valid indexes of a table that another one has no counterpart of yet; as ``indexes`` tells them."""
    known = {each.old for each in indexes}
    return [each for each in rows(conn, "indexes", old) if each["is_valid"] and each["oid"] not in known]


def dress(conn: Connection[Any], old: int, new: int, target: sql.Identifier) -> None:
    """Give a new table what CREATE TABLE ... LIKE leaves out, in the open transaction.

    Comment, owner, rights and replica identity. It has no policies, sequences, triggers and foreign keys: these it gets
    with the name. Until then row security lets nobody but its owner see a row, where it is on.
    """
    known = rows(conn, "table", old)[0]
    if known["identity"] in ("f", "n"):
        replica = sql.SQL("FULL" if known["identity"] == "f" else "NOTHING")
        conn.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY {}").format(target, replica))
    comment(conn, sql.SQL("TABLE {}").format(target), known["comment"])
    for wanted, clause in ((known["secured"], "ENABLE"), (known["forced"], "FORCE")):
        if wanted:
            conn.execute(sql.SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(target, sql.SQL(clause)))
    own(conn, sql.SQL("TABLE"), target, known["owner"])
    grant(conn, old, new, "TABLE", target.as_string(conn))


def index(
    conn: Connection[Any], each: dict[str, Any], schema: str, target: sql.Identifier, primary_key: Sequence[str]
) -> Copied:
    """Make an index like another one, in the open transaction.

    :param each: one of ``indexes``.
    :param primary_key: the columns of the primary key, which may be more than those of the other.
    """
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


def store(conn: Connection[Any], part: sql.Identifier, known: dict[str, Any]) -> None:
    """Give a table that holds rows the storage parameters and the replica identity of another one.

    :param known: what the query ``table`` told of that.
    """
    for prefix, options in (((), known["options"]), (("toast",), known["toast_options"])):
        for name, _, value in (option.partition("=") for option in options or ()):
            parameter = sql.Identifier(*prefix, name)
            conn.execute(sql.SQL("ALTER TABLE {} SET ({} = {})").format(part, parameter, sql.Literal(value)))
    if known["identity"] in ("f", "n"):
        replica = sql.SQL("FULL" if known["identity"] == "f" else "NOTHING")
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


def comment(conn: Connection[Any], on: sql.Composable, text: str | None) -> None:
    """Say something about an object, if there is something to say."""
    if text is not None:
        conn.execute(sql.SQL("COMMENT ON {} IS {}").format(on, sql.Literal(text)))


def taken(conn: Connection[Any], schema: str, name: str) -> bool:
    """Whether a relation or a type has this name."""
    row = conn.execute(load("shape.taken"), {"schema": schema, "name": name}).fetchone()
    return bool(row and row[0])


def number_of(conn: Connection[Any], name: sql.Identifier) -> int:
    """The oid of a relation that is there."""
    row = conn.execute("SELECT %s::pg_catalog.regclass::oid::bigint", (name.as_string(conn),)).fetchone()
    assert row is not None
    return int(row[0])
