"""What a table is beside its rows: a hash for each kind of its parts, to see that a restored one is what it was."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from typing import Any

from psycopg import Connection

from lockgate import sqlfiles


def shape(conn: Connection[Any], oid: int) -> dict[str, str]:
    """``constraints``, ``indexes``, ``grants`` and so on -> the hash of all that the table has of it.

    Kinds of which it has nothing are left out. Servers of other major versions may write the same definition
    otherwise.
    """
    lines: dict[str, list[str]] = defaultdict(list)
    with conn.transaction():
        conn.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)")
        for kind, name, definition in conn.execute(sqlfiles.load("lockgate.catalog", "shape"), {"oid": oid}):
            lines[kind].append(repr((name, definition)))
    return {kind: sha256("\n".join(sorted(lines[kind])).encode()).hexdigest()[:16] for kind in sorted(lines)}
