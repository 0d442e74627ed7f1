"""Old backups: which ones a new, proven one makes superfluous, and removing them."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from lockgate import manifest
from lockgate.backup import record
from lockgate.engine.faults import fault
from lockgate.engine.session import Sessions
from lockgate.errors import CheckFailed, LedgerError, LockgateError
from lockgate.ledger import backups, require_home
from lockgate.ledger.backups import BackupRow


@dataclass(frozen=True, slots=True)
class Keep:
    """What stays: a backup that one of the two keeps.

    :param newest: this many proven ones.
    :param age: those that are no older.
    """

    newest: int | None = None
    age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Spared:
    """A backup that is superfluous, and stays all the same."""

    row: BackupRow
    why: str


@dataclass(frozen=True, slots=True)
class Retired:
    """What was removed, and what would have been."""

    removed: tuple[BackupRow, ...]
    spared: tuple[Spared, ...]


def superfluous(rows: Sequence[BackupRow], new: BackupRow, keep: Keep, now: datetime) -> list[BackupRow]:
    """The backups that a new one of the same kind (plan and tables) makes superfluous, the newest first.

    One that was never proven does not count, and goes with those that are older than what stays. The newest proven one
    always stays. A copy that was reached by an address is none of them: nothing of it could be removed from here.
    """
    kind = [
        row for row in rows if row.kind == "files" and row.plan == new.plan and sorted(row.chosen) == sorted(new.chosen)
    ]
    proven = [row for row in kind if row.proven_at is not None]
    limits = []
    if keep.newest is not None:
        if len(proven) < keep.newest:
            return []
        limits.append(proven[keep.newest - 1].snapshot_at)
    if proven and keep.age is not None:
        limits.append(min(proven[0].snapshot_at, now - keep.age))
    return [row for row in kind if limits and row.snapshot_at < min(limits)]


def retire(sessions: Sessions, number: int, keep: Keep) -> Retired:
    """Remove what the backup of this number makes superfluous.

    The ledger says so first: of one whose files are half gone nobody must think that it is there. What a process that
    was killed has left goes now.

    :raises LedgerError: if the new one is not in the ledger, or was never proven.
    """
    removed, spared = [], []
    with sessions.open("backup") as conn:
        require_home(conn)
        rows = backups.known(conn)
        new = next((row for row in rows if row.id == number), None)
        if new is None or new.proven_at is None:
            raise LedgerError(f"Backup {number} was never proven, so no older one is removed", where="lockgate.backups")
        for row in superfluous(rows, new, keep, sessions.clock.of(conn)):
            with conn.transaction():
                why = backups.relied_on(conn).get(row.id) or _out_of_reach(row)
                if why is not None:
                    spared.append(Spared(row, why))
                elif record.removed(conn, new.plan, row, number, _words(keep)):
                    removed.append(row)
            fault("retention.removed")
        for folder, digest in backups.given_up(conn):
            _delete(Path(folder), digest)
    return Retired(tuple(removed), tuple(spared))


def _words(keep: Keep) -> str:
    said = [f"the {keep.newest} newest that were proven stay"] if keep.newest is not None else []
    if keep.age is not None:
        said.append(f"those of the last {keep.age} stay")
    return "lockgate backup: " + ", ".join(said)


def _out_of_reach(row: BackupRow) -> str | None:
    """Why its files cannot be removed from here; nothing else is ever removed than what was made."""
    if row.host != socket.gethostname():
        return f"its files are on {row.host}"
    folder = Path(row.folder)
    if not folder.exists():
        return None
    try:
        same = manifest.digest(folder) == row.manifest_sha256
    except CheckFailed as error:
        return f"its manifest cannot be read: {error.why}"
    return None if same else f"{folder} holds something else by now"


def _delete(folder: Path, digest: str) -> None:
    """Delete the files of a backup that was given up; a folder that is another one by now is not touched.

    :raises LockgateError: if they cannot be deleted.
    """
    going = folder.with_name(f"{folder.name}.removing")
    try:
        if folder.exists() and manifest.digest(folder) == digest:
            folder.rename(going)
            fault("retention.renamed")
        if going.exists():
            shutil.rmtree(going)
    except CheckFailed:  # no backup is there any more
        pass
    except OSError as error:
        raise LockgateError(
            "The files of a backup that was given up cannot be deleted",
            where=str(error.filename or folder),
            why=error.strerror,
            hint="Mend that; the next `lockgate backup` with --keep deletes them. The new backup is made and proven.",
        ) from error
