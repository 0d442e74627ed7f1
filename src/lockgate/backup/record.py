"""Backups in the ledger: a row that gates ask, and an entry of the chain that vouches for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.backup.make import Made
from lockgate.backup.prove import Proof
from lockgate.engine.evidence import Evidence
from lockgate.engine.recording import evidence
from lockgate.engine.session import Sessions
from lockgate.ledger import backups, require_home
from lockgate.ledger.backups import BackupRow

if TYPE_CHECKING:
    from lockgate.backup.restore import Restored


def keep(sessions: Sessions, plan: str, made: Made) -> int:
    """Write into the ledger that a backup was made; its number there.

    :raises LedgerError: if there is no ledger, or it was copied from another database.
    """
    said = made.manifest
    tables = {table.label: {"rows": table.rows, "hash": table.hash} for table in said.tables}
    with sessions.open("backup") as conn, conn.transaction():
        require_home(conn)
        backup = backups.keep(
            conn,
            plan=plan,
            snapshot_at=said.snapshot_at,
            folder=str(made.folder),
            chosen=said.chosen,
            manifest_sha256=made.digest,
            tables=tables,
        )
        result = {
            "snapshot_at": said.snapshot_at,
            "standby": said.standby,
            "folder": str(made.folder),
            "chosen": list(said.chosen),
            "manifest_sha256": made.digest,
            "tables": tables,
        }
        evidence(conn, plan, None, None, [Evidence(f"backup:{backup}", made.command, result)], run_id=None)
    return backup


def proven(sessions: Sessions, plan: str, backup: int, made: Made, proof: Proof) -> None:
    """Write into the ledger that it was restored, and every table was what it was."""
    result = {
        "manifest_sha256": made.digest,
        "restore_seconds": round(proof.seconds, 3),
        "tables": len(made.manifest.tables),
        "rows": proof.rows,
        "remarks": list(proof.remarks),
    }
    query = "pg_restore, then columns, rows and content hash of each table compared with the manifest's"
    with sessions.open("backup") as conn, conn.transaction():
        require_home(conn)
        backups.proven(conn, backup, proof.seconds)
        evidence(conn, plan, None, None, [Evidence(f"backup_restored:{backup}", query, result)], run_id=None)


def removed(conn: Connection[Any], plan: str, row: BackupRow, because: int, why: str) -> bool:
    """Write into the ledger, in the open transaction, that a backup's files are given up; False if they were before.

    :param because: the number of the proven backup that takes its place.
    """
    if not backups.removed(conn, row.id):
        return False
    result = {
        "folder": row.folder,
        "host": row.host,
        "snapshot_at": row.snapshot_at,
        "manifest_sha256": row.manifest_sha256,
        "proven_at": row.proven_at,
        "in_favour_of": because,
    }
    evidence(conn, plan, None, None, [Evidence(f"backup_removed:{row.id}", why, result)], run_id=None)
    return True


def restored(conn: Connection[Any], row: BackupRow, what: Restored) -> None:
    """Write into the ledger that tables were restored from a backup, in the transaction that restores them."""
    require_home(conn)
    result = {
        "manifest_sha256": row.manifest_sha256,
        "tables": {table.label: {"rows": table.rows, "hash": table.hash} for table in what.tables},
        "missing": [{"what": missing.what, "why": missing.why} for missing in what.missing],
        "seconds": round(what.seconds, 3),
    }
    query = "pg_restore, then columns, rows and content hash of each table compared with the manifest's"
    fact = Evidence(f"restored_from_backup:{row.id}", query, result)
    evidence(conn, row.plan, None, None, [fact], run_id=None)
