"""Makes the database as it is before the first phase: the application's eight tables, by seed and scale."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from lockgate.history.base import Ran
from lockgate.history.prisma import Prisma

from .counts import Expected, expected

FOLDER = Path(__file__).parent
_STATISTICS = 'VACUUM (ANALYZE) "Lead", "Quote", "Job", "Audit", "User", "Notification"'


def generate(conn: psycopg.Connection[Any], scale: float = 1.0, seed: int = 1) -> Expected:
    """Apply the project's first migration, as Prisma would, and fill its tables; return what the plan must make of it.

    :param conn: an autocommit connection to an empty database.
    :raises ValueError: if ``scale`` is too small.
    :raises psycopg.Error: if the server refuses something, for example because "Lead" exists.
    """
    figures = expected(scale)
    tool = Prisma(FOLDER / "prisma" / "migrations")
    first = tool.migrations()[0]
    assert first.up is not None
    with conn.transaction():
        now = conn.execute("SELECT now()").fetchone()
        assert now is not None
        conn.execute(first.up.text.encode())
        home = tool.home(conn)
        tool.create(conn, home)
        tool.applied(conn, home, first, Ran(now[0], timedelta()))
    with conn.transaction():
        for name, value in (("seed", seed), ("leads", figures.leads)):
            conn.execute("SELECT set_config(%s, %s, true)", (f"generator.{name}", str(value)))
        conn.execute((FOLDER / "legacy" / "load.sql").read_text(encoding="utf-8").encode())
    conn.execute(_STATISTICS)
    return figures
