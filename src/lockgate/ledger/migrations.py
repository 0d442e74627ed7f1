"""Migrations of another tool that were run here: how far each is, and the text that ran."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row

from lockgate.ledger.queries import load

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class By:
    """Who runs it: a step of a plan, or (without a phase) somebody at the command line."""

    plan: str
    phase: str | None = None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """One migration of one history.

    :param history: the other tool's table, ``schema.table``.
    """

    history: str
    version: str


@dataclass(frozen=True, slots=True)
class MigrationRow:
    """The latest run of a migration.

    :param state: ``running`` or ``done``.
    :param script: the text that ran; None for what the tool's own program runs.
    :param digests: SHA-256 of each part that is done.
    :param runner_pid: who is in the middle of a statement that stands alone; ``runner_since`` when that session began.
    """

    history: str
    version: str
    tool: str
    name: str
    direction: Direction
    state: str
    script: str | None
    digests: list[str]
    runner_pid: int | None
    runner_since: str | None
    plan: str
    phase: str | None
    step: str | None
    started_at: datetime
    ended_at: datetime | None


def begin(
    conn: Connection[Any], key: Key, by: By, *, tool: str, name: str, direction: Direction, script: str | None
) -> None:
    """Write down that it begins; what an earlier run of it left here is gone."""
    values = {**asdict(key), **asdict(by), "tool": tool, "name": name, "direction": direction, "script": script}
    conn.execute(load("migrations.begin"), values)


def find(conn: Connection[Any], key: Key) -> MigrationRow | None:
    """The latest run of a migration, locked until the transaction ends."""
    return conn.cursor(row_factory=class_row(MigrationRow)).execute(load("migrations.find"), asdict(key)).fetchone()


def of_step(conn: Connection[Any], history: str, by: By) -> list[MigrationRow]:
    """What a step has run, in no order."""
    values = {"history": history, **asdict(by)}
    return conn.cursor(row_factory=class_row(MigrationRow)).execute(load("migrations.of_step"), values).fetchall()


def of_history(conn: Connection[Any], history: str) -> list[MigrationRow]:
    """All that was run here of a history, in no order."""
    cursor = conn.cursor(row_factory=class_row(MigrationRow))
    return cursor.execute(load("migrations.of_history"), {"history": history}).fetchall()


def advance(conn: Connection[Any], key: Key, digest: str) -> None:
    """One more part is done."""
    conn.execute(load("migrations.advance"), {**asdict(key), "digest": digest})


def runner(conn: Connection[Any], key: Key, pid: int | None, since: str | None) -> None:
    """Note who is about to run a statement that stands alone."""
    conn.execute(load("migrations.runner"), {**asdict(key), "pid": pid, "since": since})


def end(conn: Connection[Any], key: Key) -> None:
    """All of it is done."""
    conn.execute(load("migrations.end"), asdict(key))
