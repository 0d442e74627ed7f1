"""Control: what people change while a plan runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack

from psycopg import Connection
from psycopg.rows import class_row

from lockgate.errors import UsageError
from lockgate.ledger import canonical, chain
from lockgate.ledger.queries import load
from lockgate.ledger.transactions import joined


@dataclass(frozen=True, slots=True)
class Control:
    """The wishes for one plan.

    :param workers: None: the plan's own number.
    :param chunk_rows: rows a chunk; None: as the throttle finds.
    :param updated_at: None where nobody changed anything yet.
    """

    plan: str
    paused: bool = False
    reason: str | None = None
    workers: int | None = None
    chunk_rows: int | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None


class Changes(TypedDict, total=False):
    """What can be changed; ``updated_by`` is the database role where it is not given."""

    paused: bool
    reason: str | None
    workers: int | None
    chunk_rows: int | None
    updated_by: str


def get(conn: Connection[Any], plan: str) -> Control:
    """The present wishes; the defaults where nobody changed anything."""
    row = conn.cursor(row_factory=class_row(Control)).execute(load("control.get"), {"plan": plan}).fetchone()
    return row or Control(plan)


def set(conn: Connection[Any], plan: str, **changes: Unpack[Changes]) -> Control:
    """Change what is given, leave the rest, and append the change to the chain (kind ``control``).

    :raises UsageError: for fewer than one worker, or fewer than one row a chunk.
    """
    for name in ("workers", "chunk_rows"):
        value = changes.get(name)
        if isinstance(value, int) and value < 1:
            raise UsageError(f"{name} must be 1 or more, not {value}")
    values = {"plan": plan, "changes": canonical.dumps(canonical.plain(changes, "control"))}
    with joined(conn):
        row = conn.cursor(row_factory=class_row(Control)).execute(load("control.set"), values).fetchone()
        assert row is not None
        chain.append(conn, kind="control", plan=plan, payload={**changes, "updated_by": row.updated_by})
    return row
