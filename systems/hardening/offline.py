"""What the team did at night: the plan's statements as they would be written by hand, in one transaction.

Their runner wraps a file in a transaction, so nothing is CONCURRENTLY and each lock is held to the end. It is here for
its time only.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psycopg

FOLDER = Path(__file__).parent
FILES = (
    "offline/duplicates.sql",
    "plan/sql/functions.sql",
    "offline/values.sql",
    "offline/keys.sql",
    "plan/sql/defaults.sql",
    "plan/sql/trigrams.sql",
    "plan/sql/indexes.sql",
    "plan/sql/autovacuum.sql",
    "offline/analyze.sql",
)
"""In this order; those of the plan are its own."""


def harden(conn: psycopg.Connection[Any]) -> float:
    """Do it all; seconds that it took, in which nobody else could write, and hardly anybody read.

    :param conn: an autocommit connection to a database as the generator makes it.
    :raises psycopg.Error: if the server refuses something; nothing is changed.
    """
    start = time.monotonic()
    with conn.transaction():
        for name in FILES:
            conn.execute((FOLDER / name).read_bytes())
    return time.monotonic() - start
