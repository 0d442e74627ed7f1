"""Backups of the database: where each is, what is in it, and when it was proven."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from lockgate.errors import LedgerError
from lockgate.ledger.queries import load


@dataclass(frozen=True, slots=True)
class BackupRow:
    """One backup.

    :param host: the machine that it was made on, and that ``folder`` is a path of.
    :param chosen: patterns of tables; none: the whole database.
    :param tables: ``schema.table`` -> its rows and content hash in the snapshot.
    :param proven_at: when it was restored and compared; None if it never was.
    """

    id: int
    plan: str
    made_at: datetime
    snapshot_at: datetime
    host: str
    folder: str
    chosen: list[str]
    manifest_sha256: str
    tables: dict[str, dict[str, Any]]
    proven_at: datetime | None
    restore_seconds: float | None


def keep(
    conn: Connection[Any],
    *,
    plan: str,
    snapshot_at: datetime,
    folder: str,
    chosen: Sequence[str],
    manifest_sha256: str,
    tables: Mapping[str, Mapping[str, Any]],
) -> int:
    """Note that a backup was made on this machine; its id."""
    values = {
        "plan": plan,
        "snapshot_at": snapshot_at,
        "host": socket.gethostname(),
        "folder": folder,
        "chosen": Jsonb(list(chosen)),
        "manifest_sha256": manifest_sha256,
        "tables": Jsonb(dict(tables)),
    }
    made = conn.cursor(row_factory=scalar_row).execute(load("backups.keep"), values).fetchone()
    assert isinstance(made, int)
    return made


def proven(conn: Connection[Any], backup: int, seconds: float) -> None:
    """Note that it was restored in so many seconds, and is what it was.

    :raises LedgerError: if there is no such backup.
    """
    if conn.execute(load("backups.proven"), {"id": backup, "seconds": seconds}).rowcount != 1:
        raise LedgerError(f"There is no backup {backup}", where="lockgate.backups")


def known(conn: Connection[Any]) -> list[BackupRow]:
    """The backups of this database that were not removed, the newest snapshot first.

    None where the ledger is older than backups.
    """
    there = conn.cursor(row_factory=scalar_row).execute(load("backups.there")).fetchone()
    return conn.cursor(row_factory=class_row(BackupRow)).execute(load("backups.known")).fetchall() if there else []


def removed(conn: Connection[Any], backup: int) -> bool:
    """Note that its files are given up; False if somebody did so already."""
    return conn.execute(load("backups.removed"), {"id": backup}).rowcount == 1


def given_up(conn: Connection[Any]) -> list[tuple[str, str]]:
    """Folder and SHA-256 of the manifest of each backup of this machine whose files were given up."""
    rows = conn.execute(load("backups.given_up"), {"host": socket.gethostname()}).fetchall()
    return [(str(folder), str(digest)) for folder, digest in rows]


def relied_on(conn: Connection[Any]) -> dict[int, str]:
    """Backups that something that was done relies on -> what, in words."""
    return {int(backup): str(why) for backup, why in conn.execute(load("backups.relied_on"))}
