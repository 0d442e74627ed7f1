"""Runs: which command ran, from where, and how it ended."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from lockgate import __version__
from lockgate.errors import LedgerError
from lockgate.ledger.queries import load


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of a command. A run that was killed has neither ``ended_at`` nor ``outcome``."""

    id: int
    plan: str
    digest: str
    command: str
    host: str
    pid: int
    version: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None


def start(conn: Connection[Any], *, plan: str, digest: str, command: str) -> int:
    """Note that this process begins to run ``command``; returns the run's id."""
    values = {
        "plan": plan,
        "digest": digest,
        "command": command,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "version": __version__,
    }
    made = conn.cursor(row_factory=scalar_row).execute(load("runs.start"), values).fetchone()
    assert isinstance(made, int)
    return made


def finish(conn: Connection[Any], run_id: int, outcome: str) -> None:
    """Note that a run ended, and how.

    :raises LedgerError: for a run that is not there or has ended.
    """
    if conn.execute(load("runs.finish"), {"id": run_id, "outcome": outcome}).rowcount != 1:
        raise LedgerError(f"Run {run_id} cannot end: it is not there, or has ended", where="lockgate.runs")


def of_plan(conn: Connection[Any], plan: str) -> list[RunRow]:
    """All runs of a plan, the oldest first."""
    return conn.cursor(row_factory=class_row(RunRow)).execute(load("runs.of_plan"), {"plan": plan}).fetchall()


def under_way(conn: Connection[Any], plan: str) -> bool:
    """Whether a runner is at work at the plan and alive, as far as its lease tells."""
    return bool(conn.cursor(row_factory=scalar_row).execute(load("runs.under_way"), {"plan": plan}).fetchone())
