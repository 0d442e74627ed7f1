"""Statements of the plan that would break a mapping which is live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.sql.split import Statement

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan


def ask(conn: Connection[Any], loaded: LoadedPlan, statements: Sequence[Statement], where: str) -> None:
    """Ask the mappings whether one of them would break.

    :raises PlanError: with the statement and the mapping that reads what it changes.
    """
    # from lockgate.mapping import refuse_rename
    # refuse_rename(conn, loaded.plan.plan, statements, where)
