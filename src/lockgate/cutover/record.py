"""What the ledger knows of cutovers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from lockgate.catalog.relations import Relation
from lockgate.cutover.queries import load


@dataclass(frozen=True, slots=True)
class Cutover:
    """A cutover that has begun.

    :param state: preparing, over, or taken_back.
    :param at: when the new model became the one that is written.
    :param targets: numbers of the targets that are cut over; of ``back``, those that keep the old model in step.
    :param closed: oids of the tables that are closed.
    """

    id: int
    state: str
    at: datetime | None
    targets: list[int]
    back: list[int]
    closed: list[int]


@dataclass(frozen=True, slots=True)
class HandedOver:
    """By which cutover the application took a target over, and when.

    :param back: numbers of the targets of the way back.
    """

    step: str
    at: datetime
    back: list[int]


def begin(conn: Connection[Any], plan: str, phase: str, step: str) -> Cutover:
    """Write down that a cutover is being prepared, once."""
    conn.execute(load("record.begin"), {"plan": plan, "phase": phase, "step": step})
    found = find(conn, plan, step)
    assert found is not None  # it was made, or was there
    return found


def find(conn: Connection[Any], plan: str, step: str) -> Cutover | None:
    """What is known of a cutover; None if it has not begun, or was taken back."""
    with conn.cursor(row_factory=class_row(Cutover)) as cursor:
        return cursor.execute(load("record.find"), {"plan": plan, "step": step}).fetchone()


def takes(conn: Connection[Any], cutover: int, targets: Sequence[int]) -> None:
    """These are the targets that are cut over, whatever was meant to be before."""
    conn.execute(load("record.reset"), {"id": cutover})
    for target in targets:
        conn.execute(load("record.has"), {"id": cutover, "target": target, "back": False})


def returns_by(conn: Connection[Any], cutover: int, target: int) -> None:
    """A target belongs to the way back."""
    conn.execute(load("record.has"), {"id": cutover, "target": target, "back": True})


def over(conn: Connection[Any], cutover: int, closed: Sequence[Relation], at: datetime) -> None:
    """The new model is the one, in the open transaction in which that becomes true."""
    conn.execute(load("record.move"), {"id": cutover, "state": "over", "at": at})
    for table in closed:
        conn.execute(load("record.closes"), {"id": cutover, "relid": table.oid, "label": table.label})


def taken_back(conn: Connection[Any], cutover: int) -> None:
    """The old model is the one again, in the open transaction in which that becomes true."""
    conn.execute(load("record.move"), {"id": cutover, "state": "taken_back", "at": None})
    conn.execute(load("record.reopen"), {"id": cutover})


def discarded(conn: Connection[Any], cutover: int) -> None:
    """The tables that it has closed are gone, in the open transaction that drops them: they are missed no more."""
    conn.execute(load("record.reopen"), {"id": cutover})


def forget(conn: Connection[Any], cutover: int) -> None:
    """Nothing is left of it."""
    conn.execute(load("record.forget"), {"id": cutover})


def handed_over(conn: Connection[Any], target: int) -> HandedOver | None:
    """The cutover by which the application took a target over; None if it did not."""
    with conn.cursor(row_factory=class_row(HandedOver)) as cursor:
        return cursor.execute(load("record.of_target"), {"target": target}).fetchone()


def leads_back(conn: Connection[Any], target: int) -> bool:
    """Whether a target belongs to a way back."""
    row = conn.execute(load("record.leads_back"), {"target": target}).fetchone()
    return bool(row and row[0])


def missing(conn: Connection[Any], cutover: int) -> list[str]:
    """The tables that it has closed and that are there no more, or by another name, in words."""
    return [
        f"{label} was dropped" if now is None else f"{label} is called {now}"
        for label, now in conn.execute(load("record.missing"), {"id": cutover})
    ]


def closed_tables(conn: Connection[Any]) -> list[str]:
    """The tables that cutovers have closed and that are there, of any plan."""
    return [str(row[0]) for row in conn.execute(load("record.closed_by"))]
