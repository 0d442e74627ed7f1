"""Gate ``backup``: the ledger knows of a backup that is good enough to go back to."""

from __future__ import annotations

import shlex
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lockgate import manifest
from lockgate.catalog import tables
from lockgate.engine.evidence import Evidence
from lockgate.errors import CheckFailed, PlanError
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.ledger import backups
from lockgate.ledger.backups import BackupRow
from lockgate.plan.models import Backup, BackupGate, format_duration

_QUERY = (
    "SELECT id, kind, snapshot_at, host, folder, chosen, manifest_sha256, tables, proven_at FROM lockgate.backups "
    "ORDER BY snapshot_at DESC, then the SHA-256 of the manifest and of each file in the folder"
)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A backup, and the first demand that it does not meet.

    :param met: how many demands it meets, in their order.
    :param fault: what is wrong; None where nothing is.
    :param unseen: why its files were not looked at; None where they were.
    """

    row: BackupRow
    met: int
    fault: str | None
    unseen: str | None = None


class Runner:
    """Takes the newest backup that meets every demand; where none does, names what the best one lacks."""

    def evaluate(self, ctx: GateContext) -> GateResult:
        """Reads every file of the backup that it opens for, where its folder can be reached from here."""
        wanted: Backup = ctx.gate.backup
        try:
            needed = [table.label for table in tables.choose(ctx.conn, wanted.tables)] if wanted.tables else []
        except PlanError as error:
            return _refused(ctx, error.what, {"backup": None})
        now = ctx.clock.of(ctx.conn)
        best: _Judged | None = None
        for row in backups.known(ctx.conn) if ctx.ledger else ():
            judged = _judge(row, wanted, needed, now)
            if judged.fault is None:
                return _open(judged, needed, now)
            if best is None or judged.met > best.met:
                best = judged
        if best is None:
            return _refused(ctx, "there is no backup of this database", {"backup": None})
        return _refused(ctx, f"backup {best.row.id} {best.fault}", _facts(best.row, needed))

    def describe(self, gate: BackupGate) -> str:
        """What it must be, in words."""
        wanted = gate.backup
        of = ", ".join(wanted.tables) or "the whole database"
        proven = ", restored and compared" if wanted.restored else ""
        return f"a backup of {of} within {format_duration(wanted.within)}{proven}"


def _judge(row: BackupRow, wanted: Backup, needed: list[str], now: datetime) -> _Judged:
    missing = [label for label in needed if label not in row.tables]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return _Judged(row, 0, f"does not hold {missing[0]}{more}")
    if not needed and row.chosen:
        return _Judged(row, 0, f"is not of the whole database but of {', '.join(row.chosen)}")
    if now - row.snapshot_at > wanted.within:
        return _Judged(row, 1, f"is {_age(row, now)} old, and may be {format_duration(wanted.within)}")
    if wanted.restored and row.proven_at is None:
        return _Judged(row, 2, "was never restored, so nothing is proven")
    fault, unseen = look_at_files(row)
    return _Judged(row, 3, fault, unseen)


def look_at_files(row: BackupRow) -> tuple[str | None, str | None]:
    """What is wrong with its files, and why they were not looked at."""
    if row.kind == "copy":
        return None, f"it was at {row.folder}, and was not asked again"
    folder = Path(row.folder)
    try:
        (folder / manifest.NAME).stat()
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and row.host == socket.gethostname():
            return f"is gone: {folder} is not there", None
        return None, f"its files in {folder} on {row.host} cannot be reached from here, and were not looked at"
    try:
        if manifest.digest(folder) != row.manifest_sha256:
            return f"is not what was made: the manifest in {folder} was changed", None
        faults = manifest.faults(folder, manifest.read(folder))
    except CheckFailed as error:
        return f"cannot be read: {error.why}", None
    more = f", and {len(faults) - 1} more files" if len(faults) > 1 else ""
    return (f"is not what was made: in {folder} {faults[0]}{more}" if faults else None), None


def _open(judged: _Judged, needed: list[str], now: datetime) -> GateResult:
    row = judged.row
    of = f"{len(needed)} table{'' if len(needed) == 1 else 's'}" if needed else "the whole database"
    proven = f", restored in {row.restore_seconds:.1f} s" if row.restore_seconds is not None else ""
    if row.kind == "copy":
        proven = f" at most, {_compared(row, needed)}"
    unseen = f"; {judged.unseen}" if judged.unseen else ""
    result = {**_facts(row, needed), "files_read": judged.unseen is None, "passed": True}
    return GateResult(
        True,
        f"backup {row.id} of {of} is {_age(row, now)} old{proven}{unseen}",
        evidence=(Evidence(f"backup_gate:{row.id}", _QUERY, result),),
    )


def _compared(row: BackupRow, needed: list[str]) -> str:
    """How far a copy was compared: of what was written after its mark nobody knows what it must hold."""
    tables = [row.tables[label] for label in needed] if needed else list(row.tables.values())
    written = sum(table["compared"] == "written" for table in tables)
    equal = f"{len(tables) - written} tables equal to the database's"
    return f"{equal}, {written} written meanwhile and not compared" if written else equal


def _refused(ctx: GateContext, what: str, facts: dict[str, Any]) -> GateResult:
    chosen = [word for pattern in ctx.gate.backup.tables for word in ("--tables", pattern)]
    command = shlex.join(["lockgate", "backup", str(ctx.loaded.folder), *chosen])
    return GateResult(
        False,
        what,
        Refusal.REFUSED,
        hint=f"Make one with `{command}`, then go on.",
        evidence=(Evidence(f"backup_gate:{facts['backup'] or 'none'}", _QUERY, {**facts, "passed": False}),),
    )


def _facts(row: BackupRow, needed: list[str]) -> dict[str, Any]:
    return {
        "backup": row.id,
        "folder": row.folder,
        "manifest_sha256": row.manifest_sha256,
        "snapshot_at": row.snapshot_at,
        "proven_at": row.proven_at,
        "restore_seconds": row.restore_seconds,
        "tables": needed,
    }


def _age(row: BackupRow, now: datetime) -> str:
    return str(timedelta(seconds=max(0, int((now - row.snapshot_at).total_seconds()))))
