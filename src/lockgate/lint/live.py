"""Checking: texts against a live database, of which nothing but the catalog and rows are read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from psycopg import Connection, errors

from lockgate.errors import DatabaseError
from lockgate.lint.run import Outcome, lint
from lockgate.lint.sources import Found
from lockgate.lint.texts import Batch
from lockgate.safety import snapshot
from lockgate.safety.database import Database
from lockgate.safety.live.answers import ALL
from lockgate.safety.live.examining import examiner
from lockgate.safety.probes.asking import Prober


def check(found: Found, conn: Connection[Any], *, limit: timedelta, examples: bool = False) -> Outcome:
    """Look at all that would run, in its order.

    :param conn: an autocommit connection with the search_path of the application; only read on.
    :param limit: how long a query of rows may take.
    :param examples: whether to show keys of rows and constants of statements.
    :raises DatabaseError: if a lock keeps the catalog from being read.
    """
    try:
        facts = snapshot.read(conn)
    except errors.LockNotAvailable:
        raise DatabaseError(
            "The catalog cannot be read now",
            why="Somebody holds an ACCESS EXCLUSIVE lock on a table.",
            hint="Try again when that has ended.",
        ) from None
    database = Database(facts, Prober(conn, facts, limit, examples=examples))
    forth = replace(found, batches=[Batch([text for text in b.texts if text.direction == "up"]) for b in found.batches])
    return lint(forth, wanted=ALL, major=facts.version // 10_000, examiner=examiner(database, values=examples))
