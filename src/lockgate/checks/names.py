"""Names of objects in checks: read, looked up, and written for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from lockgate import sqlfiles
from lockgate.plan.models import split_name
from lockgate.suggest import nearest

Parts = tuple[str, ...]
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def parts(name: str) -> Parts:
    """The parts of a name that the plan's model let through."""
    found = split_name(name)
    assert found is not None, "the plan's model lets no other name through"
    return found


def spelled(name: Iterable[str]) -> str:
    """The parts as a plan writes them, quoted where they must be."""
    return ".".join(part if _PLAIN.fullmatch(part) else '"{}"'.format(part.replace('"', '""')) for part in name)


def near(name: Sequence[str], known: Iterable[Sequence[str]]) -> str:
    """`` (there is x)`` for the known name that was most likely meant, else nothing.

    That is one in the same schema or table whose own name is near, or one of the same name in a near one.
    """
    *home, last = name
    others = list(known)
    beside = {other[-1]: other for other in others if list(other[:-1]) == home}
    elsewhere = {".".join(other): other for other in others if other[-1] == last}
    if (found := nearest(last, beside)) is not None:
        return f" (there is {spelled(beside[found])})"
    found = nearest(".".join(name), elsewhere)
    return f" (there is {spelled(elsewhere[found])})" if found is not None else ""


def family(conn: Connection[Any], schema: str, name: str) -> set[tuple[str, str]]:
    """Schema and name of a table and of all its partitions; empty if it is not there."""
    return {(row["schema"], row["name"]) for row in rows(conn, "family", schema=schema, name=name)}


def query(name: str) -> bytes:
    """A query of objects.sql."""
    return sqlfiles.load("lockgate.checks", f"objects.{name}")


def rows(conn: Connection[Any], asked: str, /, **given: Any) -> list[dict[str, Any]]:
    """What a query of objects.sql yields."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query(asked), given or None).fetchall()
