"""Running a discovery in a test, and saying what it found in short."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import psycopg

from lockgate.discover import Finding, Outcome, Wishes, discover
from lockgate.engine.session import Sessions

Conn = psycopg.Connection[Any]


def look(dsn: str, **wishes: Any) -> Outcome:
    """One pass; ``wishes`` as ``Wishes`` has them."""
    sessions = Sessions(dsn)
    wanted = Wishes(**{"limit": timedelta(minutes=2), "unused_for": timedelta(days=3650), **wishes})
    with sessions.open("discover", plan_sql=True, read_only=True) as conn:
        return discover(conn, wanted, sessions.clock.monotonic)


def analyze(conn: Conn) -> None:
    """Analyze all tables, when the server has counted what was done before."""
    conn.execute("SELECT pg_stat_force_next_flush()")
    conn.execute("ANALYZE")


def short(findings: Iterable[Finding]) -> set[str]:
    """``DB201 public.t (a, b) 3``: code, table, columns or what it is about, and the count where rows are counted."""
    return {_short(finding) for finding in findings}


def _short(finding: Finding) -> str:
    about = f" ({', '.join(finding.columns)})" if finding.columns else ""
    counted = finding.code[:3] in {"DB2", "DB4", "DB5"} and finding.count is not None
    return f"{finding.code} {finding.table}{about}{f' {finding.count}' if counted else ''}"
