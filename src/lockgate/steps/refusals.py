"""Statements of the plan that would break a mapping which is live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from lockgate import mapping
from lockgate.steps.running import Located


def ask(conn: Connection[Any], plan: str, found: Sequence[Located]) -> None:
    """Ask the mappings whether a statement renames what one of them reads.

    :raises PlanError: with the statement and the mapping.
    """
    refuse = getattr(mapping, "refuse_rename", None)
    if refuse is not None:
        refuse(conn, plan, [item.statement for item in found])
