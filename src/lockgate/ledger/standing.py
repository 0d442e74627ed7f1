"""Standing checks in the ledger: what was found each time, which alerts stand, and who makes them now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from lockgate.errors import LeaseHeld, LeaseLost
from lockgate.ledger.queries import load

Outcome = Literal["holds", "fails", "unknown"]
NEWEST = 100
"""Results of each check that stay however old they are: an alert looks at so many runs at most."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A standing check in its present wording.

    :param asks: what must hold, in words.
    :param query: what was asked last.
    :param applies: whether it is to hold now.
    :param failing_since: when it failed first since it held last; None while it holds.
    :param alert_since: None without an alert.
    :param told: whether the last that the webhook took was that the alert stands.
    """

    id: int
    plan: str
    name: str
    digest: str
    asks: str
    query: str
    applies: bool
    failing_since: datetime | None
    alert_since: datetime | None
    told: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What one run found.

    :param value: what was measured, if it is a number.
    :param seconds: how long it took.
    :param found: in words, without any value of a row.
    """

    at: datetime
    outcome: Outcome
    value: float | None
    seconds: float
    found: str


@dataclass(frozen=True, slots=True)
class Trend:
    """A check with its latest results, the newest first."""

    check: CheckRow
    results: tuple[Result, ...]

    @property
    def last(self) -> Result | None:
        """The newest result; None before the first."""
        return self.results[0] if self.results else None

    @property
    def state(self) -> Literal["alert", "holds", "fails", "unknown", "idle"]:
        """How it stands: an alert goes before what the newest result says; idle is what is not to hold, or never was
        made."""
        if self.check.alert_since is not None:
            return "alert"
        return self.last.outcome if self.last is not None and self.check.applies else "idle"

    @property
    def unknown(self) -> bool:
        """Whether it could not be made the last time, even if it is an alert since before."""
        return self.check.applies and self.last is not None and self.last.outcome == "unknown"

    @property
    def change(self) -> float | None:
        """By how much the newest value is above the one before it; None where either is no number."""
        values = [result.value for result in self.results[:2]]
        return values[0] - values[1] if len(values) == 2 and None not in values else None  # type: ignore[operator]


def take(conn: Connection[Any], plan: str, holder: str, ttl: timedelta) -> int:
    """Become the one who makes a plan's standing checks; the epoch, by which others are told apart.

    :param holder: who, for people.
    :param ttl: for how long, unless it is extended.
    :raises LeaseHeld: while somebody else makes them.
    """
    values = {"plan": plan, "holder": holder, "ttl": ttl}
    row = conn.execute(load("standing.take"), values).fetchone()
    if row is None:
        who, left = conn.execute(load("standing.holder"), {"plan": plan}).fetchone() or (None, timedelta())
        raise LeaseHeld(
            f"Another run makes these checks now: {who or 'it has just ended'}",
            where="lockgate.standing_runs",
            hint=f"Nothing is to be done: the next run makes them. A run that is dead gives way in {left.seconds} s.",
        )
    return int(row[0])


def extend(conn: Connection[Any], plan: str, epoch: int, ttl: timedelta) -> None:
    """Stay the one for so much longer from now on; in an open transaction nobody takes over until it ends.

    :raises LeaseLost: when somebody did, since this run was silent for too long.
    """
    if conn.execute(load("standing.extend"), {"plan": plan, "epoch": epoch, "ttl": ttl}).rowcount != 1:
        raise LeaseLost(
            "Another run has taken over",
            where="lockgate.standing_runs",
            why="This one was not heard of in time: its machine slept, or the database did not answer.",
        )


def release(conn: Connection[Any], plan: str, epoch: int) -> None:
    """Let others make the checks; nothing if somebody does already."""
    conn.execute(load("standing.release"), {"plan": plan, "epoch": epoch})


def current(conn: Connection[Any], plan: str) -> dict[str, CheckRow]:
    """The checks as they are worded now, by name; none where the ledger is older than they are."""
    if not conn.cursor(row_factory=scalar_row).execute(load("standing.there")).fetchone():
        return {}
    rows = conn.cursor(row_factory=class_row(CheckRow)).execute(load("standing.current"), {"plan": plan})
    return {row.name: row for row in rows}


def define(conn: Connection[Any], plan: str, wanted: Sequence[tuple[str, str, str]], at: datetime) -> None:
    """Make the plan's checks the current ones: those that are worded anew begin anew, and keep what of them stands.

    :param wanted: name, digest, and what must hold in words, of each.
    """
    known = current(conn, plan)
    names = {name for name, _, _ in wanted}
    for row in known.values():
        if row.name not in names:
            conn.execute(load("standing.retire"), {"id": row.id, "at": at})
    for name, digest, asks in wanted:
        before = known.get(name)
        if before is not None and before.digest == digest:
            continue
        stands: dict[str, Any] = {"failing_since": None, "alert_since": None, "told": False}
        if before is not None:
            conn.execute(load("standing.retire"), {"id": before.id, "at": at})
            stands = {key: getattr(before, key) for key in stands}
        conn.execute(load("standing.define"), {"plan": plan, "name": name, "digest": digest, "asks": asks, **stands})


def keep(conn: Connection[Any], check: int, result: Result, query: str | None) -> None:
    """Put a result into the ledger.

    :param query: what was asked; None if nothing could be.
    """
    values = {"outcome": result.outcome, "value": result.value, "seconds": result.seconds, "found": result.found}
    conn.execute(load("standing.keep"), {"check": check, "at": result.at, **values})
    if query is not None:
        conn.execute(load("standing.set_query"), {"check": check, "query": query})


def judged(conn: Connection[Any], check: int, last: int) -> list[Outcome]:
    """The latest so many outcomes, the newest first, without those that could not be made."""
    values = {"check": check, "last": last}
    return conn.cursor(row_factory=scalar_row).execute(load("standing.judged"), values).fetchall()


def set_state(
    conn: Connection[Any], check: int, *, applies: bool, failing_since: datetime | None, alert_since: datetime | None
) -> None:
    """Say how a check stands."""
    values = {"applies": applies, "failing_since": failing_since, "alert_since": alert_since}
    conn.execute(load("standing.set_state"), {"check": check, **values})


def told(conn: Connection[Any], news: Mapping[int, bool]) -> None:
    """Note what the webhook has taken: of each of these checks, whether it is an alert."""
    conn.execute(load("standing.told"), {"checks": list(news), "alerts": list(news.values())})


def trends(conn: Connection[Any], plan: str, last: int) -> list[Trend]:
    """The checks with their latest results, in the order in which they came into the plan."""
    rows = current(conn, plan)
    results: dict[int, list[Result]] = defaultdict(list)
    if rows:
        for check, *fields in conn.execute(load("standing.results"), {"plan": plan, "last": last}):
            results[check].append(Result(*fields))
    return [Trend(row, tuple(results[row.id])) for row in rows.values()]


def forget(conn: Connection[Any], plan: str, before: datetime) -> int:
    """Remove results that are older, but for the newest; how many."""
    gone = conn.execute(load("standing.forget"), {"plan": plan, "before": before, "newest": NEWEST}).rowcount
    conn.execute(load("standing.forget_retired"), {"plan": plan, "before": before})
    return gone
