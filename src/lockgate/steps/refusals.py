"""Statements of the plan that would break a mapping which is live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from lockgate.mapping.renaming import refuse_rename
from lockgate.script.located import Located


def ask(conn: Connection[Any], found: Sequence[Located]) -> None:
    """Look for statements that rename what a mapping reads.

    :raises PlanError: with the statement and the mapping.
    """
    for item in found:
        refuse_rename(conn, item.statement.text, item.where)
