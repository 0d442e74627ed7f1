"""Backups of the database: where each is, what is in it, and when it was proven."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from lockgate.errors import LedgerError
from lockgate.ledger.queries import load


@dataclass(frozen=True, slots=True)
class BackupRow:
    """One backup.

    :param kind: files of pg_dump, or a copy of the whole database that was reached by an address.
    :param snapshot_at: that of a copy is when its mark was written: it is no older.
    :param host: the machine that it was made on, and that ``folder`` is a path of. Of a copy that of its address, and
        ``folder`` is the address without a password.
    :param chosen: patterns of tables; none: the whole database.
    :param tables: ``schema.table`` -> its rows and content hash in the snapshot.
    :param proven_at: when it was restored and compared; None if it never was.
    """

    id: int
    plan: str
    kind: Literal["files", "copy"]
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


@dataclass(frozen=True, slots=True)
class Mark:
    """A row by which a copy of the database tells that it is one, and no older.

    :param token: that no other mark of any database has.
    :param at: when it was written, as the database tells the time.
    :param chosen: patterns of tables; none: the whole database.
    :param schema: the digest of the schema before the mark was written.
    :param tables: ``schema.table`` -> its ``schema``, ``name``, ``rows``, ``way`` and ``hash`` before that, and in
        ``archived`` the number of its stay in the archive; None if it was in none.
    """

    id: int
    token: UUID
    plan: str
    at: datetime
    chosen: list[str]
    schema: str
    tables: dict[str, dict[str, Any]]


def mark(
    conn: Connection[Any],
    *,
    plan: str,
    at: datetime,
    chosen: Sequence[str],
    schema: str,
    tables: Mapping[str, Mapping[str, Any]],
) -> Mark:
    """Write a mark, in the open transaction."""
    token = uuid4()
    values = {"token": token, "plan": plan, "at": at, "chosen": Jsonb(list(chosen))}
    values |= {"schema": schema, "tables": Jsonb(dict(tables))}
    made = conn.cursor(row_factory=scalar_row).execute(load("backups.mark"), values).fetchone()
    return next(each for each in marks(conn, plan) if each.id == made)


def marks(conn: Connection[Any], plan: str) -> list[Mark]:
    """The marks of a plan, the newest first."""
    return conn.cursor(row_factory=class_row(Mark)).execute(load("backups.marks"), {"plan": plan}).fetchall()


def keep_copy(
    conn: Connection[Any],
    of: Mark,
    *,
    host: str,
    address: str,
    digest: str,
    tables: Mapping[str, Mapping[str, Any]],
) -> int:
    """Note that a copy which holds a mark was compared and is one; its id.

    :param address: without a password.
    :param digest: of the mark and the tables, in place of a manifest's.
    """
    values = {
        "plan": of.plan,
        "snapshot_at": of.at,
        "host": host,
        "folder": address,
        "chosen": Jsonb(of.chosen),
        "manifest_sha256": digest,
        "tables": Jsonb(dict(tables)),
    }
    made = conn.cursor(row_factory=scalar_row).execute(load("backups.keep_copy"), values).fetchone()
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
