"""Everything that depends on tables, so that nobody is surprised when they are gone.

The catalog knows most of it. Functions that the server keeps as a text are known by that text alone: a table's name in
it, outside of comments, counts. What neither can tell is listed as not looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from lockgate import sqlfiles
from lockgate.sql.words import Words, words

# The kinds that the server has longer words for.
_KINDS = {
    "table constraint": "constraint",
    "domain constraint": "constraint",
    "default value": "default",
    "publication relation": "publication",
    "table column": "column",
    "view column": "column",
}
_HOW = {
    "constraint": "refers to",
    "default": "is made with",
    "sequence": "belongs to",
    "publication": "publishes",
    "view": "reads",
    "materialized view": "reads",
    "column": "has the type of",
}
_SPOKEN = frozenset({"sql", "plpgsql"})
_SCHEMAS_ARE_PUBLISHED = 150_000


@dataclass(frozen=True, slots=True, order=True)
class Dependent:
    """Something that depends on one of the tables, or on something that does.

    :param kind: such as ``view``, ``trigger``, ``constraint`` (a foreign key of another table) or ``function``.
    :param name: as SQL writes it, with its schema and, for a function, its arguments.
    :param how: in words, with what it hangs on.
    :param by_text: whether only the text of its body says so.
    :param catalog: the number of the catalog's table that it is in; 0 for what has no place of its own there: a
        publication that does not name the table, a function that a trigger calls.
    :param oid: its number there.
    """

    kind: str
    name: str
    how: str
    by_text: bool = False
    catalog: int = field(default=0, compare=False)
    oid: int = field(default=0, compare=False)

    @property
    def is_part(self) -> bool:
        """Whether it only exists for a table: the sequence of a column. What else numbers by it is found besides."""
        return self.kind == "sequence" and self.how.startswith(_HOW["sequence"])


@dataclass(frozen=True, slots=True)
class Dependents:
    """What depends on some tables.

    :param not_looked_at: what may depend on them without a trace that can be read, and why.
    """

    found: tuple[Dependent, ...]
    not_looked_at: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Thing:
    """Something in the catalog: the table of its kind, and its number there."""

    table: int
    oid: int


def dependents(conn: Connection[Any], oids: Collection[int], *, texts: bool = True) -> Dependents:
    """What depends on these relations and their partitions, and so on through views, functions and types.

    A partition counts as read by whatever reads the table that it is a part of. Functions that a trigger calls are
    found, and not what else calls them. Lockgate's own triggers and functions are left out.

    :param texts: whether to read the texts of functions; the server itself knows only what it finds without.
    """
    found: set[Dependent] = set()
    relations = _class(conn, "pg_class")
    known: dict[_Thing, None] = {}
    for row in _rows(conn, "family", oids=list(oids)):
        known[_Thing(relations, row["oid"])] = None
    own = [thing.oid for thing in known]
    found.update(_above(conn, oids))
    found.update(_beside(conn, own))
    bodies = _bodies(conn) if texts else []
    layer = list(known)
    while layer:
        seen = [thing.oid for thing in known if thing.table == relations]
        now = [thing.oid for thing in layer if thing.table == relations]
        reached: list[_Thing] = []
        for row in _rows(conn, "dependents", classes=_tables(layer), oids=[thing.oid for thing in layer], seen=seen):
            reached.append(_Thing(row["class"], row["oid"]))
            if not row["silent"]:
                found.add(_dependent(row))
        for name, identity in _names(conn, now):
            for body in bodies:
                if body.words.tell_of(name):
                    reached.append(_Thing(_class(conn, "pg_proc"), body.oid))
                    found.add(
                        Dependent(
                            body.kind,
                            body.name,
                            f"names {identity} in its text",
                            True,
                            _class(conn, "pg_proc"),
                            body.oid,
                        )
                    )
        layer = [thing for thing in dict.fromkeys(reached) if thing not in known]
        known.update(dict.fromkeys(layer))
    return Dependents(tuple(sorted(found)), tuple(note for body in bodies if (note := body.note)))


# --- by the catalog -------------------------------------------------------------------------------------------


def _dependent(row: dict[str, Any]) -> Dependent:
    kind = _KINDS.get(row["type"], row["type"])
    how = "is on" if row["within"] else _HOW.get(kind, "uses")
    return Dependent(kind, row["name"], f"{how} {row['hangs_on']}", False, row["class"], row["oid"])


def _above(conn: Connection[Any], oids: Collection[int]) -> Iterable[Dependent]:
    """The tables whose rows include those of the tables asked for."""
    pairs = [(row["oid"], row["child"]) for row in _rows(conn, "family", oids=list(oids)) if row["child"]]
    names = {row["oid"]: row["identity"] for row in _rows(conn, "names", oids=[oid for pair in pairs for oid in pair])}
    return [Dependent("table", names[parent], f"has the rows of {names[child]}") for parent, child in pairs]


def _beside(conn: Connection[Any], oids: list[int]) -> Iterable[Dependent]:
    """What the catalog does not tie to the tables themselves."""
    for row in _rows(conn, "called", oids=oids):
        yield Dependent("function", row["name"], f"is called by trigger {row['trigger']}")
    publishing = ["publishing"]
    if conn.info.server_version >= _SCHEMAS_ARE_PUBLISHED:
        publishing.append("publishing_schemas")
    for query in publishing:
        for row in _rows(conn, query, oids=oids):
            yield Dependent("publication", row["name"], row["how"])


# --- by the text ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Body:
    """The text of a function; ``note`` says what it does not tell."""

    oid: int
    kind: str
    name: str
    words: Words
    note: str | None


def _bodies(conn: Connection[Any]) -> list[_Body]:
    return [_body(row) for row in _rows(conn, "bodies")]


def _body(row: dict[str, Any]) -> _Body:
    language, said = row["language"], f"{row['type']} {row['name']}"
    if language not in _SPOKEN:
        note = f"{said} is written in {language}: only a name that stands in its text is seen"
        return _Body(row["oid"], row["type"], row["name"], Words(frozenset(), (row["body"],), False), note)
    found = words(row["body"])
    built = language == "plpgsql" and found.executes
    unseen = f"{said} runs SQL that it builds: only a name that stands in its text is seen" if built else None
    return _Body(row["oid"], row["type"], row["name"], found, unseen)


def _names(conn: Connection[Any], oids: list[int]) -> Iterable[tuple[str, str]]:
    return [(row["name"], row["identity"]) for row in _rows(conn, "names", oids=oids)] if oids else []


# --- the catalog's queries --------------------------------------------------------------------------------------


def _tables(things: Iterable[_Thing]) -> list[int]:
    return [thing.table for thing in things]


def _class(conn: Connection[Any], name: str) -> int:
    row = conn.execute("SELECT pg_catalog.to_regclass('pg_catalog.' || %s)::oid::bigint", (name,)).fetchone()
    assert row is not None
    return int(row[0])


def _rows(conn: Connection[Any], name: str, **given: Any) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sqlfiles.load("lockgate.catalog", name), given or None).fetchall()
