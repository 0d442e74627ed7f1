"""Standing checks as the ledger has them, for tests without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lockgate.ledger.standing import CheckRow, Outcome, Result, Trend

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def trend(
    name: str = "storage",
    value: float | None = 0.25,
    outcome: Outcome = "holds",
    *,
    alert: bool = False,
    told: bool = False,
    applies: bool = True,
    number: int = 1,
) -> Trend:
    row = CheckRow(
        id=number,
        plan="shop",
        name=name,
        digest="d",
        asks="SELECT secret_column FROM t",
        query="SELECT secret_column FROM t",
        applies=applies,
        failing_since=NOON - timedelta(hours=1) if alert else None,
        alert_since=NOON - timedelta(minutes=30) if alert else None,
        told=told,
    )
    return Trend(row, (Result(NOON, outcome, value, 1.5, "what was found"),))
